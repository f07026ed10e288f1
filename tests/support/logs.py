"""Detect unexpected log records of level WARNING or above in tests."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

#: Loggers to watch in addition to the root logger, because a test may disable their propagation.
WATCHED = ("tornado", "tornado.access", "tornado.application", "tornado.general", "asyncio")


class LogWatch(logging.Handler):
    """A handler that collects the unexpected records of a test."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.stray: list[logging.LogRecord] = []
        self._expected: list[Expectation] = []
        self._last: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Handle a record. The same record arrives again through each watched ancestor of its logger."""
        if record is self._last:
            return
        self._last = record
        for expectation in reversed(self._expected):
            if expectation.matches(record):
                expectation.records.append(record)
                return
        self.stray.append(record)

    @contextmanager
    def expect(self, logger: str, pattern: str, *, required: bool = True) -> Iterator[Expectation]:
        """Expect records of ``logger`` and its children whose message contains a match of ``pattern``.

        The value of the ``with`` statement has the records in ``.records``.

        :param required: whether the block fails if there is no such record.
        """
        expectation = Expectation(logger, re.compile(pattern))
        self._expected.append(expectation)
        try:
            yield expectation
        finally:
            self._expected.remove(expectation)
        if required and not expectation.records:
            raise AssertionError(f"no record of {logger!r} matches {pattern!r}; others: {self.describe()}")

    def describe(self) -> str:
        """Format the unexpected records, one per line."""
        return "\n".join(
            f"{record.levelname} {record.name}: {record.getMessage()}"
            + (f"\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else "")
            for record in self.stray
        )


class Expectation:
    """A call of ``expect``: the logger, the pattern and the matching records."""

    def __init__(self, logger: str, pattern: re.Pattern[str]) -> None:
        self.logger = logger
        self.pattern = pattern
        self.records: list[logging.LogRecord] = []

    def matches(self, record: logging.LogRecord) -> bool:
        """Whether a record is expected."""
        named = record.name == self.logger or record.name.startswith(self.logger + ".") or not self.logger
        return named and self.pattern.search(record.getMessage()) is not None


@contextmanager
def watched_logs() -> Iterator[LogWatch]:
    """Attach a `LogWatch` to the watched loggers for the block."""
    watch = LogWatch()
    loggers = [logging.getLogger(), *map(logging.getLogger, WATCHED)]
    for logger in loggers:
        logger.addHandler(watch)
    try:
        yield watch
    finally:
        for logger in loggers:
            logger.removeHandler(watch)
