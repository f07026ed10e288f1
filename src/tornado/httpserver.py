"""A non-blocking HTTP server.

Most programs start a server with `tornado.web.Application.listen`. `HTTPServer` takes an application, any
`.HTTPServerConnectionDelegate`, or a callable that is called with each `.HTTPServerRequest`::

    server = HTTPServer(application)
    server.listen(8888)
    await asyncio.Event().wait()

With several processes on one port::

    sockets = tornado.netutil.bind_sockets(8888)
    tornado.process.fork_processes(0)

    async def main():
        server = HTTPServer(application)
        server.add_sockets(sockets)
        await asyncio.Event().wait()

    asyncio.run(main())

This file exceeds the usual length limit because the class is documented with all of its settings.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import heapq
import logging
import socket
import ssl
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

from tornado import _setting_names, _signature_checks
from tornado._forwarded_fields import client_address, client_protocol, parse_address
from tornado._http_server_drain import ConnectionDrain, DrainResult
from tornado._implicit_reexports import reexported
from tornado._log_rate_limit import LogRateLimit
from tornado._original_methods import OriginalMethods
from tornado._public_module_names import list_public
from tornado._thread_safety import WeakRegistry
from tornado._trusted_proxies import TrustedProxies
from tornado.http1connection import (
    HTTP1Connection,
    HTTP1ConnectionParameters,
    HTTP1ServerConnection,
)
from tornado.http1connection._interfaces import opener_of
from tornado.http1connection._protection import PUBLIC, Protection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import IOLoop, ioloop_registry
from tornado.iostream import IOStream
from tornado.iostream._core import open_streams
from tornado.log import access_log, app_log, escape_controls, gen_log, log_access
from tornado.tcpserver import TCPServer
from tornado.util import Configurable, import_object

if TYPE_CHECKING:
    from tornado._http_server_options import HTTPServerOptions

__all__ = ["PUBLIC", "DrainResult", "HTTPRequest", "HTTPServer", "HTTPServerOptions", "Protection"]

_log_limit = LogRateLimit(gen_log)
_LISTEN_ARGUMENTS = frozenset({"port", "address", "family", "backlog", "flags", "reuse_port"})
_first = itemgetter(0)
# During a graceful shutdown, a connection counts as idle after this many seconds without a request. After
# that time it is unlikely that another request is in transit.
_SETTLE_TIME = 0.5
# After a search that found too few idle connections, no other search is made for this many seconds.
_SEARCH_PAUSE = 0.1


class HTTPServer(TCPServer, Configurable, HTTPServerConnectionDelegate):
    """A non-blocking HTTP/1.1 server on one event loop.

    :param request_callback: a `tornado.web.Application`, a `.Router`, any `.HTTPServerConnectionDelegate`, or
        a callable that takes an `.HTTPServerRequest` and writes the response to ``request.connection``.
    :param no_keep_alive: close each connection after one request.
    :param xheaders: trust ``X-Real-Ip``, ``X-Forwarded-For``, ``X-Scheme`` and ``X-Forwarded-Proto``. Use it
        only for servers behind a proxy that sets these fields.
    :param trusted_downstream: addresses of additional proxies, which are skipped in ``X-Forwarded-For``.
    :param trusted_proxies: addresses of the proxies, networks such as ``"10.0.0.0/8"``, and ``"unix"`` for
        peers on a Unix socket. It enables `xheaders`, but only for connections from these proxies; the fields
        of other clients are ignored. In ``X-Forwarded-For``, these addresses are skipped.
    :param ssl_options: an `ssl.SSLContext`, or a dict of arguments for `.ssl_options_to_context`. The server
        uses HTTPS if it is set.
    :param protocol: the value of ``request.protocol`` (``"http"`` or ``"https"``). The default is derived
        from the connection, which is wrong behind a proxy that terminates TLS.
    :param decompress_request: decode ``Content-Encoding: gzip`` of request bodies.
    :param chunk_size: the maximum number of bytes in one call of a streaming handler's ``data_received``.
    :param max_header_size: the maximum size of the request line and the header section together, in bytes
        (414 or 431).
    :param idle_connection_timeout: how long a connection may be idle between requests, in seconds. It also
        limits `header_timeout` and `tls_handshake_timeout` unless they are given.
    :param body_timeout: how long receiving a request body may take, in seconds.
    :param max_body_size: the maximum size of a request body, in bytes (413).
    :param max_buffer_size: the maximum number of bytes buffered for one connection.
    :param protection: the default values of the following arguments and of ``max_header_size``,
        ``idle_connection_timeout`` and ``body_timeout``: ``"default"``, ``"public"`` or a `Protection`, whose
        documentation explains the limits. ``"public"`` is meant for servers that are reachable from the
        internet without a proxy. Arguments override individual values of the set; an argument that is None
        does not. To remove a limit, derive a set: ``dataclasses.replace(PUBLIC, min_send_rate=None)``.
    :param header_timeout: the maximum time from the first byte of a request's head to the last, in seconds.
    :param tls_handshake_timeout: the maximum time from accepting a connection to the end of the TLS
        handshake, in seconds.
    :param min_body_rate: the minimum rate at which a request body must arrive, in bytes per second.
    :param min_send_rate: the minimum rate at which a client must receive a response, in bytes per second.
    :param rate_window: the time over which both rates are measured, in seconds.
    :param max_header_count: the maximum number of header fields of a request (431).
    :param max_connections: the maximum number of open connections. At the limit, idle connections are closed
        to accept new ones.
    :param max_connections_per_address: the maximum number of open connections from one address. With
        `xheaders`, the addresses are those of proxies: ``"public"`` then sets no such limit, and this
        limit does not apply to the addresses in `trusted_downstream`.
    :param max_pipelined_requests: the maximum number of successive requests on one connection that each
        arrive before the previous response was sent.
    :param max_inflation_ratio: the maximum ratio of the decompressed to the compressed size of a request body
        (400) or WebSocket message (1009).
    :param max_form_size: the maximum size of a form whose arguments or files a handler reads, in bytes (413).
    :param max_json_size: the maximum size of a body that `.RequestHandler.get_json_body` decodes, in bytes
        (413).
    :raises ValueError: if `protection` is unknown or a limit is not positive.

    The numbers in parentheses are the status codes, or the WebSocket close code, that the client receives if
    the limit is exceeded.
    """

    _next_search = 0.0  # a time of time.monotonic()
    #: The drain of the connections, and the task of `drain`, which ends it.
    _connection_drain: ConnectionDrain | None = None
    _drain_task: asyncio.Task[DrainResult] | None = None
    _request_count: RequestCount | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            request_callback: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object],
            **options: Unpack[HTTPServerOptions],
        ) -> None: ...
    else:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # Configurable creates the object and calls `initialize`, which initializes TCPServer.
            pass

    def initialize(
        self,
        request_callback: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object],
        no_keep_alive: bool = False,
        xheaders: bool = False,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        protocol: str | None = None,
        decompress_request: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        idle_connection_timeout: float | None = None,
        body_timeout: float | None = None,
        max_body_size: int | None = None,
        max_buffer_size: int | None = None,
        trusted_downstream: list[str] | None = None,
        io_loop: IOLoop | None = None,
        *,
        protection: str | Protection | None = None,
        header_timeout: float | None = None,
        tls_handshake_timeout: float | None = None,
        min_body_rate: float | None = None,
        min_send_rate: float | None = None,
        rate_window: float | None = None,
        max_header_count: int | None = None,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        max_pipelined_requests: int | None = None,
        max_inflation_ratio: float | None = None,
        max_form_size: int | None = None,
        max_json_size: int | None = None,
        trusted_proxies: list[str] | None = None,
        **unknown: Any,
    ) -> None:
        """Initialize the server; see the class for the arguments.

        :raises TypeError: if a size is not a number, an argument is unknown, or `request_callback` is a
            function that cannot be called with a request.
        """
        given = {name for name, value in locals().items() if value is not None and value is not False}
        if unknown:
            raise TypeError(_explain_unknown(next(iter(unknown))))
        _check_callback(request_callback, given)
        sizes = {"chunk_size": chunk_size, "max_body_size": max_body_size, "max_buffer_size": max_buffer_size}
        for name, size in sizes.items():
            if size is not None and not isinstance(size, (int, float)):
                raise TypeError(f"{name} must be a number of bytes, got {size!r:.100}")
        chosen = Protection.of(
            protection,
            header_timeout=header_timeout,
            idle_connection_timeout=idle_connection_timeout,
            tls_handshake_timeout=tls_handshake_timeout,
            body_timeout=body_timeout,
            min_body_rate=min_body_rate,
            min_send_rate=min_send_rate,
            rate_window=rate_window,
            max_header_size=max_header_size or None,
            max_header_count=max_header_count,
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            max_pipelined_requests=max_pipelined_requests,
            max_inflation_ratio=max_inflation_ratio,
            max_form_size=max_form_size,
            max_json_size=max_json_size,
        )
        TCPServer.__init__(self, ssl_options=ssl_options, max_buffer_size=max_buffer_size, io_loop=io_loop)
        self.request_callback = request_callback
        self.conn_params: HTTP1ConnectionParameters = HTTP1ConnectionParameters(
            no_keep_alive=no_keep_alive,
            max_body_size=max_body_size,
            chunk_size=chunk_size,
            decompress=decompress_request,
            protection=chosen,
        )
        self.trusted_proxies: TrustedProxies | None = None
        if trusted_proxies is not None:
            self.trusted_proxies = TrustedProxies([*trusted_proxies, *(trusted_downstream or ())])
            xheaders = True
        per_address = chosen.max_connections_per_address
        if xheaders and max_connections_per_address is None:
            per_address = None
        if per_address is not None or chosen.max_connections is not None:
            self._limit_connections(chosen.max_connections, per_address, trusted_downstream or ())
        self.protocol: str | None = protocol
        self.xheaders: bool = xheaders
        self.trusted_downstream: list[str] | None = trusted_downstream
        _servers.add(self)

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return the class that ``HTTPServer.configure`` replaces."""
        return HTTPServer

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return the class that is used unless another class is configured."""
        return HTTPServer

    @property
    def _connections(self) -> set[HTTP1ServerConnection]:
        return cast("set[HTTP1ServerConnection]", self.conn_params.deadlines.watched)

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on the listening `sockets` (see `.TCPServer.add_sockets`).

        :raises RuntimeError: after `drain`; the sockets are closed.
        """
        listening = list(sockets)
        if self._drain_task is not None and listening:
            for listener in listening:
                listener.close()
            raise RuntimeError(
                "sockets were added after drain(): the server accepts no connections, create another one"
            )
        for listener in listening:
            if listener.family in (socket.AF_INET, socket.AF_INET6):
                # Accepted sockets inherit the option on Linux and the BSDs, which saves a system call per
                # connection.
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().add_sockets(listening)

    def has_room(self) -> bool:
        """Whether a new connection would not be refused because of ``max_connections``.

        At the limit, there is room if a connection is idle, because the server would close that one. A search
        that finds none is not repeated for a short time.
        """
        limits = self._connection_limits
        if limits is None or not limits.is_full():
            return True
        now = time.monotonic()
        if now < self._next_search:
            return False
        if any(connection.idle_since() is not None for connection in self._connections):
            return True
        self._next_search = now + _SEARCH_PAUSE
        return False

    def watch_room(self, callback: Callable[[], object]) -> None:
        """Call `callback` each time that a connection ends while ``max_connections`` is reached.

        A connection at the limit that becomes idle is not reported.
        """
        if self._connection_limits is not None:
            self._connection_limits.on_room = callback

    def _close_idle_connections(self) -> bool:
        """Close the connections that have been idle longest, so that new connections can be accepted.

        The search examines all connections. It closes up to one in 32 of them, which avoids a search for each
        new connection. If it finds fewer idle connections, new connections are refused for a short time
        without another search.

        :returns: whether a connection was closed.
        """
        now = time.monotonic()
        if now < self._next_search:
            return False
        idle = [
            (since, connection)
            for connection in self._connections
            if (since := connection.idle_since()) is not None
        ]
        wanted = max(1, len(self._connections) // 32)
        oldest = heapq.nsmallest(wanted, idle, key=_first)
        if len(oldest) < wanted:
            self._next_search = now + _SEARCH_PAUSE
        for _, connection in oldest:
            connection.stream.close()
        if oldest and self._connection_limits is not None:
            _log_limit.log(
                "room",
                logging.WARNING,
                "max_connections=%s reached, closed idle connections: %d",
                self._connection_limits.total,
                len(oldest),
            )
        return bool(oldest)

    async def drain(
        self,
        grace: float = 30.0,
        *,
        idle_timeout: float = 1.0,
        batch_size: int = 500,
        batch_interval: float = 0.1,
        retry: int | None = None,
    ) -> DrainResult:
        """Stop serving without losing a request, for example after SIGTERM::

            result = await server.drain(grace=20)
            if not result.clean:
                logging.warning("requests were lost: %s", result)

        The server stops accepting connections; those that clients have established already are accepted and
        served. From now on, each response announces the end of its connection (``Connection: close``). An
        idle connection is closed after its next response, or when it has been silent for `idle_timeout`
        seconds. Event streams end, and WebSockets are closed with 1012 (service restart), after ``on_drain``
        of their handlers has been called.

        This method returns when all connections and their handlers have ended. Handlers that still run after
        the grace period are cancelled and named in one log line. They may respond within one second; then all
        connections are closed. A connection that a handler has detached is not waited for.

        If it is called again, the shorter grace period applies, and both calls return the same result. If the
        call is cancelled, the drain continues.

        :param grace: how long handlers may run, in seconds; 0 to cancel them immediately.
        :param idle_timeout: how long a connection must be silent before it is closed, in seconds.
        :param batch_size: the maximum number of WebSockets and event streams that are ended at a time. Their
            clients reconnect immediately, and the server to which they connect must accept them all.
        :param batch_interval: the time between two batches, in seconds.
        :param retry: the reconnection time that event streams send at their end, in milliseconds; None for
            ``retry`` of their handlers.
        :raises ValueError: if an argument is out of range.
        :raises RuntimeError: if a handler of this server awaits it, for which it would wait.
        """
        _check_drain_arguments(grace, idle_timeout, batch_size, batch_interval, retry)
        drain = self._connection_drain
        if drain is not None and drain.serves(asyncio.current_task()):
            raise _drain_in_handler()
        if self._drain_task is None:
            upgraded, describe = self._upgraded_connections, self._describe_exchange
            drain = ConnectionDrain(
                self.conn_params, upgraded, describe, idle_timeout, batch_size, batch_interval, retry
            )
            if drain.serves(asyncio.current_task()):
                raise _drain_in_handler()
            if self._connection_drain is not None:
                self._connection_drain.revoke()
            self._connection_drain = drain
            drain.limit(grace)
            self._drain_task = asyncio.get_running_loop().create_task(self._drain(drain))
        assert drain is not None
        drain.limit(grace)
        return await asyncio.shield(self._drain_task)

    async def _drain(self, drain: ConnectionDrain) -> DrainResult:
        drain.begin()
        accepting = asyncio.ensure_future(self._close_listeners())
        return await drain.run(accepting)

    def _describe_exchange(self, exchange: HTTP1Connection) -> str:
        """Return a description of a request that is being served, for the log."""
        describe = getattr(self.request_callback, "describe_exchange", None)
        if describe is not None:
            return str(describe(exchange))
        head: Any = exchange.head
        return f"{head.method} {escape_controls(head.target)}"

    def _start_draining(self) -> None:
        """Stop accepting, and close each connection after its current or next response."""
        super()._start_draining()
        if self._connection_drain is None:
            drain = ConnectionDrain(self.conn_params, self._upgraded_connections, self._describe_exchange)
            self._connection_drain = drain
            drain.begin()

    def _stop_draining(self) -> None:
        if self._connection_drain is not None and self._drain_task is None:
            self._connection_drain.revoke()
            self._connection_drain = None
            super()._stop_draining()

    def _count_active_connections(self) -> int:
        """Return how many connections are busy. A connection is busy while it serves a request and for half a
        second afterwards, because another request may be in transit.
        """
        quiet_since = time.monotonic() - _SETTLE_TIME
        idle = [connection.idle_since() for connection in self._connections]
        return sum(since is None or since > quiet_since for since in idle)

    def _on_listening(self) -> None:
        callback = getattr(self.request_callback, "server_listens", None)
        if callback is not None:
            callback()

    def connection_counts(self) -> ConnectionCounts:
        """Return the number of open connections. May be called on the thread of another event loop."""
        upgraded = sum(len(self._upgraded_of(loop)) for loop in list(ioloop_registry().values()))
        return ConnectionCounts(len(self._connections), upgraded)

    async def close_all_connections(self) -> None:
        """Close every open connection without waiting for current requests. WebSocket connections are closed
        with the close code 1001 (going away).

        Call `~.TCPServer.stop` first, which stops accepting connections.
        """
        while self._connections:
            connection = next(iter(self._connections))
            await connection.close()
        for ended in [each.close_with_server() for each in self._upgraded_connections()]:
            await ended

    def _upgraded_connections(self) -> list[Any]:
        """Return this server's connections that were upgraded to another protocol.

        They are found by a search over all streams, because a list would need memory for each connection.
        """
        return self._upgraded_of(IOLoop.current())

    def _upgraded_of(self, loop: IOLoop) -> list[Any]:
        # A copy made by one operation, because the thread of the loop may add streams.
        streams = frozenset(open_streams.find(loop) or ())
        consumers = [getattr(stream, "consumer", None) for stream in streams]
        return [each for each in consumers if getattr(each, "server_params", None) is self.conn_params]

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve HTTP on an accepted stream."""
        HTTP1ServerConnection(stream, self.conn_params, address).start_serving(self)

    def count_requests(self) -> RequestCount:
        """Count the requests from now on, without those that the server rejects itself.

        Without this call, a request costs nothing more.

        :returns: the count, which the server increases; the same for each call.
        """
        if self._request_count is None:
            self._request_count = RequestCount()
            self.conn_params.dispatcher.forget(self)
        return self._request_count

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate that receives the next request's head and body.

        May be overridden, for example to inspect each request before the application does.
        """
        callback = self.request_callback
        if self._request_count is not None:
            self._request_count.total += 1
        message: HTTPMessageDelegate
        if isinstance(callback, HTTPServerConnectionDelegate):
            message = callback.start_request(server_conn, request_conn)
        else:
            message = _CallableAdapter(callback, request_conn)
        return _ProxyAdapter(message, request_conn) if self.xheaders else message

    def on_close(self, server_conn: object) -> None:
        """Call ``on_close`` of the application, if it is a delegate, after a connection has ended."""
        callback = self.request_callback
        if isinstance(callback, HTTPServerConnectionDelegate):
            callback.on_close(server_conn)

    def log_refusal(self, request: HTTPServerRequest, status_code: int) -> None:
        """Write an access log line for a request that the server rejected without calling the application.

        If the application has a method ``log_refusal``, as `.Application` has, it is called instead. The
        server calls this method at most 100 times per second for each status code.

        :param request: the request. If its head is malformed, ``method`` and ``uri`` are guessed from the
            first line (``-`` if that fails), and the header fields are missing.
        :param status_code: the status code of the response.
        """
        if self.xheaders:
            source: Any = request.connection
            source.context = source.context.forwarded(request.headers)
        log = getattr(self.request_callback, "log_refusal", None)
        if callable(log):
            log(request, status_code)
            return
        level = logging.WARNING if status_code < 500 else logging.ERROR
        if access_log.isEnabledFor(level):
            uri = escape_controls(request.uri)
            milliseconds = 1000.0 * request.request_time()
            text = "%d %s %s (%s) %.2fms"
            log_access(level, text, status_code, request.method, uri, request.remote_ip, milliseconds)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "conn_params":
            value.dispatcher = _Dispatcher(self)
        elif name in _DISPATCH_ATTRIBUTES:
            params = getattr(self, "conn_params", None)  # not set yet while the server is initialized
            if params is not None:
                params.dispatcher.forget(self)


class RequestCount:
    """The number of requests of a server; see `HTTPServer.count_requests`.

    :ivar total: the number.
    """

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total: int = 0


class ConnectionCounts(NamedTuple):
    """The open connections of a server.

    :ivar http: those that speak HTTP, busy and idle ones.
    :ivar upgraded: those that were upgraded to WebSockets.
    """

    http: int
    upgraded: int


_servers: WeakRegistry[HTTPServer] = WeakRegistry()


def servers_of(application: object) -> list[HTTPServer]:
    """Return the servers of this process whose request callback is `application`."""
    return [server for server in _servers.snapshot() if server.request_callback is application]


#: The attributes of a server that determine how its connections call the application.
_DISPATCH_ATTRIBUTES = frozenset(
    {"protocol", "request_callback", "start_request", "trusted_downstream", "trusted_proxies", "xheaders"}
)
_START_REQUEST = OriginalMethods(HTTPServer, "start_request")


class _Dispatcher:
    """The calls of a server's connections to its application; see `.http1connection._interfaces.Dispatcher`.

    `opener` is found at the first request, and again after an attribute in `_DISPATCH_ATTRIBUTES` of the
    server has been assigned.

    The server refers to this object, so this object has only a weak reference to the server, and `opener` has
    only a weak one to this object. Otherwise the server and its application would stay in memory until the
    next garbage collection.

    :param server: the server.
    """

    __slots__ = (
        "__weakref__",
        "_protocol",
        "_server",
        "_trusted",
        "opener",
        "server_class",
        "start_request",
    )

    def __init__(self, server: HTTPServer) -> None:
        self._server = weakref.ref(server)
        self.server_class = type(server)
        self.start_request = _START_REQUEST.originals
        # A connection that was upgraded may outlive the server, and creates its context later.
        self._protocol: str | None = None
        self._trusted: TrustedProxies | list[str] | None = None
        self.opener: Any = None
        self.forget(server)

    def forget(self, server: HTTPServer) -> None:
        """Find the application's function again at the next request, and copy the server's attributes."""
        self._protocol = getattr(server, "protocol", None)
        self._trusted = getattr(server, "trusted_proxies", None) or getattr(
            server, "trusted_downstream", None
        )
        self.opener = functools.partial(_find_and_open, weakref.ref(self))

    def serves(self, delegate: object) -> bool:
        """Whether `delegate` is the server."""
        return self._server() is delegate

    def find_opener(self) -> Any:
        """Set `opener`, and return it."""
        server: Any = self._server()
        self.opener = None
        if not _START_REQUEST.are_original_on(server):
            return None
        function = opener_of(server.request_callback)
        if function is None or server.conn_params.decompress:
            return None
        if server.xheaders:
            function = functools.partial(_open_with_xheaders, function)
        # A subclass that does not initialize this class has no count.
        count = getattr(server, "_request_count", None)
        self.opener = function if count is None else functools.partial(_open_and_count, count, function)
        return self.opener

    def calls_start_request(self) -> bool:
        """Whether ``start_request`` of the server is overridden or patched, and must be called in a Task."""
        return not _START_REQUEST.are_original_on(self._server())

    def make_context(self, stream: IOStream, address: Any) -> _HTTPRequestContext:
        """Return the context of a connection, which describes its peer."""
        return _HTTPRequestContext(stream, address, self._protocol, self._trusted)


def _find_and_open(reference: weakref.ref[_Dispatcher], exchange: HTTP1Connection, head: Any) -> Any:
    """Find the opener of the dispatcher, which calls this function for its first request, and call it."""
    dispatcher = reference()
    assert dispatcher is not None
    opener = dispatcher.find_opener()
    return NotImplemented if opener is None else opener(exchange, head)


def _open_and_count(count: RequestCount, opener: Any, exchange: HTTP1Connection, head: Any) -> Any:
    count.total += 1
    result = opener(exchange, head)
    if result is NotImplemented:
        count.total -= 1  # the server's `start_request` is called next, which counts
    return result


def _open_with_xheaders(opener: Any, exchange: HTTP1Connection, head: Any) -> Any:
    exchange.context = cast(Any, exchange.context).forwarded(head.headers)
    return opener(exchange, head)


DrainResult.__module__ = Protection.__module__ = __name__  # the module from which programs import them


def _check_drain_arguments(
    grace: float, idle_timeout: float, batch_size: int, batch_interval: float, retry: int | None
) -> None:
    """Check the arguments of `HTTPServer.drain`.

    :raises ValueError: if one is out of range.
    """
    times = {"grace": grace, "idle_timeout": idle_timeout, "batch_interval": batch_interval}
    for name, value in times.items():
        if not value >= 0:
            raise ValueError(f"drain: {name} must be a number of seconds, at least 0, got {value!r}")
    if not batch_size >= 1:
        raise ValueError(f"drain: batch_size must be at least 1, got {batch_size!r}")
    if retry is not None and not retry >= 0:
        raise ValueError(f"drain: retry must be a number of milliseconds, at least 0, or None, got {retry!r}")


def _drain_in_handler() -> RuntimeError:
    return RuntimeError(
        "drain() was awaited in a handler of the server, for which it would wait: "
        "use asyncio.create_task(server.drain())"
    )


def _explain_unknown(name: str) -> str:
    """Return the error message for an argument that `HTTPServer` does not have."""
    text = f"HTTPServer has no argument {name!r}"
    if name in _setting_names.APPLICATION:
        return f"{text}: it is a setting, Application(routes, {name}=...)"
    if name in _LISTEN_ARGUMENTS:
        return f"{text}: it is an argument of HTTPServer.listen()"
    similar = _setting_names.closest(name, _setting_names.SERVER | _LISTEN_ARGUMENTS)
    return text if similar is None else f"{text}; did you mean {similar!r}?"


#: The advice in the error message if the request callback is an application for another interface.
_GATEWAY_HINTS = {
    "WSGI": "; wrap it: HTTPServer(tornado.wsgi.WSGIContainer(app))",
    "ASGI": "; wrap it: HTTPServer(tornado.asgi.ASGIContainer(app))",
}


def _check_callback(callback: Any, given: set[str]) -> None:
    """Check the request callback, and warn about application settings that are arguments of the server.

    :param given: the server's arguments that have a value. Settings with these names do not cause a warning,
        because a program may store the value in its settings and pass it on.
    :raises TypeError: if `callback` cannot be called with a request.
    """
    if not isinstance(callback, (HTTPServerConnectionDelegate, type)) and not _signature_checks.accepts(
        callback, 1
    ):
        protocol = _signature_checks.protocol_of(callback)
        hint = _GATEWAY_HINTS.get(protocol or "", "")
        kind = f"it seems to be written for {protocol}" if protocol else "it takes other arguments"
        raise TypeError(f"request_callback {callback!r:.100} cannot be called with a request: {kind}{hint}")
    settings = getattr(callback, "settings", None)
    if not isinstance(settings, dict):
        return
    for name in sorted(_setting_names.SERVER_ONLY & settings.keys()):
        if name not in given and settings[name] is not None and settings[name] is not False:
            app_log.warning(
                "the setting %r of the application has no effect: it is an argument of HTTPServer and of "
                "Application.listen()",
                name,
            )


class _HTTPRequestContext:
    """The address and protocol of a connection's peer, from the socket or as reported by a proxy."""

    #: Whether the header fields of the request are those of a trusted proxy.
    from_proxy = False

    def __init__(
        self,
        stream: IOStream,
        address: Any,
        protocol: str | None,
        trusted_downstream: list[str] | TrustedProxies | None = None,
    ) -> None:
        self.address = address
        sock = stream.socket
        self.address_family = None if sock is None else sock.family
        inet = self.address_family in (socket.AF_INET, socket.AF_INET6)
        if inet and address:
            self.remote_ip = address[0]
        else:
            self.remote_ip = "0.0.0.0"  # Unix sockets have no address, but programs expect one
        if protocol:
            self.protocol = protocol
        else:
            self.protocol = "https" if isinstance(sock, ssl.SSLSocket) else "http"
        self._orig_remote_ip = self.remote_ip
        self._orig_protocol = self.protocol
        #: The addresses to skip in X-Forwarded-For. With `TrustedProxies`, other peers cannot set the fields.
        self.trusted_downstream: TrustedProxies | frozenset[str] = (
            trusted_downstream
            if isinstance(trusted_downstream, TrustedProxies)
            else frozenset(parse_address(each) or each for each in trusted_downstream or ())
        )

    def __str__(self) -> str:
        if self.address_family in (socket.AF_INET, socket.AF_INET6):
            return str(self.remote_ip)
        if isinstance(self.address, bytes):
            # The name of an abstract Unix socket begins with a NUL byte and is not text.
            return str(self.address)
        return str(self.address)

    def forwarded(self, headers: HTTPHeaders) -> _HTTPRequestContext:
        """Return the context of one request: a copy, because a handler may read it after the next request has
        begun.
        """
        context = copy.copy(self)
        context._apply_xheaders(headers)
        return context

    def _apply_xheaders(self, headers: HTTPHeaders) -> None:
        """Set the address and protocol from the header fields of a proxy; ignore invalid values."""
        self._unapply_xheaders()
        proxies = self.trusted_downstream
        strict = isinstance(proxies, TrustedProxies)
        if isinstance(proxies, TrustedProxies) and not self._is_proxy(proxies):
            return
        self.remote_ip = client_address(headers, self.remote_ip, proxies, strict)
        self.protocol = client_protocol(headers, self.protocol, strict)
        self.from_proxy = True

    def _is_proxy(self, proxies: TrustedProxies) -> bool:
        """Whether the peer of the connection is a trusted proxy."""
        if self.address_family in (socket.AF_INET, socket.AF_INET6):
            return self.remote_ip in proxies
        return proxies.unix

    def _unapply_xheaders(self) -> None:
        """Restore the address and protocol of the connection itself."""
        self.protocol, self.remote_ip = self._orig_protocol, self._orig_remote_ip
        self.from_proxy = False


class _ProxyAdapter(HTTPMessageDelegate):
    """A message delegate that applies a proxy's header fields to the request's context and calls another
    delegate.
    """

    def __init__(self, delegate: HTTPMessageDelegate, request_conn: HTTPConnection) -> None:
        self.delegate, self.connection = delegate, request_conn

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        connection: Any = self.connection
        connection.context = connection.context.forwarded(headers)
        return self.delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self.delegate.data_received(chunk)

    def finish(self) -> None:
        return self.delegate.finish()

    def on_connection_close(self) -> None:
        self.delegate.on_connection_close()


class _CallableAdapter(HTTPMessageDelegate):
    """A message delegate that collects a complete request and calls a function with it."""

    def __init__(
        self, request_callback: Callable[[HTTPServerRequest], object], request_conn: HTTPConnection
    ) -> None:
        self.connection = request_conn
        self.request_callback = request_callback
        self.request: HTTPServerRequest | None = None
        self._chunks: list[bytes] = []

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self.request = HTTPServerRequest(
            connection=self.connection, start_line=cast(RequestStartLine, start_line), headers=headers
        )
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._chunks.append(chunk)
        return None

    def finish(self) -> None:
        assert self.request is not None
        self.request.body = b"".join(self._chunks)
        self._chunks = []
        self.request.save_form(fresh=True)
        self.request_callback(self.request)

    def on_connection_close(self) -> None:
        self._chunks = []


HTTPRequest = HTTPServerRequest


if not TYPE_CHECKING:  # otherwise type checkers would accept any name of this module

    def __getattr__(name: str) -> Any:
        if name == "HTTPServerOptions":
            return import_object("tornado._http_server_options.HTTPServerOptions")
        return reexported(__name__, name)


list_public(globals())
