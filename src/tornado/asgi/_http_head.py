"""The head of a response: checks of the header fields that an application sends, and default fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from time import time
from typing import Any

from tornado._version import version
from tornado._wire.dates import format_http_date

_MAX_NAMES = 1000
_is_token = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_find_control = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


class _Prefixes(dict[bytes, bytes]):
    """A cache from names of fields to the beginning of their lines, which is in lower case."""

    def __missing__(self, name: bytes) -> bytes:
        if not isinstance(name, bytes):
            raise TypeError(
                f"the name of an ASGI header must be bytes, got {type(name).__name__}: {name!r:.100}"
            )
        if _is_token(name) is None:
            raise ValueError(f"the name of an ASGI header must be a token, got {name!r:.100}")
        if len(self) >= _MAX_NAMES:
            self.clear()
        prefix = self[name] = name.lower() + b": "
        return prefix


_prefixes = _Prefixes()
_LENGTH, _CONNECTION, _CODING = b"content-length: ", b"connection: ", b"transfer-encoding: "
_SERVER, _DATE = b"server: ", b"date: "
#: Fields that affect framing, or that the server adds if they are missing.
_SPECIAL = frozenset([_LENGTH, _CONNECTION, _CODING, _SERVER, _DATE])
#: Fields that the connection writes.
_OMITTED = frozenset([_CONNECTION, _CODING])


#: The header fields of a response: the serialized fields without Connection, the value of Content-Length or
#: None, and the value of Connection or None. This is a plain tuple because one is created for each response,
#: and creating a named one costs three times as much.
ResponseHead = tuple[bytes, int | None, str | None]


def make_head(fields: Iterable[Any]) -> ResponseHead:
    """Check and serialize the fields of a response, and add Server and Date if they are missing.

    Transfer-Encoding is omitted, because only the server determines the framing.

    :raises TypeError: if a name or value is not bytes.
    :raises ValueError: if a name or value is invalid.
    """
    parts: list[bytes] = [b""]
    length: int | None = None
    special: dict[bytes, bytes] | None = None
    prefixes = _prefixes
    try:
        for name, value in fields:
            prefix = prefixes[name]
            if prefix in _SPECIAL:
                if prefix == _LENGTH:
                    length = _read_length(value, length)
                else:
                    special = _add_special(special, prefix, value)
                    if prefix in _OMITTED:
                        continue
            parts += (prefix, value, b"\r\n")
        if special is None:
            parts[0] = default_fields()
            block = b"".join(parts)
        else:
            parts[0] = _missing_defaults(special)
            block = b"".join(parts)
    except TypeError:
        _explain_type(fields)
        raise
    lines = len(parts) // 3 + parts[0].count(b"\n")
    if block.count(b"\n") != lines or block.count(b"\r") != lines or b"\0" in block:
        _reject_value(parts[1:])
    if special is None or _CONNECTION not in special:
        return block, length, None
    return block, length, special[_CONNECTION].decode("latin-1")


def serialize_fields(fields: Iterable[Any]) -> bytes:
    """Check and serialize fields without a special meaning, such as trailers.

    :raises TypeError: if a name or value is not bytes.
    :raises ValueError: if a name or value is invalid, or the field affects framing.
    """
    lines = []
    for name, value in fields:
        prefix = _prefixes[name]
        if prefix in (_LENGTH, _CONNECTION, _CODING):
            raise ValueError(
                f"the ASGI header {name.decode()!r} is not allowed here: only the server may set it"
            )
        if not isinstance(value, bytes):
            _explain_type([(name, value)])
        if _find_control(value):
            _reject_value([prefix, value])
        lines.append(prefix + value + b"\r\n")
    return b"".join(lines)


def _read_length(value: Any, before: int | None) -> int:
    """Return the value of Content-Length.

    :param before: the value of an earlier field, if any.
    """
    if not isinstance(value, bytes):
        raise TypeError
    if before is not None or not value.isdigit() or len(value) > 19:
        raise ValueError(f"content-length must be a single decimal number, got {value!r:.100}")
    return int(value)


def _add_special(special: dict[bytes, bytes] | None, prefix: bytes, value: Any) -> dict[bytes, bytes]:
    if not isinstance(value, bytes):
        raise TypeError
    if _find_control(value):
        _reject_value([prefix, value])
    found = {} if special is None else special
    found[prefix] = value
    return found


def _explain_type(fields: Iterable[Any]) -> None:
    """Raise TypeError for the first field whose name or value has the wrong type."""
    for field in fields:
        if not isinstance(field, (tuple, list)) or len(field) != 2:
            raise TypeError(f"an ASGI header must be a pair of name and value, got {field!r:.100}") from None
        name, value = field
        if not isinstance(value, bytes):
            kind = type(value).__name__
            raise TypeError(
                f"the value of the ASGI header {name!r:.100} must be bytes, got {kind}: {value!r:.100}"
            ) from None


def _reject_value(parts: list[bytes]) -> None:
    """Raise ValueError for the first value that contains a control character."""
    values = [part for part in parts if part != b"\r\n" and _find_control(part)]
    raise ValueError(
        f"the value of an ASGI header must not contain control characters, got {values[0]!r:.100}"
    )


# -- default fields --

_SERVER_LINE = f"Server: TornadoServer/{version}\r\n".encode()
#: The end of the second to which the fields belong, and the fields Server and Date. It is one object, because
#: several threads replace it.
_defaults = 0.0, b""


def default_fields() -> bytes:
    """Return the serialized fields Server and Date."""
    global _defaults
    now = time()
    end, fields = _defaults
    if not end - 1 <= now < end:
        fields = _SERVER_LINE + f"Date: {format_http_date(now)}\r\n".encode()
        _defaults = float(int(now) + 1), fields
    return fields


def _missing_defaults(special: dict[bytes, bytes]) -> bytes:
    if _SERVER in special:
        return b"" if _DATE in special else default_fields().removeprefix(_SERVER_LINE)
    return _SERVER_LINE if _DATE in special else default_fields()


__all__ = ["ResponseHead", "default_fields", "make_head", "serialize_fields"]
