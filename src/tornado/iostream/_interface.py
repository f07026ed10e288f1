"""The interface between a stream and the protocol that owns it, in push mode.

`StreamConsumer` is implemented by the protocol. `Transport` is the part of a stream that every protocol over
a byte stream needs, and all that a WebSocket uses: an HTTP/2 stream or an ASGI server can implement it, too.
`PushStream` adds what HTTP/1 needs; only `.IOStream` implements it.

The methods of the stream are plain names without an underscore, because other packages call them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tornado.iostream._file_segment import FileSegment

__all__ = ["PushStream", "StreamConsumer", "Transport"]


class StreamConsumer(Protocol):
    """The receiver of a stream's input in push mode."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes, which are never empty."""

    def eof_received(self) -> None:
        """Handle the end of input: the peer closed its sending side. The write side is still open."""

    def connection_lost(self, error: BaseException | None) -> None:
        """Handle the closure of the stream by either side. Called exactly once, after all other methods."""

    def input_wanted(self) -> None:
        """Handle a read that the program starts on the stream.

        To permit the read, call `suspend_push` with the bytes that were not consumed.
        """

    def output_drained(self) -> None:
        """Handle the end of back-pressure: all buffered output has been sent."""

    # Optional: ``output_waiting() -> None``. Called when output had to be buffered because the descriptor did
    # not accept all of it. The caller is the method that writes, so this method must neither write nor close.
    #
    # Optional: ``eof_pending() -> None``. Called when the peer has closed its sending side while reading was
    # paused, so that unread input precedes the end. A consumer with this method does not need that input once
    # the connection is broken: a reset then closes the stream even while reading is paused. A consumer
    # without this method receives the remaining input, and then the end of input, when it resumes reading.


class Transport(Protocol):
    """A bidirectional byte stream; see docs/design/0001-architecture.md for the contract of each method.

    :ivar error: the error that has closed the stream, or None.
    """

    error: BaseException | None
    loop: asyncio.AbstractEventLoop
    #: The size of the output collected while corked, in bytes.
    corked_size: int

    @property
    def unsent_output(self) -> object | None:
        """The output that waits to be sent, without collected output; None if no output waits."""

    @property
    def pending_output(self) -> int:
        """The size of the output that waits to be sent, including collected output, in bytes."""

    def start_push(self, consumer: StreamConsumer) -> None:
        """Pass all input to `consumer`, starting with data that has already been read."""

    def send(self, data: bytes) -> bool:
        """Send data; return False if output must wait, in which case ``output_drained`` will be called."""

    def cork(self) -> None:
        """Collect output until `uncork`."""

    def uncork(self) -> None:
        """Send the output collected since `cork`."""

    def flush_output(self) -> None:
        """Send the collected output, even if the stream is corked."""

    def pause_reading(self) -> None:
        """Pass no input to the consumer until `resume_reading`."""

    def resume_reading(self) -> None:
        """Pass input to the consumer again after `pause_reading`."""

    def end_output(self) -> None:
        """Half-close the stream after all output; input still arrives."""

    def when_written(self, rest: int = 0) -> asyncio.Future[None]:
        """Return a Future that is done once at most `rest` bytes of the output so far are unsent."""

    def set_nodelay(self, value: bool) -> None:
        """Set TCP_NODELAY: whether small pieces are sent immediately or delayed by Nagle's algorithm."""

    def closed(self) -> bool:
        """Whether the stream was closed by either side."""

    def close(self) -> None:
        """Close both directions; ``connection_lost`` follows."""


class PushStream(Transport, Protocol):
    """A stream over a descriptor. A program can read it between two phases of push mode."""

    #: The maximum size of the read buffer, in bytes.
    max_buffer_size: int
    #: The maximum size of one read from the descriptor, in bytes.
    read_chunk_size: int

    @property
    def consumer(self) -> StreamConsumer | None:
        """The consumer that receives the input, None in pull mode."""

    @property
    def suspended_consumer(self) -> StreamConsumer | None:
        """The consumer that has called `suspend_push`."""

    @property
    def output_position(self) -> int:
        """The number of bytes of buffered output that have been passed to the kernel so far."""

    def peer_name(self) -> str:
        """Return a description of the peer, for messages."""

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` when the stream is closed; this is the program's callback, not the consumer's."""

    def reading(self) -> bool:
        """Whether a read that the program has started is outstanding."""

    # -- switching modes --

    def stop_push(self) -> None:
        """Return to pull mode. No further method of the consumer is called."""

    def suspend_push(self, unread: bytes) -> None:
        """Let the program read, starting with `unread`, until `resume_push`."""

    def resume_push(self) -> bytes:
        """Undo `suspend_push`, and return the bytes that the program has not read."""

    def unread(self, data: bytes) -> None:
        """Return bytes to the front of the read buffer, in pull mode."""

    def watch_unread(self) -> None:
        """Detect a disconnect while unread input keeps the stream from reading the end of input."""

    # -- output --

    def call_corked(self, call: Callable[..., object], *args: object) -> None:
        """Call a function. Its output is written with one send; an exception closes the stream."""

    def send_file(self, piece: FileSegment) -> asyncio.Future[None]:
        """Send a file segment after all earlier output, and close it."""
