"""`IOStream`, which can be upgraded to TLS, and `SSLIOStream`, a stream over a TLS socket.

TLS differs from a plain socket in three ways. Reads and writes wait for the handshake. A read may have to
wait until the socket is writable, and a write until it is readable, because of handshake messages. And
decrypted bytes may be buffered in the TLS object, where the event loop does not see them: code that stops
receiving before the socket would block must schedule another receive.

A TLS send that would block must be repeated with the same bytes. They remain at the front of the write
buffer, and each attempt offers at least as many of them as the previous one.

While a send is blocked, OpenSSL cannot send anything else. It postpones the response to one KeyUpdate record
(RFC 8446 section 4.6.3), but a second one makes it send that response immediately: reading fails with
BAD_LENGTH, and the connection is unusable. Input that looks like a KeyUpdate is therefore left in the socket
until the blocked send has completed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import socket
import ssl
import sys
import weakref
from collections.abc import Callable
from socket import socket as Socket
from types import MethodType
from typing import TYPE_CHECKING, Any, Self, overload

from tornado import netutil
from tornado._log_rate_limit import LogRateLimit
from tornado.ioloop import IOLoop
from tornado.iostream._core import FAIR_SHARE, fail
from tornado.iostream._errors import StreamNotIdleError, is_connection_reset, remove_frames
from tornado.iostream._interface import PushStream
from tornado.iostream._pull_mode import _for_callback
from tornado.iostream._socket import SocketStream
from tornado.iostream._state import (
    CLOSED_STATES,
    CONNECTED_STATES,
    INPUT_ENDED_STATES,
    OPENING_STATES,
    OUTPUT_ENDED_STATES,
    RECEIVING_STATES,
    StreamState,
    StreamStep,
)
from tornado.iostream._tls_errors import clear_queue, is_truncated, repeat_failed
from tornado.iostream._tls_over_tls import TLSOverTLSSocket
from tornado.log import gen_log
from tornado.netutil._error_context import add_error_context

# See `tornado._wire.state_machine` for the reason for these constants.
_DETACH = StreamStep.DETACH
_HANDSHAKE = StreamStep.HANDSHAKE
_HANDSHAKE_DONE = StreamStep.HANDSHAKE_DONE
_CONNECTING = StreamState.CONNECTING
_HANDSHAKING = StreamState.HANDSHAKING

#: Bytes passed to the TLS layer at a time: four records.
_SEND_SIZE = 64 * 1024
#: Bytes encrypted for one peer per event loop iteration: about half a millisecond.
_SEND_SHARE = 1024 * 1024
#: Maximum payload of a record, in bytes. A receive that returns less has most likely emptied the socket.
_RECORD_SIZE = 16 * 1024
#: The header of a TLS 1.3 record with a KeyUpdate message. The record has a message of 5 bytes, the content
#: type (1 byte) and a tag of 16 bytes. Application data of the same length has the same header.
_KEY_UPDATE_HEADER = b"\x17\x03\x03\x00\x16"
#: Maximum time in seconds for which input that may be a KeyUpdate waits for a blocked send.
_MAX_DEFERRAL = 1.0

#: The rate limits of the log lines about failed handshakes, one for each TLS context.
_handshake_log_limits: weakref.WeakKeyDictionary[ssl.SSLContext, LogRateLimit] = weakref.WeakKeyDictionary()


class IOStream(SocketStream):
    """A stream over a socket that is already connected, or that `connect` connects.

    :param socket: a stream socket. The stream takes ownership of it and makes it non-blocking.

    The other arguments are those of `BaseIOStream`.
    """

    __slots__ = ()

    socket: Socket

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
        if self._state in CLOSED_STATES:
            raise self._closed_error("TLS handshake with")
        if (
            self.reading()
            or self.writing()
            or self._connect_future is not None
            or self.consumer is not None
            or self._write_futures
            or self._read_buffer_size
            or self._eof_waiters
            or self._state in OUTPUT_ENDED_STATES
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
        if self.peer_address is None:
            self.peer_address = address
        try:
            tls_socket, stream_class = self._wrap_socket_in_tls(server_side, ssl_options, server_hostname)
        except Exception as error:
            if self.socket.fileno() >= 0:  # for example an invalid option: the stream is unchanged
                raise
            return self._fail_before_tls(error)
        self._unregister_fd()
        self.socket = None  # type: ignore[assignment]
        self._advance(_DETACH)
        stream = stream_class(
            tls_socket,
            ssl_options=ssl_options,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            connected=True,
        )
        self._hand_over_to(stream)
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
        return tls_socket, self._tls_stream_class()

    def _tls_stream_class(self) -> type[SSLIOStream]:
        """Return the class of the stream that replaces this one."""
        return SSLIOStream

    def _hand_over_to(self, stream: SSLIOStream) -> None:
        """Move the state that outlives the upgrade to the stream that replaces this one."""
        stream.peer_address = self.peer_address
        callback, self._close_callback = self._close_callback, None
        stream.set_close_callback(callback)

    def _fail_before_tls(self, error: Exception) -> asyncio.Future[SSLIOStream]:
        """Close the stream, because the connection ended before the handshake; return a failed Future."""
        self.close(add_error_context(remove_frames(error), f"TLS handshake with {self.peer_name()}"))
        future: asyncio.Future[Any] = self.loop.create_future()
        fail(future, self._closed_error("TLS handshake with"))
        return future


class SSLIOStream(IOStream):
    """A stream over TLS.

    :param socket: an `ssl.SSLSocket` created with ``do_handshake_on_connect=False``, or a plain socket, which
        is wrapped for the client side when it is connected.
    :param ssl_options: options for wrapping a plain socket: an `ssl.SSLContext`, or a dictionary as described
        at `.ssl_options_to_context`.
    :param connected: whether the socket is known to be connected. A plain socket whose peer has reset the
        connection looks like an unconnected one, so code that wraps an established connection passes True:
        the handshake is then always started, and fails if the peer has disconnected. With None, the stream
        checks whether the socket is connected.

    The other arguments are those of `BaseIOStream`. The handshake starts automatically. Await
    `wait_for_handshake` to get its result. Reads and writes may be started before the handshake is done; they
    wait for it. The methods ``getpeercert()``, ``selected_alpn_protocol()`` and others are available on
    ``stream.socket``.
    """

    __slots__ = (
        "_blocked_send",
        "_handshake_future",
        "_read_needs_write",
        "_server_hostname",
        "_ssl_options",
        "_write_needs_read",
    )

    #: The TLS socket; a plain socket until it is connected.
    socket: ssl.SSLSocket
    #: The timer that ends the deferral of input that may be a KeyUpdate. This and the next attribute are not
    #: slots, because they are rarely set.
    _deferral: asyncio.TimerHandle | None = None
    #: False once the timer has ended a deferral: the peer seems to send data in short records, and to read
    #: nothing.
    _defers_key_updates = True
    _initial_state = StreamState.UNCONNECTED

    @overload
    def __init__(
        self,
        socket: Socket,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: IOLoop | None = None,
        *,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        connected: bool | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        socket: Socket,
        io_loop: IOLoop,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        *,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        connected: bool | None = None,
    ) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ssl_options = kwargs.pop("ssl_options", None)
        if self._ssl_options is None:
            self._ssl_options = {}
        self._server_hostname: str | None = None
        self._handshake_future: asyncio.Future[SSLIOStream] | None = None
        self._read_needs_write = False
        self._write_needs_read = False
        #: Bytes offered by the blocked send, 0 if none is blocked.
        self._blocked_send = 0
        connected: bool | None = kwargs.pop("connected", None)
        super().__init__(*args, **kwargs)
        self._look_up_peer()
        if connected is None:
            connected = self.peer_address is not None or _was_connected(self.socket)
        if connected:
            self._begin_handshake()

    @property
    def handshaking(self) -> bool:
        """Whether the handshake has not been completed yet."""
        return self._state in OPENING_STATES

    # -- connecting --

    def connect(
        self,
        address: Any,
        server_hostname: str | None = None,
        callback: Callable[[Self], object] | None = None,
    ) -> asyncio.Future[SSLIOStream]:
        """Connect the socket and perform the TLS handshake; see `IOStream.connect`.

        :param server_hostname: the name to send to the server (SNI) and to verify its certificate against.
        """
        if callback is not None or callable(server_hostname):
            return _for_callback("connect", self, address, server_hostname, callback)
        self._server_hostname = server_hostname
        shaken = self.wait_for_handshake()
        connected = super().connect(address)
        connected.add_done_callback(_mark_retrieved)
        return shaken

    def wait_for_handshake(
        self, callback: Callable[[SSLIOStream], object] | None = None
    ) -> asyncio.Future[SSLIOStream]:
        """Wait for the handshake. The Future's result is this stream.

        :raises ssl.SSLError: from the Future, if the handshake fails (`ssl.SSLCertVerificationError` if the
            peer's certificate or name cannot be verified). If another error closes the stream first, the
            Future raises that error.
        :raises StreamClosedError: from the Future, if the stream was closed without an error.
        :raises RuntimeError: if an earlier Future of this method is not done.
        """
        if callback is not None:
            return _for_callback("wait_for_handshake", self, callback)
        if self._handshake_future is not None and not self._handshake_future.done():
            raise RuntimeError("Already waiting for the handshake")
        future: asyncio.Future[SSLIOStream] = self.loop.create_future()
        if self._state in CLOSED_STATES:
            fail(future, self._handshake_error())
        elif self._state in OPENING_STATES:
            self._handshake_future = future
        else:
            future.set_result(self)
        return future

    def _connected(self) -> None:
        future, self._connect_future = self._connect_future, None
        try:
            self._wrap()
        except (OSError, ValueError) as error:
            self.close(add_error_context(remove_frames(error), f"TLS handshake with {self.peer_name()}"))
            fail(future, self._closed_error("TLS handshake with"))
            return
        self._advance(_HANDSHAKE)
        if future is not None and not future.done():
            future.set_result(self)
        self._continue_handshake()

    def _wrap(self) -> None:
        """Wrap the connected socket in TLS, as a client."""
        plain: Any = self.socket
        if not isinstance(plain, ssl.SSLSocket):
            self._unregister_fd()
            self.socket = netutil.ssl_wrap_socket(
                plain,
                self._ssl_options,
                server_hostname=self._server_hostname,
                server_side=False,
                do_handshake_on_connect=False,
            )

    def _wrap_socket_in_tls(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> tuple[Any, type[Any]]:
        if server_side:
            raise ValueError("start_tls(): TLS over TLS supports only clients, got server_side=True")
        context = netutil.ssl_options_to_context(ssl_options, server_side=False)
        return TLSOverTLSSocket(self.socket, context, server_hostname), TLSOverTLSStream

    # -- the handshake --

    def _begin_handshake(self) -> None:
        try:
            self._wrap()
        except OSError as error:
            if self.socket.fileno() >= 0:  # for example an invalid option: the caller still owns the socket
                raise
            self.close(add_error_context(remove_frames(error), f"TLS handshake with {self.peer_name()}"))
            return
        self._advance(_HANDSHAKE)
        # The client sends first, but only in the next event loop iteration, so the caller can set callbacks.
        if self.socket.server_side:
            self._add_reader()
        else:
            self._add_writer()

    def _continue_handshake(self) -> None:
        """Perform the next step of the handshake."""
        try:
            try:
                self.socket.do_handshake()
            except OSError as error:
                repeat_failed(error, self.socket.do_handshake)
        except ssl.SSLWantReadError:
            self._drop_writer()
            self._add_reader()
        except ssl.SSLWantWriteError:
            # While input is available, a reader would be called in every iteration of the event loop.
            self._drop_reader()
            self._add_writer()
        except (OSError, ValueError) as error:
            self._handshake_failed(error)
        else:
            self._advance(_HANDSHAKE_DONE)
            self._drop_writer()
            future, self._handshake_future = self._handshake_future, None
            if future is not None and not future.done():
                future.set_result(self)
            self._on_ready()

    def _handshake_failed(self, error: Exception) -> None:
        peer = self.peer_name()
        # Only protocol and certificate errors are worth a warning: early disconnects are common.
        if isinstance(error, (ssl.SSLError, ValueError)) and not is_connection_reset(error):
            log_limit = _handshake_log_limits.setdefault(self.socket.context, LogRateLimit(gen_log, burst=10))
            log_limit.log("", logging.WARNING, "SSL Error on %s %s: %s", self._fd_number(), peer, error)
        self.close(add_error_context(remove_frames(error), f"TLS handshake with {peer}"))

    def _handshake_error(self) -> BaseException:
        return self.error or self._closed_error("TLS handshake with")

    # -- the descriptor --

    def reading(self) -> bool:
        """Whether a read is outstanding or the handshake is in progress."""
        return self._state in OPENING_STATES or super().reading()

    def writing(self) -> bool:
        """Whether the write buffer holds unsent data or the handshake is in progress."""
        return self._state in OPENING_STATES or super().writing()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Receive decrypted bytes into `buf`; see `BaseIOStream.read_from_fd`."""
        if self._state not in CONNECTED_STATES or (self._blocked_send and self._defers_input()):
            return None
        received: Any
        try:
            try:
                received = self.socket.read(len(buf), buf)
            except OSError as error:
                received = repeat_failed(error, self.socket.read, len(buf), buf)
        except OSError as error:
            return self._classify_read_error(error)
        if not received:
            self._raise_reset()
        return received  # type: ignore[no-any-return]  # a count

    def write_to_fd(self, data: memoryview) -> int:
        """Encrypt and send as much of `data` as possible; see `BaseIOStream.write_to_fd`."""
        sent = offered = 0
        try:
            while sent < min(len(data), _SEND_SHARE):
                if self._read_needs_write and not self._blocked_send:
                    break  # the deferred read takes precedence over a send that may block again
                with data[sent : sent + _SEND_SIZE] as part:
                    offered = len(part)
                    try:
                        sent += self.socket.send(part)
                    except OSError as error:
                        sent += repeat_failed(error, self.socket.send, part)
                    self._blocked_send = 0
        except ssl.SSLWantWriteError:
            self._blocked_send = offered
        except ssl.SSLWantReadError:
            self._blocked_send = offered
            self._write_needs_read = True
        except ssl.SSLEOFError:  # what OpenSSL 3.0 reports instead of EPIPE
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        finally:
            del data
        return sent

    def _receive(self, size: int) -> bytes | bytearray | None:
        if type(m := self.read_from_fd) is not MethodType or m.__func__ is not _READ:
            return super()._receive(size)
        if self._blocked_send and self._defers_input():
            return None
        try:
            try:
                data = self.socket.recv(size)
            except OSError as error:
                data = repeat_failed(error, self.socket.recv, size)
        except OSError as error:
            return None if self._classify_read_error(error) is None else b""
        if not data:
            self._raise_reset()
        return data

    def _raise_reset(self) -> None:
        """Raise an exception if the input has ended by a reset, which OpenSSL 3.0 does not report.

        A socket that was reset has no peer. If the peer sent a close_notify before, the end is orderly.
        After `write_eof`, the two ends cannot be distinguished; see `_classify_read_error`.

        :raises ConnectionResetError: if the connection was reset.
        """
        if self._state is StreamState.OPEN:
            try:
                self.socket.getpeername()
            except OSError:
                if not is_truncated(self.socket):
                    return
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None

    def _classify_read_error(self, error: OSError) -> int | None:
        """Classify an error raised by a receive.

        :returns: 0 for the end of input, None if reading would block.
        :raises OSError: `error` itself, in all other cases.
        """
        if isinstance(error, (ssl.SSLWantReadError, BlockingIOError)):
            return None
        if isinstance(error, ssl.SSLWantWriteError):
            # OpenSSL must send a response first, for example to a key update. It reads no input before that.
            self._read_when_writable()
            return None
        if isinstance(error, ssl.SSLError) and is_connection_reset(error):
            self._raise_reset()
            return 0
        # After the end of its output, a stream has no use for the difference between a reset and the end of
        # input, which OpenSSL before 3.5 does not report.
        if isinstance(error, (ConnectionResetError, BrokenPipeError)) and self._state is not StreamState.OPEN:
            return 0
        if isinstance(error, BrokenPipeError):  # OpenSSL could not send the alert that it sends after a reset
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None
        raise error

    def _read_when_writable(self) -> None:
        """Resume reading when the socket is writable. Until then a reader would run in every iteration."""
        self._read_needs_write = True
        self._write_needs_read = False  # both directions wait until the socket is writable
        self._drop_reader()
        self._add_writer()

    def _defers_input(self) -> bool:
        """Whether the next record may be a KeyUpdate, so that reading has to wait for the blocked send."""
        tls = self.socket
        # A send that waits for input cannot complete before that input is read.
        if self._write_needs_read or not self._defers_key_updates or not isinstance(tls, ssl.SSLSocket):
            return False
        if tls.pending():  # decrypted data is read first
            return False
        try:
            header = socket.socket.recv(tls, len(_KEY_UPDATE_HEADER), socket.MSG_PEEK)
        except OSError:  # reported by the read itself
            return False
        if header != _KEY_UPDATE_HEADER or tls.version() != "TLSv1.3":  # TLS 1.2 has no key updates
            return False
        if self._deferral is None:
            self._deferral = self.loop.call_later(_MAX_DEFERRAL, self._stop_deferring)
        self._read_when_writable()
        return True

    def _stop_deferring(self) -> None:
        """Read although the send is still blocked, because the peer may be waiting until its data is read."""
        self._deferral = None
        self._defers_key_updates = False
        if self._read_needs_write:
            self._resume_deferred_read()

    def _resume_deferred_read(self) -> None:
        self._read_needs_write = False
        if self._deferral is not None:
            self._deferral.cancel()
            self._deferral = None
        self._add_reader()
        self._on_readable()

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        if type(m := self.write_to_fd) is not MethodType or m.__func__ is not _WRITE:
            return super()._transmit(data)
        if len(data) > _SEND_SIZE or isinstance(data, memoryview) or self._read_needs_write:
            with memoryview(data) as view:
                return self.write_to_fd(view)
        try:
            try:
                sent = self.socket.send(data)
            except OSError as error:
                sent = repeat_failed(error, self.socket.send, data)
        except ssl.SSLWantWriteError:
            self._blocked_send = len(data)
            return 0
        except ssl.SSLWantReadError:
            self._blocked_send = len(data)
            self._write_needs_read = True
            return 0
        self._blocked_send = 0
        return sent

    def _wait_until_writable(self) -> None:
        if self._write_needs_read:  # the send cannot complete when the socket is merely writable
            self._drop_writer()
            self._add_reader()
        else:
            self._add_writer()

    def _wait_for_input(self) -> None:
        if self._read_needs_write:  # a writer is registered, and will resume the read
            return
        self._add_reader()
        if self.socket.pending():
            self.loop.call_soon(self._on_readable)

    def _drop_reader(self) -> None:
        if not self._write_needs_read:
            super()._drop_reader()

    def _drop_writer(self) -> None:
        if not self._read_needs_write:
            super()._drop_writer()

    def _unregister_fd(self) -> None:
        self._write_needs_read = self._read_needs_write = False
        if self._deferral is not None:
            self._deferral.cancel()
            self._deferral = None
        super()._unregister_fd()

    # -- events --

    def _on_writable(self) -> None:
        if self._state is _CONNECTING:
            self._handle_connect()
        elif self._state is _HANDSHAKING:
            self._continue_handshake()
        else:
            if self._read_needs_write:
                if self._blocked_send:
                    self._flush()
                    if self.closed() or self._blocked_send:
                        return
                self._resume_deferred_read()
            if not self.closed():
                self._flush()

    def _on_readable(self) -> None:
        if self._state not in CONNECTED_STATES:
            if self._state is _HANDSHAKING:
                self._continue_handshake()
            return
        if self._write_needs_read:
            self._write_needs_read = False
            self._flush()
        if self.consumer is None or self.closed():
            super()._on_readable()
        else:
            self._receive_records()

    def _connection_error(self) -> Exception | None:
        error = super()._connection_error()
        if error is None:
            try:
                self.socket.getpeername()
            except OSError as gone:  # OpenSSL has fetched the error, for example when it sent session tickets
                return remove_frames(gone)
        return error

    def _receive_records(self) -> None:
        """Receive for the consumer until the socket would block or `FAIR_SHARE` bytes have been received."""
        if self._paused or self._state in INPUT_ENDED_STATES:
            self._stop_reading_paused()
            return
        self._corked += 1
        share = FAIR_SHARE
        try:
            while True:
                consumer = self.consumer
                if consumer is None or self._paused or self._state not in RECEIVING_STATES:
                    return
                try:
                    data = self._receive(self.read_chunk_size)
                except OSError as error:
                    self._read_failed(error)
                    return
                if data is None:
                    return
                if not data:
                    self._on_input_end(None)
                    return
                self._deliver(consumer, bytes(data))
                share -= len(data)
                if len(data) < _RECORD_SIZE and not self.closed() and not self.socket.pending():
                    return
                if share <= 0:
                    self.loop.call_soon(self._on_readable)
                    return
        finally:
            self.uncork()

    # -- closing --

    def _shut_down_output(self) -> None:
        if self.consumer is None:
            self._receive_pending()
        alert = self._close_notify()
        if alert:
            socket.socket.send(self.socket, alert)
        # SSLSocket.shutdown() would end TLS for reading as well.
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def _can_end_output(self) -> bool:
        if sys.platform == "win32":
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        return bool(poll.poll(0))  # a writable socket has room for an alert; an error is reported by the send

    def _receive_pending(self) -> None:
        """Read the data that TLS has already decrypted: OpenSSL does not return it after `_close_notify`."""
        pull = self._pull_state()
        while not self.closed() and self.socket.pending() and self._read_once(pull):
            pass
        if pull.is_reading():
            self._try_satisfy(pull, False)

    def _close_notify(self) -> bytes:
        """Return the encrypted ``close_notify`` alert, which ends this side of the TLS connection.

        ``unwrap()`` sends the alert and immediately reads the peer's alert. If the peer has sent other data,
        OpenSSL treats that as an error and ends the connection. So during the call, one end of a socket pair
        replaces the descriptor: it has no input, and the alert is read from the other end.
        """
        if sys.platform == "win32":  # a socket's descriptor cannot be replaced
            self._unwrap()
            return b""
        descriptor = self.socket.fileno()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            saved = os.dup(descriptor)
            try:
                # kqueue drops the registration of a descriptor that is replaced.
                watched = self._has_reader
                super()._drop_reader()
                os.dup2(ours.fileno(), descriptor, inheritable=False)
                try:
                    self._unwrap()
                finally:
                    os.dup2(saved, descriptor, inheritable=False)
                if watched:
                    self._add_reader()
            finally:
                os.close(saved)
            try:
                return theirs.recv(_RECORD_SIZE)
            except BlockingIOError:
                return b""  # no alert was sent, for example after a protocol error

    def _unwrap(self) -> None:
        try:
            self.socket.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # do not wait for the peer's close_notify
        except OSError:
            clear_queue()
            raise

    def close_fd(self) -> None:
        """Send a ``close_notify`` alert, if possible without waiting, and close the socket."""
        if self.error is None and self._has_session():
            try:
                self.socket.unwrap()
            except (ssl.SSLError, ValueError):
                pass  # do not wait for the peer's close_notify
            except OSError:
                clear_queue()
        super().close_fd()

    def _has_session(self) -> bool:
        """Whether the handshake has been completed. The state of a closing stream does not show this."""
        version = getattr(self.socket, "version", None)  # a plain socket has no such method
        return version is not None and version() is not None

    def _after_close(self) -> None:
        future, self._handshake_future = self._handshake_future, None
        if future is not None:
            fail(future, self._handshake_error())
        super()._after_close()


class TLSOverTLSStream(SSLIOStream):
    """A stream over a `TLSOverTLSSocket`."""

    def _wrap(self) -> None:
        """Do nothing, because the socket is already a TLS socket."""


def _was_connected(sock: socket.socket) -> bool:
    """Whether a TLS socket was connected when it was wrapped. The peer may have disconnected since."""
    if not isinstance(sock, ssl.SSLSocket):
        return False
    # A server's TLS socket is always connected. A client's TLS session exists once it is connected.
    return sock.server_side or sock.session_reused is not None


def _mark_retrieved(future: asyncio.Future[Any]) -> None:
    """Mark a future's error as retrieved, so that asyncio does not log it."""
    if not future.cancelled():
        future.exception()


if TYPE_CHECKING:

    def _as_push_stream(stream: IOStream) -> PushStream:
        return stream  # type checkers verify here that streams implement the interface


_READ = SSLIOStream.read_from_fd
_WRITE = SSLIOStream.write_to_fd
