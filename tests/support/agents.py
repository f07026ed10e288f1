"""A function wrapper that behaves like its original, as those of wrapt do, which monitoring agents use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Wrapper:
    """A wrapper that replaces a function of a class.

    It equals the original, has the same hash and, if bound, the same ``__func__``.

    :param wrapped: the original function, or its bound method.
    :param called: a function to call, without arguments, before each call.
    """

    def __init__(self, wrapped: Any, called: Callable[[], object]) -> None:
        self.wrapped = wrapped
        self.called = called

    def __get__(self, instance: object, owner: type) -> Wrapper:
        return Wrapper(self.wrapped.__get__(instance, owner), self.called)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.wrapped == other)

    def __hash__(self) -> int:
        return hash(self.wrapped)

    @property
    def __class__(self) -> Any:
        return type(self.wrapped)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.called()
        return self.wrapped(*args, **kwargs)
