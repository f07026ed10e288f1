"""Access of tests to private parts of `tornado.http1connection`: the clock, log limits, and states."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tornado._log_rate_limit import LogRateLimit
from tornado._loop import deadlines as _deadline_scheduler
from tornado.http1connection import (
    HTTP1ServerConnection,
    _deadlines,
    _lingering_close,
    _server_connection,
)
from tornado.http1connection._states import ConnectionState, PipelineState
from tornado.log import gen_log

#: The limits of a lingering close, in seconds.
MAX_LINGERING_SECONDS = _lingering_close._MAX_SECONDS
MAX_LINGERING_PAUSE = _lingering_close._MAX_PAUSE


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Use `clock` for all deadlines of servers."""
    for module in (_server_connection, _deadlines):
        monkeypatch.setattr(module, "monotonic", clock)
    monkeypatch.setattr(_deadline_scheduler, "time", SimpleNamespace(monotonic=clock))


def reset_log_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the rate limit of the log lines about exceeded limits."""
    for module in (_server_connection, _deadlines):
        monkeypatch.setattr(module, "_log_limit", LogRateLimit(gen_log))


def unread(connection: HTTP1ServerConnection) -> int:
    """Return the number of received bytes that the connection has not processed."""
    return connection._reader.buffered


def waits_for_output(connection: HTTP1ServerConnection) -> bool:
    """Whether the next pipelined request waits until the peer has received output."""
    return connection._pipeline is PipelineState.WAITING_FOR_OUTPUT


def is_closing(connection: HTTP1ServerConnection) -> bool:
    """Whether the last response is being sent."""
    return connection.state is ConnectionState.CLOSING


def lingering_deadline(connection: HTTP1ServerConnection) -> float | None:
    """Return the latest time at which a lingering close ends; None in other states."""
    lingering: Any = connection._lingering_close
    return lingering._deadline if connection.state is ConnectionState.LINGERING else None


def has_deadlines(connection: HTTP1ServerConnection) -> bool:
    """Whether the connection has an object for its deadlines."""
    return connection._deadlines is not None
