"""Formatting of values for the debug page."""

from __future__ import annotations

import argparse
import array
import asyncio
import collections
import dataclasses
import functools
import itertools
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tornado.httputil import HTTPHeaders
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._redaction._redactor import MASK, Redactor


class Point(NamedTuple):
    x: int
    password: str


@dataclasses.dataclass
class Person:
    name: str
    password: str
    hidden: str = dataclasses.field(default="", repr=False)


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Named:
    def __init__(self, text: Any) -> None:
        self.text = text

    def __repr__(self) -> str:
        text: str = self.text
        return text


def show(value: Any, limit: int = 1000) -> str:
    return ValueFormatter(Redactor(["sesame"])).show(value, limit)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (..., "Ellipsis"),
        (12, "12"),
        ("it's", '"it\'s"'),
        (b"\xff", r"b'\xff'"),
        ([1, [2]], "[1, [2]]"),
        ((1,), "(1,)"),
        ((), "()"),
        ({1}, "{1}"),
        (set(), "set()"),
        (frozenset(), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        ({"a": (1, 2)}, "{'a': (1, 2)}"),
        (collections.OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (collections.defaultdict(list, a=[]), "defaultdict({'a': []})"),
        (collections.deque([1, 2]), "deque([1, 2])"),
        (collections.Counter("aab"), "Counter({'a': 2, 'b': 1})"),
        (Point(1, "x"), f"Point(x=1, password={MASK})"),
        (Person("ann", "x"), f"Person(name='ann', password={MASK})"),
        (HTTPHeaders({"A": "1", "Cookie": "x"}), f"HTTPHeaders({{'A': '1', 'Cookie': {MASK}}})"),
        ({"token": "x", "tokens": None}, f"{{'token': {MASK}, 'tokens': None}}"),
        ("open sesame", f"'open {MASK}'"),
        (Named("<sesame>"), f"<{MASK}>"),
        (Plain(), f"<{__name__}.Plain object>"),
        (Plain(a=1, b=Plain(), _c=2), f"<{__name__}.Plain object with a=1, b=<{__name__}.Plain object>>"),
        ([Plain(a=1)], f"[<{__name__}.Plain object>]"),
        (
            Plain(a=[Person("ann", "x")]),
            f"<{__name__}.Plain object with a=[Person(name='ann', password={MASK})]>",
        ),
    ],
)
def test_values_are_formatted(value: Any, expected: str) -> None:
    assert show(value) == expected


def test_nesting_is_limited() -> None:
    value: list[Any] = []
    value.append(value)
    assert show(value) == "[[[[[\u2026]]]]]"
    assert show({"a": {"a": {"a": {"a": {"a": 1}}}}}) == "{'a': {'a': {'a': {'a': {\u2026}}}}}"


def test_large_values_are_truncated() -> None:
    assert show("x" * 10**6, 10) == "'xxxxxxxxx\u2026 (1,000,000 characters)"
    assert show(list(range(10**6)), 10) == "[0, 1, 2, \u2026 (1,000,000 items)"
    assert show([0] * 60) == "[" + "0, " * 50 + "\u2026 10 more]"
    assert show(dict.fromkeys(range(60), 0)).endswith("49: 0, \u2026 more}")
    assert show(1 << 10**6) == "<int of 1,000,001 bits>"
    assert show(Named("y" * 10**6), 10) == "y" * 10 + "\u2026"


def test_secret_is_masked_before_truncation() -> None:
    assert show("sesame", 5) == f"'{MASK}"[:5] + "\u2026 (6 characters)"


def test_repr_of_large_container_is_not_called() -> None:
    class Rows(list[int]):
        def __repr__(self) -> str:
            raise AssertionError

    assert show(Rows(range(1000)), 12) == "test_repr_of\u2026 (1,000 items)"
    assert show(Rows([1])).endswith("Rows, not shown: its repr raises AssertionError>")


def test_repr_that_raises() -> None:
    assert show(Named(1)) == "<Named, not shown: its repr raises TypeError>"
    assert show([Named(1), 2]) == "[<Named, not shown: its repr raises TypeError>, 2]"


def test_repr_is_not_called_after_the_time_limit_of_the_page() -> None:
    values = ValueFormatter(Redactor(), seconds=1e-9)
    assert values.show(Named("x")) == "x"
    assert "the time limit of this page is reached" in values.show(Named("x"))
    # Values that are formatted without calling repr are still shown.
    assert values.show([1, "a"]) == "[1, 'a']"


def test_formatting_sets_no_trace_function() -> None:
    class Traced:
        def __repr__(self) -> str:
            return str(sys.gettrace())

    assert show(Traced()) == str(sys.gettrace())


def test_failing_attribute_access() -> None:
    class Odd:
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise ValueError

    assert "not shown: ValueError" in show(Odd())


def test_value_of_a_secret_name_is_masked() -> None:
    values = ValueFormatter(Redactor())
    assert values.show_named("name", "ann") == "'ann'"
    assert values.show_named("password", "ann") == f"{MASK} (str)"
    assert values.show_named("password", None) == "None"
    assert values.show_named("key", "ann", variable=True) == "'ann'"


def test_value_that_cannot_be_compared_is_hidden() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError

        __hash__ = None  # type: ignore[assignment]

    assert ValueFormatter(Redactor()).show_named("token", Array()).startswith(MASK)
    assert "Array object" in ValueFormatter(Redactor()).show_named("matrix", Array())
    assert "Array object" in show([{"matrix": Array()}])


class Text(str):
    """A subclass of str."""


class Odd(str):
    """A subclass of str with its own ``__repr__``."""

    def __repr__(self) -> str:
        return "Odd"


class Pairs(Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        return "x"

    def __iter__(self) -> Iterator[str]:
        return iter(("password", "name"))

    def __len__(self) -> int:
        return 2


SECRET = {"password": "x", "a": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECRET.keys(), "dict_keys(['password', 'a'])"),
        (SECRET.values(), f"dict_values([{MASK}, 1])"),
        (SECRET.items(), f"dict_items([('password', {MASK}), ('a', 1)])"),
        (types.MappingProxyType(SECRET), f"mappingproxy({{'password': {MASK}, 'a': 1}})"),
        (collections.UserDict(SECRET), f"{{'password': {MASK}, 'a': 1}}"),
        (collections.UserList([1, 2]), "[1, 2]"),
        (collections.UserString("open sesame"), f"'open {MASK}'"),
        (collections.ChainMap(SECRET, {}), f"ChainMap({{'password': {MASK}, 'a': 1}}, {{}})"),
        (Pairs(), f"Pairs({{'password': {MASK}, 'name': 'x'}})"),
        (types.SimpleNamespace(password="x", a=1), f"namespace(password={MASK}, a=1)"),
        (argparse.Namespace(password="x", a=1), f"Namespace(password='{MASK}', a=1)"),
        (functools.partial(print, password="x"), f"functools.partial({print!r}, password='{MASK}')"),
        ([("password", "x"), ("name", "x")], f"[('password', {MASK}), ('name', 'x')]"),
        (("Password is wrong", 401), "('Password is wrong', 401)"),
        (array.array("i", [1, 2]), "array('i', [1, 2])"),
        (Text("x"), "'x'"),
        (Odd("x"), "Odd"),
    ],
)
def test_items_of_other_containers_are_formatted(value: Any, expected: str) -> None:
    assert show(value) == expected


@pytest.mark.parametrize("kind", ["values", "items", "keys", "proxy", "array", "list", "dict", "text"])
def test_only_the_beginning_of_large_values_is_formatted(kind: str) -> None:
    """``__repr__`` is called only for the items that are shown."""
    count = 0

    class Item:
        def __repr__(self) -> str:
            nonlocal count
            count += 1
            return "item"

    items = {number: Item() for number in range(1000)}
    value: Any = {
        "values": items.values(),
        "items": items.items(),
        "keys": items.keys(),
        "proxy": types.MappingProxyType(items),
        "array": array.array("i", range(1000)),
        "list": collections.UserList(items.values()),
        "dict": collections.UserDict(items),
        "text": Text("x" * 10**6),
    }[kind]
    shown = show(value, 5000)
    assert len(shown) < 5100
    assert "\u2026" in shown
    assert count <= 51


def test_repr_of_long_str_subclass_is_not_called() -> None:
    assert show(Odd("x" * 10**5), 10) == "'xxxxxxxxx\u2026 (100,000 characters)"


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
def test_repr_may_raise_any_exception(error: BaseException) -> None:
    class Failing:
        def __repr__(self) -> str:
            raise error

    assert show([Failing(), 1]).endswith(f"Failing, not shown: its repr raises {type(error).__name__}>, 1]")


def test_keyboard_interrupt_is_propagated() -> None:
    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(Interrupted())


def test_only_the_beginning_of_an_endless_mapping_is_read() -> None:
    class Endless(Pairs):
        def __iter__(self) -> Iterator[str]:
            return itertools.repeat("name")

    assert show([Endless()]).endswith("'name': 'x', \u2026 more})]")
