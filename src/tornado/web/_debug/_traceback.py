"""Conversion of an exception to plain values: its message, its frames and the exceptions chained to it.

The result contains no references to frames or values of the program. A frame in the generated code of a
template is replaced by the line of the template, preceded by the lines of the templates that include it.
"""

from __future__ import annotations

import dataclasses
import linecache
import os
import pathlib
import site
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FrameType, ModuleType, TracebackType
from typing import Any

from tornado.template._errors import places_of
from tornado.template._traceback import TemplateLine, template_lines, template_variables
from tornado.web._debug._source import SourceLine, Span, lines_around, python_span
from tornado.web._debug._value_repr import ValueFormatter

# In a long traceback, such as that of a deep recursion, only the first and last frames are shown.
_FRAMES_AT_EACH_END = 20
# The maximum number of frames shown with source and variables; others are shown with the failing line only.
_MAX_DETAILED_FRAMES = 120
_MAX_VARIABLES = 40
_MAX_ERRORS = 30
_MAX_MEMBERS = 15
_MAX_MESSAGE_LENGTH = 8000
_MAX_NOTES = 20

_TORNADO = str(pathlib.Path(__file__).resolve().parents[2]) + os.sep
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


#: The name and the formatted value of a variable.
Variable = tuple[str, str]


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
    """A placeholder for consecutive frames that are not shown."""

    count: int
    kind: str = "omitted"
    file: str = ""
    path: str = ""
    line: int = 0


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
        notes = getattr(error, "__notes__", None)
        notes = notes[:_MAX_NOTES] if isinstance(notes, list) else []
        found.notes = [self.text(note, 1000) for note in notes if not _is_shown(note, found.frames)]
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

    def frames(self, trace: TracebackType | None) -> list[Frame | OmittedFrames]:
        steps: list[TracebackType] = []
        while trace is not None:
            steps.append(trace)
            trace = trace.tb_next
        skipped = len(steps) - 2 * _FRAMES_AT_EACH_END
        shown: list[TracebackType | None] = [*steps]
        if skipped > 0:
            shown = [*steps[:_FRAMES_AT_EACH_END], None, *steps[-_FRAMES_AT_EACH_END:]]
        found: list[Frame | OmittedFrames] = []
        for step in shown:
            found += [OmittedFrames(skipped)] if step is None else self.step(step, step is steps[-1])
        return found

    def step(self, step: TracebackType, is_last: bool) -> list[Frame]:
        frame = step.tb_frame
        found = [self.template_frame(each) for each in template_lines(step)]
        if found:
            variables, more = self.variables(template_variables(frame, _HANDLER_NAMES))
            return [*found[:-1], dataclasses.replace(found[-1], variables=variables, more_variables=more)]
        code = frame.f_code
        path, line = code.co_filename, step.tb_lineno
        kind = _kind_of(path)
        # A frame of a library is rarely the cause of the error, so only the line is shown.
        is_detailed = self.detailed < _MAX_DETAILED_FRAMES and (kind == "program" or is_last)
        self.detailed += is_detailed
        lines = self.python_lines(step, short=not is_detailed)
        variables, more = self.variables(_shown_variables(frame) if is_detailed else ())
        return [Frame(kind, code.co_qualname, _shorten_path(path), path, line, lines, variables, more)]

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
            (name[:100], self.values.show_named(name, value, variable=True))
            for name, value in everything[:_MAX_VARIABLES]
        ]
        return shown, len(everything) - len(shown)

    def template_frame(self, found: TemplateLine) -> Frame:
        span = Span(found.line, found.line, *(found.columns or (None, None)))
        lines = lines_around(found.source.split("\n"), span, self.secrets)
        function = "includes the next template" if found.is_include else ""
        return Frame("template", function, found.template, found.path, found.line, lines)

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
    shown = tuple(f"in template {each.file}, line {each.line}" for each in frames if each.kind == "template")
    return isinstance(note, str) and note.startswith(shown)


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
