"""`Progress`: counts the body bytes of one hop and reports them to a ``progress_callback``."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from tornado.httpclient import TransferProgress
from tornado.log import app_log

__all__ = ["Progress"]


class Progress:
    """The progress of one hop.

    :param callback: called with a `.TransferProgress`; an exception is logged.
    :param context: the context in which the callback runs; None for a copy of the current context.
    :param send_total: the size of the request's body in bytes, or None if it is not known.

    :ivar receive_total: the size of the response's body in bytes, or None if it is not known.
    """

    __slots__ = ("_callback", "_context", "_received", "_send_total", "_sent", "receive_total")

    def __init__(
        self,
        callback: Callable[[TransferProgress], Any],
        context: contextvars.Context | None,
        send_total: int | None,
    ) -> None:
        self._callback = callback
        # The context is copied, because the body's source may be running in the original during a call, and a
        # context cannot be entered twice.
        self._context = contextvars.copy_context() if context is None else context.copy()
        self._send_total = send_total
        self._sent = self._received = 0
        self.receive_total: int | None = None

    def add_sent(self, size: int) -> None:
        """Count bytes of the request's body."""
        self._sent += size
        self._report()

    def add_received(self, size: int) -> None:
        """Count bytes of the response's body."""
        self._received += size
        self._report()

    def _report(self) -> None:
        progress = TransferProgress(self._sent, self._send_total, self._received, self.receive_total)
        try:
            self._context.run(self._callback, progress)
        except Exception:
            app_log.exception("Uncaught exception in a progress_callback")
