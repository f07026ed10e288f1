"""Fetches through independent proxies: Debian's tinyproxy and squid, and microsocks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_server import answering, scripted
from tests.support.proxy import microsocks, squid, tinyproxy
from tests.support.tools import need_module
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import HTTPProxyError, SimpleAsyncHTTPClient

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
USER = "me:pass%5Fword"


@contextlib.asynccontextmanager
async def proxy_url(kind: str, folder: Path) -> AsyncIterator[str]:
    """Yield the address of a proxy that requires the user ``me`` with the password ``pass_word``."""
    if kind == "tinyproxy":
        async with tinyproxy(folder, "BasicAuth me pass_word") as port:
            yield f"127.0.0.1:{port}"
    elif kind == "squid":
        async with squid(folder, "me", "pass_word") as port:
            yield f"127.0.0.1:{port}"
    else:
        need_module("python_socks", "socks")
        async with microsocks("me", "pass_word") as port:
            yield f"127.0.0.1:{port}"


@pytest.fixture(params=["tinyproxy", "squid", "microsocks"])
def kind(request: pytest.FixtureRequest) -> str:
    """Run the test through each proxy."""
    value: str = request.param
    return value


def make(kind: str, address: str, user: str | None, certificates: Any) -> SimpleAsyncHTTPClient:
    scheme = "socks5" if kind == "microsocks" else "http"
    credentials = f"{user}@" if user is not None else ""
    return SimpleAsyncHTTPClient(
        force_instance=True,
        proxy=f"{scheme}://{credentials}{address}",
        defaults={"ssl_options": certificates.client_context},
    )


@pytest.mark.parametrize("by_tls", [False, True])
async def test_fetches_with_credentials(kind, by_tls, loop_kind, certificates, tmp_path):
    async with proxy_url(kind, tmp_path) as address:

        def answer(request: Any) -> str:
            return OK if request.method == "GET" else OK.replace("ok", str(len(request.body) % 90 + 10))

        async with scripted(answering(answer), tls=certificates if by_tls else None) as server:
            client = make(kind, address, USER, certificates)
            for _ in range(3):
                assert (await client.fetch(server.url)).body == b"ok"
            response = await client.fetch(server.url, method="PUT", body=bytes(200_000))
            assert response.body == str(200_000 % 90 + 10).encode()
            assert all("proxy-authorization" not in request.headers for request in server.requests)
            if by_tls or kind == "microsocks":
                assert server.connections == 1  # one tunnel for all requests
            client.close()


@pytest.mark.parametrize("user", [None, "me:wrong"])
@pytest.mark.parametrize("by_tls", [False, True])
async def test_proxy_rejects_wrong_credentials(kind, by_tls, user, certificates, tmp_path):
    async with proxy_url(kind, tmp_path) as address:
        async with scripted(OK, tls=certificates if by_tls else None) as server:
            client = make(kind, address, user, certificates)
            if by_tls or kind == "microsocks":
                with pytest.raises(HTTPProxyError) as refused:
                    await client.fetch(server.url)
                if kind != "microsocks":
                    assert refused.value.proxy_code in (401, 407)
            else:
                with pytest.raises(HTTPClientError) as answered:
                    await client.fetch(server.url)
                assert answered.value.code in (401, 407)
            assert not server.requests
            client.close()


async def test_unreachable_server_raises_proxy_error(kind, certificates, tmp_path):
    async with scripted(OK) as server:
        port = server.port
    async with proxy_url(kind, tmp_path) as address:
        client = make(kind, address, USER, certificates)
        with pytest.raises(HTTPProxyError):
            await client.fetch(f"https://127.0.0.1:{port}/")
        client.close()
