"""Access to the administration: the token, the cookie of a browser, and the names of the host.

Without a token, every process on this machine can use a TCP port on a loopback address, and those of its
owner can use a Unix socket, also one with an abstract name (`tornado._serve.unix_peers`). Any other address
requires a token, as ``Authorization: Bearer`` or in the login form, which sets a cookie. At a loopback
address, the Host field must name this machine: otherwise a page of another site could read the responses by
DNS rebinding.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from typing import Any

from tornado._serve.bind import Bind, BindKind
from tornado._serve.listeners import Listener
from tornado.web import LOCAL_HOSTS

__all__ = ["Access", "choose_access"]


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of access.

    :ivar token: what a client must know; None if it need not know anything.
    :ivar hosts: the hosts that requests may name; None allows all.
    """

    token: str | None
    hosts: tuple[str, ...] | None

    def accepts(self, token: str) -> bool:
        """Whether a client has sent the token."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    @property
    def cookie_name(self) -> str:
        """The name of the cookie of the login form.

        It depends on the token, because a browser does not distinguish the ports of a host.
        """
        return f"waterspout_admin_{self._derived('name')[:8]}"

    @property
    def cookie_secret(self) -> str:
        """The secret of the cookie, which changes with the token."""
        return self._derived("cookie")

    def _derived(self, purpose: str) -> str:
        return hashlib.sha256(f"waterspout admin {purpose} {self.token}".encode()).hexdigest()


def choose_access(listener: Listener, token: str | None) -> tuple[Access, bool]:
    """Return the rules for an address, and whether a token was generated.

    :param listener: the open listener.
    :param token: the token of the configuration, or None.
    """
    if listener.bind.kind is BindKind.UNIX:
        return Access(token, None), False
    if all(_is_loopback(sock) for sock in listener.sockets):
        return Access(token, _hosts(listener.bind)), False
    return Access(token or secrets.token_urlsafe(24), None), token is None


def _is_loopback(sock: socket.socket) -> bool:
    address: Any = sock.getsockname()
    return ipaddress.ip_address(address[0].partition("%")[0]).is_loopback


def _hosts(bind: Bind) -> tuple[str, ...]:
    name = f"[{bind.host}]" if ":" in bind.host else bind.host
    return tuple(dict.fromkeys((*LOCAL_HOSTS, name)))
