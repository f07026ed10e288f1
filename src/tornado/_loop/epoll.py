"""Readiness of descriptors on asyncio's loops under Linux, with a separate epoll object.

asyncio's ``add_reader`` takes 7 us for a new descriptor, of which the system call is 1 us, and each event
passes through a handle. `EpollWatcher` registers descriptors with a separate epoll object, and the loop
watches only that object: when it is readable, `EpollWatcher` calls the callbacks of all ready descriptors.
See docs/design/0002.

Callbacks have the guarantees that they have with ``add_reader``: each runs in a copy of the context in which
it was added, its exceptions are passed to the loop's exception handler, and it is not called any more once it
has been removed, even if its event has already been reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import select
import sys
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable
from typing import Any, Protocol

from tornado._loop.per_loop import PerLoop

__all__ = ["EpollWatcher", "Watcher", "abandon_watcher", "close_watcher", "replace_epoll", "watcher_of"]

_IN: int = getattr(select, "EPOLLIN", 0)
_OUT: int = getattr(select, "EPOLLOUT", 0)
# Errors and hang-ups are reported to the reader and to the writer.
_NOT_IN = ~_IN
_NOT_OUT = ~_OUT
#: Maximum number of events that are handled in one iteration of the loop.
_MAX_EVENTS = 256

_Entry = tuple[contextvars.Context, Callable[[], object]]


class Watcher(Protocol):
    """The methods of a loop that watch descriptors."""

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> object: ...

    def remove_reader(self, fd: int, /) -> bool: ...

    def add_writer(self, fd: int, callback: Callable[[], object], /) -> object: ...

    def remove_writer(self, fd: int, /) -> bool: ...


def _new_epoll() -> Any:
    """Return a new epoll object."""
    if sys.platform == "linux":
        return select.epoll()
    raise NotImplementedError(f"{sys.platform} has no epoll")


class EpollWatcher:
    """Calls callbacks when descriptors are ready, like the methods of asyncio's loops with the same names.

    :param loop: the loop that calls the callbacks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # `run_forever` of the loop's class, until the loop watches the descriptors itself.
        self._loop_class: Any = type(loop)
        self._run_forever: Any = _RUN_FOREVER
        self._readers: dict[int, _Entry] = {}
        self._writers: dict[int, _Entry] = {}
        # The descriptors added since the last call of epoll_wait. Events that it reported may belong to
        # descriptors that had the same number and have been closed since.
        self._added: set[int] = set()
        self._epoll = _new_epoll()
        # The handle keeps its context as long as the loop exists.
        contextvars.Context().run(loop.add_reader, self._epoll.fileno(), self._call_ready)

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Call `callback` whenever `fd` is readable or broken. It replaces the previous reader.

        :raises OSError: if `fd` is not open, or cannot be watched.
        :raises RuntimeError: if the loop has been closed.
        """
        self._add(fd, callback, self._readers, self._writers, _IN)

    def remove_reader(self, fd: int) -> bool:
        """Remove the reader of `fd`. Return whether there was one."""
        return self._remove(fd, self._readers, self._writers, _OUT) or self._loop.remove_reader(fd)

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        """Call `callback` whenever `fd` is writable or broken. Otherwise like `add_reader`."""
        self._add(fd, callback, self._writers, self._readers, _OUT)

    def remove_writer(self, fd: int) -> bool:
        """Remove the writer of `fd`. Return whether there was one."""
        return self._remove(fd, self._writers, self._readers, _IN) or self._loop.remove_writer(fd)

    def close(self) -> None:
        """Remove all descriptors, and close the epoll object."""
        if not self._epoll.closed and not self._loop.is_closed():
            self._loop.remove_reader(self._epoll.fileno())
        self.abandon()

    def abandon(self) -> None:
        """Close the epoll object in a forked child, without changing what the parent has registered."""
        self._epoll.close()
        self._readers.clear()
        self._writers.clear()

    def replace_epoll(self) -> None:
        """Create a new epoll object, with the same descriptors and the same number, in a forked child."""
        if self._epoll.closed:
            return
        with _new_epoll() as new:
            os.dup2(new.fileno(), self._epoll.fileno(), inheritable=False)
        for fd in {*self._readers, *self._writers}:
            mask = (_IN if fd in self._readers else 0) | (_OUT if fd in self._writers else 0)
            with contextlib.suppress(OSError):  # the program has closed the descriptor
                self._epoll.register(fd, mask)

    # -- the epoll object --

    def _add(
        self,
        fd: int,
        callback: Callable[[], object],
        entries: dict[int, _Entry],
        others: dict[int, _Entry],
        event: int,
    ) -> None:
        """Add a callback for `event` to `entries`; `others` are the callbacks for the other event.

        The program may have closed a descriptor without removing it, and the number may be in use again.
        Therefore the kernel may know more, or less, than this object.
        """
        if self._loop_class.run_forever is not self._run_forever:
            self._delegate()
            (self._loop.add_reader if event == _IN else self._loop.add_writer)(fd, callback)
            return
        if self._loop.is_closed() or self._epoll.closed:
            raise RuntimeError("Event loop is closed")
        if fd in others or fd in entries:
            mask = _IN | _OUT if fd in others else event
            try:
                self._epoll.modify(fd, mask)
            except FileNotFoundError:
                self._epoll.register(fd, mask)
        else:
            try:
                self._epoll.register(fd, event)
            except FileExistsError:
                self._epoll.modify(fd, event)
        entries[fd] = contextvars.copy_context(), callback
        self._added.add(fd)

    def _remove(
        self, fd: int, entries: dict[int, _Entry], others: dict[int, _Entry], other_event: int
    ) -> bool:
        """Remove a callback from `entries`. Return whether there was one. The descriptor may be closed."""
        if entries.pop(fd, None) is None:
            return False
        try:
            if fd in others:
                self._epoll.modify(fd, other_event)
            else:
                self._epoll.unregister(fd)
        except OSError:
            pass
        return True

    def _call_ready(self) -> None:
        """Call the callbacks of the descriptors that are ready."""
        if self._loop_class.run_forever is not self._run_forever:
            self._delegate()
            return
        readers, writers, added = self._readers, self._writers, self._added
        added.clear()
        for fd, events in self._epoll.poll(0, _MAX_EVENTS):
            if fd in added:
                continue  # it is reported again if it is still ready
            if events & _NOT_OUT:
                if fd in readers:
                    entry = readers[fd]
                    try:
                        entry[0].run(entry[1])
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self._report(error, entry[1])
                    if fd in added:
                        continue  # errors are reported to a new writer, too
            if events & _NOT_IN:
                if fd in writers:
                    entry = writers[fd]
                    try:
                        entry[0].run(entry[1])
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self._report(error, entry[1])

    def _report(self, error: BaseException, callback: Callable[[], object]) -> None:
        self._loop.call_exception_handler(
            {"message": f"Exception in callback {callback!r}", "exception": error}
        )

    def _delegate(self) -> None:
        """Let the loop watch all descriptors itself, because it has become re-entrant.

        ``nest_asyncio`` replaces methods of the loop's class, so that a callback may run the loop. A handle
        cannot run within itself, so no stream would be served in the meantime.
        """
        self._run_forever = None
        readers, writers = self._readers.copy(), self._writers.copy()
        self.close()
        # The context of the present callback cannot be entered once more, but its copy can.
        for add, entries in ((self._loop.add_reader, readers), (self._loop.add_writer, writers)):
            for fd, (context, callback) in entries.items():
                try:
                    context.copy().run(add, fd, callback)
                except Exception as error:  # for example, the program has closed the descriptor
                    self._report(error, callback)


_RUN_FOREVER = BaseSelectorEventLoop.run_forever
_ADD_READER = BaseSelectorEventLoop.add_reader

_epoll_watchers: PerLoop[EpollWatcher] = PerLoop("epoll watcher", EpollWatcher)


def watcher_of(loop: Any) -> Watcher:
    """Return the object that watches descriptors for a loop: an `EpollWatcher`, or the loop itself.

    Loops that are not asyncio's have their own methods. In debug mode, asyncio's loops report slow callbacks.
    """
    loop_class: Any = type(loop)
    if (
        sys.platform == "linux"
        and getattr(loop_class, "add_reader", None) is _ADD_READER
        and loop_class.run_forever is _RUN_FOREVER
        and not loop.get_debug()
    ):
        return _epoll_watchers.get(loop)
    watcher: Watcher = loop
    return watcher


def close_watcher(loop: asyncio.AbstractEventLoop) -> None:
    """Close the epoll object of a loop that has been closed, or is about to be."""
    watcher = _epoll_watchers.pop(loop)  # the loop and its watcher refer to each other
    if watcher is not None:
        watcher.close()


def abandon_watcher(loop: asyncio.AbstractEventLoop) -> None:
    """Close the epoll object of a loop that can no longer run, in a forked child."""
    watcher = _epoll_watchers.find(loop)
    if watcher is not None:
        watcher.abandon()


def replace_epoll(loop: asyncio.AbstractEventLoop) -> None:
    """Replace the epoll object of a loop in a forked child, where the parent's must not be changed."""
    watcher = _epoll_watchers.find(loop)
    if watcher is not None:
        watcher.replace_epoll()
