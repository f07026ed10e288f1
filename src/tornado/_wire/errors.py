"""What can be wrong with an HTTP message, and whose fault it is.

Two trees. `HTTPInputError`: the peer sent something we refuse; each class carries, as `status_code`, the
answer that a server gives before it closes the connection. `HTTPOutputError`: this program asked for a
message that must not be sent. Both roots are public under `tornado.httputil`; the leaves exist so that the
right answer travels with the fault, and users who catch the root catch them all.
"""

from __future__ import annotations

__all__ = [
    "BodyTooLarge",
    "ExpectationFailed",
    "HTTPInputError",
    "HTTPOutputError",
    "HeadTooLarge",
    "IncompleteMessage",
    "MisdirectedRequest",
    "RequestTargetTooLong",
    "TooManyInterimResponses",
    "VersionNotSupported",
]


class HTTPInputError(Exception):
    """The peer sent a malformed, ambiguous or oversized HTTP message.

    :ivar status_code: the status a server answers with (400 unless a subclass knows better); a client only
        closes the connection.
    """

    status_code: int = 400


class RequestTargetTooLong(HTTPInputError):
    """The request line alone passes its limit (RFC 9112 section 3: 414)."""

    status_code = 414


class HeadTooLarge(HTTPInputError):
    """The start line and the header fields pass a limit in bytes or in number (RFC 6585 section 5: 431)."""

    status_code = 431


class BodyTooLarge(HTTPInputError):
    """The body is, or says it will be, larger than this receiver takes (RFC 9110 section 15.5.14: 413)."""

    status_code = 413


class ExpectationFailed(HTTPInputError):
    """The Expect field asks for something other than ``100-continue`` (RFC 9110 section 10.1.1: 417).

    The reader itself only flags such a request (`RequestHead.expect_unknown`); a server raises this.
    """

    status_code = 417


class MisdirectedRequest(HTTPInputError):
    """The target asks for what this connection cannot give, as https without TLS (RFC 9110 section 7.4: 421).

    The reader lets it through, as it does not know its connection; a server raises this.
    """

    status_code = 421


class VersionNotSupported(HTTPInputError):
    """A well-formed HTTP version other than 1.0 and 1.1 (RFC 9110 section 15.6.6: 505)."""

    status_code = 505


class IncompleteMessage(HTTPInputError):
    """The peer closed its side before the message was complete (RFC 9112 section 8)."""


class TooManyInterimResponses(HTTPInputError):
    """More 1xx responses came before the final one than the client's limit allows."""


class HTTPOutputError(Exception):
    """This program tried to send a message that HTTP does not allow, such as a body of the wrong length."""
