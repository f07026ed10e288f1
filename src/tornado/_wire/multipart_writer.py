"""Serialization of ``multipart/form-data`` bodies (RFC 7578; HTML Standard, "multipart/form-data encoding
algorithm").

Theory of operation
-------------------
A body is a sequence of parts. For each part, the caller sends `part_head`, the content in any number of
pieces, and `PART_END`. After the last part it sends `closing_delimiter`. The sizes of heads and delimiters
are known in advance, so the length of the body is known if the length of each content is known.

Names are escaped as in browsers: line breaks in field names are normalized to CRLF, then CR, LF and the
double quote are replaced by ``%0D``, ``%0A`` and ``%22``. All other characters are sent as UTF-8. RFC 7578
section 4.2 forbids the ``filename*`` form.

The boundary is an argument, because this layer has no source of randomness. It must be unpredictable:
otherwise content that contains the delimiter would be parsed as several parts.
"""

from __future__ import annotations

import re

from tornado._wire.headers import FORBIDDEN_VALUE_CHARS

__all__ = ["PART_END", "closing_delimiter", "escape_filename", "escape_name", "part_head"]

#: The end of a part's content.
PART_END = b"\r\n"

_LINE_BREAK = re.compile("\r\n|\r|\n")


def escape_name(name: str) -> str:
    """Escape a field name for a Content-Disposition.

    >>> escape_name('a"b' + chr(10) + 'c')
    'a%22b%0D%0Ac'
    """
    return escape_filename(_LINE_BREAK.sub("\r\n", name))


def escape_filename(filename: str) -> str:
    """Escape a file name for a Content-Disposition. Line breaks are not normalized."""
    return filename.replace("\n", "%0A").replace("\r", "%0D").replace('"', "%22")


def part_head(
    boundary: str, name: str, filename: str | None = None, content_type: str | None = None
) -> bytes:
    """Return the delimiter and the header section of a part, up to its content.

    :param name: the name of the form field.
    :param filename: the file name, which marks the part as a file; None for an ordinary field.
    :param content_type: the part's media type; None omits the field, which means ``text/plain``.
    :raises ValueError: if the content type contains a control character, or a name cannot be encoded in
        UTF-8.

    >>> part_head("xx", "a")
    b'--xx\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n'
    """
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{escape_name(name)}"'
    if filename is not None:
        head += f'; filename="{escape_filename(filename)}"'
    if content_type is not None:
        if FORBIDDEN_VALUE_CHARS.search(content_type):
            raise ValueError(
                f"the content type of part {name!r} contains control characters: {content_type!r}"
            )
        head += f"\r\nContent-Type: {content_type}"
    return f"{head}\r\n\r\n".encode()


def closing_delimiter(boundary: str) -> bytes:
    """Return the delimiter that ends the body."""
    return f"--{boundary}--\r\n".encode()
