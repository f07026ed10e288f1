"""Conversion of a request to libcurl's options."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import re
import ssl
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import pycurl

from tornado import gen
from tornado._version import version
from tornado._wire.headers import FORBIDDEN_VALUE_CHARS, is_token
from tornado.escape import native_str
from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import ProxySettings

__all__ = ["DefaultProxySettings", "apply_request", "curl_log", "new_handle", "set_fields"]

#: The logger for libcurl's messages, at level DEBUG.
curl_log = logging.getLogger("tornado.curl_httpclient")

_BODY_METHODS: Final = frozenset(["PATCH", "POST", "PUT"])
_STANDARD_METHODS: Final = _BODY_METHODS | {"DELETE", "GET", "HEAD", "OPTIONS"}
_AUTH_MODES: Final = {
    None: pycurl.HTTPAUTH_BASIC,
    "basic": pycurl.HTTPAUTH_BASIC,
    "digest": pycurl.HTTPAUTH_DIGEST,
}
#: The keys of ``ssl_options`` that correspond to options of libcurl.
_TLS_OPTIONS: Final = {
    "certfile": pycurl.SSLCERT,
    "keyfile": pycurl.SSLKEY,
    "ca_certs": pycurl.CAINFO,
    "ciphers": pycurl.SSL_CIPHER_LIST,
}
# The value for no limit, because 0 would mean libcurl's default of 300 seconds.
_FOREVER_MS: Final = 2**31 - 1
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f]")


def new_handle() -> pycurl.Curl:
    """Return a handle with the options that are the same for all requests."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    # Only HTTP is allowed, because a program may let libcurl follow redirects, possibly to file: URLs.
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    if hasattr(pycurl, "SUPPRESS_CONNECT_HEADERS"):
        curl.setopt(pycurl.SUPPRESS_CONNECT_HEADERS, 1)  # pyright: ignore[reportAttributeAccessIssue]
    if curl_log.isEnabledFor(logging.DEBUG):
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, _log)
    return curl


def _log(kind: int, message: Any) -> None:
    """Log libcurl's messages and the heads that it sends and receives; for bodies, log the size."""
    prefix = {0: "", 1: "< ", 2: "> "}.get(kind)
    if prefix is None:
        curl_log.debug("%s %d bytes", "<>"[kind % 2 == 0], len(message))
        return
    for line in native_str(message).splitlines():
        name, colon, _ = line.partition(":")
        if kind == 2 and colon and name.lower() in ("authorization", "cookie", "proxy-authorization"):
            line = f"{name}: (not shown)"
        curl_log.debug("%s%s", prefix, line)


class DefaultProxySettings(NamedTuple):
    """The proxy settings for requests that do not set ``proxy_host``.

    :ivar proxies: the client's proxy settings, or None.
    :ivar no_proxy: hosts to connect to directly if the proxy comes from the environment.
    :ivar trust_env: whether libcurl uses the proxy settings of the environment.
    """

    proxies: ProxySettings | None = None
    no_proxy: str = ""
    trust_env: bool = True


def apply_request(
    curl: pycurl.Curl,
    request: HTTPRequest,
    rules: DefaultProxySettings = DefaultProxySettings(),  # noqa: B008 - immutable
) -> None:
    """Set all options except those for the body and the callbacks.

    :param curl: the handle.
    :param request: the request, with the client's defaults filled in.
    :param rules: the proxy settings if the request does not set ``proxy_host``.
    :raises ValueError: if a value cannot be sent.
    :raises NotImplementedError: if this client does not support an argument.
    :raises KeyError: if the method is unknown and ``allow_nonstandard_methods`` is false.
    """
    _check(request)
    username, password = _set_address(curl, request)
    _set_method(curl, request)
    _set_auth(curl, request, username, password)
    _set_proxy(curl, request, rules)
    _set_tls(curl, request)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(request.connect_timeout))
    curl.setopt(pycurl.TIMEOUT_MS, _milliseconds(request.request_timeout))
    if request.network_interface:
        curl.setopt(pycurl.INTERFACE, _checked("network_interface", request.network_interface))
    ipv4_only = request.allow_ipv6 is False
    curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4 if ipv4_only else pycurl.IPRESOLVE_WHATEVER)
    if request.decompress_response:
        # An empty string requests all codings that this build of libcurl supports.
        curl.setopt(pycurl.ENCODING, "")


def _check(request: HTTPRequest) -> None:
    method = request.method
    if not isinstance(method, str) or not is_token(method):
        raise ValueError(f"malformed request method {method!r}")
    if isinstance(request.ssl_options, ssl.SSLContext):
        raise NotImplementedError(
            "the curl client cannot use an ssl.SSLContext: pass ssl_options as a dictionary, pass "
            "validate_cert, ca_certs, client_cert and client_key, or set libcurl's options in "
            "prepare_curl_callback"
        )
    callback = request.streaming_callback
    if inspect.iscoroutinefunction(callback) or (
        callback is not None and gen.is_coroutine_function(callback)
    ):
        raise TypeError(
            "streaming_callback must not be a coroutine function with the curl client; a plain function may "
            "return an awaitable"
        )
    if request.allow_nonstandard_methods:
        return
    if method not in _STANDARD_METHODS:
        raise KeyError(f"unknown method {method}: set allow_nonstandard_methods=True to send it")
    has_body = request.body_source is not None
    if has_body != (method in _BODY_METHODS):
        rule = "must be None" if has_body else 'must not be None (it may be b"")'
        raise ValueError(f"the body {rule} for method {method}, unless allow_nonstandard_methods is true")


def _checked(name: str, value: str) -> str:
    if FORBIDDEN_VALUE_CHARS.search(value):
        raise ValueError(f"{name} contains control characters: {value!r}")
    return value


def _normal(name: str, value: str | bytes) -> bytes:
    """Return a name or password as UTF-8 in normal form C (RFC 7617 section 2.1)."""
    if isinstance(value, bytes):
        return value
    return unicodedata.normalize("NFC", _checked(name, value)).encode()


def _milliseconds(seconds: float | None) -> int:
    if not seconds:
        return _FOREVER_MS
    return max(1, min(_FOREVER_MS, int(seconds * 1000)))


def _set_address(curl: pycurl.Curl, request: HTTPRequest) -> tuple[str | None, str | None]:
    """Set the URL; return the user name and password from it, or None for both."""
    url = request.url
    if _FORBIDDEN_IN_URL.search(url):
        raise ValueError(f"the URL {url!r} contains whitespace or control characters: percent-encode them")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"Unsupported url scheme {parts.scheme!r} in {url!r}: expected http:// or https://")
    userinfo, at, host = parts.netloc.rpartition("@")
    # User name and password are set by setopt, which does not parse them. libcurl expects UTF-8.
    curl.setopt(pycurl.URL, urlunsplit((parts.scheme, host, parts.path, parts.query, "")).encode())
    if not at:
        return None, None
    username, _, password = userinfo.partition(":")
    return unquote(username), unquote(password)


def _set_method(curl: pycurl.Curl, request: HTTPRequest) -> None:
    """Set the method of a request. Some of these options are overridden when a body is set later."""
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.method == "GET":
        curl.setopt(pycurl.HTTPGET, 1)
    else:
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _set_auth(curl: pycurl.Curl, request: HTTPRequest, username: str | None, password: str | None) -> None:
    if request.auth_username is not None:
        username, password = request.auth_username, request.auth_password or ""
    if username is None:
        return
    if request.auth_mode not in _AUTH_MODES:
        raise ValueError(f"unsupported auth_mode {request.auth_mode!r}: expected 'basic' or 'digest'")
    curl.setopt(pycurl.HTTPAUTH, _AUTH_MODES[request.auth_mode])
    curl.setopt(pycurl.USERNAME, _normal("auth_username", username))
    curl.setopt(pycurl.PASSWORD, _normal("auth_password", password or ""))


def _set_proxy(curl: pycurl.Curl, request: HTTPRequest, rules: DefaultProxySettings) -> None:
    """Set the proxy of the request."""
    if not request.proxy_host and not request.proxy_port:
        _set_default_proxy(curl, request.url, rules)
        return
    if not request.proxy_host or not request.proxy_port:
        raise ValueError("proxy_host and proxy_port must be set together")
    curl.setopt(pycurl.PROXY, _checked("proxy_host", request.proxy_host))
    curl.setopt(pycurl.PROXYPORT, int(request.proxy_port))
    if request.proxy_username:
        if request.proxy_auth_mode not in _AUTH_MODES:
            raise ValueError(
                f"unsupported proxy_auth_mode {request.proxy_auth_mode!r}: expected 'basic' or 'digest'"
            )
        curl.setopt(pycurl.PROXYAUTH, _AUTH_MODES[request.proxy_auth_mode])
        curl.setopt(pycurl.PROXYUSERNAME, _normal("proxy_username", request.proxy_username))
        curl.setopt(pycurl.PROXYPASSWORD, _normal("proxy_password", request.proxy_password or ""))


def _set_default_proxy(curl: pycurl.Curl, url: str, rules: DefaultProxySettings) -> None:
    """Set the proxy of a request without ``proxy_host``. By default libcurl uses the environment."""
    if rules.proxies is None:
        if not rules.trust_env:
            curl.setopt(pycurl.PROXY, "")
        elif rules.no_proxy:
            curl.setopt(pycurl.NOPROXY, rules.no_proxy)
        return
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    server = rules.proxies.find(parts.scheme, parts.hostname or "", port)
    curl.setopt(pycurl.NOPROXY, "")  # ignore no_proxy from the environment
    curl.setopt(pycurl.PROXY, "" if server is None else server.url)
    if server is not None and server.username is not None:
        curl.setopt(pycurl.PROXYAUTH, pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.PROXYUSERNAME, _normal("proxy", server.username))
        curl.setopt(pycurl.PROXYPASSWORD, _normal("proxy", server.password or ""))


def _set_tls_options(curl: pycurl.Curl, options: dict[str, Any]) -> None:
    """Set the TLS options from a dictionary in the form that `.ssl_options_to_context` accepts."""
    unknown = sorted(set(options) - set(_TLS_OPTIONS) - {"cert_reqs"})
    if unknown:
        raise ValueError(
            f"ssl_options: the curl client does not support {', '.join(unknown)}: expected cert_reqs, "
            f"{', '.join(_TLS_OPTIONS)}"
        )
    verified = options.get("cert_reqs", ssl.CERT_REQUIRED) != ssl.CERT_NONE
    curl.setopt(pycurl.SSL_VERIFYPEER, 1 if verified else 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verified else 0)
    authorities = _system_authorities()
    if authorities is not None:
        curl.setopt(pycurl.CAINFO, authorities)
    for name, option in _TLS_OPTIONS.items():
        if options.get(name) is not None:
            curl.setopt(option, _checked(f"ssl_options[{name!r}]", os.fspath(options[name])))


def _set_tls(curl: pycurl.Curl, request: HTTPRequest) -> None:
    if request.ssl_options is not None:
        _set_tls_options(curl, cast("dict[str, Any]", request.ssl_options))
        return
    curl.setopt(pycurl.SSL_VERIFYPEER, 1 if request.validate_cert else 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if request.validate_cert else 0)
    authorities = request.ca_certs or _system_authorities()
    if authorities is not None:
        curl.setopt(pycurl.CAINFO, authorities)
    if request.client_cert is not None:
        curl.setopt(pycurl.SSLCERT, request.client_cert)
    if request.client_key is not None:
        curl.setopt(pycurl.SSLKEY, request.client_key)


@functools.cache
def _system_authorities() -> str | None:
    """Return the path of the system's CA bundle, or None if libcurl finds it without help.

    The libcurl in pycurl's wheels looks for this file where the distribution on which it was built stores it.
    """
    found = pycurl.Curl()
    try:
        own = found.getinfo(pycurl.CAINFO) if hasattr(pycurl, "CAINFO") else None
    except (pycurl.error, ValueError):
        own = None
    finally:
        found.close()
    if isinstance(own, str) and os.path.exists(own):
        return None
    paths = ssl.get_default_verify_paths()
    return paths.cafile


def set_fields(curl: pycurl.Curl, request: HTTPRequest, cookie: str | None) -> None:
    """Set the header fields.

    :param cookie: the Cookie field from the client's jar, or None. It is ignored if the request has a Cookie
        field.
    """
    headers = request.headers
    lines = []
    for name, value in headers.get_all():
        if name == "Proxy-Authorization":
            # RFC 9110 section 11.7.2: this field is for the proxy only.
            curl.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
            curl.setopt(pycurl.PROXYHEADER, [_line(name, str(value))])
        else:
            lines.append(_line(name, str(value)))
    if request.user_agent:
        curl.setopt(pycurl.USERAGENT, _checked("user_agent", request.user_agent))
    elif "User-Agent" not in headers:
        curl.setopt(pycurl.USERAGENT, f"Tornado/{version}")
    if cookie is not None and "Cookie" not in headers:
        lines.append(_line("Cookie", _checked("a cookie", cookie)))
    if request.expect_100_continue:
        lines.append(b"Expect: 100-continue")
    elif "Expect" not in headers:
        lines.append(b"Expect:")  # otherwise libcurl would send Expect: 100-continue for large bodies
    if request.method != "POST" and "Content-Type" not in headers:
        lines.append(b"Content-Type:")  # otherwise libcurl would declare every body as a form
    curl.setopt(pycurl.HTTPHEADER, _unique(lines))


def _unique(lines: Iterable[bytes]) -> list[bytes]:
    return list(dict.fromkeys(lines))


def _line(name: str, value: str) -> bytes:
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:
        octets = value.encode()
    # For libcurl, "Name:" removes the field and "Name;" sends it without a value.
    return b"%b: %b" % (name.encode("ascii"), octets) if octets.strip() else b"%b;" % name.encode("ascii")
