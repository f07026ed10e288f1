"""Yield points: ``gen.Callback``, ``gen.Wait``, ``gen.WaitAll``, and their base ``gen.YieldPoint``.

A coroutine that yields one gets a set of keys of its own. `Keys` is that set, and also what a yield point
sees as its ``runner``: callbacks store results under keys there, and each result that comes has the points
that wait asked whether they are ready.
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
    """What a callback was called with, where that was not one positional argument."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def single(settle: Callable[[Any], Any]) -> Callable[..., Any]:
    """A callback for any arguments, which passes one value on: the argument, None, or `Arguments`."""

    def callback(*args: Any, **kwargs: Any) -> None:
        if kwargs or len(args) > 1:
            settle(Arguments(args, kwargs))
        else:
            settle(args[0] if args else None)

    return callback


class YieldPoint:
    """Something that a generator coroutine may yield, in the older style: base class for programs' own.

    ``runner`` is an object with the methods of `Keys`.
    """

    def start(self, runner: Keys) -> None:
        """Called when the coroutine has yielded this object."""
        raise NotImplementedError(f"{type(self).__name__} does not define start()")

    def is_ready(self) -> bool:
        """Whether the coroutine may go on; asked when it has yielded this and whenever a result comes."""
        raise NotImplementedError(f"{type(self).__name__} does not define is_ready()")

    def get_result(self) -> Any:
        """What the coroutine gets; called once, when it goes on."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_result()")


class Callback(YieldPoint):
    """``callback = yield gen.Callback(key)``: a function that stores what it is called with, for `Wait`.

    :arg key: any hashable value, to be used again only after it was waited for.
    """

    def __init__(self, key: Any) -> None:
        deprecated("gen.Callback", _ADVICE)
        self.key = key

    def start(self, runner: Keys) -> None:
        """Register the key."""
        self._runner = runner
        runner.register_callback(self.key)

    def is_ready(self) -> bool:
        """True: there is nothing to wait for yet."""
        return True

    def get_result(self) -> Callable[..., None]:
        """The function."""
        return self._runner.result_callback(self.key)


class Wait(YieldPoint):
    """``value = yield gen.Wait(key)``: what the callback of that key was called with."""

    def __init__(self, key: Any) -> None:
        deprecated("gen.Wait", _ADVICE)
        self.key = key

    def start(self, runner: Keys) -> None:
        """Take the runner."""
        self._runner = runner

    def is_ready(self) -> bool:
        """Whether the callback was called.

        :raises UnknownKeyError: if no `Callback` has this key.
        """
        return self._runner.is_ready(self.key)

    def get_result(self) -> Any:
        """The argument of the callback, None without one, `Arguments` for several."""
        return self._runner.pop_result(self.key)


class WaitAll(YieldPoint):
    """``values = yield gen.WaitAll(keys)``: a list of results, in the order of ``keys``."""

    def __init__(self, keys: Iterable[Any]) -> None:
        deprecated("gen.WaitAll", _ADVICE)
        self.keys: list[Any] = list(keys)

    def start(self, runner: Keys) -> None:
        """Take the runner."""
        self._runner = runner

    def is_ready(self) -> bool:
        """Whether all the callbacks were called; see `Wait`."""
        return all(self._runner.is_ready(key) for key in self.keys)

    def get_result(self) -> list[Any]:
        """The results."""
        return [self._runner.pop_result(key) for key in self.keys]


class Keys:
    """The keys of one coroutine, and the points that wait for them."""

    def __init__(self, runner: gen.Runner) -> None:
        self._pending: set[Any] = set()
        self._results: dict[Any, Any] = {}
        self._waiting: list[tuple[YieldPoint, asyncio.Future[Any]]] = []
        assert runner.gen is not None
        # Leaked callbacks show when the generator ends.
        runner.gen = _Watched(runner.gen, self._pending)
        # From here on the coroutine gets the exceptions of callbacks that it starts.
        add_handler(runner.handle_exception)

    def register_callback(self, key: Any) -> None:
        """Open a key.

        :raises KeyReuseError: if it is open.
        """
        if key in self._pending:
            raise gen.KeyReuseError(f"key {key!r} is already pending")
        self._pending.add(key)

    def is_ready(self, key: Any) -> bool:
        """Whether there is a result under ``key``.

        :raises UnknownKeyError: if the key is not open.
        """
        if key not in self._pending:
            raise gen.UnknownKeyError(f"key {key!r} is not pending: yield gen.Callback({key!r}) opens it")
        return key in self._results

    def set_result(self, key: Any, result: Any) -> None:
        """Store a result and let those go on who have waited for it."""
        self._results[key] = result
        waiting, self._waiting = self._waiting, []
        for point, future in waiting:
            if not future.done():
                self._ask(point, future)

    def pop_result(self, key: Any) -> Any:
        """Take a result, and close its key."""
        self._pending.discard(key)
        return self._results.pop(key)

    def result_callback(self, key: Any) -> Callable[..., None]:
        """A function that stores what it is called with under ``key``."""
        return single(functools.partial(self.set_result, key))

    def wait_for(self, point: YieldPoint) -> asyncio.Future[Any]:
        """Start a point; the Future is for the coroutine to wait for."""
        future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
        try:
            point.start(self)
        except Exception as error:
            future.set_exception(error)
        else:
            self._ask(point, future)
        return future

    def _ask(self, point: YieldPoint, future: asyncio.Future[Any]) -> None:
        try:
            if point.is_ready():
                future.set_result(point.get_result())
            else:
                self._waiting.append((point, future))
        except Exception as error:
            future.set_exception(error)


class _Watched(Generator[Any, Any, Any]):
    """A generator that may not end with open keys."""

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
            del error  # it holds this frame

    def close(self) -> None:
        self._inner.close()

    def _check(self) -> None:
        if self._pending:
            raise gen.LeakedCallbackError(f"finished without waiting for callbacks {list(self._pending)!r}")


_keys: WeakKeyDictionary[gen.Runner, Keys] = WeakKeyDictionary()


def start_points(runner: gen.Runner, yielded: Any) -> Any:
    """What to wait for when a coroutine has yielded points, or lists and dicts with points in them.

    :returns: something for ``convert_yielded``; None if there are no points.
    """
    if isinstance(yielded, YieldPoint):
        keys = _keys.get(runner)
        if keys is None:
            keys = _keys[runner] = Keys(runner)
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


gen._start_points = start_points
export(globals(), module="tornado.gen")
