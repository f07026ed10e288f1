"""Arguments that methods had in Tornado 4, for those whose present form has no place for them; and whether a
program uses stack contexts.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from tornado._classic.warning import deprecated, ignored_loop

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
        from tornado._classic.callbacks import start_for_callback

        return start_for_callback(result, callback)

    if inspect.iscoroutinefunction(method):
        _mark_coroutine(wrapper)
    return cast("Callable[_P, _T]", wrapper)


def stack_contexts() -> Any:
    """Return the module `_classic.stack` if the program uses stack contexts: nothing else imports it."""
    return sys.modules.get("tornado._classic.stack")


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


def callback_second(*order: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorate a method that had its callback in the second place, where it has an option now.

    The method itself takes a callable in that place for the callback. What it cannot see is a callback there
    together with the option by its name, as in ``read_until(b"\\n", callback, max_bytes=10)``.

    :param order: the arguments of Tornado 4 from the second one on.
    """

    def decorate(method: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs and len(args) > 1 and callable(args[1]):
                kwargs.update(zip(order, args[1:], strict=False))
                args = args[:1]
            return cast(Any, method)(self, *args, **kwargs)

        return cast("Callable[_P, _T]", wrapper)

    return decorate


def mark_coroutine(function: Any) -> None:
    """Have `inspect.iscoroutinefunction`, where it can, tell that ``function`` returns a coroutine."""
    _mark_coroutine(function)
