"""Handling of clients that disconnect before the response is complete: deadlines, the end of the request, and
the log line.

This module is used by the cancellation of handlers (`_cancellation`), by event streams (`_sse_handler`), and
when any other handler writes to a disconnected client.
"""

from __future__ import annotations

import logging

from tornado._log_rate_limit import LogRateLimit
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import StreamClosedError
from tornado.log import gen_log
from tornado.web._execution._response import ResponseOwner, break_cycles, log, request_summary, response_of

#: The status code with which nginx logs a client that closed its connection before the response.
CLIENT_CLOSED_REQUEST = 499

_log_limit = LogRateLimit(gen_log)


def is_disconnect(handler: ResponseOwner, error: BaseException | None) -> bool:
    """Whether `error` means that the client of `handler` has disconnected: the error reports a closed
    stream, and the stream of the client is closed.
    """
    if not isinstance(error, StreamClosedError):
        return False
    connection = handler.request.connection
    if isinstance(connection, ServerExchange):
        return connection.is_closed() and not connection.is_detached
    closed = getattr(getattr(connection, "stream", None), "closed", None)
    return closed is not None and closed() is True  # tests of programs use mock connections


def report(handler: ResponseOwner) -> None:
    """Log that a handler's client has disconnected, at most once per second, because thousands may
    disconnect at the same time.
    """
    text = "Connection closed before the end of the response: %s"
    _log_limit.log("gone", logging.INFO, text, request_summary(handler))


def abandon(handler: ResponseOwner) -> None:
    """End the request of a disconnected client: log the request, with status 499 if no status was sent, call
    ``on_finish``, and close the connection.

    A handler that is registered with senders of messages has a method ``_leave`` that unregisters it.
    """
    leave = getattr(handler, "_leave", None)
    if leave is not None:
        leave()
    try:
        response = response_of(handler)
        if not response.state.ended:
            if not response.state.head_sent:
                handler.set_status(CLIENT_CLOSED_REQUEST, "Client Closed Request")
            response.abandon()
            log(handler)
            handler.on_finish()
            break_cycles(handler)
    finally:
        close = getattr(handler.request.connection, "close", None)
        if close is not None:
            close()


__all__ = ["CLIENT_CLOSED_REQUEST", "abandon", "is_disconnect", "report"]
