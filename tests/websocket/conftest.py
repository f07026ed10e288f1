"""Fixtures of the WebSocket tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tornado._loop import deadlines as _deadline_scheduler
from tornado.websocket import _timers


@pytest.fixture
def by_the_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Apply the fixture `clock` to the keep-alive and to its timer, too."""
    monkeypatch.setattr(_timers, "monotonic", clock)
    monkeypatch.setattr(_deadline_scheduler, "time", SimpleNamespace(monotonic=clock))
    return clock
