"""Source lines around a place, with the part marked that the error is about."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import CodeType

from tornado.web._debug._redaction import Redactor

_AROUND = 5
# Of a statement that spans lines.
_MOST_STATEMENT_LINES = 10
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source.

    `hit` says that it is the line, or one of those, where the error happened; `mark` is the part of it, as
    columns, or None.
    """

    number: int
    text: str
    hit: bool = False
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a source: lines from 1, columns from 0; without columns the lines as a whole."""

    first: int
    last: int
    start: int | None = None
    end: int | None = None

    def is_block(self, lines: list[str]) -> bool:
        """Whether it is a compound statement with its body: then its first line says where."""
        return self.last > self.first and lines[self.first - 1].rstrip().endswith(":")


def lines_around(lines: list[str], span: Span, secrets: Redactor, function_line: int = 0) -> list[SourceLine]:
    """The lines around a place, without the indentation that all of them share.

    :param function_line: where the function begins that the place is in; what is outside of it is left out.
    """
    if not 0 < span.first <= len(lines):
        return []
    if span.is_block(lines):
        span = Span(span.first, span.first)
    last = min(span.last, span.first + _MOST_STATEMENT_LINES, len(lines))
    numbers = range(max(1, span.first - _AROUND), min(len(lines), last + _AROUND) + 1)
    if 0 < function_line <= span.first:
        numbers = _within(lines, numbers, function_line, last)
    # Blank lines at the edges say nothing.
    while len(numbers) > 1 and numbers[0] < span.first and not lines[numbers[0] - 1].strip():
        numbers = numbers[1:]
    while len(numbers) > 1 and numbers[-1] > last and not lines[numbers[-1] - 1].strip():
        numbers = numbers[:-1]
    texts = [lines[number - 1].rstrip("\r\n") for number in numbers]
    shared = min((_margin(text) for text in texts if text.strip()), default=0)
    return [
        _line(number, text, masked, shared, _mark(number, text, span), span.first <= number <= last)
        for number, text, masked in zip(numbers, texts, secrets.mask_lines(texts), strict=True)
    ]


def _within(lines: list[str], numbers: range, function_line: int, last: int) -> range:
    """Those of the lines that belong to the function."""
    margin = _margin(lines[function_line - 1])
    end = next(
        (
            number
            for number in range(last + 1, numbers.stop)
            if lines[number - 1].strip() and _margin(lines[number - 1]) <= margin
        ),
        numbers.stop,
    )
    return range(max(numbers.start, function_line), end)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line(
    number: int, text: str, masked: str, shared: int, mark: tuple[int, int] | None, hit: bool
) -> SourceLine:
    shown = text[shared : shared + _LONGEST_LINE]
    if masked != text:
        # The columns are others now; what was masked may begin in the margin.
        masked = masked[shared:] if not masked[:shared].strip() else masked
        return SourceLine(number, masked[:_LONGEST_LINE], hit)
    if mark is not None:
        start, end = max(0, mark[0] - shared), min(len(shown), mark[1] - shared)
        mark = (start, end) if start < end else None
    return SourceLine(number, shown, hit, mark)


def _mark(number: int, text: str, span: Span) -> tuple[int, int] | None:
    """The columns of a line that belong to the span; None where that is all of the line, or none of it."""
    if span.start is None or span.end is None or not span.first <= number <= span.last:
        return None
    margin = _margin(text)
    start = span.start if number == span.first else margin
    end = span.end if number == span.last else len(text.rstrip())
    if span.first == span.last and (start, end) == (margin, len(text.rstrip())):
        return None
    return (start, end) if start < end else None


def python_span(code: CodeType, instruction: int, line: int, lines: list[str]) -> Span:
    """The part of the source that an instruction was compiled from (PEP 657).

    :param instruction: its offset, as a traceback gives it.
    :param lines: of the file, to turn columns in bytes into columns in characters.
    """
    positions = next(itertools.islice(code.co_positions(), max(0, instruction) // 2, None), None)
    if positions is None:
        return Span(line, line)
    first, last, start, end = positions
    if first is None or last is None or start is None or end is None:
        return Span(line, line)
    if not 0 < first <= last <= len(lines):
        return Span(line, line)
    return Span(first, last, _column(lines[first - 1], start), _column(lines[last - 1], end))


def _column(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode("utf-8", "replace"))
