"""Compression of large bodies in a thread."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.codings import Decoder, decode, require_coding
from tests.support.server import ExpectLog, handler_of, serving
from tornado import web
from tornado.iostream import StreamClosedError
from tornado.web import OutputTransform
from tornado.web._encoding import _content_codings, _transforms

NAMES = ["gzip", "br", "zstd"]
SLICE = _content_codings.MAX_AT_ONCE
#: Text whose compressed size, about half, exceeds the buffers of the sockets.
LARGE = "".join(random.Random(1).choices("abcdefghijklmnop", k=20 * SLICE)).encode()


def accept(name: str) -> str:
    require_coding(name)
    return f"Accept-Encoding: {name}"


def application(get: Any, **settings: Any) -> web.Application:
    routes = [
        ("/", handler_of(get=get, head=get)),
        ("/quick", handler_of(get=lambda self: self.write("quick"))),
    ]
    return web.Application(routes, **{"compress_response": web.ContentCodings(), **settings})


@pytest.mark.parametrize("name", NAMES)
async def test_large_body_is_compressed_in_pieces(name: str, loop_kind: str, tls: Any) -> None:
    app = application(lambda self: self.write(LARGE[: 3 * SLICE + 1]))
    async with serving(app, tls=tls) as server:
        peer = await server.connect()
        for _ in range(2):  # the second request uses the same connection
            response = await peer.fetch("/", accept(name))
            assert decode(name, response.body) == LARGE[: 3 * SLICE + 1]
            assert response.get("content-encoding") == name
            assert response.get("content-length") is None
            assert response.get("etag").startswith('W/"')
        assert (await peer.fetch("/quick", accept(name))).body == b"quick"


async def test_body_larger_than_a_slice_has_no_content_length() -> None:
    seen = []
    for size in (SLICE, SLICE + 1):
        async with serving(application(lambda self, size=size: self.write(LARGE[:size]))) as server:
            response = await server.fetch("/", accept("gzip"))
            assert decode("gzip", response.body) == LARGE[:size]
            seen.append(response.get("content-length") is not None)
            # The response to HEAD has the same fields.
            head = await server.fetch("/", accept("gzip"), method="HEAD")
            assert head.get("content-length") == response.get("content-length")
            assert head.get("content-encoding") == "gzip"
    assert seen == [True, False]


async def test_gzip_only_compresses_in_background() -> None:
    async with serving(application(lambda self: self.write(LARGE), compress_response=True)) as server:
        response = await server.fetch("/", accept("gzip"))
        assert decode("gzip", response.body) == LARGE
        assert response.get("transfer-encoding") == "chunked"


async def test_other_requests_are_served_during_compression() -> None:
    finished = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            # This exceeds the buffers of the sockets, and the client does not read yet.
            self.finish(LARGE * 4).add_done_callback(lambda future: finished.append("large"))  # type: ignore[unused-awaitable]

    routes = [("/", Handler), ("/quick", handler_of(get=lambda self: None))]
    async with serving(web.Application(routes, compress_response=True)) as server:
        slow = await server.connect()
        slow.get("/", accept("gzip"))
        await slow.reader.readuntil(b"\r\n\r\n")
        for _ in range(5):
            assert (await server.fetch("/quick")).code == 200
            finished.append("quick")
        await slow.chunks()
        while "large" not in finished:
            await asyncio.sleep(0)
    assert finished == ["quick"] * 5 + ["large"]


async def test_event_loop_runs_between_slices() -> None:
    run_loop_iterations, counting = 0, True

    def turn() -> None:
        nonlocal run_loop_iterations
        run_loop_iterations += 1
        if counting:
            asyncio.get_running_loop().call_soon(turn)

    async with serving(application(lambda self: self.write(LARGE))) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
        asyncio.get_running_loop().call_soon(turn)
        body = await peer.chunks()
        counting = False
    assert run_loop_iterations >= len(LARGE) // SLICE
    assert decode("gzip", body) == LARGE


async def test_order_of_parts_is_preserved(loop_kind: str) -> None:
    """Parts whose flush() is not awaited, large and small, arrive in order, and each can be decoded."""
    order: list[str] = []

    async def get(self: Any) -> None:
        self.write("begin")
        await self.flush()
        for name, part in (("large", LARGE[: 2 * SLICE]), ("small", b"small"), ("nothing", b"")):
            self.write(part)
            self.flush().add_done_callback(lambda future, name=name: order.append(name))
        self.write("end")

    async with serving(application(get)) as server:
        for name in NAMES:
            order.clear()
            peer = await server.connect()
            response = await peer.fetch("/", accept(name))
            assert decode(name, response.body) == b"begin" + LARGE[: 2 * SLICE] + b"smallend"
            assert (await peer.fetch("/quick")).body == b"quick"
            assert order == ["large", "small", "nothing"]


async def test_awaited_flush_can_be_decoded() -> None:
    seen = asyncio.Event()

    async def get(self: Any) -> None:
        self.write(LARGE[: 2 * SLICE])
        await self.flush()
        await seen.wait()
        self.write("small")
        await self.flush()  # compressed synchronously again
        self.write("end")

    async with serving(application(get)) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
        decoder, content = Decoder("gzip"), b""
        while len(content) < 2 * SLICE:
            size = int(await peer.reader.readline(), 16)
            content += decoder.decode((await peer.reader.readexactly(size + 2))[:-2])
        assert content == LARGE[: 2 * SLICE]
        seen.set()
        assert decoder.decode(await peer.chunks()) == b"smallend"
        assert decoder.ended


async def test_http_1_0_reads_until_close() -> None:
    async with serving(application(lambda self: self.write(LARGE))) as server:
        response = await server.fetch("/", accept("gzip"), version="HTTP/1.0")
        assert decode("gzip", response.body) == LARGE
        assert response.get("transfer-encoding") is None


async def test_disconnect_during_flush_raises() -> None:
    told = asyncio.Event()
    errors: list[Any] = []

    class Handler(web.RequestHandler):
        async def get(self) -> None:
            try:
                for _ in range(100):
                    self.write(LARGE)
                    await self.flush()
            except StreamClosedError as error:
                errors.append(error)
            finally:
                told.set()

    async with serving(web.Application([("/", Handler)], compress_response=True)) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.abort()
        await told.wait()
    assert len(errors) == 1


async def test_disconnect_after_finish_is_not_reported() -> None:
    told: list[str] = []
    ended = asyncio.Event()

    class Handler(web.RequestHandler):
        def get(self) -> None:
            # The compressor has to wait for the client, which does not read.
            self.finish(LARGE * 4).add_done_callback(lambda future: ended.set())  # type: ignore[unused-awaitable]

        def on_finish(self) -> None:
            told.append("finish")

        def on_connection_close(self) -> None:
            told.append("close")

    async with serving(web.Application([("/", Handler)], compress_response=True)) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.abort()
        await ended.wait()
    assert told == ["finish"]


async def test_server_closed_during_compression() -> None:
    ended = asyncio.Event()

    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.finish(LARGE * 4).add_done_callback(lambda future: ended.set())  # type: ignore[unused-awaitable]

    async with serving(web.Application([("/", Handler)], compress_response=True)) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
    await ended.wait()


async def test_exception_in_compressor_aborts_response(
    expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def compress(self, data: Any) -> bytes:
            raise MemoryError("no room")

    failing: Any = _content_codings.Coding(
        "gzip", range(1, 10), 6, _content_codings.GZIP.whole, lambda level: Failing()
    )  # type: ignore[arg-type, return-value]
    monkeypatch.setattr(_transforms, "GZIP", failing)
    async with serving(application(lambda self: self.write(LARGE), compress_response=True)) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Compressing a response failed"):
            peer.get("/", accept("gzip"))
            answer = await peer.rest()
    # Without the last chunk, the client detects that the response is incomplete.
    assert not answer.endswith(b"0\r\n\r\n")


async def test_exception_in_handler_after_large_part_aborts_response(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        self.write(LARGE)
        self.flush()
        raise ZeroDivisionError

    async with serving(application(get)) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception GET /"):
            with expect_log("tornado.general", "Cannot send error response"):
                peer.get("/", accept("gzip"))
                answer = await peer.rest()
    assert not answer.endswith(b"0\r\n\r\n")


async def test_compression_before_another_transform_is_synchronous() -> None:
    seen: list[Any] = []

    class Last(OutputTransform):
        def transform_first_chunk(self, status_code: Any, headers: Any, chunk: Any, finishing: Any) -> Any:
            seen.append((len(chunk), headers["Content-Length"], finishing))
            return status_code, headers, chunk

    app = application(lambda self: self.write(LARGE[: 2 * SLICE]), compress_response=True)
    app.add_transform(Last)
    async with serving(app) as server:
        response = await server.fetch("/", accept("gzip"))
        assert decode("gzip", response.body) == LARGE[: 2 * SLICE]
        assert seen == [(len(response.body), str(len(response.body)), True)]


async def test_default_executor_may_be_busy() -> None:
    """All threads of the default executor may be waiting for this response."""
    answered = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    waiting = loop.run_in_executor(None, answered.wait)
    async with serving(application(lambda self: self.write(LARGE))) as server:
        try:
            assert decode("gzip", (await server.fetch("/", accept("gzip"))).body) == LARGE
        finally:
            answered.set()
    assert await waiting


async def test_uncompressed_body_is_not_queued() -> None:
    def get(self: Any) -> None:
        self.set_header("Content-Type", "image/png")
        self.write(LARGE)

    async with serving(application(get)) as server:
        response = await server.fetch("/", accept("gzip"))
        assert (response.body, response.get("content-encoding")) == (LARGE, None)
        assert response.get("content-length") == str(len(LARGE))


async def test_body_is_dropped_if_the_head_cannot_be_sent(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        connection = self.request.connection

        def write_headers(*args: Any) -> Any:
            del connection.write_headers  # the error page can be sent
            raise ZeroDivisionError

        connection.write_headers = write_headers
        self.write(LARGE)
        await self.flush()

    async with serving(application(get)) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception GET /"):
            response = await peer.fetch("/", accept("gzip"))
        assert (response.code, response.get("content-encoding")) == (500, None)
        assert (await peer.fetch("/quick")).body == b"quick"
