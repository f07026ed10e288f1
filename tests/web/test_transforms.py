"""Changes to a response on its way out."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ask, handler_of, serving
from tornado import web
from tornado.web import GZipContentEncoding, OutputTransform

GZIP = "Accept-Encoding: gzip, deflate"
LONG = b"abcdefgh" * 200


def writing(body: Any = LONG, content_type: Any = None, **headers: Any) -> Any:
    """A handler that writes `body`."""

    def get(self: Any) -> None:
        if content_type is not None:
            self.set_header("Content-Type", content_type)
        for name, value in headers.items():
            self.set_header(name.replace("_", "-"), value)
        self.write(body)

    return handler_of(get=get, head=get)


async def test_a_long_text_is_compressed() -> None:
    response = await ask(writing(), GZIP, compress_response=True)
    assert gzip.decompress(response.body) == LONG
    assert response.get("content-encoding") == "gzip"
    assert response.get("content-length") == str(len(response.body))
    assert response.get("vary") == "Accept-Encoding"
    assert response.get("etag").startswith('W/"')


@pytest.mark.parametrize("setting", ["compress_response", "gzip"])
@pytest.mark.parametrize("value", [True, False])
async def test_the_setting_and_its_old_name(setting: Any, value: Any) -> None:
    response = await ask(writing(), GZIP, **{setting: value})
    assert response.get("content-encoding") == ("gzip" if value else None)
    assert response.get("vary") == ("Accept-Encoding" if value else None)


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("gzippy", False),
        ("", False),
        (",,;,gzip", True),
    ],
)
async def test_what_the_client_accepts(accepted: Any, compressed: Any) -> None:
    response = await ask(writing(), f"Accept-Encoding: {accepted}", compress_response=True)
    assert (response.get("content-encoding") == "gzip") is compressed
    assert response.get("etag").startswith("W/") is compressed
    assert response.get("vary") == "Accept-Encoding"


@pytest.mark.parametrize(
    ("content_type", "compressed"),
    [
        ("text/anything", True),
        ("application/json; charset=UTF-8", True),
        ("APPLICATION/JSON", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
async def test_what_is_worth_it(content_type: Any, compressed: Any) -> None:
    response = await ask(writing(content_type=content_type), GZIP, compress_response=True)
    assert (response.get("content-encoding") == "gzip") is compressed


async def test_what_is_too_short() -> None:
    limit = GZipContentEncoding.MIN_LENGTH
    for length, compressed in ((limit - 1, False), (limit, True)):
        response = await ask(writing(b"x" * length), GZIP, compress_response=True)
        assert (response.get("content-encoding") == "gzip") is compressed


async def test_what_is_encoded_already() -> None:
    response = await ask(writing(Content_Encoding="br"), GZIP, compress_response=True)
    assert (response.get("content-encoding"), response.body) == ("br", LONG)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Cookie", "Cookie, Accept-Encoding"),
        ("Accept-Language, Cookie", "Accept-Language, Cookie, Accept-Encoding"),
    ],
)
async def test_vary_is_added_to(given: Any, expected: Any) -> None:
    assert (await ask(writing(Vary=given), GZIP, compress_response=True)).get("vary") == expected


async def test_what_is_flushed_can_be_read() -> None:
    async def get(self: Any) -> None:
        for part in (b"one", b"two", b"three"):
            self.write(part)
            await self.flush()

    async with serving(web.Application([("/", handler_of(get=get))], compress_response=True)) as server:
        response = await server.fetch("/", GZIP)
        assert gzip.decompress(response.body) == b"onetwothree"
        assert response.get("transfer-encoding") == "chunked"
        # Each flush ends where a client that has read so far can decompress all of it.
        peer = await server.connect()
        peer.get("/", GZIP)
        await peer.reader.readuntil(b"\r\n\r\n")
        decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
        seen: list[Any] = []
        for _ in range(3):
            size = int(await peer.reader.readline(), 16)
            seen.append(decompressor.decompress(await peer.reader.readexactly(size)))
            await peer.reader.readline()
        assert seen == [b"one", b"two", b"three"]


async def test_a_length_that_was_set_gives_way() -> None:
    async def get(self: Any) -> None:
        self.set_header("Content-Length", "3")
        self.write("abc")
        await self.flush()

    response = await ask(handler_of(get=get), GZIP, compress_response=True)
    assert gzip.decompress(response.body) == b"abc"
    assert response.get("content-length") is None


async def test_head_has_the_head_of_get() -> None:
    async with serving(web.Application([("/", writing())], compress_response=True)) as server:
        seen: list[Any] = []
        for method in ("GET", "HEAD"):
            response = await server.fetch("/", GZIP, method=method)
            seen.append([pair for pair in response.headers if pair[0] != "date"])
    assert seen[0] == seen[1]


async def test_head_that_only_names_a_length() -> None:
    def head(self: Any) -> None:
        self.set_header("Content-Length", self.request.path[1:])

    for length, encoding in ((5000, "gzip"), (500, None)):
        response = await ask(
            handler_of(head=head), GZIP, method="HEAD", path=f"/{length}", compress_response=True
        )
        assert response.get("content-encoding") == encoding
        assert response.get("content-length") == (None if encoding else "500")


async def test_conditional_requests() -> None:
    async with serving(web.Application([("/", writing())], compress_response=True)) as server:
        weak = (await server.fetch("/", GZIP)).get("etag")
        strong = (await server.fetch("/")).get("etag")
        assert weak == "W/" + strong
        for tag in (weak, strong):
            for fields in ([GZIP], []):
                response = await server.fetch("/", *fields, f"If-None-Match: {tag}")
                assert (response.code, response.body) == (304, b"")
                assert response.get("content-encoding") is None
                assert response.get("vary") == "Accept-Encoding"
                # The tag tells a cache which of its copies is the right one.
                assert response.get("etag") == (weak if fields and tag is weak else strong)


@pytest.mark.parametrize("code", [204, 304])
async def test_no_body_stays_no_body(code: Any) -> None:
    response = await ask(handler_of(get=lambda self: self.set_status(code)), GZIP, compress_response=True)
    assert (response.code, response.get("content-encoding"), response.body) == (code, None, b"")


async def test_static_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(LONG)
    settings: dict[str, Any] = {"static_path": str(tmp_path), "compress_response": True}
    async with serving(web.Application(**settings)) as server:
        response = await server.fetch("/static/a.txt", GZIP)
        assert gzip.decompress(response.body) == LONG
        tag = response.get("etag")
        assert tag.startswith("W/")
        response = await server.fetch("/static/a.txt", GZIP, "Range: bytes=0-3")
        assert (response.code, response.body, response.get("content-encoding")) == (206, LONG[:4], None)
        response = await server.fetch("/static/a.txt", GZIP, "Range: bytes=0-3", f"If-Range: {tag}")
        assert response.code == 200
        response = await server.fetch("/static/a.txt", GZIP, method="HEAD")
        assert (response.get("content-encoding"), response.get("etag")) == ("gzip", tag)
        assert (await server.fetch("/static/a.txt", GZIP, f"If-None-Match: {tag}")).code == 304


# -- transforms of one's own --


class Shout(OutputTransform):
    """Changes all there is to change."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self.shout = request.method != "HEAD"

    def transform_first_chunk(self, status_code: Any, headers: Any, chunk: Any, finishing: Any) -> Any:
        headers["X-Finishing"] = str(finishing)
        return 203, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk: Any, finishing: Any) -> Any:
        return chunk.upper()


class Plain(OutputTransform):
    """Changes nothing."""


async def test_transforms_of_ones_own() -> None:
    response = await ask(writing(b"abc"), transforms=[Plain, Shout])
    assert (response.code, response.body, response.get("x-finishing")) == (203, b"ABC", "True")

    async def get(self: Any) -> None:
        self.write("a")
        await self.flush()
        self.write("b")

    response = await ask(handler_of(get=get), transforms=[Shout])
    assert (response.code, response.body, response.get("x-finishing")) == (203, b"AB", "False")


async def test_add_transform() -> None:
    app = web.Application([("/", writing(b"abc"))])
    async with serving(app) as server:
        assert (await server.fetch("/")).body == b"abc"
        app.add_transform(Shout)
        assert (await server.fetch("/")).body == b"ABC"


async def test_given_transforms_stand_for_themselves() -> None:
    assert (await ask(writing(), GZIP, transforms=[], compress_response=True)).body == LONG
