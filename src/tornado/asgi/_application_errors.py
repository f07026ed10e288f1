"""Exceptions that an ASGI application raises: which of them to log."""

from __future__ import annotations

from typing import Any

from tornado.iostream import StreamClosedError
from tornado.log import app_log, escape_controls


def comes_from_disconnect(error: BaseException) -> bool:
    """Whether an exception was caused by a call of ``send`` after the client has disconnected.

    Frameworks raise exceptions of their own, such as Starlette's ClientDisconnect, in which the original one
    is found.
    """
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, StreamClosedError):
            return True
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
        pending += (current.__cause__, current.__context__)
    return False


def log_exception(head: Any, connection: Any, error: BaseException) -> None:
    """Log an exception that the application has raised for a request."""
    app_log.error(
        "Uncaught exception in the ASGI application: %s %s (%s)",
        head.method,
        escape_controls(head.target),
        connection.context.remote_ip,
        exc_info=error,
    )


__all__ = ["comes_from_disconnect", "log_exception"]
