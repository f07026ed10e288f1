"""`CurlAsyncHTTPClient`: the client's settings, its queue, and the hooks for subclasses."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pycurl

from tornado.curl_httpclient._callback_queue import CallbackQueue
from tornado.curl_httpclient._errors import NO_RESPONSE
from tornado.curl_httpclient._fetch import Fetch
from tornado.curl_httpclient._multi import Multi
from tornado.curl_httpclient._options import DefaultProxySettings, apply_request, new_handle, set_fields
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse, RetryPolicy
from tornado.httpclient._cookies import cookie_field
from tornado.httpclient._hooks import AfterResponse, BeforeRequest, call_after_response
from tornado.httpclient._proxy import ProxySettings
from tornado.httputil import HTTPHeaders
from tornado.log import app_log

if TYPE_CHECKING:
    from http.cookiejar import CookieJar


class _DefaultLimit(int):
    """The type of the default limit, to distinguish it from an equal limit that the program has set."""


_DEFAULT_MAX_BODY_SIZE = _DefaultLimit(100 * 1024 * 1024)


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """An `.AsyncHTTPClient` based on libcurl.

    All arguments of `.HTTPRequest` are supported; ``ssl_options`` must be a dictionary, because libcurl
    cannot use an `ssl.SSLContext`. ``proxy_host`` may be any proxy URL that libcurl accepts, such as
    ``socks5h://host``. ``prepare_curl_callback`` is called with the `pycurl.Curl` object of each request and
    of each redirect that is followed, after all other options have been set.

    The client follows redirects itself instead of libcurl: it removes credentials and cookies when the origin
    changes, and rejects a redirect from ``https`` to ``http``, as `.SimpleAsyncHTTPClient` does.

    Errors of libcurl are raised as `CurlError`.
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
        """Initialize the instance; the constructor calls this with its arguments.

        :param max_clients: the maximum number of concurrent requests; further requests wait in a queue.
        :param defaults: default values for `.HTTPRequest` arguments, by name.
        :param max_body_size: the maximum size of a response's body in bytes, after decompression. The default
            does not apply to requests with a ``streaming_callback``.
        :param cookie_jar: a jar that stores the cookies of responses and supplies those of requests; by
            default cookies are not stored.
        :param retry: the policy for retrying failed requests; by default they are not retried.
        :param proxy: the URL of a proxy for all requests that do not set ``proxy_host``, as for
            `.SimpleAsyncHTTPClient`.
        :param no_proxy: hosts, domains and networks to connect to directly, separated by commas.
        :param trust_env: whether libcurl uses the environment variables ``http_proxy``, ``https_proxy``,
            ``all_proxy`` and ``no_proxy`` if ``proxy`` is not set.
        :param continue_timeout: the maximum time in seconds to wait for ``100 Continue`` before the body of a
            request with ``expect_100_continue`` is sent anyway.
        :param before_request: called before each hop with its `.HTTPRequest` and `.HTTPHeaders`, which it may
            change. The headers do not include the fields that libcurl adds. It may be a coroutine function.
            An exception ends the fetch.
        :param after_response: called with the `.HTTPResponse` at the end of each fetch, after success and
            failure. An exception is logged.
        """
        super().initialize(defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self.cookie_jar = cookie_jar
        self.retry = retry
        self.before_request = before_request
        self._after_response = after_response
        if not continue_timeout > 0:
            raise ValueError(
                f"continue_timeout must be a positive number of seconds, got {continue_timeout!r}"
            )
        self._continue_timeout = continue_timeout
        proxies = None if proxy is None else ProxySettings.parse(proxy, no_proxy)
        self._proxy_rules = DefaultProxySettings(proxies, no_proxy, trust_env)
        self._loop_changed()

    def _is_busy(self) -> bool:
        return bool(self._active or self._waiting)

    def _loop_changed(self) -> None:
        self._multi = Multi(self.io_loop)
        self._active: set[Fetch] = set()
        #: Queued fetches in order, including some that have ended.
        self._queue: deque[Fetch] = deque()
        #: The queued fetches that have not ended, with the timers of their ``queue_timeout``.
        self._waiting: dict[Fetch, object | None] = {}

    def close(self) -> None:
        """Close the connections. Requests that have not completed fail."""
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
        """Start a request, or queue it if ``max_clients`` requests are active."""
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
        """Create the handle for a request. Subclasses may extend this method."""
        return new_handle()

    def _curl_setup_request(
        self, curl: pycurl.Curl, request: HTTPRequest, buffer: BytesIO, headers: HTTPHeaders
    ) -> None:
        """Set a handle's options for a request. Subclasses may extend this method.

        :param buffer: the buffer for the response's body.
        :param headers: the object for the response's header fields.
        """
        apply_request(curl, request, self._proxy_rules)
        if request.expect_100_continue:
            curl.setopt(pycurl.EXPECT_100_TIMEOUT_MS, max(1, int(self._continue_timeout * 1000)))
        jar = self.jar_of(request)
        set_fields(curl, request, None if jar is None else cookie_field(jar, request.url))

    # -- called by fetches

    def jar_of(self, request: HTTPRequest) -> CookieJar | None:
        """Return the cookie jar for a request, or None if it does not use cookies."""
        if request.cookies is None:
            return self.cookie_jar
        return None if request.cookies is False else request.cookies

    def limit_of(self, request: HTTPRequest) -> int | None:
        """Return the maximum size of the response's body in bytes, or None for no limit."""
        if request.max_body_size is not None:
            return request.max_body_size
        if request.streaming_callback is not None and self.max_body_size is _DEFAULT_MAX_BODY_SIZE:
            return None
        return self.max_body_size

    def handle_callback_exception(self, callback: Any) -> None:
        """Log the current exception, which a ``streaming_callback`` or ``header_callback`` raised.

        The request continues. A subclass may override this method.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def _set_timeout(self, msecs: int) -> None:
        """Call libcurl's timer function after a time in milliseconds."""
        self._multi.schedule_action(msecs)

    def _fetch_ended(self, fetch: Fetch) -> None:
        """Remove a fetch that has ended, which may still be queued, and start queued fetches."""
        self._active.discard(fetch)
        self._remove_from_waiting(fetch)
        if not self._closed:
            self.io_loop.add_callback(self._process_queue)

    # -- the queue

    def _process_queue(self) -> None:
        """Start queued fetches while ``max_clients`` allows it."""
        while self._queue and len(self._active) < self.max_clients and not self._closed:
            fetch = self._queue.popleft()
            if fetch not in self._waiting:
                continue  # cancelled, or timed out
            self._remove_from_waiting(fetch)
            self._active.add(fetch)
            fetch.start()

    def _remove_from_waiting(self, fetch: Fetch) -> None:
        timer = self._waiting.pop(fetch, None)
        if timer is not None:
            self.io_loop.remove_timeout(timer)

    def _queue_timed_out(self, fetch: Fetch) -> None:
        self._waiting[fetch] = None
        fetch.fail(HTTPClientError(NO_RESPONSE, f"Timeout in request queue ({fetch.url_without_secrets})"))


class _CurlStreamingBuffer(CallbackQueue):
    """A `CallbackQueue` with the name and the constructor of Tornado's class."""

    def __init__(
        self,
        client: CurlAsyncHTTPClient,
        curl: pycurl.Curl,
        callback: Callable[[bytes], Any] | None,
        max_body_size: int | None = -1,
    ) -> None:
        super().__init__(
            client, curl, callback, wake=lambda: client._set_timeout(0), max_body_size=max_body_size
        )
