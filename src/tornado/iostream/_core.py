"""The parts common to all streams: the descriptor, its registration with the event loop, and closing.

`StreamCore` neither reads nor writes. The classes in `_write_side`, `_push_mode` and `_pull_mode` add
writing, push mode and pull mode; each is a subclass of the previous one. Streams use only the methods that
`tornado._loop.epoll.Watcher` lists, so they run on asyncio's loops and on uvloop."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias

from tornado import ioloop
from tornado._loop.epoll import Watcher, watcher_of
from tornado._loop.per_loop import PerLoop, call_at_close
from tornado.iostream._disconnect_monitor import DisconnectMonitor
from tornado.iostream._errors import StreamClosedError
from tornado.iostream._state import CLOSED_STATES, StreamState, StreamStep
from tornado.log import app_log

# See `tornado._wire.state_machine` for the reason for these constants.
_CLOSE = StreamStep.CLOSE
_CLOSED = StreamStep.CLOSED

#: Maximum number of bytes transferred for one peer per event loop iteration. Transferring them takes about
#: 50 us, or one disk read.
FAIR_SHARE = 256 * 1024
#: Maximum number of bytes received for one peer per event loop iteration if they are only copied, and if few
#: streams have data. Copying them takes less than 1 ms; see docs/design/0004.
LARGE_SHARE = 4 * 1024 * 1024

ExcInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
    | None
)


def fail(future: asyncio.Future[Any] | None, error: BaseException) -> None:
    """Set an error on a future, unless the future is None or done. An unretrieved error is not logged."""
    if future is not None and not future.done():
        future.set_exception(error)
        future.exception()  # mark the error as retrieved: an abandoned read is not worth a log record


@functools.cache
def _stops_watching_on_error(loop_class: type) -> bool:
    """Whether a loop stops watching a descriptor that has an error, after one last call of its reader.

    uvloop does so (libuv's ``uv_poll`` stops with ``EBADF`` on ``POLLERR``, and its callback runs once more).
    asyncio's loops call the reader in each iteration until the error has been fetched.
    """
    return any(base.__module__.partition(".")[0] == "uvloop" for base in loop_class.__mro__)


def watching_loop(io_loop: ioloop.IOLoop) -> asyncio.AbstractEventLoop:
    """Return the asyncio loop that watches descriptors for an IOLoop.

    If the asyncio loop of the IOLoop has no ``add_reader`` (the default loop on Windows), return a loop that
    watches descriptors in a selector thread.
    """
    loop: Any = io_loop
    watching: asyncio.AbstractEventLoop = getattr(loop, "selector_loop", None) or loop.asyncio_loop
    return watching


class OpenStreams(set["StreamCore"]):
    """The streams that are registered with one event loop.

    :ivar writing: the number of streams that are waiting to write or to be connected.
    :ivar watcher: reports when descriptors are ready.
    :ivar hangup_monitor: detects disconnects of streams with unread input; created when first needed.
    :ivar on_removed: called when a stream has been removed, for example because it is closed; or None.
    """

    writing = 0
    on_removed: Callable[[], object] | None = None
    hangup_monitor: DisconnectMonitor | None = None

    def __init__(self, io_loop: ioloop.IOLoop) -> None:
        super().__init__()
        self.watcher: Watcher = watcher_of(watching_loop(io_loop))
        call_at_close(io_loop, self._loop_closed)

    def _loop_closed(self, all_fds: bool) -> None:
        """Close the descriptors of the streams if ``IOLoop.close(all_fds=True)`` has been called."""
        if all_fds:
            for stream in list(self):
                stream._abandon()


#: The streams of each `.IOLoop`.
open_streams = PerLoop("open streams", OpenStreams)


class StreamCore:
    """The base of all streams: registration with the event loop, and closing."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_close_callback",
        "_fd",
        "_has_reader",
        "_has_writer",
        "_state",
        "error",
        "io_loop",
        "loop",
    )

    #: The `.IOLoop` that was current when the stream was created.
    io_loop: ioloop.IOLoop
    #: The error that closed the stream, or None.
    error: BaseException | None
    _initial_state = StreamState.OPEN

    def __init__(self) -> None:
        self.io_loop = ioloop.IOLoop.current()
        loop: Any = self.io_loop
        #: The running loop, also where `watching_loop` is another one: tasks are looked up by it.
        self.loop: asyncio.AbstractEventLoop = loop.asyncio_loop
        self.error = None
        self._state = self._initial_state
        self._fd = -1
        self._has_reader = False
        self._has_writer = False
        self._close_callback: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value}, {self.peer_name()}, at {id(self):#x}>"

    def _advance(self, step: StreamStep) -> None:
        """Change the state.

        :raises InvalidTransition: if the current state does not permit the step.
        """
        self._state = self._state.after[step]

    # -- the descriptor, defined by subclasses --

    def fileno(self) -> int | ioloop._Selectable:
        """Return the file descriptor, or an object with a ``fileno()`` method."""
        raise NotImplementedError

    def close_fd(self) -> None:
        """Close the descriptor. `close` calls this once, after removing it from the event loop."""
        raise NotImplementedError

    def get_fd_error(self) -> Exception | None:
        """Return the descriptor's pending error, or None. Some kinds of descriptor never have one."""
        return None

    # -- the event loop --

    def _on_readable(self) -> None:
        raise NotImplementedError

    def _on_readable_or_broken(self) -> None:
        raise NotImplementedError

    def _on_writable(self) -> None:
        raise NotImplementedError

    def _add_reader(self) -> None:
        if not self._has_reader:
            self._has_reader = True
            once = _stops_watching_on_error(type(self.loop))  # type: ignore[arg-type]  # a class is hashable
            callback = self._on_readable_or_broken if once else self._on_readable
            streams = self._open_streams()
            streams.watcher.add_reader(self._register_fd(streams), callback)
            if streams.hangup_monitor is not None:
                streams.hangup_monitor.unwatch(self._fd, self._on_hang_up)

    def _drop_reader(self) -> None:
        if self._has_reader:
            self._has_reader = False
            if not self.loop.is_closed():
                self._open_streams().watcher.remove_reader(self._fd)

    def watch_unread(self) -> None:
        """Call `_on_hang_up` if the peer disconnects while there is unread input and no reader."""
        if self._has_reader or self._state in CLOSED_STATES or sys.platform == "win32":
            return
        streams = self._open_streams()
        hangup_monitor = streams.hangup_monitor
        if hangup_monitor is None:
            hangup_monitor = streams.hangup_monitor = DisconnectMonitor(self.loop)
        hangup_monitor.watch(self._register_fd(streams), self._on_hang_up)

    def _on_hang_up(self, broken: bool) -> None:
        """Handle a disconnect that was detected while there is unread input.

        :param broken: whether the connection is broken; otherwise the peer has closed its sending side.
        """
        raise NotImplementedError

    def _add_writer(self) -> None:
        if not self._has_writer:
            streams = self._open_streams()
            streams.watcher.add_writer(self._register_fd(streams), self._on_writable)
            self._has_writer = True
            streams.writing += 1

    def _drop_writer(self) -> None:
        if self._has_writer:
            self._has_writer = False
            streams = self._open_streams()
            streams.writing -= 1
            if not self.loop.is_closed():
                streams.watcher.remove_writer(self._fd)

    def _register_fd(self, streams: OpenStreams) -> int:
        """Return the descriptor to register, and store it, so that it can be removed from the event loop even
        if the program has closed the socket.

        :param streams: the result of `_open_streams`.
        """
        if self._fd < 0:
            self._fd = self._fd_number()
            streams.add(self)
        return self._fd

    def _unregister_fd(self) -> None:
        """Remove the descriptor from the event loop."""
        if self._fd >= 0:
            if self._has_reader:
                self._drop_reader()
            if self._has_writer:
                self._drop_writer()
            streams = self._open_streams()
            if streams.hangup_monitor is not None:
                streams.hangup_monitor.unwatch(self._fd, self._on_hang_up)
            self._fd = -1
            streams.discard(self)
            if streams.on_removed is not None:
                streams.on_removed()

    def _open_streams(self) -> OpenStreams:
        """Return the registered streams of this loop."""
        return open_streams.get(self.io_loop)

    def _fd_number(self) -> int:
        """Return the file descriptor as a number."""
        fd = self.fileno()
        return fd if isinstance(fd, int) else fd.fileno()

    def _wait_for_input(self) -> None:
        """Call `_on_readable` when there is data to read."""
        self._add_reader()

    # -- closing --

    def closed(self) -> bool:
        """Whether the stream has been closed, by either side."""
        return self._state in CLOSED_STATES

    @property
    def _closed(self) -> bool:
        """Whether the stream has been closed. Programs read this name, which Tornado's streams have."""
        return self._state in CLOSED_STATES

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Call `callback`, without arguments, when the stream is closed. None removes the callback.

        Data that arrived before the close can still be read. While a callback is set and no read is
        outstanding, the stream watches for the end of the connection. If more than ``read_chunk_size`` bytes
        are unread, a reset is detected within about a second (not on Windows), and an orderly close only
        after those bytes have been read. The Futures of outstanding reads and writes fail when the stream is
        closed, with or without a callback.
        """
        self._close_callback = callback
        if callback is not None:
            if self._state in CLOSED_STATES:
                self._schedule_close_callback()
            else:
                self._watch_for_close()

    def _watch_for_close(self) -> None:
        """Watch for the end of the connection if a close callback is set and no read is outstanding."""

    def _schedule_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)

    def close(self, exc_info: ExcInfo = False) -> None:
        """Close the stream. Outstanding reads and writes fail with `StreamClosedError`.

        A second call does nothing.

        :param exc_info: the value for `error`: True for the exception being handled, an exception, or a tuple
            as returned by ``sys.exc_info()``.
        """
        if self._state in CLOSED_STATES:
            return
        self._store_error(exc_info)
        self._before_close()
        if self.closed():  # by a failed write
            return
        self._advance(_CLOSE)
        self._unregister_fd()
        try:
            self.close_fd()
        finally:
            try:
                self._after_close()
            finally:
                self._advance(_CLOSED)
                if self._close_callback is not None:
                    self._schedule_close_callback()

    def _store_error(self, exc_info: ExcInfo) -> None:
        if self.error is not None:  # keep the first error: closing may cause another one
            return
        if isinstance(exc_info, BaseException):
            self.error = exc_info
        elif isinstance(exc_info, tuple):
            self.error = exc_info[1]
        elif exc_info:
            self.error = sys.exc_info()[1]

    def _before_close(self) -> None:
        """Perform the last operations on the descriptor before it is closed."""

    def _after_close(self) -> None:
        """Notify outstanding operations that the descriptor has been closed."""

    def _abandon(self) -> None:
        """Close the descriptor without notifications, because the event loop is being closed."""
        if self._state not in CLOSED_STATES:
            self._advance(_CLOSE)
            self._close_callback = None
            self._unregister_fd()
            try:
                self.close_fd()
            finally:
                self._advance(_CLOSED)

    def peer_name(self) -> str:
        """Return a description of the peer, for messages."""
        try:
            number = self._fd_number()
        except Exception:  # a subclass may have dropped its closed file object
            number = -1
        return f"descriptor {number}" if number >= 0 else "a closed descriptor"

    def _closed_error(self, operation: str) -> StreamClosedError:
        """Return the error for an operation on a closed stream.

        :param operation: the operation, such as "reading from".
        """
        error = StreamClosedError(real_error=self.error)
        if self.error is None:
            error.args = (f"{error} ({operation} {self.peer_name()})",)
        return error

    def _log_uncaught(self, source: object, error: BaseException) -> None:
        app_log.error("Uncaught exception in %r", source, exc_info=error)
