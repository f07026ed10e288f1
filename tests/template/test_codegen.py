"""The generated Python code."""

from __future__ import annotations

from tornado.template._codegen import generate
from tornado.template._nodes import Control, Expression, File, Statement, Text

HEAD = [
    (
        "def _tt_execute(_tt_text=_tt_text, _tt_join=_tt_join, _tt_escape=_tt_escape, "
        "_tt_escape_with=_tt_escape_with, _tt_str=_tt_str, _tt_type=_tt_type):  # t:0"
    ),
    "    _tt_buffer = []  # t:0",
    "    _tt_append = _tt_buffer.append  # t:0",
]
TAIL = ["    return _tt_join(_tt_buffer)  # t:0"]


def body(*nodes, shadowed=False, autoescape="xhtml_escape"):
    code = generate([File("t", autoescape, list(nodes))], None, shadowed=shadowed)
    lines = code.source.splitlines()
    assert lines[:3] == HEAD
    assert lines[-1:] == TAIL
    assert len(code.places) == len(lines)
    return [line.removeprefix("    ") for line in lines[3:-1]]


def test_expressions_are_escaped_as_configured():
    assert body(Expression(1, "x")) == ["_tt_tmp = x  # t:1", "_tt_append(_tt_escape(_tt_tmp))  # t:1"]
    assert (
        body(Expression(1, "x"), shadowed=True)[1]
        == "_tt_append(_tt_escape_with(_tt_tmp, xhtml_escape))  # t:1"
    )
    assert body(Expression(1, "x"), autoescape="f")[1] == "_tt_append(_tt_escape_with(_tt_tmp, f))  # t:1"
    raw = "_tt_append(_tt_tmp if _tt_type(_tt_tmp) is _tt_str else _tt_text(_tt_tmp))  # t:1"
    assert body(Expression(1, "x"), autoescape=None)[1] == body(Expression(1, "x", raw=True))[1] == raw


def test_adjacent_texts_are_joined():
    assert body(Text(1, "a"), Text(2, "'b'"), Statement(3, "x = 1")) == [
        "_tt_append(\"a'b'\")  # t:1",
        "x = 1  # t:3",
    ]
    assert body(Text(1, "")) == []


def test_suites_are_never_empty():
    assert body(Control(1, "if x", [])) == ["if x:  # t:1", "    pass  # t:1"]
    assert body(Control(1, "if x", [Text(2, "")])) == ["if x:  # t:1", "    pass  # t:1"]
    assert body(Control(1, "if x", [Text(2, "a")])) == [
        "if x:  # t:1",
        "    _tt_append('a')  # t:2",
        "    pass  # t:1",
    ]


def test_multiline_statement_has_one_comment():
    file = File("t", None, [Statement(1, "x = (1,\n2)"), Statement(3, "y = 1")])
    code = generate([file], None)
    assert code.source.splitlines()[3:6] == ["    x = (1,", "2)  # t:1", "    y = 1  # t:3"]
    assert [place.line for place in code.places[3:6]] == [1, 2, 3]
