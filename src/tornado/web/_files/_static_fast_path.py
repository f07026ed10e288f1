"""The fast path for small static files: one table look-up, one open file, one send.

The slow path (`StaticFileHandler._serve`) stores an `_Entry` for each file: its path, its identity and its
header fields as bytes. The next request opens the file, checks that its identity has not changed and that it
is still below the root, and sends the stored fields and the content. If the file is large or a range is
requested, the slow path continues with the open file. The content is not cached, because a cache would save
only the read, which is two percent of the cost of a request.

The fast path is taken only if none of the methods that it bypasses is overridden or patched in the classes of
the handler, the connection and the stream. This is checked for each request.
"""

from __future__ import annotations

import datetime
import mimetypes
import os
from time import time
from typing import Any

from tornado import httputil
from tornado._original_methods import OriginalMethods
from tornado._wire.dates import parse_http_date
from tornado.web._encoding import _transforms
from tornado.web._execution import _response, _response_fields
from tornado.web._execution._response import response_of, security_of
from tornado.web._files._static_paths import OpenFile, identity, is_below, open_regular
from tornado.web._files._static_versions import is_settled

#: The maximum size, in bytes, of a file that is read and sent in one step.
SMALL = 64 * 1024
#: The maximum number of entries. A full table is emptied.
_MAX_ENTRIES = 4096

#: The methods called by the slow path, which a program may replace. The originals are those of
#: `StaticFileHandler`.
STEPS = OriginalMethods(
    None,
    "_serve",
    "parse_url_path",
    "get_absolute_path",
    "validate_absolute_path",
    "get_content",
    "get_content_version",
    "_get_cached_version",
    "get_content_size",
    "get_modified_time",
    "get_content_type",
    "get_cache_time",
    "compute_etag",
    "set_headers",
    "set_extra_headers",
    "should_return_304",
    "set_status",
    "set_header",
    "set_etag_header",
    "check_etag_header",
    "write",
    "flush",
    "finish",
    "send_error",
)
_guess_type = mimetypes.guess_type

#: The entries by root, path and ``MAX_VERSION_CONTENT_SIZE``; the entity tag depends on that limit.
_entries: dict[tuple[str, str, int], _Entry] = {}
_expires = (0, 0, b"")


class _Entry:
    """The data that the slow path has determined about a file.

    :ivar path: the path used to open the file.
    :ivar absolute: the absolute path found by the slow path.
    :ivar name: the path of the URL as a path of the file system.
    :ivar real_root: the beginning of the real path of every file below the root.
    :ivar default: the name of the default file if the URL was that of its directory, otherwise None.
    :ivar state: the identity of the file.
    :ivar type_source: the data from which the media type was determined, from `_type_source`.
    :ivar fields_before_date: the header fields before Date.
    :ivar fields_after_date: the header fields after Date.
    :ivar tail: Content-Length and the end of the head.
    :ivar modified: the modification time in whole seconds since the epoch.
    :ivar modified_datetime: the modification time as a `datetime`, for the attribute of the handler.
    """

    __slots__ = (
        "absolute",
        "default",
        "etag",
        "extension",
        "fields_after_date",
        "fields_before_date",
        "media_type",
        "modified",
        "modified_datetime",
        "name",
        "path",
        "real_root",
        "size",
        "state",
        "tail",
        "type_source",
        "version",
    )

    def __init__(self, handler: Any, path: str, file: OpenFile, version: str, default: str | None) -> None:
        # The root is not resolved in `path`: if a link in it, or the working directory, changes, the opened
        # file is no longer below `real_root`.
        self.path = os.path.join(handler.root, path) + (default or "")
        self.real_root = os.path.join(os.path.realpath(handler.root), "")
        self.absolute = file.path
        self.name = handler.parse_url_path(path)
        self.default = default
        self.state = identity(file.stat)
        self.size = file.stat.st_size
        self.modified = int(file.stat.st_mtime)
        self.modified_datetime = datetime.datetime.fromtimestamp(self.modified, datetime.UTC)
        self.version = version
        self.etag = etag = f'"{version}"'
        self.extension = os.path.splitext(file.path)[1]
        self.type_source = _type_source(self.extension)
        self.media_type = handler.get_content_type()
        self.fields_before_date = f"Server: {_response.SERVER}\r\nContent-Type: {self.media_type}\r\n"
        modified = httputil.format_timestamp(self.modified)
        self.fields_after_date = f"Etag: {etag}\r\nAccept-Ranges: bytes\r\nLast-Modified: {modified}\r\n"
        self.tail = f"Content-Length: {self.size}\r\n\r\n".encode()

    def open(self) -> OpenFile | None:
        """Open and return the file if it has not changed and is still below the root, otherwise None."""
        try:
            file = open_regular(self.path)
        except OSError:
            return None
        if file is None:
            return None
        if identity(file.stat) == self.state and file.real is not None:
            if file.real.startswith(self.real_root):
                return file
        file.close()
        return None

    def read(self) -> bytes | None:
        """Return the content if the file has not changed and is still below the root, otherwise None."""
        file = self.open()
        if file is None:
            return None
        try:
            data = os.read(file.fd, self.size + 1)
            return data if len(data) == self.size else None
        except OSError:
            return None
        finally:
            file.close()


def reset() -> None:
    """Remove all entries."""
    _entries.clear()


def _has_own_steps(handler: Any) -> bool:
    """Whether none of the steps is replaced, in the class of a handler or in the handler itself."""
    return STEPS.are_original(type(handler)) and STEPS.absent_from(handler.__dict__)


def store(handler: Any, path: str, file: OpenFile, version: str | None) -> None:
    """Store an entry for `path` if the fast path may be used for it."""
    root: Any = handler.root
    if (
        version is None
        or type(root) is not str
        or file.real is None
        or not is_below(os.path.realpath(root), file.real)
        or not is_settled(file.stat.st_mtime_ns)
        or not _has_own_steps(handler)
    ):
        return
    default = None
    written = os.path.join(os.path.abspath(root), path)
    if written != file.path:
        # The path may be that of a directory with a default file. Other spellings of a path are not stored.
        default = handler.default_filename
        if default is None or not written.endswith("/") or written + default != file.path:
            return
    if len(_entries) >= _MAX_ENTRIES:
        _entries.clear()
    _entries[root, path, handler.MAX_VERSION_CONTENT_SIZE] = _Entry(handler, path, file, version, default)


def _find(handler: Any, path: str) -> _Entry | None:
    """Return the entry for `path` if it exists and the class of the handler overrides none of the steps."""
    root: Any = handler.root
    key = (root, path, handler.MAX_VERSION_CONTENT_SIZE)
    entry = _entries.get(key) if type(root) is str else None
    if entry is None or not _has_own_steps(handler) or handler._codings():
        return None
    if entry.default is not None:
        if entry.default != handler.default_filename or not handler.request.path.endswith("/"):
            return None
    return entry


def reopen(handler: Any, path: str) -> tuple[OpenFile, str, str] | None:
    """Open the file of an entry for the slow path, which can then skip the checks of the path.

    :returns: the open file, its version and its absolute path; None if the entry is missing or outdated.
    """
    entry = _find(handler, path)
    file = None if entry is None else entry.open()
    return None if entry is None or file is None else (file, entry.version, entry.absolute)


def respond(handler: Any, path: str, include_body: bool) -> bool:
    """Send the file of an entry; return False, without sending anything, if the slow path is needed."""
    entry = _find(handler, path)
    request = handler.request
    connection: Any = request.connection
    if (
        entry is None
        or entry.size > SMALL
        or not _is_fresh(handler)
        or not _response.is_plain(connection)
        or connection.head is None
        or connection.head.has_body
        or mimetypes.guess_type is not _guess_type
        or _type_source(entry.extension) != entry.type_source
    ):
        return False
    modified = _is_modified(request, entry)
    if modified is None or not _has_idle_transforms(handler, entry, modified):
        return False
    body = entry.read()
    if body is None:
        _entries.pop((handler.root, path, handler.MAX_VERSION_CONTENT_SIZE), None)
        return False
    _send(handler, connection, entry, modified, body if include_body and request.method == "GET" else b"")
    return True


def _is_fresh(handler: Any) -> bool:
    """Whether the program has not changed the response, and the response is finished automatically."""
    response = response_of(handler)
    return response.is_unchanged() and response.auto_finish and handler.request.method in ("GET", "HEAD")


def _has_idle_transforms(handler: Any, entry: _Entry, modified: bool) -> bool:
    """Whether the transforms of the handler would only add Vary."""
    transforms = response_of(handler).transforms
    if not transforms:
        return True
    if not modified and "W/" in handler.request.headers.get("If-None-Match", ""):
        return False  # the client has the compressed representation
    return _transforms.are_idle(transforms, entry.media_type.lower(), entry.size)


def _type_source(extension: str) -> tuple[Any, Any, Any]:
    """Return the entries of `mimetypes` for an extension; a program may change them at any time."""
    return (
        mimetypes.types_map.get(extension),
        mimetypes.encodings_map.get(extension),
        mimetypes.suffix_map.get(extension),
    )


def _is_modified(request: httputil.HTTPServerRequest, entry: _Entry) -> bool | None:
    """Whether the client's copy is missing or outdated; None if the slow path decides."""
    head = getattr(request, "_head", None)  # absent if a delegate wraps the application
    if head is not None:
        fields = head.headers_block.lower()
        if "range" not in fields and "if-" not in fields:
            return True
    headers = request.headers
    if headers.get("Range") or "If-Match" in headers or "If-Unmodified-Since" in headers:
        return None
    condition = headers.get("If-None-Match")
    if condition:
        return not _response_fields.etag_matches(condition, entry.etag)
    since = headers.get("If-Modified-Since")
    parsed = parse_http_date(since) if since is not None else None
    return parsed is None or parsed < entry.modified


def _send(handler: Any, connection: Any, entry: _Entry, modified: bool, body: bytes) -> None:
    date = _response.date()
    fields_before_date = entry.fields_before_date
    tail = entry.tail
    if not modified:
        handler.set_status(304)
        fields_before_date, _, _ = fields_before_date.partition("Content-Type")
        body, tail = b"", b"\r\n"
    block = f"{fields_before_date}Date: {date}\r\n{entry.fields_after_date}".encode("latin-1")
    response = response_of(handler)
    if response.transforms:
        block += b"Vary: Accept-Encoding\r\n"
    request = handler.request
    if request.query and "v" in request.arguments:
        block += _cache_fields(handler.CACHE_MAX_AGE)
    security = security_of(handler)
    if security is not None:
        block += security.block(request)
    handler.path = entry.name
    handler.absolute_path = entry.absolute
    handler.modified = entry.modified_datetime
    response.send_whole(handler, connection, block, tail, body)


def _cache_fields(seconds: int) -> bytes:
    """Return the fields Expires and Cache-Control. The date is formatted once per second."""
    global _expires
    if seconds <= 0:
        return b""
    now = int(time())
    expires = _expires  # another thread may replace it
    if expires[:2] != (now, seconds):
        date = httputil.format_timestamp(now + seconds)
        block = f"Expires: {date}\r\nCache-Control: max-age={seconds}\r\n".encode()
        expires = _expires = now, seconds, block
    return expires[2]
