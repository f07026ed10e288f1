"""A context manager that checks that a log record is written."""

from __future__ import annotations

import logging
import re
import warnings
from types import TracebackType

from tornado.log import app_log


class ExpectLog(logging.Filter):
    """A context manager that checks that a log record is written in its block, and hides the record.

    :param logger: the logger or its name; ``""`` for the root logger. It must be the logger that is called,
        because a filter does not receive the records of child loggers.
    :param regex: a regular expression that must match at the start of the message.
    :param required: whether to raise an error at the end of the block if no such record was logged.
    :param level: the `logging` level that the record must have; it is enabled on the logger. If it is None, a
        record of any level is accepted, but a record at level INFO or below causes a deprecation warning.
    :ivar matched: whether an expected record was logged.
    :ivar logged_stack: whether any record, expected or not, had a traceback.
    """

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        super().__init__()
        self.logger: logging.Logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex: re.Pattern[str] = re.compile(regex)
        self.required = required
        self.level = level
        self.matched: bool = False
        self.logged_stack: bool = False
        self.deprecated_level_matched: int = 0
        #: The level of the logger, to be restored at the end; None if it was not changed.
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show a record: False for an expected record."""
        self.logged_stack = self.logged_stack or bool(record.exc_info)
        message = record.getMessage()
        if not self.regex.match(message):
            return True
        if self.level is None:
            if record.levelno <= logging.INFO:
                self.deprecated_level_matched = max(self.deprecated_level_matched, record.levelno)
        elif record.levelno != self.level:
            app_log.warning(
                "Got expected log message %r at unexpected level (%s, not %s)",
                message,
                record.levelname,
                logging.getLevelName(self.level),
            )
            return True
        self.matched = True
        return False

    def __enter__(self) -> ExpectLog:
        if self.level is not None and not self.logger.isEnabledFor(self.level):
            self.orig_level = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.logger.removeFilter(self)
        if self.orig_level is not None:
            self.logger.setLevel(self.orig_level)
            self.orig_level = None
        if typ is not None:
            return  # the exception in the block is more important
        if self.required and not self.matched:
            raise Exception(
                f"did not get expected log message: no record of logger {self.logger.name!r} "
                f"matched {self.regex.pattern!r}"
            )
        if self.deprecated_level_matched:
            warnings.warn(
                "ExpectLog matched a record at level INFO or below; pass level=logging.INFO",
                DeprecationWarning,
                stacklevel=2,
            )
