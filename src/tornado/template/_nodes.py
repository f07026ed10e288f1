"""The parts of a parsed template: plain values, which `_codegen` turns into Python."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class File:
    """One source file. Its parts may end up in the code of several templates."""

    name: str
    #: The expression that names the escaping function, or None; ``{% autoescape %}`` anywhere in the file
    #: sets it.
    autoescape: str | None
    body: list[Node] = field(default_factory=list)
    #: Its text, to be shown beside errors.
    source: str = ""


@dataclass(slots=True)
class Node:
    """A part of a template."""

    line: int


@dataclass(slots=True)
class Text(Node):
    """What goes to the output as it is; the white space is reduced already."""

    value: str


@dataclass(slots=True)
class Expression(Node):
    """``{{ code }}``, or with `raw` an expression whose value is not escaped."""

    code: str
    raw: bool = False


@dataclass(slots=True)
class Statement(Node):
    """A line of Python: ``{% set %}``, ``{% import %}``, ``{% break %}`` and the like."""

    code: str


@dataclass(slots=True)
class Extends(Node):
    """``{% extends name %}``."""

    name: str


@dataclass(slots=True)
class Include(Node):
    """``{% include name %}``: the other file's parts, in this place."""

    name: str


@dataclass(slots=True)
class Branch(Node):
    """``{% else %}`` and the others that divide a `Control`."""

    code: str


@dataclass(slots=True)
class Control(Node):
    """``{% if %}``, ``{% for %}``, ``{% while %}``, ``{% try %}`` up to the end."""

    code: str
    body: list[Node]


@dataclass(slots=True)
class Apply(Node):
    """``{% apply function %}``: the output of the body goes through a function."""

    function: str
    body: list[Node]


@dataclass(slots=True)
class Block(Node):
    """``{% block name %}``: a part that templates which extend this file may replace."""

    name: str
    body: list[Node]
    #: The file it was written in, whose escaping it keeps wherever it is used.
    file: File
