"""Bodies and queries of the type ``application/x-www-form-urlencoded``.

Theory of operation
-------------------
The text is cut at ``&``, and each field at its first ``=``; ``+`` is a space and ``%xx`` a byte (URL
Standard, section 5.1). Invalid escapes stay as they are, a field without ``=`` has an empty value, and empty
fields are left out: the result equals ``urllib.parse.parse_qs(keep_blank_values=True)`` in latin-1, with
values as bytes.

Only the fields are visited in Python; what is proportional to the size runs in C (`tornado._wire.percent`).

Limits
------
``max_fields`` bounds what is cut (CVE-2026-82397). The size of a form is limited by the
caller.
"""

from __future__ import annotations

from tornado._wire.errors import HTTPInputError
from tornado._wire.percent import unquote, unquote_bytes

__all__ = ["parse_urlencoded"]

#: From this size on bytes are cut as they are. Methods of str are faster, by more than decoding small text
#: costs.
_LARGE = 64 * 1024
_SPACES = bytes.maketrans(b"+", b" ")


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
