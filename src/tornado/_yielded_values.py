"""Convert the values that coroutines yield to Futures; a list or dict of values becomes one Future.

The public names belong to `tornado.gen`. They are defined here because `tornado.ioloop` also needs them and
must not import `tornado.gen`. Waiting for several children costs one callback per unfinished child, and one
check of each child at the end.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent import futures
from contextvars import Context
from typing import Any, TypeVar, overload

from tornado._loop.tasks import keep_reference
from tornado._public_module_names import export
from tornado.concurrent import Future, is_future
from tornado.log import app_log

__all__ = ["BadYieldError", "convert_yielded", "moment", "multi", "multi_future"]

_T = TypeVar("_T")
_K = TypeVar("_K")

QuietExceptions = type[BaseException] | tuple[type[BaseException], ...]


class BadYieldError(Exception):
    """A coroutine yielded a value that cannot be waited for.

    Futures, awaitable objects, lists and dicts of them, and ``None`` can be yielded. Further types can be
    registered with `convert_yielded`.
    """


class _AlwaysDone:
    """An awaitable that is always done, with the result ``None``, and belongs to no event loop."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def __await__(self) -> Generator[None, None, None]:
        # Both asyncio's Task and `gen.Runner` treat a bare yield as a request to run the other callbacks
        # first.
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


#: Waiting for `moment` lets the event loop run all other ready callbacks once before the coroutine
#: continues::
#:
#:     for number, row in enumerate(rows):
#:         handle(row)
#:         if number % 100 == 0:
#:             yield gen.moment
#:
#: In a native coroutine, ``await asyncio.sleep(0)`` and ``await gen.moment`` have the same effect.
moment: Any = _AlwaysDone("gen.moment")

#: A completed wait: a coroutine that yields it continues in the same event loop iteration.
_null_future: Any = _AlwaysDone("gen._null_future")


@functools.singledispatch
def convert_yielded(yielded: Any) -> Any:
    """Return the Future that a coroutine waits for when it yields ``yielded``.

    :param yielded: a Future, which is returned unchanged; a list or dict, which is passed to `multi`;
        ``None``, which means `moment`; or a native coroutine or other awaitable, which is started as a
        Task of the current loop. A strong reference to the Task is kept until it is done.
    :raises BadYieldError: if ``yielded`` is a value of any other type.

    This is a `functools.singledispatch` function, so a library can register its types::

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
# This overload accepts nested lists and dicts, and other types that are registered with `convert_yielded`.
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
    """Wait for several awaitables concurrently.

    :param children: a list (or other iterable) or a dict of Futures, awaitables, or nested lists and dicts.
    :param quiet_exceptions: an exception class, or a tuple of them, that is not logged.
    :returns: a Future of the list of results in the order of ``children``, or of a dict with the same keys.

    In a coroutine, ``yield [a(), b()]`` has the same effect. The wait lasts until all children are done, even
    if one fails; then the exception of the first failed child in the order of ``children`` is raised. The
    exceptions of the other children are logged, unless they are quiet. A cancelled child counts as failed
    with CancelledError. Cancelling the returned Future does not cancel the children.
    """
    keys = list(children) if isinstance(children, Mapping) else None
    values = children.values() if isinstance(children, Mapping) else children
    waited = [child if isinstance(child, asyncio.Future) else _to_this_loop(child) for child in values]
    outcome: asyncio.Future[Any] = Future()
    pending = {child for child in waited if not child.done()}

    def child_done(child: Any) -> None:
        pending.discard(child)
        if not pending:
            _set_outcome(outcome, waited, keys, quiet_exceptions)

    if not pending:
        _set_outcome(outcome, waited, keys, quiet_exceptions)
    for child in tuple(pending):
        child.add_done_callback(child_done)
    return outcome


multi_future = multi


def _to_this_loop(child: Any) -> Any:
    """Convert a child. A Future of an executor is wrapped, because its callbacks run in another thread."""
    converted = convert_yielded(child)
    if isinstance(converted, futures.Future) and not converted.done():
        return asyncio.wrap_future(converted)
    return converted


def _set_outcome(
    outcome: asyncio.Future[Any], waited: list[Any], keys: list[Any] | None, quiet: QuietExceptions
) -> None:
    if outcome.done():
        return  # the caller cancelled the wait; asyncio logs the children's exceptions as never retrieved
    # `exception()` raises nothing, unlike `result()`, so no traceback refers to this frame.
    failed = [child for child in dict.fromkeys(waited) if child.cancelled() or child.exception() is not None]
    for child in failed[1:]:
        if not child.cancelled() and not isinstance(child.exception(), quiet):
            app_log.error("Multiple exceptions in yield list", exc_info=child.exception())
    if failed and failed[0].cancelled():
        # As in `asyncio.gather`, the outcome has an exception and is not cancelled, because only a child was
        # cancelled.
        outcome.set_exception(asyncio.CancelledError())
    elif failed:
        outcome.set_exception(failed[0].exception())
    else:
        results = [child.result() for child in waited]
        outcome.set_result(results if keys is None else dict(zip(keys, results, strict=True)))


# Only lists, dicts and their subclasses are registered, because a tuple or a set is probably yielded by
# mistake.
convert_yielded.register(list, multi)
convert_yielded.register(dict, multi)

export(globals(), module="tornado.gen")
