"""`WSGIContainer`: a WSGI application as what a server, a router or a handler passes requests to."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, cast

from tornado.concurrent import DummyExecutor, dummy_executor
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import IOLoop
from tornado.log import access_log, escape_controls, log_access
from tornado.wsgi._environ import WSGIAppType, make_environ
from tornado.wsgi._invocation import Invocation
from tornado.wsgi._request_body import SpooledRequest
from tornado.wsgi._response import Response


class WSGIContainer(HTTPServerConnectionDelegate):
    """Runs a WSGI application.

    ::

        HTTPServer(WSGIContainer(app, threads=20)).listen(8888)

    It may be an `.HTTPServer`'s application, the target of a route, or the ``fallback`` of a
    `.FallbackHandler`. Bodies of requests are limited by the server's ``max_body_size``.

    :arg wsgi_application: takes ``environ`` and ``start_response`` (PEP 3333).
    :arg executor: where it runs, most often a `~concurrent.futures.ThreadPoolExecutor`, which the caller
        shuts down. Without one and without `threads` that is the loop's own thread (`.dummy_executor`): the
        application need not be thread-safe, runs once at a time, and blocks the loop.
    :arg threads: run up to so many requests at once, in threads of the container's own. They start when they
        are needed, and end with the container, or with `close`. Further requests wait for one of them.
    :raises TypeError: if the application cannot be called.
    :raises ValueError: for both an `executor` and `threads`, or less than one thread.
    """

    #: Bytes of a request's body that are kept in memory; a larger one goes to a temporary file (in
    #: `tempfile.gettempdir`). May be set on the container or on a subclass.
    max_body_in_memory = 1024 * 1024
    #: Seconds that a thread of the application waits for a client that reads nothing of its response (60 in
    #: nginx, too). Then the connection is closed, as is the application's iterable, and the thread is free.
    #: None: for ever; as many such clients as there are threads stop the application then.
    send_timeout: float | None = 60.0

    def __init__(
        self,
        wsgi_application: WSGIAppType,
        executor: Executor | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        if not callable(wsgi_application):
            raise TypeError(f"a WSGI application is called with each request; {wsgi_application!r} is not")
        self.wsgi_application = wsgi_application
        self._own_executor: Executor | None = None
        if threads is not None:
            if executor is not None:
                raise ValueError("WSGIContainer takes an executor or a number of threads, not both")
            if threads < 1:
                raise ValueError(f"WSGIContainer needs at least one thread, not threads={threads}")
            # No thread starts before there is work for it, so that a server may fork in between.
            executor = self._own_executor = ThreadPoolExecutor(threads, "tornado-wsgi")
        self.executor: Executor = dummy_executor if executor is None else executor

    def close(self) -> None:
        """Wait until the requests under way are done, and end the container's own threads.

        To be called when its loop has stopped, or in an executor: a response may need the loop. Requests that
        come later are answered with 500.
        """
        if self._own_executor is not None:
            self._own_executor.shutdown()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Take a request from a server or a router, its body as it arrives."""
        return _Receiver(self, server_conn, request_conn)

    def __call__(self, request: HTTPServerRequest) -> None:
        """Answer a request that has come whole."""
        IOLoop.current().spawn_callback(self.handle_request, request)

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Run the application for one request, and log it; done when the application is."""
        reply = self._reply(request)
        environ = self.environ(request)
        call = Invocation(self.wsgi_application, environ, reply, _summary(request))
        release = getattr(request, "_spool", environ["wsgi.input"]).close
        try:
            job = self.executor.submit(contextvars.copy_context().run, call.run)
        except RuntimeError as error:  # the executor is shut down
            release()
            call.refuse(error)
        else:
            # In a thread that has to read it to its end, though this task be cancelled.
            job.add_done_callback(lambda done: release())
            await asyncio.wrap_future(job)
        self._log(call.status, request)

    def _reply(self, request: HTTPServerRequest) -> Response:
        return Response(request.connection, asyncio.get_running_loop(), self.send_timeout)

    def _refuse(self, request: HTTPServerRequest, error: Exception) -> None:
        """Answer 500: the request cannot be received."""
        call = Invocation(
            self.wsgi_application, {"REQUEST_METHOD": request.method}, self._reply(request), _summary(request)
        )
        call.refuse(error)
        self._log(call.status, request)

    def environ(self, request: HTTPServerRequest | None = None) -> dict[str, Any]:
        """The WSGI environment of a request; may be overridden to add to it.

        In Tornado 4 and 5 this was a static method; ``WSGIContainer.environ(request)`` still works.
        """
        if request is None:
            request, multithread = cast(HTTPServerRequest, self), False
        else:
            multithread = not isinstance(self.executor, DummyExecutor)
        if isinstance(request, SpooledRequest):
            body, size = request._input()
            return make_environ(request, body, size, multithread)
        return make_environ(request, None, len(request.body), multithread)

    def _log(self, status_code: int, request: HTTPServerRequest) -> None:
        """A line to the access log, as `.Application.log_request` writes it."""
        level = logging.INFO if status_code < 400 else logging.WARNING if status_code < 500 else logging.ERROR
        if access_log.isEnabledFor(level):
            milliseconds = 1000.0 * request.request_time()
            summary = f"{request.method} {request.uri} ({request.remote_ip})"
            log_access(level, "%d %s %.2fms", status_code, summary, milliseconds)


def _summary(request: HTTPServerRequest) -> str:
    return f"{request.method} {escape_controls(request.uri)}"


class _Receiver(HTTPMessageDelegate):
    """Collects one request and gives it to the container."""

    def __init__(self, container: WSGIContainer, server_conn: object, connection: HTTPConnection) -> None:
        self._container = container
        self._server_connection = server_conn
        self._connection = connection
        self._request: SpooledRequest | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._request = request = SpooledRequest(
            self._container.max_body_in_memory,
            start_line=cast(RequestStartLine, start_line),
            headers=headers,
            connection=self._connection,
            server_connection=self._server_connection,
        )
        head = getattr(self._connection, "_head", None)
        if head is not None and head.host:
            request.host = head.host  # RFC 9112 section 3.2.2: the target's, where it names one
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        request = self._request
        if request is None:
            return None  # it has been refused
        try:
            waiting = request._spool.receive(chunk)
        except OSError as error:
            self._fail(error)
            return None
        return None if waiting is None else self._wait(waiting)

    async def _wait(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except OSError as error:
            self._fail(error)

    def finish(self) -> None:
        request = self._request
        if request is None:
            return
        if request._spool.is_complete:
            self._request = None
            self._container(request)
        else:
            IOLoop.current().spawn_callback(self._finish, request)

    async def _finish(self, request: SpooledRequest) -> None:
        await self._wait(request._spool.complete())
        if self._request is not None:
            self._request = None
            self._container(request)

    def _fail(self, error: OSError) -> None:
        """The disk is full, or not there."""
        request, self._request = self._request, None
        if request is not None:
            request._spool.abandon()
            self._container._refuse(request, error)

    def on_connection_close(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request._spool.abandon()
