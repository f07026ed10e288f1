"""`Proxy`: a proxy as a value, from a request's arguments or from a URL."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from tornado import httputil
from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import NoProxy, ProxySettings
from tornado.netutil._place import address_name

__all__ = ["Proxy", "find_proxy", "parse_proxy", "proxy_of", "proxy_settings"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    :ivar host: its name or address.
    :ivar port: its TCP port.
    :ivar authorization: the value of its ``Proxy-Authorization`` field, or None.
    :ivar scheme: how it is spoken to: ``http``, ``https`` or ``socks5``.
    :ivar credentials: the user name and password for ``socks5``, or None.
    """

    host: str
    port: int
    authorization: str | None = dataclasses.field(default=None, repr=False)
    scheme: str = "http"
    credentials: tuple[str, str] | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        return address_name((self.host, self.port))

    @property
    def forwards(self) -> bool:
        """Whether it takes requests in absolute-form and sends them on itself."""
        return self.scheme != "socks5"


def parse_proxy(url: str) -> Proxy:
    """Return the proxy that a URL names.

    :param url: such as ``http://user:password@proxy.example.com:3128``; the schemes are ``http``, ``https``
        (TLS between this client and the proxy) and ``socks5`` (which needs the package python-socks). The
        proxy looks host names up. Without a scheme it is ``http``.
    :raises ValueError: for another scheme, or without a host.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"unsupported proxy scheme in {shown!r}: expected http, https or socks5")
    if not parts.hostname:
        raise ValueError(f"the proxy URL {shown!r} names no host")
    username = None if parts.username is None else unquote(parts.username)
    password = unquote(parts.password or "")
    return _make(scheme, parts.hostname, parts.port or _DEFAULT_PORTS[scheme], username, password)


def proxy_settings(url: str | None, no_proxy: str, environ: Mapping[str, str] | None) -> ProxySettings | None:
    """Return the proxies of a client, or None for none.

    :param url: see `parse_proxy`.
    :param environ: variables that apply where there is no `url`; None for none.
    :raises ValueError: if a URL is not that of a proxy.
    """
    if url is not None:
        return ProxySettings.parse(url, no_proxy)
    if environ is None:
        return None
    settings = ProxySettings.from_environment(environ)
    return dataclasses.replace(settings, no_proxy=NoProxy(no_proxy)) if no_proxy else settings


def find_proxy(settings: ProxySettings | None, scheme: str, host: str, port: int) -> Proxy | None:
    """Return a client's proxy for an origin, or None for a direct connection."""
    server = None if settings is None else settings.find(scheme, host, port)
    if server is None:
        return None
    kind = server.scheme.removesuffix("h") if server.scheme == "socks5h" else server.scheme
    return _make(kind, server.host, server.port, server.username, server.password or "")


def proxy_of(request: HTTPRequest) -> Proxy | None:
    """The proxy that a request is to go through; None for none.

    :raises ValueError: if its host comes without a port or the other way round, or for an authentication
        other than "basic".
    """
    if not request.proxy_host and not request.proxy_port:
        return None
    if not request.proxy_host or not request.proxy_port:
        raise ValueError("proxy_host and proxy_port go together")
    if request.proxy_auth_mode not in (None, "basic"):
        raise ValueError(
            f"proxy_auth_mode {request.proxy_auth_mode!r} is not supported by this client, only 'basic' is"
        )
    scheme, host = "http", request.proxy_host
    if "://" in host:
        named = parse_proxy(host)
        scheme, host = named.scheme, named.host
    return _make(scheme, host, request.proxy_port, request.proxy_username, request.proxy_password or "")


def _make(scheme: str, host: str, port: int, username: str | None, password: str) -> Proxy:
    if not username:
        return Proxy(host, port, scheme=scheme)
    if scheme == "socks5":
        return Proxy(host, port, scheme=scheme, credentials=(username, password))
    pair = httputil.encode_username_password(username, password)
    return Proxy(host, port, "Basic " + base64.b64encode(pair).decode("ascii"), scheme)
