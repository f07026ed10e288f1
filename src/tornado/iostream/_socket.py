"""`IOStream`: a stream over a socket.

The fast paths call the methods of the socket directly. If a subclass overrides ``read_from_fd`` or
``write_to_fd``, or a program patches one of them at run time, that method is called instead.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket as socket_module
import ssl
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from tornado import ioloop, netutil
from tornado.iostream._base import BaseIOStream, _for_callback
from tornado.iostream._core import fail
from tornado.iostream._errors import StreamNotIdleError, remove_frames
from tornado.iostream._file_segment import CANNOT_SEND, FileSegment, truncated
from tornado.iostream._write_side import SendState
from tornado.netutil._error_context import add_error_context, format_address

if TYPE_CHECKING:
    from tornado.iostream._tls import SSLIOStream

_Stream = TypeVar("_Stream", bound="IOStream")

#: Errors of ``connect`` that mean that the connection is in progress. Except on Windows, EWOULDBLOCK is a
#: final error: the server of a Unix socket has a full backlog.
_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK) if os.name == "nt" else (errno.EINPROGRESS,)
_HAS_SENDFILE = hasattr(os, "sendfile")
#: Number of buffers that sendmsg() accepts on every platform. Windows has no sendmsg().
_MAX_PIECES = 64 if hasattr(socket_module.socket, "sendmsg") else 0


class IOStream(BaseIOStream):
    """A stream over a socket that is already connected, or that `connect` connects.

    :param socket: a stream socket. The stream takes ownership of it and makes it non-blocking.

    The other arguments are those of `BaseIOStream`.
    """

    __slots__ = ("_connect_future", "_peer_address", "socket")

    #: The socket; for a TLS stream, the `ssl.SSLSocket`.
    socket: socket_module.socket
    _eof_waiters: tuple[asyncio.Future[None], ...] = ()
    #: `SSLIOStream`. Its module sets this, because importing it here would be circular.
    _tls_stream: ClassVar[type[Any]]

    @overload
    def __init__(
        self,
        socket: socket_module.socket,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: ioloop.IOLoop | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        socket: socket_module.socket,
        io_loop: ioloop.IOLoop,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None: ...
    def __init__(self, socket: socket_module.socket, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], ioloop.IOLoop):  # the second argument in Tornado 4
            args, kwargs = args[1:], {**kwargs, "io_loop": args[0]}
        self.socket = socket
        self._connect_future: asyncio.Future[Any] | None = None
        #: The address passed to `connect` or returned by accept(); for other sockets, looked up when needed.
        self._peer_address: Any = None
        try:
            socket.setblocking(False)
        except AttributeError:
            raise TypeError(f"{type(self).__name__}: socket must be a socket, got {socket!r}") from None
        super().__init__(*args, **kwargs)

    # -- the descriptor --

    def fileno(self) -> int | ioloop._Selectable:
        """Return the socket."""
        return self.socket

    def close_fd(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _look_up_peer(self) -> None:
        """Set `_peer_address`, if the socket is connected."""
        try:
            self._peer_address = self.socket.getpeername()
        except (OSError, AttributeError):  # not connected
            pass

    def _peer_name(self) -> str:
        if self._peer_address is None:
            self._look_up_peer()
        return "an unknown peer" if self._peer_address is None else format_address(self._peer_address)

    def get_fd_error(self) -> Exception | None:
        """Return the pending error of the socket, or None."""
        number = self.socket.getsockopt(socket_module.SOL_SOCKET, socket_module.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Receive into `buf`; see `BaseIOStream.read_from_fd`."""
        try:
            return self.socket.recv_into(buf, len(buf))
        except BlockingIOError:
            return None

    def write_to_fd(self, data: memoryview) -> int:
        """Send as much of `data` as the socket accepts; see `BaseIOStream.write_to_fd`."""
        try:
            return self.socket.send(data)
        finally:
            # A view that outlives this call, for example in a traceback, would make its buffer non-resizable.
            del data

    def set_nodelay(self, value: bool) -> None:
        """Disable (True) or enable (False) Nagle's algorithm, which delays small segments."""
        if self.socket is not None and self.socket.family in (socket_module.AF_INET, socket_module.AF_INET6):
            try:
                self.socket.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, int(value))
            except OSError as error:
                # The socket was shut down or reset. The next read or write reports that.
                if error.errno != errno.EINVAL and error.errno != errno.ECONNRESET:
                    raise

    def write_eof(self) -> asyncio.Future[None]:
        """Close the sending side of the connection after all earlier writes have been sent (half-close).

        The peer reads the end of input and may continue to send; this stream can still be read. Over TLS, a
        ``close_notify`` alert precedes the end of the TCP connection. A second call has no further effect.

        :returns: a Future that is done when the sending side has been closed. It fails with
            `StreamClosedError` if the stream is closed before that.
        :raises StreamClosedError: if the stream is closed.
        """
        if self._closed:
            raise self._closed_error("writing to")
        future: asyncio.Future[None] = self._loop.create_future()
        if self._sending is SendState.ENDED:
            future.set_result(None)
            return future
        self._eof_waiters = (*self._eof_waiters, future)
        if self._sending is SendState.OPEN:
            self._flush_now()
            self._sending = SendState.ENDING
            if not self._output and not self._suspended:
                self._send_eof()
        return future

    def _send_eof(self) -> None:
        """Close the sending side if `write_eof` was called. All output must have been sent."""
        if self._sending is not SendState.ENDING or self._closed:
            return
        if not self._can_end_output():
            self._add_writer()
            return
        self._sending = SendState.ENDED
        self._end_output()
        waiters, self._eof_waiters = self._eof_waiters, ()
        for future in waiters:
            if self.closed():
                fail(future, self._closed_error("writing to"))
            elif not future.done():
                future.set_result(None)

    def _can_end_output(self) -> bool:
        """Whether the kernel accepts the bytes that end the output."""
        return True

    def _drained(self) -> None:
        super()._drained()
        self._send_eof()

    def _on_ready(self) -> None:
        super()._on_ready()
        if not self._output:
            self._send_eof()

    def _end_output(self) -> None:
        """Close the sending side of the socket. The write buffer must be empty."""
        try:
            self.socket.shutdown(socket_module.SHUT_WR)
        except OSError:
            self.close()

    # -- receiving and sending --

    def _on_readable(self) -> None:
        consumer = self._consumer
        if consumer is None or self._paused or type(self).read_from_fd is not _READ:
            super()._on_readable()
            return
        try:
            data = self.socket.recv(self.read_chunk_size)
        except BlockingIOError:
            return
        except OSError as error:
            self._read_failed(error)
            return
        if not data:
            self._on_input_end(None)
            return
        # _deliver and _uncork, inlined: every request runs through this code.
        self._corked += 1
        try:
            consumer.data_received(data)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._corked = corked = self._corked - 1
            if not corked and self._collected is not None:
                self._flush_now()

    def _flush_now(self) -> None:
        data = self._collected
        if (
            type(data) is not bytes
            or self._output is not None
            or self._suspended
            or type(self).write_to_fd is not _WRITE
        ):
            super()._flush_now()
            return
        # _send_or_buffer and _transmit, inlined.
        self._collected = None
        self._collected_size = 0
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error)
            return
        if sent != len(data):
            self._buffer_unsent(data, sent)

    def _receive(self, size: int) -> bytes | bytearray | None:
        if type(m := self.read_from_fd) is not MethodType or m.__func__ is not _READ:
            return super()._receive(size)
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def _short_receive_means_empty(self) -> bool:
        # A socket class that the program defines may buffer data that it has received.
        is_plain = type(self.socket) is socket_module.socket
        return is_plain and (type(m := self.read_from_fd) is MethodType and m.__func__ is _READ)

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        if type(m := self.write_to_fd) is not MethodType or m.__func__ is not _WRITE:
            return super()._transmit(data)
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def _transmit_file(self, piece: FileSegment, offset: int, size: int) -> int:
        if (
            not piece.use_sendfile
            or not _HAS_SENDFILE
            or (type(m := self.write_to_fd) is not MethodType or m.__func__ is not _WRITE)
        ):
            return super()._transmit_file(piece, offset, size)
        try:
            sent = os.sendfile(
                self.socket.fileno(), piece.fd, piece.start + offset, min(size, piece.size - offset)
            )
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in CANNOT_SEND:
                raise
            piece.use_sendfile = False  # not supported for this file system or kind of socket
            return super()._transmit_file(piece, offset, size)
        if not sent:
            raise truncated()
        return sent

    def _put_pieces(self, pieces: list[bytes], size: int) -> None:
        if (
            self._output is not None
            or self._suspended
            or type(self).write_to_fd is not _WRITE
            or len(pieces) > _MAX_PIECES
        ):
            super()._put_pieces(pieces, size)
            return
        try:
            sent = self.socket.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error)
            return
        for piece in pieces:
            if sent >= len(piece):
                sent -= len(piece)
            else:
                self._buffer_unsent(piece, sent)
                sent = 0

    # -- connecting --

    def connect(
        self: _Stream,
        address: Any,
        server_hostname: str | None = None,
        callback: Callable[[_Stream], object] | None = None,
    ) -> asyncio.Future[_Stream]:
        """Connect the socket. The Future's result is this stream.

        Reads and writes may be started before the Future is done. They wait for the connection.

        :param address: as for `socket.socket.connect`. Resolving a host name blocks the event loop: pass an
            IP address, or use `.TCPClient`.
        :param server_hostname: used by `SSLIOStream`.
        :raises StreamClosedError: from the Future, with the ``real_error``, if the connection fails.

        Cancelling the Future does not stop the connection attempt, and the stream can still be used.
        """
        if callback is not None or callable(server_hostname):
            return _for_callback("connect", self, address, server_hostname, callback)
        future: asyncio.Future[_Stream] = self._loop.create_future()
        if self._closed:
            fail(future, self._closed_error("connecting to"))
            return future
        try:
            self.socket.connect(address)
        except OSError as error:
            if error.errno not in _IN_PROGRESS:
                self._peer_address, self._connect_future = address, future
                self._connect_failed(remove_frames(error))
                return future
        self._peer_address, self._connect_future = address, future
        self._suspended = True
        self._add_writer()
        return future

    def _connect_failed(self, error: Exception) -> None:
        self.close(add_error_context(error, f"connecting to {self._peer_name()}"))

    def _on_writable(self) -> None:
        if self._connect_future is not None and self._suspended:
            self._handle_connect()
        else:
            super()._on_writable()

    def _handle_connect(self) -> None:
        """Handle the end of the connection attempt, successful or not."""
        try:
            error = self.get_fd_error()
        except OSError as broken:  # the socket is unusable, for example closed by the program
            error = remove_frames(broken)
        if error is not None:
            self._connect_failed(error)
            return
        self._drop_writer()
        self._connected()

    def _connected(self) -> None:
        future, self._connect_future = self._connect_future, None
        if future is not None and not future.done():
            future.set_result(self)
        self._on_ready()

    def _before_close(self) -> None:
        if self._peer_address is None:
            self._look_up_peer()  # not possible after the socket is closed
        super()._before_close()

    def _after_close(self) -> None:
        future, self._connect_future = self._connect_future, None
        if future is not None:
            fail(future, self._closed_error("connecting to"))
        if self._eof_waiters:
            waiters, self._eof_waiters = self._eof_waiters, ()
            for waiter in waiters:
                fail(waiter, self._closed_error("writing to"))
        super()._after_close()

    # -- TLS --

    def start_tls(
        self,
        server_side: bool,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> asyncio.Future[SSLIOStream]:
        """Upgrade the connection to TLS. The Future's result is the `SSLIOStream` to use from now on.

        This stream cannot be used after the call. Its close callback moves to the new stream.

        :param server_side: whether this side is the server of the handshake.
        :param ssl_options: an `ssl.SSLContext`, or a dictionary as described at `.ssl_options_to_context`. By
            default a server has no certificate, and a client verifies the peer's certificate against the
            system's certificate authorities.
        :param server_hostname: the name that a client verifies the certificate against.
        :raises ValueError: if a read or write is outstanding, or a buffer is not empty. The buffered bytes
            would be treated as part of the handshake or of the protected data (a command injection
            vulnerability, known from STARTTLS).
        :raises StreamClosedError: if the stream is closed; from the Future, if the peer has disconnected.
        :raises ssl.SSLError: from the Future, if the handshake fails; see `SSLIOStream.wait_for_handshake`.
        """
        if self._closed:
            raise self._closed_error("TLS handshake with")
        if (
            self.reading()
            or self.writing()
            or self._connect_future is not None
            or self._consumer is not None
            or self._write_futures
            or self._read_buffer_size
            or self._sending is not SendState.OPEN
        ):
            raise StreamNotIdleError(
                "start_tls() needs an idle stream: a read or write is outstanding, or bytes are buffered"
            )
        if ssl_options is None:
            ssl_options = netutil._server_ssl_defaults if server_side else netutil._client_ssl_defaults
        return self._upgrade_to_tls(server_side, ssl_options, server_hostname)

    def _upgrade_to_tls(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> asyncio.Future[SSLIOStream]:
        try:
            address = self.socket.getpeername()  # wrap_socket() would not close a disconnected socket
        except OSError as error:
            return self._fail_before_tls(self.get_fd_error() or error)
        if self._peer_address is None:
            self._peer_address = address
        try:
            tls_socket, stream_class = self._wrap_socket_in_tls(server_side, ssl_options, server_hostname)
        except Exception as error:
            if self.socket.fileno() >= 0:  # for example an invalid option: the stream is unchanged
                raise
            return self._fail_before_tls(error)
        self._unregister_fd()
        self.socket = None  # type: ignore[assignment]
        callback, self._close_callback = self._close_callback, None
        self._closed = self._suspended = True
        stream = stream_class(
            tls_socket,
            ssl_options=ssl_options,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            connected=True,
        )
        stream._peer_address = self._peer_address
        stream.set_close_callback(callback)
        handshake: asyncio.Future[Any] = stream.wait_for_handshake()

        def close_if_cancelled(handshake: asyncio.Future[Any]) -> None:
            if handshake.cancelled():  # for example by a timeout; the caller has no reference to the stream
                stream.close()

        handshake.add_done_callback(close_if_cancelled)
        return handshake

    def _wrap_socket_in_tls(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> tuple[Any, type[Any]]:
        """Wrap the socket in TLS; return the TLS socket and the class of its stream."""
        tls_socket = netutil.ssl_wrap_socket(
            self.socket,
            ssl_options,
            server_hostname=server_hostname,
            server_side=server_side,
            do_handshake_on_connect=False,
        )
        return tls_socket, self._tls_stream

    def _fail_before_tls(self, error: Exception) -> asyncio.Future[SSLIOStream]:
        """Close the stream, because the connection ended before the handshake; return a failed Future."""
        self.close(add_error_context(remove_frames(error), f"TLS handshake with {self._peer_name()}"))
        future: asyncio.Future[Any] = self._loop.create_future()
        fail(future, self._closed_error("TLS handshake with"))
        return future


_READ = IOStream.read_from_fd
_WRITE = IOStream.write_to_fd
