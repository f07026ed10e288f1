"""`StaticFileHandler`: serving the files of a directory.

`StaticFileHandler.validate_absolute_path` resolves all symbolic links in a path from a URL and checks that
the result is below the root. The file is then opened once, and the open file is checked: it must be a regular
file below the root. Size, modification time, entity tag and content are all taken from the open file. The
size is read once. If the file grows while it is sent, the additional bytes are not sent; if it shrinks, the
connection is closed.

Files of at most `_static_fast_path.SMALL` bytes are read and sent in one step. The stream sends larger files
from the page cache to the socket, a limited number of bytes per event loop iteration; see
``docs/design/0003-static-files.md``.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
import hashlib
import inspect
import mimetypes
import os
import re
import stat
import sys
import threading
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, ClassVar, NamedTuple

from tornado import httputil, iostream
from tornado._original_methods import OriginalMethods
from tornado._wire.dates import parse_http_date
from tornado.escape import url_escape
from tornado.iostream._core import FAIR_SHARE
from tornado.iostream._file_segment import FileSegment, read_at, truncated
from tornado.log import gen_log
from tornado.web._encoding import _transforms
from tornado.web._errors import HTTPError
from tornado.web._execution import _response
from tornado.web._execution._bypassed_methods import OUTPUT
from tornado.web._execution._execute import FastPathAwaitable, Rest
from tornado.web._execution._preconditions import precondition_fails
from tornado.web._files import _static_fast_path, _static_precompressed, _static_versions
from tornado.web._files._static_paths import (
    Directories,
    OpenFile,
    identity,
    is_allowed,
    is_below,
    open_regular,
    open_within,
    try_stat,
)
from tornado.web._handler import RequestHandler

_READ_SIZE = 64 * 1024
# A single range that is a bare number, or whose end is before its start.
_INVALID_RANGE = re.compile(r"\s*bytes\s*=\s*[0-9]+\s*(?:-\s*[0-9]+\s*)?", re.IGNORECASE | re.ASCII)


class _FileRange(NamedTuple):
    """The bytes of a file to send.

    :ivar start: the position of the first byte, or None for the beginning of the file.
    :ivar end: the position after the last byte, or None for the end of the file.
    :ivar length: the number of bytes.
    """

    start: int | None
    end: int | None
    length: int


class _FastPathGet(FastPathAwaitable):
    """The return value of `StaticFileHandler.get`: tries the fast path first."""

    __slots__ = ("_handler", "_include_body", "_path")

    def __init__(self, handler: StaticFileHandler, path: str, include_body: bool) -> None:
        self._handler = handler
        self._path = path
        self._include_body = include_body

    def respond_now(self) -> bool:
        return _static_fast_path.respond(self._handler, self._path, self._include_body)

    def coroutine(self) -> Rest:
        return self._handler._serve(self._path, self._include_body)


class StaticFileHandler(RequestHandler):
    r"""A handler that serves the files of a directory.

    An application with the setting ``static_path`` adds one automatically. In a route, the pattern captures
    the path below the root in one group::

        (r"/files/(.*)", StaticFileHandler, {"path": "/srv/files"})

    :param path: (of the route) the root directory.
    :param default_filename: (of the route) the file served for a directory, such as ``index.html``.
    :param allowed_symlink_directory: (of the route) another directory, or a list of directories, to which
        symbolic links below the root may point.

    To serve content from elsewhere, override `get_absolute_path`, `get_content`, `get_content_size` and
    `get_modified_time`. Overriding `get_content` disables the sending of files from the page cache; other
    overrides do not.

    With the setting ``static_precompressed``, the precompressed files ``app.js.br``, ``app.js.zst`` or
    ``app.js.gz`` are sent instead of ``app.js`` if the client accepts the content coding. See
    `precompressed`; docs/reference/settings.md lists the other attributes that a class may set.
    """

    #: The time in seconds for which a URL with a version may be cached.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: The maximum number of cached versions. The least recently used ones are dropped first.
    MAX_CACHED_VERSIONS = 10_000
    #: The maximum size, in bytes, of a file that has a version, which is a hash of its content. The entity
    #: tag of a larger file consists of its modification time and size.
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024

    #: Whether to send precompressed files: True for ``br``, ``zstd`` and ``gzip``, or a list of codings in
    #: order of preference. None: the setting ``static_precompressed`` of the application, which accepts the
    #: same values. Precompressed files are not sent if a subclass overrides a method that finds or reads
    #: files. A precompressed file that is older than the original is not sent either.
    precompressed: ClassVar[bool | Sequence[str] | None] = None

    _static_hashes: ClassVar[_static_versions.Hashes] = collections.OrderedDict()
    _lock = threading.Lock()  # for _static_hashes

    allowed_symlink_directory: Directories = None
    default_filename: str | None = None
    absolute_path: str | None = None
    modified: datetime.datetime | None = None

    _stat_result: os.stat_result | None = None
    _file: OpenFile | None = None
    _file_version: str | None = None
    _weak_etag: str | None = None  # the entity tag of a file that is being modified

    def initialize(
        self,
        path: str,
        default_filename: str | None = None,
        allowed_symlink_directory: Directories = None,
    ) -> None:
        """Store the arguments of the route; see the class."""
        self.root = path
        self.default_filename = default_filename
        self.allowed_symlink_directory = allowed_symlink_directory

    @classmethod
    def reset(cls) -> None:
        """Clear the cache of versions."""
        cls._version_cache().clear()
        _static_fast_path.reset()

    @classmethod
    def _version_cache(cls) -> _static_versions.VersionCache:
        """Return the cache in `_static_hashes`, which a subclass may define and a program may replace."""
        return _static_versions.VersionCache(cls._static_hashes, cls._lock)

    def head(self, path: str) -> Awaitable[None]:
        """Respond as `get` does, without the body."""
        return self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> Awaitable[None]:
        """Serve the file at `path`, or the requested range of it.

        :param include_body: False for HEAD.
        """
        return _FastPathGet(self, path, include_body)

    async def _serve(self, path: str, include_body: bool) -> None:
        """Serve a file on the slow path, which calls every method that a subclass may override."""
        self.path: str = self.parse_url_path(path)
        coded = None
        known = _static_fast_path.reopen(self, path)
        if known is not None:
            self._file, self._file_version, found = known
        else:
            unchecked = self.get_absolute_path(self.root, self.path)  # a subclass may set another root here
            absolute_path = self.validate_absolute_path(self.root, unchecked)
            if absolute_path is None:
                return  # redirected
            found = absolute_path
        self.absolute_path = found
        try:
            if known is None:
                coded = self._open(self.root, found)
                await self._find_version(found)
                if self._file is not None and coded is None:
                    _static_fast_path.store(self, path, self._file, self._file_version)
            self.modified = self.get_modified_time()
            self.set_headers()
            if coded is not None:
                self._set_coding(coded.coding)
            # Not `check_preconditions`, whose name a program's own method may have.
            if precondition_fails(self.request.headers, self._headers.get("Etag", ""), self.modified):
                raise HTTPError(412)
            if self.should_return_304():
                self.set_status(304)
                return
            part = self._choose_part(self.get_content_size())
            if part is not None and self._transforms and OUTPUT.are_original_on(self):
                _transforms.drop_idle(self, part.length)
            if part is not None and include_body:
                await self._send(found, part)
        finally:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _open(self, root: Any, path: str) -> _static_precompressed.PrecompressedFile | None:
        """Open the file or its precompressed variant, unless a subclass reads the content.

        :returns: the choice between the variants, or None if the file has no precompressed variants.
        """
        self._stat_result = None
        if not _READING.are_original_on(self):
            return None
        if not _VALIDATION.are_original_on(self) or not isinstance(root, (str, os.PathLike)):
            try:
                self._file = open_regular(path)  # the subclass has decided that the file may be served
            except (OSError, ValueError):
                self._file = None
            return None
        root = os.fspath(root)
        links_into = self.allowed_symlink_directory
        file = self._file = open_within(path, root, links_into)
        codings = self._codings()
        if not codings or not _REPRESENTATION.are_original_on(self):
            return None
        accepted = self.request.headers.get("Accept-Encoding")
        coded = _static_precompressed.find(file, codings, accepted, root, links_into)
        if coded is not None and coded.file is not None:
            file.close()
            self._file = coded.file
        return coded

    def _codings(self) -> tuple[str, ...]:
        setting = self.application.settings.get("static_precompressed")
        own = type(self).precompressed
        return () if own is setting is None else _static_precompressed.wanted(own, setting)

    def _set_coding(self, coding: str | None) -> None:
        vary = self._headers.get("Vary")
        self.set_header("Vary", f"{vary}, Accept-Encoding" if vary else "Accept-Encoding")
        if coding is not None:
            self.set_header("Content-Encoding", coding)

    async def _find_version(self, path: str) -> None:
        """Compute the version of the open file, in a thread if the file is large."""
        self._file_version = self._weak_etag = None
        file = self._file
        if file is None or not _TAGGING.are_original_on(self):
            return
        try:
            self._file_version = await self._version_cache().version_of(file, self)
        except OSError as error:
            gen_log.error("Could not read static file %r: %s", path, error)
        if self._file_version is None:
            self._weak_etag = _static_versions.weak_etag(file)

    # -- sending --

    async def _send(self, path: str, part: _FileRange) -> None:
        """Send a part of a file: exactly the announced number of bytes, even if the file has grown."""
        file = self._file
        if file is None:
            await self._send_chunks(self.get_content(path, part.start, part.end), part.length)
        elif part.length > _static_fast_path.SMALL and self._may_send_file():
            await self._send_file(file, part)
        else:
            await self._send_chunks(_read(file, part), part.length)

    def _may_send_file(self) -> bool:
        """Whether the stream may send the file directly, without `write`, `flush` and the transforms."""
        return (
            not self._transforms
            and self.request.method != "HEAD"
            and OUTPUT.are_original_on(self)
            and _response.is_plain(self.request.connection)
        )

    async def _send_file(self, file: OpenFile, part: _FileRange) -> None:
        connection: Any = self.request.connection
        _ = self.flush()  # sends the head; if this fails, sending the file fails too
        try:
            await connection.write_file(FileSegment(file.take(), part.start or 0, part.length))
        except iostream.StreamClosedError:
            return

    async def _send_chunks(self, content: Any, remaining: int) -> None:
        since_yield = 0
        try:
            for chunk in [content] if isinstance(content, bytes) else content:
                if remaining <= 0:
                    return  # the file has grown
                self.write(chunk if len(chunk) <= remaining else chunk[:remaining])
                remaining -= len(chunk)
                since_yield += len(chunk)
                await self.flush()
                if since_yield >= FAIR_SHARE:
                    # flush() may not have suspended: a compressor can consume much input without any output.
                    since_yield = 0
                    await asyncio.sleep(0)
        except iostream.StreamClosedError:
            return
        finally:
            close = getattr(content, "close", None)
            if close is not None:
                close()

    def _choose_part(self, size: int) -> _FileRange | None:
        """Return the part of a file of `size` bytes to send, and set the status and header fields for it.

        If the requested range is not satisfiable, set the status 416 and return None (RFC 9110 section 14).
        """
        header = self.request.headers.get("Range")
        if not header or not self._range_applies():
            return self._whole(size)
        requested = httputil._parse_request_range(header)
        if requested is None:
            # Section 14.2: an invalid Range may be ignored or rejected.
            return self._not_satisfiable(size) if _INVALID_RANGE.fullmatch(header) else self._whole(size)
        start, end = requested
        if start is not None and start < 0:
            if size == 0:
                return self._whole(size)
            start = max(0, size + start)
        elif start is not None and start >= size:
            return self._not_satisfiable(size)
        if end is not None:
            end = min(end, size)  # a range may exceed the end of the file
            if end <= (start or 0):
                return self._not_satisfiable(size)
        length = (size if end is None else end) - (start or 0)
        if length != size:
            self.set_status(206)
            self.set_header("Content-Range", httputil._get_content_range(start, end, size))
        self.set_header("Content-Length", length)
        return _FileRange(start, end, length)

    def _whole(self, size: int) -> _FileRange:
        self.set_header("Content-Length", size)
        return _FileRange(None, None, size)

    def _not_satisfiable(self, size: int) -> _FileRange | None:
        self.set_status(416)
        self.clear_header("Content-Encoding")
        self.set_header("Content-Type", "text/plain")
        self.set_header("Content-Range", f"bytes */{size}")
        return None

    def _range_applies(self) -> bool:
        """Whether If-Range is absent or matches the file, so that Range is evaluated (section 13.1.5)."""
        condition = self.request.headers.get("If-Range")
        if not condition:
            return True
        if condition.startswith(('"', "W/")):
            return not condition.startswith("W/") and bool(condition == self._headers.get("Etag"))
        # The modification time of a file that is being modified is not a strong validator (section 8.8.2.2).
        return self._weak_etag is None and bool(condition == self._headers.get("Last-Modified"))

    def compute_etag(self) -> str | None:
        """Return the version of the file as a strong entity tag.

        While the file is being modified, a weak entity tag is returned, which consists of its modification
        time and size.
        """
        assert self.absolute_path is not None
        # The version of the open file is used. The path may now refer to a newer file, or it refers to the
        # original although the open file is a precompressed one.
        if self._file_version is None and self._weak_etag is None:
            self._find_version_sync()
        if self._weak_etag is not None:
            return self._weak_etag
        version = self._file_version
        if version is None:
            found = try_stat(self.absolute_path)
            if found is not None and self._too_large(found):
                version = _static_versions.version_of_large_file(found)
            else:
                version = self._get_cached_version(self.absolute_path)
        return f'"{version}"' if version else None

    def _find_version_sync(self) -> None:
        """Compute the version synchronously, for a subclass whose `compute_etag` calls the inherited one."""
        file = self._file
        if file is None or not _CACHED_VERSION.are_original_on(self):
            return
        try:
            self._file_version = self._version_cache().version_of_sync(file, self)
        except OSError as error:
            gen_log.error("Could not read static file %r: %s", file.path, error)
        if self._file_version is None:
            self._weak_etag = _static_versions.weak_etag(file)

    def set_headers(self) -> None:
        """Set the header fields about the file: entity tag, modification time, media type and caching."""
        self.set_etag_header()
        self.set_header("Accept-Ranges", "bytes")
        media_type = self.get_content_type()
        if media_type:
            self.set_header("Content-Type", media_type)
        modified = self.modified
        if modified is not None:
            self.set_header("Last-Modified", modified)
        seconds = self.get_cache_time(self.path, modified, media_type)
        if seconds > 0:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            self.set_header("Expires", expires)
            self.set_header("Cache-Control", f"max-age={seconds}")
        self.set_extra_headers(self.path)

    def should_return_304(self) -> bool:
        """Whether the client's copy is current, by If-None-Match or else If-Modified-Since.

        See RFC 9110 section 13.2.2.
        """
        if self.request.headers.get("If-None-Match"):
            return self.check_etag_header()
        since = self.request.headers.get("If-Modified-Since")
        if since is None or self.modified is None:
            return False
        parsed = parse_http_date(since)
        modified = self.modified
        if modified.tzinfo is None:
            modified = modified.replace(tzinfo=datetime.UTC)  # subclasses may return a naive datetime in UTC
        return parsed is not None and parsed >= modified.timestamp()

    # -- paths --

    def parse_url_path(self, url_path: str) -> str:
        """Convert the path of the URL to a path of the file system."""
        return url_path if os.path.sep == "/" else url_path.replace("/", os.path.sep)

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Return the absolute path of `path` below `root`.

        Symbolic links are not resolved here, but in `validate_absolute_path`.

        :raises HTTPError: (403) if the path is not below the root.
        """
        absolute_path = os.path.abspath(os.path.join(root, path))
        if not is_below(os.path.abspath(root), absolute_path):
            raise HTTPError(403, "%s is not in root static directory", path)
        return absolute_path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Check that a file may be served, and find the default file of a directory.

        :returns: the path to open, or None if the response is a redirect.
        :raises HTTPError: (403) if the path is outside the root or not a regular file; (404) if it does not
            exist.
        """
        if "\x00" in absolute_path or (
            sys.platform == "win32" and ":" in os.path.splitdrive(absolute_path)[1]
        ):
            raise HTTPError(404)
        lexically_below = is_below(os.path.abspath(root), absolute_path)
        if not lexically_below and not is_below(os.path.realpath(root), absolute_path):
            raise HTTPError(403, "%s is not in root static directory", self.path)
        if not is_allowed(root, self.allowed_symlink_directory, absolute_path):
            raise HTTPError(403, "%s is not in root static directory", self.path)
        if os.path.isdir(absolute_path) and self.default_filename is not None:
            if not self.request.path.endswith("/"):
                if self.request.path.startswith(("//", "/\\", "\\")):
                    raise HTTPError(403, "cannot redirect path with two initial slashes")
                self.redirect(self.request.path + "/", permanent=True)
                return None
            absolute_path = os.path.join(absolute_path, self.default_filename)
            if not is_allowed(root, self.allowed_symlink_directory, absolute_path):
                raise HTTPError(403, "%s is not in root static directory", self.path)
        if not os.path.exists(absolute_path):
            raise HTTPError(404)
        if not os.path.isfile(absolute_path):
            raise HTTPError(403, "%s is not a file", self.path)
        return absolute_path

    # -- content --

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the content of a file in chunks.

        :param start: the position of the first byte, or None for the beginning of the file.
        :param end: the position after the last byte, or None for the end of the file.
        """
        with open(abspath, "rb") as file:
            if start is not None:
                file.seek(start)
            remaining = None if end is None else end - (start or 0)
            while remaining is None or remaining > 0:
                chunk = file.read(_READ_SIZE if remaining is None else min(_READ_SIZE, remaining))
                if not chunk:
                    return
                if remaining is not None:
                    remaining -= len(chunk)
                yield chunk

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """Return a version of the file: a str that changes with its content."""
        content: Any = cls.get_content(abspath)
        hasher = hashlib.sha512()
        for chunk in [content] if isinstance(content, bytes) else content:
            hasher.update(chunk)
        return hasher.hexdigest()

    @classmethod
    def _too_large(cls, found: os.stat_result) -> bool:
        """Whether a file is too large to be hashed, unless a subclass computes versions differently."""
        return found.st_size > cls.MAX_VERSION_CONTENT_SIZE and cls._has_default_version()

    @classmethod
    def _has_default_version(cls) -> bool:
        """Whether versions are computed by this class's `get_content_version`."""
        return _VERSION.are_original(cls)

    def _stat(self) -> os.stat_result:
        if self._file is not None:
            return self._file.stat
        assert self.absolute_path is not None
        result = self._stat_result
        if result is None:
            result = self._stat_result = os.stat(self.absolute_path)
        return result

    def get_content_size(self) -> int:
        """Return the size of the file in bytes, as it was when the file was opened."""
        return self._stat().st_size

    def get_modified_time(self) -> datetime.datetime | None:
        """Return the modification time of the file in whole seconds, as in HTTP dates.

        If a subclass returns None, Last-Modified is not sent.
        """
        seconds = int(self._stat().st_mtime)
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

    def get_content_type(self) -> str:
        """Return the media type, determined by the extension of the file."""
        assert self.absolute_path is not None
        mime_type, encoding = mimetypes.guess_type(self.absolute_path)
        if encoding == "gzip":
            # RFC 6713: a compressed file is served as it is, without Content-Encoding.
            return "application/gzip"
        if encoding is not None:
            return "application/octet-stream"
        return mime_type or "application/octet-stream"

    def set_extra_headers(self, path: str) -> None:
        """Override to set additional header fields."""

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Return the time in seconds for which the response may be cached: `CACHE_MAX_AGE` for a URL with a
        version, otherwise 0.
        """
        return self.CACHE_MAX_AGE if "v" in self.request.arguments else 0

    # -- URLs --

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        """Return the URL of the file `path`, with its version as the argument ``v``."""
        url: str = settings.get("static_url_prefix", "/static/") + path
        if not include_version:
            return url
        version = cls.get_version(settings, path)
        return f"{url}?v={url_escape(version)}" if version else url

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """Return the version of the file `path` below ``static_path``, or None if it cannot be read.

        :raises HTTPError: (403) if `path` is outside ``static_path``.
        """
        root = settings["static_path"]
        abspath = cls.get_absolute_path(root, path)
        links_into = settings.get("static_handler_args", {}).get("allowed_symlink_directory")
        return cls._get_cached_version(abspath, (root, links_into or cls.allowed_symlink_directory))

    @classmethod
    def _get_cached_version(cls, abspath: str, within: tuple[Any, Directories] | None = None) -> str | None:
        """Return the version of a file, or None if it has none. The version is cached until the file changes.

        :param within: the root and the directories to which links may point, if the path has not been
            validated yet.
        """
        found = try_stat(abspath)  # also None if a subclass reads the content from elsewhere
        state: tuple[int, ...] | None = None if found is None else identity(found)
        if state is not None and found is not None and cls._too_large(found):
            state += (cls.MAX_VERSION_CONTENT_SIZE,)  # the result depends on the limit, too
        known = cls._version_cache().get(abspath, state)
        if known is not None:
            return known[0]
        version: str | None
        try:
            if found is not None:
                cls._check_hashable(abspath, found, within)
            version = cls.get_content_version(abspath)
        except Exception as error:
            gen_log.error("Could not open static file %r: %s", abspath, error)
            version = None
        # A subclass's version may be independent of the modification time, so it is always cached.
        always = not cls._has_default_version()
        cls._version_cache().store(abspath, state, version, cls.MAX_CACHED_VERSIONS, always)
        return version

    @classmethod
    def _check_hashable(
        cls, abspath: str, found: os.stat_result, within: tuple[Any, Directories] | None
    ) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a file")
        if cls._too_large(found):
            raise ValueError(
                f"it is larger than MAX_VERSION_CONTENT_SIZE ({cls.MAX_VERSION_CONTENT_SIZE} bytes)"
            )
        if within is not None and _PATH.are_original(cls) and not is_allowed(*within, abspath):
            raise ValueError("it is a symbolic link to a file outside the static directory")


def _read(file: OpenFile, part: _FileRange) -> Generator[bytes, None, None]:
    """Yield the bytes of a part in chunks."""
    position = part.start or 0
    end = position + part.length
    while position < end:
        chunk = read_at(file.fd, min(_READ_SIZE, end - position), position)
        if not chunk:
            raise truncated()
        position += len(chunk)
        yield chunk


if sys.version_info >= (3, 12):
    # This is for programs that call inspect.iscoroutinefunction() before they wrap a method.
    inspect.markcoroutinefunction(StaticFileHandler.get)

# The methods of this class without which parts of the work can be done differently.
_PATH = OriginalMethods(StaticFileHandler, "get_absolute_path")
_VALIDATION = OriginalMethods(StaticFileHandler, "validate_absolute_path")
_READING = OriginalMethods(StaticFileHandler, "get_content")
_REPRESENTATION = OriginalMethods(
    StaticFileHandler, "get_content_version", "get_content_size", "compute_etag"
)
_VERSION = OriginalMethods(StaticFileHandler, "get_content_version")
_CACHED_VERSION = OriginalMethods(StaticFileHandler, "get_content_version", "_get_cached_version")
_TAGGING = OriginalMethods(StaticFileHandler, "get_content_version", "_get_cached_version", "compute_etag")
_static_fast_path.STEPS.record(StaticFileHandler)
