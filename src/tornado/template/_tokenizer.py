"""Cut the source of a template into pieces: text, expressions, tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from tornado.template._errors import ParseError

# Of three braces in a row the last two count, so that "{{{ x }}}" puts braces around a value.
_OPENING = re.compile(r"\{(?:\{(?!\{)|%|#)")


class TokenKind(Enum):
    """What a piece is; the value is how it ends and how messages call it."""

    TEXT = ("", "text")
    EXPRESSION = ("}}", "expression")
    TAG = ("%}", "block tag")
    COMMENT = ("#}", "comment")


_KINDS = {"{{": TokenKind.EXPRESSION, "{%": TokenKind.TAG, "{#": TokenKind.COMMENT}


class Token(NamedTuple):
    """A piece of the source: its kind, its text without braces and outer blanks, and its line."""

    kind: TokenKind
    text: str
    line: int


def pieces(source: str, name: str) -> Iterator[Token]:
    """The pieces of a template's source, comments left out.

    :arg name: the template's name, for messages.
    :raises ParseError: where a piece does not end, or is empty.
    """
    position, line = 0, 1
    while opening := _OPENING.search(source, position):
        start, inside = opening.span()
        if start > position:
            yield Token(TokenKind.TEXT, source[position:start], line)
            line += source.count("\n", position, start)
        if source.startswith("!", inside):
            # {{!, {%! and {#! stand for the braces themselves.
            yield Token(TokenKind.TEXT, opening[0], line)
            position = inside + 1
            continue
        kind = _KINDS[opening[0]]
        closing, called = kind.value
        end = source.find(closing, inside)
        if end < 0:
            raise ParseError(f"Missing end {called} {closing}", name, line)
        text = source[inside:end].strip()
        if kind is not TokenKind.COMMENT:
            if not text:
                raise ParseError(f"empty {called} ({opening[0]} {closing})", name, line)
            yield Token(kind, text, line)
        position = end + len(closing)
        line += source.count("\n", start, position)
    if position < len(source):
        yield Token(TokenKind.TEXT, source[position:], line)
