"""The interfaces between an HTTP server and the application that runs on it.

`tornado.http1connection` calls the delegates, and `tornado.web` implements them. Programs with their own
routing or message handling implement them, too.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future

    from tornado._wire.headers import HTTPHeaders
    from tornado.httputil._start_line import RequestStartLine, ResponseStartLine


class HTTPServerConnectionDelegate:
    """The interface of an application that a server calls for each new request and each closed connection."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Called at the beginning of each request.

        :param server_conn: an object that identifies the connection, which may carry many requests.
        :param request_conn: the connection object to which the response is written.
        :returns: the delegate whose methods are called with the parts of the request.
        """
        raise NotImplementedError()

    def on_close(self, server_conn: object) -> None:
        """Called once after the connection has been closed.

        :param server_conn: the object that was passed to `start_request`.
        """


class HTTPMessageDelegate:
    """The receiver of one request or response; its methods are called with the parts of the message, in
    order.
    """

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Called when the head has been read.

        :param start_line: a `RequestStartLine` or a `ResponseStartLine`, depending on the kind of message.
        :returns: None, or an awaitable. The body is read after it is done.
        """

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with each part of the body.

        :returns: None, or an awaitable. Reading is paused until it is done, which slows down the sender
            (back-pressure).
        """

    def finish(self) -> None:
        """Called after the last part of the body."""

    def on_connection_close(self) -> None:
        """Called instead of `finish` when the connection was closed before the message was complete."""


class HTTPConnection:
    """The interface for writing a response (or, in a client, a request)."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Write the head of the message.

        :param start_line: a `RequestStartLine` or a `ResponseStartLine`.
        :param chunk: the first part of the body, which can then be sent together with the head.
        :returns: a Future for flow control, which is done when the bytes have been passed to the operating
            system.
        """
        raise NotImplementedError()

    def write(self, chunk: bytes) -> Future[None]:
        """Write a part of the body.

        :returns: a Future for flow control, as with `write_headers`.
        """
        raise NotImplementedError()

    def finish(self) -> None:
        """End the message after the last part of the body has been written."""
        raise NotImplementedError()
