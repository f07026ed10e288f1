r"""Parser of the bearer token in the Authorization field (RFC 9110 section 11.6.2).

Theory of operation
-------------------
The field begins with a case-insensitive scheme. The scheme ``Bearer`` is followed by one token (RFC 6750
section 2.1)::

    credentials = "Bearer" 1*SP b64token
    b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="

A field with another scheme has no bearer token; the caller decides whether that scheme is acceptable. A
``Bearer`` field that does not match the grammar is an error and not a missing token: the client tried to
authenticate, so the request must not be treated as anonymous. RFC 6750 section 3.1 distinguishes two kinds of
errors. The request is malformed if the token is missing, or more than one word follows the scheme, as when
several field lines are joined. The token is malformed if it is a single word but not a b64token.

Tokens in the query or in a form are not supported, because they would be logged and appear in ``Referer``
(RFC 6750 section 5.3).
"""

from __future__ import annotations

import re

__all__ = ["InvalidBearerCredentials", "bearer_token"]

_SCHEME = re.compile(r"[ \t]*+bearer(?![^ \t,])[ \t]*+", re.IGNORECASE)
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]++=*+")
_SEPARATOR = re.compile(r"[ \t,]")


class InvalidBearerCredentials(ValueError):
    """Raised for an Authorization field with the scheme ``Bearer`` that does not match the grammar.

    :ivar code: the error code of RFC 6750 section 3.1, ``invalid_request`` or ``invalid_token``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def bearer_token(field: str) -> str | None:
    """Return the token of an Authorization field, or None if the scheme is not ``Bearer``.

    :raises InvalidBearerCredentials: if the scheme is ``Bearer`` but is not followed by one valid token. The
        message does not contain the value that was sent.

    >>> bearer_token("bearer mF_9.B5f-4.1JqM")
    'mF_9.B5f-4.1JqM'
    """
    scheme = _SCHEME.match(field)
    if scheme is None:
        return None
    token = field[scheme.end() :].rstrip(" \t")
    if not token:
        raise InvalidBearerCredentials("invalid_request", "expected a token after the scheme Bearer")
    if _SEPARATOR.search(token):
        raise InvalidBearerCredentials("invalid_request", "expected only one token after the scheme Bearer")
    if _B64TOKEN.fullmatch(token) is None:
        raise InvalidBearerCredentials(
            "invalid_token", "the bearer token contains a character that is not allowed"
        )
    return token
