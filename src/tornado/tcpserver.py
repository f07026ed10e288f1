"""A server for any protocol over TCP or Unix sockets, plain or TLS.

Subclass `TCPServer` and define `~TCPServer.handle_stream`; `tornado.httpserver.HTTPServer` is one such
subclass::

    class EchoServer(TCPServer):
        async def handle_stream(self, stream, address):
            try:
                while True:
                    line = await stream.read_until(b"\\n", max_bytes=65536)
                    await stream.write(line)
            except StreamClosedError:
                pass

    async def serve():
        EchoServer().listen(8888)
        await asyncio.get_running_loop().create_future()     # run until the process is stopped

    asyncio.run(serve())
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import copy_context
from typing import Any

from tornado import gen, process
from tornado._connection_limits import ConnectionLimits, CountedStream, CountedTLSStream
from tornado._implicit_reexports import reexport
from tornado._log_rate_limit import LogRateLimit
from tornado._loop.tasks import keep_reference, run_eagerly
from tornado._thread_safety import WeakRegistry
from tornado._tornado4.deprecation import ignored_loop
from tornado.concurrent import Future, future_add_done_callback
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream
from tornado.log import app_log, gen_log
from tornado.netutil import _listener_close, add_accept_handler, bind_sockets, ssl_options_to_context
from tornado.netutil._accept import accept_backlog
from tornado.netutil._error_context import format_address

__all__ = ["TCPServer"]

_log_limit = LogRateLimit(gen_log)
# All servers to which listening sockets have been added.
_servers: WeakRegistry[TCPServer] = WeakRegistry()


class TCPServer:
    """A server that accepts connections and passes each one, as an `.IOStream`, to `handle_stream`.

    :param ssl_options: enables TLS: a dictionary for `.ssl_options_to_context` (``certfile`` and, unless the
        same file contains it, ``keyfile``), or an `ssl.SSLContext`. If certificate files of a dictionary
        change on disk, the next connection uses the new files.
    :param max_buffer_size: maximum size of a stream's read buffer, in bytes; by default that of `.IOStream`.
    :param read_chunk_size: maximum size of one read of a stream, in bytes; by default that of `.IOStream`.
    :param max_connections: maximum number of open connections. Further connections are refused, unless the
        server can close others (`.HTTPServer` closes idle ones). The limit is at most three quarters of the
        number of descriptors that the process may open.
    :param max_connections_per_address: maximum number of open connections from one IPv4 address or one IPv6
        /64 network. Further connections are refused. The limit does not apply to Unix sockets.
    :raises KeyError: for a dictionary without ``certfile``.
    :raises ValueError: for a ``certfile`` or ``keyfile`` that does not exist, and for unknown options.
    :raises OSError: for files that are not valid; the exception is an `ssl.SSLError`.

    There are three ways to start a server:

    1. `listen`, in a single process, before or while the event loop runs;
    2. `add_sockets`, for inherited sockets, or for sockets from `.bind_sockets` created before
       `.fork_processes`;
    3. `bind` and `start`, the oldest way: `start` can fork.
    """

    def __init__(
        self,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        io_loop: IOLoop | None = None,
        *,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
    ) -> None:
        if isinstance(ssl_options, IOLoop):  # Tornado 4's first argument
            io_loop, ssl_options = ssl_options, None  # type: ignore[unreachable]
        if io_loop is not None:
            ignored_loop(type(self).__name__)
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        self.ssl_options = ssl_options
        self._tls_context: tuple[object, ssl.SSLContext] | None = None
        #: The listening sockets by descriptor, and the functions that stop accepting by descriptor.
        self._sockets: dict[int, socket.socket] = {}
        self._handlers: dict[int, Callable[[], None]] = {}
        #: Sockets that bind() has created for start().
        self._pending_sockets: list[socket.socket] = []
        self._origins = _listener_close.ListenerOrigins()
        self._started = self._stopped = False
        self._connection_limits: ConnectionLimits | None = None
        if max_connections is not None or max_connections_per_address is not None:
            self._limit_connections(max_connections, max_connections_per_address)
        _check_ssl_options(ssl_options)
        if isinstance(ssl_options, dict):
            _check_certificate_files(ssl_options)
            self._context()

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = 128,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Listen on ``port`` and start to accept connections. It can be called again for other ports.

        The arguments and the exceptions are those of `.bind_sockets`.
        """
        bound = bind_sockets(port, address, family, backlog, flags, reuse_port)
        self._origins.add(bound)
        self.add_sockets(bound)
        self._on_listening()

    def _on_listening(self) -> None:
        """Do nothing; subclasses override this to be notified when `listen` or `bind` has opened a port."""

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these listening sockets, which `stop` closes.

        The sockets are results of `.bind_sockets`, `.bind_unix_socket` or `.inherited_sockets` (systemd), or
        were created with ``socket.socket(fileno=...)``. They are made non-blocking.
        """
        _servers.add(self)
        for sock in sockets:
            # On a blocking socket, accept() without a waiting connection would block the event loop.
            sock.setblocking(False)
            descriptor = sock.fileno()
            self._sockets[descriptor] = sock
            self._handlers[descriptor] = add_accept_handler(sock, self._handle_connection)

    def add_socket(self, socket: socket.socket) -> None:
        """Accept connections on one listening socket; see `add_sockets`."""
        self.add_sockets([socket])

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = 128,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Listen on ``port``, but accept connections only after `start`. Prefer `listen` in new programs.

        The arguments and the exceptions are those of `.bind_sockets`.
        """
        bound = bind_sockets(port, address, family, backlog, flags, reuse_port)
        self._origins.add(bound)
        self._on_listening()
        if self._started:
            self.add_sockets(bound)
        else:
            self._pending_sockets += bound

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Accept connections on the sockets that `bind` created. Prefer `listen` in new programs.

        :param num_processes: 1 serves in this process. Any other number forks that many child processes;
            ``None``, 0 and negative numbers fork one for each processor. Forking is possible only before the
            event loop starts; this method then returns only in the child processes.
        :param max_restarts: as for `.fork_processes`.
        :raises RuntimeError: if the server has already been started.
        """
        if self._started:
            raise RuntimeError("this server has already been started: call start() only once")
        self._started = True
        if num_processes != 1:
            process.fork_processes(num_processes, max_restarts)  # the module attribute: programs patch it
        bound, self._pending_sockets = self._pending_sockets, []
        self.add_sockets(bound)

    def stop(self) -> None:
        """Close the listening sockets. Accepted connections stay open."""
        if self._stopped:
            return
        self._stopped = True
        for descriptor, sock in self._sockets.items():
            remove_handler = self._handlers.pop(descriptor, None)
            if remove_handler is not None:
                remove_handler()
            sock.close()
        for sock in self._pending_sockets:
            sock.close()
        self._pending_sockets = []

    def accept_backlogs(self) -> list[int]:
        """Return how many connections wait to be accepted on each listening TCP socket (Linux only)."""
        return [size for sock in list(self._sockets.values()) if (size := accept_backlog(sock)) is not None]

    async def _close_listeners(self) -> None:
        """Accept all connections that clients have established, and close the listening sockets."""
        own = [sock for sock in self._sockets.values() if sock.fileno() >= 0 and self._origins.is_own(sock)]
        remote = [sock for sock in own if _listener_close.drop_handshakes(sock)]
        if remote:
            await asyncio.sleep(_listener_close.HANDSHAKE_TIME)
        TCPServer._start_draining(self)
        for sock in list(self._sockets.values()):
            _listener_close.accept_queue(sock, self._handle_connection)
        self.stop()

    def _start_draining(self) -> None:
        """Stop accepting, but keep the listening sockets open: new connections wait in their backlogs."""
        for remove_handler in self._handlers.values():
            remove_handler()
        self._handlers.clear()

    def _stop_draining(self) -> None:
        """Resume accepting."""
        for descriptor, sock in self._sockets.items():
            if descriptor not in self._handlers and not self._stopped:
                self._handlers[descriptor] = add_accept_handler(sock, self._handle_connection)

    def _count_active_connections(self) -> int:
        """Return how many connections are in use and should finish before a restart.

        The base class returns 0, because the number depends on the protocol.
        """
        return 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Awaitable[None] | None:
        """Serve one connection. A subclass or an instance defines this as a function or a coroutine.

        :param stream: the connection. On a TLS server its handshake is still in progress.
        :param address: the peer's address as returned by `socket.socket.accept`: ``(host, port, ...)`` for
            TCP, usually an empty string for Unix sockets.

        If the method raises an exception or returns an object that is not awaitable, an error is logged and
        the stream is closed.
        """
        raise NotImplementedError("a subclass of TCPServer must define handle_stream(stream, address)")

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        stream: IOStream | None = None
        try:
            if self._connection_limits is not None:
                stream = self._admit(self._connection_limits, connection, address)
            else:
                stream = self._make_stream(connection, IOStream, SSLIOStream)
            if stream is None:
                return
            stream.peer_address = address
            result = self.handle_stream(stream, address)
            if result is not None:
                self._watch_handler(result, stream)
        except BaseException as error:
            if not isinstance(error, (KeyboardInterrupt, SystemExit)):
                app_log.error("Error in connection callback for %s", format_address(address), exc_info=True)
            _close_connection(stream, connection)
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise

    def _watch_handler(self, result: Awaitable[None], stream: IOStream) -> None:
        """Await the result of `handle_stream`. On an error, log it and close the stream."""
        if isinstance(result, Coroutine):
            future: Future[Any] = keep_reference(run_eagerly(_asyncio_loop(), result, copy_context()))
        else:
            future = gen.convert_yielded(result)

        def report(done: Future[Any]) -> None:
            if done.cancelled():
                stream.close()
                return
            error = done.exception()
            if error is not None:
                app_log.error(
                    "Exception in callback handle_stream of %s for %s",
                    type(self).__name__,
                    stream.peer_name(),
                    exc_info=(type(error), error, error.__traceback__),
                )
                stream.close()

        future_add_done_callback(future, report)

    def _make_stream(
        self, connection: socket.socket, plain: type[IOStream], secure: type[SSLIOStream]
    ) -> IOStream | None:
        if self.ssl_options is not None:
            return self._tls_stream(connection, secure)
        if self.max_buffer_size is None and self.read_chunk_size is None:
            return plain(connection)
        return plain(connection, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)

    def _limit_connections(self, total: int | None, each: int | None, exempt: Iterable[str] = ()) -> None:
        self._connection_limits = ConnectionLimits(total, each, frozenset(exempt))

    def _admit(self, limits: ConnectionLimits, connection: socket.socket, address: Any) -> IOStream | None:
        """Return the stream for an accepted connection; close it and return None if a limit is exceeded."""
        key = limits.key(connection, address)
        if limits.is_address_full(key):
            connection.close()
            _log_limit.log(
                "address",
                logging.WARNING,
                "connection refused: %s has max_connections_per_address=%s already",
                address[0],
                limits.each,
            )
            return None
        if limits.is_full() and not self._close_idle_connections():
            connection.close()
            _log_limit.log(
                "total",
                logging.WARNING,
                "connection refused: the server has max_connections=%s already, none of them idle",
                limits.total,
            )
            return None
        stream: Any = self._make_stream(connection, CountedStream, CountedTLSStream)
        if stream is not None:
            limits.enter(stream, key)
        return stream  # type: ignore[no-any-return]

    def _close_idle_connections(self) -> bool:
        """Close idle connections, because the limit has been reached.

        :returns: whether any connection was closed.
        """
        return False

    def _tls_stream(self, connection: socket.socket, secure: type[SSLIOStream]) -> IOStream | None:
        """Wrap an accepted connection in TLS; return None if the peer has disconnected."""
        try:
            connection.getpeername()  # if the peer has disconnected, wrap_socket() fails without closing
            wrapped = self._context().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        except OSError as error:
            gone = isinstance(error, ssl.SSLError) and error.args[0] == ssl.SSL_ERROR_EOF
            if gone or error.errno in (errno.ECONNABORTED, errno.ECONNRESET, errno.EINVAL, errno.ENOTCONN):
                connection.close()
                return None
            raise
        return secure(
            wrapped,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            connected=True,  # the peer may have disconnected in the meantime
        )

    def _context(self) -> ssl.SSLContext:
        """Return the context for the next connection.

        A context created from a dictionary is reused while the dictionary and its files are unchanged.
        """
        options = self.ssl_options
        if not isinstance(options, dict):
            assert options is not None
            return options
        state = (dict(options), _modification_times(options))
        if self._tls_context is None or self._tls_context[0] != state:
            self._tls_context = (state, ssl_options_to_context(options, server_side=True))
        return self._tls_context[1]


class ServerDrain:
    """The draining of one server before a restart: it accepts no connections while the open ones finish.

    This is an object separate from the server, because a subclass in a program may use any attribute name.
    """

    __slots__ = ("_server",)

    def __init__(self, server: TCPServer) -> None:
        self._server = server

    def start(self) -> None:
        """Stop accepting. The listening sockets stay open: new connections wait in their backlogs."""
        self._server._start_draining()

    def active_connections(self) -> int:
        """Return how many connections are in use and should finish before the restart."""
        return self._server._count_active_connections()

    def stop(self) -> None:
        """Resume accepting, because the restart has failed."""
        self._server._stop_draining()


def server_drains() -> list[ServerDrain]:
    """Return a `ServerDrain` for each server of this process that has listening sockets."""
    return [ServerDrain(server) for server in _servers.snapshot()]


def _asyncio_loop() -> Any:
    return IOLoop.current().asyncio_loop


def _close_connection(stream: IOStream | None, connection: socket.socket) -> None:
    if stream is not None:
        stream.close()
    else:
        connection.close()


def _check_ssl_options(options: object) -> None:
    """Check the type of ``ssl_options``.

    :raises TypeError: if it is neither None, a dict nor a context. A context of another TLS library has a
        method ``wrap_socket``, too.
    """
    if options is None or isinstance(options, dict) or callable(getattr(options, "wrap_socket", None)):
        return
    raise TypeError(
        "ssl_options must be an ssl.SSLContext or a dict of arguments for ssl_options_to_context, got "
        f"{options!r:.100}"
    )


def _check_certificate_files(ssl_options: dict[str, Any]) -> None:
    """Check the file names when the server is created, rather than at the first connection."""
    if "certfile" not in ssl_options:
        raise KeyError('ssl_options of a server must have the key "certfile": its certificate file')
    for key in ("certfile", "keyfile"):
        name = ssl_options.get(key)
        if name is not None and not os.path.exists(name):
            raise ValueError(f'ssl_options: the {key} "{name}" does not exist')


def _modification_times(ssl_options: dict[str, Any]) -> tuple[int | None, ...]:
    times: list[int | None] = []
    for key in ("certfile", "keyfile", "ca_certs"):
        name = ssl_options.get(key)
        try:
            times.append(None if name is None else os.stat(name).st_mtime_ns)
        except OSError:
            times.append(None)
    return tuple(times)


reexport(globals())
