"""`OriginalMethods`: whether a program has replaced the methods that a fast path bypasses.

A program may replace a method in a subclass, by a patch of the class at run time, or by an attribute of one
object. A fast path is taken only while none of the methods that it bypasses is replaced, which is checked
each time: CPython has no notification of a change of a class.

Methods are compared by identity. The proxies of wrapt, with which monitoring agents replace methods, pass
``==``, ``hash()`` and all attributes on to the original, so that a proxy equals the method that it replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import MethodType
from typing import Any, TypeVar

__all__ = ["OriginalMethods"]

_Class = TypeVar("_Class", bound=type)

_CHECK = """
def check(x):
    try:
        return {comparisons}
    except AttributeError:
        return False
"""


class OriginalMethods:
    """Methods of a class, and the originals with which those of subclasses and objects are compared.

    The code that runs for every request compares plain functions directly: ``cls.name is original``.

    :param owner: the class that defines the originals, or None if its module calls `record`.
    :param names: the names of the methods.
    :ivar names: the names of the methods.
    :ivar absent_from: whether a mapping, such as the ``__dict__`` of an object, contains none of the names.
    :ivar originals: the methods of the owner, when it was defined: one method, or a tuple if there are
        several names.
    :ivar are_original: whether a class neither overrides one of the methods nor has it replaced by a patch.
    :ivar are_original_on: whether an object has the originals: neither its class nor the object itself
        replaces a method. The ``__dict__`` of the object is not accessed, because this would create it, which
        would cost a connection a hundred bytes.
    """

    __slots__ = ("absent_from", "are_original", "are_original_on", "names", "originals")

    are_original: Callable[[type], bool]
    are_original_on: Callable[[object], bool]

    def __init__(self, owner: type | None, *names: str) -> None:
        self.names = names
        self.absent_from = frozenset(names).isdisjoint
        self.originals: Any = None
        if owner is not None:
            self.record(owner)

    def __repr__(self) -> str:
        return f"<OriginalMethods {', '.join(self.names)}>"

    def record(self, owner: _Class) -> _Class:
        """Record the methods of `owner` as the originals. This method can be used as a class decorator.

        :returns: the class.
        """
        self.originals = attrgetter(*self.names)(owner)
        functions: dict[str, Any] = {}
        of_class, of_object = [], []
        for name in self.names:
            method = getattr(owner, name)
            # The type is checked because a proxy may have the attributes of a method, too.
            if type(method) is MethodType:  # class methods are bound to each class separately
                comparison = f"(type(m := x.{name}) is MethodType and m.__func__ is original_{name})"
                of_class.append(comparison)
                of_object.append(comparison)
                method = method.__func__
            else:
                of_class.append(f"x.{name} is original_{name}")
                of_object.append(
                    f"(m.__func__ if type(m := x.{name}) is MethodType and m.__self__ is x else m)"
                    f" is original_{name}"
                )
            functions[f"original_{name}"] = method
        self.are_original = _compile(of_class, functions)
        self.are_original_on = _compile(of_object, functions)
        return owner


def _compile(comparisons: list[str], functions: dict[str, Any]) -> Callable[[Any], bool]:
    """Return a function that makes the comparisons. It is compiled because it takes about half the
    instructions of a loop over the names.
    """
    namespace = {**functions, "MethodType": MethodType}
    exec(_CHECK.format(comparisons=" and ".join(comparisons)), namespace)
    check: Callable[[Any], bool] = namespace["check"]
    return check
