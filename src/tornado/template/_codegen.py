"""Generate the source of a Python function from the nodes of a template.

The generated function appends text to a list and returns the joined text as bytes. A template becomes one
function, which contains the code of the files that it extends and includes. Each line ends with a comment
that names its source::

    _tt_append(_tt_escape(_tt_tmp))  # row.html:2 (via table.html:7)

`Code.places` contains the same information as data, to find the template line for a line of a traceback.
Adjacent text nodes become one constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from tornado.template._errors import ParseError, add_place, note_once
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
from tornado.template._runtime import STANDARD_ESCAPE

_LOCALS = ("_tt_text", "_tt_join", "_tt_escape", "_tt_escape_with", "_tt_str", "_tt_type")
# A str needs no conversion.
_RAW = "_tt_tmp if _tt_type(_tt_tmp) is _tt_str else _tt_text(_tt_tmp)"
# Parameters with defaults make the helper functions local names, which are the fastest to look up.
_PARAMETERS = ", ".join(f"{name}={name}" for name in _LOCALS)


class CodeLocation(NamedTuple):
    """The template line from which a line of generated code was made."""

    template: str
    line: int


class Code(NamedTuple):
    """Generated source code, and the template line for each of its lines.

    :ivar places: for each line, the template line that it was generated from.
    :ivar via: for each line, the locations of the tags that include the template, outermost first.
    :ivar sources: the sources of all templates in the code, by name.
    """

    source: str
    places: list[CodeLocation]
    via: list[tuple[CodeLocation, ...]]
    sources: dict[str, str]


class _HasFile(Protocol):
    @property
    def file(self) -> File: ...


Load = Callable[[str, str], _HasFile]


def ancestry(file: File, load: Load | None) -> list[File]:
    """Return the file and its ancestors, the files that it extends, with the base file last.

    :param load: loads a template, given its name and the name of the template that refers to it.
    :raises ParseError: if a template without a loader contains ``{% extends %}``.
    """
    files = [file]
    for node in file.body:
        if isinstance(node, Extends):
            parent = _load_template(load, node.name, file, node.line).file
            files += ancestry(parent, load)
    return files


def _load_template(load: Load | None, name: str, file: File, line: int) -> _HasFile:
    """Load another template. If loading fails, add the location of the referring tag to the error."""
    if load is None:
        raise ParseError(f"a template without a loader cannot extend or include {name!r}", file.name, line)
    try:
        return load(name, file.name)
    except Exception as error:
        note_once(error, f"{name!r} is extended or included by {file.name}:{line}")
        add_place(error, file.name, line, file.source)
        raise


def generate(files: list[File], load: Load | None, *, shadowed: bool = False) -> Code:
    """Generate the code of a template.

    :param files: the result of `ancestry`.
    :param shadowed: whether the template assigns to the name ``xhtml_escape``, which must then be looked up
        on each use.
    """
    writer = _Writer(load, shadowed)
    for file in reversed(files):
        writer.collect_blocks(file.body, file)
    writer.template(files[-1])
    sources = {file.name: file.source for file in files} | writer.sources
    return Code("\n".join(writer.lines) + "\n", writer.places, writer.via_by_line, sources)


class _Writer:
    def __init__(self, load: Load | None, shadowed: bool) -> None:
        self.load = load
        self.shadowed = shadowed
        self.lines: list[str] = []
        self.places: list[CodeLocation] = []
        self.blocks: dict[str, Block] = {}
        self.file = File("", None)
        self.via: tuple[CodeLocation, ...] = ()
        self.via_by_line: list[tuple[CodeLocation, ...]] = []
        self.sources: dict[str, str] = {}
        self.indent = 0
        self.pending_texts: list[str] = []  # adjacent text nodes, which become one constant
        self.pending_line = 0
        self.functions = 0

    # --- lines ---

    def emit(self, code: str, line: int) -> None:
        """Write a line of code, after the pending text."""
        if self.pending_texts:
            text, self.pending_texts = "".join(self.pending_texts), []
            if text:
                self.emit(f"_tt_append({text!r})", self.pending_line)
        # The code of a tag may span several lines. The comment is added to the last line, because the other
        # lines may end inside a string.
        self.lines += f"{'    ' * self.indent}{code}  # {self.origin(line)}".split("\n")
        first = len(self.places)
        count = len(self.lines) - first
        self.places += [CodeLocation(self.file.name, line + n) for n in range(count)]
        self.via_by_line += [self.via] * count

    def origin(self, line: int) -> str:
        name = _comment_safe(self.file.name)
        if not self.via:
            return f"{name}:{line}"
        path = ", ".join(f"{_comment_safe(place.template)}:{place.line}" for place in reversed(self.via))
        return f"{name}:{line} (via {path})"

    @contextmanager
    def indented(self, line: int) -> Iterator[None]:
        """Indent the lines that are written in the block, or write ``pass`` if the block is empty."""
        before = len(self.lines)
        self.indent += 1
        yield
        if self.pending_texts or len(self.lines) == before:
            self.emit("pass", line)
        self.indent -= 1

    @contextmanager
    def including(self, file: File, line: int) -> Iterator[None]:
        """Set the current file to an included one for the block."""
        before, via = self.file, self.via
        self.via = (*via, CodeLocation(before.name, line))
        self.file = file
        self.sources[file.name] = file.source
        yield
        self.file, self.via = before, via

    @contextmanager
    def function(self, name: str, line: int) -> Iterator[None]:
        """Define a function that returns the output of its body; the block writes the body."""
        self.emit(f"def {name}({_PARAMETERS}):", line)
        with self.indented(line):
            self.emit("_tt_buffer = []", line)
            self.emit("_tt_append = _tt_buffer.append", line)
            yield
            self.emit("return _tt_join(_tt_buffer)", line)

    # --- blocks ---

    def collect_blocks(self, body: list[Node], file: File) -> None:
        """Register the named blocks of a file. If another file extends it, the blocks of that file replace
        them later.
        """
        for node in body:
            if isinstance(node, Include):
                included = _load_template(self.load, node.name, file, node.line).file
                self.collect_blocks(included.body, included)
            elif isinstance(node, (Block, Control, Apply)):
                if isinstance(node, Block):
                    self.blocks[node.name] = node
                self.collect_blocks(node.body, file)

    # --- parts ---

    def template(self, file: File) -> None:
        self.file = file
        with self.function("_tt_execute", 0):
            self.body(file.body)

    def body(self, nodes: list[Node]) -> None:
        for node in nodes:
            _WRITERS[type(node)](self, node)

    def text(self, node: Text) -> None:
        if not self.pending_texts:
            self.pending_line = node.line
        self.pending_texts.append(node.value)

    def expression(self, node: Expression) -> None:
        # The value is assigned in a separate statement, so that unbalanced brackets are a syntax error.
        self.emit(f"_tt_tmp = {node.code}", node.line)
        function = None if node.raw else self.file.autoescape
        if function is None:
            self.emit(f"_tt_append({_RAW})", node.line)
        elif function == STANDARD_ESCAPE and not self.shadowed:
            self.emit("_tt_append(_tt_escape(_tt_tmp))", node.line)
        else:
            self.emit(f"_tt_append(_tt_escape_with(_tt_tmp, {function}))", node.line)

    def statement(self, node: Statement | Branch) -> None:
        self.emit(node.code, node.line)

    def extends(self, node: Extends) -> None:
        # `ancestry` handles an extends tag at the top level of a file, and the body of such a file is not
        # written. This method is called for a tag at another level.
        message = "{% extends %} is not allowed in a block or in an included file"
        raise ParseError(message, self.file.name, node.line)

    def include(self, node: Include) -> None:
        file = _load_template(self.load, node.name, self.file, node.line).file
        with self.including(file, node.line):
            self.body(file.body)

    def block(self, node: Block) -> None:
        chosen = self.blocks[node.name]
        with self.including(chosen.file, node.line):
            self.body(chosen.body)

    def apply(self, node: Apply) -> None:
        name = f"_tt_apply{self.functions}"
        self.functions += 1
        with self.function(name, node.line):
            self.body(node.body)
        self.emit(f"_tt_append(_tt_text({node.function}({name}())))", node.line)

    def control(self, node: Control) -> None:
        suites: list[tuple[Node, str, list[Node]]] = [(node, node.code, [])]
        for part in node.body:
            if isinstance(part, Branch):
                suites.append((part, part.code, []))
            else:
                suites[-1][2].append(part)
        for head, code, body in suites:
            self.emit(f"{code}:", head.line)
            with self.indented(head.line):
                self.body(body)


def _comment_safe(name: str) -> str:
    """Return a template's name in a form that is safe in a comment."""
    return name if name.isprintable() else ascii(name)


_WRITERS: dict[type[Node], Callable[[_Writer, Any], None]] = {
    Text: _Writer.text,
    Expression: _Writer.expression,
    Statement: _Writer.statement,
    Extends: _Writer.extends,
    Include: _Writer.include,
    Block: _Writer.block,
    Apply: _Writer.apply,
    Control: _Writer.control,
}
