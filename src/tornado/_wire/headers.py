"""Header fields: a case-insensitive mapping that knows repeated fields.

Theory of operation
-------------------
A mapping holds one dict from normalised name (``Content-Type``) to a value: a string, or a list of strings
where the field was given more than once. Most messages repeat nothing, so most lookups are one dict access
each for the name and the value. Repeated values are joined when asked for, never while they arrive, so that
reading n fields costs O(n) however they repeat (CVE-2025-67725).

The dict of a received message is made on first touch, from the block that the head parser has already
validated (`HTTPHeaders._from_block`). Nothing of a block is kept: it may hold cookies and credentials.

What is refused: a name that is no token, and a value with a control character (CR, LF and NUL among them), at
the moment it is set, so that `HTTPHeaders._serialize` has nothing left to check (CVE-2025-67724). The
exception is an `InvalidHeader`: an `HTTPInputError`, and a `ValueError` too, as it is most often the program
that is at fault. What is read from a peer's line raises a plain `HTTPInputError`.

Limits
------
The number and size of received fields are bounded by the head parser. Normalised names are kept in a table of
`MAX_KEPT_NAMES` entries of at most `MAX_KEPT_NAME_SIZE` characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from tornado._wire.errors import HTTPInputError

__all__ = ["FORBIDDEN_VALUE_CHARS", "HTTPHeaders", "InvalidHeader", "is_token"]

MAX_KEPT_NAMES = 1000
MAX_KEPT_NAME_SIZE = 64

# RFC 9110 section 5.6.2
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 section 5.5: VCHAR, SP, HTAB and obs-text; this is their complement, obs-text being whatever is not
# ASCII.
FORBIDDEN_VALUE_CHARS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_Fields = dict[str, "str | list[str]"]


class InvalidHeader(HTTPInputError, ValueError):
    """A field whose name is no token, or whose value holds a character that HTTP forbids there."""


def is_token(text: str) -> bool:
    """Tell whether ``text`` is a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def _normalise(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a header name is a str, not {type(name).__name__}: {name!r}")
    if len(name) > MAX_KEPT_NAME_SIZE and name.isascii():
        return _normalise_long(name)
    return "-".join([word.capitalize() for word in name.split("-")])


# Hyphens and letters as 0x20, which is the difference between a letter's two cases.
_HYPHENS = bytes(0x20 * (octet == 0x2D) for octet in range(256))
_SMALL_LETTERS = bytes(0x20 * (0x61 <= octet <= 0x7A) for octet in range(256))


def _normalise_long(name: str) -> str:
    """Return what `_normalise` does, without an object for each word.

    A name can consist of hyphens alone. A long one is not kept, so that each field with it costs as much.
    """
    text = b"-" + name.lower().encode("ascii")
    after_hyphen = int.from_bytes(text.translate(_HYPHENS), "big") >> 8
    letters = int.from_bytes(text.translate(_SMALL_LETTERS), "big")
    normal = int.from_bytes(text, "big") ^ (after_hyphen & letters)
    return normal.to_bytes(len(text), "big")[1:].decode("ascii")


class _Names(dict[str, str]):
    """Spellings of names -> the normalised one, kept in a bounded table; a hit costs one dict access."""

    def __missing__(self, name: str) -> str:
        normal = _normalise(name)
        self.keep(name, normal)
        return normal

    def keep(self, name: str, normal: str) -> None:
        if len(name) <= MAX_KEPT_NAME_SIZE:
            if len(self) >= MAX_KEPT_NAMES:
                self.clear()
            self[name] = normal


class _ValidNames(_Names):
    """The same for names about to be set: one that is not a token raises `InvalidHeader`."""

    def __missing__(self, name: str) -> str:
        normal = _normalise(name)
        if not is_token(name):
            raise InvalidHeader(
                f"Invalid header name {name!r}: a name is one or more letters, digits or !#$%&'*+-.^_`|~"
            )
        self.keep(name, normal)
        return normal


_names = _Names()
_valid_names = _ValidNames()


def _text(name: str, value: Any) -> str:
    """A value as text: bytes are taken as latin-1, of other types only str will do."""
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError(f"a header value is a str, not {type(value).__name__}: {name}: {value!r}")


def _checked(name: str, value: Any) -> Any:
    """The slow road of setting: what is not an ordinary printable string.

    Numbers are kept as they are, a list or tuple stands for several values.
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
    """Add one value under a normalised name; True when it is now a list."""
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
    """The fields of a validated block, and whether any is repeated."""
    fields: _Fields = {}
    many = False
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        name = _names[name]
        if name in fields:
            many = _append(fields, name, value.strip(" \t\r"))
        elif name:
            fields[name] = value.strip(" \t\r")
    fields.pop("\r", None)  # an empty line
    return fields, many


def _copied(fields: _Fields) -> _Fields:
    """A copy whose lists are copies too."""
    return {name: value[:] if type(value) is list else value for name, value in fields.items()}


class HTTPHeaders(MutableMapping[str, str]):
    """Header fields by name, in any case; a name may have several values.

    It is a mapping from name to text. Values of a repeated field are joined by commas there; `get_list` and
    `get_all` give them apart, which matters for ``Set-Cookie``. Setting an item replaces all values of that
    name, `add` appends one. Names come back in ``Http-Header-Case``.

    >>> headers = HTTPHeaders({"vary": "Cookie"})
    >>> headers.add("VARY", "Accept")
    >>> headers["Vary"], headers.get_list("vary"), list(headers)
    ('Cookie,Accept', ['Cookie', 'Accept'], ['Vary'])

    Takes what ``dict`` takes: a mapping (of another `HTTPHeaders` the repeated values are kept), pairs,
    keyword arguments.

    :raises HTTPInputError: if a name is no token or a value holds control characters (RFC 9110 section 5.5).
    """

    # Slots for speed; a __dict__ beside them, made when used, for programs that set attributes.
    __slots__ = ("__dict__", "__weakref__", "_block", "_dict", "_many")

    _dict: _Fields | None  # None: still to be made from the block
    _block: str | None
    _many: bool  # some value may be a list, or a number

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
        """The dict, made now if it has not been touched yet."""
        if self._dict is not None:
            return self._dict
        fields, self._many = _parse_block(self._block or "")
        self._dict = fields
        self._block = None
        return fields

    @classmethod
    def _from_block(cls, block: str) -> HTTPHeaders:
        """Headers from a block whose every line is known to be valid; nothing is done until they are touched.

        :arg block: latin-1 text, field lines ended by CRLF or LF, without the empty line after them.
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
        """Replace all values of ``name`` by one.

        :raises HTTPInputError: if the name is no token or the value holds control characters.
        """
        if type(value) is not str or not value.isprintable():
            value = _checked(name, value)
        fields = self._dict
        if fields is None:
            fields = self._fields()
        fields[_valid_names[name]] = value
        if type(value) is not str:
            self._many = True

    def __delitem__(self, name: str) -> None:
        del self._fields()[_names[name]]

    def __contains__(self, name: object) -> bool:
        fields = self._dict
        if fields is None:
            fields = self._fields()
        return isinstance(name, str) and _names[name] in fields

    def get(self, name: str, default: Any = None) -> Any:
        """The value of ``name``, repeated values joined by commas, or ``default``."""
        if type(self) is not HTTPHeaders:
            return super().get(name, default)  # so that a subclass's __getitem__ counts
        fields = self._dict
        if fields is None:
            fields = self._fields()
        value = fields.get(_names[name])
        if value is None:
            return default
        return ",".join(value) if type(value) is list else value

    def _put(self, name: str, value: str) -> None:
        """Set a field from our own code: ``name`` is normalised already, ``value`` known to be clean."""
        self._fields()[name] = value

    # -- repeated fields

    def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
        """Add one value of ``name``, beside those it has.

        :arg _chars_are_bytes: the value goes to or comes from the wire, one character a byte: it must be
            latin-1 and may not begin or end with white space. Otherwise, as in multipart, it is any text.
        :raises HTTPInputError: if the name is no token or the value is not a field value (RFC 9110 section
            5.5).
        """
        normal = _valid_names[name]
        if type(value) is not str:
            value = _text(name, value)
        if not (value.isascii() and value.isprintable()) or value[:1] == " " or value[-1:] == " ":
            _check_added(name, value, _chars_are_bytes)
        if _append(self._fields(), normal, value):
            self._many = True

    def get_list(self, name: str) -> list[str]:
        """All values of ``name``, in order; an empty list where there is none."""
        value = self._fields().get(_names[name])
        if value is None:
            return []
        return value[:] if type(value) is list else [value]  # type: ignore[list-item]

    def get_all(self) -> Iterable[tuple[str, str]]:
        """Every (name, value) pair; a name comes once for each of its values."""
        for name, value in self._fields().items():
            if type(value) is list:
                for each in value:
                    yield name, each
            else:
                yield name, value  # type: ignore[misc]

    # -- text

    def parse_line(self, line: str, *, _chars_are_bytes: bool = True) -> None:
        r"""Add the field of one line, with or without its line end; an empty line adds nothing.

        >>> headers = HTTPHeaders()
        >>> headers.parse_line("Age: 5\r\n")
        >>> headers["age"]
        '5'

        :arg _chars_are_bytes: as for `add`.
        :raises HTTPInputError: if the line has no colon, begins with white space (folded lines are obsolete,
            RFC 9112 section 5.2), or is otherwise no field.
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
            # A line is what a peer has sent: not a value that this program was to check.
            raise HTTPInputError(str(error)) from error

    @classmethod
    def parse(cls, headers: str, *, _chars_are_bytes: bool = True) -> HTTPHeaders:
        r"""Headers from the text of a block, its lines ended by CRLF or LF.

        >>> dict(HTTPHeaders.parse("Age: 5\r\nETag: x"))
        {'Age': '5', 'Etag': 'x'}

        :raises HTTPInputError: as `parse_line`.
        """
        self = cls()
        for line in headers.split("\n"):
            self.parse_line(line + "\n", _chars_are_bytes=_chars_are_bytes)
        return self

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    __unicode__ = __str__

    def _serialize(self) -> bytes:
        """The field lines as they go out, without the empty line that ends a head.

        :raises UnicodeEncodeError: if a value has a character outside latin-1.
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

    def clear(self) -> None:
        """Remove every field."""
        self._block = None
        self._dict = {}
        self._many = False

    def copy(self) -> HTTPHeaders:
        """A copy with the same values; changing one leaves the other as it is."""
        twin = HTTPHeaders.__new__(HTTPHeaders)
        fields = self._fields()
        twin._dict = _copied(fields) if self._many else fields.copy()
        twin._block = None
        twin._many = self._many
        return twin

    __copy__ = copy


def _check_added(name: str, value: str, chars_are_bytes: bool) -> None:
    """Refuse what is not a field value; see `HTTPHeaders.add`."""
    if FORBIDDEN_VALUE_CHARS.search(value):
        raise InvalidHeader(f"Invalid header value {value!r} for {name}: control characters are not allowed")
    if chars_are_bytes:
        if value != value.strip(" \t"):
            raise InvalidHeader(
                f"Invalid header value {value!r} for {name}: it begins or ends with white space"
            )
        if not value.isascii() and max(value) > "\xff":
            raise InvalidHeader(
                f"Invalid header value {value!r} for {name}: only latin-1 characters can be sent"
            )
