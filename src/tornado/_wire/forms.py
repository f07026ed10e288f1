"""Bodies and queries of the type ``application/x-www-form-urlencoded``.

Theory of operation
-------------------
The text is cut at ``&``, and each field at its first ``=``; ``+`` is a space and ``%xx`` a byte (URL
Standard, section 5.1). Invalid escapes stay as they are, a field without ``=`` has an empty value, and empty
fields are left out: the result equals ``urllib.parse.parse_qs(keep_blank_values=True)`` in latin-1, with
values as bytes.

Only the fields are visited in Python. What is proportional to the size runs in C: text with more than a few
escapes is turned from percent-encoding into quoted-printable, for which the standard library has a decoder
(``binascii.a2b_qp``). Decoding 9 MB of ``%41`` takes 40 ms, a loop over the escapes 1.3 s.

Limits
------
``max_fields`` counts separators before anything is cut (CVE-2026-82397). The size of a form is limited by the
caller.
"""

from __future__ import annotations

from binascii import a2b_qp

from tornado._wire.errors import HTTPInputError

__all__ = ["parse_urlencoded"]

#: Up to this number of escapes a loop is faster than the decoder with its constant cost.
_FEW_ESCAPES = 8
#: Bytes decoded at once: a piece, and what is calculated from it, fits into the processor's cache.
_PIECE = 32 * 1024

_HEX = b"0123456789abcdefABCDEF"
_CHARACTERS = {chr(high) + chr(low): chr(int(bytes((high, low)), 16)) for high in _HEX for low in _HEX}
# In quoted-printable (RFC 2045 section 6.7) the escape character is "=".
_TO_QUOTED_PRINTABLE = bytes.maketrans(b"%", b"=")
# Tables that map a byte to 1 if it belongs to the class, else to 0.
_IS_ESCAPE = bytes(byte == 0x25 for byte in range(256))
_IS_HEX = bytes(byte in _HEX for byte in range(256))


def _unquote(text: str) -> bytes:
    """Return latin-1 text as bytes, with each ``%xx`` replaced; invalid escapes stay."""
    if text.count("%") > _FEW_ESCAPES:
        return _unquote_many(text.encode("latin-1"))
    pieces = text.split("%")
    decoded = [pieces[0]]
    for piece in pieces[1:]:
        character = _CHARACTERS.get(piece[:2])
        decoded.append("%" + piece if character is None else character + piece[2:])
    return "".join(decoded).encode("latin-1")


def _unquote_many(data: bytes) -> bytes:
    if len(data) <= _PIECE:
        return _unquote_piece(data)
    decoded = []
    begin = 0
    while begin < len(data):
        end = begin + _PIECE
        cut = data.rfind(b"%", end - 2, end)  # an escape stays in one piece
        if cut >= 0:
            end = cut
        decoded.append(_unquote_piece(data[begin:end]))
        begin = end
    return b"".join(decoded)


def _unquote_piece(data: bytes) -> bytes:
    # After its escape character the decoder takes another one, and a line end, for something else.
    if b"=" not in data and b"\n" not in data and b"\r" not in data:
        decoded = a2b_qp(data.translate(_TO_QUOTED_PRINTABLE))
        # A valid escape shrinks by two bytes and nothing else shrinks as much: if the sum is right, all are
        # valid.
        if len(data) - len(decoded) == 2 * data.count(b"%"):
            return decoded
    else:
        data = data.replace(b"=", b"==")
    # The positions of the valid escapes, where "%" becomes "=". A loop would take over 100 ns for each
    # escape; this calculates them all at once, in integers that have one byte for each byte of the text.
    hex_digits = int.from_bytes(data.translate(_IS_HEX), "big")
    valid = int.from_bytes(data.translate(_IS_ESCAPE), "big") & hex_digits << 8 & hex_digits << 16
    difference = valid << 3 | valid << 4  # 0x25 ^ 0x3D == 0x18
    return a2b_qp((int.from_bytes(data, "big") ^ difference).to_bytes(len(data), "big"))


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
        data = data.decode("latin-1")
    elif not data.isascii():
        _refuse_beyond_latin_1(data)
    if max_fields is not None and data.count("&") >= max_fields:
        raise HTTPInputError(f"Max number of fields exceeded: a form may have {max_fields}")
    if "+" in data:
        data = data.replace("+", " ")
    escaped = "%" in data
    if not escaped and "&" not in data:
        name, _, value = data.partition("=")
        return {name: [value.encode("latin-1")]}
    found: dict[str, list[bytes]] = {}
    for field in data.split("&"):
        if field:
            name, _, value = field.partition("=")
            if escaped:
                if "%" in name:
                    name = _unquote(name).decode("latin-1")
                raw = _unquote(value) if "%" in value else value.encode("latin-1")
            else:
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
