"""The measured cases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator

from benchmarks.macro.client.clients import CONCURRENCY, client
from benchmarks.macro.client.server import LARGE
from benchmarks.worker import Case

Run = AsyncGenerator[None, None]
URL = f"http://127.0.0.1:{os.environ.get('BENCH_PORT')}"


async def _get_many(times: int, close: bool) -> Run:
    async with client(URL) as found:

        async def work(count: int) -> None:
            for _ in range(count):
                assert await found.get("/", close) == 13

        await asyncio.gather(*[work(5) for _ in range(CONCURRENCY)])
        yield
        await asyncio.gather(*[work(max(1, times // CONCURRENCY)) for _ in range(CONCURRENCY)])
        yield


async def keep_alive(times: int) -> Run:
    """GET responses of 13 bytes on persistent connections, 10 concurrently."""
    async for _ in _get_many(times, False):
        yield


async def new_connections(times: int) -> Run:
    """GET responses of 13 bytes, with a new connection for each, 10 concurrently."""
    async for _ in _get_many(times, True):
        yield


async def download(times: int) -> Run:
    """A response of 100 MB, read as a whole."""
    async with client(URL) as found:
        await found.get("/")
        yield
        for _ in range(times):
            assert await found.get("/large") == LARGE
        yield


async def download_streamed(times: int) -> Run:
    """A response of 100 MB, read chunk by chunk and discarded."""
    async with client(URL) as found:
        await found.get("/")
        yield
        for _ in range(times):
            assert await found.stream("/large") == LARGE
        yield


async def upload(times: int) -> Run:
    """A request body of 100 MB from memory."""
    async with client(URL) as found:
        await found.get("/")
        body = b"x" * LARGE
        yield
        for _ in range(times):
            assert await found.post("/", body) == 13
        yield


CASES = {
    case.name: case
    for case in [
        Case("keep-alive", "GET of 13 bytes, kept connections, 10 concurrently", keep_alive, 500),
        Case("new", "GET of 13 bytes, a new connection for each, 10 concurrently", new_connections, 200),
        Case("download", "100 MB downloaded, read whole", download, 1),
        Case("streamed", "100 MB downloaded, streamed", download_streamed, 1),
        Case("upload", "100 MB uploaded from memory", upload, 1),
    ]
}
