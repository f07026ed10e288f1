"""`UploadHandler`: forms that are parsed as they arrive."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, handler_of, raised, serving
from tests.support.streams import run_loop_iterations
from tests.support.web import has_executed, is_temporary_file_closed, unwritten_size, waits_for_disk
from tornado import web
from tornado.iostream import StreamClosedError
from tornado.web._input import _upload_receiver, _uploaded_file

FORM = "Content-Type: multipart/form-data; boundary=frontier"
SMALL, LARGE = b"a few bytes", bytes(range(256)) * 4096


def field(name: str, value: bytes) -> bytes:
    return b'--frontier\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)


def file(name: str, filename: str, content: bytes, kind: str = "text/plain") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    return f"--frontier\r\n{disposition}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--frontier--\r\n"


class Receiver(web.UploadHandler):
    """A handler that records the received fields and files, as they were when the method was called."""

    seen: dict[str, Any]

    def initialize(self) -> None:
        type(self).seen = {}

    def post(self) -> None:
        self.seen["uploads"] = self.uploads
        self.seen["bodies"] = {name: [each.body for each in files] for name, files in self.uploads.items()}
        self.seen["paths"] = [each.path for files in self.uploads.values() for each in files]
        self.seen["request"] = self.request
        self.write({name: self.get_body_arguments(name, strip=False) for name in self.request.body_arguments})

    put = post

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(f"{status_code} {kwargs['exc_info'][1].get_message()}")


@asynccontextmanager
async def receiving(folder: Path, base: type = Receiver, **members: Any) -> AsyncIterator[tuple[Server, Any]]:
    """Run a server with one handler that writes files to `folder`; at the end, wait until it is empty."""
    options = {key[1:]: members.pop(key) for key in list(members) if key.startswith("_") and key[1] != "_"}
    settings = members.pop("settings", {})
    handler = handler_of(base, upload_directory=str(folder), **members)
    async with serving(web.Application([("/.*", handler)], **settings), **options) as server:
        yield server, handler
        while os.listdir(folder):
            await asyncio.sleep(0)


async def post(server: Server, body: bytes, *fields: str, path: str = "/") -> Any:
    return await server.fetch(path, FORM, *fields, method="POST", body=body)


# -- receiving --


async def test_fields_and_files_small_and_large(tmp_path, tls):
    body = form(
        field("note", "grüße".encode()), file("f", "s.txt", SMALL), file("f", "l", LARGE), field("note", b"")
    )
    async with receiving(tmp_path, _tls=tls) as (server, handler):
        response = await post(server, body, path="/?note=query")
        assert response.code == 200
        assert response.body == b'{"note": ["gr\\u00fc\\u00dfe", ""]}'
        seen = handler.seen
        assert seen["bodies"] == {"f": [SMALL, LARGE]}
        assert seen["request"].arguments == {"note": [b"query", "grüße".encode(), b""]}
        assert seen["request"].files is seen["uploads"]
        small, large = seen["uploads"]["f"]
        assert (small.name, small.filename, small.content_type, small.size) == (
            "f",
            "s.txt",
            "text/plain",
            11,
        )
        assert small["filename"] == "s.txt"
        assert seen["paths"][0] is None
        assert os.path.dirname(seen["paths"][1]) == str(tmp_path)
        assert large.size == len(LARGE)


async def test_byte_by_byte(tmp_path):
    body = form(field("a", b"1"), file("f", "x", b"\r\n--frontie\r\r\n"), field("b", b"2"))
    async with receiving(tmp_path, spool_size=3) as (server, handler):
        peer = await server.connect()
        peer.get("/", FORM, f"Content-Length: {len(body)}", method="POST")
        for at in range(len(body)):
            peer.send(body[at : at + 1])
            await run_loop_iterations(2)
        assert (await peer.response()).body == b'{"a": ["1"], "b": ["2"]}'
        assert handler.seen["bodies"] == {"f": [b"\r\n--frontie\r\r\n"]}


async def test_chunked_form_is_received(tmp_path):
    body = form(file("f", "x", LARGE))
    async with receiving(tmp_path) as (server, handler):
        peer = await server.connect()
        peer.get("/", FORM, "Transfer-Encoding: chunked", method="POST")
        for at in range(0, len(body), 10_000):
            piece = body[at : at + 10_000]
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")
        assert (await peer.response()).code == 200
        assert handler.seen["bodies"] == {"f": [LARGE]}


async def test_several_requests_on_one_connection(tmp_path):
    async with receiving(tmp_path) as (server, handler):
        peer = await server.connect()
        for content in (LARGE, SMALL, LARGE):
            body = form(file("f", "x", content))
            assert (await peer.fetch("/", FORM, method="POST", body=body)).code == 200
            assert handler.seen["bodies"] == {"f": [content]}


async def test_empty_file_input_is_a_field(tmp_path):
    async with receiving(tmp_path) as (server, handler):
        response = await post(server, form(file("f", "", b"")))
        assert response.body == b'{"f": [""]}'
        assert handler.seen["uploads"] == {}


async def test_other_bodies_are_collected(tmp_path):
    async with receiving(tmp_path) as (server, handler):
        kind = "Content-Type: application/x-www-form-urlencoded"
        response = await server.fetch("/?a=0", kind, method="POST", body=b"a=1&a=2")
        assert response.body == b'{"a": ["1", "2"]}'
        assert handler.seen["request"].arguments == {"a": [b"0", b"1", b"2"]}
        await server.fetch("/", "Content-Type: application/json", method="PUT", body=b'{"a": 1}')
        assert handler.seen["request"].body == b'{"a": 1}'
        await server.fetch("/", method="POST", body=b"")
        assert handler.seen["request"].body == b""
        assert (await post(server, b"")).code == 200


async def test_get_json_body_of_collected_body(tmp_path, expect_log):
    def put(self: Any) -> None:
        self.write({"got": self.get_json_body(None)})

    async with receiving(tmp_path, put=put) as (server, _):
        kind = "Content-Type: application/json"
        assert (await server.fetch("/", kind, method="PUT", body=b'{"a": 1}')).body == b'{"got": {"a": 1}}'
        assert (await server.fetch("/", kind, method="PUT", body=b"")).body == b'{"got": null}'
        with expect_log("tornado.general", "JSON"):
            assert (await server.fetch("/", kind, method="PUT", body=b"{")).code == 400


@pytest.mark.parametrize("when", ["prepare", "put"])
async def test_get_json_body_without_collected_body(tmp_path, expect_log, when):
    members = {when: lambda self: self.get_json_body(), "write_error": lambda *_, **__: None}
    async with receiving(tmp_path, **members) as (server, _):
        kind = FORM if when == "put" else "Content-Type: application/json"
        with expect_log("tornado.application", "Uncaught") as logged:
            assert (await server.fetch("/", kind, method="PUT", body=form())).code == 500
        assert "get_json_body() cannot be used because" in str(raised(logged))


async def test_body_for_unimplemented_method_is_not_received(tmp_path):
    parts: list[Any] = []
    async with receiving(tmp_path, part_started=lambda self, part: parts.append(part)) as (server, _):
        body = form(file("f", "x", LARGE))
        assert (await server.fetch("/", FORM, method="PATCH", body=body)).code == 405
        assert parts == []
        assert (await server.fetch("/")).code == 405


async def test_method_without_body(tmp_path):
    async with receiving(tmp_path, get=lambda self: self.write("form")) as (server, _):
        assert (await server.fetch("/")).body == b"form"


async def test_compressed_form_is_decompressed(tmp_path):
    import gzip

    packed = gzip.compress(form(file("f", "x", LARGE)))
    async with receiving(tmp_path, _decompress_request=True) as (server, handler):
        assert (await post(server, packed, "Content-Encoding: gzip")).code == 200
        assert handler.seen["bodies"] == {"f": [LARGE]}


# -- limits and malformed bodies --


@pytest.mark.parametrize(
    ("members", "parts", "code", "text"),
    [
        ({"max_parts": 2}, [field("a", b"1")] * 3, 400, "max_parts"),
        ({"max_part_header_size": 100}, [file("f", "n" * 100, b"")], 400, "max_part_header_size"),
        ({"max_fields_size": 10}, [field("a", b"12345"), field("b", b"123456")], 413, "max_fields_size"),
        (
            {"max_file_size": 10},
            [file("f", "name", b"12345678901")],
            413,
            "'name' is larger than max_file_size (10 bytes)",
        ),
        ({"max_body_size": 200}, [file("f", "x", bytes(200))], 413, "max_body_size (200 bytes)"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_error_names_the_exceeded_limit(tmp_path, expect_log, members, parts, code, text, chunked):
    body = form(*parts)
    async with receiving(tmp_path, **members) as (server, handler):
        with expect_log("tornado.general", text.replace("(", r"\(").replace(")", r"\)")):
            if chunked:
                peer = await server.connect()
                peer.get("/", FORM, "Transfer-Encoding: chunked", method="POST")
                peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
                response = await peer.response()
            else:
                response = await post(server, body)
        assert response.code == code
        assert text in response.body.decode()
        assert handler.seen == {}


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        ({"max_parts": 3}, [field("a", b"1")] * 3),
        ({"max_fields_size": 10}, [field("a", b"12345"), field("b", b"12345")]),
        ({"max_file_size": 10}, [file("f", "x", b"1234567890"), file("f", "x", b"1234567890")]),
        ({"max_body_size": 300}, [file("f", "x", bytes(300 - len(form(file("f", "x", b"")))))]),
    ],
)
async def test_bodies_at_the_limit_are_accepted(tmp_path, members, parts):
    async with receiving(tmp_path, **members) as (server, _):
        assert (await post(server, form(*parts))).code == 200


async def test_max_fields_size_applies_to_other_bodies(tmp_path, expect_log):
    async with receiving(tmp_path, max_fields_size=10) as (server, _):
        with expect_log("tornado.general", "max_fields_size"):
            response = await server.fetch("/", method="POST", body=bytes(11))
        assert response.code == 413


async def test_limit_of_class_replaces_limit_of_server(tmp_path, expect_log):
    body = form(file("f", "x", bytes(3000)))
    async with receiving(tmp_path, _max_body_size=2000) as (server, _):
        with expect_log("tornado.general", r"max_body_size \(2000 bytes\)"):
            assert (await post(server, body)).code == 413
    async with receiving(tmp_path, _max_body_size=2000, max_body_size=10_000) as (server, _):
        assert (await post(server, body)).code == 200


async def test_prepare_may_set_limits(tmp_path, expect_log):
    def prepare(self: Any) -> None:
        if self.request.path == "/guest":
            self.max_body_size = 100
        elif self.request.path == "/member":
            self.request.connection.set_max_body_size(100_000)

    body = form(file("f", "x", bytes(3000)))
    async with receiving(tmp_path, prepare=prepare, max_body_size=2000) as (server, _):
        for path, size in (("/", 2000), ("/guest", 100)):
            with expect_log("tornado.general", rf"max_body_size \({size} bytes\)"):
                assert (await post(server, body, path=path)).code == 413
        assert (await post(server, body, path="/member")).code == 200


async def test_expect_continue_is_answered_with_413(tmp_path, expect_log):
    async with receiving(tmp_path, max_body_size=10) as (server, _):
        peer = await server.connect()
        peer.get("/", FORM, "Content-Length: 11", "Expect: 100-continue", method="POST")
        with expect_log("tornado.general", "max_body_size"):
            response = await peer.response()
        assert response.code == 413
        assert b"Content-Length 11 is larger than max_body_size (10 bytes)" in response.body


async def test_error_page_reaches_client_that_is_still_sending(tmp_path, expect_log):
    """Many megabytes are in transit when the response is sent. It must not be lost by a reset."""
    async with receiving(tmp_path, max_file_size=1000) as (server, _):

        def send_all() -> bytes:
            with server.dial() as sock:
                size = 20 * len(LARGE)
                head = (
                    f"POST / HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {size + 1000}\r\n\r\n".encode()
                )
                sock.sendall(head + file("f", "x", LARGE))
                for _ in range(19):
                    sock.sendall(LARGE)
                return sock.recv(65536)

        with expect_log("tornado.general", "max_file_size"):
            assert b"413" in (await asyncio.to_thread(send_all))[:20]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"no form at all", "no final boundary"),
        (form(file("f", "x", LARGE))[:-20], "no final boundary"),
        (b"--frontier\r\n\r\n\r\n--frontier--\r\n", "missing headers"),
        (
            b"--frontier\r\nContent-Disposition: attachment\r\n\r\n\r\n--frontier--\r\n",
            "expected Content-Disposition form-data",
        ),
        (bytes(20_000), "no boundary in its first"),
    ],
)
async def test_malformed_forms_are_rejected(tmp_path, expect_log, body, text):
    async with receiving(tmp_path) as (server, handler):
        with expect_log("tornado.general", text):
            response = await post(server, body)
        assert response.code == 400
        assert text in response.body.decode()
        assert handler.seen == {}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (["Content-Type: multipart/form-data"], "no boundary"),
        (["Content-Type: multipart/form-data; boundary=a; boundary=b"], "more than one boundary"),
        ([FORM, "Content-Encoding: br"], "Unsupported Content-Encoding"),
    ],
)
async def test_forms_with_invalid_header_fields_are_rejected(tmp_path, expect_log, fields, text):
    async with receiving(tmp_path) as (server, _):
        with expect_log("tornado.general", text):
            response = await server.fetch("/", *fields, method="POST", body=form())
        assert response.code == 400


# -- hooks --


async def test_hooks_are_called_in_order(tmp_path):
    calls: list[Any] = []

    def started(self: Any, part: Any) -> None:
        calls.append(("started", part.filename, part.size, part.file))

    def received(self: Any, part: Any, chunk: bytes) -> None:
        calls.append(("received", chunk))

    async def finished(self: Any, part: Any) -> None:
        await asyncio.sleep(0)
        calls.append(("finished", part.size, part.file.read()))

    hooks = {"part_started": started, "part_received": received, "part_finished": finished}
    body = form(field("a", b"1"), file("f", "x", b"12"), file("g", "y", b""))
    async with receiving(tmp_path, **hooks) as (server, handler):
        assert (await post(server, body)).body == b'{"a": ["1"]}'
        assert calls == [
            ("started", "x", 0, None),
            ("received", b"12"),
            ("finished", 2, b""),
            ("started", "y", 0, None),
            ("finished", 0, b""),
        ]
        assert list(handler.seen["uploads"]) == ["f", "g"]


async def test_overridden_part_received_may_call_the_default(tmp_path):
    import hashlib

    def started(self: Any, part: Any) -> None:
        part.digest = hashlib.sha256()

    def received(self: Any, part: Any, chunk: bytes) -> Any:
        part.digest.update(chunk)
        return web.UploadHandler.part_received(self, part, chunk)

    async with receiving(tmp_path, part_started=started, part_received=received) as (server, handler):
        await post(server, form(file("f", "x", LARGE)))
        assert handler.seen["uploads"]["f"][0].digest.digest() == hashlib.sha256(LARGE).digest()
        assert handler.seen["bodies"] == {"f": [LARGE]}


async def test_body_is_not_read_while_a_hook_is_running(tmp_path):
    gate, arrived = asyncio.Event(), asyncio.Event()
    sizes: list[int] = []

    async def received(self: Any, part: Any, chunk: bytes) -> None:
        sizes.append(len(chunk))
        arrived.set()
        await gate.wait()

    async with receiving(tmp_path, part_received=received, max_body_size=2**30) as (server, _):
        peer = await server.connect()
        size = 40 * len(LARGE)
        peer.get("/", FORM, f"Content-Length: {len(form(file('f', 'x', b''))) + size}", method="POST")
        peer.send(file("f", "x", bytes(size)) + form())
        await arrived.wait()
        await run_loop_iterations(100)
        assert len(sizes) == 1
        assert sizes[0] <= 65536
        gate.set()
        assert (await peer.response()).code == 200
        assert sum(sizes) == size


@pytest.mark.parametrize("hook", ["part_started", "part_received", "part_finished", "upload_progress"])
@pytest.mark.parametrize("plain", [True, False])
async def test_http_error_in_hook_leads_to_error_response(tmp_path, expect_log, hook, plain):
    def fail(self: Any, *args: Any) -> None:
        raise web.HTTPError(415, "no %s, please", "pictures")

    async def fail_later(self: Any, *args: Any) -> None:
        await asyncio.sleep(0)
        fail(self)

    async with receiving(tmp_path, **{hook: fail if plain else fail_later}) as (server, handler):
        with expect_log("tornado.general", "no pictures, please"):
            response = await post(server, form(file("f", "x", LARGE), field("a", b"1")))
        assert response.code == 415
        assert response.body == b"415 no pictures, please"
        assert handler.seen == {}


@pytest.mark.parametrize("hook", ["part_started", "part_received", "part_finished", "upload_progress"])
async def test_stream_closed_error_in_hook_leads_to_500(tmp_path, expect_log, hook):
    async def fail(self: Any, *args: Any) -> None:
        raise StreamClosedError

    async with receiving(tmp_path, **{hook: fail}, write_error=lambda *_, **__: None) as (server, _):
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await post(server, form(file("f", "x", SMALL)))).code == 500


async def test_hook_with_wrong_return_value_leads_to_500(tmp_path, expect_log):
    async with receiving(
        tmp_path, part_started=lambda self, part: True, write_error=lambda *_, **__: None
    ) as (s, _):
        with expect_log("tornado.application", "Uncaught") as logged:
            assert (await post(s, form(file("f", "x", b"")))).code == 500
        assert "must return None or an awaitable, got True" in str(raised(logged))


async def test_hook_may_finish_the_response(tmp_path):
    def started(self: Any, part: Any) -> None:
        self.set_status(422)
        self.finish("enough")

    async with receiving(tmp_path, part_started=started) as (server, handler):
        response = await post(server, form(file("f", "x", LARGE)))
        assert (response.code, response.body) == (422, b"enough")
        assert handler.seen == {}


async def test_prepare_may_finish_the_response(tmp_path):
    async with receiving(tmp_path, prepare=lambda self: self.finish("no")) as (server, _):
        assert (await post(server, form(file("f", "x", SMALL)))).body == b"no"


async def test_upload_progress_respects_the_interval(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(_upload_receiver, "monotonic", lambda: now)
    told: list[tuple[int, int | None]] = []

    def progress(self: Any, received: int, total: int | None) -> None:
        told.append((received, total))

    body = form(file("f", "x", bytes(5)))
    async with receiving(tmp_path, upload_progress=progress, progress_interval=1.0) as (server, _):
        peer = await server.connect()
        peer.get("/", FORM, f"Content-Length: {len(body)}", method="POST")
        for at in range(len(body)):
            now = at / 50
            peer.send(body[at : at + 1])
            await run_loop_iterations(4)
        await peer.response()
        assert told[0] == (1, len(body))
        assert told[-1] == (len(body), len(body))
        assert 2 + len(body) // 50 >= len(told) >= len(body) // 50
        peer.get("/", FORM, "Transfer-Encoding: chunked", method="POST")
        peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        await peer.response()
        assert told[-1] == (len(body), None)


async def test_progress_of_decompressed_body_has_no_total(tmp_path):
    import gzip

    told: list[tuple[int, int | None]] = []
    members = {"upload_progress": lambda self, received, total: told.append((received, total))}
    body = form(file("f", "x", LARGE))
    async with receiving(tmp_path, _decompress_request=True, **members) as (server, _):
        await post(server, gzip.compress(body), "Content-Encoding: gzip")
        assert told[-1] == (len(body), None)
        await post(server, body)
        assert told[-1] == (len(body), len(body))


# -- the disk --


class Disk:
    """A simulated slow disk: every write waits until `gate` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        write = _uploaded_file._TemporaryFile.write

        def slow(temporary: Any, chunks: list[bytes]) -> None:
            self.entered.set()
            assert self.gate.wait(20)
            write(temporary, chunks)

        monkeypatch.setattr(_uploaded_file._TemporaryFile, "write", slow)


async def test_slow_disk_pauses_only_the_client(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    parts: list[Any] = []
    members = {"part_started": lambda self, part: parts.append(part), "get": lambda self: self.write("quick")}
    async with receiving(tmp_path, max_body_size=2**30, **members) as (server, handler):
        peer = await server.connect()
        size = 40 * len(LARGE)
        peer.get("/", FORM, f"Content-Length: {len(form(file('f', 'x', b''))) + size}", method="POST")
        peer.send(file("f", "x", bytes(size)) + form())
        while not parts or not waits_for_disk(parts[0]):
            await asyncio.sleep(0)
        for _ in range(5):
            assert (await server.fetch("/")).body == b"quick"
        queue = _uploaded_file._MAX_UNWRITTEN
        assert queue < unwritten_size(parts[0]) <= queue + 65536
        assert parts[0].size <= queue + 2 * _uploaded_file._BATCH + 65536
        disk.gate.set()
        assert (await peer.response()).code == 200
        assert handler.seen["bodies"] == {"f": [bytes(size)]}


async def test_full_disk_leads_to_500(tmp_path, monkeypatch, expect_log):
    def full(temporary: Any, chunks: list[bytes]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_uploaded_file._TemporaryFile, "write", full)
    async with receiving(tmp_path, write_error=lambda *_, **__: None) as (server, _):
        for size in (1, 5):
            with expect_log("tornado.application", "Uncaught exception") as logged:
                assert (await post(server, form(file("f", "x", LARGE * size)))).code == 500
            assert "No space left" in str(raised(logged))


async def test_missing_directory_leads_to_500(tmp_path, expect_log):
    folder = tmp_path / "absent"
    handler = handler_of(web.UploadHandler, upload_directory=str(folder), post=lambda self: None)
    async with serving(web.Application([("/", handler)])) as server:
        with expect_log("tornado.application", "Uncaught exception") as logged:
            assert (await post(server, form(file("f", "x", LARGE)))).code == 500
        assert str(folder) in str(raised(logged))


async def test_upload_directory_setting(tmp_path):
    settings = {"upload_directory": str(tmp_path)}
    handler = handler_of(Receiver)
    async with serving(web.Application([("/", handler)], **settings)) as server:
        await post(server, form(file("f", "x", LARGE)))
        assert os.path.dirname(handler.seen["paths"][0]) == str(tmp_path)
        while os.listdir(tmp_path):
            await asyncio.sleep(0)


# -- the end of the request --


@pytest.mark.parametrize("how", ["reset", "end"])
@pytest.mark.parametrize("slow", [False, True])
async def test_disconnect_removes_files(tmp_path, monkeypatch, how, slow):
    disk = Disk(monkeypatch)
    if not slow:
        disk.gate.set()
    async with receiving(tmp_path, max_body_size=2**30) as (server, handler):
        sock = server.dial()
        size = 3 * len(LARGE)
        sock.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {size}\r\n\r\n".encode())
        sock.sendall(file("f", "x", LARGE)[:-2])
        while not disk.entered.is_set() or (not slow and not os.listdir(tmp_path)):
            await asyncio.sleep(0)
        if how == "reset":
            import socket
            import struct

            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        await run_loop_iterations(20)
        disk.gate.set()
        assert handler.seen == {}


async def test_chunk_after_disconnect_is_dropped(tmp_path):
    """A hook that is still running after the disconnect cannot write to the file."""
    waiting, gate, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def received(self: Any, part: Any, chunk: bytes) -> None:
        waiting.set()
        await gate.wait()
        result = web.UploadHandler.part_received(self, part, chunk * 100)
        assert result is None
        done.set()

    async with receiving(tmp_path, part_received=received) as (server, handler):
        sock = server.dial()
        sock.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: 9999\r\n\r\n".encode())
        sock.sendall(file("f", "x", bytes(5000)))
        await waiting.wait()
        sock.close()
        await run_loop_iterations(20)
        gate.set()
        await done.wait()
        assert handler.seen == {}


async def test_kept_and_moved_files_are_not_removed(tmp_path):
    places: list[Any] = []

    async def post_(self: Any) -> None:
        kept, moved, gone = self.uploads["f"]
        places.append(kept.keep())
        kept.file.close()
        places.append(await moved.move_to(tmp_path / "moved"))
        places.append(gone.path)

    body = form(*[file("f", "x", LARGE)] * 3)
    folder = tmp_path / "spool"
    folder.mkdir()
    handler = handler_of(web.UploadHandler, upload_directory=str(folder), post=post_)
    async with serving(web.Application([("/", handler)])) as server:
        await post(server, body)
        while len(os.listdir(folder)) != 1:
            await asyncio.sleep(0)
    assert Path(places[0]).read_bytes() == Path(places[1]).read_bytes() == LARGE
    assert not os.path.exists(places[2])


async def test_files_are_available_until_the_method_returns(tmp_path):
    """The response is finished before the method returns."""
    gate, done = asyncio.Event(), asyncio.Event()

    async def post_(self: Any) -> None:
        self.finish("thanks")
        await gate.wait()
        assert self.uploads["f"][0].body == LARGE
        done.set()

    async with receiving(tmp_path, post=post_) as (server, _):
        assert (await post(server, form(file("f", "x", LARGE)))).body == b"thanks"
        gate.set()
        await done.wait()


async def test_handler_that_finishes_later(tmp_path):
    handlers: list[Any] = []

    def post_(self: Any) -> None:
        self._auto_finish = False
        handlers.append(self)

    async with receiving(tmp_path, post=post_) as (server, _):
        peer = await server.connect()
        peer.get("/", FORM, method="POST", body=form(file("f", "x", LARGE)))
        while not handlers or not has_executed(handlers[0]):
            await asyncio.sleep(0)
        assert handlers[0].uploads["f"][0].body == LARGE
        handlers.pop().finish("late")
        assert (await peer.response()).body == b"late"


# -- XSRF protection --


@asynccontextmanager
async def protected(folder: Path, **members: Any) -> AsyncIterator[tuple[Server, Any, str, bytes]]:
    """Run a server with ``xsrf_cookies``, and yield it with the handler, a cookie and its token."""
    get = {"get": lambda self: self.write(self.xsrf_token)}
    async with receiving(folder, settings={"xsrf_cookies": True}, **get, **members) as (server, handler):
        response = await server.fetch("/")
        cookie = response.get("set-cookie").partition(";")[0]
        yield server, handler, f"Cookie: {cookie}", response.body


async def test_xsrf_token_in_a_field_before_the_files(tmp_path):
    async with protected(tmp_path) as (server, handler, cookie, token):
        body = form(field("_xsrf", token), file("f", "x", SMALL))
        assert (await post(server, body, cookie)).code == 200
        assert handler.seen["bodies"] == {"f": [SMALL]}
        kind = "Content-Type: application/x-www-form-urlencoded"
        body = b"_xsrf=" + token.replace(b"|", b"%7C")
        assert (await server.fetch("/", kind, cookie, method="POST", body=body)).code == 200


@pytest.mark.parametrize("where", ["header", "query"])
async def test_xsrf_token_in_header_or_query(tmp_path, expect_log, where):
    started: list[Any] = []
    async with protected(tmp_path, prepare=lambda self: started.append(1)) as (server, _, cookie, token):
        started.clear()
        for sent, code in ((token.decode(), 200), ("2|00000000|00|1", 403)):
            extra = [f"X-Xsrftoken: {sent}"] if where == "header" else []
            path = "/" if where == "header" else f"/?_xsrf={sent.replace('|', '%7C')}"
            with expect_log("tornado.general", "XSRF|_xsrf", required=code == 403):
                body = form(file("f", "x", SMALL))
                assert (await post(server, body, cookie, *extra, path=path)).code == code
        assert len(started) == 1  # the wrong token was rejected before prepare()


@pytest.mark.parametrize(
    "parts",
    [[file("f", "x", LARGE)], [field("a", b"1")], [field("_xsrf", b"2|0|0|0"), file("f", "x", SMALL)]],
)
async def test_no_file_is_received_without_xsrf_token(tmp_path, expect_log, parts):
    taken: list[Any] = []
    async with protected(tmp_path, part_started=lambda self, part: taken.append(part)) as (
        server,
        handler,
        cookie,
        _,
    ):
        handler.seen = {}
        with expect_log("tornado.general", "XSRF|_xsrf"):
            assert (await post(server, form(*parts), cookie)).code == 403
        assert handler.seen == {}
        assert taken == []


async def test_overridden_check_xsrf_cookie(tmp_path):
    async with protected(tmp_path, check_xsrf_cookie=lambda self: None) as (server, _, _, _):
        assert (await post(server, form(file("f", "x", SMALL)))).code == 200


async def test_files_are_closed_early_and_removed_in_one_job(tmp_path, monkeypatch):
    removed: list[int] = []
    remove = _uploaded_file._remove_each
    monkeypatch.setattr(
        _uploaded_file, "_remove_each", lambda files: (removed.append(len(files)), remove(files))
    )
    raws: list[Any] = []
    members = {"part_finished": lambda self, part: raws.append(is_temporary_file_closed(part))}
    async with receiving(tmp_path, post=lambda self: None, **members) as (server, _):
        assert (await post(server, form(*[file("f", "x", LARGE)] * 5))).code == 200
        while not removed:
            await asyncio.sleep(0)
    assert removed == [5]
    assert raws == [True] * 5


@pytest.mark.parametrize("own", [False, True])
async def test_error_names_the_missing_directory(tmp_path, own, expect_log):
    missing = str(tmp_path / "missing")
    members = {"upload_directory": missing} if own else {}
    settings = {} if own else {"upload_directory": missing}
    handler = handler_of(web.UploadHandler, post=lambda self: self.write("taken"), **members)
    name = "Handler.upload_directory" if own else "the setting upload_directory"
    async with serving(web.Application([("/", handler)], **settings)) as server:
        with expect_log("tornado.application", "Uncaught exception POST /") as expected:
            assert (await post(server, form(field("a", b"b")))).code == 500
        assert str(raised(expected)) == f"{name} must be an existing directory, got {missing!r}"
        (tmp_path / "missing").mkdir()
        assert (await post(server, form(field("a", b"b")))).code == 200
