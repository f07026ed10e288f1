"""The results of callbacks for the yield points of a coroutine (`yield_points`).

Each coroutine that yields a yield point has a separate set of keys, a `KeyRegistry` object. This object is
also the ``runner`` that is passed to the yield points. Callbacks store their results in the registry under a
key; after each result, all waiting yield points are checked for readiness.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator
from typing import Any
from weakref import WeakKeyDictionary

from tornado import gen
from tornado._tornado4.stack_contexts import add_handler
from tornado._tornado4.yield_points import YieldPoint, single_argument_callback


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
