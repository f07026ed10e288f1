"""Chunked requests that two readers take apart differently, and neither finds a fault in.

To show that a server takes for the end of a line what is none, a case has to read well to one that does: it
would be refused for another reason otherwise, and seem to have passed. Here one reader ends a chunk's size
line early, at a mark inside its extension, the other late, at CR LF. One of them sees a single request, the
other finds a second one behind it, for ``/smuggled``.
"""

from __future__ import annotations

from dataclasses import dataclass

from compliance.http1.case import Outcome, chunked, echo, head, opened, seen

#: What ends the body for the one; the other takes it for the body of the smuggled request.
TAIL = b"\r\n0\r\n\r\n"
SMUGGLED = head("POST /smuggled HTTP/1.1", "Host: a.example", f"Content-Length: {len(TAIL)}")


@dataclass(frozen=True)
class Reading:
    """A request and what it may be taken for.

    :ivar early: by who ends the first size line at the mark.
    :ivar late: by who ends it at CR LF.
    """

    data: bytes
    early: Outcome
    late: Outcome


def _two(body: bytes) -> Outcome:
    return opened(seen(target="/x", body=body), seen(target="/smuggled", body=TAIL))


def second_if_late(mark: bytes, closing: bytes = b"") -> Reading:
    """Two requests to who ends the line late.

    :param mark: the beginning of the extension, up to the octets that may end the line.
    :param closing: what the rest of the extension ends with, such as a quotation mark.
    """
    hidden = b"0\r\n\r\n" + SMUGGLED
    size = b"%x" % len(hidden)
    first = closing.rjust(len(size), b"x")
    data = b"%x;%b%b\r\n%b\r\n%b%b" % (len(size), mark, first, size, hidden, TAIL)
    return Reading(chunked(data), echo(target="/x", body=first + hidden), _two(size))


def second_if_early(mark: bytes) -> Reading:
    """Two requests to who ends the line early; ``mark`` as in `second_if_late`."""
    padding, first = b"x" * (5 + len(SMUGGLED)), b"hello"
    hidden = first + TAIL + SMUGGLED
    data = b"%x;%b%b\r\n%b%b" % (len(hidden), mark, padding, hidden, TAIL)
    return Reading(chunked(data), _two(padding + b"\r\n" + first), echo(target="/x", body=hidden))
