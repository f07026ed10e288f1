"""Split the source of a template into tokens: text, expressions and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from tornado.template._errors import ParseError

# Of three braces in a row the last two are the delimiter, so "{{{ x }}}" writes a value in braces.
_OPENING = re.compile(r"\{(?:\{(?!\{)|%|#)")


class TokenKind(Enum):
    """The kind of a token. The value consists of the closing delimiter and the name for error messages."""

    TEXT = ("", "text")
    EXPRESSION = ("}}", "expression")
    TAG = ("%}", "block tag")
    COMMENT = ("#}", "comment")


_KINDS = {"{{": TokenKind.EXPRESSION, "{%": TokenKind.TAG, "{#": TokenKind.COMMENT}


class Token(NamedTuple):
    """A token: its kind, its text without delimiters and surrounding whitespace, and its line."""

    kind: TokenKind
    text: str
    line: int


def tokenize(source: str, name: str) -> Iterator[Token]:
    """Generate the tokens of a template's source, without comments.

    :param name: the name of the template, for error messages.
    :raises ParseError: if a token is empty or has no closing delimiter.
    """
    position, line = 0, 1
    while opening := _OPENING.search(source, position):
        start, inside = opening.span()
        if start > position:
            yield Token(TokenKind.TEXT, source[position:start], line)
            line += source.count("\n", position, start)
        if source.startswith("!", inside):
            # {{!, {%! and {#! are escapes for {{, {% and {#.
            yield Token(TokenKind.TEXT, opening[0], line)
            position = inside + 1
            continue
        kind = _KINDS[opening[0]]
        closing, kind_name = kind.value
        end = source.find(closing, inside)
        if end < 0:
            raise ParseError(f"Missing end {kind_name} {closing}", name, line)
        text = source[inside:end].strip()
        if kind is not TokenKind.COMMENT:
            if not text:
                raise ParseError(f"empty {kind_name} ({opening[0]} {closing})", name, line)
            yield Token(kind, text, line)
        position = end + len(closing)
        line += source.count("\n", start, position)
    if position < len(source):
        yield Token(TokenKind.TEXT, source[position:], line)
