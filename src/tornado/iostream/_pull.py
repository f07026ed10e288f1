"""Pull mode's state: the read buffer, and the one read that waits for it to fill.

Each kind of read is a small class with two questions: how many bytes of the buffer satisfy it (`find`), and
what the reader gets for them (`take`). What was searched once is not searched again: a delimiter is looked
for where it may have been completed, and a regular expression, which can only be tried from the start, when
the buffer has doubled or when there is nothing more to read at present.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from tornado.iostream._errors import UnsatisfiableReadError

#: `find` says: not yet.
NOT_YET = -1
#: A regular expression is tried on every arrival up to so many bytes; beyond, see `UntilRegex`.
EAGER_SIZE = 64 * 1024
#: Beyond it, searching takes no more than one part in so many of the time.
REST_FACTOR = 20
#: Reads into a caller's buffer go straight into it from this many missing bytes on.
DIRECT_SIZE = 4096


class ReadRequest:
    """A read that was asked for."""

    __slots__ = ()

    #: Seconds after which to ask `find` again though nothing may have arrived; None for never.
    retry: float | None = None

    def find(self, buffer: bytearray, last: bool) -> int:
        """How many bytes from the front of `buffer` satisfy this read, or `NOT_YET`.

        :param last: nothing more can be read at present, so no search may be put off.
        :raises UnsatisfiableReadError: if no further byte could satisfy it.
        """
        raise NotImplementedError

    def hurry(self) -> None:
        """There will be no later: the next `find` must not put a search off."""

    def take(self, buffer: bytearray, size: int) -> Any:
        """Remove the `size` bytes that were found, and give the result for the reader."""
        if size == len(buffer):
            result = bytes(buffer)
            buffer.clear()
        else:
            with memoryview(buffer) as view:
                result = bytes(view[:size])
            del buffer[:size]
        return result

    def give_back(self, buffer: bytearray) -> None:
        """The reader has gone away: return to `buffer` what it got in parts."""


class UntilDelimiter(ReadRequest):
    """Up to and including a delimiter."""

    __slots__ = ("delimiter", "max_bytes", "searched")

    def __init__(self, delimiter: bytes, max_bytes: int | None) -> None:
        self.delimiter = delimiter
        self.max_bytes = max_bytes
        self.searched = 0

    def find(self, buffer: bytearray, last: bool) -> int:
        delimiter = self.delimiter
        at = buffer.find(delimiter, max(0, self.searched - len(delimiter) + 1))
        size = len(buffer) if at < 0 else at + len(delimiter)
        if self.max_bytes is not None and size > self.max_bytes:
            raise UnsatisfiableReadError(f"delimiter {delimiter!r} not found within {self.max_bytes} bytes")
        self.searched = size
        return NOT_YET if at < 0 else size


class UntilRegex(ReadRequest):
    """Up to and including the first match of a regular expression.

    It can only be tried from the start. A peer that sends byte by byte into a large buffer would have all of
    it searched for each: there a search is put off until the buffer has grown by an eighth, or a multiple of
    the time that the last search took has passed.
    """

    __slots__ = ("_cost", "_searched_at", "max_bytes", "pattern", "retry", "searched")

    def __init__(self, pattern: re.Pattern[bytes], max_bytes: int | None) -> None:
        self.pattern = pattern
        self.max_bytes = max_bytes
        self.searched = -1
        self.retry = None
        self._searched_at = self._cost = 0.0

    def hurry(self) -> None:
        self._cost = 0.0

    def _put_off(self, size: int, last: bool) -> bool:
        """Whether this is not the time to search."""
        if size == self.searched:
            return True
        if not last:
            return size < 2 * self.searched
        if size <= EAGER_SIZE or size >= self.searched + self.searched // 8:
            return False
        rest = self._searched_at + self._cost * REST_FACTOR - time.monotonic()
        if rest <= 0:
            return False
        self.retry = rest
        return True

    def find(self, buffer: bytearray, last: bool) -> int:
        size = len(buffer)
        over = self.max_bytes is not None and size > self.max_bytes
        self.retry = None
        if self._put_off(size, last) and not over:
            return NOT_YET
        self.searched = size
        start = time.monotonic()
        match = self.pattern.search(buffer)
        self._searched_at = time.monotonic()
        self._cost = self._searched_at - start
        if match is not None:
            size = match.end()
        if self.max_bytes is not None and size > self.max_bytes:
            raise UnsatisfiableReadError(f"{self.pattern.pattern!r} not found within {self.max_bytes} bytes")
        return NOT_YET if match is None else size


class Count(ReadRequest):
    """A number of bytes; or, if `partial`, as many of them as there are."""

    __slots__ = ("partial", "size")

    def __init__(self, size: int, partial: bool) -> None:
        self.size = size
        self.partial = partial

    def find(self, buffer: bytearray, last: bool) -> int:
        have = len(buffer)
        if have >= self.size:
            return self.size
        return have if have and self.partial else NOT_YET


class IntoBuffer(ReadRequest):
    """Into a caller's buffer, until it is full; or, if `partial`, until it has something.

    The result is a count.
    """

    __slots__ = ("filled", "partial", "view")

    def __init__(self, target: bytearray | memoryview, partial: bool) -> None:
        view = memoryview(target)
        if view.readonly:
            raise TypeError(f"read_into() needs a writable buffer, not {type(target).__name__}")
        self.view = view if view.itemsize == 1 and view.ndim == 1 else view.cast("B")
        self.partial = partial
        self.filled = 0

    @property
    def wants_direct(self) -> bool:
        """Whether so much is missing that a detour through the read buffer would cost more than it saves."""
        return len(self.view) - self.filled >= DIRECT_SIZE

    def rest(self) -> memoryview:
        """The part that is still to be filled."""
        return self.view[self.filled :]

    def find(self, buffer: bytearray, last: bool) -> int:
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

    def give_back(self, buffer: bytearray) -> None:
        if self.filled:
            buffer[:0] = self.view[: self.filled]
        self.view.release()


class UntilClose(ReadRequest):
    """Everything up to the end of input. `BaseIOStream.close` resolves it."""

    __slots__ = ()

    def find(self, buffer: bytearray, last: bool) -> int:
        return NOT_YET


class PullState:
    """The read buffer of one stream, and its outstanding read."""

    __slots__ = ("buffer", "future", "request", "retrying", "spent")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.request: ReadRequest | None = None
        self.future: asyncio.Future[Any] | None = None
        #: Bytes received in reads' own calls since the loop last had a turn.
        self.spent = 0
        #: A put-off search is on the loop's list.
        self.retrying = False

    def busy(self) -> bool:
        """Whether somebody waits for a read. A cancelled one is undone here: no byte gets lost."""
        future = self.future
        if future is None:
            return False
        if future.done():
            self.drop()
            return False
        return True

    def drop(self) -> asyncio.Future[Any] | None:
        """Forget the outstanding read; its bytes stay in the buffer."""
        request, future = self.request, self.future
        self.request = self.future = None
        if request is not None:
            request.give_back(self.buffer)
        return future

    def satisfy(self, last: bool) -> bool:
        """Resolve the outstanding read if the buffer suffices.

        :raises UnsatisfiableReadError: if it never will.
        """
        request, future = self.request, self.future
        if request is None or future is None:
            return True
        size = request.find(self.buffer, last)
        if size == NOT_YET:
            return False
        self.finish(size)
        return True

    def finish(self, size: int) -> None:
        """Resolve the outstanding read with the first `size` bytes."""
        request, future = self.request, self.future
        assert request is not None
        assert future is not None
        self.request = self.future = None
        if future.done():
            request.give_back(self.buffer)
        else:
            future.set_result(request.take(self.buffer, size))
