"""Multipart forms as request bodies, for the ``data`` and ``files`` arguments of `HTTPRequest`."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tornado._wire.multipart_writer import PART_END, closing_delimiter, part_head
from tornado._wire.urlencoded import text_pairs
from tornado.httpclient._body import BodySource, Write, body_source

__all__ = ["MultipartSource"]

_DEFAULT_TYPE = "application/octet-stream"


class _Part(NamedTuple):
    head: bytes
    content: BodySource


class MultipartSource(BodySource):
    """A ``multipart/form-data`` body: first the fields, then the files, each in the given order.

    The length of the body is known if the length of each file is known. The body can be sent again if each
    file can be sent again.

    :param data: form fields; see `tornado._wire.urlencoded.text_pairs`.
    :param files: a mapping or pairs of field name and file. A file is its content (any type that
        `body_source` accepts), or a tuple ``(filename, content)`` or ``(filename, content, content_type)``.
    :param boundary: the boundary, a random token.
    :raises TypeError: if a field or a file has an unsupported type.
    :raises OSError: if the status of a file cannot be read.
    """

    kind = "a form with a file that can be read only once"

    def __init__(
        self,
        data: Mapping[str, Any] | Iterable[tuple[str, Any]] | None,
        files: Mapping[str, Any] | Iterable[tuple[str, Any]],
        boundary: str,
    ) -> None:
        self.boundary = boundary
        self._parts = [
            _Part(part_head(boundary, name), body_source(value.encode() if isinstance(value, str) else value))
            for name, value in text_pairs(data or (), "data")
        ]
        self._parts += [_file_part(boundary, name, file) for name, file in _file_pairs(files)]
        self._end = closing_delimiter(boundary)
        self.replayable = all(part.content.replayable for part in self._parts)
        self.length = _total_length(self._parts, self._end)

    @property
    def content_type(self) -> str:
        """The value of the Content-Type field."""
        return f"multipart/form-data; boundary={self.boundary}"

    async def _send(self, write: Write) -> None:
        # Small pieces are joined, so a form without large files is sent as one chunk.
        pending: list[bytes] = []

        async def write_joined(chunk: bytes) -> None:
            pending.append(chunk)
            if len(chunk) >= _JOIN_LIMIT or sum(map(len, pending)) >= _JOIN_LIMIT:
                whole = b"".join(pending)
                pending.clear()
                result = write(whole)
                if result is not None:
                    await result

        for part in self._parts:
            pending.append(part.head)
            await part.content.send(write_joined)
            pending.append(PART_END)
        pending.append(self._end)
        result = write(b"".join(pending))
        if result is not None:
            await result


_JOIN_LIMIT = 16 * 1024


def _total_length(parts: list[_Part], end: bytes) -> int | None:
    total = len(end)
    for part in parts:
        if part.content.length is None:
            return None
        total += len(part.head) + part.content.length + len(PART_END)
    return total


def _file_pairs(files: Any) -> list[tuple[str, Any]]:
    pairs = list(files.items() if isinstance(files, Mapping) else files)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(f"files must be a mapping or an iterable of (name, file) pairs, got {pair!r:.80}")
    return pairs


def _file_part(boundary: str, name: str, file: Any) -> _Part:
    filename: str | None
    content_type: str | None = None
    if isinstance(file, tuple):
        if len(file) == 2:
            filename, content = file
        elif len(file) == 3:
            filename, content, content_type = file
        else:
            raise TypeError(
                f"the file {name!r} in files must be its content, (filename, content) or "
                f"(filename, content, content_type), not a tuple of {len(file)}"
            )
    else:
        filename, content = _filename(file) or name, file
    if isinstance(content, str):
        raise TypeError(
            f"the file {name!r} in files is a str: pass pathlib.Path(...) for a file on disk, or bytes for "
            "its content"
        )
    if content_type is None and filename is not None:
        content_type = mimetypes.guess_type(filename)[0] or _DEFAULT_TYPE
    return _Part(part_head(boundary, name, filename, content_type), body_source(content))


def _filename(file: Any) -> str | None:
    """Return the base name of a path or an open file, or None for any other content."""
    path = file if isinstance(file, os.PathLike) else getattr(file, "name", None)
    if isinstance(path, (str, os.PathLike)):
        return os.path.basename(os.fspath(path)) or None
    return None  # for a file that was opened by descriptor, ``name`` is the descriptor's number
