"""The rule that a private attribute is read and written in the file of its class only.

`tests.support.ownership` defines the rule. The tables contain the present number of exceptions and may only
shrink: a test fails if a number has risen, and also if it has fallen and the table has not been adjusted.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.modules import sources
from tests.support.ownership import Reach, defined_names, is_private, reaches
from tests.support.program import ROOT
from tests.support.structure import differences

#: The accesses to private attributes of other files' classes, by package or module.
ALLOWED = {
    "_tornado4": 1,
    "_wire": 3,
    "autoreload": 1,
    "gen": 1,
    "httpclient": 1,
    "platform": 5,
    "template": 1,
    "web": 20,
}

#: The accesses of tests to private attributes of the package, by folder of tests. Further accesses belong in
#: ``tests/support/PACKAGE.py``, so that a change of the package's internals changes one module of the tests.
ALLOWED_IN_TESTS = {
    "compat": 2,
    "compliance": 1,
    # Private names of Tornado that programs use, such as `_write_buffer` and `_on_close_called`.
    "http1connection": 6,
    "web": 3,
    "websocket": 5,
}

#: The programs that tests run, and the functions through which tests access internals.
NOT_TESTS = ("seeds/programs", "support", "typing")

SOURCES = sources()


@pytest.fixture(scope="module")
def package_reaches() -> dict[str, list[Reach]]:
    """The reaches by package or module directly under ``tornado``."""
    found: dict[str, list[Reach]] = {}
    for module, path in SOURCES.items():
        package = f"{module}.".split(".")[1] or "tornado"
        found.setdefault(package, []).extend(reaches(path))
    return found


def compare(found: dict[str, list[Reach]], allowed: dict[str, int], table: str) -> None:
    """Fail if the numbers differ from the table, and list all accesses where there are too many."""
    counts = {name: len(each) for name, each in found.items() if each}
    lines = differences(counts, allowed, table)
    for name, each in found.items():
        if len(each) > allowed.get(name, 0):
            lines += ["", *map(str, each)]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


def test_private_attributes_are_touched_in_the_file_of_their_class(package_reaches):
    compare(package_reaches, ALLOWED, "ALLOWED")


def test_private_attributes_are_written_in_the_file_of_their_class(package_reaches):
    assert [str(each) for found in package_reaches.values() for each in found if each.writes] == []


def test_tests_reach_internals_through_support():
    """Only names that the package defines count: tests may look into objects of other packages."""
    names = set()
    for path in SOURCES.values():
        names |= set(filter(is_private, defined_names(ast.parse(path.read_text(encoding="utf-8")))))
    folder = ROOT / "tests"
    found: dict[str, list[Reach]] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if not path.relative_to(folder).as_posix().startswith(NOT_TESTS):
            top = parts[0] if len(parts) > 1 else "."
            found.setdefault(top, []).extend(each for each in reaches(path) if each.name in names)
    compare(found, ALLOWED_IN_TESTS, "ALLOWED_IN_TESTS")


@pytest.mark.parametrize(
    "source",
    [
        "print(x._name)",
        "x._name = 1",
        "del x._name",
        "x._name += 1",
        "print(x.y._name)",
        "print(f()._name)",
        "getattr(x, '_name', None)",
        "setattr(x, '_name', 1)",
        "monkeypatch.setattr(x, '_name', 1)",
        "operator.attrgetter('_name')",
        "mock.patch.object(x, '_name')",
        "from tornado.ioloop import IOLoop\nprint(IOLoop._name)",
    ],
)
def test_reach_is_found(tmp_path: Path, source: str) -> None:
    path = tmp_path / "file.py"
    path.write_text(source)
    assert [each.name for each in reaches(path)] == ["_name"]


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n  def f(self, other): return self._name, other._name\n  def _name(self): pass",
        "class A:\n  def f(self): self._name = 1\nprint(x._name)",
        "class A:\n  __slots__ = ('_name',)\nprint(x._name)",
        "class A:\n  _name: int\nprint(x._name)",
        "class A(B):\n  def f(self): return self._name",
        "class A(B):\n  def f(self): return super()._name(), type(self)._name",
        "class A(B):\n  def f(cls): return getattr(cls, '_name')",
        "import sys\nsys._name()",
        "from tornado.web import _handler\n_handler._name",
        "pair._replace(x=1)",
        "print(x.__name__, x.__name, x.name, x._)",
    ],
)
def test_own_and_public_attributes_are_not_reaches(tmp_path: Path, source: str) -> None:
    path = tmp_path / "file.py"
    path.write_text(source)
    assert reaches(path) == []


@pytest.mark.parametrize(
    ("source", "writes"),
    [
        ("print(x._name)", False),
        ("x._name = 1", True),
        ("del x._name", True),
        ("x._name.append(1)", False),
        ("hasattr(x, '_name')", False),
        ("setattr(x, '_name', 1)", True),
    ],
)
def test_writes_are_marked(tmp_path: Path, source: str, writes: bool) -> None:
    path = tmp_path / "file.py"
    path.write_text(source)
    [found] = reaches(path)
    assert found.writes is writes
    assert str(found).startswith(f"{path}:1: ")
