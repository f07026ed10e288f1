"""Tests of `BackPressure` with a stream whose output the test sends."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.streams import run_loop_iterations
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError
from tornado.websocket._back_pressure import BackPressure
from tornado.websocket._parameters import params_of


class Stream:
    """A stream that stores the Futures of `when_written`."""

    def __init__(self, pending_output: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.pending_output = pending_output
        self.waits: list[tuple[int, asyncio.Future[None]]] = []

    def when_written(self, rest: int = 0) -> asyncio.Future[None]:
        future = self.loop.create_future()
        self.waits.append((rest, future))
        return future


class Connection:
    """A connection with a limit of 100 bytes that counts the calls of `output_resumed`."""

    close_code = close_reason = None

    def __init__(self) -> None:
        self.stream = Stream(101)
        self.params = params_of(write_limit=100)
        self.resumed = 0

    def output_resumed(self) -> None:
        self.resumed += 1


async def test_senders_continue_at_half_of_the_limit() -> None:
    connection = Connection()
    back_pressure = BackPressure(connection)  # type: ignore[arg-type]
    senders = [back_pressure.sender(), back_pressure.sender()]
    senders[0].cancel()
    [(rest, written)] = connection.stream.waits
    assert rest == 50
    connection.stream.pending_output = 50
    written.set_result(None)
    await run_loop_iterations()
    await senders[1]
    assert connection.resumed == 1


async def test_wait_continues_if_more_output_was_added() -> None:
    connection = Connection()
    sender = BackPressure(connection).sender()  # type: ignore[arg-type]
    connection.stream.waits[0][1].set_result(None)
    await run_loop_iterations()
    assert (sender.done(), connection.resumed, len(connection.stream.waits)) == (False, 0, 2)
    connection.stream.pending_output = 0
    connection.stream.waits[1][1].set_result(None)
    await sender
    assert connection.resumed == 1


@pytest.mark.parametrize("cancelled", [False, True])
async def test_loss_of_the_stream_fails_the_senders(cancelled: bool) -> None:
    connection = Connection()
    sender = BackPressure(connection).sender()  # type: ignore[arg-type]
    written = connection.stream.waits[0][1]
    _ = written.cancel() if cancelled else written.set_exception(StreamClosedError())
    with pytest.raises(WebSocketClosedError):
        await sender
    assert connection.resumed == 1
