"""The process of the administration (`tornado._serve.admin`), as the supervisor sees it.

The process asks and the supervisor answers, so the supervisor needs no timer for it and never waits. The
messages of the process are:

==========  ==================================================================================================
``status``  answer with the status of the service
``ask``     pass a query (``what``, ``arguments``) on to all workers: the answer to this message has the
            process IDs of the workers, and each of their replies follows with its ``pid``
``act``     do what the user has requested (``action``, ``arguments``); the answer has ``error``, or None
``keep``    keep ``data``, the counts of ended workers, for a process that replaces this one
==========  ==================================================================================================

Each answer is a ``reply`` with the ``id`` of the message. ``final`` has the last ``snapshot`` of the worker
``pid`` and its ``recent`` errors and log records, and ``ended`` the exit ``status`` of the service.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from tornado._serve.forking import fork
from tornado._serve.message_schema import FROM_ADMIN, FROM_SUPERVISOR
from tornado._serve.process_states import SupervisorState, WorkerState
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel, Message
from tornado._serve.worker_slot import MAX_DELAY, MIN_DELAY
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: A process that has run for this time ends the back-off of its restarts, in seconds.
_STABLE_TIME = 10.0
#: The maximum number of workers that can be requested.
MAX_WORKERS = 1000
#: The time for responses to clients that wait for the end of the service, in seconds.
_END_TIME = 1.0


class Controlled(Protocol):
    """The methods of the supervisor that this module calls."""

    state: SupervisorState

    def workers(self) -> Iterable[WorkerProcess]:
        """Return all worker processes."""

    def status(self) -> dict[str, Any]:
        """Return the status as values for JSON."""

    def stop(self, number: int = ...) -> None:
        """Drain all workers and end."""

    def reload(self) -> None:
        """Replace all workers by new ones."""

    def resize(self, count: int) -> None:
        """Change the number of workers."""

    def restart_worker(self, number: int) -> str | None:
        """Replace a worker. Return the reason if that is impossible."""


class AdminProcess:
    """The process, and its restart if it ends.

    :param run: runs the administration in the child process with its end of the channel and the data that an
        earlier process has kept, and returns the exit status.
    :param identity: a text that differs if the process must be replaced when the supervisor is replaced.
    :param selector: the selector of the supervisor.
    :param close_in_child: closes what the process must not keep open.
    :ivar kept: the data that the process has asked to keep.
    """

    def __init__(
        self,
        service: Controlled,
        run: Callable[[Channel, Any], int],
        identity: str,
        selector: selectors.BaseSelector,
        close_in_child: Callable[[], None],
    ) -> None:
        self._service = service
        self._run = run
        self._identity = identity
        self._selector = selector
        self._close_in_child = close_in_child
        self._pid: int | None = None
        self._channel: Channel | None = None
        self.kept: Any = None
        self._started = 0.0
        self._restart_at: float | None = None
        self._delay = MIN_DELAY

    def start(self) -> None:
        """Start the process. If that is impossible now, try again later."""
        self._restart_at = None
        self._started = time.monotonic()
        try:
            self._watch(self._fork())
        except OSError as error:
            gen_log.error("cannot start the process of --admin: %s", error)
            self._restart_later()

    def _fork(self) -> Channel:
        """Fork the process, and return the connection to it."""
        ours, theirs = Channel.pair(FROM_ADMIN, FROM_SUPERVISOR)

        def run() -> int:
            ours.close()
            self._close_in_child()
            return self._run(theirs, self.kept)

        try:
            self._pid = fork(run)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _watch(self, channel: Channel) -> None:
        self._channel = channel
        self._selector.register(channel, selectors.EVENT_READ, self._on_input)

    def _restart_later(self) -> float:
        if time.monotonic() - self._started > _STABLE_TIME:
            self._delay = MIN_DELAY
        delay = self._delay
        self._restart_at = time.monotonic() + delay
        self._delay = min(self._delay * 2, MAX_DELAY)
        return delay

    def next_time(self) -> float:
        """Return the time of the next call of `advance`, on the clock of `time.monotonic`."""
        if self._channel is not None and self._channel.has_output:
            return time.monotonic() + 0.1
        return float("inf") if self._restart_at is None else self._restart_at

    def advance(self, now: float) -> None:
        """Send output that waits, and start the process again when its delay has passed."""
        if self._channel is not None:
            self._channel.flush()
        if self._restart_at is not None and self._restart_at <= now:
            self.start()

    def exited(self, pid: int, status: int) -> bool:
        """Handle the end of a process. Return whether it was this one."""
        if pid != self._pid:
            return False
        self._pid = None
        self.close()
        gen_log.error(
            "the process of --admin has ended (status %d) and is started again in %.1f s",
            status,
            self._restart_later(),
        )
        return True

    def close(self) -> None:
        """Close the channel: at the end of the process, and in other child processes."""
        if self._channel is not None:
            if self._selector.get_map() and self._channel in self._selector.get_map():
                self._selector.unregister(self._channel)
            self._channel.close()
            self._channel = None

    def end(self, status: int | None = None) -> None:
        """End the process, and wait until it has ended.

        :param status: the exit status of the service, for clients that wait for its end. They are answered in
            at most `_END_TIME`. None: the process has nothing to complete.
        """
        channel = self._channel
        if status is not None and channel is not None:
            channel.send("ended", status=status)
            deadline = time.monotonic() + _END_TIME
            while channel.is_open and (remaining := deadline - time.monotonic()) > 0:
                select.select([channel], [channel] if channel.has_output else [], [], remaining)
                channel.flush()
                channel.receive()
        self.close()
        pid, self._pid = self._pid, None
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # it has ended, and has been reaped

    # -- messages --

    def _on_input(self) -> None:
        channel = self._channel
        if channel is None:
            return
        for message in channel.receive():
            self._handle(channel, message)
        if not channel.is_open:
            self._selector.unregister(channel)  # its exit is noticed by SIGCHLD
        if channel.violation is not None and self._pid is not None:
            gen_log.error("the process of --admin has sent an invalid message: %s", channel.violation)
            os.kill(self._pid, signal.SIGKILL)  # it is started again without the data that it has kept
            self.kept = None

    def _handle(self, channel: Channel, message: Message) -> None:
        match message["type"]:
            case "status":
                channel.send("reply", id=message["id"], data=self._service.status())
            case "ask":
                channel.send("reply", id=message["id"], data=self._pass_on(message))
            case "act":
                error = self._act(message["action"], message["arguments"])
                channel.send("reply", id=message["id"], data={"error": error})
            case "keep":
                self.kept = message.get("data")

    def _pass_on(self, message: Message) -> list[int]:
        """Pass a query on to the workers that can answer, and return their process IDs."""
        asked = []
        for worker in self._service.workers():
            if worker.ready_at is not None and worker.state is not WorkerState.KILLED:
                worker.channel.send(
                    "query", id=message["id"], what=message["what"], arguments=message["arguments"]
                )
                asked.append(worker.pid)
        return asked

    def _act(self, action: str, arguments: Mapping[str, Any]) -> str | None:
        """Do what the user has requested. Return the reason if that is impossible now.

        :param arguments: the number that the action needs, by its name.
        """
        service = self._service
        if service.state not in (SupervisorState.SERVING, SupervisorState.RELOADING):
            return f"the service is {service.state.value}"
        match action:
            case "drain":
                service.stop()
            case "reload":
                service.reload()
            case "scale":
                count = arguments.get("workers")
                if not isinstance(count, int) or not 1 <= count <= MAX_WORKERS:
                    return f"workers must be a number from 1 to {MAX_WORKERS}"
                service.resize(count)
            case "restart":
                number = arguments.get("worker")
                return (
                    service.restart_worker(number) if isinstance(number, int) else "worker must be a number"
                )
            case _:
                return f"unknown action {action!r}"
        return None

    def forward(self, worker: WorkerProcess, message: Message) -> None:
        """Pass the answer of a worker on to the process."""
        if self._channel is not None:
            self._channel.send("reply", id=message["id"], pid=worker.pid, data=message.get("data"))

    def forward_last(self, worker: WorkerProcess, snapshot: Any, recent: Any) -> None:
        """Pass the last report of a worker on, so that its last requests are counted, and its errors kept."""
        if self._channel is not None and snapshot is not None:
            self._channel.send("final", pid=worker.pid, snapshot=snapshot, recent=recent)

    # -- across a replacement of the supervisor --

    def dump(self) -> dict[str, Any] | None:
        """Return what the next supervisor in this process must know; None if the process does not run."""
        if self._pid is None or self._channel is None:
            return None
        return {
            "pid": self._pid,
            "identity": self._identity,
            "channel": self._channel.fileno(),
            "unread": self._channel.unread.decode("latin-1"),
        }

    def begin(self, values: dict[str, Any] | None) -> None:
        """Start the process, or continue with that of the previous supervisor.

        Its connections and its history remain.

        :param values: the result of `dump`, or None.
        """
        if values is None or values["identity"] != self._identity:
            discard(values)
            self.start()
            return
        self._pid, self._started = values["pid"], time.monotonic()
        self._watch(
            Channel(socket.socket(fileno=values["channel"]), values["unread"].encode("latin-1"), FROM_ADMIN)
        )


def discard(values: dict[str, Any] | None) -> None:
    """End the process of the previous supervisor, if there is one.

    :param values: the result of `AdminProcess.dump`, or None.
    """
    if values is not None:
        os.close(values["channel"])
        os.kill(values["pid"], signal.SIGKILL)  # it is reaped as any other child process


__all__ = ["MAX_WORKERS", "AdminProcess", "Controlled", "discard"]
