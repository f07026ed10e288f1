"""Restart a program when its source changes, for development.

``Application(debug=True)`` (or ``autoreload=True``) turns it on by calling `start`. To have it for any
program, also for one that ends or fails::

    python -m tornado.autoreload [--until-success] program.py [arguments]
    python -m tornado.autoreload [--until-success] -m package.module [arguments]

**What is watched.** The files of all modules imported so far, and those given to `watch`: every half second,
or where the package ``watchfiles`` is installed (``pip install 'tornado[reload]'``) as soon as the operating
system tells of a change.

**What a save does.** Changed files are compiled first. A syntax error is shown in the terminal, and on error
pages (`problems`), while the running code goes on serving; it is cleared by the next save. After a good one
nobody is accepted any more, running requests end (for three seconds at most, or the application's setting
``autoreload_drain_time``), and the program is started again: in the same process, with the same number, from
the same directory, with the command line it was started with, the interpreter's own flags included.

**The port never refuses.** Sockets made by `bind_sockets <tornado.netutil.bind_sockets>` or
`bind_unix_socket <tornado.netutil.bind_unix_socket>` and all that use them (``listen``, ``bind``) are
inherited: whoever connects meanwhile waits, and is served by the new code. Other connections, and all state,
are lost: idle connections, streams of events, and WebSockets, whose clients are told so (close code 1001).

**When the start fails**, for an import that raises, the error is shown and the next save is waited for; the
port still does not refuse. A program that was started by hand has to have started once, and to import
`tornado` before what fails; ``python -m tornado.autoreload`` needs neither, and what is not there at all it
runs as soon as it appears.

**Several processes** (`fork_processes <tornado.process.fork_processes>`): each child watches, and when one of
them finds a good save, all end their requests and exit; the parent, whose number stays the same, is
restarted and forks them anew. Bind the sockets before the fork, so that the parent holds them. The
application may be made before the fork as well.

Not for production: looking at files costs time, and an update of several files is not one event. On Windows
the new program is another process, and sockets are bound anew.
"""

from __future__ import annotations

import asyncio
import signal  # a name that upstream's module has
from collections.abc import Callable

from tornado import _restart, ioloop
from tornado._export import export
from tornado._reexports import reexport
from tornado._tornado4.deprecation import ignored_loop
from tornado.autoreload import _command, _files
from tornado.autoreload._command import main, wait
from tornado.autoreload._watcher import DRAIN_TIME, Watcher, restart
from tornado.ioloop import IOLoop
from tornado.log import gen_log

__all__ = ["add_reload_hook", "main", "problems", "start", "wait", "watch"]

# By loop; those of closed loops are taken out when one is added.
_watchers: dict[IOLoop, Watcher] = {}
# Arguments of a start() that came before there was a loop.
_wanted: list[tuple[float, float]] = []


def start(check_time: float = 500, io_loop: IOLoop | None = None, *, drain_time: float = DRAIN_TIME) -> None:
    """Watch source files from now on, on the current `IOLoop`; a second call on the same loop does nothing.

    Before there is a loop this only notes it, and the watching begins with the first loop of the process: a
    program may fork in between.

    :arg check_time: milliseconds between two looks at the files.
    :arg drain_time: seconds that running requests have before a restart.
    :raises ValueError: if either is out of range.
    """
    if io_loop is not None or isinstance(check_time, IOLoop):
        ignored_loop("autoreload.start")
        check_time = 500 if isinstance(check_time, IOLoop) else check_time
    if not check_time > 0:
        raise ValueError(f"autoreload: check_time is a number of milliseconds above 0, not {check_time!r}")
    if not drain_time >= 0:
        raise ValueError(f"autoreload: drain_time is a number of seconds, not {drain_time!r}")
    if _has_loop():
        _start_on(IOLoop.current(), check_time, drain_time)
        return
    if not _wanted:
        ioloop.new_loop_callbacks.append(_start_on_first)
    _wanted[:] = [(check_time, drain_time)]


def _has_loop() -> bool:
    """Whether there is a loop; asking asyncio itself would make one."""
    if asyncio._get_running_loop() is not None:
        return True
    return any(not loop.is_closed() for loop in list(IOLoop._ioloop_for_asyncio))


def _start_on_first(loop: IOLoop) -> None:
    if not any(_is_open(watched) for watched in _watchers):
        loop.add_callback(_start_on, loop, *_wanted[0])


def _start_on(loop: IOLoop, check_time: float, drain_time: float) -> None:
    for closed in [each for each in _watchers if not _is_open(each)]:
        _watchers.pop(closed).end()
    if loop in _watchers:
        return
    if _watchers:
        gen_log.warning("autoreload runs on several IOLoops of one process; one is enough")
    watcher = _watchers[loop] = Watcher(loop, check_time, drain_time)
    loop.add_callback(watcher.begin)


def _is_open(loop: IOLoop) -> bool:
    return not loop.asyncio_loop.is_closed()


def watch(filename: str) -> None:
    """Watch a file that is not an imported module, such as a template or a file of settings.

    :arg filename: its path; a relative one is taken from the current directory of now.
    """
    _files.add(filename)


def add_reload_hook(fn: Callable[[], object]) -> None:
    """Have ``fn()`` called before a restart.

    Sockets and files that Python opened are closed by the restart itself; this is for what is not, a
    descriptor made inheritable or a child process. In a program of several processes it is called in each
    that has it. An error it raises is logged.
    """
    _restart.hooks.append(fn)


def _reload() -> None:
    """Restart at once. Programs call it by this name."""
    restart({})


def problems() -> list[str]:
    """What is wrong with files that were saved since the program started, while the older code runs on.

    :returns: for each such file what the interpreter says of it, its name and line included.
    """
    return [text for watcher in list(_watchers.values()) for text in watcher.files.broken.values()]


export(globals(), module="tornado.autoreload")
reexport(globals())
