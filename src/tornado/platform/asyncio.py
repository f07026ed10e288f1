"""The IOLoop that runs on asyncio, and conversions between the Futures of Tornado and asyncio.

No installation is needed: `IOLoop.current() <tornado.ioloop.IOLoop.current>` finds or creates the IOLoop of
the running asyncio loop, which may be asyncio's or uvloop's. On Windows, where the default asyncio loop
cannot watch sockets for readiness, `AddThreadSelectorEventLoop` adds this feature with a thread.
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

from tornado._implicit_reexports import reexported
from tornado._loop.epoll import close_watcher
from tornado._loop.per_loop import run_close_callbacks
from tornado._public_module_names import list_public
from tornado._yielded_values import convert_yielded
from tornado.ioloop import IOLoop, _loop_of_thread, _Selectable, ioloop_registry
from tornado.platform import _after_fork  # noqa: F401 - registers a handler for forks
from tornado.platform._selector_thread import (
    AddThreadSelectorEventLoop,
    SelectorThread,
    _atexit_callback,  # noqa: F401 - programs' test suites import it from here
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
    """An IOLoop that runs on the asyncio loop in its attribute ``asyncio_loop``."""

    def initialize(self, asyncio_loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:  # type: ignore[override]
        """Set the asyncio loop on which this IOLoop runs.

        :param asyncio_loop: the asyncio loop.
        :param kwargs: arguments of `IOLoop.initialize`.
        :raises RuntimeError: if the asyncio loop already has an IOLoop.
        """
        self.asyncio_loop = asyncio_loop
        #: The loop that watches file descriptors: ``asyncio_loop``, or a wrapper if it cannot watch them.
        self.selector_loop: asyncio.AbstractEventLoop = asyncio_loop
        #: The object given to `add_handler` and its handler, by file descriptor.
        self.handlers: dict[int, tuple[int | _Selectable, Callable[..., None]]] = {}
        self.readers: set[int] = set()
        self.writers: set[int] = set()
        self.closing: bool = False
        registry = ioloop_registry()
        # asyncio.run() and other functions close the asyncio loop, but not the IOLoop. list() makes an atomic
        # copy, in case other threads modify the registry.
        for loop in list(registry):
            if loop.is_closed():
                registry.pop(loop, None)
                close_watcher(loop)
        existing = registry.setdefault(asyncio_loop, self)
        if existing is not self:
            raise RuntimeError(
                f"{asyncio_loop!r} already has an IOLoop, {existing!r}: use IOLoop.current() to get it"
            )
        try:
            if not _watches_descriptors(asyncio_loop):
                # The class delegates the methods that it leaves abstract.
                self.selector_loop = AddThreadSelectorEventLoop(asyncio_loop)  # type: ignore[abstract]
            super().initialize(**kwargs)
        except BaseException:
            del registry[asyncio_loop]
            raise

    def start(self) -> None:
        """Run the loop until `stop` is called; see `IOLoop.start`."""
        self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Make `start` return; see `IOLoop.stop`."""
        self.asyncio_loop.stop()

    def close(self, all_fds: bool = False) -> None:
        """Close this loop and its asyncio loop; see `IOLoop.close`."""
        if self.asyncio_loop.is_running():
            raise RuntimeError("cannot close a running IOLoop: call stop() and wait for start() to return")
        self.closing = True
        for fd, (registered, _) in list(self.handlers.items()):
            self.remove_handler(fd)
            if all_fds:
                self.close_fd(registered)
        # Call the callbacks of streams and of other objects that end with the loop.
        run_close_callbacks(self, all_fds)
        close_watcher(self.selector_loop)
        ioloop_registry().pop(self.asyncio_loop, None)
        # If this is a wrapper, it also closes the asyncio loop.
        self.selector_loop.close()

    # ---- File descriptors

    def add_handler(self, fd: int | _Selectable, handler: Callable[..., None], events: int) -> None:
        """Watch a file descriptor; see `IOLoop.add_handler`."""
        number, registered = self.split_fd(fd)
        if number in self.handlers:
            raise ValueError(
                f"descriptor {number} already has a handler; use update_handler() to change its events"
            )
        self.handlers[number] = (registered, handler)
        self._watch(number, events)

    def update_handler(self, fd: int | _Selectable, events: int) -> None:
        """Change the events of a file descriptor; see `IOLoop.update_handler`."""
        number = self.split_fd(fd)[0]
        if events and number not in self.handlers:
            raise ValueError(f"descriptor {number} has no handler; use add_handler() first")
        self._watch(number, events)

    def remove_handler(self, fd: int | _Selectable) -> None:
        """Stop watching a file descriptor; see `IOLoop.remove_handler`."""
        number = self.split_fd(fd)[0]
        if self.handlers.pop(number, None) is not None:
            self._watch(number, self.NONE)

    def _watch(self, number: int, events: int) -> None:
        """Update the registrations with asyncio to match ``events``."""
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
        """Start a timer; see `IOLoop.call_at`."""
        # asyncio uses a different clock, so the time is converted to a delay.
        try:
            delay = when - self.time()
        except TypeError:
            raise TypeError(
                f"call_at: when must be a time of IOLoop.time(), in seconds, got {when!r}"
            ) from None
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        return self.asyncio_loop.call_later(delay if delay > 0 else 0.0, self._run_callback, callback, *args)

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a timer; see `IOLoop.remove_timeout`."""
        timeout.cancel()  # type: ignore[attr-defined]

    def add_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Call a function in the next iteration, from any thread; see `IOLoop.add_callback`."""
        loop = self.asyncio_loop
        # Inside a callback or task of the loop, the loop need not be woken. It is not sufficient that this
        # runs in the loop's thread: a signal handler runs in that thread while the loop sleeps.
        awake = _get_running_loop() is loop and (self._in_callback or current_task(loop) is not None)
        call_soon = loop.call_soon if awake else loop.call_soon_threadsafe
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        try:
            call_soon(self._run_callback, callback, *args)
        except RuntimeError:
            # When work in another thread ends, the loop may already be closed. If so, the callback is
            # dropped.
            if not loop.is_closed():
                raise

    def add_callback_from_signal(
        self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """Call a function in the next iteration; see `IOLoop.add_callback_from_signal`."""
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
    """Whether a loop has ``add_reader``. The default loop on Windows, the proactor, does not."""
    return getattr(type(loop), "add_reader", None) is not asyncio.AbstractEventLoop.add_reader


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """The IOLoop of the current asyncio loop, created by `IOLoop.current`.

    It uses the existing asyncio loop, so it neither changes nor restores the thread's current loop.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Use the current asyncio loop. ``kwargs`` are the arguments of `IOLoop.initialize`."""
        super().initialize(asyncio.get_event_loop(), **kwargs)


class AsyncIOLoop(BaseAsyncIOLoop):
    """An IOLoop with a new asyncio loop, created by ``IOLoop()``.

    The constructor makes the new loop the thread's asyncio loop, unless ``make_current=False``. `close`
    closes the asyncio loop and restores the thread's previous loop.
    """

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Create the asyncio loop.

        :param kwargs: the arguments of `IOLoop.initialize`, and ``asyncio_loop`` to use that loop instead of
            a new one. The asyncio loop is closed together with the IOLoop in either case.
        """
        #: Whether this loop is the thread's asyncio loop, and the previous asyncio loop of the thread.
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
    """Return the Future unchanged, because both kinds are the same. The function exists for compatibility."""
    return asyncio_future


def to_asyncio_future(tornado_future: asyncio.Future[_T]) -> asyncio.Future[_T]:
    """Convert any value that `tornado.gen.convert_yielded` accepts, such as a Deferred, to a Future."""
    converted: asyncio.Future[_T] = convert_yielded(tornado_future)
    return converted


def _make_any_thread_policy() -> type:
    with warnings.catch_warnings():
        # Python 3.14 warns whenever a policy is accessed, but this class should warn only when it is used.
        warnings.simplefilter("ignore", DeprecationWarning)
        on_windows = sys.platform == "win32" and hasattr(asyncio, "WindowsSelectorEventLoopPolicy")
        base: Any = getattr(
            asyncio, "WindowsSelectorEventLoopPolicy" if on_windows else "DefaultEventLoopPolicy"
        )

    class AnyThreadEventLoopPolicy(base):  # type: ignore[misc, unused-ignore]
        """An event loop policy that creates a loop in any thread when one is first requested.

        asyncio's default policy creates a loop only in the main thread. Deprecated, like all policies: start
        a loop where it is needed with `asyncio.run`.
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
            """Return the thread's loop, creating it if necessary."""
            try:
                found: asyncio.AbstractEventLoop = super().get_event_loop()
            except RuntimeError:
                found = self.new_event_loop()
                self.set_event_loop(found)
            return found

    return AnyThreadEventLoopPolicy


if TYPE_CHECKING:
    AnyThreadEventLoopPolicy: type[asyncio.AbstractEventLoopPolicy]
else:  # a type checker would otherwise accept every name as one of this module

    def __getattr__(name: str) -> Any:
        # The class is created on first use, because Python 3.14 and later warn when its base class is
        # accessed.
        if name == "AnyThreadEventLoopPolicy":
            made = globals()[name] = _make_any_thread_policy()
            return made
        return reexported(__name__, name)


list_public(globals(), late=["AnyThreadEventLoopPolicy"])
