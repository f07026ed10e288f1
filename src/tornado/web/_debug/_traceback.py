"""Conversion of an exception to plain values: its message, its frames and the exceptions chained to it.

The result contains no references to frames or values of the program. A frame in the generated code of a
template is replaced by the line of the template, preceded by the lines of the templates that include it.
"""

from __future__ import annotations

import linecache
import os
import site
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FrameType, ModuleType, TracebackType
from typing import Any

import tornado
from tornado.template._errors import places_of
from tornado.template._runtime import NAMES as TEMPLATE_NAMES
from tornado.template._template import GeneratedSource
from tornado.web._debug._source import SourceLine, Span, lines_around, python_span
from tornado.web._debug._value_repr import ValueFormatter

# In a long traceback, such as that of a deep recursion, only the first and last frames are shown.
_FRAMES_AT_EACH_END = 20
# The maximum number of frames that are shown with source and variables. The others are shown with the failing
# line only.
_MAX_DETAILED_FRAMES = 120
_MAX_VARIABLES = 40
_MAX_ERRORS = 30
_MAX_MEMBERS = 15
_MAX_MESSAGE_LENGTH = 8000
_MAX_NOTES = 20

_TORNADO = os.path.dirname(os.path.abspath(tornado.__file__)) + os.sep
_LIBRARIES = tuple(
    {
        os.path.abspath(path) + os.sep
        for path in (*map(sysconfig.get_path, ("stdlib", "platstdlib")), *site.getsitepackages())
        if path
    }
)
_PACKAGE_DIRECTORIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Names that every handler adds to the namespace of a template. The debug page shows only the other names.
_HANDLER_NAMES = frozenset(
    "handler request current_user locale _ pgettext static_url xsrf_form_html reverse_url modules".split()
)


@dataclass(frozen=True, slots=True)
class Variable:
    """The name and the formatted value of a variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a traceback.

    :param kind: ``"program"``, ``"template"``, ``"library"`` or ``"framework"``.
    :param file: the path, shortened for display.
    :param path: the full path.
    """

    kind: str
    function: str
    file: str
    path: str
    line: int
    lines: list[SourceLine] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    more_variables: int = 0


@dataclass(frozen=True, slots=True)
class OmittedFrames:
    """A number of consecutive frames that are not shown."""

    count: int


@dataclass(slots=True)
class RaisedException:
    """An exception.

    :param relation: the relation to the exception that is shown before it: ``"cause"``, ``"context"`` or
        ``"member"``; empty for the first one.
    :param earlier: the cause or context of this exception, or None.
    """

    relation: str
    module: str
    name: str
    message: str
    notes: list[str] = field(default_factory=list)
    frames: list[Frame | OmittedFrames] = field(default_factory=list)
    members: list[RaisedException] = field(default_factory=list)
    more_members: int = 0
    earlier: RaisedException | None = None


def gather(error: BaseException, values: ValueFormatter) -> RaisedException:
    """Collect the data of an exception, of its causes and contexts, and of the members of a group."""
    return _Gatherer(values).raised(error, "")


class _Gatherer:
    def __init__(self, values: ValueFormatter) -> None:
        self.values = values
        self.secrets = values.secrets
        self.seen: set[int] = set()
        self.detailed = 0

    def raised(self, error: BaseException, relation: str) -> RaisedException:
        self.seen.add(id(error))
        cls = type(error)
        found = RaisedException(relation, cls.__module__, cls.__qualname__, self.message(error))
        found.frames = [*self.frames(error.__traceback__), *self.places(error)]
        found.notes = [self.text(note, 1000) for note in _notes(error) if not _is_shown(note, found.frames)]
        if isinstance(error, BaseExceptionGroup):
            members = [each for each in error.exceptions if id(each) not in self.seen]
            shown = members[: min(_MAX_MEMBERS, max(0, _MAX_ERRORS - len(self.seen)))]
            found.members = [self.raised(each, "member") for each in shown]
            found.more_members = len(members) - len(shown)
        earlier, relation = error.__cause__, "cause"
        if earlier is None and not error.__suppress_context__:
            earlier, relation = error.__context__, "context"
        if earlier is not None and id(earlier) not in self.seen and len(self.seen) < _MAX_ERRORS:
            found.earlier = self.raised(earlier, relation)
        return found

    def text(self, value: object, limit: int = _MAX_MESSAGE_LENGTH) -> str:
        """Return the masked text of a value, truncated to the limit."""
        text = self.secrets.mask_source(str(value))
        return text if len(text) <= limit else f"{text[:limit]}\u2026 ({len(text):,} characters)"

    def message(self, error: BaseException) -> str:
        try:
            if isinstance(error, SyntaxError) and error.filename:
                return self.text(error.msg)
            return self.text(error)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            return f"(its str() raises {type(failure).__name__})"

    # -- frames --

    def frames(self, trace: TracebackType | None) -> list[Frame | OmittedFrames]:
        steps: list[TracebackType] = []
        while trace is not None:
            steps.append(trace)
            trace = trace.tb_next
        found: list[Frame | OmittedFrames] = []
        skipped = len(steps) - 2 * _FRAMES_AT_EACH_END
        for number, step in enumerate(steps):
            if skipped > 0 and _FRAMES_AT_EACH_END <= number < _FRAMES_AT_EACH_END + skipped:
                if number == _FRAMES_AT_EACH_END:
                    found.append(OmittedFrames(skipped))
                continue
            found += self.step(step, number == len(steps) - 1)
        return found

    def step(self, step: TracebackType, is_last: bool) -> list[Frame]:
        frame = step.tb_frame
        source = frame.f_globals.get("__loader__")
        if isinstance(source, GeneratedSource):
            found = self.template_step(step, source)
            if found:
                return found
        code = frame.f_code
        kind = _kind_of(code.co_filename)
        path = code.co_filename
        # A frame of a library is rarely the cause of the error, so only the line is shown.
        if self.detailed >= _MAX_DETAILED_FRAMES or not (kind == "program" or is_last):
            lines = self.python_lines(step, short=True)
            return [Frame(kind, code.co_qualname, _shorten_path(path), path, step.tb_lineno, lines)]
        self.detailed += 1
        variables, more = self.variables(_shown_variables(frame))
        lines = self.python_lines(step)
        return [
            Frame(kind, code.co_qualname, _shorten_path(path), path, step.tb_lineno, lines, variables, more)
        ]

    def python_lines(self, step: TracebackType, short: bool = False) -> list[SourceLine]:
        code, names = step.tb_frame.f_code, step.tb_frame.f_globals
        linecache.checkcache(code.co_filename)
        everything = linecache.getlines(code.co_filename, names)
        span = python_span(code, step.tb_lasti, step.tb_lineno, everything)
        # A lambda or comprehension usually has only one line, so lines outside it are shown as well.
        function_line = 0 if code.co_name.startswith("<") else code.co_firstlineno
        lines = lines_around(everything, span, self.secrets, function_line)
        return [line for line in lines if line.hit] if short else lines

    def variables(self, pairs: Iterable[tuple[str, Any]]) -> tuple[list[Variable], int]:
        everything = list(pairs)
        shown = [
            Variable(name[:100], self.values.show_named(name, value, variable=True))
            for name, value in everything[:_MAX_VARIABLES]
        ]
        return shown, len(everything) - len(shown)

    # -- templates --

    def template_step(self, step: TracebackType, source: GeneratedSource) -> list[Frame]:
        place = source.locate(step.tb_lineno)
        if place is None or not place[1]:
            return []
        found = [
            self.template_frame(source, name, line, Span(line, line), "includes the next template")
            for name, line in source.includers(step.tb_lineno)
        ]
        name, line = place
        span = self.template_span(step, source, name, line)
        variables, more = self.variables(_template_names(step.tb_frame))
        last = self.template_frame(source, name, line, span, "")
        found.append(
            Frame("template", "", last.file, last.path, line, last.lines, variables, more),
        )
        return found

    def template_frame(
        self, source: GeneratedSource, name: str, line: int, span: Span, function: str
    ) -> Frame:
        path = os.path.join(source.root, name) if source.root else name
        lines = lines_around(source.template_source(name).split("\n"), span, self.secrets)
        return Frame("template", function, name, path, line, lines)

    def template_span(self, step: TracebackType, source: GeneratedSource, name: str, line: int) -> Span:
        """Return the span to mark in a template.

        The span is the failing expression of the generated code if it occurs exactly once in the line of the
        template, otherwise the whole line.
        """
        generated = source.get_source().split("\n")
        part = python_span(step.tb_frame.f_code, step.tb_lasti, step.tb_lineno, generated)
        lines = source.template_source(name).split("\n")
        if part.first == part.last and part.start is not None and 0 < line <= len(lines):
            text = generated[part.first - 1][part.start : part.end]
            if text and lines[line - 1].count(text) == 1:
                start = lines[line - 1].index(text)
                return Span(line, line, start, start + len(text))
        return Span(line, line)

    def places(self, error: BaseException) -> list[Frame]:
        """Return frames for the position of a syntax error, which the traceback does not contain."""
        found = []
        for place in reversed(places_of(error)):
            span = Span(place.line, place.line)
            if isinstance(error, SyntaxError) and (place.template, place.line) == (
                error.filename,
                error.lineno,
            ):
                span = _span_of(error, place.line)
            lines = lines_around(place.source.split("\n"), span, self.secrets)
            found.append(Frame("template", "", place.template, place.template, place.line, lines))
        if not found and isinstance(error, SyntaxError) and error.filename and error.lineno:
            span = _span_of(error, error.lineno)
            lines = lines_around(linecache.getlines(error.filename), span, self.secrets)
            found.append(
                Frame("program", "", _shorten_path(error.filename), error.filename, error.lineno, lines)
            )
        return found


def _span_of(error: SyntaxError, line: int) -> Span:
    if not error.offset or error.offset < 1:
        return Span(line, line)
    end = error.end_offset if error.end_lineno in (None, line) else None
    return Span(line, line, error.offset - 1, max(error.offset, (end or 0) - 1))


def _is_shown(note: object, frames: list[Frame | OmittedFrames]) -> bool:
    """Whether a note names a line of a template that is among the frames."""
    return isinstance(note, str) and any(
        isinstance(frame, Frame)
        and frame.kind == "template"
        and note.startswith(f"in template {frame.file}, line {frame.line}")
        for frame in frames
    )


def _notes(error: BaseException) -> list[object]:
    notes = getattr(error, "__notes__", None)
    return notes[:_MAX_NOTES] if isinstance(notes, list) else []


def _kind_of(path: str) -> str:
    path = os.path.abspath(path) if not path.startswith("<") else path
    if path.startswith(_TORNADO):
        return "framework"
    if path.startswith(("<frozen", *_LIBRARIES)) or any(each in path for each in _PACKAGE_DIRECTORIES):
        return "library"
    return "program"


def _shorten_path(path: str) -> str:
    """Return a path relative to the working directory or to the directory of installed packages."""
    absolute = os.path.abspath(path) if not path.startswith("<") else path
    if absolute.startswith(_TORNADO):
        return os.path.join("tornado", absolute[len(_TORNADO) :])
    for each in _PACKAGE_DIRECTORIES:
        if each in absolute:
            return absolute.rpartition(each)[2]
    try:
        here = os.getcwd() + os.sep
    except OSError:
        here = ""
    for root in (here, *_LIBRARIES):
        if root and len(root) > 1 and absolute.startswith(root):
            return absolute[len(root) :]
    return absolute


def _shown_variables(frame: FrameType) -> list[tuple[str, Any]]:
    """Return the variables of a frame. At module level, functions, classes and modules are left out."""
    at_module_level = frame.f_locals is frame.f_globals
    found = []
    for name, value in list(frame.f_locals.items()):
        if name.startswith((".", "__")):
            continue
        if at_module_level and (isinstance(value, (ModuleType, type)) or callable(value)):
            continue
        found.append((name, value))
    return found


def _template_names(frame: FrameType) -> list[tuple[str, Any]]:
    """Return the local variables of a template and the names it uses from its namespace."""
    names = {name: value for name, value in frame.f_locals.items() if not name.startswith(("_tt_", "."))}
    for name in frame.f_code.co_names:
        if name in frame.f_globals and name not in TEMPLATE_NAMES and name not in _HANDLER_NAMES:
            if not name.startswith(("__", "_tt_")):
                names.setdefault(name, frame.f_globals[name])
    return list(names.items())
