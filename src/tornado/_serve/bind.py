"""`Bind`: one address of ``--bind``, at which the server listens."""

from __future__ import annotations

import enum
from dataclasses import dataclass

#: The forms that `parse_bind` accepts, for messages.
FORMS = "host:port, [IPv6 address]:port, :port (all interfaces), unix:path, fd:number or systemd[:name]"


class BindKind(enum.Enum):
    """The kinds of addresses."""

    TCP = "tcp"
    UNIX = "unix"
    #: A listening socket that the parent process has opened, by its file descriptor.
    DESCRIPTOR = "fd"
    #: The listening sockets of systemd's socket activation.
    SYSTEMD = "systemd"


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen at.

    :ivar kind: which of the following attributes apply.
    :ivar host: TCP: an IP address or a host name; an empty string means all interfaces.
    :ivar port: TCP: the port; 0 lets the kernel choose one.
    :ivar path: Unix: the path of the socket; a name that begins with a NUL character is abstract.
    :ivar descriptor: the number of the inherited file descriptor.
    :ivar name: systemd: the name of the sockets (``FileDescriptorName=``); an empty string means all of them.
    """

    kind: BindKind
    host: str = ""
    port: int = 0
    path: str = ""
    descriptor: int = -1
    name: str = ""

    @property
    def is_abstract(self) -> bool:
        """Whether it is a name of Linux's abstract namespace, which has no permissions."""
        return self.kind is BindKind.UNIX and self.path.startswith("\0")

    def __str__(self) -> str:
        """Return the address in the form that `parse_bind` accepts."""
        match self.kind:
            case BindKind.TCP:
                return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
            case BindKind.UNIX:
                return f"unix:{self.path.replace(chr(0), '@', 1)}"
            case BindKind.DESCRIPTOR:
                return f"fd:{self.descriptor}"
        return f"systemd:{self.name}" if self.name else "systemd"


def parse_bind(text: str) -> Bind:
    """Return the address that a text means.

    :raises ValueError: if the text has none of the accepted forms. The message is empty, or says what is
        wrong.
    """
    kind, colon, rest = text.partition(":")
    if kind == "unix" and colon:
        if not rest:
            raise ValueError
        # ``@name`` is the usual notation of an abstract name, as in the output of ss and in systemd.
        return Bind(BindKind.UNIX, path="\0" + rest[1:] if rest[0] == "@" else rest)
    if kind == "fd" and colon:
        return Bind(BindKind.DESCRIPTOR, descriptor=_number(rest, 1_000_000))
    if kind == "systemd":
        return Bind(BindKind.SYSTEMD, name=rest)
    if text.isdecimal():
        raise ValueError(f"write :{text} for all interfaces or 127.0.0.1:{text} for this machine only")
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host and "/" not in host:
        raise ValueError(f"write an IPv6 address in brackets, [{host}]:{port}")
    if not colon or "/" in host:
        raise ValueError
    return Bind(BindKind.TCP, host=host, port=_number(port, 65535))


def _number(text: str, maximum: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > maximum:
        raise ValueError(f"the number must be from 0 to {maximum}")
    return int(text)


__all__ = ["FORMS", "Bind", "BindKind", "parse_bind"]
