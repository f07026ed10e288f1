"""Push mode: a stream hands each received chunk to a consumer, as our own protocols want it.

Between the socket and the consumer there is no Future, no Task and no copy. The stream corks itself around
the consumer's methods, so that all a consumer sends in one of them leaves in one send. One chunk is
received an event (TLS: until it would block, or a fair share is reached), so no peer keeps the loop to
itself.

A consumer's exception closes the stream and is logged. After the end of input nothing more is read, but the
write side stays open until somebody closes the stream or a send fails. Of many peers that leave at once, some
are seen off in each turn of the loop (see `tornado.iostream._disconnect_queue`).
"""

from __future__ import annotations

import contextvars
import errno
import os
from collections.abc import Callable
from typing import Any, Protocol

from tornado.iostream._disconnect_queue import DisconnectQueue
from tornado.iostream._errors import is_connection_reset, without_frames
from tornado.iostream._write_side import WriteChannel, WriteSide
from tornado.log import gen_log
from tornado.netutil._error_context import placed

#: Bytes asked of the descriptor at a time, where the stream was not told otherwise.
CHUNK_SIZE = 64 * 1024
#: Default limit for what is read but not consumed.
MAX_BUFFER_SIZE = 100 * 1024 * 1024
#: Chunks taken from a connection that is broken: more than a kernel's buffer holds.
_LAST_RECEIVES = 256


class StreamConsumer(Protocol):
    """Who takes a stream's input in push mode."""

    def data_received(self, data: bytes) -> None:
        """Take received bytes; never called with none."""

    def eof_received(self) -> None:
        """The peer closed its sending side. Nothing more will be read; the write side is still open."""

    def connection_lost(self, error: BaseException | None) -> None:
        """The stream was closed, by whomever. Called exactly once, and last."""

    def input_wanted(self) -> None:
        """Somebody reads the stream himself. To let him, call `_suspend_push` with what was not consumed."""

    def output_drained(self) -> None:
        """Called when everything that had to wait for the descriptor has been sent."""

    # Optional: ``output_waiting() -> None``. Something that was written has to wait for the descriptor. It is
    # called from inside whatever method writes, and must neither write nor close.
    #
    # Optional: ``eof_pending() -> None``. The peer has closed its sending side, behind input that was not
    # received because of `_pause_reading`. A consumer with this method does not need that input once the
    # connection is broken: a reset then closes the stream, paused or not. Without it, the consumer gets
    # what is left when it resumes, and the end after that.


class PushMode(WriteSide):
    """Receiving for a consumer."""

    __slots__ = ("_consumer", "_eof", "_lender", "_paused", "max_buffer_size", "read_chunk_size")

    #: The consumer that has lent its input.
    _lender: StreamConsumer | None
    #: Most bytes that may be read ahead of their consumption.
    max_buffer_size: int
    #: Bytes asked of the descriptor at a time.
    read_chunk_size: int

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None:
        super().__init__(max_write_buffer_size)
        self.max_buffer_size = max_buffer_size or MAX_BUFFER_SIZE
        # A chunk larger than the limit could not be held: at least two fit.
        self.read_chunk_size = min(read_chunk_size or CHUNK_SIZE, max(1, self.max_buffer_size // 2))
        self._consumer: StreamConsumer | None = None
        self._lender = None
        self._eof = False
        self._paused = False

    # -- the descriptor --

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read without blocking into `buf`, at most its length.

        :returns: the number of bytes read, 0 at the end of input, None where nothing has come yet.
        """
        raise NotImplementedError

    def _receive(self, size: int) -> bytes | bytearray | None:
        """At most `size` bytes from the descriptor; none at the end of input, None for nothing yet."""
        buf = bytearray(size)
        count = self.read_from_fd(buf)
        if count is None:
            return None
        del buf[count:]
        return buf

    def _read_failed(self, error: Exception) -> None:
        placed(error, f"reading from {self._peer_name()}")
        if not is_connection_reset(error):
            gen_log.warning("error on read: %s", error)
        self._input_ends(without_frames(error))

    # -- the mode --

    def _start_push(self, consumer: StreamConsumer) -> None:
        """Hand all input to `consumer`. What is in the pull buffer it gets first, before this returns.

        On a stream that is closed already, ``connection_lost`` follows in the loop's next turn.
        """
        self._consumer = consumer
        self._eof = self._paused = False
        waiting = self._take_read_buffer()
        if waiting:
            self._deliver(consumer, waiting)
        if self._consumer is not consumer:
            return
        if self._closed:
            self._loop.call_soon(self._notify_connection_lost)
        elif not self._suspended and not self._paused:
            self._wait_for_input()

    def _start_push_afresh(self, consumer: StreamConsumer) -> None:
        """`_start_push`, with events in an empty context from now on."""
        self._drop_reader()
        contextvars.Context().run(self._start_push, consumer)

    def _end_push(self, unread: bytes) -> None:
        """`_stop_push`, and what reads next does that in its own context, beginning with `unread`."""
        self._drop_reader()
        self._stop_push()
        if unread and not self._closed:
            self._unread(unread)

    def _take_read_buffer(self) -> bytes:
        """Everything that pull mode has read ahead."""
        raise NotImplementedError

    def _stop_push(self) -> None:
        """Back to pull mode; the consumer is forgotten and hears nothing more."""
        self._consumer = None
        if self._lender is not None:
            self._lender = None

    def _suspend_push(self, unread: bytes) -> None:
        """Let others read, beginning with `unread`, until `_resume_push`.

        The consumer still hears of sent output and of the stream's end.
        """
        self._lender, self._consumer = self._consumer, None
        self._unread(unread)

    def _resume_push(self) -> bytes:
        """The consumer goes on: it gets whatever is received from now on.

        :returns: what others have left, which comes before that. It is not delivered, as the consumer may be
            in the middle of its own work when it asks. None where nothing was lent, or the stream is closed.
        :raises AssertionError: if somebody is still waiting for a read.
        """
        lender = self._lender
        if lender is None or self._closed:
            return b""
        waiting = self._take_read_buffer()
        self._lender, self._consumer = None, lender
        self._eof = self._paused = False
        if not self._suspended:
            self._wait_for_input()
        return waiting

    def _unread(self, data: bytes) -> None:
        raise NotImplementedError

    def _pause_reading(self) -> None:
        """Receive nothing more for the consumer until `_resume_reading`."""
        # The descriptor leaves the loop when there is an event only: most pauses are over before.
        self._paused = True

    def _resume_reading(self) -> None:
        """Take back `_pause_reading`."""
        if self._paused:
            self._paused = False
            if self._consumer is not None and not self._eof and not self._suspended:
                self._wait_for_input()

    # -- events --

    def _on_readable_or_broken(self) -> None:
        """`_on_readable`, for a loop that does not call again where the descriptor has an error.

        A peer that sends something and resets the connection at once is one event. The first receive takes
        the data; without a second look nobody would ever hear of the reset.
        """
        self._on_readable()
        if not self._reader_on:
            return
        error = self._why_broken()
        if error is None:
            return
        # What the peer sent before is still there to be read. Now that the error has been fetched, an end of
        # input follows, which must not be taken for an end in good order.
        self._disconnect_queue().expect(self, placed(error, f"reading from {self._peer_name()}"))
        left = _LAST_RECEIVES
        while left and self._reader_on:
            self._on_readable()
            left -= 1
        # A consumer that has paused gets the rest and the error when it resumes.
        if self._reader_on and not self._closed:
            self._input_ends(error)

    def _why_broken(self) -> Exception | None:
        """The error that the connection has come to an end by, None where it has not."""
        return self.get_fd_error()

    def _push_readable(self) -> None:
        """Receive one chunk, by whatever way the class has."""
        consumer = self._consumer
        assert consumer is not None
        if self._paused or self._eof:
            self._leave_unread()
            return
        try:
            data = self._receive(self.read_chunk_size)
        except Exception as error:
            self._read_failed(error)
            return
        if data:
            self._deliver(consumer, bytes(data))
        elif data is not None and not self._closed:
            self._input_ends(None)

    def _leave_unread(self) -> None:
        """There is input that the consumer does not want now: stop reading, but notice a disconnect."""
        self._drop_reader()
        if self._paused and not self._eof and hasattr(self._consumer, "eof_pending"):
            self._watch_unread()

    def _hung_up(self, broken: bool) -> None:
        if broken:
            self._input_ends(self._broken_error())
            return
        tell = getattr(self._consumer, "eof_pending", None)
        if tell is not None:
            self._call_corked(tell)

    def _broken_error(self) -> Exception:
        """The error of a connection that is known to be broken."""
        try:
            error = self._why_broken()
        except OSError as gone:  # the program has closed the socket itself
            error = gone
        if error is None:
            error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return placed(without_frames(error), f"reading from {self._peer_name()}")

    def _deliver(self, consumer: StreamConsumer, data: bytes) -> None:
        self._corked += 1
        try:
            consumer.data_received(data)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._uncork()

    def _call_corked(self, call: Callable[..., object], *args: object) -> None:
        """Call a method of the consumer: its output leaves in one send, and an error closes the stream."""
        self._corked += 1
        try:
            call(*args)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._uncork()

    def _input_ends(self, error: Exception | None) -> None:
        """The peer has closed its sending side, or the connection is broken: nothing more will be read."""
        self._eof = True
        self._drop_reader()
        self._disconnect_queue().enter(self, error)

    def _disconnect_queue(self) -> DisconnectQueue:
        io_loop: Any = self.io_loop
        try:
            departures: DisconnectQueue = io_loop._disconnect_queue
        except AttributeError:
            departures = io_loop._disconnect_queue = DisconnectQueue(self._loop)
        return departures

    def _disconnected(self, error: Exception | None) -> None:
        """Act on what `_input_ends` was told, now or some turns ago."""
        consumer = self._consumer
        if error is not None:
            self.close(error)
            return
        if consumer is None or not self._eof or self._closed:  # since then
            return
        self._call_corked(consumer.eof_received)

    def _tell_drained(self) -> None:
        # Who has lent its input goes on sending.
        consumer = self._consumer or self._lender
        if consumer is not None:
            self._call_corked(consumer.output_drained)

    def _tell_waiting(self) -> None:
        tell = getattr(self._consumer or self._lender, "output_waiting", None)
        if tell is not None:
            tell()

    def _consumer_failed(self, error: BaseException) -> None:
        """A consumer raised: that ends the stream, and the program only where it was told to end."""
        if not isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._log_uncaught(self._consumer or self, error)
            self.close(error)
            return
        self.close(error)
        raise error

    def _notify_connection_lost(self) -> None:
        consumer, self._consumer = self._consumer or self._lender, None
        if consumer is None:
            return
        self._lender = None
        try:
            consumer.connection_lost(self.error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # an asyncio.CancelledError as well
            self._log_uncaught(consumer, error)

    def _after_close(self) -> None:
        super()._after_close()
        if self._consumer is not None or self._lender is not None:
            self._notify_connection_lost()


class PushChannel(WriteChannel):
    """The push mode of one stream, for the consumer that owns the stream."""

    __slots__ = ()

    stream: PushMode

    def start(self, consumer: StreamConsumer) -> None:
        """Hand all input to `consumer`, what is buffered already before this returns.

        The event loop calls a reader in the context that it was added in; here it is an empty one. So a
        connection that serves one task after the other does not keep the context of the first.
        """
        self.stream._start_push_afresh(consumer)

    def stop(self, unread: bytes) -> None:
        """Go back to pull mode, with `unread` as the first input. The consumer is told nothing more."""
        self.stream._end_push(unread)

    def pause(self) -> None:
        """Receive nothing more until `resume`."""
        self.stream._pause_reading()

    def resume(self) -> None:
        """Take back `pause`."""
        self.stream._resume_reading()
