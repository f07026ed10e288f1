"""`Routes`: the connection key of a request, and the parts of its head that depend on the connection."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from tornado._version import version
from tornado._wire.content_decoders import accept_encoding
from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import ProxyServer, ProxySettings
from tornado.netutil import is_valid_ip
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._proxy import proxy_of
from tornado.simple_httpclient._tls import client_context, context_of
from tornado.simple_httpclient._url import Origin, match_plain_url, origin_of, parse_url
from tornado.tcpclient import TCPClient

__all__ = ["USER_AGENT", "Route", "Routes"]

USER_AGENT = f"Tornado/{version}"
#: Maximum number of routes to cache.
_MAX_CACHED = 512


class Route:
    """The route to an origin, directly or through a proxy.

    :ivar origin: the origin that requests are sent to.
    :ivar key: the key of the connections that requests may use.
    :ivar absolute: the prefix of the target in the request line: ``http://host`` if an HTTP proxy forwards
        the request (RFC 9112 section 3.2.2), else empty.
    :ivar authorization: the Proxy-Authorization field if a proxy forwards the request, else None.
    :ivar connection: the Connection field if no proxy forwards the request, else None. HTTP/1.1 does not
        require ``keep-alive``, but an HTTP/1.0 server closes the connection without it. Some programs, such
        as Sentry's tests, compare all fields of a request and expect a Connection field. An HTTP/1.0 proxy
        may forward the field without understanding it, so it must not be sent to a proxy (RFC 9112 appendix
        C.2.2).
    :ivar plain_end: the rest of the head of a request without extra fields, beginning with the version.
    """

    __slots__ = ("absolute", "authorization", "connection", "key", "origin", "plain_end")

    def __init__(self, origin: Origin, key: ConnectionKey, forwarded_by: ProxyServer | None) -> None:
        self.origin = origin
        self.key = key
        self.absolute = f"http://{origin.authority}" if forwarded_by is not None else ""
        self.authorization = forwarded_by.authorization if forwarded_by is not None else None
        self.connection = "keep-alive" if forwarded_by is None else None
        credentials = f"Proxy-Authorization: {self.authorization}\r\n" if self.authorization else ""
        connection = f"Connection: {self.connection}\r\n" if self.connection else ""
        self.plain_end = (
            f" HTTP/1.1\r\nHost: {origin.authority}\r\n{connection}User-Agent: {USER_AGENT}\r\n{credentials}"
            f"Accept-Encoding: {accept_encoding()}\r\n\r\n"
        )


def _proxy_authorization(request: HTTPRequest) -> str | None:
    """Return the request's Proxy-Authorization field, which replaces the proxy's credentials, or None."""
    headers = request.headers
    value: str | None = headers.get("Proxy-Authorization") if headers else None
    return value


class Routes:
    """The routes of one client.

    :param tcp_client: the client that opens connections.
    :param proxies: the proxies for requests that do not set ``proxy_host``, or None.
    :param tunnels: whether to use a tunnel through an HTTP proxy even for ``http`` URLs.
    """

    def __init__(
        self, tcp_client: TCPClient, proxies: ProxySettings | None = None, tunnels: bool = False
    ) -> None:
        self.tcp_client = tcp_client
        self.proxies = proxies
        self._tunnels = tunnels
        self._plain: dict[tuple[str, Any], Route] = {}

    def find(
        self, request: HTTPRequest, defaults: Mapping[str, Any]
    ) -> tuple[Route, str, tuple[str, str] | None]:
        """Return the route, the target and the user name and password of the URL.

        :param request: the request, with all defaults filled in except ``validate_cert``.
        :param defaults: the client's defaults.
        :raises ValueError: if the URL or a setting is not valid.
        :raises OSError: if a certificate file cannot be read.
        """
        match = match_plain_url(request.url)
        if (
            match is None
            or request.network_interface is not None
            or request.allow_ipv6 is False
            or request.ssl_options is not None
            or request.proxy_host
            or request.proxy_port
            or request.ca_certs is not None
            or request.client_cert is not None
            or request.client_key is not None
            or (self.proxies is not None and _proxy_authorization(request) is not None)
        ):
            address = parse_url(request.url)
            return self._make_route(address.origin, request, defaults), address.target, address.userinfo
        prefix, target = match.groups()
        cache_key = (
            prefix,
            defaults.get("validate_cert") if request.validate_cert is None else request.validate_cert,
        )
        route = self._plain.get(cache_key)
        if route is None:
            route = self._make_route(origin_of(prefix), request, defaults)
            if len(self._plain) >= _MAX_CACHED:
                self._plain.clear()
            self._plain[cache_key] = route
        return route, target or "/", None

    def _make_route(self, origin: Origin, request: HTTPRequest, defaults: Mapping[str, Any]) -> Route:
        source_ip = request.network_interface or None
        if source_ip is not None and not is_valid_ip(source_ip):
            raise ValueError(
                f"network_interface must be an IP address of this machine, not {request.network_interface!r}"
            )
        tls = self._context(request, defaults) if origin.scheme == "https" else None
        proxy = proxy_of(request)
        if proxy is None and self.proxies is not None:
            proxy = self.proxies.find(origin.scheme, origin.host, origin.port)
        if origin.unix_path is not None:
            proxy = None
        if proxy is not None and proxy.forwards:
            own = _proxy_authorization(request)
            if own is not None:
                proxy = dataclasses.replace(proxy, own_authorization=own)
        forwarded = proxy is not None and proxy.forwards and origin.scheme == "http" and not self._tunnels
        host, port = origin.host, origin.port
        if forwarded:
            assert proxy is not None
            host, port = proxy.host, proxy.port
        key = ConnectionKey(
            scheme=origin.scheme,
            host=host,
            port=port,
            unix_path=origin.unix_path,
            tls=tls,
            family=socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC,
            source_ip=source_ip,
            proxy=proxy,
            is_tunnelled=proxy is not None and not forwarded,
            tcp_client=self.tcp_client,
            resolver=getattr(self.tcp_client, "resolver", None),
        )
        return Route(origin, key, proxy if forwarded else None)

    def _context(self, request: HTTPRequest, defaults: Mapping[str, Any]) -> ssl.SSLContext:
        if request.ssl_options is not None:
            if isinstance(request.ssl_options, ssl.SSLContext):
                return request.ssl_options
            return context_of(request.ssl_options)
        validate = request.validate_cert
        if validate is None:
            validate = defaults.get("validate_cert", True)
        return client_context(bool(validate), request.ca_certs, request.client_cert, request.client_key)
