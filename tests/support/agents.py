"""A monitoring agent's wrapper around a function: it shows the attributes of what it wraps, as wrapt's do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Wrapper:
    """A function in place of another one of a class; bound, it even has the other's ``__func__``.

    :param wrapped: the other function, or its bound method.
    :param called: called with nothing before each call.
    """

    def __init__(self, wrapped: Any, called: Callable[[], object]) -> None:
        self.wrapped = wrapped
        self.called = called

    def __get__(self, instance: object, owner: type) -> Wrapper:
        return Wrapper(self.wrapped.__get__(instance, owner), self.called)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    @property
    def __class__(self) -> Any:
        return type(self.wrapped)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.called()
        return self.wrapped(*args, **kwargs)
