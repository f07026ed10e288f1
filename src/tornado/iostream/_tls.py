"""`SSLIOStream`: a stream over a TLS socket.

TLS differs from a plain socket in three ways. Reads and writes wait for the handshake. A read may have to
wait until the socket is writable, and a write until it is readable, because of handshake messages. And
decrypted bytes may be buffered in the TLS object, where the event loop does not see them: code that stops
receiving before the socket would block must schedule another receive itself.

A TLS send that would block must be repeated with the same bytes. They remain at the front of the write
buffer, and each attempt offers at least as many of them as the previous one.

While a send is blocked, OpenSSL cannot send anything else. It postpones the response to one KeyUpdate record
(RFC 8446 section 4.6.3), but a second one makes it send that response immediately: reading fails with
BAD_LENGTH, and the connection is unusable. Input that looks like a KeyUpdate is therefore left in the socket
until the blocked send has completed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
import ssl
import weakref
from collections.abc import Callable
from socket import socket as Socket
from types import MethodType
from typing import Any, ClassVar, Self, overload

from tornado import netutil
from tornado._log_rate_limit import LogRateLimit
from tornado.ioloop import IOLoop
from tornado.iostream._base import _for_callback
from tornado.iostream._core import FAIR_SHARE, fail
from tornado.iostream._errors import is_connection_reset, remove_frames
from tornado.iostream._socket import IOStream
from tornado.log import gen_log
from tornado.netutil._error_context import add_error_context

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
        "_handshaking",
        "_read_needs_write",
        "_server_hostname",
        "_ssl_options",
        "_write_needs_read",
    )

    #: The TLS socket; a plain socket until it is connected.
    socket: ssl.SSLSocket
    #: The classes for TLS over TLS. `_tls_over_tls` sets them, because importing it here would be circular.
    _nested_socket: ClassVar[type[Any]]
    _nested_stream: ClassVar[type[Any]]
    #: The timer that ends the deferral of input that may be a KeyUpdate. This and the next attribute are not
    #: slots, because they are rarely set.
    _deferral: asyncio.TimerHandle | None = None
    #: False after the timer has ended a deferral: this peer seems to send short records without reading.
    _defers_key_updates = True

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
        self._handshaking = True
        self._read_needs_write = False
        self._write_needs_read = False
        #: Bytes offered by the blocked send, 0 if none is blocked.
        self._blocked_send = 0
        connected: bool | None = kwargs.pop("connected", None)
        super().__init__(*args, **kwargs)
        self._suspended = True
        self._look_up_peer()
        if connected is None:
            connected = self._peer_address is not None or _was_connected(self.socket)
        if connected:
            self._begin_handshake()

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
        future: asyncio.Future[SSLIOStream] = self._loop.create_future()
        if self._closed:
            fail(future, self._handshake_error())
        elif self._handshaking:
            self._handshake_future = future
        else:
            future.set_result(self)
        return future

    def _connected(self) -> None:
        future, self._connect_future = self._connect_future, None
        try:
            self._wrap()
        except (OSError, ValueError) as error:
            self.close(add_error_context(remove_frames(error), f"TLS handshake with {self._peer_name()}"))
            fail(future, self._closed_error("TLS handshake with"))
            return
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
        return self._nested_socket(self.socket, context, server_hostname), self._nested_stream

    # -- the handshake --

    def _begin_handshake(self) -> None:
        try:
            self._wrap()
        except OSError as error:
            if self.socket.fileno() >= 0:  # for example an invalid option: the caller still owns the socket
                raise
            self.close(add_error_context(remove_frames(error), f"TLS handshake with {self._peer_name()}"))
            return
        # The client sends first, but only in the next event loop iteration, so the caller can set callbacks.
        if self.socket.server_side:
            self._add_reader()
        else:
            self._add_writer()

    def _continue_handshake(self) -> None:
        """Perform the next step of the handshake."""
        try:
            self.socket.do_handshake()
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
            self._handshaking = False
            self._drop_writer()
            future, self._handshake_future = self._handshake_future, None
            if future is not None and not future.done():
                future.set_result(self)
            self._on_ready()

    def _handshake_failed(self, error: Exception) -> None:
        peer = self._peer_name()
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
        return (self._handshaking and not self._closed) or super().reading()

    def writing(self) -> bool:
        """Whether the write buffer holds unsent data or the handshake is in progress."""
        return (self._handshaking and not self._closed) or super().writing()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Receive decrypted bytes into `buf`; see `BaseIOStream.read_from_fd`."""
        if self._handshaking or (self._blocked_send and self._defers_input()):
            return None
        try:
            return self.socket.read(len(buf), buf)  # type: ignore[return-value]  # a count
        except OSError as error:
            return self._classify_read_error(error)

    def write_to_fd(self, data: memoryview) -> int:
        """Encrypt and send as much of `data` as possible; see `BaseIOStream.write_to_fd`."""
        sent = offered = 0
        try:
            while sent < min(len(data), _SEND_SHARE):
                if self._read_needs_write and not self._blocked_send:
                    break  # the deferred read takes precedence over a send that may block again
                with data[sent : sent + _SEND_SIZE] as part:
                    offered = len(part)
                    sent += self.socket.send(part)
                    self._blocked_send = 0
        except ssl.SSLWantWriteError:
            self._blocked_send = offered
        except ssl.SSLWantReadError:
            self._blocked_send = offered
            self._write_needs_read = True
        finally:
            del data
        return sent

    def _receive(self, size: int) -> bytes | bytearray | None:
        if type(m := self.read_from_fd) is not MethodType or m.__func__ is not _READ:
            return super()._receive(size)
        if self._blocked_send and self._defers_input():
            return None
        try:
            return self.socket.recv(size)
        except OSError as error:
            return None if self._classify_read_error(error) is None else b""

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
            return 0
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
            self._deferral = self._loop.call_later(_MAX_DEFERRAL, self._stop_deferring)
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
            sent = self.socket.send(data)
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
            self._loop.call_soon(self._on_readable)

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
        if self._connect_future is not None:
            self._handle_connect()
        elif self._handshaking:
            self._continue_handshake()
        else:
            if self._read_needs_write:
                if self._blocked_send:
                    self._flush()
                    if self._closed or self._blocked_send:
                        return
                self._resume_deferred_read()
            if not self._closed:
                self._flush()

    def _on_readable(self) -> None:
        if self._closed:
            return
        if self._handshaking:
            if self._connect_future is None:
                self._continue_handshake()
            return
        if self._write_needs_read:
            self._write_needs_read = False
            self._flush()
        if self._consumer is None or self._closed:
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
        if self._paused or self._eof:
            self._stop_reading_paused()
            return
        self._corked += 1
        share = FAIR_SHARE
        try:
            while True:
                consumer = self._consumer
                if consumer is None or self._paused or self._eof or self._closed:
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
                if len(data) < _RECORD_SIZE and not self._closed and not self.socket.pending():
                    return
                if share <= 0:
                    self._loop.call_soon(self._on_readable)
                    return
        finally:
            self._uncork()

    # -- closing --

    def _end_output(self) -> None:
        try:
            if self._consumer is None:
                self._receive_pending()
            alert = self._close_notify()
            if alert:
                socket.socket.send(self.socket, alert)
            # SSLSocket.shutdown() would end TLS for reading as well.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        except OSError:
            self.close()

    def _can_end_output(self) -> bool:
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        return bool(poll.poll(0))  # a writable socket has room for an alert; an error is reported by the send

    def _receive_pending(self) -> None:
        """Read the data that TLS has already decrypted: OpenSSL does not return it after `_close_notify`."""
        pull = self._pull_state()
        while not self._closed and self.socket.pending() and self._read_once(pull):
            pass
        if pull.is_reading():
            self._try_satisfy(pull, False)

    def _close_notify(self) -> bytes:
        """Return the encrypted ``close_notify`` alert, which ends this side of the TLS connection.

        ``unwrap()`` sends the alert and immediately reads the peer's alert. If the peer has sent other data,
        OpenSSL treats that as an error and ends the connection. So during the call, one end of a socket pair
        replaces the descriptor: it has no input, and the alert is read from the other end.
        """
        if os.name == "nt":  # a socket's descriptor cannot be replaced
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

    def close_fd(self) -> None:
        """Send a ``close_notify`` alert, if possible without waiting, and close the socket."""
        if not self._handshaking and self.error is None:
            try:
                self.socket.unwrap()
            except (OSError, ValueError):
                pass  # do not wait for the peer's close_notify
        super().close_fd()

    def _after_close(self) -> None:
        future, self._handshake_future = self._handshake_future, None
        if future is not None:
            fail(future, self._handshake_error())
        super()._after_close()


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


_READ = SSLIOStream.read_from_fd
_WRITE = SSLIOStream.write_to_fd
IOStream._tls_stream = SSLIOStream
