"""Excerpts of source code, with the failing part marked."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType

from tornado.template._traceback import code_position
from tornado.web._redaction._redactor import Redactor

# The number of lines shown before and after the failing one.
_CONTEXT_LINES = 5
# The maximum number of lines of a multi-line statement.
_MAX_STATEMENT_LINES = 10
_MAX_LINE_LENGTH = 400


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source code.

    :ivar hit: whether the line belongs to the failing statement.
    :ivar mark: the first and last column of the failing part, or None.
    """

    number: int
    text: str
    hit: bool = False
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A range of source code: lines counted from 1, columns from 0. Without columns it covers whole lines."""

    first: int
    last: int
    start: int | None = None
    end: int | None = None

    def is_block(self, lines: list[str]) -> bool:
        """Whether the span is a compound statement and its body, so that only its first line is relevant."""
        return self.last > self.first and lines[self.first - 1].rstrip().endswith(":")


def lines_around(lines: list[str], span: Span, secrets: Redactor, function_line: int = 0) -> list[SourceLine]:
    """Return the lines around a span, without their common indentation.

    :param function_line: the first line of the function that contains the span. Lines outside the function
        are left out.
    """
    if not 0 < span.first <= len(lines):
        return []
    if span.is_block(lines):
        span = Span(span.first, span.first)
    last = min(span.last, span.first + _MAX_STATEMENT_LINES, len(lines))
    numbers = range(max(1, span.first - _CONTEXT_LINES), min(len(lines), last + _CONTEXT_LINES) + 1)
    if 0 < function_line <= span.first:
        numbers = _within(lines, numbers, function_line, last)
    while len(numbers) > 1 and numbers[0] < span.first and not lines[numbers[0] - 1].strip():
        numbers = numbers[1:]
    while len(numbers) > 1 and numbers[-1] > last and not lines[numbers[-1] - 1].strip():
        numbers = numbers[:-1]
    texts = [lines[number - 1].rstrip("\r\n") for number in numbers]
    shared = min((_indentation(text) for text in texts if text.strip()), default=0)
    return [
        _line(number, text, masked, shared, _mark(number, text, span), span.first <= number <= last)
        for number, text, masked in zip(numbers, texts, secrets.mask_lines(texts), strict=True)
    ]


def _within(lines: list[str], numbers: range, function_line: int, last: int) -> range:
    """Restrict a range of lines to those of the function."""
    indentation = _indentation(lines[function_line - 1])
    end = next(
        (
            number
            for number in range(last + 1, numbers.stop)
            if lines[number - 1].strip() and _indentation(lines[number - 1]) <= indentation
        ),
        numbers.stop,
    )
    return range(max(numbers.start, function_line), end)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line(
    number: int, text: str, masked: str, shared: int, mark: tuple[int, int] | None, hit: bool
) -> SourceLine:
    shown = text[shared : shared + _MAX_LINE_LENGTH]
    if masked != text:
        # Masking changes the columns, and the mask may begin within the indentation.
        masked = masked[shared:] if not masked[:shared].strip() else masked
        return SourceLine(number, masked[:_MAX_LINE_LENGTH], hit)
    if mark is not None:
        start, end = max(0, mark[0] - shared), min(len(shown), mark[1] - shared)
        mark = (start, end) if start < end else None
    return SourceLine(number, shown, hit, mark)


def _mark(number: int, text: str, span: Span) -> tuple[int, int] | None:
    """Return the columns of a line that belong to the span, or None if all or none of them do."""
    if span.start is None or span.end is None or not span.first <= number <= span.last:
        return None
    indentation = _indentation(text)
    start = span.start if number == span.first else indentation
    end = span.end if number == span.last else len(text.rstrip())
    if span.first == span.last and (start, end) == (indentation, len(text.rstrip())):
        return None
    return (start, end) if start < end else None


def python_span(code: CodeType, instruction: int, line: int, lines: list[str]) -> Span:
    """Return the span of the source that an instruction was compiled from; see `code_position`."""
    position = code_position(code, instruction, lines)
    return Span(line, line) if position is None else Span(*position)
