"""Conversion of exceptions to plain values."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from typing import Any

import pytest

from tornado.template import DictLoader, Loader
from tornado.web._debug._traceback import Frame, OmittedFrames, RaisedException, gather
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._redaction._redactor import MASK, Redactor


def gathered(function: Callable[[], Any]) -> RaisedException:
    try:
        function()
    except BaseException as error:
        return gather(error, ValueFormatter(Redactor(["sesame"])))
    raise AssertionError("the function did not raise an exception")


def frames(raised: RaisedException) -> list[Frame]:
    return [frame for frame in raised.frames if isinstance(frame, Frame)]


def test_exception_with_source_and_variables() -> None:
    def inner(token: str, amount: int) -> float:
        return amount / 0

    raised = gathered(lambda: inner("x", 3))
    assert (raised.module, raised.name, raised.message) == (
        "builtins",
        "ZeroDivisionError",
        "division by zero",
    )
    last = frames(raised)[-1]
    assert (last.kind, last.path) == ("program", __file__)
    assert last.function.endswith("test_exception_with_source_and_variables.<locals>.inner")
    (hit,) = [line for line in last.lines if line.hit]
    assert hit.mark is not None
    assert hit.text[slice(*hit.mark)] == "amount / 0"
    assert list(last.variables) == [
        ("token", f"{MASK} (str)"),
        ("amount", "3"),
    ]


def test_library_frames_show_only_their_line() -> None:
    raised = gathered(lambda: json.loads("{"))
    assert {frame.kind for frame in frames(raised)[:2]} == {"program"}
    library = [frame for frame in frames(raised) if frame.kind == "library"]
    assert library[0].file == "json/__init__.py"
    # For a frame of a library, only its line is shown, unless the frame is the last one.
    assert len(library[0].lines) == 1
    assert not library[0].variables
    assert library[-1].variables
    raised = gathered(lambda: DictLoader({}).load("x"))
    assert frames(raised)[-1].kind == "framework"
    assert frames(raised)[-1].file == "tornado/template/_loader.py"


def test_chained_exceptions_are_included() -> None:
    def fail() -> None:
        try:
            try:
                {}["a"]
            except KeyError as error:
                raise ValueError("b sesame") from error
        except ValueError:
            raise TypeError("c")  # noqa: B904

    raised = gathered(fail)
    assert (raised.name, raised.relation) == ("TypeError", "")
    assert raised.earlier is not None
    assert (raised.earlier.name, raised.earlier.relation) == ("ValueError", "context")
    assert raised.earlier.message == f"b {MASK}"
    assert raised.earlier.earlier is not None
    assert (raised.earlier.earlier.name, raised.earlier.earlier.relation) == ("KeyError", "cause")


def test_suppressed_context_is_not_shown() -> None:
    def fail() -> None:
        try:
            {}["a"]
        except KeyError:
            raise ValueError("b") from None

    assert gathered(fail).earlier is None


def test_cycle_of_causes_ends() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    raised = gather(first, ValueFormatter(Redactor()))
    assert raised.earlier is not None
    assert raised.earlier.earlier is None


def test_long_chain_is_truncated() -> None:
    error = ValueError("0")
    for number in range(100):
        error, error.__cause__ = ValueError(str(number)), error
    raised: RaisedException | None = gather(error, ValueFormatter(Redactor()))
    count = 0
    while raised is not None:
        raised, count = raised.earlier, count + 1
    assert count == 30


def test_members_of_exception_groups_are_included() -> None:
    group = ExceptionGroup("all", [ValueError("a"), ExceptionGroup("some", [KeyError("b")])])
    raised = gather(group, ValueFormatter(Redactor()))
    assert raised.message == "all (2 sub-exceptions)"
    assert [member.name for member in raised.members] == ["ValueError", "ExceptionGroup"]
    assert raised.members[1].members[0].message == "'b'"
    many = gather(ExceptionGroup("many", [ValueError(n) for n in range(100)]), ValueFormatter(Redactor()))  # type: ignore[list-item]
    assert (len(many.members), many.more_members) == (15, 85)


def test_deep_recursion_is_shortened() -> None:
    def fall(depth: int) -> int:
        return fall(depth + 1)

    raised = gathered(lambda: fall(0))
    assert raised.name == "RecursionError"
    assert len(raised.frames) == 41
    gap = raised.frames[20]
    assert isinstance(gap, OmittedFrames)
    assert gap.count > 500


def test_failing_messages_are_replaced_and_notes_are_masked() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise KeyError

    error = Odd()
    error.add_note("open sesame")
    raised = gather(error, ValueFormatter(Redactor(["sesame"])))
    assert raised.message == "(its str() raises KeyError)"
    assert raised.notes == [f"open {MASK}"]
    error.__notes__ = 5  # type: ignore[assignment]
    assert gather(error, ValueFormatter(Redactor())).notes == []
    long = gather(ValueError("x" * 10**5), ValueFormatter(Redactor()))
    assert long.message.endswith("\u2026 (100,000 characters)")
    assert len(long.message) < 8100


def test_number_of_variables_is_limited() -> None:
    source = "def f():\n" + "".join(f"    v{n} = {n}\n" for n in range(50)) + "    1 / 0\n"
    names: dict[str, Any] = {}
    exec(compile(source, "<made up>", "exec"), names)
    last = frames(gathered(names["f"]))[-1]
    assert (len(last.variables), last.more_variables) == (40, 10)
    assert last.lines == []


def test_module_frame_shows_only_data() -> None:
    source = "import os\nclass A: pass\ndef f(): pass\nx = 1\n1 / 0\n"
    last = frames(gathered(lambda: exec(compile(source, "<made up>", "exec"), {})))[-1]
    assert [name for name, _ in last.variables] == ["x"]


# -- templates --


def test_included_template_is_preceded_by_including_lines() -> None:
    loader = DictLoader(
        {
            "page.html": "{# #}\n{% include 'a/table.html' %}",
            "a/table.html": "{% for row in rows %}\n\n{% include 'row.html' %}{% end %}",
            "a/row.html": "<tr>\n<td>{{ len(row.name) + row.count }} {{ other }}</td>",
        }
    )
    rows = [types.SimpleNamespace(name="x")]
    raised = gathered(lambda: loader.load("page.html").generate(rows=rows, other=1, unused=2))
    assert [(frame.kind, frame.file, frame.line) for frame in frames(raised)[-3:]] == [
        ("template", "page.html", 2),
        ("template", "a/table.html", 3),
        ("template", "a/row.html", 2),
    ]
    last = frames(raised)[-1]
    (hit,) = [line for line in last.lines if line.hit]
    assert hit.mark is not None
    assert hit.text[slice(*hit.mark)] == "row.count"
    assert dict(last.variables) == {
        "row": "namespace(name='x')",
        "rows": "[namespace(name='x')]",
        "other": "1",
    }
    # The exception's note with the same information is only for logs.
    assert raised.notes == []


def test_block_of_extending_template() -> None:
    loader = DictLoader(
        {
            "base.html": "\n\n{% block body %}{% end %}",
            "page.html": "{% extends base.html %}\n{% block body %}\n{{ x }}{% end %}",
        }
    )
    raised = gathered(lambda: loader.load("page.html").generate())
    assert [(frame.file, frame.line) for frame in frames(raised)[-2:]] == [("base.html", 3), ("page.html", 3)]


def test_expression_that_occurs_twice_is_not_marked() -> None:
    raised = gathered(lambda: DictLoader({"x": "{{ y }}{{ y }}"}).load("x").generate())
    assert [line.mark for line in frames(raised)[-1].lines] == [None]


def test_frame_of_a_template_has_its_path(tmp_path: Any) -> None:
    (tmp_path / "x.html").write_text("{{ y }}")
    raised = gathered(lambda: Loader(str(tmp_path)).load("x.html").generate())
    assert frames(raised)[-1].path == str(tmp_path / "x.html")


@pytest.mark.parametrize(
    ("source", "line", "marked"),
    [
        ("\n{{ a b }}", 2, "b"),
        ("\n\n{% for x %}{% end %}", 3, " "),
        ("\n{{ x ", 2, None),
        ("{% if x %}\n", 1, None),
        ("\n{% include 'none.html' %}", 2, None),
    ],
)
def test_syntax_error_in_template(source: str, line: int, marked: str | None) -> None:
    loader = DictLoader({"page.html": "\n\n\n{% include 'part.html' %}", "part.html": source})
    raised = gathered(lambda: loader.load("page.html"))
    assert [(frame.kind, frame.file, frame.line) for frame in frames(raised)[-2:]] == [
        ("template", "page.html", 4),
        ("template", "part.html", line),
    ]
    (hit,) = [each for each in frames(raised)[-1].lines if each.hit]
    assert hit.text == source.split("\n")[line - 1]
    assert (hit.mark and hit.text[slice(*hit.mark)]) == marked


def test_syntax_error_in_python(tmp_path: Any) -> None:
    path = tmp_path / "module.py"
    path.write_text("x = 1\ny = = 2\n")
    raised = gathered(lambda: compile(path.read_text(), str(path), "exec"))
    last = frames(raised)[-1]
    assert (last.path, last.line, raised.message) == (str(path), 2, "invalid syntax")
    assert last.lines[1].mark == (4, 5)
