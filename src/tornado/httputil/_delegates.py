"""The interfaces between a server and what runs on it.

`tornado.http1connection` calls them and `tornado.web` answers; programs that route or handle messages by
themselves answer too.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future

    from tornado._wire.headers import HTTPHeaders
    from tornado.httputil._start_line import RequestStartLine, ResponseStartLine


class HTTPServerConnectionDelegate:
    """What a server runs: it is told of each new request, and of the end of each connection."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Called before a request is read.

        :arg server_conn: stands for the connection, which may carry many requests; any object.
        :arg request_conn: where to write the response to this request.
        :returns: who is told of the request's parts.
        """
        raise NotImplementedError()

    def on_close(self, server_conn: object) -> None:
        """Called once, after the connection was closed.

        :arg server_conn: the object that was given to `start_request`.
        """


class HTTPMessageDelegate:
    """Who is told of the parts of one request or response, in their order."""

    # Either kind of start line may come.
    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Called when the head has been read.

        :arg start_line: a `RequestStartLine` or a `ResponseStartLine`, whichever this is.
        :returns: None, or something to await before the body is read.
        """

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with each piece of the body.

        :returns: None, or something to await before more is read: this is how a slow receiver slows the
            sender.
        """

    def finish(self) -> None:
        """Called after the last piece."""

    def on_connection_close(self) -> None:
        """Called instead of `finish` when the connection was closed before the message was complete."""


class HTTPConnection:
    """Where a response (or, in a client, a request) is written."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Write the head of the message.

        :arg start_line: a `RequestStartLine` or a `ResponseStartLine`.
        :arg chunk: the first piece of the body, which can then leave together with the head.
        :returns: a future that is done when the bytes have been handed over, for flow control.
        """
        raise NotImplementedError()

    def write(self, chunk: bytes) -> Future[None]:
        """Write a piece of the body.

        :returns: a future that is done when the bytes have been handed over, for flow control.
        """
        raise NotImplementedError()

    def finish(self) -> None:
        """Say that the last piece of the body has been written."""
        raise NotImplementedError()
