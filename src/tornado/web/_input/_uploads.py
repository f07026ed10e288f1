"""`UploadHandler`: the public interface for receiving large files.

It is implemented by `_upload_receiver` and `_uploaded_file`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Any

from tornado.concurrent import Future
from tornado.web._errors import HTTPError
from tornado.web._execution._response import response_of
from tornado.web._handler import RequestHandler
from tornado.web._input._upload_receiver import UploadReceiver
from tornado.web._input._uploaded_file import UploadedFile


class UploadHandler(RequestHandler):
    """A handler that receives uploads of any size with little memory.

    Forms (``multipart/form-data``) are parsed as they arrive. Form fields become arguments, as in other
    handlers. Files are written to disk, or kept in memory if they are small, and are complete when the method
    is called::

        class Photos(UploadHandler):
            max_body_size = 2 * 1024**3
            max_file_size = 512 * 1024**2

            async def post(self):
                for photo in self.uploads.get("photo", []):
                    await photo.move_to(new_path(photo.content_type))
                self.redirect("/")

    At the end of the request, a file that was neither moved nor kept by `UploadedFile.keep` is removed, even
    after an error or if the client has disconnected.

    To store the content elsewhere, override `part_received`, and `part_started` and `part_finished` if
    necessary. Each of these methods may be ``async``. The body is not read while one of them is running.

    A body of any other type is collected as in other handlers, up to `max_fields_size`: it is available as
    ``request.body``, by `get_json_body`, and as the arguments of a URL-encoded form.

    ``prepare`` ends before the body is read. Attributes that it sets on ``self``, such as a larger
    `max_file_size` for certain users, apply to this request. If a limit is exceeded, the response is 413, and
    for a malformed form it is 400. In both cases `write_error` is called; ``exc_info`` and the log name the
    limit.

    With the setting ``xsrf_cookies``, a token in a header field or the query is checked before ``prepare``. A
    token in a form field is checked after ``prepare``, before the first file is received. Therefore its field
    must precede the files: put ``{% module xsrf_form_html() %}`` right after ``<form …>``.

    Attributes that a class may set, in addition to those of every handler: `max_parts`,
    `max_part_header_size`, `max_fields_size`, `max_file_size`, `spool_size`, `upload_directory`,
    `progress_interval`; see docs/reference/settings.md.
    """

    __module__ = "tornado.web"  # the module that exports this class

    _stream_request_body = True

    #: The maximum number of parts in a form, fields and files together. If it is exceeded, the response is
    #: 400.
    max_parts: int = 100
    #: The maximum size of the header fields of a part, in bytes. If it is exceeded, the response is 400.
    max_part_header_size: int = 10 * 1024
    #: The maximum total size of the values of all fields, and of a body that is not multipart/form-data, in
    #: bytes. These values are kept in memory. If it is exceeded, the response is 413.
    max_fields_size: int = 1024 * 1024
    #: The maximum size of a file in bytes; None means that only `max_body_size` applies. If it is exceeded,
    #: the response is 413.
    max_file_size: int | None = None
    #: The maximum size, in bytes, of a file that is kept in memory.
    spool_size: int = 64 * 1024
    #: The directory for files. None means the application's setting ``upload_directory`` or else the system's
    #: directory for temporary files, which may be in memory. Moving a file is cheap only within a file
    #: system.
    upload_directory: str | None = None
    #: The minimum time between two calls of `upload_progress`, in seconds.
    progress_interval: float = 0.1

    _receiver: UploadReceiver | None = None
    _xsrf_deferred = False
    _executed = False

    @property
    def uploads(self) -> dict[str, list[UploadedFile]]:
        """The files received so far, by the names of their fields; ``request.files`` is the same object."""
        found: dict[str, list[UploadedFile]] = self.__dict__.setdefault("_uploads", {})
        return found

    # -- hooks to override --

    def part_started(self, part: UploadedFile) -> Awaitable[None] | None:
        """Called at the beginning of a file; raise an `HTTPError` to reject it.

        :param part: the file, with its name, type and header fields.
        """

    def part_received(self, part: UploadedFile, chunk: bytes) -> Awaitable[None] | None:
        """Called with each chunk of a file. By default, the chunk is stored in memory or on disk.

        An override may process the bytes differently, or call this method as well. In that case it must await
        or return the result of this method, if it is not None.

        :param chunk: the bytes, at least one and usually at most 64 KiB.
        """
        return part.write(chunk)

    def part_finished(self, part: UploadedFile) -> Awaitable[None] | None:
        """Called when a file is complete and can be read.

        :param part: the file; its content is available as ``part.file``.
        """

    def upload_progress(self, received: int, total: int | None) -> Awaitable[None] | None:
        """Called as the body arrives, at most once per `progress_interval`, and once at its end.

        :param received: the number of bytes of the body received so far.
        :param total: the size of the body in bytes. None if the client has not sent Content-Length, or if the
            body is decompressed (``decompress_request``), because `received` counts the decompressed bytes.
        """

    # -- receiving the body --

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Process a chunk of the body. Override the hooks above instead of this method."""
        if self._receiver is None:
            return None
        return self._receiver.data_received(chunk)

    def _before_body(self) -> None:
        super()._before_body()
        verb = getattr(self, self.request.method.lower(), None)
        if getattr(verb, "__func__", None) is RequestHandler._unimplemented_method:
            raise HTTPError(405)  # without receiving the body
        _check_directory(self)
        self._receiver = UploadReceiver(self, response_of(self), type(self)._check_xsrf_now)

    def _body_is_collected(self) -> bool:
        return self._receiver is not None and self._receiver.collected

    def _after_body(self) -> Awaitable[None] | None:
        assert self._receiver is not None
        return self._receiver.end()

    def check_xsrf_cookie(self) -> None:
        """Check the XSRF token; if it is not in the head of the request, check it later in the form."""
        if self._receiver is None and not self._carries_xsrf_token():
            self._xsrf_deferred = True
            return
        super().check_xsrf_cookie()

    def _carries_xsrf_token(self) -> bool:
        headers = self.request.headers
        return bool(
            headers.get("X-Xsrftoken") or headers.get("X-Csrftoken") or self.get_query_argument("_xsrf", None)
        )

    def _check_xsrf_now(self) -> None:
        if self._xsrf_deferred:
            self._xsrf_deferred = False
            self.check_xsrf_cookie()

    # -- cleaning up --

    async def _execute(self, transforms: list[Any], *args: bytes, **kwargs: bytes) -> None:
        try:
            await super()._execute(transforms, *args, **kwargs)
        finally:
            self._executed = True
            receiver = self._receiver
            if receiver is not None and (self._auto_finish or self._finished or not receiver.complete):
                await receiver.release()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Complete the response; see `RequestHandler.finish`."""
        written = super().finish(chunk)
        if self._executed and self._receiver is not None:
            self._receiver.release_now()  # _execute() has already returned without releasing the files
        return written


#: A cache of directories that were found to exist.
_existing_directories: set[Any] = set()
_MAX_DIRECTORIES = 1000


def _check_directory(handler: UploadHandler) -> None:
    """Check that the directory for files exists, before the body is received.

    :raises FileNotFoundError: if it does not exist. The message names the attribute or setting.
    """
    own = handler.upload_directory
    directory = own or handler.application.settings.get("upload_directory")
    if not directory or directory in _existing_directories:
        return
    if not os.path.isdir(directory):
        name = f"{type(handler).__name__}.upload_directory" if own else "the setting upload_directory"
        raise FileNotFoundError(f"{name} must be an existing directory, got {os.fspath(directory)!r}")
    if len(_existing_directories) < _MAX_DIRECTORIES:
        _existing_directories.add(directory)
