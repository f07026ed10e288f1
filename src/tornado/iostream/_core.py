"""What every stream has: a descriptor, its place in the event loop, and an end.

`StreamCore` knows nothing of reading and writing; `_write_side`, `_push_mode` and `_base` add them, one on
the other. The event loop is asyncio's own interface (``add_reader``, ``add_writer``), so asyncio's loops and
uvloop serve alike.
"""

from __future__ import annotations

import asyncio
import functools
import select
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias

from tornado import ioloop
from tornado.iostream._errors import StreamClosedError
from tornado.iostream._hangup import HangUpMonitor
from tornado.log import app_log

#: Bytes moved for one peer before the loop gets a turn: some 50 us, or a disk's.
FAIR_SHARE = 256 * 1024
#: The same where they are only copied, and few have any: less than a millisecond; see docs/design/0004.
LARGE_SHARE = 4 * 1024 * 1024

ExcInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
    | None
)


def fail(future: asyncio.Future[Any] | None, error: BaseException) -> None:
    """Set an error on a future that may be none, done or cancelled, and that nobody needs to look at."""
    if future is not None and not future.done():
        future.set_exception(error)
        future.exception()  # seen: a reader that went away is no reason for a log record


@functools.cache
def _leaves_on_error(loop_class: type) -> bool:
    """Whether a loop calls a reader once and stops watching where the descriptor has an error as well.

    uvloop does (libuv's ``uv_poll`` stops with ``EBADF`` on ``POLLERR``, its callback runs once more);
    asyncio's own loops call again for as long as there is something.
    """
    return any(base.__module__.partition(".")[0] == "uvloop" for base in loop_class.__mro__)


def watching_loop(io_loop: ioloop.IOLoop) -> asyncio.AbstractEventLoop:
    """The asyncio loop that watches descriptors for an IOLoop.

    Where the loop cannot do that itself (Windows' default one) a selector thread does it.
    """
    loop: Any = io_loop
    watching: asyncio.AbstractEventLoop = getattr(loop, "selector_loop", None) or loop.asyncio_loop
    return watching


class OpenStreams(set["StreamCore"]):
    """The registered streams of a loop.

    :ivar writing: how many of them wait for room to write, or to be connected.
    :ivar unread: watches those that are not read although input is there; made when it is needed.
    """

    writing = 0
    unread: HangUpMonitor | None = None


class StreamCore:
    """Registration with the event loop and the closing of a stream."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_close_callback",
        "_closed",
        "_fd",
        "_loop",
        "_reader_on",
        "_suspended",
        "_writer_on",
        "error",
        "io_loop",
    )

    #: The loop that the stream belongs to: the current one when it was made.
    io_loop: ioloop.IOLoop
    #: What closed the stream, or None.
    error: BaseException | None

    def __init__(self) -> None:
        self.io_loop = ioloop.IOLoop.current()
        self._loop = watching_loop(self.io_loop)
        self.error = None
        self._closed = False
        #: Neither reading nor writing is possible: not connected yet, in the handshake, or closed.
        self._suspended = False
        self._fd = -1
        self._reader_on = False
        self._writer_on = False
        self._close_callback: Callable[[], object] | None = None

    # -- the descriptor, for subclasses to define --

    def fileno(self) -> int | ioloop._Selectable:
        """The descriptor, or an object whose ``fileno()`` gives it."""
        raise NotImplementedError

    def close_fd(self) -> None:
        """Close the descriptor. Called once, by `close`, after it has left the event loop."""
        raise NotImplementedError

    def get_fd_error(self) -> Exception | None:
        """The error that the descriptor holds, if it can tell."""
        return None

    # -- the event loop --

    def _on_readable(self) -> None:
        raise NotImplementedError

    def _on_readable_or_broken(self) -> None:
        raise NotImplementedError

    def _on_writable(self) -> None:
        raise NotImplementedError

    def _add_reader(self) -> None:
        if not self._reader_on:
            self._reader_on = True
            once = _leaves_on_error(type(self._loop))  # type: ignore[arg-type]  # a class is hashable
            callback = self._on_readable_or_broken if once else self._on_readable
            self._loop.add_reader(self._watched(), callback)
            unread = self._open_streams().unread
            if unread is not None:
                unread.forget(self._fd, self._hung_up)

    def _drop_reader(self) -> None:
        if self._reader_on:
            self._reader_on = False
            if not self._loop.is_closed():
                self._loop.remove_reader(self._fd)

    def _watch_unread(self) -> None:
        """Have `_hung_up` called if the peer disconnects, while no reader is on although input is there."""
        if self._reader_on or self._closed or not hasattr(select, "poll"):
            return
        streams = self._open_streams()
        unread = streams.unread
        if unread is None:
            unread = streams.unread = HangUpMonitor(self._loop)
        unread.watch(self._watched(), self._hung_up)

    def _hung_up(self, broken: bool) -> None:
        """The peer has disconnected behind unread input.

        :param broken: the connection is gone altogether; otherwise the peer has closed its sending side.
        """
        raise NotImplementedError

    def _add_writer(self) -> None:
        if not self._writer_on:
            self._loop.add_writer(self._watched(), self._on_writable)
            self._writer_on = True
            self._open_streams().writing += 1

    def _drop_writer(self) -> None:
        if self._writer_on:
            self._writer_on = False
            self._open_streams().writing -= 1
            if not self._loop.is_closed():
                self._loop.remove_writer(self._fd)

    def _watched(self) -> int:
        """The descriptor to register; remembered, to be taken out even if somebody closes the socket."""
        if self._fd < 0:
            self._fd = self._number()
            self._open_streams().add(self)
        return self._fd

    def _unwatch(self) -> None:
        """Leave the event loop."""
        if self._fd >= 0:
            if self._reader_on:
                self._drop_reader()
            if self._writer_on:
                self._drop_writer()
            streams = self._open_streams()
            if streams.unread is not None:
                streams.unread.forget(self._fd, self._hung_up)
            self._fd = -1
            streams.discard(self)

    def _open_streams(self) -> OpenStreams:
        """The registered streams of this loop, also for its ``close(all_fds=True)``."""
        io_loop: Any = self.io_loop
        try:
            streams: OpenStreams = io_loop._streams
        except AttributeError:
            streams = io_loop._streams = OpenStreams()
        return streams

    def _number(self) -> int:
        """The descriptor as a number."""
        fd = self.fileno()
        return fd if isinstance(fd, int) else fd.fileno()

    def _wait_for_input(self) -> None:
        """Have `_on_readable` called when there is something to read."""
        self._add_reader()

    # -- the end --

    def closed(self) -> bool:
        """Whether the stream has been closed, by either side."""
        return self._closed

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Have `callback` called, without arguments, once the stream is closed; None takes the last one back.

        Data that arrived before can still be read then. While a callback is set and no read is outstanding,
        the stream watches for the end of the connection. After more than ``read_chunk_size`` bytes that have
        not been read, a reset is noticed within about a second (not on Windows), and an orderly end once
        those bytes are read. The Future of a read or write reports the end as well.
        """
        self._close_callback = callback
        if callback is not None:
            if self._closed:
                self._schedule_close_callback()
            else:
                self._watch_for_close()

    def _watch_for_close(self) -> None:
        """Listen for the peer's leaving if a callback wants to know and nobody reads."""

    def _schedule_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)

    def close(self, exc_info: ExcInfo = False) -> None:
        """Close the stream. Reads and writes under way fail with `StreamClosedError`.

        A second call does nothing.

        :param exc_info: what to keep as `error`: True for the exception being handled, an exception, or a
            triple as from ``sys.exc_info()``.
        """
        if self._closed:
            return
        self._keep_error(exc_info)
        if self._close_early():
            return
        self._closed = self._suspended = True
        self._unwatch()
        try:
            self.close_fd()
        finally:
            try:
                self._after_close()
            finally:
                if self._close_callback is not None:
                    self._schedule_close_callback()

    def _close_early(self) -> bool:
        """Use the descriptor for the last time. True if that failed, and closed the stream."""
        self._before_close()
        return self._closed

    def _keep_error(self, exc_info: ExcInfo) -> None:
        if self.error is not None:  # the first cause counts; the second may come of saying goodbye
            return
        if isinstance(exc_info, BaseException):
            self.error = exc_info
        elif isinstance(exc_info, tuple):
            self.error = exc_info[1]
        elif exc_info:
            self.error = sys.exc_info()[1]

    def _before_close(self) -> None:
        """The descriptor is about to be closed: the last moment to use it."""

    def _after_close(self) -> None:
        """The descriptor is closed: tell those who wait."""

    def _abandon(self) -> None:
        """The event loop itself is being closed: let go of the descriptor; there is nobody left to tell."""
        if not self._closed:
            self._closed = self._suspended = True
            self._close_callback = None
            self._unwatch()
            self.close_fd()

    def _peer_name(self) -> str:
        """Who is at the other end, for messages."""
        try:
            number = self._number()
        except Exception:  # a subclass may let go of what it has closed
            number = -1
        return f"descriptor {number}" if number >= 0 else "a closed descriptor"

    def _closed_error(self, doing: str) -> StreamClosedError:
        """The error for who wants something of a closed stream: `doing` is what, such as "reading from"."""
        error = StreamClosedError(real_error=self.error)
        if self.error is None:
            error.args = (f"{error} ({doing} {self._peer_name()})",)
        return error

    def _log_uncaught(self, what: object, error: BaseException) -> None:
        app_log.error("Uncaught exception in %r", what, exc_info=error)
