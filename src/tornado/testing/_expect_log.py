"""Log records that are part of a test."""

from __future__ import annotations

import logging
import re
import warnings
from types import TracebackType

from tornado.log import app_log


class ExpectLog(logging.Filter):
    """Expect a log record in a ``with`` block, and keep it from being shown.

    :arg logger: the logger or its name; ``""`` for the root logger. It must be the one that is logged
        to, since a filter does not see the records of loggers below.
    :arg regex: a pattern that the start of the message matches.
    :arg required: raise an error at the end of the block if no record has come.
    :arg level: a level of `logging` that the record must have. The logger is set to let it through.
        Without it a record of any level is taken; one of INFO or less is deprecated.

    In the block and after it, ``matched`` tells whether a record has come, and ``logged_stack`` whether
    one of them, expected or not, had a traceback.
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
        #: The logger's own level, to be set again at the end; None where it was left alone.
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be shown: it is not the one expected."""
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
            return  # the block's own error says more
        if self.required and not self.matched:
            raise Exception(
                f"did not get expected log message: nothing on logger {self.logger.name!r} "
                f"matched {self.regex.pattern!r}"
            )
        if self.deprecated_level_matched:
            warnings.warn(
                "ExpectLog matched a record of INFO or below; say so by level=logging.INFO",
                DeprecationWarning,
                stacklevel=2,
            )
