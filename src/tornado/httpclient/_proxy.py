"""Proxy settings: which proxy a request uses, from the client's arguments or the environment."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tornado.httputil import encode_username_password
from tornado.netutil._error_context import format_address

__all__ = ["NoProxy", "ProxyServer", "ProxySettings"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclasses.dataclass(frozen=True, slots=True)
class ProxyServer:
    """The address of a proxy, and the credentials for it.

    :ivar scheme: ``http``, ``https`` (TLS to the proxy), ``socks5`` or ``socks5h``. The proxy resolves host
        names, except that the curl client resolves them itself for ``socks5``.
    :ivar host: a name or an address, without brackets.
    :ivar port: the TCP port.
    :ivar username: the user name, or None for no authentication.
    :ivar password: the password, or None.
    :ivar own_authorization: the value of the request's Proxy-Authorization field, which is used in place of
        the user name and password; None if the request has no such field.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    own_authorization: str | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a proxy URL such as ``http://user:password@host:port``. The default scheme is ``http``.

        :raises ValueError: if it is not a valid proxy URL. The message does not contain the credentials.

        >>> ProxyServer.parse("socks5h://proxy.example.com")
        ProxyServer(scheme='socks5h', host='proxy.example.com', port=1080, username=None)
        """
        if not isinstance(url, str):
            raise TypeError(f"a proxy must be a URL as a str, not {type(url).__name__}")
        text = url.strip()
        if "://" not in text:
            text = "http://" + text
        shown = _without_credentials(text)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"malformed proxy URL {shown!r}: {error}") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError(
                f"unsupported scheme {parts.scheme!r} of the proxy {shown!r}: expected one of "
                f"{', '.join(_DEFAULT_PORTS)}"
            )
        if not host or any(char <= " " or char == "\x7f" for char in text):
            raise ValueError(f"malformed proxy URL {shown!r}: expected scheme://user:password@host:port")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"the proxy URL {shown!r} must not have a path, query or fragment")
        username = None if parts.username is None else unquote(parts.username)
        password = None if username is None else unquote(parts.password or "")
        return cls(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], username, password)

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization, by default for the Basic scheme (RFC 7617), or None."""
        if self.own_authorization is not None or self.username is None:
            return self.own_authorization
        pair = encode_username_password(self.username, self.password or "")
        return "Basic " + base64.b64encode(pair).decode("ascii")

    @property
    def forwards(self) -> bool:
        """Whether the proxy accepts requests in absolute-form and forwards them."""
        return self.scheme in ("http", "https")

    @property
    def url(self) -> str:
        """The proxy's URL without credentials."""
        return f"{self.scheme}://{self}"

    def __str__(self) -> str:
        return format_address((self.host, self.port))


def _without_credentials(text: str) -> str:
    """Return a URL without its credentials."""
    scheme, mark, rest = text.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


class NoProxy:
    """The hosts to connect to without a proxy, as listed in the environment variable ``no_proxy``.

    :param text: entries separated by commas or whitespace:

        ======================  =================================================================
        entry                   matches
        ======================  =================================================================
        ``*``                   every host
        ``example.com``         that name and its subdomains; ``.example.com`` and
                                ``*.example.com`` are equivalent
        ``10.1.2.3``, ``::1``   that address
        ``10.0.0.0/8``          the addresses of that network
        ``example.com:8080``    that port only; ``[::1]:8080`` for IPv6
        ======================  =================================================================

        Names are not resolved. Malformed entries match nothing.
    """

    __slots__ = ("_addresses", "_all", "_names", "_networks", "text")

    def __init__(self, text: str = "") -> None:
        self.text: str = text
        self._all = False
        # Names and addresses, each with a port, or None for all ports.
        self._names: set[tuple[str, int | None]] = set()
        self._addresses: set[tuple[Any, int | None]] = set()
        self._networks: list[Any] = []
        for entry in text.replace(",", " ").split():
            self._add(entry.lower())

    def __repr__(self) -> str:
        return f"NoProxy({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoProxy) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def _add(self, entry: str) -> None:
        if entry == "*":
            self._all = True
            return
        if "/" in entry:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                pass
            return
        address = _address(entry)
        if address is not None:
            self._addresses.add((address, None))
            return
        name, mark, digits = entry.rpartition(":")
        port = None
        if mark:
            if not digits.isascii() or not digits.isdigit():
                return
            port = int(digits)
        else:
            name = entry
        address = _address(name)
        if address is not None:
            self._addresses.add((address, port))
            return
        name = name.removeprefix("*").strip(".")
        if name:
            self._names.add((name, port))

    def matches(self, host: str, port: int) -> bool:
        """Whether to connect to a host without a proxy.

        :param host: a name, or an address with or without brackets.

        >>> NoProxy("example.com, 10.0.0.0/8").matches("www.example.com", 443)
        True
        """
        if self._all:
            return True
        address = _address(host)
        if address is not None:
            return (
                (address, None) in self._addresses
                or (address, port) in self._addresses
                or any(address in network for network in self._networks)
            )
        name = host.lower().rstrip(".")
        while name:
            if (name, None) in self._names or (name, port) in self._names:
                return True
            name = name.partition(".")[2]
        return False


def _address(text: str) -> Any:
    """Return the `ipaddress` object for an IP address, with or without brackets, or None for a name."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@dataclasses.dataclass(frozen=True, slots=True)
class ProxySettings:
    """The proxies that a client uses.

    :ivar http: the proxy for ``http`` URLs, or None.
    :ivar https: the proxy for ``https`` URLs, or None.
    :ivar no_proxy: the hosts to connect to without a proxy.
    """

    http: ProxyServer | None = None
    https: ProxyServer | None = None
    no_proxy: NoProxy = NoProxy()  # noqa: RUF009 - immutable

    @classmethod
    def parse(cls, proxy: str, no_proxy: str = "") -> Self:
        """Return settings with the same proxy for all requests.

        :param proxy: the proxy's URL.
        :param no_proxy: see `NoProxy`.
        :raises ValueError: if ``proxy`` is not a valid proxy URL.
        """
        server = ProxyServer.parse(proxy)
        return cls(server, server, NoProxy(no_proxy))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``.

        The lower-case variable takes precedence over the upper-case one; an empty value means no proxy.
        ``HTTP_PROXY`` is ignored if ``REQUEST_METHOD`` is set: in a CGI program it is the value of the
        request's ``Proxy`` field, so any client could redirect the program's requests (CVE-2016-5385).

        :param environ: the variables, such as ``os.environ``.
        :raises ValueError: if a variable is not a valid proxy URL; the message names the variable.
        """
        return cls(
            _from_variable(environ, "http_proxy"),
            _from_variable(environ, "https_proxy"),
            NoProxy(environ.get("no_proxy", environ.get("NO_PROXY", ""))),
        )

    def find(self, scheme: str, host: str, port: int) -> ProxyServer | None:
        """Return the proxy for a request, or None for a direct connection."""
        server = self.https if scheme == "https" else self.http
        if server is None or self.no_proxy.matches(host, port):
            return None
        return server


def _from_variable(environ: Mapping[str, str], name: str) -> ProxyServer | None:
    names = [name, name.upper(), "all_proxy", "ALL_PROXY"]
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        names.remove("HTTP_PROXY")
    for each in names:
        if each in environ:
            value = environ[each].strip()
            try:
                return ProxyServer.parse(value) if value else None
            except ValueError as error:
                raise ValueError(f"environment variable {each}: {error}") from None
    return None
