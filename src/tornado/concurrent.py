"""Futures and the functions that settle and connect them.

`Future` is `asyncio.Future`; this module defines no separate class. It provides functions that pass results
between asyncio's Futures, the Futures of `concurrent.futures`, and threads:

* `run_on_executor` turns a blocking method into one that returns a Future,
* `chain_future` copies the outcome of one Future to another,
* the ``future_set_...`` functions settle a Future that its reader may have cancelled.

None of them makes a Future thread-safe: an `asyncio.Future` must be settled in the thread of its event loop.
Other threads use `IOLoop.add_callback <tornado.ioloop.IOLoop.add_callback>` for that.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Union, overload

from tornado._implicit_reexports import reexported
from tornado._public_module_names import list_public
from tornado._tornado4.deprecation import ignored_loop
from tornado.log import app_log
from tornado.util import import_object

__all__ = [
    "FUTURES",
    "DummyExecutor",
    "Future",
    "ReturnValueIgnoredError",
    "chain_future",
    "dummy_executor",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_exception_unless_cancelled",
    "future_set_result_unless_cancelled",
    "is_future",
    "run_on_executor",
]

_T = TypeVar("_T")
_S = TypeVar("_S")
_P = ParamSpec("_P")

#: The Future of this package, an alias of `asyncio.Future`.
Future = asyncio.Future

#: Both kinds of Future, for `isinstance`.
FUTURES = (futures.Future, asyncio.Future)

if TYPE_CHECKING:

    def return_future(f: Callable[..., Any]) -> Callable[..., asyncio.Future[Any]]:
        """Decorate a function with a ``callback`` argument, so that it returns a Future.

        This is a declaration, because `_tornado4.return_future`, which defines it, imports this module.
        """


_AnyFuture = Union["futures.Future[_T]", "asyncio.Future[_T]"]
_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class ReturnValueIgnoredError(Exception):
    """A function decorated with ``return_future`` returned a value, which its caller cannot receive."""


def is_future(x: Any) -> bool:
    """Whether ``x`` is an `asyncio.Future` or a `concurrent.futures.Future`."""
    return isinstance(x, FUTURES)


class DummyExecutor(futures.Executor):
    """An executor without threads: ``submit`` calls the function before it returns.

    It is useful in tests, and for calls that require an executor but are fast enough for the current thread.
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> futures.Future[_T]:
        """Call ``fn(*args, **kwargs)`` immediately.

        :returns: a completed Future with the return value of ``fn``, or with the exception that it raised.
        """
        outcome: futures.Future[_T] = futures.Future()
        try:
            value = fn(*args, **kwargs)
        except Exception as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(value)
        return outcome

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Do nothing: this executor has neither threads nor pending calls."""


#: A shared `DummyExecutor`.
dummy_executor: DummyExecutor = DummyExecutor()


if TYPE_CHECKING:

    class _OnExecutor(Protocol):
        """The return type of `run_on_executor` when it is called with keyword arguments."""

        def __call__(
            self, method: Callable[Concatenate[_S, _P], _T], /
        ) -> Callable[Concatenate[_S, _P], asyncio.Future[_T]]: ...


@overload
def run_on_executor(
    method: Callable[Concatenate[_S, _P], _T], /
) -> Callable[Concatenate[_S, _P], asyncio.Future[_T]]: ...
@overload
def run_on_executor(*, executor: str = "executor", io_loop: object = None) -> _OnExecutor: ...
def run_on_executor(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Decorate a blocking method so that it runs on an executor of its object and returns a Future.

    The executor is the object's attribute ``executor``, or the attribute whose name is given by the keyword
    argument ``executor``::

        class Thumbnails:
            executor = ThreadPoolExecutor(4)

            @run_on_executor
            def shrink(self, picture: bytes) -> bytes: ...

            @run_on_executor(executor="slow_lane")
            def recognize(self, picture: bytes) -> list[str]: ...

    The caller immediately receives an `asyncio.Future` of the current event loop, which it may await.

    :raises ValueError: if there is more than one positional argument or an unknown keyword.
    """
    if kwargs.pop("io_loop", None) is not None:
        ignored_loop("run_on_executor")
    unknown = kwargs.keys() - {"executor"}
    if len(args) > 1 or unknown or (args and kwargs):
        raise ValueError(
            f"run_on_executor expects a method or the keyword argument executor=, got {args!r}, {kwargs!r}"
        )
    attribute: str = kwargs.get("executor", "executor")

    def decorate(method: Callable[..., _T]) -> Callable[..., asyncio.Future[_T]]:
        @functools.wraps(method)
        def submit(self: Any, *args: Any, **kwargs: Any) -> asyncio.Future[_T]:
            if "callback" in kwargs:
                call = import_object("tornado._tornado4.future_callbacks.call_with_callback")
                # `submit` itself is not passed, because its closure would then refer to itself, which is a
                # reference cycle.
                run = run_on_executor(executor=attribute)(method)
                started: asyncio.Future[_T] | None = call(method, run, (self, *args), kwargs)
                if started is not None:
                    return started
            future: asyncio.Future[_T] = Future()
            chain_future(getattr(self, attribute).submit(method, self, *args, **kwargs), future)
            return future

        return submit

    return decorate(args[0]) if args else decorate


def chain_future(a: _AnyFuture[_T], b: _AnyFuture[_T]) -> None:
    """Copy the outcome of ``a`` to ``b`` when ``a`` is done: its result, its exception or its cancellation.

    If ``b`` is already done by then, it is left unchanged. Cancelling ``b`` does not cancel ``a``. If ``a``
    belongs to an executor and ``b`` to an event loop, ``b`` is settled in the loop's thread; if the loop has
    been closed, the outcome is dropped.
    """
    if isinstance(a, futures.Future) and isinstance(b, asyncio.Future):
        loop = b.get_loop()

        def copy_in_loop(done: futures.Future[_T]) -> None:
            try:
                loop.call_soon_threadsafe(_copy_outcome, done, b)
            except RuntimeError:
                # Once the loop is closed, no coroutine can wait for `b` any more. Other errors are raised.
                if not loop.is_closed():
                    raise

        a.add_done_callback(copy_in_loop)
    else:
        future_add_done_callback(a, functools.partial(_copy_outcome, target=b))


def _copy_outcome(source: _AnyFuture[_T], target: _AnyFuture[_T]) -> None:
    if target.done():
        return
    if source.cancelled():
        target.cancel()
        return
    error = source.exception()
    if error is not None:
        target.set_exception(error)
    else:
        target.set_result(source.result())


def future_set_result_unless_cancelled(future: _AnyFuture[_T], value: _T) -> None:
    """Set the result of ``future``, unless it has been cancelled.

    :raises asyncio.InvalidStateError: if it already has a result or an exception.
    """
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(future: _AnyFuture[_T], exc: BaseException) -> None:
    """Set the exception of ``future``. If it has been cancelled, log the exception instead.

    :raises asyncio.InvalidStateError: if it already has a result or an exception.
    """
    if future.cancelled():
        app_log.error("Exception after Future was cancelled", exc_info=exc)
    else:
        future.set_exception(exc)


def future_set_exc_info(future: _AnyFuture[_T], exc_info: _ExcInfo) -> None:
    """Set the exception of ``future`` from a tuple like that of `sys.exc_info`, unless it is cancelled.

    :raises ValueError: if the tuple contains no exception, because none is being handled.
    """
    error = exc_info[1]
    if error is None:
        raise ValueError("future_set_exc_info was called without an exception: call it in an except block")
    future_set_exception_unless_cancelled(future, error)


def future_add_done_callback(future: _AnyFuture[_T], callback: Callable[..., None]) -> None:
    """Call ``callback(future)`` when ``future`` is done, immediately if it is already done.

    In contrast, `asyncio.Future.add_done_callback` always calls it in a later event loop iteration. If a
    `concurrent.futures.Future` is still running, the callback is called in the thread that completes it.
    """
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)


if not TYPE_CHECKING:  # a type checker would otherwise accept every name as one of this module

    def __getattr__(name: str) -> Any:
        # `return_future` belongs to the Tornado 4 API and is imported on first use.
        if name == "return_future":
            return import_object("tornado._tornado4.return_future.return_future")
        if name == "TracebackFuture":
            return Future
        return reexported(__name__, name)


list_public(globals())
