"""The children of `tornado.process.fork_processes`: their exits, the signals to their parent, and its death.

The parent blocks the signals that it handles, and waits for them with ``sigtimedwait``. It learns from the
signal whether a terminal has sent it: the terminal signals the children, too. A signal for which the program
has set its own handler is not blocked, so that handler is called. On platforms without ``sigtimedwait``
(macOS), signals have their usual effect, and exits are found by polling.

Children end when their parent is killed. Each child has the read end of a pipe, whose write end only the
parent has; the kernel sends SIGTERM to the child when that end is closed (``O_ASYNC`` and ``F_SETSIG``). The
program can handle the signal like any other SIGTERM. This needs neither a thread in the child nor ``prctl``,
which Python can only call through ctypes, and whose signal depends on the thread that has forked.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import NoReturn

from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: Seconds between two checks for exited children if SIGCHLD cannot be awaited.
_POLL_INTERVAL = 0.05
#: Maximum time to wait for a signal, in seconds.
_MAX_WAIT = 60.0
#: Seconds in which children exit that have received the same SIGINT as their parent. Only those that still
#: run afterwards receive it from their parent, because a second SIGINT would interrupt their cleanup.
_INTERRUPT_TIME = 0.25
_SI_KERNEL = 0x80  # the ``si_code`` of a signal that a terminal sends


def fork_process() -> int:
    """Fork the process, like `os.fork`.

    Python warns in the parent if the process has several threads (from 3.12 on). If the program has turned
    this warning into an exception, the child is ended, because the caller does not get its process ID.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pid = os.fork()
    if pid != 0:
        try:
            for each in caught:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        except Warning:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    return pid


class ForkedChildren:
    """The child processes that are running, and the signals that the parent has received.

    :ivar numbers: the number of each child by its process ID.
    :ivar stop_signal: the signal that has told the program to end, or None.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.stop_signal: int | None = None
        #: The write end of the pipe of each child.
        self._lifelines: dict[int, int] = {}
        self._awaited: set[int] = set()
        self._mask_before: set[int] = set()
        self._forward_time = 0.0
        self._failures = 0

    # -- signals --

    def block_signals(self) -> None:
        """Block the signals that `wait` receives."""
        if sys.platform == "linux":
            defaults = {
                signal.SIGCHLD: signal.SIG_DFL,
                signal.SIGTERM: signal.SIG_DFL,
                signal.SIGINT: signal.default_int_handler,
            }
            self._awaited = {each for each, default in defaults.items() if signal.getsignal(each) is default}
        self._mask_before = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._awaited))

    def restore_signals(self) -> None:
        """Undo `block_signals`."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)

    def wait(self) -> None:
        """Wait until a child may have exited, and forward the signals that tell the program to end.

        The first signal is forwarded to the children; at the second one they are killed.
        """
        if sys.platform != "linux" or not self._awaited:
            time.sleep(_POLL_INTERVAL)
            return
        seconds = _MAX_WAIT if signal.SIGCHLD in self._awaited else _POLL_INTERVAL
        if self._forward_time:
            seconds = min(seconds, max(0.0, self._forward_time - time.monotonic()))
        info = signal.sigtimedwait(self._awaited, seconds)
        if info is not None and info.si_signo != signal.SIGCHLD:
            self._stop(info.si_signo, info.si_code == _SI_KERNEL)
        if self._forward_time and time.monotonic() >= self._forward_time:
            self._forward_time = 0.0
            self.send(signal.SIGINT)

    def _stop(self, number: int, from_terminal: bool) -> None:
        if self.stop_signal is not None:
            gen_log.warning("second signal (%d): children killed: %d", number, len(self.numbers))
            self.send(signal.SIGKILL)
            return
        self.stop_signal = number
        gen_log.info("signal %d: waiting for %d children to exit", number, len(self.numbers))
        if number != signal.SIGINT:
            self.send(number)
        elif not from_terminal:
            self._forward_time = time.monotonic() + _INTERRUPT_TIME

    def send(self, number: int) -> None:
        """Send a signal to all children."""
        for pid in self.numbers:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    # -- children --

    def fork(self, number: int) -> bool:
        """Fork a child. Return True in the child, with the signals as before `block_signals`.

        :param number: the number of the child.
        """
        readable, writable = os.pipe()
        # Signals are blocked: they could be lost in an `os.register_at_fork` hook, or arrive before the child
        # is recorded.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            pid = fork_process()
            if pid:
                os.close(readable)
                self.numbers[pid] = number
                self._lifelines[pid] = writable
            else:
                before = self._mask_before
                for descriptor in (writable, *self._lifelines.values()):
                    os.close(descriptor)
                _terminate_at_end_of(readable)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid == 0

    def exited(self) -> Iterator[tuple[int, int, int]]:
        """Yield the process ID, the number and the exit code of each child that has exited. Other children
        of the process, and as PID 1 those of any process, are only reaped.
        """
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:  # the program reaps them itself, or ignores SIGCHLD
                self._forget(list(self.numbers))
                return
            if not pid:
                return
            number = self.numbers.get(pid)
            if number is None:
                continue
            self._forget([pid])
            code = os.waitstatus_to_exitcode(status)
            self._failures += self.stop_signal is not None and code != 0
            yield pid, number, code

    def _forget(self, pids: Iterable[int]) -> None:
        for pid in pids:
            del self.numbers[pid]
            os.close(self._lifelines.pop(pid))

    def exit(self) -> NoReturn:
        """End the parent after all children have exited, as the signal would have ended it without children.

        After SIGTERM, the status is 0 if all children have ended with status 0.
        """
        self.restore_signals()
        if self.stop_signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.stop_signal is None or not self._failures:
            sys.exit(0)
        os.kill(os.getpid(), self.stop_signal)  # the signal has its default action
        sys.exit(128 + self.stop_signal)  # as PID 1, which the kernel does not kill by default


def _terminate_at_end_of(descriptor: int) -> None:
    """Let the kernel send SIGTERM to this process when all write ends of a pipe are closed."""
    if sys.platform != "linux":
        return  # other platforms have no F_SETSIG
    import fcntl

    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return  # a sandbox
    if select.select([descriptor], [], [], 0)[0]:  # the parent was killed before this
        os.kill(os.getpid(), signal.SIGTERM)
