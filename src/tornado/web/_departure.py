"""Clients that go before they are answered: the timers that find them out, and the end of their requests.

Shared by what cancels handlers (`_guard`) and by event streams (`_events`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornado.http1connection._watch import Watch

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: As nginx logs a client that closed its connection before it was answered.
CLIENT_CLOSED_REQUEST = 499


def watch_of(loop: asyncio.AbstractEventLoop, name: str) -> Watch:
    """One watch of deadlines for each `name` and loop; kept in the loop's ``__dict__``, so that it ends with
    it.
    """
    attributes = loop.__dict__
    watch: Watch | None = attributes.get(name)
    if watch is None:
        watch = attributes[name] = Watch()
    return watch


def abandon(handler: RequestHandler) -> None:
    """End the request of a client that has gone: logged, with status 499 where none was sent, cleaned up
    after, and its connection closed.

    A handler that others send to says how it parts from them by a method ``_leave``.
    """
    leave = getattr(handler, "_leave", None)
    if leave is not None:
        leave()
    try:
        if not handler._finished:
            if not handler._headers_written:
                handler.set_status(CLIENT_CLOSED_REQUEST, "Client Closed Request")
            handler._finished = True
            handler._write_buffer = []
            handler._log()
            handler.on_finish()
            handler._break_cycles()
    finally:
        close = getattr(handler.request.connection, "close", None)
        if close is not None:
            close()


__all__ = ["CLIENT_CLOSED_REQUEST", "abandon", "watch_of"]
