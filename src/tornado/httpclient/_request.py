"""`HTTPRequest`, and the view of a request that has the client's defaults filled in."""

from __future__ import annotations

import datetime
import json
import os
import secrets
import ssl
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal

from tornado import httputil
from tornado._tornado4.legacy_arguments import stack_contexts
from tornado._wire.urlencoded import format_urlencoded, text_pairs
from tornado.httpclient._body import BodySource, BytesSource, ProducerSource, body_source
from tornado.httpclient._form import MultipartSource
from tornado.httpclient._progress import TransferProgress
from tornado.httpclient._retry import RetryPolicy

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

BodyProducer = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None] | None]
Body = (
    bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | Iterable[bytes] |
    AsyncIterable[bytes] | BodySource
)  # fmt: skip


class HTTPRequest:
    """A request for a client.

    Only ``url`` is required. For other arguments that are ``None``, the client's defaults apply.

    :param url: the URL, with the scheme ``http`` or ``https``. A user name and password in it are used for
        basic authentication.
    :param method: the method, such as "GET" or "POST".
    :param headers: the header fields, as an `.HTTPHeaders` or a mapping.
    :param body: the request's body: bytes, text (sent as UTF-8), or a source that is streamed: a
        `pathlib.Path`, a binary file, an iterable or an asynchronous iterable of bytes. If the length is
        known, it is sent as ``Content-Length``; otherwise the body is chunked. A generator or a file that is
        not seekable can be sent only once: a redirect or retry that must send it again fails.
    :param auth_username: the user name for authentication.
    :param auth_password: the password for ``auth_username``.
    :param auth_mode: "basic" (default) or "digest".
    :param connect_timeout: the maximum time in seconds for DNS look-up, connecting and TLS handshake (default
        20; 0: no limit).
    :param request_timeout: the maximum time in seconds for the whole request (default 20; 0: no limit).
    :param if_modified_since: a datetime or a timestamp, sent as ``If-Modified-Since``.
    :param follow_redirects: whether to follow redirects (default true).
    :param max_redirects: the maximum number of consecutive redirects (default 5).
    :param user_agent: the ``User-Agent`` to send.
    :param use_gzip: the old name of ``decompress_response``.
    :param network_interface: the local address (curl: also the interface) to connect from.
    :param streaming_callback: called with each part of the body as it arrives; ``body`` is then empty. It may
        return an awaitable: reading pauses until that is done.
    :param header_callback: called with each line of the response's head: the status line, the field lines and
        the final blank line, with their line endings.
    :param prepare_curl_callback: called with the `pycurl.Curl` object (curl client only).
    :param proxy_host: the host of a proxy; requires ``proxy_port``.
    :param proxy_port: the port of the proxy.
    :param proxy_username: the user name for the proxy.
    :param proxy_password: the password for the proxy.
    :param proxy_auth_mode: "basic" (default) or, with the curl client, "digest".
    :param allow_nonstandard_methods: whether to allow unknown methods, a body with a method that usually has
        none, and no body with a method that usually has one.
    :param validate_cert: whether to verify the server's certificate (default true).
    :param ca_certs: a file of certificates to trust, in place of the system's.
    :param allow_ipv6: whether IPv6 may be used (default true).
    :param client_key: the file with the private key of ``client_cert``.
    :param client_cert: the file with the client's certificate.
    :param body_producer: a function that generates the body as it is sent. It is called with a function
        ``write`` and calls ``write(chunk)`` for each chunk; a coroutine function can await each call. The
        body is chunked unless the headers have a ``Content-Length``.
    :param expect_100_continue: whether to delay the body until the server sends ``100 Continue``. If the
        server does not send it within a second (the client's ``continue_timeout``), the body is sent anyway.
    :param decompress_response: whether to request compressed bodies and decompress them (default true).
    :param ssl_options: an `ssl.SSLContext` or a dictionary for `.ssl_options_to_context`, in place of
        ``validate_cert``, ``ca_certs``, ``client_key`` and ``client_cert``.

    The following arguments are specific to Waterspout and keyword-only:

    :param params: parameters to append to the URL's query: a mapping, pairs, or a query string. Values may be
        str, bytes, int, float or bool (sent as ``true`` or ``false``). A list repeats the name, and None
        omits it. The URL's existing query is not changed.
    :param json: a value to send as JSON in UTF-8, with ``Content-Type: application/json``. None means no
        body; for JSON's ``null`` pass ``body=b"null"``.
    :param data: form fields, of the same types as ``params``, sent as ``application/x-www-form-urlencoded``.
        If ``files`` is passed too, the fields become parts of that form.
    :param files: files to stream as ``multipart/form-data``: a mapping or pairs of field name and file. A
        file is its content (bytes, a `pathlib.Path`, a binary file, an iterable or asynchronous
        iterable of bytes), or ``(filename, content)`` or ``(filename, content, content_type)``.
        ``filename=None`` sends the content as an ordinary field.
    :param queue_timeout: the maximum time in seconds that the request may wait in the client's queue (0: no
        limit).
    :param max_body_size: the maximum size of the response's body in bytes, after decompression.
    :param allow_downgrade: whether to follow a redirect from ``https`` to ``http`` (default false).
    :param cookies: an `http.cookiejar.CookieJar` in place of the client's; ``False`` for no cookies.
    :param retry: a `RetryPolicy` in place of the client's; ``False`` for no retries.
    :param progress_callback: called with a `TransferProgress` as body bytes are sent and received.

    The constructor applies ``params``, ``json``, ``data`` and ``files`` to ``url``, ``body`` and ``headers``.
    It does not change the method: pass ``method="POST"``.

    :raises ValueError: if two bodies are passed, a JSON value contains NaN or an infinity, or a number is out
        of range.
    :raises TypeError: if a Waterspout-specific argument has an unsupported type.
    :raises OSError: if a file of ``body`` or ``files`` does not exist.

    ::

        await client.fetch(url, method="POST", json={"name": "x"})
        await client.fetch(url, params={"q": "tornado", "page": 2})
        await client.fetch(url, method="POST", data={"a": 1}, files={"report": pathlib.Path("report.pdf")})
    """

    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "allow_downgrade": False,
        "allow_nonstandard_methods": False,
        "connect_timeout": 20.0,
        "decompress_response": True,
        "follow_redirects": True,
        "max_redirects": 5,
        "proxy_password": "",
        "request_timeout": 20.0,
        "validate_cert": True,
    }

    # Most programs pass few of these arguments. Defaults on the class cost nothing per request; `__init__`
    # sets only the attributes whose arguments were passed.
    auth_username: str | None = None
    auth_password: str | None = None
    auth_mode: str | None = None
    network_interface: str | None = None
    allow_ipv6: bool | None = None
    proxy_host: str | None = None
    proxy_port: int | None = None
    proxy_username: str | None = None
    proxy_password: str | None = None
    proxy_auth_mode: str | None = None
    ssl_options: dict[str, Any] | ssl.SSLContext | None = None
    validate_cert: bool | None = None
    ca_certs: str | None = None
    client_key: str | None = None
    client_cert: str | None = None
    follow_redirects: bool | None = None
    max_redirects: int | None = None
    user_agent: str | None = None
    allow_nonstandard_methods: bool | None = None
    decompress_response: bool | None = None
    streaming_callback: Callable[[bytes], Awaitable[None] | None] | None = None
    header_callback: Callable[[str], Any] | None = None
    prepare_curl_callback: Callable[[Any], None] | None = None
    body_producer: BodyProducer | None = None
    expect_100_continue: bool = False
    connect_timeout: float | None = None
    request_timeout: float | None = None
    queue_timeout: float | None = None
    max_body_size: int | None = None
    allow_downgrade: bool | None = None
    cookies: CookieJar | Literal[False] | None = None
    retry: RetryPolicy | Literal[False] | None = None
    progress_callback: Callable[[TransferProgress], Any] | None = None

    _headers: httputil.HTTPHeaders | Mapping[str, str] | None
    #: The request line and field lines that the client sent; emptied when `headers` is read.
    _sent_head: bytes = b""
    #: The fields in `_headers` that the client added or changed: for each, the value sent and the value that
    #: the program had set, or None.
    _added_fields: Mapping[str, tuple[str, str | None]] | None = None
    _body: Any = None
    _source: BodySource | None = None

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | httputil.HTTPHeaders | None = None,
        body: Body | None = None,
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
        header_callback: Callable[[str], Any] | None = None,
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
        *,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] | str | None = None,
        json: Any = None,
        data: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        files: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        queue_timeout: float | None = None,
        max_body_size: int | None = None,
        allow_downgrade: bool | None = None,
        cookies: CookieJar | Literal[False] | None = None,
        retry: RetryPolicy | Literal[False] | None = None,
        progress_callback: Callable[[TransferProgress], Any] | None = None,
    ) -> None:
        self.url: str = url
        self.method: str = method
        self._headers = headers
        #: When the request was created, in seconds since the epoch.
        self.start_time: float = time.time()
        # Testing a group of arguments in one condition takes a third of the time of assigning each argument.
        if body is not None:
            self.body = body
        if (
            connect_timeout is not None
            or request_timeout is not None
            or follow_redirects is not None
            or max_redirects is not None
            or user_agent is not None
        ):
            self.user_agent = user_agent
            self.follow_redirects, self.max_redirects = follow_redirects, max_redirects
            self.connect_timeout, self.request_timeout = connect_timeout, request_timeout
        if (
            streaming_callback is not None
            or header_callback is not None
            or body_producer is not None
            or prepare_curl_callback is not None
        ):
            self.streaming_callback = streaming_callback
            self.header_callback = header_callback
            self.body_producer = body_producer
            self.prepare_curl_callback = prepare_curl_callback
            _wrap_callbacks(self)
        if (
            decompress_response is not None
            or use_gzip is not None
            or allow_nonstandard_methods is not None
            or expect_100_continue
        ):
            self.decompress_response = use_gzip if decompress_response is None else decompress_response
            self.allow_nonstandard_methods = allow_nonstandard_methods
            self.expect_100_continue = expect_100_continue
        if auth_username is not None or auth_password is not None or auth_mode is not None:
            self.auth_username = auth_username
            self.auth_password = auth_password
            self.auth_mode = auth_mode
        if (
            validate_cert is not None
            or ca_certs is not None
            or client_cert is not None
            or client_key is not None
            or ssl_options is not None
        ):
            self.validate_cert = validate_cert
            self.ca_certs = ca_certs
            self.client_key, self.client_cert = client_key, client_cert
            self.ssl_options = ssl_options
        if (
            network_interface is not None
            or allow_ipv6 is not None
            or proxy_host is not None
            or proxy_port is not None
        ):
            self.network_interface = network_interface
            self.allow_ipv6 = allow_ipv6
            self.proxy_host, self.proxy_port = proxy_host, proxy_port
        if proxy_username is not None or proxy_password is not None or proxy_auth_mode is not None:
            self.proxy_username, self.proxy_password = proxy_username, proxy_password
            self.proxy_auth_mode = proxy_auth_mode
        if if_modified_since is not None:
            self._copy_headers()["If-Modified-Since"] = httputil.format_timestamp(if_modified_since)
        if params is not None or json is not None or data is not None or files is not None:
            self._set_content(params, json, data, files)
        if (
            queue_timeout is not None
            or max_body_size is not None
            or allow_downgrade is not None
            or cookies is not None
            or retry is not None
            or progress_callback is not None
        ):
            self.queue_timeout = _checked_non_negative("queue_timeout", queue_timeout)
            self.max_body_size = _checked_non_negative("max_body_size", max_body_size)
            self.allow_downgrade = allow_downgrade
            self.cookies = _checked_cookies(cookies)
            self.retry = _checked_retry(retry)
            self.progress_callback = _checked_callback("progress_callback", progress_callback)

    @property
    def headers(self) -> Any:
        """The header fields to send: the value that was set, or an empty `.HTTPHeaders` for ``None``.

        After a fetch, these are the fields that were sent, including those that the client added. When the
        same request is fetched again, fields that the client added are removed first, unless the program has
        changed them.
        """
        if self._sent_head:
            self._show_sent_headers()
        if self._headers is None:
            self._headers = httputil.HTTPHeaders()
        return self._headers

    @headers.setter
    def headers(self, value: Mapping[str, str] | httputil.HTTPHeaders | None) -> None:
        self._headers = value
        self._sent_head, self._added_fields = b"", None

    def _show_sent_headers(self) -> None:
        """Replace `headers` by the fields that were sent."""
        sent = httputil.HTTPHeaders.parse(self._sent_head.decode("latin-1").partition("\r\n")[2])
        self._sent_head = b""
        given = httputil.HTTPHeaders(self._headers or ())
        # The proxy's credentials may come from the client's settings. They are hidden, because programs log
        # requests.
        sent.pop("Proxy-Authorization", None)
        if "Proxy-Authorization" in given:
            sent["Proxy-Authorization"] = given["Proxy-Authorization"]
        self._headers = sent
        self._added_fields = {
            name: (value, given.get(name)) for name, value in sent.items() if given.get(name) != value
        }

    def _original_headers(self) -> httputil.HTTPHeaders:
        """Return a copy of the headers without the changes that the client made for an earlier fetch."""
        headers = httputil.HTTPHeaders(self._headers or ())
        for name, (sent, given) in (self._added_fields or {}).items():
            if headers.get(name) != sent:
                continue  # the program has changed this field since the earlier fetch
            if given is None:
                del headers[name]
            else:
                headers[name] = given
        return headers

    @property
    def body(self) -> Any:
        """The body: bytes, ``None`` for no body, or the object that was passed for a streamed body.

        Assigned text is encoded as UTF-8.
        """
        return self._body

    @body.setter
    def body(self, value: Body | None) -> None:
        if value is None or isinstance(value, bytes):
            self._body = value
            self._source = None
        elif isinstance(value, str):
            self._body = value.encode()
            self._source = None
        else:
            self._source = source = body_source(value)
            self._body = source.content if isinstance(source, BytesSource) else value

    @property
    def body_source(self) -> BodySource | None:
        """The source of the body, from ``body`` or ``body_producer``; None for no body.

        For client implementations.
        """
        if self._source is None:
            if self._body is not None:
                return BytesSource(self._body)
            if self.body_producer is not None:
                return ProducerSource(self.body_producer)
        return self._source

    def _copy_headers(self) -> httputil.HTTPHeaders:
        """Replace ``_headers`` by a copy, because the caller may reuse its mapping, and return the copy."""
        self._headers = headers = httputil.HTTPHeaders(self._headers or ())
        return headers

    def _set_content(self, params: Any, json: Any, data: Any, files: Any) -> None:
        """Set the query and the body from ``params``, ``json``, ``data`` and ``files``."""
        if params is not None:
            self.url = _with_query(self.url, params)
        if json is data is files is None:
            return
        given = [
            name
            for name, value in (
                ("body", self._body),
                ("body_producer", self.body_producer),
                ("json", json),
                ("data and files" if data is not None and files is not None else "data", data),
                ("files", files if data is None else None),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise ValueError(f"a request has only one body, got {' and '.join(given)}: pass one of them")
        headers = self._copy_headers()
        if files is not None:
            form = MultipartSource(data, files, secrets.token_hex(16))
            if "Content-Type" in headers:
                raise ValueError(
                    "files= sets the Content-Type field, whose boundary must match the body: remove "
                    f"{headers['Content-Type']!r} from the headers"
                )
            self.body, content_type = form, form.content_type
        elif json is not None:
            self._body, content_type = _encode_json(json).encode(), "application/json"
        else:
            self._body = format_urlencoded(text_pairs(data, "data")).encode()
            content_type = "application/x-www-form-urlencoded"
        headers.setdefault("Content-Type", content_type)


def default_settings() -> dict[str, Any]:
    """Return the default values that every client uses for settings of a request."""
    return HTTPRequest._DEFAULTS


def original_headers(request: HTTPRequest) -> httputil.HTTPHeaders:
    """Return a copy of a request's headers without the changes that a client made for an earlier fetch."""
    return request._original_headers()


def _checked_non_negative(name: str, value: Any) -> Any:
    if value is not None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number or None, not {value!r}")
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value!r}")
    return value


def _checked_callback(name: str, callback: Any) -> Any:
    if callback is None or callable(callback):
        return callback
    raise TypeError(f"{name} must be callable, not {callback!r}")


def _checked_cookies(cookies: Any) -> Any:
    # isinstance() would require an import of http.cookiejar, which is slow and which few programs need.
    if cookies is None or cookies is False or callable(getattr(cookies, "add_cookie_header", None)):
        return cookies
    raise TypeError(
        "cookies must be an http.cookiejar.CookieJar, False (no cookies) or None (the client's jar), not "
        f"{type(cookies).__name__}; to send single cookies, set the Cookie field in headers"
    )


def _checked_retry(retry: Any) -> Any:
    if retry is None or retry is False or isinstance(retry, RetryPolicy):
        return retry
    raise TypeError(f"retry must be a RetryPolicy, False or None, not {retry!r}")


def _wrap_callbacks(request: HTTPRequest) -> None:
    """Make the callbacks of a request run in the active stack contexts, if the program uses them."""
    classic = stack_contexts()
    if classic is not None:
        classic.wrap_callbacks(request)


def _with_query(url: str, params: Any) -> str:
    """Append parameters to a URL without changing its existing query."""
    query = (
        params.lstrip("?&") if isinstance(params, str) else format_urlencoded(text_pairs(params, "params"))
    )
    if not query:
        return url
    address, mark, fragment = url.partition("#")
    if "?" not in address:
        address += "?"
    elif not address.endswith(("?", "&")):
        address += "&"
    return address + query + mark + fragment


_encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class _RequestProxy:
    """A view of a request that takes attributes that are None from the client's defaults.

    Programs create it for `.WebSocketClientConnection`, and copy it.
    """

    def __init__(self, request: HTTPRequest, defaults: dict[str, Any] | None) -> None:
        self.request = request
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        if name in ("request", "defaults"):  # not set yet: `copy` and `pickle` do not call __init__
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = getattr(self.request, name)
        if value is None and self.defaults is not None:
            return self.defaults.get(name)
        return value
