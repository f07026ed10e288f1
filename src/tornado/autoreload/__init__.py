"""Restart a program when its source changes, for development.

``Application(debug=True)`` and ``autoreload=True`` enable autoreload by calling `start`. To use it for any
program, including one that exits or fails, run::

    python -m tornado.autoreload [--until-success] program.py [arguments]
    python -m tornado.autoreload [--until-success] -m package.module [arguments]

**Watched files.** These are the files of all modules imported so far, and those passed to `watch`. They are
checked every half second. If the package ``watchfiles`` is installed (the extra ``reload``), the
operating system reports changes immediately.

**Restart.** Changed files are compiled first. A syntax error is shown in the terminal and on error pages
(`problems`), and the old code continues to serve until the error is corrected. If all files compile, the
server stops accepting connections and waits for running requests, for at most three seconds or the
application setting ``autoreload_drain_time``. Then the program restarts in the same process (with the same
process id), in the same directory, with its original command line, including the interpreter's flags.

**No refused connections.** Sockets created by `bind_sockets <tornado.netutil.bind_sockets>` and
`bind_unix_socket <tornado.netutil.bind_unix_socket>`, directly or through ``listen`` and ``bind``, are
inherited by the new program. Clients that connect during the restart wait, and are served by the new code.
All state and all other connections are lost: idle connections, event streams, and WebSockets, whose clients
receive the close code 1001.

**Failed start.** If the program fails to start, for example because an import raises an exception, the error
is shown and the next change restarts the program. Connections are not refused in the meantime. This requires
that the program has started successfully once, and that it imports `tornado` before the failing code.
With ``python -m tornado.autoreload`` neither condition is necessary. If the program file or module does not
exist, it is run as soon as it appears.

**Several processes** (`fork_processes <tornado.process.fork_processes>`). Each child process watches the
files. When one of them detects a valid change, all children finish their requests and exit. The parent, whose
process id stays the same, restarts and forks them again. Bind the sockets before the fork, so that the parent
can pass them on. The application may also be created before the fork.

Autoreload is not intended for production: watching files costs time, and an update of several files is not
atomic. On Windows the new program runs in another process and must bind its sockets again.
"""

from __future__ import annotations

import asyncio
import signal  # programs may expect this name, which Tornado's module has
from collections.abc import Callable

from tornado import _process_replacement, ioloop
from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado._tornado4.deprecation import ignored_loop
from tornado.autoreload import _command, _files
from tornado.autoreload._command import main, wait
from tornado.autoreload._watcher import DRAIN_TIME, Watcher, restart
from tornado.ioloop import IOLoop
from tornado.log import gen_log

__all__ = ["add_reload_hook", "main", "problems", "start", "wait", "watch"]

# The watchers by loop. When a watcher is added, the watchers of closed loops are removed.
_watchers: dict[IOLoop, Watcher] = {}
# Programs read these two, or add to them.
_watched_files = _files.extra
_reload_hooks = _process_replacement.hooks
# The arguments of a start() that was called before there was a loop.
_pending_start: list[tuple[float, float]] = []


def start(check_time: float = 500, io_loop: IOLoop | None = None, *, drain_time: float = DRAIN_TIME) -> None:
    """Start to watch source files on the current `IOLoop`. A second call on the same loop does nothing.

    If the process has no loop yet, watching starts with the first loop, so the program may fork before that.

    :param check_time: time between two checks of the files, in milliseconds.
    :param drain_time: maximum time that a restart waits for running requests, in seconds.
    :raises ValueError: if `check_time` or `drain_time` is out of range.
    """
    if io_loop is not None or isinstance(check_time, IOLoop):
        ignored_loop("autoreload.start")
        check_time = 500 if isinstance(check_time, IOLoop) else check_time
    if not check_time > 0:
        raise ValueError(f"autoreload: check_time must be positive (milliseconds), got {check_time!r}")
    if not drain_time >= 0:
        raise ValueError(f"autoreload: drain_time must not be negative (seconds), got {drain_time!r}")
    if _has_loop():
        _start_on(IOLoop.current(), check_time, drain_time)
        return
    if not _pending_start:
        ioloop.new_loop_callbacks.append(_start_on_first)
    _pending_start[:] = [(check_time, drain_time)]


def _has_loop() -> bool:
    """Whether the process has an event loop. `asyncio.get_event_loop` would create a loop."""
    if asyncio._get_running_loop() is not None:
        return True
    return any(not loop.is_closed() for loop in list(IOLoop._ioloop_for_asyncio))


def _start_on_first(loop: IOLoop) -> None:
    if not any(_is_open(watched) for watched in list(_watchers)):
        loop.add_callback(_start_on, loop, *_pending_start[0])


def _start_on(loop: IOLoop, check_time: float, drain_time: float) -> None:
    for closed in [each for each in list(_watchers) if not _is_open(each)]:
        _watchers.pop(closed).stop()
    if loop in _watchers:
        return
    if _watchers:
        gen_log.warning("autoreload was started on more than one IOLoop of this process; start it on one")
    watcher = _watchers[loop] = Watcher(loop, check_time, drain_time)
    loop.add_callback(watcher.start)


def _is_open(loop: IOLoop) -> bool:
    return not loop.asyncio_loop.is_closed()


def watch(filename: str) -> None:
    """Watch a file that is not an imported module, such as a template or a configuration file.

    :param filename: the path of the file. A relative path is resolved immediately, against the current
        directory.
    """
    _files.add(filename)


def add_reload_hook(fn: Callable[[], object]) -> None:
    """Call ``fn()`` before a restart.

    The restart closes the sockets and files that Python opened. Use a hook for other resources, such as an
    inheritable descriptor or a child process. In a program with several processes, each process calls the
    hooks that it has. An exception in a hook is logged.
    """
    _process_replacement.hooks.append(fn)


def _reload() -> None:
    """Restart immediately. The function is private, but some programs call it by this name."""
    restart({})


def problems() -> list[str]:
    """Return the errors in changed files that cannot be compiled. The program still runs the old code.

    :returns: for each such file the interpreter's error message, with the file name and the line.
    """
    return [text for watcher in list(_watchers.values()) for text in watcher.files.broken.values()]


export(globals(), module="tornado.autoreload")
reexport(globals())
