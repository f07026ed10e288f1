"""The event loop: callbacks, timers, file descriptors and coroutines in one thread.

`IOLoop` wraps an `asyncio` event loop. Each asyncio loop has at most one IOLoop, which is created when it is
first requested. Both APIs can be mixed freely. New programs need little of this module::

    async def main():
        application.listen(8888)
        await asyncio.get_running_loop().create_future()  # run until interrupted

    asyncio.run(main())

For programs written for Tornado this module provides `IOLoop.current`, `IOLoop.run_sync`,
`IOLoop.add_callback` from any thread, handlers for file descriptors, timers based on wall-clock time, and
`PeriodicCallback`.

If a callback raises an exception, the exception is logged to ``tornado.application`` and the loop continues.
If a callback returns an awaitable, the awaitable runs to its end, and its exception is logged in the same
way.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import datetime
import functools
import inspect
import math
import numbers
import os
import random
import sys
import threading
import time
import warnings
from asyncio import CancelledError, _get_running_loop
from builtins import TimeoutError
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal, ParamSpec, Protocol, TypeVar, TypeVarTuple, overload

from tornado._implicit_reexports import reexported
from tornado._loop.tasks import done_future as _done_future  # noqa: F401 - used by other layers
from tornado._loop.tasks import run_eagerly as _run_eagerly  # noqa: F401
from tornado._public_module_names import list_public
from tornado._tornado4.deprecation import deprecated, ignored_loop
from tornado._yielded_values import BadYieldError, convert_yielded
from tornado.concurrent import Future, chain_future, future_add_done_callback
from tornado.log import app_log
from tornado.util import Configurable, import_object

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError"]

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Ts = TypeVarTuple("_Ts")
_HasFileno = TypeVar("_HasFileno", bound="_Selectable")

#: Calls callbacks inside their stack contexts; set when the first stack context is created
#: (`_tornado4.stack_contexts`).
_call_in_contexts: Callable[[Callable[[], Any]], Any] | None = None


#: Called with each new loop that becomes the current loop of a thread, before the loop runs.
new_loop_callbacks: list[Callable[[IOLoop], object]] = []


class _Selectable(Protocol):
    """A socket or another object that has a file descriptor and can be closed."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class IOLoop(Configurable):
    """An event loop.

    ``IOLoop()`` creates an asyncio loop and an IOLoop for it, and makes the IOLoop the current one of this
    thread; ``IOLoop(make_current=False)`` does not change the thread's current loop. In a running loop, and
    in programs started by `asyncio.run`, use `IOLoop.current` instead.

    Only `add_callback` may be called from other threads.
    """

    #: No event. Errors are always reported to the handler, regardless of the registered events.
    NONE = 0
    #: Data can be read, or the peer has closed the connection.
    READ = 0x001
    #: Data can be written, or a connection attempt has ended.
    WRITE = 0x004
    #: An error on the descriptor. Handlers receive READ or WRITE instead, the only events of asyncio.
    ERROR = 0x018

    #: The IOLoop of each asyncio loop. Closed loops are removed when the next loop is registered.
    _ioloop_for_asyncio: ClassVar[dict[asyncio.AbstractEventLoop, IOLoop]] = {}

    #: The underlying asyncio loop.
    asyncio_loop: asyncio.AbstractEventLoop

    _executor: concurrent.futures.Executor | None = None
    #: Whether a callback is running, which implies that the loop is awake. False is always a safe value.
    _in_callback = False

    # ---- Selection of the implementation

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return the base class of all implementations: `IOLoop`."""
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return the class that ``IOLoop()`` creates by default: `tornado.platform.asyncio.AsyncIOLoop`."""
        found: type[Configurable] = import_object("tornado.platform.asyncio.AsyncIOLoop")
        return found

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Set the class that ``IOLoop()`` creates.

        :param impl: a subclass of `tornado.platform.asyncio.BaseAsyncIOLoop`, or its dotted name.
        :param kwargs: arguments of its ``initialize``.
        :raises RuntimeError: if ``impl`` is any other class, because only asyncio's loops are supported.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        wanted = import_object("tornado.platform.asyncio.BaseAsyncIOLoop")
        if isinstance(chosen, type) and not issubclass(chosen, wanted):
            raise RuntimeError(f"IOLoop implementation {chosen!r} is not a subclass of {wanted!r}")
        super().configure(chosen, **kwargs)

    # ---- The current loop

    @overload
    @staticmethod
    def current() -> IOLoop: ...

    @overload
    @staticmethod
    def current(instance: Literal[True]) -> IOLoop: ...

    @overload
    @staticmethod
    def current(instance: bool) -> IOLoop | None: ...

    @staticmethod
    def current(instance: bool = True) -> IOLoop | None:
        """Return the IOLoop of the running asyncio loop or, if none is running, of the thread's asyncio loop.

        :param instance: whether to create a missing IOLoop and, if necessary, its asyncio loop.
        :returns: the IOLoop, or None if it does not exist and ``instance`` is false.
        """
        loop = _get_running_loop() or _loop_of_thread()
        if loop is None:
            if not instance:
                return None
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        found = IOLoop._ioloop_for_asyncio.get(loop)
        if found is None and instance:
            found = import_object("tornado.platform.asyncio.AsyncIOMainLoop")()
        return found

    @staticmethod
    def instance() -> IOLoop:
        """Return the current loop. This is the older name of `current`."""
        return IOLoop.current()

    @staticmethod
    def initialized() -> bool:
        """Whether this thread has an IOLoop. Deprecated: use `current` with ``instance=False``."""
        deprecated("IOLoop.initialized()", "check whether IOLoop.current(instance=False) is None")
        return IOLoop.current(instance=False) is not None

    def install(self) -> None:
        """Make this loop the current one. This is the older name of `make_current`."""
        self.make_current()

    @staticmethod
    def clear_instance() -> None:
        """Clear the current loop. This is the older name of `clear_current`."""
        IOLoop.clear_current()

    def make_current(self) -> None:
        """Make this the current loop of the calling thread. Deprecated: a running loop is always current."""
        _warn_deprecated("make_current", "start the loop instead, for example with asyncio.run()")
        self._make_current()

    @staticmethod
    def clear_current() -> None:
        """Clear the current loop of the calling thread. Deprecated: a loop is current while it runs."""
        _warn_deprecated("clear_current", "close the loop instead")
        IOLoop._clear_current()

    def _make_current(self) -> None:
        """Set the thread's asyncio loop. Subclasses implement this method."""

    @staticmethod
    def _clear_current() -> None:
        current = IOLoop.current(instance=False)
        if current is not None:
            current._clear_current_hook()

    def _clear_current_hook(self) -> None:
        """Undo `_make_current`. Subclasses implement this method."""

    # ---- Life cycle

    def initialize(self, make_current: bool = True) -> None:
        """Process the arguments of ``IOLoop()``.

        :param make_current: whether the new loop becomes the current one of the calling thread.
        """
        if make_current:
            self._make_current()
            for callback in new_loop_callbacks:
                callback(self)

    def start(self) -> None:
        """Run the loop until `stop` is called.

        :raises RuntimeError: if a loop is already running in this thread.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Make `start` return when all callbacks that are ready have run.

        If the loop is not running, the next `start` returns after one iteration. Timers and handlers remain,
        and a later `start` continues with them. From another thread, call ``loop.add_callback(loop.stop)``.
        """
        raise NotImplementedError

    def close(self, all_fds: bool = False) -> None:
        """Close the loop, which must not be running, and release its resources. It cannot be used again.

        :param all_fds: whether to close all file descriptors registered with the loop as well.
        :raises RuntimeError: if the loop is running.
        """
        raise NotImplementedError

    @overload
    def run_sync(self, func: Callable[[], Awaitable[_T]], timeout: float | None = None) -> _T: ...
    @overload
    def run_sync(
        self, func: Callable[[], Awaitable[_T] | None], timeout: float | None = None
    ) -> _T | None: ...
    # This overload accepts any other type that `tornado.gen.convert_yielded` converts.
    @overload
    def run_sync(self, func: Callable[[], object], timeout: float | None = None) -> Any: ...
    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Start the loop, run ``func``, wait for the awaitable it returns, and stop the loop.

        :param func: called without arguments in the loop; usually a coroutine function.
        :param timeout: time in seconds after which the awaitable is cancelled; None for no limit.
        :returns: the awaitable's result, or None if ``func`` returned None.
        :raises TimeoutError: if the timeout expired before the awaitable was done.
        :raises tornado.gen.BadYieldError: if ``func`` returned a value that cannot be waited for.
        :raises RuntimeError: if the loop was stopped before the awaitable was done.

        ::

            async def main():
                ...

            if __name__ == "__main__":
                IOLoop.current().run_sync(main)
        """
        run = _SyncRun(self, func)
        self.add_callback(run.begin)
        timer = self.add_timeout(self.time() + timeout, run.expire) if timeout is not None else None
        try:
            self.start()
        finally:
            run.ended = True
            if timer is not None:
                self.remove_timeout(timer)
        return run.outcome(timeout)

    def time(self) -> float:
        """Return the current time of the clock for `call_at` and `add_timeout`: `time.time`, in seconds."""
        return time.time()

    # ---- File descriptors

    @overload
    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None: ...

    @overload
    def add_handler(
        self, fd: _HasFileno, handler: Callable[[_HasFileno, int], None], events: int
    ) -> None: ...

    def add_handler(self, fd: int | _Selectable, handler: Callable[[Any, int], None], events: int) -> None:
        """Call ``handler(fd, events)`` whenever ``fd`` is ready.

        :param fd: a file descriptor, or an object with ``fileno()`` and ``close()``, such as a socket. The
            handler receives the same value or object.
        :param handler: called with ``fd`` and with `READ` or `WRITE`, repeatedly while ``fd`` remains ready.
        :param events: the bitwise OR of `READ` and `WRITE`.
        :raises ValueError: if ``fd`` is already registered; use `update_handler` instead.
        """
        raise NotImplementedError

    def update_handler(self, fd: int | _Selectable, events: int) -> None:
        """Change the events for which the handler of ``fd`` is called.

        :param events: the bitwise OR of `READ` and `WRITE`, or `NONE`.
        """
        raise NotImplementedError

    def remove_handler(self, fd: int | _Selectable) -> None:
        """Stop watching ``fd``. Call this before closing it. An unregistered ``fd`` is ignored."""
        raise NotImplementedError

    def split_fd(self, fd: int | _Selectable) -> tuple[int, int | _Selectable]:
        """Return the file descriptor number of ``fd``, and ``fd`` itself, which may be the same number."""
        number = fd if isinstance(fd, int) else fd.fileno()
        return number, fd

    def close_fd(self, fd: int | _Selectable) -> None:
        """Close a file descriptor or an object with one. A descriptor that is already closed is ignored."""
        with contextlib.suppress(OSError):
            return os.close(fd) if isinstance(fd, int) else fd.close()

    # ---- Timers

    def add_timeout(
        self,
        deadline: float | datetime.timedelta,
        callback: Callable[_P, object],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> object:
        """Call ``callback(*args, **kwargs)`` once, at ``deadline``.

        :param deadline: a time on the clock of `time`, in seconds, or a `datetime.timedelta` from now.
        :returns: a handle for `remove_timeout`.
        :raises TypeError: if ``deadline`` is neither a number nor a timedelta.
        """
        if isinstance(deadline, datetime.timedelta):
            return self.call_at(self.time() + deadline.total_seconds(), callback, *args, **kwargs)
        when: Any = deadline
        if isinstance(when, numbers.Real):
            return self.call_at(float(when), callback, *args, **kwargs)
        raise TypeError(
            f"deadline must be a time in seconds since the epoch or a timedelta, got {deadline!r}"
        )

    def call_later(
        self, delay: float, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> object:
        """Call ``callback(*args, **kwargs)`` once, ``delay`` seconds from now.

        :returns: a handle for `remove_timeout`.
        :raises TypeError: if ``delay`` is not a number.
        """
        try:
            when = self.time() + delay
        except TypeError:
            raise TypeError(f"call_later: delay must be a number of seconds, got {delay!r}") from None
        return self.call_at(when, callback, *args, **kwargs)

    def call_at(
        self, when: float, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> object:
        """Call ``callback(*args, **kwargs)`` once, when `time` reaches ``when`` (in seconds).

        :returns: a handle for `remove_timeout`.
        """
        raise NotImplementedError

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a timer by its handle. A timer that has fired or has been cancelled is ignored."""
        raise NotImplementedError

    # ---- Callbacks

    def add_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Call ``callback(*args, **kwargs)`` in the next iteration of the loop, in the caller's context.

        The context is that of `contextvars`. This method may be called from any thread, and from a handler of
        the `signal` module. If the loop is closed, the callback is dropped silently.
        """
        raise NotImplementedError

    def add_callback_from_signal(
        self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """Call a callback in the next iteration of the loop, from a handler of the `signal` module.

        Deprecated: use `asyncio.loop.add_signal_handler`, whose handlers may use the loop without
        restrictions. `add_callback` is also safe in handlers of the `signal` module.
        """
        raise NotImplementedError

    def spawn_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Start a coroutine or call a function in the next iteration of the loop, without waiting for it.

        Unlike `add_callback`, it runs outside of stack contexts. Exceptions are logged.
        """
        stack_contexts = sys.modules.get("tornado._tornado4.stack_contexts")
        with contextlib.nullcontext() if stack_contexts is None else stack_contexts.NullContext():
            self.add_callback(callback, *args, **kwargs)

    @overload
    def add_future(
        self, future: asyncio.Future[_T], callback: Callable[[asyncio.Future[_T]], object]
    ) -> None: ...
    @overload
    def add_future(
        self,
        future: concurrent.futures.Future[_T],
        callback: Callable[[concurrent.futures.Future[_T]], object],
    ) -> None: ...
    def add_future(
        self,
        future: asyncio.Future[_T] | concurrent.futures.Future[_T],
        callback: Callable[..., object],
    ) -> None:
        """Call ``callback(future)`` in this loop when ``future`` is done, in whichever thread it completes.

        The callback must retrieve the Future's result or exception.
        """
        if isinstance(future, Future):
            future.add_done_callback(functools.partial(self._run_callback, callback))
        else:
            # This Future calls back in the thread that completes it or, if it is done, immediately. The
            # caller's context is passed along.
            context = contextvars.copy_context()
            future_add_done_callback(future, lambda done: context.run(self.add_callback, callback, done))

    def _run_callback(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call ``callback(*args)``; wait in the background for an awaitable it returns. Log exceptions."""
        self._in_callback = True
        try:
            returned = (
                callback(*args) if _call_in_contexts is None else _call_in_contexts(_bind(callback, args))
            )
            if returned is None:
                return
            try:
                awaited = convert_yielded(returned)
            except BadYieldError:
                return  # an ordinary value, which is ignored
            self.add_future(awaited, self._discard_future_result)
        except CancelledError:
            pass
        except Exception:
            self.handle_callback_exception(_bind(callback, args))
        finally:
            self._in_callback = False

    def set_blocking_log_threshold(self, seconds: float | None) -> None:
        """Issue a deprecation warning. In Tornado 4 this made the loop log callbacks that blocked it."""
        deprecated("IOLoop.set_blocking_log_threshold", "use asyncio's debug mode, which logs slow callbacks")

    def handle_callback_exception(self, callback: Callable[[], Any]) -> None:
        """Log the exception that is being handled, which ``callback`` has raised.

        This method may be overridden, or replaced on the object. `sys.exc_info` returns the exception.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def _discard_future_result(self, future: asyncio.Future[Any]) -> None:
        # This raises the Future's exception, so that it is logged like an exception of any other callback.
        future.result()

    # ---- Threads

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Call ``func(*args)`` in a thread.

        :param executor: the executor to use; None for the loop's default executor.
        :returns: a Future of the result. Use `functools.partial` for keyword arguments.
        """
        if executor is None:
            executor = self._executor
            if executor is None:
                executor = self._executor = concurrent.futures.ThreadPoolExecutor()
        future: asyncio.Future[_T] = Future()
        chain_future(executor.submit(func, *args), future)
        return future

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """Set the executor that `run_in_executor` uses when its ``executor`` is None."""
        self._executor = executor


def ioloop_registry() -> dict[asyncio.AbstractEventLoop, IOLoop]:
    """Return the dictionary from asyncio loops to IOLoops, which implementations of IOLoop maintain."""
    return IOLoop._ioloop_for_asyncio


def _loop_of_thread() -> asyncio.AbstractEventLoop | None:
    """Return this thread's asyncio loop. Before Python 3.14 asyncio creates a loop in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        with contextlib.suppress(RuntimeError):
            return asyncio.get_event_loop()
        return None
    with warnings.catch_warnings():
        # Python 3.12 and 3.13 warn when asyncio creates a loop.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None


def _bind(callback: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return functools.partial(callback, *args) if args else callback


class _SyncRun:
    """One call of `IOLoop.run_sync`."""

    def __init__(self, loop: IOLoop, func: Callable[[], Any]) -> None:
        self.loop = loop
        self.func = func
        self.future: Any = None
        self.expired = False
        self.ended = False

    def begin(self) -> None:
        """Call the function in the loop."""
        if self.ended:
            return  # the loop could not be started, and run_sync() has raised
        try:
            returned = self.func()
            if returned is None:
                self._new_future().set_result(None)
            else:
                self.future = convert_yielded(returned)
        except CancelledError:
            self._new_future().cancel()
        except Exception as error:
            self._new_future().set_exception(error)
        self.loop.add_future(self.future, lambda _: self.loop.stop())
        if self.expired:
            self.loop.add_callback(self.cancel)

    def _new_future(self) -> asyncio.Future[None]:
        self.future = Future()
        return self.future  # type: ignore[no-any-return]

    def expire(self) -> None:
        """Cancel the awaitable because the timeout has expired."""
        self.expired = True
        # The timer may fire before the first callback; then `begin` does this. A coroutine runs until it
        # first waits, even if the timeout has expired, so that the traceback shows where it was waiting.
        if self.future is not None:
            self.loop.add_callback(self.cancel)

    def cancel(self) -> None:
        """Cancel the awaitable. If it cannot be cancelled, stop the loop.

        A cancelled coroutine can still clean up before the loop stops.
        """
        if not self.ended and not self.future.cancel():
            self.loop.stop()

    def outcome(self, timeout: float | None) -> Any:
        """Return the result of `run_sync`, or raise its exception."""
        finished = self.future is not None and self.future.done()
        if self.expired and (not finished or self.future.cancelled()):
            raise TimeoutError(f"Operation timed out after {timeout} seconds")
        if not finished:
            raise RuntimeError("Event loop stopped before the function given to run_sync() had finished")
        return self.future.result()


class PeriodicCallback:
    """A timer that calls a function periodically.

    :param callback: called without arguments; if it returns an awaitable, the next call waits until the
        awaitable is done.
    :param callback_time: the period, in milliseconds or as a `datetime.timedelta`.
    :param jitter: the random variation of each period, as a fraction of it: with 0.1 each period lasts 95 to
        105 % of ``callback_time``. The variation prevents programs that start together from running in
        lockstep.
    :raises ValueError: if the period is not positive.
    :raises TypeError: if the period is neither a number nor a timedelta.

    Calls occur at multiples of the period after `start` and never overlap: if a call takes longer than the
    period, the times that pass during the call are skipped, even if the timer is stopped and started again
    during the call. Exceptions are logged and do not stop the timer.
    """

    def __init__(
        self,
        callback: Callable[[], object],
        callback_time: datetime.timedelta | float,
        jitter: float = 0,
        io_loop: IOLoop | None = None,
    ) -> None:
        if io_loop is not None or isinstance(jitter, IOLoop):
            ignored_loop("PeriodicCallback")
            jitter = 0 if isinstance(jitter, IOLoop) else jitter
        if isinstance(callback_time, datetime.timedelta):
            callback_time = callback_time / datetime.timedelta(milliseconds=1)
        try:
            positive = callback_time > 0
        except TypeError:
            raise TypeError(
                "PeriodicCallback: callback_time must be a number of milliseconds or a timedelta, "
                f"got {callback_time!r}"
            ) from None
        if not positive:
            raise ValueError(f"PeriodicCallback: callback_time must be positive, got {callback_time!r} ms")
        self.callback = callback
        self.callback_time: float = callback_time
        self.jitter = jitter
        self._running = False
        self._timeout: object | None = None
        self._next_timeout = 0.0
        # The loop on which a call is in progress. If that loop has been closed, the call may never end.
        self._running_on: IOLoop | None = None

    def start(self) -> None:
        """Start the timer on the current IOLoop. The first call happens after one period.

        If a call that began before `stop` is still in progress on that loop, the first call waits until it
        has ended.
        """
        self.stop()
        # The loop is looked up here because the object may have been created in a different thread.
        loop: IOLoop = IOLoop.current()
        self.io_loop: IOLoop = loop
        self._next_timeout = loop.time()
        self._running = True
        self._schedule_next()

    def stop(self) -> None:
        """Stop the timer. A coroutine that is in progress runs to its end."""
        timer, self._timeout = self._timeout, None
        if timer is not None:
            self.io_loop.remove_timeout(timer)
        self._running = False

    def is_running(self) -> bool:
        """Whether the timer has been started and not stopped."""
        return self._running

    def _run(self) -> Awaitable[None] | None:
        self._timeout = None
        if not self._running:
            return None
        loop = self._running_on = self.io_loop
        waiting = False
        try:
            returned = self.callback()
            if returned is not None and inspect.isawaitable(returned):
                waiting = True
                return self._finish(returned, loop)
        except Exception:
            app_log.error("Exception in callback %r", self.callback, exc_info=True)
        finally:
            if not waiting:
                self._end_call(loop)
        return None

    async def _finish(self, returned: Awaitable[Any], loop: IOLoop) -> None:
        try:
            await returned
        except Exception:
            app_log.error("Exception in callback %r", self.callback, exc_info=True)
        finally:
            self._end_call(loop)

    def _end_call(self, loop: IOLoop) -> None:
        if self._running_on is loop:  # otherwise start() was called on another loop during the call
            self._running_on = None
            self._schedule_next()

    def _schedule_next(self) -> None:
        # There is already a timer if `start` was called on another loop during the call.
        if self._running and self._timeout is None and self._running_on is not self.io_loop:
            self._update_next(self.io_loop.time())
            self._timeout = self.io_loop.add_timeout(self._next_timeout, self._run)

    def _update_next(self, current_time: float) -> None:
        """Move ``_next_timeout`` to the first multiple of the period that is later than ``current_time``."""
        period = self.callback_time / 1000
        if self.jitter:
            period *= 1 + self.jitter * (random.random() - 0.5)
        late = current_time - self._next_timeout
        # If a timer fires early or the clock was set back, `late` is negative. The timer still advances by
        # one period, so that no time is scheduled twice.
        steps = math.floor(late / period) + 1 if late >= 0 else 1
        self._next_timeout += steps * period


def _warn_deprecated(what: str, advice: str) -> None:
    # Warning filters of programs match the beginning of this text.
    warnings.warn(f"{what} is deprecated; {advice}", DeprecationWarning, stacklevel=3)


def __getattr__(name: str) -> Any:
    if name == "PollIOLoop":  # API of Tornado 4, imported on first use
        return import_object("tornado._tornado4.poll_ioloop.PollIOLoop")
    return reexported(__name__, name)


list_public(globals())
