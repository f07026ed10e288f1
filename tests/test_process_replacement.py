"""Replacement of a process by a new instance of its program."""

from __future__ import annotations

import os
import sys

import pytest

from tornado import _process_replacement
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
    _process_replacement.execute({"files": {"a": 1}})
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
        _process_replacement.execute({})


def test_restart_uses_the_original_directory(monkeypatch, tmp_path, executed):
    monkeypatch.setattr(_process_replacement, "_directory", str(tmp_path))
    here = os.getcwd()
    seen = []
    monkeypatch.setattr(os, "execv", lambda *_: seen.append(os.getcwd()))
    _process_replacement.execute({})
    assert seen == [str(tmp_path)]
    assert os.getcwd() == here
    monkeypatch.setattr(_process_replacement, "_directory", str(tmp_path / "gone"))
    _process_replacement.execute({})
    assert seen[1:] == [here]


def test_hook_exception_is_logged_and_other_hooks_run(monkeypatch, expect_log):
    order = []
    monkeypatch.setattr(
        _process_replacement, "hooks", [lambda: order.append(1), lambda: 1 / 0, lambda: order.append(2)]
    )
    with expect_log("tornado.general", "reload hook failed"):
        _process_replacement.run_hooks()
    assert order == [1, 2]


def test_startup_error_hook_waits_only_during_startup(monkeypatch):
    from tornado.autoreload import _command

    waited = []
    monkeypatch.setattr(_command, "wait_for_correction", waited.append)
    shown = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: shown.append(error[1]))
    hook = _process_replacement.StartupExceptHook()
    error, interrupt = ValueError(), KeyboardInterrupt()
    for starting in (True, False):
        monkeypatch.setattr(_process_replacement, "_starting", starting)
        hook(ValueError, error, None)
        hook(KeyboardInterrupt, interrupt, None)
    assert shown == [error, interrupt] * 2
    assert waited == [error]
