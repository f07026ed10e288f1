"""Support for arguments that existed in Tornado 4, and a function that detects the use of stack contexts."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from tornado._tornado4.deprecation import deprecated, ignored_loop

_P = ParamSpec("_P")
_T = TypeVar("_T")


def takes_callback(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a method that returns an awaitable, so that it also accepts ``callback=``.

    With a callback, the awaitable is scheduled as a task, and the callback is called with its result.
    """

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if "callback" not in kwargs:
            return method(*args, **kwargs)
        callback = kwargs.pop("callback")
        result: Any = method(*args, **kwargs)
        if callback is None:
            return result
        deprecated(f"{method.__qualname__}(callback=...)", "await its return value")
        from tornado._tornado4.future_callbacks import start_for_callback

        return start_for_callback(result, callback)

    if inspect.iscoroutinefunction(method):
        _mark_coroutine(wrapper)
    return cast("Callable[_P, _T]", wrapper)


def stack_contexts() -> Any:
    """Return the module `_tornado4.stack_contexts` if it is loaded, which means that the program uses it."""
    return sys.modules.get("tornado._tornado4.stack_contexts")


def _mark_coroutine(function: Any) -> None:
    """Mark a function as a coroutine function for `inspect`, or for `asyncio` before Python 3.12."""
    mark = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12
    if mark is not None:
        mark(function)
    else:
        vars(function)["_is_coroutine"] = getattr(asyncio.coroutines, "_is_coroutine", None)


def drop_io_loop(new: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a class's ``__new__`` to drop its first argument if that is the loop, as in Tornado 4."""

    @functools.wraps(new)
    def wrapper(cls: Any, *args: Any, **kwargs: Any) -> Any:
        # A loop that is the only argument is kept, because the first parameter is now force_instance, and
        # Jupyter Server passes a loop in its place.
        only_argument = len(args) == 1 and "force_instance" not in kwargs
        if args and not only_argument and hasattr(args[0], "add_callback"):
            ignored_loop(cls.__name__)
            args = args[1:]
        return cast(Any, new)(cls, *args, **kwargs)

    return cast("Callable[_P, _T]", wrapper)


@dataclasses.dataclass(frozen=True)
class LegacyParameterOrder:
    """The order of a method's options, for methods whose order differs from Tornado 4.

    :ivar present: the names in the current order.
    :ivar classic: the same names in the order of Tornado 4, with the callback first.
    """

    present: tuple[str, ...]
    classic: tuple[str, ...]


def documented_as(documented: Callable[_P, _T]) -> Callable[[Callable[..., _T]], Callable[_P, _T]]:
    """Decorate a method that accepts undocumented arguments so that it has the signature of ``documented``.

    The method itself is returned, so a call has no overhead.
    """

    def decorate(method: Callable[..., _T]) -> Callable[_P, _T]:
        shown = cast("Any", method)
        shown.__signature__ = inspect.signature(documented)
        shown.__annotations__ = documented.__annotations__
        return cast("Callable[_P, _T]", method)

    return decorate


def merge_options(
    method: str, place: tuple[Any, ...], order: LegacyParameterOrder, named: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Combine the options that were passed by position with those passed by name.

    If the first positional argument is callable, it is the callback, and the order is that of Tornado 4.

    :param method: the name of the method, for error messages.
    :param place: the positional arguments, in either order.
    :param order: the two orders.
    :param named: the options in the current order, None for one that was not passed by name.
    :returns: the options in the current order.
    :raises TypeError: if an option is passed twice, or if too many are passed.
    """
    names = order.classic if place and callable(place[0]) else order.present
    if len(place) > len(names):
        raise TypeError(f"{method}() takes at most {len(names)} options, got {len(place)}")
    options = dict(zip(order.present, named, strict=True))
    for name, value in zip(names, place, strict=False):
        if options[name] is not None:
            raise TypeError(f"{method}() got multiple values for argument {name!r}")
        options[name] = value
    return tuple(options.values())


def mark_coroutine(function: Any) -> None:
    """Mark ``function`` as a coroutine function, for `inspect.iscoroutinefunction` (Python 3.12 or later)."""
    _mark_coroutine(function)
