"""Finds the processes that listen on a TCP port, or have a Unix socket, from Linux's ``/proc``."""

from __future__ import annotations

import os
import sys

_LISTEN = "0A"
#: The flag of a listening socket in ``/proc/net/unix``.
_ACCEPTS = "00010000"
#: At most this many processes are named.
_MAX_NAMED = 3


def find(port: int, proc: str = "/proc") -> list[str]:
    """Return descriptions of the processes that listen on `port`, such as ``process 4711 (python app.py)``.

    The list is empty on systems without ``/proc``. Processes of other users are found by root only.
    """
    return _described(_holders(_listening_inodes(port, proc), proc), proc)


def find_unix(address: str, proc: str = "/proc") -> list[str]:
    """Return descriptions of the processes that have the listening Unix socket `address`.

    :param address: its path, or a name that begins with a NUL character.
    """
    return _described(_holders(_unix_inodes(address, proc), proc), proc)


def describe(process: int, proc: str = "/proc") -> str:
    """Return a description of a process, with the beginning of its command line if that can be read."""
    return f"process {process}{_command(str(process), proc)}"


def own_holder(address: str, proc: str = "/proc") -> int | None:
    """Return the ID of a process of this user that has the listening Unix socket `address`, or None."""
    if sys.platform == "win32":
        return None
    for pid in _holders(_unix_inodes(address, proc), proc):
        try:
            if os.stat(os.path.join(proc, pid)).st_uid == os.getuid():
                return int(pid)
        except OSError:
            continue  # it has ended
    return None


def _holders(inodes: set[str], proc: str) -> list[str]:
    """Return the IDs of the processes that have one of these sockets."""
    if not inodes:
        return []
    links = {f"socket:[{inode}]" for inode in inodes}
    try:
        processes = sorted((name for name in os.listdir(proc) if name.isdecimal()), key=int)
    except OSError:
        return []
    return [pid for pid in processes if _has_descriptor(os.path.join(proc, pid, "fd"), links)]


def _described(processes: list[str], proc: str) -> list[str]:
    return [f"process {pid}{_command(pid, proc)}" for pid in processes[:_MAX_NAMED]]


def _unix_inodes(address: str, proc: str) -> set[str]:
    shown = address.replace("\0", "@", 1) if address.startswith("\0") else address
    try:
        with open(os.path.join(proc, "net/unix"), errors="surrogateescape") as file:
            # number, references, protocol, flags, type, state, inode, path, which may contain spaces
            rows = [line.rstrip("\n").split(maxsplit=7) for line in file]
    except OSError:
        return set()
    return {row[6] for row in rows if len(row) == 8 and row[7] == shown and row[3] == _ACCEPTS}


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


__all__ = ["describe", "find", "find_unix", "own_holder"]
