"""Character encodings that may be named by a peer, and the text of a body (RFC 9110 section 8.3.2).

Theory of operation
-------------------
A label from a message is looked up in a short list. Python knows codecs that are not character encodings
(``zip``, ``hex``) and some whose cost is quadratic (``idna``, CVE-2022-45061); none of them may be reached by
a header field. Unknown labels are read as UTF-8.

A byte order mark takes precedence over the label, as in the Encoding Standard, section 4.2 ("BOM sniff"), and
is removed. Bytes that are invalid in the encoding become U+FFFD: decoding never fails, and it is linear.
"""

from __future__ import annotations

import codecs

__all__ = ["CHARSETS", "decode_text", "find_charset"]

#: Labels in lower case that Python knows by the same name.
CHARSETS = frozenset(
    [
        "utf-8",
        "us-ascii",
        "big5",
        "euc-jp",
        "euc-kr",
        "gb2312",
        "gbk",
        "gb18030",
        "koi8-r",
        "koi8-u",
        "shift_jis",
    ]
    + [f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))]
    + [f"windows-{page}" for page in range(1250, 1259)]
)

# Further labels of the Encoding Standard that servers send. UTF-16 without a byte order mark is
# little-endian.
_ALIASES = {
    "ascii": "us-ascii",
    "cp1252": "windows-1252",
    "iso8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "sjis": "shift_jis",
    "utf-16": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
    "utf8": "utf-8",
    "windows-874": "cp874",
    "x-sjis": "shift_jis",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)


def find_charset(label: str) -> str:
    """Return Python's name for a character encoding; ``utf-8`` for a label that is not in the list.

    >>> find_charset("Latin1"), find_charset("idna")
    ('iso-8859-1', 'utf-8')
    """
    label = label.strip().lower()
    return label if label in CHARSETS else _ALIASES.get(label, "utf-8")


def decode_text(body: bytes, label: str | None) -> str:
    """Decode a body by its byte order mark, else by the ``charset`` of its Content-Type, else as UTF-8.

    >>> decode_text(b"\\xe9", "ISO-8859-1"), decode_text(b"\\xef\\xbb\\xbfa", "latin1")
    ('é', 'a')
    """
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    return body.decode("utf-8" if label is None else find_charset(label), "replace")
