"""Bodies and queries of the type ``application/x-www-form-urlencoded``.

Theory of operation
-------------------
The text is cut at ``&`` and each field at its first ``=``; ``+`` is a space and ``%xx`` a byte (URL Standard,
section 5.1). The result is what ``urllib.parse.parse_qs(keep_blank_values=True)`` gives in latin-1, with the
values turned back into bytes, at a small part of its cost: text without an escape is only cut. Everything is
linear in the size of the text. Invalid escapes stay as they are, a field without ``=`` has an empty value,
and empty fields are left out.

Limits
------
``max_fields`` counts separators before anything is cut (CVE-2026-82397).
"""

from __future__ import annotations

from tornado._wire.errors import HTTPInputError

__all__ = ["parse_urlencoded"]


_HEX = "0123456789abcdefABCDEF"
_BYTES = {high + low: chr(int(high + low, 16)) for high in _HEX for low in _HEX}


def _decode(text: str) -> str:
    """Take escapes out of latin-1 text; invalid ones stay."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    pieces = text.split("%")
    decoded = [pieces[0]]
    for piece in pieces[1:]:
        byte = _BYTES.get(piece[:2])
        decoded.append("%" + piece if byte is None else byte + piece[2:])
    return "".join(decoded)


def parse_urlencoded(data: str | bytes, max_fields: int | None = None) -> dict[str, list[bytes]]:
    """The fields of a query or an urlencoded body: name, as latin-1 text -> values, in order.

    :arg data: as received, escapes and all; a str stands for its latin-1 bytes.
    :arg max_fields: the highest number of fields, empty ones included.
    :raises HTTPInputError: if there are more fields, or ``data`` has a character beyond latin-1.

    >>> parse_urlencoded("a=1&b=x+y&a=%C3%A9&c")
    {'a': [b'1', b'\\xc3\\xa9'], 'b': [b'x y'], 'c': [b'']}
    """
    if not data:
        return {}
    if isinstance(data, bytes):
        data = data.decode("latin-1")
    elif not data.isascii():
        _refuse_beyond_latin_1(data)
    if max_fields is not None and data.count("&") >= max_fields:
        raise HTTPInputError(f"Max number of fields exceeded: a form may have {max_fields}")
    plain = "%" not in data and "+" not in data
    if plain and "&" not in data:
        name, _, value = data.partition("=")
        return {name: [value.encode("latin-1")]}
    found: dict[str, list[bytes]] = {}
    for field in data.split("&"):
        if field:
            name, _, value = field.partition("=")
            if not plain:
                name, value = _decode(name), _decode(value)
            raw = value.encode("latin-1")
            if name in found:
                found[name].append(raw)
            else:
                found[name] = [raw]
    return found


def _refuse_beyond_latin_1(text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise HTTPInputError(f"a query or form holds {text[error.start]!r}: percent-encode it") from error
