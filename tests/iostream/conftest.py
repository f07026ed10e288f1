"""Fixtures for the tests of streams."""

from __future__ import annotations

import pytest

from tests.support.streams import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Run the test with a plain and with a TLS connection (an argument of `stream_pair`)."""
    value: str = request.param
    return value
