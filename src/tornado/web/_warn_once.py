"""Warnings about mistakes in a program, logged once for each handler class with the line that caused them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tornado.log import app_log

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: From handler class to the kinds of warning that have been logged for it.
_logged: WeakKeyDictionary[type[RequestHandler], set[str]] = WeakKeyDictionary()


def is_debugging(handler: RequestHandler) -> bool:
    """Whether the handler's application has ``debug=True``."""
    settings = getattr(handler.application, "settings", None)
    return isinstance(settings, dict) and bool(settings.get("debug"))  # tests use mock applications


def warn_once(handler: RequestHandler, kind: str, message: str, *args: object) -> None:
    """Log ``message % args``, unless this kind of warning has been logged for the handler's class.

    With ``debug=True`` it is logged each time.

    :param kind: a constant string; it is stored as long as the class exists.
    """
    logged = _logged.setdefault(type(handler), set())
    if kind in logged and not is_debugging(handler):
        return
    logged.add(kind)
    app_log.warning(message, *args)


def caller() -> str:
    """Return the file and line of the innermost call from outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


__all__ = ["caller", "is_debugging", "warn_once"]
