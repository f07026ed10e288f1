r"""Credentials: the field Authorization (RFC 9110 section 11.6.2), as far as bearer tokens need it.

Theory of operation
-------------------
The field is a scheme, compared without regard to case, and for ``Bearer`` one token (RFC 6750 section 2.1)::

    credentials = "Bearer" 1*SP b64token
    b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="

A field with another scheme has no bearer token; whether that scheme is acceptable is not decided here. A
``Bearer`` field that does not follow the grammar is an error rather than an absent token: the client
tried to authenticate, and the message must not be read as an anonymous one. RFC 6750 section 3.1
tells two kinds apart. Without a token, or with more than one word after the scheme (which is also
how several field lines look after they are joined), the request is malformed. A single word that
is not a b64token is a malformed token.

Only the field is read. A token in the query or in a form would be logged and would appear in ``Referer``
(RFC 6750 section 5.3).
"""

from __future__ import annotations

import re

__all__ = ["InvalidCredentials", "bearer_token"]

_SCHEME = re.compile(r"[ \t]*+bearer(?![^ \t,])[ \t]*+", re.IGNORECASE)
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]++=*+")
_SEPARATOR = re.compile(r"[ \t,]")


class InvalidCredentials(ValueError):
    """An Authorization field with the scheme ``Bearer`` that does not follow the grammar.

    :ivar code: the error code of RFC 6750 section 3.1, ``invalid_request`` or ``invalid_token``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def bearer_token(field: str) -> str | None:
    """Return the token of an Authorization field, or None if the scheme is not ``Bearer``.

    :raises InvalidCredentials: if the scheme is ``Bearer`` and no single valid token follows. The message
        does not repeat what was sent.

    >>> bearer_token("bearer mF_9.B5f-4.1JqM")
    'mF_9.B5f-4.1JqM'
    """
    scheme = _SCHEME.match(field)
    if scheme is None:
        return None
    token = field[scheme.end() :].rstrip(" \t")
    if not token:
        raise InvalidCredentials("invalid_request", "no token follows the scheme Bearer")
    if _SEPARATOR.search(token):
        raise InvalidCredentials("invalid_request", "more than one token follows the scheme Bearer")
    if _B64TOKEN.fullmatch(token) is None:
        raise InvalidCredentials("invalid_token", "the bearer token has a character that is not allowed")
    return token
