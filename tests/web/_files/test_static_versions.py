"""Versions of files. Each file is hashed once, a large file in a thread."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.descriptors import open_below
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.iostream._file_segment import read_at
from tornado.web._files import _static_versions
from tornado.web._files._static_paths import identity, open_regular
from tornado.web._files._static_versions import VersionCache

LARGE = os.urandom(1_000_000)
TAG = f'"{hashlib.sha512(LARGE).hexdigest()}"'


async def version_of(opened: Any) -> str | None:
    """Return the version of an open file, with an empty cache."""
    cache = VersionCache(OrderedDict(), threading.Lock())
    return await cache.version_of(opened, web.StaticFileHandler)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "large.bin").write_bytes(LARGE)
    os.utime(tmp_path / "large.bin", (0, 1_600_000_000))
    return tmp_path


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list in which each hash records whether it was computed in the main thread."""
    found: list[bool] = []
    original = _static_versions._hash

    def noting(fd: int, state: Any) -> str | None:
        found.append(threading.current_thread() is threading.main_thread())
        return original(fd, state)

    monkeypatch.setattr(_static_versions, "_hash", noting)
    return found


def application(root: Path, handler: Any = web.StaticFileHandler) -> web.Application:
    return web.Application([("/s/(.*)", handler, {"path": str(root)})])


@pytest.fixture
def five_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delay the end of each hash until five requests have asked for a version."""
    arrived = threading.Event()
    count = itertools.count(1)
    ask, hashing = VersionCache.version_of, _static_versions._hash

    async def asking(cache: VersionCache, *args: Any) -> str | None:
        if next(count) == 5:
            arrived.set()  # the hash is reported to the loop after this request has begun to wait
        return await ask(cache, *args)

    def waiting(fd: int, state: Any) -> str | None:
        version = hashing(fd, state)
        assert arrived.wait(20)
        return version

    monkeypatch.setattr(VersionCache, "version_of", asking)
    monkeypatch.setattr(_static_versions, "_hash", waiting)


@pytest.mark.usefixtures("five_requests")
async def test_large_file_is_hashed_once_in_a_thread(root: Path, threads: list[bool], loop_kind: str) -> None:
    async with serving(application(root)) as server:
        answers = await asyncio.gather(*[server.fetch("/s/large.bin") for _ in range(5)])
        answers.append(await server.fetch("/s/large.bin"))
        assert [each.get("etag") for each in answers] == [TAG] * 6
        assert (await server.fetch("/s/large.bin", f"If-None-Match: {TAG}")).code == 304
    assert threads == [False]
    assert open_below(root) == []
    # The static URL uses the same hash.
    assert web.StaticFileHandler.get_version({"static_path": str(root)}, "large.bin") == TAG.strip('"')
    assert threads == [False]


async def test_small_file_is_hashed_without_thread(root: Path, threads: list[bool]) -> None:
    (root / "small").write_bytes(b"small")
    async with serving(application(root)) as server:
        assert (await server.fetch("/s/small")).get("etag") == f'"{hashlib.sha512(b"small").hexdigest()}"'
    assert threads == [True]


async def test_hash_of_cancelled_request_is_used_by_next_one(root: Path, threads: list[bool]) -> None:
    cache = VersionCache(OrderedDict(), threading.Lock())
    opened = open_regular(str(root / "large.bin"))
    assert opened is not None
    try:
        first = asyncio.ensure_future(cache.version_of(opened, web.StaticFileHandler))
        await asyncio.sleep(0)
        first.cancel()
        [pending] = _static_versions._pending_hashes.values()
        await asyncio.wait([pending])
        assert await cache.version_of(opened, web.StaticFileHandler) == TAG.strip('"')
    finally:
        opened.close()
    assert first.cancelled()
    assert threads == [False]


async def test_request_between_end_of_hash_and_its_waiter_does_not_hash_again(
    root: Path, threads: list[bool]
) -> None:
    cache = VersionCache(OrderedDict(), threading.Lock())
    opened = open_regular(str(root / "large.bin"))
    assert opened is not None
    known: list[Any] = []
    try:
        first = asyncio.ensure_future(cache.version_of(opened, web.StaticFileHandler))
        await asyncio.sleep(0)
        [pending] = _static_versions._pending_hashes.values()
        pending.add_done_callback(lambda _: known.append((first.done(), cache.get(opened.path, state))))
        state = identity(opened.stat)
        assert await first == TAG.strip('"')
    finally:
        opened.close()
    assert known == [(False, (TAG.strip('"'),))]


async def test_cancelling_one_request_does_not_affect_others(root: Path) -> None:
    async def version() -> str | None:
        opened = open_regular(str(root / "large.bin"))
        assert opened is not None
        try:
            return await version_of(opened)
        finally:
            opened.close()

    first, second = asyncio.ensure_future(version()), asyncio.ensure_future(version())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == TAG.strip('"')
    assert first.cancelled()
    assert not _static_versions._pending_hashes


async def test_file_modified_while_it_is_hashed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = read_at

    def changing(fd: int, size: int, offset: int) -> bytes:
        if offset:
            with open(root / "large.bin", "r+b") as file:
                file.write(b"x")
        return original(fd, size, offset)

    monkeypatch.setattr(_static_versions, "read_at", changing)
    opened = open_regular(str(root / "large.bin"))
    assert opened is not None
    assert await version_of(opened) is None
    monkeypatch.setattr(_static_versions, "read_at", lambda fd, size, offset: b"")
    assert _static_versions._hash(opened.fd, identity(os.fstat(opened.fd))) is None
    opened.close()


async def test_read_error_during_hashing_is_logged(
    root: Path, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    def fail(fd: int, size: int, offset: int) -> bytes:
        raise OSError("a bad disk")

    monkeypatch.setattr(_static_versions, "read_at", fail)
    async with serving(application(root)) as server:
        with expect_log("tornado.general", "Could not read static file .*a bad disk"):
            assert (await server.fetch("/s/large.bin")).body == LARGE


class Changing:
    """A file that grows whenever a part of it is read."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self.reads = 0
        monkeypatch.setattr(_static_versions, "read_at", self.read)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        self.reads += 1
        with open(self._path, "ab") as file:
            file.write(b"x")
        return read_at(fd, size, offset)


@pytest.mark.parametrize("own_tag", [False, True])
async def test_file_being_modified_has_a_weak_etag(
    root: Path, monkeypatch: pytest.MonkeyPatch, own_tag: bool
) -> None:
    """With a strong entity tag, If-Range could combine parts of different states."""

    class Calling(web.StaticFileHandler):
        def compute_etag(self) -> str | None:
            return super().compute_etag()

    changing = Changing(root / "large.bin", monkeypatch)
    handler = Calling if own_tag else web.StaticFileHandler
    async with serving(application(root, handler)) as server:
        response = await server.fetch("/s/large.bin")
        assert response.get("etag").startswith('W/"')
        assert response.get("etag").strip('W/"') != TAG.strip('"')
        assert changing.reads == 1  # hashing stops when the change is detected
        head = await server.fetch("/s/large.bin", method="HEAD")
        assert head.get("etag").startswith('W/"')
        assert changing.reads == 2
        for condition in (response.get("etag"), response.get("last-modified")):
            whole = await server.fetch("/s/large.bin", "Range: bytes=10-19", f"If-Range: {condition}")
            assert whole.code == 200
        part = await server.fetch("/s/large.bin", "Range: bytes=10-19")
        assert (part.code, part.body) == (206, LARGE[10:20])
    assert open_below(root) == []


@pytest.mark.parametrize("settled", [True, False])
async def test_large_file_modified_recently_has_a_weak_etag(
    root: Path, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    """A second change soon after the first one may leave the modification time and size unchanged."""

    class Handler(web.StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = 10

    monkeypatch.setattr(_static_versions, "is_settled", lambda modified: settled)
    async with serving(application(root, Handler)) as server:
        assert (await server.fetch("/s/large.bin")).get("etag").startswith("W/") == (not settled)


async def test_classes_with_other_limits_do_not_share_versions(root: Path, expect_log: ExpectLog) -> None:
    class Small(web.StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = 10

    settings = {"static_path": str(root)}
    for _ in range(2):
        with expect_log("tornado.general", r"larger than .*\(10 bytes\)"):
            assert Small.get_version(settings, "large.bin") is None
        assert web.StaticFileHandler.get_version(settings, "large.bin") == TAG.strip('"')


async def test_overridden_compute_etag_prevents_hashing(root: Path, threads: list[bool]) -> None:
    class Own(web.StaticFileHandler):
        def compute_etag(self) -> str | None:
            return '"own"'

    async with serving(application(root, Own)) as server:
        assert (await server.fetch("/s/large.bin")).get("etag") == '"own"'
    assert threads == []


# -- the attributes in which upstream stores the versions --


def test_subclass_has_separate_versions(root: Path) -> None:
    class First(web.StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            return "first"

    class Second(First):
        _static_hashes: ClassVar = {}
        _lock = threading.Lock()
        MAX_CACHED_VERSIONS = 1

        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            return "second"

    (root / "b").write_bytes(b"b")
    settings = {"static_path": str(root)}
    for _ in range(2):
        assert First.get_version(settings, "large.bin") == "first"
        assert Second.get_version(settings, "large.bin") == "second"
        assert Second.get_version(settings, "b") == "second"
    assert list(Second._static_hashes) == [str(root / "b")]
    Second.reset()
    assert not Second._static_hashes
    assert str(root / "large.bin") in web.StaticFileHandler._static_hashes


def test_replaced_table_of_versions_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[str, Any] = {}
    monkeypatch.setattr(web.StaticFileHandler, "_static_hashes", table)
    web.StaticFileHandler.get_version({"static_path": str(root)}, "large.bin")
    assert list(table) == [str(root / "large.bin")]
