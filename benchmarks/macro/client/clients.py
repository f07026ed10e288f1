"""The measured clients, with a common interface. ``BENCH_CLIENT`` selects one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any, Protocol

#: The number of concurrent requests, and therefore of connections.
CONCURRENCY = 10


class Client(Protocol):
    """The interface that the cases use."""

    async def get(self, path: str, close: bool = False) -> int:
        """Fetch a path and return the size of the body; `close` requests a separate connection."""

    async def stream(self, path: str) -> int:
        """Fetch a path chunk by chunk, discard the chunks, and return the size of the body."""

    async def post(self, path: str, body: bytes) -> int:
        """Send a body and return the size of the response body."""


_CLOSE = {"Connection": "close"}


class _Tornado:
    def __init__(self, url: str, limit: int, implementation: str | None) -> None:
        from tornado.httpclient import AsyncHTTPClient

        AsyncHTTPClient.configure(implementation)
        self._client = AsyncHTTPClient(force_instance=True, max_clients=limit)
        self._url = url

    async def get(self, path: str, close: bool = False) -> int:
        headers = _CLOSE if close else None
        return len((await self._client.fetch(self._url + path, headers=headers)).body)

    async def stream(self, path: str) -> int:
        sizes: list[int] = []
        await self._client.fetch(self._url + path, streaming_callback=lambda chunk: sizes.append(len(chunk)))
        return sum(sizes)

    async def post(self, path: str, body: bytes) -> int:
        response = await self._client.fetch(
            self._url + path, method="POST", body=body, headers={"Content-Type": "text/plain"}
        )
        return len(response.body)


class _Aiohttp:
    def __init__(self, url: str, session: Any) -> None:
        self._url = url
        self._session = session

    async def get(self, path: str, close: bool = False) -> int:
        async with self._session.get(self._url + path, headers=_CLOSE if close else None) as response:
            return len(await response.read())

    async def stream(self, path: str) -> int:
        async with self._session.get(self._url + path) as response:
            return sum([len(chunk) async for chunk in response.content.iter_any()])

    async def post(self, path: str, body: bytes) -> int:
        import io

        # aiohttp warns about large bytes bodies, which it sends in one write.
        async with self._session.post(self._url + path, data=io.BytesIO(body)) as response:
            return len(await response.read())


class _Requests:
    """httpx and niquests, which differ in the name of the body argument and in the API for streaming."""

    def __init__(self, url: str, client: Any, body: str) -> None:
        self._url = url
        self._client = client
        self._body = body

    async def get(self, path: str, close: bool = False) -> int:
        response = await self._client.get(self._url + path, headers=_CLOSE if close else None)
        return len(response.content)

    async def stream(self, path: str) -> int:
        if self._body == "content":
            async with self._client.stream("GET", self._url + path) as response:
                return sum([len(chunk) async for chunk in response.aiter_raw()])
        response = await self._client.get(self._url + path, stream=True)
        return sum([len(chunk) async for chunk in await response.iter_raw(-1)])

    async def post(self, path: str, body: bytes) -> int:
        content: dict[str, Any] = {self._body: body}
        response = await self._client.post(self._url + path, **content)
        return len(response.content)


@contextlib.asynccontextmanager
async def client(url: str, limit: int = CONCURRENCY) -> AsyncIterator[Client]:
    """Open the client that the environment names.

    :param url: URL of the server, without a path.
    :param limit: maximum number of connections.
    """
    name = os.environ["BENCH_CLIENT"]
    if name == "simple":
        yield _Tornado(url, limit, None)
    elif name == "curl":
        yield _Tornado(url, limit, "tornado.curl_httpclient.CurlAsyncHTTPClient")
    elif name == "aiohttp":
        import aiohttp

        connector = aiohttp.TCPConnector(limit=limit)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield _Aiohttp(url, session)
    elif name == "httpx":
        import httpx

        limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
        async with httpx.AsyncClient(limits=limits, timeout=60) as found:
            yield _Requests(url, found, "content")
    else:
        import niquests

        async with niquests.AsyncSession(pool_connections=limit, pool_maxsize=limit) as session:
            yield _Requests(url, session, "data")
