"""Tests of `WebSocketProtocol13` with a real server over TCP and TLS, on both kinds of event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.references import gc_disabled
from tests.support.server import ExpectLog, raised, serving
from tests.support.streams import record_sends, run_loop_iterations
from tests.support.websocket import END, Echo, Recorder, dial, masked, opened
from tests.support.websocket_internals import (
    abort,
    is_congested,
    replace_write_frame,
    traffic,
    waits_for_output,
    write_futures,
)
from tornado import web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_frames import FIN, Opcode
from tornado.tcpserver import ServerDrain
from tornado.websocket import WebSocketClosedError, WebSocketHandler, _protocol

# -- messages --


async def test_echo_of_text_and_bytes(loop_kind: str, tls: Any) -> None:
    async with opened(Echo, tls=tls) as client:
        client.send("a", b"\xff", "é" * 70_000)
        assert [await client.event() for _ in range(3)] == ["a", b"\xff", "é" * 70_000]


async def test_message_in_one_piece_with_the_handshake(loop_kind: str, tls: Any) -> None:
    async with serving(web.Application([("/", Echo)]), tls=tls) as server:
        client = await dial(server, first=("early", b"bird"))
        assert [await client.event(), await client.event()] == ["early", b"bird"]


async def test_input_byte_by_byte(loop_kind: str, tls: Any) -> None:
    async with opened(Echo, tls=tls) as client:
        for byte in masked(FIN | Opcode.TEXT, "grüße".encode()):
            client.raw(bytes([byte]))
            await run_loop_iterations()
        assert await client.event() == "grüße"


async def test_replies_to_one_chunk_leave_in_one_send(
    loop_kind: str, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(Recorder.new(on_message=Echo.on_message), tls=tls) as client:
        await run_loop_iterations()
        sent = record_sends(monkeypatch)
        client.send(*"abc")
        assert [await client.event() for _ in range(3)] == list("abc")
    assert b"\x81\x01a\x81\x01b\x81\x01c" in [data for _, data in sent]


async def test_fragments_with_a_ping_between(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.raw(
            masked(Opcode.TEXT, b"one ") + masked(FIN | Opcode.PING, b"p") + masked(FIN | 0, b"message")
        )
        assert await client.event() == ws_connection.Pong(b"p")
        await handler.until("one message")
    assert handler.happened[:3] == ["open", ("ping", b"p"), "one message"]


async def test_bytes_of_messages_and_frames_are_counted(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.send("é", b"12")
        await handler.until(b"12")
        protocol = handler.latest.ws_connection
        handler.latest.write_message("ü")
        assert traffic(protocol) == (4, 2 * 6 + 4, 2, 2 + 2)


async def test_compression_in_both_directions(loop_kind: str, tls: Any) -> None:
    class Compressing(Echo):
        def get_compression_options(self) -> dict[str, Any]:
            return {"compression_level": 9, "mem_level": 5}

    async with serving(web.Application([("/", Compressing)]), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        for _ in range(3):
            client.send("ab" * 5000)
            assert await client.event() == "ab" * 5000


# -- flow control --


async def test_replies_to_peer_that_never_reads_are_bounded(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=Echo.on_message)
    async with opened(handler, tls=tls, websocket_write_limit=200_000) as client:
        client.stop_reading()
        size, count = 50_000, 400
        for _ in range(count):
            client.send(b"x" * size)
        seen = -1
        while seen != (
            seen := traffic(handler.latest.ws_connection).wire_bytes_in if handler.happened else 0
        ):
            await asyncio.sleep(0.02)
        connection = handler.latest.ws_connection
        assert 200_000 < connection.stream.pending_output < 400_000
        assert traffic(connection).wire_bytes_in < count * size
        client.read_on()
        for _ in range(count):
            assert await client.event() == b"x" * size


@pytest.mark.usefixtures("small_shares")
async def test_writes_wait_above_the_write_limit(loop_kind: str, tls: Any) -> None:
    """All waiting Futures are done when the pending output is at most half of the limit. Messages are still
    delivered,
    because no callback has sent the output.
    """
    limit, size = 4_000_000, 10_000_000
    waiting: dict[str, int] = {}

    def on_message(self: Any, message: str) -> None:
        waiting[message] = self.ws_connection.stream.pending_output
        self.note(message)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=limit) as client:
        await handler.until("open")
        sender, stream = handler.latest, handler.latest.ws_connection.stream
        assert sender.write_message("small").done()
        client.stop_reading()
        big = sender.write_message(b"x" * size, binary=True)
        last = sender.write_message("last")
        given_up = sender.write_message("given up")
        given_up.cancel()
        for name, future in (("big", big), ("last", last)):
            future.add_done_callback(
                lambda done, name=name: waiting.update({name: stream.pending_output})  # type: ignore[misc]
            )
        client.send("message")
        await handler.until("message")  # delivered, because no callback has sent the output
        assert (big.done(), last.done(), list(waiting)) == (False, False, ["message"])
        client.read_on()
        assert [len(await client.event()) for _ in range(4)] == [5, size, 4, 8]
        await big
        await last
        await handler.until("message")
        assert sender.write_message("small").done()
    # The callbacks measure one or two loop iterations after the Futures are done, so less output may remain.
    for name in ("big", "last"):
        assert limit // 4 < waiting[name] <= limit // 2, waiting


@pytest.mark.usefixtures("small_shares")
async def test_burst_of_writes_waits_until_half_of_the_limit(loop_kind: str, tls: Any) -> None:
    """Messages sent above the limit are part of the pending output. Otherwise the output of a program that
    awaits each write would not be bounded.
    """
    limit, size, left = 2_000_000, 1_000_000, []
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_write_limit=limit) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        stream = connection.stream
        client.stop_reading()
        for _ in range(20):
            written = handler.latest.write_message(b"x" * size, binary=True)
            if not written.done():
                written.add_done_callback(lambda _: left.append(stream.pending_output))
                assert len(write_futures(connection)) == 1  # one Future for all writes
        client.read_on()
        for _ in range(20):
            assert len(await client.event()) == size
        await run_loop_iterations()
    assert len(left) >= 5
    assert max(left) <= limit // 2


async def test_collected_output_is_flushed_before_it_counts(loop_kind: str, tls: Any) -> None:
    """A callback may send more data than the limit if the peer reads the data."""

    def on_message(self: Any, message: str) -> None:
        self.note([self.write_message("x" * 600).done() for _ in range(5)])

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.send("go")
        assert [await client.event() for _ in range(5)] == ["x" * 600] * 5
    assert handler.happened[1] == [True] * 5


async def test_write_limit_is_inclusive(loop_kind: str, tls: Any) -> None:
    """Writes wait only while the pending output exceeds the limit."""
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        sender, connection = handler.latest, handler.latest.ws_connection
        client.stop_reading()
        while not connection.stream.pending_output:
            sender.write_message(b"x" * 1000, binary=True)
        waiting = connection.stream.pending_output + 2 + 3
        connection.params = dataclasses.replace(connection.params, write_limit=waiting)
        assert sender.write_message("123").done() is True
        assert is_congested(connection) is False
        assert sender.write_message("1").done() is False
        assert is_congested(connection) is True


@pytest.mark.parametrize("by", ["the peer", "us"])
async def test_waiting_write_fails_when_connection_is_lost(loop_kind: str, tls: Any, by: str) -> None:
    """The exception of a Future that is not awaited is not logged."""
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        await handler.until("open")
        sender, connection = handler.latest, handler.latest.ws_connection
        client.stop_reading()
        waiting = sender.write_message(b"x" * 20_000_000, binary=True)
        sender.write_message("not looked at")
        assert not waiting.done()
        if by == "us":
            connection.stream.close()
        else:
            client.drop()
        with pytest.raises(WebSocketClosedError):
            await waiting
        with pytest.raises(WebSocketClosedError):
            sender.write_message("more")


async def test_output_of_one_callback_is_flushed_in_pieces(loop_kind: str, tls: Any) -> None:
    def on_message(self: Any, message: str) -> None:
        for _ in range(1000):
            self.write_message(b"x" * 1000, binary=True)
            assert self.ws_connection.stream.corked_size < _protocol.COLLECT_LIMIT
        self.note("sent")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("go")
        await handler.until("sent")
        for _ in range(1000):
            assert len(await client.event()) == 1000


async def test_only_the_latest_ping_is_answered_while_a_pong_waits(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        written: list[Any] = []

        def write_frame(fin: bool, opcode: int, data: bytes) -> Any:
            written.append((data, asyncio.Future()))
            return written[-1][1]

        replace_write_frame(connection, write_frame)
        client.raw(b"".join(masked(FIN | Opcode.PING, bytes([48 + n])) for n in range(4)))
        await handler.until(("ping", b"3"))
        assert [data for data, _ in written] == [b"0"]
        written[0][1].set_result(None)
        await run_loop_iterations()
        assert [data for data, _ in written] == [b"0", b"3"]
        written[1][1].set_result(None)
        await run_loop_iterations()
        assert len(written) == 2


# -- closing --


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (4321, ""), (None, "")])
async def test_close_by_the_peer(loop_kind: str, tls: Any, code: int | None, reason: str) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.send("last")
        client.close(code, reason)
        assert await client.events() == [ws_connection.Close(code, "")]
        await handler.until(("close", code, reason or None))
    assert handler.happened == ["open", "last", ("close", code, reason or None)]
    assert handler.latest.ws_connection is None


async def test_messages_are_delivered_after_close_by_this_side(loop_kind: str, tls: Any) -> None:
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
        assert await client.event() == ws_connection.Close(4000, "enough")
        client.close(4000)
        assert await client.event() is END
        await handler.until(("close", 4000, None))
    assert handler.happened == ["open", "close", "after", ("close", 4000, None)]


async def test_reset_by_the_peer(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.drop()
        await handler.until(("close", None, None))
        assert connection.client_terminated
        assert connection.server_terminated
        assert connection.is_closing()


async def test_end_of_input_without_a_close_frame(loop_kind: str) -> None:
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
async def test_invalid_frame_closes_after_earlier_messages(
    loop_kind: str, tls: Any, data: bytes, code: int
) -> None:
    handler = Recorder.new(
        on_message=lambda self, message: (self.note(message), self.write_message(message))[0]
    )
    async with opened(handler, tls=tls, websocket_max_message_size=1000) as client:
        client.raw(masked(FIN | Opcode.TEXT, b"good") + data + b"x" * 300_000)
        first, event = await client.event(), await client.event()
        assert first == "good"
        assert isinstance(event, ws_connection.Close)
        assert event.code == code
        assert await client.event() is END
        client.peer.writer.close()
        await handler.until(("close", None, None))
    assert handler.happened[:2] == ["open", "good"]
    assert f"error of the peer (close code {code}): " in handler.latest.close_error


async def test_on_close_is_called_once_outside_other_callbacks(loop_kind: str, tls: Any) -> None:
    def on_message(self: Any, message: str) -> None:
        abort(self.ws_connection)
        self.note("aborted")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls) as client:
        client.send("a", "never")
        await handler.until(("close", None, None))
        await run_loop_iterations()
    assert handler.happened == ["open", "aborted", ("close", None, None)]


async def test_async_on_close_is_run(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    async def on_close(self: Any) -> None:
        await asyncio.sleep(0)
        self.note("closed")
        raise ValueError("too late")

    handler = Recorder.new(on_close=on_close)
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        async with opened(handler, tls=tls) as client:
            client.close()
            await handler.until("closed")
            await run_loop_iterations()
    assert isinstance(raised(expected), ValueError)


async def test_async_on_close_is_not_garbage_collected(loop_kind: str, tls: Any) -> None:
    """The event loop holds only a weak reference to the task, and the connection is closed."""
    waiting: list[Any] = []

    async def on_close(self: Any) -> None:
        gate = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(gate))
        self.note("closing")
        await gate
        self.note("closed")

    handler = Recorder.new(on_close=on_close)
    async with opened(handler, tls=tls) as client:
        client.close()
        await handler.until("closing")
        del handler.latest
        await run_loop_iterations(5)
        gc.collect()
        waiting[0]().set_result(None)
        await handler.until("closed")


async def test_result_of_on_close_need_not_be_awaitable(loop_kind: str, tls: Any) -> None:
    """The result of the callback is ignored, so returning it is not an error."""
    handler = Recorder.new(on_close=lambda self: self.note("closed") or True)
    async with opened(handler, tls=tls) as client:
        client.close()
        await handler.until("closed")
        await run_loop_iterations()


# -- timeouts --


async def test_close_timeout_without_a_reply(by_the_clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        begin = by_the_clock.now
        handler.latest.close(1000)
        assert await client.event() == ws_connection.Close(1000, "")
        await handler.until(("close", None, None))
        assert by_the_clock.now - begin == pytest.approx(_protocol.CLOSE_TIMEOUT, rel=0.15)


async def test_close_timeout_with_waiting_output(tls: Any, by_the_clock: FakeClock) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_write_limit=2**26) as client:
        await handler.until("open")
        client.stop_reading()
        handler.latest.write_message(b"x" * 20_000_000, binary=True)
        client.close(1000)
        await handler.until(("close", 1000, None))


async def test_close_timeout_after_an_error(tls: Any, by_the_clock: FakeClock, caplog: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.raw(b"\x83\x80abcd")
        assert (await client.event()).code == 1002
        assert await client.event() is END  # half-closed by the server; the client's side is still open
        await handler.until(("close", None, None))


async def test_reset_before_the_close_frame_is_sent_leaves_no_reference_cycle(
    loop_kind: str, tls: Any
) -> None:
    """The function to call when all output has been sent is released, too."""
    references: list[Any] = []
    sent = asyncio.Event()

    class Sending(WebSocketHandler):
        def open(self) -> None:
            references.extend(weakref.ref(each) for each in (self, self.ws_connection))

        def on_message(self, message: str | bytes) -> None:
            self.write_message(b"x" * 20_000_000, binary=True)
            sent.set()

    settings = {"websocket_write_limit": 2**26}
    async with serving(web.Application([("/", Sending)], **settings), tls=tls) as server:
        with gc_disabled():
            client = await dial(server)
            client.stop_reading()
            client.raw(masked(FIN | Opcode.TEXT, b"") + b"\x83\x80abcd")
            await sent.wait()
            while not waits_for_output(references[1]()):
                await asyncio.sleep(0)
            client.drop()
            while any(reference() for reference in references):
                await asyncio.sleep(0)


# -- shutdown of the server --


async def test_server_closes_websockets(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        clients = [await dial(server) for _ in range(3)]
        await handler.until("open")
        server.server.stop()
        await server.server.close_all_connections()
        for client in clients:
            assert await client.events() == [ws_connection.Close(1001, "")]
    assert handler.happened.count(("close", None, None)) == 3


async def test_server_does_not_wait_for_replies(by_the_clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server)
        await handler.until("open")
        begin = by_the_clock.now
        await server.server.close_all_connections()
        assert await client.events() == [ws_connection.Close(1001, "")]
        assert by_the_clock.now == begin


async def test_draining_server_closes_with_1012(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server)
        ServerDrain(server.server).start()
        assert await client.event() == ws_connection.Close(1012, "")


async def test_cancelled_wait_closed(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server)
        await handler.until("open")
        waiting = handler.latest.ws_connection.wait_closed()
        waiting.cancel()
        await server.server.close_all_connections()
        assert await client.events() == [ws_connection.Close(1001, "")]


async def test_server_closes_only_its_own_connections(loop_kind: str, tls: Any) -> None:
    mine, other = Recorder.new(), Recorder.new()
    async with serving(web.Application([("/", mine)]), tls=tls) as server:
        async with serving(web.Application([("/", other)]), tls=tls) as second:
            await dial(server)
            client = await dial(second)
            await server.server.close_all_connections()
            client.send("still here")
            await other.until("still here")
    assert mine.happened[-1] == ("close", None, None)
