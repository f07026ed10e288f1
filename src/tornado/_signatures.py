"""Whether a function can be called with the arguments that it will be given, as far as that can be told.

Used when a program starts, for functions that it registers. A function that takes ``*args`` or ``**kwargs``,
as most decorators return, accepts anything; it is never reported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

__all__ = ["accepts", "protocol_of", "shown"]

# Decorators of this package pass the arguments on as they come.
_TRANSPARENT = "tornado."
_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def accepts(function: Any, positional: int, names: Collection[str] = ()) -> bool:
    """Whether `function` may be called with a number of positional arguments and these keywords.

    :returns: True also where the signature cannot be read, as that of some built-in classes.
    """
    try:
        signature = inspect.signature(_unwrapped(function), follow_wrapped=False)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * positional, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def method_accepts(method: Any, positional: int, names: Collection[str] = ()) -> bool:
    """As `accepts`, for a function that is given an object first. Only plain functions are looked at."""
    function = _unwrapped(method)
    if type(function) is not FunctionType:
        return True
    code = function.__code__
    if not names and not code.co_flags & _VARIADIC and not code.co_kwonlyargcount:
        # Most methods; a start with a thousand routes should not take longer for this.
        most = code.co_argcount - 1
        return most - len(function.__defaults__ or ()) <= positional <= most
    return accepts(function, positional + 1, names)


def shown(method: Any) -> str:
    """The parameters of a method, without the object, for messages."""
    try:
        parameters = list(inspect.signature(_unwrapped(method)).parameters.values())[1:]
    except (TypeError, ValueError):
        return "(...)"
    bare = [each.replace(annotation=each.empty) for each in parameters]
    return str(inspect.Signature(bare))


def protocol_of(function: Callable[..., Any]) -> str | None:
    """The gateway protocol that a callable seems to be written for: ``WSGI``, ``ASGI`` or None."""
    if accepts(function, 1):
        return None
    if accepts(function, 2):
        return "WSGI"
    return "ASGI" if accepts(function, 3) else None


def _unwrapped(function: Any) -> Any:
    while type(function) is FunctionType and hasattr(function, "__wrapped__"):
        if not str(function.__globals__.get("__name__", "")).startswith(_TRANSPARENT):
            break
        function = function.__wrapped__
    return function
