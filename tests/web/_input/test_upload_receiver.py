"""The receiver of an `UploadHandler`, called with chunks, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tornado import web
from tornado.concurrent import Future
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web._execution._execution_state import execution_of
from tornado.web._execution._response import response_of
from tornado.web._input._upload_receiver import UploadReceiver

BODY = (
    b'--frontier\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n0123456789\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="last"\r\n\r\n\r\n'
    b"--frontier--\r\n"
)
FORM = "multipart/form-data; boundary=frontier"


class Connection:
    """A stub with the methods of an exchange that a receiver calls."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def disable_body_limit(self) -> int:
        return self.limit

    def set_close_callback(self, callback: Any) -> None:
        pass


class Upload(web.UploadHandler):
    """A handler that records the calls of its hooks and discards the files."""

    hooks: list[Any]

    def initialize(self) -> None:
        self.hooks = []

    def part_started(self, upload: Any) -> None:
        self.hooks.append(("started", upload.filename))

    def part_received(self, upload: Any, data: bytes) -> None:
        self.hooks.append(data)

    def part_finished(self, upload: Any) -> None:
        self.hooks.append(("finished", upload.size))


def receiver(
    kind: str = FORM, *, limit: int = 10_000, cls: Any = Upload, **fields: str
) -> tuple[UploadReceiver, Any]:
    headers = HTTPHeaders(
        {"Host": "a", "Content-Type": kind, **{name.replace("_", "-"): fields[name] for name in fields}}
    )
    connection: Any = Connection(limit)
    request: Any = HTTPServerRequest(
        start_line=RequestStartLine("POST", "/", "HTTP/1.1"), headers=headers, connection=connection
    )
    handler = cls(web.Application(), request)
    execution_of(handler).body = Future()
    return UploadReceiver(handler, response_of(handler), lambda handler: None), handler


def body_future(handler: Any) -> Any:
    return execution_of(handler).body


def joined(hooks: list[Any]) -> list[Any]:
    """Return the calls of hooks, with consecutive chunks joined."""
    found: list[Any] = []
    for each in hooks:
        if isinstance(each, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += each
        else:
            found.append(each)
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 50, len(BODY)])
async def test_form_split_into_chunks(size: int) -> None:
    body, handler = receiver(Content_Length=str(len(BODY)))
    for start in range(0, len(BODY), size):
        assert body.data_received(BODY[start : start + size]) is None  # nothing to await
    await body.end()
    assert joined(handler.hooks) == [("started", "a.txt"), b"0123456789", ("finished", 10)]
    assert handler.request.body_arguments == {"title": [b"A title"], "last": [b""]}
    assert body.complete
    assert not body.collected
    assert body.total == body.received == len(BODY)
    await body.release()


async def test_other_body_is_collected() -> None:
    body, handler = receiver("text/plain")
    assert body.total is None
    for chunk in (b"one ", b"two"):
        assert body.data_received(chunk) is None
    assert not body.collected
    await body.end()
    assert body.collected
    assert handler.request.body == b"one two"


async def test_awaited_hook_pauses_the_body() -> None:
    go_on = asyncio.Event()

    class Slow(Upload):
        async def part_started(self, upload: Any) -> None:  # type: ignore[override, unused-ignore]
            await go_on.wait()
            super().part_started(upload)

    body, handler = receiver(cls=Slow)
    waiting = body.data_received(BODY)
    assert waiting is not None
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    assert handler.hooks == []
    go_on.set()
    await task
    await body.end()
    assert len(joined(handler.hooks)) == 3
    await body.release()


async def test_content_length_over_the_limit() -> None:
    with pytest.raises(web.HTTPError, match=r"Content-Length 11 is larger than max_body_size \(10 bytes\)"):
        receiver(limit=10, Content_Length="11")


async def test_decompressed_body_has_a_limit_but_no_total() -> None:
    body, _ = receiver("text/plain", limit=10, Content_Length="5", X_Consumed_Content_Encoding="gzip")
    assert body.total is None
    assert body.data_received(b"0123456789") is None
    assert body.data_received(b"0") is None
    error = body_future(body.handler).exception()
    assert isinstance(error, web.HTTPError)
    assert error.status_code == 413


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"--frontier\r\nno colon\r\n\r\nx", 400), (b"x" * 11_000, 413)],
)
async def test_error_is_raised_in_the_handler(data: bytes, code: int) -> None:
    body, handler = receiver()
    assert body.data_received(data) is None
    error = body_future(handler).exception()
    assert isinstance(error, web.HTTPError)
    assert error.status_code == code
    assert body.stopped
    assert body.data_received(b"the rest is discarded") is None
    assert handler.hooks == []


async def test_truncated_form_raises() -> None:
    body, _ = receiver()
    body.data_received(BODY[:-20])
    with pytest.raises(web.HTTPError, match="Invalid body"):
        await body.end()
    body.release_now()


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data"])
async def test_forms_rejected_by_their_head(kind: str) -> None:
    fields = {"Content_Encoding": "br"} if kind == FORM else {}
    with pytest.raises(web.HTTPError) as caught:
        receiver(kind, **fields)
    assert caught.value.status_code == 400


async def test_files_are_removed_at_the_end_of_the_request(tmp_path: Path) -> None:
    class Kept(web.UploadHandler):
        upload_directory = str(tmp_path)
        spool_size = 0

    body, handler = receiver(cls=Kept)
    waiting = body.data_received(BODY)
    if waiting is not None:
        await waiting
    await body.end()
    (upload,) = handler.uploads["file"]
    assert Path(upload.path).read_bytes() == b"0123456789"
    await body.release()
    assert list(tmp_path.iterdir()) == []
