"""Access to the internals of a service's processes: its channel's thread, its log and its sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tornado._serve.heartbeat_thread import HeartbeatThread
from tornado._serve.log_stream import LogStream
from tornado._serve.unix_peers import OwnerListener
from tornado._serve.worker import Worker

#: Sends bytes and returns their number.
Send = Callable[[bytes], int]


def report_beats(heartbeats: HeartbeatThread) -> None:
    """Report in this thread until the supervisor has ended."""
    heartbeats._report()


def handle_message(heartbeats: HeartbeatThread, message: dict[str, Any]) -> None:
    """Handle a message of the supervisor in this thread."""
    heartbeats._handle(message)


def replace_send(monkeypatch: pytest.MonkeyPatch, stream: LogStream, make: Callable[[Send], Send]) -> None:
    """Let a stream send by ``make(function)``, where ``function`` is the one that it has used."""
    monkeypatch.setattr(stream, "_send", make(stream._send))


def refuse_all_users(monkeypatch: pytest.MonkeyPatch, listener: OwnerListener) -> None:
    """Let a listener close the connections of all users."""
    monkeypatch.setattr(listener, "_users", set())


def send_last_report(monkeypatch: pytest.MonkeyPatch, worker: Worker, snapshot: Any, recent: Any) -> None:
    """Send the last counts, errors and records of a worker."""
    monkeypatch.setattr(worker, "_last_snapshot", snapshot)
    monkeypatch.setattr(worker._queries, "recent", lambda: recent)
    worker._send_last_report(clean=True)
