"""Push mode: a stream passes each received chunk to a consumer. The project's own protocols use this mode.

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
from typing import Any, Protocol

from tornado.iostream._disconnect_queue import DisconnectQueue
from tornado.iostream._errors import is_connection_reset, remove_frames
from tornado.iostream._write_side import WriteSide, WriteTransport
from tornado.log import gen_log
from tornado.netutil._error_context import add_error_context

#: Default size of one read from the descriptor, in bytes.
CHUNK_SIZE = 64 * 1024
#: Default maximum size of the read buffer, in bytes.
MAX_BUFFER_SIZE = 100 * 1024 * 1024
#: Maximum number of chunks received from a broken connection. Together they exceed the kernel's buffer.
_MAX_FINAL_RECEIVES = 256


class StreamConsumer(Protocol):
    """The receiver of a stream's input in push mode."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes. Never called with an empty bytes object."""

    def eof_received(self) -> None:
        """Handle the end of input: the peer closed its sending side. The write side is still open."""

    def connection_lost(self, error: BaseException | None) -> None:
        """Handle the closure of the stream by either side. Called exactly once, after all other methods."""

    def input_wanted(self) -> None:
        """Handle a read that the program starts on the stream.

        To permit the read, call `_suspend_push` with the bytes that were not consumed.
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


class PushMode(WriteSide):
    """The receiving side of a stream in push mode."""

    __slots__ = ("_consumer", "_eof", "_paused", "_suspended_consumer", "max_buffer_size", "read_chunk_size")

    #: The consumer that has suspended push mode, so that the program can read.
    _suspended_consumer: StreamConsumer | None
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
        # At least two chunks must fit into the read buffer.
        self.read_chunk_size = min(read_chunk_size or CHUNK_SIZE, max(1, self.max_buffer_size // 2))
        self._consumer: StreamConsumer | None = None
        self._suspended_consumer = None
        self._eof = False
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
        add_error_context(error, f"reading from {self._peer_name()}")
        if not is_connection_reset(error):
            gen_log.warning("error on read: %s", error)
        self._on_input_end(remove_frames(error))

    # -- switching modes --

    def _start_push(self, consumer: StreamConsumer) -> None:
        """Pass all input to `consumer`. The bytes in the pull buffer are delivered immediately.

        If the stream is already closed, ``connection_lost`` is called in the next event loop iteration.
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

    def _start_push_in_empty_context(self, consumer: StreamConsumer) -> None:
        """Call `_start_push`, and handle all events in an empty `contextvars.Context`."""
        self._drop_reader()
        contextvars.Context().run(self._start_push, consumer)

    def _stop_push_with_unread(self, unread: bytes) -> None:
        """Call `_stop_push` and put `unread` back. The next read uses its caller's context."""
        self._drop_reader()
        self._stop_push()
        if unread and not self._closed:
            self._unread(unread)

    def _take_read_buffer(self) -> bytes:
        """Empty the pull buffer and return its bytes."""
        raise NotImplementedError

    def _stop_push(self) -> None:
        """Return to pull mode. No further method of the consumer is called."""
        self._consumer = None
        if self._suspended_consumer is not None:
            self._suspended_consumer = None

    def _suspend_push(self, unread: bytes) -> None:
        """Let the program read, starting with `unread`, until `_resume_push`.

        The consumer is still notified when output has been sent and when the stream is closed.
        """
        self._suspended_consumer, self._consumer = self._consumer, None
        self._unread(unread)

    def _resume_push(self) -> bytes:
        """Undo `_suspend_push`: pass all further input to the consumer again.

        :returns: the bytes that the program has not read, which precede all further input. This method does
            not pass them to ``data_received``, because the consumer may be in the middle of other work. The
            result is empty if push mode was not suspended, or the stream is closed.
        :raises AssertionError: if a read is outstanding.
        """
        lender = self._suspended_consumer
        if lender is None or self._closed:
            return b""
        waiting = self._take_read_buffer()
        self._suspended_consumer, self._consumer = None, lender
        self._eof = self._paused = False
        if not self._suspended:
            self._wait_for_input()
        return waiting

    def _unread(self, data: bytes) -> None:
        raise NotImplementedError

    def _pause_reading(self) -> None:
        """Stop receiving for the consumer until `_resume_reading`."""
        # The reader is removed only when input arrives, because most pauses end before that.
        self._paused = True

    def _resume_reading(self) -> None:
        """Undo `_pause_reading`."""
        if self._paused:
            self._paused = False
            if self._consumer is not None and not self._eof and not self._suspended:
                self._wait_for_input()

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
        self._disconnect_queue().set_pending_error(
            self, add_error_context(error, f"reading from {self._peer_name()}")
        )
        remaining = _MAX_FINAL_RECEIVES
        while remaining and self._has_reader:
            self._on_readable()
            remaining -= 1
        # A consumer that has paused reading receives the remaining data and the error when it resumes.
        if self._has_reader and not self._closed:
            self._on_input_end(error)

    def _connection_error(self) -> Exception | None:
        """Return the error that broke the connection, None if it is not broken."""
        return self.get_fd_error()

    def _push_readable(self) -> None:
        """Receive one chunk and pass it to the consumer."""
        consumer = self._consumer
        assert consumer is not None
        if self._paused or self._eof:
            self._stop_reading_paused()
            return
        try:
            data = self._receive(self.read_chunk_size)
        except Exception as error:
            self._read_failed(error)
            return
        if data:
            self._deliver(consumer, bytes(data))
        elif data is not None and not self._closed:
            self._on_input_end(None)

    def _stop_reading_paused(self) -> None:
        """Stop reading although input is available, because reading is paused; still detect a disconnect."""
        self._drop_reader()
        if self._paused and not self._eof and hasattr(self._consumer, "eof_pending"):
            self._watch_unread()

    def _on_hang_up(self, broken: bool) -> None:
        if broken:
            self._on_input_end(self._require_connection_error())
            return
        notify = getattr(self._consumer, "eof_pending", None)
        if notify is not None:
            self._call_corked(notify)

    def _require_connection_error(self) -> Exception:
        """Return the error of a connection that is known to be broken."""
        try:
            error = self._connection_error()
        except OSError as gone:  # the program has closed the socket object
            error = gone
        if error is None:
            error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return add_error_context(remove_frames(error), f"reading from {self._peer_name()}")

    def _deliver(self, consumer: StreamConsumer, data: bytes) -> None:
        self._corked += 1
        try:
            consumer.data_received(data)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._uncork()

    def _call_corked(self, call: Callable[..., object], *args: object) -> None:
        """Call a method of the consumer. Its output is written with one send; an error closes the stream."""
        self._corked += 1
        try:
            call(*args)
        except BaseException as error:
            self._consumer_failed(error)
        finally:
            self._uncork()

    def _on_input_end(self, error: Exception | None) -> None:
        """Stop reading, because the peer has closed its sending side or the connection is broken.

        :param error: the error that broke the connection, None after an orderly end of input.
        """
        self._eof = True
        self._drop_reader()
        self._disconnect_queue().add(self, error)

    def _disconnect_queue(self) -> DisconnectQueue:
        io_loop: Any = self.io_loop
        try:
            queue: DisconnectQueue = io_loop._disconnect_queue
        except AttributeError:
            queue = io_loop._disconnect_queue = DisconnectQueue(self._loop)
        return queue

    def _disconnected(self, error: Exception | None) -> None:
        """Handle an end of input that `_on_input_end` has queued, perhaps in an earlier iteration."""
        consumer = self._consumer
        if error is not None:
            self.close(error)
            return
        if consumer is None or not self._eof or self._closed:  # the state has changed since
            return
        self._call_corked(consumer.eof_received)

    def _notify_output_drained(self) -> None:
        # A consumer that has suspended push mode may still be sending, so it is notified, too.
        consumer = self._consumer or self._suspended_consumer
        if consumer is not None:
            self._call_corked(consumer.output_drained)

    def _notify_output_waiting(self) -> None:
        notify = getattr(self._consumer or self._suspended_consumer, "output_waiting", None)
        if notify is not None:
            notify()

    def _consumer_failed(self, error: BaseException) -> None:
        """Close the stream after a consumer's exception. Only KeyboardInterrupt and SystemExit propagate."""
        if not isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._log_uncaught(self._consumer or self, error)
            self.close(error)
            return
        self.close(error)
        raise error

    def _notify_connection_lost(self) -> None:
        consumer, self._consumer = self._consumer or self._suspended_consumer, None
        if consumer is None:
            return
        self._suspended_consumer = None
        try:
            consumer.connection_lost(self.error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # asyncio.CancelledError is not a subclass of Exception
            self._log_uncaught(consumer, error)

    def _after_close(self) -> None:
        super()._after_close()
        if self._consumer is not None or self._suspended_consumer is not None:
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
        self.stream._pause_reading()

    def resume(self) -> None:
        """Undo `pause`."""
        self.stream._resume_reading()
