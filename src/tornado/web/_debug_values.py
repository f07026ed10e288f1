"""Values as a debug page shows them: never longer than asked for, and made in bounded time.

The ``repr`` of a value is code of the program, which may fail, take for ever or return a gigabyte; that of a
container takes as long as the container is. So Python's own containers are written here, as far as there is
room, and everything else by its ``repr`` under a clock that interrupts it.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import sys
import time
import types
from collections.abc import Iterable
from typing import Any, cast

from tornado.httputil import HTTPHeaders
from tornado.web._debug_secrets import MASK, Secrets

# Seconds for one repr, and for all of a page.
_SECONDS_EACH = 0.1
_SECONDS = 1.0
_DEPTH = 4
_MOST_ITEMS = 50
_MOST_BITS = 4096
# A container of a class of its own with more items than this is not asked for its repr.
_SMALL = 100

_BRACKETS: dict[Any, tuple[str, str]] = {
    list.__repr__: ("[", "]"),
    tuple.__repr__: ("(", ")"),
    set.__repr__: ("{", "}"),
    frozenset.__repr__: ("frozenset({", "})"),
    dict.__repr__: ("{", "}"),
    collections.OrderedDict.__repr__: ("OrderedDict({", "})"),
    collections.defaultdict.__repr__: ("defaultdict({", "})"),
    collections.deque.__repr__: ("deque([", "])"),
}
_CONTAINERS = (list, tuple, set, frozenset, dict, collections.deque)
_PLAIN = (type(None), bool, float, complex, type(Ellipsis))


class _FullError(Exception):
    """There is no more room."""


class _SlowError(BaseException):
    """A repr has taken too long. A program's ``except Exception`` does not hold it."""


class _Room:
    """Collects text up to a number of characters."""

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.left = limit

    def add(self, text: str) -> None:
        if len(text) > self.left:
            self.parts.append(text[: self.left])
            raise _FullError
        self.parts.append(text)
        self.left -= len(text)


class Values:
    """Shows values.

    :param secrets: what to mask in them.
    :param seconds: for all the values together that have a ``repr`` of their own.
    """

    def __init__(self, secrets: Secrets, seconds: float = _SECONDS) -> None:
        self.secrets = secrets
        self._seconds = seconds

    def show(self, value: object, limit: int = 1000) -> str:
        """A value in at most about `limit` characters."""
        room = _Room(limit)
        try:
            self._write(room, value, 0)
        except _FullError:
            room.parts.append(_size(value))
        except Exception as error:
            room.parts.append(f"<{_name_of(type(value))}, not shown: {_name_of(type(error))}>")
        return self.secrets.mask("".join(room.parts))

    def show_named(self, name: object, value: object, limit: int = 1000, *, variable: bool = False) -> str:
        """As `show`, where a secret name masks the value; see `Secrets.hide`."""
        if self._hides(name, value, variable):
            return f"{MASK} ({_name_of(type(value))})"
        return self.show(value, limit)

    def _hides(self, name: object, value: object, variable: bool = False) -> bool:
        try:
            return self.secrets.hide(name, value, variable=variable)
        except Exception:
            return True  # its comparison failed: nothing is known about it

    # -- by type --

    def _write(self, room: _Room, value: Any, depth: int) -> None:
        kind = type(value)
        if kind in (str, bytes, bytearray):
            self._write_text(room, value)
        elif kind is int:
            bits = value.bit_length()
            room.add(repr(value) if bits <= _MOST_BITS else f"<int of {bits:,} bits>")
        elif kind in _PLAIN:
            room.add(repr(value))
        elif isinstance(value, HTTPHeaders):
            self._write_pairs(room, value.get_all(), ("HTTPHeaders({", "})"), depth)
        elif isinstance(value, tuple) and hasattr(kind, "_fields"):
            fields = zip(kind._fields, tuple.__iter__(value), strict=False)
            self._write_fields(room, fields, f"{_name_of(kind)}(", ")", depth)
        elif isinstance(value, _CONTAINERS) and (
            kind.__repr__ in _BRACKETS or _length_of(value) > _SMALL or depth >= _DEPTH
        ):
            self._write_container(room, value, depth)
        elif dataclasses.is_dataclass(value) and _is_generated(kind.__repr__):
            names = [each.name for each in dataclasses.fields(value) if each.repr]
            pairs = ((name, getattr(value, name, "?")) for name in names)
            self._write_fields(room, pairs, f"{_name_of(kind)}(", ")", depth)
        elif cast(Any, kind).__repr__ is object.__repr__:
            self._write_object(room, value, depth)
        else:
            room.add(self._own_repr(value))

    def _write_text(self, room: _Room, value: str | bytes | bytearray) -> None:
        # The few characters that fit are all that is looked at, and as many again as a mask may save.
        shown = value if len(value) <= 2**16 else value[: 2**16]
        room.add(self.secrets.mask(repr(shown)))

    def _write_container(self, room: _Room, value: Any, depth: int) -> None:
        opening, closing = _BRACKETS.get(type(value).__repr__) or (f"{_name_of(type(value))}(", ")")
        if depth >= _DEPTH:
            room.add(f"{opening}\u2026{closing}")
            return
        if isinstance(value, dict):
            self._write_pairs(room, dict.items(value), (opening, closing), depth)
            return
        base = next(each for each in _CONTAINERS if isinstance(value, each))
        length = base.__len__(value)
        if not length and base in (set, frozenset):
            room.add(f"{base.__name__}()")
            return
        room.add(opening)
        for number, item in enumerate(itertools.islice(base.__iter__(value), _MOST_ITEMS)):
            if number:
                room.add(", ")
            self._write(room, item, depth + 1)
        if length > _MOST_ITEMS:
            room.add(f", \u2026 {length - _MOST_ITEMS:,} more")
        room.add("," + closing if base is tuple and length == 1 else closing)

    def _write_pairs(
        self, room: _Room, pairs: Iterable[tuple[Any, Any]], brackets: tuple[str, str], depth: int
    ) -> None:
        if depth >= _DEPTH:
            room.add("\u2026".join(brackets))
            return
        room.add(brackets[0])
        for number, (name, value) in enumerate(pairs):
            if number:
                room.add(", ")
            if number >= _MOST_ITEMS:
                room.add("\u2026 more")
                break
            self._write(room, name, depth + 1)
            room.add(": ")
            self._write_named(room, name, value, depth)
        room.add(brackets[1])

    def _write_fields(
        self, room: _Room, fields: Iterable[tuple[str, Any]], opening: str, closing: str, depth: int
    ) -> None:
        if depth >= _DEPTH:
            room.add(f"{opening}\u2026{closing}")
            return
        room.add(opening)
        for number, (name, value) in enumerate(itertools.islice(fields, _MOST_ITEMS)):
            room.add(f"{', ' if number else ''}{name}=")
            self._write_named(room, name, value, depth)
        room.add(closing)

    def _write_named(self, room: _Room, name: object, value: Any, depth: int) -> None:
        if self._hides(name, value):
            room.add(MASK)
        else:
            self._write(room, value, depth + 1)

    def _write_object(self, room: _Room, value: Any, depth: int) -> None:
        """An object without a repr of its own: its class, and if it is asked for itself its attributes."""
        name = f"{type(value).__module__}.{_name_of(type(value))}"
        attributes = [] if depth else _attributes(value)
        if attributes:
            self._write_fields(room, attributes, f"<{name} object with ", ">", depth)
        else:
            room.add(f"<{name} object>")

    # -- a repr of the program's --

    def _own_repr(self, value: object) -> str:
        name = _name_of(type(value))
        if self._seconds <= 0:
            return f"<{name}, not shown: the time for this page is used up>"
        began = time.perf_counter()
        try:
            text = _timed_repr(value, began + min(_SECONDS_EACH, self._seconds))
        except _SlowError:
            return f"<{name}, not shown: its repr takes too long>"
        except Exception as error:
            return f"<{name}, not shown: its repr raises {_name_of(type(error))}>"
        finally:
            self._seconds -= time.perf_counter() - began
        return self.secrets.mask(text)


def _is_generated(function: Any) -> bool:
    """Whether a dataclass's repr is the one that the decorator made: it would hide no field."""
    code = getattr(getattr(function, "__wrapped__", None), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _timed_repr(value: object, deadline: float) -> str:
    """The repr of a value.

    :raises _SlowError: at the first line of Python that it runs after the deadline.
    """

    def watch(frame: types.FrameType, event: str, arg: object) -> Any:
        if time.perf_counter() > deadline:
            raise _SlowError
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return repr(value)
    finally:
        sys.settrace(before)


def _attributes(value: object) -> list[tuple[str, Any]]:
    own = getattr(value, "__dict__", None)
    if type(own) is not dict:
        return []
    return [(name, item) for name, item in own.items() if isinstance(name, str) and not name.startswith("_")]


def _length_of(value: Any) -> int:
    base = next(each for each in _CONTAINERS if isinstance(value, each))
    length: int = base.__len__(value)
    return length


def _size(value: object) -> str:
    """What to put where a value was cut off."""
    if type(value) in (str, bytes, bytearray):
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"\u2026 ({len(value):,} {unit})"  # type: ignore[arg-type]
    if isinstance(value, _CONTAINERS):
        return f"\u2026 ({_length_of(value):,} items)"
    return "\u2026"


def _name_of(cls: type) -> str:
    return cls.__qualname__[:200]
