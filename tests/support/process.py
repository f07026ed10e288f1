"""The internals of `tornado.process`, and of programs with several processes, that tests access."""

from __future__ import annotations

from typing import Any

from tornado._forked_restart import ForkedRestart
from tornado.process import Subprocess


def watched_children() -> Any:
    """Return the child processes whose exit is awaited."""
    return Subprocess._watched


def send_to_processes(group: ForkedRestart, data: bytes) -> None:
    """Send data to all processes of a program, which interpret it as a request for a restart."""
    group._sender.send(data)
