"""`IOStream`: a stream over a socket.

The hot paths work on the socket itself; a class whose ``read_from_fd`` or ``write_to_fd`` is not the one
written here, be it by a subclass or by a patch at run time, is served through that method instead.
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
from tornado.iostream._errors import StreamNotIdleError, without_frames
from tornado.iostream._file_segment import CANNOT_SEND, FileSegment, truncated
from tornado.iostream._write_side import SendState
from tornado.netutil._error_context import address_name, placed

if TYPE_CHECKING:
    from tornado.iostream._tls import SSLIOStream

_Stream = TypeVar("_Stream", bound="IOStream")

#: What `connect` says when it is on its way. Elsewhere than on Windows EWOULDBLOCK is the word of a Unix
#: socket whose server has too many waiting, and final.
_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK) if os.name == "nt" else (errno.EINPROGRESS,)
_HAS_SENDFILE = hasattr(os, "sendfile")
#: Buffers that one sendmsg() takes everywhere; Windows has none.
_MAX_PIECES = 64 if hasattr(socket_module.socket, "sendmsg") else 0


class IOStream(BaseIOStream):
    """A stream over a socket, which is connected already or will be by `connect`.

    :param socket: a stream socket; it is made non-blocking and belongs to the stream from now on.

    The other arguments are those of `BaseIOStream`.
    """

    __slots__ = ("_connect_future", "_peer_address", "socket")

    #: The socket; of a TLS stream the `ssl.SSLSocket`.
    socket: socket_module.socket
    _eof_waiters: tuple[asyncio.Future[None], ...] = ()
    #: `SSLIOStream`, which enters itself here: it is made of this class and cannot be imported by it.
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
        if args and isinstance(args[0], ioloop.IOLoop):  # Tornado 4's second argument
            args, kwargs = args[1:], {**kwargs, "io_loop": args[0]}
        self.socket = socket
        self._connect_future: asyncio.Future[Any] | None = None
        #: As it was connected to or accepted from; of other sockets from the moment when it is needed.
        self._peer_address: Any = None
        try:
            socket.setblocking(False)
        except AttributeError:
            raise TypeError(f"{type(self).__name__}: socket takes a socket, not {socket!r}") from None
        super().__init__(*args, **kwargs)

    # -- the descriptor --

    def fileno(self) -> int | ioloop._Selectable:
        """The socket."""
        return self.socket

    def close_fd(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _find_peer(self) -> None:
        """Set `_peer_address`, where the socket knows it."""
        try:
            self._peer_address = self.socket.getpeername()
        except (OSError, AttributeError):  # not connected (any more)
            pass

    def _peer_name(self) -> str:
        if self._peer_address is None:
            self._find_peer()
        return "an unknown peer" if self._peer_address is None else address_name(self._peer_address)

    def get_fd_error(self) -> Exception | None:
        """The error that the socket holds, or None."""
        number = self.socket.getsockopt(socket_module.SOL_SOCKET, socket_module.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Receive into `buf`; see `BaseIOStream.read_from_fd`."""
        try:
            return self.socket.recv_into(buf, len(buf))
        except BlockingIOError:
            return None

    def write_to_fd(self, data: memoryview) -> int:
        """Send what the socket takes of `data`; see `BaseIOStream.write_to_fd`."""
        try:
            return self.socket.send(data)
        finally:
            # A view that outlives this call, in a traceback say, would keep its buffer from growing.
            del data

    def set_nodelay(self, value: bool) -> None:
        """Switch off (True) or on (False) the collecting of small segments, Nagle's algorithm."""
        if self.socket is not None and self.socket.family in (socket_module.AF_INET, socket_module.AF_INET6):
            try:
                self.socket.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, int(value))
            except OSError as error:
                # A socket that was shut down says so here; reads and writes will find out.
                if error.errno != errno.EINVAL and error.errno != errno.ECONNRESET:
                    raise

    def write_eof(self) -> asyncio.Future[None]:
        """Close the sending side of the connection, once everything written before has been sent.

        The peer reads the end of input, and may go on sending: reads are served as before. Over TLS the end
        is a ``close_notify`` alert and then that of the TCP connection. A second call changes nothing.

        :returns: a Future that is done when the end was handed to the kernel. It fails with
            `StreamClosedError` if the stream closes before that.
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
        """Everything has been sent: end the output, if that is what was asked for."""
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
        """Whether the kernel takes what ends the output."""
        return True

    def _drained(self) -> None:
        super()._drained()
        self._send_eof()

    def _ready(self) -> None:
        super()._ready()
        if not self._output:
            self._send_eof()

    def _end_output(self) -> None:
        """Tell the peer that nothing more will be sent; input still arrives. Nothing may be waiting."""
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
            self._input_ends(None)
            return
        # _deliver and _uncork, written out: this is the way of every request.
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
        # _put and _transmit, written out.
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
            self._leave(data, sent)

    def _receive(self, size: int) -> bytes | bytearray | None:
        if type(m := self.read_from_fd) is not MethodType or m.__func__ is not _READ:
            return super()._receive(size)
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def _gives_all(self) -> bool:
        # A program's own kind of socket may keep something back.
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
            not piece.by_kernel
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
            piece.by_kernel = False  # a file system or socket of another kind
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
                self._leave(piece, sent)
                sent = 0

    # -- connecting --

    def connect(
        self: _Stream,
        address: Any,
        server_hostname: str | None = None,
        callback: Callable[[_Stream], object] | None = None,
    ) -> asyncio.Future[_Stream]:
        """Connect the socket; the Future gives the stream when that is done.

        Reads and writes may be asked for before and are served afterwards.

        :param address: as for `socket.socket.connect`. A host name in it is looked up, which blocks: give
            an address, or use `.TCPClient`.
        :param server_hostname: for `SSLIOStream`.
        :raises StreamClosedError: from the Future, with the ``real_error``, if that fails.

        If the Future is cancelled the socket goes on connecting, and the stream can be used as before.
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
                self._connect_failed(without_frames(error))
                return future
        self._peer_address, self._connect_future = address, future
        self._suspended = True
        self._add_writer()
        return future

    def _connect_failed(self, error: Exception) -> None:
        self.close(placed(error, f"connecting to {self._peer_name()}"))

    def _on_writable(self) -> None:
        if self._connect_future is not None and self._suspended:
            self._handle_connect()
        else:
            super()._on_writable()

    def _handle_connect(self) -> None:
        """The socket says that connecting has come to an end, of whatever kind."""
        try:
            error = self.get_fd_error()
        except OSError as broken:  # the socket is gone altogether
            error = without_frames(broken)
        if error is not None:
            self._connect_failed(error)
            return
        self._drop_writer()
        self._connected()

    def _connected(self) -> None:
        future, self._connect_future = self._connect_future, None
        if future is not None and not future.done():
            future.set_result(self)
        self._ready()

    def _before_close(self) -> None:
        if self._peer_address is None:
            self._find_peer()  # for the last time
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
        """Go on with TLS over this connection; the Future gives the `SSLIOStream` to use from now on.

        This stream is of no use any more, and its close callback moves to the new one.

        :param server_side: whether we are the server of the handshake.
        :param ssl_options: an `ssl.SSLContext` or the dictionary described at `.ssl_options_to_context`;
            without it a server has no certificate, and a client checks the peer's against the system's
            authorities.
        :param server_hostname: the name that a client checks the certificate against.
        :raises ValueError: if a read or write is outstanding, or bytes are left in a buffer: they would be
            taken for a part of the handshake, or of what TLS protects (the hole known as command injection).
        :raises StreamClosedError: if the stream is closed; from the Future, if the peer has just left.
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
        return self._hand_over(server_side, ssl_options, server_hostname)

    def _hand_over(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> asyncio.Future[SSLIOStream]:
        try:
            address = self.socket.getpeername()  # wrap_socket() would lose the socket of a peer that left
        except OSError as error:
            return self._lost_before_tls(self.get_fd_error() or error)
        if self._peer_address is None:
            self._peer_address = address
        try:
            secure, kind = self._secured(server_side, ssl_options, server_hostname)
        except Exception as error:
            if self.socket.fileno() >= 0:  # a bad option, say: the stream stays as it was
                raise
            return self._lost_before_tls(error)
        self._unwatch()
        self.socket = None  # type: ignore[assignment]
        callback, self._close_callback = self._close_callback, None
        self._closed = self._suspended = True
        stream = kind(
            secure,
            ssl_options=ssl_options,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            connected=True,
        )
        stream._peer_address = self._peer_address
        stream.set_close_callback(callback)
        handshake: asyncio.Future[Any] = stream.wait_for_handshake()

        def given_up(handshake: asyncio.Future[Any]) -> None:
            if handshake.cancelled():  # by a timeout, say: nobody else has the new stream to close it
                stream.close()

        handshake.add_done_callback(given_up)
        return handshake

    def _secured(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> tuple[Any, type[Any]]:
        """Lay TLS over the socket; returns the TLS socket and the class of its stream."""
        secure = netutil.ssl_wrap_socket(
            self.socket,
            ssl_options,
            server_hostname=server_hostname,
            server_side=server_side,
            do_handshake_on_connect=False,
        )
        return secure, self._tls_stream

    def _lost_before_tls(self, error: Exception) -> asyncio.Future[SSLIOStream]:
        """The connection ended before the handshake could begin: close, and say so in a Future."""
        self.close(placed(without_frames(error), f"TLS handshake with {self._peer_name()}"))
        future: asyncio.Future[Any] = self._loop.create_future()
        fail(future, self._closed_error("TLS handshake with"))
        return future


_READ = IOStream.read_from_fd
_WRITE = IOStream.write_to_fd
