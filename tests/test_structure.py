"""Limits on classes and functions."""

from __future__ import annotations

import ast

import pytest

from tests.support.modules import sources
from tests.support.structure import boolean_state, branches, definitions, differences

#: The state of an object is an enum with a table of transitions, not a set of booleans.
MAX_BOOLEANS = 3
#: More cases than this belong in a table or in several functions.
MAX_BRANCHES = 12


def over_the_limit() -> tuple[dict[str, int], dict[str, int]]:
    """Return the classes and the functions that exceed a limit, by module and qualified name."""
    classes, functions = {}, {}
    for module, path in sources().items():
        for name, node in definitions(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                if (count := len(boolean_state(node))) > MAX_BOOLEANS:
                    classes[f"{module}.{name}"] = count
            elif (count := branches(node)) > MAX_BRANCHES:
                functions[f"{module}.{name}"] = count
    return classes, functions


@pytest.fixture(scope="module")
def exceeding() -> tuple[dict[str, int], dict[str, int]]:
    return over_the_limit()


def test_classes_have_few_boolean_state_attributes(exceeding):
    assert exceeding[0] == {}


def test_functions_have_few_branches(exceeding):
    assert exceeding[1] == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class A:\n  def f(self): self.x = True", {"x"}),
        ("class A:\n  def f(self): self.x, self.y = False, True", {"x", "y"}),
        ("class A:\n  def f(self): self.x = self.y = False", {"x", "y"}),
        ("class A:\n  x = False\n  def f(self): self.x = 1 > 0", {"x"}),
        ("class A:\n  def __init__(self, x): self.x: bool = x\n  def f(self): self.x = g()", {"x"}),
        ("class A:\n  def f(self): self.x, self.y = g()", set()),
        ("class A:\n  def f(self): x = True; self.y = 1", set()),
        ("class Value:\n  def __init__(self, x):\n    self.x: bool = x", set()),
        ("@dataclass(frozen=True)\nclass Value:\n  x: bool", set()),
        ("class Options(TypedDict):\n  x: bool", set()),
        ("class Interface(Protocol):\n  x: bool", set()),
    ],
)
def test_boolean_state_of_a_class_is_found(source, expected):
    [definition] = ast.parse(source).body
    assert boolean_state(definition) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", 0),
        ("if a: pass\n elif b: pass\n else: pass", 2),
        ("for a in b:\n  while a: pass", 2),
        ("try: pass\n except A: pass\n except B: pass\n finally: pass", 2),
        ("match a:\n  case 1: pass\n  case _:\n   if b: pass", 3),
        ("def g():\n  if a: pass", 0),
        ("return (a if b else c) and d", 0),
    ],
)
def test_branches_of_a_function_are_counted(body, expected):
    [function] = ast.parse(f"def f():\n {body}").body
    assert branches(function) == expected


def test_definitions_have_qualified_names():
    tree = ast.parse("class A:\n  def f(self):\n    def g(): pass\nif x:\n  def h(): pass")
    assert [name for name, _ in definitions(tree)] == ["A", "A.f", "A.f.g", "h"]


@pytest.mark.parametrize(
    ("found", "allowed", "expected"),
    [
        ({"a": 2}, {"a": 2}, []),
        ({"a": 3}, {"a": 2}, ["a: 3, but at most 2 allowed"]),
        ({"a": 1}, {}, ["a: 1, but at most 0 allowed"]),
        ({"a": 1}, {"a": 2}, ["a: 1 now, lower it from 2 in TABLE"]),
        ({}, {"a": 2}, ["a: 0 now, remove it from TABLE"]),
    ],
)
def test_differences_from_a_table_are_reported(found, allowed, expected):
    assert differences(found, allowed, "TABLE") == expected
