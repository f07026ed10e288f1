"""The nodes of a parsed template, from which `_codegen` generates Python code."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class File:
    """One source file. Its nodes may be used in the code of several templates."""

    name: str
    #: The expression for the escaping function, or None. ``{% autoescape %}`` anywhere in the file sets it.
    autoescape: str | None
    body: list[Node] = field(default_factory=list)
    #: The source text, shown with errors.
    source: str = ""


@dataclass(slots=True)
class Node:
    """Base class of the nodes of a template."""

    line: int


@dataclass(slots=True)
class Text(Node):
    """Literal text, after `filter_whitespace`."""

    value: str


@dataclass(slots=True)
class Expression(Node):
    """``{{ code }}``; if `raw` is true, the value is not escaped."""

    code: str
    raw: bool = False


@dataclass(slots=True)
class Statement(Node):
    """A Python statement: ``{% set %}``, ``{% import %}``, ``{% break %}`` and similar tags."""

    code: str


@dataclass(slots=True)
class Extends(Node):
    """``{% extends name %}``."""

    name: str


@dataclass(slots=True)
class Include(Node):
    """``{% include name %}``: the content of another file."""

    name: str


@dataclass(slots=True)
class Branch(Node):
    """``{% else %}`` or another tag that starts another branch of a `Control`."""

    code: str


@dataclass(slots=True)
class Control(Node):
    """``{% if %}``, ``{% for %}``, ``{% while %}`` or ``{% try %}``, up to its ``{% end %}``."""

    code: str
    body: list[Node]


@dataclass(slots=True)
class Apply(Node):
    """``{% apply function %}``: a function is applied to the output of the body."""

    function: str
    body: list[Node]


@dataclass(slots=True)
class Block(Node):
    """``{% block name %}``: a part that templates extending this file can replace."""

    name: str
    body: list[Node]
    #: The file that contains the block, whose escaping applies to it in every template.
    file: File
