"""From a changed file to the new program, without losing a request.

States of a watcher::

    WATCHING  files are looked at; what has changed is compiled
    SETTLING  something good was saved: another look shows whether more is coming
    DRAINING  nobody is accepted any more (newcomers wait in the listening sockets), running requests end
    OVER      the program has been replaced, or could not be

With an error in a changed file it stays in WATCHING, and the running code goes on serving.
"""

from __future__ import annotations

import enum
import time
from typing import Any

from tornado import _restart, process, tcpserver
from tornado.autoreload._file_notifications import FileNotifications
from tornado.autoreload._files import Files, seen_before, source_files
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.log import gen_log

#: Seconds that running requests have before the restart, unless the program says otherwise.
DRAIN_TIME = 3.0
# Seconds without a change after which a save is complete; less where the files are looked at more often.
_SETTLE = 0.1
_DRAIN_STEP = 0.01
# Milliseconds between looks where the operating system tells of changes: for file systems where it does not.
_SLOW = 2000


class _State(enum.Enum):
    WATCHING = 1
    SETTLING = 2
    DRAINING = 3
    OVER = 4


class Watcher:
    """Watches the files of the program on one loop, and restarts it.

    :param check_time: milliseconds between two looks.
    :param drain_time: seconds that requests have to end.
    """

    def __init__(self, loop: IOLoop, check_time: float, drain_time: float) -> None:
        self.loop = loop
        self.check_time = check_time
        self.drain_time = drain_time
        self.files = Files(seen_before(_restart.inherited("files")))
        self._changed: dict[str, None] = {}
        self._state = _State.WATCHING
        self._deadline = 0.0
        # While requests end. Nobody else may hold a server that does not accept, and it holds its sockets.
        self._servers: list[tcpserver.TCPServer] = []
        self._notices: FileNotifications | None = None
        self._group = _restart.group
        self.look()

    def begin(self) -> None:
        """Look again and again, from now on. In the loop, as a thread may be started."""
        group = self._group
        if group is not None:
            self.loop.add_handler(group.fileno(), self._on_asked, IOLoop.READ)
        period = self.check_time
        try:
            notices = FileNotifications(
                source_files,
                lambda: self.loop.add_callback(self.look),
                lambda: not self.loop.asyncio_loop.is_closed(),
            )
        except ImportError:
            pass
        else:
            self._notices = notices
            period = max(period, _SLOW)
            notices.start()
        PeriodicCallback(self.look, period).start()

    def end(self) -> None:
        """Look no more: the loop has been closed."""
        self._state = _State.OVER
        if self._notices is not None:
            self._notices.stop()

    # -- looking --

    def look(self) -> None:
        """See what has changed, and do what is to be done about it."""
        if self._state is _State.OVER or self._state is _State.DRAINING:
            return
        changed = self.files.look()
        wrong = self.files.check(changed)
        for path in changed:
            self._changed[path] = None
        for path in wrong:
            self._report(path)
        if not self._changed or self.files.broken:
            self._state = _State.WATCHING
        elif changed or self._state is _State.WATCHING:
            self._state = _State.SETTLING
            self.loop.call_later(min(_SETTLE, self.check_time / 1000), self.look)
        else:
            gen_log.info("%s modified; restarting", ", ".join(self._changed))
            self._drain(self.drain_time)

    def _report(self, path: str) -> None:
        # Every process of a group sees it, and one tells.
        log = gen_log.debug if process.task_id() else gen_log.error
        log(
            "%s modified, but is not valid Python; the running code goes on\n%s",
            path,
            self.files.broken[path],
        )

    # -- replacing --

    def _on_asked(self, fd: Any, events: int) -> None:
        """Another process of the group wants all to be replaced."""
        self.loop.remove_handler(fd)
        if self._state is _State.WATCHING or self._state is _State.SETTLING:
            request = (self._group and self._group.asked()) or {}
            self._drain(float(request.get("patience", self.drain_time)))

    def _drain(self, seconds: float) -> None:
        self._state = _State.DRAINING
        if self._group is not None:
            self._group.ask(seconds, self._words())
        self._deadline = time.monotonic() + seconds
        self._servers = tcpserver.servers()
        for server in self._servers:
            server._start_draining()
        self._wait_for_requests()

    def _wait_for_requests(self) -> None:
        running = sum(server._count_running() for server in self._servers)
        if running and time.monotonic() < self._deadline:
            self.loop.call_later(_DRAIN_STEP, self._wait_for_requests)
            return
        if running:
            gen_log.warning("restarting, though %d connections are still being served", running)
        self._replace()

    def _replace(self) -> None:
        if self._group is None:
            # Saved once more while requests were ending: it had better be right.
            again = self.files.look()
            for path in again:
                self._changed[path] = None
            wrong = self.files.check(again)
            if wrong:
                for path in wrong:
                    self._report(path)
                self._enter_state(_State.WATCHING)
                return
        self._state = _State.OVER
        restart(self._words())
        self._enter_state(_State.OVER)  # it could not be restarted

    def _enter_state(self, state: _State) -> None:
        """Serve again."""
        self._state = state
        for server in self._servers:
            server._stop_draining()
        self._servers = []

    def _words(self) -> dict[str, Any]:
        return {"files": self.files.stamps(list(self._changed))}


def restart(words: dict[str, Any]) -> None:
    """Replace the program by a new start of itself; in a child of `fork_processes` end, for the parent does.

    It returns only where that failed.
    """
    group = _restart.group
    if group is not None and process.task_id() is None:
        group.replace()
        return
    _restart.run_hooks()
    if group is not None:
        _restart.leave()
    _restart.execute(words)
