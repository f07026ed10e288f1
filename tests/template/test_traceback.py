"""The lines of templates for an entry of a traceback."""

from __future__ import annotations

from types import TracebackType

from tornado.template import DictLoader
from tornado.template._traceback import code_position, template_lines, template_variables


def last_step(error: BaseException) -> TracebackType:
    step = error.__traceback__
    assert step is not None
    while step.tb_next is not None:
        step = step.tb_next
    return step


def failing_step(templates: dict[str, str], name: str) -> TracebackType:
    try:
        DictLoader(templates).load(name).generate(other=1)
    except NameError as error:
        return last_step(error)
    raise AssertionError("the template did not fail")


def test_lines_of_including_templates_come_first() -> None:
    step = failing_step({"a": "\n{% include b %}", "b": "\n\n{{ other + missing }}"}, "a")
    first, last = template_lines(step)
    assert (first.template, first.line, first.is_include, first.columns) == ("a", 2, True, None)
    assert (last.template, last.path, last.line, last.is_include) == ("b", "b", 3, False)
    assert last.columns is not None
    assert last.source.split("\n")[2][slice(*last.columns)] == "missing"


def test_variables_are_the_names_that_the_template_uses() -> None:
    frame = failing_step({"a": "{% set x = 2 %}{{ other + len(missing) }}"}, "a").tb_frame
    assert template_variables(frame, ()) == [("x", 2), ("other", 1)]
    assert template_variables(frame, {"other"}) == [("x", 2)]


def test_other_code_has_no_template_lines() -> None:
    try:
        {}["a"]
    except KeyError as error:
        step = last_step(error)
    assert template_lines(step) == []


def test_position_outside_of_a_changed_file_is_unknown() -> None:
    code = compile("f(1)\n", "x", "exec")
    assert code_position(code, 0, []) is None
    assert code_position(code, 10**6, ["f(1)"]) is None
