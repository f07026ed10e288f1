"""Opens the listening sockets for the addresses of ``--bind``."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from tornado import netutil
from tornado._serve import port_users
from tornado._serve.bind import Bind, BindKind
from tornado._serve.configuration import Configuration
from tornado._serve.unix_socket import UnixSocketFile, bind_replacing
from tornado.netutil import _socket_inheritance, _systemd_activation
from tornado.netutil._listen import DEFAULT_BACKLOG


class ListenError(Exception):
    """An address cannot be used. The text is for the user: it names the address and the reason."""


@dataclass(slots=True)
class Listener:
    """The sockets of one address.

    :ivar bind: the address that was requested.
    :ivar sockets: its listening sockets. A host name may have several addresses.
    :ivar file: the file of a Unix socket that this process has created, which `close` removes.
    """

    bind: Bind
    sockets: list[socket.socket]
    backlog: int = DEFAULT_BACKLOG
    file: UnixSocketFile | None = None
    _slots: list[list[socket.socket]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address as text, with the port that the kernel has chosen."""
        if self.bind.kind in (BindKind.UNIX, BindKind.SYSTEMD) or not self.sockets:
            return str(self.bind)
        if self.bind.kind is BindKind.TCP:
            return str(Bind(BindKind.TCP, self.bind.host, self.sockets[0].getsockname()[1]))
        return f"{self.bind} ({_show_address(self.sockets[0])})"

    def url(self, scheme: str) -> str | None:
        """Return a URL for a browser on this machine; None for a Unix socket.

        :param scheme: ``http`` or ``https``.
        """
        for sock in self.sockets:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                host, port = sock.getsockname()[:2]
                if host in ("0.0.0.0", "::", "127.0.0.1", "::1"):
                    host = "localhost"
                return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return None

    def duplicate_for_slots(self, count: int) -> list[list[socket.socket]]:
        """Return sockets for each of several workers, in addition to `sockets`.

        With SO_REUSEPORT (see `open_listeners`), each worker has its own queue of connections, and the first
        worker uses `sockets` themselves. Other sockets are duplicated: their queue is shared.
        """
        self._slots = [[self._duplicate(sock) for sock in self.sockets] for _ in range(1, count)]
        return [self.sockets, *self._slots]

    def _duplicate(self, sock: socket.socket) -> socket.socket:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not _reuses_port(sock):
            return sock.dup()
        another = socket.socket(sock.family, socket.SOCK_STREAM)
        try:
            another.setblocking(False)
            another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if sock.family == socket.AF_INET6:
                another.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            another.bind(sock.getsockname())
            another.listen(self.backlog)
        except BaseException:
            another.close()
            raise
        return another

    def close(self) -> None:
        """Close the sockets, and remove the file of a Unix socket if it is still this one."""
        for sock in [*self.sockets, *(sock for slot in self._slots for sock in slot)]:
            sock.close()
        if self.file is not None:
            self.file.remove()
            self.file = None


def open_listeners(configuration: Configuration, *, reuse_port: bool = False) -> list[Listener]:
    """Open the sockets of all addresses; if one fails, close the others.

    Sockets that systemd has passed are used if the configuration sets no address.

    :param reuse_port: set SO_REUSEPORT on TCP sockets, for `Listener.duplicate_for_slots`.
    :raises ListenError: if an address cannot be used.
    """
    listeners: list[Listener] = []
    binds: Iterable[Bind] = configuration.bind
    if configuration.is_default("bind") and _systemd_activation.has_inherited_sockets():
        binds = (Bind(BindKind.SYSTEMD),)
    try:
        for bind in binds:
            listener = open_listener(
                bind, backlog=configuration.backlog, mode=configuration.socket_mode, reuse_port=reuse_port
            )
            listeners.append(listener)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def open_listener(
    bind: Bind, *, backlog: int = DEFAULT_BACKLOG, mode: int = 0o660, reuse_port: bool = False
) -> Listener:
    """Open the sockets of one address.

    :param backlog: how many connections may wait in the kernel to be accepted.
    :param mode: the permissions of a Unix socket.
    :raises ListenError: if it cannot be used.
    """
    try:
        match bind.kind:
            case BindKind.TCP:
                sockets = netutil.bind_sockets(
                    bind.port, bind.host or None, backlog=backlog, reuse_port=reuse_port
                )
                return Listener(bind, sockets, backlog)
            case BindKind.UNIX:
                if bind.path.startswith("\0"):
                    return Listener(bind, [netutil.bind_unix_socket(bind.path, backlog=backlog)], backlog)
                sock, file = bind_replacing(bind.path, mode, backlog)
                return Listener(bind, [sock], backlog, file)
            case BindKind.DESCRIPTOR:
                return Listener(bind, [_inherited(bind)], backlog)
        return Listener(bind, _systemd_sockets(bind), backlog)
    except (OSError, ValueError) as error:
        raise ListenError(_explain(bind, error)) from error


def _inherited(bind: Bind) -> socket.socket:
    sock = _socket_inheritance.listening_socket(bind.descriptor)
    if sock is None:
        raise ValueError(
            f"cannot listen on {bind}: descriptor {bind.descriptor} is not a listening socket; expected one "
            "that the parent process has opened, set to listen and made inheritable"
        )
    sock.setblocking(False)
    return sock


def _systemd_sockets(bind: Bind) -> list[socket.socket]:
    sockets = netutil.inherited_sockets(bind.name or None)
    if not sockets:
        named = f" of the name {bind.name!r}" if bind.name else ""
        raise ValueError(
            f"cannot listen on {bind}: systemd has passed no listening sockets{named}; start the program "
            "through a socket unit, or choose another --bind"
        )
    return sockets


def _explain(bind: Bind, error: Exception) -> str:
    """Return the message for an address that cannot be used. It names the process that uses the port."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if bind.kind is not BindKind.TCP:
        return text
    place = str(bind) if bind.host else f"port {bind.port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        users = port_users.find(bind.port)
        if users:
            return (
                f"cannot listen on {place}: Address already in use, by {' and '.join(users)}; stop it, or "
                "choose another port"
            )
    return text if text.startswith("cannot listen") else f"cannot listen on {place}: {text}"


def _reuses_port(sock: socket.socket) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
    return False


def _show_address(sock: socket.socket) -> str:
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


__all__ = ["ListenError", "Listener", "open_listener", "open_listeners"]
