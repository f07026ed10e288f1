"""One call of an ASGI application for an HTTP request.

The application is started as soon as the head has arrived, or, if the body has arrived with the head, when
the body is complete: the first ``receive`` then returns without waiting. While more than `HIGH_WATER` bytes
wait for the application, the connection does not read.

A disconnect cancels nothing: ``receive`` returns ``http.disconnect``, and ``send`` raises
`.StreamClosedError`, an OSError (ASGI specification 2.4).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from time import time
from typing import Any

from tornado._gateway_access_log import log_gateway_request
from tornado._gateway_observation import CLIENT_CLOSED_REQUEST, ObservedRequest
from tornado._loop.tasks import run_eagerly
from tornado.asgi._application_errors import comes_from_disconnect, log_exception
from tornado.asgi._http_response import HTTPResponse, ResponseState
from tornado.asgi._wakeup import Wakeup
from tornado.concurrent import Future
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError
from tornado.log import access_log, app_log

#: The size of the received part of a body, in bytes, above which the application must read it first.
HIGH_WATER = 64 * 1024

_COMPLETE, _ABORTED = ResponseState.COMPLETE, ResponseState.ABORTED


class HTTPInvocation(HTTPMessageDelegate):
    """One call of an application; also the delegate that receives the body of the request.

    :param application: the ASGI application.
    :param scope: its first argument.
    :param connection: the exchange of the request.
    :param head: the head of the request.
    :param observed: the observation of the request, or None.
    """

    __slots__ = (
        "_application",
        "_began",
        "_body_complete",
        "_chunks",
        "_connection",
        "_head",
        "_is_half_closed",
        "_observed",
        "_room",
        "_scope",
        "_size",
        "_task",
        "_wakeup",
        "response",
    )

    def __init__(
        self,
        application: Any,
        scope: dict[str, Any],
        connection: Any,
        head: Any,
        observed: ObservedRequest | None = None,
    ) -> None:
        self._observed = observed
        self._application = application
        self._scope = scope
        self._connection = connection
        self._head = head
        self._began = time()
        self.response = HTTPResponse(connection, head)
        self._chunks: list[bytes] = []
        self._size = 0
        #: Whether ``receive`` has returned, or will return, the end of the body; None after it has.
        self._body_complete: bool | None = False
        #: Whether the client has closed its sending side. It may still receive the response.
        self._is_half_closed = False
        #: The Future for which the connection waits before it passes on more of the body.
        self._room: Future[None] | None = None
        self._wakeup: Wakeup | None = None
        self._task: asyncio.Task[None] | None = None

    # -- starting --

    def begin(self) -> Future[None] | None:
        """Start the application after the head of a request with a body.

        :returns: a Future for which reading the body must wait; None to read it now.
        """
        head, connection = self._head, self._connection
        connection.set_close_callback(self.on_connection_close)
        reader = getattr(getattr(connection, "input", None), "reader", None)
        length = head.content_length
        if reader is not None and length is not None and length <= HIGH_WATER and reader.buffered >= length:
            return None  # the body is complete: `finish` starts the application
        room = None
        if head.expect_continue:
            # The client sends the body, and the connection "100 Continue", when the application wants it.
            room = self._room = asyncio.get_running_loop().create_future()
        self._start()
        return room

    def begin_complete(self) -> None:
        """Start the application after its request, including the body, is complete."""
        self._body_complete = True
        self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        task = self._task = run_eagerly(loop, self._running(), contextvars.copy_context())
        if not task.done():
            self._connection.task = task
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        connection = self._connection
        if getattr(connection, "task", None) is task:
            connection.task = None
        if not task.cancelled() and task.exception() is not None:
            app_log.error("Uncaught exception in an ASGI container", exc_info=task.exception())

    async def run(self) -> None:
        """Call the application, and end its response."""
        try:
            await self._application(self._scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._end_early()
            raise
        except Exception as error:
            self._failed(error)
        else:
            state = self.response.state
            if state is not _COMPLETE and state is not _ABORTED:
                self._returned_early()

    async def _run_observed(self, observed: ObservedRequest) -> None:
        observed.begin()
        try:
            await self.run()
        finally:
            # A response that is complete has been counted already. Otherwise the client has disconnected, or
            # an incomplete response was ended.
            observed.end(self.response.status or CLIENT_CLOSED_REQUEST)

    def _running(self) -> Coroutine[Any, Any, None]:
        return self.run() if self._observed is None else self._run_observed(self._observed)

    # -- the delegate --

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Future[None] | None:
        """Start the application, unless the request has no body."""
        if self._head.has_body:
            return self.begin()
        self._connection.set_close_callback(self.on_connection_close)
        return None

    def data_received(self, chunk: bytes) -> Future[None] | None:
        """Keep a part of the body until the application receives it."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._wakeup is not None:
            self._wakeup.wake()
        if self._size < HIGH_WATER or self.response.state is _COMPLETE:
            return None
        self._room = asyncio.get_running_loop().create_future()
        return self._room

    def finish(self) -> Any:
        """Record the end of the body; return the coroutine that calls the application if it has not begun."""
        self._body_complete = True
        if self._wakeup is not None:
            self._wakeup.wake()
        if self._task is None:
            return self.run() if self._observed is None else self._running()
        return None

    def on_connection_close(self) -> None:
        """Record that the client has disconnected, or has only closed its sending side."""
        if getattr(self._connection, "ended", True):
            self.response.disconnected()
        else:
            self._is_half_closed = True
        self._release()

    def _release(self) -> None:
        """Let waiting calls continue after the end of the response."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self._wakeup is not None:
            self._wakeup.wake()

    # -- called by the application --

    async def receive(self) -> dict[str, Any]:
        """Return the next part of the body, or ``http.disconnect`` at the end of the response."""
        while True:
            state = self.response.state
            if state is _COMPLETE or state is _ABORTED:
                await asyncio.sleep(0)  # an application that ignores this event must not block the event loop
                return {"type": "http.disconnect"}
            chunks, room = self._chunks, self._room
            if chunks or self._body_complete:
                break
            if self._is_half_closed:
                await asyncio.sleep(0)
                return {"type": "http.disconnect"}
            if room is not None:
                self._room = None
                if not room.done():
                    room.set_result(None)
            if self._wakeup is None:
                self._wakeup = Wakeup()
            await self._wakeup.wait(asyncio.get_running_loop())
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._size = 0
        if room is not None:
            self._room = None
            if not room.done():
                room.set_result(None)
        more = not self._body_complete
        if not more:
            self._body_complete = None
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        """Process a message of the application."""
        kind = message["type"]
        response = self.response
        if kind == "http.response.start":
            if response.state is _ABORTED:
                raise StreamClosedError
            if self._observed is not None:
                message = {**message, "headers": self._observed.asgi_fields(message.get("headers", ()))}
            response.start(message)
            return
        written = (
            response.body(message) if kind == "http.response.body" else response.handler_of(kind)(message)
        )
        if written is not None:
            await written
        if response.state is _COMPLETE:
            self._completed()

    def _completed(self) -> None:
        status, head = self.response.status, self._head
        if self._observed is not None:
            self._observed.end(status, self.response.size)
        elif access_log.isEnabledFor(logging.INFO) or status >= 400:
            remote_ip = self._connection.context.remote_ip
            log_gateway_request(status, head.method, head.target, remote_ip, time() - self._began)
        self._release()

    # -- the end --

    def _failed(self, error: Exception) -> None:
        """Process an exception of the application."""
        ended = self.response.state is _ABORTED or getattr(self._connection, "ended", False)
        if not (ended and comes_from_disconnect(error)):
            log_exception(self._head, self._connection, error)
            if self._observed is not None:
                self._observed.error = error
        self._end_early()

    def _returned_early(self) -> None:
        """Process the end of an application that has not completed its response."""
        if self._is_half_closed:
            self.response.abort()
            return
        app_log.error(
            "The ASGI application returned without completing its response to %s %s",
            self._head.method,
            self._head.target,
        )
        self._end_early()

    def _end_early(self) -> None:
        """Send an error response if no response has begun, otherwise close the connection."""
        response = self.response
        state = response.state
        if state is _COMPLETE or state is _ABORTED:
            return
        if response.begun or getattr(self._connection, "ended", False):
            response.abort()
            self._release()
        else:
            response.send_error(500, "Internal Server Error", self._observed)
            self._completed()


__all__ = ["HIGH_WATER", "HTTPInvocation"]
