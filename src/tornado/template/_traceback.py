"""Find the template lines that a traceback entry in generated code refers to, for pages that show errors."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

from tornado.template._runtime import NAMES
from tornado.template._template import GeneratedSource


class TemplateLine(NamedTuple):
    """A line of a template that was being executed.

    :ivar template: the name of the template.
    :ivar path: the path of its file, or the name if it has none.
    :ivar source: the source of the whole template.
    :ivar columns: the first and last column of the failing expression, or None for the whole line.
    :ivar is_include: whether the line includes the template of the next `TemplateLine`.
    """

    template: str
    path: str
    line: int
    source: str
    columns: tuple[int, int] | None = None
    is_include: bool = False


def template_lines(step: TracebackType) -> list[TemplateLine]:
    """Return the line of the template for an entry of a traceback, preceded by the lines that include it.

    :returns: an empty list if the entry is not in the generated code of a template.
    """
    generated = step.tb_frame.f_globals.get("__loader__")
    if not isinstance(generated, GeneratedSource):
        return []
    place = generated.locate(step.tb_lineno)
    if place is None or not place[1]:
        return []

    found = []
    for name, line in (*generated.includers(step.tb_lineno), place):
        path = os.path.join(generated.root, name) if generated.root else name
        source = generated.template_source(name)
        is_include = (name, line) != place
        columns = None if is_include else _columns(step, generated, source, line)
        found.append(TemplateLine(name, path, line, source, columns, is_include))
    return found


def _columns(
    step: TracebackType, generated: GeneratedSource, source: str, line: int
) -> tuple[int, int] | None:
    """Return the columns of the failing expression, if it occurs exactly once in the line of the template."""
    code = generated.get_source().split("\n")
    position = code_position(step.tb_frame.f_code, step.tb_lasti, code)
    lines = source.split("\n")
    if position is None or position[0] != position[1] or not 0 < line <= len(lines):
        return None
    text = code[position[0] - 1][position[2] : position[3]]
    if not text or lines[line - 1].count(text) != 1:
        return None
    start = lines[line - 1].index(text)
    return start, start + len(text)


def template_variables(frame: FrameType, omitted: Collection[str]) -> list[tuple[str, Any]]:
    """Return the local variables of a template and the names it uses from its namespace.

    :param omitted: names that every template has.
    """
    names = {name: value for name, value in frame.f_locals.items() if not name.startswith(("_tt_", "."))}
    for name in frame.f_code.co_names:
        if name in frame.f_globals and name not in NAMES and name not in omitted:
            if not name.startswith(("__", "_tt_")):
                names.setdefault(name, frame.f_globals[name])
    return list(names.items())


def code_position(code: CodeType, instruction: int, lines: list[str]) -> tuple[int, int, int, int] | None:
    """Return the lines and columns of the source that an instruction was compiled from (PEP 657).

    :param instruction: the offset of the instruction in bytes, as in ``tb_lasti``.
    :param lines: the lines of the file, to convert columns from bytes to characters.
    :returns: first line, last line (counted from 1), first column, last column; None if they are unknown.
    """
    found = next(itertools.islice(code.co_positions(), max(0, instruction) // 2, None), None)
    if found is None or None in found:
        return None
    first, last, start, end = (each or 0 for each in found)
    if not 0 < first <= last <= len(lines):
        return None
    return first, last, _column(lines[first - 1], start), _column(lines[last - 1], end)


def _column(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode("utf-8", "replace"))
