"""Restarts of a program, and its process group."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tornado import _restart
from tornado.netutil import _socket_inheritance

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


@pytest.fixture
def executed(monkeypatch):
    """Record each command line and the variable that its program would inherit, instead of executing it."""
    commands = []
    monkeypatch.setattr(
        os,
        "execv",
        lambda path, command: commands.append((path, command, os.environ[_socket_inheritance.VARIABLE])),
    )
    monkeypatch.setattr(_socket_inheritance, "_bound", type(_socket_inheritance._bound)())
    return commands


def test_restart_uses_the_original_command_line(executed):
    _restart.execute({"files": {"a": 1}})
    [(path, command, value)] = executed
    assert path == sys.executable
    assert command == [sys.executable, *sys.orig_argv[1:]]
    assert '"files": {"a": 1}' in value
    assert _socket_inheritance.VARIABLE not in os.environ


def test_failed_restart_is_logged(monkeypatch, expect_log):
    def refuse(path, command):
        raise PermissionError("no")

    monkeypatch.setattr(os, "execv", refuse)
    with expect_log("tornado.general", "cannot restart"):
        _restart.execute({})


def test_restart_uses_the_original_directory(monkeypatch, tmp_path, executed):
    monkeypatch.setattr(_restart, "_directory", str(tmp_path))
    here = os.getcwd()
    seen = []
    monkeypatch.setattr(os, "execv", lambda *_: seen.append(os.getcwd()))
    _restart.execute({})
    assert seen == [str(tmp_path)]
    assert os.getcwd() == here
    monkeypatch.setattr(_restart, "_directory", str(tmp_path / "gone"))
    _restart.execute({})
    assert seen[1:] == [here]


def test_hook_exception_is_logged_and_other_hooks_run(monkeypatch, expect_log):
    order = []
    monkeypatch.setattr(_restart, "hooks", [lambda: order.append(1), lambda: 1 / 0, lambda: order.append(2)])
    with expect_log("tornado.general", "reload hook failed"):
        _restart.run_hooks()
    assert order == [1, 2]


def test_request_is_visible_to_all_processes():
    group = _restart.ProgramProcesses({})
    assert group.pending_request() is None
    assert not group.wait(0)
    group.request_restart(2.5, {"files": {}})
    group.request_restart(9, {})
    for _ in range(2):
        assert group.pending_request() == {"patience": 2.5, "words": {"files": {}}}
        assert group.wait(0)
    group.close()
    assert group.pending_request() is None
    group.request_restart(1, {})  # has no effect on a closed group


def test_truncated_request_has_default_values():
    group = _restart.ProgramProcesses({})
    group._sender.send(b'{"patience": ')
    assert group.pending_request() == {"patience": 0.0, "words": {}}
    group.close()


def test_children_that_delay_the_restart_are_terminated(monkeypatch, executed, expect_log):
    """One child exits before SIGTERM, one on SIGTERM, and one is killed."""
    monkeypatch.setattr(_restart, "_GRACE_PERIOD", 0.05)
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
    group = _restart.ProgramProcesses(children)
    with expect_log("tornado.general", "delays the restart: signal") as log:
        group.replace()
    group.close()
    assert [record.args[-1] for record in log.records] == [signal.SIGTERM, signal.SIGTERM, signal.SIGKILL]
    assert len(executed) == 1
    for pid in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)


def test_startup_error_hook_waits_only_during_startup(monkeypatch):
    from tornado.autoreload import _command

    waited = []
    monkeypatch.setattr(_command, "wait_for_correction", waited.append)
    shown = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: shown.append(error[1]))
    hook = _restart.StartupExceptHook()
    error, interrupt = ValueError(), KeyboardInterrupt()
    for starting in (True, False):
        monkeypatch.setattr(_restart, "_starting", starting)
        hook(ValueError, error, None)
        hook(KeyboardInterrupt, interrupt, None)
    assert shown == [error, interrupt] * 2
    assert waited == [error]
