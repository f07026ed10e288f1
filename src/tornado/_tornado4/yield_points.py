"""Yield points: ``gen.Callback``, ``gen.Wait``, ``gen.WaitAll``, and their base class ``gen.YieldPoint``.

Each coroutine that yields a yield point has its own set of keys, a `KeyRegistry` object. This object is also
the ``runner`` that is passed to the yield points. Callbacks store their results in the registry under a key;
after each result, all waiting yield points are checked for readiness.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tornado import gen
from tornado._export import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import add_handler

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


class YieldPoint:
    """Base class of objects that a generator-based coroutine may yield in the style of Tornado 4."""

    def start(self, runner: KeyRegistry) -> None:
        """Start the operation; called when the coroutine has yielded this object.

        :param runner: an object with the methods of `KeyRegistry`.
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

    def start(self, runner: KeyRegistry) -> None:
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

    def start(self, runner: KeyRegistry) -> None:
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

    def start(self, runner: KeyRegistry) -> None:
        """Store the runner."""
        self._runner = runner

    def is_ready(self) -> bool:
        """Whether all callbacks have been called; see `Wait`."""
        return all(self._runner.is_ready(key) for key in self.keys)

    def get_result(self) -> list[Any]:
        """Return the results, in the order of the keys."""
        return [self._runner.pop_result(key) for key in self.keys]


class KeyRegistry:
    """The keys of one coroutine, and the yield points that wait for them."""

    def __init__(self, runner: gen.Runner) -> None:
        self._pending: set[Any] = set()
        self._results: dict[Any, Any] = {}
        self._waiting: list[tuple[YieldPoint, asyncio.Future[Any]]] = []
        assert runner.gen is not None
        # This generator detects leaked callbacks when the coroutine ends.
        runner.gen = _LeakCheckedGenerator(runner.gen, self._pending)
        # From now on, exceptions of callbacks that the coroutine starts are raised in the coroutine.
        add_handler(runner.handle_exception)

    def register_callback(self, key: Any) -> None:
        """Mark a key as pending.

        :raises KeyReuseError: if the key is already pending.
        """
        if key in self._pending:
            raise gen.KeyReuseError(f"key {key!r} is already pending")
        self._pending.add(key)

    def is_ready(self, key: Any) -> bool:
        """Whether a result is stored under ``key``.

        :raises UnknownKeyError: if the key is not pending.
        """
        if key not in self._pending:
            raise gen.UnknownKeyError(f"key {key!r} is not pending: yield gen.Callback({key!r}) first")
        return key in self._results

    def set_result(self, key: Any, result: Any) -> None:
        """Store a result, and resume the coroutine if the yield point it waits for is ready."""
        self._results[key] = result
        waiting, self._waiting = self._waiting, []
        for point, future in waiting:
            if not future.done():
                self._resume_if_ready(point, future)

    def pop_result(self, key: Any) -> Any:
        """Remove a key, and return its result."""
        self._pending.discard(key)
        return self._results.pop(key)

    def result_callback(self, key: Any) -> Callable[..., None]:
        """Return a function that stores its argument under ``key``."""
        return single_argument_callback(functools.partial(self.set_result, key))

    def wait_for(self, point: YieldPoint) -> asyncio.Future[Any]:
        """Start a yield point, and return a Future for the coroutine to wait for."""
        future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
        try:
            point.start(self)
        except Exception as error:
            future.set_exception(error)
        else:
            self._resume_if_ready(point, future)
        return future

    def _resume_if_ready(self, point: YieldPoint, future: asyncio.Future[Any]) -> None:
        try:
            if point.is_ready():
                future.set_result(point.get_result())
            else:
                self._waiting.append((point, future))
        except Exception as error:
            future.set_exception(error)


class _LeakCheckedGenerator(Generator[Any, Any, Any]):
    """A generator that raises an error if it ends with pending keys."""

    def __init__(self, inner: Generator[Any, Any, Any], pending: set[Any]) -> None:
        self._inner = inner
        self._pending = pending

    def send(self, value: Any) -> Any:
        try:
            return self._inner.send(value)
        except StopIteration:
            self._check()
            raise

    def throw(self, *error: Any) -> Any:
        try:
            return self._inner.throw(*error)
        except StopIteration:
            self._check()
            raise
        finally:
            del error  # the traceback of `error` refers to this frame

    def close(self) -> None:
        self._inner.close()

    def _check(self) -> None:
        if self._pending:
            raise gen.LeakedCallbackError(f"finished without waiting for callbacks {list(self._pending)!r}")


_keys: WeakKeyDictionary[gen.Runner, KeyRegistry] = WeakKeyDictionary()


def start_points(runner: gen.Runner, yielded: Any) -> Any:
    """Start the yield points in a value that a coroutine has yielded: a yield point, a list or a dict.

    :returns: a value for ``convert_yielded``; None if the value contains no yield points.
    """
    if isinstance(yielded, YieldPoint):
        keys = _keys.get(runner)
        if keys is None:
            keys = _keys[runner] = KeyRegistry(runner)
        return keys.wait_for(yielded)
    if isinstance(yielded, dict):
        items = list(yielded.items())
    elif isinstance(yielded, list):
        items = list(enumerate(yielded))
    else:
        return None
    started = {name: start_points(runner, each) for name, each in items}
    if all(each is None for each in started.values()):
        return None
    ready = {name: each if started[name] is None else started[name] for name, each in items}
    return ready if isinstance(yielded, dict) else list(ready.values())


gen._start_yield_points = start_points
export(globals(), module="tornado.gen")
