"""The client: credentials on redirects, and limits on response bodies."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import Any

import pytest

from tests.support.server import ExpectLog, handler_of, serving
from tornado import httputil, web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

SECRETS = {"Authorization": "Bearer x", "Cookie": "a=b", "Proxy-Authorization": "Basic y", "cookie": "c=d"}


class Redirecting(web.RequestHandler):
    """A handler that records the headers of the request, and redirects to the URL in the query."""

    def get(self) -> None:
        """Handle the request."""
        self.seen(self.request.headers)
        location = self.get_query_argument("to", None)
        if location:
            self.redirect(location, status=self.get_query_argument("code", 302, type=int))

    post = get

    def initialize(self, seen: Any) -> None:
        self.seen = seen


def secrets(headers: httputil.HTTPHeaders) -> set[str]:
    return {name for name in ("Authorization", "Cookie", "Proxy-Authorization") if name in headers}


async def redirected(host: str, code: int = 302, **options: Any) -> list[set[str]]:
    """Return the secrets that each of two servers receives. The first redirects to the second as `host`."""
    seen: list[set[str]] = []
    application = web.Application(
        [("/.*", Redirecting, {"seen": lambda headers: seen.append(secrets(headers))})]
    )
    async with serving(application) as first, serving(application) as second:
        port = first.port if host == "same" else second.port
        to = "/next" if host == "same" else f"http://{host}:{port}/next"
        client = SimpleAsyncHTTPClient(force_instance=True, hostname_mapping={"other.test": "127.0.0.1"})
        await client.fetch(HTTPRequest(f"http://127.0.0.1:{first.port}/?code={code}&to={to}", **options))
        client.close()
    return seen


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "other.test"])
async def test_cve_2026_49853_credentials_are_not_sent_to_other_origin(host: str, code: int) -> None:
    """A redirect to another host, or to another port of the same host, leads to another origin."""
    assert await redirected(host, code, headers=SECRETS) == [
        secrets(httputil.HTTPHeaders(SECRETS)) - {"Proxy-Authorization"},  # not sent without a proxy
        set(),
    ]
    method = {"method": "POST", "body": b"x"} if code in (307, 308) else {}
    assert (await redirected(host, code, auth_username="me", auth_password="x", **method))[1] == set()


async def test_cve_2026_49853_same_origin_gets_credentials() -> None:
    everything = secrets(httputil.HTTPHeaders(SECRETS)) - {"Proxy-Authorization"}  # not sent without a proxy
    assert await redirected("same", headers=SECRETS) == [everything, everything]
    assert await redirected("same", auth_username="me", auth_password="x") == [{"Authorization"}] * 2


async def test_cve_2026_49853_dropped_credentials_are_not_sent_later() -> None:
    """The other origin redirects back to the first one, with a URL of its choice."""
    seen: list[set[str]] = []
    application = web.Application(
        [("/.*", Redirecting, {"seen": lambda headers: seen.append(secrets(headers))})]
    )
    async with serving(application) as first, serving(application) as second:
        back = f"http://127.0.0.1:{first.port}/next"
        url = f"http://127.0.0.1:{first.port}/?to=http://127.0.0.1:{second.port}/?to={back}"
        client = SimpleAsyncHTTPClient(force_instance=True)
        await client.fetch(HTTPRequest(url, headers=SECRETS))
        client.close()
    assert seen[1:] == [set(), set()]


BOMB = gzip.compress(bytes(50_000_000), 9)


@pytest.mark.parametrize("streaming", [False, True])
async def test_cve_2026_49855_limit_applies_to_decompressed_response(streaming: bool) -> None:
    """A body of 50 kB that expands to 50 MB is rejected during decompression, not held in memory."""

    def get(self: Any) -> None:
        self.set_header("Content-Encoding", "gzip")
        self.write(BOMB)

    received = 0

    def take(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    async with serving(web.Application([("/", handler_of(get=get))])) as server:
        client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=1_000_000)
        url = f"http://127.0.0.1:{server.port}/"
        tracemalloc.start()
        try:
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(url, streaming_callback=take if streaming else None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        client.close()
    assert caught.value.code == 599
    assert received <= 1_000_000
    assert peak < 5_000_000


async def test_cve_2026_49855_limit_applies_to_decompressed_request(expect_log: ExpectLog) -> None:
    handler = handler_of(post=lambda self: self.write("reached"))
    async with serving(
        web.Application([("/", handler)]), decompress_request=True, max_body_size=1_000_000
    ) as server:
        tracemalloc.start()
        try:
            response = await server.fetch("/", "Content-Encoding: gzip", method="POST", body=BOMB)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert response.code == 400
    assert peak < 5_000_000


async def test_response_over_limit_is_rejected_by_its_head() -> None:
    """Content-Length is compared with the limit before the body is read."""
    async with serving(
        web.Application([("/", handler_of(get=lambda self: self.write(bytes(100))))])
    ) as server:
        client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=99)
        with pytest.raises(HTTPClientError):
            await client.fetch(f"http://127.0.0.1:{server.port}/")
        client.close()
