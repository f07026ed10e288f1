"""Push mode: a stream passes each received chunk to a consumer. The protocols of this package use this mode.

Between the socket and the consumer there is no Future, no Task and no copy. The stream corks its output
around each call of a consumer method, so everything that the consumer sends during the call is written with
one send. On each readable event the stream receives one chunk (over TLS: chunks until a receive would block
or `FAIR_SHARE` is reached), so no peer can monopolize the event loop.

An exception raised by the consumer closes the stream and is logged. After the end of input nothing more is
read, but the write side stays open until the stream is closed or a send fails. Simultaneous disconnects are
handled in batches (see `tornado.iostream._disconnect_queue`).
"""

from __future__ import annotations

import contextvars
import errno
import os
from collections.abc import Callable

from tornado.iostream._disconnect_queue import disconnect_queues
from tornado.iostream._errors import is_connection_reset, log_read_error, remove_frames
from tornado.iostream._interface import StreamConsumer
from tornado.iostream._state import (
    CLOSED_STATES,
    CONNECTED_STATES,
    INPUT_ENDED_STATES,
    RECEIVING_STATES,
    StreamStep,
)
from tornado.iostream._write_side import WriteSide, WriteTransport
from tornado.netutil._error_context import add_error_context

# See `tornado._wire.state_machine` for the reason for these constants.
_INPUT_RESTARTED = StreamStep.INPUT_RESTARTED
_INPUT_ENDED = StreamStep.INPUT_ENDED

#: Default size of one read from the descriptor, in bytes.
CHUNK_SIZE = 64 * 1024
#: Default maximum size of the read buffer, in bytes.
MAX_BUFFER_SIZE = 100 * 1024 * 1024
#: Maximum number of chunks received from a broken connection. Together they exceed the kernel's buffer.
_MAX_FINAL_RECEIVES = 256


class PushMode(WriteSide):
    """The receiving side of a stream in push mode."""

    __slots__ = ("_paused", "consumer", "max_buffer_size", "read_chunk_size", "suspended_consumer")

    #: The consumer that has suspended push mode, so that the program can read.
    suspended_consumer: StreamConsumer | None
    #: Maximum size of the read buffer, in bytes.
    max_buffer_size: int
    #: Maximum size of one read from the descriptor, in bytes.
    read_chunk_size: int

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None:
        super().__init__(max_write_buffer_size)
        self.max_buffer_size = max_buffer_size or MAX_BUFFER_SIZE
        self.read_chunk_size = read_chunk_size or CHUNK_SIZE
        if max_buffer_size or read_chunk_size:
            # At least two chunks must fit into the read buffer.
            self.read_chunk_size = min(self.read_chunk_size, max(1, self.max_buffer_size // 2))
        self.consumer: StreamConsumer | None = None
        self.suspended_consumer = None
        self._paused = False

    # -- the descriptor --

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read into `buf` without blocking, at most its length.

        :returns: the number of bytes read, 0 at the end of input, None if reading would block.
        """
        raise NotImplementedError

    def _receive(self, size: int) -> bytes | bytearray | None:
        """Receive at most `size` bytes; return ``b""`` at the end of input, None if it would block."""
        buf = bytearray(size)
        count = self.read_from_fd(buf)
        if count is None:
            return None
        del buf[count:]
        return buf

    def _read_failed(self, error: Exception) -> None:
        add_error_context(error, f"reading from {self.peer_name()}")
        if not is_connection_reset(error):
            log_read_error(error)
        self._on_input_end(remove_frames(error))

    # -- switching modes --

    def start_push(self, consumer: StreamConsumer) -> None:
        """Pass all input to `consumer`. The bytes in the pull buffer are delivered immediately.

        If the stream is already closed, ``connection_lost`` is called in the next event loop iteration.
        """
        self.consumer = consumer
        if self._paused or self._state in INPUT_ENDED_STATES:
            self._restart_input()
        waiting = self._take_read_buffer()
        if waiting:
            self._deliver(consumer, waiting)
            if self.consumer is not consumer:
                return
        if self._state in CLOSED_STATES:
            self.loop.call_soon(self._notify_connection_lost)
        elif self._state in CONNECTED_STATES and not self._paused:
            self._wait_for_input()

    def _restart_input(self) -> None:
        """Undo `pause_reading` and the end of input, because another consumer receives the input."""
        self._paused = False
        if self._state in INPUT_ENDED_STATES:
            self._advance(_INPUT_RESTARTED)

    def _start_push_in_empty_context(self, consumer: StreamConsumer) -> None:
        """Call `start_push`, and handle all events in an empty `contextvars.Context`."""
        self._drop_reader()
        contextvars.Context().run(self.start_push, consumer)

    def _stop_push_with_unread(self, unread: bytes) -> None:
        """Call `stop_push` and put `unread` back. The next read uses its caller's context."""
        self._drop_reader()
        self.stop_push()
        if unread and self._state not in CLOSED_STATES:
            self.unread(unread)

    def _take_read_buffer(self) -> bytes:
        """Empty the pull buffer and return its bytes."""
        raise NotImplementedError

    def stop_push(self) -> None:
        """Return to pull mode. No further method of the consumer is called."""
        self.consumer = None
        if self.suspended_consumer is not None:
            self.suspended_consumer = None

    def suspend_push(self, unread: bytes) -> None:
        """Let the program read, starting with `unread`, until `resume_push`.

        The consumer is still notified when output has been sent and when the stream is closed.
        """
        self.suspended_consumer, self.consumer = self.consumer, None
        self.unread(unread)

    def resume_push(self) -> bytes:
        """Undo `suspend_push`: pass all further input to the consumer again.

        :returns: the bytes that the program has not read, which precede all further input. This method does
            not pass them to ``data_received``, because the consumer may be in the middle of other work. The
            result is empty if push mode was not suspended, or the stream is closed.
        :raises AssertionError: if a read is outstanding.
        """
        lender = self.suspended_consumer
        if lender is None or self._state in CLOSED_STATES:
            return b""
        waiting = self._take_read_buffer()
        self.suspended_consumer, self.consumer = None, lender
        self._restart_input()
        if self._state in CONNECTED_STATES:
            self._wait_for_input()
        return waiting

    def unread(self, data: bytes) -> None:
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Stop receiving for the consumer until `resume_reading`."""
        # The reader is removed only when input arrives, because most pauses end before that.
        self._paused = True

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        if self._paused:
            self._paused = False
            if self.consumer is not None and self._state in RECEIVING_STATES:
                self._wait_for_input()

    def receive_now(self) -> None:
        """Pass input that has arrived to the consumer, without waiting for the event loop."""
        if self._has_reader:
            self._on_readable()

    # -- events --

    def _on_readable_or_broken(self) -> None:
        """Call `_on_readable`, on a loop that stops watching a descriptor after an error (uvloop).

        If a peer sends data and immediately resets the connection, the loop reports a single event. The first
        receive returns the data, so this method must check for the reset.
        """
        self._on_readable()
        if not self._has_reader:
            return
        error = self._connection_error()
        if error is None:
            return
        # Data that arrived before the reset can still be read. Because the error has been fetched from the
        # socket, that data is followed by an end of input, which must not be mistaken for an orderly close.
        disconnect_queues.get(self.loop).set_pending_error(
            self, add_error_context(error, f"reading from {self.peer_name()}")
        )
        remaining = _MAX_FINAL_RECEIVES
        while remaining and self._has_reader:
            self._on_readable()
            remaining -= 1
        # A consumer that has paused reading receives the remaining data and the error when it resumes.
        if self._has_reader and self._state not in CLOSED_STATES:
            self._on_input_end(error)

    def _connection_error(self) -> Exception | None:
        """Return the error that broke the connection, None if it is not broken."""
        return self.get_fd_error()

    def _push_readable(self) -> None:
        """Receive one chunk and pass it to the consumer."""
        consumer = self.consumer
        assert consumer is not None
        if self._paused or self._state in INPUT_ENDED_STATES:
            self._stop_reading_paused()
            return
        try:
            data = self._receive(self.read_chunk_size)
        except Exception as error:
            self._read_failed(error)
            return
        if data:
            self._deliver(consumer, bytes(data))
        elif data is not None:
            self._on_input_end(None)

    def _stop_reading_paused(self) -> None:
        """Stop reading although input is available, because reading is paused; still detect a disconnect."""
        self._drop_reader()
        if self._paused and self._state not in INPUT_ENDED_STATES and hasattr(self.consumer, "eof_pending"):
            self.watch_unread()

    def _on_hang_up(self, broken: bool) -> None:
        if broken:
            self._on_input_end(self._require_connection_error())
            return
        notify = getattr(self.consumer, "eof_pending", None)
        if notify is not None:
            self.call_corked(notify)

    def _require_connection_error(self) -> Exception:
        """Return the error of a connection that is known to be broken."""
        try:
            error = self._connection_error()
        except OSError as gone:  # the program has closed the socket object
            error = gone
        if error is None:
            error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return add_error_context(remove_frames(error), f"reading from {self.peer_name()}")

    def _deliver(self, consumer: StreamConsumer, data: bytes) -> None:
        self._corked += 1
        try:
            consumer.data_received(data)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self.uncork()

    def call_corked(self, call: Callable[..., object], *args: object) -> None:
        """Call a method of the consumer. Its output is written with one send; an error closes the stream."""
        self._corked += 1
        try:
            call(*args)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self.uncork()

    def _on_input_end(self, error: Exception | None) -> None:
        """Stop reading, because the peer has closed its sending side or the connection is broken.

        :param error: the error that broke the connection, None after an orderly end of input.
        """
        if self._state in CLOSED_STATES:
            return
        self._advance(_INPUT_ENDED)
        self._drop_reader()
        disconnect_queues.get(self.loop).add(self, error)

    def _disconnected(self, error: Exception | None) -> None:
        """Handle an end of input that `_on_input_end` has queued, perhaps in an earlier iteration."""
        consumer = self.consumer
        if error is not None:
            self.close(error)
            return
        if consumer is None or self._state not in INPUT_ENDED_STATES:  # the state has changed since
            return
        self.call_corked(consumer.eof_received)

    def _notify_output_drained(self) -> None:
        # A consumer that has suspended push mode may still be sending, so it is notified, too.
        consumer = self.consumer or self.suspended_consumer
        if consumer is not None:
            self.call_corked(consumer.output_drained)

    def _notify_output_waiting(self) -> None:
        notify = getattr(self.consumer or self.suspended_consumer, "output_waiting", None)
        if notify is not None:
            notify()

    def _consumer_failed(self, error: BaseException) -> None:
        """Close the stream after a consumer's exception. Only KeyboardInterrupt and SystemExit propagate."""
        if not isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._log_uncaught(self.consumer or self, error)
            self.close(error)
            return
        self.close(error)
        raise error

    def _notify_connection_lost(self) -> None:
        consumer, self.consumer = self.consumer or self.suspended_consumer, None
        if consumer is None:
            return
        self.suspended_consumer = None
        try:
            consumer.connection_lost(self.error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # asyncio.CancelledError is not a subclass of Exception
            self._log_uncaught(consumer, error)

    def _after_close(self) -> None:
        super()._after_close()
        if self.consumer is not None or self.suspended_consumer is not None:
            self._notify_connection_lost()


class PushTransport(WriteTransport):
    """The interface to push mode for the protocol that owns a stream."""

    __slots__ = ()

    stream: PushMode

    def start(self, consumer: StreamConsumer) -> None:
        """Pass all input to `consumer`. Bytes that are already buffered are delivered immediately.

        The event loop calls a reader in the `contextvars.Context` in which it was added. Here that context is
        empty, so a connection that several tasks use in turn does not keep the context of the first task.
        """
        self.stream._start_push_in_empty_context(consumer)

    def stop(self, unread: bytes) -> None:
        """Return to pull mode, with `unread` as the first input. No further consumer method is called."""
        self.stream._stop_push_with_unread(unread)

    def pause(self) -> None:
        """Stop receiving until `resume`."""
        self.stream.pause_reading()

    def resume(self) -> None:
        """Undo `pause`."""
        self.stream.resume_reading()
