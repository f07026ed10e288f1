"""The thread of a worker that talks to the supervisor, also while the event loop is blocked.

The event loop counts beats, and the thread reports the number and the time since the last beat. So the
supervisor can distinguish a blocked event loop from a busy one. When the supervisor has ended, the thread
sees the end of the channel: the worker drains, and if its event loop is blocked, the thread ends the process.
A worker that still imports its program ends at once, because it has no connections.
"""

from __future__ import annotations

import asyncio
import faulthandler
import io
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tornado._serve.log_setup import log_report
from tornado._serve.log_stream import finish_streams, flush_streams
from tornado._serve.stack_file import StackFile
from tornado._serve.worker_process import SHUTDOWN_TIME
from tornado._serve.worker_protocol import BEAT_INTERVAL, Channel, Message
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: How long the event loop has to stop accepting after the supervisor has ended, in seconds. Then the thread
#: makes the listening sockets stop, because a new supervisor waits for the addresses.
_STOP_ACCEPTING_TIME = 0.3
#: The numbers of the worker are sent with each fourth beat.
_STATS_EVERY = 4


class Served(Protocol):
    """The methods of a worker that the thread calls."""

    def stop(self, grace: float, delay: float) -> None:
        """Begin the drain. It is called in the reporter's thread."""

    def is_accepting(self) -> bool:
        """Whether a listening socket is open."""

    def abandon_listeners(self) -> None:
        """Make the listening sockets stop, from any thread and without the event loop."""

    def release_addresses(self) -> None:
        """Allow a new supervisor to use the addresses."""

    def stats(self) -> dict[str, Any]:
        """Return the numbers of the worker. It is called in the reporter's thread."""


class HeartbeatThread:
    """Reports the beats of an event loop, and handles the messages of the supervisor.

    :param grace: the maximum time for requests after the end of the supervisor, in seconds.
    :param queries: the functions that answer queries, by their names. They are called in the thread.
    """

    def __init__(
        self,
        channel: Channel,
        served: Served,
        grace: float,
        queries: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._channel = channel
        self._served = served
        self._grace = grace
        self._queries = queries or {}
        self._beats = 0
        self._last_beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread. It reports nothing until `begin_beats`, but notices the end of the supervisor."""
        self._thread.start()

    def begin_beats(self) -> None:
        """Count and report the beats of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._beat()

    def _beat(self) -> None:
        assert self._loop is not None
        self._beats += 1
        self._last_beat = time.monotonic()
        self._loop.call_later(BEAT_INTERVAL, self._beat)

    # -- in the thread --

    def _run(self) -> None:
        try:
            self._report()
            self._end_orphan()
        except Exception:
            gen_log.exception("the thread that reports to the supervisor has failed; the worker ends")
            if self._loop is None:
                os._exit(1)
            self._served.stop(self._grace, 0.0)

    def _report(self) -> None:
        """Report beats until the supervisor has ended."""
        # poll() takes descriptors above 1023, select() does not.
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        reports = 0
        next_report = time.monotonic()
        while self._channel.is_open:
            timeout = max(0.0, next_report - time.monotonic())
            if poll.poll(timeout * 1000):
                for message in self._channel.receive():
                    self._handle(message)
            now = time.monotonic()
            if now >= next_report:
                next_report = now + BEAT_INTERVAL
                if self._loop is None:
                    continue
                stats = {} if reports % _STATS_EVERY else self._served.stats()
                reports += 1
                # The event loop may have counted a beat since. The supervisor accepts no negative age.
                age = max(0.0, round(now - self._last_beat, 3))
                self._channel.send("beat", droppable=True, loop=self._beats, age=age, stats=stats)
                self._channel.flush()
                flush_streams()
        if self._channel.violation is not None:
            gen_log.error("the supervisor has sent an invalid message: %s", self._channel.violation)

    def _handle(self, message: Message) -> None:
        match message["type"]:
            case "drain":
                self._served.stop(message["grace"], message["delay"])
            case "dump":
                self._dump()
            case "query":
                if not self._channel.send("reply", id=message["id"], data=self._answer(message)):
                    self._channel.send("reply", id=message["id"], data={"error": "the answer is too large"})

    def _answer(self, message: Message) -> Any:
        function = self._queries.get(message["what"])
        if function is None:
            return None
        try:
            return function(**message["arguments"])
        except Exception as error:
            gen_log.exception("a query of the supervisor has failed: %r", message)
            return {"error": str(error)}

    def _dump(self) -> None:
        """Log the stacks of all threads now, and those of all tasks when the event loop runs."""
        _log_stacks()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_dump_tasks, self._loop)

    def _end_orphan(self) -> None:
        """Drain because the supervisor has ended, and end the process if its event loop is blocked."""
        if self._loop is None:
            gen_log.error("the supervisor has ended during the import of the program: exiting")
            os._exit(1)
        gen_log.error("the supervisor has ended: draining")
        served = self._served
        served.stop(self._grace, 0.0)
        began = time.monotonic()
        while served.is_accepting() and time.monotonic() < began + _STOP_ACCEPTING_TIME:
            time.sleep(0.01)
        if served.is_accepting():
            served.abandon_listeners()
        served.release_addresses()
        time.sleep(max(0.0, began + self._grace - time.monotonic()))
        if time.monotonic() - self._last_beat < 1.0:
            time.sleep(SHUTDOWN_TIME)  # the event loop runs: it cancels handlers, and runs the shutdown
        gen_log.error("the supervisor has ended, and the drain has not: exiting")
        _log_stacks()
        finish_streams()
        os._exit(1)


def _log_stacks() -> None:
    file = StackFile()
    faulthandler.dump_traceback(file.fileno(), all_threads=True)
    log_report(logging.ERROR, "the stacks of this process", file.read(), is_stack=True)
    file.close()


def _dump_tasks(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        text = io.StringIO()
        task.print_stack(file=text)
        log_report(logging.ERROR, f"the stack of the task {task.get_name()}", text.getvalue(), is_stack=True)


__all__ = ["HeartbeatThread", "Served"]
