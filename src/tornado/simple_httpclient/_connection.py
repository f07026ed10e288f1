"""`ClientConnection`: one connection to a server, and its current exchange.

The connection owns a stream in push mode and an HTTP/1.1 reader. It carries one exchange at a time: it sends
the request, reads the response, and passes each part of the response to an `ExchangeReceiver`, synchronously
and without a Task. The connection determines whether it can be reused. The receiver decides whether to reuse
it.

States
------
==========  =====================================================  ==================================
state       event                                                  next state
==========  =====================================================  ==================================
IDLE        `start` with a body that is streamed                   SENDING
IDLE        `start` with a complete request                        WAITING
IDLE        any input, or end of input                             CLOSED
SENDING     the body is complete                                   WAITING
SENDING     head of the final response                             READING
WAITING     head of the final response                             READING
WAITING     end of input, reset, malformed head                    CLOSED
READING     end of the response, if the connection is reusable     IDLE
READING     end of the response otherwise; any error               CLOSED
READING     `detach`, after a response that switches protocols     DETACHED
any         `close`                                                CLOSED
==========  =====================================================  ==================================

The delivery of the response to the receiver has its own states (`Delivery`), because the receiver may pause
and resume it at any time, even within a callback, and a resumed stream may deliver data immediately:

============  ==================================================  ============
delivery      event                                               next
============  ==================================================  ============
READY         input, or `resume` with buffered input              DELIVERING
DELIVERING    all complete events of the input are delivered      READY
READY         `pause`                                             PAUSED
PAUSED        `resume`                                            READY
DELIVERING    `pause`, in a callback of the receiver              HOLDING
HOLDING       `resume`, in the same callback                      DELIVERING
HOLDING       the callback returns                                PAUSED
============  ==================================================  ============

A connection is reused only if both messages are complete and both sides agree to keep it open: HTTP/1.1
without ``Connection: close``, or HTTP/1.0 with ``keep-alive``; a self-delimited body; no data received after
the response; the whole request passed to the kernel. A response with both Content-Length and
Transfer-Encoding, or with an ambiguous length, is an error (`tornado._wire.header_validation`).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from tornado._wire import h1
from tornado._wire.errors import HTTPInputError, IncompleteMessage
from tornado._wire.limits import Limits
from tornado._wire.state_machine import State, permit
from tornado.iostream import IOStream
from tornado.iostream._push_mode import PushTransport
from tornado.iostream._tls_errors import is_truncated
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._upload import Upload

__all__ = ["ClientConnection", "ConnectionEndedError", "ExchangeReceiver", "ClientConnectionState"]

_DONE, _CLOSED = h1.ReaderState.DONE, h1.ReaderState.CLOSED
#: Maximum number of bytes to read from the socket at a time, within a large body and otherwise.
_LARGE_READ_SIZE = 256 * 1024
_READ_SIZE = 64 * 1024


class ClientConnectionState(State):
    """The activity of a connection; see the table in the module docstring."""

    IDLE = "idle"
    SENDING = "sending the request"
    WAITING = "waiting for the response"
    READING = "reading the response"
    DETACHED = "detached"
    CLOSED = "closed"


IDLE, SENDING, WAITING, READING, DETACHED, CLOSED = ClientConnectionState

#: The states that may follow each state.
TRANSITIONS: dict[ClientConnectionState, frozenset[ClientConnectionState]] = {
    IDLE: frozenset({SENDING, WAITING, CLOSED}),
    SENDING: frozenset({WAITING, READING, CLOSED}),
    WAITING: frozenset({READING, CLOSED}),
    READING: frozenset({IDLE, DETACHED, CLOSED}),
    DETACHED: frozenset(),
    CLOSED: frozenset({CLOSED}),
}
permit(TRANSITIONS)


class Delivery(State):
    """The delivery of input to the receiver; see the second table in the module docstring."""

    READY = "ready"
    DELIVERING = "delivering"
    PAUSED = "paused"
    HOLDING = "paused while delivering"


READY, DELIVERING, PAUSED, HOLDING = Delivery

#: The states of the delivery that may follow each state.
DELIVERY_TRANSITIONS: dict[Delivery, frozenset[Delivery]] = {
    READY: frozenset({DELIVERING, PAUSED}),
    DELIVERING: frozenset({READY, HOLDING}),
    PAUSED: frozenset({READY}),
    HOLDING: frozenset({DELIVERING, PAUSED}),
}
permit(DELIVERY_TRANSITIONS)


class ConnectionEndedError(Exception):
    """Raised when the server closes the connection before its response is complete."""


class ExchangeReceiver(Protocol):
    """Callbacks for the parts of a response. The methods must not raise."""

    def head_received(self, head: h1.ResponseHead) -> None:
        """Process the head of the final response."""

    def body_received(self, data: bytes) -> None:
        """Process a part of the body, which is never empty. `ClientConnection.pause` delays further parts."""

    def response_complete(self, reusable: bool) -> None:
        """Process the end of the response and of the exchange. If `reusable`, the connection is IDLE."""

    def exchange_failed(self, error: BaseException, started: bool) -> None:
        """Process a failure of the exchange. The connection is closed.

        :param error: an error of the operating system, an `.HTTPInputError` for a malformed response, or
            `ConnectionEndedError`.
        :param started: whether any byte of a response had been received.
        """

    def source_failed(self, error: BaseException) -> None:
        """Process an `error` that the source of the request's body raised. The connection is closed."""


class ClientConnection:
    """One connection.

    :param stream: a connected stream, after the TLS handshake and the handshake with a proxy, with an empty
        read buffer.
    :param key: identifies the requests that may use the connection.
    :param limits: the limits for the heads and the framing of responses.

    :ivar state: the current `ClientConnectionState`.
    :ivar idle_since: when the connection last became idle, on the loop's clock; set by the pool.
    :ivar on_idle_end: called with the connection when it is closed while idle; set by the pool.
    :ivar exchanges: the number of exchanges started on this connection.
    """

    __slots__ = (
        "__weakref__",
        "_channel",
        "_delivery",
        "_has_received",
        "_is_eof",
        "_reader",
        "_receiver",
        "_reusable",
        "_upload",
        "exchanges",
        "idle_since",
        "key",
        "on_idle_end",
        "state",
        "stream",
    )

    def __init__(self, stream: IOStream, key: ConnectionKey, limits: Limits) -> None:
        self.stream: IOStream = stream
        self.key: ConnectionKey = key
        self.state: ClientConnectionState = IDLE
        self.exchanges: int = 0
        self.idle_since: float = 0.0
        self.on_idle_end: Callable[[ClientConnection], None] | None = None
        self._reader = h1.Reader(h1.Role.CLIENT, limits)
        self._receiver: ExchangeReceiver | None = None
        self._upload: Upload | None = None
        self._reusable = False
        self._delivery = READY
        self._has_received = False
        self._is_eof = False
        stream.set_nodelay(True)
        self._channel = PushTransport(stream)
        self._channel.start(self)

    def __repr__(self) -> str:
        address = self.key.unix_path or f"{self.key.host}:{self.key.port}"
        paused = ", paused" if self._delivery in (PAUSED, HOLDING) else ""
        return f"<ClientConnection {address} {self.state.value}{paused}, {self.exchanges} requests>"

    # -- interface for the owner --

    def start(
        self,
        receiver: ExchangeReceiver,
        method: str,
        request: Sequence[bytes],
        upload: Upload | None = None,
        reusable: bool = True,
        max_body_size: int = sys.maxsize,
    ) -> None:
        """Send a request and pass the response to `receiver`.

        The receiver may be called with an error before this method returns.

        :param receiver: receives the parts of the response.
        :param method: the request's method, which determines whether the response has a body.
        :param request: the head, followed by the body if that is in memory.
        :param upload: sends the body if that is streamed, or None.
        :param reusable: whether the Connection field of the request allows reuse.
        :param max_body_size: the maximum size of the response's body in bytes, as it is transferred.
        """
        self.state = self.state.to[WAITING if upload is None else SENDING]
        self.exchanges += 1
        self._receiver = receiver
        self._reusable = reusable
        self._has_received = False
        reader = self._reader
        reader.expect_response_to(method)
        reader.max_body_size = max_body_size
        if len(request) == 1:
            self._channel.send(request[0])
        else:
            self._channel.send_pieces(request)
        if upload is not None and self.state is SENDING:
            self._upload = upload
            upload.start(self.stream, self._upload_done)

    def pause(self) -> None:
        """Stop delivery until `resume` is called. Only a limited amount of data is read ahead."""
        if self._delivery is READY or self._delivery is DELIVERING:
            self._delivery = self._delivery.to[PAUSED if self._delivery is READY else HOLDING]
            self._channel.pause()

    def resume(self) -> None:
        """Resume delivery after `pause`. Buffered input is delivered before this returns."""
        if self._delivery is PAUSED:
            self._delivery = self._delivery.to[READY]
            self._deliver_events()
            if self._delivery is PAUSED:
                return  # the receiver has paused again
        elif self._delivery is HOLDING:
            self._delivery = self._delivery.to[DELIVERING]
        else:
            return
        if self.state is not CLOSED and self.state is not DETACHED:
            self._channel.resume()

    def is_open(self) -> bool:
        """Whether the connection is idle and, as far as the kernel knows, still open.

        A connection on which data has arrived counts as closed, because no request is waiting for that data.
        """
        if self.state is not IDLE or self.stream.closed():
            return False
        sock: object = self.stream.socket
        sock = getattr(sock, "outer", sock)  # for TLS over TLS
        if not isinstance(sock, socket.socket):
            return False  # a socket type of the program, which may not support MSG_PEEK
        try:
            # socket.socket.recv is called, because ssl.SSLSocket.recv rejects flags. Undecrypted TLS data may
            # be a session ticket or the end of the connection; the connection is treated as closed in both
            # cases.
            socket.socket.recv(sock, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def detach(self) -> IOStream:
        """Return the stream in pull mode, with all data received after the head in its buffer.

        This must be called from within `ExchangeReceiver.head_received`.
        """
        self.state = self.state.to[DETACHED]
        self._receiver = None
        self._cancel_upload()
        self._channel.stop(self._reader.take_buffer())
        return self.stream

    def close(self, error: BaseException | None = None) -> None:
        """Close the connection. The receiver of an active exchange is not called any more."""
        self._receiver = None
        self._cancel_upload()
        if self.state is not DETACHED:
            self.state = self.state.to[CLOSED]
            self.stream.close(error or False)

    # -- callbacks for the stream --

    def data_received(self, data: bytes) -> None:
        """Process received data."""
        if self._receiver is None:
            # Data that arrives after the response, or before any request, is not a response to a request.
            self._close_idle()
            return
        self._has_received = True
        self._reader.receive_data(data)
        if self._delivery is READY:
            self._deliver_events()

    def eof_received(self) -> None:
        """Process the end of input."""
        self._is_eof = True
        if self._receiver is None:
            self._close_idle()
            return
        if is_truncated(self.stream.socket):
            # RFC 9112 section 9.8: an attacker may have truncated a response without a length.
            ended = ConnectionEndedError()
            ended.__cause__ = IncompleteMessage("the TLS connection was closed without close_notify")
            self._fail(ended)
            return
        self._reader.receive_eof()
        if self._delivery is READY:
            self._deliver_events()

    def connection_lost(self, error: BaseException | None) -> None:
        """Process the closing of the stream, by a reset, a failed send or `close`."""
        if self.state is CLOSED or self.state is DETACHED:
            return
        if self._receiver is None:
            self._close_idle()
        else:
            self._fail(error if error is not None else ConnectionEndedError())

    def input_wanted(self) -> None:
        """Do nothing: the input belongs to the exchange until its end."""

    def output_drained(self) -> None:
        """Do nothing: an upload awaits each of its writes."""

    # -- the response --

    def _deliver_events(self) -> None:
        """Parse the buffered input and deliver the events."""
        reader = self._reader
        self._delivery = self._delivery.to[DELIVERING]
        try:
            # `response_complete` may start the next exchange, for which there is no input yet.
            while (receiver := self._receiver) is not None and self._delivery is DELIVERING:
                event = reader.next_event()
                if type(event) is bytes:
                    receiver.body_received(event)
                elif event is None:
                    if reader.state is _DONE:
                        self._complete(receiver)  # a response without a body
                    elif reader.state is _CLOSED:
                        self._fail(ConnectionEndedError())
                    return
                elif type(event) is h1.ResponseHead:
                    self._head_received(receiver, event)
                else:
                    self._complete(receiver)
        except HTTPInputError as error:
            self._fail(error)
        finally:
            self._delivery = self._delivery.to[READY if self._delivery is DELIVERING else PAUSED]

    def _head_received(self, receiver: ExchangeReceiver, head: h1.ResponseHead) -> None:
        if head.code < 200 and head.code != 101:
            if head.code == 100 and self._upload is not None:
                self._upload.proceed()
            return
        self.state = self.state.to[READING]
        if self._upload is not None:
            self._upload.stop_waiting()
        if not head.keep_alive or head.code == 101:
            self._reusable = False
        if head.has_body and (head.content_length is None or head.content_length > _READ_SIZE):
            self.stream.read_chunk_size = _LARGE_READ_SIZE
        receiver.head_received(head)

    def _complete(self, receiver: ExchangeReceiver) -> None:
        """End the exchange after a complete response."""
        stream, reader = self.stream, self._reader
        self._receiver = None
        stream.read_chunk_size = _READ_SIZE
        reusable = (
            self._reusable
            and self._upload is None
            and not self._is_eof
            and not reader.buffered
            and not self._channel.pending()
            and not stream.closed()
        )
        if reusable:
            reader.start_next()
            self.state = self.state.to[IDLE]
        else:
            self.close()
        receiver.response_complete(reusable)

    def _fail(self, error: BaseException) -> None:
        receiver, self._receiver = self._receiver, None
        if isinstance(error, IncompleteMessage):
            ended = ConnectionEndedError()
            ended.__cause__ = error
            error = ended
        self.close(error if isinstance(error, OSError) else None)
        if receiver is not None:
            receiver.exchange_failed(error, self._has_received)

    def _close_idle(self) -> None:
        """Close an idle connection that has ended or can no longer be used, and notify the pool."""
        callback, self.on_idle_end = self.on_idle_end, None
        self.close()
        if callback is not None:
            callback(self)

    # -- the request --

    def _upload_done(self, error: BaseException | None) -> None:
        """Process the end of the upload, or the `error` that its source raised."""
        self._upload = None
        if error is not None:
            receiver = self._receiver
            self.close()
            if receiver is not None:
                receiver.source_failed(error)
        elif self.state is SENDING:
            self.state = self.state.to[WAITING]

    def _cancel_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.cancel()
