"""Prevents two generations of workers on one address.

When a supervisor is killed, its workers stop accepting and end, but that takes a moment. A new supervisor
must not serve the same address before that: a descriptor that was inherited, or a socket of systemd, is not
protected by the kernel's own check.

For each address there is an abstract Unix socket, which the workers inherit. Its name is in use as long as a
process has the socket open: the supervisor until it ends, a worker until it has stopped accepting. The
credentials of the socket tell whether the supervisor that created it still runs. Abstract sockets exist on
Linux only; elsewhere, the kernel's check is the only one.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterable, Sequence

_STEP = 0.01
_CREDENTIALS = struct.Struct("3i")


class ServiceRunningError(Exception):
    """Another process serves the address. The text is for the user."""


class ServiceLock:
    """The locks of several addresses.

    :param sockets: the abstract sockets.
    """

    def __init__(self, sockets: Sequence[socket.socket] = ()) -> None:
        self._sockets = list(sockets)

    def acquire(self, addresses: Iterable[str], *, shared: bool = False, timeout: float = 5.0) -> None:
        """Lock addresses.

        :param addresses: the addresses as text.
        :param shared: whether another service that runs may serve the same address: then it keeps the lock.
        :param timeout: how long to wait for the workers of a supervisor that has been killed, in seconds.
        :raises ServiceRunningError: if another supervisor has one of the addresses, or workers do not end.
        """
        deadline = time.monotonic() + timeout
        for address in addresses if sys.platform == "linux" else ():
            try:
                self._sockets.append(_acquire(address, deadline))
            except ServiceRunningError:
                if not shared:
                    self.close()
                    raise

    @classmethod
    def inherit(cls, descriptors: Iterable[int]) -> ServiceLock:
        """Return the locks of the previous program in this process."""
        return cls([socket.socket(fileno=descriptor) for descriptor in descriptors])

    def descriptors(self) -> list[int]:
        """Return the descriptors of the sockets."""
        return [sock.fileno() for sock in self._sockets]

    def close(self) -> None:
        """Close the sockets of this process. A call after the first one does nothing."""
        while self._sockets:
            self._sockets.pop().close()


def _acquire(address: str, deadline: float) -> socket.socket:
    if sys.platform != "linux":
        raise NotImplementedError(f"{sys.platform} has no abstract sockets")
    # With the user in the name, users do not lock one another out by accident.
    name = f"\0waterspout/{os.getuid()}/{address}"[:107]
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(name)
            sock.listen(socket.SOMAXCONN)  # each `_owner` occupies one place
            return sock
        except OSError:
            sock.close()
        owner = _owner(name)
        if owner is not None and _is_running(owner):
            raise ServiceRunningError(
                f"cannot listen on {address}: process {owner} serves it; stop that process, or choose "
                "another --bind"
            )
        if time.monotonic() > deadline:
            raise ServiceRunningError(
                f"cannot listen on {address}: workers of process {owner}, which has ended, still serve it; "
                "kill them, or choose another --bind"
            )
        time.sleep(_STEP)


def _owner(name: str) -> int | None:
    """Return the ID of the process that created the socket, or None if there is no such socket any more."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(name)
        except OSError:
            return None
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process: int = _CREDENTIALS.unpack(credentials)[0]
    return process


def _is_running(process: int) -> bool:
    """Whether a process runs. One that has ended but was not reaped does not."""
    try:
        with open(f"/proc/{process}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


__all__ = ["ServiceLock", "ServiceRunningError"]
