"""The state of pull mode: the read buffer and the outstanding read.

Each kind of read is a small class with two main methods: `find` returns how many bytes of the buffer satisfy
the read, and `take` converts them to the result. Bytes that have been searched for a delimiter are not
searched again, except for the last few, in which a delimiter may begin. A regular expression can only be
matched from the start of the buffer; see `ReadUntilRegex`.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import Any

from tornado.iostream._errors import UnsatisfiableReadError

#: Returned by `find` when the buffer does not satisfy the read yet.
NOT_YET = -1
#: While at most this many bytes are buffered, a regular expression is searched for whenever data arrives; see
#: `ReadUntilRegex`.
EAGER_SIZE = 64 * 1024
#: Above `EAGER_SIZE`, the next search is delayed by this many times the duration of the last search.
SEARCH_PAUSE_FACTOR = 20
#: A read into a caller's buffer receives directly into it while at least this many bytes are missing.
_DIRECT_SIZE = 4096
#: A result of at most `_MAX_PREALLOCATED` bytes is allocated at its full size before data arrives. A larger
#: result is allocated when ``1 / _PREALLOCATION_DIVISOR`` of its bytes have arrived.
_MAX_PREALLOCATED = 1024 * 1024
_PREALLOCATION_DIVISOR = 4
#: Up to this many bytes, two copies are cheaper than one copy through a `memoryview`.
_SMALL_RESULT = 4096


class ReadRequest:
    """An outstanding read."""

    __slots__ = ()

    #: Seconds after which to call `find` again even if no data has arrived; None for never.
    retry: float | None = None
    #: Bytes that the read has taken out of the read buffer. They count towards the buffer's maximum size.
    taken_size: int = 0

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        """Return how many bytes at the front of `buffer` satisfy this read, or `NOT_YET`.

        :param no_more_data: whether no more data is available now. If more is available, a costly search may
            be postponed until that data has been received.
        :raises UnsatisfiableReadError: if further bytes cannot satisfy the read.
        """
        raise NotImplementedError

    def stop_postponing(self) -> None:
        """Prevent the next `find` from postponing its search, because the input has ended."""

    def take(self, buffer: bytearray, size: int) -> Any:
        """Remove the `size` bytes that were found, and return the result of the read."""
        if size == len(buffer):
            result = bytes(buffer)
            buffer.clear()
        elif size <= _SMALL_RESULT:
            result = bytes(buffer[:size])
            del buffer[:size]
        else:
            with memoryview(buffer) as view:
                result = bytes(view[:size])
            del buffer[:size]
        return result

    def is_exact_result(self, data: bytes) -> bool:
        """Whether `data`, received while the read buffer is empty, is exactly the result of this read."""
        return False

    def accept(self, data: bytes | bytearray) -> bool:
        """Take ownership of `data`, received while the read buffer is empty.

        :returns: False if `data` must be appended to the read buffer instead.
        """
        return False

    def receive_buffer(self) -> memoryview | None:
        """Return the memory to receive into while the read buffer is empty, None to use the read buffer.

        The caller must release the view.
        """
        return None

    def add_received(self, count: int) -> bool:
        """Account for `count` bytes received into the memory that `receive_buffer` returned.

        :returns: whether the read is satisfied.
        """
        raise NotImplementedError

    def return_to(self, buffer: bytearray) -> None:
        """Return the bytes that the read has taken to `buffer`, because the read was cancelled."""


class ReadUntilDelimiter(ReadRequest):
    """A read up to and including a delimiter."""

    __slots__ = ("delimiter", "max_bytes", "searched")

    def __init__(self, delimiter: bytes, max_bytes: int | None) -> None:
        self.delimiter = delimiter
        self.max_bytes = max_bytes
        self.searched = 0

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        delimiter = self.delimiter
        position = buffer.find(delimiter, max(0, self.searched - len(delimiter) + 1) if self.searched else 0)
        size = len(buffer) if position < 0 else position + len(delimiter)
        if self.max_bytes is not None and size > self.max_bytes:
            raise UnsatisfiableReadError(
                f"delimiter {delimiter!r} not found within {self.max_bytes} bytes (max_bytes)"
            )
        self.searched = size
        return NOT_YET if position < 0 else size

    def is_exact_result(self, data: bytes) -> bool:
        if not data.endswith(self.delimiter) or data.find(self.delimiter) + len(self.delimiter) != len(data):
            return False
        return self.max_bytes is None or len(data) <= self.max_bytes


class ReadUntilRegex(ReadRequest):
    """A read up to and including the first match of a regular expression.

    A regular expression can only be matched from the start of the buffer, so a search on every arrival would
    take quadratic time. While more data is available immediately, the buffer is searched only when it has
    doubled. Otherwise it is searched on each arrival, up to `EAGER_SIZE`. Above that size a peer that sends
    single bytes would cause a search of the whole buffer for each byte, so the search is postponed until the
    buffer has grown by an eighth, or until `SEARCH_PAUSE_FACTOR` times the duration of the last search has
    passed.
    """

    __slots__ = ("_cost", "_searched_at", "max_bytes", "pattern", "retry", "searched")

    def __init__(self, pattern: re.Pattern[bytes], max_bytes: int | None) -> None:
        self.pattern = pattern
        self.max_bytes = max_bytes
        self.searched = -1
        self.retry = None
        self._searched_at = self._cost = 0.0

    def stop_postponing(self) -> None:
        self._cost = 0.0

    def _postpones(self, size: int, no_more_data: bool) -> bool:
        """Whether to postpone the search."""
        if size == self.searched:
            return True
        if not no_more_data:
            return size < 2 * self.searched
        if size <= EAGER_SIZE or size >= self.searched + self.searched // 8:
            return False
        delay = self._searched_at + self._cost * SEARCH_PAUSE_FACTOR - time.monotonic()
        if delay <= 0:
            return False
        self.retry = delay
        return True

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        size = len(buffer)
        exceeds_limit = self.max_bytes is not None and size > self.max_bytes
        self.retry = None
        if self._postpones(size, no_more_data) and not exceeds_limit:
            return NOT_YET
        self.searched = size
        start = time.monotonic()
        match = self.pattern.search(buffer)
        self._searched_at = time.monotonic()
        self._cost = self._searched_at - start
        if match is not None:
            size = match.end()
        if self.max_bytes is not None and size > self.max_bytes:
            raise UnsatisfiableReadError(
                f"{self.pattern.pattern!r} not found within {self.max_bytes} bytes (max_bytes)"
            )
        return NOT_YET if match is None else size


class AccumulatingRead(ReadRequest):
    """A read that does not search its data: received bytes are appended directly to the result.

    Bytes in the read buffer would have to be copied at the end, and would be in memory twice during the copy.
    """

    __slots__ = ("result_buffer", "taken_size")

    def __init__(self) -> None:
        self.taken_size = 0
        self.result_buffer: io.BytesIO | None = None

    def accept_buffer(self, buffer: bytearray) -> None:
        """Move all bytes from the buffer to the result."""
        if buffer:
            self.accept(buffer)
            buffer.clear()

    def accept(self, data: bytes | bytearray) -> bool:
        if self.result_buffer is None:
            self.result_buffer = io.BytesIO()
        self.taken_size += self.result_buffer.write(data)
        return True

    def take(self, buffer: bytearray, size: int) -> bytes:
        rest: bytes = super().take(buffer, size)
        if self.result_buffer is None:
            return rest
        self.result_buffer.write(rest)
        return self.result_buffer.getvalue()  # not a copy: a BytesIO shares its memory with the value

    def return_to(self, buffer: bytearray) -> None:
        if self.result_buffer is not None:
            with self.result_buffer.getbuffer() as view:
                buffer[:0] = view[: self.taken_size]


class ReadCount(AccumulatingRead):
    """A read of `size` bytes or, if `partial`, of at least one and at most `size` bytes."""

    __slots__ = ("partial", "size")

    def __init__(self, size: int, partial: bool) -> None:
        super().__init__()
        self.size = size
        self.partial = partial

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        available = len(buffer)
        missing = self.size - self.taken_size
        if available >= missing:
            return missing
        if self.partial:
            return available or NOT_YET
        self.accept_buffer(buffer)
        return NOT_YET

    def is_exact_result(self, data: bytes) -> bool:
        return not self.taken_size and (len(data) == self.size or (self.partial and len(data) < self.size))

    def accept(self, data: bytes | bytearray) -> bool:
        return not self.partial and len(data) <= self.size - self.taken_size and super().accept(data)


class ReadLargeCount(ReadCount):
    """A read of more bytes than one receive returns. They are received directly into the result.

    The result is allocated at its full size: a growing buffer would be moved in memory repeatedly, and the
    system would map and unmap pages each time. A result of more than `_MAX_PREALLOCATED` bytes is allocated
    only when a part of it has arrived, because a peer may announce more data than it sends.
    """

    __slots__ = ("allocated",)

    def __init__(self, size: int) -> None:
        super().__init__(size, False)
        self.allocated = False

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        if no_more_data and not self.taken_size:  # nothing has arrived: allocate no memory while waiting
            self.allocated, self.result_buffer = False, None
        return super().find(buffer, no_more_data)

    def receive_buffer(self) -> memoryview | None:
        size, taken_size, result_buffer = self.size, self.taken_size, self.result_buffer
        if not self.allocated:
            if size > _MAX_PREALLOCATED and taken_size < size // _PREALLOCATION_DIVISOR:
                return None
            self.allocated = True
            self.result_buffer = io.BytesIO(bytes(size))  # does not copy the bytes object
            if result_buffer is not None:
                self.result_buffer.write(result_buffer.getbuffer())
            result_buffer = self.result_buffer
        assert result_buffer is not None
        return result_buffer.getbuffer()[taken_size:]

    def add_received(self, count: int) -> bool:
        assert self.result_buffer is not None
        self.taken_size += count
        self.result_buffer.seek(self.taken_size)
        return self.taken_size == self.size


class ReadInto(ReadRequest):
    """A read into a caller's buffer, until it is full or, if `partial`, until it holds at least one byte.

    The result is the number of bytes read.
    """

    __slots__ = ("filled", "partial", "view")

    def __init__(self, target: bytearray | memoryview, partial: bool) -> None:
        view = memoryview(target)
        if view.readonly:
            raise TypeError(f"read_into: buf must be a writable buffer, got {type(target).__name__}")
        self.view = view if view.itemsize == 1 and view.ndim == 1 else view.cast("B")
        self.partial = partial
        self.filled = 0

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        if buffer:
            count = min(len(buffer), len(self.view) - self.filled)
            with memoryview(buffer) as source:
                self.view[self.filled : self.filled + count] = source[:count]
            del buffer[:count]
            self.filled += count
        if self.filled == len(self.view) or (self.partial and self.filled):
            return 0
        return NOT_YET

    def take(self, buffer: bytearray, size: int) -> int:
        self.view.release()
        return self.filled

    def receive_buffer(self) -> memoryview | None:
        return self.view[self.filled :] if len(self.view) - self.filled >= _DIRECT_SIZE else None

    def add_received(self, count: int) -> bool:
        self.filled += count
        return self.partial or self.filled == len(self.view)

    def return_to(self, buffer: bytearray) -> None:
        if self.filled:
            buffer[:0] = self.view[: self.filled]
        self.view.release()


class ReadUntilClose(AccumulatingRead):
    """A read of everything up to the end of input. `BaseIOStream.close` resolves it."""

    __slots__ = ()

    def find(self, buffer: bytearray, no_more_data: bool) -> int:
        self.accept_buffer(buffer)
        return NOT_YET


class ReadIntoFuture(asyncio.Future[int]):
    """The Future of a `ReadInto`. `cancel` releases the caller's buffer before it returns.

    A done callback would run in the next event loop iteration. Until then the caller might write to the
    buffer, and overwrite received bytes before they are returned to the read buffer.
    """

    pull: ReadState  # set by the creator, because an __init__ would double the cost of creating the Future

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the read; see `asyncio.Future.cancel`."""
        cancelled = super().cancel(msg)
        self.pull.is_reading()
        return cancelled


class ReadState:
    """The read buffer and the outstanding read of one stream."""

    __slots__ = ("buffer", "future", "iteration_cost", "request", "retry_scheduled")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.request: ReadRequest | None = None
        self.future: asyncio.Future[Any] | None = None
        #: Bytes received in this event loop iteration, plus `_RECEIVE_COST` for each receive call.
        self.iteration_cost = 0
        #: Whether a postponed search is scheduled.
        self.retry_scheduled = False

    def size(self) -> int:
        """Return the number of bytes that were received and have not been returned by a read."""
        return len(self.buffer) + (self.request.taken_size if self.request is not None else 0)

    def is_reading(self) -> bool:
        """Whether a read is outstanding. The bytes of a cancelled read are returned to the buffer."""
        future = self.future
        if future is None:
            return False
        if future.done():
            self.drop()
            return False
        return True

    def drop(self) -> asyncio.Future[Any] | None:
        """Drop the outstanding read and return its bytes to the buffer.

        :returns: the read's Future.
        """
        request, future = self.request, self.future
        self.request = self.future = None
        if request is not None:
            request.return_to(self.buffer)
        return future

    def add(self, data: bytes | bytearray) -> None:
        """Add received bytes to the outstanding read if the buffer is empty, otherwise to the buffer."""
        request, future = self.request, self.future
        if request is not None and future is not None and not self.buffer and type(data) is bytes:
            if request.is_exact_result(data) and not future.done():
                self.request = self.future = None
                future.set_result(data)
                return
            if request.accept(data):
                return
        self.buffer += data

    def finish(self, size: int) -> None:
        """Resolve the outstanding read with the first `size` bytes."""
        request, future = self.request, self.future
        assert request is not None
        assert future is not None
        self.request = self.future = None
        if future.done():
            request.return_to(self.buffer)
        else:
            future.set_result(request.take(self.buffer, size))
