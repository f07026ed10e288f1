"""The attributes of cookies, as types.

They exist for type checkers. At run time this module is imported only by programs that use one of the
classes.
"""

from __future__ import annotations

import datetime
from typing import TypedDict

from tornado._export import export


class CookieFlags(TypedDict, total=False):
    """Keyword arguments of `.RequestHandler.clear_cookie` in addition to the path and the domain."""

    max_age: int | None
    httponly: bool
    secure: bool
    samesite: str | None
    partitioned: bool


class CookieAttributes(CookieFlags, total=False):
    """Keyword arguments of `.RequestHandler.set_signed_cookie` that it passes to
    `~.RequestHandler.set_cookie`.
    """

    domain: str | None
    expires: float | tuple[int, ...] | datetime.datetime | None
    path: str


__all__ = ["CookieAttributes", "CookieFlags"]

export(globals(), module="tornado.web")
