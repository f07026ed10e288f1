"""Opens the listening sockets for the addresses of ``--bind``."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

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
    file: UnixSocketFile | None = None

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

    def close(self) -> None:
        """Close the sockets, and remove the file of a Unix socket if it is still this one."""
        for sock in self.sockets:
            sock.close()
        if self.file is not None:
            self.file.remove()
            self.file = None


def open_listeners(configuration: Configuration) -> list[Listener]:
    """Open the sockets of all addresses; if one fails, close the others.

    Sockets that systemd has passed are used if the configuration sets no address.

    :raises ListenError: if an address cannot be used.
    """
    listeners: list[Listener] = []
    binds: Iterable[Bind] = configuration.bind
    if configuration.is_default("bind") and _systemd_activation.has_inherited_sockets():
        binds = (Bind(BindKind.SYSTEMD),)
    try:
        for bind in binds:
            listener = open_listener(bind, backlog=configuration.backlog, mode=configuration.socket_mode)
            listeners.append(listener)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def open_listener(bind: Bind, *, backlog: int = DEFAULT_BACKLOG, mode: int = 0o660) -> Listener:
    """Open the sockets of one address.

    :param backlog: how many connections may wait in the kernel to be accepted.
    :param mode: the permissions of a Unix socket.
    :raises ListenError: if it cannot be used.
    """
    try:
        match bind.kind:
            case BindKind.TCP:
                return Listener(bind, netutil.bind_sockets(bind.port, bind.host or None, backlog=backlog))
            case BindKind.UNIX:
                if bind.is_abstract:
                    return Listener(bind, [netutil.bind_unix_socket(bind.path, backlog=backlog)])
                sock, file = bind_replacing(bind.path, mode, backlog)
                return Listener(bind, [sock], file)
            case BindKind.DESCRIPTOR:
                return Listener(bind, [_inherited(bind)])
        return Listener(bind, _systemd_sockets(bind))
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


def _show_address(sock: socket.socket) -> str:
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


__all__ = ["ListenError", "Listener", "open_listener", "open_listeners"]
