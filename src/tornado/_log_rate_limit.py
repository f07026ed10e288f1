"""Limits for log lines, so that neither an attack nor a mistake in a program fills the disk.

* `LogRateLimit`, for lines that peers can cause. When lines have been suppressed, the next line of the same
  kind states how many there were.
* `LogOnce`, for warnings about mistakes in a program: each kind is logged once for each class of the program.
* `de_dupe_gen_log`, for warnings about settings: each text is logged once.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary

from tornado.log import gen_log

__all__ = ["INTERVAL", "LogOnce", "LogRateLimit", "de_dupe_gen_log"]

#: Length of the interval to which the limit applies, in seconds.
INTERVAL = 1.0

#: Held while lines are counted, because all threads log. It is reentrant, because a finalizer may log, too.
_lock = threading.RLock()


def _after_fork() -> None:
    """Replace the lock, because a thread that does not exist in the child process may have held it."""
    global _lock
    _lock = threading.RLock()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):  # Pyodide and WASI do not have it
    os.register_at_fork(after_in_child=_after_fork)


class LogRateLimit:
    """A logger with a rate limit for each kind of line.

    Kinds are stored for the lifetime of the object, so they must be constants in the program, never data from
    a peer.

    :param logger: the logger to write to.
    :param burst: the maximum number of lines per second for each kind.
    """

    __slots__ = ("_burst", "_logger", "_next", "_suppressed", "_written")

    def __init__(self, logger: logging.Logger, burst: int = 1) -> None:
        self._logger = logger
        self._burst = burst
        self._next: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._suppressed: dict[str, int] = {}

    def log(self, kind: str, level: int, message: str, *args: object) -> None:
        """Log ``message % args`` unless the limit for this kind has been reached."""
        if not self._logger.isEnabledFor(level):
            return
        suppressed = self.admit(kind)
        if suppressed is None:
            return
        if suppressed:
            message += " (and %d more since the last such line)"
            args = (*args, suppressed)
        self._logger.log(level, message, *args)

    def admit(self, kind: str) -> int | None:
        """Count a line of this kind, which the caller then writes itself if it is admitted.

        :returns: the number of lines suppressed since the previous admitted line; None if this line must be
            suppressed too.
        """
        now = time.monotonic()
        with _lock:
            if now >= self._next.get(kind, now):
                self._next[kind] = now + INTERVAL
                self._written[kind] = 0
            if self._written[kind] >= self._burst:
                self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
                return None
            self._written[kind] += 1
            return self._suppressed.pop(kind, 0)


class LogOnce:
    """A logger that writes each kind of line once for each owner.

    :param logger: the logger to write to.
    """

    __slots__ = ("_logged", "_logger")

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logged: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()

    def log(
        self, owner: Any, kind: str, level: int, message: str, *args: object, repeat: bool = False
    ) -> None:
        """Log ``message % args``, unless a line of this kind has been logged for `owner`.

        :param owner: an object that can be weakly referenced, such as a class.
        :param kind: a constant string; it is stored as long as `owner` exists.
        :param repeat: whether to log the line in any case.
        """
        with _lock:
            logged = self._logged.setdefault(owner, set())
            is_new = kind not in logged
            logged.add(kind)
        if is_new or repeat:
            self._logger.log(level, message, *args)


@functools.lru_cache(maxsize=256)
def de_dupe_gen_log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Log a record to ``tornado.general``, unless an identical one was logged before.

    The last 256 records are compared. `tornado.websocket` exports this function.

    :param level: a level of `logging`.
    :param args: the arguments of `msg`, which must be hashable.
    """
    gen_log.log(level, msg, *args, **kwargs)
