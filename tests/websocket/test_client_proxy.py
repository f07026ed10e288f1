"""Tests of WebSockets through HTTP proxies."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.proxy import proxying, tinyproxy
from tests.support.server import ExpectLog, serving
from tests.support.websocket import Echo, Recorder
from tests.support.websocket_client import address_of
from tornado import web
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import HTTPProxyError, HTTPStreamClosedError, HTTPTimeoutError
from tornado.websocket import websocket_connect


async def speak(url: str, **options: Any) -> None:
    async with websocket_connect(url, **options) as conn:
        await conn.write_message("hello")
        assert await conn.read_message() == "hello"


async def test_connection_through_proxy(loop_kind: str, tls: Any) -> None:
    """The proxy gets the address of the server; the certificate is checked against the name of the server."""
    async with serving(web.Application([("/", Echo)]), tls=tls) as server:
        async with proxying(target=("127.0.0.1", server.port)) as proxy:
            url, trust = address_of(server, tls, "localhost")
            await speak(url, proxy_host="127.0.0.1", proxy_port=proxy.port, **trust)
            target = f"localhost:{server.port}".encode()
            assert proxy.heads == [b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n"]


async def test_proxy_resolves_the_host_name(certificates: Any, expect_log: ExpectLog) -> None:
    async with serving(web.Application([("/", Echo)]), tls=certificates) as server:
        async with proxying(target=("127.0.0.1", server.port)) as proxy:
            options = {
                "proxy_host": "127.0.0.1",
                "proxy_port": proxy.port,
                "ca_certs": str(certificates.ca_file),
            }
            with (
                expect_log("tornado.general", "SSL Error", required=False),
                pytest.raises(ssl.SSLCertVerificationError, match="elsewhere.test:443 through the proxy 127"),
            ):
                await speak("wss://elsewhere.test/", **options)
            assert proxy.heads[0].startswith(b"CONNECT elsewhere.test:443 HTTP/1.1\r\n")


async def test_ipv6_address_is_sent_in_brackets(loop_kind: str) -> None:
    async with serving(web.Application([("/", Echo)])) as server:
        async with proxying(target=("127.0.0.1", server.port)) as proxy:
            await speak("ws://[2001:db8::1]/", proxy_host="127.0.0.1", proxy_port=proxy.port)
            assert proxy.heads[0].startswith(
                b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n"
            )


async def test_credentials_are_sent_only_to_the_proxy(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        async with proxying() as proxy:
            url, options = address_of(server, tls)
            options |= {"proxy_username": "me", "proxy_password": "sécret"}
            conn = await websocket_connect(url, proxy_host="127.0.0.1", proxy_port=proxy.port, **options)
            assert b"\r\nProxy-Authorization: Basic bWU6c8OpY3JldA==\r\n" in proxy.heads[0]
            assert "Proxy-Authorization" not in handler.latest.request.headers
            conn.close()
            await conn.wait_closed()


@pytest.mark.parametrize("code", [403, 407, 502])
async def test_proxy_rejects_connection(loop_kind: str, code: int) -> None:
    async with proxying(f"HTTP/1.1 {code} Sorry\r\nContent-Length: 5\r\n\r\nwhy".encode()) as proxy:
        with pytest.raises(HTTPProxyError) as caught:
            await websocket_connect("ws://example.com/", proxy_host="127.0.0.1", proxy_port=proxy.port)
        assert isinstance(caught.value, HTTPClientError)
        assert (caught.value.code, caught.value.proxy_code) == (599, code)
        told = f"the proxy 127.0.0.1:{proxy.port} did not connect to example.com:80: {code} Sorry"
        assert str(caught.value) == told


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 100 Go\r\n\r\n" * 50]
)
async def test_invalid_proxy_response(loop_kind: str, answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(script, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(HTTPStreamClosedError, match=f"the proxy 127.0.0.1:{port} closed .* example.com:443"):
        await websocket_connect("wss://example.com/", proxy_host="127.0.0.1", proxy_port=port)
    listening.close()
    await listening.wait_closed()


async def test_proxy_sends_data_after_its_response(loop_kind: str) -> None:
    """Bytes before the TLS handshake are rejected, because they were not sent by the server."""
    async with proxying(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 OK\r\n\r\n") as proxy:
        with pytest.raises(
            HTTPStreamClosedError, match="through the proxy 127.0.0.1:.* the proxy must send nothing"
        ):
            await websocket_connect("wss://example.com/", proxy_host="127.0.0.1", proxy_port=proxy.port)


async def test_proxy_does_not_respond(clock: FakeClock) -> None:
    async with proxying(b"") as proxy:
        begin = clock.now
        with pytest.raises(HTTPTimeoutError, match=f"the proxy 127.0.0.1:{proxy.port} was connecting to e"):
            await websocket_connect(
                "ws://example.com/", connect_timeout=3, proxy_host="127.0.0.1", proxy_port=proxy.port
            )
        assert clock.now - begin == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"proxy_host": "localhost"}, "must be set together"),
        ({"proxy_port": 1}, "must be set together"),
        ({"proxy_host": "localhost", "proxy_port": 1, "proxy_auth_mode": "digest"}, "expected 'basic'"),
    ],
)
async def test_invalid_proxy_arguments(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        websocket_connect("ws://example.com/", **options)


async def test_connection_through_tinyproxy_requires_the_password(
    loop_kind: str, tls: Any, tmp_path: Path
) -> None:
    """tinyproxy accepts the correct password and rejects a wrong one."""
    async with serving(web.Application([("/", Echo)]), tls=tls) as server:
        async with tinyproxy(tmp_path, "BasicAuth me secret") as port:
            url, options = address_of(server, tls)
            options |= {"proxy_host": "127.0.0.1", "proxy_port": port, "proxy_username": "me"}
            await speak(url, proxy_password="secret", **options)
            with pytest.raises(HTTPProxyError) as caught:
                await speak(url, proxy_password="guess", **options)
            assert caught.value.proxy_code in (401, 407)


async def test_tinyproxy_cannot_connect(loop_kind: str, tmp_path: Path) -> None:
    async with tinyproxy(tmp_path) as port:
        with pytest.raises(HTTPProxyError) as caught:
            await websocket_connect("ws://127.0.0.1:1/", proxy_host="127.0.0.1", proxy_port=port)
        assert caught.value.proxy_code in (500, 502)
