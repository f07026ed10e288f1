"""Check whether a function can be called with given arguments, as far as its signature shows.

These checks run at start-up on functions that the program registers. A function with ``*args`` and
``**kwargs``, as returned by most decorators, accepts anything and is never reported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

__all__ = ["accepts", "protocol_of", "shown"]

# Decorators of this package pass their arguments on unchanged.
_TRANSPARENT = "tornado."
_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def accepts(function: Any, positional: int, names: Collection[str] = ()) -> bool:
    """Whether `function` can be called with this many positional arguments and these keyword arguments.

    :returns: True also if the signature is not available, as for some built-in classes.
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
    """Whether a method can be called with these arguments and ``self``; only plain functions are checked."""
    function = _unwrapped(method)
    if type(function) is not FunctionType:
        return True
    code = function.__code__
    if not names and not code.co_flags & _VARIADIC and not code.co_kwonlyargcount:
        # The fast path for most methods: an application with a thousand routes should start quickly.
        max_positional = code.co_argcount - 1
        return max_positional - len(function.__defaults__ or ()) <= positional <= max_positional
    return accepts(function, positional + 1, names)


def shown(method: Any) -> str:
    """Return the parameters of a method, except ``self``, as text for messages."""
    try:
        parameters = list(inspect.signature(_unwrapped(method)).parameters.values())[1:]
    except (TypeError, ValueError):
        return "(...)"
    bare = [each.replace(annotation=each.empty) for each in parameters]
    return str(inspect.Signature(bare))


def protocol_of(function: Callable[..., Any]) -> str | None:
    """Return the gateway protocol that a callable seems to implement: ``WSGI``, ``ASGI`` or None."""
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
