"""A strict parser of responses; a response without valid framing ends the case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?\r\n")


class Malformed(Exception):
    """Raised if the server sends something that is not an HTTP/1 response."""


@dataclass(frozen=True)
class Response:
    """A complete response."""

    code: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """Return all values of a field, joined; None if it is missing."""
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None

    def echo(self) -> dict[str, Any] | None:
        """Return the request as the echo handler understood it; None if the handler did not respond."""
        if self.code != 200:
            return None
        try:
            found = json.loads(self.body)
        except ValueError:
            return _echoed_lines(self.body)
        return found if isinstance(found, dict) else None


def _echoed_lines(body: bytes) -> dict[str, Any] | None:
    """Parse the echo in lines of ``key=value``, from a server that cannot escape values for JSON."""
    lines = [line.partition("=") for line in body.decode("latin-1").splitlines()]
    found: dict[str, Any] = {key: value for key, equals, value in lines if equals}
    if "method" not in found:
        return None
    if "length" in found:
        found["body"] = {"length": int(found.pop("length") or 0)}
    return found


class ResponseParser:
    """A parser of the responses of a server.

    :param bodiless: whether the response with a given number is for a HEAD request.
    """

    def __init__(self, bodiless: Callable[[int], bool]) -> None:
        self._bodiless = bodiless
        self._count = 0
        self._buffer = b""

    def receive(self, data: bytes) -> list[Response]:
        """Return the responses that are complete now.

        :raises Malformed: if one cannot be parsed.
        """
        self._buffer += data
        found = []
        while (response := self._next(at_end=False)) is not None:
            found.append(response)
        return found

    def end(self) -> list[Response]:
        """Return the response that ends with the connection, if there is one.

        :raises Malformed: if the connection was closed inside a response.
        """
        response = self._next(at_end=True)
        if self._buffer:
            raise Malformed(f"the connection was closed inside a response: {self._buffer[:60]!r}")
        return [] if response is None else [response]

    def _next(self, at_end: bool) -> Response | None:
        block, empty_line, rest = self._buffer.partition(b"\r\n\r\n")
        if not empty_line:
            if not b"HTTP/1.".startswith(block[:7]):
                raise Malformed(f"not an HTTP/1 response: {block[:60]!r}")
            return None
        response = _read_head(block)
        length = response.get("content-length")
        if response.code < 200 or response.code in (204, 304) or self._bodiless(self._count):
            body: bytes | None = b""
        elif response.get("transfer-encoding") is not None:
            body, rest = _read_chunks(rest)
        elif length is not None:
            if not length.isdigit():
                raise Malformed(f"Content-Length {length!r} of a response")
            body, rest = rest[: int(length)], rest[int(length) :]
            if len(body) < int(length):
                body = None
        else:
            body, rest = (rest, b"") if at_end else (None, rest)
        if body is None:
            return None
        self._buffer = rest
        self._count += 1
        return Response(response.code, response.fields, body)


def _read_head(block: bytes) -> Response:
    line, *lines = block.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"status line {line[:60]!r}")
    fields = []
    for each in lines:
        pair = _FIELD_LINE.fullmatch(each)
        if pair is None:
            raise Malformed(f"field line {each[:60]!r} of a response")
        fields.append((pair[1].decode().lower(), pair[2].decode("latin-1")))
    return Response(int(match[1]), tuple(fields))


def _read_chunks(data: bytes) -> tuple[bytes | None, bytes]:
    body, position = b"", 0
    while (match := _CHUNK_LINE.match(data, position)) is not None:
        size = int(match[1], 16)
        position = match.end() + size + 2
        if position > len(data):
            return None, data
        if data[position - 2 : position] != b"\r\n":
            raise Malformed("a chunk of a response does not end with CR LF")
        if size == 0:
            return body, data[position:]
        body += data[match.end() : position - 2]
    if b"\n" in data[position:]:
        raise Malformed(f"chunk size line {data[position : position + 60]!r} of a response")
    return None, data
