"""The processes of a measured server, as ``/proc`` shows them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A row of the process table."""

    pid: int
    state: str
    parent: int
    session: int


def processes() -> Iterator[Process]:
    """Yield all processes."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                state, parent, _, session = file.read().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it has ended
        yield Process(int(name), state, int(parent), int(session))


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def of_session(session: int) -> list[Process]:
    """Return the processes of a session, without zombies."""
    return [each for each in processes() if each.session == session and each.state not in "ZX"]


def zombies(parent: int) -> int:
    """Return the number of the zombies whose parent is `parent`."""
    return sum(each.parent == parent and each.state == "Z" for each in processes())


def kill_session(session: int) -> int:
    """Kill all processes of a session, and return their number."""
    found = of_session(session)
    for each in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGKILL)
    return len(found)
