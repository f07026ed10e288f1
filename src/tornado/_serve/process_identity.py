"""What a process of a service is: in its log records, and in its title, which ``ps`` and ``top`` show."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["become", "log_fields"]

#: The maximum length of the name of a thread on Linux, in bytes. That of the first one is the process's.
_MAX_NAME = 15
#: The positions of the address of the command line in ``/proc/self/stat``, after the name in parentheses.
_BEGIN, _END = 45, 46

_fields: dict[str, Any] = {}


def become(role: str, worker: int | None = None) -> None:
    """Set the role of this process.

    :param role: ``supervisor``, ``administration`` or ``worker``.
    :param worker: the number of the worker.
    """
    _fields.clear()
    _fields["role"] = role
    if worker is not None:
        _fields["worker"] = worker
    name = role if worker is None else f"{role} {worker}"
    if sys.platform == "linux":
        _set_name(name)
        _set_command_line(f"{name}: ")


def log_fields() -> dict[str, Any]:
    """Return the keys that identify this process in log records in JSON; none outside of a service."""
    return _fields


def _set_name(name: str) -> None:
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            _ = file.write(name[:_MAX_NAME])
    except OSError:
        pass  # there is no /proc


def _set_command_line(prefix: str) -> None:
    """Put a text before the command line, in its memory, whose size cannot change.

    ``ps``, ``pgrep -f`` and ``/proc`` read it there. Python has copied it.
    """
    arguments = "\0".join([*sys.orig_argv, ""]).encode(errors="surrogateescape")
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        begin, end = int(fields[_BEGIN]), int(fields[_END])
        if not 0 < begin < end:
            return
        text = (prefix.encode() + arguments)[: end - begin - 1].ljust(end - begin, b"\0")
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            _ = memory.seek(begin)
            _ = memory.write(text)
    except (OSError, ValueError, IndexError):
        pass  # the kernel does not allow it
