"""Coroutines written as generators, and the tools that wait.

New code is best written as native coroutines (``async def`` and ``await``). This module is for the many
programs that decorate generators instead, and for what both kinds share::

    class Search(RequestHandler):
        @gen.coroutine
        def get(self):
            answer = yield AsyncHTTPClient().fetch("https://example.com/")
            first, second = yield [read(1), read(2)]          # both at once
            try:
                late = yield gen.with_timeout(timedelta(seconds=5), read(3))
            except TimeoutError:
                late = None
            self.write({"answer": answer.code, "late": late})

A decorated function gives a Future. It runs in the caller's turn up to the first thing it really has to
wait for; one that never waits costs a call, a context and a completed Future. From the first wait on, a
`Runner` drives it: each awaited Future calls the Runner back, in the coroutine's own copy of the
caller's `contextvars` context.

Who keeps whom alive: the result Future holds the Runner, the Runner the generator, and the generator
what it waits for. So a coroutine lives while anybody waits for it or can still wake it, is garbage when
nobody can, and when it ends every link is cut, so that nothing is left to the cycle collector.
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

from tornado._awaitables import (
    BadYieldError,
    QuietExceptions,
    _null_future,
    convert_yielded,
    moment,
    multi,
    multi_future,
)
from tornado._export import list_public
from tornado._reexports import reexported
from tornado._tasks import run_eagerly
from tornado._tornado4.deprecation import ignored_loop
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
    from tornado._tornado4.gen_engine import Task as Task
    from tornado._tornado4.gen_engine import engine as engine
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

#: Starts the yield points of Tornado 4; set when a program first uses one (`_tornado4.yield_points`).
_start_points: Callable[[Runner, Any], Any] | None = None
#: Called with each new Runner; set when a program makes its first stack context (`_tornado4.stack_contexts`).
_runner_started: Callable[[Runner], object] | None = None


class KeyReuseError(Exception):
    """A key was given to ``gen.Callback`` again before it was waited for."""


class UnknownKeyError(Exception):
    """A key was waited for that no ``gen.Callback`` has."""


class LeakedCallbackError(Exception):
    """A coroutine ended that had not waited for all its ``gen.Callback`` keys."""


class ReturnValueIgnoredError(Exception):
    """A value was returned where nobody can receive it: by a function under ``gen.engine``."""


class Return(Exception):
    """End a generator coroutine with a value: ``raise gen.Return(value)``.

    The older spelling of ``return value``, which means the same.

    :arg value: what the coroutine's Future gives.
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
    """Decorate a generator so that calling it gives a Future and each ``yield`` waits.

    :arg func: a generator function. It may yield whatever `convert_yielded` knows, and ``yield from`` a
        native coroutine. A plain function's value or exception becomes the Future's; an ``async def``
        function runs as a Task.

    What the function raises is in the Future, not raised to the caller, so a Future that nobody waits
    for hides it until it is garbage. If the wait inside is cancelled, so is the Future. Context
    variables set inside stay inside. ``__wrapped__`` is the function as it was.
    """
    body = func
    if inspect.isgeneratorfunction(func):
        body = types.coroutine(func)  # lets it `yield from` native coroutines

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
                # Tornado 4 took this argument away from every coroutine.
                call = import_object("tornado._tornado4.future_callbacks.call_with_callback")
                # Not `wrapper`: it would know itself, and hold what a coroutine inside a function knows.
                started: asyncio.Future[Any] | None = call(func, coroutine(func), args, kwargs)
                if started is not None:
                    return started
            return _failed(error)
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
    """Whether ``func`` was made by `coroutine`. An ``async def`` function was not."""
    return getattr(func, "__tornado_coroutine__", False) is True


# A tuple of the exact type first: a generator is found without asking the abstract base class.
_GENERATORS = (GeneratorType, Generator)

# About locals. An exception holds the frames from where it was caught to where it was raised, each
# frame holds the one that called it, and all of them keep their locals. So a frame here that keeps a
# Future as a local when it ends makes a cycle of every exception that passes through that Future:
# Futures are made in functions that run no step of any coroutine, or they are deleted, or handed on in
# a list that is emptied.


class _CoroutineFuture(asyncio.Future[Any]):
    """The result of a suspended coroutine; keeps the Runner alive for as long as anybody may wait for it."""

    __slots__ = ("_runner",)
    _runner: Runner | None


_F = TypeVar("_F", bound="asyncio.Future[Any]")


def _new_future(kind: type[_F]) -> _F:
    """A new Future. In asyncio's debug mode it says that the coroutine's caller created it, not we."""
    future = kind()
    trace = getattr(future, "_source_traceback", None)
    while trace and trace[-1].filename == __file__:
        del trace[-1]
    return future


def _create_future() -> asyncio.Future[Any]:
    return _new_future(Future)


def _to_future(yielded: Any) -> Any:
    """`convert_yielded`, which takes its time, for what is no Future of the loop yet."""
    return yielded if isinstance(yielded, asyncio.Future) else convert_yielded(yielded)


def _failed(error: BaseException) -> asyncio.Future[Any]:
    future = _new_future(Future)
    _set_failure(future, error)
    return future


def _set_failure(future: asyncio.Future[Any], error: BaseException) -> None:
    if isinstance(error, CancelledError):
        future.cancel(*error.args[:1])
    else:
        future_set_exception_unless_cancelled(future, error)


def _drive(context: contextvars.Context, gen: Any, first: list[Any]) -> asyncio.Future[Any]:
    """Go on with a generator that has yielded what the list ``first`` holds."""
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
    """Drives one suspended generator coroutine. Made by `coroutine`; programs have no need of their own.

    :arg ctx_run: ``run`` of the `contextvars.Context` that every step happens in.
    :arg gen: the generator, which has yielded once.
    :arg result_future: the Future that gets the generator's return value or exception.
    :arg first_yielded: what it yielded.
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
        #: What the generator waits for just now.
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
        """The `IOLoop` of this thread."""
        return IOLoop.current()

    def _begin(self) -> None:
        # In the coroutine's context already here: converting an awaitable starts a Task, which copies
        # the context.
        if self.handle_yield(self.future):
            self.run()

    def run(self) -> None:
        """Go on until the generator ends or has to wait. Does nothing while it runs, waits, or has ended."""
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
        """Hand the outcome of the wait to the generator; tell whether it may go on at once."""
        awaited, self.future = self.future, None
        gen = self.gen
        assert gen is not None
        error: BaseException | None = None
        value = None
        try:
            # Not `exception()`: asyncio restores the traceback here, which would grow with each who waits.
            value = awaited.result()
        except (Exception, CancelledError) as raised:
            error = raised
        del awaited
        try:
            # Outside the except block above, so that what the generator raises has no false `__context__`.
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
        """Cut every link to the generator and give what settles the result."""
        result = cast("asyncio.Future[Any]", self.result_future)
        self.finished = True
        self.gen = self.result_future = None
        self.future = _null_future
        if isinstance(result, _CoroutineFuture):
            result._runner = None
        settle = _set_failure if failed else future_set_result_unless_cancelled
        return functools.partial(settle, result)

    def handle_yield(self, yielded: Any) -> bool:
        """Take what the generator yielded as what it waits for next.

        :returns: True if that is done, so that `run` can go on; False if the Runner will be called back.
        """
        if isinstance(yielded, asyncio.Future):
            future: Any = yielded
        else:
            try:
                # Points first: converting a list starts the coroutines in it, which cannot be done twice.
                points = None if _start_points is None else _start_points(self, yielded)
                future = convert_yielded(yielded if points is None else points)
            except Exception as error:  # BadYieldError, or whatever a registered converter raises
                future = _failed(error)
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
                if not loop.is_closed():  # a closed loop has no use for the result
                    raise

        future.add_done_callback(wake)

    def handle_exception(self, typ: type[Exception], value: Exception, tb: TracebackType | None) -> bool:
        """Throw ``value`` into the generator in place of the outcome it waits for.

        :returns: False if it is running or has ended, so that nothing was thrown.
        """
        if self.running or self.finished:
            return False
        self.future = _failed(value.with_traceback(tb))
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
    """Give ``x`` itself if it is a Future, else a completed Future with ``x`` as its result.

    For results that may or may not be Futures; native code tests with `inspect.isawaitable`.
    """
    if is_future(x):
        return x
    done = _create_future()
    done.set_result(x)
    return done


def sleep(duration: float) -> asyncio.Future[None]:
    """Give a Future that is done after ``duration`` seconds, for a coroutine to wait for.

    ``yield gen.sleep(0.5)`` pauses one coroutine and nothing else, unlike `time.sleep`.
    """
    over = _create_future()
    IOLoop.current().call_later(duration, _finish_sleep, over)
    return over


def _finish_sleep(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


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
# Whatever else a program has registered with `convert_yielded`.
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
    """Wait for ``future``, but not for ever.

    :arg timeout: how long, as a `datetime.timedelta`, or until when, as a time of `IOLoop.time`.
    :arg future: a Future or whatever else can be yielded.
    :arg quiet_exceptions: an exception class or tuple of them; should ``future`` fail after the time is
        over, its exception is logged unless it is one of these.
    :arg message: text of the TimeoutError, or a function that is called for it when the time is over.
    :returns: a Future with the outcome of ``future``, or with a `TimeoutError`.

    The wait ends; what was waited for is neither cancelled nor stopped, since others may wait for it
    too. Where it should be, use `asyncio.timeout` in a native coroutine.
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

    def give_up() -> None:
        if outcome.done():
            return
        text = message() if callable(message) else message
        outcome.set_exception(TimeoutError("Timeout" if text is None else text))
        future_add_done_callback(inner, functools.partial(_report_late, quiet=quiet_exceptions))

    def stop(_outcome: asyncio.Future[Any]) -> None:
        io_loop.remove_timeout(timer)

    timer = io_loop.add_timeout(timeout, give_up)
    outcome.add_done_callback(stop)
    return outcome


def _report_late(future: Any, quiet: QuietExceptions) -> None:
    if future.cancelled():
        return
    error = future.exception()
    if error is not None and not isinstance(error, quiet):
        app_log.error("Exception in Future %r after timeout", future, exc_info=error)


class WaitIterator(Generic[_T]):
    """Gives the results of several Futures in the order in which they come.

    :arg args: the Futures; or
    :arg kwargs: the Futures by name.
    :raises ValueError: if there are some of both.

    ``async for`` goes over the results. `current_index` tells which argument the last one was, by
    number or name, and `current_future` its Future::

        waiting = gen.WaitIterator(near=fetch(a), far=fetch(b))
        while not waiting.done():
            try:
                answer = await waiting.next()
            except OSError as error:
                print(waiting.current_index, "failed:", error)
            else:
                print(waiting.current_index, "gave", answer)

    An exception of one does not end the iteration when it is written like this. In ``async for`` it does.
    """

    def __init__(
        self, *args: Awaitable[_T] | futures.Future[_T], **kwargs: Awaitable[_T] | futures.Future[_T]
    ) -> None:
        if args and kwargs:
            raise ValueError(
                "WaitIterator takes Futures as positional arguments or as keyword arguments, not both"
            )
        named: Any = kwargs.items() if kwargs else enumerate(args)
        # One Future may be given more than once, under several names.
        self._unfinished: dict[Any, list[int | str]] = {}
        for name, each in named:
            self._unfinished.setdefault(_to_future(each), []).append(name)
        self._finished: deque[Any] = deque()
        self._running: asyncio.Future[_T] | None = None
        #: Position or name of the Future whose result was given last.
        self.current_index: int | str | None = None
        #: That Future.
        self.current_future: Any = None
        for future, names in tuple(self._unfinished.items()):
            for _ in names:
                if isinstance(future, futures.Future):
                    # An executor's calls back in a thread, which may not touch what belongs to the loop.
                    IOLoop.current().add_future(future, self._child_done)
                elif future.done():
                    self._finished.append(future)
                else:
                    future.add_done_callback(self._child_done)

    def done(self) -> bool:
        """Whether every result has been given."""
        if self._finished or self._unfinished:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> asyncio.Future[_T]:
        """Give a Future of the next result. Call it again only when that is done."""
        self._running = running = _new_future(Future)
        if self._finished:
            self._give(self._finished.popleft())
        return running

    def _child_done(self, child: Any) -> None:
        if self._running is None or self._running.done():
            self._finished.append(child)
        else:
            self._give(child)

    def _give(self, child: Any) -> None:
        # Taken away at once: the result of an executor's Future reaches it only in the next turn of the loop.
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


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        # The style of Tornado 4, imported when it is used.
        if name in ("Task", "engine"):
            return getattr(import_object("tornado._tornado4.gen_engine"), name)
        if name in ("Arguments", "Callback", "Wait", "WaitAll", "YieldPoint"):
            return getattr(import_object("tornado._tornado4.yield_points"), name)
        if name == "MultiFuture":
            return multi_future
        return reexported(__name__, name)


list_public(globals())
