"""Detect changed files, and restart the program without losing a request.

States of a watcher::

    WATCHING  files are checked; changed files are compiled
    SETTLING  a valid change was detected; the next check shows whether other files have changed
    DRAINING  no connections are accepted (new ones wait in the backlog); running requests finish
    FINISHED  the program was replaced, or the restart failed

While a changed file has an error, the watcher stays in WATCHING, and the old code continues to serve.
"""

from __future__ import annotations

import enum
import time
from typing import Any

from tornado import _forked_restart, _process_replacement, process, tcpserver
from tornado.autoreload._file_notifications import FileNotifications
from tornado.autoreload._files import SourceFiles, parse_stamps, source_files
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.log import gen_log

#: Default maximum time that a restart waits for running requests, in seconds.
DRAIN_TIME = 3.0
# Seconds without another change before the restart. `check_time` is used instead if it is shorter.
_SETTLE_TIME = 0.1
_DRAIN_STEP = 0.01
# Milliseconds between checks if the operating system reports changes. Some file systems send no
# notifications.
_FALLBACK_CHECK_TIME = 2000


class _WatcherState(enum.Enum):
    WATCHING = 1
    SETTLING = 2
    DRAINING = 3
    FINISHED = 4


class Watcher:
    """Watches the files of the program on one event loop, and restarts the program.

    :param check_time: time between two checks of the files, in milliseconds.
    :param drain_time: maximum time to wait for running requests, in seconds.
    """

    def __init__(self, loop: IOLoop, check_time: float, drain_time: float) -> None:
        self.loop = loop
        self.check_time = check_time
        self.drain_time = drain_time
        self.files = SourceFiles(parse_stamps(_process_replacement.inherited("files")))
        self._changed: dict[str, None] = {}
        self._state = _WatcherState.WATCHING
        self._deadline = 0.0
        # References to the servers while they drain. After a server stops accepting, there may be no other
        # reference to it.
        self._draining: list[tcpserver.ServerDrain] = []
        self._notifications: FileNotifications | None = None
        self._group = _forked_restart.current()
        self.check_files()

    def start(self) -> None:
        """Start to watch. Call this method in the event loop, because it may start a thread."""
        group = self._group
        if group is not None:
            self.loop.add_handler(group.fileno(), self._on_restart_request, IOLoop.READ)
        period = self.check_time
        try:
            notifications = FileNotifications(
                source_files,
                lambda: self.loop.add_callback(self.check_files),
                lambda: not self.loop.asyncio_loop.is_closed(),
            )
        except ImportError:
            pass
        else:
            self._notifications = notifications
            period = max(period, _FALLBACK_CHECK_TIME)
            notifications.start()
        PeriodicCallback(self.check_files, period).start()

    def stop(self) -> None:
        """Stop watching, because the event loop has been closed."""
        self._state = _WatcherState.FINISHED
        if self._notifications is not None:
            self._notifications.stop()

    # -- watching --

    def check_files(self) -> None:
        """Check the files, and restart the program after valid changes if no other file has changed since."""
        if self._state is _WatcherState.FINISHED or self._state is _WatcherState.DRAINING:
            return
        changed = self.files.find_changes()
        invalid = self.files.check(changed)
        for path in changed:
            self._changed[path] = None
        for path in invalid:
            self._report(path)
        if not self._changed or self.files.broken:
            self._state = _WatcherState.WATCHING
        elif changed or self._state is _WatcherState.WATCHING:
            self._state = _WatcherState.SETTLING
            self.loop.call_later(min(_SETTLE_TIME, self.check_time / 1000), self.check_files)
        else:
            gen_log.info("%s modified; restarting", ", ".join(self._changed))
            self._drain(self.drain_time)

    def _report(self, path: str) -> None:
        # Every process of a group detects the error. Only one logs it as an error.
        log = gen_log.debug if process.task_id() else gen_log.error
        log(
            "%s modified, but is not valid Python; the old code continues to run\n%s",
            path,
            self.files.broken[path],
        )

    # -- restarting --

    def _on_restart_request(self, fd: Any, events: int) -> None:
        """Handle a request by another process of the group to restart all processes."""
        self.loop.remove_handler(fd)
        if self._state is _WatcherState.WATCHING or self._state is _WatcherState.SETTLING:
            request = self._group and self._group.pending_request()
            self._drain(request.grace_period if request else self.drain_time)

    def _drain(self, seconds: float) -> None:
        self._state = _WatcherState.DRAINING
        if self._group is not None:
            self._group.request_restart(_forked_restart.RestartRequest(seconds, self._restart_state()))
        self._deadline = time.monotonic() + seconds
        self._draining = tcpserver.server_drains()
        for drain in self._draining:
            drain.start()
        self._wait_for_requests()

    def _wait_for_requests(self) -> None:
        running = sum(drain.active_connections() for drain in self._draining)
        if running and time.monotonic() < self._deadline:
            self.loop.call_later(_DRAIN_STEP, self._wait_for_requests)
            return
        if running:
            gen_log.warning("restarting although %d connections are still being served", running)
        self._restart_program()

    def _restart_program(self) -> None:
        if self._group is None:
            # Files may have changed while requests were finishing. An error in them prevents the restart.
            more_changed = self.files.find_changes()
            for path in more_changed:
                self._changed[path] = None
            invalid = self.files.check(more_changed)
            if invalid:
                for path in invalid:
                    self._report(path)
                self._resume_accepting(_WatcherState.WATCHING)
                return
        self._state = _WatcherState.FINISHED
        restart(self._restart_state())
        self._resume_accepting(_WatcherState.FINISHED)  # reached only if the restart failed

    def _resume_accepting(self, state: _WatcherState) -> None:
        """Set the state, and resume accepting connections."""
        self._state = state
        for drain in self._draining:
            drain.stop()
        self._draining = []

    def _restart_state(self) -> dict[str, Any]:
        return {"files": self.files.stamps(list(self._changed))}


def restart(state: dict[str, Any]) -> None:
    """Restart the program. A child of `fork_processes` exits, and its parent restarts the program.

    This function returns only if the restart failed.

    :param state: values to pass on to the new program.
    """
    group = _forked_restart.current()
    if group is not None and process.task_id() is None:
        group.replace()
        return
    _process_replacement.run_hooks()
    if group is not None:
        _process_replacement.leave()
    _process_replacement.execute(state)
