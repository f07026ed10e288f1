"""Chunked requests that two parsers read differently, both without finding an error.

A case that shows that a server accepts a wrong line end must be a valid request for such a server. Otherwise
the server refuses the request for another reason, and seems to pass. Here one parser ends a chunk size line
early, at a mark inside its extension; the other ends it late, at CR LF. One of them reads a single request,
the other one finds a second request after it, for ``/smuggled``.
"""

from __future__ import annotations

from dataclasses import dataclass

from compliance.http1.case import Outcome, chunked, echo, head, opened, seen

#: The octets that end the body for one parser. The other one reads them as the body of the smuggled request.
TAIL = b"\r\n0\r\n\r\n"
SMUGGLED = head("POST /smuggled HTTP/1.1", "Host: a.example", f"Content-Length: {len(TAIL)}")


@dataclass(frozen=True)
class Reading:
    """A request and its two interpretations.

    :ivar early: the outcome for a parser that ends the first size line at the mark.
    :ivar late: the outcome for a parser that ends it at CR LF.
    """

    data: bytes
    early: Outcome
    late: Outcome


def _two(body: bytes) -> Outcome:
    return opened(seen(target="/x", body=body), seen(target="/smuggled", body=TAIL))


def second_if_late(mark: bytes, closing: bytes = b"") -> Reading:
    """Return a request that is two requests for a parser that ends the line late.

    :param mark: the start of the extension, up to the octets that may end the line.
    :param closing: the end of the extension, such as a quotation mark.
    """
    hidden = b"0\r\n\r\n" + SMUGGLED
    size = b"%x" % len(hidden)
    first = closing.rjust(len(size), b"x")
    data = b"%x;%b%b\r\n%b\r\n%b%b" % (len(size), mark, first, size, hidden, TAIL)
    return Reading(chunked(data), echo(target="/x", body=first + hidden), _two(size))


def second_if_early(mark: bytes) -> Reading:
    """Return a request that is two requests for a parser that ends the line early; ``mark`` as in
    `second_if_late`.
    """
    padding, first = b"x" * (5 + len(SMUGGLED)), b"hello"
    hidden = first + TAIL + SMUGGLED
    data = b"%x;%b%b\r\n%b%b" % (len(hidden), mark, padding, hidden, TAIL)
    return Reading(chunked(data), _two(padding + b"\r\n" + first), echo(target="/x", body=hidden))
