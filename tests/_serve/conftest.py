"""Fixtures for tests that observe applications in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.observation import restored_process


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    with restored_process():
        yield
