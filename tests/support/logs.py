"""No log record of WARNING or above goes unnoticed in a test."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

#: Loggers that are watched beside the root logger, since a test may stop their propagation.
WATCHED = ("tornado", "tornado.access", "tornado.application", "tornado.general", "asyncio")


class LogWatch(logging.Handler):
    """Collects the records that a test did not say it expects."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.stray: list[logging.LogRecord] = []
        self._expected: list[Expectation] = []
        self._last: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Sort one record; the same one arrives again through each watched ancestor."""
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
        """Allow records of ``logger`` and its children whose message contains a match of ``pattern``.

        The block fails when none arrives, unless ``required`` is false. The records are in ``.records``
        of what the block is given.
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
        """The stray records, one a line."""
        return "\n".join(
            f"{record.levelname} {record.name}: {record.getMessage()}"
            + (f"\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else "")
            for record in self.stray
        )


class Expectation:
    """One ``expect``: what it waits for and the records that came."""

    def __init__(self, logger: str, pattern: re.Pattern[str]) -> None:
        self.logger = logger
        self.pattern = pattern
        self.records: list[logging.LogRecord] = []

    def matches(self, record: logging.LogRecord) -> bool:
        """Whether this record is one that was expected."""
        named = record.name == self.logger or record.name.startswith(self.logger + ".") or not self.logger
        return named and self.pattern.search(record.getMessage()) is not None


@contextmanager
def watched_logs() -> Iterator[LogWatch]:
    """Attach a :class:`LogWatch` for the block, and leave loggers as they were."""
    watch = LogWatch()
    loggers = [logging.getLogger(), *map(logging.getLogger, WATCHED)]
    for logger in loggers:
        logger.addHandler(watch)
    try:
        yield watch
    finally:
        for logger in loggers:
            logger.removeHandler(watch)
