"""``python -m tornado.autoreload``: running any program again after each change, however it ended."""

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

from tornado import _restart, process
from tornado.autoreload import _files, _watcher
from tornado.autoreload._files import Files
from tornado.autoreload._watcher import restart
from tornado.log import gen_log

USAGE = """\
Usage:
  python -m tornado.autoreload [--until-success] -m MODULE [ARGUMENTS]
  python -m tornado.autoreload [--until-success] PROGRAM.py [ARGUMENTS]

Runs the program, and again whenever one of its source files is saved, also after it has ended or failed.

Options:
  --until-success  end when the program has ended with status 0
  -m               what follows is the name of a module
  -h, --help       show this
"""

#: Seconds between two looks while nothing runs.
_PERIOD = 0.1
#: The modules whose lines stand in a traceback before those of the program.
_STARTERS = (__name__, "runpy", "importlib.util", "importlib._bootstrap", "importlib._bootstrap_external")
#: The interpreter's words, which have the name that Python 3.12 keeps in ``name_from``.
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")
#: The status after Ctrl-C, as a shell has it: 128 and the number of SIGINT.
_INTERRUPTED = 130


def main() -> None:
    """Run the program named on the command line, and again after each change of its source.

    ``--until-success`` ends when the program has ended with status 0; ``--help`` shows all.
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
        sys.exit(0)  # a child of fork_processes has done its work; its parent comes here too
    if until_success and not status:
        return
    try:
        wait()
    except KeyboardInterrupt:
        _restart.flush()
        sys.exit(_INTERRUPTED)


def wait() -> None:
    """Wait until a watched file changes, then restart. It does not return.

    For a program that has ended its work, such as a run of tests, to be run again after each change. With a
    syntax error in what was saved it goes on waiting.
    """
    # A file that was saved while the program was starting may have come too late for it.
    files = Files(_files.seen_before(_restart.inherited("files")), since=_restart.started)
    group = _restart.group
    pause = time.sleep if group is None else group.wait
    changed: list[str] = []
    while True:
        latest = files.look()
        changed += latest
        for path in files.check(latest):
            gen_log.error("%s is not valid Python\n%s", path, files.broken[path])
        asked = group is not None and group.asked() is not None
        if asked or (changed and not latest and not files.broken):
            break
        pause(_PERIOD)
    words = {"files": files.stamps(changed)}
    if group is not None:
        group.ask(_watcher.DRAIN_TIME, words)
    restart(words)
    sys.exit(1)


def wait_after(error: BaseException) -> None:
    """Wait for the correction of what has failed with `error`, then restart."""
    try:
        watch_places(error)
        if sys.stderr is not None:  # where the error was shown: no log may have been set up yet
            sys.stderr.write("waiting for a change of the source\n")
        _restart.flush()
        wait()
    except KeyboardInterrupt:
        pass  # the program ends as it would have after the error


def watch_places(error: BaseException) -> None:
    """Watch the files that an exception has come through, and those that a missing module may be in.

    A module whose import failed is not among the imported ones, yet the correction will be made in it.
    """
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        place: TracebackType | None = following.__traceback__
        for frame in traceback.extract_tb(place):
            _files.add(frame.filename)
        if isinstance(following, SyntaxError) and following.filename:
            _files.add(following.filename)
        if isinstance(following, ImportError) and following.name:
            _files.expect_module(_missing(following.name, following))
        following = following.__cause__ or following.__context__


def _missing(name: str, error: ImportError) -> str:
    """The module that a failed import wants. Of ``from package import module`` it knows the package."""
    wanted = None if isinstance(error, ModuleNotFoundError) else _CANNOT_IMPORT.match(error.msg)
    return f"{name}.{wanted[1]}" if wanted is not None else name


class _MissingPath(Exception):
    """What the command line names is not there; the message says so."""


def _run_module(name: str) -> object:
    def program() -> None:
        _look_for(name)
        runpy.run_module(name, run_name="__main__", alter_sys=True)

    return _run(name, program)


def _look_for(name: str) -> None:
    """Find a module, or the one that stands for a package, and watch it. As with `runpy`, the packages around
    it are imported.

    :raises _Absent: if there is none; then its appearance is waited for.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that a package needs
        spec = None
    if spec is None:
        _files.expect_module(name)
        raise _MissingPath(f"No module named {name!r}")
    if spec.submodule_search_locations is not None:
        main_module = f"{name}.__main__"
        spec = importlib.util.find_spec(main_module)
        if spec is None:
            _files.expect_module(main_module)
            raise _MissingPath(f"No module named {main_module!r}: a package needs one to be run")
    if spec.origin:
        _files.add(spec.origin)


def _run_file(path: str) -> object:
    _files.expect(path)
    if not sys.flags.safe_path:
        # What the interpreter does for a program it runs itself. The current directory, which it put
        # there for this module, stays behind it.
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))

    def program() -> None:
        if not os.path.exists(path):
            raise _MissingPath(f"No such file: {path!r}")
        runpy.run_path(path, run_name="__main__")

    return _run(path, program)


def _run(name: str, program: Callable[[], object]) -> int:
    """Run it to its end, and show how it has failed.

    :returns: its exit status, as a shell would see it.
    """
    try:
        program()
    except SystemExit as end:
        status = _status_of(end)
        gen_log.log(logging.WARNING if status else logging.INFO, "%s exited with status %d", name, status)
        return status
    except _MissingPath as absent:
        gen_log.error("%s. It is run as soon as that appears", absent)
        return 1
    except Exception as error:
        gen_log.error("%s exited with an exception", name, exc_info=_without_us(error))
        watch_places(error)
        return 1
    gen_log.info("%s exited normally", name)
    return 0


def _status_of(end: SystemExit) -> int:
    """The status that a program has exited with. Like the interpreter, show what it gave instead of one."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    if sys.stderr is not None:
        sys.stderr.write(f"{end.code}\n")
    return 1


def _without_us(error: BaseException) -> BaseException:
    """The same error with a traceback that begins with the program's own lines."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_globals.get("__name__") in _STARTERS:
        place = place.tb_next
    return error.with_traceback(place)
