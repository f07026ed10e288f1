"""Pull mode's state: the read buffer, and the one read that waits for it to fill.

Each kind of read is a small class with two questions: how many bytes of the buffer satisfy it (`find`), and
what the reader gets for them (`take`). What was searched once is not searched again: a delimiter is looked
for where it may have been completed. A regular expression can only be tried from the start: see
`ReadUntilRegex`.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import Any

from tornado.iostream._errors import UnsatisfiableReadError

#: `find` says: not yet.
NOT_YET = -1
#: A regular expression is tried on every arrival up to so many bytes; beyond, see `ReadUntilRegex`.
EAGER_SIZE = 64 * 1024
#: Beyond it, searching takes no more than one part in so many of the time.
REST_FACTOR = 20
#: Reads into a caller's buffer go straight into it from this many missing bytes on.
_DIRECT_SIZE = 4096
#: Up to so many bytes results are made in their whole size at once, else when one part in so many has come.
_AT_ONCE = 1024 * 1024
_PART = 4
#: Up to so many bytes two copies are cheaper than the one that a `memoryview` allows.
_SMALL = 4096


class ReadRequest:
    """A read that was asked for."""

    __slots__ = ()

    #: Seconds after which to ask `find` again though nothing may have arrived; None for never.
    retry: float | None = None
    #: Bytes that it has taken out of the read buffer already, and that count towards its limit.
    held: int = 0

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
        elif size <= _SMALL:
            result = bytes(buffer[:size])
            del buffer[:size]
        else:
            with memoryview(buffer) as view:
                result = bytes(view[:size])
            del buffer[:size]
        return result

    def is_whole(self, data: bytes) -> bool:
        """Whether received bytes, before which there are none, are just what satisfies this read."""
        return False

    def hold(self, data: bytes | bytearray) -> bool:
        """Take received bytes, before which none are in the read buffer; False for leaving them to it."""
        return False

    def room(self) -> memoryview | None:
        """Where received bytes belong, while none are in the read buffer, to be released by who asks; None
        for the read buffer.
        """
        return None

    def received(self, count: int) -> bool:
        """So many bytes are where `room` has said; whether the read is satisfied."""
        raise NotImplementedError

    def give_back(self, buffer: bytearray) -> None:
        """The reader has gone away: return to `buffer` what it got in parts."""


class ReadUntilDelimiter(ReadRequest):
    """Up to and including a delimiter."""

    __slots__ = ("delimiter", "max_bytes", "searched")

    def __init__(self, delimiter: bytes, max_bytes: int | None) -> None:
        self.delimiter = delimiter
        self.max_bytes = max_bytes
        self.searched = 0

    def find(self, buffer: bytearray, last: bool) -> int:
        delimiter = self.delimiter
        at = buffer.find(delimiter, max(0, self.searched - len(delimiter) + 1) if self.searched else 0)
        size = len(buffer) if at < 0 else at + len(delimiter)
        if self.max_bytes is not None and size > self.max_bytes:
            raise UnsatisfiableReadError(f"delimiter {delimiter!r} not found within {self.max_bytes} bytes")
        self.searched = size
        return NOT_YET if at < 0 else size

    def is_whole(self, data: bytes) -> bool:
        if not data.endswith(self.delimiter) or data.find(self.delimiter) + len(self.delimiter) != len(data):
            return False
        return self.max_bytes is None or len(data) <= self.max_bytes


class ReadUntilRegex(ReadRequest):
    """Up to and including the first match of a regular expression.

    It can only be tried from the start, so not every time. While more is there to be received at once, only
    when the buffer has doubled. When nothing more is there, always; but a peer that sends byte by byte into a
    large buffer would have all of it searched for each: beyond `EAGER_SIZE` such a search is put off until
    the buffer has grown by an eighth, or `REST_FACTOR` times the time of the last search has passed.
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


class AccumulatingRead(ReadRequest):
    """A read that need not look at what it reads: the result grows with what comes, and is never copied.

    Were it in the read buffer, it would have to be copied at the end, and there twice for a while.
    """

    __slots__ = ("gathered", "held")

    def __init__(self) -> None:
        self.held = 0
        self.gathered: io.BytesIO | None = None

    def gather(self, buffer: bytearray) -> None:
        """Take all of the buffer."""
        if buffer:
            self.hold(buffer)
            buffer.clear()

    def hold(self, data: bytes | bytearray) -> bool:
        if self.gathered is None:
            self.gathered = io.BytesIO()
        self.held += self.gathered.write(data)
        return True

    def take(self, buffer: bytearray, size: int) -> bytes:
        rest: bytes = super().take(buffer, size)
        if self.gathered is None:
            return rest
        self.gathered.write(rest)
        return self.gathered.getvalue()  # its own memory, not a copy

    def give_back(self, buffer: bytearray) -> None:
        if self.gathered is not None:
            with self.gathered.getbuffer() as view:
                buffer[:0] = view[: self.held]


class ReadCount(AccumulatingRead):
    """A number of bytes; or, if `partial`, as many of them as there are."""

    __slots__ = ("partial", "size")

    def __init__(self, size: int, partial: bool) -> None:
        super().__init__()
        self.size = size
        self.partial = partial

    def find(self, buffer: bytearray, last: bool) -> int:
        have = len(buffer)
        missing = self.size - self.held
        if have >= missing:
            return missing
        if self.partial:
            return have or NOT_YET
        self.gather(buffer)
        return NOT_YET

    def is_whole(self, data: bytes) -> bool:
        return not self.held and (len(data) == self.size or (self.partial and len(data) < self.size))

    def hold(self, data: bytes | bytearray) -> bool:
        return not self.partial and len(data) <= self.size - self.held and super().hold(data)


class ReadLargeCount(ReadCount):
    """A number of bytes that more than one receive brings: they go straight into the result.

    The result is made in its whole size, as one that grows is now here and now there in memory, and the
    system gives and takes pages each time; but not before a part of it has come, as peers may promise much.
    """

    __slots__ = ("made",)

    def __init__(self, size: int) -> None:
        super().__init__(size, False)
        self.made = False

    def find(self, buffer: bytearray, last: bool) -> int:
        if last and not self.held:  # nothing is there yet, and who knows when
            self.made, self.gathered = False, None
        return super().find(buffer, last)

    def room(self) -> memoryview | None:
        size, held, gathered = self.size, self.held, self.gathered
        if not self.made:
            if size > _AT_ONCE and held < size // _PART:
                return None
            self.made = True
            self.gathered = io.BytesIO(bytes(size))  # which takes the object over as it is
            if gathered is not None:
                self.gathered.write(gathered.getbuffer())
            gathered = self.gathered
        assert gathered is not None
        return gathered.getbuffer()[held:]

    def received(self, count: int) -> bool:
        assert self.gathered is not None
        self.held += count
        self.gathered.seek(self.held)
        return self.held == self.size


class ReadInto(ReadRequest):
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

    def room(self) -> memoryview | None:
        return self.view[self.filled :] if len(self.view) - self.filled >= _DIRECT_SIZE else None

    def received(self, count: int) -> bool:
        self.filled += count
        return self.partial or self.filled == len(self.view)

    def give_back(self, buffer: bytearray) -> None:
        if self.filled:
            buffer[:0] = self.view[: self.filled]
        self.view.release()


class ReadUntilClose(AccumulatingRead):
    """Everything up to the end of input. `BaseIOStream.close` resolves it."""

    __slots__ = ()

    def find(self, buffer: bytearray, last: bool) -> int:
        self.gather(buffer)
        return NOT_YET


class ReadIntoFuture(asyncio.Future[int]):
    """The Future of an `ReadInto`: once cancelled it has let go of the caller's buffer.

    A done callback would come a turn late, when the caller may have written to the buffer: bytes received
    would be lost.
    """

    pull: ReadState  # set by who makes it: an __init__ would cost as much as the rest

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the read, as `asyncio.Future.cancel`."""
        cancelled = super().cancel(msg)
        self.pull.busy()
        return cancelled


class ReadState:
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

    def size(self) -> int:
        """Bytes received and not handed over yet."""
        return len(self.buffer) + (self.request.held if self.request is not None else 0)

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

    def add(self, data: bytes | bytearray) -> None:
        """Take received bytes: into the buffer, or, if nothing is in it, to the outstanding read."""
        request, future = self.request, self.future
        if request is not None and future is not None and not self.buffer and type(data) is bytes:
            if request.is_whole(data) and not future.done():
                self.request = self.future = None
                future.set_result(data)
                return
            if request.hold(data):
                return
        self.buffer += data

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
