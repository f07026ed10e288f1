from __future__ import annotations

import os
import signal
import sys

import pytest

from tornado._serve.forking import fork


def status_of(run) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(fork(run), 0)[1])


def test_exit_status_is_that_of_the_function():
    assert status_of(lambda: 7) == 7


@pytest.mark.parametrize(("code", "status"), [(None, 0), (3, 3), ("an error", 1)])
def test_exit_is_the_end_of_the_child(code, status):
    assert status_of(lambda: sys.exit(code)) == status


def test_exception_is_printed_and_ends_the_child(capfd):
    assert status_of(lambda: 1 // 0) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_child_has_default_signal_handlers_and_no_variables_of_systemd(monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    previous = signal.signal(signal.SIGUSR2, lambda *values: None)

    def run() -> int:
        default = signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return 0 if default and not blocked and "NOTIFY_SOCKET" not in os.environ else 1

    try:
        assert status_of(run) == 0
        assert signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR2, previous)
    assert os.environ["NOTIFY_SOCKET"] == "/run/notify"
