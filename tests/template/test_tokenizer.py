"""Splitting the source of a template into tokens."""

from __future__ import annotations

import pytest

from tornado.template._errors import ParseError
from tornado.template._tokenizer import TokenKind, tokenize

TEXT, EXPRESSION, TAG = TokenKind.TEXT, TokenKind.EXPRESSION, TokenKind.TAG


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("text", [(TEXT, "text", 1)]),
        ("a{{ b }}c", [(TEXT, "a", 1), (EXPRESSION, "b", 1), (TEXT, "c", 1)]),
        (
            "a\n{{ b\n}}\n{%if c%}",
            [(TEXT, "a\n", 1), (EXPRESSION, "b", 2), (TEXT, "\n", 3), (TAG, "if c", 4)],
        ),
        ("{# a\n {{ #}b", [(TEXT, "b", 2)]),
        ("{##}", []),
        (
            "{{!x}} {%! {#!",
            [(TEXT, "{{", 1), (TEXT, "x}} ", 1), (TEXT, "{%", 1), (TEXT, " ", 1), (TEXT, "{#", 1)],
        ),
        ("{{{ a }}}", [(TEXT, "{", 1), (EXPRESSION, "a", 1), (TEXT, "}", 1)]),
        ("{{{{a}}", [(TEXT, "{{", 1), (EXPRESSION, "a", 1)]),
        ("{ a } {", [(TEXT, "{ a } {", 1)]),
    ],
)
def test_source_is_split_into_tokens(source, expected):
    assert [tuple(token) for token in tokenize(source, "name")] == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{{ a", "Missing end expression }} at name:2"),
        ("{% a }}", "Missing end block tag %} at name:1"),
        ("{# a", "Missing end comment #} at name:1"),
        ("\n\n{{ }}", "empty expression ({{ }}) at name:3"),
        ("{%%}", "empty block tag ({% %}) at name:1"),
    ],
)
def test_malformed_tag_raises(source, message):
    with pytest.raises(ParseError) as caught:
        list(tokenize(source, "name"))
    assert str(caught.value) == message
