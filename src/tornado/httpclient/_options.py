"""Types for the keyword arguments that describe a request.

They are for type checkers. At run time this module is imported only when a program uses one of the classes.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http.cookiejar import CookieJar
from typing import Any, Literal, TypedDict

from tornado import httputil
from tornado._public_module_names import export
from tornado.httpclient._progress import TransferProgress
from tornado.httpclient._request import Body, BodyProducer
from tornado.httpclient._response import HTTPResponse
from tornado.httpclient._retry import RetryPolicy


class WebSocketHandshakeOptions(TypedDict, total=False):
    """Keyword arguments that `tornado.websocket.websocket_connect` passes on to `.HTTPRequest`.

    ``connect_timeout`` is not included, because `tornado.websocket.websocket_connect` has a parameter of that
    name.
    """

    method: str
    headers: Mapping[str, str] | httputil.HTTPHeaders | None
    body: Body | None
    auth_username: str | None
    auth_password: str | None
    auth_mode: str | None
    request_timeout: float | None
    if_modified_since: float | datetime.datetime | None
    follow_redirects: bool | None
    max_redirects: int | None
    user_agent: str | None
    use_gzip: bool | None
    network_interface: str | None
    streaming_callback: Callable[[bytes], Awaitable[None] | None] | None
    header_callback: Callable[[str], Any] | None
    prepare_curl_callback: Callable[[Any], None] | None
    proxy_host: str | None
    proxy_port: int | None
    proxy_username: str | None
    proxy_password: str | None
    proxy_auth_mode: str | None
    allow_nonstandard_methods: bool | None
    validate_cert: bool | None
    ca_certs: str | None
    allow_ipv6: bool | None
    client_key: str | None
    client_cert: str | None
    body_producer: BodyProducer | None
    expect_100_continue: bool
    decompress_response: bool | None
    ssl_options: dict[str, Any] | ssl.SSLContext | None
    params: Mapping[str, Any] | Iterable[tuple[str, Any]] | str | None
    json: Any
    data: Mapping[str, Any] | Iterable[tuple[str, Any]] | None
    files: Mapping[str, Any] | Iterable[tuple[str, Any]] | None
    queue_timeout: float | None
    max_body_size: int | None
    allow_downgrade: bool | None
    cookies: CookieJar | Literal[False] | None
    retry: RetryPolicy | Literal[False] | None
    progress_callback: Callable[[TransferProgress], Any] | None


class HTTPRequestOptions(WebSocketHandshakeOptions, total=False):
    """Keyword arguments of `.HTTPRequest`, without the URL.

    Methods such as `.AsyncHTTPClient.fetch` accept them too. A function that passes such arguments on can
    annotate them with this class::

        async def fetch_json(url: str, **options: Unpack[HTTPRequestOptions]) -> object:
            response = await AsyncHTTPClient().fetch(url, **options)
            return response.json()
    """

    connect_timeout: float | None


class FetchOptions(HTTPRequestOptions, total=False):
    """Keyword arguments of `.AsyncHTTPClient.fetch` with a URL.

    They are those of `HTTPRequestOptions` and the deprecated ``callback`` of Tornado 4.
    """

    callback: Callable[[HTTPResponse], object] | None


__all__ = ["FetchOptions", "HTTPRequestOptions", "WebSocketHandshakeOptions"]

export(globals(), module="tornado.httpclient")
