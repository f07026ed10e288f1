"""What a coroutine may yield: how each kind of value becomes a Future, and how many become one.

Apart from `tornado.gen`, whose names these are, because `tornado.ioloop` needs them too and stands to
its left. Waiting for n children costs one callback for each child that is not done yet and one look at
each at the end.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent import futures
from contextvars import Context
from typing import Any, TypeVar, overload

from tornado._export import export
from tornado._tasks import keep_reference
from tornado.concurrent import Future, is_future
from tornado.log import app_log

__all__ = ["BadYieldError", "convert_yielded", "moment", "multi", "multi_future"]

_T = TypeVar("_T")
_K = TypeVar("_K")

QuietExceptions = type[BaseException] | tuple[type[BaseException], ...]


class BadYieldError(Exception):
    """A coroutine yielded something that cannot be waited for.

    Futures, awaitable objects, lists and dicts of them, and ``None`` can be; `convert_yielded` can be
    taught more.
    """


class _AlwaysDone:
    """Something done for ever with the result ``None``, made once and tied to no event loop."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def __await__(self) -> Generator[None, None, None]:
        # asyncio's Tasks and our Runner both take a bare yield as "let the others run first".
        yield

    def done(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def result(self) -> None:
        return None

    def exception(self) -> None:
        return None

    def add_done_callback(self, callback: Callable[[Any], Any], *, context: Context | None = None) -> None:
        asyncio.get_event_loop().call_soon(callback, self, context=context)


#: Waiting for it lets the event loop run everything else that is ready, once, before the coroutine goes on::
#:
#:     for number, row in enumerate(rows):
#:         handle(row)
#:         if number % 100 == 0:
#:             yield gen.moment
#:
#: A native coroutine says ``await asyncio.sleep(0)``; ``await gen.moment`` does the same here.
moment: Any = _AlwaysDone("gen.moment")

#: A wait that is over before it began: a coroutine that yields it goes on without a turn of the loop.
_null_future: Any = _AlwaysDone("gen._null_future")


@functools.singledispatch
def convert_yielded(yielded: Any) -> Any:
    """Give the Future that a coroutine waits for when it yields ``yielded``.

    :arg yielded: a Future is given back as it is; a list or dict goes to `multi`; ``None`` stands for
        `moment`; a native coroutine or other awaitable is started as a Task of the current loop, which is
        kept until it is done though nobody else may hold it.
    :raises BadYieldError: if ``yielded`` is none of these.

    It is a `functools.singledispatch` function, so a library can make its own type something to yield::

        @convert_yielded.register
        def _(deferred: Deferred) -> Future:
            return deferred.asFuture(asyncio.get_running_loop())
    """
    if yielded is None:
        return moment
    if is_future(yielded) or isinstance(yielded, _AlwaysDone):
        return yielded
    if asyncio.isfuture(yielded):
        return yielded
    if inspect.isawaitable(yielded):
        return keep_reference(asyncio.ensure_future(yielded))
    raise BadYieldError(
        f"cannot wait for {yielded!r}: yield a Future, an awaitable, a list or dict of these, or None"
    )


@overload
def multi(  # type: ignore[overload-overlap]  # a mapping is an iterable, too
    children: Mapping[_K, Awaitable[_T]], quiet_exceptions: QuietExceptions = ()
) -> asyncio.Future[dict[_K, _T]]: ...
@overload
def multi(  # type: ignore[overload-overlap]
    children: Iterable[Awaitable[_T]], quiet_exceptions: QuietExceptions = ()
) -> asyncio.Future[list[_T]]: ...
# Lists and dicts in each other, and whatever else a program has registered with `convert_yielded`.
@overload
def multi(  # type: ignore[overload-overlap]
    children: Mapping[_K, object], quiet_exceptions: QuietExceptions = ()
) -> asyncio.Future[dict[_K, Any]]: ...
@overload
def multi(
    children: Iterable[object], quiet_exceptions: QuietExceptions = ()
) -> asyncio.Future[list[Any]]: ...
def multi(
    children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: QuietExceptions = ()
) -> asyncio.Future[Any]:
    """Wait for several things at once.

    :arg children: a list (or other iterable) or a dict of Futures, awaitables, or further lists and dicts.
    :arg quiet_exceptions: an exception class or a tuple of them that is not worth a line in the log.
    :returns: a Future of the list of results in the order of ``children``, or of a dict with the same keys.

    A coroutine need not call it: ``yield [a(), b()]`` means the same. All children are waited for even
    when one fails; then the first failure in their order is raised, and the others are logged unless
    they are quiet. A child that was cancelled has failed with CancelledError. Cancelling the returned
    Future leaves the children running.
    """
    keys = list(children) if isinstance(children, Mapping) else None
    values = children.values() if isinstance(children, Mapping) else children
    waited = [child if isinstance(child, asyncio.Future) else _to_this_loop(child) for child in values]
    outcome: asyncio.Future[Any] = Future()
    pending = {child for child in waited if not child.done()}

    def child_done(child: Any) -> None:
        pending.discard(child)
        if not pending:
            _deliver(outcome, waited, keys, quiet_exceptions)

    if not pending:
        _deliver(outcome, waited, keys, quiet_exceptions)
    for child in tuple(pending):
        child.add_done_callback(child_done)
    return outcome


multi_future = multi


def _to_this_loop(child: Any) -> Any:
    """Convert what was yielded, to no Future whose callbacks come in a thread of an executor."""
    converted = convert_yielded(child)
    if isinstance(converted, futures.Future) and not converted.done():
        return asyncio.wrap_future(converted)
    return converted


def _deliver(
    outcome: asyncio.Future[Any], waited: list[Any], keys: list[Any] | None, quiet: QuietExceptions
) -> None:
    if outcome.done():
        return  # cancelled by its reader; asyncio reports the children's exceptions as never retrieved
    # `exception()` rather than `result()`, so that nothing is raised here and no traceback holds this frame.
    failed = [child for child in dict.fromkeys(waited) if child.cancelled() or child.exception() is not None]
    for child in failed[1:]:
        if not child.cancelled() and not isinstance(child.exception(), quiet):
            app_log.error("Multiple exceptions in yield list", exc_info=child.exception())
    if failed and failed[0].cancelled():
        # As `asyncio.gather` does: the wait fails, yet nobody has cancelled the wait itself.
        outcome.set_exception(asyncio.CancelledError())
    elif failed:
        outcome.set_exception(failed[0].exception())
    else:
        results = [child.result() for child in waited]
        outcome.set_result(results if keys is None else dict(zip(keys, results, strict=True)))


# Lists and dicts only, and what derives from them: a tuple or a set is more often a mistake than a wish.
convert_yielded.register(list, multi)
convert_yielded.register(dict, multi)

export(globals(), module="tornado.gen")
