"""Parser for the header field ``Sec-WebSocket-Extensions`` (RFC 6455 section 9.1).

Theory of operation
-------------------
Regular expressions match the value from left to right and examine each character a bounded number of times.
A malformed value is rejected as a whole, as section 9.1 requires. If malformed parts were skipped, the two
sides could disagree about the set of extensions.

Limits
------
At most `MAX_EXTENSIONS` extensions with `MAX_PARAMETERS` parameters each are accepted; browsers send one
extension with one parameter. The length of the field is bounded by the limit on the size of the head.
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

# RFC 9110 section 5.6.1.2: empty list elements are ignored.
_NAME = re.compile(rf"[ \t,]*+([{TCHAR}]++)[ \t]*+")
_EMPTY = re.compile(r"[ \t,]*+")
# extension-param = token [ "=" (token | quoted-string) ]; the content of a quoted string must be a token.
_PARAMETER = re.compile(rf';[ \t]*+([{TCHAR}]++)[ \t]*+(?:=[ \t]*+("?)([{TCHAR}]++)\2[ \t]*+)?')


class Extension(NamedTuple):
    """One extension, offered or accepted.

    :ivar name: the name in lower case.
    :ivar parameters: pairs of a name in lower case and a value, or None for a parameter without a value. They
        are in the order of the field, including repeated names.
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


def parse_extensions(values: Iterable[str]) -> list[Extension]:
    """Parse the values of the header field.

    :returns: the extensions, in the order of preference.
    :raises HandshakeError: if a value is malformed, or a limit is exceeded.
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
    """Parse the first element at or after `position` that is not empty.

    :returns: the extension, or None at the end, and the position of the comma after it or of the end.
    """
    match = _NAME.match(value, position)
    if match is None:
        if _EMPTY.fullmatch(value, position) is None:
            raise HandshakeError(f"Sec-WebSocket-Extensions: malformed value {shown(value)}")
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
        raise HandshakeError(f"Sec-WebSocket-Extensions: malformed value {shown(value)}")
    return Extension(name, tuple(parameters)), position


def format_extension(extension: Extension) -> str:
    """Serialize one extension, the inverse of `parse_extensions`."""
    parameters = [name if value is None else f"{name}={value}" for name, value in extension.parameters]
    return "; ".join([extension.name, *parameters])
