from __future__ import annotations

import errno
import os
import select
import selectors
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admin import snapshot, status
from tornado._serve.admin_process import AdminProcess, discard
from tornado._serve.process_states import SupervisorState, WorkerState
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel


class Service:
    """A supervisor that records what it is told to do."""

    def __init__(self) -> None:
        self.state = SupervisorState.SERVING
        self.done: list[Any] = []
        self.processes: list[WorkerProcess] = []

    def workers(self) -> list[WorkerProcess]:
        return self.processes

    def status(self) -> dict[str, Any]:
        return status(1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.done.append("stop")

    def reload(self) -> None:
        self.done.append("reload")

    def resize(self, count: int) -> None:
        self.done.append(count)

    def restart_worker(self, number: int) -> str | None:
        return f"there is no worker {number}"


def idle(channel: Channel, kept: Any) -> int:
    """Wait for the end of the supervisor, in the child process."""
    while not channel.at_end:
        select.select([channel], [], [])
        channel.receive()
    return 0


class Supervised:
    """An `AdminProcess` with the loop of a supervisor.

    :ivar process: the process.
    """

    def __init__(self, run: Any = idle, service: Service | None = None) -> None:
        self.selector = selectors.DefaultSelector()
        self.service = service or Service()
        self.process = AdminProcess(self.service, run, "identity", self.selector, self.selector.close)

    def wait(self) -> None:
        """Handle the next message."""
        for key, _ in self.selector.select(60):
            key.data()

    def pid(self) -> int:
        found = self.process.dump()
        assert found is not None
        pid: int = found["pid"]
        return pid


@pytest.fixture
def supervised() -> Iterator[Supervised]:
    made = Supervised()
    try:
        yield made
    finally:
        made.process.end()
        made.selector.close()


def answers(service: Service, message: dict[str, Any]) -> Any:
    """Return the answer to a message of the process."""

    def run(channel: Channel, kept: Any) -> int:
        channel.send(**message)
        received: list[Any] = []
        while not received:
            select.select([channel], [], [])
            received += channel.receive()
        channel.send("keep", data=received[0])
        return idle(channel, kept)

    made = Supervised(run, service)
    made.process.start()
    try:
        while made.process.kept is None:
            made.wait()
    finally:
        made.process.end()
        made.selector.close()
    return made.process.kept["data"]


def test_start_without_free_descriptors_is_tried_again(supervised, monkeypatch, expect_log):
    """The error must not end the supervisor, because its workers would end with it."""

    def fail(*schemas: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(Channel, "pair", fail)
        with expect_log("tornado.general", "cannot start the process of --admin: .*Too many open files"):
            supervised.process.start()
    due = supervised.process.next_time()
    assert due < time.monotonic() + 1
    supervised.process.advance(due)
    assert supervised.pid()


def test_status_is_answered():
    assert answers(Service(), {"kind": "status", "id": "1"}) == status(1)


@pytest.mark.parametrize(
    ("action", "arguments", "done", "error"),
    [
        ("drain", {}, ["stop"], None),
        ("reload", {}, ["reload"], None),
        ("scale", {"workers": 3}, [3], None),
        ("scale", {}, [], "workers must be a number from 1 to 1000"),
        ("scale", {"workers": 10**9}, [], "workers must be a number from 1 to 1000"),
        ("scale", {"workers": "x"}, [], "workers must be a number from 1 to 1000"),
        ("restart", {"worker": 7}, [], "there is no worker 7"),
        ("restart", {"worker": "x"}, [], "worker must be a number"),
        ("drain", {"action": "x", "self": "x"}, ["stop"], None),
        ("explode", {}, [], "unknown action 'explode'"),
    ],
)
def test_action_is_done_or_refused(action, arguments, done, error):
    service = Service()
    message = {"kind": "act", "id": "1", "action": action, "arguments": arguments}
    assert answers(service, message) == {"error": error}
    assert service.done == done


def test_action_is_refused_while_the_service_ends():
    service = Service()
    service.state = SupervisorState.STOPPING
    assert answers(service, {"kind": "act", "id": "1", "action": "drain", "arguments": {}}) == {
        "error": "the service is stopping"
    }
    assert service.done == []


def test_query_is_passed_on_to_workers_that_have_started():
    service = Service()
    channels = [Channel.pair() for _ in range(3)]
    for pid, (ours, _) in enumerate(channels, 101):
        service.processes.append(WorkerProcess(0, 0, 1, pid, ours, WorkerState.SERVING))
    service.processes[0].ready_at = service.processes[1].ready_at = 1.0
    service.processes[1].state = WorkerState.KILLED
    message = {"kind": "ask", "id": "9", "what": "log", "arguments": {"request_id": "a"}}
    assert answers(service, message) == [101]
    received = [theirs.receive() for _, theirs in channels]
    assert received == [
        [{"type": "query", "id": "9", "what": "log", "arguments": {"request_id": "a"}}],
        [],
        [],
    ]
    for ours, theirs in channels:
        ours.close()
        theirs.close()


def test_ended_process_is_started_again_with_the_kept_data_and_back_off(supervised, expect_log):
    process = supervised.process
    process.begin(None)
    for delay in ("0.1", "0.2"):
        pid = supervised.pid()
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[0] == pid
        with expect_log("tornado.general", rf"has ended \(status -9\) and is started again in {delay} s"):
            assert process.exited(pid, -9)
        assert process.dump() is None
        assert process.next_time() <= time.monotonic() + float(delay)
        process.advance(time.monotonic())
        assert process.dump() is None  # not yet
        process.advance(time.monotonic() + 1.0)
        assert supervised.pid() != pid
    assert not process.exited(os.getpid(), 0)


def test_process_of_the_previous_supervisor_is_kept_unless_it_differs(supervised):
    process = supervised.process
    process.begin(None)
    values = process.dump()
    pid = values["pid"]
    another = AdminProcess(supervised.service, idle, "identity", supervised.selector, lambda: None)
    supervised.selector.unregister(next(iter(supervised.selector.get_map().values())).fileobj)
    another.begin({**values, "channel": os.dup(values["channel"])})
    assert another.dump()["pid"] == pid
    another.close()
    other = AdminProcess(supervised.service, idle, "other", supervised.selector, supervised.selector.close)
    other.begin({**values, "channel": os.dup(values["channel"])})
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert other.dump()["pid"] != pid
    other.end()
    discard(None)


def test_answers_of_workers_and_last_snapshots_are_forwarded(supervised):
    ours, theirs = Channel.pair()
    worker = WorkerProcess(0, 0, 1, 101, ours, WorkerState.SERVING)
    supervised.process.forward(worker, {"id": "1", "data": []})  # it does not run yet: ignored
    supervised.process.start()
    supervised.process.forward(worker, {"id": "1", "data": []})
    supervised.process.forward_last(worker, snapshot(), {})
    supervised.process.forward_last(worker, None, None)
    assert supervised.process.next_time() == float("inf")
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ask","id":["1"],"what":"log","arguments":{}}',
        b'{"type":"act","id":"1","action":"scale","arguments":["workers"]}',
        b'{"type":"keep","data":5}',
        b"[" * 100_000,
    ],
)
def test_process_that_sends_an_invalid_message_is_killed(supervised, expect_log, line):
    def send(channel: Channel, kept: Any) -> int:
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN | select.POLLOUT)
        rest = line + b"\n"
        while rest:
            poll.poll()
            rest = rest[os.write(channel.fileno(), rest) :]
        return idle(channel, kept)

    process = AdminProcess(
        supervised.service, send, "identity", supervised.selector, supervised.selector.close
    )
    supervised.process = process
    process.start()
    pid = supervised.pid()
    with expect_log("tornado.general", "the process of --admin has sent an invalid message: "):
        while supervised.selector.get_map():
            supervised.wait()
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    with expect_log("tornado.general", "is started again"):
        assert process.exited(pid, -signal.SIGKILL)
    assert process.kept is None
    assert supervised.service.done == []
