"""Parser and serializer of ``application/x-www-form-urlencoded`` bodies and queries.

Theory of operation
-------------------
The text is split at ``&``, and each field at its first ``=``. ``+`` represents a space and ``%xx`` a byte
(URL Standard, section 5.1). Invalid escapes are left unchanged, a field without ``=`` has an empty value, and
empty fields are ignored. The result equals that of ``urllib.parse.parse_qs(keep_blank_values=True)`` with
Latin-1, but values are bytes.

The Python code runs once per field; the work that is proportional to the size is done in C
(`tornado._percent_decoding`).

For serialization, `text_pairs` expands Python values into pairs of text or bytes, and `format_urlencoded`
encodes those pairs. Types without an obvious text form raise TypeError, because most servers would accept
their ``repr``, which is not the intended value.

Limits
------
``max_fields`` limits the number of fields (CVE-2026-82397). The caller limits the size of a form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tornado._percent_decoding import unquote, unquote_bytes
from tornado._wire.errors import HTTPInputError

__all__ = ["format_urlencoded", "parse_urlencoded", "text_pairs"]

#: Bytes of at least this size are split without being decoded. For smaller input, decoding first is faster,
#: because the methods of str are faster.
_LARGE = 64 * 1024
_SPACES = bytes.maketrans(b"+", b" ")

Text = str | bytes


def parse_urlencoded(data: str | bytes, max_fields: int | None = None) -> dict[str, list[bytes]]:
    """Return the values of a query or a form body, in order, by name as Latin-1 text.

    :param data: the query or body as received; a str represents its Latin-1 bytes.
    :param max_fields: the maximum number of fields, including empty ones; None for no limit.
    :raises HTTPInputError: if there are more than ``max_fields`` fields, or ``data`` contains a character
        outside Latin-1.

    >>> parse_urlencoded("a=1&b=x+y&a=%C3%A9&c")
    {'a': [b'1', b'\\xc3\\xa9'], 'b': [b'x y'], 'c': [b'']}
    """
    if not data:
        return {}
    if type(data) is str and data.isascii():
        if "&" not in data and "%" not in data and max_fields != 0:
            name, _, value = (data.replace("+", " ") if "+" in data else data).partition("=")
            return {name: [value.encode()]}
    elif isinstance(data, bytes):
        if len(data) >= _LARGE:
            return _parse_large(data, max_fields)
        data = data.decode("latin-1")
    else:
        _reject_non_latin_1(data)
    return _parse_small(data, max_fields)


def _parse_small(data: str, max_fields: int | None) -> dict[str, list[bytes]]:
    """Return the values of text with several fields, or with percent-encoding."""
    if max_fields is not None and data.count("&") >= max_fields:
        raise _too_many(max_fields)
    if "+" in data:
        data = data.replace("+", " ")
    escaped = "%" in data
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
    return HTTPInputError(f"Max number of fields exceeded: a form may have at most {max_fields}")


def _reject_non_latin_1(text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise HTTPInputError(f"a query or form contains {text[error.start]!r}: percent-encode it") from error


def text_pairs(
    fields: Mapping[Any, Any] | Iterable[tuple[Any, Any]], what: str
) -> Iterator[tuple[str, Text]]:
    """Expand form or query fields into pairs of a name and a value.

    :param fields: a mapping, or pairs. A value is a str, bytes, an int or a float; a bool is converted to
        ``true`` or ``false``; a list or tuple repeats the name; None omits the field.
    :param what: the name of the caller's argument, for error messages.
    :raises TypeError: if ``fields`` is not a collection of pairs, or a name or value has an unsupported type.

    >>> list(text_pairs({"a": [1, "x"], "b": True, "c": None}, "data"))
    [('a', '1'), ('a', 'x'), ('b', 'true')]
    """
    if isinstance(fields, (str, bytes)) or not isinstance(fields, Iterable):
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
    """Encode pairs as ``application/x-www-form-urlencoded``; text is encoded as UTF-8.

    >>> format_urlencoded([("a", "x y"), ("\u00e9", b"\xff")])
    'a=x+y&%C3%A9=%FF'
    """
    return urlencode(list(pairs))
