"""The internals of WebSocket connections that tests access.

Only this module depends on how `tornado.websocket` stores them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tornado._loop.deadlines import DeadlineScheduler
from tornado.websocket import _timers
from tornado.websocket._broadcast_scheduler import BroadcastScheduler


class Traffic(NamedTuple):
    """The sizes of the messages and of all frames, in bytes, under the names that Tornado gives them."""

    message_bytes_in: int
    wire_bytes_in: int
    message_bytes_out: int
    wire_bytes_out: int


def traffic(connection: Any) -> Traffic:
    """Return the traffic of a connection so far."""
    return Traffic(
        connection._message_bytes_in,
        connection._wire_bytes_in,
        connection._message_bytes_out,
        connection._wire_bytes_out,
    )


def is_congested(connection: Any) -> bool:
    """Whether more than ``write_limit`` bytes wait to be sent."""
    return connection._back_pressure is not None


def waits_for_output(connection: Any) -> bool:
    """Whether the connection waits until all output has been sent before it continues to close."""
    return connection._on_drained is not None


def is_opening(connection: Any) -> bool:
    """Whether the owner's ``open`` has not finished."""
    return connection._open_future is not None


def backlog(connection: Any) -> list[Any]:
    """Return the events that wait for delivery."""
    events: list[Any] = connection._receiver._backlog
    return events


def is_reading_paused(connection: Any) -> bool:
    """Whether the connection has paused reading."""
    paused: bool = connection.stream._paused
    return paused


def is_decompression_paused(connection: Any) -> bool:
    """Whether a part of the input has not been decompressed yet."""
    pending: bool = connection.has_pending_input()
    return pending


def compressor(connection: Any) -> object | None:
    """Return the zlib object that compresses messages; None if it has been released."""
    found: object | None = connection._core._deflate._compressor
    return found


def compressor_check(connection: Any) -> _timers.IdleCompressorRelease:
    """Return the timer that releases the compressor."""
    check: _timers.IdleCompressorRelease = connection._compressor_check
    return check


def timer(connection: Any) -> _timers.ConnectionTimer | None:
    """Return the timer of pings and of the close timeout; None if the connection has no deadline."""
    found: _timers.ConnectionTimer | None = connection._timer
    return found


def scheduled() -> DeadlineScheduler:
    """Return the scheduler of the timers of the running loop's connections."""
    return _timers.timers(asyncio.get_running_loop())


def abort(connection: Any) -> None:
    """Close a connection without a closing handshake, as some programs do."""
    connection._abort()


def handle_message(connection: Any, opcode: int, data: bytes) -> None:
    """Deliver the payload of a message, as some programs do."""
    connection._handle_message(opcode, data)


def replace_write_frame(connection: Any, write: Callable[[bool, int, bytes], Any]) -> None:
    """Call `write` with FIN, opcode and payload instead of sending frames."""
    connection._write_frame = write


def write_futures(connection: Any) -> list[Any]:
    """Return the Futures of writes that have not been sent."""
    return list(connection.stream._write_futures)


def timer_count() -> int:
    """Return the number of the running loop's active timers for deadlines of connections."""
    loop: Any = asyncio.get_running_loop()
    fire = scheduled()._fire
    return sum(each._callback == fire and not each.cancelled() for each in loop._scheduled)


def waiting_readers(messages: Any) -> int:
    """Return how many entries a message queue has for readers, including cancelled ones."""
    return len(messages._readers)


def suspend_broadcasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevent the scheduler of broadcasts from sending its messages."""
    monkeypatch.setattr(BroadcastScheduler, "_run_batch", lambda self: None)
