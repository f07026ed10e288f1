"""Parsing tokens to nodes, and the errors in templates."""

from __future__ import annotations

import pytest

from tornado.template import ParseError
from tornado.template._nodes import (
    Apply,
    Block,
    Branch,
    Control,
    Expression,
    Extends,
    File,
    Include,
    Statement,
    Text,
)
from tornado.template._parser import parse


def parsed(source, whitespace="all"):
    file = File("name", "xhtml_escape")
    parse(source, file, whitespace)
    return file


def test_each_tag_becomes_a_node():
    file = parsed(
        "{% extends 'a' %}{% block b %}{% apply f %}{{ c }}{% end %}{% end %}{% include \"d\" %}\n"
        "{% for e in f %}{% break %}{% else %}{% raw g %}{% end %}{% set h = 1 %}{% import i %}"
        "{% from j import k %}{% module L(m) %}{% comment n %}{% autoescape o %}"
    )
    assert file.autoescape == "o"
    assert file.body == [
        Extends(1, "a"),
        Block(1, "b", [Apply(1, "f", [Expression(1, "c")])], file),
        Include(1, "d"),
        Text(1, "\n"),
        Control(2, "for e in f", [Statement(2, "break"), Branch(2, "else"), Expression(2, "g", raw=True)]),
        Statement(2, "h = 1"),
        Statement(2, "import i"),
        Statement(2, "from j import k"),
        Expression(2, "_tt_modules.L(m)", raw=True),
    ]


def test_whitespace_mode_changes_within_template():
    body = parsed("a  b{% whitespace oneline %}a \n b<pre>  {% whitespace all %}a  b").body
    assert body == [Text(1, "a  b"), Text(1, "a \n b<pre>  "), Text(2, "a  b")]
    assert parsed("a \n b", "oneline").body == [Text(1, "a b")]


def test_autoescape_can_be_turned_off():
    assert parsed("{{ a }}{% autoescape None %}").autoescape is None


def test_tag_may_span_lines():
    assert parsed("{% set\n  a = 1 %}").body == [Statement(1, "a = 1")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{% end %}", "unexpected {% end %}: no block is open at name:2"),
        ("{% if a %}\n\n", "{% if %} block of line 1 has no {% end %} at name:1"),
        (
            "{% else %}",
            "{% else %} outside of a block: it is allowed only in if or for or while or try blocks at name:1",
        ),
        (
            "{% for a in b %}\n{% elif c %}{% end %}",
            "{% elif %} in the {% for %} of line 1: it is allowed only in if blocks at name:2",
        ),
        ("{% if a %}{% break %}{% end %}", "{% break %} outside of a for or while block at name:1"),
        (
            "{% for a in b %}{% apply c %}{% continue %}{% end %}{% end %}",
            "{% continue %} outside of a for or while block at name:1",
        ),
        ("{% fi a %}", "unknown operator 'fi' in {% fi a %} at name:1"),
        (
            "{% inlcude a %}",
            "unknown operator 'inlcude' in {% inlcude a %}: did you mean 'include'? at name:1",
        ),
        (
            "{% if a %}\n{% endif %}",
            "unknown operator 'endif' in {% endif %}: every block ends with {% end %} at name:2",
        ),
        ("{% whitespace some %}", "unknown whitespace mode 'some'; expected all, single, oneline at name:1"),
        ("{% block %}{% end %}", "{% block %} needs a name at name:1"),
        ("{% apply %}{% end %}", "{% apply %} needs a function at name:1"),
        ("{% extends '' %}", "{% extends %} needs the name of a template at name:1"),
        *(
            (f"{{% {operator} %}}", f"{{% {operator} %}} needs ")
            for operator in "autoescape extends from import include module raw set whitespace".split()
        ),
    ],
)
def test_syntax_error_has_message_file_and_line(source, message):
    with pytest.raises(ParseError) as caught:
        parsed(source)
    assert str(caught.value).startswith(message)
    assert caught.value.filename == "name"
    assert caught.value.lineno > 0


def test_parse_error_without_location():
    assert str(ParseError("wrong")) == "wrong at None:0"
