"""Compressed request bodies: limits on the decompressed size and the ratio, and decompression in steps."""

from __future__ import annotations

import asyncio
import gzip
import os
from typing import Any

import pytest

from tests.support.server import serving
from tornado import web
from tornado.http1connection import _decompress

FIELD = "Content-Encoding: gzip"
FREE = _decompress._RATIO_FREE


class Size(web.RequestHandler):
    """Responds with the size of the request body."""

    def post(self) -> None:
        self.write(str(len(self.request.body)))


@web.stream_request_body
class Iterations(web.RequestHandler):
    """Records in which event loop iteration each chunk arrived."""

    iterations: list[tuple[int, int]]

    def data_received(self, chunk: bytes) -> None:
        self.iterations.append((self.application.iteration, len(chunk)))  # type: ignore[attr-defined]

    def post(self) -> None:
        self.write("ok")


async def post(body: bytes, **options: Any) -> Any:
    application = web.Application([("/", Size)])
    async with serving(application, decompress_request=True, **options) as server:
        return await server.fetch("/", FIELD, method="POST", body=body)


def compressed(size: int, ratio: float) -> bytes:
    """Return a compressed body of a little less than `size` / `ratio` bytes that decompresses to `size`."""
    noise = os.urandom(int(size / ratio))
    return gzip.compress(noise + bytes(size - len(noise)), 6)


async def test_decompressed_size_is_limited() -> None:
    assert (await post(gzip.compress(bytes(100_000)), max_body_size=100_000)).body == b"100000"
    assert (await post(gzip.compress(bytes(100_001)), max_body_size=100_000)).code == 400


@pytest.mark.parametrize(("ratio", "code"), [(8, 200), (13, 400)])
async def test_inflation_ratio_is_limited_if_set(ratio: int, code: int) -> None:
    body = compressed(4 * FREE, ratio)
    assert (await post(body, max_inflation_ratio=10)).code == code
    assert (await post(body)).code == 200


async def test_ratio_of_small_body_is_not_limited() -> None:
    assert (await post(gzip.compress(bytes(FREE)), max_inflation_ratio=1)).code == 200
    assert (await post(gzip.compress(bytes(FREE + 70_000)), max_inflation_ratio=1)).code == 400


async def test_error_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tornado.general")
    await post(gzip.compress(bytes(4 * FREE)), protection="public")
    assert "over 100 times the compressed size (max_inflation_ratio)" in caplog.text


async def test_decompression_yields_to_event_loop() -> None:
    iterations: list[tuple[int, int]] = []
    application: Any = web.Application([("/", type("Handler", (Iterations,), {"iterations": iterations}))])
    application.iteration = 0
    over = asyncio.Event()

    async def count() -> None:
        while not over.is_set():
            application.iteration += 1
            await asyncio.sleep(0)

    size = 20 * 1024 * 1024
    async with serving(application, decompress_request=True) as server:
        counting = asyncio.create_task(count())
        response = await server.fetch("/", FIELD, method="POST", body=gzip.compress(bytes(size)))
        over.set()
        await counting
    assert response.code == 200
    per_iteration: dict[int, int] = {}
    for iteration, length in iterations:
        per_iteration[iteration] = per_iteration.get(iteration, 0) + length
    assert sum(per_iteration.values()) == size
    assert max(per_iteration.values()) <= 2 * _decompress._STEP_LIMIT
