"""Which proxy a request uses, by its own arguments or by those of the client."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import NoProxy, ProxyServer, ProxySettings

__all__ = ["proxy_of", "proxy_settings"]


def proxy_settings(url: str | None, no_proxy: str, environ: Mapping[str, str] | None) -> ProxySettings | None:
    """Return the proxies of a client, or None for none.

    :param url: see `.ProxyServer.parse`.
    :param environ: variables that apply where there is no `url`; None for none.
    :raises ValueError: if a URL is not that of a proxy.
    """
    if url is not None:
        return ProxySettings.parse(url, no_proxy)
    if environ is None:
        return None
    settings = ProxySettings.from_environment(environ)
    return dataclasses.replace(settings, no_proxy=NoProxy(no_proxy)) if no_proxy else settings


def proxy_of(request: HTTPRequest) -> ProxyServer | None:
    """Return the proxy that a request itself names, or None.

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
        named = ProxyServer.parse(host)
        scheme, host = named.scheme, named.host
    if not request.proxy_username:
        return ProxyServer(scheme, host, request.proxy_port)
    return ProxyServer(scheme, host, request.proxy_port, request.proxy_username, request.proxy_password or "")
