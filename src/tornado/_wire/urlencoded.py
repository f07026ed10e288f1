"""Bodies and queries of the type ``application/x-www-form-urlencoded``.

Theory of operation
-------------------
The text is cut at ``&``, and each field at its first ``=``; ``+`` is a space and ``%xx`` a byte (URL
Standard, section 5.1). Invalid escapes stay as they are, a field without ``=`` has an empty value, and empty
fields are left out: the result equals ``urllib.parse.parse_qs(keep_blank_values=True)`` in latin-1, with
values as bytes.

Only the fields are visited in Python; what is proportional to the size runs in C
(`tornado._percent_encoding`).

Writing starts from Python values: `text_pairs` expands them into pairs of text or bytes, and
`format_urlencoded` encodes those pairs. Types without an obvious text form raise TypeError: their ``repr``
would be accepted by most servers and be wrong.

Limits
------
``max_fields`` bounds what is cut (CVE-2026-82397). The size of a form is limited by the
caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tornado._percent_encoding import unquote, unquote_bytes
from tornado._wire.errors import HTTPInputError

__all__ = ["format_urlencoded", "parse_urlencoded", "text_pairs"]

#: From this size on bytes are cut as they are. Methods of str are faster, by more than decoding small text
#: costs.
_LARGE = 64 * 1024
_SPACES = bytes.maketrans(b"+", b" ")

Text = str | bytes


def parse_urlencoded(data: str | bytes, max_fields: int | None = None) -> dict[str, list[bytes]]:
    """Return the fields of a query or an urlencoded body: name, as latin-1 text -> values, in order.

    :param data: as received, with its escapes; a str stands for its latin-1 bytes.
    :param max_fields: the highest number of fields, including empty ones.
    :raises HTTPInputError: if there are more fields, or ``data`` has a character beyond latin-1.

    >>> parse_urlencoded("a=1&b=x+y&a=%C3%A9&c")
    {'a': [b'1', b'\\xc3\\xa9'], 'b': [b'x y'], 'c': [b'']}
    """
    if not data:
        return {}
    if isinstance(data, bytes):
        if len(data) >= _LARGE:
            return _parse_large(data, max_fields)
        data = data.decode("latin-1")
    elif not data.isascii():
        _refuse_beyond_latin_1(data)
    single = "&" not in data
    if max_fields is not None and (0 if single else data.count("&")) >= max_fields:
        raise _too_many(max_fields)
    if "+" in data:
        data = data.replace("+", " ")
    escaped = "%" in data
    if single and not escaped:
        name, _, value = data.partition("=")
        return {name: [value.encode("latin-1")]}
    found: dict[str, list[bytes]] = {}
    for field in data.split("&"):
        if field:
            name, _, value = field.partition("=")
            if escaped:
                if "%" in name:
                    name = unquote(name).decode("latin-1")
                raw = unquote(value) if "%" in value else value.encode("latin-1")
            else:
                raw = value.encode("latin-1")
            if name in found:
                found[name].append(raw)
            else:
                found[name] = [raw]
    return found


def _parse_large(data: bytes, max_fields: int | None) -> dict[str, list[bytes]]:
    if b"+" in data:
        data = data.translate(_SPACES)
    fields = data.split(b"&", -1 if max_fields is None else max_fields)
    if max_fields is not None and len(fields) > max_fields:
        raise _too_many(max_fields)
    found: dict[str, list[bytes]] = {}
    for field in fields:
        if field:
            name, _, value = field.partition(b"=")
            found.setdefault(unquote_bytes(name).decode("latin-1"), []).append(unquote_bytes(value))
    return found


def _too_many(max_fields: int) -> HTTPInputError:
    return HTTPInputError(f"Max number of fields exceeded: a form may have {max_fields}")


def _refuse_beyond_latin_1(text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise HTTPInputError(f"a query or form holds {text[error.start]!r}: percent-encode it") from error


def text_pairs(
    fields: Mapping[Any, Any] | Iterable[tuple[Any, Any]], what: str
) -> Iterator[tuple[str, Text]]:
    """Expand form or query fields into pairs of a name and a value.

    :arg fields: a mapping, or pairs. A value is a str, bytes, an int or a float; a bool becomes ``true`` or
        ``false``; a list or tuple repeats the name; None omits the field.
    :arg what: the name of the argument that is being read, for error messages.
    :raises TypeError: if ``fields`` is not a collection of pairs, or a name or value has another
        type.

    >>> list(text_pairs({"a": [1, "x"], "b": True, "c": None}, "data"))
    [('a', '1'), ('a', 'x'), ('b', 'true')]
    """
    if isinstance(fields, (str, bytes)):
        raise TypeError(f"{what} must be a mapping or an iterable of pairs, not {type(fields).__name__}")
    for pair in fields.items() if isinstance(fields, Mapping) else fields:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{what} must be a mapping or an iterable of (name, value) pairs, got {pair!r}")
        name, value = pair
        if not isinstance(name, str):
            raise TypeError(f"a field name in {what} must be a str, not {type(name).__name__}: {name!r}")
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if each is not None:
                yield name, _value_text(name, each, what)


def _value_text(name: str, value: Any, what: str) -> Text:
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise TypeError(
        f"the value of {name!r} in {what} must be str, bytes, int, float, bool, None or a list of these, "
        f"not {type(value).__name__}"
    )


def format_urlencoded(pairs: Iterable[tuple[str, Text]]) -> str:
    """Encode pairs as ``application/x-www-form-urlencoded``; text is sent as UTF-8.

    >>> format_urlencoded([("a", "x y"), ("\u00e9", b"\xff")])
    'a=x+y&%C3%A9=%FF'
    """
    return urlencode(list(pairs))
