"""Excerpts of source code."""

from __future__ import annotations

from typing import Any

from tornado.web._debug._source import Span, lines_around, python_span
from tornado.web._redaction._redactor import MASK, Redactor

LINES = """
import os


class A:
    def f(self):
        x = 1
        return g(
            x,
            1 / 0,
        )

    def h(self):
        pass
""".split("\n")


def around(span: Span, function_line: int = 0) -> list[Any]:
    return lines_around(LINES, span, Redactor(), function_line)


def test_context_and_common_indentation() -> None:
    found = around(Span(7, 7, 8, 9))
    assert [line.number for line in found] == list(range(2, 12))
    assert [line.number for line in found if line.hit] == [7]
    found = around(Span(7, 7, 8, 9), 6)
    assert [(line.number, line.text) for line in found][:2] == [(6, "def f(self):"), (7, "    x = 1")]
    assert found[-1].number == 11
    assert found[1].mark == (4, 5)


def test_multi_line_statement() -> None:
    found = around(Span(8, 11, 15, 9), 6)
    assert [line.number for line in found if line.hit] == [8, 9, 10, 11]
    marked = [line.text[slice(*line.mark)] for line in found if line.mark]
    assert marked == ["g(", "x,", "1 / 0,", ")"]


def test_whole_line_is_not_marked() -> None:
    assert [line.mark for line in around(Span(7, 7, 8, 13))] == [None] * 10


def test_compound_statement_is_shown_by_its_first_line() -> None:
    assert [line.number for line in around(Span(6, 11, 4, 9)) if line.hit] == [6]


def test_line_outside_the_source_yields_nothing() -> None:
    assert around(Span(100, 100)) == []
    assert around(Span(0, 0)) == []
    assert lines_around([], Span(1, 1), Redactor()) == []


def test_secrets_and_long_lines() -> None:
    (line,) = lines_around(["password = 'x' + y"], Span(1, 1, 0, 8), Redactor())
    assert (line.text, line.mark) == (f"password = '{MASK}' + y", None)
    (line,) = lines_around(["x" * 10**5], Span(1, 1, 10, 10**5), Redactor())
    assert (len(line.text), line.mark) == (400, (10, 400))


def test_columns_are_counted_in_characters() -> None:
    source = "f('ééé', 1 / 0)\n"
    code = compile(source, "x", "exec")
    try:
        exec(code, {"f": print})
    except ZeroDivisionError as error:
        trace = error.__traceback__
        assert trace is not None
        assert trace.tb_next is not None
        span = python_span(code, trace.tb_next.tb_lasti, 1, [source])
    assert source[span.start : span.end] == "1 / 0"
    # The file has changed since it was compiled.
    assert python_span(code, 0, 7, []) == Span(7, 7)


def test_multi_line_literal_is_masked() -> None:
    lines = ["def f():", '    secret = """first', "    second", '    third"""', "    fail()"]
    shown = lines_around(lines, Span(5, 5), Redactor())
    assert [each.number for each in shown] == [1, 2, 3, 4, 5]
    text = "\n".join(each.text for each in shown)
    assert MASK in text
    assert not [word for word in ("first", "second", "third") if word in text]
    assert shown[-1].text == "    fail()"
