"""Handling of clients that disconnect before the response is complete: deadlines, the end of the request, and
the log line.

This module is used by the cancellation of handlers (`_cancellation`), by event streams (`_sse_handler`), and
if any other handler writes to a disconnected client.
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

#: The status code with which nginx logs a client that closed its connection before the response.
CLIENT_CLOSED_REQUEST = 499

_log_limit = LogRateLimit(gen_log)


def scheduler_of(loop: asyncio.AbstractEventLoop, name: str) -> DeadlineScheduler:
    """Return the deadline scheduler called `name` of a loop. It is stored in the loop's ``__dict__``, so that
    it is released with the loop.
    """
    attributes = loop.__dict__
    watch: DeadlineScheduler | None = attributes.get(name)
    if watch is None:
        watch = attributes[name] = DeadlineScheduler()
    return watch


def is_disconnect(handler: RequestHandler, error: BaseException | None) -> bool:
    """Whether `error` means that the client of `handler` has disconnected: the error reports a closed
    stream, and the stream of the client is closed.
    """
    if not isinstance(error, StreamClosedError):
        return False
    stream = getattr(handler.request.connection, "stream", None)
    closed = getattr(stream, "closed", None)
    return closed is not None and closed() is True  # tests of programs use mock connections


def report(handler: RequestHandler) -> None:
    """Log that a handler's client has disconnected, at most once per second, as thousands may disconnect
    together.
    """
    text = "Connection closed before the end of the response: %s"
    _log_limit.log("gone", logging.INFO, text, handler._request_summary())


def abandon(handler: RequestHandler) -> None:
    """End the request of a disconnected client: log the request, with status 499 if no status was sent, call
    ``on_finish``, and close the connection.

    A handler that is registered with senders of messages has a method ``_leave`` that unregisters it.
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


__all__ = ["CLIENT_CLOSED_REQUEST", "abandon", "is_disconnect", "report", "scheduler_of"]
