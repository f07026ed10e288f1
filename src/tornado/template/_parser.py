"""Parse the tokens of a template into nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tornado.template._errors import ParseError
from tornado.template._nodes import (
    Apply,
    Block,
    Branch,
    Control,
    Expression,
    Extends,
    File,
    Include,
    Node,
    Statement,
    Text,
)
from tornado.template._tokenizer import Token, TokenKind, tokenize
from tornado.template._whitespace import MODES, filter_whitespace

#: Tags that start another branch of a block, and the blocks that may contain them.
_BRANCHES = {
    "else": ("if", "for", "while", "try"),
    "elif": ("if",),
    "except": ("try",),
    "finally": ("try",),
}
_CONTROLS = ("if", "for", "while", "try")
_LOOPS = ("for", "while")


@dataclass(frozen=True, slots=True)
class _Context:
    """The enclosing block of a token, the line where it starts, and whether a loop encloses the token."""

    block: str = ""
    line: int = 0
    in_loop: bool = False


def parse(source: str, file: File, whitespace: str) -> None:
    """Parse a template's source into ``file.body``; ``{% autoescape %}`` sets ``file.autoescape``.

    :param whitespace: the initial whitespace mode.
    :raises ParseError: if the template is not well-formed.
    """
    _Parser(source, file, whitespace).run()


class _Parser:
    def __init__(self, source: str, file: File, whitespace: str) -> None:
        self.file = file
        self.tokens: Iterator[Token] = tokenize(source, file.name)
        self.whitespace = whitespace

    def run(self) -> None:
        self.file.body = self.body(_Context())

    def error(self, message: str, line: int) -> ParseError:
        return ParseError(message, self.file.name, line)

    def body(self, context: _Context) -> list[Node]:
        """Parse up to the end of the current block, or up to the end of the source outside of blocks."""
        found: list[Node] = []
        for kind, text, line in self.tokens:
            if kind is TokenKind.TEXT:
                found.append(Text(line, self.text(text)))
            elif kind is TokenKind.EXPRESSION:
                found.append(Expression(line, text))
            else:
                operator, _, rest = _split(text)
                if operator == "end":
                    if not context.block:
                        raise self.error("unexpected {% end %}: no block is open", line)
                    return found
                node = self.tag(operator, rest, text, line, context)
                if node is not None:
                    found.append(node)
        if context.block:
            missing = f"{{% {context.block} %}} block of line {context.line} has no {{% end %}}"
            raise self.error(missing, context.line)
        return found

    def text(self, text: str) -> str:
        # Whitespace is significant in a <pre> element.
        return text if "<pre>" in text else filter_whitespace(self.whitespace, text)

    def tag(self, operator: str, rest: str, text: str, line: int, context: _Context) -> Node | None:
        """Return the node for a tag; None for a tag without a node, such as ``{% whitespace %}``."""
        if operator in _BRANCHES:
            return self.branch(operator, text, line, context)
        if operator in ("break", "continue"):
            if not context.in_loop:
                raise self.error(f"{{% {operator} %}} outside of a for or while block", line)
            return Statement(line, text)
        if operator in _CONTROLS or operator in ("block", "apply"):
            return self.block(operator, rest, text, line, context)
        simple = _SIMPLE.get(operator)
        if simple is None:
            hint = _hint(operator)
            raise self.error(f"unknown operator {operator!r} in {{% {text:.60} %}}{hint}", line)
        if not rest and operator != "comment":
            raise self.error(f"{{% {operator} %}} needs {_REQUIRED[operator]}", line)
        return simple(self, rest, text, line)

    def branch(self, operator: str, text: str, line: int, context: _Context) -> Node:
        allowed = _BRANCHES[operator]
        if context.block not in allowed:
            where = (
                f"in the {{% {context.block} %}} of line {context.line}"
                if context.block
                else "outside of a block"
            )
            blocks = " or ".join(allowed)
            raise self.error(f"{{% {operator} %}} {where}: it is allowed only in {blocks} blocks", line)
        return Branch(line, text)

    def block(self, operator: str, rest: str, text: str, line: int, context: _Context) -> Node:
        if not rest and operator in _REQUIRED:
            raise self.error(f"{{% {operator} %}} needs {_REQUIRED[operator]}", line)
        # The body of an apply block becomes a separate function, which cannot break out of an outer loop.
        in_loop = operator in _LOOPS or (context.in_loop and operator != "apply")
        body = self.body(_Context(operator, line, in_loop))
        if operator == "apply":
            return Apply(line, rest, body)
        if operator == "block":
            return Block(line, rest, body, self.file)
        return Control(line, text, body)

    # --- tags without an end ---

    def set_autoescape(self, rest: str, text: str, line: int) -> None:
        self.file.autoescape = None if rest == "None" else rest

    def set_whitespace(self, rest: str, text: str, line: int) -> None:
        if rest not in MODES:
            raise self.error(f"unknown whitespace mode {rest!r}; expected {', '.join(MODES)}", line)
        self.whitespace = rest

    def skip(self, rest: str, text: str, line: int) -> None:
        """Ignore a comment."""

    def extends(self, rest: str, text: str, line: int) -> Node:
        return Extends(line, self.template_name("extends", rest, line))

    def include(self, rest: str, text: str, line: int) -> Node:
        return Include(line, self.template_name("include", rest, line))

    def template_name(self, operator: str, quoted: str, line: int) -> str:
        name = quoted.strip('"').strip("'")
        if not name:
            raise self.error(f"{{% {operator} %}} needs {_REQUIRED[operator]}", line)
        return name

    def set_variable(self, rest: str, text: str, line: int) -> Node:
        return Statement(line, rest)

    def python(self, rest: str, text: str, line: int) -> Node:
        return Statement(line, text)

    def raw(self, rest: str, text: str, line: int) -> Node:
        return Expression(line, rest, raw=True)

    def module(self, rest: str, text: str, line: int) -> Node:
        return Expression(line, f"_tt_modules.{rest}", raw=True)


def _hint(operator: str) -> str:
    """Return a suggestion for an unknown operator: a similar one, ``{% end %}``, or an empty string."""
    import difflib  # imported here because it is needed only for errors

    if operator.startswith("end"):
        return ": every block ends with {% end %}"
    known = [*_SIMPLE, *_BRANCHES, *_CONTROLS, "block", "apply", "break", "continue", "end"]
    close = difflib.get_close_matches(operator[:40], known, n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def _split(text: str) -> tuple[str, str, str]:
    """Split a tag, at any whitespace, into its operator, a space and the rest."""
    operator, *rest = text.split(None, 1)
    return operator, " ", rest[0] if rest else ""


_SIMPLE: dict[str, Callable[[_Parser, str, str, int], Node | None]] = {
    "autoescape": _Parser.set_autoescape,
    "whitespace": _Parser.set_whitespace,
    "comment": _Parser.skip,
    "extends": _Parser.extends,
    "include": _Parser.include,
    "set": _Parser.set_variable,
    "import": _Parser.python,
    "from": _Parser.python,
    "raw": _Parser.raw,
    "module": _Parser.module,
}
_REQUIRED = {
    "apply": "a function",
    "autoescape": "a function, or None",
    "block": "a name",
    "extends": "the name of a template",
    "from": "something to import",
    "import": "something to import",
    "include": "the name of a template",
    "module": "a UI module with its arguments",
    "raw": "an expression",
    "set": "an assignment",
    "whitespace": f"a mode: {', '.join(MODES)}",
}
