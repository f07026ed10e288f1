"""The messages to systemd."""

from __future__ import annotations

import os
import socket

import pytest

from tests.support.supervisor import ServiceManager
from tornado._serve.notify import Notifier


def test_messages(tmp_path):
    with ServiceManager(tmp_path) as manager:
        notifier = Notifier({"NOTIFY_SOCKET": manager.path})
        assert notifier.enabled
        notifier.ready()
        assert manager.wait_for("") == f"READY=1\nMAINPID={os.getpid()}"
        notifier.status("a")
        notifier.status("a")
        notifier.status("b")
        assert [manager.wait_for(""), manager.wait_for("")] == ["STATUS=a", "STATUS=b"]
        notifier.reloading()
        assert manager.wait_for("").startswith("RELOADING=1\nMONOTONIC_USEC=")
        notifier.stopping()
        notifier.feed_watchdog()
        assert [manager.wait_for(""), manager.wait_for("")] == ["STOPPING=1", "WATCHDOG=1"]


def test_abstract_address():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("")  # the kernel chooses an abstract name
        name = receiver.getsockname().decode()
        Notifier({"NOTIFY_SOCKET": "@" + name[1:]}).stopping()
        assert receiver.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/socket"}])
def test_absent_service_manager_is_ignored(environment):
    notifier = Notifier(environment)
    notifier.ready()
    notifier.stopping()


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_interval(environment, interval):
    assert Notifier({"NOTIFY_SOCKET": "/nowhere", **environment}).watchdog_interval == interval
    assert Notifier(environment).watchdog_interval is None


def test_status_is_one_variable_whatever_it_contains(tmp_path):
    """It contains the last line of an error of the program."""
    with ServiceManager(tmp_path) as manager:
        Notifier({"NOTIFY_SOCKET": manager.path}).status("failed: \udcff\nMAINPID=1\x1b[2J")
        assert manager.wait_for("STATUS") == "STATUS=failed: \\udcff\\x0aMAINPID=1\\x1b[2J"
