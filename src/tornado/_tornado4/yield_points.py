"""Yield points: ``gen.Callback``, ``gen.Wait``, ``gen.WaitAll``, and their base class ``gen.YieldPoint``.

`key_registry` starts them, and stores the results of callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated

__all__ = ["Arguments", "Callback", "Wait", "WaitAll", "YieldPoint"]

_ADVICE = "await a Future in a coroutine"


class Arguments(NamedTuple):
    """The arguments of a callback that was called with several arguments, or with keyword arguments."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def single_argument_callback(set_result: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a callback that passes its argument to ``set_result``.

    Without an argument it passes None, and with several arguments it passes `Arguments`.
    """

    def callback(*args: Any, **kwargs: Any) -> None:
        if kwargs or len(args) > 1:
            set_result(Arguments(args, kwargs))
        else:
            set_result(args[0] if args else None)

    return callback


class YieldPointRunner(Protocol):
    """The ``runner`` that is passed to a yield point: the keys of its coroutine and their results."""

    def register_callback(self, key: Any) -> None:
        """Mark a key as pending.

        :raises KeyReuseError: if the key is already pending.
        """

    def is_ready(self, key: Any) -> bool:
        """Whether a result is stored under ``key``.

        :raises UnknownKeyError: if the key is not pending.
        """

    def pop_result(self, key: Any) -> Any:
        """Remove a key, and return its result."""

    def result_callback(self, key: Any) -> Callable[..., None]:
        """Return a function that stores its argument under ``key``."""


class YieldPoint:
    """Base class of objects that a generator-based coroutine may yield in the style of Tornado 4."""

    def start(self, runner: YieldPointRunner) -> None:
        """Start the operation; called when the coroutine has yielded this object.

        :param runner: stores the results of callbacks.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define start()")

    def is_ready(self) -> bool:
        """Whether the coroutine can continue; called after `start` and after each result."""
        raise NotImplementedError(f"{type(self).__name__} does not define is_ready()")

    def get_result(self) -> Any:
        """Return the value to send to the coroutine; called once, when it continues."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_result()")


class Callback(YieldPoint):
    """``callback = yield gen.Callback(key)`` returns a function that stores its argument for `Wait`.

    :param key: a hashable value. It may be reused only after `Wait` has returned its result.
    """

    def __init__(self, key: Any) -> None:
        deprecated("gen.Callback", _ADVICE)
        self.key = key

    def start(self, runner: YieldPointRunner) -> None:
        """Register the key."""
        self._runner = runner
        runner.register_callback(self.key)

    def is_ready(self) -> bool:
        """Return True, because the function is available immediately."""
        return True

    def get_result(self) -> Callable[..., None]:
        """Return the function."""
        return self._runner.result_callback(self.key)


class Wait(YieldPoint):
    """``value = yield gen.Wait(key)`` waits for the callback with this key, and returns its argument."""

    def __init__(self, key: Any) -> None:
        deprecated("gen.Wait", _ADVICE)
        self.key = key

    def start(self, runner: YieldPointRunner) -> None:
        """Store the runner."""
        self._runner = runner

    def is_ready(self) -> bool:
        """Whether the callback has been called.

        :raises UnknownKeyError: if no `Callback` has this key.
        """
        return self._runner.is_ready(self.key)

    def get_result(self) -> Any:
        """Return the argument of the callback: None if there was none, `Arguments` if there were several."""
        return self._runner.pop_result(self.key)


class WaitAll(YieldPoint):
    """``values = yield gen.WaitAll(keys)`` waits for several callbacks, and returns a list of the results."""

    def __init__(self, keys: Iterable[Any]) -> None:
        deprecated("gen.WaitAll", _ADVICE)
        self.keys: list[Any] = list(keys)

    def start(self, runner: YieldPointRunner) -> None:
        """Store the runner."""
        self._runner = runner

    def is_ready(self) -> bool:
        """Whether all callbacks have been called; see `Wait`."""
        return all(self._runner.is_ready(key) for key in self.keys)

    def get_result(self) -> list[Any]:
        """Return the results, in the order of the keys."""
        return [self._runner.pop_result(key) for key in self.keys]


export(globals(), module="tornado.gen")
