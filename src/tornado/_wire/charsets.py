"""Charset labels from a peer, and decoding of a body as text (RFC 9110 section 8.3.2).

Theory of operation
-------------------
A label from a message is looked up in a short list. Python has codecs that are not character encodings
(``zip``, ``hex``) and codecs that take quadratic time (``idna``, CVE-2022-45061). A header field must not
be able to select any of them. Unknown labels are treated as UTF-8.

A byte order mark takes precedence over the label and is removed, as in the Encoding Standard, section 4.2
("BOM sniff"). Invalid bytes are replaced by U+FFFD, so decoding never fails. It takes linear time.
"""

from __future__ import annotations

import codecs

__all__ = ["CHARSETS", "decode_text", "find_charset"]

#: Labels in lower case that are also the names of Python's codecs.
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

# Other labels of the Encoding Standard that servers send. UTF-16 without a byte order mark is
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
    """Return the name of Python's codec for a label, or ``utf-8`` if the label is not in the list.

    >>> find_charset("Latin1"), find_charset("idna")
    ('iso-8859-1', 'utf-8')
    """
    label = label.strip().lower()
    return label if label in CHARSETS else _ALIASES.get(label, "utf-8")


def decode_text(body: bytes, label: str | None) -> str:
    """Decode a body according to its byte order mark, else to ``label``, else as UTF-8.

    :param label: the ``charset`` parameter of the Content-Type field, or None.

    >>> decode_text(b"\\xe9", "ISO-8859-1"), decode_text(b"\\xef\\xbb\\xbfa", "latin1")
    ('é', 'a')
    """
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    return body.decode("utf-8" if label is None else find_charset(label), "replace")
