"""The write side of a stream, for both pull and push mode.

If nothing is buffered, a write passes its data directly to the kernel. Data that the kernel does not accept
is buffered, and only then is a writer added to the event loop. A stream without unsent data has no buffer.

`write` is the public interface and returns a Future for each call. `send` is for the protocols of this
package: it creates no Future, and between `cork` and `uncork` it only collects data. Data of both methods is
sent in the order of the calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from tornado._loop.tasks import done_future
from tornado.iostream._core import FAIR_SHARE, LARGE_SHARE, StreamCore, fail
from tornado.iostream._errors import StreamBufferFullError, is_connection_reset, remove_frames
from tornado.iostream._file_segment import FileSegment
from tornado.iostream._state import CLOSED_STATES, CONNECTED_STATES, OUTPUT_ENDED_STATES
from tornado.iostream._write_buffer import _StreamBuffer
from tornado.log import gen_log
from tornado.netutil._error_context import add_error_context
from tornado.util import import_object

#: Collected pieces are joined if they have at most `JOIN_LIMIT` bytes, or if there are more than
#: `_JOIN_COUNT` of them. Otherwise they are passed to the kernel one by one, or with one ``sendmsg``.
JOIN_LIMIT = 64 * 1024
_JOIN_COUNT = 64


class WriteSide(StreamCore):
    """The sending side of a stream, with its write buffer."""

    __slots__ = (
        "_collected",
        "_corked",
        "_total_write_done_index",
        "_total_write_index",
        "_write_futures",
        "corked_size",
        "max_write_buffer_size",
        "unsent_output",
    )

    #: Maximum size of the write buffer in bytes, None for no limit.
    max_write_buffer_size: int | None
    #: The Futures of `write_eof` calls that wait for the buffered output. This is not a slot, to keep idle
    #: streams small: few streams are half-closed, and those set it in `__dict__`.
    _eof_waiters: tuple[asyncio.Future[None], ...] = ()

    def __init__(self, max_write_buffer_size: int | None = None) -> None:
        super().__init__()
        self.max_write_buffer_size = max_write_buffer_size
        self.unsent_output: _StreamBuffer | None = None
        self._total_write_index = 0
        self._total_write_done_index = 0
        self._write_futures: deque[tuple[int, asyncio.Future[None]]] | None = None
        self._corked = 0
        self._collected: bytes | list[bytes] | None = None
        self.corked_size: int = 0

    @property
    def _write_buffer(self) -> _StreamBuffer:
        """The data that has been written but not yet sent.

        Some programs append to it directly, increase ``_total_write_index`` and call ``write(b"")``.
        """
        if self.unsent_output is None:
            self.unsent_output = _StreamBuffer()
        return self.unsent_output

    # -- the descriptor --

    def write_to_fd(self, data: memoryview) -> int:
        """Write as much of `data` as the descriptor accepts, without blocking.

        :returns: the number of bytes written, 0 if writing would block (`BlockingIOError` has the same
            effect).

        Any other error closes the stream.
        """
        raise NotImplementedError

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        """Write bytes to the descriptor; return the number written, 0 if it would block."""
        try:
            with memoryview(data) as view:  # released here: an error's traceback would keep the view alive
                return self.write_to_fd(view) or 0
        except BlockingIOError:
            return 0

    def _write_failed(self, error: Exception) -> None:
        add_error_context(error, f"writing to {self.peer_name()}")
        if not is_connection_reset(error):
            # Any exception but an OSError is a defect in `write_to_fd`: log its traceback.
            exc_info = None if isinstance(error, OSError) else error
            gen_log.warning("Write error on %s: %s", self._fd_number(), error, exc_info=exc_info)
        self.close(remove_frames(error))

    def _wait_until_writable(self) -> None:
        """Call `_on_writable` when the descriptor accepts bytes again."""
        self._add_writer()

    def _on_writable(self) -> None:
        self._flush()

    # -- public interface --

    def writing(self) -> bool:
        """Whether the write buffer holds unsent data."""
        return bool(self.unsent_output)

    def write(
        self,
        data: bytes | bytearray | memoryview,
        callback: Callable[[], object] | None = None,
    ) -> asyncio.Future[None]:
        """Write bytes. The Future is done when these and all earlier bytes have been passed to the kernel.

        Awaiting the Future is optional, but the write buffer of a program that never awaits it may grow
        without limit.

        :param data: bytes, or a contiguous buffer that is left unchanged until the Future is done.
        :raises StreamClosedError: if the stream is closed. If it closes later, the Future raises this.
        :raises StreamBufferFullError: if the write buffer would exceed `max_write_buffer_size` bytes.
        :raises TypeError: if `data` is not bytes or a buffer. Nothing is sent.
        :raises RuntimeError: after `.IOStream.write_eof`.

        Cancelling the Future does not cancel the write: the bytes are still sent.
        """
        if self._state in CLOSED_STATES:
            raise self._closed_error("writing to")
        if self._eof_waiters or self._state in OUTPUT_ENDED_STATES:
            raise RuntimeError("write() after write_eof(): the sending side of this stream is closed")
        if self._collected is not None:
            self.flush_output()
        if type(data) is not bytes and not isinstance(data, (bytes, bytearray)):
            try:
                data = memoryview(data).cast("B")
            except TypeError as error:
                raise TypeError(f"write: data must be bytes, got {type(data).__name__}: {error}") from None
        size = len(data)
        if size:
            self._write_data(data, size)
        elif self.unsent_output and not self._has_writer and self._state in CONNECTED_STATES:
            self._flush()
        written = self.when_written()
        if callback is not None:
            import_object("tornado._tornado4.stream_callbacks.tell")(self, self.write, written, callback)
        return written

    def _write_data(self, data: bytes | bytearray | memoryview, size: int) -> None:
        output = self.unsent_output
        limit = self.max_write_buffer_size
        if limit is not None and (len(output) if output is not None else 0) + size > limit:
            raise StreamBufferFullError(
                f"Reached maximum write buffer size of {limit} bytes (max_write_buffer_size), writing to "
                f"{self.peer_name()}"
            )
        self._total_write_index += size
        if output is None and self._state in CONNECTED_STATES:
            try:
                sent = self._transmit(data)
            except Exception as error:
                self._write_failed(error)
                return
            self._total_write_done_index += sent
            if sent != size:
                self._append_unsent(data, sent)
        elif self._state not in CLOSED_STATES:
            self._write_buffer.append(data)
            if not self._has_writer and self._state in CONNECTED_STATES:
                self._flush()

    def when_written(self, rest: int = 0) -> asyncio.Future[None]:
        """Return a Future that is done when all bytes written so far, except the last `rest`, are sent."""
        if self._state not in CLOSED_STATES and (
            self.unsent_output is None or len(self.unsent_output) <= rest
        ):
            return done_future(self.loop)
        future: asyncio.Future[None] = self.loop.create_future()
        if self.closed():
            fail(future, self._closed_error("writing to"))
        else:
            if self._write_futures is None:
                self._write_futures = deque()
            # With `rest`, the index may be lower than the index of an earlier Future. Both Futures are then
            # resolved together.
            self._write_futures.append((self._total_write_index - rest, future))
        return future

    # -- for the protocols of this package --

    @property
    def pending_output(self) -> int:
        """The number of bytes, buffered or collected, that have not been passed to the kernel."""
        output = self.unsent_output
        return self.corked_size + (len(output) if output is not None else 0)

    @property
    def output_position(self) -> int:
        """The number of bytes of buffered output that have been passed to the kernel so far.

        Output of `send` that the kernel accepts immediately is not counted.
        """
        return self._total_write_done_index

    def send(self, data: bytes) -> bool:
        """Write without a Future.

        :returns: True if all of the data was passed to the kernel or collected, or the stream is closed;
            False if data is buffered, in which case the consumer's ``output_drained`` will be called.
        """
        if not self._corked:
            return self._send_or_buffer(data)
        collected = self._collected
        if collected is None:
            self._collected = data
        elif type(collected) is list:
            collected.append(data)
        else:
            self._collected = [collected, data]  # type: ignore[list-item]
        self.corked_size += len(data)
        return self.unsent_output is None

    def _send_or_buffer(self, data: bytes) -> bool:
        if self.unsent_output is None and self._state in CONNECTED_STATES:
            try:
                sent = self._transmit(data)
            except Exception as error:
                self._write_failed(error)
                return True
            if sent == len(data):
                return True
        elif self._state in CLOSED_STATES:
            return True
        else:
            sent = 0
        self._buffer_unsent(data, sent)
        return False

    def _buffer_unsent(self, data: bytes, sent: int) -> None:
        """Buffer all but the first `sent` bytes of `data`, and count them as written."""
        self._total_write_index += len(data) - sent
        self._append_unsent(data, sent)

    def _append_unsent(self, data: bytes | bytearray | memoryview, sent: int) -> None:
        """Buffer all but the first `sent` bytes of `data`."""
        if sent:
            data = memoryview(data).cast("B")[sent:]
        self._write_buffer.append(data)
        if self._state in CONNECTED_STATES:
            self._wait_until_writable()
        self._notify_output_waiting()

    def cork(self) -> None:
        """Make `send` only collect data, until `uncork` has been called for each `cork`."""
        self._corked += 1

    def uncork(self) -> None:
        """Undo one `cork`. The last call writes the collected data."""
        self._corked -= 1
        if self._collected is not None and not self._corked:
            self.flush_output()

    def flush_output(self) -> None:
        """Write the collected data, even if corked."""
        collected = self._collected
        if collected is None:
            return
        size, self._collected, self.corked_size = self.corked_size, None, 0
        if type(collected) is not list:
            self._send_or_buffer(collected)  # type: ignore[arg-type]
        elif size <= JOIN_LIMIT or len(collected) > _JOIN_COUNT:
            self._send_or_buffer(b"".join(collected))
        else:
            self._put_pieces(collected, size)

    def _put_pieces(self, pieces: list[bytes], size: int) -> None:
        for piece in pieces:
            self._send_or_buffer(piece)

    def send_file(self, piece: FileSegment) -> asyncio.Future[None]:
        """Send a file segment after all earlier output. The stream closes the segment.

        At most `FAIR_SHARE` bytes are sent per event loop iteration. If the file is shorter than the segment,
        the stream is closed, so that the peer does not mistake the data for the whole file.

        :returns: a Future that is done when the whole segment has been passed to the kernel. It fails with
            `StreamClosedError` if the stream closes before that.
        """
        if self._collected is not None:
            self.flush_output()
        if self._state in CLOSED_STATES:
            piece.close()
        else:
            self._total_write_index += piece.size
            self._write_buffer.append_file(piece)
            if not self._has_writer and self._state in CONNECTED_STATES:
                self._flush()
            if self.unsent_output is not None:
                self._notify_output_waiting()
        return self.when_written()

    def _transmit_file(self, piece: FileSegment, offset: int, size: int) -> int:
        """Write at most `size` bytes of a file segment; return the number written, 0 if it would block.

        :param offset: the offset of the first byte within the segment.
        """
        return self._transmit(piece.read(offset, size))

    # -- buffered data --

    def _flush(self) -> None:
        """Send buffered data until the descriptor would block or the share of this iteration is used up."""
        output = self.unsent_output
        share = max(FAIR_SHARE, LARGE_SHARE // max(1, self._open_streams().writing))
        blocked = False
        while output and share > 0 and not blocked and not self.closed():
            try:
                file = output.front_file()
                if file is not None:
                    share = min(share, FAIR_SHARE)
                    sent = self._transmit_file(*file, share)
                else:
                    with output.peek(share) as front:
                        sent = self._transmit(front)
                        blocked = sent < len(front)  # another send would only report that it would block
            except Exception as error:
                self._write_failed(error)
                return
            if not sent:
                break
            output.advance(sent)
            self._total_write_done_index += sent
            share -= sent
        if self.closed():
            return
        if output:
            self._wait_until_writable()
            self._settle_writes()
        else:
            self._drained()

    def _settle_writes(self) -> None:
        """Resolve the writes whose last byte has been sent."""
        futures = self._write_futures
        while futures and futures[0][0] <= self._total_write_done_index:
            _, future = futures.popleft()
            if not future.done():
                future.set_result(None)

    def _drained(self) -> None:
        """Drop the empty write buffer, resolve the Futures of all writes and notify the consumer."""
        output, self.unsent_output = self.unsent_output, None
        self._drop_writer()
        futures, self._write_futures = self._write_futures, None
        for _, future in futures or ():
            if not future.done():
                future.set_result(None)
        if output is not None:
            self._notify_output_drained()

    def _notify_output_drained(self) -> None:
        raise NotImplementedError

    def _notify_output_waiting(self) -> None:
        raise NotImplementedError

    def _before_close(self) -> None:
        if self._collected is not None and self._state in CONNECTED_STATES:
            self.flush_output()

    def _after_close(self) -> None:
        output, self.unsent_output = self.unsent_output, None
        if output is not None:
            output.clear()
        self._collected = None
        self.corked_size = 0
        futures, self._write_futures = self._write_futures, None
        for _, future in futures or ():
            fail(future, self._closed_error("writing to"))


class WriteTransport:
    """The interface to a stream's write side, without Futures, for the protocol that owns the stream.

    :param stream: the stream to write to.
    """

    __slots__ = ("stream",)

    def __init__(self, stream: WriteSide) -> None:
        self.stream = stream

    def send(self, data: bytes) -> None:
        """Write `data`. An error closes the stream."""
        self.stream.send(data)

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Write several pieces, with one system call if possible."""
        self.stream.cork()
        for piece in pieces:
            self.stream.send(piece)
        self.stream.uncork()

    def pending(self) -> int:
        """Return the number of bytes that have been written but not yet passed to the kernel."""
        return self.stream.pending_output
