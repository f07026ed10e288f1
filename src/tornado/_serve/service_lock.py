"""Prevents two generations of workers on one address.

When a supervisor is killed, its workers stop accepting and end, but that takes a moment. A new supervisor
must not serve the same address before that: a descriptor that was inherited, or a socket of systemd, is not
protected by the kernel's own check.

For each address there is an abstract Unix socket, which the workers inherit. Its name is in use as long as a
process has the socket open: the supervisor until it ends, a worker until it has stopped accepting. The
credentials of the socket tell whether the supervisor that created it still runs. Abstract sockets exist on
Linux only; elsewhere, the kernel's check is the only one.

Every local user can bind such a name. A socket of another user is therefore ignored: the service starts
without the lock, and logs that.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterable, Sequence

from tornado._serve import port_users
from tornado._serve.unix_peers import Peer, peer_of
from tornado.log import gen_log

_STEP = 0.01
#: The time after which a bound socket that does not listen is that of another user, in seconds. A service
#: makes its socket listen at once.
_LISTEN_TIME = 0.5


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
                self._sockets += _acquire(address, deadline)
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


def _acquire(address: str, deadline: float) -> list[socket.socket]:
    """Return the lock of an address; an empty list if another user has its name."""
    if sys.platform != "linux":
        raise NotImplementedError(f"{sys.platform} has no abstract sockets")
    # With the user in the name, users do not lock one another out by accident.
    name = f"\0waterspout/{os.getuid()}/{address}"[:107]
    silent_until = time.monotonic() + _LISTEN_TIME
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(name)
            sock.listen(socket.SOMAXCONN)  # each `_owner` occupies one place
            return [sock]
        except OSError:
            sock.close()
        owner = _owner(name)
        now = time.monotonic()
        if (owner is not None and owner.user != os.getuid()) or (owner is None and now > silent_until):
            other = "another user" if owner is None else f"user {owner.user} (process {owner.process})"
            gen_log.warning("%s has bound the name of the lock of %s, which is not locked", other, address)
            return []
        if owner is not None and _is_running(owner.process):
            raise ServiceRunningError(
                f"cannot listen on {address}: process {owner.process} serves it; stop that process, or "
                "choose another --bind"
            )
        if owner is not None and now > deadline:
            holders = port_users.find_unix(name) or ["its workers"]
            raise ServiceRunningError(
                f"cannot listen on {address}: its supervisor (process {owner.process}) has ended, but "
                f"{' and '.join(holders)} still use it; end them, or choose another --bind"
            )
        time.sleep(_STEP)


def _owner(name: str) -> Peer | None:
    """Return the process and the user that have made the socket listen; None if there is no such socket."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(name)
            return peer_of(probe)
        except BlockingIOError:
            # Its queue is full. If no process of this user has it, it is another user's.
            process = port_users.own_holder(name)
            return None if process is None else Peer(process, os.getuid())
        except OSError:
            return None


def _is_running(process: int) -> bool:
    """Whether a process runs. One that has ended but was not reaped does not."""
    try:
        with open(f"/proc/{process}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


__all__ = ["ServiceLock", "ServiceRunningError"]
