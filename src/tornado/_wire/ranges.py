"""Byte ranges: parsing Range and serializing Content-Range (RFC 9110 section 14).

Only single ranges are supported. A list of ranges, another unit and a malformed field are ignored, which
section 14.2 permits: the response is then the whole representation. The grammar does not limit the size of a
position; one of more than 18 digits is treated as being after the end of the representation.
"""

from __future__ import annotations

import re

__all__ = ["format_content_range", "parse_range"]

MAX_POSITION = 10**18

# RFC 9110 sections 14.1.1 and 14.1.2, with optional whitespace, which some clients send.
_RANGE = re.compile(r"[ \t]*bytes[ \t]*=[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*", re.IGNORECASE | re.ASCII)


def _position(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else MAX_POSITION


def parse_range(field: str) -> tuple[int | None, int | None] | None:
    """Return the range in a Range field as (start, end) for slicing, ``content[start:end]``.

    A start of None means the beginning, and an end of None means the end; a negative start counts from the
    end. The range ``-0`` is ``(None, 0)``, which no representation satisfies.

    :returns: the range, or None if the field must be ignored.

    >>> parse_range("bytes=1-2"), parse_range("bytes=6-"), parse_range("bytes=-6")
    ((1, 3), (6, None), (-6, None))
    >>> parse_range("bytes=1-2,6-10"), parse_range("furlongs=1-2"), parse_range("bytes=2-1")
    (None, None, None)
    """
    match = _RANGE.fullmatch(field)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        if not last:
            return _position(first), None
        start, end = _position(first), _position(last) + 1
        return (start, end) if start < end else None  # section 14.1.1: last before first is invalid
    if last:
        suffix = _position(last)
        return (-suffix, None) if suffix else (None, 0)
    return None


def format_content_range(start: int | None, end: int | None, total: int) -> str:
    """Return the Content-Range value for ``content[start:end]`` of ``total`` bytes.

    >>> format_content_range(None, None, 4), format_content_range(1, 3, 4)
    ('bytes 0-3/4', 'bytes 1-2/4')
    """
    last = (total if end is None else end) - 1
    return f"bytes {start or 0}-{last}/{total}"
