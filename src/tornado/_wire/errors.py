"""Errors in HTTP messages.

There are two base classes, both public in `tornado.httputil`. `HTTPInputError` means that the peer sent an
invalid message; the ``status_code`` of each subclass is the status of the response that a server sends before
it closes the connection. `HTTPOutputError` means that this program tried to send an invalid message.
"""

from __future__ import annotations

__all__ = [
    "BodyTooLarge",
    "ExpectationFailed",
    "HTTPInputError",
    "HTTPOutputError",
    "HeadTooLarge",
    "IncompleteMessage",
    "InvalidTransition",
    "MisdirectedRequest",
    "RequestTargetTooLong",
    "TooManyInterimResponses",
    "VersionNotSupported",
]


class HTTPInputError(Exception):
    """The peer sent a malformed, ambiguous or oversized HTTP message.

    :ivar status_code: the status of the server's response, 400 unless a subclass says otherwise. A client
        only closes the connection.
    """

    status_code: int = 400


class RequestTargetTooLong(HTTPInputError):
    """The request line exceeds its limit: 414 (RFC 9112 section 3)."""

    status_code = 414


class HeadTooLarge(HTTPInputError):
    """The head is too large or has too many fields: 431 (RFC 6585 section 5)."""

    status_code = 431


class BodyTooLarge(HTTPInputError):
    """The body, or its announced length, exceeds the limit: 413 (RFC 9110 section 15.5.14)."""

    status_code = 413


class ExpectationFailed(HTTPInputError):
    """Expect contains something other than ``100-continue``: 417 (RFC 9110 section 10.1.1).

    It is raised by the server, because the reader only sets `RequestHead.expect_unknown`.
    """

    status_code = 417


class MisdirectedRequest(HTTPInputError):
    """The connection cannot serve the target, such as https without TLS: 421 (RFC 9110 section 7.4).

    It is raised by the server. The reader accepts such a target, because it does not know the connection.
    """

    status_code = 421


class VersionNotSupported(HTTPInputError):
    """The major version is not 1: 505 (RFC 9110 section 15.6.6)."""

    status_code = 505


class IncompleteMessage(HTTPInputError):
    """The peer ended its input before the message was complete (RFC 9112 section 8)."""


class TooManyInterimResponses(HTTPInputError):
    """More 1xx responses arrived before the final response than the client's limit permits."""


class HTTPOutputError(Exception):
    """This program tried to send a message that HTTP does not allow, such as a body of the wrong length."""


class InvalidTransition(RuntimeError):
    """A change of state that the table of transitions does not permit, which is a bug in this package."""
