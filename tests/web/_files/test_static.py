"""`StaticFileHandler`: files that are served, and paths that must not be."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised, serving
from tornado import httputil, web

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def root(tmp_path: Path) -> Any:
    """Return a root directory whose siblings must not be served."""
    for name, content in {
        "static/letters.txt": LETTERS,
        "static/sub/index.html": b"<p>index</p>",
        "static/sub/deep/a.css": b"a {}",
        "static/empty.txt": b"",
        "static/archive.tar.gz": b"gz",
        "static/archive.tar.bz2": b"bz2",
        "static/unknown.zzz": b"?",
        "static-2/secret.txt": b"secret",
        "outside/secret.txt": b"secret",
        "elsewhere/secret.txt": b"secret",
        "secret.txt": b"secret",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (0, 1_600_000_000))  # data about recently modified files is not cached
    static = tmp_path / "static"
    (static / "link.txt").symlink_to(tmp_path / "outside/secret.txt")
    (static / "link").symlink_to(tmp_path / "outside")
    (static / "link-elsewhere").symlink_to(tmp_path / "elsewhere")
    (static / "broken").symlink_to(tmp_path / "outside/none")
    (static / "inner.txt").symlink_to(static / "letters.txt")
    (static / "linked-index").mkdir()
    (static / "linked-index/index.html").symlink_to(tmp_path / "secret.txt")
    if hasattr(os, "mkfifo"):
        os.mkfifo(static / "fifo")
    return static


def routes(root: Any, handler: Any = web.StaticFileHandler, **arguments: Any) -> Any:
    return [(r"/static/(.*)", handler, {"path": str(root), **arguments})]


async def fetch(
    root: Any,
    path: Any,
    *fields: Any,
    method: Any = "GET",
    handler: Any = web.StaticFileHandler,
    **arguments: Any,
) -> Any:
    """Send one request for a file of `root`."""
    return await ask(routes(root, handler, **arguments), *fields, path="/static/" + path, method=method)


def parts(response: Any) -> Any:
    """Return the status and the header fields of a response, except those with the current time."""
    return response.code, [pair for pair in response.headers if pair[0] not in ("date", "expires")]


async def test_file_with_header_fields(root: Any) -> None:
    response = await fetch(root, "letters.txt")
    assert (response.code, response.body) == (200, LETTERS)
    assert response.get("content-type") == "text/plain"
    assert response.get("content-length") == "26"
    assert response.get("accept-ranges") == "bytes"
    assert response.get("etag") == f'"{hashlib.sha512(LETTERS).hexdigest()}"'
    modified = httputil.format_timestamp(int(os.stat(root / "letters.txt").st_mtime))
    assert response.get("last-modified") == modified
    assert response.get("cache-control") is None


async def test_head_equals_get_without_body(root: Any) -> None:
    for path in ("letters.txt", "empty.txt", "sub/index.html"):
        response = await fetch(root, path, method="HEAD")
        assert parts(response) == parts(await fetch(root, path))


async def test_other_methods_are_rejected(root: Any) -> None:
    response = await fetch(root, "letters.txt", method="DELETE")
    assert (response.code, response.get("allow")) == (405, "GET, HEAD")


async def test_links_inside_the_root_are_followed(root: Any) -> None:
    assert (await fetch(root, "inner.txt")).body == LETTERS


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("archive.tar.gz", "application/gzip"),
        ("archive.tar.bz2", "application/octet-stream"),
        ("unknown.zzz", "application/octet-stream"),
        ("sub/deep/a.css", "text/css"),
    ],
)
async def test_content_type_depends_on_the_name(root: Any, name: str, expected: Any) -> None:
    assert (await fetch(root, name)).get("content-type") == expected


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret.txt", 403),
        ("sub/../../secret.txt", 403),
        ("%2e%2e/secret.txt", 403),
        ("..%2fsecret.txt", 403),
        ("..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd", 403),
        ("../static-2/secret.txt", 403),  # the directory's path begins with the root's
        ("/etc/passwd", 403),
        ("%2fetc%2fpasswd", 403),
        ("..", 403),
        ("link.txt", 403),
        ("link/secret.txt", 403),
        ("link", 403),
        ("broken", 403),  # the same, whether or not the target exists
        ("link/none.txt", 403),
        ("fifo", 403),
        ("sub", 403),
        ("", 403),
        ("..%5csecret.txt", 404),
        ("none.txt", 404),
        ("letters.txt/none", 404),
        ("letters.txt%00", 404),
        ("%00", 404),
        ("letters.txt%00.html", 404),
        ("x" * 300, 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_paths_that_are_not_served(
    root: Any, path: str, code: Any, method: Any, expect_log: ExpectLog
) -> None:
    messages = "403 (GET|HEAD) .* is not (in root static directory|a file)"
    with expect_log("tornado.general", messages, required=code == 403):
        response = await fetch(root, path, method=method)
    assert response.code == code
    assert b"secret" not in response.body
    assert response.get("last-modified") is None


@pytest.mark.parametrize("path", ["..%ff", "%ff"])
async def test_path_that_is_not_utf8_leads_to_400(root: Any, path: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Invalid unicode"):
        assert (await fetch(root, path)).code == 400


@pytest.mark.parametrize("form", [str, lambda path: [str(path)], lambda path: ["/none", str(path)]])
async def test_allowed_symlink_directory(root: Any, form: Any, expect_log: ExpectLog) -> None:
    allowed: dict[str, Any] = {"allowed_symlink_directory": form(root.parent / "outside")}
    for path, code in [("link.txt", 200), ("link/secret.txt", 200), ("letters.txt", 200)]:
        assert (await fetch(root, path, **allowed)).code == code
    for path in ("link-elsewhere/secret.txt", "../outside/secret.txt"):
        with expect_log("tornado.general", "is not in root"):
            assert (await fetch(root, path, **allowed)).code == 403


async def test_root_that_is_a_link(root: Any) -> None:
    (root.parent / "current").symlink_to(root)
    assert (await fetch(root.parent / "current", "letters.txt")).body == LETTERS
    assert (await fetch(root.parent / "current", "inner.txt")).body == LETTERS
    assert (await fetch(str(root) + "/", "letters.txt")).body == LETTERS


async def test_root_of_the_file_system(root: Any) -> None:
    path = str(root / "letters.txt").lstrip("/")
    assert (await fetch("/", path)).body == LETTERS


# -- directories --


async def test_default_filename_is_served_for_directories(root: Any, expect_log: ExpectLog) -> None:
    default: dict[str, Any] = {"default_filename": "index.html"}
    response = await fetch(root, "sub/", **default)
    assert (response.code, response.body) == (200, b"<p>index</p>")
    assert response.get("content-type") == "text/html"
    response = await fetch(root, "sub?x=1", **default)
    assert (response.code, response.get("location")) == (301, "/static/sub/")
    assert (await fetch(root, "sub/deep/", **default)).code == 404
    for path in ("linked-index/", "link/"):
        with expect_log("tornado.general", "is not in root"):
            assert (await fetch(root, path, **default)).code == 403


async def test_redirect_of_directory_stays_on_the_same_host(root: Any, expect_log: ExpectLog) -> None:
    # In a browser, "//evil/x" and "/\evil/x" are URLs of the host evil.
    handlers = [("/(.*)", web.StaticFileHandler, {"path": str(root), "default_filename": "index.html"})]
    directory = str(root / "sub").lstrip("/")
    async with serving(web.Application(handlers)) as server:
        with expect_log("tornado.general", "cannot redirect path with two initial slashes"):
            response = await server.fetch(f"//{directory}")
        assert (response.code, response.get("location")) == (403, None)
        response = await server.fetch("http://evil.example/sub", "Host: localhost")
        assert (response.code, response.get("location")) == (301, "/sub/")
        for path in ("/.//sub", "/./sub", "/sub/../sub"):
            response = await server.fetch(path)
            assert (response.code, response.get("location")) == (301, path + "/")
        with expect_log("tornado.general", "", required=False):
            for path in (f"/\\{directory}", f"/%5C{directory}", f"/%2F{directory}", f"///{directory}"):
                response = await server.fetch(path)
                location = response.get("location")
                assert location is None or re.match(r"/[^/\\]", location)


# -- ranges (RFC 9110 section 14) --

RANGES = [
    ("bytes=0-4", 206, b"abcde", "bytes 0-4/26"),
    ("bytes=4-4", 206, b"e", "bytes 4-4/26"),
    ("Bytes = 0-4", 206, b"abcde", "bytes 0-4/26"),
    ("bytes=20-", 206, b"uvwxyz", "bytes 20-25/26"),
    ("bytes=20-100", 206, b"uvwxyz", "bytes 20-25/26"),
    ("bytes=-5", 206, b"vwxyz", "bytes 21-25/26"),
    ("bytes=-100", 200, LETTERS, None),
    ("bytes=-26", 200, LETTERS, None),
    ("bytes=0-", 200, LETTERS, None),
    ("bytes=0-25", 200, LETTERS, None),
    ("bytes=0-100", 200, LETTERS, None),
    ("bytes=26-", 416, b"", "bytes */26"),
    ("bytes=26-30", 416, b"", "bytes */26"),
    ("bytes=99999999999999999999999-", 416, b"", "bytes */26"),
    ("bytes=-0", 416, b"", "bytes */26"),
    ("bytes=10-3", 416, b"", "bytes */26"),
    ("bytes=26", 416, b"", "bytes */26"),
    ("bytes=abc", 200, LETTERS, None),
    ("bytes=-", 200, LETTERS, None),
    ("bytes=", 200, LETTERS, None),
    ("bytes=1-2,4-5", 200, LETTERS, None),
    ("bytes=1-2, ,", 200, LETTERS, None),
    ("lines=1-2", 200, LETTERS, None),
    ("nonsense", 200, LETTERS, None),
    ("bytes=+1-2", 200, LETTERS, None),
    ("bytes=0x1-2", 200, LETTERS, None),
]


@pytest.mark.parametrize(("header", "code", "body", "content_range"), RANGES)
async def test_range_requests_return_the_range_or_416(
    root: Any, header: Any, code: Any, body: Any, content_range: Any
) -> None:
    response = await fetch(root, "letters.txt", f"Range: {header}")
    assert (response.code, response.body) == (code, body)
    assert response.get("content-range") == content_range
    assert response.get("content-length") == str(len(body))
    head = await fetch(root, "letters.txt", f"Range: {header}", method="HEAD")
    assert parts(head) == parts(response)


async def test_range_longer_than_a_chunk(root: Any) -> None:
    data = os.urandom(300_000)
    (root / "big").write_bytes(data)
    response = await fetch(root, "big", "Range: bytes=1000-250000")
    assert response.body == data[1000:250001]


@pytest.mark.parametrize(("header", "code"), [("bytes=0-", 416), ("bytes=-5", 200), ("bytes=-0", 416)])
async def test_ranges_of_empty_file(root: Any, header: Any, code: Any) -> None:
    response = await fetch(root, "empty.txt", f"Range: {header}")
    assert (response.code, response.body) == (code, b"")
    assert response.get("content-range") == ("bytes */0" if code == 416 else None)


async def test_if_range_requires_a_strong_match(root: Any) -> None:
    plain = await fetch(root, "letters.txt")
    tag, date = plain.get("etag"), plain.get("last-modified")
    for condition, code in [
        (tag, 206),
        (date, 206),
        ('"other"', 200),
        ("W/" + tag, 200),  # only a strong entity tag means that the bytes are the same
        ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
        ("nonsense", 200),
    ]:
        for asked in ("bytes=0-4", "bytes=100-"):
            response = await fetch(root, "letters.txt", f"Range: {asked}", f"If-Range: {condition}")
            assert response.code == (416 if code == 206 and asked == "bytes=100-" else code)


@pytest.mark.parametrize("range_", [(), ("Range: bytes=5-",)])
async def test_preconditions(root: Any, range_: Any) -> None:
    first = await fetch(root, "letters.txt")
    etag, modified = first.get("etag"), first.get("last-modified")
    successful = 206 if range_ else 200
    for fields, code in [
        ([f"If-Match: {etag}"], successful),
        ([f'If-Match: "x", {etag}'], successful),
        (["If-Match: *"], successful),
        (['If-Match: "x"'], 412),
        ([f"If-Match: W/{etag}"], 412),
        (["If-Match: "], 412),
        ([f"If-Unmodified-Since: {modified}"], successful),
        (["If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"], 412),
        (["If-Unmodified-Since: yesterday"], successful),
        ([f"If-Match: {etag}", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"], successful),
        (['If-Match: "x"', f"If-None-Match: {etag}"], 412),
        ([f"If-Match: {etag}", f"If-None-Match: {etag}"], 304),
    ]:
        response = await fetch(root, "letters.txt", *fields, *range_)
        assert response.code == code, fields
        assert (await fetch(root, "letters.txt", *fields, *range_, method="HEAD")).code == code


async def test_if_none_match_takes_precedence_over_range(root: Any) -> None:
    tag = (await fetch(root, "letters.txt")).get("etag")
    response = await fetch(root, "letters.txt", "Range: bytes=0-4", f"If-None-Match: {tag}")
    assert (response.code, response.get("content-range")) == (304, None)


# -- conditional requests (RFC 9110 section 13) --


async def test_304_by_etag(root: Any) -> None:
    tag = (await fetch(root, "letters.txt")).get("etag")
    for condition, code in [(tag, 304), ("W/" + tag, 304), (f'"x", {tag}', 304), ("*", 304), ('"x"', 200)]:
        response = await fetch(root, "letters.txt", f"If-None-Match: {condition}")
        assert (response.code, response.get("etag")) == (code, tag)
        assert response.body == (b"" if code == 304 else LETTERS)
        if code == 304:
            assert response.get("content-length") is None
            assert response.get("content-type") is None


@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("Sat, 02 Jan 2021 03:04:05 GMT", 304),
        ("Saturday, 02-Jan-21 03:04:05 GMT", 304),
        ("Sat Jan  2 03:04:05 2021", 304),
        ("Sat, 02 Jan 2021 03:04:06 GMT", 304),
        ("Sat, 02 Jan 2021 03:04:04 GMT", 200),
        ("02.01.2021", 200),
        ("", 200),
    ],
)
async def test_304_by_modification_time(root: Any, date: Any, code: Any) -> None:
    # The time of the file includes half a second, which HTTP dates cannot express.
    os.utime(root / "letters.txt", (0, 1609556645.5))
    response = await fetch(root, "letters.txt", f"If-Modified-Since: {date}")
    assert (response.code, response.get("last-modified")) == (code, "Sat, 02 Jan 2021 03:04:05 GMT")


async def test_if_none_match_takes_precedence_over_if_modified_since(root: Any) -> None:
    date = (await fetch(root, "letters.txt")).get("last-modified")
    response = await fetch(root, "letters.txt", 'If-None-Match: "x"', f"If-Modified-Since: {date}")
    assert response.code == 200


async def test_naive_modification_time_is_utc(root: Any) -> None:
    class Naive(web.StaticFileHandler):
        def get_modified_time(self) -> Any:
            modified = super().get_modified_time()
            assert modified is not None
            return modified.replace(tzinfo=None)

    os.utime(root / "letters.txt", (0, 1609556645))
    date = "Sat, 02 Jan 2021 03:04:05 GMT"
    response = await fetch(root, "letters.txt", f"If-Modified-Since: {date}", handler=Naive)
    assert (response.code, response.get("last-modified")) == (304, date)


# -- versions --


async def test_url_with_version_may_be_cached(root: Any) -> None:
    response = await fetch(root, "letters.txt?v=1")
    assert response.get("cache-control") == "max-age=315360000"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", response.get("expires"))


async def test_static_url_has_the_requested_parts(root: Any) -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            for arguments in ({}, {"include_version": False}, {"include_host": True}):
                self.write(self.static_url("letters.txt", **arguments) + "\n")
            self.include_host = True
            self.write(self.static_url("letters.txt", include_version=False) + "\n")
            self.write(self.static_url("letters.txt", include_host=False, include_version=False))

    version = hashlib.sha512(LETTERS).hexdigest()
    response = await ask(Handler, "Host: example.com:80", pattern="/", static_path=str(root))
    assert response.body.decode().split("\n") == [
        f"/static/letters.txt?v={version}",
        "/static/letters.txt",
        f"http://example.com:80/static/letters.txt?v={version}",
        "http://example.com:80/static/letters.txt",
        "/static/letters.txt",
    ]


async def test_static_url_requires_static_path(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.static_url("a.css")

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler)).code == 500
    assert "define the 'static_path' setting" in str(raised(expected))


async def test_routes_added_by_static_path(root: Any) -> None:
    (root / "favicon.ico").write_bytes(b"icon")
    (root / "robots.txt").write_bytes(b"robots")

    class Handler(web.StaticFileHandler):
        def set_extra_headers(self, path: Any) -> None:
            self.set_header("X-Path", path)

    settings: dict[str, Any] = {
        "static_path": str(root),
        "static_url_prefix": "/s.s/",
        "static_handler_class": Handler,
        "static_handler_args": {"default_filename": "index.html"},
    }
    async with serving(
        web.Application([("/(.*)", web.ErrorHandler, {"status_code": 418})], **settings)
    ) as server:
        for path, body in [
            ("/favicon.ico", b"icon"),
            ("/robots.txt", b"robots"),
            ("/s.s/letters.txt", LETTERS),
            ("/s.s/sub/", b"<p>index</p>"),
        ]:
            response = await server.fetch(path)
            assert (response.code, response.body) == (200, body)
            assert response.get("x-path") == path.removeprefix("/s.s").lstrip("/")
        assert (await server.fetch("/sxs/letters.txt")).code == 418
        assert (await server.fetch("/static/letters.txt")).code == 418


def version_of(root: Any, path: Any, handler: Any = web.StaticFileHandler, **settings: Any) -> Any:
    return handler.get_version({"static_path": str(root), **settings}, path)


def test_changed_file_has_another_version(root: Any) -> None:
    before = version_of(root, "letters.txt")
    (root / "letters.txt").write_bytes(b"changed")
    assert version_of(root, "letters.txt") == hashlib.sha512(b"changed").hexdigest() != before


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "../static-2/secret.txt"])
def test_version_of_path_outside_the_root_raises_403(root: Any, path: str) -> None:
    with pytest.raises(web.HTTPError) as caught:
        version_of(root, path)
    assert caught.value.status_code == 403


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("sub", "it is not a file"),
        ("fifo", "it is not a file"),
        ("link.txt", "it is a symbolic link to a file outside the static directory"),
        ("none.txt", "No such file"),
        ("letters.txt\0", "null byte"),
    ],
)
def test_unreadable_files_have_no_version(root: Any, path: str, reason: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", f"Could not open static file .*{reason}"):
        assert version_of(root, path) is None


def test_version_of_allowed_link_target(root: Any) -> None:
    allowed: dict[str, Any] = {
        "static_handler_args": {"allowed_symlink_directory": str(root.parent / "outside")}
    }
    assert version_of(root, "link.txt", **allowed) == hashlib.sha512(b"secret").hexdigest()
    assert version_of(root, "inner.txt") == hashlib.sha512(LETTERS).hexdigest()


def test_cache_of_versions_is_bounded(root: Any) -> None:
    hashed = []

    class Few(web.StaticFileHandler):
        MAX_CACHED_VERSIONS = 2

        @classmethod
        def get_content_version(cls, abspath: Any) -> Any:
            hashed.append(os.path.basename(abspath))
            return super().get_content_version(abspath)

    for name in ("letters.txt", "empty.txt", "letters.txt", "archive.tar.gz", "letters.txt", "empty.txt"):
        version_of(root, name, Few)
    assert hashed == ["letters.txt", "empty.txt", "archive.tar.gz", "empty.txt"]


class Small(web.StaticFileHandler):
    """A handler for which a file of 26 bytes is large."""

    MAX_VERSION_CONTENT_SIZE = 25


async def test_large_file_is_not_hashed(root: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", r"Could not open static file .*larger than .*\(25 bytes\)"):
        assert version_of(root, "letters.txt", Small) is None
    response = await fetch(root, "letters.txt", handler=Small)
    tag = response.get("etag")
    assert re.fullmatch(r'"[0-9a-f]+-1a"', tag)
    assert (await fetch(root, "letters.txt", f"If-None-Match: {tag}", handler=Small)).code == 304
    os.utime(root / "letters.txt", (0, 1))
    assert (await fetch(root, "letters.txt", handler=Small)).get("etag") != tag


async def test_subclass_may_version_large_files(root: Any) -> None:
    class Named(Small):
        @classmethod
        def get_content_version(cls, abspath: Any) -> Any:
            return os.path.basename(abspath)

    assert (await fetch(root, "letters.txt", handler=Named)).get("etag") == '"letters.txt"'
    assert version_of(root, "letters.txt", Named) == "letters.txt"


@pytest.mark.parametrize("codings", [False, True])
async def test_get_absolute_path_may_set_the_root(root: Any, codings: bool, expect_log: ExpectLog) -> None:
    """A program may serve several directories by one route. Paths outside the chosen one are rejected."""

    class Choosing(web.StaticFileHandler):
        precompressed = codings

        def get_absolute_path(self, root: str, path: str) -> str:  # type: ignore[override]
            directory, _, path = path.partition("/")
            self.root = os.path.join(root, directory)
            return os.path.abspath(os.path.join(self.root, path))

    parent = root.parent
    response = await fetch(parent, "static-2/secret.txt", handler=Choosing)
    assert (response.code, response.body) == (200, b"secret")
    for path in ("static/../static-2/secret.txt", "static/link.txt"):
        with expect_log("tornado.general", f"403 .*{path} is not in root static directory"):
            assert (await fetch(parent, path, handler=Choosing)).code == 403


async def test_versions_are_not_cached_without_static_hash_cache(root: Any) -> None:
    hashed = []

    class Counting(web.StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath: Any) -> Any:
            hashed.append(abspath)
            return super().get_content_version(abspath)

    settings: dict[str, Any] = {
        "static_path": str(root),
        "static_handler_class": Counting,
        "static_hash_cache": False,
    }
    async with serving(web.Application(**settings)) as server:
        await server.fetch("/static/letters.txt")
        await server.fetch("/static/letters.txt")
    assert len(hashed) == 2


# -- files that change, and disconnects --


async def test_file_that_grows_while_it_is_sent(root: Any) -> None:
    class Growing(web.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: Any, start: Any = None, end: Any = None) -> Any:
            with open(abspath, "ab") as file:
                file.write(b"more")
            return super().get_content(abspath, start, end)

        @classmethod
        def get_content_version(cls, abspath: Any) -> Any:
            return "constant"

    async with serving(web.Application(routes(root, Growing))) as server:
        peer = await server.connect()
        for fields, body, length in [
            ((), LETTERS, 26),
            (("Range: bytes=20-",), LETTERS[20:] + b"more", 10),
            (("Range: bytes=-3",), b"ore", 3),
        ]:
            response = await peer.fetch("/static/letters.txt", *fields)
            assert (response.body, response.get("content-length")) == (body, str(length))


async def test_file_that_shrinks_while_it_is_sent(root: Any, expect_log: ExpectLog) -> None:
    class Shrinking(web.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: Any, start: Any = None, end: Any = None) -> Any:
            yield b"abc"

    async with serving(web.Application(routes(root, Shrinking))) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception"):
            with expect_log("tornado.general", "Cannot send error|Failed to flush"):
                peer.get("/static/letters.txt")
                # No further bytes follow that a client could interpret as content.
                assert (await peer.rest()).endswith(b"\r\n\r\nabc")


async def test_disconnect_closes_the_content(root: Any) -> None:
    closed = asyncio.Event()

    class Endless(web.StaticFileHandler):
        def compute_etag(self) -> Any:
            return None

        def get_content_size(self) -> Any:
            return 10**12

        @classmethod
        def get_content(cls, abspath: Any, start: Any = None, end: Any = None) -> Any:
            try:
                while True:
                    yield b"x" * 65536
            finally:
                closed.set()

    async with serving(web.Application(routes(root, Endless))) as server:
        peer = await server.connect()
        peer.get("/static/letters.txt")
        await peer.reader.readexactly(1_000_000)
        await peer.close()
        await closed.wait()


# -- subclasses --


async def test_subclass_with_several_roots(root: Any) -> None:
    """Jupyter's handler has several roots, finds the files itself, and does not call our `initialize`."""
    (root.parent / "outside/more.txt").write_bytes(b"more")

    class Finder(web.StaticFileHandler):
        def initialize(self, path: Any, default_filename: Any = None) -> None:  # type: ignore[override]
            self.root: Any = tuple(os.path.abspath(each) + os.path.sep for each in path)
            self.default_filename = default_filename

        @classmethod
        def get_absolute_path(cls, roots: Any, path: Any) -> Any:
            for each in roots:
                found = os.path.join(each, path)
                if os.path.exists(found):
                    return os.path.abspath(found)
            return ""

        def validate_absolute_path(self, root: Any, absolute_path: Any) -> Any:
            if absolute_path == "":
                raise web.HTTPError(404)
            within = next(each for each in self.root if absolute_path.startswith(each))
            return super().validate_absolute_path(within, absolute_path)

    paths = [str(root), str(root.parent / "outside")]
    handlers = [("/f/(.*)", Finder, {"path": paths})]
    async with serving(web.Application(handlers, static_path=paths, static_handler_class=Finder)) as server:
        for prefix in ("/f/", "/static/"):
            assert (await server.fetch(prefix + "letters.txt")).body == LETTERS
            assert (await server.fetch(prefix + "more.txt")).body == b"more"
            assert (await server.fetch(prefix + "none.txt")).code == 404
    settings: dict[str, Any] = {"static_path": paths}
    assert Finder.make_static_url(settings, "more.txt").endswith(hashlib.sha512(b"more").hexdigest())


class FromMemory(web.StaticFileHandler):
    """A handler whose files are in memory."""

    content: Any = b"0123456789"

    @classmethod
    def get_absolute_path(cls, root: Any, path: Any) -> Any:
        return "memory:" + path

    def validate_absolute_path(self, root: Any, absolute_path: Any) -> Any:
        return absolute_path

    @classmethod
    def get_content(cls, abspath: Any, start: Any = None, end: Any = None) -> Any:
        part = cls.content[start:end]
        return part if abspath == "memory:bytes" else iter([part[:4], part[4:]])

    def get_content_size(self) -> Any:
        return len(self.content)

    def get_modified_time(self) -> Any:
        return None


@pytest.mark.parametrize("name", ["bytes", "iterator"])
async def test_content_from_elsewhere(name: str) -> None:
    response = await fetch("/none", name, handler=FromMemory)
    assert (response.code, response.body) == (200, b"0123456789")
    assert response.get("etag") == f'"{hashlib.sha512(b"0123456789").hexdigest()}"'
    assert response.get("last-modified") is None
    response = await fetch("/none", name, "Range: bytes=2-6", handler=FromMemory)
    assert (response.code, response.body) == (206, b"23456")
    assert (
        await fetch("/none", name, "If-Modified-Since: Sat, 02 Jan 2021 03:04:05 GMT", handler=FromMemory)
    ).code == 200
    assert FromMemory.get_version({"static_path": "/none"}, name) == hashlib.sha512(b"0123456789").hexdigest()


async def test_get_content_receives_none_for_the_ends_of_the_file(root: Any) -> None:
    asked = []

    class Noting(web.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: Any, start: Any = None, end: Any = None) -> Any:
            asked.append((start, end))
            return super().get_content(abspath, start, end)

        @classmethod
        def get_content_version(cls, abspath: Any) -> Any:
            return "1"

    for field in ("X: y", "Range: bytes=5-", "Range: bytes=-5", "Range: bytes=5-100"):
        await fetch(root, "letters.txt", field, handler=Noting)
    assert asked == [(None, None), (5, None), (21, None), (5, 26)]


async def test_overridden_url_scheme(root: Any) -> None:
    class InPath(web.StaticFileHandler):
        def parse_url_path(self, url_path: Any) -> Any:
            return url_path.partition("/")[2]

        @classmethod
        def make_static_url(cls, settings: Any, path: Any, include_version: Any = True) -> Any:
            return f"/static/{cls.get_version(settings, path)}/{path}"

        @classmethod
        def get_version(cls, settings: Any, path: Any) -> Any:
            return "42"

    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.write(self.static_url("letters.txt"))

    settings: dict[str, Any] = {"static_path": str(root), "static_handler_class": InPath}
    async with serving(web.Application([("/", Handler)], **settings)) as server:
        address = (await server.fetch("/")).body.decode()
        assert address == "/static/42/letters.txt"
        assert (await server.fetch(address)).body == LETTERS
