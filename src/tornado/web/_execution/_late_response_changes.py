"""Warnings for changes to a response whose head has been sent; such changes have no effect.

Tornado ignores such changes silently, and writes the later status code to the access log. Here, the status
code remains the one that was sent to the client. Header fields do change in the handler, because programs
read them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.web._warn_once import caller, warn_once

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner


def ignore(handler: ResponseOwner, call: str) -> None:
    """Log that a method of `handler` was called too late to have an effect.

    :param call: the name of the method, with or without arguments.
    """
    warn_once(
        handler,
        "late " + call.partition("(")[0],
        "%s of %s was ignored because the status and header fields had already been sent: at %s",
        call,
        type(handler).__name__,
        caller(),
    )


def set_status(handler: ResponseOwner, status_code: int) -> None:
    """Ignore a late change of the status code, with a warning if it differs from the one that was sent."""
    if status_code != handler.get_status():
        ignore(handler, f"set_status({status_code})")


__all__ = ["ignore", "set_status"]
