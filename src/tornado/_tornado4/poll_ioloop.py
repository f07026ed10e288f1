"""``ioloop.PollIOLoop`` and its subclasses: IOLoops that use a poller provided by the program.

In Tornado 4, the loop called ``poll()`` of an object such as `select.epoll`. Here the asyncio loop uses a
selector, and `PollerSelector` adapts a poller to the selector interface. Timers use the asyncio clock, or the
``time_func`` of the program: a poller that advances a simulated time then controls the timers too.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import AsyncIOLoop

__all__ = ["PollIOLoop"]

#: Timeout of a poll when the loop has no timer, in seconds.
_MAX_POLL_TIMEOUT = 3600.0

_ADVICE = "use IOLoop(), which selects the best selector for the platform"


class Poller(Protocol):
    """The interface of a poller: the methods of `select.epoll`, with the events of `.IOLoop`."""

    def register(self, fd: int, events: int) -> Any:
        """Start watching a file descriptor."""

    def modify(self, fd: int, events: int) -> Any:
        """Change the events of a file descriptor."""

    def unregister(self, fd: int) -> Any:
        """Stop watching a file descriptor."""

    def poll(self, timeout: float) -> Iterable[tuple[int, int]]:
        """Wait up to ``timeout`` seconds and return the ready file descriptors with their events."""


class SelectPoller:
    """A poller on `select.select`. Programs subclass it as ``platform.select._Select``."""

    def __init__(self) -> None:
        self.read_fds: set[int] = set()
        self.write_fds: set[int] = set()
        self.error_fds: set[int] = set()

    def register(self, fd: int, events: int) -> None:
        """Start watching ``fd``.

        :raises OSError: if it is already registered.
        """
        if fd in self.read_fds or fd in self.write_fds or fd in self.error_fds:
            raise OSError(f"file descriptor {fd} is already registered; use modify() to change its events")
        if events & IOLoop.READ:
            self.read_fds.add(fd)
        if events & IOLoop.WRITE:
            self.write_fds.add(fd)
        if events & IOLoop.ERROR:
            self.error_fds.add(fd)

    def modify(self, fd: int, events: int) -> None:
        """Replace the events for which ``fd`` is watched."""
        self.unregister(fd)
        self.register(fd, events)

    def unregister(self, fd: int) -> None:
        """Stop watching ``fd``, if it is watched."""
        self.read_fds.discard(fd)
        self.write_fds.discard(fd)
        self.error_fds.discard(fd)

    def poll(self, timeout: float) -> Iterable[tuple[int, int]]:
        """Wait up to ``timeout`` seconds and return the ready file descriptors with their events."""
        readable, writable, failed = select.select(self.read_fds, self.write_fds, self.error_fds, timeout)
        events: dict[int, int] = {}
        for fds, event in ((readable, IOLoop.READ), (writable, IOLoop.WRITE), (failed, IOLoop.ERROR)):
            for fd in fds:
                events[fd] = events.get(fd, 0) | event
        return events.items()

    def close(self) -> None:
        """Do nothing: the poller has no file descriptor to close."""


class PollerSelector(selectors.SelectSelector):
    """A selector that uses a `Poller`. The base class manages the keys of the registered file objects."""

    def __init__(self, poller: Poller) -> None:
        super().__init__()
        self.poller = poller

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        try:
            self.poller.register(key.fd, _poller_events(events))
        except BaseException:
            super().unregister(fileobj)
            raise
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self.poller.unregister(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        super().unregister(fileobj)
        key = super().register(fileobj, events, data)
        self.poller.modify(key.fd, _poller_events(events))
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        try:
            polled = self.poller.poll(_MAX_POLL_TIMEOUT if timeout is None else max(timeout, 0.0))
        except InterruptedError:
            return []
        keys, ready = self.get_map(), []
        for fd, events in polled:
            key = keys.get(fd)
            if key is None:
                continue  # the descriptor was unregistered after the poll
            # Report an error as both readable and writable; the next read or write then fails with it.
            mask = selectors.EVENT_READ if events & ~IOLoop.WRITE else 0
            mask |= selectors.EVENT_WRITE if events & ~IOLoop.READ else 0
            if mask & key.events:
                ready.append((key, mask & key.events))
        return ready

    def close(self) -> None:
        super().close()
        close = getattr(self.poller, "close", None)  # missing on select.poll objects
        if close is not None:
            close()


def _poller_events(mask: int) -> int:
    """Convert the events of `selectors` to those of `.IOLoop`. ERROR is always included."""
    events = IOLoop.ERROR
    if mask & selectors.EVENT_READ:
        events |= IOLoop.READ
    if mask & selectors.EVENT_WRITE:
        events |= IOLoop.WRITE
    return events


class _TimedLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock is a function."""

    def __init__(self, selector: selectors.BaseSelector, time_func: Callable[[], float]) -> None:
        self._time_func = time_func
        super().__init__(selector)

    def time(self) -> float:
        return self._time_func()


class PollIOLoop(AsyncIOLoop):
    """An IOLoop with a poller that the program provides: ``PollIOLoop(impl=select.epoll())``.

    Usually a subclass passes both arguments to ``super().initialize``.

    :param impl: a poller with the methods of `select.epoll` (`Poller`), or a selector from `selectors`; by
        default the best selector for the platform. It is closed when the loop is closed.
    :param time_func: a function that returns the time in seconds, for `.IOLoop.time` and for timers. By
        default `.IOLoop.time` uses `time.time`, and timers use the monotonic clock.

    Deprecated: ``IOLoop()`` chooses the selector, and tests that simulate time can patch asyncio's clock.
    """

    time_func: Callable[[], float]

    def initialize(  # type: ignore[override]
        self,
        impl: Poller | selectors.BaseSelector | None = None,
        time_func: Callable[[], float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Initialize the loop; ``kwargs`` are passed to `.IOLoop.initialize`."""
        deprecated(type(self).__name__, _ADVICE)
        self.time_func = time_func or time.time
        if impl is None:
            impl = selectors.DefaultSelector()
        selector = impl if isinstance(impl, selectors.BaseSelector) else PollerSelector(impl)
        loop: asyncio.SelectorEventLoop
        if time_func is None:
            loop = asyncio.SelectorEventLoop(selector)
        else:
            loop = _TimedLoop(selector, time_func)
        try:
            super().initialize(asyncio_loop=loop, **kwargs)
        except BaseException:
            loop.close()
            raise

    def time(self) -> float:
        """Return the result of ``time_func``; see `.IOLoop.time`."""
        return self.time_func()


class SelectIOLoop(PollIOLoop):
    """An IOLoop on `select.select`, which supports only low file descriptors, on most platforms below
    1024.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Create the poller; ``kwargs`` are passed to `PollIOLoop`."""
        super().initialize(impl=SelectPoller(), **kwargs)


class EPollIOLoop(PollIOLoop):
    """An IOLoop on epoll, which is available on Linux.

    :raises RuntimeError: if the platform does not support epoll.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Create the selector; ``kwargs`` are passed to `PollIOLoop`."""
        super().initialize(impl=_selector("EpollSelector", "epoll"), **kwargs)


class KQueueIOLoop(PollIOLoop):
    """An IOLoop on kqueue, which is available on macOS and the BSDs.

    :raises RuntimeError: if the platform does not support kqueue.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Create the selector; ``kwargs`` are passed to `PollIOLoop`."""
        super().initialize(impl=_selector("KqueueSelector", "kqueue"), **kwargs)


def _selector(name: str, what: str) -> selectors.BaseSelector:
    selector_class = getattr(selectors, name, None)
    if selector_class is None:
        raise RuntimeError(f"{what} is not available on this platform ({sys.platform}): {_ADVICE}")
    selector: selectors.BaseSelector = selector_class()
    return selector


export(globals(), module="tornado.ioloop")
