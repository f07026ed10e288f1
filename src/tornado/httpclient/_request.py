"""What to fetch: HTTPRequest, and the view of one that has the client's defaults filled in."""

from __future__ import annotations

import datetime
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from tornado import httputil
from tornado.escape import utf8

BodyProducer = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None] | None]


class HTTPRequest:
    """A request for a client. Only ``url`` is required; what is left as ``None`` follows the client's
    defaults.

    :param url: the address, with scheme ``http`` or ``https``. A user name and password in it are used for
        basic authentication.
    :param method: "GET", "POST", ...
    :param headers: an `.HTTPHeaders` or a mapping.
    :param body: the request's body; text is sent as UTF-8.
    :param auth_username: a name for authentication; with ``auth_password`` and, where the client knows other
        modes than "basic", ``auth_mode``.
    :param connect_timeout: seconds for look-up, connection and TLS handshake (default 20; 0: no limit).
    :param request_timeout: seconds for the whole request (default 20; 0: no limit).
    :param if_modified_since: a datetime or a timestamp, sent as ``If-Modified-Since``.
    :param follow_redirects: whether to fetch what a redirect points to (default true).
    :param max_redirects: how many times in a row (default 5).
    :param user_agent: the ``User-Agent`` to send.
    :param use_gzip: the old name of ``decompress_response``.
    :param network_interface: the local address (curl: also the interface) to connect from.
    :param streaming_callback: called with each part of the body as it arrives; ``body`` is then empty. It may
        return an awaitable: nothing more is read until that is done.
    :param header_callback: called with each line of the head, the status line first, ends of line included,
        and at the end with the blank line.
    :param prepare_curl_callback: called with the `pycurl.Curl` object (curl client only).
    :param proxy_host: an HTTP proxy, with ``proxy_port`` and optionally ``proxy_username``,
        ``proxy_password`` and ``proxy_auth_mode`` (curl client, and `.websocket_connect`).
    :param allow_nonstandard_methods: send methods that are not known, and bodies where they are not usual.
    :param validate_cert: whether to check the server's certificate (default true).
    :param ca_certs: a file of certificates to trust, in place of the system's.
    :param allow_ipv6: whether IPv6 may be used (default true).
    :param client_key: the key file of ``client_cert``, the file with the client's own certificate.
    :param body_producer: for bodies made as they are sent: a function that is called with a function
        ``write``; it writes the parts, and may be a coroutine that awaits each ``write(part)``. The body is
        chunked unless the headers have a ``Content-Length``.
    :param expect_100_continue: send the body only when the server asks for it by ``100 Continue``.
    :param decompress_response: whether to ask for compressed bodies and to undo the compression (default
        true).
    :param ssl_options: an `ssl.SSLContext` or a dictionary for `.ssl_options_to_context`, in place of
        ``validate_cert``, ``ca_certs``, ``client_key`` and ``client_cert``.
    """

    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "allow_nonstandard_methods": False,
        "connect_timeout": 20.0,
        "decompress_response": True,
        "follow_redirects": True,
        "max_redirects": 5,
        "proxy_password": "",
        "request_timeout": 20.0,
        "validate_cert": True,
    }

    _headers: httputil.HTTPHeaders | Mapping[str, str]
    _body: bytes | None

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | httputil.HTTPHeaders | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | None = None,
        connect_timeout: float | None = None,
        request_timeout: float | None = None,
        if_modified_since: float | datetime.datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: Callable[[bytes], Awaitable[None] | None] | None = None,
        header_callback: Callable[[str], None] | None = None,
        prepare_curl_callback: Callable[[Any], None] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: BodyProducer | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        # What is asked for.
        self.url = url
        self.method = method
        self.headers = headers
        if if_modified_since is not None:
            # The caller's mapping stays as it is: it may serve for other requests.
            self.headers = httputil.HTTPHeaders(self.headers)
            self.headers["If-Modified-Since"] = httputil.format_timestamp(if_modified_since)
        self.body = body
        self.body_producer = body_producer
        self.expect_100_continue = expect_100_continue
        self.allow_nonstandard_methods = allow_nonstandard_methods
        self.user_agent = user_agent
        # Who asks.
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        # How it gets there.
        self.network_interface = network_interface
        self.allow_ipv6 = allow_ipv6
        self.proxy_host, self.proxy_port = proxy_host, proxy_port
        self.proxy_username, self.proxy_password = proxy_username, proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.ssl_options = ssl_options
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.client_key, self.client_cert = client_key, client_cert
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        # What to do with the answer.
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.decompress_response = use_gzip if decompress_response is None else decompress_response
        self.streaming_callback = streaming_callback
        self.header_callback = header_callback
        self.prepare_curl_callback = prepare_curl_callback
        #: When the request was made, in seconds since the epoch.
        self.start_time = time.time()

    @property
    def headers(self) -> Any:
        """The headers to send: what was set, an empty `.HTTPHeaders` for ``None``."""
        return self._headers

    @headers.setter
    def headers(self, value: Mapping[str, str] | httputil.HTTPHeaders | None) -> None:
        self._headers = httputil.HTTPHeaders() if value is None else value

    @property
    def body(self) -> Any:
        """The body as bytes, or ``None``. Text that is assigned becomes UTF-8."""
        return self._body

    @body.setter
    def body(self, value: bytes | str | None) -> None:
        self._body = utf8(value)


class _RequestProxy:
    """A request as an implementation sees it: what it leaves open comes from the client's defaults.

    Programs make it for `.WebSocketClientConnection`, and copy it.
    """

    def __init__(self, request: HTTPRequest, defaults: dict[str, Any] | None) -> None:
        self.request = request
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        if name in ("request", "defaults"):  # not set yet: `copy` and `pickle` make it without __init__
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = getattr(self.request, name)
        if value is None and self.defaults is not None:
            return self.defaults.get(name)
        return value
