"""Values with parameters: ``form-data; name="a"; filename*=UTF-8''%c3%a1.txt``.

Theory of operation
-------------------
`split_parameters` splits the text in one scan, which examines each character a bounded number of times,
however the text is quoted (CVE-2025-67726). `parse_parameters` then resolves the extended forms of RFC 2231
and RFC 8187. Quoted strings are parsed as browsers write them: a backslash escapes only a quote or another
backslash, so ``filename="C:\\dir\\a.txt"`` keeps its separators. A quote that is never closed is an ordinary
character of a value that extends to the end.

`tornado._wire.charsets` lists the charsets of extended values; an unknown charset is treated as UTF-8.

Limits
------
The caller bounds the size of the text, and may bound the number of parts by ``max_count``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tornado._percent_decoding import unquote_bytes
from tornado._wire.charsets import find_charset
from tornado._wire.errors import HTTPInputError

__all__ = ["format_parameters", "parse_parameters", "split_parameters", "unquote_string"]

# RFC 2231 sections 3 and 4: name*, name*0, name*0*
_EXTENDED_NAME = re.compile(r"([^*]+)\*(?:(0|[1-9][0-9]{0,3})(\*?))?")


def unquote_string(text: str) -> str:
    r"""Return the content of a quoted string (RFC 9110 section 5.6.4), or any other text unchanged.

    >>> unquote_string(r'"a \"b\" c:\d"')
    'a "b" c:\\d'
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    # Replace pairs of backslashes first, so that neither of them counts as the escape of a quote.
    if "\x00" not in inner:
        return inner.replace("\\\\", "\x00").replace('\\"', '"').replace("\x00", "\\")
    return "\\".join([piece.replace('\\"', '"') for piece in inner.split("\\\\")])


def split_parameters(text: str, max_count: int | None = None) -> Iterator[str]:
    """Split ``text`` at the semicolons outside quoted strings, and yield the stripped parts.

    :param max_count: the maximum number of parts.
    :raises HTTPInputError: if there are more than ``max_count`` parts.
    """
    # `unescaped` is the text without escaped quotes, which do not close a quoted string (RFC 9110 section
    # 5.6.4). An opening quote follows "=" or whitespace, so it cannot be part of an escape.
    unescaped = text.replace("\\\\", "..").replace('\\"', "..") if "\\" in text else text
    position, count = 0, 0
    while position <= len(text):
        if count == max_count:
            raise HTTPInputError(f"a header has more than {max_count} parameters")
        count += 1
        end = text.find(";", position)
        equals = text.find("=", position, end if end >= 0 else len(text))
        if equals >= 0:
            begin = equals + 1
            while text[begin : begin + 1] in (" ", "\t"):
                begin += 1
            if text[begin : begin + 1] == '"':
                closing = unescaped.find('"', begin + 1)
                end = text.find(";", closing) if closing >= 0 else -1
        if end < 0:
            end = len(text)
        yield text[position:end].strip()
        position = end + 1


def parse_parameters(
    text: str, *, max_count: int | None = None, bare: bool = False, only: frozenset[str] | None = None
) -> tuple[str, dict[str, str | None]]:
    """Return the value before the first semicolon, and the parameters by name in lower case.

    The last of several parameters with one name wins, and an extended parameter (``name*=``) takes precedence
    over a plain one.

    :param max_count: the maximum number of parameters.
    :param bare: whether to include parameters without a value, as None.
    :param only: the names to include; other parameters are skipped without being decoded.
    :raises HTTPInputError: if there are more than ``max_count`` parameters.

    >>> parse_parameters('attachment; filename="a b.txt"; size=3')
    ('attachment', {'filename': 'a b.txt', 'size': '3'})
    """
    parts = split_parameters(text, None if max_count is None else max_count + 1)
    value = next(parts)
    found: dict[str, str | None] = {}
    extended: list[tuple[str, str]] = []
    for part in parts:
        name, equals, content = part.partition("=")
        name = name.strip().lower()
        if only is not None and name.partition("*")[0] not in only:
            continue
        if not equals:
            if bare and name:
                found[name] = None
        elif "*" in name:
            extended.append((name, unquote_string(content.strip())))
        else:
            found[name] = unquote_string(content.strip())
    if extended:
        found.update(_resolve(extended))
    return value, found


def _resolve(extended: list[tuple[str, str]]) -> dict[str, str]:
    """Decode ``name*=`` (RFC 8187 section 3.2); join and decode ``name*0=`` etc. (RFC 2231 section 3)."""
    whole: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, content in extended:
        match = _EXTENDED_NAME.fullmatch(name)
        if match is None:
            whole[name] = content
        elif match[2] is None:
            whole[match[1]] = _decode([(True, content)])
        else:
            pieces.setdefault(match[1], {})[int(match[2])] = (match[3] == "*", content)
    for name, numbered in pieces.items():
        whole.setdefault(name, _decode([numbered[index] for index in sorted(numbered)]))
    return whole


def _decode(pieces: list[tuple[bool, str]]) -> str:
    """Join and decode pieces; a flag says whether a piece is percent-encoded. The first may begin with the
    charset.
    """
    charset = "utf-8"
    encoded, content = pieces[0]
    if encoded and content.count("'") >= 2:
        label, _, content = content.split("'", 2)
        charset = find_charset(label)
        pieces = [(encoded, content), *pieces[1:]]
    raw = bytearray()
    for encoded, content in pieces:
        raw += unquote_bytes(content.encode()) if encoded else content.encode(charset, "replace")
    return raw.decode(charset, "replace")


def format_parameters(value: str, parameters: Mapping[str, str | int | None]) -> str:
    """Serialize a value and its parameters in alphabetical order, without quoting; None means no value.

    >>> format_parameters("permessage-deflate", {"b": None, "a": 15})
    'permessage-deflate; a=15; b'
    """
    parts = [value]
    for name, content in sorted(parameters.items()):
        parts.append(name if content is None else f"{name}={content}")
    return "; ".join(parts)
