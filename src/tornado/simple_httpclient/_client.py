"""`SimpleAsyncHTTPClient`: the client's settings, its queue and its active requests.

The `_fetch` module carries out each request.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._loop.deadlines import DeadlineScheduler
from tornado._thread_safety import WeakRegistry
from tornado._wire.limits import DEFAULT, Limits
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse, RetryPolicy
from tornado.httpclient._client import ORIGINAL_FETCH
from tornado.httpclient._hooks import AfterResponse, BeforeRequest, call_after_response
from tornado.log import gen_log
from tornado.netutil import OverrideResolver, Resolver
from tornado.simple_httpclient._connection import ClientConnection
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._connection_routes import Routes
from tornado.simple_httpclient._connector import Connector
from tornado.simple_httpclient._digest import CredentialsCache
from tornado.simple_httpclient._dns_lookups import SharedLookups, may_share
from tornado.simple_httpclient._errors import NO_RESPONSE, HTTPTimeoutError
from tornado.simple_httpclient._extension import ExtensionFactory
from tornado.simple_httpclient._extension_factories import default_factories
from tornado.simple_httpclient._fetch import Fetch, request_deadlines
from tornado.simple_httpclient._http_connection_compat import _HTTPConnection
from tornado.simple_httpclient._pool import ConnectionPool
from tornado.simple_httpclient._proxy import proxy_settings
from tornado.simple_httpclient._url import url_without_secrets
from tornado.tcpclient import TCPClient

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

_Callback = Callable[[HTTPResponse], None]


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """An `.AsyncHTTPClient` based on `.TCPClient`, without dependencies outside the standard library."""

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        max_buffer_size: int = 104857600,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
        *,
        max_clients_per_host: int | None = None,
        max_idle_connections: int | None = None,
        idle_timeout: float = 15.0,
        proxy: str | None = None,
        no_proxy: str = "",
        trust_env: bool = False,
        dns_cache_ttl: float = 0.0,
        continue_timeout: float = 1.0,
        cookie_jar: CookieJar | None = None,
        retry: RetryPolicy | None = None,
        before_request: BeforeRequest | None = None,
        after_response: AfterResponse | None = None,
    ) -> None:
        """Initialize the instance; the constructor calls this with its arguments.

        :param max_clients: the maximum number of concurrent requests; further requests wait in a queue.
        :param hostname_mapping: addresses for host names, as for `.OverrideResolver`.
        :param max_buffer_size: the maximum number of bytes of a response to hold in the stream's buffer.
        :param resolver: the `.Resolver` to use; the configured one by default.
        :param defaults: default values for `.HTTPRequest` arguments, by name.
        :param max_header_size: the maximum size of a response's head in bytes.
        :param max_body_size: the maximum size of a response's body in bytes, after decompression. The default
            is ``max_buffer_size``, and no limit for a body that is streamed.
        :param max_clients_per_host: the maximum number of concurrent requests to one host; None for no limit.
        :param max_idle_connections: the maximum number of idle connections to keep for further requests; by
            default ``max_clients``; 0 closes each connection after its request.
        :param idle_timeout: the maximum time in seconds to keep an idle connection.
        :param proxy: the URL of a proxy for all requests that do not set ``proxy_host``. Its scheme is
            ``http``, ``https`` or ``socks5`` (which requires the package python-socks); it may contain a user
            name and password for the proxy.
        :param no_proxy: hosts, domains and networks to connect to directly, separated by commas.
        :param trust_env: whether to use the environment variables ``http_proxy``, ``https_proxy``,
            ``all_proxy`` and ``no_proxy`` if ``proxy`` is not set.
        :param dns_cache_ttl: the time in seconds to cache the addresses of a host; 0 looks them up for each
            connection. Results of a `.Resolver` that the program defines are never cached.
        :param continue_timeout: the maximum time in seconds to wait for ``100 Continue`` before the body of a
            request with ``expect_100_continue`` is sent anyway (RFC 9110 section 10.1.1).
        :param cookie_jar: a jar that stores the cookies of responses and supplies those of requests.
        :param retry: the policy for retrying failed requests; by default they are not retried.
        :param before_request: called before each request is sent, including redirects and retries, with the
            `.HTTPRequest` and the `.HTTPHeaders` to send, which it may change. It may be a coroutine
            function; its time counts towards the ``request_timeout``. An exception ends the fetch.
        :param after_response: called with the `.HTTPResponse` at the end of each fetch, after success and
            failure; ``response.error`` is the error, if any. An exception is logged.
        """
        super().initialize(defaults)
        self.own_resolver: bool = resolver is None
        lookup = Resolver() if resolver is None else resolver
        self.resolver: Resolver = (
            OverrideResolver(lookup, hostname_mapping) if hostname_mapping is not None else lookup
        )
        self._dns_cache_ttl = dns_cache_ttl
        self.tcp_client: TCPClient = TCPClient(self.resolver)
        # Limits on the number of concurrent requests and on the size of one response.
        self.max_clients = max_clients
        self.max_body_size: int | None = max_body_size
        self.max_header_size: int | None = max_header_size
        self.max_buffer_size = max_buffer_size
        if not continue_timeout > 0:
            raise ValueError(
                f"continue_timeout must be a positive number of seconds, got {continue_timeout!r}"
            )
        self.continue_timeout = continue_timeout
        self.max_clients_per_host = max_clients_per_host
        self._max_idle = max_clients if max_idle_connections is None else max_idle_connections
        self._idle_timeout = idle_timeout
        self._lookups: Resolver | None = None
        self._loop_changed()
        _clients.add(self)
        self.connector: Connector = Connector(max_buffer_size)
        #: Factories of the objects that take part in each fetch.
        self.extensions: list[ExtensionFactory] = default_factories(cookie_jar, retry, before_request)
        #: The digest credentials, with the last challenge of each server.
        self.logins: CredentialsCache = CredentialsCache()
        self._after_response = after_response
        settings = proxy_settings(proxy, no_proxy, os.environ if trust_env else None)
        self.routes: Routes = Routes(self.tcp_client, settings)
        head_size = DEFAULT.max_head_size if max_header_size is None else max_header_size
        self._limits = Limits(max_head_size=head_size, max_request_line=head_size)

    def _is_busy(self) -> bool:
        return bool(self.active or self.queue)

    def _loop_changed(self) -> None:
        self.loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop
        # A program may have installed its own resolver or client in the meantime.
        if may_share(self.resolver) and getattr(self.tcp_client, "resolver", None) in (
            self.resolver,
            self._lookups,
        ):
            self.tcp_client.resolver = self._lookups = SharedLookups(self.resolver, ttl=self._dns_cache_ttl)
        #: Active requests. A request has the same key here, in the queue and in `waiting`.
        self.active: dict[object, tuple[HTTPRequest, _Callback]] = {}
        #: Requests that have not been started, in order; some may have timed out already.
        self.queue: deque[tuple[object, HTTPRequest, _Callback]] = deque()
        #: The queued requests that have not timed out, with their timers.
        self.waiting: dict[object, tuple[HTTPRequest, _Callback, object | None]] = {}
        #: The deadlines of all requests, including queued ones.
        self.deadlines: DeadlineScheduler = request_deadlines(self.loop)
        previous: ConnectionPool | None = self.__dict__.get("pool")
        if previous is not None:
            previous.close()
        self.pool: ConnectionPool = ConnectionPool(self.io_loop, self._max_idle, self._idle_timeout)
        #: The active and waiting requests of each host; empty without ``max_clients_per_host``.
        self._hosts: dict[str, _HostRequests] = {}

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    def close(self) -> None:
        """Close the idle connections, and the resolver unless it was passed in.

        Active requests continue; their connections are closed when they end.
        """
        super().close()
        self.pool.close()
        self.tcp_client.close()
        if self.own_resolver:
            self.resolver.close()

    # -- starting and queueing requests --

    def fetch_impl(self, request: HTTPRequest, callback: _Callback) -> Fetch | None:
        """Start a request, or queue it if ``max_clients`` requests are active.

        :returns: the `Fetch`, whose ``cancel()`` aborts the request, or None for a subclass that carries out
            requests itself.
        """
        if self._after_response is not None and not hasattr(request, "original_request"):
            callback = functools.partial(call_after_response, self._after_response, callback)
        kind = type(self)
        if kind._handle_request is not _HANDLE_REQUEST or kind._connection_class is not _CONNECTION_CLASS:
            self._enqueue(object(), request, callback)
            return None
        fetch = Fetch(self, request, callback)
        if kind.fetch is not ORIGINAL_FETCH:
            fetch.follow_redirects_with(self.fetch)
        if not self.queue and len(self.active) < self.max_clients and self.max_clients_per_host is None:
            self.active[fetch] = request, callback
            fetch.start()
        else:
            self._enqueue(fetch, request, callback)
        return fetch

    def _enqueue(self, key: object, request: HTTPRequest, callback: _Callback) -> None:
        timer: object | None = None
        limit = _queue_timeout(request)
        if limit and isinstance(key, Fetch):
            key.set_timeout(self.loop.time(), limit)
        elif limit and len(self.active) >= self.max_clients:
            timer = self.io_loop.call_later(
                limit, functools.partial(self._on_timeout, key, "in request queue")
            )
        self.queue.append((key, request, callback))
        self.waiting[key] = (request, callback, timer)
        self._process_queue()
        if self.queue:
            gen_log.debug(
                "max_clients limit (%d) reached: %d requests active, %d queued",
                self.max_clients,
                len(self.active),
                len(self.queue),
            )

    def _process_queue(self) -> None:
        """Start queued requests while the limits allow it."""
        while self.queue and len(self.active) < self.max_clients:
            key, request, callback = self.queue.popleft()
            if key not in self.waiting:
                continue  # it timed out
            if isinstance(key, Fetch):
                self._start_fetch(key, request, callback)
                continue
            self._remove_timeout(key)
            self.active[key] = request, callback
            self._handle_request(request, functools.partial(self._release_fetch, key), callback)

    def _start_fetch(self, fetch: Fetch, request: HTTPRequest, callback: _Callback) -> None:
        """Start a fetch from the queue, or let it wait if the limit of its host is reached."""
        if self.max_clients_per_host is not None:
            host = self._hosts.setdefault(fetch.host, _HostRequests())
            if host.active >= self.max_clients_per_host:
                host.waiting.append((fetch, request, callback))
                return
            host.active += 1
        self.waiting.pop(fetch, None)
        self.active[fetch] = request, callback
        self.deadlines.discard(fetch)
        fetch.start()

    def _release_host(self, fetch: Fetch, is_active: bool) -> None:
        """Update the host's count after a fetch, and move its next waiting fetch to the head of the queue."""
        host = self._hosts.get(fetch.host)
        if host is None:
            return
        host.active -= is_active
        assert self.max_clients_per_host is not None
        while host.waiting and host.active < self.max_clients_per_host:
            entry = host.waiting.popleft()
            if entry[0] in self.waiting:
                self.queue.appendleft(entry)
                break
        if not host.active and not host.waiting:
            del self._hosts[fetch.host]

    def fetch_ended(self, fetch: Fetch) -> None:
        """Remove a fetch that has ended, and start queued requests."""
        self.deadlines.discard(fetch)
        is_active = self.active.pop(fetch, None) is not None
        if not is_active:
            self.remove_from_queue(fetch)
        if self._hosts:
            self._release_host(fetch, is_active)
        if self.queue:
            self._process_queue()

    def remove_from_queue(self, fetch: object) -> None:
        """Remove a request that has ended while it was queued."""
        self.waiting.pop(fetch, None)
        # Only entries at the head of the queue are removed here, because removal from the middle takes linear
        # time. _process_queue skips ended requests that are still in the queue.
        while self.queue and self.queue[0][0] not in self.waiting:
            self.queue.popleft()

    # -- connections --

    def take_connection(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Remove an idle connection from the pool and return it; see `ConnectionPool.take`."""
        return self.pool.take(key, fresh)

    def keep_connection(self, connection: ClientConnection) -> None:
        """Keep a connection that has become idle, or close it."""
        self.pool.put(connection)

    async def open_connection(self, key: ConnectionKey, timeout: float | None) -> ClientConnection:
        """Open a connection; see `Connector.connect`."""
        if len(self.pool) and len(self.pool) + len(self.active) > max(self.max_clients, self.pool.max_idle):
            self.pool.close_oldest()
        stream = await self.connector.connect(key, timeout)
        return ClientConnection(stream, key, self._limits)

    # -- requests that a class of the program carries out, each on a separate connection --

    def _connection_class(self) -> type[_HTTPConnection]:
        """Return the class that carries out a request."""
        return _HTTPConnection

    def _handle_request(
        self, request: HTTPRequest, release_callback: Callable[[], None], final_callback: _Callback
    ) -> None:
        """Carry out a request.

        :param release_callback: called when another request may be started.
        :param final_callback: called with the response.
        """
        connection_class = self._connection_class()
        limits = {"max_header_size": self.max_header_size, "max_body_size": self.max_body_size}
        connection_class(
            self, request, release_callback, final_callback, self.max_buffer_size, self.tcp_client, **limits
        )

    def _release_fetch(self, key: object) -> None:
        self.active.pop(key, None)
        self._process_queue()

    def _remove_timeout(self, key: object) -> None:
        entry = self.waiting.pop(key, None)
        if entry is not None and entry[2] is not None:
            self.io_loop.remove_timeout(entry[2])

    def _on_timeout(self, key: object, info: str | None = None) -> None:
        """Report a timeout of a queued request for which the program has defined a connection class."""
        request, callback, _timer = self.waiting[key]
        self.remove_from_queue(key)
        text = f"Timeout {info}" if info else "Timeout"
        response = HTTPResponse(
            request,
            NO_RESPONSE,
            error=HTTPTimeoutError(text, url_without_secrets(request.url)),
            request_time=time.time() - request.start_time,
        )
        self.io_loop.add_callback(callback, response)


class _HostRequests:
    """The requests to one host, if there is a limit per host.

    :ivar active: the number of active requests.
    :ivar waiting: requests that reached the head of the queue while the host's limit was reached.
    """

    __slots__ = ("active", "waiting")

    def __init__(self) -> None:
        self.active = 0
        self.waiting: deque[tuple[Fetch, HTTPRequest, _Callback]] = deque()


_clients: WeakRegistry[SimpleAsyncHTTPClient] = WeakRegistry()


def client_counts() -> dict[str, int]:
    """Return the active and queued requests, and the idle connections, of all clients of this process."""
    clients = _clients.snapshot()
    return {
        "active": sum(len(client.active) for client in clients),
        "queued": sum(len(client.waiting) for client in clients),
        "idle": sum(len(client.pool) for client in clients),
    }


def _queue_timeout(request: HTTPRequest) -> float | None:
    """Return the maximum queueing time in seconds: by default the shorter of the request's other timeouts."""
    own: float | None = getattr(request, "queue_timeout", None)
    if own is not None:
        return own
    return min([limit for limit in (request.connect_timeout, request.request_timeout) if limit], default=None)


_HANDLE_REQUEST = SimpleAsyncHTTPClient._handle_request
_CONNECTION_CLASS = SimpleAsyncHTTPClient._connection_class
