"""Finds the processes that listen on a TCP port, from Linux's ``/proc``."""

from __future__ import annotations

import os

_LISTEN = "0A"
#: At most this many processes are named.
_MAX_NAMED = 3


def find(port: int, proc: str = "/proc") -> list[str]:
    """Return descriptions of the processes that listen on `port`, such as ``process 4711 (python app.py)``.

    The list is empty on systems without ``/proc``. Processes of other users are found by root only.
    """
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return []
    links = {f"socket:[{inode}]" for inode in inodes}
    try:
        processes = sorted((name for name in os.listdir(proc) if name.isdecimal()), key=int)
    except OSError:
        return []
    found = [pid for pid in processes if _has_descriptor(os.path.join(proc, pid, "fd"), links)]
    return [f"process {pid}{_command(pid, proc)}" for pid in found[:_MAX_NAMED]]


def _listening_inodes(port: int, proc: str) -> set[str]:
    inodes = set()
    for table in ("net/tcp", "net/tcp6"):
        try:
            with open(os.path.join(proc, table), encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except (OSError, ValueError):
            continue
        for row in rows:
            # sl, local address, remote address, state, queues, timer, retransmits, user, timeout, inode
            if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                inodes.add(row[9])
    return inodes


def _has_descriptor(directory: str, links: set[str]) -> bool:
    try:
        names = os.listdir(directory)
    except OSError:
        return False  # the process has ended, or belongs to another user
    for name in names:
        try:
            if os.readlink(os.path.join(directory, name)) in links:
                return True
        except OSError:
            continue
    return False


def _command(pid: str, proc: str) -> str:
    """Return the command line of a process in parentheses, shortened."""
    try:
        with open(os.path.join(proc, pid, "cmdline"), "rb") as file:
            words = file.read(200).decode(errors="replace").split("\0")
    except OSError:
        return ""
    text = " ".join(word for word in words if word)
    return f" ({text if len(text) <= 60 else text[:59] + '…'})" if text.isprintable() and text else ""


__all__ = ["find"]
