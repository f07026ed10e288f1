"""CurlAsyncHTTPClient: admission, the queue, and the hooks for subclasses."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pycurl

from tornado.curl_httpclient._errors import NO_RESPONSE
from tornado.curl_httpclient._fetch import Fetch
from tornado.curl_httpclient._multi import Multi
from tornado.curl_httpclient._options import ProxyRules, apply_request, new_handle, set_fields
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse, RetryPolicy
from tornado.httpclient._cookies import cookie_field
from tornado.httpclient._hooks import AfterResponse, BeforeRequest, call_after_response
from tornado.httpclient._proxy import ProxySettings
from tornado.httputil import HTTPHeaders
from tornado.log import app_log

if TYPE_CHECKING:
    from http.cookiejar import CookieJar


class _DefaultSize(int):
    """A limit that the program did not ask for."""


_DEFAULT_MAX_BODY_SIZE = _DefaultSize(100 * 1024 * 1024)


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """`.AsyncHTTPClient` on libcurl.

    All arguments of `.HTTPRequest` are supported; ``ssl_options`` must be a dictionary, as libcurl has no use
    for an `ssl.SSLContext`. ``proxy_host`` may be any URL that libcurl takes for a proxy
    (``socks5h://host``). ``prepare_curl_callback`` is called with the `pycurl.Curl` object of each request,
    and of each redirect that is followed, after everything else is set.

    Redirects are followed by the client, not by libcurl: credentials and cookies are dropped when the origin
    changes, and a redirect from ``https`` to ``http`` is refused, as in `.SimpleAsyncHTTPClient`.

    Errors of libcurl are `CurlError`.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        defaults: dict[str, Any] | None = None,
        max_body_size: int = _DEFAULT_MAX_BODY_SIZE,
        cookie_jar: CookieJar | None = None,
        retry: RetryPolicy | None = None,
        *,
        proxy: str | None = None,
        no_proxy: str = "",
        trust_env: bool = True,
        continue_timeout: float = 1.0,
        before_request: BeforeRequest | None = None,
        after_response: AfterResponse | None = None,
    ) -> None:
        """Called by the constructor with its arguments.

        :param max_clients: how many requests may be under way at once; more wait in a queue.
        :param defaults: values for what requests leave open.
        :param max_body_size: bytes that a response's body may have, after decompression. The default does not
            apply to requests with a ``streaming_callback``.
        :param cookie_jar: where cookies are kept; none are by default.
        :param retry: when requests are sent again; never by default.
        :param proxy: the URL of a proxy for all requests that name none themselves, as for
            `.SimpleAsyncHTTPClient`.
        :param no_proxy: hosts, domains and networks that are reached directly, separated by commas.
        :param trust_env: whether libcurl follows the variables ``http_proxy``, ``https_proxy``, ``all_proxy``
            and ``no_proxy`` where ``proxy`` is not given.
        :param continue_timeout: seconds for which a request with ``expect_100_continue`` waits for ``100
            Continue`` before it sends its body all the same.
        :param before_request: called with the `.HTTPRequest` and the `.HTTPHeaders` of each hop, which it may
            change; those that libcurl adds are not among them. It may be a coroutine function. An exception
            ends the fetch.
        :param after_response: called with the `.HTTPResponse` at the end of each fetch, whatever came of it.
            What it raises is logged.
        """
        super().initialize(defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self.cookie_jar = cookie_jar
        self.retry = retry
        self.before_request = before_request
        self._after_response = after_response
        if not continue_timeout > 0:
            raise ValueError(f"continue_timeout must be a number of seconds over 0, got {continue_timeout!r}")
        self._continue_timeout = continue_timeout
        proxies = None if proxy is None else ProxySettings.parse(proxy, no_proxy)
        self._proxy_rules = ProxyRules(proxies, no_proxy, trust_env)
        self._multi = Multi()
        self._active: set[Fetch] = set()
        #: Fetches that were not begun, with the timers of their ``queue_timeout``.
        self._queue: deque[Fetch] = deque()
        self._waiting: dict[Fetch, object | None] = {}

    def close(self) -> None:
        """Close the connections. Requests that are not complete fail."""
        if self._closed:
            return
        super().close()
        error = HTTPClientError(NO_RESPONSE, "the client was closed")
        for fetch in [*self._active, *self._waiting]:
            fetch.fail(error)
        self._multi.close()

    def fetch_impl(  # type: ignore[override, unused-ignore]
        self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]
    ) -> Fetch:
        """Start a request, or queue it when ``max_clients`` are under way."""
        if self._after_response is not None:
            callback = functools.partial(call_after_response, self._after_response, callback)
        fetch = Fetch(
            self,
            request,
            callback,
            multi=self._multi,
            create=self._curl_create,
            set_up=self._curl_setup_request,
            ended=self._fetch_ended,
        )
        timer = None
        if len(self._active) >= self.max_clients and request.queue_timeout:
            timer = self.io_loop.call_later(
                request.queue_timeout, functools.partial(self._queue_timed_out, fetch)
            )
        self._waiting[fetch] = timer
        self._queue.append(fetch)
        self._process_queue()
        return fetch

    # -- hooks for subclasses

    def _curl_create(self) -> pycurl.Curl:
        """Make the handle for a request; for subclasses to extend."""
        return new_handle()

    def _curl_setup_request(
        self, curl: pycurl.Curl, request: HTTPRequest, buffer: BytesIO, headers: HTTPHeaders
    ) -> None:
        """Set a handle's options for a request; for subclasses to extend.

        :param buffer: receives the body.
        :param headers: receives the header fields.
        """
        apply_request(curl, request, self._proxy_rules)
        if request.expect_100_continue:
            curl.setopt(pycurl.EXPECT_100_TIMEOUT_MS, max(1, int(self._continue_timeout * 1000)))
        jar = self.jar_of(request)
        set_fields(curl, request, None if jar is None else cookie_field(jar, request.url))

    # -- called by fetches

    def jar_of(self, request: HTTPRequest) -> CookieJar | None:
        """Return the cookie jar for a request, or None if it takes no part in cookies."""
        if request.cookies is None:
            return self.cookie_jar
        return None if request.cookies is False else request.cookies

    def limit_of(self, request: HTTPRequest) -> int | None:
        """Return the bytes that the response's body may have, or None for no limit."""
        if request.max_body_size is not None:
            return request.max_body_size
        if request.streaming_callback is not None and self.max_body_size is _DEFAULT_MAX_BODY_SIZE:
            return None
        return self.max_body_size

    def handle_callback_exception(self, callback: Any) -> None:
        """Log the current exception, which a ``streaming_callback`` or ``header_callback`` raised.

        The request continues. A subclass may act differently.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def _set_timeout(self, msecs: int) -> None:
        """Have libcurl act after a time, in milliseconds."""
        self._multi.act_after(msecs)

    def _fetch_ended(self, fetch: Fetch) -> None:
        """Free the place of a fetch, which may still be queued."""
        self._active.discard(fetch)
        self._stop_waiting(fetch)
        if not self._closed:
            self.io_loop.add_callback(self._process_queue)

    # -- the queue

    def _process_queue(self) -> None:
        """Begin as many fetches as there is room for."""
        while self._queue and len(self._active) < self.max_clients and not self._closed:
            fetch = self._queue.popleft()
            if fetch not in self._waiting:
                continue  # cancelled, or timed out
            self._stop_waiting(fetch)
            self._active.add(fetch)
            fetch.start()

    def _stop_waiting(self, fetch: Fetch) -> None:
        timer = self._waiting.pop(fetch, None)
        if timer is not None:
            self.io_loop.remove_timeout(timer)

    def _queue_timed_out(self, fetch: Fetch) -> None:
        self._waiting[fetch] = None
        fetch.fail(HTTPClientError(NO_RESPONSE, f"Timeout in request queue ({fetch.shown_url})"))
