"""Selection of a proxy from the arguments of the request or of the client."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import NoProxy, ProxyServer, ProxySettings

__all__ = ["proxy_of", "proxy_settings"]


def proxy_settings(url: str | None, no_proxy: str, environ: Mapping[str, str] | None) -> ProxySettings | None:
    """Return the proxy settings of a client, or None if it uses no proxy.

    :param url: the proxy's URL (see `.ProxyServer.parse`), or None.
    :param no_proxy: see `.NoProxy`.
    :param environ: the environment variables to use if `url` is None, or None.
    :raises ValueError: if a URL is not a valid proxy URL.
    """
    if url is not None:
        return ProxySettings.parse(url, no_proxy)
    if environ is None:
        return None
    settings = ProxySettings.from_environment(environ)
    return dataclasses.replace(settings, no_proxy=NoProxy(no_proxy)) if no_proxy else settings


def proxy_of(request: HTTPRequest) -> ProxyServer | None:
    """Return the proxy that the arguments of a request specify, or None.

    :raises ValueError: if only one of ``proxy_host`` and ``proxy_port`` is set, or ``proxy_auth_mode`` is not
        "basic".
    """
    if not request.proxy_host and not request.proxy_port:
        return None
    if not request.proxy_host or not request.proxy_port:
        raise ValueError("proxy_host and proxy_port must be set together")
    if request.proxy_auth_mode not in (None, "basic"):
        raise ValueError(
            f"proxy_auth_mode {request.proxy_auth_mode!r} is not supported by this client: expected 'basic'"
        )
    scheme, host = "http", request.proxy_host
    if "://" in host:
        named = ProxyServer.parse(host)
        scheme, host = named.scheme, named.host
    if not request.proxy_username:
        return ProxyServer(scheme, host, request.proxy_port)
    return ProxyServer(scheme, host, request.proxy_port, request.proxy_username, request.proxy_password or "")
