"""The queue of the supervisor's signals."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.program import PYTHON
from tests.support.serve import serve, write_module
from tests.support.supervisor import PROGRAM, SupervisedService, children, ends
from tornado._serve.supervisor_signals import SignalQueue

#: A program whose import waits until its test opens a pipe.
WAITING = "import os\nos.write(1, b'importing\\n')\nopen('pipe').close()\n" + PROGRAM


@pytest.fixture
def queue() -> Iterator[SignalQueue]:
    queue = SignalQueue()
    queue.install()
    yield queue
    queue.restore()


def test_signals_are_read_in_their_order(queue):
    os.kill(os.getpid(), signal.SIGTTIN)
    os.kill(os.getpid(), signal.SIGHUP)
    assert queue.read() == [signal.SIGTTIN, signal.SIGHUP]
    assert queue.read() == []


def test_deferred_signals_are_read_after_resume(queue):
    queue.defer(signal.SIGHUP)
    queue.defer(signal.SIGHUP)
    assert queue.read() == []
    queue.resume()
    queue.resume()
    assert queue.read() == [signal.SIGHUP]


#: Runs in a process of its own, because any thread of the process could take the signals.
HAND_OVER = """
import os, signal
from tornado._serve import supervisor_signals
queue = supervisor_signals.SignalQueue()
queue.install()
queue.defer(signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTTIN)
queue.hand_over()
assert signal.sigpending() == {signal.SIGHUP, signal.SIGTTIN}
assert queue.read() == []
supervisor_signals.unblock()
assert set(queue.read()) == {signal.SIGHUP, signal.SIGTTIN}
"""


def test_signals_that_are_handed_over_stay_pending_and_blocked():
    subprocess.run([PYTHON, "-c", HAND_OVER], check=True, timeout=60)


def test_sighup_during_an_upgrade_reloads_afterwards(tmp_path):
    with SupervisedService(tmp_path) as service:
        before = service.worker()
        service.signal(signal.SIGUSR2)
        service.wait_for("upgrading: a trial run")
        assert service.reload() == "reload complete: 1 workers replaced"
        assert "the supervisor has been replaced" in service.output
        assert ends(before)
        assert service.stop() == 0


def test_sighup_during_an_upgrade_that_fails_reloads_afterwards(tmp_path):
    variables = {"WATERSPOUT_CONFIG": "settings.toml"}
    (tmp_path / "settings.toml").write_text("grace = 5")
    with SupervisedService(tmp_path, variables=variables) as service:
        (tmp_path / "settings.toml").write_text("grace = 'never'")
        service.signal(signal.SIGUSR2)
        service.wait_for("upgrading: a trial run")
        assert service.reload() == "reload complete: 1 workers replaced"
        assert "its trial run has failed" in service.output
        assert service.stop() == 0


def test_sighup_during_the_start_reloads_afterwards(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    write_module(tmp_path, WAITING)
    with serve(tmp_path, "app", "--workers=2", "--bind=127.0.0.1:0", "--access-log=off") as service:
        for _ in range(2):
            service.wait_for("importing")
        before = children(service.process.pid)
        service.signal(signal.SIGHUP)
        service.wait_for("SIGHUP is handled when the service is no longer starting")
        write_module(tmp_path, PROGRAM)
        # A worker may not have reached the pipe yet, so it stays open for writing.
        pipe = os.open(tmp_path / "pipe", os.O_RDWR)
        try:
            service.wait_for("reload complete: 2 workers replaced")
        finally:
            os.close(pipe)
        assert all(map(ends, before))
        service.signal(signal.SIGTERM)
        assert service.end() == 0
