"""`PerLoop`: one object for each event loop; and functions to call when a loop is closed.

Such an object is stored in the loop's ``__dict__``, so it lives exactly as long as its loop, and access costs
one dictionary look-up. No other module stores attributes on loops. A loop of a class without ``__dict__`` is
found in a mapping with weak keys instead.

A loop is an asyncio loop or an `.IOLoop`; these have separate objects. The same loop must always be used for
one `PerLoop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["PerLoop", "call_at_close", "run_close_callbacks"]

_T = TypeVar("_T")

_keys: set[str] = set()


class PerLoop(Generic[_T]):
    """One object for each event loop, created when it is first needed.

    ::

        _queues = PerLoop("disconnect queue", DisconnectQueue)

        queue = _queues.get(loop)

    :param name: a name that no other `PerLoop` has.
    :param factory: called with a loop; returns the object for this loop.
    :raises ValueError: if the name is already in use.

    :ivar key: the object's key in the loop's ``__dict__``, for callers on the hot path, where the cost of a
        method call matters. They fall back to `get` if there is no such key, or no ``__dict__``.
    """

    __slots__ = ("_factory", "_loops_without_dict", "key")

    def __init__(self, name: str, factory: Callable[[Any], _T]) -> None:
        self.key = f"_tornado {name}"  # with a space, so it is not the name of an attribute of the loop
        if self.key in _keys:
            raise ValueError(f"there is already a PerLoop called {name!r}")
        _keys.add(self.key)
        self._factory = factory
        self._loops_without_dict: WeakKeyDictionary[Any, _T] | None = None

    def get(self, loop: Any) -> _T:
        """Return the object of `loop`, and create it if necessary."""
        try:
            found: _T = loop.__dict__[self.key]
        except KeyError:
            found = loop.__dict__[self.key] = self._factory(loop)
        except AttributeError:
            if self._loops_without_dict is None:
                self._loops_without_dict = WeakKeyDictionary()
            if loop not in self._loops_without_dict:
                self._loops_without_dict[loop] = self._factory(loop)
            found = self._loops_without_dict[loop]
        return found

    def find(self, loop: Any) -> _T | None:
        """Return the object of `loop`, or None if it has not been created."""
        found: _T | None = getattr(loop, "__dict__", {}).get(self.key)
        if found is None and self._loops_without_dict is not None:
            found = self._loops_without_dict.get(loop)
        return found

    def pop(self, loop: Any) -> _T | None:
        """Remove the object of `loop`. Return it, or None if it has not been created."""
        found = self.find(loop)
        if found is not None:
            if self.key in getattr(loop, "__dict__", {}):
                del loop.__dict__[self.key]
            elif self._loops_without_dict is not None:
                del self._loops_without_dict[loop]
        return found


_close_callbacks: PerLoop[list[Callable[[bool], object]]] = PerLoop("close callbacks", lambda loop: [])


def call_at_close(io_loop: Any, callback: Callable[[bool], object]) -> None:
    """Call a function when an `.IOLoop` is closed, before the functions that were registered earlier.

    :param callback: called with the argument ``all_fds`` of `.IOLoop.close`.
    """
    _close_callbacks.get(io_loop).append(callback)


def run_close_callbacks(io_loop: Any, all_fds: bool) -> None:
    """Call and remove the functions registered for an `.IOLoop`, which is being closed."""
    callbacks = _close_callbacks.find(io_loop)
    while callbacks:
        callbacks.pop()(all_fds)
