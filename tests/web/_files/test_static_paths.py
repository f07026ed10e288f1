"""Large files on real sockets, sent by the kernel without blocking the loop; and files outside the root."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.descriptors import open_below
from tests.support.server import ExpectLog, Server, serving
from tornado import web
from tornado.iostream import IOStream
from tornado.iostream._core import FAIR_SHARE
from tornado.iostream._file_segment import FileSegment
from tornado.web._files import _static_paths
from tornado.web._files._static_paths import open_regular, open_within

LARGE = random.Random(0).randbytes(2_000_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    root.mkdir()
    (root / "large.bin").write_bytes(LARGE)
    os.utime(root / "large.bin", (0, 1_600_000_000))
    return root


class Page(web.RequestHandler):
    def get(self) -> None:
        self.write("page")


def application(root: Any, handler: Any = web.StaticFileHandler, **options: Any) -> web.Application:
    return web.Application([("/", Page), ("/s/(.*)", handler, {"path": str(root)})], **options)


class BytesPerIteration:
    """A counter of the bytes of files that are read or sent in each event loop iteration."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        #: The number of bytes, for each iteration in which bytes were read or sent.
        self.read: list[int] = []
        self._on = False
        self._now = 0
        self._thread = threading.get_ident()
        send, read = os.sendfile, os.pread

        def sendfile(out: int, file: int, offset: int | None, count: int) -> int:
            sent = send(out, file, offset, count)
            self._now += sent
            return sent

        def pread(file: int, count: int, offset: int) -> bytes:
            data = read(file, count, offset)
            if threading.get_ident() == self._thread:  # files are hashed in other threads
                self._now += len(data)
            return data

        monkeypatch.setattr(os, "sendfile", sendfile)
        monkeypatch.setattr(os, "pread", pread)

    def __enter__(self) -> BytesPerIteration:
        self._on = True
        asyncio.get_running_loop().call_soon(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        self._on = False

    def _count(self) -> None:
        if self._now:
            self.read.append(self._now)
            self._now = 0
        if self._on:
            asyncio.get_running_loop().call_soon(self._count)


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that records the start and size of each file segment passed to a stream."""
    found: list[tuple[int, int]] = []
    original = IOStream.send_file

    def noting(self: IOStream, piece: FileSegment) -> Any:
        found.append((piece.start, piece.size))
        return original(self, piece)

    monkeypatch.setattr(IOStream, "send_file", noting)
    return found


RANGES: list[tuple[tuple[str, ...], int, bytes]] = [
    ((), 200, LARGE),
    (("Range: bytes=1000-",), 206, LARGE[1000:]),
    (("Range: bytes=1000-500999",), 206, LARGE[1000:501_000]),
    (("Range: bytes=-300000",), 206, LARGE[-300_000:]),
    (("Range: bytes=10-19",), 206, LARGE[10:20]),
    (("Range: bytes=5-2,7-9",), 200, LARGE),
    (("Range: bytes=2000000-",), 416, b""),
    (("Connection: close",), 200, LARGE),
]


@pytest.mark.parametrize(("fields", "code", "body"), RANGES)
async def test_large_file_and_ranges_are_sent(
    root: Path, pieces: Any, tls: Any, loop_kind: str, fields: tuple[str, ...], code: int, body: bytes
) -> None:
    async with serving(application(root), tls=tls) as server:
        peer = await server.connect()
        response = await peer.fetch("/s/large.bin", *fields)
        assert (response.code, response.body) == (code, body)
        assert response.get("content-length") == str(len(body))
        head = await server.fetch("/s/large.bin", *fields, method="HEAD")
        assert head.head.partition(b"Date")[0] == response.head.partition(b"Date")[0]
        if "Connection: close" not in fields:
            assert (await peer.fetch("/")).body == b"page"  # the connection can still be used
    assert len(pieces) == (len(body) > 65536)
    assert open_below(root) == []


async def test_pipelined_requests_follow_a_file(root: Path, tls: Any) -> None:
    async with serving(application(root), tls=tls) as server:
        peer = await server.connect()
        for path in ("/s/large.bin", "/", "/s/large.bin", "/"):
            peer.get(path)
        for body in (LARGE, b"page", LARGE, b"page"):
            assert (await peer.response()).body == body


async def test_http_1_0_closes_after_the_file(root: Path) -> None:
    async with serving(application(root)) as server:
        answer = await server.exchange("GET /s/large.bin HTTP/1.0\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == LARGE


OVERRIDES: dict[str, Any] = {
    "write": lambda self, chunk: web.RequestHandler.write(self, bytes(len(chunk))),
    "flush": lambda self, include_footers=False: web.RequestHandler.flush(self, include_footers),
    "get_content": classmethod(lambda cls, path, start=None, end=None: bytes(len(LARGE))),
}


@pytest.mark.parametrize("name", OVERRIDES)
async def test_overridden_methods_receive_the_bytes(root: Path, pieces: Any, name: str) -> None:
    handler: Any = type("Own", (web.StaticFileHandler,), {name: OVERRIDES[name]})
    async with serving(application(root, handler)) as server:
        body = (await server.fetch("/s/large.bin")).body
    assert body == (LARGE if name == "flush" else bytes(len(LARGE)))
    assert pieces == []


async def test_patched_stream_receives_the_bytes(
    root: Path, pieces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    original = IOStream.write

    def noting(self: IOStream, data: Any) -> Any:
        written.append(len(data))
        return original(self, data)

    monkeypatch.setattr(IOStream, "write", noting)
    async with serving(application(root)) as server:
        assert (await server.fetch("/s/large.bin")).body == LARGE
    assert sum(written) > len(LARGE)
    assert pieces == []


async def test_set_extra_headers_does_not_disable_sendfile(root: Path, pieces: Any) -> None:
    class Marked(web.StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            self.set_header("X-Path", path)

    async with serving(application(root, Marked)) as server:
        response = await server.fetch("/s/large.bin")
    assert (response.get("x-path"), response.body) == ("large.bin", LARGE)
    assert pieces == [(0, len(LARGE))]


async def test_transforms_receive_all_bytes(root: Path, pieces: Any) -> None:
    (root / "large.txt").write_bytes(b"text " * 100_000)
    async with serving(application(root, compress_response=True)) as server:
        response = await server.fetch("/s/large.txt", "Accept-Encoding: gzip")
    assert response.get("content-encoding") == "gzip"
    assert len(response.body) < 10_000
    assert pieces == []


@pytest.mark.parametrize("setting", [True, ["gzip"]])
@pytest.mark.parametrize(
    ("name", "fields", "use_sendfile"),
    [
        ("large.bin", ("Accept-Encoding: gzip",), True),
        ("large.txt", (), True),
        ("large.txt", ("Accept-Encoding: br",), True),
        ("large.txt", ("Accept-Encoding: gzip", "Range: bytes=10-299999"), True),
        ("large.txt", ("Accept-Encoding: gzip",), False),
    ],
)
async def test_idle_transform_does_not_disable_sendfile(
    root: Path, pieces: Any, setting: Any, name: str, fields: tuple[str, ...], use_sendfile: bool
) -> None:
    (root / "large.txt").write_bytes(b"text " * 100_000)
    async with serving(application(root, compress_response=setting)) as server:
        response = await server.fetch("/s/" + name, *fields)
    assert response.get("vary") == "Accept-Encoding"
    if use_sendfile:
        assert response.get("content-length") == str(len(response.body))
    assert (response.get("content-encoding") is None) == use_sendfile
    assert len(pieces) == use_sendfile


@pytest.mark.parametrize("name", ["transform_first_chunk", "transform_chunk"])
async def test_transform_subclass_receives_all_bytes(root: Path, pieces: Any, name: str) -> None:
    called: list[str] = []
    original: Any = getattr(web.GZipContentEncoding, name)

    def noting(*arguments: Any) -> Any:
        called.append(name)
        return original(*arguments)

    own: Any = type("Own", (web.GZipContentEncoding,), {name: noting})
    async with serving(application(root, transforms=[own])) as server:
        assert (await server.fetch("/s/large.bin")).body == LARGE
    assert called
    assert pieces == []


async def test_compression_yields_to_the_event_loop(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a file of zeros the compressor has almost no output, so there are no writes to wait for."""
    size = 40 * FAIR_SHARE
    os.truncate(root / "large.bin", 0)
    os.truncate(root / "large.bin", size)
    (root / "large.bin").rename(root / "large.txt")
    async with serving(application(root, compress_response=True)) as server:
        peer = await server.connect()
        with BytesPerIteration(monkeypatch) as iterations:
            response = await peer.fetch("/s/large.txt", "Accept-Encoding: gzip")
    assert len(zlib.decompress(response.body, wbits=31)) == size
    assert max(iterations.read) <= 2 * FAIR_SHARE
    assert len(iterations.read) > 20


# -- files that change, and disconnects --


async def test_file_that_grows(root: Path, tls: Any) -> None:
    async with serving(application(root), tls=tls) as server:
        peer = await server.connect()
        peer.get("/s/large.bin")
        start = await peer.reader.readuntil(b"\r\n\r\n")
        (root / "large.bin").write_bytes(LARGE + b"more")
        assert f"Content-Length: {len(LARGE)}".encode() in start
        assert await peer.reader.readexactly(len(LARGE)) == LARGE
        assert (await peer.fetch("/")).body == b"page"
        assert (await peer.fetch("/s/large.bin")).body == LARGE + b"more"


async def test_file_that_shrinks(root: Path, tls: Any, expect_log: ExpectLog) -> None:
    size = 200_000_000
    os.truncate(root / "large.bin", size)
    async with serving(application(root), tls=tls) as server:
        peer = await server.connect()
        peer.get("/s/large.bin")
        await peer.reader.readuntil(b"\r\n\r\n")
        with expect_log("tornado.general", "the file was truncated"):
            os.truncate(root / "large.bin", 1000)
            assert len(await peer.rest()) < size
    assert open_below(root) == []


async def test_disconnect_closes_the_file(root: Path, tls: Any, loop_kind: str) -> None:
    os.truncate(root / "large.bin", 500_000_000)
    finished = asyncio.Event()

    class Noting(web.StaticFileHandler):
        def on_finish(self) -> None:
            finished.set()

    async with serving(application(root, Noting), tls=tls) as server:
        peer = await server.connect()
        peer.get("/s/large.bin")
        await peer.reader.readexactly(1_000_000)
        assert open_below(root) == [str(root / "large.bin")]
        assert not finished.is_set()
        peer.writer.transport.abort()
        await finished.wait()
        assert open_below(root) == []


async def test_closing_the_server_closes_the_file(root: Path) -> None:
    os.truncate(root / "large.bin", 500_000_000)
    async with serving(application(root)) as server:
        peer = await server.connect()
        peer.get("/s/large.bin")
        await peer.reader.readexactly(100_000)
        assert len(open_below(root)) == 1
        await server.server.close_all_connections()
        assert open_below(root) == []


async def test_client_that_stops_reading_is_disconnected(root: Path) -> None:
    """`idle_connection_timeout` applies if the client has stopped reading."""
    os.truncate(root / "large.bin", 500_000_000)
    async with serving(application(root), idle_connection_timeout=0.2) as server:
        peer = await server.connect()
        peer.get("/s/large.bin")
        await peer.reader.readexactly(100_000)
        while open_below(root):
            await asyncio.sleep(0.01)


class Reader(threading.Thread):
    """A client that requests a file. It reads 64 KiB for each call of `take`, or everything if not `slow`."""

    def __init__(self, server: Server, path: str) -> None:
        super().__init__()
        self._server = server
        self._path = path
        self._turns = threading.Semaphore(0)
        self.slow = True
        self.stopped = False
        self.received = 0

    def take(self) -> None:
        """Allow one read."""
        self._turns.release()

    def run(self) -> None:
        lines = [
            f"GET {self._path} HTTP/1.1",
            "Host: x",
            "Accept-Encoding: gzip",
            "Connection: close",
            "",
            "",
        ]
        with self._server.dial() as sock:
            sock.sendall("\r\n".join(lines).encode())
            while True:
                if self.slow:
                    self._turns.acquire()
                data = sock.recv(65536)
                self.received += len(data)
                if not data or self.stopped:
                    return


@pytest.mark.deadline(60)
@pytest.mark.parametrize(("name", "setting"), [("large.bin", None), ("large.bin", True), ("large.txt", True)])
async def test_large_download_does_not_delay_other_requests(
    root: Path, tls: Any, monkeypatch: pytest.MonkeyPatch, name: str, setting: Any
) -> None:
    """The download is slow at first and then fast. The number of bytes read per event loop iteration is
    bounded, and 200 requests on another connection receive responses before the download ends.
    """
    (root / "large.bin").rename(root / name)
    os.truncate(root / name, 1_000_000_000)
    async with serving(application(root, compress_response=setting)) as server:
        peer = await server.connect()
        reader = Reader(server, "/s/" + name)
        with BytesPerIteration(monkeypatch) as iterations:
            reader.start()
            while not iterations.read:
                await asyncio.sleep(0)
            for number in range(200):
                reader.slow = number < 100
                reader.take()
                assert (await peer.fetch("/")).body == b"page"
            reader.stopped = True
            await asyncio.get_running_loop().run_in_executor(None, reader.join)
    assert reader.received
    assert max(iterations.read) <= 2 * FAIR_SHARE


# -- files outside the root --


def test_real_path_of_open_file_is_checked(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to(root / "large.bin")
    open_within(str(root / "in"), str(root), None).close()
    open_within(str(root / "out"), str(root), str(tmp_path)).close()
    open_within(str(root / "out"), str(root), ["/none", str(tmp_path)]).close()
    with pytest.raises(web.HTTPError) as caught:
        open_within(str(root / "out"), str(root), None)
    assert caught.value.status_code == 403
    assert open_below(tmp_path) == []


def test_without_real_path_of_open_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_static_paths, "real_path", lambda fd: None)
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "secret")
    open_within(str(root / "large.bin"), str(root), None).close()
    with pytest.raises(web.HTTPError):
        open_within(str(root / "out"), str(root), None)
    # The path no longer refers to the file that was opened.
    opened = open_regular(str(root / "large.bin"))
    assert opened is not None
    (root / "large.bin").unlink()
    (root / "large.bin").write_bytes(b"another")
    assert not opened.is_in(str(root), None)
    opened.close()


def test_files_that_cannot_be_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    for name, code in (("none", 404), ("large.bin/x", 404), ("fifo", 403), (".", 403)):
        with pytest.raises(web.HTTPError) as caught:
            open_within(str(root / name), str(root), None)
        assert caught.value.status_code == code

    def refuse(*arguments: Any) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(web.HTTPError) as caught:
        open_within(str(root / "large.bin"), str(root), None)
    assert caught.value.status_code == 403


async def test_link_created_between_check_and_open(root: Path, tmp_path: Path, expect_log: ExpectLog) -> None:
    (tmp_path / "secret").write_bytes(b"secret")

    class Swapped(web.StaticFileHandler):
        def _open(self, root: Any, path: str) -> Any:
            os.unlink(path)
            os.symlink(tmp_path / "secret", path)
            return super()._open(root, path)

    async with serving(application(root, Swapped)) as server:
        with expect_log("tornado.general", "is not in root static directory"):
            response = await server.fetch("/s/large.bin")
    assert response.code == 403
    assert b"secret" not in response.body


SEGMENTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "sub",
        "a.css",
        "out",
        "linked",
        "secret",
        "%2e%2e",
        "%2f",
        "..%2f",
        "\\",
        "%00",
        "~",
        "%5c..",
        "..;",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.lists(st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join), min_size=1, max_size=8))
def test_no_path_leads_outside(tmp_path: Path, paths: list[str]) -> None:
    root = tmp_path / "root"
    if not root.exists():
        (root / "sub").mkdir(parents=True)
        (root / "a.css").write_bytes(b"inside")
        (root / "sub/a.css").write_bytes(b"inside")
        (tmp_path / "secret").write_bytes(b"outside")
        (tmp_path / "a.css").write_bytes(b"outside")
        (root / "out").symlink_to(tmp_path)
        (root / "linked").symlink_to(tmp_path / "secret")

    async def check() -> None:
        async with serving(application(root)) as server:
            for path in paths:
                for _ in range(2):
                    response = await server.fetch("/s/" + path)
                    assert response.code in (200, 400, 403, 404)
                    assert b"outside" not in response.body

    logging.getLogger("tornado.general").setLevel(logging.CRITICAL)
    try:
        asyncio.run(check())
    finally:
        logging.getLogger("tornado.general").setLevel(logging.NOTSET)


def test_socket_is_not_opened(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "s"))
        with pytest.raises(OSError, match="No such device|not supported"):
            open_regular(str(root / "s"))
