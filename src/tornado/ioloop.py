"""The event loop: callbacks, timers, file descriptors and coroutines, one at a time in one thread.

`IOLoop` is a face put on an `asyncio` event loop; there is one IOLoop for each asyncio loop, made when it
is first asked for, and the two may be mixed freely. New programs need little of it::

    async def main():
        application.listen(8888)
        await asyncio.get_running_loop().create_future()  # for ever

    asyncio.run(main())

What it adds for programs written for Tornado: `IOLoop.current`, `IOLoop.run_sync`, `IOLoop.add_callback`
from any thread, handlers for file descriptors, and timers by the wall clock, `PeriodicCallback` among them.

An exception that leaves a callback is logged to ``tornado.application`` and the loop goes on. A callback
that returns an awaitable has it run to its end, with its exception logged in the same way.
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

from tornado._awaitables import BadYieldError, convert_yielded
from tornado._export import list_public
from tornado._reexports import reexported
from tornado._tasks import done_future as _done_future  # noqa: F401 - for our other layers
from tornado._tasks import run_eagerly as _run_eagerly  # noqa: F401
from tornado._tornado4.deprecation import deprecated, ignored_loop
from tornado.concurrent import Future, chain_future, future_add_done_callback
from tornado.log import app_log
from tornado.util import Configurable, import_object

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError"]

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Ts = TypeVarTuple("_Ts")
_HasFileno = TypeVar("_HasFileno", bound="_Selectable")

#: Calls callbacks inside their stack contexts; set when a program makes its first one
#: (`_tornado4.stack_contexts`).
_call_inside: Callable[[Callable[[], Any]], Any] | None = None


#: Called with each loop that is made to be a thread's current one, before it runs.
new_loop_callbacks: list[Callable[[IOLoop], object]] = []


class _Selectable(Protocol):
    """A socket, or anything else that has a descriptor and can be closed."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class IOLoop(Configurable):
    """An event loop.

    ``IOLoop()`` makes a loop of its own, on a fresh asyncio loop, and makes it the current one of this
    thread; ``IOLoop(make_current=False)`` leaves the thread as it is. Inside a running loop, and in
    programs started by `asyncio.run`, use `IOLoop.current` instead.

    Of its methods only `add_callback` may be called from another thread.
    """

    #: No event. Handlers are always told of errors, whatever they ask for.
    NONE = 0
    #: There is something to read, or the peer has closed.
    READ = 0x001
    #: There is room to write, or a connection attempt has ended.
    WRITE = 0x004
    #: The descriptor is in error. It comes as READ or WRITE, since asyncio knows only these two.
    ERROR = 0x018

    #: The IOLoop of each asyncio loop. Closed loops leave when the next one is registered.
    _ioloop_for_asyncio: ClassVar[dict[asyncio.AbstractEventLoop, IOLoop]] = {}

    #: The asyncio loop underneath.
    asyncio_loop: asyncio.AbstractEventLoop

    _executor: concurrent.futures.Executor | None = None
    #: Whether a callback of ours is being called, so that the loop is surely awake. False is always safe.
    _in_callback = False

    # ---- Which implementation

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """The head of this family: `IOLoop`."""
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """What ``IOLoop()`` makes: `tornado.platform.asyncio.AsyncIOLoop`."""
        found: type[Configurable] = import_object("tornado.platform.asyncio.AsyncIOLoop")
        return found

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the class that ``IOLoop()`` makes.

        :arg impl: a subclass of `tornado.platform.asyncio.BaseAsyncIOLoop`, or its dotted name.
        :arg kwargs: arguments for its ``initialize``.
        :raises RuntimeError: if it is a class of any other kind: there is no loop but asyncio's.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        wanted = import_object("tornado.platform.asyncio.BaseAsyncIOLoop")
        if isinstance(chosen, type) and not issubclass(chosen, wanted):
            raise RuntimeError(f"IOLoop runs on asyncio: {chosen!r} is not a subclass of {wanted!r}")
        super().configure(chosen, **kwargs)

    # ---- Which loop

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
        """Give the IOLoop of the asyncio loop that is running, or that is set for this thread.

        :arg instance: whether to make an IOLoop, and an asyncio loop if need be, where there is none.
        :returns: the IOLoop; None only where there is none and ``instance`` is false.
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
        """The older name of `current`."""
        return IOLoop.current()

    @staticmethod
    def initialized() -> bool:
        """Whether this thread has an IOLoop already. Deprecated: `current` can tell by ``instance=False``."""
        deprecated("IOLoop.initialized()", "ask whether IOLoop.current(instance=False) is None")
        return IOLoop.current(instance=False) is not None

    def install(self) -> None:
        """The older name of `make_current`."""
        self.make_current()

    @staticmethod
    def clear_instance() -> None:
        """The older name of `clear_current`."""
        IOLoop.clear_current()

    def make_current(self) -> None:
        """Make this the current loop of the calling thread. Deprecated: a loop is current while it runs."""
        _warn_deprecated("make_current", "start the loop instead, for example with asyncio.run()")
        self._make_current()

    @staticmethod
    def clear_current() -> None:
        """Leave the calling thread without a current loop. Deprecated: a loop is current while it runs."""
        _warn_deprecated("clear_current", "close the loop instead")
        IOLoop._clear_current()

    def _make_current(self) -> None:
        """Implementations set this thread's asyncio loop here."""

    @staticmethod
    def _clear_current() -> None:
        current = IOLoop.current(instance=False)
        if current is not None:
            current._clear_current_hook()

    def _clear_current_hook(self) -> None:
        """Implementations undo here what `_make_current` did."""

    # ---- Life

    def initialize(self, make_current: bool = True) -> None:
        """Take the arguments of ``IOLoop()``.

        :arg make_current: whether the new loop becomes the current one of the calling thread.
        """
        if make_current:
            self._make_current()
            for callback in new_loop_callbacks:
                callback(self)

    def start(self) -> None:
        """Run the loop until `stop` is called.

        :raises RuntimeError: if a loop is running in this thread already.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Have `start` return after the callbacks that are due; at once, if it has yet to be called.

        Timers and handlers stay, and a later `start` goes on with them. From another thread use
        ``loop.add_callback(loop.stop)``.
        """
        raise NotImplementedError

    def close(self, all_fds: bool = False) -> None:
        """Close a loop that is not running, and free what it holds. It cannot be used again.

        :arg all_fds: whether to close every file descriptor registered with it, too.
        :raises RuntimeError: if it is running.
        """
        raise NotImplementedError

    @overload
    def run_sync(self, func: Callable[[], Awaitable[_T]], timeout: float | None = None) -> _T: ...
    @overload
    def run_sync(
        self, func: Callable[[], Awaitable[_T] | None], timeout: float | None = None
    ) -> _T | None: ...
    # Whatever else `tornado.gen.convert_yielded` knows.
    @overload
    def run_sync(self, func: Callable[[], object], timeout: float | None = None) -> Any: ...
    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Start the loop, run ``func``, wait for the awaitable it returns, and stop the loop.

        :arg func: called without arguments in the loop; usually a coroutine function.
        :arg timeout: seconds after which the awaitable is cancelled; None for no limit.
        :returns: the awaitable's result, or None if ``func`` returned None.
        :raises TimeoutError: if the time was up first.
        :raises tornado.gen.BadYieldError: if ``func`` returned something that cannot be waited for.
        :raises RuntimeError: if the loop was stopped before the result was there.

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
            run.over = True
            if timer is not None:
                self.remove_timeout(timer)
        return run.outcome(timeout)

    def time(self) -> float:
        """The time by which `call_at` and `add_timeout` go: seconds since the epoch, as of `time.time`."""
        return time.time()

    # ---- File descriptors

    @overload
    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None: ...

    @overload
    def add_handler(
        self, fd: _HasFileno, handler: Callable[[_HasFileno, int], None], events: int
    ) -> None: ...

    def add_handler(self, fd: int | _Selectable, handler: Callable[[Any, int], None], events: int) -> None:
        """Have ``handler(fd, events)`` called whenever ``fd`` is ready.

        :arg fd: a file descriptor, or an object with ``fileno()`` and ``close()``, such as a socket. The
            handler is given what was registered.
        :arg handler: called with it and with `READ` or `WRITE`, again and again while it stays ready.
        :arg events: `READ` and `WRITE`, or-ed together.
        :raises ValueError: if ``fd`` is registered already; see `update_handler`.
        """
        raise NotImplementedError

    def update_handler(self, fd: int | _Selectable, events: int) -> None:
        """Change the events for which the handler of ``fd`` is called.

        :arg events: `READ` and `WRITE`, or-ed together, or `NONE`.
        """
        raise NotImplementedError

    def remove_handler(self, fd: int | _Selectable) -> None:
        """Stop listening on ``fd``, before it is closed. One that is not registered is ignored."""
        raise NotImplementedError

    def split_fd(self, fd: int | _Selectable) -> tuple[int, int | _Selectable]:
        """Give the descriptor number of ``fd`` and ``fd`` itself, which may be that number."""
        number = fd if isinstance(fd, int) else fd.fileno()
        return number, fd

    def close_fd(self, fd: int | _Selectable) -> None:
        """Close a descriptor given as `split_fd` takes it. One that is closed already is no error."""
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

        :arg deadline: a time by the clock of `time`, or a `datetime.timedelta` from now.
        :returns: a handle for `remove_timeout`.
        :raises TypeError: if ``deadline`` is neither.
        """
        if isinstance(deadline, datetime.timedelta):
            return self.call_at(self.time() + deadline.total_seconds(), callback, *args, **kwargs)
        when: Any = deadline
        if isinstance(when, numbers.Real):
            return self.call_at(float(when), callback, *args, **kwargs)
        raise TypeError(f"a deadline is a number of seconds since the epoch or a timedelta, not {deadline!r}")

    def call_later(
        self, delay: float, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> object:
        """Call ``callback(*args, **kwargs)`` once, ``delay`` seconds from now.

        :returns: a handle for `remove_timeout`.
        :raises TypeError: if ``delay`` is no number.
        """
        try:
            when = self.time() + delay
        except TypeError:
            raise TypeError(f"call_later: delay takes a number of seconds, not {delay!r}") from None
        return self.call_at(when, callback, *args, **kwargs)

    def call_at(
        self, when: float, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> object:
        """Call ``callback(*args, **kwargs)`` once, at the time ``when`` by the clock of `time`.

        :returns: a handle for `remove_timeout`.
        """
        raise NotImplementedError

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a timer, given its handle. One that has been called or cancelled is no error."""
        raise NotImplementedError

    # ---- Callbacks

    def add_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Call ``callback(*args, **kwargs)`` on the next turn of the loop, in the caller's context.

        The context is that of `contextvars`. May be called from any thread, and from a handler of the
        `signal` module. A loop that is closed forgets the callback silently.
        """
        raise NotImplementedError

    def add_callback_from_signal(
        self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """The same as `add_callback`, which is safe in a handler of the `signal` module, too.

        Deprecated: use `asyncio.loop.add_signal_handler`, whose handlers may use the loop freely.
        """
        raise NotImplementedError

    def spawn_callback(self, callback: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Start a coroutine, or call a function, on the next turn of the loop and forget it.

        The same as `add_callback`, but outside of stack contexts: its exceptions are logged.
        """
        classic = sys.modules.get("tornado._tornado4.stack_contexts")
        with contextlib.nullcontext() if classic is None else classic.NullContext():
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
        """Call ``callback(future)`` in this loop when ``future`` is done, whichever thread completes it.

        The callback has to look at the Future's result or exception itself.
        """
        if isinstance(future, Future):
            future.add_done_callback(functools.partial(self._run_callback, callback))
        else:
            # This one calls back in the thread that completed it, or, done already, right here: bring the
            # caller's context along.
            context = contextvars.copy_context()
            future_add_done_callback(future, lambda done: context.run(self.add_callback, callback, done))

    def _run_callback(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call ``callback(*args)`` and wait, in the background, for what it returns; log what it raises."""
        self._in_callback = True
        try:
            returned = callback(*args) if _call_inside is None else _call_inside(_bind(callback, args))
            if returned is None:
                return
            try:
                awaited = convert_yielded(returned)
            except BadYieldError:
                return  # an ordinary value, which nobody asked for
            self.add_future(awaited, self._discard_future_result)
        except CancelledError:
            pass
        except Exception:
            self.handle_callback_exception(_bind(callback, args))
        finally:
            self._in_callback = False

    def set_blocking_log_threshold(self, seconds: float | None) -> None:
        """Does nothing, with a warning. In Tornado 4 it had tracebacks logged of what blocked the loop."""
        deprecated("IOLoop.set_blocking_log_threshold", "use asyncio's debug mode, which logs slow callbacks")

    def handle_callback_exception(self, callback: Callable[[], Any]) -> None:
        """Called with a callback that has raised the exception that is being handled; logs it.

        May be overridden, or replaced on the object; `sys.exc_info` tells of the exception.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def _discard_future_result(self, future: asyncio.Future[Any]) -> None:
        # Raises what is in it, to be logged like what any other callback raises.
        future.result()

    # ---- Threads

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Call ``func(*args)`` in a thread.

        :arg executor: whose thread; None for the loop's own executor.
        :returns: a Future of the result. Use `functools.partial` for keyword arguments.
        """
        if executor is None:
            executor = self._executor
            if executor is None:
                executor = self._executor = concurrent.futures.ThreadPoolExecutor()
        answer: asyncio.Future[_T] = Future()
        chain_future(executor.submit(func, *args), answer)
        return answer

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """Set the executor that `run_in_executor` uses where it is given None."""
        self._executor = executor


def _loop_of_thread() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that this thread has; asyncio makes one for the main thread before Python 3.14."""
    if threading.current_thread() is not threading.main_thread():
        with contextlib.suppress(RuntimeError):
            return asyncio.get_event_loop()
        return None
    with warnings.catch_warnings():
        # Python 3.12 and 3.13 warn of making it.
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
        self.over = False

    def begin(self) -> None:
        """Run the function, in the loop."""
        if self.over:
            return  # the loop could not be started, and the caller knows
        try:
            returned = self.func()
            if returned is None:
                self._settle().set_result(None)
            else:
                self.future = convert_yielded(returned)
        except CancelledError:
            self._settle().cancel()
        except Exception as error:
            self._settle().set_exception(error)
        self.loop.add_future(self.future, lambda _: self.loop.stop())
        if self.expired:
            self.expire()

    def _settle(self) -> asyncio.Future[None]:
        self.future = Future()
        return self.future  # type: ignore[no-any-return]

    def expire(self) -> None:
        """The time is up: cancel. A coroutine may still clean up; what cannot be cancelled is left behind."""
        self.expired = True
        # A timer may be faster than the first callback; then `begin` comes back here.
        if self.future is not None and not self.future.cancel():
            self.loop.stop()

    def outcome(self, timeout: float | None) -> Any:
        """What the caller of `run_sync` gets."""
        finished = self.future is not None and self.future.done()
        if self.expired and (not finished or self.future.cancelled()):
            raise TimeoutError(f"Operation timed out after {timeout} seconds")
        if not finished:
            raise RuntimeError("Event loop stopped before the function given to run_sync() had finished")
        return self.future.result()


class PeriodicCallback:
    """Call a function again and again, at even distances of time.

    :arg callback: called without arguments; an awaitable it returns is waited for.
    :arg callback_time: the period, in milliseconds or as a `datetime.timedelta`.
    :arg jitter: how much each period may vary, as a part of it: with 0.1 each is 95 to 105 % of the period,
        so that many programs started together drift apart.
    :raises ValueError: if the period is not positive.
    :raises TypeError: if it is neither a number nor a timedelta.

    Calls fall on multiples of the period counted from `start`. One that takes longer than the period is never
    overtaken by the next: the times that it missed are left out, also where it was stopped and started anew
    meanwhile. Exceptions are logged and end nothing.
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
                "PeriodicCallback: callback_time takes a number of milliseconds or a timedelta, "
                f"not {callback_time!r}"
            ) from None
        if not positive:
            raise ValueError(f"the period of a PeriodicCallback has to be positive, not {callback_time!r} ms")
        self.callback = callback
        self.callback_time: float = callback_time
        self.jitter = jitter
        self._running = False
        self._timeout: object | None = None
        self._next_timeout = 0.0
        # The loop that a call is under way on. A loop that was closed may never end its call.
        self._called_on: IOLoop | None = None

    def start(self) -> None:
        """Begin, on the current IOLoop: the first call comes one period from now.

        If a coroutine is still under way there from before a `stop`, it comes after its end.
        """
        self.stop()
        # Looked up here and not earlier: it may well be made in another thread than it is started in.
        loop: IOLoop = IOLoop.current()
        self.io_loop: IOLoop = loop
        self._next_timeout = loop.time()
        self._running = True
        self._schedule_next()

    def stop(self) -> None:
        """Make no further call. A coroutine that is under way runs to its end."""
        timer, self._timeout = self._timeout, None
        if timer is not None:
            self.io_loop.remove_timeout(timer)
        self._running = False

    def is_running(self) -> bool:
        """Whether `start` has been called, and not `stop` since."""
        return self._running

    def _run(self) -> Awaitable[None] | None:
        self._timeout = None
        if not self._running:
            return None
        loop = self._called_on = self.io_loop
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
        if self._called_on is loop:  # else it was started on another one meanwhile
            self._called_on = None
            self._schedule_next()

    def _schedule_next(self) -> None:
        # A timer is there already if it was started on another loop meanwhile.
        if self._running and self._timeout is None and self._called_on is not self.io_loop:
            self._update_next(self.io_loop.time())
            self._timeout = self.io_loop.add_timeout(self._next_timeout, self._run)

    def _update_next(self, current_time: float) -> None:
        """Move ``_next_timeout`` to the first time of the pattern that is later than ``current_time``."""
        period = self.callback_time / 1000
        if self.jitter:
            period *= 1 + self.jitter * (random.random() - 0.5)
        late = current_time - self._next_timeout
        # A timer that fires early, or a clock that was set back (late < 0), must not repeat a time: at
        # least one on.
        steps = math.floor(late / period) + 1 if late >= 0 else 1
        self._next_timeout += steps * period


def _warn_deprecated(what: str, advice: str) -> None:
    # Programs tell their warning filters how the text begins.
    warnings.warn(f"{what} is deprecated; {advice}", DeprecationWarning, stacklevel=3)


def __getattr__(name: str) -> Any:
    if name == "PollIOLoop":  # of Tornado 4, imported when it is used
        return import_object("tornado._tornado4.poll_ioloop.PollIOLoop")
    return reexported(__name__, name)


list_public(globals())
