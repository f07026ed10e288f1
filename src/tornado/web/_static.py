"""`StaticFileHandler`: files of a directory.

A path from a URL reaches the file system only after `StaticFileHandler.validate_absolute_path` has resolved
every symbolic link in it and found the result below the root. Then the file is opened, once, and the system
is asked whether the open file is a regular one below the root; its size, time, tag and content are all those
of the open file. The size is read once: of a file that grows meanwhile as much is sent as was announced, and
one that shrinks ends the connection.

Files of `_static_fast_path.SMALL` bytes and less are read and sent in one; larger ones go from the page cache
to the socket by the stream's own hand, a fair share a turn of the loop; see
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
from types import MethodType
from typing import Any, ClassVar, NamedTuple

from tornado import httputil, iostream
from tornado._wire.dates import parse_http_date
from tornado.escape import url_escape
from tornado.iostream._core import FAIR_SHARE
from tornado.iostream._file_segment import FileSegment, read_at, truncated
from tornado.log import gen_log
from tornado.web import _response, _static_fast_path, _static_precompressed, _static_versions, _transforms
from tornado.web._errors import HTTPError
from tornado.web._execute import Rest, SyncOrAwaitable
from tornado.web._handler import RequestHandler
from tornado.web._static_paths import (
    Directories,
    OpenFile,
    allowed,
    below,
    identity,
    open_regular,
    open_within,
    try_stat,
)

_CHUNK = 64 * 1024
# One range of bytes whose end lies before its start, or that is a bare number.
_WRONG_RANGE = re.compile(r"\s*bytes\s*=\s*[0-9]+\s*(?:-\s*[0-9]+\s*)?", re.IGNORECASE | re.ASCII)


class _Part(NamedTuple):
    """Bytes of a file: from `start` to before `end` (None: its ends), `length` of them."""

    start: int | None
    end: int | None
    length: int


class _Answer(SyncOrAwaitable):
    """What `StaticFileHandler.get` returns."""

    __slots__ = ("_handler", "_include_body", "_path")

    def __init__(self, handler: StaticFileHandler, path: str, include_body: bool) -> None:
        self._handler = handler
        self._path = path
        self._include_body = include_body

    def at_once(self) -> bool:
        return _static_fast_path.respond(self._handler, self._path, self._include_body)

    def coroutine(self) -> Rest:
        return self._handler._serve(self._path, self._include_body)


class StaticFileHandler(RequestHandler):
    r"""Serves the files of a directory; an application makes one itself for its setting ``static_path``.

    The route's pattern captures the path below the root, in one group::

        (r"/files/(.*)", StaticFileHandler, {"path": "/srv/files"})

    :param path: (of the route) the root directory.
    :param default_filename: (of the route) the file served for a directory, such as ``index.html``.
    :param allowed_symlink_directory: (of the route) another directory, or a list of them, that links below
        the root may lead into.

    To serve from elsewhere, override `get_absolute_path`, `get_content`, `get_content_size` and
    `get_modified_time`. A subclass that overrides `get_content` gives up the fast ways of sending; any other
    hook leaves them on.

    With the setting ``static_precompressed`` files that were compressed beforehand are sent to clients that
    take them: ``app.js.br``, ``app.js.zst`` or ``app.js.gz`` beside ``app.js``. See `precompressed`;
    docs/reference/settings.md lists the other attributes that a class may set.
    """

    #: Seconds for which a versioned address may be cached.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: Versions of files that are remembered; the ones used longest ago go first.
    MAX_CACHED_VERSIONS = 10_000
    #: Bytes up to which a file has a version, which is a hash of its content. The tag of a larger one is made
    #: of its time and size.
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024

    #: Whether to send files that were compressed beforehand: True for any of ``br``, ``zstd``, ``gzip``, or
    #: those that are wanted, the best first. None leaves it to the application's setting
    #: ``static_precompressed``, which says the same. Files are looked for only where this class finds and
    #: reads them, not where a subclass does. A sibling older than its original is not sent.
    precompressed: ClassVar[bool | Sequence[str] | None] = None

    _static_hashes: ClassVar[collections.OrderedDict[str, tuple[tuple[int, ...] | None, str | None]]] = (
        collections.OrderedDict()
    )
    _lock = threading.Lock()  # of _static_hashes

    allowed_symlink_directory: Directories = None
    default_filename: str | None = None
    absolute_path: str | None = None
    modified: datetime.datetime | None = None

    _stat_result: os.stat_result | None = None
    _file: OpenFile | None = None
    _file_version: str | None = None
    _weak_tag: str | None = None  # of a file that is being changed

    def initialize(
        self,
        path: str,
        default_filename: str | None = None,
        allowed_symlink_directory: Directories = None,
    ) -> None:
        """Take the route's arguments; see the class."""
        self.root = path
        self.default_filename = default_filename
        self.allowed_symlink_directory = allowed_symlink_directory

    @classmethod
    def reset(cls) -> None:
        """Forget all versions."""
        with cls._lock:
            cls._static_hashes.clear()
        _static_fast_path.reset()

    def head(self, path: str) -> Awaitable[None]:
        """As `get`, without the body."""
        return self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> Awaitable[None]:
        """Serve the file at `path`, or the range of it that is asked for.

        :param include_body: False for HEAD.
        """
        return _Answer(self, path, include_body)

    async def _serve(self, path: str, include_body: bool) -> None:
        """What awaiting `get` does: the long way, which calls every hook."""
        self.path: str = self.parse_url_path(path)
        coded = None
        known = _static_fast_path.reopen(self, path)
        if known is not None:
            self._file, self._file_version, found = known
        else:
            unchecked = self.get_absolute_path(self.root, self.path)  # which may choose another root
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
                    _static_fast_path.remember(self, path, self._file, self._file_version)
            self.modified = self.get_modified_time()
            self.set_headers()
            if coded is not None:
                self._set_coding(coded.coding)
            if self.should_return_304():
                self.set_status(304)
                return
            part = self._choose_part(self.get_content_size())
            if part is not None and self._transforms and self._has_own_output():
                _transforms.drop_idle(self, part.length)
            if part is not None and include_body:
                await self._send(found, part)
        finally:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _has_own(self, *names: str) -> bool:
        """Whether these methods are the ones written here."""
        for name in names:
            method = getattr(self, name)
            if (method.__func__ if type(method) is MethodType else method) is not _OWN[name]:
                return False
        return True

    def _open(self, root: Any, path: str) -> _static_precompressed.PrecompressedFile | None:
        """Open what will be sent, unless a subclass reads by itself.

        :returns: what the coding is, None if there is but the file itself.
        """
        self._stat_result = None
        if not self._has_own("get_content"):
            return None
        if not self._has_own("validate_absolute_path") or not isinstance(root, (str, os.PathLike)):
            try:
                self._file = open_regular(path)  # whether it may be served is for the subclass to say
            except (OSError, ValueError):
                self._file = None
            return None
        root = os.fspath(root)
        links_into = self.allowed_symlink_directory
        file = self._file = open_within(path, root, links_into)
        codings = self._codings()
        if not codings or not self._has_own("get_content_version", "get_content_size", "compute_etag"):
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
        """Hash the open file off the loop if that would take time, while there is somebody who can wait."""
        self._file_version = self._weak_tag = None
        file = self._file
        if file is None or not self._has_own("get_content_version", "_get_cached_version", "compute_etag"):
            return
        try:
            self._file_version = await _static_versions.of_open(type(self), file)
        except OSError as error:
            gen_log.error("Could not read static file %r: %s", path, error)
        if self._file_version is None:
            self._weak_tag = _static_versions.weak_tag(file)

    # -- sending --

    async def _send(self, path: str, part: _Part) -> None:
        """Send a part of a file: as many bytes as were announced, whatever has become of the file since."""
        file = self._file
        if file is None:
            await self._send_chunks(self.get_content(path, part.start, part.end), part.length)
        elif part.length > _static_fast_path.SMALL and self._may_send_file():
            await self._send_file(file, part)
        else:
            await self._send_chunks(_read(file, part), part.length)

    def _may_send_file(self) -> bool:
        """Whether the bytes may go round `write` and all that is behind it."""
        return (
            not self._transforms
            and self.request.method != "HEAD"
            and self._has_own_output()
            and _response.is_plain(self.request.connection)
        )

    def _has_own_output(self) -> bool:
        cls = type(self)
        return cls.write is RequestHandler.write and cls.flush is RequestHandler.flush

    async def _send_file(self, file: OpenFile, part: _Part) -> None:
        connection: Any = self.request.connection
        _ = self.flush()  # the head; what fails here fails below
        try:
            await connection._write_file(FileSegment(file.take(), part.start or 0, part.length))
        except iostream.StreamClosedError:
            return

    async def _send_chunks(self, content: Any, left: int) -> None:
        taken = 0
        try:
            for chunk in [content] if isinstance(content, bytes) else content:
                if left <= 0:
                    return  # the file has grown
                self.write(chunk if len(chunk) <= left else chunk[:left])
                left -= len(chunk)
                taken += len(chunk)
                await self.flush()
                if taken >= FAIR_SHARE:
                    # Nothing may have been written, and nothing waited for: a compressor takes more than it
                    # gives.
                    taken = 0
                    await asyncio.sleep(0)
        except iostream.StreamClosedError:
            return
        finally:
            close = getattr(content, "close", None)
            if close is not None:
                close()

    def _choose_part(self, size: int) -> _Part | None:
        """What to send of a file of `size` bytes (RFC 9110 section 14); sets status and headers to match.

        None: the range that is asked for is not there, and the status is 416.
        """
        header = self.request.headers.get("Range")
        if not header or not self._range_applies():
            return self._whole(size)
        asked = httputil._parse_request_range(header)
        if asked is None:
            # Section 14.2 lets us ignore what is no range, or refuse it.
            return self._refused(size) if _WRONG_RANGE.fullmatch(header) else self._whole(size)
        start, end = asked
        if start is not None and start < 0:
            if size == 0:
                return self._whole(size)
            start = max(0, size + start)
        elif start is not None and start >= size:
            return self._refused(size)
        if end is not None:
            end = min(end, size)  # a client that asks for more than there is gets what there is
            if end <= (start or 0):
                return self._refused(size)
        length = (size if end is None else end) - (start or 0)
        if length != size:
            self.set_status(206)
            self.set_header("Content-Range", httputil._get_content_range(start, end, size))
        self.set_header("Content-Length", length)
        return _Part(start, end, length)

    def _whole(self, size: int) -> _Part:
        self.set_header("Content-Length", size)
        return _Part(None, None, size)

    def _refused(self, size: int) -> _Part | None:
        self.set_status(416)
        self.clear_header("Content-Encoding")
        self.set_header("Content-Type", "text/plain")
        self.set_header("Content-Range", f"bytes */{size}")
        return None

    def _range_applies(self) -> bool:
        """If-Range: the part goes with what the client has only if the file is the same (section 13.1.5)."""
        condition = self.request.headers.get("If-Range")
        if not condition:
            return True
        if condition.startswith(('"', "W/")):
            return not condition.startswith("W/") and bool(condition == self._headers.get("Etag"))
        # The time of a file that is being changed does not tell one state from the next (section 8.8.2.2).
        return self._weak_tag is None and bool(condition == self._headers.get("Last-Modified"))

    def compute_etag(self) -> str | None:
        """The file's version as a strong tag; a weak one, of time and size, while it is being changed."""
        assert self.absolute_path is not None
        # Not by the path, which may lead to another state, or to the original of what is sent.
        if self._file_version is None and self._weak_tag is None:
            self._find_version_at_once()
        if self._weak_tag is not None:
            return self._weak_tag
        version = self._file_version
        if version is None:
            found = try_stat(self.absolute_path)
            if found is not None and self._too_large(found):
                version = _static_versions.of_large(found)
            else:
                version = self._get_cached_version(self.absolute_path)
        return f'"{version}"' if version else None

    def _find_version_at_once(self) -> None:
        """For a subclass whose own `compute_etag` calls ours, so that nothing was hashed beforehand."""
        file = self._file
        if file is None or not self._has_own("get_content_version", "_get_cached_version"):
            return
        try:
            self._file_version = _static_versions.of_open_at_once(type(self), file)
        except OSError as error:
            gen_log.error("Could not read static file %r: %s", file.path, error)
        if self._file_version is None:
            self._weak_tag = _static_versions.weak_tag(file)

    def set_headers(self) -> None:
        """Set what describes the file: tag, time, type, how long it may be cached."""
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
        """Whether the client's copy is current, by its tag, else by its time (RFC 9110 section 13.2.2)."""
        if self.request.headers.get("If-None-Match"):
            return self.check_etag_header()
        since = self.request.headers.get("If-Modified-Since")
        if since is None or self.modified is None:
            return False
        parsed = parse_http_date(since)
        modified = self.modified
        if modified.tzinfo is None:
            modified = modified.replace(tzinfo=datetime.UTC)  # as older subclasses give it
        return parsed is not None and parsed >= modified.timestamp()

    # -- paths --

    def parse_url_path(self, url_path: str) -> str:
        """Turn the URL's path into one of the file system."""
        return url_path if os.path.sep == "/" else url_path.replace("/", os.path.sep)

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Where `path` below `root` is.

        Links are not followed yet; `validate_absolute_path` does.

        :raises HTTPError: (403) if it is not below the root.
        """
        absolute_path = os.path.abspath(os.path.join(root, path))
        if not below(os.path.abspath(root), absolute_path):
            raise HTTPError(403, "%s is not in root static directory", path)
        return absolute_path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """See that a file may be served, and find the default file of a directory.

        :returns: the path to open; None if the response is a redirect.
        :raises HTTPError: 403 outside the root or for what is not a regular file, 404 if there is none.
        """
        if "\x00" in absolute_path or (os.name == "nt" and ":" in os.path.splitdrive(absolute_path)[1]):
            raise HTTPError(404)
        lexically_below = below(os.path.abspath(root), absolute_path)
        if not lexically_below and not below(os.path.realpath(root), absolute_path):
            raise HTTPError(403, "%s is not in root static directory", self.path)
        if not allowed(root, self.allowed_symlink_directory, absolute_path):
            raise HTTPError(403, "%s is not in root static directory", self.path)
        if os.path.isdir(absolute_path) and self.default_filename is not None:
            if not self.request.path.endswith("/"):
                if self.request.path.startswith(("//", "/\\", "\\")):
                    raise HTTPError(403, "cannot redirect path with two initial slashes")
                self.redirect(self.request.path + "/", permanent=True)
                return None
            absolute_path = os.path.join(absolute_path, self.default_filename)
            if not allowed(root, self.allowed_symlink_directory, absolute_path):
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
        """The bytes of a file, in parts.

        :param start: first byte; None for the beginning.
        :param end: one more than the last byte; None for the end.
        """
        with open(abspath, "rb") as file:
            if start is not None:
                file.seek(start)
            remaining = None if end is None else end - (start or 0)
            while remaining is None or remaining > 0:
                chunk = file.read(_CHUNK if remaining is None else min(_CHUNK, remaining))
                if not chunk:
                    return
                if remaining is not None:
                    remaining -= len(chunk)
                yield chunk

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """A text that changes with the file's content."""
        content: Any = cls.get_content(abspath)
        hasher = hashlib.sha512()
        for chunk in [content] if isinstance(content, bytes) else content:
            hasher.update(chunk)
        return hasher.hexdigest()

    @classmethod
    def _too_large(cls, found: os.stat_result) -> bool:
        """Whether a file would take too long to be hashed, as it is here."""
        return found.st_size > cls.MAX_VERSION_CONTENT_SIZE and cls._hashes()

    @classmethod
    def _hashes(cls) -> bool:
        """Whether versions are what `get_content_version` makes of them here."""
        version_of: Any = cls.get_content_version
        return type(version_of) is MethodType and version_of.__func__ is _OWN["get_content_version"]

    def _stat(self) -> os.stat_result:
        if self._file is not None:
            return self._file.stat
        assert self.absolute_path is not None
        result = self._stat_result
        if result is None:
            result = self._stat_result = os.stat(self.absolute_path)
        return result

    def get_content_size(self) -> int:
        """The file's size in bytes, as it was when the request came."""
        return self._stat().st_size

    def get_modified_time(self) -> datetime.datetime | None:
        """When the file was last changed, in whole seconds as HTTP dates have it; None leaves it out."""
        seconds = int(self._stat().st_mtime)
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

    def get_content_type(self) -> str:
        """The media type, by the file's name."""
        assert self.absolute_path is not None
        mime_type, encoding = mimetypes.guess_type(self.absolute_path)
        if encoding == "gzip":
            # The file is an archive: its bytes are not decoded for display (RFC 6713).
            return "application/gzip"
        if encoding is not None:
            return "application/octet-stream"
        return mime_type or "application/octet-stream"

    def set_extra_headers(self, path: str) -> None:
        """Override to set further headers."""

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Seconds for which nobody need ask for the file again: many for an address with a version."""
        return self.CACHE_MAX_AGE if "v" in self.request.arguments else 0

    # -- addresses --

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        """The address of the file `path`, with its version as the argument ``v``."""
        url: str = settings.get("static_url_prefix", "/static/") + path
        if not include_version:
            return url
        version = cls.get_version(settings, path)
        return f"{url}?v={url_escape(version)}" if version else url

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """The version of the file `path` below the setting ``static_path``; None if it cannot be read.

        :raises HTTPError: (403) if `path` leads out of ``static_path``.
        """
        root = settings["static_path"]
        abspath = cls.get_absolute_path(root, path)
        links_into = settings.get("static_handler_args", {}).get("allowed_symlink_directory")
        return cls._get_cached_version(abspath, (root, links_into or cls.allowed_symlink_directory))

    @classmethod
    def _get_cached_version(cls, abspath: str, within: tuple[Any, Directories] | None = None) -> str | None:
        """The version of a file, hashed anew only when the file has changed; None: it has none.

        :param within: the root, and where else links may lead, for a path that has not been validated yet.
        """
        found = try_stat(abspath)  # None perhaps because a subclass reads from elsewhere
        state: tuple[int, ...] | None = None if found is None else identity(found)
        if state is not None and found is not None and cls._too_large(found):
            state += (cls.MAX_VERSION_CONTENT_SIZE,)  # it has no version here, but may have in another class
        known = _static_versions.recall(cls, abspath, state)
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
        # A version of a subclass need not have to do with when the file was changed.
        _static_versions.keep(cls, abspath, state, version, always=not cls._hashes())
        return version

    @classmethod
    def _check_hashable(
        cls, abspath: str, found: os.stat_result, within: tuple[Any, Directories] | None
    ) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a file")
        if cls._too_large(found):
            raise ValueError(f"it is larger than {cls.MAX_VERSION_CONTENT_SIZE} bytes")
        own_path: Any = cls.get_absolute_path
        ours = type(own_path) is MethodType and own_path.__func__ is _OWN["get_absolute_path"]
        if within is not None and ours and not allowed(*within, abspath):
            raise ValueError("a link leads out of the static directory")


def _read(file: OpenFile, part: _Part) -> Generator[bytes, None, None]:
    """The bytes of a part, some at a time."""
    position = part.start or 0
    end = position + part.length
    while position < end:
        chunk = read_at(file.fd, min(_CHUNK, end - position), position)
        if not chunk:
            raise truncated()
        position += len(chunk)
        yield chunk


if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(StaticFileHandler.get)  # for programs that look before they wrap it

# To be known when a subclass, or a patch, has its own.
_OWN: dict[str, Any] = {
    name: getattr(method, "__func__", method)
    for name, method in vars(StaticFileHandler).items()
    if callable(getattr(method, "__func__", method))
}
_static_fast_path.note_own_steps(StaticFileHandler)
