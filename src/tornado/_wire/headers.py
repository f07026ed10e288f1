"""Header fields: a case-insensitive mapping with support for repeated fields.

Theory of operation
-------------------
A mapping contains one dict from normalized names (``Content-Type``) to values: a string, or a list of strings
for a repeated field. Few messages repeat a field, so most look-ups cost one dict access for the name and one
for the value. Repeated values are joined on access rather than on arrival, so reading n fields costs O(n)
however they repeat (CVE-2025-67725).

The dict of a received message is built on first access, from the header section that the head parser has
already validated (`HTTPHeaders._from_block`). The text remains until a field is changed: a mapping with the
text of its head can be dropped and built again (`is_unchanged`).

Setting a field raises `InvalidHeader` if the name is not a token or the value contains a control character,
including CR, LF and NUL, so `HTTPHeaders._serialize` needs no checks (CVE-2025-67724). `InvalidHeader` is an
`HTTPInputError`, and also a `ValueError`, because the invalid text usually comes from the program. Parsing a
line received from a peer raises a plain `HTTPInputError`.

Limits
------
The head parser bounds the number and size of received fields. The cache of normalized names has at most
`MAX_KEPT_NAMES` entries of at most `MAX_KEPT_NAME_SIZE` characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, TypeVar, overload

from tornado._wire.errors import HTTPInputError

__all__ = [
    "FORBIDDEN_VALUE_CHARS",
    "FieldNames",
    "HTTPHeaders",
    "InvalidHeader",
    "is_token",
    "is_unchanged",
    "known_lines",
    "split_line",
]

MAX_KEPT_NAMES = 1000
MAX_KEPT_NAME_SIZE = 64

# RFC 9110 section 5.6.2
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The complement of RFC 9110 section 5.5: VCHAR, SP, HTAB and obs-text, which stands for all non-ASCII
# characters.
FORBIDDEN_VALUE_CHARS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_Fields = dict[str, "str | list[str]"]

_D = TypeVar("_D")


class InvalidHeader(HTTPInputError, ValueError):
    """The name of a field is not a token, or its value contains a forbidden character."""


def is_token(text: str) -> bool:
    """Return whether ``text`` is a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def _normalize(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a header name must be a str, not {type(name).__name__}: {name!r}")
    if len(name) > MAX_KEPT_NAME_SIZE and name.isascii():
        return _normalize_long(name)
    return "-".join([word.capitalize() for word in name.split("-")])


# Translate hyphens and small letters to 0x20, the difference between the two cases of a letter.
_HYPHENS = bytes(0x20 * (octet == 0x2D) for octet in range(256))
_SMALL_LETTERS = bytes(0x20 * (0x61 <= octet <= 0x7A) for octet in range(256))


def _normalize_long(name: str) -> str:
    """Return the result of `_normalize` without creating an object for each word.

    A name may consist of thousands of hyphens. Long names are not cached, so a long name is normalized again
    each time it is used.
    """
    text = b"-" + name.lower().encode("ascii")
    after_hyphen = int.from_bytes(text.translate(_HYPHENS), "big") >> 8
    letters = int.from_bytes(text.translate(_SMALL_LETTERS), "big")
    normal = int.from_bytes(text, "big") ^ (after_hyphen & letters)
    return normal.to_bytes(len(text), "big")[1:].decode("ascii")


class _Names(dict[str, str]):
    """A bounded cache from spellings to normalized names; a cache hit costs one dict access."""

    def __missing__(self, name: str) -> str:
        normal = _normalize(name)
        self.keep(name, normal)
        return normal

    def keep(self, name: str, normal: str) -> None:
        if len(name) <= MAX_KEPT_NAME_SIZE:
            if len(self) >= MAX_KEPT_NAMES:
                self.clear()
            self[name] = normal


class _ValidNames(_Names):
    """The cache for names of fields to be set. A name that is not a token raises `InvalidHeader`."""

    def __missing__(self, name: str) -> str:
        normal = _normalize(name)
        if not is_token(name):
            raise InvalidHeader(
                f"Invalid header name {name!r}: expected one or more letters, digits or !#$%&'*+-.^_`|~"
            )
        self.keep(name, normal)
        return normal


_names = _Names()
_valid_names = _ValidNames()


def _text(name: str, value: Any) -> str:
    """Return a str or Latin-1 bytes as text.

    :raises TypeError: for any other type.
    """
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError(f"a header value must be a str, not {type(value).__name__}: {name}: {value!r}")


def _checked(name: str, value: Any) -> Any:
    """Validate a value that is not a printable string: the slow path of ``__setitem__``.

    Numbers are kept unchanged; a list or tuple sets several values.
    """
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (list, tuple)) and value:
        return [_checked(name, _text(name, each)) for each in value]
    text = _text(name, value)
    if FORBIDDEN_VALUE_CHARS.search(text):
        raise InvalidHeader(f"Invalid header value {text!r} for {name}: control characters are not allowed")
    return text


def _append(fields: _Fields, name: str, value: str) -> bool:
    """Add one value under a normalized name; return whether the field now has a list of values."""
    present = fields.get(name)
    if present is None:
        fields[name] = value
        return False
    if type(present) is list:
        present.append(value)
    else:
        fields[name] = [present, value]  # type: ignore[list-item]
    return True


def _parse_block(block: str) -> tuple[_Fields, bool]:
    """Return the fields of a validated header section, and whether any of them is repeated."""
    fields: _Fields = {}
    many = False
    lines = block.split("\r\n")
    if block.count("\n") != len(lines) - 1:  # some lines end in a bare LF
        lines = block.split("\n")
    for line in lines:
        known = _known_line(line)
        if known is None:
            name, value = split_line(line)
        else:
            name, value = known
        if name in fields:
            many = _append(fields, name, value)
        elif name:
            fields[name] = value
    fields.pop("\r", None)  # an empty line
    return fields, many


def _copied(fields: _Fields) -> _Fields:
    """Return a copy that shares no lists with the original."""
    return {name: value[:] if type(value) is list else value for name, value in fields.items()}


def split_line(line: str) -> tuple[str, str]:
    """Return the normalized name and the value of a validated field line without its LF."""
    name, _, value = line.partition(":")
    return _names[name], value.strip(" \t\r")


#: The results of `split_line` for lines that occur in many messages; see `tornado._wire.field_line_cache`.
known_lines: dict[str, tuple[str, str]] = {}
_known_line = known_lines.get


class HTTPHeaders(MutableMapping[str, str]):
    """A case-insensitive mapping from the names of header fields to their values.

    As a mapping it joins the values of a repeated field with commas; `get_list` and `get_all` return them
    separately, which ``Set-Cookie`` requires. Setting an item replaces all values of a name; `add` appends a
    value. Iteration yields names in ``Http-Header-Case``.

    >>> headers = HTTPHeaders({"vary": "Cookie"})
    >>> headers.add("VARY", "Accept")
    >>> headers["Vary"], headers.get_list("vary"), list(headers)
    ('Cookie,Accept', ['Cookie', 'Accept'], ['Vary'])

    The constructor takes the arguments of ``dict``: a mapping, pairs or keyword arguments. Repeated values of
    another `HTTPHeaders` are kept.

    :raises HTTPInputError: if a name is not a token or a value contains a control character (RFC 9110 section
        5.5).
    """

    # Slots are faster. A __dict__ is created only for a program that sets other attributes.
    __slots__ = ("__dict__", "__weakref__", "_block", "_dict", "_many")

    _dict: _Fields | None  # None if it has not been built from `_block` yet
    _block: str | None  # the text of the fields; None if they have been changed since
    _many: bool  # whether a value may be a list or a number

    def __init__(self, *args: Any, **kwargs: str) -> None:
        self._dict = {}
        self._block = None
        self._many = False
        if not args and not kwargs:
            return
        if kwargs or len(args) > 1 or not isinstance(args[0], HTTPHeaders):
            self.update(*args, **kwargs)
        elif type(self) is HTTPHeaders:
            self._dict = _copied(args[0]._fields())
            self._many = args[0]._many
        else:
            for name, value in args[0].get_all():
                self.add(name, value)

    def _fields(self) -> _Fields:
        """Return the dict, which is built on first access."""
        if self._dict is not None:
            return self._dict
        fields, self._many = _parse_block(self._block or "")
        self._dict = fields
        return fields

    def _fields_to_change(self) -> _Fields:
        """Return the dict, which the caller changes."""
        fields = self._dict
        if fields is None:
            fields = self._fields()
        self._block = None
        return fields

    @classmethod
    def _from_block(cls, block: str) -> HTTPHeaders:
        """Return the headers of a validated header section, which is parsed on first access.

        :param block: field lines as Latin-1 text, each ending in CRLF or LF, without the empty line.
        """
        self = cls.__new__(cls)
        self._dict = None
        self._block = block
        self._many = False
        return self

    # -- one name at a time

    def __getitem__(self, name: str) -> str:
        fields = self._dict
        if fields is None:
            fields = self._fields()
        value = fields[_names[name]]
        return ",".join(value) if type(value) is list else value  # type: ignore[return-value]

    def __setitem__(self, name: str, value: str) -> None:
        """Replace all values of ``name`` with ``value``.

        :raises HTTPInputError: if the name is not a token or the value contains a control character.
        """
        if type(value) is not str or not value.isprintable():
            value = _checked(name, value)
        fields = self._dict
        if fields is None:
            fields = self._fields()
        self._block = None
        fields[_valid_names[name]] = value
        if type(value) is not str:
            self._many = True

    def __delitem__(self, name: str) -> None:
        del self._fields_to_change()[_names[name]]

    def __contains__(self, name: object) -> bool:
        fields = self._dict
        if fields is None:
            fields = self._fields()
        return isinstance(name, str) and _names[name] in fields

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: _D) -> str | _D: ...
    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of ``name``, repeated values joined by commas, or ``default``."""
        if type(self) is not HTTPHeaders:
            return super().get(name, default)  # calls the __getitem__ of the subclass
        fields = self._dict
        if fields is None:
            fields = self._fields()
        value = fields.get(_names[name])
        if value is None:
            return default
        return ",".join(value) if type(value) is list else value

    def _put(self, name: str, value: str) -> None:
        """Set a field without validation: ``name`` must be normalized and ``value`` valid."""
        self._fields_to_change()[name] = value

    # -- repeated fields

    def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
        """Add a value of ``name`` to its existing values.

        :param _chars_are_bytes: whether each character stands for one byte on the wire: the value must then
            be Latin-1 and must not begin or end with whitespace. Otherwise, as in multipart, it may be any
            text.
        :raises HTTPInputError: if the name is not a token or the value is not a field value (RFC 9110 section
            5.5).
        """
        normal = _valid_names[name]
        if type(value) is not str:
            value = _text(name, value)
        if not (value.isascii() and value.isprintable()) or value[:1] == " " or value[-1:] == " ":
            _check_added(name, value, _chars_are_bytes)
        if _append(self._fields_to_change(), normal, value):
            self._many = True

    def get_list(self, name: str) -> list[str]:
        """Return all values of ``name`` in order; an empty list for a missing field."""
        value = self._fields().get(_names[name])
        if value is None:
            return []
        return value[:] if type(value) is list else [value]  # type: ignore[list-item]

    def get_all(self) -> Iterable[tuple[str, str]]:
        """Yield every (name, value) pair; a repeated name occurs once for each of its values."""
        for name, value in self._fields().items():
            if type(value) is list:
                for each in value:
                    yield name, each
            else:
                yield name, value  # type: ignore[misc]

    # -- text

    def parse_line(self, line: str, *, _chars_are_bytes: bool = True) -> None:
        r"""Add the field in a line, with or without its line end; ignore an empty line.

        >>> headers = HTTPHeaders()
        >>> headers.parse_line("Age: 5\r\n")
        >>> headers["age"]
        '5'

        :param _chars_are_bytes: as for `add`.
        :raises HTTPInputError: if the line has no colon, begins with whitespace (line folding is obsolete,
            RFC 9112 section 5.2), or has an invalid name or value.
        """
        if line[-1:] == "\n":
            line = line[:-2] if line[-2:] == "\r\n" else line[:-1]
        if not line:
            return
        if line[0] in " \t":
            raise HTTPInputError(
                f"header line starts with whitespace, folded lines are not supported: {line[:80]!r}"
            )
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError(f"no colon in header line {line[:80]!r}")
        try:
            self.add(name, value.strip(" \t"), _chars_are_bytes=_chars_are_bytes)
        except InvalidHeader as error:
            # The line was received from the peer, so this is not an InvalidHeader, which is a program's
            # error.
            raise HTTPInputError(str(error)) from error

    @classmethod
    def parse(cls, headers: str, *, _chars_are_bytes: bool = True) -> HTTPHeaders:
        r"""Parse a header section, whose lines end in CRLF or LF.

        >>> dict(HTTPHeaders.parse("Age: 5\r\nETag: x"))
        {'Age': '5', 'Etag': 'x'}

        :raises HTTPInputError: as for `parse_line`.
        """
        self = cls()
        for line in headers.split("\n"):
            self.parse_line(line + "\n", _chars_are_bytes=_chars_are_bytes)
        return self

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    __unicode__ = __str__

    def _serialize(self) -> bytes:
        """Return the serialized field lines without the empty line that ends the head.

        :raises UnicodeEncodeError: if a value contains a character outside Latin-1.
        """
        fields = self._fields()
        if not fields:
            return b""
        if not self._many and type(self) is HTTPHeaders:
            pairs: Iterable[Any] = fields.items()
            return ("\r\n".join(map(": ".join, pairs)) + "\r\n").encode("latin-1")
        return "".join([f"{name}: {value}\r\n" for name, value in self.get_all()]).encode("latin-1")

    # -- the mapping as a whole

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())

    def __eq__(self, other: object) -> bool:
        # `Mapping.__eq__` compares the joined values of repeated fields, and creates two dicts for that.
        if type(other) is HTTPHeaders and type(self) is HTTPHeaders:
            fields, other_fields = self._fields(), other._fields()
            if not (self._many or other._many) or fields == other_fields:
                return fields == other_fields
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def clear(self) -> None:
        """Remove every field."""
        self._block = None
        self._dict = {}
        self._many = False

    def copy(self) -> HTTPHeaders:
        """Return an independent copy."""
        twin = HTTPHeaders.__new__(HTTPHeaders)
        fields = self._fields()
        twin._dict = _copied(fields) if self._many else fields.copy()
        twin._block = None
        twin._many = self._many
        return twin

    __copy__ = copy


class FieldNames:
    """Several names of fields, to get the values of all of them at once.

    :param names: the names.
    """

    __slots__ = ("_names", "_normalized")

    def __init__(self, *names: str) -> None:
        self._names = names
        self._normalized = [_names[name] for name in names]

    def values_in(self, headers: Any) -> list[str | None]:
        """Return the value of each field, None for those that are absent; see `HTTPHeaders.get`.

        :param headers: any object with a method ``get``. For an `HTTPHeaders`, this method takes a fifth of
            the time of separate calls.
        """
        if type(headers) is HTTPHeaders:
            fields = headers._dict
            if fields is None:
                fields = headers._fields()
            if not headers._many:
                return [*map(fields.get, self._normalized)]  # type: ignore[list-item]  # no value is a list
        return [headers.get(name) for name in self._names]


def is_unchanged(headers: object, block: str) -> bool:
    """Return whether an object is a mapping that was created from `block` and has not been changed."""
    return type(headers) is HTTPHeaders and headers._block is block


def _check_added(name: str, value: str, chars_are_bytes: bool) -> None:
    """Reject text that is not a field value; see `HTTPHeaders.add`."""
    if FORBIDDEN_VALUE_CHARS.search(value):
        raise InvalidHeader(f"Invalid header value {value!r} for {name}: control characters are not allowed")
    if chars_are_bytes:
        if value != value.strip(" \t"):
            raise InvalidHeader(
                f"Invalid header value {value!r} for {name}: it begins or ends with whitespace"
            )
        if not value.isascii() and max(value) > "\xff":
            raise InvalidHeader(
                f"Invalid header value {value!r} for {name}: only Latin-1 characters can be sent"
            )
