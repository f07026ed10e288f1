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
        await asyncio.get_running_loop().create_future()     # for ever

    asyncio.run(serve())
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import copy_context
from typing import Any

from tornado import gen, process
from tornado._connection_limits import ConnectionLimits, CountedStream, CountedTLSStream
from tornado._log_rate_limit import LogRateLimit
from tornado._reexports import reexport
from tornado._tasks import keep_reference, run_eagerly
from tornado._tornado4.deprecation import ignored_loop
from tornado.concurrent import Future, future_add_done_callback
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream
from tornado.log import app_log, gen_log
from tornado.netutil import add_accept_handler, bind_sockets, ssl_options_to_context
from tornado.netutil._error_context import address_name

__all__ = ["TCPServer"]

_reports = LogRateLimit(gen_log)
# Those that have accepted connections.
_servers: weakref.WeakValueDictionary[int, TCPServer] = weakref.WeakValueDictionary()


def servers() -> list[TCPServer]:
    """The servers of this process, for who wants to end it."""
    return list(_servers.values())


class TCPServer:
    """Accepts connections and passes each one, as an `.IOStream`, to `handle_stream`.

    :param ssl_options: a dictionary for `.ssl_options_to_context` (``certfile`` and, unless the same file has
        it, ``keyfile``), or an `ssl.SSLContext`: the server then speaks TLS. Certificate files of a
        dictionary that change on disk are used from the next connection on.
    :param max_buffer_size: bytes that a stream may buffer for reading; the stream's own default otherwise.
    :param read_chunk_size: bytes that a stream reads at a time.
    :param max_connections: connections held at a time. One more is refused, unless the server can make room
        (`.HTTPServer` closes idle ones). Never more than three quarters of the descriptors that the process
        may open.
    :param max_connections_per_address: connections of one address, or of one IPv6 network of 64 bits, held at
        a time. One more is refused. Unix sockets have no address.
    :raises KeyError: for a dictionary without ``certfile``.
    :raises ValueError: for a ``certfile`` or ``keyfile`` that does not exist, and for unknown options.
    :raises OSError: (`ssl.SSLError`) for files that hold something else.

    Three ways to start one:

    1. `listen`, in a single process, with the loop running or about to run;
    2. `add_sockets`, for sockets made by `.bind_sockets` before `.fork_processes`, or inherited;
    3. `bind` and `start`, the oldest: `start` may fork.
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
        #: Descriptor to socket, and descriptor to what ends accepting on it.
        self._sockets: dict[int, socket.socket] = {}
        self._handlers: dict[int, Callable[[], None]] = {}
        #: From bind(), waiting for start().
        self._pending_sockets: list[socket.socket] = []
        self._started = self._stopped = False
        self._connection_limits: ConnectionLimits | None = None
        if max_connections is not None or max_connections_per_address is not None:
            self._limit_connections(max_connections, max_connections_per_address)
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
        """Listen on ``port`` and accept connections at once. May be called again for further ports.

        The arguments, and the errors raised, are those of `.bind_sockets`.
        """
        self.add_sockets(bind_sockets(port, address, family, backlog, flags, reuse_port))
        self._listens()

    def _listens(self) -> None:
        """Called when `listen` or `bind` has opened a port, for subclasses."""

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these listening sockets, which `stop` closes.

        They were made by `.bind_sockets` or `.bind_unix_socket`, or are inherited (`.inherited_sockets` for
        those of systemd, ``socket.socket(fileno=...)`` for others); they are put into non-blocking mode.
        """
        _servers[id(self)] = self
        for sock in sockets:
            # The first accept() too many on an inherited socket in blocking mode would stop the loop.
            sock.setblocking(False)
            descriptor = sock.fileno()
            self._sockets[descriptor] = sock
            self._handlers[descriptor] = add_accept_handler(sock, self._handle_connection)

    def add_socket(self, socket: socket.socket) -> None:
        """As `add_sockets`, for one socket."""
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
        """Listen on ``port``, but accept connections only from `start` on. Prefer `listen` in new programs.

        The arguments, and the errors raised, are those of `.bind_sockets`.
        """
        bound = bind_sockets(port, address, family, backlog, flags, reuse_port)
        self._listens()
        if self._started:
            self.add_sockets(bound)
        else:
            self._pending_sockets += bound

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Accept connections on the sockets that `bind` made. Prefer `listen` in new programs.

        :param num_processes: 1 stays in this process. Any other number forks that many children, and ``None``
            or 0 one for each processor; then no event loop may exist yet, and this returns in the children
            only.
        :param max_restarts: as for `.fork_processes`.
        :raises RuntimeError: when the server was started before.
        """
        if self._started:
            raise RuntimeError("this server has been started already: start() may be called once")
        self._started = True
        if num_processes != 1:
            process.fork_processes(num_processes, max_restarts)  # by its public name: programs patch it
        bound, self._pending_sockets = self._pending_sockets, []
        self.add_sockets(bound)

    def stop(self) -> None:
        """Close the listening sockets. Connections that were accepted go on."""
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

    def _start_draining(self) -> None:
        """Accept nobody any more, but keep the listening sockets: connections wait in them."""
        for remove_handler in self._handlers.values():
            remove_handler()
        self._handlers.clear()

    def _stop_draining(self) -> None:
        """Accept again."""
        for descriptor, sock in self._sockets.items():
            if descriptor not in self._handlers and not self._stopped:
                self._handlers[descriptor] = add_accept_handler(sock, self._handle_connection)

    def _count_running(self) -> int:
        """How many connections have something under way that should end. Of any protocol: nobody knows."""
        return 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Awaitable[None] | None:
        """Serve one connection: a function or a coroutine, defined by the subclass or set on the instance.

        :param stream: the connection, with its TLS handshake under way where the server speaks TLS.
        :param address: the peer's address as `socket.socket.accept` gives it: ``(host, port, ...)`` for TCP,
            mostly an empty string for Unix sockets.

        What it raises, at once or later, is logged, and the stream is closed; so it is where something is
        returned that cannot be awaited.
        """
        raise NotImplementedError("a TCPServer needs handle_stream(stream, address): define it in a subclass")

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        stream: IOStream | None = None
        try:
            if self._connection_limits is not None:
                stream = self._admit(self._connection_limits, connection, address)
            else:
                stream = self._make_stream(connection, IOStream, SSLIOStream)
            if stream is None:
                return
            stream._peer_address = address
            result = self.handle_stream(stream, address)
            if result is not None:
                self._watch(result, stream)
        except BaseException as error:
            if not isinstance(error, (KeyboardInterrupt, SystemExit)):
                app_log.error("Error in connection callback for %s", address_name(address), exc_info=True)
            _dispose(stream, connection)
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise

    def _watch(self, result: Awaitable[None], stream: IOStream) -> None:
        """Run what `handle_stream` returned and see that its error is not lost."""
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
                    stream._peer_name(),
                    exc_info=(type(error), error, error.__traceback__),
                )
                stream.close()

        future_add_done_callback(future, report)

    def _make_stream(
        self, connection: socket.socket, plain: type[IOStream], secure: type[SSLIOStream]
    ) -> IOStream | None:
        if self.ssl_options is not None:
            return self._tls_stream(connection, secure)
        return plain(connection, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)

    def _limit_connections(self, total: int | None, each: int | None, exempt: Iterable[str] = ()) -> None:
        self._connection_limits = ConnectionLimits(total, each, frozenset(exempt))

    def _admit(self, admission: ConnectionLimits, connection: socket.socket, address: Any) -> IOStream | None:
        """The stream for an accepted connection, or None where there are too many and it was closed."""
        key = admission.key(connection, address)
        if admission.is_too_many(key):
            connection.close()
            _reports.log(
                "address",
                logging.WARNING,
                "connection refused: %s has max_connections_per_address=%s already",
                address[0],
                admission.each,
            )
            return None
        if admission.is_full() and not self._make_room():
            connection.close()
            _reports.log(
                "total",
                logging.WARNING,
                "connection refused: there are max_connections=%s already, none of them idle",
                admission.total,
            )
            return None
        stream: Any = self._make_stream(connection, CountedStream, CountedTLSStream)
        if stream is not None:
            admission.enter(stream, key)
        return stream  # type: ignore[no-any-return]

    def _make_room(self) -> bool:
        """Close connections that can be spared, as there are too many; whether there were any."""
        return False

    def _tls_stream(self, connection: socket.socket, secure: type[SSLIOStream]) -> IOStream | None:
        """Wrap an accepted connection, or None where the peer has left again."""
        try:
            connection.getpeername()  # wrap_socket() would fail for a peer that left, and forget to close
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
            connected=True,  # whatever has become of it since
        )

    def _context(self) -> ssl.SSLContext:
        """The context for the next connection; one made of a dictionary is kept while that is unchanged."""
        options = self.ssl_options
        if not isinstance(options, dict):
            assert options is not None
            return options
        state = (dict(options), _modification_times(options))
        if self._tls_context is None or self._tls_context[0] != state:
            self._tls_context = (state, ssl_options_to_context(options, server_side=True))
        return self._tls_context[1]


def _asyncio_loop() -> Any:
    return IOLoop.current().asyncio_loop


def _dispose(stream: IOStream | None, connection: socket.socket) -> None:
    if stream is not None:
        stream.close()
    else:
        connection.close()


def _check_certificate_files(ssl_options: dict[str, Any]) -> None:
    """Find a mistake when the server is made, rather than at the first connection."""
    if "certfile" not in ssl_options:
        raise KeyError('ssl_options of a server need the key "certfile": the file of its certificate')
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
