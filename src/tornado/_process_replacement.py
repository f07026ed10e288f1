"""Replacement of this process by a new instance of its program (``exec``), and the start of that instance.

`execute` restarts the process with its original command line, including the interpreter's options
(``sys.orig_argv``), and passes the listening sockets on (`netutil._socket_inheritance`). `tornado.autoreload`
decides when to restart. Programs with forked children restart as `_forked_restart` describes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NoReturn

from tornado import ioloop
from tornado.log import gen_log
from tornado.netutil import _socket_inheritance
from tornado.util import import_object

#: Time in seconds after the first loop is created during which a restarted program counts as starting.
SETTLING = 5.0

#: Called without arguments before a restart, and in a child before it exits.
hooks: list[Callable[[], object]] = []
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
    does. Sockets are not passed on to it, but closed: it listens on the same addresses.
    """
    arguments = command()
    _cancel_timers()
    flush()
    if sys.platform == "win32":
        _run_as_child(arguments)
    changed = _restore_directory()
    try:
        with _socket_inheritance.pass_on_sockets(words):
            os.execv(arguments[0], arguments)
    except OSError as error:
        gen_log.error("cannot restart %s: %s; restart it manually", arguments[0], error)
    if changed is not None:
        os.chdir(changed)


def _run_as_child(arguments: list[str]) -> NoReturn:
    """Run the new program as a child process, and exit as it does."""
    _socket_inheritance.close_all()
    if threading.current_thread() is threading.main_thread():
        # The console sends Ctrl+C to both processes. The child ends when it has drained.
        signal.signal(signal.SIGINT, lambda *_: None)
    os._exit(subprocess.Popen(arguments).wait())


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
    if sys.platform != "win32":
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
            # The function is imported by name, because autoreload imports this module, and most programs
            # never need it.
            import_object("tornado.autoreload._command.wait_for_correction")(error)


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
