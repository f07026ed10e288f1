"""Formatting of values for a debug page, in bounded length.

Strings and Python's built-in containers are formatted here, up to the maximum length and number of items, in
the manner of `reprlib`. All other values are formatted by ``repr``, whose result is truncated.

A ``repr`` is code of the program, and Python code cannot interrupt it safely. One that never returns blocks
the event loop, as it would in a log message, and one that returns a gigabyte needs that memory. Once the
calls for a page have taken `_SECONDS_PER_PAGE`, no further ``repr`` is called for this page.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import itertools
import re
import time
import types
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tornado.httputil import HTTPHeaders
from tornado.web._redaction._redactor import MASK, Redactor

_SECONDS_PER_PAGE = 1.0
_MAX_DEPTH = 4
_MAX_ITEMS = 50
_MAX_BITS = 4096
# The repr of an instance of a container subclass is not called if it has more items than this.
_MAX_REPR_ITEMS = 100
# The same limit for a subclass of str, bytes or bytearray, in characters or bytes.
_MAX_TEXT_LENGTH = 2**16

_TEXTS = (str, bytes, bytearray)
_CONTAINERS = (list, tuple, set, frozenset, dict, collections.deque)
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
_VIEWS = (type(_BRACKETS.keys()), type(_BRACKETS.values()), type(_BRACKETS.items()))
_WRAPPERS: list[Any] = [
    each.__repr__ for each in (collections.UserDict, collections.UserList, collections.UserString)
]
_PLAIN = (type(None), bool, float, complex, type(Ellipsis))
# The first item of a pair is treated as the name of the second if it matches this pattern.
_NAME = re.compile(r"\w[\w.-]{0,99}")


class _FullError(Exception):
    """Raised when the maximum length of the output is reached."""


class _SizeBudget:
    """A list of strings with a maximum total length in characters."""

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.remaining = limit

    def add(self, text: str) -> None:
        self.parts.append(text[: self.remaining])
        self.remaining -= len(text)
        if self.remaining < 0:
            raise _FullError


class _Shape(NamedTuple):
    """The items of a container and the way to write them.

    :param entries: pairs of a name and a value; a value with a secret name is masked.
    :param separator: written between name and value: ``"="`` or ``": "``. If it is empty, the name is not
        written.
    :param length: the number of entries, or None if it is unknown.
    """

    opening: str
    closing: str
    entries: Iterable[tuple[Any, Any]]
    separator: str = ""
    length: int | None = None


class ValueFormatter:
    """A formatter of values.

    :param secrets: masks the secrets in the values.
    :param seconds: the total time, in seconds, after which no more ``__repr__`` methods are called.
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
        if self.secrets.hide(name, value, variable=variable):
            return f"{MASK} ({_name_of(type(value))})"
        return self.show(value, limit)

    def _write(self, output: _SizeBudget, value: Any, depth: int) -> None:
        kind: Any = type(value)
        if kind in _PLAIN:
            output.add(repr(value))
        elif kind is int:
            bits = value.bit_length()
            output.add(repr(value) if bits <= _MAX_BITS else f"<int of {bits:,} bits>")
        elif issubclass(kind, _TEXTS) and _is_long_or_plain(value):
            # Only the beginning is formatted. It is longer than the displayed text, because masking can
            # shorten it. The methods of the base class do not call code of a subclass.
            base: Any = _base_of(value, _TEXTS)
            output.add(self.secrets.mask(base.__repr__(base.__getitem__(value, slice(2**16)))))
        elif any(kind.__repr__ is each for each in _WRAPPERS):
            self._write(output, value.data, depth)
        else:
            shape = next(filter(None, (describe(value, depth) for describe in _SHAPES)), None)
            if shape is None:
                output.add(self._call_repr(value))
            else:
                self._write_shape(output, shape, depth)

    def _write_shape(self, output: _SizeBudget, shape: _Shape, depth: int) -> None:
        output.add(shape.opening)
        if depth >= _MAX_DEPTH:
            output.add(f"\u2026{shape.closing}")
            return
        entries = list(itertools.islice(shape.entries, _MAX_ITEMS + 1))
        for number, (name, value) in enumerate(entries[:_MAX_ITEMS]):
            output.add(", " if number else "")
            if shape.separator == "=":
                output.add(f"{name}=")
            elif shape.separator:
                self._write(output, name, depth + 1)
                output.add(shape.separator)
            if self.secrets.hide(name, value):
                output.add(MASK)
            else:
                self._write(output, value, depth + 1)
        if len(entries) > _MAX_ITEMS:
            output.add(f", \u2026 {f'{shape.length - _MAX_ITEMS:,} ' if shape.length else ''}more")
        output.add(shape.closing)

    def _call_repr(self, value: object) -> str:
        name = _name_of(type(value))
        if self._seconds <= 0:
            return f"<{name}, not shown: the time limit of this page is reached>"
        began = time.perf_counter()
        try:
            text = repr(value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return f"<{name}, not shown: its repr raises {_name_of(type(error))}>"
        finally:
            self._seconds -= time.perf_counter() - began
        return self.secrets.mask_source(text)


# -- the shapes of values, by type --


def _named_tuple(value: Any, depth: int) -> _Shape | None:
    fields = getattr(type(value), "_fields", None)
    if not issubclass(type(value), tuple) or fields is None:
        return None
    pairs = zip(fields, tuple.__iter__(value), strict=False)
    return _Shape(f"{_name_of(type(value))}(", ")", pairs, "=")


def _container(value: Any, depth: int) -> _Shape | None:
    """Describe a built-in container, or an instance of a subclass whose ``repr`` is not called."""
    if not issubclass(type(value), _CONTAINERS):
        return None
    base, kind = _base_of(value, _CONTAINERS), type(value)
    length = base.__len__(value)
    known = kind.__repr__ in _BRACKETS or base is dict
    if not (known or length > _MAX_REPR_ITEMS or depth >= _MAX_DEPTH):
        return None
    own = (f"{_name_of(kind)}({{", "})") if base is dict else (f"{_name_of(kind)}(", ")")
    opening, closing = _BRACKETS.get(kind.__repr__, own)
    if base is dict:
        return _Shape(opening, closing, dict.items(value), ": ")
    if not length and base in (set, frozenset):
        return _Shape(f"{base.__name__}(", ")", ())
    items = base.__iter__(value)
    if base is tuple and length == 2:
        first, second = items
        name = first if isinstance(first, str) and _NAME.fullmatch(first) else None
        return _Shape(opening, closing, ((None, first), (name, second)))
    closing = "," + closing if base is tuple and length == 1 else closing
    return _Shape(opening, closing, zip(itertools.repeat(None), items), length=length)


def _view(value: Any, depth: int) -> _Shape | None:
    """Describe a view of a dictionary, or an array. In a view that contains values, those with secret names
    are masked.
    """
    kind = type(value)
    if kind is array.array:
        opening = f"array({value.typecode!r}, ["
    elif issubclass(kind, _VIEWS):
        opening = f"{_name_of(kind)}(["
    else:
        return None
    entries = value.mapping.items() if issubclass(kind, _VIEWS[1]) else ((None, each) for each in value)
    return _Shape(opening, "])", entries, length=len(value))


def _mapping(value: Any, depth: int) -> _Shape | None:
    kind = type(value)
    if kind is collections.ChainMap:
        return _Shape("ChainMap(", ")", ((None, each) for each in value.maps), length=len(value.maps))
    if kind is types.MappingProxyType or issubclass(kind, Mapping):
        pairs = value.get_all() if issubclass(kind, HTTPHeaders) else value.items()
        return _Shape(f"{_name_of(kind)}({{", "})", pairs, ": ")
    return None


def _record(value: Any, depth: int) -> _Shape | None:
    kind: Any = type(value)
    if kind is types.SimpleNamespace:
        return _Shape("namespace(", ")", vars(value).items(), "=")
    # A repr generated by the decorator must not be called, because it would not mask any field.
    code = getattr(getattr(kind.__repr__, "__wrapped__", None), "__code__", None)
    if not dataclasses.is_dataclass(kind) or code is None or code.co_filename != "<string>":
        return None
    names = [each.name for each in dataclasses.fields(kind) if each.repr]
    return _Shape(
        f"{_name_of(type(value))}(", ")", ((name, getattr(value, name, "?")) for name in names), "="
    )


def _object(value: Any, depth: int) -> _Shape | None:
    """Describe an object whose class has no ``__repr__``: the class and, at the top level, attributes."""
    kind: Any = type(value)
    if kind.__repr__ is not object.__repr__:
        return None
    name = f"<{kind.__module__}.{_name_of(kind)} object"
    own = None if depth else getattr(value, "__dict__", None)
    items = own.items() if type(own) is dict else ()
    shown = [(name, item) for name, item in items if isinstance(name, str) and not name.startswith("_")]
    return _Shape(f"{name} with ", ">", shown, "=") if shown else _Shape(name, ">", ())


_SHAPES = (_named_tuple, _container, _view, _mapping, _record, _object)


def _base_of(value: object, bases: tuple[Any, ...]) -> Any:
    return next(each for each in bases if issubclass(type(value), each))


def _is_long_or_plain(value: Any) -> bool:
    """Whether to format a string without calling the ``repr`` of its subclass."""
    base = _base_of(value, _TEXTS)
    return type(value).__repr__ is base.__repr__ or base.__len__(value) > _MAX_TEXT_LENGTH


def _size(value: object) -> str:
    """Return the text that replaces the omitted part of a value, with its total size."""
    if issubclass(type(value), _TEXTS):
        base = _base_of(value, _TEXTS)
        return f"\u2026 ({base.__len__(value):,} {'characters' if base is str else 'bytes'})"
    if issubclass(type(value), _CONTAINERS):
        return f"\u2026 ({_base_of(value, _CONTAINERS).__len__(value):,} items)"
    return "\u2026"


def _name_of(cls: type) -> str:
    return cls.__qualname__[:200]
