"""Warnings about mistakes in a program, logged once for each handler class with the line that caused them."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Protocol

from tornado._log_rate_limit import LogOnce
from tornado.log import app_log


class HasApplication(Protocol):
    """The part of a handler that warnings about it need."""

    @property
    def application(self) -> Any: ...


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_log_once = LogOnce(app_log)


def is_debugging(handler: HasApplication) -> bool:
    """Whether the handler's application has ``debug=True``."""
    settings = getattr(handler.application, "settings", None)
    return isinstance(settings, dict) and bool(settings.get("debug"))  # tests use mock applications


def warn_once(handler: HasApplication, kind: str, message: str, *args: object) -> None:
    """Log ``message % args``, unless this kind of warning has been logged for the handler's class.

    With ``debug=True`` it is logged each time.

    :param kind: a constant string; it is stored as long as the class exists.
    """
    repeat = is_debugging(handler)
    _log_once.log(type(handler), kind, logging.WARNING, message, *args, repeat=repeat)


def caller() -> str:
    """Return the file and line of the innermost call from outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


__all__ = ["caller", "is_debugging", "warn_once"]
