"""Large bodies on their way through a compressor."""

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
from tornado.web import OutputTransform, _content_codings, _transforms

NAMES = ["gzip", "br", "zstd"]
SLICE = _content_codings.MAX_AT_ONCE
#: Text that compresses to some half of its size: more than sockets hold.
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
async def test_a_large_body(name: str, loop_kind: str, tls: Any) -> None:
    app = application(lambda self: self.write(LARGE[: 3 * SLICE + 1]))
    async with serving(app, tls=tls) as server:
        peer = await server.connect()
        for _ in range(2):  # the connection is kept
            response = await peer.fetch("/", accept(name))
            assert decode(name, response.body) == LARGE[: 3 * SLICE + 1]
            assert response.get("content-encoding") == name
            assert response.get("content-length") is None
            assert response.get("etag").startswith('W/"')
        assert (await peer.fetch("/quick", accept(name))).body == b"quick"


async def test_where_large_begins() -> None:
    seen = []
    for size in (SLICE, SLICE + 1):
        async with serving(application(lambda self, size=size: self.write(LARGE[:size]))) as server:
            response = await server.fetch("/", accept("gzip"))
            assert decode("gzip", response.body) == LARGE[:size]
            seen.append(response.get("content-length") is not None)
            # HEAD announces the same.
            head = await server.fetch("/", accept("gzip"), method="HEAD")
            assert head.get("content-length") == response.get("content-length")
            assert head.get("content-encoding") == "gzip"
    assert seen == [True, False]


async def test_gzip_alone_does_the_same() -> None:
    async with serving(application(lambda self: self.write(LARGE), compress_response=True)) as server:
        response = await server.fetch("/", accept("gzip"))
        assert decode("gzip", response.body) == LARGE
        assert response.get("transfer-encoding") == "chunked"


async def test_others_are_served_meanwhile() -> None:
    finished = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            # More than the sockets hold, and its client does not read yet.
            self.finish(LARGE * 4).add_done_callback(lambda future: finished.append("large"))  # type: ignore[unused-awaitable]

    routes = [("/", Handler), ("/quick", handler_of(get=lambda self: None))]
    async with serving(web.Application(routes, compress_response=True)) as server:
        slow = await server.connect()
        slow.get("/", accept("gzip"))
        await slow.reader.readuntil(b"\r\n\r\n")
        for _ in range(5):
            assert (await server.fetch("/quick")).code == 200
            finished.append("quick")
        await slow._chunks()
        while "large" not in finished:
            await asyncio.sleep(0)
    assert finished == ["quick"] * 5 + ["large"]


async def test_every_slice_is_a_turn_of_the_loop() -> None:
    turns, counting = 0, True

    def turn() -> None:
        nonlocal turns
        turns += 1
        if counting:
            asyncio.get_running_loop().call_soon(turn)

    async with serving(application(lambda self: self.write(LARGE))) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
        asyncio.get_running_loop().call_soon(turn)
        body = await peer._chunks()
        counting = False
    assert turns >= len(LARGE) // SLICE
    assert decode("gzip", body) == LARGE


async def test_what_follows_keeps_its_place(loop_kind: str) -> None:
    """Flushes that nobody waits for, large and small, arrive in their order, each one readable."""
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


async def test_a_flush_that_is_waited_for_can_be_read() -> None:
    seen = asyncio.Event()

    async def get(self: Any) -> None:
        self.write(LARGE[: 2 * SLICE])
        await self.flush()
        await seen.wait()
        self.write("small")
        await self.flush()  # the short way again
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
        assert decoder.decode(await peer._chunks()) == b"smallend"
        assert decoder.ended


async def test_http_1_0_reads_until_the_end() -> None:
    async with serving(application(lambda self: self.write(LARGE))) as server:
        response = await server.fetch("/", accept("gzip"), version="HTTP/1.0")
        assert decode("gzip", response.body) == LARGE
        assert response.get("transfer-encoding") is None


async def test_a_client_that_goes() -> None:
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


async def test_a_client_that_goes_after_finish() -> None:
    told: list[str] = []
    ended = asyncio.Event()

    class Handler(web.RequestHandler):
        def get(self) -> None:
            # A compressor that waits for nobody, and a client that does not read.
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


async def test_the_server_is_closed_meanwhile() -> None:
    ended = asyncio.Event()

    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.finish(LARGE * 4).add_done_callback(lambda future: ended.set())  # type: ignore[unused-awaitable]

    async with serving(web.Application([("/", Handler)], compress_response=True)) as server:
        peer = await server.connect()
        peer.get("/", accept("gzip"))
        await peer.reader.readuntil(b"\r\n\r\n")
    await ended.wait()


async def test_a_compressor_that_fails(expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def compress(self, data: Any) -> bytes:
            raise MemoryError("no room")

    failing: Any = _content_codings.Coding(
        "gzip", range(1, 10), 6, _content_codings.GZIP.whole, lambda level: Failing()
    )  # type: ignore[arg-type, return-value]
    monkeypatch.setattr(_transforms, "GZIP", failing)
    async with serving(application(lambda self: self.write(LARGE), compress_response=True)) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Could not compress a response"):
            peer.get("/", accept("gzip"))
            answer = await peer.rest()
    # Broken off: no last chunk, so that nobody takes it for whole.
    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_handler_that_fails_behind_a_large_part(expect_log: ExpectLog) -> None:
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


async def test_behind_another_transform_nothing_is_put_off() -> None:
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


async def test_the_programs_own_threads_may_be_busy() -> None:
    """As many jobs as there are threads may wait for this very response."""
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


async def test_what_is_not_compressed_is_not_put_off() -> None:
    def get(self: Any) -> None:
        self.set_header("Content-Type", "image/png")
        self.write(LARGE)

    async with serving(application(get)) as server:
        response = await server.fetch("/", accept("gzip"))
        assert (response.body, response.get("content-encoding")) == (LARGE, None)
        assert response.get("content-length") == str(len(LARGE))


async def test_a_head_that_cannot_be_sent_takes_its_body_along(expect_log: ExpectLog) -> None:
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
