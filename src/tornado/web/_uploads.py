"""`UploadHandler`: the manual of receiving files without holding them in memory. The work is done by
`_upload_receiver` and `_uploaded_file`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Any

from tornado.concurrent import Future
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler
from tornado.web._upload_receiver import UploadReceiver
from tornado.web._uploaded_file import UploadedFile


class UploadHandler(RequestHandler):
    """A handler whose uploads, however large, cost next to no memory.

    Forms (``multipart/form-data``) are taken apart while they arrive. Fields become arguments, as everywhere;
    files are written to disk, or kept in memory while they are small, and are there when the method runs::

        class Photos(UploadHandler):
            max_body_size = 2 * 1024**3
            max_file_size = 512 * 1024**2

            async def post(self):
                for photo in self.uploads.get("photo", []):
                    await photo.move_to(new_path(photo.content_type))
                self.redirect("/")

    A file that was not moved, and not kept by `UploadedFile.keep`, is removed at the end of the request,
    however that comes: by an answer, an error, or because the client is gone.

    To send contents elsewhere, override `part_received`, and `part_started` and `part_finished` around it.
    Each of the hooks may be ``async``: while one works, no more of the body is read.

    A body of any other type is collected as in other handlers (``request.body``, `get_json_body`, and
    arguments of an urlencoded form), up to `max_fields_size`.

    ``prepare`` is over before the first bytes are read; what it sets on ``self`` (a larger `max_file_size`
    for some users, say) counts for this request. What passes a limit is answered with 413, a malformed form
    with 400, by the handler's own `write_error`; ``exc_info`` and the log name the limit.

    With the setting ``xsrf_cookies`` the token may come in a header or in the query, and is checked before
    ``prepare`` then. Where it comes as a field of the form, it is checked before the first file is taken,
    thus after ``prepare``: put the field before the files, as ``{% module xsrf_form_html() %}`` right after
    ``<form …>`` does.

    Attributes that a class may set, beside those of every handler: `max_parts`, `max_part_header_size`,
    `max_fields_size`, `max_file_size`, `spool_size`, `upload_directory`, `progress_interval`; see
    docs/reference/settings.md.
    """

    __module__ = "tornado.web"  # its public address

    _stream_request_body = True

    #: Most parts in a form, fields and files together; more are answered with 400.
    max_parts: int = 100
    #: Most bytes in the header fields of one part; more are answered with 400.
    max_part_header_size: int = 10 * 1024
    #: Most bytes in the values of all fields together, and in a body that is no multipart form: they are held
    #: in memory. More are answered with 413.
    max_fields_size: int = 1024 * 1024
    #: Most bytes in one file, answered with 413; None: as many as the body may have (`max_body_size`).
    max_file_size: int | None = None
    #: Up to so many bytes of a file stay in memory.
    spool_size: int = 64 * 1024
    #: Where files are written; None: the application's setting ``upload_directory``, else the system's place
    #: for temporary files, which may be in memory. Files are moved from it cheaply within a file system.
    upload_directory: str | None = None
    #: Seconds that are at least between two calls of `upload_progress`.
    progress_interval: float = 0.1

    _reception: UploadReceiver | None = None
    _xsrf_later = False
    _executed = False

    @property
    def uploads(self) -> dict[str, list[UploadedFile]]:
        """The files received so far, by the names of their fields; ``request.files`` is the same."""
        found: dict[str, list[UploadedFile]] = self.__dict__.setdefault("_uploads", {})
        return found

    # -- moments of an upload, to be overridden --

    def part_started(self, part: UploadedFile) -> Awaitable[None] | None:
        """Called when a file begins; raise an `HTTPError` to refuse it.

        :param part: the file, with what its header says.
        """

    def part_received(self, part: UploadedFile, chunk: bytes) -> Awaitable[None] | None:
        """Called with each piece of a file. This one keeps it: in memory, and from `spool_size` on on disk.

        An override may do something else with the bytes, or something more and call this one too; what this
        one returns, if anything, is to be awaited or returned.

        :param chunk: not empty, most often up to 64 KiB.
        """
        return part._write(chunk)

    def part_finished(self, part: UploadedFile) -> Awaitable[None] | None:
        """Called when a file is complete and can be read.

        :param part: the file; its content is in ``part.file``.
        """

    def upload_progress(self, received: int, total: int | None) -> Awaitable[None] | None:
        """Called as the body arrives, not more often than `progress_interval` says, and once at its end.

        :param received: bytes of the body so far, everything counted.
        :param total: of how many; None where the client has not announced it, and where the body is inflated
            (``decompress_request``), as `received` counts what it has become.
        """

    # -- the body's way --

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a piece of the body; override the hooks above rather than this."""
        if self._reception is None:
            return None
        return self._reception.data_received(chunk)

    def _body_begins(self) -> None:
        super()._body_begins()
        verb = getattr(self, self.request.method.lower(), None)
        if getattr(verb, "__func__", None) is RequestHandler._unimplemented_method:
            raise HTTPError(405)  # before the body is taken for nothing
        _check_directory(self)
        self._reception = UploadReceiver(self)

    def _body_is_collected(self) -> bool:
        return self._reception is not None and self._reception.collected

    def _body_ends(self) -> Awaitable[None] | None:
        assert self._reception is not None
        return self._reception.end()

    def check_xsrf_cookie(self) -> None:
        """As in every handler, but a token in the form is waited for."""
        if self._reception is None and not self._carries_xsrf_token():
            self._xsrf_later = True
            return
        super().check_xsrf_cookie()

    def _carries_xsrf_token(self) -> bool:
        headers = self.request.headers
        return bool(
            headers.get("X-Xsrftoken") or headers.get("X-Csrftoken") or self.get_query_argument("_xsrf", None)
        )

    def _check_xsrf_now(self) -> None:
        if self._xsrf_later:
            self._xsrf_later = False
            self.check_xsrf_cookie()

    # -- the end --

    async def _execute(self, transforms: list[Any], *args: bytes, **kwargs: bytes) -> None:
        try:
            await super()._execute(transforms, *args, **kwargs)
        finally:
            self._executed = True
            reception = self._reception
            if reception is not None and (self._auto_finish or self._finished or not reception.complete):
                await reception.release()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Complete the response; see `RequestHandler.finish`."""
        written = super().finish(chunk)
        if self._executed and self._reception is not None:
            self._reception.release_now()  # this handler was through before, and finishes by itself
        return written


#: Directories that have been seen.
_SEEN: set[Any] = set()
_MOST_SEEN = 1000


def _check_directory(handler: UploadHandler) -> None:
    """See that there is a place for files, before any are taken.

    :raises FileNotFoundError: if there is none; the message names what has set it.
    """
    own = handler.upload_directory
    directory = own or handler.application.settings.get("upload_directory")
    if not directory or directory in _SEEN:
        return
    if not os.path.isdir(directory):
        name = f"{type(handler).__name__}.upload_directory" if own else "the setting upload_directory"
        raise FileNotFoundError(f"{name}: there is no directory {os.fspath(directory)!r}")
    if len(_SEEN) < _MOST_SEEN:
        _SEEN.add(directory)
