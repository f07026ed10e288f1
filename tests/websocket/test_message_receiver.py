"""Tests of the delivery of events to handlers, with a real server over TCP and TLS, on both kinds of event
loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from concurrent import futures
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.references import gc_disabled
from tests.support.server import ExpectLog, raised, serving
from tests.support.streams import record_sends, run_loop_iterations
from tests.support.websocket import END, RESET, Client, Recorder, dial, masked, opened
from tests.support.websocket_internals import (
    abort,
    backlog,
    handle_message,
    is_decompression_paused,
    is_opening,
    is_reading_paused,
    traffic,
)
from tornado import web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_frames import FIN, Opcode
from tornado.websocket import WebSocketClosedError, WebSocketHandler, _message_receiver

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")
GONE = ("close", None, None)


class IterationCounter:
    """A context manager that counts the iterations of the event loop."""

    def __init__(self) -> None:
        self.count = -1
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> IterationCounter:
        self._next()
        return self

    def __exit__(self, *info: object) -> None:
        self._handle.cancel()

    def _next(self) -> None:
        self.count += 1
        self._handle = self._loop.call_soon(self._next)


# -- order and waiting --


async def test_messages_wait_for_a_coroutine_in_order(loop_kind: str, tls: Any) -> None:
    gates = {name: asyncio.Event() for name in "abc"}

    async def on_message(self: Any, message: str) -> None:
        self.note(f"begin {message}")
        await gates[message].wait()
        self.note(f"end {message}")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send(*"abc")
        client.close(1000)
        for name in "abc":
            await handler.until(f"begin {name}")
            await run_loop_iterations(10)
            assert handler.happened[-1] == f"begin {name}"
            gates[name].set()
        assert await client.event() == ws_connection.Close(1000, "")
        await handler.until(("close", 1000, None))
    assert handler.happened[1:7] == [f"{what} {name}" for name in "abc" for what in ("begin", "end")]


async def test_messages_wait_for_an_async_open_that_sends(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()

    async def open_(self: Any) -> None:
        self.note("open")
        await self.write_message("hello")
        await gate.wait()
        self.note("opened")

    handler = Recorder.new(open=open_)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, first=("early",))
        client.send("late")
        assert await client.event() == "hello"
        await run_loop_iterations(10)
        assert handler.happened == ["open"]
        gate.set()
        await handler.until("late")
    assert handler.happened[:4] == ["open", "opened", "early", "late"]


async def test_coroutine_without_suspension_takes_no_loop_iteration(loop_kind: str, tls: Any) -> None:
    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        await self.write_message(message)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send(*"abc")
        await handler.until("a")
        assert handler.happened == ["open", *"abc"]
        assert [await client.event() for _ in range(3)] == list("abc")


async def test_returned_future_is_awaited(loop_kind: str, tls: Any) -> None:
    future: asyncio.Future[None] = asyncio.Future()

    def on_message(self: Any, message: str) -> Any:
        self.note(message)
        return future

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a", "b")
        await handler.until("a")
        await run_loop_iterations(10)
        assert handler.happened[-1] == "a"
        future.set_result(None)
        await handler.until("b")


async def test_replies_to_waiting_messages_leave_in_one_send(
    loop_kind: str, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    def on_message(self: Any, message: str) -> Any:
        self.note(message)
        if message == "first":
            return gate.wait()
        self.write_message(message)
        return None

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("first", *"abc")
        await handler.until("first")
        sent = record_sends(monkeypatch)
        gate.set()
        assert [await client.event() for _ in range(3)] == list("abc")
    assert b"\x81\x01a\x81\x01b\x81\x01c" in [data for _, data in sent]


async def test_messages_passed_to_handle_message_are_delivered(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        connection = handler.latest.ws_connection
        handle_message(connection, Opcode.TEXT, "grüße".encode())
        handle_message(connection, Opcode.BINARY, b"\xff")
    assert handler.happened[1:3] == ["grüße", b"\xff"]


async def test_tasks_reply_to_messages_before_an_error(loop_kind: str, tls: Any) -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    handler = Recorder.new(on_message=lambda self, message: messages.put_nowait((self, message)))

    async def answer() -> None:
        while True:
            connection, message = await messages.get()
            connection.write_message(message)

    answering = asyncio.create_task(answer())
    async with opened(handler, tls=tls) as client:
        client.raw(masked(FIN | Opcode.TEXT, b"a") + masked(FIN | Opcode.TEXT, b"b") + b"\x83\x80abcd")
        answers = [await client.event() for _ in range(3)]
        assert answers[:2] == ["a", "b"]
        assert answers[2].code == 1002
    answering.cancel()


# -- fairness --


async def test_many_messages_take_several_loop_iterations(loop_kind: str, tls: Any) -> None:
    with IterationCounter() as loop:
        handler = Recorder.new(on_message=lambda self, message: self.note((message, loop.count)))
        async with opened(handler, tls=tls) as client:
            client.raw(masked(FIN | Opcode.BINARY, b"x") * 9000 + masked(FIN | Opcode.CLOSE, b""))
            await handler.until(GONE)
    assert [each[0] for each in handler.happened[1:-1]] == [b"x"] * 9000
    assert handler.happened[9000][1] - handler.happened[1][1] >= 0.9 * 9000 / _message_receiver.BATCH


@pytest.mark.parametrize("what", ["waits", "fills", "aborts"])
async def test_last_message_of_a_batch_may_block_the_next_batch(loop_kind: str, tls: Any, what: str) -> None:
    gate = asyncio.Event()

    def on_message(self: Any, message: bytes) -> Any:
        self.note(message)
        if message == b"last":
            if what == "waits":
                return gate.wait()
            if what == "fills":
                self.write_message(b"x" * 8_000_000, binary=True)
            else:
                abort(self.ws_connection)
        return None

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.stop_reading()
        client.send(*[b"x"] * (_message_receiver.BATCH - 1), b"last", b"next")
        await handler.until(b"last")
        await run_loop_iterations(10)
        assert b"next" not in handler.happened
        client.read_on()
        gate.set()
        await handler.until(GONE if what == "aborts" else b"next")
    assert handler.happened.count(b"x") == _message_receiver.BATCH - 1


async def test_large_compressed_message_takes_several_loop_iterations(loop_kind: str, tls: Any) -> None:
    """The messages before and after the large message arrive in the same piece."""
    with IterationCounter() as loop:
        handler = Recorder.new(
            get_compression_options=lambda self: {},
            on_message=lambda self, message: self.note((len(message), loop.count)),
        )
        async with serving(web.Application([("/", handler)]), tls=tls) as server:
            client = await dial(server, policy=DeflatePolicy())
            client.send("x", "x" * 5_000_000, "yz")
            client.close()
            await handler.until(GONE)
    (first, begin), (second, middle), (third, end) = handler.happened[1:4]
    assert (first, second, third) == (1, 5_000_000, 2)
    assert middle - begin >= 5_000_000 // ws_connection.DEFAULT.inflate_step
    assert end - middle <= 1


# -- reading ahead --


class Slow(Recorder):
    """A handler whose `on_message` waits for `gate` and records its progress."""

    gate: asyncio.Event

    @classmethod
    def new(cls, **members: Any) -> Any:
        return super().new(gate=asyncio.Event(), **members)

    async def on_message(self, message: str | bytes) -> None:
        self.note(message)
        await self.gate.wait()
        self.note("done")


async def read_ahead(connection: Any, size: int) -> int:
    """Wait until the server has paused reading or has read `size` bytes; return the number of bytes read."""
    while not is_reading_paused(connection) and traffic(connection).wire_bytes_in < size:
        await asyncio.sleep(0)
    read: int = traffic(connection).wire_bytes_in
    return read


@pytest.mark.parametrize("size", [1000, 100_000])
async def test_read_ahead_during_a_callback_is_bounded(loop_kind: str, tls: Any, size: int) -> None:
    """Of 10 MB, less than 1 MB is read while the callback waits. All messages are delivered later."""
    messages = [str(number).ljust(size, ".") for number in range(10_000_000 // size)]
    handler = Slow.new()
    async with opened(handler, tls=tls) as client:
        client.send(*messages)
        await handler.until(messages[0])
        assert await read_ahead(handler.latest.ws_connection, 10_000_000) < 1_000_000
        assert handler.happened == ["open", messages[0]]
        handler.gate.set()
        client.close(1000)
        assert await client.events() == [ws_connection.Close(1000, "")]
    assert [each for each in handler.happened if each != "done"] == ["open", *messages, ("close", 1000, None)]


async def test_tiny_messages_count_with_a_fixed_cost(loop_kind: str, tls: Any) -> None:
    handler = Slow.new()
    frames = masked(FIN | Opcode.TEXT, b"x") * 40_000
    async with opened(handler, tls=tls) as client:
        client.raw(frames)
        await handler.until("x")
        connection = handler.latest.ws_connection
        await read_ahead(connection, len(frames))
        just_enough = _message_receiver.MAX_BACKLOG // _message_receiver.EVENT_COST
        one_receive = connection.stream.read_chunk_size // len(masked(FIN | Opcode.TEXT, b"x"))
        assert just_enough < len(backlog(connection)) < just_enough + 2 * one_receive
        handler.gate.set()
        client.close(1000)
        assert await client.events() == [ws_connection.Close(1000, "")]
    assert handler.happened.count("x") == 40_000


async def test_reading_resumes_when_half_of_the_backlog_is_delivered(loop_kind: str, tls: Any) -> None:
    """Earlier reading would cost a system call and a loop iteration for each message."""
    count, begun, permits = 12, 0, asyncio.Semaphore(0)

    async def on_message(self: Any, message: bytes) -> None:
        nonlocal begun
        begun += 1
        self.note(begun)
        await permits.acquire()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send(*[b"x" * 100_000] * count)
        await handler.until(1)
        connection = handler.latest.ws_connection
        read = await read_ahead(connection, 2**40)
        waiting = len(backlog(connection))
        assert 2 <= waiting < count - 1
        while traffic(connection).wire_bytes_in == read:
            permits.release()
            await handler.until(begun + 1)
            await run_loop_iterations(5)
        assert 1 < begun <= waiting  # these messages and the first one
        for _ in range(count):
            permits.release()
        client.close(1000)
        assert await client.events() == [ws_connection.Close(1000, "")]
    assert begun == count


async def test_reading_pauses_during_decompression(loop_kind: str, tls: Any) -> None:
    permits = asyncio.Semaphore(0)

    async def on_message(self: Any, message: str) -> None:
        self.note(len(message))
        await permits.acquire()

    handler = Recorder.new(on_message=on_message, get_compression_options=lambda self: {})
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        client.send("1", "12", "x" * 5_000_000)
        for size in (1, 2):
            await handler.until(size)
            await run_loop_iterations(10)
            connection = handler.latest.ws_connection
            assert (is_decompression_paused(connection), is_reading_paused(connection)) == (True, True)
            permits.release()
        await handler.until(5_000_000)
        assert (is_decompression_paused(connection), is_reading_paused(connection)) == (False, False)
        permits.release()
        client.send("123")
        await handler.until(3)
        permits.release()


# -- disconnects during a callback --

GOING = {"by an end": Client.leave, "by a reset": Client.drop}
#: The opcode of the frame for which each callback is called.
CALLING = {"on_message": Opcode.TEXT, "on_ping": Opcode.PING, "on_pong": Opcode.PONG}


@pytest.mark.parametrize("going", GOING)
@pytest.mark.parametrize("method", CALLING)
async def test_disconnect_during_a_callback_is_noticed_immediately(
    loop_kind: str, tls: Any, method: str, going: str
) -> None:
    """The disconnect is detected without pings. The `WebSocketClosedError` of the callback is not logged."""
    gate = asyncio.Event()

    async def callback(self: Any, *args: Any) -> None:
        self.note("begin")
        await gate.wait()
        self.note("end")
        await self.write_message("too late")

    handler = Recorder.new(**{method: callback})
    async with opened(handler, tls=tls) as client:
        client.raw(masked(FIN | CALLING[method], b""))
        await handler.until("begin")
        GOING[going](client)
        await handler.until(GONE)
        assert "end" not in handler.happened
        gate.set()
        await handler.until("end")
        await run_loop_iterations()
    assert handler.happened[-2:] == [GONE, "end"]


@pytest.mark.parametrize("going", GOING)
async def test_on_close_waits_for_open(loop_kind: str, tls: Any, going: str) -> None:
    """Jupyter releases in `on_close` what it acquires in `open`. `wait_closed` does not wait for `open`."""
    gate = asyncio.Event()
    connections: list[Any] = []

    async def open_(self: Any) -> None:
        self.note("begin")
        connections.append(self.ws_connection)
        await gate.wait()
        self.note("end")

    handler = Recorder.new(open=open_)
    async with opened(handler, tls=tls) as client:
        await handler.until("begin")
        GOING[going](client)
        await connections[0].wait_closed()
        await run_loop_iterations()
        assert handler.happened == ["begin"]
        gate.set()
        await handler.until(GONE)
    assert handler.happened == ["begin", "end", GONE]
    assert not is_opening(connections[0])


async def test_open_without_other_references_is_not_garbage_collected(loop_kind: str, tls: Any) -> None:
    gates: list[Any] = []

    async def open_(self: Any) -> None:
        self.note("begin")
        gate = asyncio.get_running_loop().create_future()
        gates.append(weakref.ref(gate))
        await gate
        self.note("end")

    handler = Recorder.new(open=open_)
    async with opened(handler, tls=tls) as client:
        await handler.until("begin")
        client.drop()
        await run_loop_iterations(20)
        gc.collect()
        gates[0]().set_result(None)
        await handler.until(GONE)
    assert handler.happened == ["begin", "end", GONE]


@pytest.mark.parametrize("method", ["open", "on_message"])
async def test_callback_that_returns_a_future_of_a_thread(loop_kind: str, tls: Any, method: str) -> None:
    """`on_close` is called in the thread of the event loop."""
    threads = []
    gate = threading.Event()

    class Handler(Recorder):
        def on_close(self) -> None:
            threads.append(threading.current_thread())
            super().on_close()

    with futures.ThreadPoolExecutor(1) as pool:
        handler = Handler.new(**{method: lambda self, *_: self.note("begin") or pool.submit(gate.wait)})
        async with opened(handler, tls=tls) as client:
            client.send("message")
            await handler.until("begin")
            client.drop()
            await run_loop_iterations()
            gate.set()
            await handler.until(GONE)
    assert threads == [threading.main_thread()]


async def test_on_close_is_called_after_a_failed_open(
    loop_kind: str, tls: Any, expect_log: ExpectLog
) -> None:
    gate = asyncio.Event()

    async def open_(self: Any) -> None:
        self.note("begin")
        await gate.wait()
        raise ValueError("on purpose")

    handler = Recorder.new(open=open_)
    async with opened(handler, tls=tls) as client:
        await handler.until("begin")
        client.drop()
        await run_loop_iterations()
        with expect_log("tornado.application", "Uncaught exception GET /"):
            gate.set()
            await handler.until(GONE)
    assert handler.happened == ["begin", GONE]


async def test_exception_after_the_end_is_logged(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        await gate.wait()
        raise ValueError("on purpose")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("message")
        await handler.until("message")
        client.drop()
        await handler.until(GONE)
        with expect_log("tornado.application", "Uncaught exception GET /") as expected:
            gate.set()
            await run_loop_iterations()
    assert isinstance(raised(expected), ValueError)


async def test_end_of_input_is_processed_after_earlier_messages(loop_kind: str, tls: Any) -> None:
    handler = Slow.new()
    async with opened(handler, tls=tls) as client:
        client.send("a", "b", "c")
        await handler.until("a")
        client.leave()
        await run_loop_iterations(20)
        assert handler.happened == ["open", "a"]
        handler.gate.set()
        await handler.until(GONE)
    assert handler.happened == ["open", "a", "done", "b", "done", "c", "done", GONE]


async def test_close_frame_is_answered_after_earlier_messages(loop_kind: str, tls: Any) -> None:
    handler = Slow.new()
    async with opened(handler, tls=tls) as client:
        client.send("a")
        await handler.until("a")
        client.close(4001, "bye")
        await run_loop_iterations(20)
        assert handler.happened == ["open", "a"]
        handler.gate.set()
        assert await client.events() == [ws_connection.Close(4001, "")]
        await handler.until(("close", 4001, "bye"))


@pytest.mark.parametrize("in_one_piece", [False, True])
async def test_close_code_is_kept_if_a_reset_follows(loop_kind: str, in_one_piece: bool) -> None:
    """The test uses a plain connection only: Python's TLS treats a reset as an end of input, which is
    processed in order.
    """
    handler = Slow.new()
    async with opened(handler) as client:
        message, close = client.core.message("a", False), client.core.close(4001, "bye")
        if in_one_piece:
            client.raw(message + close)
        else:
            client.raw(message)
            await handler.until("a")
            client.raw(close)
        await handler.until("a")
        connection = handler.latest.ws_connection
        while connection.close_code is None:
            await asyncio.sleep(0)
        client.drop()
        await handler.until(("close", 4001, "bye"))
        handler.gate.set()
        await handler.until("done")
    assert handler.happened == ["open", "a", ("close", 4001, "bye"), "done"]


# -- after the close frame of this side --


async def test_read_ahead_after_close_is_bounded(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note("a")
        self.close(1000)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.send("a")
        assert await client.event() == ws_connection.Close(1000, "")
        client.raw(masked(FIN | Opcode.BINARY, b"x" * 1000) * 5000)
        await run_loop_iterations(100)
        assert 0 < traffic(connection).wire_bytes_in < 600_000
        client.drop()
        gate.set()
        await handler.until(("close", None, None))


@pytest.mark.parametrize("ending", ["close", "eof"])
async def test_messages_after_close_wait_for_a_callback(loop_kind: str, ending: str) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        if message == "a":
            self.close(1000)
            await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a")
        assert await client.event() == ws_connection.Close(1000, "")
        client.send("b", "c")
        if ending == "close":
            client.close(1000)
        client.peer.writer.write_eof()
        await run_loop_iterations(20)
        assert handler.happened == ["open", "a"]
        gate.set()
        assert await client.event() is END
        await handler.until(("close", 1000 if ending == "close" else None, None))
    assert handler.happened[:4] == ["open", "a", "b", "c"]


async def test_close_frame_of_peer_is_read_during_a_callback(by_the_clock: FakeClock, tls: Any) -> None:
    """The close code is reported even if the callback takes longer than five seconds."""
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        self.close(1000)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a")
        assert await client.event() == ws_connection.Close(1000, "")
        client.close(1000, "bye")
        assert await client.event() is END
        await handler.until(("close", 1000, "bye"))
        gate.set()
        await run_loop_iterations()


# -- contexts --


async def test_callbacks_share_a_context(loop_kind: str, tls: Any) -> None:
    async def later(self: Any, message: str) -> None:
        await asyncio.sleep(0)
        self.note((message, VARIABLE.get("unset")))
        VARIABLE.set(message)

    def open_(self: Any) -> None:
        VARIABLE.set("opened")

    def on_close(self: Any) -> None:
        self.note(("closed", VARIABLE.get("unset")))

    handler = Recorder.new(open=open_, on_message=later, on_close=on_close)
    async with opened(handler, tls=tls) as client:
        client.send("a", "b")
        client.close()
        await handler.until(("closed", "b"))
    assert handler.happened == [("a", "opened"), ("b", "a"), ("closed", "b")]
    assert VARIABLE.get("unset") == "unset"


# -- exceptions in callbacks --


@pytest.mark.parametrize("kind", ["plain", "async", "later"])
@pytest.mark.parametrize("method", ["open", "on_message", "on_ping", "on_pong"])
async def test_exception_closes_the_connection(
    loop_kind: str, tls: Any, kind: str, method: str, expect_log: ExpectLog
) -> None:
    def plain(self: Any, *args: Any) -> None:
        raise ValueError("on purpose")

    async def later(self: Any, *args: Any) -> None:
        if kind == "later":
            await asyncio.sleep(0)
        raise ValueError("on purpose")

    handler = Recorder.new(**{method: plain if kind == "plain" else later})
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        async with opened(handler, tls=tls) as client:
            client.raw(masked(FIN | Opcode.PONG, b"") + masked(FIN | Opcode.PING, b""))
            client.send("a", "b")
            while await client.event() not in (END, RESET):
                pass
            await handler.until(("close", None, None))
    assert isinstance(raised(expected), ValueError)
    assert "b" not in handler.happened


async def test_exception_of_task_leaves_no_reference_cycle(loop_kind: str, tls: Any) -> None:
    """The handler is released with its connection, without a garbage collection."""
    references: list[Any] = []

    class Failing(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            references.append(weakref.ref(self))
            await asyncio.sleep(0)
            raise ValueError("on purpose")

        def log_exception(self, *info: Any) -> None:
            """Return without logging: a log record would keep the traceback."""

    async with serving(web.Application([("/", Failing)]), tls=tls) as server:
        with gc_disabled():
            client = await dial(server)
            client.send("a")
            assert await client.event() == ws_connection.Close(1011, "")
            await run_loop_iterations(5)
            assert [reference() for reference in references] == [None]


@pytest.mark.parametrize("kind", ["plain", "async", "later"])
async def test_reply_after_close_does_not_fail_the_connection(loop_kind: str, tls: Any, kind: str) -> None:
    """The program could not know that another message would arrive. The `WebSocketClosedError` is not
    logged, and the connection does not end with 1006.
    """

    def answer(self: Any, message: str) -> None:
        self.note(message)
        if message == "a":
            self.close(4000)
        else:
            self.write_message("answer")

    async def later(self: Any, message: str) -> None:
        if kind == "later":
            await asyncio.sleep(0)
        answer(self, message)

    handler = Recorder.new(on_message=answer if kind == "plain" else later)
    async with opened(handler, tls=tls) as client:
        client.send("a", "b", "c")
        assert await client.event() == ws_connection.Close(4000, "")
        client.close(4000)
        assert await client.event() is END
        await handler.until(("close", 4000, None))
    assert handler.happened == ["open", "a", "b", "c", ("close", 4000, None)]


async def test_closed_error_of_another_connection_is_logged(
    loop_kind: str, tls: Any, expect_log: ExpectLog
) -> None:
    """The error is ignored only if the connection of the callback itself is closed."""
    handlers: list[Any] = []

    def open_(self: Any) -> None:
        handlers.append(self)
        self.note(f"open {len(handlers)}")

    handler = Recorder.new(open=open_, on_message=lambda self, message: handlers[0].write_message(message))
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        first, second = await dial(server), await dial(server)
        await handler.until("open 2")
        first.drop()
        await handler.until(GONE)
        with expect_log("tornado.application", "Uncaught exception GET /") as expected:
            second.send("for the other")
            assert await second.event() == ws_connection.Close(1011, "")
    assert isinstance(raised(expected), WebSocketClosedError)


async def test_exception_in_log_exception_is_logged(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    def fail(self: Any, *args: Any) -> None:
        raise ValueError("on purpose")

    handler = Recorder.new(on_message=fail, log_exception=fail)
    with expect_log("tornado.application", "Error in exception logger"):
        async with opened(handler, tls=tls) as client:
            client.send("a")
            assert await client.event() == ws_connection.Close(1011, "")


@pytest.mark.parametrize("kind", ["plain", "awaits", "returns"])
async def test_awaited_cancelled_future_is_an_exception(
    loop_kind: str, tls: Any, kind: str, expect_log: ExpectLog
) -> None:
    cancelled: asyncio.Future[None] = asyncio.Future()
    cancelled.cancel()

    async def awaits(self: Any, message: str) -> None:
        await cancelled

    def plain(self: Any, message: str) -> None:
        raise asyncio.CancelledError

    methods = {"plain": plain, "awaits": awaits, "returns": lambda self, message: cancelled}
    handler = Recorder.new(on_message=methods[kind])
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        async with opened(handler, tls=tls) as client:
            client.send("a")
            assert await client.event() == ws_connection.Close(1011, "")
            await handler.until(("close", None, None))
    assert isinstance(raised(expected), asyncio.CancelledError)


async def test_cancelled_callback_closes_without_close_frame(loop_kind: str, tls: Any) -> None:
    async def on_message(self: Any, message: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a", "b")
        assert await client.event() is END


async def test_waiting_messages_are_not_delivered_after_the_end(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a", "b")
        await handler.until("a")
        connection = handler.latest.ws_connection
        abort(connection)
        await handler.until(GONE)
        assert backlog(connection) == []  # released although the callback still runs
        gate.set()
        await run_loop_iterations(5)
    assert handler.happened == ["open", "a", GONE]
