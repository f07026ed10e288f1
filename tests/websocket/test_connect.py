"""Tests of `websocket_connect`: options and rejected handshakes, mostly with our own server."""

from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.httpclient import request_defaults
from tests.support.server import ExpectLog, Server
from tests.support.streams import run_loop_iterations
from tests.support.websocket_client import address_of, answering, request_for
from tests.support.websocket_internals import traffic
from tornado import gen, netutil, websocket
from tornado.httpclient import HTTPClientError, HTTPRequest, _RequestProxy
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.websocket import websocket_connect

# -- options --


async def test_selected_subprotocol_is_available(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        async with websocket_connect(request_for(server, tls), subprotocols=["a", "b"]) as conn:
            assert conn.selected_subprotocol == "b"
        assert conn.selected_subprotocol == "b"
        async with websocket_connect(request_for(server, tls)) as conn:
            assert conn.selected_subprotocol is None
        headers = {"Sec-WebSocket-Protocol": "c, d"}
        async with websocket_connect(request_for(server, tls, headers=headers)) as conn:
            assert conn.selected_subprotocol == "d"


async def test_open_connection_has_no_status_code(loop_kind: str, tls: Any) -> None:
    """pytest-jupyter recognises a WebSocket by its ``code``, which is None."""
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        assert conn.code is None  # type: ignore[attr-defined]
        assert conn.headers["Upgrade"] == "websocket"  # type: ignore[attr-defined]


async def test_request_of_an_open_connection_is_the_request_as_sent(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        given = request_for(server, tls, "/?a=b", headers={"X-Mine": "1"})
        async with websocket_connect(given, subprotocols=["a"]) as conn:
            scheme = "https" if tls else "http"
            assert conn.request.url == f"{scheme}://127.0.0.1:{server.port}/?a=b"
            assert conn.request.method == "GET"
            sent = dict(handler.latest.request.headers)
        assert dict(conn.request.headers) == sent
        assert {"Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "X-Mine"} <= sent.keys()
        assert (given.url.partition(":")[0], dict(given.headers)) == ("wss" if tls else "ws", {"X-Mine": "1"})


async def test_connection_with_request_proxy(loop_kind: str, tls: Any) -> None:
    """jupyter-server-proxy creates such a connection, with the HTTP client's defaults."""
    async with answering(tls) as (server, _):
        request = _RequestProxy(request_for(server, tls, headers={"X-Mine": "1"}), request_defaults())
        connection = websocket.WebSocketClientConnection(request, subprotocols=["a"])  # type: ignore[arg-type]
        async with connection.connect_future as conn:
            assert conn is connection
            assert conn.selected_subprotocol == "a"
            assert conn.request.headers["X-Mine"] == "1"
            assert conn.request.connect_timeout == 20
            await conn.write_message("x")
            assert await conn.read_message() == "x"


async def test_request_proxy_with_http_client_defaults_follows_no_redirect(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        path = "/page?code=302&to=/"
        request = _RequestProxy(request_for(server, tls, path), request_defaults())
        with pytest.raises(HTTPClientError, match="302"):
            await websocket.WebSocketClientConnection(request).connect_future  # type: ignore[arg-type]
        request = _RequestProxy(request_for(server, tls, path, follow_redirects=True), None)
        async with websocket.WebSocketClientConnection(request).connect_future as conn:  # type: ignore[arg-type]
            await conn.write_message("x")
            assert await conn.read_message() == "x"


@pytest.mark.parametrize("subprotocols", [["a", "a"], ["a b"], [""]])
async def test_invalid_subprotocols_raise(subprotocols: list[str]) -> None:
    with pytest.raises(ValueError, match="distinct tokens"):
        websocket_connect("ws://localhost/", subprotocols=subprotocols)


async def test_subprotocols_must_be_a_list() -> None:
    with pytest.raises(TypeError, match="a list of names, got 'abc'"):
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
async def test_compression_is_negotiated(
    loop_kind: str, tls: Any, options: dict[str, Any], offer: str
) -> None:
    """Compression is offered as configured, negotiated and used."""
    async with answering(tls) as (server, handler):
        async with websocket_connect(request_for(server, tls), compression_options=options) as conn:
            request = handler.latest.request
            assert offer in request.headers["Sec-WebSocket-Extensions"]
            assert "permessage-deflate" in conn.headers["Sec-WebSocket-Extensions"]
            for _ in range(3):
                await conn.write_message("x" * 100_000)
                assert await conn.read_message() == "x" * 100_000
            protocol: Any = conn.protocol
            assert traffic(protocol).wire_bytes_out < 2_000
            assert traffic(protocol).wire_bytes_in < 2_000


async def test_no_compression_by_default(loop_kind: str, tls: Any) -> None:
    """Compression is not offered even if a program copies the header fields of another handshake."""
    headers = {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Key": "x", "Upgrade": "tea"}
    async with answering(tls) as (server, _):
        async with websocket_connect(request_for(server, tls, headers=headers)) as conn:
            assert "Sec-WebSocket-Extensions" not in conn.headers
            await conn.write_message("x")
            assert await conn.read_message() == "x"
    assert headers["Upgrade"] == "tea"


async def test_max_message_size(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        options: dict[str, Any] = {"max_message_size": 1000, "compression_options": {}}
        conn = await websocket_connect(request_for(server, tls), **options)
        await conn.write_message("x" * 1000)
        assert await conn.read_message() == "x" * 1000
        await conn.write_message("x" * 1001)
        assert await conn.read_message() is None
        await handler.until("open")
        while not any(event[0] == "close" for event in handler.happened):
            await run_loop_iterations()
        assert handler.happened[-1][1] == 1009


async def test_compression_options_out_of_range() -> None:
    with pytest.raises(ValueError, match="max_window_bits must be between 8 and 15"):
        websocket_connect("ws://localhost/", compression_options={"server_max_window_bits": 16})
    with pytest.raises(ValueError, match="must be a positive number"):
        websocket_connect("ws://localhost/", max_message_size=0)


async def test_request_of_program_is_not_changed(loop_kind: str, tls: Any) -> None:
    """The headers, credentials and user agent of the request are sent."""
    async with answering(tls) as (server, handler):
        request = request_for(
            server, tls, headers={"X-Mine": "1"}, auth_username="me", auth_password="x", user_agent="me/1"
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


async def test_request_options_as_arguments(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        url, trust = address_of(server, tls)
        async with websocket_connect(url, connect_timeout=20, headers={"X-Mine": "1"}, **trust):
            assert handler.latest.request.headers["X-Mine"] == "1"
    with pytest.raises(ValueError, match="accepts connect_timeout, headers only with a URL string"):
        websocket_connect(HTTPRequest(url), connect_timeout=1, headers={})


@pytest.mark.parametrize("url", ["ftp://localhost/", "localhost", "", "wsx://localhost/"])
async def test_invalid_urls_raise(url: str) -> None:
    with pytest.raises(ValueError, match="must begin with ws:// or wss://"):
        websocket_connect(url)


async def test_method_must_be_get() -> None:
    for options in ({"method": "POST", "body": b""}, {"body": b"x"}, {"body_producer": lambda write: None}):
        with pytest.raises(ValueError, match="requires GET without a body"):
            websocket_connect("ws://localhost/", **options)


async def test_http_schemes_and_upper_case(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        _, trust = address_of(server, tls)
        for scheme in ("https", "WSS") if tls else ("http", "WS"):
            async with websocket_connect(f"{scheme}://127.0.0.1:{server.port}/", **trust) as conn:
                assert conn.parsed.scheme == ("https" if tls else "http")


async def test_custom_resolver_is_used(loop_kind: str) -> None:
    class Own(netutil.Resolver):
        def initialize(self, **kwargs: Any) -> None:
            self.asked: list[str] = []

        async def resolve(self, host: str, port: int, family: Any = None) -> list[tuple[int, Any]]:
            self.asked.append(host)
            return [(2, ("127.0.0.1", port))]

    resolver = Own()
    async with answering() as (server, _):
        async with websocket_connect(f"ws://elsewhere.test:{server.port}/", resolver=resolver):
            assert resolver.asked == ["elsewhere.test"]


async def test_tornado_4_arguments(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        url, trust = address_of(server, tls)
        with pytest.warns(DeprecationWarning, match="io_loop argument of websocket_connect"):
            websocket_connect(url, callback=told.set_result, io_loop=IOLoop.current(), **trust)
        conn = (await told).result()
        conn.close()
        await conn.wait_closed()


def test_generator_coroutine_waits_for_connection() -> None:
    """A generator coroutine can yield the Futures of the connection."""

    async def main() -> None:
        async with answering() as (server, _):
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


# -- TLS --


async def test_certificates_are_verified(certificates: Any, expect_log: ExpectLog) -> None:
    async with answering(certificates) as (server, _):
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


async def test_client_certificate_is_sent(certificates: Any) -> None:
    asking = SimpleNamespace(
        server_context=certificates.client_cert_context, client_context=certificates.client_context
    )
    shown = []
    members = {"prepare": lambda self: shown.append(self.request.get_ssl_certificate())}
    async with answering(asking, **members) as (server, _):
        url = f"wss://localhost:{server.port}/"
        async with websocket_connect(url, ssl_options=certificates.client_context_of("somebody")):
            assert shown[0]["subjectAltName"] == (("DNS", "somebody"),)


# -- rejected handshakes and redirects --


async def test_error_has_its_response(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
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


async def test_status_200_is_rejected(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        with pytest.raises(websocket.WebSocketError, match="status code 101 .*, got 200"):
            await websocket_connect(request_for(server, tls, "/page"))


async def test_redirect_is_followed_on_request(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        path = "/page?code=302&to=/"
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(request_for(server, tls, path))
        assert caught.value.code == 302
        request = request_for(server, tls, path, follow_redirects=True)
        async with websocket_connect(request, subprotocols=["a"]) as conn:
            assert conn.selected_subprotocol == "a"
            await conn.write_message("x")
            assert await conn.read_message() == "x"
        assert handler.latest.request.uri == "/"


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_redirect_to_other_host_drops_credentials(loop_kind: str, tls: Any, scheme: str) -> None:
    async with answering(tls) as (first, _), answering(tls) as (second, handler):
        target = f"{scheme}{'s' if tls else ''}://127.0.0.1:{second.port}/"
        path = f"/page?code=307&to={target}"
        request = request_for(
            first,
            tls,
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


async def test_unsafe_redirects_are_rejected(certificates: Any) -> None:
    """Redirects from TLS to plain TCP, to another scheme, and in a loop are rejected."""
    for to, told in (("ws://127.0.0.1:1/", "not protected by TLS"), ("ftp://x/", "must begin with ws://")):
        async with answering(certificates) as (server, _):
            path = f"/page?code=302&to={to}"
            request = request_for(server, certificates, path, follow_redirects=True)
            with pytest.raises(HTTPClientError, match=f"302: cannot follow the redirect: .*{told}"):
                await websocket_connect(request)
    async with answering() as (server, _):
        request = request_for(
            server, None, "/page?code=302&to=?code=302%26to=/page?code%3D302", max_redirects=2
        )
        request.follow_redirects = True
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(request)
        assert caught.value.code == 302


async def test_cancelled_connection_that_is_refused_logs_nothing(loop_kind: str) -> None:
    with bind_sockets(0, "127.0.0.1")[0] as unused:
        port = unused.getsockname()[1]
    for count in range(30):  # one of these is the event loop iteration of the refusal
        connecting = websocket_connect(f"ws://127.0.0.1:{port}/")
        for _ in range(count):
            await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises((asyncio.CancelledError, OSError)):
            await connecting
        for _ in range(30):
            await asyncio.sleep(0)
