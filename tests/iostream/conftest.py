"""What the tests of streams share."""

from __future__ import annotations

import pytest

from tests.support.streams import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Run the test on a plain and on a TLS connection; for `stream_pair`."""
    value: str = request.param
    return value
