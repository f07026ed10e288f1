"""`WebSocketProtocol13` behind a real server, over TCP and TLS, on both kinds of loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.server import ExpectLog, raised, serving
from tests.support.streams import turns
from tests.support.websocket import END, RESET, Recorder, dial, opened
from tornado import web
from tornado._wire import ws
from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_frames import FIN, Opcode, serialize_frame
from tornado.http1connection import _watch
from tornado.iostream import IOStream
from tornado.websocket import WebSocketClosedError, WebSocketHandler, _keepalive, _protocol

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


class Echo(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def masked(first: int, payload: bytes) -> bytes:
    return serialize_frame(first, payload, b"abcd")


# -- messages --


async def test_an_echo_of_text_and_bytes(loop_kind: str, tls: Any) -> None:
    async with opened(Echo, tls=tls) as client:
        client.send("a", b"\xff", "é" * 70_000)
        assert [await client.event() for _ in range(3)] == ["a", b"\xff", "é" * 70_000]


async def test_a_message_in_one_piece_with_the_handshake_is_not_lost(loop_kind: str, tls: Any) -> None:
    async with serving(web.Application([("/", Echo)]), tls=tls) as server:
        client = await dial(server, first=("early", b"bird"))
        assert [await client.event(), await client.event()] == ["early", b"bird"]


async def test_byte_by_byte(loop_kind: str) -> None:
    async with opened(Echo) as client:
        for byte in masked(FIN | Opcode.TEXT, "grüße".encode()):
            client.raw(bytes([byte]))
            await turns()
        assert await client.event() == "grüße"


async def test_all_answers_to_one_chunk_leave_in_one_send(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(Recorder.new(on_message=Echo.on_message)) as client:
        await turns()
        sent: list[bytes] = []
        write = IOStream.write_to_fd
        monkeypatch.setattr(
            IOStream, "write_to_fd", lambda self, data: (sent.append(bytes(data)), write(self, data))[1]
        )
        client.send(*"abc")
        assert [await client.event() for _ in range(3)] == list("abc")
    assert b"\x81\x01a\x81\x01b\x81\x01c" in sent


async def test_fragments_with_a_ping_between(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.raw(
            masked(Opcode.TEXT, b"one ") + masked(FIN | Opcode.PING, b"p") + masked(FIN | 0, b"message")
        )
        assert await client.event() == ws.Pong(b"p")
        await handler.until("one message")
    assert handler.happened[:3] == ["open", ("ping", b"p"), "one message"]


async def test_the_counters() -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        client.send("é", b"12")
        await handler.until(b"12")
        protocol = handler.latest.ws_connection
        handler.latest.write_message("ü")
        assert (protocol._message_bytes_in, protocol._wire_bytes_in) == (4, 2 * 6 + 4)
        assert (protocol._message_bytes_out, protocol._wire_bytes_out) == (2, 2 + 2)


async def test_a_message_that_inflates_to_much_leaves_the_loop_its_turns(loop_kind: str) -> None:
    handler = Recorder.new(get_compression_options=lambda self: {})
    async with serving(web.Application([("/", handler)])) as server:
        client = await dial(server, policy=DeflatePolicy())
        client.send("x" * 5_000_000, "y")
        await handler.until("y")
    assert [len(each) for each in handler.happened[:3]] == [4, 5_000_000, 1]


async def test_compression_both_ways(loop_kind: str, tls: Any) -> None:
    class Compressing(Echo):
        def get_compression_options(self) -> dict[str, Any]:
            return {"compression_level": 9, "mem_level": 5}

    async with serving(web.Application([("/", Compressing)]), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        for _ in range(3):
            client.send("ab" * 5000)
            assert await client.event() == "ab" * 5000


# -- order, and who waits for whom --


async def test_messages_wait_for_a_coroutine_in_their_order(loop_kind: str, tls: Any) -> None:
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
            await turns(10)
            assert handler.happened[-1] == f"begin {name}"
            gates[name].set()
        assert await client.event() == ws.Close(1000, "")
        await handler.until(("close", 1000, None))
    assert handler.happened[1:7] == [f"{what} {name}" for name in "abc" for what in ("begin", "end")]


async def test_many_messages_at_once_leave_the_loop_its_turns(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=lambda self, message: self.note(message))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        client.raw(masked(FIN | Opcode.BINARY, b"x") * 9000)
        client.send("last")
        ticking = asyncio.create_task(tick())
        await handler.until("last")
        ticking.cancel()
    assert handler.happened[1:9002] == [b"x"] * 9000 + ["last"]
    assert ticks >= 9000 // _protocol.BATCH


async def test_a_coroutine_that_does_not_wait_costs_no_turn_of_the_loop() -> None:
    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        await self.write_message(message)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send(*"abc")
        await handler.until("a")
        assert handler.happened == ["open", *"abc"]
        assert [await client.event() for _ in range(3)] == list("abc")


async def test_a_returned_future_is_waited_for(loop_kind: str) -> None:
    future: asyncio.Future[None] = asyncio.Future()

    def on_message(self: Any, message: str) -> Any:
        self.note(message)
        return future

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a", "b")
        await handler.until("a")
        await turns(10)
        assert handler.happened[-1] == "a"
        future.set_result(None)
        await handler.until("b")


async def test_nothing_is_read_while_a_callback_takes_its_time(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()
    handler = Recorder.new(on_message=lambda self, message: gate.wait())
    async with opened(handler, tls=tls) as client:
        client.send("x" * 1000)
        for _ in range(60):
            client.send("x" * 100_000)
        await turns(50)
        protocol = handler.latest.ws_connection
        assert protocol._wire_bytes_in < 1_000_000
        gate.set()
        client.close(1000)
        assert await client.events() == [ws.Close(1000, "")]


async def test_messages_wait_for_an_asynchronous_open_that_may_send(loop_kind: str, tls: Any) -> None:
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
        await turns(10)
        assert handler.happened == ["open"]
        gate.set()
        await handler.until("late")
    assert handler.happened[:4] == ["open", "opened", "early", "late"]


# -- contexts --


async def test_callbacks_share_a_context(loop_kind: str) -> None:
    async def later(self: Any, message: str) -> None:
        await asyncio.sleep(0)
        self.note((message, VARIABLE.get("unset")))
        VARIABLE.set(message)

    def open_(self: Any) -> None:
        VARIABLE.set("opened")

    def on_close(self: Any) -> None:
        self.note(("closed", VARIABLE.get("unset")))

    handler = Recorder.new(open=open_, on_message=later, on_close=on_close)
    async with opened(handler) as client:
        client.send("a", "b")
        client.close()
        await handler.until(("closed", "b"))
    assert handler.happened == [("a", "opened"), ("b", "a"), ("closed", "b")]
    assert VARIABLE.get("unset") == "unset"


# -- flow control --


async def test_an_echo_to_who_never_reads_is_bounded(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=Echo.on_message)
    async with opened(handler, tls=tls, websocket_write_limit=200_000) as client:
        client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        size, count = 50_000, 400
        for _ in range(count):
            client.send(b"x" * size)
        seen = -1
        while seen != (seen := handler.latest.ws_connection._wire_bytes_in if handler.happened else 0):
            await asyncio.sleep(0.02)
        connection = handler.latest.ws_connection
        assert 200_000 < connection.stream._pending_output < 400_000
        assert connection._wire_bytes_in < count * size
        client.peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(count):
            assert await client.event() == b"x" * size


async def test_a_full_connection_does_not_let_the_next_message_pass_a_callback(loop_kind: str) -> None:
    """What was sent has left before the callback is done: that alone is no reason to go on."""
    gates = {name: asyncio.Event() for name in "ab"}

    async def on_message(self: Any, message: str) -> None:
        self.note(f"begin {message}")
        self.write_message(b"x" * 8_000_000, binary=True)
        await gates[message].wait()
        self.note(f"end {message}")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, websocket_write_limit=1000) as client:
        client.send("a", "b")
        assert len(await client.event()) == 8_000_000
        await turns(10)
        assert handler.happened == ["open", "begin a"]
        gates["a"].set()
        assert len(await client.event()) == 8_000_000
        gates["b"].set()
        await handler.until("end b")
    assert handler.happened[1:5] == ["begin a", "end a", "begin b", "end b"]


async def test_a_callback_that_is_done_does_not_let_the_next_message_pass_a_full_connection() -> None:
    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        self.write_message(b"x" * 8_000_000, binary=True)
        await asyncio.sleep(0)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, websocket_write_limit=1000) as client:
        client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send("a", "b")
        await handler.until("a")
        await turns(20)
        assert handler.happened == ["open", "a"]
        client.peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert [len(await client.event()) for _ in "ab"] == [8_000_000] * 2
        await handler.until("b")


async def test_a_write_waits_while_too_much_does(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        await handler.until("open")
        sender = handler.latest
        assert sender.write_message("small").done()
        waiting = sender.write_message(b"x" * 20_000_000, binary=True)
        assert not waiting.done()
        assert await client.event() == "small"
        assert len(await client.event()) == 20_000_000
        await waiting
        client.send("still read")
        await handler.until("still read")


async def test_a_write_that_waits_fails_with_the_connection(loop_kind: str) -> None:
    handler = Recorder.new()
    async with opened(handler, websocket_write_limit=1000) as client:
        await handler.until("open")
        sender = handler.latest
        waiting = sender.write_message(b"x" * 20_000_000, binary=True)
        client.drop()
        with pytest.raises(WebSocketClosedError):
            await waiting
        with pytest.raises(WebSocketClosedError):
            sender.write_message("more")


async def test_many_messages_of_one_callback_do_not_pile_up() -> None:
    def on_message(self: Any, message: str) -> None:
        for _ in range(1000):
            self.write_message(b"x" * 1000, binary=True)
            assert self.ws_connection.stream._collected_size < _protocol.COLLECT_LIMIT
        self.note("sent")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("go")
        await handler.until("sent")
        for _ in range(1000):
            assert len(await client.event()) == 1000


async def test_only_the_latest_ping_is_answered_while_a_pong_waits() -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        written: list[Any] = []

        def write_frame(fin: bool, opcode: int, data: bytes) -> Any:
            written.append((data, asyncio.Future()))
            return written[-1][1]

        connection._write_frame = write_frame
        client.raw(b"".join(masked(FIN | Opcode.PING, bytes([48 + n])) for n in range(4)))
        await handler.until(("ping", b"3"))
        assert [data for data, _ in written] == [b"0"]
        written[0][1].set_result(None)
        await turns()
        assert [data for data, _ in written] == [b"0", b"3"]
        written[1][1].set_result(None)
        await turns()
        assert len(written) == 2


# -- ends --


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (4321, ""), (None, "")])
async def test_the_peer_closes(loop_kind: str, tls: Any, code: int | None, reason: str) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.send("last")
        client.close(code, reason)
        assert await client.events() == [ws.Close(code, "")]
        await handler.until(("close", code, reason or None))
    assert handler.happened == ["open", "last", ("close", code, reason or None)]
    assert handler.latest.ws_connection is None


async def test_we_close_and_still_take_messages(loop_kind: str, tls: Any) -> None:
    def on_message(self: Any, message: str) -> None:
        self.note(message)
        if message == "close":
            connection = self.ws_connection
            self.close(4000, "enough")
            assert connection.server_terminated
            assert connection.is_closing()
            assert not connection.client_terminated
            with pytest.raises(WebSocketClosedError):
                self.write_message("x")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("close", "after")
        assert await client.event() == ws.Close(4000, "enough")
        client.close(4000)
        assert await client.event() is END
        await handler.until(("close", 4000, None))
    assert handler.happened == ["open", "close", "after", ("close", 4000, None)]


async def test_the_peer_is_gone(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.drop()
        await handler.until(("close", None, None))
        assert connection.client_terminated
        assert connection.server_terminated
        assert connection.is_closing()


async def test_the_peer_ends_the_stream_without_a_close_frame(loop_kind: str) -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        client.send("last")
        client.peer.writer.write_eof()
        assert await client.event() is END
        await handler.until(("close", None, None))
    assert handler.happened == ["open", "last", ("close", None, None)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x83\x80abcd", 1002),
        (b"\x81\x01a", 1002),
        (masked(FIN | Opcode.TEXT, b"\xff"), 1007),
        (masked(FIN | Opcode.BINARY, b"x" * 2000), 1009),
        (masked(FIN | Opcode.CLOSE, b"\x03\xed"), 1002),
    ],
)
async def test_the_peer_is_at_fault(
    loop_kind: str, tls: Any, data: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "tornado.general")
    handler = Recorder.new(
        on_message=lambda self, message: (self.note(message), self.write_message(message))[0]
    )
    async with opened(handler, tls=tls, websocket_max_message_size=1000) as client:
        client.raw(masked(FIN | Opcode.TEXT, b"good") + data + b"x" * 300_000)
        first, event = await client.event(), await client.event()
        assert first == "good"
        assert isinstance(event, ws.Close)
        assert event.code == code
        assert await client.event() is END
        client.peer.writer.close()
        await handler.until(("close", None, None))
    assert handler.happened[:2] == ["open", "good"]
    assert f"failed with {code}" in caplog.text


async def test_tasks_answer_what_came_before_a_fault(loop_kind: str, tls: Any) -> None:
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


async def test_on_close_comes_once_and_never_inside_another_callback(loop_kind: str) -> None:
    def on_message(self: Any, message: str) -> None:
        self.ws_connection._abort()
        self.note("aborted")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a", "never")
        await handler.until(("close", None, None))
        await turns()
    assert handler.happened == ["open", "aborted", ("close", None, None)]


async def test_an_asynchronous_on_close_is_run(loop_kind: str, expect_log: ExpectLog) -> None:
    async def on_close(self: Any) -> None:
        await asyncio.sleep(0)
        self.note("closed")
        raise ValueError("too late")

    handler = Recorder.new(on_close=on_close)
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        async with opened(handler) as client:
            client.close()
            await handler.until("closed")
            await turns()
    assert isinstance(raised(expected), ValueError)


async def test_what_on_close_returns_need_not_be_awaitable() -> None:
    """Nobody asks for it, so it is no error."""
    handler = Recorder.new(on_close=lambda self: self.note("closed") or True)
    async with opened(handler) as client:
        client.close()
        await handler.until("closed")
        await turns()


async def test_an_exception_of_a_task_leaves_no_cycle() -> None:
    """The handler goes with its connection, not with the next collection."""
    references: list[Any] = []

    class Failing(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            references.append(weakref.ref(self))
            await asyncio.sleep(0)
            raise ValueError("on purpose")

        def log_exception(self, *info: Any) -> None:
            """A record of the log would keep the traceback."""

    async with serving(web.Application([("/", Failing)])) as server:
        gc.collect()
        gc.disable()
        try:
            client = await dial(server)
            client.send("a")
            assert await client.event() is END
            await turns(5)
            assert [reference() for reference in references] == [None]
        finally:
            gc.enable()


@pytest.mark.parametrize("kind", ["plain", "async", "later"])
@pytest.mark.parametrize("method", ["open", "on_message", "on_ping", "on_pong"])
async def test_an_exception_ends_the_connection(
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


@pytest.mark.parametrize("kind", ["plain", "async", "later"])
async def test_an_answer_behind_our_close_does_not_break_it(loop_kind: str, kind: str) -> None:
    """The program could not know that another message would come; neither an error, nor an end of 1006."""

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
    async with opened(handler) as client:
        client.send("a", "b", "c")
        assert await client.event() == ws.Close(4000, "")
        client.close(4000)
        assert await client.event() is END
        await handler.until(("close", 4000, None))
    assert handler.happened == ["open", "a", "b", "c", ("close", 4000, None)]


async def test_an_exception_in_log_exception_is_logged(expect_log: ExpectLog) -> None:
    def fail(self: Any, *args: Any) -> None:
        raise ValueError("on purpose")

    handler = Recorder.new(on_message=fail, log_exception=fail)
    with expect_log("tornado.application", "Error in exception logger"):
        async with opened(handler) as client:
            client.send("a")
            assert await client.event() is END


@pytest.mark.parametrize("kind", ["plain", "awaits", "returns"])
async def test_what_was_cancelled_elsewhere_is_an_exception_like_any_other(
    loop_kind: str, kind: str, expect_log: ExpectLog
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
        async with opened(handler) as client:
            client.send("a")
            assert await client.event() is END
            await handler.until(("close", None, None))
    assert isinstance(raised(expected), asyncio.CancelledError)


async def test_a_cancelled_callback_ends_the_connection_without_a_word(loop_kind: str) -> None:
    async def on_message(self: Any, message: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a", "b")
        assert await client.event() is END


async def test_a_message_of_a_gone_peer_is_not_delivered_behind_the_end() -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a", "b")
        await handler.until("a")
        handler.latest.ws_connection._abort()
        await handler.until(("close", None, None))
        gate.set()
        await turns(5)
    assert handler.happened == ["open", "a", ("close", None, None)]


# -- by the clock --


@pytest.fixture
def by_the_clock(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_keepalive, "monotonic", clock)
    monkeypatch.setattr(_watch, "time", SimpleNamespace(monotonic=clock))
    return clock


async def test_a_close_frame_is_answered_within_five_seconds_or_never(by_the_clock: Any, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        begin = by_the_clock.now
        handler.latest.close(1000)
        assert await client.event() == ws.Close(1000, "")
        await handler.until(("close", None, None))
        assert by_the_clock.now - begin == pytest.approx(_protocol.CLOSE_TIMEOUT, rel=0.15)


async def test_the_answer_to_our_close_is_read_while_a_callback_takes_its_time(
    by_the_clock: Any, tls: Any
) -> None:
    """Its code is told, also where the callback outlasts the five seconds."""
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        self.close(1000)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a")
        assert await client.event() == ws.Close(1000, "")
        client.close(1000, "bye")
        assert await client.event() is END
        await handler.until(("close", 1000, "bye"))
        gate.set()
        await turns()


@pytest.mark.parametrize("ending", ["close", "eof"])
async def test_what_comes_behind_our_close_waits_for_a_callback(loop_kind: str, ending: str) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        if message == "a":
            self.close(1000)
            await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("a")
        assert await client.event() == ws.Close(1000, "")
        client.send("b", "c")
        if ending == "close":
            client.close(1000)
        client.peer.writer.write_eof()
        await turns(20)
        assert handler.happened == ["open", "a"]
        gate.set()
        assert await client.event() is END
        await handler.until(("close", 1000 if ending == "close" else None, None))
    assert handler.happened[:4] == ["open", "a", "b", "c"]


async def test_how_much_is_read_behind_our_close_is_bounded(loop_kind: str) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note("a")
        self.close(1000)
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.send("a")
        assert await client.event() == ws.Close(1000, "")
        client.raw(masked(FIN | Opcode.BINARY, b"x" * 1000) * 5000)
        await turns(100)
        assert 0 < connection._wire_bytes_in < 600_000
        client.drop()
        gate.set()
        await handler.until(("close", None, None))


async def test_who_never_takes_what_waits_is_given_up(by_the_clock: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, websocket_write_limit=2**26) as client:
        await handler.until("open")
        client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        handler.latest.write_message(b"x" * 20_000_000, binary=True)
        client.close(1000)
        await handler.until(("close", 1000, None))


async def test_a_faulty_peer_has_five_seconds_to_see_it(by_the_clock: Any, caplog: Any) -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        client.raw(b"\x83\x80abcd")
        assert (await client.event()).code == 1002
        assert await client.event() is END  # though our side of the stream is open still
        await handler.until(("close", None, None))


# -- the server --


async def test_the_server_closes_them_too(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        clients = [await dial(server) for _ in range(3)]
        await handler.until("open")
        server.server.stop()
        await server.server.close_all_connections()
        for client in clients:
            assert await client.events() == [ws.Close(1001, "")]
    assert handler.happened.count(("close", None, None)) == 3


async def test_a_server_that_is_about_to_be_replaced_says_so() -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)])) as server:
        client = await dial(server)
        server.server._start_draining()
        assert await client.event() == ws.Close(1001, "")


async def test_who_waits_for_the_end_may_be_cancelled() -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)])) as server:
        client = await dial(server)
        await handler.until("open")
        waiting = handler.latest.ws_connection.wait_closed()
        waiting.cancel()
        await server.server.close_all_connections()
        assert await client.events() == [ws.Close(1001, "")]


async def test_the_server_closes_only_its_own() -> None:
    mine, other = Recorder.new(), Recorder.new()
    async with serving(web.Application([("/", mine)])) as server:
        async with serving(web.Application([("/", other)])) as second:
            await dial(server)
            client = await dial(second)
            await server.server.close_all_connections()
            client.send("still here")
            await other.until("still here")
    assert mine.happened[-1] == ("close", None, None)
