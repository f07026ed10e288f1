"""The processes of a program that restart together."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tests.support.process import send_to_processes
from tornado import _forked_restart, _process_replacement
from tornado._forked_restart import ForkedRestart, RestartRequest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


def test_request_is_visible_to_all_processes():
    group = ForkedRestart({})
    assert group.pending_request() is None
    assert not group.wait(0)
    group.request_restart(RestartRequest(2.5, {"files": {}}))
    group.request_restart(RestartRequest(9))
    for _ in range(2):
        assert group.pending_request() == RestartRequest(2.5, {"files": {}})
        assert group.wait(0)
    group.close()
    assert group.pending_request() is None
    group.request_restart(RestartRequest(1))  # has no effect on a closed group


def test_truncated_request_has_default_values():
    group = ForkedRestart({})
    send_to_processes(group, b'{"grace_period": ')
    assert group.pending_request() == RestartRequest()
    group.close()


def test_only_the_started_processes_are_current():
    assert _forked_restart.current() is None
    group = _forked_restart.start({})
    assert _forked_restart.current() is group
    _forked_restart.end()
    _forked_restart.end()  # a second call has no effect
    assert _forked_restart.current() is None
    assert group.fileno() == -1


def test_children_that_delay_the_restart_are_terminated(monkeypatch, expect_log):
    """One child exits before SIGTERM, one on SIGTERM, and one is killed.

    Time passes only in ``sleep``, and a signal takes effect before the clock advances.
    """
    executed = []
    clock, send_signal = FakeClock(), os.kill

    def wait_for_exit(pid):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def kill(pid, number):
        send_signal(pid, number)
        if children[pid] == 1 or number == signal.SIGKILL:
            wait_for_exit(pid)

    monkeypatch.setattr(_process_replacement, "execute", executed.append)
    monkeypatch.setattr(_forked_restart, "time", SimpleNamespace(monotonic=clock, sleep=clock.advance))
    monkeypatch.setattr(os, "kill", kill)
    ready, tell = os.pipe()
    children = {}
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            if number == 0:
                os._exit(0)
            if number == 2:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(tell, b".")
            while True:
                signal.pause()
        children[pid] = number
    assert os.read(ready, 1) + os.read(ready, 1) == b".."
    os.close(ready)
    os.close(tell)
    wait_for_exit(next(iter(children)))
    group = ForkedRestart(children)
    with expect_log("tornado.general", "delays the restart: signal") as log:
        group.replace()
    group.close()
    assert [record.args[-1] for record in log.records] == [signal.SIGTERM, signal.SIGTERM, signal.SIGKILL]
    assert executed == [{}]
    for pid in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)
