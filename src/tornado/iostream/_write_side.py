"""The writing side of a stream, for both of its modes.

What is written goes to the kernel at once where nothing is waiting; only what it does not take is kept, and
only then is the loop asked to tell when there is room. A stream that has nothing to send keeps no buffer.

`_send` is for our own protocols: no Future, and between `_cork` and `_uncork` it only collects. `write` is
the public face, with a Future a call. Their bytes leave in the order of the calls.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Iterable

from tornado._tasks import done_future
from tornado.iostream._core import FAIR_SHARE, LARGE_SHARE, StreamCore, fail
from tornado.iostream._errors import StreamBufferFullError, is_connection_reset, without_frames
from tornado.iostream._file_segment import FileSegment
from tornado.iostream._write_buffer import _StreamBuffer
from tornado.log import gen_log
from tornado.netutil._error_context import placed
from tornado.util import import_object

#: Collected pieces are joined into one up to this many bytes; more than that is handed over piece by piece.
_JOIN_LIMIT = 64 * 1024
_JOIN_COUNT = 64


class SendState(enum.Enum):
    """What a stream may still send: OPEN, then ENDING from `write_eof` on, then ENDED."""

    OPEN = 1
    #: What was written before is being sent, or the handshake comes first.
    ENDING = 2
    ENDED = 3


class WriteSide(StreamCore):
    """Sending, and what waits to be sent."""

    __slots__ = (
        "_collected",
        "_collected_size",
        "_corked",
        "_output",
        "_total_write_done_index",
        "_total_write_index",
        "_write_futures",
        "max_write_buffer_size",
    )

    #: Most bytes that may wait to be written, or None for no limit.
    max_write_buffer_size: int | None
    # In the instance's __dict__ where it is another: few streams are half-closed, and an idle one is small.
    _sending = SendState.OPEN

    def __init__(self, max_write_buffer_size: int | None = None) -> None:
        super().__init__()
        self.max_write_buffer_size = max_write_buffer_size
        self._output: _StreamBuffer | None = None
        self._total_write_index = 0
        self._total_write_done_index = 0
        self._write_futures: deque[tuple[int, asyncio.Future[None]]] | None = None
        self._corked = 0
        self._collected: bytes | list[bytes] | None = None
        self._collected_size = 0

    @property
    def _write_buffer(self) -> _StreamBuffer:
        """What waits to be written.

        Programs append to it themselves, add to ``_total_write_index`` and call ``write(b"")``.
        """
        if self._output is None:
            self._output = _StreamBuffer()
        return self._output

    # -- the descriptor --

    def write_to_fd(self, data: memoryview) -> int:
        """Write without blocking as much of `data` as the descriptor takes.

        :returns: the number of bytes taken; 0 where it takes none now (`BlockingIOError` says the same).

        Any other error closes the stream.
        """
        raise NotImplementedError

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        """Hand bytes to the descriptor: how many it took, 0 for none at present."""
        try:
            with memoryview(data) as view:  # released, as an error's traceback would keep it
                return self.write_to_fd(view) or 0
        except BlockingIOError:
            return 0

    def _write_failed(self, error: Exception) -> None:
        placed(error, f"writing to {self._peer_name()}")
        if not is_connection_reset(error):
            # What is no error of the system's is a mistake in `write_to_fd`: where, the traceback tells.
            place = None if isinstance(error, OSError) else error
            gen_log.warning("Write error on %s: %s", self._number(), error, exc_info=place)
        self.close(without_frames(error))

    def _wait_for_room(self) -> None:
        """Have `_on_writable` called when the descriptor takes bytes again."""
        self._add_writer()

    def _on_writable(self) -> None:
        self._flush()

    # -- the public face --

    def writing(self) -> bool:
        """Whether written bytes are still waiting to be sent."""
        return bool(self._output)

    def write(
        self,
        data: bytes | bytearray | memoryview,
        callback: Callable[[], object] | None = None,
    ) -> asyncio.Future[None]:
        """Write bytes; the Future is done when all of them, and all before them, were handed to the kernel.

        There is no need to wait for it, but whoever never does lets the buffer grow.

        :param data: bytes, or a buffer of them in one piece, which is to be left unchanged until then.
        :raises StreamClosedError: if the stream is closed. If it closes later, the Future gets this.
        :raises StreamBufferFullError: if more than `max_write_buffer_size` bytes would be waiting.
        :raises TypeError: for anything else than bytes. Nothing of it is sent.
        :raises RuntimeError: after `.IOStream.write_eof`.

        A Future that is cancelled takes nothing back: the bytes are sent all the same.
        """
        if self._closed:
            raise self._closed_error("writing to")
        if self._sending is not SendState.OPEN:
            raise RuntimeError("write() after write_eof(): nothing more can be sent on this stream")
        if self._collected is not None:
            self._flush_now()
        if type(data) is not bytes and not isinstance(data, (bytes, bytearray)):
            try:
                data = memoryview(data).cast("B")
            except TypeError as error:
                raise TypeError(f"write: data takes bytes, not {type(data).__name__}: {error}") from None
        size = len(data)
        if size:
            self._accept(data, size)
        elif self._output and not self._writer_on and not self._suspended:
            self._flush()
        written = self._written()
        if callback is not None:
            import_object("tornado._tornado4.stream_callbacks.tell")(self, self.write, written, callback)
        return written

    def _accept(self, data: bytes | bytearray | memoryview, size: int) -> None:
        output = self._output
        limit = self.max_write_buffer_size
        if limit is not None and (len(output) if output is not None else 0) + size > limit:
            raise StreamBufferFullError(
                f"Reached maximum write buffer size of {limit} bytes, writing to {self._peer_name()}"
            )
        self._total_write_index += size
        if output is None and not self._suspended:
            try:
                sent = self._transmit(data)
            except Exception as error:
                self._write_failed(error)
                return
            self._total_write_done_index += sent
            if sent != size:
                self._keep(data, sent)
        elif not self._closed:
            self._write_buffer.append(data)
            if not self._writer_on and not self._suspended:
                self._flush()

    def _written(self, rest: int = 0) -> asyncio.Future[None]:
        """A Future for everything written so far but the last `rest` bytes, or for some of these, too."""
        if not self._closed and (self._output is None or len(self._output) <= rest):
            return done_future(self._loop)
        future: asyncio.Future[None] = self._loop.create_future()
        if self._closed:
            fail(future, self._closed_error("writing to"))
        else:
            if self._write_futures is None:
                self._write_futures = deque()
            # Behind one that waits for more it is settled with that.
            self._write_futures.append((self._total_write_index - rest, future))
        return future

    # -- for our own protocols --

    @property
    def _pending_output(self) -> int:
        """Bytes that were written but not handed to the kernel: waiting for it, or collected."""
        output = self._output
        return self._collected_size + (len(output) if output is not None else 0)

    def _send(self, data: bytes) -> bool:
        """Write without a Future.

        :returns: True when all of it was handed to the kernel or collected, or the stream is closed; False
            when bytes are waiting, in which case the consumer's ``output_drained`` will be called.
        """
        if not self._corked:
            return self._put(data)
        collected = self._collected
        if collected is None:
            self._collected = data
        elif type(collected) is list:
            collected.append(data)
        else:
            self._collected = [collected, data]  # type: ignore[list-item]
        self._collected_size += len(data)
        return self._output is None

    def _put(self, data: bytes) -> bool:
        if self._output is None and not self._suspended:
            try:
                sent = self._transmit(data)
            except Exception as error:
                self._write_failed(error)
                return True
            if sent == len(data):
                return True
        elif self._closed:
            return True
        else:
            sent = 0
        self._leave(data, sent)
        return False

    def _leave(self, data: bytes, sent: int) -> None:
        """Queue what the descriptor did not take of `data`."""
        self._total_write_index += len(data) - sent
        self._keep(data, sent)

    def _keep(self, data: bytes | bytearray | memoryview, sent: int) -> None:
        """Queue what the descriptor did not take of `data`."""
        if sent:
            data = memoryview(data).cast("B")[sent:]
        self._write_buffer.append(data)
        if not self._suspended:
            self._wait_for_room()
        self._tell_waiting()

    def _cork(self) -> None:
        """From now on `_send` collects, until as many `_uncork` calls have come."""
        self._corked += 1

    def _uncork(self) -> None:
        """The counterpart of `_cork`: the last one hands over what was collected."""
        self._corked -= 1
        if self._collected is not None and not self._corked:
            self._flush_now()

    def _flush_now(self) -> None:
        """Hand over what was collected, corked or not."""
        collected = self._collected
        if collected is None:
            return
        size, self._collected, self._collected_size = self._collected_size, None, 0
        if type(collected) is not list:
            self._put(collected)  # type: ignore[arg-type]
        elif size <= _JOIN_LIMIT or len(collected) > _JOIN_COUNT:
            self._put(b"".join(collected))
        else:
            self._put_pieces(collected, size)

    def _put_pieces(self, pieces: list[bytes], size: int) -> None:
        for piece in pieces:
            self._put(piece)

    def _send_file(self, piece: FileSegment) -> asyncio.Future[None]:
        """Send a piece of a file, after all that was sent before; the stream closes it.

        :returns: a Future that is done when all of it was handed to the kernel, or has failed with
            `StreamClosedError`. No more than a fair share is sent in one turn of the loop. A file that turns
            out shorter than the piece closes the stream: nobody takes what was sent for the whole.
        """
        if self._collected is not None:
            self._flush_now()
        if self._closed:
            piece.close()
        else:
            self._total_write_index += piece.size
            self._write_buffer.append_file(piece)
            if not self._writer_on and not self._suspended:
                self._flush()
            if self._output is not None:
                self._tell_waiting()
        return self._written()

    def _transmit_file(self, piece: FileSegment, offset: int, size: int) -> int:
        """Hand at most `size` bytes of a file to the descriptor: how many it took, 0 for none at present.

        `offset` is that of the first one in `piece`.
        """
        return self._transmit(piece.read(offset, size))

    # -- what waits --

    def _flush(self) -> None:
        """Send what waits, as far as the descriptor takes it, and no more than a fair share."""
        output = self._output
        share = max(FAIR_SHARE, LARGE_SHARE // max(1, self._open_streams().writing))
        full = False
        while output and share > 0 and not full and not self._closed:
            try:
                file = output.front_file()
                if file is not None:
                    share = min(share, FAIR_SHARE)
                    sent = self._transmit_file(*file, share)
                else:
                    with output.peek(share) as front:
                        sent = self._transmit(front)
                        full = sent < len(front)  # to try again would cost a call for nothing
            except Exception as error:
                self._write_failed(error)
                return
            if not sent:
                break
            output.advance(sent)
            self._total_write_done_index += sent
            share -= sent
        if self._closed:
            return
        if output:
            self._wait_for_room()
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
        """Nothing is waiting any more."""
        output, self._output = self._output, None
        self._drop_writer()
        futures, self._write_futures = self._write_futures, None
        for _, future in futures or ():
            if not future.done():
                future.set_result(None)
        if output is not None:
            self._tell_drained()

    def _tell_drained(self) -> None:
        raise NotImplementedError

    def _tell_waiting(self) -> None:
        raise NotImplementedError

    def _before_close(self) -> None:
        if self._collected is not None and not self._suspended:
            self._flush_now()

    def _after_close(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.clear()
        self._collected = None
        self._collected_size = 0
        futures, self._write_futures = self._write_futures, None
        for _, future in futures or ():
            fail(future, self._closed_error("writing to"))


class WriteChannel:
    """Writing to a stream without Futures, for the protocol that owns the stream.

    :param stream: any stream.
    """

    __slots__ = ("stream",)

    def __init__(self, stream: WriteSide) -> None:
        self.stream = stream

    def send(self, data: bytes) -> None:
        """Write. A failure closes the stream."""
        self.stream._send(data)

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Write several pieces, in one call to the kernel where that is possible."""
        self.stream._cork()
        for piece in pieces:
            self.stream._send(piece)
        self.stream._uncork()

    def pending(self) -> int:
        """The number of bytes that were written and are not handed to the kernel yet."""
        return self.stream._pending_output
