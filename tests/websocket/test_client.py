"""`WebSocketClientConnection` and `websocket_connect`, mostly against our own server."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import re
import socket
import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.server import ExpectLog, Server, serving
from tests.support.streams import turns
from tests.support.websocket import Recorder
from tests.support.websocket_server import Visitor, scripted
from tornado import gen, netutil, web, websocket
from tornado._wire import ws, ws_handshake
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect
from tornado.websocket._messages import MAX_MESSAGES


class Echo(Recorder):
    """Sends messages back; compresses for who asks."""

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[-1] if subprotocols else None

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


class Guarded(web.RequestHandler):
    """Is no WebSocket."""

    def get(self) -> None:
        self.set_status(int(self.get_argument("code", "200")))
        self.set_header("X-Why", "no")
        location = self.get_argument("to", None)
        if location:
            self.set_header("Location", location)
        self.write("no WebSocket here")


@contextlib.asynccontextmanager
async def echoing(tls: Any = None, **members: Any) -> AsyncIterator[tuple[Server, Any]]:
    """A server with an `Echo` of its own at ``/``, and its class."""
    handler = Echo.new(**members)
    async with serving(web.Application([("/", handler), ("/page", Guarded)]), tls=tls) as server:
        yield server, handler


def request_for(server: Server, tls: Any, path: str = "/", **options: Any) -> HTTPRequest:
    scheme = "wss" if tls else "ws"
    if tls:
        options.setdefault("ca_certs", str(tls.ca_file))
    return HTTPRequest(f"{scheme}://127.0.0.1:{server.port}{path}", **options)


# -- messages --


async def test_messages_of_all_sizes(loop_kind: str, tls: Any) -> None:
    async with echoing(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
            for message in ("é" * size, b"\xff" * size):
                await conn.write_message(message, binary=isinstance(message, bytes))
                assert await conn.read_message() == message


async def test_many_messages_at_once(loop_kind: str, tls: Any) -> None:
    """More than the queue holds, while nobody reads at first."""
    async with echoing(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        for number in range(2000):
            await conn.write_message(str(number) * 50)
        for number in range(2000):
            assert await conn.read_message() == str(number) * 50


async def test_async_for_ends_with_the_connection(loop_kind: str, tls: Any) -> None:
    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message(b"two", binary=True)
        self.close(4001, "that is all")

    async with echoing(tls, open=greet) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        assert [message async for message in conn] == ["one", b"two"]
        assert (conn.close_code, conn.close_reason) == (4001, "that is all")
        assert await conn.read_message() is None
        assert await conn.read_message() is None
        with pytest.raises(WebSocketClosedError):
            await conn.write_message("x")
        conn.close()


async def test_what_can_be_sent() -> None:
    async with echoing() as (server, _), websocket_connect(request_for(server, None)) as conn:
        await conn.write_message({"a": "é"})
        assert await conn.read_message() == '{"a": "\\u00e9"}'
        await conn.write_message("é".encode())
        assert await conn.read_message() == "é"
        with pytest.raises(TypeError, match="not int"):
            conn.write_message(1)  # type: ignore[arg-type]


async def test_read_message_with_a_callback() -> None:
    async with echoing() as (server, _), websocket_connect(request_for(server, None)) as conn:
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        conn.read_message(told.set_result)
        await conn.write_message("hello")
        assert (await told).result() == "hello"


async def test_a_callback_for_messages() -> None:
    """It gets None at the end, and nothing before the connection is known to the program."""
    heard = []
    over = asyncio.Event()

    def on_message(message: Any) -> None:
        heard.append((message, conn))
        if message is None:
            over.set()

    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message("two")
        self.close()

    async with echoing(open=greet) as (server, _):
        conn: Any = None
        conn = await asyncio.wait_for(
            websocket_connect(request_for(server, None), on_message_callback=on_message), 20
        )
        await over.wait()
        assert heard == [("one", conn), ("two", conn), (None, conn)]
        with pytest.raises(RuntimeError, match="on_message_callback"):
            conn.read_message()


async def test_an_asynchronous_callback_is_waited_for() -> None:
    """And nothing else that a callback returns is."""
    heard: list[Any] = []
    over = asyncio.Event()

    async def slowly(message: Any) -> None:
        heard.append(("begin", message))
        await turns(3)
        heard.append(("end", message))
        if message is None:
            over.set()

    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message("two")
        self.close()

    async with echoing(open=greet) as (server, _):
        await websocket_connect(request_for(server, None), on_message_callback=slowly)
        await over.wait()
        assert heard == [(when, message) for message in ("one", "two", None) for when in ("begin", "end")]

        over.clear()
        pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def at_once(message: Any) -> Any:
            heard.append(message)
            if message is None:
                over.set()
            return pending

        await websocket_connect(request_for(server, None), on_message_callback=at_once)
        await over.wait()
        assert heard[-3:] == ["one", "two", None]


async def test_a_callback_that_raises_closes(expect_log: ExpectLog) -> None:
    async with echoing() as (server, handler):

        def on_message(message: Any) -> None:
            if message is not None:
                raise ValueError("on purpose")

        conn = await websocket_connect(request_for(server, None), on_message_callback=on_message)
        with expect_log("tornado.application", "Uncaught exception in a callback of <WebSocketClient"):
            await conn.write_message("x")
            await conn.wait_closed()
        await handler.until(("close", None, None))


async def test_hooks_of_a_subclass() -> None:
    heard: list[Any] = []
    over = asyncio.Event()

    class Mine(WebSocketClientConnection):
        async def on_message(self, message: Any) -> None:
            await turns(1)
            heard.append(message)

        def on_ping(self, data: bytes) -> None:
            heard.append(("ping", data))

        def on_pong(self, data: bytes) -> None:
            heard.append(("pong", data))

        def on_connection_close(self) -> None:
            super().on_connection_close()
            over.set()

    def greet(self: Any) -> None:
        self.write_message("hello")
        self.ping(b"theirs")

    async with echoing(open=greet) as (server, handler):
        conn = await Mine(request_for(server, None)).connect_future
        assert isinstance(conn, Mine)
        conn.ping("mine")
        await handler.until(("pong", b"theirs"))
        conn.close()
        await over.wait()
        assert heard == ["hello", ("ping", b"theirs"), ("pong", b"mine")]


# -- back-pressure --


async def test_reading_pauses_while_the_program_does_not_read(loop_kind: str, tls: Any) -> None:
    """What is not read stays with the server, until it is."""
    message = b"\x82\x7e\xff\xff" + b"x" * 65_535

    async def flood(visitor: Visitor) -> None:
        visitor.accept(then=message * 400)
        visitor.send(visitor.core.close(1000))
        assert await visitor.event() == ws.Close(1000, "")

    async with scripted(flood, tls) as server:
        url = server.url.replace("ws:", "wss:") if tls else server.url
        trust = {"ca_certs": str(tls.ca_file)} if tls else {}
        conn = await websocket_connect(url, **trust)
        await turns(2000)
        protocol: Any = conn.protocol
        assert protocol._wire_bytes_in < 2**20
        assert len([message async for message in conn]) == 400


async def test_writing_waits_for_the_server() -> None:
    go = asyncio.Event()

    async def sluggish(visitor: Visitor) -> None:
        visitor.accept()
        await go.wait()
        await visitor.gone()

    async with scripted(sluggish) as server:
        conn = await websocket_connect(server.url)
        waiting = None
        for _ in range(100):
            waiting = conn.write_message(b"x" * 1_000_000, binary=True)
            if not waiting.done():
                break
        assert waiting is not None
        assert not waiting.done()
        go.set()
        await waiting
        conn.close()


async def test_closing_does_not_wait_for_who_never_reads() -> None:
    """The server's answer to our close frame stands behind more than the queue holds."""

    async def flood(visitor: Visitor) -> None:
        visitor.accept(then=b"\x81\x01x" * (MAX_MESSAGES * 2))
        assert await visitor.event() == ws.Close(1000, "")
        visitor.send(b"\x81\x01x" * (MAX_MESSAGES * 2), visitor.core.close(1000))

    async with scripted(flood) as server:
        conn = await websocket_connect(server.url)
        await turns(10)
        conn.close(1000)
        await conn.wait_closed()
        assert conn.close_code == 1000
        assert MAX_MESSAGES <= len([message async for message in conn]) < MAX_MESSAGES * 4


# -- options --


async def test_subprotocols() -> None:
    async with echoing() as (server, _):
        async with websocket_connect(request_for(server, None), subprotocols=["a", "b"]) as conn:
            assert conn.selected_subprotocol == "b"
        assert conn.selected_subprotocol == "b"
        async with websocket_connect(request_for(server, None)) as conn:
            assert conn.selected_subprotocol is None
        headers = {"Sec-WebSocket-Protocol": "c, d"}
        async with websocket_connect(request_for(server, None, headers=headers)) as conn:
            assert conn.selected_subprotocol == "d"


@pytest.mark.parametrize("subprotocols", [["a", "a"], ["a b"], [""]])
async def test_subprotocols_that_are_none(subprotocols: list[str]) -> None:
    with pytest.raises(ValueError, match="different tokens"):
        websocket_connect("ws://localhost/", subprotocols=subprotocols)


async def test_subprotocols_are_a_list() -> None:
    with pytest.raises(TypeError, match="a list of names, not 'abc'"):
        websocket_connect("ws://localhost/", subprotocols="abc")


@pytest.mark.parametrize(
    ("options", "offer"),
    [
        ({}, "permessage-deflate; client_max_window_bits"),
        ({"server_max_window_bits": 10}, "server_max_window_bits=10"),
        ({"client_max_window_bits": 9}, "client_max_window_bits=9"),
        ({"server_no_context_takeover": True}, "server_no_context_takeover"),
        ({"client_no_context_takeover": True}, "client_no_context_takeover"),
    ],
)
async def test_compression(options: dict[str, Any], offer: str) -> None:
    """It is offered as told, agreed on, and used."""
    async with echoing() as (server, handler):
        async with websocket_connect(request_for(server, None), compression_options=options) as conn:
            request = handler.latest.request
            assert offer in request.headers["Sec-WebSocket-Extensions"]
            assert "permessage-deflate" in conn.headers["Sec-WebSocket-Extensions"]
            for _ in range(3):
                await conn.write_message("x" * 100_000)
                assert await conn.read_message() == "x" * 100_000
            protocol: Any = conn.protocol
            assert protocol._wire_bytes_out < 2_000
            assert protocol._wire_bytes_in < 2_000


async def test_no_compression_by_default() -> None:
    """Not even where a program passes on the fields of somebody else's handshake."""
    headers = {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Key": "x", "Upgrade": "tea"}
    async with echoing() as (server, _):
        async with websocket_connect(request_for(server, None, headers=headers)) as conn:
            assert "Sec-WebSocket-Extensions" not in conn.headers
            await conn.write_message("x")
            assert await conn.read_message() == "x"
    assert headers["Upgrade"] == "tea"


async def test_the_limit_on_messages() -> None:
    async with echoing() as (server, handler):
        options: dict[str, Any] = {"max_message_size": 1000, "compression_options": {}}
        conn = await websocket_connect(request_for(server, None), **options)
        await conn.write_message("x" * 1000)
        assert await conn.read_message() == "x" * 1000
        await conn.write_message("x" * 1001)
        assert await conn.read_message() is None
        await handler.until("open")
        while not any(event[0] == "close" for event in handler.happened):
            await turns()
        assert handler.happened[-1][1] == 1009


async def test_options_out_of_range() -> None:
    with pytest.raises(ValueError, match="max_window_bits is 8 to 15"):
        websocket_connect("ws://localhost/", compression_options={"server_max_window_bits": 16})
    with pytest.raises(ValueError, match="above zero"):
        websocket_connect("ws://localhost/", max_message_size=0)


async def test_the_request_is_the_programs_own() -> None:
    """It is not changed, and headers, credentials and the user agent are sent."""
    async with echoing() as (server, handler):
        request = request_for(
            server, None, headers={"X-Mine": "1"}, auth_username="me", auth_password="x", user_agent="me/1"
        )
        url = request.url
        async with websocket_connect(request) as conn:
            sent = handler.latest.request.headers
            assert (sent["X-Mine"], sent["User-Agent"], sent["Authorization"]) == (
                "1",
                "me/1",
                "Basic bWU6eA==",
            )
            assert conn.parsed.netloc == sent["Host"]
            assert conn.parsed_hostname == "127.0.0.1"
        assert (request.url, dict(request.headers)) == (url, {"X-Mine": "1"})


async def test_options_of_the_request_as_arguments() -> None:
    async with echoing() as (server, handler):
        url = f"ws://127.0.0.1:{server.port}/"
        async with websocket_connect(url, connect_timeout=20, headers={"X-Mine": "1"}):
            assert handler.latest.request.headers["X-Mine"] == "1"
    with pytest.raises(ValueError, match="connect_timeout, headers together with a URL only"):
        websocket_connect(HTTPRequest(url), connect_timeout=1, headers={})


@pytest.mark.parametrize("url", ["ftp://localhost/", "localhost", "", "wsx://localhost/"])
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="begins with ws:// or wss://"):
        websocket_connect(url)


async def test_a_websocket_is_opened_by_get() -> None:
    for options in ({"method": "POST", "body": b""}, {"body": b"x"}, {"body_producer": lambda write: None}):
        with pytest.raises(ValueError, match="by GET, without a body"):
            websocket_connect("ws://localhost/", **options)


async def test_http_schemes_and_capitals() -> None:
    async with echoing() as (server, _):
        for scheme in ("http", "WS"):
            async with websocket_connect(f"{scheme}://127.0.0.1:{server.port}/") as conn:
                assert conn.parsed.scheme == "http"


async def test_a_resolver_of_the_programs_own() -> None:
    class Own(netutil.Resolver):
        def initialize(self, **kwargs: Any) -> None:
            self.asked: list[str] = []

        async def resolve(self, host: str, port: int, family: Any = None) -> list[tuple[int, Any]]:
            self.asked.append(host)
            return [(2, ("127.0.0.1", port))]

    resolver = Own()
    async with echoing() as (server, _):
        async with websocket_connect(f"ws://elsewhere.test:{server.port}/", resolver=resolver):
            assert resolver.asked == ["elsewhere.test"]


async def test_the_style_of_tornado_4() -> None:
    async with echoing() as (server, _):
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with pytest.warns(DeprecationWarning, match="io_loop argument of websocket_connect"):
            websocket_connect(
                f"ws://127.0.0.1:{server.port}/", callback=told.set_result, io_loop=IOLoop.current()
            )
        conn = (await told).result()
        conn.close()
        await conn.wait_closed()


def test_outside_of_a_running_loop() -> None:
    """As under ``AsyncTestCase.stop`` and ``wait``."""

    async def main() -> None:
        async with echoing() as (server, _):
            conn = await gen.convert_yielded(run(server))
            conn.close()
            await conn.wait_closed()

    @gen.coroutine
    def run(server: Server) -> Any:
        conn = yield websocket_connect(f"ws://127.0.0.1:{server.port}/")
        yield conn.write_message("x")
        message = yield conn.read_message()
        assert message == "x"
        return conn

    asyncio.run(main())


async def test_callbacks_run_in_the_context_of_the_call() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with echoing() as (server, _):
        who.set("caller")
        connecting = websocket_connect(
            request_for(server, None),
            on_message_callback=lambda message: message and heard.set_result(who.get()),
        )
        who.set("somebody else")
        conn = await connecting
        await conn.write_message("x")
        assert await heard == "caller"
        conn.close()
        await conn.wait_closed()


# -- TLS --


async def test_certificates_are_checked(certificates: Any, expect_log: ExpectLog) -> None:
    async with echoing(certificates) as (server, _):
        url = f"wss://127.0.0.1:{server.port}/"
        with expect_log("tornado.general", "SSL|TLS", required=False):
            with pytest.raises(ssl.SSLCertVerificationError, match="TLS handshake with 127"):
                await websocket_connect(url)
        for trust in (
            {"validate_cert": False},
            {"ca_certs": str(certificates.ca_file)},
            {"ssl_options": certificates.client_context},
            {"ssl_options": {"ca_certs": str(certificates.ca_file), "cert_reqs": ssl.CERT_REQUIRED}},
        ):
            async with websocket_connect(url, **trust) as conn:
                await conn.write_message("x")
                assert await conn.read_message() == "x"


async def test_a_certificate_of_the_clients_own(certificates: Any) -> None:
    asking = SimpleNamespace(
        server_context=certificates.asking_context, client_context=certificates.client_context
    )
    shown = []
    members = {"prepare": lambda self: shown.append(self.request.get_ssl_certificate())}
    async with echoing(asking, **members) as (server, _):
        url = f"wss://localhost:{server.port}/"
        async with websocket_connect(url, ssl_options=certificates.client_context_of("somebody")):
            assert shown[0]["subjectAltName"] == (("DNS", "somebody"),)


# -- the end --


async def test_closing(loop_kind: str, tls: Any) -> None:
    async with echoing(tls) as (server, handler):
        conn = await websocket_connect(request_for(server, tls))
        assert "open" in repr(conn)
        conn.close(4001, "bye")
        conn.close()
        await handler.until(("close", 4001, "bye"))
        await conn.wait_closed()
        await conn.wait_closed()
        assert conn.close_code == 4001
        assert conn.stream.closed()
        assert conn.protocol is None
        assert "closed" in repr(conn)
        for call in (lambda: conn.write_message("x"), conn.ping):
            with pytest.raises(WebSocketClosedError):
                call()


async def test_a_code_that_must_not_be_sent() -> None:
    async with echoing() as (server, _), websocket_connect(request_for(server, None)) as conn:
        with pytest.raises(ValueError, match="999"):
            conn.close(999)
        await conn.write_message("x")
        assert await conn.read_message() == "x"


async def test_who_waits_may_be_cancelled() -> None:
    """Without an effect on the others that wait."""
    async with echoing() as (server, _), websocket_connect(request_for(server, None)) as conn:
        first, second = (asyncio.ensure_future(conn.wait_closed()) for _ in range(2))
        await turns()
        first.cancel()
        await turns()
        conn.close()
        await second
        assert first.cancelled()


async def test_the_block_ends_with_the_connection_closed() -> None:
    async with echoing() as (server, handler):
        with pytest.raises(LookupError):
            async with websocket_connect(request_for(server, None)) as conn:
                raise LookupError
        assert conn.stream.closed()
        async with await websocket_connect(request_for(server, None)) as conn:
            assert not conn.stream.closed()
        assert conn.stream.closed()
        await handler.until(("close", None, None))


async def test_a_server_that_is_stopped_tells() -> None:
    async with echoing() as (server, _):
        conn = await websocket_connect(request_for(server, None))
        await server.server.close_all_connections()
        assert await conn.read_message() is None
        assert conn.close_code == 1001


def test_an_open_connection_that_is_forgotten_warns() -> None:
    """When its loop is closed, that is; until then it is in the loop's hands."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers = []

    async def connect() -> None:
        connecting = websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        peer, _ = await asyncio.to_thread(listener.accept)
        peers.append(peer)
        head = await asyncio.to_thread(peer.recv, 65536)
        (key,) = re.findall(rb"(?i)sec-websocket-key: (.*?)\r\n", head)
        fields = ws_handshake.answer_headers(ws_handshake.Offer(key.decode(), "13", (), ()))
        lines = [f"{name}: {value}" for name, value in fields]
        peer.sendall("\r\n".join(["HTTP/1.1 101 Go", *lines, "", ""]).encode())
        await connecting

    async def forget_closed_loops() -> None:
        IOLoop.current()

    def forget() -> None:
        asyncio.run(connect())
        asyncio.run(forget_closed_loops())
        gc.collect()

    with pytest.warns(ResourceWarning) as warned:
        forget()
    told = [str(each.message) for each in warned]
    assert any(re.match("unclosed <WebSocketClientConnection ws://127.* open>", each) for each in told), told
    for each in (*peers, listener):
        each.close()


async def test_a_closed_connection_does_not_warn() -> None:
    async with echoing() as (server, _):
        conn = await websocket_connect(request_for(server, None))
        conn.close()
        await conn.wait_closed()
        del conn
        gc.collect()


async def test_an_idle_connection_keeps_no_task_and_no_timer() -> None:
    async with echoing() as (server, _):
        before = asyncio.all_tasks()
        conns = [await websocket_connect(request_for(server, None)) for _ in range(3)]
        await turns(5)
        assert asyncio.all_tasks() == before
        for conn in conns:
            conn.close()
            await conn.wait_closed()


async def test_cancelling_the_future_of_an_open_connection_is_too_late() -> None:
    async with echoing() as (server, _), websocket_connect(request_for(server, None)) as conn:
        assert not conn.connect_future.cancel()
        await conn.write_message("x")
        assert await conn.read_message() == "x"


# -- pages in place of a WebSocket --


async def test_an_error_comes_with_its_response(loop_kind: str, tls: Any) -> None:
    async with echoing(tls) as (server, _):
        request = request_for(server, tls, "/page?code=403")
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(request)
        response = caught.value.response
        assert response is not None
        assert (caught.value.code, response.headers["X-Why"], response.body) == (
            403,
            "no",
            b"no WebSocket here",
        )
        assert response.request is request


async def test_a_page_is_no_websocket() -> None:
    async with echoing() as (server, _):
        with pytest.raises(websocket.WebSocketError, match="status 200, not 101"):
            await websocket_connect(request_for(server, None, "/page"))


async def test_a_redirect_is_followed_on_request() -> None:
    async with echoing() as (server, handler):
        path = "/page?code=302&to=/"
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(request_for(server, None, path))
        assert caught.value.code == 302
        request = request_for(server, None, path, follow_redirects=True)
        async with websocket_connect(request, subprotocols=["a"]) as conn:
            assert conn.selected_subprotocol == "a"
            await conn.write_message("x")
            assert await conn.read_message() == "x"
        assert handler.latest.request.uri == "/"


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_redirect_leaves_no_secrets_elsewhere(scheme: str) -> None:
    async with echoing() as (first, _), echoing() as (second, handler):
        path = f"/page?code=307&to={scheme}://127.0.0.1:{second.port}/"
        request = request_for(
            first,
            None,
            path,
            follow_redirects=True,
            auth_username="me",
            headers={"Cookie": "a=b", "X-A": "b"},
        )
        async with websocket_connect(request):
            sent = handler.latest.request.headers
        assert sent["X-A"] == "b"
        assert "Cookie" not in sent
        assert "Authorization" not in sent


async def test_redirects_that_are_not_followed(certificates: Any) -> None:
    """Away from TLS, to another scheme, round in circles."""
    for to, told in (("ws://127.0.0.1:1/", "not protected by TLS"), ("ftp://x/", "begins with ws://")):
        async with echoing(certificates) as (server, _):
            path = f"/page?code=302&to={to}"
            request = request_for(server, certificates, path, follow_redirects=True)
            with pytest.raises(HTTPClientError, match=f"302: a redirect that cannot be followed: .*{told}"):
                await websocket_connect(request)
    async with echoing() as (server, _):
        request = request_for(
            server, None, "/page?code=302&to=?code=302%26to=/page?code%3D302", max_redirects=2
        )
        request.follow_redirects = True
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(request)
        assert caught.value.code == 302
