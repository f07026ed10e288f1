"""Output transforms."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.codings import Decoder, decode, require_coding, require_program
from tests.support.server import ask, handler_of, serving
from tornado import web
from tornado.web import GZipContentEncoding, OutputTransform

GZIP = "Accept-Encoding: gzip, deflate"
BROWSER = "Accept-Encoding: gzip, deflate, br, zstd"
LONG = b"abcdefgh" * 200


def writing(body: Any = LONG, content_type: Any = None, **headers: Any) -> Any:
    """Return a handler class that writes `body`."""

    def get(self: Any) -> None:
        if content_type is not None:
            self.set_header("Content-Type", content_type)
        for name, value in headers.items():
            self.set_header(name.replace("_", "-"), value)
        self.write(body)

    return handler_of(get=get, head=get)


async def test_long_text_is_compressed() -> None:
    response = await ask(writing(), GZIP, compress_response=True)
    assert gzip.decompress(response.body) == LONG
    assert response.get("content-encoding") == "gzip"
    assert response.get("content-length") == str(len(response.body))
    assert response.get("vary") == "Accept-Encoding"
    assert response.get("etag").startswith('W/"')


@pytest.mark.parametrize("setting", ["compress_response", "gzip"])
@pytest.mark.parametrize("value", [True, False])
async def test_setting_and_its_former_name(setting: Any, value: Any) -> None:
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
async def test_accept_encoding_is_evaluated(accepted: Any, compressed: Any) -> None:
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
async def test_compression_depends_on_content_type(content_type: Any, compressed: Any) -> None:
    response = await ask(writing(content_type=content_type), GZIP, compress_response=True)
    assert (response.get("content-encoding") == "gzip") is compressed


async def test_short_body_is_not_compressed() -> None:
    limit = GZipContentEncoding.MIN_LENGTH
    for length, compressed in ((limit - 1, False), (limit, True)):
        response = await ask(writing(b"x" * length), GZIP, compress_response=True)
        assert (response.get("content-encoding") == "gzip") is compressed


async def test_encoded_body_is_not_compressed_again() -> None:
    response = await ask(writing(Content_Encoding="br"), GZIP, compress_response=True)
    assert (response.get("content-encoding"), response.body) == ("br", LONG)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Cookie", "Cookie, Accept-Encoding"),
        ("Accept-Language, Cookie", "Accept-Language, Cookie, Accept-Encoding"),
        ("", "Accept-Encoding"),
        ("Cookie, accept-encoding", "Cookie, accept-encoding"),
        ("*", "*"),
        ("X-Accept-Encoding", "X-Accept-Encoding, Accept-Encoding"),
    ],
)
async def test_vary_is_extended(given: Any, expected: Any) -> None:
    assert (await ask(writing(Vary=given), GZIP, compress_response=True)).get("vary") == expected


async def test_flushed_parts_can_be_decoded() -> None:
    async def get(self: Any) -> None:
        for part in (b"one", b"two", b"three"):
            self.write(part)
            await self.flush()

    async with serving(web.Application([("/", handler_of(get=get))], compress_response=True)) as server:
        response = await server.fetch("/", GZIP)
        assert gzip.decompress(response.body) == b"onetwothree"
        assert response.get("transfer-encoding") == "chunked"
        # After each flush, the client can decompress everything written so far.
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


async def test_content_length_of_the_program_is_removed() -> None:
    async def get(self: Any) -> None:
        self.set_header("Content-Length", "3")
        self.write("abc")
        await self.flush()

    response = await ask(handler_of(get=get), GZIP, compress_response=True)
    assert gzip.decompress(response.body) == b"abc"
    assert response.get("content-length") is None


async def test_head_equals_get_without_body() -> None:
    async with serving(web.Application([("/", writing())], compress_response=True)) as server:
        seen: list[Any] = []
        for method in ("GET", "HEAD"):
            response = await server.fetch("/", GZIP, method=method)
            seen.append([pair for pair in response.headers if pair[0] != "date"])
    assert seen[0] == seen[1]


async def test_head_with_content_length_only() -> None:
    def head(self: Any) -> None:
        self.set_header("Content-Length", self.request.path[1:])

    for length, encoding in ((5000, "gzip"), (500, None)):
        response = await ask(
            handler_of(head=head), GZIP, method="HEAD", path=f"/{length}", compress_response=True
        )
        assert response.get("content-encoding") == encoding
        assert response.get("content-length") == (None if encoding else "500")


async def test_weak_and_strong_etags_match_conditional_requests() -> None:
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
                # The entity tag determines which stored response of a cache is valid.
                assert response.get("etag") == (weak if fields and tag is weak else strong)


@pytest.mark.parametrize("code", [204, 304])
async def test_response_without_body_is_unchanged(code: Any) -> None:
    response = await ask(handler_of(get=lambda self: self.set_status(code)), GZIP, compress_response=True)
    assert (response.code, response.get("content-encoding"), response.body) == (code, None, b"")


async def test_static_files_are_compressed(tmp_path: Path) -> None:
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


async def test_subclass_of_gzip_with_other_attributes() -> None:
    class Own(GZipContentEncoding):
        CONTENT_TYPES = GZipContentEncoding.CONTENT_TYPES | {"image/x-raw"}
        MIN_LENGTH = 5
        GZIP_LEVEL = 1

    for body, compressed in ((b"abcde", True), (b"abcd", False)):
        response = await ask(writing(body, content_type="image/x-raw"), GZIP, transforms=[Own])
        assert (response.get("content-encoding") == "gzip") is compressed
    response = await ask(writing(), GZIP, transforms=[Own])
    assert response.body == zlib.compress(LONG, 1, 16 + zlib.MAX_WBITS)


async def test_gzip_only_ignores_no_transform() -> None:
    response = await ask(writing(Cache_Control="no-transform"), GZIP, compress_response=True)
    assert response.get("content-encoding") == "gzip"


async def test_gzip_only_never_uses_another_coding() -> None:
    response = await ask(writing(), BROWSER, compress_response=True)
    assert gzip.decompress(response.body) == LONG


# -- several codings --


@pytest.fixture
def every_coding() -> None:
    """Skip the test if a coding is not available."""
    for name in ("br", "zstd"):
        require_coding(name)


@pytest.mark.usefixtures("every_coding")
@pytest.mark.parametrize(
    ("accepted", "codings", "chosen"),
    [
        (None, None, None),
        ("", None, None),
        ("gzip, deflate, br, zstd", None, "zstd"),
        ("gzip, deflate, br", None, "br"),
        ("gzip", None, "gzip"),
        ("deflate", None, None),
        ("gzip, br;q=0.1, zstd;q=0.5", None, "gzip"),
        ("gzip, br, zstd", ["gzip", "zstd"], "gzip"),
        ("gzip, br, zstd", {"br": 1}, "br"),
        ("zstd", ["gzip", "br"], None),
        ("identity;q=0", None, None),  # no acceptable coding: the body is sent uncompressed
        ("*;q=0, zstd", None, "zstd"),
    ],
)
async def test_preferred_coding_of_the_client_is_used(accepted: Any, codings: Any, chosen: Any) -> None:
    fields = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
    settings = web.ContentCodings(codings)
    response = await ask(writing(), *fields, compress_response=settings)
    assert response.get("content-encoding") == chosen
    assert decode(chosen, response.body) == LONG
    assert response.get("vary") == "Accept-Encoding"
    assert response.get("content-length") == str(len(response.body))
    assert response.get("etag").startswith("W/") is (chosen is not None)


async def test_several_accept_encoding_lines_are_combined() -> None:
    require_coding("br")
    response = await ask(
        writing(),
        "Accept-Encoding: gzip;q=0.5",
        "Accept-Encoding: br",
        compress_response=web.ContentCodings(),
    )
    assert response.get("content-encoding") == "br"


@pytest.mark.usefixtures("every_coding")
@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
async def test_each_flush_can_be_decoded(name: Any) -> None:
    async def get(self: Any) -> None:
        await self.flush()  # this sends only the head
        for part in (b"one", b"two", b"three"):
            self.write(part)
            await self.flush()
            await self.flush()  # this sends nothing, because there is no new data

    async with serving(
        web.Application([("/", handler_of(get=get))], compress_response=web.ContentCodings())
    ) as server:
        peer = await server.connect()
        peer.get("/", f"Accept-Encoding: {name}")
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert f"Content-Encoding: {name}\r\n".encode() in head
        decoder = Decoder(name)
        for part in (b"one", b"two", b"three"):
            size = int(await peer.reader.readline(), 16)
            compressed = await peer.reader.readexactly(size)
            assert b"".join(decoder.decode(compressed[i : i + 1]) for i in range(size)) == part
            await peer.reader.readline()
        decoder.decode(await peer.chunks())
        assert decoder.ended


@pytest.mark.parametrize(
    ("headers", "compressed"),
    [
        ({"Cache_Control": "no-transform"}, False),
        ({"Cache_Control": "public, No-Transform"}, False),
        ({"Cache_Control": "no-cache"}, True),
        ({"Content_Encoding": "identity"}, False),
        ({"Content_Range": "bytes */5"}, False),
        ({"Content_Type": "image/png"}, False),
        ({"Content_Type": "application/problem+json; charset=utf-8"}, True),
    ],
)
async def test_compression_depends_on_response_fields(headers: Any, compressed: Any) -> None:
    response = await ask(writing(**headers), GZIP, compress_response=web.ContentCodings())
    assert (response.body != LONG) is compressed
    assert response.get("etag").startswith("W/") is compressed


async def test_body_shorter_than_min_length_is_not_compressed() -> None:
    for length, compressed in ((9, False), (10, True)):
        response = await ask(writing(b"x" * length), GZIP, compress_response={"min_length": 10})
        assert (response.get("content-encoding") == "gzip") is compressed


@pytest.mark.usefixtures("every_coding")
async def test_conditional_requests_with_several_codings() -> None:
    async with serving(web.Application([("/", writing())], compress_response=web.ContentCodings())) as server:
        strong = (await server.fetch("/")).get("etag")
        for name in ("gzip", "br", "zstd"):
            weak = (await server.fetch("/", f"Accept-Encoding: {name}")).get("etag")
            assert weak == "W/" + strong
            for tag in (weak, strong, f'"other", {weak}', "*"):
                response = await server.fetch("/", f"Accept-Encoding: {name}", f"If-None-Match: {tag}")
                assert (response.code, response.body) == (304, b"")
                assert response.get("content-encoding") is None
                assert response.get("vary") == "Accept-Encoding"
            assert (await server.fetch("/", f"Accept-Encoding: {name}", 'If-None-Match: "x"')).code == 200


@pytest.mark.usefixtures("every_coding")
@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
async def test_head_equals_get_with_every_coding(name: Any) -> None:
    async with serving(web.Application([("/", writing())], compress_response=web.ContentCodings())) as server:
        seen: list[Any] = []
        for method in ("GET", "HEAD"):
            response = await server.fetch("/", f"Accept-Encoding: {name}", method=method)
            seen.append([pair for pair in response.headers if pair[0] != "date"])
        assert seen[0] == seen[1]


async def test_head_in_parts_has_the_fields_of_get() -> None:
    async def get(self: Any) -> None:
        self.write(LONG)
        await self.flush()
        self.write(LONG)

    async with serving(
        web.Application([("/", handler_of(get=get, head=get))], compress_response=web.ContentCodings())
    ) as server:
        response = await server.fetch("/", GZIP, method="HEAD")
        assert (response.get("content-encoding"), response.get("content-length")) == ("gzip", None)


@pytest.mark.parametrize("code", [204, 304])
async def test_response_without_body_is_unchanged_with_several_codings(code: Any) -> None:
    response = await ask(
        handler_of(get=lambda self: self.set_status(code)), GZIP, compress_response=web.ContentCodings()
    )
    assert (response.code, response.get("content-encoding"), response.body) == (code, None, b"")


async def test_error_pages_are_compressed() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            raise web.HTTPError(404)

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.finish(LONG)  # type: ignore[unused-awaitable]

    response = await ask(Handler, GZIP, compress_response=web.ContentCodings())
    assert (response.code, gzip.decompress(response.body)) == (404, LONG)


async def test_subclass_with_its_own_codings() -> None:
    class Own(web.ContentEncoding):
        CODINGS = web.ContentCodings(["gzip"], min_length=1)

        def _may_change(self, headers: Any) -> bool:
            return "X-Secret" not in headers

    response = await ask(writing(b"ab"), BROWSER, transforms=[Own])
    assert gzip.decompress(response.body) == b"ab"
    response = await ask(writing(b"ab", X_Secret="1"), BROWSER, transforms=[Own])
    assert response.body == b"ab"


# -- other clients --


@pytest.mark.usefixtures("every_coding")
async def test_curl_decodes_each_coding() -> None:
    curl = require_program("curl")
    async with serving(web.Application([("/", writing())], compress_response=web.ContentCodings())) as server:
        for wanted in ("gzip", "br", "zstd", None):
            options = ["--compressed", "-H", f"Accept-Encoding: {wanted}"] if wanted else ["--compressed"]
            process = await asyncio.create_subprocess_exec(
                curl, "-sS", "-D", "/dev/stderr", *options, f"http://127.0.0.1:{server.port}/",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            body, head = await process.communicate()
            assert body == LONG, head
            assert f"\r\nContent-Encoding: {wanted or 'zstd'}\r\n".encode() in head


# -- transforms of the program --


class Shout(OutputTransform):
    """A transform that changes status, headers and body."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self.shout = request.method != "HEAD"

    def transform_first_chunk(self, status_code: Any, headers: Any, chunk: Any, finishing: Any) -> Any:
        headers["X-Finishing"] = str(finishing)
        return 203, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk: Any, finishing: Any) -> Any:
        return chunk.upper()


class Plain(OutputTransform):
    """A transform that changes nothing."""


async def test_transforms_of_the_program_are_applied_in_order() -> None:
    response = await ask(writing(b"abc"), transforms=[Plain, Shout])
    assert (response.code, response.body, response.get("x-finishing")) == (203, b"ABC", "True")

    async def get(self: Any) -> None:
        self.write("a")
        await self.flush()
        self.write("b")

    response = await ask(handler_of(get=get), transforms=[Shout])
    assert (response.code, response.body, response.get("x-finishing")) == (203, b"AB", "False")


@pytest.mark.parametrize("setting", [True, web.ContentCodings()])
async def test_transform_of_the_program_combined_with_compression(setting: Any) -> None:
    class Reverse(OutputTransform):
        """A transform that reverses each part of the body, before or after compression."""

        def transform_first_chunk(self, status_code: Any, headers: Any, chunk: Any, finishing: Any) -> Any:
            headers["X-Seen"] = str(chunk == LONG)
            return status_code, headers, self.transform_chunk(chunk, finishing)

        def transform_chunk(self, chunk: Any, finishing: Any) -> Any:
            return chunk[::-1]

    app = web.Application([("/", writing())], compress_response=setting)
    app.add_transform(Reverse)
    async with serving(app) as server:
        response = await server.fetch("/", GZIP)
        assert (gzip.decompress(response.body[::-1]), response.get("x-seen")) == (LONG, "False")
        app.transforms.reverse()
        response = await server.fetch("/", GZIP)
        assert (gzip.decompress(response.body), response.get("x-seen")) == (LONG[::-1], "True")


async def test_added_transform_applies_to_later_requests() -> None:
    app = web.Application([("/", writing(b"abc"))])
    async with serving(app) as server:
        assert (await server.fetch("/")).body == b"abc"
        app.add_transform(Shout)
        assert (await server.fetch("/")).body == b"ABC"


async def test_transforms_argument_replaces_compression() -> None:
    assert (await ask(writing(), GZIP, transforms=[], compress_response=True)).body == LONG
