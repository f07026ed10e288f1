"""Coroutines written as generators, and functions that wait for Futures.

New code should use native coroutines (``async def`` and ``await``). This module supports the many programs
that use decorated generators, and its other functions work in both kinds of coroutine::
    class Search(RequestHandler):
        @gen.coroutine
        def get(self):
            response = yield AsyncHTTPClient().fetch("https://example.com/")
            first, second = yield [read(1), read(2)]          # concurrently
            try:
                late = yield gen.with_timeout(timedelta(seconds=5), read(3))
            except TimeoutError:
                late = None
            self.write({"status": response.code, "late": late})

A decorated function returns a Future. It runs synchronously until it first has to wait; a function that never
waits costs one call, one context and one completed Future. After the first wait, a `Runner` drives the
generator: each awaited Future calls the Runner back in the coroutine's copy of the caller's `contextvars`
context.

Ownership: the result Future refers to the Runner, the Runner to the generator, and the generator to the
Future that it waits for. A coroutine therefore stays alive while another object waits for it or can still
resume it, and becomes garbage otherwise. When it ends, all these references are cleared, so that no cycles
are left for the garbage collector.
"""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import functools
import inspect
import types
from asyncio import CancelledError
from builtins import TimeoutError
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from concurrent import futures
from types import CoroutineType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from tornado._implicit_reexports import reexported
from tornado._loop.tasks import run_eagerly
from tornado._public_module_names import list_public
from tornado._tornado4.deprecation import ignored_loop
from tornado._yielded_values import (
    BadYieldError,
    QuietExceptions,
    _null_future,
    convert_yielded,
    moment,
    multi,
    multi_future,
)
from tornado.concurrent import (
    Future,
    _copy_outcome,
    chain_future,
    future_add_done_callback,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
)
from tornado.ioloop import IOLoop
from tornado.log import app_log
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado._tornado4.yield_points import (
        Arguments as Arguments,
    )
    from tornado._tornado4.yield_points import (
        Callback as Callback,
    )
    from tornado._tornado4.yield_points import (
        Wait as Wait,
    )
    from tornado._tornado4.yield_points import (
        WaitAll as WaitAll,
    )
    from tornado._tornado4.yield_points import (
        YieldPoint as YieldPoint,
    )

    # Declarations, because `_tornado4.gen_engine`, which defines these functions, imports this module.
    def Task(func: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        """Call ``func`` with a callback, and return a Future of the callback's argument."""

    def engine(func: Callable[..., Any]) -> Callable[..., None]:
        """Decorate a generator function so that a call runs it as a coroutine but returns None."""


__all__ = [
    "BadYieldError",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "Return",
    "ReturnValueIgnoredError",
    "Runner",
    "TimeoutError",
    "UnknownKeyError",
    "WaitIterator",
    "convert_yielded",
    "coroutine",
    "is_coroutine_function",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]

_T = TypeVar("_T")
_K = TypeVar("_K")
_P = ParamSpec("_P")

Multi = multi
_NullFuture = type(_null_future)

#: Starts the yield points of Tornado 4; set on the first use of a yield point (`_tornado4.key_registry`).
_start_yield_points: Callable[[Runner, Any], Any] | None = None
#: Called with each new Runner; set when the first stack context is created (`_tornado4.stack_contexts`).
_runner_started: Callable[[Runner], object] | None = None


class KeyReuseError(Exception):
    """``gen.Callback`` was called again with a key whose result has not been waited for."""


class UnknownKeyError(Exception):
    """A coroutine waited for a key that was not passed to ``gen.Callback``."""


class LeakedCallbackError(Exception):
    """A coroutine ended without waiting for all of its ``gen.Callback`` keys."""


class ReturnValueIgnoredError(Exception):
    """A function decorated with ``gen.engine`` returned a value, which its caller cannot receive."""


class Return(Exception):
    """The exception that ends a generator coroutine with a value: ``raise gen.Return(value)``.

    It is the older spelling of ``return value`` and has the same effect.

    :param value: the result of the coroutine's Future.
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value


# Coroutines


@overload
def coroutine(func: Callable[_P, Generator[Any, Any, _T]]) -> Callable[_P, asyncio.Future[_T]]: ...
@overload
def coroutine(func: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, asyncio.Future[_T]]: ...
@overload
def coroutine(func: Callable[_P, _T]) -> Callable[_P, asyncio.Future[_T]]: ...
def coroutine(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a generator function so that it returns a Future and each ``yield`` waits.

    :param func: a generator function. It may yield any value that `convert_yielded` accepts, and may
        ``yield from`` a native coroutine. The value or exception of an ordinary function is stored in the
        Future; an ``async def`` function runs as a Task.

    An exception that the function raises is stored in the Future; the caller does not receive it directly. If
    the Future is never awaited, the exception is reported only when the Future is garbage-collected. If the
    Future that the coroutine waits for is cancelled, the coroutine's Future is cancelled too. Context
    variables set inside the coroutine do not affect the caller. ``__wrapped__`` is the undecorated function.
    """
    body = func
    if inspect.isgeneratorfunction(func):
        body = types.coroutine(func)  # permits `yield from` a native coroutine

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        context = contextvars.copy_context()
        first: list[Any] | None = None
        try:
            result = context.run(body, *args, **kwargs)
            if result is not None and isinstance(result, _GENERATORS):
                first = [context.run(next, result)]
        except (Return, StopIteration) as stop:
            result = stop.value
        except (Exception, CancelledError) as error:
            if "callback" in kwargs and type(error) is TypeError:
                # Tornado 4 accepted `callback` for every coroutine and did not pass it to the function.
                call = import_object("tornado._tornado4.future_callbacks.call_with_callback")
                # `wrapper` itself is not passed, because its closure would then refer to itself, which is a
                # reference cycle.
                started: asyncio.Future[Any] | None = call(func, coroutine(func), args, kwargs)
                if started is not None:
                    return started
            return _failed_future(error)
        if first is not None:
            return _drive(context, result, first)
        if type(result) is CoroutineType:
            return _start_native(context, result)
        done = _new_future(Future)
        done.set_result(result)
        return done

    wrapper.__tornado_coroutine__ = True  # type: ignore[attr-defined]
    return wrapper


def is_coroutine_function(func: Any) -> bool:
    """Whether ``func`` was decorated with `coroutine`. False for an ``async def`` function."""
    return getattr(func, "__tornado_coroutine__", False) is True


# The concrete type is first: for a generator, isinstance() then skips the slower abstract base class.
_GENERATORS = (GeneratorType, Generator)

# Reference cycles: a traceback refers to the frames between the `except` clause and the `raise`, and a frame
# refers to its caller and to its local variables. If a frame of this module still has a Future in a local
# variable when it ends, it forms a cycle with every exception that passes through that Future. To avoid this,
# Futures are created in functions that run no step of a coroutine; elsewhere the local variable is deleted,
# or the Future is passed in a list that the receiver empties.


class _CoroutineFuture(asyncio.Future[Any]):
    """The result of a suspended coroutine. It keeps the Runner alive while the result may be awaited."""

    __slots__ = ("_runner",)
    _runner: Runner | None


_F = TypeVar("_F", bound="asyncio.Future[Any]")


def _new_future(kind: type[_F]) -> _F:
    """Create a Future. In asyncio's debug mode, its creation traceback ends at the coroutine's caller."""
    future = kind()
    trace = getattr(future, "_source_traceback", None)
    while trace and trace[-1].filename == __file__:
        del trace[-1]
    return future


def _create_future() -> asyncio.Future[Any]:
    return _new_future(Future)


def _to_future(yielded: Any) -> Any:
    """Convert a yielded value to a Future. For an asyncio Future, this does not call `convert_yielded`."""
    return yielded if isinstance(yielded, asyncio.Future) else convert_yielded(yielded)


def _failed_future(error: BaseException) -> asyncio.Future[Any]:
    future = _new_future(Future)
    _set_failure(future, error)
    return future


def _set_failure(future: asyncio.Future[Any], error: BaseException) -> None:
    if isinstance(error, CancelledError):
        future.cancel(*error.args[:1])
    else:
        future_set_exception_unless_cancelled(future, error)


def _drive(context: contextvars.Context, gen: Any, first: list[Any]) -> asyncio.Future[Any]:
    """Continue a generator after its first ``yield``. ``first`` contains the yielded value."""
    future = _new_future(_CoroutineFuture)
    runner = Runner(context.run, gen, future, first.pop())
    future._runner = None if runner.finished else runner
    try:
        return future
    finally:
        del future


def _start_native(context: contextvars.Context, native: Any) -> asyncio.Future[Any]:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return cast("asyncio.Future[Any]", context.run(asyncio.ensure_future, native))
    return run_eagerly(loop, native, context)


class Runner:
    """The driver of one suspended generator coroutine. `coroutine` creates it; programs do not.

    :param ctx_run: the ``run`` method of the `contextvars.Context` in which every step runs.
    :param gen: the generator, which has yielded once.
    :param result_future: the Future that receives the generator's return value or exception.
    :param first_yielded: the value that the generator has yielded.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "ctx_run",
        "finished",
        "future",
        "gen",
        "result_future",
        "running",
    )

    def __init__(
        self,
        ctx_run: Callable[..., Any],
        gen: Generator[Any, Any, Any],
        result_future: asyncio.Future[Any],
        first_yielded: Any,
    ) -> None:
        self.ctx_run: Callable[..., Any] = ctx_run
        self.gen: Generator[Any, Any, Any] | None = gen
        self.result_future: asyncio.Future[Any] | None = result_future
        #: The Future or other object that the generator currently waits for.
        self.future: Any = first_yielded
        self.running: bool = False
        self.finished: bool = False
        owner = getattr(ctx_run, "__self__", None)
        self._context = owner if isinstance(owner, contextvars.Context) else None
        del result_future, first_yielded
        if _runner_started is not None:
            _runner_started(self)
        ctx_run(self._begin)

    @property
    def io_loop(self) -> IOLoop:
        """The `IOLoop` of the current thread."""
        return IOLoop.current()

    def _begin(self) -> None:
        # This runs in the coroutine's context, because converting an awaitable starts a Task, which copies
        # the current context.
        if self.handle_yield(self.future):
            self.run()

    def run(self) -> None:
        """Run the generator until it ends or has to wait. Do nothing if it is running, waiting or done."""
        if self.running or self.finished:
            return
        self.running = True
        try:
            while self.future.done():
                if not self._step():
                    return
        finally:
            self.running = False

    def _step(self) -> bool:
        """Send the outcome of the wait to the generator. Return whether it can continue immediately."""
        awaited, self.future = self.future, None
        gen = self.gen
        assert gen is not None
        error: BaseException | None = None
        value = None
        try:
            # `exception()` is not used here: only `result()` restores the original traceback, which otherwise
            # grows with each waiter.
            value = awaited.result()
        except (Exception, CancelledError) as raised:
            error = raised
        del awaited
        try:
            # The call is outside the `except` block above: otherwise `error` would become the context of the
            # generator's exception.
            self.future = gen.send(value) if error is None else gen.throw(error)
        except (StopIteration, Return) as stop:
            self._end()(stop.value)
            return False
        except (Exception, CancelledError) as failure:
            self._end(failed=True)(failure)
            return False
        finally:
            error = value = None
        return self.handle_yield(self.future)

    def _end(self, failed: bool = False) -> Callable[[Any], None]:
        """Clear all references to the generator and return the function that settles the result Future."""
        result = cast("asyncio.Future[Any]", self.result_future)
        self.finished = True
        self.gen = self.result_future = None
        self.future = _null_future
        if isinstance(result, _CoroutineFuture):
            result._runner = None
        settle = _set_failure if failed else future_set_result_unless_cancelled
        return functools.partial(settle, result)

    def handle_yield(self, yielded: Any) -> bool:
        """Wait for a value that the generator has yielded.

        :returns: True if the value is done, so that `run` can continue; False if the Runner must wait for it.
        """
        if isinstance(yielded, asyncio.Future):
            future: Any = yielded
        else:
            try:
                # Yield points are checked first: converting a list starts its coroutines, and must happen
                # only once.
                points = None if _start_yield_points is None else _start_yield_points(self, yielded)
                future = convert_yielded(yielded if points is None else points)
            except Exception as error:  # BadYieldError, or any exception raised by a registered converter
                future = _failed_future(error)
        self.future = future
        if future is moment:
            self._loop().call_soon(self.run, context=self._context)
            return False
        if future.done():
            return True
        if isinstance(future, futures.Future):
            self._call_back_from_thread(future)
        else:
            future.add_done_callback(self._wake, context=self._context)
        return False

    def _loop(self) -> asyncio.AbstractEventLoop:
        return cast("asyncio.Future[Any]", self.result_future).get_loop()

    def _wake(self, future: Any) -> None:
        del future
        self.run()

    def _call_back_from_thread(self, future: futures.Future[Any]) -> None:
        loop = self._loop()

        def wake(_future: futures.Future[Any]) -> None:
            try:
                loop.call_soon_threadsafe(self.run, context=self._context)
            except RuntimeError:
                if not loop.is_closed():  # on a closed loop, the result is dropped
                    raise

        future.add_done_callback(wake)

    def handle_exception(self, typ: type[Exception], value: Exception, tb: TracebackType | None) -> bool:
        """Throw ``value`` into the generator instead of the outcome that it waits for.

        :returns: False if the generator is running or has ended; in this case nothing is thrown.
        """
        if self.running or self.finished:
            return False
        self.future = _failed_future(value.with_traceback(tb))
        del value, tb
        self.ctx_run(self.run)
        return True


# Waiting


@overload
def maybe_future(x: asyncio.Future[_T]) -> asyncio.Future[_T]: ...
@overload
def maybe_future(x: futures.Future[_T]) -> futures.Future[_T]: ...  # type: ignore[overload-overlap]
@overload
def maybe_future(x: _T) -> asyncio.Future[_T]: ...
def maybe_future(x: Any) -> Any:
    """Return ``x`` itself if it is a Future, otherwise a completed Future with the result ``x``.

    Use it for the result of a function that may return either a Future or a plain value. Native coroutines
    can use `inspect.isawaitable`.
    """
    if is_future(x):
        return x
    done = _create_future()
    done.set_result(x)
    return done


def sleep(duration: float) -> asyncio.Future[None]:
    """Return a Future that is done after ``duration`` seconds.

    ``yield gen.sleep(0.5)`` suspends only the current coroutine, whereas `time.sleep` blocks the event loop.
    """
    future = _create_future()
    IOLoop.current().call_later(duration, _finish_sleep, future)
    return future


def _finish_sleep(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@overload
def with_timeout(
    timeout: float | datetime.timedelta,
    future: Awaitable[_T] | futures.Future[_T],
    quiet_exceptions: QuietExceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
    io_loop: IOLoop | None = None,
) -> asyncio.Future[_T]: ...
@overload
def with_timeout(
    timeout: float | datetime.timedelta,
    future: list[Awaitable[_T]] | list[asyncio.Future[_T]] | list[Coroutine[Any, Any, _T]],
    quiet_exceptions: QuietExceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
    io_loop: IOLoop | None = None,
) -> asyncio.Future[list[_T]]: ...
@overload
def with_timeout(
    timeout: float | datetime.timedelta,
    future: dict[_K, Awaitable[_T]] | dict[_K, asyncio.Future[_T]] | dict[_K, Coroutine[Any, Any, _T]],
    quiet_exceptions: QuietExceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
    io_loop: IOLoop | None = None,
) -> asyncio.Future[dict[_K, _T]]: ...
# This overload accepts any other type that the program has registered with `convert_yielded`.
@overload
def with_timeout(
    timeout: float | datetime.timedelta,
    future: object,
    quiet_exceptions: QuietExceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
    io_loop: IOLoop | None = None,
) -> asyncio.Future[Any]: ...
def with_timeout(
    timeout: float | datetime.timedelta,
    future: Any,
    quiet_exceptions: QuietExceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
    io_loop: IOLoop | None = None,
) -> asyncio.Future[Any]:
    """Wait for ``future``, but only until a deadline.

    :param timeout: the time to wait as a `datetime.timedelta`, or the deadline as a time of `IOLoop.time`, in
        seconds.
    :param future: a Future or any other value that can be yielded.
    :param quiet_exceptions: an exception class, or a tuple of them, that is not logged if ``future`` raises
        it after the deadline. Other exceptions are logged.
    :param message: the text of the TimeoutError, or a function that returns it and is called at the deadline.
    :returns: a Future with the outcome of ``future``, or with a `TimeoutError`.

    At the deadline only the wait ends: ``future`` is not cancelled, because other code may wait for it too.
    To cancel ``future`` too, use `asyncio.timeout` in a native coroutine.
    """
    if io_loop is not None or isinstance(quiet_exceptions, IOLoop):
        ignored_loop("with_timeout")
        quiet_exceptions = () if isinstance(quiet_exceptions, IOLoop) else quiet_exceptions
    inner = _to_future(future)
    outcome = _create_future()
    chain_future(inner, outcome)
    if outcome.done():
        return outcome
    io_loop = IOLoop.current()

    def expire() -> None:
        if outcome.done():
            return
        text = message() if callable(message) else message
        outcome.set_exception(TimeoutError("Timeout" if text is None else text))
        future_add_done_callback(inner, functools.partial(_log_late_exception, quiet=quiet_exceptions))

    def stop(_outcome: asyncio.Future[Any]) -> None:
        io_loop.remove_timeout(timer)

    timer = io_loop.add_timeout(timeout, expire)
    outcome.add_done_callback(stop)
    return outcome


def _log_late_exception(future: Any, quiet: QuietExceptions) -> None:
    if future.cancelled():
        return
    error = future.exception()
    if error is not None and not isinstance(error, quiet):
        app_log.error("Exception in Future %r after timeout", future, exc_info=error)


class WaitIterator(Generic[_T]):
    """An iterator over the results of several Futures, in the order in which they complete.

    :param args: the Futures.
    :param kwargs: the Futures by name, instead of ``args``.
    :raises ValueError: if both positional and keyword arguments are given.

    ``async for`` iterates over the results. `current_index` is the number or name of the argument whose
    result was returned last, and `current_future` is its Future::

        waiting = gen.WaitIterator(near=fetch(a), far=fetch(b))
        while not waiting.done():
            try:
                response = await waiting.next()
            except OSError as error:
                print(waiting.current_index, "failed:", error)
            else:
                print(waiting.current_index, "returned", response)

    In this loop an exception of one Future does not end the iteration; with ``async for`` it does.
    """

    def __init__(
        self, *args: Awaitable[_T] | futures.Future[_T], **kwargs: Awaitable[_T] | futures.Future[_T]
    ) -> None:
        if args and kwargs:
            raise ValueError(
                "WaitIterator accepts Futures as positional arguments or as keyword arguments, not both"
            )
        named: Any = kwargs.items() if kwargs else enumerate(args)
        # The same Future may be passed more than once, under several names.
        self._unfinished: dict[Any, list[int | str]] = {}
        for name, each in named:
            self._unfinished.setdefault(_to_future(each), []).append(name)
        self._finished: deque[Any] = deque()
        self._running: asyncio.Future[_T] | None = None
        #: The position or name of the Future whose result was returned last.
        self.current_index: int | str | None = None
        #: The Future whose result was returned last.
        self.current_future: Any = None
        for future, names in tuple(self._unfinished.items()):
            for _ in names:
                if isinstance(future, futures.Future):
                    # This Future runs its callbacks in the executor's thread, which must not touch objects of
                    # the loop.
                    IOLoop.current().add_future(future, self._child_done)
                elif future.done():
                    self._finished.append(future)
                else:
                    future.add_done_callback(self._child_done)

    def done(self) -> bool:
        """Whether all results have been returned."""
        if self._finished or self._unfinished:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> asyncio.Future[_T]:
        """Return a Future of the next result. This Future must be done before the next call."""
        self._running = running = _new_future(Future)
        if self._finished:
            self._return_result(self._finished.popleft())
        return running

    def _child_done(self, child: Any) -> None:
        if self._running is None or self._running.done():
            self._finished.append(child)
        else:
            self._return_result(child)

    def _return_result(self, child: Any) -> None:
        # `_running` is cleared here, because a result from an executor's Future arrives only in the next loop
        # iteration.
        running, self._running = self._running, None
        assert running is not None
        self.current_future = child
        names = self._unfinished[child]
        self.current_index = names.pop(0)
        if not names:
            del self._unfinished[child]
        if isinstance(child, asyncio.Future):
            _copy_outcome(child, running)
        else:
            chain_future(child, running)

    def __aiter__(self) -> AsyncIterator[_T]:
        return self

    def __anext__(self) -> asyncio.Future[_T]:
        if self.done():
            raise StopAsyncIteration
        return self.next()


if not TYPE_CHECKING:  # a type checker would otherwise accept every name as one of this module

    def __getattr__(name: str) -> Any:
        # These names belong to the Tornado 4 API and are imported on first use.
        if name in ("Task", "engine"):
            return getattr(import_object("tornado._tornado4.gen_engine"), name)
        if name in ("Arguments", "Callback", "Wait", "WaitAll", "YieldPoint"):
            import_object("tornado._tornado4.key_registry")  # makes coroutines start yield points
            return getattr(import_object("tornado._tornado4.yield_points"), name)
        if name == "MultiFuture":
            return multi_future
        return reexported(__name__, name)


list_public(globals())
