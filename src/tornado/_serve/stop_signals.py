"""SIGTERM, SIGINT and Windows' SIGBREAK: the first one drains, a second one ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from tornado import _process_replacement

#: The status of a process that a signal has ended, as shells report it: 128 and the signal's number.
STATUS_BASE = 128
_SIGNALS = [signal.SIGTERM, signal.SIGINT]
if sys.platform == "win32":
    # The only signal that another process can send to a process group of its own: CTRL_BREAK_EVENT.
    _SIGNALS.append(signal.SIGBREAK)
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class StopSignals:
    """A context manager that handles the signals while its block runs.

    Handlers that the program has set, and ignored signals, stay as they are. Outside of the main thread it
    does nothing. The handlers are Python's own, not those of the event loop, so that a second signal ends the
    process even if a handler blocks the loop.

    :param stop: called at the first signal, between any two instructions of the main thread.
    :param before_exit: called before a second signal ends the process.
    """

    def __init__(self, stop: Callable[[], object], before_exit: Callable[[], object]) -> None:
        self._stop = stop
        self._before_exit = before_exit
        self._previous: dict[int, Any] = {}
        self._received = False

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) in _DEFAULTS:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            try:
                self._before_exit()
                _process_replacement.flush()
            finally:
                # Restoring the default action would not end a container's first process.
                os._exit(STATUS_BASE + number)
        self._received = True
        self._stop()


__all__ = ["STATUS_BASE", "StopSignals"]
