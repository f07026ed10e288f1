"""Formatting of values for a debug page, in bounded length and time.

The ``repr`` of a value is code of the program. It can raise an exception, run forever or return a gigabyte,
and that of a container takes time proportional to its size. Therefore strings and Python's built-in
containers are formatted here up to the maximum length, and ``repr`` is called for all other values with a
time limit. The limit is enforced between lines of Python code only: a single call into C, such as the
``repr`` of an extension type or ``time.sleep``, is not interrupted.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import itertools
import re
import sys
import time
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from tornado.httputil import HTTPHeaders
from tornado.web._debug._literal_masking import MASK
from tornado.web._debug._redaction import Redactor

# Time limits in seconds, for one call of repr and for all such calls for a page.
_SECONDS_PER_REPR = 0.1
_SECONDS_PER_PAGE = 1.0
_MAX_DEPTH = 4
_MAX_ITEMS = 50
_MAX_BITS = 4096
# The repr of an instance of a container subclass is not called if it has more items than this.
_MAX_REPR_ITEMS = 100
# The repr of an instance of a subclass of str, bytes or bytearray is not called if it is longer than this, in
# characters or bytes.
_MAX_TEXT_LENGTH = 2**16

_Result = TypeVar("_Result")

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
_TEXTS = (str, bytes, bytearray)
_EMPTY: dict[Any, Any] = {}
_VIEWS = (type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_WRAPPERS: dict[Any, Any] = {
    each.__repr__: each for each in (collections.UserDict, collections.UserList, collections.UserString)
}
# The first item of a pair is treated as the name of the second if it matches this pattern.
_NAME = re.compile(r"\w[\w.-]{0,99}")
_PLAIN = (type(None), bool, float, complex, type(Ellipsis))


class _FullError(Exception):
    """Raised when the maximum length of the output is reached."""


class _SlowError(BaseException):
    """Raised if a repr exceeds its time limit. A BaseException, so ``except Exception`` does not catch it."""


class _SizeBudget:
    """A list of strings with a maximum total length in characters."""

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.remaining = limit

    def add(self, text: str) -> None:
        if len(text) > self.remaining:
            self.parts.append(text[: self.remaining])
            raise _FullError
        self.parts.append(text)
        self.remaining -= len(text)


class ValueFormatter:
    """A formatter of values.

    :param secrets: masks the secrets in the values.
    :param seconds: the total time limit, in seconds, for calls of the program's ``__repr__`` methods.
    """

    def __init__(self, secrets: Redactor, seconds: float = _SECONDS_PER_PAGE) -> None:
        self.secrets = secrets
        self._seconds = seconds

    def show(self, value: object, limit: int = 1000) -> str:
        """Format a value in at most about `limit` characters."""
        output = _SizeBudget(limit)
        try:
            self._write(output, value, 0)
        except _FullError:
            output.parts.append(_size(value))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # code of the program can raise any exception
            output.parts.append(f"<{_name_of(type(value))}, not shown: {_name_of(type(error))}>")
        return self.secrets.mask("".join(output.parts))

    def show_named(self, name: object, value: object, limit: int = 1000, *, variable: bool = False) -> str:
        """Format a value as `show` does, or mask it if its name is secret; see `Redactor.hide`."""
        if self._is_hidden(name, value, variable):
            return f"{MASK} ({_name_of(type(value))})"
        return self.show(value, limit)

    def _is_hidden(self, name: object, value: object, variable: bool = False) -> bool:
        try:
            return self.secrets.hide(name, value, variable=variable)
        except Exception:
            return True  # it may be a secret

    # -- by type --

    def _write(self, output: _SizeBudget, value: Any, depth: int) -> None:
        kind = type(value)
        if kind in _TEXTS or (issubclass(kind, _TEXTS) and _is_long_or_plain(value)):
            self._write_text(output, value)
        elif kind is int:
            bits = value.bit_length()
            output.add(repr(value) if bits <= _MAX_BITS else f"<int of {bits:,} bits>")
        elif kind in _PLAIN:
            output.add(repr(value))
        elif isinstance(value, HTTPHeaders):
            self._write_pairs(output, value.get_all(), ("HTTPHeaders({", "})"), depth)
        elif isinstance(value, tuple) and hasattr(kind, "_fields"):
            fields = zip(kind._fields, tuple.__iter__(value), strict=False)
            self._write_fields(output, fields, f"{_name_of(kind)}(", ")", depth)
        elif isinstance(value, _CONTAINERS) and (
            kind.__repr__ in _BRACKETS
            or issubclass(kind, dict)
            or _length_of(value) > _MAX_REPR_ITEMS
            or depth >= _MAX_DEPTH
        ):
            self._write_container(output, value, depth)
        elif cast(Any, kind).__repr__ in _WRAPPERS:
            self._write(output, value.data, depth)
        elif issubclass(kind, _VIEWS):
            self._write_view(output, value, depth)
        elif kind is collections.ChainMap:
            self._write_items(output, value.maps, len(value.maps), "ChainMap(", ")", depth)
        elif kind is types.MappingProxyType or issubclass(kind, Mapping):
            some = self._call_with_limit(lambda: list(itertools.islice(value.items(), _MAX_ITEMS + 1)))
            self._write_pairs(output, some, (f"{_name_of(kind)}({{", "})"), depth)
        elif kind is array.array:
            opening = f"array({value.typecode!r}, ["
            self._write_items(output, value, len(value), opening, "])", depth)
        elif kind is types.SimpleNamespace:
            self._write_fields(output, vars(value).items(), "namespace(", ")", depth)
        elif dataclasses.is_dataclass(value) and _is_generated(kind.__repr__):
            names = [each.name for each in dataclasses.fields(value) if each.repr]
            pairs = ((name, getattr(value, name, "?")) for name in names)
            self._write_fields(output, pairs, f"{_name_of(kind)}(", ")", depth)
        elif cast(Any, kind).__repr__ is object.__repr__:
            self._write_object(output, value, depth)
        else:
            output.add(self._call_repr(value))

    def _write_text(self, output: _SizeBudget, value: str | bytes | bytearray) -> None:
        # Only the beginning is formatted. It is longer than the displayed text, because masking can shorten
        # it. The methods of the base class do not call code of a subclass.
        base: Any = next(each for each in _TEXTS if isinstance(value, each))
        output.add(self.secrets.mask(base.__repr__(base.__getitem__(value, slice(2**16)))))

    def _write_container(self, output: _SizeBudget, value: Any, depth: int) -> None:
        name = _name_of(type(value))
        own = (f"{name}({{", "})") if isinstance(value, dict) else (f"{name}(", ")")
        opening, closing = _BRACKETS.get(type(value).__repr__, own)
        if depth >= _MAX_DEPTH:
            output.add(f"{opening}\u2026{closing}")
            return
        if isinstance(value, dict):
            self._write_pairs(output, dict.items(value), (opening, closing), depth)
            return
        base = next(each for each in _CONTAINERS if isinstance(value, each))
        length = base.__len__(value)
        if not length and base in (set, frozenset):
            output.add(f"{base.__name__}()")
            return
        if base is tuple and length == 2:
            first, second = tuple.__iter__(value)
            if isinstance(first, str) and _NAME.fullmatch(first) and self._is_hidden(first, second):
                output.add(f"{opening}{first!r}, {MASK}{closing}")
                return
        closing = "," + closing if base is tuple and length == 1 else closing
        self._write_items(output, base.__iter__(value), length, opening, closing, depth)

    def _write_items(
        self, output: _SizeBudget, items: Iterable[Any], length: int, opening: str, closing: str, depth: int
    ) -> None:
        if depth >= _MAX_DEPTH:
            output.add(f"{opening}\u2026{closing}")
            return
        output.add(opening)
        for number, item in enumerate(itertools.islice(items, _MAX_ITEMS)):
            if number:
                output.add(", ")
            self._write(output, item, depth + 1)
        if length > _MAX_ITEMS:
            output.add(f", \u2026 {length - _MAX_ITEMS:,} more")
        output.add(closing)

    def _write_view(self, output: _SizeBudget, value: Any, depth: int) -> None:
        """Write a view of a dictionary. In a view of the values, those with secret names are masked."""
        kind = type(value)
        opening = f"{_name_of(kind)}(["
        if not issubclass(kind, _VIEWS[1]):
            self._write_items(output, value, len(value), opening, "])", depth)
            return
        output.add(opening)
        if depth >= _MAX_DEPTH:
            output.add("\u2026])")
            return
        pairs = self._call_with_limit(lambda: list(itertools.islice(value.mapping.items(), _MAX_ITEMS)))
        for number, (name, item) in enumerate(pairs):
            output.add(", " if number else "")
            self._write_named(output, name, item, depth)
        if len(value) > _MAX_ITEMS:
            output.add(f", \u2026 {len(value) - _MAX_ITEMS:,} more")
        output.add("])")

    def _write_pairs(
        self, output: _SizeBudget, pairs: Iterable[tuple[Any, Any]], brackets: tuple[str, str], depth: int
    ) -> None:
        if depth >= _MAX_DEPTH:
            output.add("\u2026".join(brackets))
            return
        output.add(brackets[0])
        for number, (name, value) in enumerate(pairs):
            if number:
                output.add(", ")
            if number >= _MAX_ITEMS:
                output.add("\u2026 more")
                break
            self._write(output, name, depth + 1)
            output.add(": ")
            self._write_named(output, name, value, depth)
        output.add(brackets[1])

    def _write_fields(
        self, output: _SizeBudget, fields: Iterable[tuple[str, Any]], opening: str, closing: str, depth: int
    ) -> None:
        if depth >= _MAX_DEPTH:
            output.add(f"{opening}\u2026{closing}")
            return
        output.add(opening)
        for number, (name, value) in enumerate(itertools.islice(fields, _MAX_ITEMS)):
            output.add(f"{', ' if number else ''}{name}=")
            self._write_named(output, name, value, depth)
        output.add(closing)

    def _write_named(self, output: _SizeBudget, name: object, value: Any, depth: int) -> None:
        if self._is_hidden(name, value):
            output.add(MASK)
        else:
            self._write(output, value, depth + 1)

    def _write_object(self, output: _SizeBudget, value: Any, depth: int) -> None:
        """Write an object whose class has no ``__repr__``: the class and, at the top level, attributes."""
        name = f"{type(value).__module__}.{_name_of(type(value))}"
        attributes = [] if depth else _attributes(value)
        if attributes:
            self._write_fields(output, attributes, f"<{name} object with ", ">", depth)
        else:
            output.add(f"<{name} object>")

    # -- calls into the program --

    def _call_repr(self, value: object) -> str:
        name = _name_of(type(value))
        if self._seconds <= 0:
            return f"<{name}, not shown: the time limit of this page is reached>"
        try:
            text = self._call_with_limit(lambda: repr(value))
        except _SlowError:
            return f"<{name}, not shown: its repr takes too long>"
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return f"<{name}, not shown: its repr raises {_name_of(type(error))}>"
        return self.secrets.mask_source(text)

    def _call_with_limit(self, function: Callable[[], _Result]) -> _Result:
        """Call a function that runs code of the program.

        :raises _SlowError: if it exceeds the time limit.
        """
        began = time.perf_counter()
        try:
            return _call_until(function, began + min(_SECONDS_PER_REPR, self._seconds))
        finally:
            self._seconds -= time.perf_counter() - began


def _is_generated(function: Any) -> bool:
    """Whether the ``__repr__`` of a dataclass was generated by the decorator. It must not be called, because
    it would not mask any field.
    """
    code = getattr(getattr(function, "__wrapped__", None), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _is_long_or_plain(value: Any) -> bool:
    """Whether to format an instance of a subclass of str, bytes or bytearray without calling its repr."""
    base = next(each for each in _TEXTS if isinstance(value, each))
    own: Any = type(value).__repr__
    return own is base.__repr__ or base.__len__(value) > _MAX_TEXT_LENGTH


def _call_until(function: Callable[[], _Result], deadline: float) -> _Result:
    """Call a function and return its result.

    :raises _SlowError: at the first line of Python code that it runs after the deadline.
    """

    def watch(frame: types.FrameType, event: str, arg: object) -> Any:
        if time.perf_counter() > deadline:
            raise _SlowError
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return function()
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
    """Return the text that replaces the omitted part of a value, with its total size."""
    if issubclass(type(value), _TEXTS):
        base: Any = next(each for each in _TEXTS if isinstance(value, each))
        return f"\u2026 ({base.__len__(value):,} {'characters' if base is str else 'bytes'})"
    if isinstance(value, _CONTAINERS):
        return f"\u2026 ({_length_of(value):,} items)"
    return "\u2026"


def _name_of(cls: type) -> str:
    return cls.__qualname__[:200]
