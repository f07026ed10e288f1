"""Restart a program when its source changes, for development.

``Application(debug=True)`` (or ``autoreload=True``) turns it on by calling `start`. To have it for any
program, also for one that ends or fails::

    python -m tornado.autoreload [--until-success] program.py [arguments]
    python -m tornado.autoreload [--until-success] -m package.module [arguments]

The files of all modules imported so far, and those given to `watch`, are looked at every half second.
When the time of one of them has changed, the interpreter is started again in the same process, with the
command line it was started with, its own flags included; connections and state are lost. A change after
which the file is no longer valid Python is reported, and the restart waits for the next one.

A restarted program takes the place of one process, so it is not for a server of several
(`fork_processes <tornado.process.fork_processes>`). Not for production either: looking at files costs
time, and an update of several files is not one event.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import traceback
import types
import weakref
from collections.abc import Callable

from tornado._classic.warning import ignored_loop
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.log import gen_log

__all__ = ["add_reload_hook", "main", "start", "wait", "watch"]

_USAGE = """\
Usage:
  python -m tornado.autoreload [--until-success] -m MODULE [ARGUMENTS]
  python -m tornado.autoreload [--until-success] PROGRAM.py [ARGUMENTS]
"""

_extra_files: set[str] = set()
_last_calls: list[Callable[[], object]] = []
_watching_loops: weakref.WeakSet[IOLoop] = weakref.WeakSet()
_reload_attempted = False


def start(check_time: int = 500, io_loop: IOLoop | None = None) -> None:
    """Watch source files from now on, on the current `IOLoop`; a second call on the same loop does nothing.

    :arg check_time: milliseconds between two looks at the files.
    """
    if io_loop is not None or isinstance(check_time, IOLoop):
        ignored_loop("autoreload.start")
        check_time = 500 if isinstance(check_time, IOLoop) else check_time
    io_loop = IOLoop.current()
    if io_loop in _watching_loops:
        return
    _watching_loops.add(io_loop)
    if len(_watching_loops) > 1:
        gen_log.warning("autoreload runs on several IOLoops of one process; one is enough")
    seen: dict[str, float] = {}
    _look(seen)
    PeriodicCallback(functools.partial(_look, seen), check_time).start()


def wait() -> None:
    """Wait until a watched file changes, then restart. It does not return.

    For a program that has ended its work, such as a run of tests, to be run again after each change.
    """
    watching = IOLoop()
    watching.add_callback(start)
    watching.start()


def watch(filename: str) -> None:
    """Watch a file that is not an imported module, such as a template or a file of settings."""
    _extra_files.add(filename)


def add_reload_hook(fn: Callable[[], object]) -> None:
    """Have ``fn()`` called before a restart.

    Sockets and files that Python opened are closed by the restart itself; this is for what is not, a
    descriptor made inheritable or a child process.
    """
    _last_calls.append(fn)


def _look(seen: dict[str, float]) -> None:
    """Compare each file's time with the one seen last, and restart if one has changed."""
    if _reload_attempted:
        return  # there is no restarting here, and one warning was enough
    for path in _source_files():
        try:
            modified = os.stat(path).st_mtime
        except OSError:
            continue  # not a file, or being replaced just now
        before = seen.setdefault(path, modified)
        if before == modified:
            continue
        seen[path] = modified
        if _compiles(path):
            gen_log.info("%s modified; restarting server", path)
            _reload()
            return


def _source_files() -> list[str]:
    files = set(_extra_files)
    for module in list(sys.modules.values()):
        # Other things are put among the modules, and may answer to any attribute.
        path = module.__dict__.get("__file__") if isinstance(module, types.ModuleType) else None
        if isinstance(path, str):
            files.add(path[:-1] if path.endswith((".pyc", ".pyo")) else path)
    return sorted(files)


def _compiles(path: str) -> bool:
    if not path.endswith(".py"):
        return True
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        gen_log.error(
            "%s modified, but is not valid Python; not restarting\n%s", path, traceback.format_exc(limit=0)
        )
        return False
    except OSError:
        return False  # gone again; its next appearance has another time
    return True


def _reload() -> None:
    global _reload_attempted
    _reload_attempted = True
    for hook in _last_calls:
        hook()
    if hasattr(signal, "setitimer"):
        # An interval timer outlives the restart, and would kill the new program before it has its handler.
        signal.setitimer(signal.ITIMER_REAL, 0, 0)
    command = _command()
    if sys.platform == "win32":
        # There execv starts a process beside this one; a console waits for this one only.
        child = subprocess.Popen(command)
        os._exit(child.wait())
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(command[0], command)
    except OSError as error:
        gen_log.error("cannot restart %s: %s; restart it by hand", command[0], error)


def _command() -> list[str]:
    """The command line this process was started with, the interpreter by its full path."""
    return [sys.executable, *(sys.orig_argv[1:] or sys.argv)]


def main() -> None:
    """Run the program named on the command line, and again after each change of its source.

    ``--until-success`` ends when the program has ended with status 0.
    """
    arguments = sys.argv[1:]
    until_success = arguments[:1] == ["--until-success"]
    if until_success:
        del arguments[0]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        del arguments[0]
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(_USAGE)
        sys.exit(1)
    sys.argv = arguments
    status = _run_module(arguments[0]) if as_module else _run_file(arguments[0])
    if until_success and not status:
        return
    wait()


def _run_module(name: str) -> object:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        spec = None  # running it says what is wrong
    if spec is not None and spec.origin:
        watch(spec.origin)
    return _run(name, lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def _run_file(path: str) -> object:
    watch(path)
    if not sys.flags.safe_path:
        # What the interpreter does for a program it runs itself. The current directory, which it put
        # there for this module, stays behind it.
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    return _run(path, lambda: runpy.run_path(path, run_name="__main__"))


def _run(name: str, program: Callable[[], object]) -> object:
    """Run it to its end.

    :returns: its exit status, as given to `sys.exit`.
    """
    try:
        program()
    except SystemExit as end:
        gen_log.info("%s exited with status %s", name, end.code)
        return end.code
    except Exception as error:
        gen_log.exception("%s exited with an exception", name)
        # A module whose import failed is not among the imported ones, yet the correction will be made in it.
        for frame in traceback.extract_tb(error.__traceback__):
            watch(frame.filename)
        if isinstance(error, SyntaxError) and error.filename:
            watch(error.filename)
        return 1
    gen_log.info("%s exited normally", name)
    return 0


if __name__ == "__main__":
    # The program imports this module by its name. It must get this copy, or nobody would look at what
    # it watches.
    sys.modules["tornado.autoreload"] = sys.modules["__main__"]
    main()
