"""Arguments that methods had in Tornado 4, for those whose present form has no place for them; and whether a
program uses stack contexts.
"""

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
    """Decorate a method that returns an awaitable: with ``callback=`` it starts by itself, and the callback
    is called with the result.
    """

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if "callback" not in kwargs:
            return method(*args, **kwargs)
        callback = kwargs.pop("callback")
        result: Any = method(*args, **kwargs)
        if callback is None:
            return result
        deprecated(f"{method.__qualname__}(callback=...)", "await what it returns")
        from tornado._tornado4.future_callbacks import start_for_callback

        return start_for_callback(result, callback)

    if inspect.iscoroutinefunction(method):
        _mark_coroutine(wrapper)
    return cast("Callable[_P, _T]", wrapper)


def stack_contexts() -> Any:
    """Return the module `_tornado4.stack_contexts` if the program uses stack contexts: nothing else imports
    it.
    """
    return sys.modules.get("tornado._tornado4.stack_contexts")


def _mark_coroutine(function: Any) -> None:
    """Have `unittest.mock`, and whoever else asks asyncio, see it for what it is."""
    mark = getattr(inspect, "markcoroutinefunction", None)  # from Python 3.12 on
    if mark is not None:
        mark(function)
    else:
        function._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)


def loop_first(make: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate the ``__new__`` of a class whose first argument was the loop: what follows moves up."""

    @functools.wraps(make)
    def wrapper(cls: Any, *args: Any, **kwargs: Any) -> Any:
        # One that stands alone is a true force_instance now, and Jupyter's server gives it so.
        alone = len(args) == 1 and "force_instance" not in kwargs
        if args and not alone and hasattr(args[0], "add_callback"):
            ignored_loop(cls.__name__)
            args = args[1:]
        return cast(Any, make)(cls, *args, **kwargs)

    return cast("Callable[_P, _T]", wrapper)


@dataclasses.dataclass(frozen=True)
class OptionOrder:
    """The order of a method's options, where it is not the one of Tornado 4.

    :ivar present: the names in the present order.
    :ivar classic: the same names in the order of Tornado 4, the callback first.
    """

    present: tuple[str, ...]
    classic: tuple[str, ...]


def documented_as(documented: Callable[_P, _T]) -> Callable[[Callable[..., _T]], Callable[_P, _T]]:
    """Decorate a method that accepts more than it documents: its signature becomes that of ``documented``.

    The method itself is returned, so that a call costs nothing more.
    """

    def decorate(method: Callable[..., _T]) -> Callable[_P, _T]:
        shown = cast("Any", method)
        shown.__signature__ = inspect.signature(documented)
        shown.__annotations__ = documented.__annotations__
        return cast("Callable[_P, _T]", method)

    return decorate


def options_by_place(
    method: str, place: tuple[Any, ...], order: OptionOrder, named: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Combine the options that were passed by position with those passed by name.

    A callable in the first place is a callback, as in Tornado 4.

    :param place: the positional arguments, in either order.
    :param named: the options in the present order, None for one that was not passed by name.
    :returns: the options in the present order.
    :raises TypeError: for an option that is passed twice, or too many options.
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
    """Have `inspect.iscoroutinefunction`, where it can, tell that ``function`` returns a coroutine."""
    _mark_coroutine(function)
