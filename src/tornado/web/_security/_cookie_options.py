"""The attributes of cookies, as types.

These types exist for type checkers. At run time this module is imported only by programs that use one of the
classes.
"""

from __future__ import annotations

import datetime
from typing import TypedDict

from tornado._public_module_names import export


class ClearCookieOptions(TypedDict, total=False):
    """Keyword arguments of `.RequestHandler.clear_cookie` in addition to the path and the domain."""

    max_age: int | None
    httponly: bool
    secure: bool
    samesite: str | None
    partitioned: bool


class SignedCookieOptions(ClearCookieOptions, total=False):
    """Keyword arguments of `.RequestHandler.set_signed_cookie` that it passes to
    `~.RequestHandler.set_cookie`.
    """

    domain: str | None
    expires: float | tuple[int, ...] | datetime.datetime | None
    path: str


__all__ = ["ClearCookieOptions", "SignedCookieOptions"]

export(globals(), module="tornado.web")
