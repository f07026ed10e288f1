"""Changes to a response whose head has been sent: they have no effect, and a warning tells of them.

Tornado ignores them silently, and reports the later status to the access log. Here the status stays the one
that the client received. Header fields do change in the handler, as programs read them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.web._warn_once import caller, warn_once

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler


def ignore(handler: RequestHandler, call: str) -> None:
    """Log that `call`, a method of `handler`, came too late to have an effect.

    :param call: the method's name, with arguments or without.
    """
    warn_once(
        handler,
        "late " + call.partition("(")[0],
        "%s of %s was ignored, as the response's status and headers were sent before: at %s",
        call,
        type(handler).__name__,
        caller(),
    )


def set_status(handler: RequestHandler, status_code: int) -> None:
    """Ignore a status set late, with a warning if it is another one than was sent."""
    if status_code != handler.get_status():
        ignore(handler, f"set_status({status_code})")


__all__ = ["ignore", "set_status"]
