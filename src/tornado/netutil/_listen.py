"""Creates listening sockets: TCP sockets on all addresses of a host name, and Unix sockets."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from typing import Any

from tornado.netutil import _socket_inheritance
from tornado.netutil._port_numbers import check_port

#: Maximum number of connections that wait in the kernel for `accept`.
DEFAULT_BACKLOG = 128
# Maximum number of attempts to find a free port that is unused in both address families.
_EPHEMERAL_ATTEMPTS = 8

_Address = tuple[socket.AddressFamily, Any]


def bind_sockets(
    port: int,
    address: str | None = None,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    backlog: int = DEFAULT_BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Listen on ``port`` on all addresses of ``address``.

    :param port: a TCP port; with 0 the kernel chooses a free port, the same for all returned sockets.
    :param address: an IP address or a host name. For a name, one socket is created for each of its addresses.
        ``None`` or an empty string means all interfaces.
    :param family: `socket.AF_INET` or `socket.AF_INET6` to use only one address family.
    :param backlog: maximum number of connections that wait to be accepted, as for `socket.socket.listen`.
    :param flags: ``AI_*`` flags for `socket.getaddrinfo`; by default `socket.AI_PASSIVE`.
    :param reuse_port: set ``SO_REUSEPORT``, so that several processes can listen on one port.
    :returns: one or more non-blocking listening sockets.
    :raises OSError: if an address cannot be bound; the message names the address and the port.
    :raises ValueError: if the port is out of range, or if ``reuse_port`` is set on a platform without
        ``SO_REUSEPORT``.

    A server on every interface::

        sockets = bind_sockets(8888)
        server.add_sockets(sockets)
    """
    if reuse_port and (sys.platform == "win32" or not hasattr(socket, "SO_REUSEPORT")):
        raise ValueError("reuse_port=True requires SO_REUSEPORT, which this platform does not have")
    check_port(port)
    addresses = _listening_addresses(port, address or None, family, flags)
    attempts = _EPHEMERAL_ATTEMPTS if port == 0 and len(addresses) > 1 else 1
    while True:
        attempts -= 1
        try:
            return _bind_all(addresses, port, address or None, backlog, reuse_port)
        except OSError as error:
            if attempts <= 0 or error.errno != errno.EADDRINUSE:
                raise


def _listening_addresses(
    port: int, address: str | None, family: socket.AddressFamily, flags: int | None
) -> list[_Address]:
    """Return the distinct (family, sockaddr) pairs to bind, IPv4 first."""
    if family == socket.AF_UNSPEC and not socket.has_ipv6:
        family = socket.AF_INET
    if flags is None:
        flags = socket.AI_PASSIVE
    found: dict[_Address, None] = {}
    try:
        entries = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        error.strerror = f"{error.strerror} (port {port!r}, address {address!r})"
        raise
    for entry_family, _type, _proto, _canonical, sockaddr in entries:
        if sys.platform == "darwin" and address == "localhost" and entry_family == socket.AF_INET6:
            # macOS lists the link-local address of lo0 as a second "localhost", which clients do not use.
            if len(sockaddr) == 4 and sockaddr[3] != 0:
                continue
        found[(entry_family, sockaddr)] = None
    return sorted(found, key=lambda entry: entry[0])


def _bind_all(
    addresses: list[_Address], port: int, address: str | None, backlog: int, reuse_port: bool
) -> list[socket.socket]:
    """Bind and listen on all of ``addresses``. If one fails, close all sockets."""
    sockets: list[socket.socket] = []
    shared_port = port
    unusable: OSError | None = None
    try:
        for family, sockaddr in addresses:
            if shared_port != port:
                sockaddr = (sockaddr[0], shared_port, *sockaddr[2:])
            try:
                sock = _bind_one(family, sockaddr, backlog, reuse_port)
            except OSError as error:
                if not _can_be_skipped(error, address, family):
                    raise
                unusable = error
                continue
            sockets.append(sock)
            shared_port = sock.getsockname()[1]
        if not sockets:
            raise unusable or OSError(errno.EADDRNOTAVAIL, f"{address!r} has no address to listen on")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _can_be_skipped(error: OSError, address: str | None, family: socket.AddressFamily) -> bool:
    """Whether to ignore an address that cannot be bound, and listen only on the other addresses.

    A host, for example a container, may have IPv6 addresses in its hosts file without IPv6 support in its
    kernel or on its loopback interface.
    """
    if error.errno == errno.EAFNOSUPPORT:
        return True
    return error.errno == errno.EADDRNOTAVAIL and family == socket.AF_INET6 and address in (None, "localhost")


def _bind_one(family: socket.AddressFamily, sockaddr: Any, backlog: int, reuse_port: bool) -> socket.socket:
    """Return the listening socket that the program had before it restarted itself, or a new socket."""
    sock = _socket_inheritance.claim(family, sockaddr, reuse_port)
    if sock is not None:
        sock.listen(backlog)
        return sock
    try:
        sock = _bind_new(family, sockaddr, backlog, reuse_port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _socket_inheritance.close_conflicting(sockaddr):
            raise
        sock = _bind_new(family, sockaddr, backlog, reuse_port)
    _socket_inheritance.remember(sock, family, sockaddr, reuse_port)
    return sock


def _bind_new(family: socket.AddressFamily, sockaddr: Any, backlog: int, reuse_port: bool) -> socket.socket:
    try:
        return _create_listening_socket(family, sockaddr, backlog, reuse_port)
    except OSError as error:
        raise _with_address(error, sockaddr) from error


def _create_listening_socket(
    family: socket.AddressFamily, sockaddr: Any, backlog: int, reuse_port: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if sys.platform != "win32":
            # On Windows this option would permit another process to bind the same port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and hasattr(socket, "IPPROTO_IPV6"):
            # By default, IPv6 sockets also accept IPv4 on some kernels; then the IPv4 socket cannot be bound.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(sockaddr)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _with_address(error: OSError, sockaddr: Any) -> OSError:
    """Return an error of the same class and number whose message names the address and the port."""
    host, port = str(sockaddr[0]), sockaddr[1]
    place = f"address {host!r}, port {port}"
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        reason = f"{reason} (another socket is bound to it: close that socket or choose another port)"
    elif error.errno == errno.EACCES:
        reason = f"{reason} (ports below 1024 usually require privileges)"
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = f"{reason} (this machine has no interface with that address)"
    return OSError(error.errno, f"cannot listen on {place}: {reason}")


def bind_unix_socket(file: str, mode: int = 0o600, backlog: int = DEFAULT_BACKLOG) -> socket.socket:
    r"""Listen on a Unix socket.

    :param file: the path. An existing socket is replaced. A name that begins with a NUL character
        (``"\0name"``) is in Linux's abstract namespace: no file is created, and the name is freed when the
        last descriptor of the socket is closed.
    :param mode: the permissions of the file; by default only its owner may connect. It has no effect for
        abstract names.
    :param backlog: maximum number of connections that wait to be accepted.
    :returns: a non-blocking listening socket.
    :raises ValueError: if ``file`` exists and is not a socket.
    :raises OSError: if the path cannot be bound; the message contains it.
    """
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        raise ValueError("this platform does not support Unix sockets")
    abstract = file.startswith("\0")
    sock = _socket_inheritance.claim(socket.AF_UNIX, file) if abstract or _is_socket(file) else None
    if sock is not None:
        if not abstract:
            os.chmod(file, mode)
        sock.listen(backlog)
        return sock
    try:
        sock = _create_unix_socket(file, abstract, mode, backlog)
    except OSError as error:
        reason = error.strerror or str(error)  # the error for a path that is too long has no errno
        number = error.errno or errno.ENAMETOOLONG
        raise OSError(number, f"cannot listen on the Unix socket {file!r}: {reason}") from error
    _socket_inheritance.remember(sock, socket.AF_UNIX, file)
    return sock


def _create_unix_socket(file: str, abstract: bool, mode: int, backlog: int) -> socket.socket:
    if sys.platform == "win32":
        raise NotImplementedError
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if abstract:
            sock.bind(file)
        else:
            _remove_stale_socket(file)
            sock.bind(file)
            # Clients cannot connect before listen(), so the permissions take effect in time.
            os.chmod(file, mode)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_socket(file: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(file).st_mode)
    except OSError:
        return False


def _remove_stale_socket(file: str) -> None:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ValueError(f"cannot listen on {file!r}: it exists and is not a socket")
    os.remove(file)
