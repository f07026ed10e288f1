"""`WSGIContainer`: runs a WSGI application on a server, as the target of a route, or from a handler."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, cast

from tornado._gateway_access_log import log_gateway_request
from tornado._gateway_observation import ObservedGateway, ObservedRequest
from tornado._mount_path import MountPath
from tornado.concurrent import DummyExecutor, dummy_executor
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import IOLoop
from tornado.log import escape_controls
from tornado.wsgi._environ import WSGIAppType, make_environ
from tornado.wsgi._invocation import Invocation
from tornado.wsgi._request_body import SpooledRequest
from tornado.wsgi._response_bridge import ResponseBridge


class WSGIContainer(ObservedGateway):
    """An adapter that runs a WSGI application on a Waterspout server.

    ::

        HTTPServer(WSGIContainer(app, threads=20)).listen(8888)

    It may be the application of an `.HTTPServer`, the target of a route, or the ``fallback`` of a
    `.FallbackHandler`. The size of request bodies is limited by the server's ``max_body_size``.

    :param wsgi_application: a callable that accepts ``environ`` and ``start_response`` (PEP 3333).
    :param executor: the executor in which the application runs, usually a
        `~concurrent.futures.ThreadPoolExecutor`. The caller must shut it down. Without `executor` and
        `threads`, the application runs in the event loop's thread (`.dummy_executor`): it need not be
        thread-safe, handles one request at a time, and blocks the event loop.
    :param threads: the maximum number of requests that run at the same time, in threads of the container.
        Further requests wait for a free thread. The threads start when they are needed, and end when `close`
        is called or the container is garbage-collected.
    :param mount: the path under which the application is mounted, such as ``"/shop"``: the beginning of the
        path of its requests, which becomes ``SCRIPT_NAME``. Other requests get 404.
    :param root_path: a path that a proxy has removed from the path of each request, and the beginning of
        ``SCRIPT_NAME``.
    :raises TypeError: if the application is not callable.
    :raises ValueError: if a path is invalid, both `executor` and `threads` are given, or `threads` is less
        than 1.
    """

    #: The maximum size of a request body that is kept in memory, in bytes. A larger body is written to a
    #: temporary file (in `tempfile.gettempdir`). It may be set on the container or on a subclass.
    max_body_in_memory = 1024 * 1024
    #: How long a thread waits for a client that does not read the response, in seconds (nginx's default is 60
    #: as well). After that, the connection and the application's iterable are closed, and the thread is
    #: released. None removes the limit, which allows such clients to block all threads.
    send_timeout: float | None = 60.0

    def __init__(
        self,
        wsgi_application: WSGIAppType,
        executor: Executor | None = None,
        *,
        threads: int | None = None,
        mount: str = "",
        root_path: str = "",
    ) -> None:
        if not callable(wsgi_application):
            raise TypeError(f"a WSGI application must be callable, got {wsgi_application!r}")
        self.wsgi_application = wsgi_application
        self._path = MountPath(mount, root_path)
        self._own_executor: Executor | None = None
        if threads is not None:
            if executor is not None:
                raise ValueError("WSGIContainer accepts either an executor or a number of threads, not both")
            if threads < 1:
                raise ValueError(f"threads must be at least 1, got {threads}")
            # The pool starts threads on demand, so the server may fork before the first request.
            executor = self._own_executor = ThreadPoolExecutor(threads, "tornado-wsgi")
        self.executor: Executor = dummy_executor if executor is None else executor

    def close(self) -> None:
        """Wait for current requests, then end the threads that the container has started.

        Call this method after the event loop has stopped, or in an executor, because sending a response may
        need the event loop. The response to later requests has status 500.
        """
        if self._own_executor is not None:
            self._own_executor.shutdown()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate that receives a request and its body from a server or a router."""
        return _Receiver(self, server_conn, request_conn)

    def start_observed(self, request: HTTPServerRequest, observer: Any) -> HTTPMessageDelegate:
        """Return the delegate for a request that the observer of an `.Application` follows."""
        observed = ObservedRequest(observer, request, type(self))
        assert request.connection is not None
        return _Receiver(self, request.server_connection, request.connection, observed)

    def call_observed(self, request: HTTPServerRequest, observer: Any) -> None:
        """Handle a request of a `.FallbackHandler`, which the observer of its application follows."""
        ObservedRequest(observer, request, type(self))
        self(request)

    def __call__(self, request: HTTPServerRequest) -> None:
        """Handle a complete request."""
        IOLoop.current().spawn_callback(self.handle_request, request)

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Run the application for one request, wait until it is done, and log the request."""
        response = self._make_response(request)
        environ = self.environ(request)
        observed: ObservedRequest | None = request.gateway
        application = self.wsgi_application if self._path.contains(request.path) else _not_found
        invocation = Invocation(application, environ, response, _summary(request), observed)
        if observed is not None:
            observed.thread = 0
            observed.begin()
        release = (
            request.spooled.close if isinstance(request, SpooledRequest) else environ["wsgi.input"].close
        )
        try:
            job = self.executor.submit(contextvars.copy_context().run, invocation.run)
        except RuntimeError as error:  # the executor is shut down
            release()
            invocation.fail(error)
        else:
            # This task does not call release(), because it may be cancelled before the application is done.
            job.add_done_callback(lambda done: release())
            try:
                await asyncio.wrap_future(job)
                # In Python 3.14, a job that is already done is not awaited in the loop.
                response.transfer_now()
            except asyncio.CancelledError:
                if observed is not None:
                    observed.end(invocation.status)
                raise
        self._log(invocation.status, request)

    def _make_response(self, request: HTTPServerRequest) -> ResponseBridge:
        return ResponseBridge(request.connection, asyncio.get_running_loop(), self.send_timeout)

    def _refuse(self, request: HTTPServerRequest, error: Exception) -> None:
        """Respond with 500, because the request cannot be received."""
        invocation = Invocation(
            self.wsgi_application,
            {"REQUEST_METHOD": request.method},
            self._make_response(request),
            _summary(request),
            request.gateway,
        )
        invocation.fail(error)
        self._log(invocation.status, request)

    def environ(self, request: HTTPServerRequest | None = None) -> dict[str, Any]:
        """Return the WSGI environment of a request. A subclass may override this method to add variables.

        In Tornado 4 and 5 this was a static method; ``WSGIContainer.environ(request)`` still works.
        """
        path: MountPath | None = None
        if request is None:
            request, multithread = cast(HTTPServerRequest, self), False
        else:
            path, multithread = self._path, not isinstance(self.executor, DummyExecutor)
        if isinstance(request, SpooledRequest):
            body, size = request.body_input()
            environ = make_environ(request, body, size, multithread)
        else:
            environ = make_environ(request, None, len(request.body), multithread)
        if path is not None and path.root:
            environ["SCRIPT_NAME"] = path.root
            environ["PATH_INFO"] = environ["PATH_INFO"][len(path.mount) :]
        return environ

    def _log(self, status_code: int, request: HTTPServerRequest) -> None:
        """Write a line to the access log, as `.Application.log_request` does."""
        if request.gateway is not None:
            request.gateway.end(status_code)
            return
        method, uri = str(request.method), str(request.uri)
        log_gateway_request(status_code, method, uri, request.remote_ip, request.request_time())


def _not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond with 404: the application for requests outside of ``mount``."""
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Not Found"]


def _summary(request: HTTPServerRequest) -> str:
    return f"{request.method} {escape_controls(request.uri)}"


class _Receiver(HTTPMessageDelegate):
    """A message delegate that collects one request and passes it to the container."""

    def __init__(
        self,
        container: WSGIContainer,
        server_conn: object,
        connection: HTTPConnection,
        observed: ObservedRequest | None = None,
    ) -> None:
        self._container = container
        self._observed = observed
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
        head = getattr(self._connection, "head", None)
        if self._observed is not None:
            request.gateway = self._observed
        elif head is not None:
            request.gateway = self._container.observed(self._connection, head)
        if head is not None and head.host:
            request.host = head.host  # a host in the target takes precedence (RFC 9112 section 3.2.2)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        request = self._request
        if request is None:
            return None  # the request has been rejected
        try:
            waiting = request.spooled.receive(chunk)
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
        if request.spooled.is_complete:
            self._request = None
            self._container(request)
        else:
            IOLoop.current().spawn_callback(self._finish, request)

    async def _finish(self, request: SpooledRequest) -> None:
        await self._wait(request.spooled.complete())
        if self._request is not None:
            self._request = None
            self._container(request)

    def _fail(self, error: OSError) -> None:
        """Reject the request, because its body cannot be written to disk."""
        request, self._request = self._request, None
        if request is not None:
            request.spooled.abandon()
            self._container._refuse(request, error)

    def on_connection_close(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.spooled.abandon()
