"""Restarts of a program within the same process, including programs with forked children.

`execute` restarts the process with its original command line, including the interpreter's options
(``sys.orig_argv``), and passes the listening sockets on (`netutil._socket_inheritance`). `tornado.autoreload`
decides when to restart.

In a program with several processes (`fork_processes <tornado.process.fork_processes>`), the parent restarts,
so that the process ID of the program stays the same, and forks new children. Any child can request a restart
with `ProgramProcesses.request_restart`. All processes of the group see the request: each child finishes its
work and exits; when all children have exited, the parent calls `execute`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from tornado import ioloop
from tornado.log import gen_log
from tornado.netutil import _socket_inheritance

#: Time in seconds after the first loop is created during which a restarted program counts as starting.
SETTLING = 5.0
# Time in seconds that children have to exit after the requested time has passed, before they receive SIGTERM;
# also the time between SIGTERM and SIGKILL.
_GRACE_PERIOD = 5.0
_POLL_INTERVAL = 0.01
_MAX_REQUEST_SIZE = 65_536

#: Called without arguments before a restart, and in a child before it exits.
hooks: list[Callable[[], object]] = []
#: The process group of this process, in a child of `fork_processes` and in its parent.
group: ProgramProcesses | None = None

#: The approximate start time of this program, in nanoseconds as in `time.time_ns`.
started = time.time_ns()
_starting = False
_directory: str | None = None


def command() -> list[str]:
    """Return the command line of this process, with the full path of the interpreter."""
    return [sys.executable, *(sys.orig_argv[1:] or sys.argv)]


def execute(words: Mapping[str, Any]) -> None:
    """Replace this program with a new instance of itself. If that fails, log the error and return.

    :param words: values for the new program, which reads them with `inherited`.

    Windows has no ``exec``: there the new program is a child process, and this process exits when the child
    does. Sockets are not passed on to it.
    """
    arguments = command()
    _cancel_timers()
    flush()
    if sys.platform == "win32":
        os._exit(subprocess.Popen(arguments).wait())
    changed = _restore_directory()
    try:
        with _socket_inheritance.pass_on_sockets(words):
            os.execv(arguments[0], arguments)
    except OSError as error:
        gen_log.error("cannot restart %s: %s; restart it manually", arguments[0], error)
    if changed is not None:
        os.chdir(changed)


def inherited(name: str) -> Any:
    """Return the value ``name`` that the previous program in this process passed to `execute`, or None."""
    return None if _socket_inheritance.message is None else _socket_inheritance.message.get(name)


def run_hooks() -> None:
    """Call the reload hooks. An exception raised by a hook is logged, and the other hooks are called."""
    for hook in hooks:
        try:
            hook()
        except Exception:
            gen_log.exception("reload hook failed: %r", hook)


def leave() -> None:
    """Exit a child of a group that is restarting. As with ``exec``, no clean-up functions run."""
    flush()
    os._exit(0)


def flush() -> None:
    """Flush standard output and standard error, because their buffers would otherwise be lost."""
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (AttributeError, ValueError, OSError):
            pass  # the stream is missing or closed


def _cancel_timers() -> None:
    if hasattr(signal, "setitimer"):
        # Interval timers survive exec. Their signal would kill the new program before it installs a handler.
        signal.setitimer(signal.ITIMER_REAL, 0, 0)


def _restore_directory() -> str | None:
    """Change to the original directory, to which relative names on the command line refer.

    :returns: the current directory before the change, or None if it was not changed.
    """
    try:
        here = os.getcwd()
        if _directory is None or here == _directory:
            return None
        os.chdir(_directory)
    except OSError:
        return None
    return here


class ProgramProcesses:
    """The processes of one program. Created before the fork; each process has a copy.

    :param children: a mapping whose keys are the IDs of the child processes that are still running. The
        parent updates it.
    """

    def __init__(self, children: Mapping[int, object]) -> None:
        self._children = children
        # The request remains in the socket unread, so that each process can see it.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def request_restart(self, grace_period: float, words: Mapping[str, Any]) -> None:
        """Request a restart of all processes of the program.

        :param grace_period: time in seconds that each process may need to finish its work.
        :param words: values for `execute`.
        """
        if self.pending_request() is None:
            try:
                self._sender.send(
                    json.dumps({"patience": grace_period, "words": dict(words)}).encode() + b"\n"
                )
            except OSError:
                pass  # there is already a request, or the parent has exited, so that a restart is impossible

    def pending_request(self) -> dict[str, Any] | None:
        """Return the request for a restart, or None."""
        try:
            line = self._receiver.recv(_MAX_REQUEST_SIZE, socket.MSG_PEEK).partition(b"\n")[0]
        except OSError:
            return None
        try:
            request: dict[str, Any] = json.loads(line)
        except ValueError:  # the request was truncated
            return {"patience": 0.0, "words": {}}
        return request

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when a restart is requested."""
        return self._receiver.fileno()

    def wait(self, seconds: float) -> bool:
        """Wait at most the given time, in seconds, for a request. Return whether a request exists."""
        return bool(select.select([self._receiver], [], [], seconds)[0])

    def close(self) -> None:
        """Close the sockets. Call this when all children have exited."""
        self._receiver.close()
        self._sender.close()

    def replace(self) -> None:
        """Wait in the parent until all children have exited, then restart the program.

        This method returns only if the restart fails.
        """
        request = self.pending_request() or {"patience": 0.0, "words": {}}
        terminate(self._children, "delays the restart", float(request["patience"]) + _GRACE_PERIOD)
        run_hooks()
        execute(request["words"])


def terminate(children: Iterable[int], reason: str, grace_period: float = 0.0) -> None:
    """Terminate child processes with SIGTERM, and with SIGKILL if they do not exit in time.

    :param children: the process IDs.
    :param reason: the reason that is logged; it follows the words "child (pid N)".
    :param grace_period: time in seconds that the children have to exit before SIGTERM. Ctrl-C ends it early;
        the KeyboardInterrupt is raised when the children have exited.
    """
    remaining = set(children)
    try:
        _wait_for(remaining, grace_period)
    finally:
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            for pid in remaining:
                gen_log.warning("child (pid %d) %s: signal %d", pid, reason, number)
                _kill(pid, number)
            _wait_for(remaining, _GRACE_PERIOD)


def _wait_for(children: set[int], seconds: float) -> None:
    """Wait for the exit of `children`, and remove those that have exited from the set."""
    deadline = time.monotonic() + seconds
    while children:
        for pid in list(children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                children.discard(pid)
        if not children or time.monotonic() > deadline:
            return
        time.sleep(_POLL_INTERVAL)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# -- the start of a restarted program --


class StartupExceptHook:
    """An exception hook for the start of the program. If the start fails, the process does not exit: it keeps
    its listening sockets and waits until a source file changes.
    """

    def __init__(self) -> None:
        self._before = sys.excepthook

    def __call__(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """Show an uncaught exception. If the program is still starting, wait for a change of the source."""
        self._before(kind, error, traceback)
        if _starting and isinstance(error, Exception):
            from tornado.autoreload import _command

            _command.wait_for_correction(error)


def _initialize() -> None:
    global _starting, _directory
    try:
        _directory = os.getcwd()
    except OSError:
        _directory = None  # the directory has been removed
    if _socket_inheritance.message is not None:
        _starting = True
        sys.excepthook = StartupExceptHook()
        ioloop.new_loop_callbacks.append(_settle_later)


def _settle_later(loop: ioloop.IOLoop) -> None:
    if _starting:
        loop.call_later(SETTLING, settle)


def settle() -> None:
    """Mark the program as running, and close inherited sockets that it has not used."""
    global _starting
    _starting = False
    _socket_inheritance.release()


_initialize()
