"""Connections to a server: Unix sockets, proxies of each kind, shared lookups."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_server import Visit, answering, scripted
from tests.support.proxy import proxying, tinyproxy
from tornado.netutil import OverrideResolver, Resolver
from tornado.simple_httpclient import (
    HTTPProxyError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
)
from tornado.simple_httpclient._dns_lookups import SharedLookups, may_share

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def make(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


async def test_requests_use_one_connection_to_a_unix_socket(loop_kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a b.sock")
    async with scripted(answering(lambda request: OK), path=path) as server:
        client = make()
        url = f"http+unix://{path.replace('/', '%2F').replace(' ', '%20')}/x?y=1"
        for _ in range(2):
            assert (await client.fetch(url)).body == b"ok"
        assert server.connections == 1
        assert (server.requests[0].target, server.requests[0].headers["host"]) == ("/x?y=1", "localhost")
        client.close()


async def test_unix_socket_redirect_and_tls(certificates: Any, tmp_path: Path) -> None:
    def answer(request: Any) -> str:
        if request.target == "/a":
            return "HTTP/1.1 302 Found\r\nLocation: b\r\nContent-Length: 0\r\n\r\n"
        return OK

    path = str(tmp_path / "s")
    async with scripted(answering(answer), tls=certificates, path=path) as server:
        url = f"https+unix://{path.replace('/', '%2F')}/a"
        response = await make().fetch(url, ssl_options=certificates.client_context)
        assert response.effective_url == f"{url[:-1]}b"
        assert [request.target for request in server.requests] == ["/a", "/b"]


async def test_unix_socket_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="connecting to"):
        await make().fetch(f"http+unix://{str(tmp_path / 'no').replace('/', '%2F')}/")


async def test_http_proxy_forwards_plain_requests(loop_kind: str) -> None:
    async with scripted(OK) as proxy:
        client = make(proxy=f"http://me:s%C3%A9cret@127.0.0.1:{proxy.port}")
        await client.fetch("http://example.com/x?y=1")
        await client.fetch("http://example.org", method="POST", body=b"z", headers={"X-A": "1"})
        assert proxy.connections == 1
    first, second = proxy.requests
    assert (first.target, first.headers["host"]) == ("http://example.com/x?y=1", "example.com")
    assert (second.target, second.headers["x-a"]) == ("http://example.org/", "1")
    for request in proxy.requests:
        credentials = base64.b64decode(request.headers["proxy-authorization"].removeprefix("Basic "))
        assert credentials.decode() == "me:sécret"
        assert "connection" not in request.headers


async def test_tunnel_to_https(loop_kind: str, certificates: Any) -> None:
    async with scripted(OK, tls=certificates) as server:
        async with proxying(target=("127.0.0.1", server.port)) as proxy:
            client = make(proxy=f"http://me:pw@127.0.0.1:{proxy.port}")
            for _ in range(2):
                await client.fetch("https://localhost/", ssl_options=certificates.client_context)
            assert len(proxy.heads) == 1
            assert proxy.heads[0].startswith(b"CONNECT localhost:443 HTTP/1.1\r\n")
            assert b"Proxy-Authorization: Basic " in proxy.heads[0]
            assert "proxy-authorization" not in server.requests[0].headers
            client.close()


async def test_proxy_that_refuses() -> None:
    async with proxying(b"HTTP/1.1 403 Sorry\r\nContent-Length: 5\r\n\r\nwhy") as proxy:
        with pytest.raises(HTTPProxyError) as caught:
            await make().fetch("https://example.com/", proxy_host="127.0.0.1", proxy_port=proxy.port)
        assert caught.value.proxy_code == 403


async def test_error_for_data_after_the_response_to_connect_names_the_proxy() -> None:
    async with proxying(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 Oops\r\n\r\n") as proxy:
        match = f"TLS handshake with example.com:443 through the proxy 127.0.0.1:{proxy.port}"
        with pytest.raises(HTTPStreamClosedError, match=match):
            await make(proxy=f"http://127.0.0.1:{proxy.port}").fetch("https://example.com/")


@pytest.mark.parametrize("url", ["http://example.com/", "https://example.com/"])
async def test_error_for_a_refused_connection_names_the_proxy(url: str) -> None:
    async with proxying() as proxy:
        port = proxy.port
    with pytest.raises(ConnectionRefusedError, match=rf"\(connecting to the proxy 127.0.0.1:{port}\)"):
        await make(proxy=f"http://127.0.0.1:{port}").fetch(url)


async def test_error_for_the_proxys_lookup_names_the_proxy() -> None:
    with pytest.raises(socket.gaierror, match=r"looking up the proxy proxy\.invalid:1"):
        await make(proxy="http://proxy.invalid:1").fetch("http://example.com/")


async def test_error_for_the_handshake_with_the_proxy_names_the_proxy(
    certificates: Any, expect_log: Any
) -> None:
    async with scripted(OK, tls=certificates) as proxy:
        with expect_log("tornado.general", "SSL Error"):
            with pytest.raises(ssl.SSLError, match=f"TLS handshake with the proxy 127.0.0.1:{proxy.port}"):
                await make(proxy=f"https://127.0.0.1:{proxy.port}").fetch("http://example.com/")


async def test_error_for_a_lost_connection_to_a_forwarding_proxy_names_the_proxy(clock: Any) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number > 1:
            await visit.end()

    async with scripted(script) as proxy:
        client = make(proxy=f"http://127.0.0.1:{proxy.port}")
        place = (
            rf"\(waiting for the response from http://example.com/ through the proxy 127.0.0.1:{proxy.port}\)"
        )
        with pytest.raises(HTTPStreamClosedError, match=place):
            await client.fetch("http://example.com/")
        with pytest.raises(HTTPTimeoutError, match=place):
            await client.fetch("http://example.com/")


@pytest.mark.parametrize("to", ["http", "https"])
async def test_proxy_with_tls(loop_kind: str, certificates: Any, to: str, monkeypatch: Any) -> None:
    """Through an HTTPS proxy, a connection to an HTTPS server is TLS over TLS."""
    monkeypatch.setattr("tornado.netutil._client_ssl_defaults", certificates.client_context)
    body = b"0123456789abcdef" * 65536
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with scripted(head + body, tls=certificates if to == "https" else None) as server:

        async def script(visit: Visit) -> None:
            request = await visit.reader.readuntil(b"\r\n\r\n")
            if request.startswith(b"GET http://localhost:1/ "):
                visit.send(head + body)
                await visit.end()
                return
            assert request.startswith(b"CONNECT localhost:1 ")
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            visit.send("HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_copy(visit.reader, writer), _copy(reader, visit.writer))

        async with scripted(script, tls=certificates) as proxy:
            client = make(proxy=f"https://localhost:{proxy.port}")
            options = {"ssl_options": certificates.client_context}
            assert (await client.fetch(f"{to}://localhost:1/", **options)).body == body
            if to == "https":
                upload = b"x" * 3_000_000
                await client.fetch("https://localhost:1/", method="POST", body=upload, **options)
                assert server.requests[1].body == upload
                assert server.connections == 1
            client.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def socks(credentials: bytes | None = None, reply: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a SOCKS5 proxy (RFC 1928, RFC 1929) that connects to the requested port on this machine."""
    asked: list[bytes] = []

    async def script(visit: Visit) -> None:
        reader = visit.reader
        assert (await reader.readexactly(2))[:1] == b"\x05"
        await reader.read(10)
        if credentials is None:
            visit.send(b"\x05\x00")
        else:
            visit.send(b"\x05\x02")
            assert await reader.readexactly(len(credentials)) == credentials
            visit.send(b"\x01\x00")
        assert await reader.readexactly(4) == b"\x05\x01\x00\x03"
        name = await reader.readexactly((await reader.readexactly(1))[0])
        asked.append(name)
        port = int.from_bytes(await reader.readexactly(2))
        visit.send(bytes([5, reply, 0, 1]) + bytes(6))
        if reply == 0:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, back), _copy(there, visit.writer))

    async with scripted(script) as server:
        yield server.port, asked


@pytest.mark.parametrize("by_tls", [False, True])
async def test_requests_pass_through_a_socks_proxy(loop_kind: str, certificates: Any, by_tls: bool) -> None:
    async with scripted(OK, tls=certificates if by_tls else None) as server, socks() as (port, asked):
        client = make(proxy=f"socks5://127.0.0.1:{port}")
        url = server.url.replace("127.0.0.1", "localhost")
        for _ in range(2):
            response = await client.fetch(url, ssl_options=certificates.client_context)
            assert response.body == b"ok"
        assert asked == [b"localhost"]
        assert server.requests[0].target == "/"
        client.close()


async def test_credentials_are_sent_to_a_socks_proxy() -> None:
    async with scripted(OK) as server, socks(b"\x01\x02me\x02pw") as (port, _):
        url = server.url.replace("127.0.0.1", "localhost")
        client = make(proxy=f"socks5://me:pw@127.0.0.1:{port}")
        assert (await client.fetch(url)).body == b"ok"
        client.close()


async def test_socks_proxy_that_refuses() -> None:
    async with socks(reply=5) as (port, _):
        with pytest.raises(HTTPProxyError, match=r"did not connect to example.com:80: .*refused") as caught:
            await make(proxy=f"socks5://127.0.0.1:{port}").fetch("http://example.com/")
        assert caught.value.proxy_code == 5


async def test_socks_proxy_that_does_not_respond(clock: Any) -> None:
    async def script(visit: Visit) -> None:
        await visit.end()

    async with scripted(script) as server:
        with pytest.raises(HTTPTimeoutError, match=r"Timeout while the proxy .* to example.com:80"):
            await make(proxy=f"socks5://127.0.0.1:{server.port}").fetch(
                "http://example.com/", connect_timeout=3
            )
        await server.all_closed()


async def test_requests_pass_through_tinyproxy(loop_kind: str, certificates: Any, tmp_path: Path) -> None:
    async with scripted(OK) as plain, scripted(OK, tls=certificates) as tls:
        async with tinyproxy(tmp_path, "BasicAuth me secret") as port:
            client = make(proxy=f"http://me:secret@127.0.0.1:{port}")
            for _ in range(2):
                assert (await client.fetch(plain.url)).body == b"ok"
                response = await client.fetch(tls.url, ssl_options=certificates.client_context)
                assert response.body == b"ok"
            client.close()


class Counting(Resolver):
    def initialize(self) -> None:
        self.calls: list[str] = []
        self.answer = asyncio.get_running_loop().create_future()

    async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> Any:
        self.calls.append(host)
        await self.answer
        return [(socket.AF_INET, ("127.0.0.1", port))]


async def test_lookups_in_flight_are_shared() -> None:
    resolver = Counting()
    shared = SharedLookups(resolver)
    tasks = [asyncio.create_task(shared.resolve("x", 80)) for _ in range(3)]
    other = asyncio.create_task(shared.resolve("x", 81))
    await asyncio.sleep(0)
    tasks[0].cancel()
    resolver.answer.set_result(None)
    assert await tasks[1] == await tasks[2] == [(socket.AF_INET, ("127.0.0.1", 80))]
    assert await other == [(socket.AF_INET, ("127.0.0.1", 81))]
    assert resolver.calls == ["x", "x"]
    await shared.resolve("x", 80)
    assert len(resolver.calls) == 3


async def test_lookup_without_waiting_callers_is_cancelled() -> None:
    resolver = Counting()
    shared = SharedLookups(resolver)
    tasks = [asyncio.create_task(shared.resolve("x", 80)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert resolver.answer.cancelled()


async def test_lookup_results_are_cached_until_they_expire(clock: Any) -> None:
    resolver = Counting()
    resolver.answer.set_result(None)
    shared = SharedLookups(resolver, ttl=10)
    for _ in range(2):
        await shared.resolve("x", 80)
    assert len(resolver.calls) == 1
    await asyncio.sleep(11)
    await shared.resolve("x", 80)
    shared.forget("x")
    await shared.resolve("x", 80)
    assert len(resolver.calls) == 3


async def test_programs_own_resolver_is_called_each_time() -> None:
    resolver = Counting()
    resolver.answer.set_result(None)
    assert not may_share(resolver)
    assert not may_share(OverrideResolver(resolver, {}))
    assert may_share(OverrideResolver(Resolver(), {}))
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as server:
        client = make(resolver=resolver, dns_cache_ttl=60)
        for _ in range(2):
            await client.fetch(f"http://name:{server.port}/")
        assert resolver.calls == ["name", "name"]


async def test_wrong_certificate_behind_a_proxy(certificates: Any, expect_log: Any) -> None:
    async with scripted(OK, tls=certificates) as server:
        async with proxying(target=("127.0.0.1", server.port)) as proxy:
            with (
                expect_log("tornado.general", "SSL Error", required=False),
                pytest.raises(ssl.SSLCertVerificationError, match="through the proxy"),
            ):
                await make(proxy=f"http://127.0.0.1:{proxy.port}").fetch(
                    "https://elsewhere.test/", ssl_options=certificates.client_context
                )
