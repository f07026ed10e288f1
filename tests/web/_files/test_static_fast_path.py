"""The fast path for small files: the same responses as the slow path, and only without overridden methods."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import mimetypes
import os
import sys
import time
import types
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.descriptors import open_below
from tests.support.server import ExpectLog, Server, serving
from tests.support.web import header_fields, static_versions
from tornado import gen, web
from tornado.web._execution._execute import FastPathAwaitable
from tornado.web._files import _static_fast_path, _static_versions

OLD = (0, 1_600_000_000)
CONTENT = b"body { color: red }"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for path in (root / "a.css", root / "sub/index.html", tmp_path / "outside/a.css", root / "empty.txt"):
        path.write_bytes(b"" if path.name == "empty.txt" else CONTENT)
        os.utime(path, OLD)
    return root


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list in which each request records whether it used the fast or the slow path."""
    taken: list[str] = []
    respond = _static_fast_path.respond

    def noting(handler: Any, path: str, include_body: bool) -> bool:
        done = respond(handler, path, include_body)
        taken.append("fast" if done else "slow")
        return done

    monkeypatch.setattr(_static_fast_path, "respond", noting)
    return taken


def application(root: Any, handler: Any = web.StaticFileHandler, **settings: Any) -> web.Application:
    arguments = {"path": str(root), **settings.pop("arguments", {})}
    return web.Application([("/s/(.*)", handler, arguments)], **settings)


def seen(response: Any) -> Any:
    fields = [field for field in response.headers if field[0] not in ("date", "expires")]
    return response.code, sorted(fields), response.body


REQUESTS: list[tuple[str, tuple[str, ...]]] = [
    ("/s/a.css", ()),
    ("/s/a.css?v=1", ()),
    ("/s/a.css?x=%76&w=v", ()),
    ("/s/empty.txt", ()),
    ("/s/sub/", ()),
    ("/s/a.css", ("Connection: close",)),
    ("/s/a.css", ("If-None-Match: *",)),
    ("/s/a.css", ('If-None-Match: "x"',)),
    ("/s/a.css", ('If-None-Match: "x"', "If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT")),
    ("/s/a.css", ("If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT",)),
    ("/s/a.css", ("If-Modified-Since: Sun, 13 Sep 2020 12:26:39 GMT",)),
    ("/s/a.css", ("If-Modified-Since: yesterday",)),
    ("/s/a.css", ("Range: bytes=2-3",)),
    ("/s/a.css", ("Range: bytes=90-",)),
    ("/s/a.css", ("Range: bytes=2-3", 'If-Range: "x"')),
    ("/s/a.css", ("Content-Length: 0",)),
]


@pytest.mark.parametrize(("path", "fields"), REQUESTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_fast_and_slow_path_send_the_same_response(
    root: Path, paths: list[str], path: str, fields: tuple[str, ...], method: str, tls: Any, loop_kind: str
) -> None:
    default = {"arguments": {"default_filename": "index.html"}}
    async with serving(application(root, **default), tls=tls) as server:
        first = await server.fetch(path, *fields, method=method)
        second = await server.fetch(path, *fields, method=method)
    assert paths[0] == "slow"
    assert paths[1] == ("slow" if any(field.startswith("Range") for field in fields) else "fast")
    assert seen(first) == seen(second)
    assert first.get("expires") == second.get("expires") or "v=" in path


async def test_request_wrapped_by_a_delegate(root: Path, paths: list[str]) -> None:
    async with serving(application(root), decompress_request=True) as server:
        answers = [await server.fetch("/s/a.css") for _ in range(2)]
        etag = answers[0].get("etag")
        assert (await server.fetch("/s/a.css", f"If-None-Match: {etag}")).code == 304
    assert seen(answers[0]) == seen(answers[1])
    assert paths == ["slow", "fast", "fast"]


async def test_http_1_0(root: Path, paths: list[str]) -> None:
    async with serving(application(root)) as server:
        answers = []
        for _ in range(2):
            head, _, body = (await server.exchange("GET /s/a.css HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
            answers.append((sorted(line for line in head.split(b"\r\n") if b"Date" not in line), body))
    assert paths == ["slow", "fast"]
    assert answers[0] == answers[1]


async def test_keep_alive_and_pipelined_requests(root: Path, paths: list[str]) -> None:
    async with serving(application(root)) as server:
        peer = await server.connect()
        for _ in range(5):
            peer.get("/s/a.css")
        for _ in range(5):
            assert (await peer.response()).body == CONTENT
    assert paths == ["slow"] + ["fast"] * 4
    assert open_below(root) == []


# -- changes of files --


async def get(server: Server, path: str = "/s/a.css") -> Any:
    return await server.fetch(path)


async def test_changed_file_is_sent_with_new_content(root: Path, paths: list[str]) -> None:
    path = root / "a.css"
    async with serving(application(root)) as server:
        tags = set()
        for content in (CONTENT, CONTENT.replace(b"red", b"tan"), b"short", b"", CONTENT):
            path.write_bytes(content)
            os.utime(path, OLD)  # the modification time does not reveal the change
            for _ in range(2):
                response = await get(server)
                assert response.body == content
                tags.add((response.get("etag"), content))
    assert len(tags) == 4
    assert paths == ["slow", "fast"] * 5


async def test_recently_changed_file_is_not_cached(root: Path, paths: list[str]) -> None:
    (root / "a.css").write_bytes(b"new")
    second = int(time.time()) + 1  # a whole second, as on a file system without fractions of seconds
    os.utime(root / "a.css", (second, second))
    async with serving(application(root)) as server:
        for _ in range(3):
            assert (await get(server)).body == b"new"
    assert paths == ["slow"] * 3
    assert not static_versions()


@pytest.mark.parametrize(
    ("modified", "now", "settled"),
    [
        (1_000_000_001, 1_000_000_002, False),
        (1_000_000_001, 1_060_000_000, True),
        (1_000_000_000, 1_060_000_000, False),
        (1_000_000_000, 3_000_000_000, True),
        (5_000_000_000, 1_000_000_000, True),
    ],
)
def test_file_is_settled_some_time_after_its_modification(modified: int, now: int, settled: bool) -> None:
    assert _static_versions.is_settled(modified, now) is settled


@pytest.mark.parametrize("how", ["subclass", "patch"])
async def test_overridden_log_method_is_called(
    root: Path, paths: list[str], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []

    def log(self: Any) -> None:
        logged.append(self.request.path)

    handler: Any = web.StaticFileHandler
    if how == "subclass":
        handler = type("Quiet", (handler,), {"_log": log})
    else:
        monkeypatch.setattr(handler, "_log", log)
    async with serving(application(root, handler)) as server:
        for _ in range(3):
            await get(server)
    assert (paths, logged) == (["slow", "fast", "fast"], ["/s/a.css"] * 3)


async def test_deleted_or_replaced_file(root: Path, expect_log: ExpectLog) -> None:
    path = root / "a.css"
    async with serving(application(root)) as server:
        await get(server)
        path.unlink()
        assert (await get(server)).code == 404
        path.mkdir()
        with expect_log("tornado.general", "is not a file"):
            assert (await get(server)).code == 403
        path.rmdir()
        os.mkfifo(path)
        with expect_log("tornado.general", "is not a file"):
            assert (await get(server)).code == 403
        path.unlink()
        path.write_bytes(b"back")
        assert (await get(server)).body == b"back"


async def test_file_replaced_by_a_link(root: Path, expect_log: ExpectLog) -> None:
    async with serving(application(root)) as server:
        await get(server)
        await get(server)
        (root / "a.css").unlink()
        (root / "a.css").symlink_to(root.parent / "outside/a.css")
        with expect_log("tornado.general", "is not in root"):
            assert (await get(server)).code == 403
        (root / "a.css").unlink()
        (root / "a.css").symlink_to(root / "sub/index.html")
        assert (await get(server)).code == 200


async def test_directory_moved_outside_and_replaced_by_a_link(root: Path, expect_log: ExpectLog) -> None:
    """The file and its times are unchanged; only the real path of the file is now outside the root."""
    async with serving(application(root)) as server:
        for _ in range(2):
            assert (await get(server, "/s/sub/index.html")).code == 200
        (root / "sub").rename(root.parent / "moved")
        (root / "sub").symlink_to(root.parent / "moved")
        for _ in range(2):
            with expect_log("tornado.general", "is not in root"):
                assert (await get(server, "/s/sub/index.html")).code == 403


async def test_root_link_that_changes(root: Path, paths: list[str]) -> None:
    link = root.parent / "current"
    link.symlink_to(root)
    (root.parent / "next").mkdir()
    (root.parent / "next/a.css").write_bytes(b"next")
    os.utime(root.parent / "next/a.css", (1e9, 1e9))
    async with serving(application(link)) as server:
        for _ in range(2):
            assert (await get(server)).body == CONTENT
        link.unlink()
        link.symlink_to(root.parent / "next")
        assert paths == ["slow", "fast"]
        for _ in range(2):
            assert (await get(server)).body == b"next"
    assert paths == ["slow", "fast", "slow", "fast"]


async def test_root_with_dots(root: Path, paths: list[str]) -> None:
    async with serving(application(root / "sub" / "..")) as server:
        for path in ("a.css", "sub/index.html", "a.css", "sub/index.html"):
            assert (await get(server, f"/s/{path}")).body == CONTENT
    assert paths == ["slow", "slow", "fast", "fast"]


async def test_relative_root_follows_the_working_directory(
    root: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    async with serving(application(".")) as server:
        for _ in range(2):
            assert (await get(server)).body == CONTENT
        assert paths == ["slow", "fast"]
        monkeypatch.chdir(root / "sub")
        assert (await get(server)).code == 404
        (root / "sub/a.css").write_bytes(b"another")
        os.utime(root / "sub/a.css", (1e9, 1e9))
        for _ in range(2):
            assert (await get(server)).body == b"another"
    assert paths == ["slow", "fast", "slow", "slow", "fast"]


async def test_default_file_is_not_shared_between_routes(root: Path, expect_log: ExpectLog) -> None:
    routes = [
        ("/d/(.*)", web.StaticFileHandler, {"path": str(root), "default_filename": "index.html"}),
        ("/s/(.*)", web.StaticFileHandler, {"path": str(root)}),
    ]
    async with serving(web.Application(routes)) as server:
        for _ in range(2):
            assert (await get(server, "/d/sub/")).body == CONTENT
            with expect_log("tornado.general", "is not a file"):
                assert (await get(server, "/s/sub/")).code == 403
        (root / "sub/index.html").unlink()
        assert (await get(server, "/d/sub/")).code == 404


async def test_other_spellings_are_not_stored(root: Path) -> None:
    async with serving(application(root)) as server:
        for path in ("a.css", "./a.css", "sub/../a.css", "sub//index.html", "a.css/"):
            await get(server, "/s/" + path)
    assert [path for _, path, _ in _static_fast_path._entries] == ["a.css"]


async def test_table_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_static_fast_path, "_MAX_ENTRIES", 2)
    async with serving(application(root)) as server:
        for name in ("a.css", "empty.txt", "sub/index.html"):
            await get(server, "/s/" + name)
    assert [path for _, path, _ in _static_fast_path._entries] == ["sub/index.html"]


async def test_change_of_media_types(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(application(root)) as server:
        for _ in range(2):
            assert (await get(server)).get("content-type") == "text/css"
        monkeypatch.setitem(mimetypes.types_map, ".css", "text/x-other")
        assert (await get(server)).get("content-type") == "text/x-other"
        monkeypatch.setattr(mimetypes, "guess_type", lambda path: ("text/x-patched", None))
        assert (await get(server)).get("content-type") == "text/x-patched"


# -- overridden methods and transforms --

CHANGES: dict[str, Any] = {
    "parse_url_path": lambda self, path: "sub/index.html",
    "get_absolute_path": classmethod(lambda cls, root, path: os.path.join(root, "sub/index.html")),
    "validate_absolute_path": lambda self, root, path: os.path.join(root, "sub/index.html"),
    "get_content": classmethod(lambda cls, path, start=None, end=None: b"x" * len(CONTENT)),
    "get_content_version": classmethod(lambda cls, path: "own"),
    "get_content_size": lambda self: 5,
    "get_modified_time": lambda self: None,
    "get_content_type": lambda self: "x/y",
    "get_cache_time": lambda self, path, modified, kind: 7,
    "compute_etag": lambda self: '"own"',
    "set_headers": lambda self: self.set_header("X-Own", "1"),
    "set_extra_headers": lambda self, path: self.set_header("X-Own", "1"),
    "should_return_304": lambda self: True,
    "set_default_headers": lambda self: self.set_header("X-Own", "1"),
    "prepare": lambda self: self.set_header("X-Own", "1"),
    "write": lambda self, chunk: web.RequestHandler.write(self, b"y" * len(chunk)),
    "flush": lambda self, include_footers=False: web.RequestHandler.flush(self, include_footers),
    "finish": lambda self, chunk=None: web.RequestHandler.finish(self, chunk),
    "set_header": lambda self, name, value: web.RequestHandler.set_header(self, name, value),
    "initialize": lambda self, path: setattr(self, "root", path),
    "on_finish": lambda self: None,
}
#: Changes that the fast path supports.
HARMLESS = {"initialize", "on_finish"}
#: Changes that do not affect the response; the version is computed once for each state of a file.
UNSEEN = HARMLESS | {"flush", "finish", "set_header", "get_content_version"}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("how", ["subclass", "patch"])
async def test_overridden_methods_are_called(
    root: Path, paths: list[str], name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub/index.html").write_bytes(b"0123456789")
    os.utime(root / "sub/index.html", OLD)
    handler: Any = type("Own", (web.StaticFileHandler,), {name: CHANGES[name]}) if how == "subclass" else None
    async with serving(application(root, handler or web.StaticFileHandler)) as server:
        plain = seen(await get(server)) if how == "patch" else None
        if how == "patch":
            assert seen(await get(server)) == plain
            assert paths == ["slow", "fast"]
            del paths[:]
            monkeypatch.setattr(web.StaticFileHandler, name, CHANGES[name])
        answers = [seen(await get(server)) for _ in range(2)]
        assert answers[0] == answers[1]
        if name in HARMLESS:
            assert paths[1] == "fast"
        else:
            assert paths == ["slow", "slow"]
        if how == "patch":
            assert (answers[0] == plain) == (name in UNSEEN)
            monkeypatch.undo()
            assert seen(await get(server)) == plain


@pytest.mark.parametrize("fields", [(), ('If-None-Match: "own-1"',), ("Range: bytes=2-3",)])
async def test_subclass_that_calls_get(root: Path, fields: tuple[str, ...]) -> None:
    """`get` does not finish the response when it is called by a subclass."""

    class Later(web.StaticFileHandler):
        async def get(self, path: str, include_body: bool = True) -> None:
            self.set_header("X-Own", "1")
            await super().get(path, include_body)
            assert not self._finished

    class Post(web.StaticFileHandler):
        async def post(self, path: str) -> None:
            await self.get(path)
            assert not self._finished

    async with serving(application(root, Later)) as server:
        for _ in range(2):
            response = await server.fetch("/s/a.css", *fields)
            assert response.get("x-own") == "1"
            assert response.body == (CONTENT[2:4] if "Range" in "".join(fields) else CONTENT)
    async with serving(application(root, Post)) as server:
        for _ in range(2):
            assert (await server.fetch("/s/a.css", method="POST", body=b"")).body == CONTENT


async def test_asynchronous_prepare_is_awaited(root: Path) -> None:
    class Slow(web.StaticFileHandler):
        async def prepare(self) -> None:
            self.set_header("X-Own", "1")

    async with serving(application(root, Slow)) as server:
        for _ in range(2):
            assert (await get(server)).body == CONTENT


async def test_log_function_can_read_the_headers(root: Path, paths: list[str]) -> None:
    lines = []

    def note(handler: Any) -> None:
        lines.append((handler.get_status(), sorted(header_fields(handler).get_all())))

    async with serving(application(root, log_function=note)) as server:
        await get(server)
        response = await get(server)
    assert paths == ["slow", "fast"]
    assert dict(lines[0][1]).keys() == dict(lines[1][1]).keys()
    assert dict(lines[1][1])["Content-Length"] == str(len(CONTENT))
    assert dict(lines[1][1])["Etag"] == response.get("etag")


async def test_active_transforms_use_the_slow_path(root: Path, paths: list[str]) -> None:
    async with serving(application(root, compress_response=True)) as server:
        for _ in range(2):
            response = await server.fetch("/s/a.css", "Accept-Encoding: gzip")
            assert response.get("content-encoding") == "gzip"
    assert paths == ["slow", "slow"]


LITTLE: list[tuple[Any, str | None, str]] = [
    (True, None, "a.css"),
    (True, "br", "a.css"),
    (True, "gzip", "a.png"),
    (["gzip"], "gzip", "a.css"),
    (["gzip"], "gzip", "a.png"),
]


@pytest.mark.parametrize(("setting", "accepted", "name"), LITTLE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_idle_transforms_use_the_fast_path(
    root: Path, paths: list[str], setting: Any, accepted: str | None, name: str, method: str
) -> None:
    (root / "a.png").write_bytes(CONTENT)
    os.utime(root / "a.png", OLD)
    fields = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
    async with serving(application(root, compress_response=setting)) as server:
        answers = [await server.fetch(f"/s/{name}", *fields, method=method) for _ in range(2)]
        etag = answers[0].get("etag")
        assert etag.startswith('"')
        fields.append(f"If-None-Match: {etag}")
        answers += [await server.fetch(f"/s/{name}", *fields, method=method) for _ in range(2)]
        assert (answers[2].code, answers[2].get("vary")) == (304, "Accept-Encoding")
    assert seen(answers[0]) == seen(answers[1])
    assert (answers[0].get("vary"), answers[0].get("content-encoding")) == ("Accept-Encoding", None)
    assert answers[0].get("content-length") == str(len(CONTENT))
    assert seen(answers[2]) == seen(answers[3])
    assert paths == ["slow", "fast", "fast", "fast"]


async def test_etag_of_compressed_representation_uses_the_slow_path(root: Path, paths: list[str]) -> None:
    async with serving(application(root, compress_response=True)) as server:
        for accepted in ("gzip", "gzip", "br"):
            response = await server.fetch("/s/a.css", f"Accept-Encoding: {accepted}")
            tag = response.get("etag")
            again = await server.fetch("/s/a.css", f"Accept-Encoding: {accepted}", f"If-None-Match: {tag}")
            assert (again.code, again.get("etag")) == (304, tag)
    assert paths == ["slow"] * 4 + ["fast"] * 2


@pytest.mark.parametrize("path", ["a.css", "sub/"])
async def test_attributes_of_the_handler_are_set_on_both_paths(
    root: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(root.parent)
    found: list[Any] = []

    def note(handler: Any) -> None:
        found.append((handler.path, handler.absolute_path, handler.modified))

    class Noting(web.StaticFileHandler):
        def on_finish(self) -> None:
            note(self)

    arguments = {"path": root.name, "default_filename": "index.html"}
    routes = [("/s/(.*)", Noting, arguments)]
    async with serving(web.Application(routes, log_function=note)) as server:
        for field in ((), (), ("Range: bytes=1-2",)):
            await server.fetch("/s/" + path, *field)
    absolute = str(root / ("sub/index.html" if path == "sub/" else path))
    modified = datetime.datetime.fromtimestamp(OLD[1], datetime.UTC)
    assert found == [(path, absolute, modified)] * 6
    assert paths == ["slow", "fast", "slow"]


async def test_classes_with_different_version_limits(root: Path, paths: list[str]) -> None:
    class Small(web.StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = 10

    routes = [
        (f"/{name}/(.*)", cls, {"path": str(root)})
        for name, cls in (("s", web.StaticFileHandler), ("t", Small))
    ]
    tags = []
    async with serving(web.Application(routes)) as server:
        for name in "stst":
            tags.append((await server.fetch(f"/{name}/a.css")).get("etag"))  # noqa: PERF401
    assert tags[:2] == tags[2:]
    assert tags[0] != tags[1]
    assert paths == ["slow", "slow", "fast", "fast"]


AWAITED: dict[str, Any] = {
    "await": lambda rest: rest,
    "a task": asyncio.create_task,
    "gather": asyncio.gather,
    "wait_for": lambda rest: asyncio.wait_for(rest, 60),
    "shield": asyncio.shield,
    "convert_yielded": gen.convert_yielded,
}


@pytest.mark.parametrize("how", AWAITED)
async def test_return_value_of_get_is_awaitable(root: Path, how: str, loop_kind: str) -> None:
    class Own(web.StaticFileHandler):
        async def get(self, path: str, include_body: bool = True) -> None:
            await AWAITED[how](super().get(path, include_body))

    async with serving(application(root, Own)) as server:
        for _ in range(2):
            response = await server.fetch("/s/a.css")
            assert (response.code, response.body) == (200, CONTENT)


async def test_sync_or_awaitable_has_the_methods_of_a_coroutine() -> None:
    seen: list[Any] = []

    class Own(FastPathAwaitable):
        __slots__ = ()

        async def coroutine(self) -> None:
            try:
                seen.append(await gate())
            except KeyError as error:
                seen.append(error)

    @types.coroutine
    def gate() -> Any:
        return (yield "waits")

    own = Own()
    assert isinstance(own, Coroutine)
    assert asyncio.iscoroutine(own)
    assert own.send(None) == "waits"
    with pytest.raises(StopIteration):
        own.send("value")
    with pytest.raises(RuntimeError, match="already awaited"):
        await own
    own = Own()
    own.send(None)
    error = KeyError("thrown")
    with pytest.raises(StopIteration):
        own.throw(error)
    assert seen == ["value", error]
    own = Own()
    own.close()  # no warning that it was never awaited
    with pytest.raises(RuntimeError):
        await own


@pytest.mark.skipif(sys.version_info < (3, 12), reason="markcoroutinefunction requires Python 3.12")
def test_get_looks_like_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(web.StaticFileHandler.get)


async def test_without_static_hash_cache_files_are_not_cached(root: Path, paths: list[str]) -> None:
    async with serving(application(root, static_hash_cache=False)) as server:
        await get(server)
        await get(server)
    assert paths == ["slow", "slow"]


async def test_fast_path_with_handler_tasks(root: Path, paths: list[str]) -> None:
    async with serving(application(root, handler_tasks=True)) as server:
        for _ in range(2):
            assert (await get(server)).body == CONTENT
    assert paths == ["slow", "fast"]


async def test_file_that_shrinks_during_the_fast_path(
    root: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(application(root)) as server:
        await get(server)
        read = os.read

        def shrinking(fd: int, size: int) -> bytes:
            if size == len(CONTENT) + 1:
                os.truncate(root / "a.css", 3)
            return read(fd, size)

        monkeypatch.setattr(os, "read", shrinking)
        response = await get(server)
    assert (response.code, response.body, response.get("content-length")) == (200, CONTENT[:3], "3")
    assert paths == ["slow", "slow"]
    assert open_below(root) == []
