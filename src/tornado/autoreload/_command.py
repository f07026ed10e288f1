"""``python -m tornado.autoreload``: runs a program, and runs it again after each change of its source."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import runpy
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from tornado import _forked_restart, _process_replacement, process
from tornado.autoreload import _files, _watcher
from tornado.autoreload._files import SourceFiles
from tornado.autoreload._watcher import restart
from tornado.log import gen_log

USAGE = """\
Usage:
  python -m tornado.autoreload [--until-success] -m MODULE [ARGUMENTS]
  python -m tornado.autoreload [--until-success] PROGRAM.py [ARGUMENTS]

Run a program, and restart it whenever one of its source files changes, even after it has exited or failed.

Options:
  --until-success  exit when the program exits with status 0
  -m               run a module instead of a file
  -h, --help       show this help
"""

#: Seconds between two checks of the files while the program is not running.
_CHECK_PERIOD = 0.1
#: The modules whose frames precede those of the program in a traceback.
_RUNNER_MODULES = (
    __name__,
    "runpy",
    "importlib.util",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
)
#: Extracts the name from an ImportError's message; Python 3.12 has it in the attribute ``name_from``.
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")
#: The exit status after Ctrl-C, as shells report it: 128 plus the number of SIGINT.
_INTERRUPTED = 130


def main() -> None:
    """Run the program given on the command line, and restart it after each change of its source.

    With ``--until-success``, this function exits when the program exits with status 0. ``--help`` shows all
    options.
    """
    arguments = sys.argv[1:]
    if arguments[:1] in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        sys.exit(0)
    until_success = arguments[:1] == ["--until-success"]
    if until_success:
        del arguments[0]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        del arguments[0]
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        sys.exit(1)
    sys.argv = arguments
    status = _run_module(arguments[0]) if as_module else _run_file(arguments[0])
    if process.task_id() is not None and not status:
        sys.exit(0)  # a child of fork_processes has finished; the parent also runs this code
    if until_success and not status:
        return
    try:
        wait()
    except KeyboardInterrupt:
        _process_replacement.flush()
        sys.exit(_INTERRUPTED)


def wait() -> None:
    """Wait until a watched file changes, then restart. This function does not return.

    A program that has finished its work, such as a test run, calls `wait` to be run again after each change.
    If a changed file has a syntax error, the function continues to wait.
    """
    # The program may have imported the old version of a file that changed while the program was starting.
    stamps = _files.parse_stamps(_process_replacement.inherited("files"))
    files = SourceFiles(stamps, since=_process_replacement.started)
    group = _forked_restart.current()
    pause = time.sleep if group is None else group.wait
    changed: list[str] = []
    while True:
        latest = files.find_changes()
        changed += latest
        for path in files.check(latest):
            gen_log.error("%s is not valid Python\n%s", path, files.broken[path])
        asked = group is not None and group.pending_request() is not None
        if asked or (changed and not latest and not files.broken):
            break
        pause(_CHECK_PERIOD)
    state = {"files": files.stamps(changed)}
    if group is not None:
        group.request_restart(_forked_restart.RestartRequest(_watcher.DRAIN_TIME, state))
    restart(state)
    sys.exit(1)


def wait_for_correction(error: BaseException) -> None:
    """Wait until the cause of `error` has been corrected, then restart."""
    try:
        watch_error_sources(error)
        if sys.stderr is not None:  # the error was written here too, and logging may not be configured
            sys.stderr.write("waiting for a change of the source\n")
        _process_replacement.flush()
        wait()
    except KeyboardInterrupt:
        pass  # the program exits as it would have after the error


def watch_error_sources(error: BaseException) -> None:
    """Watch the files in the traceback of an exception, and the files in which a missing module may appear.

    A module whose import failed is not in ``sys.modules`` and would otherwise not be watched, although it is
    likely to be corrected.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        tb: TracebackType | None = current.__traceback__
        for frame in traceback.extract_tb(tb):
            _files.add(frame.filename)
        if isinstance(current, SyntaxError) and current.filename:
            _files.add(current.filename)
        if isinstance(current, ImportError) and current.name:
            _files.expect_module(_missing_module(current.name, current))
        current = current.__cause__ or current.__context__


def _missing_module(name: str, error: ImportError) -> str:
    """Return the name of the module that an import could not find.

    For ``from package import module``, the error's ``name`` is only the package.
    """
    wanted = None if isinstance(error, ModuleNotFoundError) else _CANNOT_IMPORT.match(error.msg)
    return f"{name}.{wanted[1]}" if wanted is not None else name


class _ProgramNotFoundError(Exception):
    """Raised if the file or module given on the command line does not exist."""


def _run_module(name: str) -> object:
    def program() -> None:
        _find_module(name)
        runpy.run_module(name, run_name="__main__", alter_sys=True)

    return _run(name, program)


def _find_module(name: str) -> None:
    """Find a module, or the ``__main__`` module of a package, and watch its file.

    As with `runpy`, the parent packages of the module are imported.

    :raises _ProgramNotFoundError: if the module does not exist. The files in which it may appear are watched.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a parent package imports another module, which does not exist
        spec = None
    if spec is None:
        _files.expect_module(name)
        raise _ProgramNotFoundError(f"No module named {name!r}")
    if spec.submodule_search_locations is not None:
        main_module = f"{name}.__main__"
        spec = importlib.util.find_spec(main_module)
        if spec is None:
            _files.expect_module(main_module)
            raise _ProgramNotFoundError(
                f"No module named {main_module!r}: a package without one cannot be run"
            )
    if spec.origin:
        _files.add(spec.origin)


def _run_file(path: str) -> object:
    _files.expect(path)
    if not sys.flags.safe_path:
        # The interpreter does the same for a program file. The current directory, which the interpreter has
        # added because this module was run with -m, becomes the second entry.
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))

    def program() -> None:
        if not os.path.exists(path):
            raise _ProgramNotFoundError(f"No such file: {path!r}")
        runpy.run_path(path, run_name="__main__")

    return _run(path, program)


def _run(name: str, program: Callable[[], object]) -> int:
    """Run the program, and log how it exited.

    :returns: its exit status, as a shell would see it.
    """
    try:
        program()
    except SystemExit as end:
        status = _status_of(end)
        gen_log.log(logging.WARNING if status else logging.INFO, "%s exited with status %d", name, status)
        return status
    except _ProgramNotFoundError as absent:
        gen_log.error("%s. It will be run as soon as it exists", absent)
        return 1
    except Exception as error:
        gen_log.error("%s exited with an exception", name, exc_info=_remove_runner_frames(error))
        watch_error_sources(error)
        return 1
    gen_log.info("%s exited normally", name)
    return 0


def _status_of(end: SystemExit) -> int:
    """Return the exit status for a SystemExit. Like the interpreter, print a code that is not a number."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    if sys.stderr is not None:
        sys.stderr.write(f"{end.code}\n")
    return 1


def _remove_runner_frames(error: BaseException) -> BaseException:
    """Remove the frames that precede those of the program from an error's traceback, and return the error."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__") in _RUNNER_MODULES:
        tb = tb.tb_next
    return error.with_traceback(tb)
