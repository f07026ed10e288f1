"""`HTTPServer.drain`: what happens to each kind of connection, and to the handlers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from typing import Any

import pytest

from tests.support.server import Peer, serving
from tests.support.streams import run_loop_iterations
from tests.support.websocket import dial
from tornado import gen, web
from tornado._wire import ws_connection
from tornado.httpserver import DrainResult, HTTPServer
from tornado.netutil import bind_sockets
from tornado.tcpserver import ServerDrain
from tornado.websocket import WebSocketHandler


@pytest.fixture
def serve(loop_kind, tls):
    """`serving` for the variant under test: plain or TLS, on asyncio or uvloop."""
    return functools.partial(serving, tls=tls)


class Events:
    """Events by name, which handlers set and tests await, or the reverse."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}
        self.happened: list[str] = []

    def __getitem__(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())

    def set(self, name: str) -> None:
        self.happened.append(name)
        self[name].set()


def application(events: Events, *more: Any) -> web.Application:
    class Plain(web.RequestHandler):
        def get(self) -> None:
            self.write("plain")

        def post(self) -> None:
            self.write(self.request.body)

    class Waiting(web.RequestHandler):
        async def get(self) -> None:
            events.set("started")
            await events["release"].wait()
            self.write("late")

        post = get

    class Begun(web.RequestHandler):
        async def get(self) -> None:
            self.write("first ")
            await self.flush()
            events.set("started")
            await events["release"].wait()
            self.write("last")

    class Swallowing(web.RequestHandler):
        async def get(self) -> None:
            events.set("started")
            while not events["release"].is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await events["release"].wait()

    routes = [("/", Plain), ("/wait", Waiting), ("/begun", Begun), ("/swallow", Swallowing), *more]
    return web.Application(routes)


def draining(server: Any, **options: Any) -> asyncio.Task[DrainResult]:
    options.setdefault("idle_timeout", 0.05)
    return asyncio.create_task(server.server.drain(**options))


async def begun(server: Any) -> None:
    """Wait until the drain has begun, and the listening sockets are closed."""
    while server.server.conn_params.drain is None:
        await asyncio.sleep(0)
    await run_loop_iterations()


async def test_idle_server(serve):
    async with serve(application(Events())) as server:
        assert await server.server.drain() == DrainResult()
        assert (await server.server.drain()).clean
        with pytest.raises(ConnectionRefusedError):
            await server.connect()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_running_handler_ends_and_its_response_announces_the_close(serve, method):
    events = Events()
    async with serve(application(events)) as server:
        peer = await server.connect()
        peer.get("/wait", method=method, body=b"x" if method == "POST" else None)
        await events["started"].wait()
        result = draining(server)
        await begun(server)
        assert not result.done()
        events.set("release")
        response = await peer.response()
        assert (response.code, response.body, response.get("connection")) == (200, b"late", "close")
        assert await peer.rest() == b""
        await peer.close()
        assert await result == DrainResult(completed=1)


async def test_next_request_on_kept_alive_connection_is_answered_with_close(serve):
    async with serve(application(Events())) as server:
        peers = [await server.connect() for _ in range(3)]
        for peer in peers:
            assert (await peer.fetch("/")).get("connection") is None
        result = draining(server, idle_timeout=30)
        await begun(server)
        for peer, method in zip(peers, ("GET", "HEAD", "POST"), strict=True):
            body = b"x" if method == "POST" else None
            code = {"GET": 200, "HEAD": 405, "POST": 200}[method]
            response = await peer.fetch("/", method=method, body=body)
            assert (response.code, response.get("connection")) == (code, "close")
            assert await peer.rest() == b""
            await peer.close()
        assert await result == DrainResult(completed=3)


async def test_response_that_had_begun_keeps_connection_for_one_more_request(serve):
    events = Events()
    async with serve(application(events)) as server:
        peer = await server.connect()
        peer.get("/begun")
        await events["started"].wait()
        result = draining(server, idle_timeout=30)
        await begun(server)
        events.set("release")
        response = await peer.response()
        assert (response.body, response.get("connection")) == (b"first last", None)
        assert (await peer.fetch("/")).get("connection") == "close"
        await peer.close()
        assert await result == DrainResult(completed=2)


async def test_silent_connections_are_closed_without_a_reset(serve):
    async with serve(application(Events())) as server:
        peers = [await server.connect() for _ in range(3)]
        await peers[1].fetch("/")
        await peers[2].fetch("/")
        result = draining(server)
        for peer in peers:
            assert await peer.rest() == b""
            await peer.close()
        assert await result == DrainResult(idle_closed=3)


async def test_request_that_the_loop_has_not_read_is_served():
    """The socket is read once more before an idle connection is closed."""
    async with serving(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        sock: socket.socket = peer.writer.get_extra_info("socket")
        result = draining(server, idle_timeout=0)
        await asyncio.sleep(0)  # the drain looks at the connections before the loop reads the socket
        with socket.socket(fileno=os.dup(sock.fileno())) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        response = await peer.response()
        assert (response.code, response.get("connection")) == (200, "close")
        await peer.close()
        assert await result == DrainResult(completed=1)


async def test_request_after_half_close_counts_as_cut(loop_kind):
    async with serving(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        result = draining(server, idle_timeout=1)
        assert await peer.rest() == b""
        peer.get("/")
        assert await result == DrainResult(connections_cut=1)


async def test_partial_head_is_awaited(serve):
    async with serve(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        peer.send(b"GET / HT")
        while not any(each.receiving_head for each in server.connections):
            await asyncio.sleep(0)
        result = draining(server, idle_timeout=0)
        await begun(server)
        peer.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.response()).get("connection") == "close"
        await peer.close()
        assert await result == DrainResult(completed=1)


async def test_body_that_is_uploading_is_awaited(serve):
    async with serve(application(Events())) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart")
        while not any(each.exchange for each in server.connections):
            await asyncio.sleep(0)
        result = draining(server)
        await begun(server)
        peer.send(b"+rest")
        response = await peer.response()
        assert (response.body, response.get("connection")) == (b"part+rest", "close")
        await peer.close()
        assert await result == DrainResult(completed=1)


async def test_body_that_never_ends_is_cut(serve):
    async with serve(application(Events())) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart")
        while not any(each.exchange for each in server.connections):
            await asyncio.sleep(0)
        result = await server.server.drain(grace=0)
        assert (result, result.clean) == (DrainResult(connections_cut=1), False)
        assert await peer.rest() == b""


async def test_connection_in_accept_queue_is_served(loop_kind):
    """The clients are connected before the event loop can accept them."""
    (listener,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    async with serving(application(Events()), listener=listener) as server:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        result = await server.server.drain(idle_timeout=0.05)
        for client in clients:
            answer = client.makefile("rb").read()
            assert b"200 OK" in answer
            assert b"Connection: close" in answer
            client.close()
    assert result.completed == 5
    assert result.clean


async def test_own_listening_socket_drops_new_handshakes(loop_kind, monkeypatch):
    """A client that begins a handshake while the socket closes is neither accepted nor reset."""
    from tornado.netutil import _listener_close

    dropped = []
    drop = _listener_close.drop_handshakes
    monkeypatch.setattr(_listener_close, "drop_handshakes", lambda sock: dropped.append(drop(sock)))
    server = application(Events()).listen(0, "127.0.0.1")
    assert await server.drain() == DrainResult()
    assert dropped == [False]  # the clients of a loopback address have no handshakes under way


async def test_handshake_in_progress_is_awaited(certificates, loop_kind):
    """A TLS client that connects during the idle timeout can still send its request."""
    async with serving(application(Events()), tls=certificates) as server:
        reader, writer = await asyncio.open_connection(*server.address)  # without TLS yet
        while not server.connections:
            await asyncio.sleep(0)
        result = draining(server, idle_timeout=0.2)
        await begun(server)
        await writer.start_tls(certificates.client_context, server_hostname="localhost")
        response = await Peer(reader, writer).fetch("/")
        assert (response.code, response.get("connection")) == (200, "close")
        writer.close()
        assert await result == DrainResult(completed=1)


# -- handlers over the grace period --


async def test_handler_over_grace_is_cancelled_and_named(serve, expect_log):
    events = Events()
    async with serve(application(events)) as server:
        peers = [await server.connect() for _ in range(2)]
        peers[0].get("/wait?a=1")
        peers[1].get("/wait", method="POST", body=b"x")
        await events["started"].wait()
        while sum(each.exchange is not None for each in server.connections) < 2:
            await asyncio.sleep(0)
        with expect_log("tornado.general", r"drain: handlers cancelled .*GET /wait\?a=1 Waiting, 0\.\d s"):
            result = draining(server, grace=0)
            for peer in peers:
                response = await peer.response()
                assert (response.code, response.get("connection")) == (503, "close")
                await peer.close()
            found = await result
        assert sorted(each.rpartition(",")[0] for each in found.cancelled) == [
            "GET /wait?a=1 Waiting",
            "POST /wait Waiting",
        ]
        assert not found.clean
        assert found.connections_cut == 0


async def test_handler_that_swallows_cancellation_is_cut(serve, expect_log):
    events = Events()
    async with serve(application(events)) as server:
        peer = await server.connect()
        peer.get("/swallow")
        await events["started"].wait()
        with expect_log("tornado.general", "GET /swallow Swallowing"):
            result = await server.server.drain(grace=0)
        assert (len(result.cancelled), result.connections_cut) == (1, 1)
        assert await peer.rest() == b""
        events.set("release")
        await run_loop_iterations()


async def test_grace_shortened_by_a_second_call(serve, expect_log):
    events = Events()
    async with serve(application(events)) as server:
        peer = await server.connect()
        peer.get("/wait")
        await events["started"].wait()
        first = draining(server, grace=60)
        await begun(server)
        with expect_log("tornado.general", "GET /wait Waiting"):
            second = draining(server, grace=0)
            assert (await peer.response()).code == 503
            await peer.close()
            assert await first is await second


async def test_cancelled_call_does_not_stop_the_drain(serve):
    events = Events()
    async with serve(application(events)) as server:
        peer = await server.connect()
        peer.get("/wait")
        await events["started"].wait()
        first = draining(server)
        await begun(server)
        first.cancel()
        await asyncio.wait([first])
        events.set("release")
        assert (await peer.response()).body == b"late"
        await peer.close()
        assert await server.server.drain() == DrainResult(completed=1)


async def test_work_after_the_response_is_awaited(serve):
    events = Events()

    class Later(web.RequestHandler):
        async def get(self) -> None:
            events.set("started")
            await events["release"].wait()
            await self.finish("done")
            await events["later"].wait()
            events.set("worked")

    async with serve(application(events, ("/later", Later))) as server:
        peer = await server.connect()
        peer.get("/later")
        await events["started"].wait()
        result = draining(server)
        await begun(server)
        events.set("release")
        assert (await peer.response()).body == b"done"
        await peer.close()
        while server.connections:
            await asyncio.sleep(0)
        assert not result.done()
        events.set("later")
        assert await result == DrainResult(completed=1)
        assert events["worked"].is_set()


async def test_handler_of_the_server_cannot_await_its_drain(serve):
    async with serve(web.Application([("/stop", _Stop)])) as server:
        _Stop.server = server.server
        assert (await server.fetch("/stop")).body == b"drain() was awaited in a handler"
        assert server.server.conn_params.drain is None


class _Stop(web.RequestHandler):
    server: HTTPServer

    async def get(self) -> None:
        await asyncio.sleep(0)  # until here there is no task
        try:
            await self.server.drain()
        except RuntimeError as error:
            self.write(str(error)[:32])


# -- WebSockets --


class Socket(WebSocketHandler):
    events: Events

    def on_message(self, message: Any) -> Any:
        return None

    def on_drain(self) -> Any:
        self.events.set("drain")
        self.write_message("bye")

    def on_close(self) -> Any:
        self.events.set("close")


async def closed(client: Any) -> None:
    """Expect the close frame of the drain, and reply to it."""
    assert await client.event() == ws_connection.Close(1012, "")
    client.close(1012)


async def _opened(server: Any, count: int) -> list[Any]:
    return [await dial(server, "/ws") for _ in range(count)]


def sockets(events: Events, base: type[Socket] = Socket, **members: Any) -> web.Application:
    return application(events, ("/ws", type("Handler", (base,), {"events": events, **members})))


async def test_websockets_are_told_and_closed_with_1012(serve):
    events = Events()
    async with serve(sockets(events)) as server:
        clients = await _opened(server, 3)
        result = draining(server)
        for client in clients:
            assert await client.event() == "bye"
            await closed(client)
        assert await result == DrainResult(websockets=3)
        assert sorted(events.happened) == ["close"] * 3 + ["drain"] * 3


async def test_websockets_are_closed_in_batches(serve):
    events = Events()
    async with serve(sockets(events)) as server:
        clients = await _opened(server, 3)
        result = draining(server, batch_size=2, batch_interval=60, grace=60)
        await events["drain"].wait()
        await run_loop_iterations(10)
        assert events.happened.count("drain") == 2
        draining(server, grace=0)  # the end of the grace period does not wait for the next batch
        assert (await result).websockets == 3
        assert events.happened.count("drain") == 3
        assert len(clients) == 3


async def test_coroutine_on_drain_delays_the_close_frame(serve):
    events = Events()

    async def on_drain(self: Any) -> None:
        events.set("drain")
        await events["release"].wait()
        await self.write_message("saved")

    async with serve(sockets(events, on_drain=on_drain)) as server:
        (client,) = await _opened(server, 1)
        result = draining(server)
        await events["drain"].wait()
        events.set("release")
        assert await client.event() == "saved"
        await closed(client)
        assert await result == DrainResult(websockets=1)


async def test_on_drain_over_grace_is_cancelled_and_named(serve, expect_log):
    events = Events()

    async def on_drain(self: Any) -> None:
        await events["never"].wait()

    async with serve(sockets(events, on_drain=on_drain)) as server:
        (client,) = await _opened(server, 1)
        with expect_log("tornado.general", "on_drain of GET /ws Handler"):
            result = draining(server, grace=0)
            await closed(client)
            assert len((await result).cancelled) == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_on_drain_that_raises_is_logged_and_the_close_frame_sent(serve, expect_log, is_async):
    events = Events()

    def on_drain(self: Any) -> None:
        raise ZeroDivisionError("on purpose")

    async def async_on_drain(self: Any) -> None:
        await asyncio.sleep(0)
        on_drain(self)

    async with serve(sockets(events, on_drain=async_on_drain if is_async else on_drain)) as server:
        (client,) = await _opened(server, 1)
        with expect_log("tornado.application", "Uncaught exception|on purpose"):
            result = draining(server)
            await closed(client)
            assert await result == DrainResult(websockets=1)


async def test_coroutine_on_close_is_awaited(serve):
    events = Events()

    async def on_close(self: Any) -> None:
        events.set("close")
        await events["release"].wait()
        events.set("saved")

    async with serve(sockets(events, on_close=on_close)) as server:
        (client,) = await _opened(server, 1)
        result = draining(server)
        assert await client.event() == "bye"
        await closed(client)
        await events["close"].wait()
        await run_loop_iterations()
        assert not result.done()
        events.set("release")
        assert await result == DrainResult(websockets=1)
        assert events["saved"].is_set()


async def test_on_drain_is_called_after_open(serve):
    events = Events()

    async def opening(self: Any) -> None:
        events.set("opening")
        await events["release"].wait()
        events.set("opened")

    async with serve(sockets(events, open=opening)) as server:
        (client,) = await _opened(server, 1)
        await events["opening"].wait()
        result = draining(server)
        await begun(server)
        events.set("release")
        assert await client.event() == "bye"
        await closed(client)
        assert await result == DrainResult(websockets=1)
        assert events.happened == ["opening", "release", "opened", "drain", "close"]


async def test_websocket_that_opens_during_the_drain_is_closed(serve):
    events = Events()
    async with serve(sockets(events)) as server:
        waiting = await server.connect()
        waiting.get("/wait")
        await events["started"].wait()
        peer = await server.connect()
        await peer.fetch("/")
        result = draining(server, idle_timeout=30)
        await begun(server)
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        peer.get("/ws", "Upgrade: websocket", "Connection: upgrade", key, "Sec-WebSocket-Version: 13")
        assert b" 101 " in await peer.reader.readuntil(b"\r\n\r\n")
        assert await peer.reader.readexactly(9) == b"\x81\x03bye\x88\x02\x03\xf4"
        peer.send(b"\x88\x82\0\0\0\0\x03\xf4")  # the same close frame, masked with zeros
        events.set("release")
        await peer.close()
        await waiting.close()
        assert (await result).websockets == 1


# -- event streams --


class Stream(web.EventSourceHandler):
    events: Events

    def open(self) -> None:
        self.events.set("started")

    def on_drain(self) -> None:
        self.events.set("drain")
        _ = self.send_event("bye")

    def on_finish(self) -> None:
        self.events.set("finish")


async def _never(self: Any) -> None:
    try:
        await self.events["never"].wait()
    finally:
        self.events.set("cancelled")


@pytest.mark.parametrize("members", [{}, {"stream": _never}, {"retry": 7}], ids=["open", "stream", "retry"])
@pytest.mark.parametrize("retry", [None, 250])
async def test_event_streams_end_with_retry(serve, members, retry):
    events = Events()
    handler = type("Handler", (Stream,), {"events": events, **members})
    async with serve(application(events, ("/events", handler))) as server:
        peer = await server.connect()
        peer.get("/events")
        await peer.response(to_head=True)
        result = draining(server, retry=retry)
        expected = retry if retry is not None else members.get("retry", 3000)
        body = await peer.chunks()
        assert body.removeprefix(b"retry: 7\n\n") == b"data: bye\n\nretry: %d\n\n" % expected
        assert await peer.rest() == b""
        await peer.close()
        assert await result == DrainResult(event_streams=1)
        assert ("cancelled" in events.happened) is ("stream" in members)
        assert "finish" in events.happened


async def test_on_drain_of_event_stream_that_raises(serve, expect_log):
    events = Events()

    async def on_drain(self: Any) -> None:
        raise ZeroDivisionError("on purpose")

    handler = type("Handler", (Stream,), {"events": events, "on_drain": on_drain})
    async with serve(application(events, ("/events", handler))) as server:
        peer = await server.connect()
        peer.get("/events")
        await peer.response(to_head=True)
        with expect_log("tornado.application", "Uncaught exception GET /events"):
            result = draining(server)
            assert await peer.chunks() == b"retry: 3000\n\n"
            await peer.close()
            assert await result == DrainResult(event_streams=1)


# -- other applications and calls --


async def test_server_for_a_callable_describes_the_request(expect_log):
    async def hang() -> None:
        await asyncio.Event().wait()

    class Delegate(web.RequestHandler):
        @gen.coroutine
        def get(self) -> Any:
            yield hang()

    async with serving(web.Application([("/", Delegate)])) as server:
        peer = await server.connect()
        peer.get("/")
        while not any(each.exchange for each in server.connections):
            await asyncio.sleep(0)
        with expect_log("tornado.general", "GET / Delegate"):
            result = draining(server, grace=0)
            assert (await peer.response()).code == 503
            await peer.close()
            assert len((await result).cancelled) == 1


async def test_server_that_does_not_listen():
    server = HTTPServer(application(Events()))
    assert await server.drain() == DrainResult()
    with pytest.raises(RuntimeError, match=r"after drain\(\)"):
        server.listen(0, "127.0.0.1")


async def test_bound_server_that_has_not_started():
    server = HTTPServer(application(Events()))
    server.bind(0, "127.0.0.1")
    assert await server.drain() == DrainResult()
    server.start()


async def test_drain_after_stop(serve):
    async with serve(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        server.server.stop()
        result = draining(server)
        assert await peer.rest() == b""
        await peer.close()
        assert await result == DrainResult(idle_closed=1)


async def test_drain_after_that_of_a_restart(serve):
    """A signal may arrive while the program drains before an automatic restart."""
    async with serve(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        restart = ServerDrain(server.server)
        restart.start()
        result = draining(server)
        await begun(server)
        restart.stop()  # the restart has failed, but the server must not accept connections again
        assert await peer.rest() == b""
        await peer.close()
        assert await result == DrainResult(idle_closed=1)
        with pytest.raises(ConnectionRefusedError):
            await server.connect()


async def test_revoked_drain_of_a_restart_keeps_connections(serve):
    async with serve(application(Events())) as server:
        peer = await server.connect()
        await peer.fetch("/")
        restart = ServerDrain(server.server)
        restart.start()
        restart.stop()
        assert (await peer.fetch("/")).get("connection") is None
        assert (await server.fetch("/")).get("connection") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grace": -1}, "grace must be a number of seconds, at least 0, got -1"),
        ({"idle_timeout": float("nan")}, "idle_timeout must be a number of seconds"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_interval": -0.1}, "batch_interval must be a number of seconds"),
        ({"retry": -1}, "retry must be a number of milliseconds"),
    ],
)
async def test_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        await HTTPServer(application(Events())).drain(**arguments)


async def _request_without_pause(port: int, tls: Any, stopped: asyncio.Event) -> int:
    """Send requests until `stopped`; return the number of responses. A lost request raises an exception."""
    context = {"ssl": tls.client_context, "server_hostname": "localhost"} if tls else {}
    count = 0
    while not stopped.is_set():
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port, **context))
        response = None
        while not stopped.is_set() and (response is None or response.get("connection") is None):
            response = await peer.fetch("/")
            assert (response.code, response.body) == (200, b"plain")
            count += 1
        await peer.close()
    return count


async def test_no_request_is_lost_over_restarts(loop_kind, tls):
    """Servers that share a port replace one another while clients send requests without a pause."""
    options = {"ssl_options": tls.server_context} if tls else {}
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(("127.0.0.1", 0))
        port = reservation.getsockname()[1]
        server = application(Events()).listen(port, "127.0.0.1", reuse_port=True, **options)
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as clients:
            counts = [clients.create_task(_request_without_pause(port, tls, stopped)) for _ in range(8)]
            for _ in range(20):
                following = application(Events()).listen(port, "127.0.0.1", reuse_port=True, **options)
                result = await server.drain()
                assert result.clean, result
                server = following
            stopped.set()
        assert min(count.result() for count in counts) >= 1
        assert (await server.drain(idle_timeout=0)).clean
