"""The setting ``allowed_hosts``: the host names for which an application accepts requests.

The setting prevents two attacks. The first is DNS rebinding: an attacker's web page sends requests to a
server in the visitor's local network. The page uses a host name of its own site, which now resolves to the
server's address, so the browser treats the server as the same origin and the page can read the responses. The
second is Host header injection: a program that builds a URL from the Host field, such as a link in a
password-reset mail, can be made to link to a host of the attacker's choice. ::

    Application(routes, allowed_hosts=["example.com", ".example.org"])
    Application(routes, allowed_hosts=LOCAL_HOSTS)

Requests for other hosts are rejected with 421 (Misdirected Request, RFC 9110 section 15.5.20), before
routing, before any code of the program runs, and before the request's body is read. The host is the authority
of the request line, or otherwise the Host field; X-Forwarded-Host is never used.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado.httputil import split_host_and_port
from tornado.routing import Router
from tornado.web._dispatch._builtin_handlers import ErrorHandler
from tornado.web._errors import HTTPError

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface

#: The names of the local machine, for ``allowed_hosts``.
LOCAL_HOSTS = (".localhost", "127.0.0.1", "[::1]")

_NAME = re.compile(r"\.?[0-9a-z_](?:[0-9a-z_.-]*[0-9a-z_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_CACHED = 100
_MAX_HOST_LENGTH = 255  # RFC 1035 section 2.3.4
_MAX_PORT = 65535


class AllowedHosts:
    """The host names of an application.

    :param entries: ``example.com`` for that host alone, ``.example.com`` to include all subdomains,
        ``127.0.0.1``, ``[::1]``; ``*`` for every host. An entry with a port allows only that port; an entry
        without one allows any port. International names may be written in Unicode.
    :raises TypeError: if `entries` is not a list of str.
    :raises ValueError: if `entries` is empty, or an entry is not a host.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        if isinstance(entries, (str, bytes)) or not isinstance(entries, Iterable):
            raise TypeError(f"the setting allowed_hosts must be a list of hosts, got {entries!r}")
        self._exact: set[tuple[str, int | None]] = set()
        self._domains: set[tuple[str, int | None]] = set()
        self._all = False
        self._allowed_cache: set[tuple[str, str]] = set()  # pairs (host, protocol)
        entries = list(entries)
        if not entries:
            raise ValueError(
                'the setting allowed_hosts is empty, so every request would be rejected; ["*"] or None '
                "allows all hosts"
            )
        for entry in entries:
            self._add(entry)
        self._has_ports = any(port is not None for _, port in self._exact)

    def _add(self, entry: str) -> None:
        if not isinstance(entry, str):
            raise TypeError(f"the setting allowed_hosts must contain str only, got {entry!r}")
        if entry == "*":
            self._all = True
            return
        host, port = split_host_and_port(entry) if _canonical_ipv6(entry) is None else (entry, None)
        name = _canonical(host)
        if name is None:
            hint = f"; for all subdomains write {entry[1:]!r}" if entry.startswith("*.") else ""
            raise ValueError(
                f"the setting allowed_hosts: {entry!r} is not a host; valid entries are like 'example.com', "
                f"'.example.com', '127.0.0.1', '[::1]', 'example.com:8888'{hint}"
            )
        if port is not None and not 1 <= port <= _MAX_PORT:
            raise ValueError(
                f"the setting allowed_hosts: the port of {entry!r} must be from 1 to {_MAX_PORT}"
            )
        if name.startswith("."):
            self._domains.add((name, port))
            name = name[1:]
        self._exact.add((name, port))

    def allow(self, request: httputil.HTTPServerRequest) -> bool:
        """Whether a request is for one of the allowed hosts."""
        if self._all:
            return True
        host = request.host
        protocol = request.protocol if self._has_ports else ""
        if (host, protocol) in self._allowed_cache:
            return True
        if not self._is_allowed(host, protocol):
            return False
        if len(self._allowed_cache) >= _MAX_CACHED:
            self._allowed_cache.clear()
        self._allowed_cache.add((host, protocol))
        return True

    def _is_allowed(self, authority: str, protocol: str) -> bool:
        host, port = split_host_and_port(authority.removesuffix(":"))
        name = _canonical(host) if len(host) <= _MAX_HOST_LENGTH else None
        if name is None or name.startswith("."):
            return False
        ports = (None, port if port is not None else _DEFAULT_PORTS.get(protocol))
        if any((name, each) in self._exact for each in ports):
            return True
        if not self._domains or name.startswith("["):
            return False
        dot = name.find(".")
        while dot >= 0:
            if any((name[dot:], each) in self._domains for each in ports):
                return True
            dot = name.find(".", dot + 1)
        return False


def _canonical_ipv6(entry: str) -> str | None:
    """Return an IPv6 address in canonical form, with brackets added; None if `entry` is not one."""
    try:
        return f"[{socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, entry))}]"
    except (OSError, ValueError):
        return None


def _canonical(host: str) -> str | None:
    """Return a host in lower case and ASCII, without a trailing dot; None if it is not a host."""
    host = host.lower()
    if host.startswith("["):
        return _canonical_ipv6(host[1:-1]) if host.endswith("]") else None
    bare = _canonical_ipv6(host)
    if bare is not None:
        return bare
    if not host.isascii():
        try:
            dot = "." if host.startswith(".") else ""
            host = dot + host.removeprefix(".").encode("idna").decode()
        except UnicodeError:
            return None
    host = host.removesuffix(".")
    return host if _NAME.fullmatch(host) else None


class _AllMethods(tuple[str, ...]):
    """A collection of HTTP methods that contains every name, including unknown ones."""

    def __contains__(self, method: object) -> bool:
        return True


class MisdirectedHandler(ErrorHandler):
    """Rejects a request for a host that is not allowed, whatever its HTTP method."""

    SUPPORTED_METHODS = _AllMethods()
    _stream_request_body = True  # so that the response is sent before the body has been received

    def prepare(self) -> None:
        """Raise the error 421; its log message names the setting."""
        host = self.request.host[:100]
        raise HTTPError(421, "host %r is not in the application's setting allowed_hosts", host)

    def data_received(self, chunk: bytes) -> None:
        """Discard the body."""


class HostCheckingRouter(Router):
    """A router that checks the host of a request before it calls the application's `find_handler`.

    It is used for applications that override `start_request` or `find_handler`.

    :param misdirected: returns the delegate that rejects a request.
    """

    def __init__(
        self,
        application: ApplicationInterface,
        hosts: AllowedHosts,
        misdirected: Callable[[httputil.HTTPServerRequest], Any],
    ) -> None:
        self._application, self._hosts, self._misdirected = application, hosts, misdirected

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
        """Return the application's delegate if the host is allowed, otherwise one that rejects requests."""
        if self._hosts.allow(request):
            return self._application.find_handler(request, **kwargs)
        return self._misdirected(request)
