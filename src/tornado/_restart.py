"""A program that starts itself again in the same process, and the forked processes of one program.

`execute` is the restart: the command line that the process was started with, the interpreter's own flags
included (PEP 587's ``sys.orig_argv``), with the listening sockets handed over
(`netutil._socket_inheritance`). When to restart is decided elsewhere (`tornado.autoreload`).

Of a program of several processes (`fork_processes <tornado.process.fork_processes>`) the parent is the one
that restarts, so that its number stays the same; it forks its children anew. Any child may `ProcessGroup.ask`
for it. That is seen by every process of the group: each child ends its work and exits, and the parent, when
all are gone, calls `execute`.
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

#: Seconds after the first loop was made for which a program that was started again counts as starting.
SETTLING = 5.0
# Seconds that children have longer than they said they needed, before they are told to end, and then killed.
_PATIENCE = 5.0
_STEP = 0.01
_LONGEST_REQUEST = 65_536

#: Called without arguments before a restart, and in a child before its end.
hooks: list[Callable[[], object]] = []
#: The processes that this one belongs to, in a child of `fork_processes` and in its parent.
group: ProcessGroup | None = None

#: When this program was started, or nearly: nanoseconds as `time.time_ns` has them.
started = time.time_ns()
_starting = False
_directory: str | None = None


def command() -> list[str]:
    """The command line this process was started with, the interpreter by its full path."""
    return [sys.executable, *(sys.orig_argv[1:] or sys.argv)]


def execute(words: Mapping[str, Any]) -> None:
    """Replace this program by a new start of itself. It returns only where that failed, which is logged.

    :param words: for the new program: `inherited`.

    On Windows, where there is no ``exec``, the new program is a child, and this one ends with it; sockets are
    not handed over there.
    """
    arguments = command()
    _still_timers()
    flush()
    if sys.platform == "win32":
        os._exit(subprocess.Popen(arguments).wait())
    changed = _go_back()
    try:
        with _socket_inheritance.handed_over(words):
            os.execv(arguments[0], arguments)
    except OSError as error:
        gen_log.error("cannot restart %s: %s; restart it by hand", arguments[0], error)
    if changed is not None:
        os.chdir(changed)


def inherited(name: str) -> Any:
    """What the program before this one, in the same process, has given to `execute` under `name`, or None."""
    return None if _socket_inheritance.message is None else _socket_inheritance.message.get(name)


def run_hooks() -> None:
    """Call what is to be called before the end. An error there is logged and does not keep it from coming."""
    for hook in hooks:
        try:
            hook()
        except Exception:
            gen_log.exception("a reload hook failed: %r", hook)


def leave() -> None:
    """End a child of a group that is being replaced, as ``exec`` would: nothing is cleaned up."""
    flush()
    os._exit(0)


def flush() -> None:
    """Write out what the program has printed: it would be lost."""
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (AttributeError, ValueError, OSError):
            pass  # there is none, or nobody reads it


def _still_timers() -> None:
    if hasattr(signal, "setitimer"):
        # An interval timer outlives the restart, and would kill the new program before it has its handler.
        signal.setitimer(signal.ITIMER_REAL, 0, 0)


def _go_back() -> str | None:
    """Go where this module was imported, as relative names on the command line are meant from there.

    :returns: where we were, if that was elsewhere.
    """
    try:
        here = os.getcwd()
        if _directory is None or here == _directory:
            return None
        os.chdir(_directory)
    except OSError:
        return None
    return here


class ProcessGroup:
    """The processes of one program. Made before the fork; each has a copy.

    :param children: numbers of the processes that the parent has started and not yet seen the end of, as
        keys; kept up by the parent.
    """

    def __init__(self, children: Mapping[int, object]) -> None:
        self._children = children
        # A request stays in it unread, for everybody to see.
        self._seen, self._asking = socket.socketpair()
        self._seen.setblocking(False)
        self._asking.setblocking(False)

    def ask(self, patience: float, words: Mapping[str, Any]) -> None:
        """Have all processes of the program replaced.

        :param patience: seconds that each of them may need to end its work.
        :param words: for `execute`.
        """
        if self.asked() is None:
            try:
                self._asking.send(json.dumps({"patience": patience, "words": dict(words)}).encode() + b"\n")
            except OSError:
                pass  # somebody else has asked; or the parent has gone, and there is nobody to start us again

    def asked(self) -> dict[str, Any] | None:
        """What was asked for, if anything was."""
        try:
            line = self._seen.recv(_LONGEST_REQUEST, socket.MSG_PEEK).partition(b"\n")[0]
        except OSError:
            return None
        try:
            request: dict[str, Any] = json.loads(line)
        except ValueError:  # cut short
            return {"patience": 0.0, "words": {}}
        return request

    def fileno(self) -> int:
        """A descriptor that is readable from when somebody has asked."""
        return self._seen.fileno()

    def wait(self, seconds: float) -> bool:
        """Wait until somebody has asked, for so many seconds at most."""
        return bool(select.select([self._seen], [], [], seconds)[0])

    def close(self) -> None:
        """Give it up: nobody has a copy any more."""
        self._seen.close()
        self._asking.close()

    def replace(self) -> None:
        """In the parent: wait until the children have gone, and start the program again.

        It returns only where that failed.
        """
        request = self.asked() or {"patience": 0.0, "words": {}}
        end(self._children, "is in the way of the restart", float(request["patience"]) + _PATIENCE)
        run_hooks()
        execute(request["words"])


def end(children: Iterable[int], why: str, patience: float = 0.0) -> None:
    """End child processes: they are told to, and killed if they do not in time.

    :param children: their numbers.
    :param why: for the log, what follows "child".
    :param patience: seconds that they have to end by themselves before. Ctrl-C cuts it short, and is raised
        when they have ended.
    """
    left = set(children)
    try:
        _wait_for(left, patience)
    finally:
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            for pid in left:
                gen_log.warning("child (pid %d) %s: signal %d", pid, why, number)
                _kill(pid, number)
            _wait_for(left, _PATIENCE)


def _wait_for(children: set[int], seconds: float) -> None:
    """Wait for the end of `children`, and remove from the set those that have ended."""
    end = time.monotonic() + seconds
    while children:
        for pid in list(children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                children.discard(pid)
        if not children or time.monotonic() > end:
            return
        time.sleep(_STEP)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# -- the start of a program that was started again --


class StartupErrorHook:
    """An exception hook for the start: where that fails, the process waits for a correction and holds its
    listening sockets, instead of ending.
    """

    def __init__(self) -> None:
        self._before = sys.excepthook

    def __call__(self, kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        """Show an uncaught exception; while the program is starting, wait for the next save then."""
        self._before(kind, error, place)
        if _starting and isinstance(error, Exception):
            from tornado.autoreload import _command

            _command.wait_after(error)


def _begin() -> None:
    global _starting, _directory
    try:
        _directory = os.getcwd()
    except OSError:
        _directory = None  # it was removed
    if _socket_inheritance.message is not None:
        _starting = True
        sys.excepthook = StartupErrorHook()
        ioloop.new_loop_callbacks.append(_settle_later)


def _settle_later(loop: ioloop.IOLoop) -> None:
    if _starting:
        loop.call_later(SETTLING, settle)


def settle() -> None:
    """The program is running: what it has not asked for until now is given up."""
    global _starting
    _starting = False
    _socket_inheritance.release()


_begin()
