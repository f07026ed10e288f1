"""`SocketStream`: reading, sending and connecting of a stream over a socket.

`.IOStream` adds the upgrade to TLS. It is defined next to its subclass `.SSLIOStream`, because the upgrade
returns one.

The fast paths call the methods of the socket directly. If a subclass overrides ``read_from_fd`` or
``write_to_fd``, or a program patches one of them at run time, that method is called instead.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket as socket_module
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, overload

from tornado import ioloop
from tornado.iostream._core import fail
from tornado.iostream._errors import remove_frames
from tornado.iostream._file_segment import CANNOT_SEND, FileSegment, truncated
from tornado.iostream._pull_mode import BaseIOStream, _for_callback
from tornado.iostream._state import (
    CLOSED_STATES,
    CONNECTED_STATES,
    OUTPUT_ENDED_STATES,
    StreamState,
    StreamStep,
)
from tornado.iostream._write_side import JOIN_LIMIT
from tornado.netutil._error_context import add_error_context, format_address

# See `tornado._wire.state_machine` for the reason for these constants.
_OUTPUT_ENDED = StreamStep.OUTPUT_ENDED
_CONNECT = StreamStep.CONNECT
_CONNECTED = StreamStep.CONNECTED
_CONNECTING = StreamState.CONNECTING

_Stream = TypeVar("_Stream", bound="SocketStream")

#: Errors of ``connect`` that mean that the connection is in progress. Except on Windows, EWOULDBLOCK is a
#: final error: the server of a Unix socket has a full backlog.
_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK) if sys.platform == "win32" else (errno.EINPROGRESS,)
_OPEN = StreamState.OPEN
_HAS_SENDFILE = hasattr(os, "sendfile")
#: Number of buffers that sendmsg() accepts on every platform.
_MAX_PIECES = 64


class SocketStream(BaseIOStream):
    """The base of streams over a socket, with or without TLS. See `.IOStream` for the arguments."""

    __slots__ = ("_connect_future", "peer_address", "socket")

    #: The socket; for a TLS stream, the `ssl.SSLSocket`.
    socket: socket_module.socket

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
        self.peer_address: Any = None
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
        """Set `peer_address`, if the socket is connected."""
        try:
            self.peer_address = self.socket.getpeername()
        except (OSError, AttributeError):  # not connected
            pass

    def peer_name(self) -> str:
        if self.peer_address is None:
            self._look_up_peer()
        return "an unknown peer" if self.peer_address is None else format_address(self.peer_address)

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
        if self._state in CLOSED_STATES:
            raise self._closed_error("writing to")
        future: asyncio.Future[None] = self.loop.create_future()
        if self._state in OUTPUT_ENDED_STATES:
            future.set_result(None)
            return future
        is_first = not self._eof_waiters
        self._eof_waiters = (*self._eof_waiters, future)
        if is_first:
            self.flush_output()
            if not self.unsent_output and self._state in CONNECTED_STATES:
                self._send_eof()
        return future

    def _send_eof(self) -> None:
        """Close the sending side if `write_eof` was called. All output must have been sent."""
        if not self._eof_waiters or self._state in CLOSED_STATES:
            return
        if not self._can_end_output():
            self._add_writer()
            return
        waiters, self._eof_waiters = self._eof_waiters, ()
        self.end_output()
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
        if not self.unsent_output:
            self._send_eof()

    def end_output(self) -> None:
        """Close the sending side of the connection. The write buffer must be empty."""
        if self._state in CLOSED_STATES:
            return
        self._advance(_OUTPUT_ENDED)
        try:
            self._shut_down_output()
        except OSError:
            self.close()

    def _shut_down_output(self) -> None:
        """Close the sending side of the socket."""
        self.socket.shutdown(socket_module.SHUT_WR)

    # -- receiving and sending --

    def _on_readable(self) -> None:
        consumer = self.consumer
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
        # _deliver and uncork, inlined: every request runs through this code.
        self._corked += 1
        try:
            consumer.data_received(data)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._corked = corked = self._corked - 1
            if not corked and self._collected is not None:
                self.flush_output()

    def flush_output(self) -> None:
        data = self._collected
        if (
            self.unsent_output is not None
            or self._state is not _OPEN
            or type(self).write_to_fd is not _WRITE
            or data is None
            or (type(data) is list and self.corked_size > JOIN_LIMIT)
        ):
            super().flush_output()
            return
        if type(data) is list:
            data = b"".join(data)
        assert type(data) is bytes
        # _send_or_buffer and _transmit, inlined.
        self._collected = None
        self.corked_size = 0
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

    if sys.platform != "win32":  # which has neither sendfile() nor sendmsg()

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
                self.unsent_output is not None
                or self._state is not _OPEN
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
        future: asyncio.Future[_Stream] = self.loop.create_future()
        if self._state in CLOSED_STATES:
            fail(future, self._closed_error("connecting to"))
            return future
        try:
            self.socket.connect(address)
        except OSError as error:
            if error.errno not in _IN_PROGRESS:
                self.peer_address, self._connect_future = address, future
                self._connect_failed(remove_frames(error))
                return future
        self.peer_address, self._connect_future = address, future
        self._advance(_CONNECT)
        self._add_writer()
        return future

    def _connect_failed(self, error: Exception) -> None:
        self.close(add_error_context(error, f"connecting to {self.peer_name()}"))

    def _on_writable(self) -> None:
        if self._state is _CONNECTING:
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
        self._advance(_CONNECTED)
        future, self._connect_future = self._connect_future, None
        if future is not None and not future.done():
            future.set_result(self)
        self._on_ready()

    def _before_close(self) -> None:
        if self.peer_address is None:
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


_READ = SocketStream.read_from_fd
_WRITE = SocketStream.write_to_fd
