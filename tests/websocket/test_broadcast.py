"""Tests of `broadcast`: recipients, serialization, slow peers, scheduling and order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.server import ExpectLog, Server, raised, serving
from tests.support.streams import record_sends, run_loop_iterations
from tests.support.websocket import Client, Recorder, dial
from tests.support.websocket_internals import suspend_broadcasts, traffic
from tornado import web
from tornado._wire import ws_connection, ws_shared_message
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.ioloop import IOLoop
from tornado.websocket import (
    BroadcastResult,
    WebSocketClosedError,
    WebSocketHandler,
    WebSocketProtocol13,
    _broadcast_scheduler,
    broadcast,
    websocket_connect,
)
from tornado.websocket._protocol import COLLECT_LIMIT

SMALL_BUFFER = 4096


class Members(Recorder):
    """A handler that stores the handlers of a test, in the order of their connections."""

    members: list[Any]

    def open(self) -> None:
        self.members.append(self)


@contextlib.asynccontextmanager
async def joined(
    count: int, tls: Any = None, policy: DeflatePolicy | None = None, **members: Any
) -> AsyncIterator[tuple[list[Any], list[Client], Server]]:
    """Open `count` connections; yield their handlers, their clients and the server."""
    handler = Members.new(members=[], **members)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        clients = [await dial(server, policy=policy) for _ in range(count)]
        yield handler.members, clients, server


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list of all sends of streams, as pairs of stream and bytes, in order."""
    return record_sends(monkeypatch)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use up the time of an iteration after each connection."""
    monkeypatch.setattr(_broadcast_scheduler, "TIME_PER_ITERATION", 0.0)
    monkeypatch.setattr(_broadcast_scheduler, "CONNECTIONS_PER_CHECK", 1)
    monkeypatch.setattr("tornado.websocket._broadcast.CONNECTIONS_PER_CHECK", 1)


def fill(handler: Any) -> int:
    """Send messages to a peer until output is buffered; return its size."""
    stream = handler.ws_connection.stream
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    while not stream.pending_output:
        handler.write_message("x" * 1_000_000)
    waiting: int = stream.pending_output
    return waiting


# -- recipients --


@pytest.mark.parametrize(
    ("message", "binary", "expected"),
    [
        ("grüße", False, "grüße"),
        ("grüße".encode(), False, "grüße"),
        (b"\xff\x00", True, b"\xff\x00"),
        ({"a": [1]}, False, '{"a": [1]}'),
        ("y" * 70_000, False, "y" * 70_000),
    ],
)
async def test_all_connections_get_the_message(
    loop_kind: str, tls: Any, message: Any, binary: bool, expected: str | bytes
) -> None:
    async with joined(3, tls) as (members, clients, _):
        done = broadcast(members, message, binary)
        assert [await client.event() for client in clients] == [expected] * 3
        assert (done.sent, done.closed, done.slow) == (3, [], [])
        assert repr(done) == "<BroadcastResult sent=3 closed=0 slow=0>"
        assert await done is done


async def test_any_iterable_may_change_during_broadcast(loop_kind: str, tls: Any) -> None:
    async with joined(2, tls) as (members, clients, _):
        assert broadcast(iter(members), "a").sent == 2
        assert broadcast(set(members), "b").sent == 2
        assert broadcast([], "c").sent == 0
        assert [await client.event() for client in clients for _ in "ab"] == ["a", "b"] * 2


async def test_closed_connections_are_reported_and_others_served(loop_kind: str, tls: Any) -> None:
    async with joined(4, tls) as (members, clients, _):
        unopened = WebSocketHandler.__new__(WebSocketHandler)
        members[0].close()
        clients[1].close(1000)
        await clients[1].event()
        members[3].ws_connection.close(1001)
        done = broadcast([*members, unopened], "m")
        assert done.sent == 1
        assert done.closed == [members[0], members[1], members[3], unopened]
        assert await clients[2].event() == "m"


async def test_client_connection_gets_the_message(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls) as (members, clients, server):
        options = {"ssl_options": tls.client_context} if tls else {}
        scheme = "wss" if tls else "ws"
        url = f"{scheme}://localhost:{server.port}/"
        async with websocket_connect(url, **options) as connection:
            await run_loop_iterations()
            done = broadcast([connection, members[0]], {"n": 1})
            assert done.sent == 2
            assert await clients[0].event() == '{"n": 1}'
            await members[1].until('{"n": 1}')
        assert broadcast([connection], "m").closed == [connection]


@pytest.mark.parametrize("wrong", [1, None, bytearray(b"x"), ["x"]])
async def test_invalid_message_is_sent_to_none(
    loop_kind: str, tls: Any, wrong: Any, sends: list[Any]
) -> None:
    async with joined(1, tls) as (members, _, _):
        sends.clear()
        with pytest.raises(TypeError, match="message must be str or bytes"):
            broadcast(members, wrong)
        assert sends == []


def test_unknown_policy_is_rejected() -> None:
    with pytest.raises(ValueError, match="slow must be one of 'close', 'skip', 'wait', got 'drop'"):
        broadcast([], "m", slow="drop")  # type: ignore[arg-type]


async def test_byte_counters(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls) as (members, _, _):
        broadcast(members, "é")
        connection = members[0].ws_connection
        assert traffic(connection)[2:] == (2, 4)


# -- threads and event loops --


@pytest.mark.parametrize("has_loop", [False, True])
async def test_other_thread_is_rejected(loop_kind: str, tls: Any, has_loop: bool, sends: list[Any]) -> None:
    """A broadcast from another thread, with or without an event loop, is rejected before anything is sent."""

    async def in_a_loop() -> None:
        broadcast(members, "m")

    def in_a_thread() -> None:
        if has_loop:
            asyncio.run(in_a_loop())
        else:
            broadcast(members, "m")

    async with joined(2, tls) as (members, clients, _):
        await run_loop_iterations()
        sends.clear()
        with pytest.raises(
            RuntimeError, match="in the thread and event loop of the connection: .* IOLoop.add_callback"
        ):
            await asyncio.to_thread(in_a_thread)
        assert sends == []
        await asyncio.to_thread(IOLoop.current().add_callback, broadcast, members, "as told")
        assert [await client.event() for client in clients] == ["as told"] * 2


def test_other_loop_is_rejected() -> None:
    """Between two runs of the connections' event loop, without any running loop, a broadcast is allowed:
    programs may send one during start-up.
    """

    async def start() -> None:
        members, clients, _ = await stack.enter_async_context(joined(1))
        found.extend((members, clients[0]))

    async def send_from_here() -> None:
        with pytest.raises(RuntimeError, match="event loop of the connection"):
            broadcast(found[0], "refused")

    found: list[Any] = []
    stack = contextlib.AsyncExitStack()
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(start())
        asyncio.run(send_from_here())
        assert broadcast(found[0], "m").sent == 1
        assert runner.run(found[1].event()) == "m"
        runner.run(stack.aclose())


# -- serialization --


async def test_message_is_serialized_and_compressed_once(
    monkeypatch: pytest.MonkeyPatch, loop_kind: str, tls: Any
) -> None:
    made: list[bytes] = []
    once = ws_shared_message.compress_once
    monkeypatch.setattr(
        ws_shared_message, "compress_once", lambda *args: (made.append(args[0]), once(*args))[1]
    )
    policy = DeflatePolicy()
    async with joined(3, tls, policy=policy, get_compression_options=lambda self: {}) as (
        members,
        clients,
        server,
    ):
        clients.append(await dial(server))  # this client does not offer compression
        done = broadcast(members, "ab" * 500)
        assert done.sent == 4
        assert [await client.event() for client in clients] == ["ab" * 500] * 4
        assert made == [b"ab" * 500]
        members[0].write_message("with a context of its own again")
        assert await clients[0].event() == "with a context of its own again"


async def test_compressor_is_reset_after_broadcast(loop_kind: str, tls: Any) -> None:
    """The window of the peer contains the broadcast, which the compressor of the connection has not seen."""
    compressing: Any = {"get_compression_options": lambda self: {}}
    async with joined(1, tls, policy=DeflatePolicy(), **compressing) as (members, clients, _):
        messages = ["".join(map(str, range(100))), "xyz" * 50, "".join(map(str, range(100)))]
        members[0].write_message(messages[0])
        broadcast(members, messages[1])
        members[0].write_message(messages[2])
        assert [await clients[0].event() for _ in messages] == messages


@pytest.mark.parametrize("stray", [None, "text", object()])
async def test_invalid_connection_is_rejected_before_sending(
    loop_kind: str, tls: Any, stray: Any, sends: list[Any]
) -> None:
    async with joined(1, tls) as (members, _, _):
        sends.clear()
        with pytest.raises(TypeError, match="must be WebSocket handlers or client connections, got "):
            broadcast([*members, stray], "m")
        assert sends == []


async def test_one_send_per_connection(loop_kind: str, tls: Any, sends: list[Any]) -> None:
    async with joined(3, tls) as (members, _, _):
        sends.clear()
        broadcast(members, "m")
        streams = [member.ws_connection.stream for member in members]
        assert sends == [(stream, b"\x81\x01m") for stream in streams]


# -- replaced write_message methods --


async def test_overridden_write_message_is_called(loop_kind: str, tls: Any) -> None:
    def write_message(self: Any, message: Any, binary: bool = False) -> Any:
        return Recorder.write_message(self, f"<{message}>", binary)

    async with joined(1, tls, write_message=write_message) as (members, clients, _):
        assert broadcast(members, "m").sent == 1
        assert await clients[0].event() == "<m>"


async def test_patched_write_message_is_called(
    loop_kind: str, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    async with joined(2, tls) as (members, clients, _):
        members[0].write_message = lambda *args: seen.append(args)
        assert broadcast(members, {"a": 1}).sent == 2
        assert seen == [({"a": 1}, False)]
        assert await clients[1].event() == '{"a": 1}'
        for patched in (WebSocketHandler, WebSocketProtocol13):
            with monkeypatch.context() as patch:
                patch.setattr(patched, "write_message", lambda self, *args: seen.append(args))
                broadcast(members[1:], "m")
        assert seen[1:] == [("m", False)] * 2


@pytest.mark.parametrize("patched", [WebSocketHandler, WebSocketProtocol13])
async def test_write_message_wrapped_by_an_agent_is_called(
    patched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    async with joined(1) as (members, clients, _):
        for expected in ([], ["write_message"]):
            broadcast(members, "message")
            assert await clients[0].event() == "message"
            assert calls == expected
            wrapper = Wrapper(patched.write_message, lambda: calls.append("write_message"))
            monkeypatch.setattr(patched, "write_message", wrapper)


async def test_write_message_of_protocol_subclass_is_called(loop_kind: str, tls: Any) -> None:
    class Shouting(WebSocketProtocol13):
        def write_message(self, message: Any, binary: bool = False) -> Any:
            return super().write_message(message.upper(), binary)

    def get_websocket_protocol(self: Any) -> Any:
        return Shouting(self, False, self._params())

    async with joined(1, tls, get_websocket_protocol=get_websocket_protocol) as (members, clients, _):
        broadcast(members, "m")
        assert await clients[0].event() == "M"


async def test_async_write_message_is_awaited(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()

    async def write_message(self: Any, message: Any, binary: bool = False) -> None:
        await gate.wait()
        await Recorder.write_message(self, message, binary)

    async with joined(1, tls, write_message=write_message) as (members, clients, _):
        broadcast(members, "1")
        waiting = asyncio.ensure_future(_await(broadcast(members, "2", slow="wait")))
        await run_loop_iterations()
        assert not waiting.done()
        gate.set()
        assert [await clients[0].event(), await clients[0].event()] == ["1", "2"]
        assert (await waiting).sent == 1


async def test_async_write_message_is_not_garbage_collected(loop_kind: str, tls: Any) -> None:
    """The event loop holds only weak references to tasks."""
    waiting: list[Any] = []

    async def write_message(self: Any, message: Any, binary: bool = False) -> None:
        gate = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(gate))
        await gate
        await Recorder.write_message(self, message, binary)

    async with joined(1, tls, write_message=write_message) as (members, clients, _):
        broadcast(members, "m")
        await run_loop_iterations()
        gc.collect()
        waiting[0]().set_result(None)
        assert await clients[0].event() == "m"


@pytest.mark.parametrize("is_async", [False, True])
async def test_exception_in_write_message_is_logged_and_others_are_served(
    loop_kind: str, tls: Any, is_async: bool, expect_log: ExpectLog
) -> None:
    def fails(*args: Any) -> Any:
        raise RuntimeError("no")

    async def fails_later(*args: Any) -> Any:
        fails()

    async with joined(2, tls) as (members, clients, _):
        members[0].write_message = fails_later if is_async else fails
        with expect_log("tornado.application", "Uncaught exception") as log:
            await broadcast(members, "m", slow="wait")
        assert str(raised(log)) == "no"
        assert await clients[1].event() == "m"


async def test_closed_error_of_async_write_message_is_ignored(loop_kind: str, tls: Any) -> None:
    async def write_message(*args: Any) -> None:
        raise WebSocketClosedError

    async with joined(1, tls, write_message=write_message) as (members, _, _):
        await broadcast(members, "m", slow="wait")


async def _await(sent: BroadcastResult) -> BroadcastResult:
    return await sent


# -- slow peers --


async def test_slow_peers_are_closed(loop_kind: str, tls: Any) -> None:
    async with joined(2, tls) as (members, clients, _):
        slow, _ = members
        fill(slow)
        done = broadcast(members, "m", limit=1000)
        assert (done.sent, done.slow, done.closed) == (1, [slow], [])
        assert await clients[1].event() == "m"
        events = []
        while not isinstance(event := await clients[0].event(), ws_connection.Close):
            events.append(len(event))
        assert set(events) == {1_000_000}
        assert event == ws_connection.Close(1013, "messages are read too slowly")
        assert broadcast(members, "n").closed == [slow]


async def test_slow_closing_connections_count_as_closed(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls) as (members, _, _):
        fill(members[0])
        members[0].ws_connection.close(4000)
        for slow in ("close", "skip", "wait"):
            done = broadcast(members, "m", slow=slow, limit=0)  # type: ignore[arg-type]
            assert (done.sent, done.slow, done.closed) == (0, [], members)


async def test_slow_peers_are_skipped(loop_kind: str, tls: Any) -> None:
    async with joined(2, tls) as (members, clients, _):
        slow, _ = members
        waiting = fill(slow)
        assert broadcast(members, "a", slow="skip", limit=waiting - 1).slow == [slow]
        assert broadcast(members, "b", slow="skip", limit=waiting).slow == []
        assert [await clients[1].event() for _ in "ab"] == ["a", "b"]
        while len(event := await clients[0].event()) > 1:
            pass
        assert event == "b"


async def test_default_limit_is_write_limit(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls, write_limit=3000) as (members, _, _):
        fill(members[0])
        assert broadcast(members, "m", slow="skip").slow == members


async def test_broadcasts_do_not_stall_messages_of_a_slow_peer(loop_kind: str, tls: Any) -> None:
    """Only output that callbacks send stalls the delivery of messages; see
    `tests.websocket.test_message_receiver`.
    """
    async with joined(1, tls, write_limit=10_000) as (members, clients, _):
        clients[0].stop_reading()
        for _ in range(10):
            broadcast(members, "x" * 1_000_000, slow="wait")
        clients[0].send("message")
        await members[0].until("message")


async def test_output_of_many_broadcasts_in_one_callback_is_bounded(loop_kind: str, tls: Any) -> None:
    def on_message(self: Any, message: Any) -> None:
        for _ in range(1000):
            broadcast(self.members, "x" * 1000, slow="wait")
            assert self.ws_connection.stream.corked_size < COLLECT_LIMIT
        self.note("sent")

    async with joined(1, tls, on_message=on_message) as (members, clients, _):
        clients[0].send("go")
        await members[0].until("sent")
        assert [len(await clients[0].event()) for _ in range(1000)] == [1000] * 1000


async def test_slow_peers_are_waited_for(loop_kind: str, tls: Any) -> None:
    async with joined(2, tls) as (members, clients, _):
        fill(members[0])
        done = broadcast(members, "m", slow="wait", limit=1000)
        assert (done.sent, done.slow) == (2, members[:1])
        waiting = asyncio.ensure_future(_await(done))
        assert await clients[1].event() == "m"
        assert not waiting.done()
        while await clients[0].event() != "m":
            pass
        assert await waiting is done


async def test_wait_ends_when_slow_peer_disconnects(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls) as (members, clients, _):
        fill(members[0])
        waiting = asyncio.ensure_future(_await(broadcast(members, "m", slow="wait", limit=0)))
        await run_loop_iterations()
        assert not waiting.done()
        clients[0].drop()
        await waiting


async def test_slow_peer_is_skipped_with_overridden_write_message(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls, write_message=lambda *args: Recorder.write_message(*args)) as (members, _, _):
        fill(members[0])
        assert broadcast(members, "m", slow="skip", limit=0).slow == members


async def test_corked_connection_is_not_slow(loop_kind: str, tls: Any) -> None:
    """A handler broadcasts to all connections, including its own, in the middle of its response."""

    def on_message(self: Any, message: Any) -> None:
        self.write_message("own")
        self.happened.append(broadcast(self.members, "all", slow="skip", limit=0))

    async with joined(1, tls, on_message=on_message) as (members, clients, _):
        clients[0].send("go")
        assert [await clients[0].event(), await clients[0].event()] == ["own", "all"]
        assert members[0].happened[0].slow == []


async def test_corked_output_does_not_count_as_waiting(loop_kind: str, tls: Any) -> None:
    async with joined(1, tls) as (members, _, _):
        waiting = fill(members[0])
        stream = members[0].ws_connection.stream
        stream.cork()
        stream.send(b"\x81\x03own")
        assert broadcast(members, "all", slow="skip", limit=waiting).slow == []
        assert broadcast(members, "all", slow="skip", limit=waiting - 1).slow == members
        stream.uncork()


async def test_peer_that_does_not_read_does_not_slow_down_others(
    loop_kind: str, tls: Any, sends: list[Any]
) -> None:
    """A broadcast does not try to send to a peer with waiting output, and the size of that output is
    bounded.
    """
    async with joined(20, tls) as (members, clients, _):
        fill(members[0])
        stream = members[0].ws_connection.stream
        most = stream.pending_output + 10 * 103
        sends.clear()
        for number in range(30):
            broadcast(members, "m" * 100, slow="skip", limit=most - 103)
            assert [len(await client.event()) for client in clients[1:]] == [100] * 19, number
            assert stream.pending_output <= most
        others = [each for each, _ in sends if each is not stream]
        assert len(others) == 30 * 19


# -- scheduling and order --


async def test_many_connections_are_served_in_several_iterations_in_order(
    loop_kind: str, tls: Any, no_time: None, sends: list[Any]
) -> None:
    async with joined(4, tls) as (members, clients, _):
        sends.clear()
        first = broadcast(members, "1")
        members[3].write_message("2")
        second = broadcast(members, "3")
        assert (first.sent, second.sent) == (4, 4)
        others = [asyncio.ensure_future(run_loop_iterations(1)) for _ in range(2)]
        await first
        assert all(other.done() for other in others)
        assert [[await client.event() for _ in "13"] for client in clients[:3]] == [["1", "3"]] * 3
        assert [await clients[3].event() for _ in "123"] == ["1", "2", "3"]
        # All messages to the last connection are sent in one send.
        assert (members[3].ws_connection.stream, b"\x81\x011\x81\x012\x81\x013") in sends


async def test_several_broadcasts_in_one_iteration_take_two_sends(
    loop_kind: str, tls: Any, sends: list[Any]
) -> None:
    async with joined(2, tls) as (members, clients, _):
        await run_loop_iterations()
        sends.clear()
        for number in range(100):
            broadcast(members, str(number))
        await broadcast(members, "last")
        assert len(sends) == 4
        for client in clients:
            assert [await client.event() for _ in range(101)] == [*map(str, range(100)), "last"]


async def test_next_iteration_sends_immediately(loop_kind: str, tls: Any, sends: list[Any]) -> None:
    async with joined(1, tls) as (members, _, _):
        for _ in range(2):
            await run_loop_iterations()
            sends.clear()
            broadcast(members, "m")
            assert len(sends) == 1


async def test_reply_releases_held_connection(
    loop_kind: str, tls: Any, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_message(self: Any, message: Any) -> None:
        self.write_message(message)

    async with joined(3, tls, on_message=on_message) as (members, clients, _):
        suspend_broadcasts(monkeypatch)  # the scheduler never releases the connections
        broadcast(members, "all")
        clients[2].send("mine")
        assert [await clients[2].event(), await clients[2].event()] == ["all", "mine"]


async def test_held_connection_can_be_closed(no_time: None, loop_kind: str, tls: Any) -> None:
    async with joined(3, tls) as (members, clients, _):
        done = broadcast(members, "m")
        members[1].close(4000, "bye")
        clients[2].drop()
        await done
        assert [await clients[1].event(), await clients[1].event()] == ["m", ws_connection.Close(4000, "bye")]
        assert await clients[0].event() == "m"


async def test_unexpected_exception_does_not_stop_the_scheduler(
    loop_kind: str, tls: Any, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with joined(3, tls) as (members, clients, _):
        errors: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: errors.append(told["exception"]))
        release_output = WebSocketProtocol13.release_output

        def fails(self: Any) -> None:
            if self is members[1].ws_connection:
                raise RuntimeError("no")
            release_output(self)

        monkeypatch.setattr(WebSocketProtocol13, "release_output", fails)
        await broadcast(members, "m")
        assert [await clients[0].event(), await clients[2].event()] == ["m", "m"]
        assert [str(error) for error in errors] == ["no"]


async def test_wait_for_broadcast_can_be_cancelled(loop_kind: str, tls: Any, no_time: None) -> None:
    async with joined(3, tls) as (members, clients, _):
        done = broadcast(members, "m")
        waiting = asyncio.ensure_future(_await(done))
        await asyncio.sleep(0)
        waiting.cancel()
        await done
        assert [await client.event() for client in clients] == ["m"] * 3
