"""Writing ``multipart/form-data`` bodies (RFC 7578; HTML Standard, "multipart/form-data encoding algorithm").

Theory of operation
-------------------
A body is a sequence of parts. The caller sends `part_head`, the part's content in any number of pieces, and
`PART_END` for each part, then `closing_delimiter`. All of these have a size that is known beforehand, so that
the length of the body is known if the length of each content is.

Names are escaped as browsers do it: line breaks are normalised to CRLF in field names, then CR, LF and the
double quote become ``%0D``, ``%0A`` and ``%22``. Everything else is sent as UTF-8. RFC 7578 section 4.2
forbids the ``filename*`` form.

The boundary is an argument: this layer has no source of randomness. It must be unpredictable, as a content
that contains the delimiter would otherwise be read as several parts.
"""

from __future__ import annotations

import re

from tornado._wire.headers import FORBIDDEN_VALUE_CHARS

__all__ = ["PART_END", "closing_delimiter", "escape_filename", "escape_name", "part_head"]

#: Ends the content of a part.
PART_END = b"\r\n"

_LINE_BREAK = re.compile("\r\n|\r|\n")


def escape_name(name: str) -> str:
    """Escape a field name for a Content-Disposition.

    >>> escape_name('a"b' + chr(10) + 'c')
    'a%22b%0D%0Ac'
    """
    return escape_filename(_LINE_BREAK.sub("\r\n", name))


def escape_filename(filename: str) -> str:
    """Escape a file name for a Content-Disposition; its line breaks are not normalised."""
    return filename.replace("\n", "%0A").replace("\r", "%0D").replace('"', "%22")


def part_head(
    boundary: str, name: str, filename: str | None = None, content_type: str | None = None
) -> bytes:
    """Return the delimiter and the header block of a part, up to its content.

    :arg filename: marks the part as a file; None for an ordinary field.
    :arg content_type: the part's media type; None leaves the field out, which means ``text/plain``.
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
