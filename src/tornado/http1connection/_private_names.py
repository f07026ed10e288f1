"""Private classes of upstream that programs import or name in an ``except`` clause (OctoPrint does both)."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Any

from tornado.http1connection._decompress import GzipMessageDelegate
from tornado.http1connection._parameters import HTTP1ConnectionParameters
from tornado.httputil import HTTPMessageDelegate


class _QuietException(Exception):
    """An error that was logged already. Nothing here raises it, except `_ExceptionLoggingContext`."""


class _ExceptionLoggingContext:
    """Logs an exception that leaves its ``with`` block, and raises `_QuietException` instead."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if isinstance(value, Exception) and not isinstance(value, _QuietException):
            self.logger.error("Uncaught exception", exc_info=value)
            raise _QuietException from value


class _WithoutLimits:
    """Stands in for an exchange, because the delegate of a program belongs to none."""

    def __init__(self, chunk_size: int) -> None:
        self.params = HTTP1ConnectionParameters(chunk_size=chunk_size)

    def body_limit(self) -> int:
        return sys.maxsize


class _GzipMessageDelegate(GzipMessageDelegate):
    """Decompresses a body for another delegate, in pieces of at most ``chunk_size`` bytes.

    The server itself uses the base class, which has the connection's limits.
    """

    def __init__(self, delegate: HTTPMessageDelegate, chunk_size: int) -> None:
        exchange: Any = _WithoutLimits(chunk_size)
        super().__init__(delegate, exchange)
