"""`BaseIOStream`: pull mode, in which the program requests each read, over any file descriptor.

The call that starts a read first tries the buffer, then the descriptor. The read waits for the event loop
only if both together do not hold enough data. However fast a peer sends, a stream receives at most
`LARGE_SHARE` bytes per event loop iteration.
"""

from __future__ import annotations

import asyncio
import operator
import re
from collections.abc import Callable
from typing import Any

from tornado import ioloop
from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import LegacyParameterOrder, documented_as, merge_options
from tornado.iostream._core import LARGE_SHARE, fail
from tornado.iostream._errors import (
    StreamBufferFullError,
    UnsatisfiableReadError,
    is_connection_reset,
    log_read_error,
    remove_frames,
)
from tornado.iostream._push_mode import PushMode
from tornado.iostream._read_requests import (
    NOT_YET,
    ReadCount,
    ReadInto,
    ReadIntoFuture,
    ReadLargeCount,
    ReadRequest,
    ReadState,
    ReadUntilClose,
    ReadUntilDelimiter,
    ReadUntilRegex,
)
from tornado.iostream._state import CLOSED_STATES, CONNECTED_STATES
from tornado.log import gen_log
from tornado.netutil._error_context import add_error_context
from tornado.util import import_object

#: The cost of one receive call, expressed in bytes. It is added to the number of bytes received, and the sum
#: is limited to the stream's share of an event loop iteration (docs/design/0004).
_RECEIVE_COST = 16 * 1024

_ReadCallback = Callable[[bytes], object]


# The documented signatures of the methods whose second argument was a callback in Tornado 4. A program may
# pass that callback by position together with the current second argument by name, as in ``read_until(b"\n",
# callback, max_bytes=10)``. Python rejects such a call of a function that has the documented signature, so
# each method reorders its arguments itself: a wrapper took 2,000 of the 14,700 instructions of a read.

_UNTIL = LegacyParameterOrder(("max_bytes", "callback"), ("callback", "max_bytes"))
_BYTES = LegacyParameterOrder(
    ("partial", "callback", "streaming_callback"), ("callback", "streaming_callback", "partial")
)


def _read_until_regex(
    self: BaseIOStream, regex: bytes, max_bytes: int | None = None, callback: _ReadCallback | None = None
) -> asyncio.Future[bytes]:
    raise NotImplementedError


def _read_until(
    self: BaseIOStream, delimiter: bytes, max_bytes: int | None = None, callback: _ReadCallback | None = None
) -> asyncio.Future[bytes]:
    raise NotImplementedError


def _read_bytes(
    self: BaseIOStream,
    num_bytes: int,
    partial: bool = False,
    callback: _ReadCallback | None = None,
    streaming_callback: _ReadCallback | None = None,
) -> asyncio.Future[bytes]:
    raise NotImplementedError


class BaseIOStream(PushMode):
    """A stream over a non-blocking file descriptor.

    Only one read may be outstanding at a time; writes are queued. A subclass for another kind of descriptor
    defines `fileno`, `close_fd`, `read_from_fd`, `write_to_fd` and, if possible, `get_fd_error`.

    :param max_buffer_size: maximum size of the read buffer, in bytes; the default is 100 MiB.
    :param read_chunk_size: maximum size of one read from the descriptor, in bytes; the default is 64 KiB.
    :param max_write_buffer_size: maximum size of the write buffer, in bytes; unlimited by default.

    As in Tornado 4, methods that return a Future also accept a ``callback``, and `read_bytes` and
    `read_until_close` a ``streaming_callback``. Both are deprecated, as is the argument ``io_loop``, which is
    ignored.
    """

    __slots__ = ("_pull",)

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: ioloop.IOLoop | None = None,
    ) -> None:
        if io_loop is not None:
            ignored_loop(type(self).__name__)
        super().__init__(max_buffer_size, read_chunk_size, max_write_buffer_size)
        self._pull: ReadState | None = None

    @property
    def _read_buffer(self) -> bytearray:
        """The bytes that were received and have not been read."""
        return self._pull_state().buffer

    @property
    def _read_buffer_size(self) -> int:
        return self._pull.size() if self._pull is not None else 0

    def _pull_state(self) -> ReadState:
        pull = self._pull
        if pull is None:
            pull = self._pull = ReadState()
        return pull

    # -- public interface --

    def reading(self) -> bool:
        """Whether a read is outstanding."""
        return self._pull is not None and self._pull.is_reading()

    @documented_as(_read_until_regex)
    def read_until_regex(
        self,
        regex: bytes,
        *positional: Any,
        max_bytes: int | None = None,
        callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read until a regular expression matches; the Future's result is everything up to the match's end.

        :param regex: the pattern, as bytes. The search starts over as input arrives, so set `max_bytes` if
            the peer may send a lot of data without a match.
        :param max_bytes: close the stream if no match ends within this many bytes.
        :raises StreamClosedError: if the stream is closed and its buffer holds no match.
        :raises TypeError: if the pattern is not bytes, for example a str.
        """
        if (
            positional
            and len(positional) == 1
            and max_bytes is None
            and callback is None
            and not callable(positional[0])
        ):
            max_bytes = positional[0]
        elif positional or callback is not None:
            max_bytes, callback = merge_options("read_until_regex", positional, _UNTIL, (max_bytes, callback))
            if callback is not None:
                return _for_callback("read", self, self.read_until_regex, regex, max_bytes, callback)
        try:
            pattern = re.compile(regex)
            is_invalid = isinstance(pattern.pattern, str)
        except TypeError:
            is_invalid = True
        if is_invalid:
            raise TypeError(f"read_until_regex: regex must be a bytes pattern, got {regex!r}")
        return self._start_read(ReadUntilRegex(pattern, max_bytes))

    @documented_as(_read_until)
    def read_until(
        self,
        delimiter: bytes,
        *positional: Any,
        max_bytes: int | None = None,
        callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read until a delimiter is found; the Future's result is everything up to the delimiter's end.

        :param max_bytes: close the stream if the delimiter does not end within this many bytes.
        :raises StreamClosedError: if the stream is closed and its buffer does not contain the delimiter.
        :raises TypeError: if the delimiter is not bytes, for example a str.
        """
        if (
            positional
            and len(positional) == 1
            and max_bytes is None
            and callback is None
            and not callable(positional[0])
        ):
            max_bytes = positional[0]
        elif positional or callback is not None:
            max_bytes, callback = merge_options("read_until", positional, _UNTIL, (max_bytes, callback))
            if callback is not None:
                return _for_callback("read", self, self.read_until, delimiter, max_bytes, callback)
        if type(delimiter) is not bytes:
            try:
                delimiter = bytes(memoryview(delimiter))
            except TypeError:
                raise TypeError(f"read_until: delimiter must be bytes, got {delimiter!r}") from None
        return self._start_read(ReadUntilDelimiter(delimiter, max_bytes))

    @documented_as(_read_bytes)
    def read_bytes(
        self,
        num_bytes: int,
        *positional: Any,
        partial: bool | None = None,
        callback: _ReadCallback | None = None,
        streaming_callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read `num_bytes` bytes; with `partial`, up to that many as soon as any are available.

        :raises ValueError: if `num_bytes` is negative.
        :raises StreamClosedError: if the stream is closed and its buffer does not hold enough bytes.
        """
        if (
            positional
            and len(positional) == 1
            and partial is None
            and callback is None
            and streaming_callback is None
            and not callable(positional[0])
        ):
            partial = positional[0]
        elif positional or callback is not None or streaming_callback is not None:
            partial, callback, streaming_callback = merge_options(
                "read_bytes", positional, _BYTES, (partial, callback, streaming_callback)
            )
            if callback is not None or streaming_callback is not None:
                return _for_callback("read_bytes", self, num_bytes, partial, callback, streaming_callback)
        try:
            size = operator.index(num_bytes)
        except TypeError:
            raise TypeError(f"read_bytes: num_bytes must be an int, got {num_bytes!r:.100}") from None
        if size < 0:
            raise ValueError(f"read_bytes: num_bytes must not be negative, got {size}")
        if partial or not self.read_chunk_size < size <= self.max_buffer_size:
            return self._start_read(ReadCount(size, bool(partial)))
        return self._start_read(ReadLargeCount(size))

    def read_into(
        self,
        buf: bytearray | memoryview,
        partial: bool = False,
        callback: Callable[[int], object] | None = None,
    ) -> asyncio.Future[int]:
        """Read into a writable buffer until it is full; with `partial`, until it holds at least one byte.

        The Future's result is the number of bytes read. Do not use the buffer until the Future is done or
        cancelled. Large reads are received directly into it, without a copy.

        :raises StreamClosedError: if the stream is closed and its buffer does not hold enough bytes.
        """
        if callback is not None or (partial and callable(partial)):
            return _for_callback("read", self, self.read_into, buf, partial, callback)
        return self._start_read(ReadInto(buf, partial))

    def read_until_close(
        self,
        callback: Callable[[bytes], object] | None = None,
        streaming_callback: Callable[[bytes], object] | None = None,
    ) -> asyncio.Future[bytes]:
        """Read everything until the stream is closed, up to ``max_buffer_size`` bytes."""
        if callback is not None or streaming_callback is not None:
            return _for_callback("read_until_close", self, callback, streaming_callback)
        return self._start_read(ReadUntilClose())

    def set_nodelay(self, value: bool) -> None:
        """Send small writes without delay (True), if the descriptor has such a setting."""

    # -- one read --

    def _start_read(self, request: ReadRequest) -> asyncio.Future[Any]:
        pull = self._pull or self._pull_state()
        if pull.future is not None and pull.is_reading():
            raise AssertionError(
                "Already reading: await the outstanding read first. gen.with_timeout does not cancel a read "
                "that timed out: cancel its Future"
            )
        if self.consumer is not None:
            self.consumer.input_wanted()
        if self.consumer is not None:
            raise AssertionError("a protocol consumes the input of this stream: detach() it before reading")
        future: asyncio.Future[Any]
        if type(request) is ReadInto:
            future = ReadIntoFuture(loop=self.loop)
            future.pull = pull
        else:
            future = self.loop.create_future()
        try:
            size = request.find(pull.buffer, self._state in CLOSED_STATES) if pull.buffer else NOT_YET
        except UnsatisfiableReadError:
            size = NOT_YET  # `_try_satisfy` raises it again and closes the stream
        if size != NOT_YET:
            future.set_result(request.take(pull.buffer, size))
        else:
            pull.request, pull.future = request, future
            try:
                self._try_inline_read()
            except BaseException:
                pull.drop()
                if future.done() and not future.cancelled():
                    future.exception()
                raise
        if self._state not in CLOSED_STATES:
            if not future.done():
                if self._state in CONNECTED_STATES:
                    self._wait_for_input()
            elif self._close_callback is not None:
                self._watch_for_close()
        return future

    def _try_inline_read(self) -> None:
        """Resolve the outstanding read if the buffer or the descriptor holds enough data."""
        pull = self._pull_state()
        if self._try_satisfy(pull, self._state in CLOSED_STATES):
            return
        if self._state in CLOSED_STATES:
            if not isinstance(pull.request, ReadUntilClose):
                raise self._closed_error("reading from")
            pull.finish(len(pull.buffer))
        elif self._state in CONNECTED_STATES and pull.iteration_cost < LARGE_SHARE:
            self._receive_until_satisfied(pull)

    def _try_satisfy(self, pull: ReadState, no_more_data: bool) -> bool:
        """Resolve the outstanding read if possible.

        :returns: True if no read is outstanding afterwards.
        """
        request = pull.request
        if request is None:
            return True
        try:
            size = request.find(pull.buffer, no_more_data)
        except UnsatisfiableReadError as error:
            gen_log.info(
                "Unsatisfiable read, closing connection: %s (reading from %s)", error, self.peer_name()
            )
            self.close(remove_frames(error))
            return True
        if size != NOT_YET:
            pull.finish(size)
            return True
        if pull.size() > self.max_buffer_size:
            full = StreamBufferFullError(
                f"Reached maximum read buffer size of {self.max_buffer_size} bytes (max_buffer_size), "
                f"reading from {self.peer_name()}"
            )
            gen_log.error("%s", full)
            self.close(full)
            raise full
        return False

    def _receive_until_satisfied(self, pull: ReadState) -> None:
        """Receive until the read is satisfied, the descriptor would block, or the share is used up."""
        request = pull.request
        while pull.iteration_cost < LARGE_SHARE:
            receive_buffer = request.receive_buffer() if request is not None and not pull.buffer else None
            if receive_buffer is None:
                asked, count = self.read_chunk_size, self._read_once(pull)
            else:
                asked, count = len(receive_buffer), self._receive_into(receive_buffer)
            if not count:
                self._handle_empty_descriptor(pull, ended=count == 0)
                return
            pull.iteration_cost += count + _RECEIVE_COST
            if receive_buffer is None:
                if self._try_satisfy(pull, False):
                    return
            elif request is not None and request.add_received(count):
                pull.finish(0)
                return
            # After a full chunk, receive again: more data is likely to be available.
            if count < min(asked, self.read_chunk_size) and self._short_receive_means_empty():
                self._handle_empty_descriptor(pull, ended=False)
                return
        self._try_satisfy(pull, True)

    def _short_receive_means_empty(self) -> bool:
        """Whether a receive that returns fewer bytes than requested has emptied the descriptor."""
        return False

    def _handle_empty_descriptor(self, pull: ReadState, ended: bool) -> None:
        """Handle a descriptor that would block, or that has reached the end of input.

        :param ended: whether the end of input was reached.
        """
        request = pull.request
        if ended and request is not None:
            request.stop_postponing()
        if self._try_satisfy(pull, True):
            return
        if ended:
            self.close()
        elif request is not None and request.retry is not None and not pull.retry_scheduled:
            pull.retry_scheduled = True
            self.loop.call_later(request.retry, self._retry_search, pull)

    def _retry_search(self, pull: ReadState) -> None:
        """Run a search that was postponed."""
        pull.retry_scheduled = False
        if pull is self._pull and pull.is_reading():
            self._pull_readable()

    def _read_once(self, pull: ReadState) -> int | None:
        """Receive once into the read buffer; return a count as `read_from_fd` does."""
        try:
            data = self._receive(self.read_chunk_size)
        except Exception as error:
            self._receive_failed(error)
            return None
        if data is None:
            return None
        if data:
            pull.add(data)
        return len(data)

    def _receive_into(self, view: memoryview) -> int | None:
        try:
            with view:
                return self.read_from_fd(view)
        except Exception as error:
            self._receive_failed(error)
            return None

    def _receive_failed(self, error: Exception) -> None:
        """Close the stream, and re-raise `error` unless it is a connection reset."""
        self.close(add_error_context(error, f"reading from {self.peer_name()}"))
        if not is_connection_reset(error):
            raise error
        remove_frames(error)

    # -- events --

    def _on_readable(self) -> None:
        if self.consumer is not None:
            self._push_readable()
        elif self._state not in CLOSED_STATES:
            self._pull_readable()

    def _pull_readable(self) -> None:
        pull = self._pull_state()
        pull.iteration_cost = 0
        try:
            if pull.is_reading():
                self._receive_until_satisfied(pull)
                pull.iteration_cost = 0  # the code that awaited the read resumes in the next iteration
            elif self._watches_for_close():
                if self._read_once(pull) == 0:
                    self.close()
            else:  # no read is outstanding; the next read adds the reader again
                self._drop_reader()
                if self._close_callback is not None or self.suspended_consumer is not None:
                    self.watch_unread()
                return
        except Exception as error:
            log_read_error(error)
            self.close(error)
            remove_frames(error)
        if self._state not in CLOSED_STATES:
            if pull.is_reading():
                self._wait_for_input()
            elif self._close_callback is not None:
                self._watch_for_close()

    def _on_hang_up(self, broken: bool) -> None:
        if self.consumer is not None:
            super()._on_hang_up(broken)
        elif broken and self._state not in CLOSED_STATES:
            error = self._require_connection_error()
            pull = self._pull_state()
            try:
                # Receive all data that has arrived, because it can still be read after the close. The size of
                # the kernel's buffer limits the amount.
                while pull.size() < self.max_buffer_size and self._read_once(pull):
                    pass
            except Exception as fault:
                log_read_error(fault)
                remove_frames(fault)
            self.close(error)

    def _watches_for_close(self) -> bool:
        """Whether to receive up to one chunk without an outstanding read, to detect the end of input."""
        return self._close_callback is not None and self._read_buffer_size < self.read_chunk_size

    def _watch_for_close(self) -> None:
        if self.consumer is None and self._state in CONNECTED_STATES and self._watches_for_close():
            self._wait_for_input()

    def _on_ready(self) -> None:
        """Start the reads and writes that waited for the connection and its handshake."""
        if self.unsent_output:
            self._flush()
        if self.closed():
            return
        if self.consumer is not None:
            if not self._paused:
                self._wait_for_input()
        elif self.reading():
            self._wait_for_input()
        elif self._close_callback is not None:
            self._watch_for_close()

    # -- switching modes, and closing --

    def _take_read_buffer(self) -> bytes:
        pull = self._pull
        if pull is None:
            return b""
        if pull.is_reading():
            raise AssertionError("Already reading: a protocol cannot consume the input of this stream")
        self._pull = None
        return bytes(pull.buffer)

    def unread(self, data: bytes) -> None:
        """Return bytes to the front of the read buffer, to be read again."""
        if data:
            self._pull_state().buffer[:0] = data

    def _before_close(self) -> None:
        super()._before_close()
        pull = self._pull
        if pull is None or not pull.is_reading() or not isinstance(pull.request, ReadUntilClose):
            return
        # A reset ends the input like an orderly close, because some systems report an orderly close as a
        # reset. After any other error the data is incomplete.
        if self.error is None or is_connection_reset(self.error):
            pull.finish(len(pull.buffer))

    def _after_close(self) -> None:
        pull = self._pull
        if pull is not None and pull.future is not None:
            fail(pull.drop(), self._closed_error("reading from"))
        super()._after_close()


def _for_callback(name: str, *args: Any) -> asyncio.Future[Any]:
    """Call a function of `_tornado4.stream_callbacks`, which is imported on first use."""
    started: asyncio.Future[Any] = getattr(import_object("tornado._tornado4.stream_callbacks"), name)(*args)
    return started
