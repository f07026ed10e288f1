"""The signals of the supervisor, as a queue that its loop reads.

A Python signal handler could run between any two lines of the supervisor. Here a handler does nothing: the
interpreter writes the number of the signal to a socket (`signal.set_wakeup_fd`), which wakes the loop.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: The signals that the supervisor handles. SIGQUIT ends it at once.
HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCHLD,
)


class SignalQueue:
    """The signals that have arrived. Blocked signals, for example during a fork, are not lost."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._previous: dict[int, Any] = {}
        #: The signals that cannot be handled yet.
        self._deferred: set[int] = set()

    def fileno(self) -> int:
        """Return a descriptor that is readable when a signal has arrived."""
        return self._receiver.fileno()

    def install(self) -> None:
        """Handle the signals, and unblock them: a program that replaced itself started with them blocked."""
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            self._previous[number] = signal.signal(number, _ignore)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def read(self) -> list[int]:
        """Return the numbers of the signals that have arrived."""
        try:
            return list(self._receiver.recv(4096))
        except BlockingIOError:
            return []

    def defer(self, number: int) -> None:
        """Keep a signal until `resume`. As with blocked signals, several of one kind count as one."""
        self._deferred.add(number)

    def resume(self) -> None:
        """Let `read` return the signals that were deferred."""
        if self._deferred:
            self._sender.send(bytes(sorted(self._deferred)))
            self._deferred.clear()

    def hand_over(self) -> None:
        """Block the signals, and keep those that have not been handled pending for the next program.

        Without this, a signal that arrives between the last `read` and ``exec`` would be lost.
        """
        block()
        self.resume()
        for number in set(self.read()) - {signal.SIGCHLD}:
            os.kill(os.getpid(), number)

    def restore(self) -> None:
        """Restore the previous handlers and close the sockets."""
        signal.set_wakeup_fd(-1)
        for number, previous in self._previous.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
        self._receiver.close()
        self._sender.close()


def block() -> None:
    """Block the signals, before a fork or ``exec``; they stay pending."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)


def unblock() -> None:
    """Undo `block`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing, so that the signal is not fatal. Child processes would inherit an ignored signal."""


__all__ = ["HANDLED", "SignalQueue", "block", "unblock"]
