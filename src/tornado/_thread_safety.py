"""Objects that the threads of a process share: counts that lose no change, and lists of living objects.

Several event loops, one for each thread, may run in one process. State that one of them needs alone is
stored by loop (`tornado._loop.per_loop`) or by thread (`threading.local`). All other state is shared, and
safe in one of these ways, which also hold in builds of CPython without a GIL:

* One operation of a dict, list, set or deque is atomic. A cache therefore reads an item with one operation,
  and computes it if it is missing; two threads may compute the same item. A full cache is emptied by
  ``clear()``, and its size may exceed the limit by one item for each thread.
* Values that belong together, such as a time and its text, are attributes of one object, which is complete
  before it is assigned.
* Code that must not run in two threads at the same time holds a lock.
* An in-place addition, ``counts.sent += 1``, is several operations. With a GIL no other thread runs between
  them, because CPython changes the thread only at calls and backward jumps. Without one, the function that
  contains it must be `atomic`.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar
from weakref import WeakValueDictionary

__all__ = ["FREE_THREADED", "WeakRegistry", "atomic"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

#: Whether threads run Python code at the same time. An extension module that is imported later may enable the
#: GIL, but nothing disables it again.
FREE_THREADED: bool = not getattr(sys, "_is_gil_enabled", lambda: True)()


def atomic(function: Callable[_P, _R], free_threaded: bool = FREE_THREADED) -> Callable[_P, _R]:
    """Return a function that runs in one thread at a time; with a GIL, the function itself.

    :param function: a function that makes no call between reading and writing a shared value.
    :param free_threaded: whether there is no GIL.
    """
    if not free_threaded:
        return function
    # A finalizer that runs in this call may call the function, so the lock is reentrant.
    lock = threading.RLock()

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with lock:
            return function(*args, **kwargs)

    return call


class WeakRegistry(Generic[_T]):
    """The living objects of a kind, which any thread may add and list.

    Iterating over a `weakref.WeakSet` fails if another thread adds an object: "Set changed size during
    iteration".
    """

    __slots__ = ("_objects",)

    def __init__(self) -> None:
        self._objects: WeakValueDictionary[int, _T] = WeakValueDictionary()

    def add(self, each: _T) -> None:
        """Add an object, which must support weak references."""
        self._objects[id(each)] = each

    def discard(self, each: _T) -> None:
        """Remove an object, if it is registered."""
        self._objects.pop(id(each), None)

    def snapshot(self) -> list[_T]:
        """Return the objects that exist now, in the order in which they were added."""
        # `valuerefs` copies the references in one operation; the other methods iterate in Python code.
        return [found for each in self._objects.valuerefs() if (found := each()) is not None]
