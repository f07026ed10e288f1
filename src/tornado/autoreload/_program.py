"""``python -m tornado.autoreload``: running any program again after each change, however it ended."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from tornado import _reexec, process
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
        _reexec.flush()
        sys.exit(_INTERRUPTED)


def wait() -> None:
    """Wait until a watched file changes, then restart. It does not return.

    For a program that has ended its work, such as a run of tests, to be run again after each change. With a
    syntax error in what was saved it goes on waiting.
    """
    # A file that was saved while the program was starting may have come too late for it.
    files = Files(_files.seen_before(_reexec.inherited("files")), since=_reexec.started)
    group = _reexec.group
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
        _reexec.flush()
        wait()
    except KeyboardInterrupt:
        pass  # the program ends as it would have after the error


def watch_places(error: BaseException) -> None:
    """Watch the files that an exception has come through.

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
        following = following.__cause__ or following.__context__


def _run_module(name: str) -> object:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        spec = None  # running it says what is wrong
    else:
        if spec is None:
            _refuse_absent("module", name)
    if spec is not None and spec.origin:
        _files.add(spec.origin)
    return _run(name, lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def _refuse_absent(kind: str, name: str) -> None:
    """End where the command line names what is not there. (After a restart it may be about to be saved.)"""
    if _reexec.inherited("files") is None:
        sys.stderr.write(f"tornado.autoreload: there is no {kind} {name!r}\n{USAGE}")
        sys.exit(1)


def _run_file(path: str) -> object:
    if not os.path.exists(path):
        _refuse_absent("program", path)
    _files.add(path)
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
        watch_places(error)
        return 1
    gen_log.info("%s exited normally", name)
    return 0
