"""`SSLIOStream`: a stream over a TLS socket.

Three things set TLS apart. The handshake comes first, and holds reads and writes back. Either direction may
need the other one of the socket for a moment (a handshake message in between): then the wait is for that
one. And bytes may wait inside the TLS object, where the event loop does not see them: whoever stops before
"would block" has to come back by himself.

A TLS send that would block must be repeated with the same bytes; they are at the front of the write buffer
then, and each attempt takes the same number of them or more.

While a send is blocked, OpenSSL cannot send anything else. It puts off the answer to one KeyUpdate record
(RFC 8446 section 4.6.3), but a second one makes it send that answer at once: reading fails with BAD_LENGTH,
and the connection is unusable. Input that looks like a KeyUpdate is therefore left in the socket until the
blocked send has completed.
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
from tornado.iostream._errors import is_connection_reset, without_frames
from tornado.iostream._socket import IOStream
from tornado.log import gen_log
from tornado.netutil._error_context import placed

#: Bytes handed to the TLS layer at a time: four records.
_SEND_SIZE = 64 * 1024
#: Bytes encrypted for one peer before the loop gets a turn: half a millisecond's work.
_SEND_SHARE = 1024 * 1024
#: Bytes of payload in the largest record: a receive that gives fewer has emptied the socket, most likely.
_RECORD_SIZE = 16 * 1024
#: The header of a TLS 1.3 record with a KeyUpdate message: 5 bytes, their content type and a tag of 16 bytes.
#: Application data of the same length has the same header.
_KEY_UPDATE_HEADER = b"\x17\x03\x03\x00\x16"
#: Seconds for which input that may be a KeyUpdate waits for a blocked send.
_MAX_DEFERRAL = 1.0

#: The log lines about failed handshakes, of each server or group of clients apart.
_reports: weakref.WeakKeyDictionary[ssl.SSLContext, LogRateLimit] = weakref.WeakKeyDictionary()


class SSLIOStream(IOStream):
    """A stream over TLS.

    :param socket: an `ssl.SSLSocket` made with ``do_handshake_on_connect=False``, or a plain socket that this
        wraps as a client's once it is connected.
    :param ssl_options: for wrapping: an `ssl.SSLContext` or the dictionary of `.ssl_options_to_context`.
    :param connected: whether the socket is known to be connected. A plain socket whose peer has reset the
        connection looks like one that has yet to be connected, so code that wraps an established connection
        passes True: the handshake then begins in any case, and fails if the peer has gone. None: the socket
        is asked.

    The other arguments are those of `BaseIOStream`. The handshake starts by itself; `wait_for_handshake`
    waits for it, and reads and writes asked for earlier follow it. ``stream.socket`` has ``getpeercert()``,
    ``selected_alpn_protocol()`` and the like.
    """

    __slots__ = (
        "_blocked_send",
        "_handshake_future",
        "_handshaking",
        "_read_needs_room",
        "_server_hostname",
        "_ssl_options",
        "_write_needs_input",
    )

    #: The TLS socket; a plain one until it is connected.
    socket: ssl.SSLSocket
    #: For TLS over TLS; `_tls_over_tls`, which imports this module, enters them here.
    _nested_socket: ClassVar[type[Any]]
    _nested_stream: ClassVar[type[Any]]
    #: Ends the deferral of input that may be a KeyUpdate. Like the next attribute rarely set, so not a slot.
    _deferral: asyncio.TimerHandle | None = None
    #: False after a deferral that ended by its timer: this peer sends short records and does not read.
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
        self._read_needs_room = False
        self._write_needs_input = False
        #: Bytes offered by the send that is blocked, 0 if none is.
        self._blocked_send = 0
        connected: bool | None = kwargs.pop("connected", None)
        super().__init__(*args, **kwargs)
        self._suspended = True
        self._find_peer()
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
        """Connect and shake hands; see `IOStream.connect`.

        :param server_hostname: the name to ask for and to check the certificate against.
        """
        if callback is not None or callable(server_hostname):
            return _for_callback("connect", self, address, server_hostname, callback)
        self._server_hostname = server_hostname
        shaken = self.wait_for_handshake()
        connected = super().connect(address)
        connected.add_done_callback(_look_at)
        return shaken

    def wait_for_handshake(
        self, callback: Callable[[SSLIOStream], object] | None = None
    ) -> asyncio.Future[SSLIOStream]:
        """A Future that gives the stream when the handshake is done.

        :raises ssl.SSLError: from the Future, if the handshake fails (`ssl.SSLCertVerificationError` if the
            peer's certificate or name is refused); or whatever else closed the stream before.
        :raises StreamClosedError: from the Future, if the stream was closed without an error.
        :raises RuntimeError: if somebody is waiting already.
        """
        if callback is not None:
            return _for_callback("shaken", self, callback)
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
            self.close(placed(without_frames(error), f"TLS handshake with {self._peer_name()}"))
            fail(future, self._closed_error("TLS handshake with"))
            return
        if future is not None and not future.done():
            future.set_result(self)
        self._advance()

    def _wrap(self) -> None:
        """Put TLS, as the client, over the connected socket."""
        plain: Any = self.socket
        if not isinstance(plain, ssl.SSLSocket):
            self._unwatch()
            self.socket = netutil.ssl_wrap_socket(
                plain,
                self._ssl_options,
                server_hostname=self._server_hostname,
                server_side=False,
                do_handshake_on_connect=False,
            )

    def _secured(
        self, server_side: bool, ssl_options: dict[str, Any] | ssl.SSLContext, server_hostname: str | None
    ) -> tuple[Any, type[Any]]:
        if server_side:
            raise ValueError("start_tls(): TLS over TLS is for clients only")
        context = netutil.ssl_options_to_context(ssl_options, server_side=False)
        return self._nested_socket(self.socket, context, server_hostname), self._nested_stream

    # -- the handshake --

    def _begin_handshake(self) -> None:
        try:
            self._wrap()
        except OSError as error:
            if self.socket.fileno() >= 0:  # an unusable option: the caller keeps the socket
                raise
            self.close(placed(without_frames(error), f"TLS handshake with {self._peer_name()}"))
            return
        # The client speaks first. Neither does here, so that the caller can still set callbacks.
        if self.socket.server_side:
            self._add_reader()
        else:
            self._add_writer()

    def _advance(self) -> None:
        """Do the next step of the handshake."""
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._drop_writer()
            self._add_reader()
        except ssl.SSLWantWriteError:
            # Input that arrives meanwhile would call the reader in every iteration of the event loop.
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
            self._ready()

    def _handshake_failed(self, error: Exception) -> None:
        peer = self._peer_name()
        # Only a fault of protocol or trust is worth a warning: peers that leave early are everyday.
        if isinstance(error, (ssl.SSLError, ValueError)) and not is_connection_reset(error):
            reports = _reports.setdefault(self.socket.context, LogRateLimit(gen_log, burst=10))
            reports.log("", logging.WARNING, "SSL Error on %s %s: %s", self._number(), peer, error)
        self.close(placed(without_frames(error), f"TLS handshake with {peer}"))

    def _handshake_error(self) -> BaseException:
        return self.error or self._closed_error("TLS handshake with")

    # -- the descriptor --

    def reading(self) -> bool:
        """Whether a read is outstanding, or the handshake under way."""
        return (self._handshaking and not self._closed) or super().reading()

    def writing(self) -> bool:
        """Whether written bytes are still waiting to be sent, or the handshake is under way."""
        return (self._handshaking and not self._closed) or super().writing()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Receive into `buf` what TLS gives; see `BaseIOStream.read_from_fd`."""
        if self._handshaking or (self._blocked_send and self._defers_input()):
            return None
        try:
            return self.socket.read(len(buf), buf)  # type: ignore[return-value]  # a count
        except OSError as error:
            return self._nothing_read(error)

    def write_to_fd(self, data: memoryview) -> int:
        """Send what TLS takes of `data`; see `BaseIOStream.write_to_fd`."""
        sent = offered = 0
        try:
            while sent < min(len(data), _SEND_SHARE):
                if self._read_needs_room and not self._blocked_send:
                    break  # the deferred read comes before a send that may block again
                with data[sent : sent + _SEND_SIZE] as part:
                    offered = len(part)
                    sent += self.socket.send(part)
                    self._blocked_send = 0
        except ssl.SSLWantWriteError:
            self._blocked_send = offered
        except ssl.SSLWantReadError:
            self._blocked_send = offered
            self._write_needs_input = True
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
            return None if self._nothing_read(error) is None else b""

    def _nothing_read(self, error: OSError) -> int | None:
        """What a failed receive means: 0 the end of input, None nothing yet; else it is raised again."""
        if isinstance(error, (ssl.SSLWantReadError, BlockingIOError)):
            return None
        if isinstance(error, ssl.SSLWantWriteError):
            # TLS has an answer to send first (to a key update, say). Until there is room for it, input cannot
            # be read.
            self._read_when_writable()
            return None
        if isinstance(error, ssl.SSLError) and is_connection_reset(error):
            return 0
        raise error

    def _read_when_writable(self) -> None:
        """Resume reading once the socket has room: a reader that stayed would run in every loop iteration."""
        self._read_needs_room = True
        self._write_needs_input = False  # room is what both directions wait for
        self._drop_reader()
        self._add_writer()

    def _defers_input(self) -> bool:
        """Whether the next record may be a KeyUpdate, and reading waits for the blocked send."""
        tls = self.socket
        # A send that waits for input cannot complete before that input is read.
        if self._write_needs_input or not self._defers_key_updates or not isinstance(tls, ssl.SSLSocket):
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
        """Read although the send is still blocked: the peer may be waiting for us to read."""
        self._deferral = None
        self._defers_key_updates = False
        if self._read_needs_room:
            self._resume_deferred_read()

    def _resume_deferred_read(self) -> None:
        self._read_needs_room = False
        if self._deferral is not None:
            self._deferral.cancel()
            self._deferral = None
        self._add_reader()
        self._on_readable()

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        if type(m := self.write_to_fd) is not MethodType or m.__func__ is not _WRITE:
            return super()._transmit(data)
        if len(data) > _SEND_SIZE or isinstance(data, memoryview) or self._read_needs_room:
            with memoryview(data) as view:
                return self.write_to_fd(view)
        try:
            sent = self.socket.send(data)
        except ssl.SSLWantWriteError:
            self._blocked_send = len(data)
            return 0
        except ssl.SSLWantReadError:
            self._blocked_send = len(data)
            self._write_needs_input = True
            return 0
        self._blocked_send = 0
        return sent

    def _wait_for_room(self) -> None:
        if self._write_needs_input:  # room in the socket would wake us for nothing
            self._drop_writer()
            self._add_reader()
        else:
            self._add_writer()

    def _wait_for_input(self) -> None:
        if self._read_needs_room:  # the writer is on, and resumes the read
            return
        self._add_reader()
        if self.socket.pending():
            self._loop.call_soon(self._on_readable)

    def _drop_reader(self) -> None:
        if not self._write_needs_input:
            super()._drop_reader()

    def _drop_writer(self) -> None:
        if not self._read_needs_room:
            super()._drop_writer()

    def _unwatch(self) -> None:
        self._write_needs_input = self._read_needs_room = False
        if self._deferral is not None:
            self._deferral.cancel()
            self._deferral = None
        super()._unwatch()

    # -- events --

    def _on_writable(self) -> None:
        if self._connect_future is not None:
            self._handle_connect()
        elif self._handshaking:
            self._advance()
        else:
            if self._read_needs_room:
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
                self._advance()
            return
        if self._write_needs_input:
            self._write_needs_input = False
            self._flush()
        if self._consumer is None or self._closed:
            super()._on_readable()
        else:
            self._receive_records()

    def _why_broken(self) -> Exception | None:
        error = super()._why_broken()
        if error is None:
            try:
                self.socket.getpeername()
            except OSError as gone:  # OpenSSL has met the error, sending session tickets say, and kept it
                return without_frames(gone)
        return error

    def _receive_records(self) -> None:
        """Receive for the consumer until it would block, or a fair share is reached."""
        if self._paused or self._eof:
            self._leave_unread()
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
                    self._input_ends(None)
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

    # -- the end --

    def _end_output(self) -> None:
        try:
            if self._consumer is None:
                self._receive_pending()
            alert = self._close_notify()
            if alert:
                socket.socket.send(self.socket, alert)
            # The method of ssl.SSLSocket would give up TLS for reading too.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        except OSError:
            self.close()

    def _can_end_output(self) -> bool:
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        return bool(poll.poll(0))  # where there is any room, an alert fits; an error will be met then

    def _receive_pending(self) -> None:
        """Take what TLS has decrypted already: OpenSSL would refuse it when the output ends."""
        pull = self._pull_state()
        while not self._closed and self.socket.pending() and self._read_once(pull):
            pass
        if pull.busy():
            self._satisfy(pull, False)

    def _close_notify(self) -> bytes:
        """The alert that ends our side of TLS, encrypted.

        ``unwrap()`` sends it and reads the peer's at once. Whatever else the peer has sent is an error to
        OpenSSL then, and ends the connection. So during the call the descriptor is one end of a socket pair:
        nothing comes in, and what goes out is returned.
        """
        if os.name == "nt":  # where a socket's descriptor cannot be exchanged
            self._unwrap()
            return b""
        descriptor = self.socket.fileno()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            kept = os.dup(descriptor)
            try:
                # kqueue forgets a descriptor that now means something else.
                watched = self._reader_on
                super()._drop_reader()
                os.dup2(ours.fileno(), descriptor, inheritable=False)
                try:
                    self._unwrap()
                finally:
                    os.dup2(kept, descriptor, inheritable=False)
                if watched:
                    self._add_reader()
            finally:
                os.close(kept)
            try:
                return theirs.recv(_RECORD_SIZE)
            except BlockingIOError:
                return b""  # the peer has broken TLS, say

    def _unwrap(self) -> None:
        try:
            self.socket.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # the peer's close_notify is not waited for

    def close_fd(self) -> None:
        """Say goodbye in TLS's own way, as far as that goes without waiting, and close the socket."""
        if not self._handshaking and self.error is None:
            try:
                self.socket.unwrap()
            except (OSError, ValueError):
                pass  # the peer's own goodbye is not waited for
        super().close_fd()

    def _after_close(self) -> None:
        future, self._handshake_future = self._handshake_future, None
        if future is not None:
            fail(future, self._handshake_error())
        super()._after_close()


def _was_connected(sock: socket.socket) -> bool:
    """Whether a TLS socket was connected when it was wrapped, although its peer may have gone since."""
    if not isinstance(sock, ssl.SSLSocket):
        return False
    # A server's TLS socket cannot connect. A client's has a TLS session from the time when it is connected.
    return sock.server_side or sock.session_reused is not None


def _look_at(future: asyncio.Future[Any]) -> None:
    """Take note of a future's error, so that nobody is told it was never looked at."""
    if not future.cancelled():
        future.exception()


_READ = SSLIOStream.read_from_fd
_WRITE = SSLIOStream.write_to_fd
IOStream._tls_stream = SSLIOStream
