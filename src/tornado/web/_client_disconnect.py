"""Clients that go before they are answered: the timers that find them out, the end of their requests, and
what the log says of them.

Shared by what cancels handlers (`_cancellation`), by event streams (`_sse_handler`) and by every handler that
writes to somebody who has gone.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tornado._log_rate_limit import LogRateLimit
from tornado.http1connection._deadline_scheduler import DeadlineScheduler
from tornado.iostream import StreamClosedError
from tornado.log import gen_log

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: As nginx logs a client that closed its connection before it was answered.
CLIENT_CLOSED_REQUEST = 499

_reports = LogRateLimit(gen_log)


def watch_of(loop: asyncio.AbstractEventLoop, name: str) -> DeadlineScheduler:
    """One watch of deadlines for each `name` and loop; kept in the loop's ``__dict__``, so that it ends with
    it.
    """
    attributes = loop.__dict__
    watch: DeadlineScheduler | None = attributes.get(name)
    if watch is None:
        watch = attributes[name] = DeadlineScheduler()
    return watch


def has_left(handler: RequestHandler, error: BaseException | None) -> bool:
    """Whether `error` says that the client of `handler` has gone: a stream is closed, and its own is."""
    if not isinstance(error, StreamClosedError):
        return False
    stream = getattr(handler.request.connection, "stream", None)
    closed = getattr(stream, "closed", None)
    return closed is not None and closed() is True  # programs test their handlers with objects of their own


def report(handler: RequestHandler) -> None:
    """Log that a handler's client has gone; at most a line a second, as clients go by the thousand."""
    text = "Connection closed before the end of the response: %s"
    _reports.log("gone", logging.INFO, text, handler._request_summary())


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


__all__ = ["CLIENT_CLOSED_REQUEST", "abandon", "has_left", "report", "watch_of"]
