"""The field ``Sec-WebSocket-Extensions`` (RFC 6455 section 9.1).

Theory of operation
-------------------
A value is walked from left to right by one pattern, each character looked at a bounded number of times. What
is no list of extensions is refused as a whole, as section 9.1 asks, and not skipped over: two parties must
not agree on two different sets of extensions.

Limits
------
`MAX_EXTENSIONS` extensions, with `MAX_PARAMETERS` parameters each; browsers send one with one. The length of
the field is bounded by the reader of the head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tornado._wire.start_line import TCHAR, shown
from tornado._wire.ws_errors import HandshakeError

__all__ = ["MAX_EXTENSIONS", "MAX_PARAMETERS", "Extension", "format_extension", "parse_extensions"]

MAX_EXTENSIONS: Final = 32
MAX_PARAMETERS: Final = 16

# RFC 9110 section 5.6.1.2: empty elements are passed over.
_NAME = re.compile(rf"[ \t,]*+([{TCHAR}]++)[ \t]*+")
_EMPTY = re.compile(r"[ \t,]*+")
# extension-param = token [ "=" (token | quoted-string) ]; what is quoted has to be a token, too.
_PARAMETER = re.compile(rf';[ \t]*+([{TCHAR}]++)[ \t]*+(?:=[ \t]*+("?)([{TCHAR}]++)\2[ \t]*+)?')


class Extension(NamedTuple):
    """One extension, offered or accepted.

    :ivar name: in lower case.
    :ivar parameters: names in lower case and values, None for those without, in order, repeated ones too.
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


def parse_extensions(values: Iterable[str]) -> list[Extension]:
    """Read the lines of the field; the order is that of preference.

    :raises HandshakeError: if one is no list of extensions, or there are too many.
    """
    found: list[Extension] = []
    for value in values:
        position = 0
        while position < len(value):
            extension, position = _parse_one(value, position)
            if extension is not None:
                found.append(extension)
            if len(found) > MAX_EXTENSIONS:
                raise HandshakeError(f"Sec-WebSocket-Extensions: more than {MAX_EXTENSIONS} extensions")
            position += 1
    return found


def _parse_one(value: str, position: int) -> tuple[Extension | None, int]:
    """Return the first element from `position` on that is not empty, None if there is none, and where its
    comma or the end is.
    """
    match = _NAME.match(value, position)
    if match is None:
        if _EMPTY.fullmatch(value, position) is None:
            raise HandshakeError(f"Sec-WebSocket-Extensions: no list of extensions: {shown(value)}")
        return None, len(value)
    name = match[1].lower()
    parameters: list[tuple[str, str | None]] = []
    position = match.end()
    while (match := _PARAMETER.match(value, position)) is not None:
        parameters.append((match[1].lower(), match[3]))
        position = match.end()
        if len(parameters) > MAX_PARAMETERS:
            raise HandshakeError(
                f"Sec-WebSocket-Extensions: {name} has more than {MAX_PARAMETERS} parameters"
            )
    if position < len(value) and value[position] != ",":
        raise HandshakeError(f"Sec-WebSocket-Extensions: no list of extensions: {shown(value)}")
    return Extension(name, tuple(parameters)), position


def format_extension(extension: Extension) -> str:
    """The inverse, for one extension."""
    parameters = [name if value is None else f"{name}={value}" for name, value in extension.parameters]
    return "; ".join([extension.name, *parameters])
