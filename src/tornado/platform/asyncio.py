"""The IOLoop on asyncio, and what joins the two.

There is nothing to install: `IOLoop.current() <tornado.ioloop.IOLoop.current>` finds or makes the IOLoop of
the running asyncio loop, whichever it is (asyncio's own or uvloop). For Windows, whose default asyncio loop
cannot watch sockets for readiness, `AddThreadSelectorEventLoop` adds that to it by a thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
import warnings
from asyncio import _get_running_loop, current_task
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple

from tornado._awaitables import convert_yielded
from tornado._export import list_public
from tornado._reexports import reexported
from tornado.ioloop import IOLoop, _loop_of_thread, _Selectable
from tornado.platform import _fork  # noqa: F401 - it takes care of forks by itself
from tornado.platform._selector_thread import (
    AddThreadSelectorEventLoop,
    SelectorThread,
    _atexit_callback,  # noqa: F401 - where programs' test suites look for it
    _selector_loops,  # noqa: F401
)

__all__ = [
    "AddThreadSelectorEventLoop",
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BaseAsyncIOLoop",
    "SelectorThread",
    "to_asyncio_future",
    "to_tornado_future",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Ts = TypeVarTuple("_Ts")


class BaseAsyncIOLoop(IOLoop):
    """An IOLoop that runs on an asyncio loop, its attribute ``asyncio_loop``."""

    def initialize(self, asyncio_loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:  # type: ignore[override]
        """Take the asyncio loop to run on.

        :arg asyncio_loop: the loop.
        :arg kwargs: what `IOLoop.initialize` takes.
        :raises RuntimeError: if that loop has an IOLoop already.
        """
        self.asyncio_loop = asyncio_loop
        #: The loop that watches descriptors: the same one, unless it is of a kind that cannot.
        self.selector_loop: asyncio.AbstractEventLoop = asyncio_loop
        #: What is registered: by descriptor, the object given to `add_handler` and its handler.
        self.handlers: dict[int, tuple[int | _Selectable, Callable[..., None]]] = {}
        self.readers: set[int] = set()
        self.writers: set[int] = set()
        self.closing: bool = False
        registry = IOLoop._ioloop_for_asyncio
        # Loops are also closed behind our back, by asyncio.run() for one. list() is atomic, for other
        # threads.
        for loop in list(registry):
            if loop.is_closed():
                registry.pop(loop, None)
        holder = registry.setdefault(asyncio_loop, self)
        if holder is not self:
            raise RuntimeError(
                f"{asyncio_loop!r} has an IOLoop already, {holder!r}: IOLoop.current() finds it"
            )
        try:
            if not _watches_descriptors(asyncio_loop):
                # What it leaves abstract it passes on.
                self.selector_loop = AddThreadSelectorEventLoop(asyncio_loop)  # type: ignore[abstract]
            super().initialize(**kwargs)
        except BaseException:
            del registry[asyncio_loop]
            raise

    def start(self) -> None:
        """Run the loop until `stop`; see `IOLoop.start`."""
        self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Have `start` return; see `IOLoop.stop`."""
        self.asyncio_loop.stop()

    def close(self, all_fds: bool = False) -> None:
        """Close this loop and the asyncio loop under it; see `IOLoop.close`."""
        if self.asyncio_loop.is_running():
            raise RuntimeError(
                "an IOLoop cannot be closed while it runs; call stop() and wait for start() to return"
            )
        self.closing = True
        for callback in getattr(self, "_at_close", ()):  # what is to end with the loop leaves word of it here
            callback()
        for fd, (registered, _) in list(self.handlers.items()):
            self.remove_handler(fd)
            if all_fds:
                self.close_fd(registered)
        if all_fds:  # streams register with the selector loop itself, and leave word of it here
            for stream in list(getattr(self, "_streams", ())):
                stream._abandon()
        IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
        # Closes the asyncio loop, too, where the two differ.
        self.selector_loop.close()

    # ---- File descriptors

    def add_handler(self, fd: int | _Selectable, handler: Callable[..., None], events: int) -> None:
        """Watch a descriptor; see `IOLoop.add_handler`."""
        number, registered = self.split_fd(fd)
        if number in self.handlers:
            raise ValueError(
                f"descriptor {number} has a handler already; use update_handler() to change its events"
            )
        self.handlers[number] = (registered, handler)
        self._watch(number, events)

    def update_handler(self, fd: int | _Selectable, events: int) -> None:
        """Change what a descriptor is watched for; see `IOLoop.update_handler`."""
        number = self.split_fd(fd)[0]
        if events and number not in self.handlers:
            raise ValueError(f"descriptor {number} has no handler; use add_handler() first")
        self._watch(number, events)

    def remove_handler(self, fd: int | _Selectable) -> None:
        """Stop watching a descriptor; see `IOLoop.remove_handler`."""
        number = self.split_fd(fd)[0]
        if self.handlers.pop(number, None) is not None:
            self._watch(number, self.NONE)

    def _watch(self, number: int, events: int) -> None:
        """Bring what asyncio watches in line with ``events``."""
        loop, readers, writers = self.selector_loop, self.readers, self.writers
        if events & IOLoop.READ:
            if number not in readers:
                loop.add_reader(number, self._handle_events, number, IOLoop.READ)
                readers.add(number)
        elif number in readers:
            loop.remove_reader(number)
            readers.discard(number)
        if events & IOLoop.WRITE:
            if number not in writers:
                loop.add_writer(number, self._handle_events, number, IOLoop.WRITE)
                writers.add(number)
        elif number in writers:
            loop.remove_writer(number)
            writers.discard(number)

    def _handle_events(self, number: int, events: int) -> None:
        registered, handler = self.handlers[number]
        self._in_callback = True
        try:
            handler(registered, events)
        finally:
            self._in_callback = False

    # ---- Timers and callbacks

    def call_at(
        self, when: float, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> object:
        """Set a timer; see `IOLoop.call_at`."""
        # asyncio's clock is another one: a delay is what both have in common.
        try:
            delay = when - self.time()
        except TypeError:
            raise TypeError(
                f"call_at: when takes a time by the clock of IOLoop.time(), a number, not {when!r}"
            ) from None
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        return self.asyncio_loop.call_later(delay if delay > 0 else 0.0, self._run_callback, callback, *args)

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a timer; see `IOLoop.remove_timeout`."""
        timeout.cancel()  # type: ignore[attr-defined]

    def add_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Call back on the next turn, from any thread; see `IOLoop.add_callback`."""
        loop = self.asyncio_loop
        # Inside a callback or a task of the loop nothing has to wake it. Being in its thread is not enough:
        # a signal handler is, while the loop sleeps.
        awake = _get_running_loop() is loop and (self._in_callback or current_task(loop) is not None)
        call_soon = loop.call_soon if awake else loop.call_soon_threadsafe
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        try:
            call_soon(self._run_callback, callback, *args)
        except RuntimeError:
            # Where work ends in another thread, the loop may be gone, and nobody can do anything about it.
            if not loop.is_closed():
                raise

    def add_callback_from_signal(
        self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """Call back on the next turn, from a signal handler; see `IOLoop.add_callback_from_signal`."""
        warnings.warn(
            "add_callback_from_signal is deprecated; use the asyncio loop's add_signal_handler()",
            DeprecationWarning,
            stacklevel=2,
        )
        self.add_callback(callback, *args, **kwargs)

    # ---- Threads

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Call a function in a thread; see `IOLoop.run_in_executor`."""
        return self.asyncio_loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """Set the executor of the asyncio loop; see `IOLoop.set_default_executor`."""
        self.asyncio_loop.set_default_executor(executor)


def _watches_descriptors(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop has ``add_reader`` and its kin. The default one on Windows, the proactor, has not."""
    return getattr(type(loop), "add_reader", None) is not asyncio.AbstractEventLoop.add_reader


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """The IOLoop of the asyncio loop that is current: what `IOLoop.current` makes.

    It takes its asyncio loop as it finds it, so that there is nothing to make current or to restore.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Take the current asyncio loop; ``kwargs`` are those of `IOLoop.initialize`."""
        super().initialize(asyncio.get_event_loop(), **kwargs)


class AsyncIOLoop(BaseAsyncIOLoop):
    """An IOLoop with an asyncio loop of its own: what ``IOLoop()`` makes.

    Making it sets that loop as the thread's asyncio loop, unless ``make_current=False``; closing it closes
    the asyncio loop and gives the thread back the one it had.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Make the asyncio loop.

        :arg kwargs: those of `IOLoop.initialize`, and ``asyncio_loop`` to use this loop instead of a new
            one. It will be closed with the IOLoop all the same.
        """
        #: Whether this thread's asyncio loop is ours, and which one it had before.
        self.is_current: bool = False
        self.old_asyncio: asyncio.AbstractEventLoop | None = None
        given = kwargs.pop("asyncio_loop", None)
        loop = given or asyncio.new_event_loop()
        try:
            super().initialize(loop, **kwargs)
        except BaseException:
            if given is None:
                loop.close()
            raise

    def close(self, all_fds: bool = False) -> None:
        """Close the loop; see `IOLoop.close`."""
        super().close(all_fds)
        self._clear_current_hook()

    def _make_current(self) -> None:
        if not self.is_current:
            self.old_asyncio = _loop_of_thread()
            asyncio.set_event_loop(self.asyncio_loop)
            self.is_current = True

    def _clear_current_hook(self) -> None:
        if self.is_current:
            before, self.old_asyncio = self.old_asyncio, None
            self.is_current = False
            asyncio.set_event_loop(before)


def to_tornado_future(asyncio_future: asyncio.Future[_T]) -> asyncio.Future[_T]:
    """Give back the Future it is given: there is only one kind. Kept for programs that call it."""
    return asyncio_future


def to_asyncio_future(tornado_future: asyncio.Future[_T]) -> asyncio.Future[_T]:
    """Make an `asyncio.Future` of anything that `tornado.gen.convert_yielded` takes, a Deferred for one."""
    converted: asyncio.Future[_T] = convert_yielded(tornado_future)
    return converted


def _make_any_thread_policy() -> type:
    with warnings.catch_warnings():
        # Python 3.14 warns of every mention of a policy. Ours warns when it is used.
        warnings.simplefilter("ignore", DeprecationWarning)
        on_windows = sys.platform == "win32" and hasattr(asyncio, "WindowsSelectorEventLoopPolicy")
        base: Any = getattr(
            asyncio, "WindowsSelectorEventLoopPolicy" if on_windows else "DefaultEventLoopPolicy"
        )

    class AnyThreadEventLoopPolicy(base):  # type: ignore[misc, unused-ignore]
        """An event loop policy that gives every thread a loop as soon as it asks for one.

        asyncio's own does so in the main thread only. Deprecated, like policies altogether: start a loop
        where you need it, with `asyncio.run`.
        """

        __module__ = __name__
        __qualname__ = "AnyThreadEventLoopPolicy"

        def __init__(self) -> None:
            super().__init__()
            warnings.warn(
                "AnyThreadEventLoopPolicy is deprecated; start a loop in the thread with asyncio.run()",
                DeprecationWarning,
                stacklevel=2,
            )

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            """The thread's loop; a new one where it has none."""
            try:
                found: asyncio.AbstractEventLoop = super().get_event_loop()
            except RuntimeError:
                found = self.new_event_loop()
                self.set_event_loop(found)
            return found

    return AnyThreadEventLoopPolicy


if TYPE_CHECKING:
    AnyThreadEventLoopPolicy: type[asyncio.AbstractEventLoopPolicy]
else:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        # Made on demand: on Python 3.14 and later a mention of its base class is deprecated.
        if name == "AnyThreadEventLoopPolicy":
            made = globals()[name] = _make_any_thread_policy()
            return made
        return reexported(__name__, name)


list_public(globals(), late=["AnyThreadEventLoopPolicy"])
