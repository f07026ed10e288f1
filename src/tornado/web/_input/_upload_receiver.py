"""The receiver of an `UploadHandler` body: it parses a form as it arrives, and collects any other body.

Each chunk of the body is processed by a generator, which yields awaitables: the result of a hook of the
program, or a Future for a write to disk. If it yields no awaitable, the chunk is processed completely in the
read callback. Otherwise, reading is paused until the whole chunk has been processed.

An error, whether caused by the client or raised by a hook, is raised in the handler's task, which is waiting
for the end of the body, and leads to an error response. The rest of the body is discarded.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Any, Protocol

from tornado._wire.errors import BodyTooLarge, HTTPInputError
from tornado._wire.limits import DEFAULT
from tornado._wire.multipart import END_OF_PART, MultipartParser, Part
from tornado.httputil._forms import multipart_boundary
from tornado.web._errors import HTTPError
from tornado.web._execution._execution_state import execution_of
from tornado.web._execution._response import Response
from tornado.web._input._uploaded_file import UploadedFile, remove_all


class UploadHooks(Protocol):
    """The limits and hooks of an `UploadHandler`, which documents them."""

    request: Any
    max_parts: int
    max_part_header_size: int
    max_fields_size: int
    max_file_size: int | None
    spool_size: int
    upload_directory: str | None
    progress_interval: float

    @property
    def application(self) -> Any: ...
    @property
    def uploads(self) -> dict[str, list[UploadedFile]]: ...
    def part_started(self, part: UploadedFile) -> Awaitable[None] | None: ...
    def part_received(self, part: UploadedFile, chunk: bytes) -> Awaitable[None] | None: ...
    def part_finished(self, part: UploadedFile) -> Awaitable[None] | None: ...
    def upload_progress(self, received: int, total: int | None) -> Awaitable[None] | None: ...


class UploadReceiver:
    """The receiver of the body of one request.

    It has only a weak reference to the handler, because the handler refers to it.

    :param response: the response of the handler; nothing is processed after it is finished.
    :param check_xsrf: checks the token of the form, before the first file and at the end; called with the
        handler.
    :raises HTTPError: if the head of the request shows that the body is not acceptable.
    """

    def __init__(self, handler: UploadHooks, response: Response, check_xsrf: Callable[[Any], None]) -> None:
        self._handler_ref = weakref.ref(handler)
        self._response = response
        self._check_xsrf = check_xsrf
        self.received = 0
        self.complete = False
        self.stopped = False
        self.files: list[UploadedFile] = []
        self._upload: UploadedFile | None = None
        self._field = ""
        self._chunks: list[bytes] = []
        self._fields_size = 0
        self._next_progress = 0.0
        request: Any = handler.request
        length = request.headers.get("Content-Length")
        content_length = int(length) if length is not None and length.isdigit() else None
        # Bytes are counted after decompression, and the total size after decompression is unknown.
        self.total = None if "X-Consumed-Content-Encoding" in request.headers else content_length
        take_over = getattr(request.connection, "disable_body_limit", None)
        # The limit is checked here instead of in the connection, so that the handler sends its error page.
        self._limit: int = DEFAULT.max_body_size if take_over is None else take_over()
        if content_length is not None and content_length > self._limit:
            raise self._too_large(f"Content-Length {content_length}")
        self._parser = self._make_parser(request)

    @property
    def handler(self) -> UploadHooks:
        """The handler, which exists while its body is received."""
        handler = self._handler_ref()
        assert handler is not None, "the handler exists while its body is received"
        return handler

    def _make_parser(self, request: Any) -> MultipartParser | None:
        kind: str = request.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() != "multipart/form-data":
            return None
        handler = self.handler
        request.body_arguments = {}
        request.files = handler.uploads
        try:
            if "Content-Encoding" in request.headers:
                coding = request.headers["Content-Encoding"]
                raise HTTPInputError(
                    f"Unsupported Content-Encoding of a form: {coding!r}; "
                    "decompress_request=True accepts gzip"
                )
            return MultipartParser(
                multipart_boundary(kind),
                max_parts=handler.max_parts,
                max_header_size=handler.max_part_header_size,
            )
        except HTTPInputError as error:
            raise _as_http_error(error) from error

    @property
    def collected(self) -> bool:
        """Whether the body is complete and is available as the request's ``body``."""
        return self.complete and self._parser is None

    # -- receiving --

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Process a chunk of the body. If an awaitable is returned, it must be done before the next call."""
        if self.stopped:
            return None
        self.received += len(chunk)
        steps = self._steps(chunk)
        try:
            waiting = next(steps, None)
        except Exception as error:
            self._fail(error)
            return None
        return None if waiting is None else self._continue(waiting, steps)

    async def _continue(self, waiting: Awaitable[Any], steps: Iterator[Awaitable[Any]]) -> None:
        following: Awaitable[Any] | None = waiting
        handler = self.handler  # kept until the chunk has been processed, even if the client disconnects
        try:
            while following is not None:
                await following
                following = None if self.stopped else next(steps, None)
        except Exception as error:
            self._fail(error)
        finally:
            del handler

    def _fail(self, error: Exception) -> None:
        if self.stopped:
            return
        self.stopped = True
        handler: Any = self.handler
        execution_of(handler).fail_body(_as_http_error(error) if isinstance(error, HTTPInputError) else error)

    async def end(self) -> None:
        """Process the end of the body.

        :raises HTTPError: if the body is incomplete or malformed.
        """
        if not self.stopped and not self._response.is_finished:
            for waiting in self._last_steps():
                await waiting
        self.complete = True

    # -- processing --

    def _steps(self, chunk: bytes) -> Iterator[Awaitable[Any]]:
        if self.received > self._limit:
            raise self._too_large("the body")
        now = monotonic()
        if now >= self._next_progress:
            self._next_progress = now + self.handler.progress_interval
            yield from _yield_awaitable(self.handler.upload_progress(self.received, self.total))
        if self._parser is None:
            self._count_fields(len(chunk), "a body that is not multipart/form-data")
            self._chunks.append(chunk)
        else:
            self._parser.receive_data(chunk)
            yield from self._parts(self._parser)

    def _last_steps(self) -> Iterator[Awaitable[Any]]:
        handler = self.handler
        try:
            if self._parser is None:
                handler.request.body = b"".join(self._chunks)
                self._chunks.clear()
                handler.request.save_form()
            elif self.received:
                self._parser.receive_eof()
                yield from self._parts(self._parser)
        except HTTPInputError as error:
            raise _as_http_error(error) from error
        self._check_xsrf(self.handler)
        if self.received:
            yield from _yield_awaitable(handler.upload_progress(self.received, self.total))

    def _parts(self, parser: MultipartParser) -> Iterator[Awaitable[Any]]:
        while (event := parser.next_event()) is not None:
            upload = self._upload
            if isinstance(event, bytes):
                if upload is None:
                    self._count_fields(len(event), "the form fields")
                    self._chunks.append(event)
                    continue
                upload.size += len(event)
                max_size = self.handler.max_file_size
                if max_size is not None and upload.size > max_size:
                    raise HTTPError(
                        413, "the file %r is larger than max_file_size (%d bytes)", upload.filename, max_size
                    )
                yield from _yield_awaitable(self.handler.part_received(upload, event))
            elif event is END_OF_PART:
                if upload is None:
                    self._end_field()
                else:
                    self._upload = None
                    yield from _yield_awaitable(upload.complete())
                    yield from _yield_awaitable(self.handler.part_finished(upload))
            else:
                assert isinstance(event, Part)
                if not event.filename:
                    self._field = event.name
                    continue
                self._check_xsrf(self.handler)
                yield from _yield_awaitable(self._begin_file(event))

    def _begin_file(self, part: Part) -> Any:
        handler = self.handler
        directory = handler.upload_directory or handler.application.settings.get("upload_directory")
        upload = self._upload = UploadedFile(part, directory, handler.spool_size)
        self.files.append(upload)
        handler.uploads.setdefault(part.name, []).append(upload)
        return handler.part_started(upload)

    def _end_field(self) -> None:
        value = b"".join(self._chunks)
        self._chunks.clear()
        request = self.handler.request
        for arguments in (request.body_arguments, request.arguments):
            arguments.setdefault(self._field, []).append(value)

    # -- limits --

    def _count_fields(self, size: int, description: str) -> None:
        self._fields_size += size
        max_size = self.handler.max_fields_size
        if self._fields_size > max_size:
            raise HTTPError(413, "%s: more than max_fields_size (%d bytes)", description, max_size)

    def _too_large(self, description: str) -> HTTPError:
        return HTTPError(413, "%s is larger than max_body_size (%d bytes)", description, self._limit)

    # -- cleaning up --

    async def release(self) -> None:
        """Stop receiving at the end of the request, and remove the files that the program has not kept."""
        self.stopped = True
        await remove_all(self.files)

    def release_now(self) -> None:
        """Do the same as `release`, synchronously."""
        self.stopped = True
        for upload in self.files:
            upload.remove_now()


def _yield_awaitable(result: Any) -> Iterator[Awaitable[Any]]:
    """Yield the result of a hook if it is an awaitable."""
    if result is not None:
        if not inspect.isawaitable(result):
            raise TypeError(f"a hook of an UploadHandler must return None or an awaitable, got {result!r}")
        yield result


def _as_http_error(error: HTTPInputError) -> HTTPError:
    """Return the `HTTPError` for a malformed or oversized body."""
    code = 413 if isinstance(error, BodyTooLarge) else error.status_code
    return HTTPError(code, "Invalid body: %s", error)
