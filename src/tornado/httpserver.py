"""A non-blocking HTTP server.

Most programs start it through `tornado.web.Application.listen`; `HTTPServer` itself takes an application, any
`.HTTPServerConnectionDelegate`, or a plain callable that is given each `.HTTPServerRequest`::

    server = HTTPServer(application)
    server.listen(8888)
    await asyncio.Event().wait()

or, several processes on one port::

    sockets = tornado.netutil.bind_sockets(8888)
    tornado.process.fork_processes(0)

    async def main():
        server = HTTPServer(application)
        server.add_sockets(sockets)
        await asyncio.Event().wait()

    asyncio.run(main())
"""

from __future__ import annotations

import copy
import heapq
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from operator import itemgetter
from types import MethodType
from typing import TYPE_CHECKING, Any, Unpack, cast

from tornado import _setting_names, _signatures, netutil
from tornado._export import list_public
from tornado._log_rate_limit import LogRateLimit
from tornado._reexports import reexported
from tornado.http1connection import (
    HTTP1Connection,
    HTTP1ConnectionParameters,
    HTTP1ServerConnection,
    _server,
    _timeouts,
)
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
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.log import access_log, app_log, escape_controls, gen_log, log_access
from tornado.tcpserver import TCPServer
from tornado.util import Configurable, import_object

if TYPE_CHECKING:
    from tornado._server_options import HTTPServerOptions

__all__ = ["PUBLIC", "HTTPRequest", "HTTPServer", "HTTPServerOptions", "Protection"]

_reports = LogRateLimit(gen_log)
_LISTEN_ARGUMENTS = frozenset({"port", "address", "family", "backlog", "flags", "reuse_port"})
_first = itemgetter(0)
# Seconds after which an open connection without a request may be closed and no request is likely to cross.
_QUIET = 0.5
# For so long after a search for idle connections has found too few of them, no other one is made.
_SEARCH_PAUSE = 0.1


class HTTPServer(TCPServer, Configurable, HTTPServerConnectionDelegate):
    """A non-blocking HTTP/1.1 server on one event loop.

    :param request_callback: a `tornado.web.Application`, a `.Router`, any `.HTTPServerConnectionDelegate`, or
        a callable that takes an `.HTTPServerRequest` and answers it through ``request.connection``.
    :param no_keep_alive: close each connection after one request.
    :param xheaders: believe ``X-Real-Ip``, ``X-Forwarded-For``, ``X-Scheme`` and ``X-Forwarded-Proto``. Only
        for servers that clients reach through a proxy which sets these fields.
    :param trusted_downstream: addresses of further proxies, to be skipped in ``X-Forwarded-For``.
    :param ssl_options: an `ssl.SSLContext`, or a dict of arguments for `.ssl_options_to_context`: serve
        HTTPS.
    :param protocol: the value of ``request.protocol`` (``"http"`` or ``"https"``), where it cannot be seen.
    :param decompress_request: undo ``Content-Encoding: gzip`` of request bodies.
    :param chunk_size: the most bytes handed to a streaming handler's ``data_received`` at once.
    :param max_header_size: limit on request line and header block in bytes (414 or 431).
    :param idle_connection_timeout: seconds that a kept-alive connection may be silent between requests.
        Unless they are given too, `header_timeout` and `tls_handshake_timeout` are no longer than this.
    :param body_timeout: seconds that a request body may take to arrive.
    :param max_body_size: limit on a request body in bytes (413).
    :param max_buffer_size: bytes that one connection may have buffered.
    :param protection: ``"default"`` or ``"public"``: a whole set of values for what follows and for
        ``max_header_size``, ``idle_connection_timeout`` and ``body_timeout``; or a `Protection` of one's own.
        A server that strangers can reach, and no proxy stands before, wants ``"public"``. Single values given
        here go before those of the set; its documentation explains them: `Protection`. None leaves a value as
        the set has it; who wants no limit makes a set: ``dataclasses.replace(PUBLIC, min_send_rate=None)``.
    :param header_timeout: seconds from the first byte of a request's head to its last.
    :param tls_handshake_timeout: seconds from accepting a connection to the end of the TLS handshake.
    :param min_body_rate: bytes a second that must arrive of a request's body.
    :param min_send_rate: bytes a second that a client must take of a response.
    :param rate_window: seconds over which both rates are taken.
    :param max_header_count: header fields of a request (431).
    :param max_connections: connections held at a time; idle ones are closed for newcomers.
    :param max_connections_per_address: connections of one address at a time. With `xheaders` all come from
        proxies: then ``"public"`` sets no such limit, and one given here does not hold for the addresses in
        `trusted_downstream`.
    :param max_pipelined_requests: requests of one connection that may come before the last one was answered.
    :param max_inflation_ratio: times that a compressed request body (400) or WebSocket message (1009) may
        grow.
    :param max_form_size: bytes of a form whose arguments or files a handler asks for (413).
    :param max_json_size: bytes of a body that `.RequestHandler.get_json_body` decodes (413).
    :raises ValueError: for an unknown `protection` or a limit that is not above zero.
    """

    _opener: Any = None
    _opener_of: Any = None
    _ends_connections = False
    _next_search = 0.0  # of time.monotonic()

    if TYPE_CHECKING:

        def __init__(
            self,
            request_callback: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object],
            **options: Unpack[HTTPServerOptions],
        ) -> None: ...
    else:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # Configurable makes the object and calls `initialize` with these; TCPServer is initialised there.
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
        **unknown: Any,
    ) -> None:
        """Take the settings; see the class.

        :raises TypeError: if a size is no number, an argument is unknown, or `request_callback` is a function
            that cannot be called with a request.
        """
        given = {name for name, value in locals().items() if value is not None and value is not False}
        if unknown:
            raise TypeError(_explain_unknown(next(iter(unknown))))
        _check_callback(request_callback, given)
        sizes = {"chunk_size": chunk_size, "max_body_size": max_body_size, "max_buffer_size": max_buffer_size}
        for name, size in sizes.items():
            if size is not None and not isinstance(size, (int, float)):
                raise TypeError(f"{name} is a number of bytes, not {size!r:.100}")
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
        each = chosen.max_connections_per_address
        if xheaders and max_connections_per_address is None:
            each = None
        if each is not None or chosen.max_connections is not None:
            self._limit_connections(chosen.max_connections, each, trusted_downstream or ())
        self.protocol: str | None = protocol
        self.xheaders: bool = xheaders
        self.trusted_downstream: list[str] | None = trusted_downstream

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """The class that ``HTTPServer.configure`` replaces."""
        return HTTPServer

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """The class that is used unless another one is configured."""
        return HTTPServer

    @property
    def _connections(self) -> set[HTTP1ServerConnection]:
        return cast("set[HTTP1ServerConnection]", self.conn_params._deadlines.connections)

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on the listening `sockets` (see `.TCPServer.add_sockets`)."""
        listening = list(sockets)
        for listener in listening:
            if listener.family in (socket.AF_INET, socket.AF_INET6):
                # Accepted sockets inherit it on Linux and the BSDs, which saves a system call for each
                # connection.
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().add_sockets(listening)

    def _make_room(self) -> bool:
        """Close the connections that have been without a request for longest: one in 32, so that the search
        among all of them is not made for each newcomer. Nor is it where there are not so many: then newcomers
        are refused for a moment, or each of them would cost as much as there are connections.
        """
        now = time.monotonic()
        if now < self._next_search:
            return False
        idle = [
            (since, connection)
            for connection in self._connections
            if (since := _timeouts.idle_since(connection)) is not None
        ]
        wanted = max(1, len(self._connections) // 32)
        oldest = heapq.nsmallest(wanted, idle, key=_first)
        if len(oldest) < wanted:
            self._next_search = now + _SEARCH_PAUSE
        for _, connection in oldest:
            connection.stream.close()
        if oldest and self._connection_limits is not None:
            _reports.log(
                "room",
                logging.WARNING,
                "there are max_connections=%s: closed %d that had been idle for longest",
                self._connection_limits.total,
                len(oldest),
            )
        return bool(oldest)

    def _start_draining(self) -> None:
        """Also have each connection end with its next response."""
        super()._start_draining()
        params = self.conn_params
        if not params.no_keep_alive:
            self._ends_connections = params.no_keep_alive = True
            for connection in self._connections:
                if connection._exchange is not None:
                    connection._exchange.no_keep_alive = True
        for upgraded in self._upgraded():
            upgraded.close(1001)  # a WebSocket's client may dial anew

    def _stop_draining(self) -> None:
        super()._stop_draining()
        if self._ends_connections:
            self._ends_connections = self.conn_params.no_keep_alive = False

    def _count_running(self) -> int:
        """How many connections are being served, or had something to say a moment ago: a request may be on
        its way.
        """
        quiet_since = time.monotonic() - _QUIET
        idle = [_timeouts.idle_since(connection) for connection in self._connections]
        return sum(since is None or since > quiet_since for since in idle)

    def _listens(self) -> None:
        tell = getattr(self.request_callback, "server_listens", None)
        if tell is not None:
            tell()

    async def close_all_connections(self) -> None:
        """Close every open connection, without waiting for requests under way. WebSockets are closed with
        1001, going away.

        To be used after `~.TCPServer.stop`, which only ends accepting.
        """
        while self._connections:
            connection = next(iter(self._connections))
            await connection.close()
        for ended in [each._end_with_server() for each in self._upgraded()]:
            await ended

    def _upgraded(self) -> list[Any]:
        """The connections that have begun here and speak another protocol now. Nobody keeps a list of them,
        as it would cost each of them memory.
        """
        streams = getattr(IOLoop.current(), "_streams", ())
        consumers = [stream._consumer for stream in streams]
        return [each for each in consumers if getattr(each, "_served_by", None) is self.conn_params]

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve HTTP on an accepted stream."""
        HTTP1ServerConnection(stream, self.conn_params, address).start_serving(self)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Give the delegate that takes the next request's head and body.

        May be overridden, for instance to look at each request before the application does.
        """
        callback = self.request_callback
        message: HTTPMessageDelegate
        if isinstance(callback, HTTPServerConnectionDelegate):
            message = callback.start_request(server_conn, request_conn)
        else:
            message = _CallableAdapter(callback, request_conn)
        return _ProxyAdapter(message, request_conn) if self.xheaders else message

    def on_close(self, server_conn: object) -> None:
        """A connection has ended; an application that wants to know has an ``on_close`` too."""
        callback = self.request_callback
        if isinstance(callback, HTTPServerConnectionDelegate):
            callback.on_close(server_conn)

    def log_refusal(self, request: HTTPServerRequest, status_code: int) -> None:
        """Write a request to the access log that the server has refused without asking the application.

        The application's ``log_refusal`` does so if it has one, as `.Application` does. Called at most 100
        times a second for each status.

        :param request: what is known of it. Where its head could not be read, method and `uri` are those that
            its first line seems to have, or ``-``, and the header fields are missing.
        """
        if self.xheaders:
            source: Any = request.connection
            source.context = source.context._forwarded(request.headers)
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

    # -- the short way from a connection to the application --

    def _find_opener(self) -> Any:
        """What opens an exchange without the delegates between: the application's own way, if it has one.

        It is kept in `_opener`, and found again when ``request_callback`` is replaced, or a `start_request`
        was set on this object. A connection uses it while `start_request` of the class is ours.
        """
        if type(m := self.start_request) is not MethodType or m.__func__ is not type(self).start_request:
            self._opener = self._opener_of = None
            return None
        self._opener_of = self.request_callback
        callback = self.request_callback
        # Of the class alone: an object that passes on what it is asked for has a start_request to be called.
        function = getattr(type(callback), "_open_exchange", None)
        opener = None if function is None or self.conn_params.decompress else function.__get__(callback)
        self._opener = self._open_with_xheaders if opener is not None and self.xheaders else opener
        return self._opener

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "start_request":
            self._opener = self._opener_of = None

    def _open_with_xheaders(self, exchange: HTTP1Connection, head: Any) -> Any:
        exchange.context = exchange.context._forwarded(head.headers)
        return self.request_callback._open_exchange(exchange, head)  # type: ignore[union-attr]

    def _make_context(self, stream: IOStream, address: Any) -> _HTTPRequestContext:
        return _HTTPRequestContext(stream, address, self.protocol, self.trusted_downstream)


_server.OWN_START_REQUEST = HTTPServer.start_request
Protection.__module__ = __name__  # where programs find it


def _explain_unknown(name: str) -> str:
    """The message for an argument that `HTTPServer` does not have."""
    text = f"HTTPServer has no argument {name!r}"
    if name in _setting_names.APPLICATION:
        return f"{text}: it is a setting, Application(routes, {name}=...)"
    if name in _LISTEN_ARGUMENTS:
        return f"{text}: it belongs to HTTPServer.listen()"
    similar = _setting_names.closest(name, _setting_names.SERVER | _LISTEN_ARGUMENTS)
    return text if similar is None else f"{text}; did you mean {similar!r}?"


def _check_callback(callback: Any, given: set[str]) -> None:
    """Report what a server cannot call, and arguments of the server that the application has as settings.

    :param given: the server's arguments that have a value. A program may keep such a value among its settings
        and pass it on.
    """
    if not isinstance(callback, (HTTPServerConnectionDelegate, type)) and not _signatures.accepts(
        callback, 1
    ):
        protocol = _signatures.protocol_of(callback)
        hint = "; wrap it: HTTPServer(tornado.wsgi.WSGIContainer(app))" if protocol == "WSGI" else ""
        kind = f"it seems to be an application of {protocol}" if protocol else "it takes other arguments"
        raise TypeError(f"HTTPServer({callback!r:.100}) cannot be called with a request: {kind}{hint}")
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
    """Where the requests of one connection come from: address and protocol, as seen or as a proxy tells."""

    def __init__(
        self,
        stream: IOStream,
        address: Any,
        protocol: str | None,
        trusted_downstream: list[str] | None = None,
    ) -> None:
        self.address = address
        sock = stream.socket
        self.address_family = None if sock is None else sock.family
        inet = self.address_family in (socket.AF_INET, socket.AF_INET6)
        if inet and address:
            self.remote_ip = address[0]
        else:
            self.remote_ip = "0.0.0.0"  # a unix socket: there is no address, and programs expect one
        if protocol:
            self.protocol = protocol
        else:
            self.protocol = "https" if isinstance(sock, ssl.SSLSocket) else "http"
        self._orig_remote_ip = self.remote_ip
        self._orig_protocol = self.protocol
        self.trusted_downstream = frozenset(trusted_downstream or ())

    def __str__(self) -> str:
        if self.address_family in (socket.AF_INET, socket.AF_INET6):
            return str(self.remote_ip)
        if isinstance(self.address, bytes):
            # An abstract unix socket's name begins with a NUL and is not text.
            return str(self.address)
        return str(self.address)

    def _forwarded(self, headers: HTTPHeaders) -> _HTTPRequestContext:
        """The context of one request: a copy, as a handler may look at it when the next one has begun."""
        context = copy.copy(self)
        context._apply_xheaders(headers)
        return context

    def _apply_xheaders(self, headers: HTTPHeaders) -> None:
        """Take address and protocol from what a proxy has added; what is not an address or a protocol is
        passed over.
        """
        self._unapply_xheaders()
        forwarded = headers.get("X-Forwarded-For", "")
        ip = self.remote_ip
        for candidate in reversed(forwarded.split(",")):
            ip = candidate.strip() or ip
            if ip not in self.trusted_downstream:
                break
        ip = headers.get("X-Real-Ip", ip)
        if netutil.is_valid_ip(ip):
            self.remote_ip = ip
        protocol = headers.get("X-Scheme", headers.get("X-Forwarded-Proto", self.protocol))
        # Several proxies each add theirs; the last is the one that talked to us. Schemes are case-insensitive
        # (RFC 3986 section 3.1).
        protocol = protocol.rpartition(",")[2].strip().lower()
        if protocol in ("http", "https"):
            self.protocol = protocol

    def _unapply_xheaders(self) -> None:
        """Go back to what was seen of the connection itself."""
        self.protocol, self.remote_ip = self._orig_protocol, self._orig_remote_ip


class _ProxyAdapter(HTTPMessageDelegate):
    """Gives each request a context of its own, with the proxy's fields applied."""

    def __init__(self, delegate: HTTPMessageDelegate, request_conn: HTTPConnection) -> None:
        self.delegate, self.connection = delegate, request_conn

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        connection: Any = self.connection
        connection.context = connection.context._forwarded(headers)
        return self.delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self.delegate.data_received(chunk)

    def finish(self) -> None:
        return self.delegate.finish()

    def on_connection_close(self) -> None:
        self.delegate.on_connection_close()


class _CallableAdapter(HTTPMessageDelegate):
    """Collects a whole request and calls a plain function with it."""

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
        self.request.note_form(fresh=True)
        self.request_callback(self.request)

    def on_connection_close(self) -> None:
        self._chunks = []


HTTPRequest = HTTPServerRequest


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        if name == "HTTPServerOptions":
            return import_object("tornado._server_options.HTTPServerOptions")
        return reexported(__name__, name)


list_public(globals())
