"""Futures: results that are not there yet.

`Future` is `asyncio.Future`; there is no class of our own. Beside it this module has what programs need to
carry results between asyncio's Futures, those of `concurrent.futures`, and threads:

* `run_on_executor` turns a blocking method into one that gives a Future,
* `chain_future` makes one Future follow another,
* the ``future_set_...`` functions settle a Future that its reader may have cancelled meanwhile.

None of this makes a Future thread-safe: an `asyncio.Future` is settled in its loop's thread, and
`IOLoop.add_callback <tornado.ioloop.IOLoop.add_callback>` is the way there from any other.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Union, overload

from tornado._export import list_public
from tornado._reexports import reexported
from tornado._tornado4.deprecation import ignored_loop
from tornado.log import app_log
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado._tornado4.return_future import return_future as return_future

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

_AnyFuture = Union["futures.Future[_T]", "asyncio.Future[_T]"]
_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class ReturnValueIgnoredError(Exception):
    """A value was returned where nobody can receive it: by a function under ``return_future``."""


def is_future(x: Any) -> bool:
    """Whether ``x`` is a Future, of asyncio or of `concurrent.futures`."""
    return isinstance(x, FUTURES)


class DummyExecutor(futures.Executor):
    """An executor without threads: ``submit`` calls the function before it returns.

    For tests, and where a function written for an executor is cheap enough to be called in place.
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> futures.Future[_T]:
        """Call ``fn(*args, **kwargs)`` now.

        :returns: a completed Future with what ``fn`` returned, or with the exception it raised.
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
        """Do nothing: there is no thread to end and nothing is ever waiting."""


#: The `DummyExecutor` that everybody shares.
dummy_executor: DummyExecutor = DummyExecutor()


if TYPE_CHECKING:

    class _OnExecutor(Protocol):
        """What `run_on_executor` returns when it is called with keyword arguments."""

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
    """Decorate a blocking method so that it runs on its object's executor and gives a Future.

    The executor is the attribute ``executor`` of the object, or the attribute named by the keyword argument
    ``executor``::

        class Thumbnails:
            executor = ThreadPoolExecutor(4)

            @run_on_executor
            def shrink(self, picture: bytes) -> bytes: ...

            @run_on_executor(executor="slow_lane")
            def recognise(self, picture: bytes) -> list[str]: ...

    The method's caller gets an `asyncio.Future` of the current event loop at once and may await it.

    :raises ValueError: if there is more than one positional argument or an unknown keyword.
    """
    if kwargs.pop("io_loop", None) is not None:
        ignored_loop("run_on_executor")
    unknown = kwargs.keys() - {"executor"}
    if len(args) > 1 or unknown or (args and kwargs):
        raise ValueError(
            f"run_on_executor takes a method or the keyword argument executor=; got {args!r}, {kwargs!r}"
        )
    attribute: str = kwargs.get("executor", "executor")

    def decorate(method: Callable[..., _T]) -> Callable[..., asyncio.Future[_T]]:
        @functools.wraps(method)
        def submit(self: Any, *args: Any, **kwargs: Any) -> asyncio.Future[_T]:
            if "callback" in kwargs:
                call = import_object("tornado._tornado4.future_callbacks.call_with_callback")
                # Not `submit`: it would know itself, a cycle.
                run = run_on_executor(executor=attribute)(method)
                started: asyncio.Future[_T] | None = call(method, run, (self, *args), kwargs)
                if started is not None:
                    return started
            answer: asyncio.Future[_T] = Future()
            chain_future(getattr(self, attribute).submit(method, self, *args, **kwargs), answer)
            return answer

        return submit

    return decorate(args[0]) if args else decorate


def chain_future(a: _AnyFuture[_T], b: _AnyFuture[_T]) -> None:
    """Settle ``b`` as ``a`` is settled: with its result, its exception, or by cancelling it.

    A ``b`` that is done by then is left alone. Cancelling ``b`` does not cancel ``a``. Where ``a`` belongs
    to an executor and ``b`` to an event loop, ``b`` is settled in its loop's thread; a loop closed by then
    drops the result.
    """
    if isinstance(a, futures.Future) and isinstance(b, asyncio.Future):
        loop = b.get_loop()

        def cross(done: futures.Future[_T]) -> None:
            try:
                loop.call_soon_threadsafe(_copy_outcome, done, b)
            except RuntimeError:
                # Nobody can wait for `b` any more once its loop is closed. Any other fault is worth a
                # traceback.
                if not loop.is_closed():
                    raise

        a.add_done_callback(cross)
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
    """Give ``future`` its result, unless its reader has cancelled it.

    :raises asyncio.InvalidStateError: if it already has a result or an exception.
    """
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(future: _AnyFuture[_T], exc: BaseException) -> None:
    """Give ``future`` its exception; log the exception if the reader has cancelled the Future.

    :raises asyncio.InvalidStateError: if it already has a result or an exception.
    """
    if future.cancelled():
        app_log.error("Exception after Future was cancelled", exc_info=exc)
    else:
        future.set_exception(exc)


def future_set_exc_info(future: _AnyFuture[_T], exc_info: _ExcInfo) -> None:
    """Give ``future`` the exception of a triple as `sys.exc_info` gives it, unless it is cancelled.

    :raises ValueError: if no exception is being handled, so that the triple holds none.
    """
    error = exc_info[1]
    if error is None:
        raise ValueError("future_set_exc_info was called with no exception; call it in an except block")
    future_set_exception_unless_cancelled(future, error)


def future_add_done_callback(future: _AnyFuture[_T], callback: Callable[..., None]) -> None:
    """Call ``callback(future)`` when ``future`` is done: now, if it is done already.

    ``Future.add_done_callback`` differs in that asyncio always calls back on a later turn of the loop. The
    callback of a `concurrent.futures.Future` that is still running is called in the thread that completes it.
    """
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        # The style of Tornado 4, imported when it is used.
        if name == "return_future":
            return import_object("tornado._tornado4.return_future.return_future")
        if name == "TracebackFuture":
            return Future
        return reexported(__name__, name)


list_public(globals())
