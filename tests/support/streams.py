"""Pairs of connected streams, a push-mode consumer that records its events, and internals of streams.

Only this module depends on how `tornado.iostream` stores these internals.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tornado.iostream import BaseIOStream, IOStream, SSLIOStream, _StreamBuffer
from tornado.iostream._core import StreamCore
from tornado.iostream._disconnect_monitor import DisconnectMonitor
from tornado.iostream._disconnect_queue import DisconnectQueue
from tornado.iostream._state import StreamState, StreamStep

#: The kinds of streams that behave alike.
KINDS = ("plain", "tls")


class Recorder:
    """A `StreamConsumer` that stores its events in `events`; a test can wait for them.

    ``on_data``, ``on_eof`` and ``on_drained`` are called inside the method for that event.
    """

    def __init__(self, on_data: Callable[[bytes], object] | None = None) -> None:
        self.events: list[Any] = []
        self.on_data = on_data
        self.on_eof: Callable[[], object] | None = None
        self.on_drained: Callable[[], object] | None = None
        self._changed = asyncio.Event()

    @property
    def data(self) -> bytes:
        """All bytes received so far."""
        return b"".join(event for event in self.events if isinstance(event, bytes))

    def _note(self, event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self._note(data)
        if self.on_data is not None:
            self.on_data(data)

    def eof_received(self) -> None:
        self._note("eof")
        if self.on_eof is not None:
            self.on_eof()

    def connection_lost(self, error: BaseException | None) -> None:
        self._note(("lost", error))

    def input_wanted(self) -> None:
        """Do nothing."""

    def output_drained(self) -> None:
        self._note("drained")
        if self.on_drained is not None:
            self.on_drained()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` is true after an event."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_lost(self) -> BaseException | None:
        """Wait for ``connection_lost``, and return its error."""
        await self.until(lambda: self.events and self.events[-1][0] == "lost")
        error: BaseException | None = self.events[-1][1]
        return error


def socket_pair(family: str = "unix") -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets: ``"unix"``, or ``"tcp"`` over the loopback interface."""
    if family == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return server, client


@asynccontextmanager
async def stream_pair(
    kind: str, certificates: Certificates, family: str = "unix", **options: Any
) -> AsyncIterator[tuple[IOStream, IOStream]]:
    """Connect two streams, the server's (created with `options`) and the client's; close both at the end."""
    server_socket, client_socket = socket_pair(family)
    server: IOStream
    client: IOStream
    if kind == "tls":
        server = tls_stream(server_socket, certificates.server_context, server_side=True, **options)
        client = tls_stream(client_socket, certificates.client_context, server_side=False)
        await asyncio.gather(server.wait_for_handshake(), client.wait_for_handshake())
    else:
        server, client = IOStream(server_socket, **options), IOStream(client_socket)
    try:
        yield server, client
    finally:
        client.close()
        server.close()


def tls_stream(
    sock: socket.socket, context: ssl.SSLContext, server_side: bool, **options: Any
) -> SSLIOStream:
    """Return a TLS stream on a connected socket, before its handshake."""
    wrapped = context.wrap_socket(
        sock,
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
        do_handshake_on_connect=False,
    )
    return SSLIOStream(wrapped, **options)


def reset(stream: IOStream) -> None:
    """Close the socket of a TCP stream with a reset."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
    stream.close()


def record_sends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[IOStream, bytes]]:
    """Return a list to which all data that streams send is added, as stream and bytes, before encryption."""
    made: list[tuple[IOStream, bytes]] = []

    def note(kind: type[IOStream]) -> None:
        write = kind.write_to_fd

        def noted(self: IOStream, data: memoryview) -> int:
            made.append((self, bytes(data)))
            return write(self, data)

        monkeypatch.setattr(kind, "write_to_fd", noted)

    note(IOStream)
    note(SSLIOStream)
    return made


async def run_loop_iterations(count: int = 3) -> None:
    """Run some event loop iterations, to process everything that is ready now."""
    for _ in range(count):
        await asyncio.sleep(0)


async def closed(stream: BaseIOStream) -> None:
    """Wait until the stream's close callback has run."""
    event = asyncio.Event()
    stream.set_close_callback(event.set)
    await event.wait()


def state(stream: BaseIOStream) -> StreamState:
    """Return the state of a stream."""
    return stream._state


def has_reader(stream: BaseIOStream) -> bool:
    """Whether the event loop watches a stream for input."""
    return stream._has_reader


def has_writer(stream: BaseIOStream) -> bool:
    """Whether the event loop watches a stream until it is writable."""
    return stream._has_writer


def sent_size(stream: BaseIOStream) -> int:
    """Return how many bytes have been sent, and check that no written bytes are missing."""
    assert stream._total_write_done_index == stream._total_write_index
    return stream._total_write_index


def unread_size(stream: BaseIOStream) -> int:
    """Return the size of a stream's read buffer, in bytes."""
    return stream._read_buffer_size


def record_states(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[StreamState]]:
    """Return a dictionary with the states that each stream enters, by ``id(stream)``, without repetitions."""
    entered: dict[int, list[StreamState]] = {}
    advance = StreamCore._advance

    def advance_and_record(self: StreamCore, step: StreamStep) -> None:
        advance(self, step)
        states = entered.setdefault(id(self), [])
        if states[-1:] != [self._state]:
            states.append(self._state)

    monkeypatch.setattr(StreamCore, "_advance", advance_and_record)
    return entered


def is_paused(stream: BaseIOStream) -> bool:
    """Whether the consumer has paused reading."""
    return stream._paused


def received_in_place(stream: BaseIOStream) -> int:
    """Return how many bytes of the current read have been received directly into its buffer."""
    pull = stream._pull
    assert pull is not None
    return getattr(pull.request, "filled", 0)


def other_open_streams(stream: BaseIOStream, *known: BaseIOStream) -> set[Any]:
    """Return the open streams of a stream's event loop, without those that are `known`."""
    return stream._open_streams() - set(known)


def writers(stream: BaseIOStream) -> int:
    """Return how many streams of the event loop wait until they are writable."""
    return stream._open_streams().writing


def hangup_monitor(stream: BaseIOStream) -> DisconnectMonitor:
    """Return the monitor that detects hang-ups of paused streams in the event loop of `stream`."""
    monitor = stream._open_streams().hangup_monitor
    assert monitor is not None
    return monitor


def monitored(monitor: DisconnectMonitor) -> list[int]:
    """Return the descriptors that a monitor watches."""
    return list(monitor._callbacks)


def has_timer(monitor: DisconnectMonitor) -> bool:
    """Whether a monitor will check its descriptors."""
    return monitor._timer is not None


def queued_disconnects(queue: DisconnectQueue) -> Container[Any]:
    """Return the streams whose disconnect has not been handled, which changes as the queue handles them."""
    return queue._waiting


def is_idle(queue: DisconnectQueue) -> bool:
    """Whether a queue is empty and has not scheduled a batch."""
    return not queue._waiting and queue._batches._loop is None


def note_receives(stream: BaseIOStream, note: Callable[[int], object]) -> None:
    """Call `note` with the maximum size before each receive from the descriptor, without the slow path."""
    receive = stream._receive

    def noted(size: int) -> bytes | bytearray | None:
        note(size)
        return receive(size)

    stream._receive = noted  # type: ignore[method-assign]


def note_receives_in_place(stream: BaseIOStream, note: Callable[[int], object]) -> None:
    """Call `note` with the free size before each receive into the buffer of ``read_into``."""
    receive_into = stream._receive_into

    def noted(view: memoryview) -> int | None:
        note(len(view))
        return receive_into(view)

    stream._receive_into = noted  # type: ignore[method-assign]


class _NotingSocket:
    """A socket that calls a function before each send; see `note_transmits`."""

    def __init__(self, sock: socket.socket, note: Callable[[memoryview], object], sends: bool) -> None:
        self._socket = sock
        self._note = note
        self._sends = sends

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: memoryview) -> int:
        """Note the data, and send it unless ``sends`` is false."""
        self._note(data)
        return self._socket.send(data) if self._sends else len(data)


def note_transmits(stream: BaseIOStream, note: Callable[[memoryview], object], *, send: bool = True) -> None:
    """Call `note` with the data before each send to the descriptor, without the slow path.

    :param send: whether to send the data; otherwise it is discarded, as if the kernel had accepted it.
    """
    sock = getattr(stream, "socket", None)
    if type(sock) is socket.socket:  # its `send` is called on the fast path, which bypasses `_transmit`
        stream.socket = _NotingSocket(sock, note, send)  # type: ignore[attr-defined]
        return
    transmit = stream._transmit

    def noted(data: memoryview) -> int:
        note(data)
        return transmit(data) if send else len(data)

    stream._transmit = noted  # type: ignore[method-assign]


def flush(stream: BaseIOStream) -> None:
    """Send pending output, as in an event loop iteration in which the stream is writable."""
    stream._flush()


def append_to_write_buffer(stream: BaseIOStream, piece: bytes | memoryview) -> None:
    """Append to the write buffer directly, as some programs do before they call ``write(b"")``."""
    stream._write_buffer.append(piece)
    stream._total_write_index += len(piece)


def pieces(buffer: _StreamBuffer) -> int:
    """Return the number of separate buffers in a write buffer."""
    return len(buffer._buffers)


def deferral(stream: Any) -> asyncio.TimerHandle | None:
    """Return the timer after which a TLS stream reads records that may be key updates."""
    timer: asyncio.TimerHandle | None = stream._deferral
    return timer


def defers_key_updates(stream: Any) -> bool:
    """Whether a TLS stream postpones reading a key update while a send is blocked."""
    defers: bool = stream._defers_key_updates
    return defers
