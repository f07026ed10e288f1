"""The client: its settings, and which requests are under way. The work on one request is `_fetch`'s."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._wire.limits import DEFAULT, Limits
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse, RetryPolicy
from tornado.httpclient._client import OWN_FETCH
from tornado.httpclient._hooks import AfterResponse, BeforeRequest, call_after_response
from tornado.log import gen_log
from tornado.netutil import OverrideResolver, Resolver
from tornado.simple_httpclient._connection import ClientConnection
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._connector import Connector
from tornado.simple_httpclient._deadlines import DeadlineScheduler
from tornado.simple_httpclient._digest import Logins
from tornado.simple_httpclient._dns_lookups import SharedLookups, may_share
from tornado.simple_httpclient._errors import NO_RESPONSE, HTTPTimeoutError
from tornado.simple_httpclient._extension import ExtensionFactory
from tornado.simple_httpclient._extension_factories import default_factories
from tornado.simple_httpclient._fetch import Fetch
from tornado.simple_httpclient._http_connection import _HTTPConnection
from tornado.simple_httpclient._pool import ConnectionPool
from tornado.simple_httpclient._proxy import proxy_settings
from tornado.simple_httpclient._routes import Routes
from tornado.simple_httpclient._url import shown_url
from tornado.tcpclient import TCPClient

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

_Callback = Callable[[HTTPResponse], None]


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """`.AsyncHTTPClient` on `.TCPClient`: no dependency, and every part open to subclasses."""

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
        """Called by the constructor with its arguments.

        :param max_clients: how many requests may be under way at once; more wait in a queue.
        :param hostname_mapping: addresses for host names, as for `.OverrideResolver`.
        :param max_buffer_size: bytes of a response that may be held in the stream's buffer.
        :param resolver: the `.Resolver` to use; the configured one by default.
        :param defaults: values for what requests leave open.
        :param max_header_size: bytes that the head of a response may have.
        :param max_body_size: bytes that a response's body may have, after decompression; by default as many
            as ``max_buffer_size``, and no limit for a body that is streamed.
        :param max_clients_per_host: how many of them may go to one host; None for no limit.
        :param max_idle_connections: how many idle connections are kept for further requests; by default as
            many as ``max_clients``; 0 closes each connection after its request.
        :param idle_timeout: seconds for which an idle connection is kept.
        :param proxy: the URL of a proxy for all requests that name none themselves: with the scheme ``http``,
            ``https`` or ``socks5`` (which needs the package python-socks), and a user name and password
            where the proxy asks for them.
        :param no_proxy: hosts, domains and networks that are reached directly, separated by commas.
        :param trust_env: whether the variables ``http_proxy``, ``https_proxy``, ``all_proxy`` and
            ``no_proxy`` apply where ``proxy`` is not given.
        :param dns_cache_ttl: seconds for which the addresses of a host are kept; 0 looks them up for each
            connection. Answers of a program's own `.Resolver` are never kept.
        :param continue_timeout: seconds for which a request with ``expect_100_continue`` waits for ``100
            Continue`` before it sends its body all the same (RFC 9110 section 10.1.1).
        :param cookie_jar: stores the cookies of responses and sends them with further requests.
        :param retry: when requests are sent again; never by default.
        :param before_request: called with the `.HTTPRequest` and the `.HTTPHeaders` that are about to be
            sent, which it may change; once for each redirect and retry, too. It may be a coroutine function:
            the ``request_timeout`` counts meanwhile. An exception ends the fetch.
        :param after_response: called with the `.HTTPResponse` at the end of each fetch, whatever came of it:
            ``response.error`` tells. What it raises is logged.
        """
        super().initialize(defaults)
        self.loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop
        self.own_resolver: bool = resolver is None
        lookup = Resolver() if resolver is None else resolver
        self.resolver: Resolver = (
            OverrideResolver(lookup, hostname_mapping) if hostname_mapping is not None else lookup
        )
        shared = SharedLookups(self.resolver, ttl=dns_cache_ttl) if may_share(self.resolver) else None
        self.tcp_client: TCPClient = TCPClient(shared or self.resolver)
        # Limits: on requests at once, and on what one response may take.
        self.max_clients = max_clients
        self.max_body_size: int | None = max_body_size
        self.max_header_size: int | None = max_header_size
        self.max_buffer_size = max_buffer_size
        if not continue_timeout > 0:
            raise ValueError(f"continue_timeout must be a number of seconds over 0, got {continue_timeout!r}")
        self.continue_timeout = continue_timeout
        #: Requests under way. The key is what a request is known by from its arrival to its end.
        self.active: dict[object, tuple[HTTPRequest, _Callback]] = {}
        #: Requests not begun yet, in order; some may have timed out already.
        self.queue: deque[tuple[object, HTTPRequest, _Callback]] = deque()
        #: Those of the queue that have not timed out, with their timers.
        self.waiting: dict[object, tuple[HTTPRequest, _Callback, object | None]] = {}
        #: The deadlines of requests, of those in the queue as well.
        self.deadlines: DeadlineScheduler = DeadlineScheduler(self.loop)
        self.max_clients_per_host = max_clients_per_host
        max_idle = max_clients if max_idle_connections is None else max_idle_connections
        self.pool: ConnectionPool = ConnectionPool(self.io_loop, max_idle, idle_timeout)
        #: With a limit for each host: how many requests are under way to it, and those that wait for it.
        self._hosts: dict[str, _Host] = {}
        self.connector: Connector = Connector(max_buffer_size)
        #: Factories of the objects that take part in each fetch.
        self.extensions: list[ExtensionFactory] = default_factories(cookie_jar, retry, before_request)
        #: The challenges of servers with digest authentication.
        self.logins: Logins = Logins()
        self._after_response = after_response
        settings = proxy_settings(proxy, no_proxy, os.environ if trust_env else None)
        self.routes: Routes = Routes(self.tcp_client, settings)
        head_size = DEFAULT.max_head_size if max_header_size is None else max_header_size
        self._limits = Limits(max_head_size=head_size, max_request_line=head_size)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close idle connections and free the resolver, unless it was passed in.

        Requests under way continue; their connections are closed when they end.
        """
        super().close()
        self.pool.close()
        self.tcp_client.close()
        if self.own_resolver:
            self.resolver.close()

    # -- admission --

    def fetch_impl(self, request: HTTPRequest, callback: _Callback) -> Fetch | None:
        """Start a request, or queue it when ``max_clients`` are under way.

        :returns: the `Fetch`, whose ``cancel()`` abandons the request.
        """
        if self._after_response is not None and not hasattr(request, "original_request"):
            callback = functools.partial(call_after_response, self._after_response, callback)
        kind = type(self)
        if kind._handle_request is not _HANDLE_REQUEST or kind._connection_class is not _CONNECTION_CLASS:
            self._enqueue(object(), request, callback)
            return None
        fetch = Fetch(self, request, callback)
        if kind.fetch is not OWN_FETCH:
            fetch.follow_redirects_by(self.fetch)
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
            self.deadlines.add(key, self.loop.time(), limit)
        elif limit and len(self.active) >= self.max_clients:
            timer = self.io_loop.call_later(
                limit, functools.partial(self._on_timeout, key, "in request queue")
            )
        self.queue.append((key, request, callback))
        self.waiting[key] = (request, callback, timer)
        self._process_queue()
        if self.queue:
            gen_log.debug(
                "max_clients limit (%d) reached: %d requests under way, %d queued",
                self.max_clients,
                len(self.active),
                len(self.queue),
            )

    def _process_queue(self) -> None:
        """Begin as many requests as there is room for."""
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
        """Start a fetch from the queue, or put it aside where its host has enough."""
        if self.max_clients_per_host is not None:
            host = self._hosts.setdefault(fetch.host, _Host())
            if host.active >= self.max_clients_per_host:
                host.waiting.append((fetch, request, callback))
                return
            host.active += 1
        self.waiting.pop(fetch, None)
        self.active[fetch] = request, callback
        self.deadlines.discard(fetch)
        fetch.start()

    def _leave_host(self, fetch: Fetch, is_active: bool) -> None:
        """A fetch has ended: the next one for its host goes to the head of the queue."""
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
        """A fetch has ended: forget it, and make use of the room."""
        self.deadlines.discard(fetch)
        is_active = self.active.pop(fetch, None) is not None
        if not is_active:
            self.leave_queue(fetch)
        if self._hosts:
            self._leave_host(fetch, is_active)
        if self.queue:
            self._process_queue()

    def leave_queue(self, fetch: object) -> None:
        """Forget a request that has ended in the queue."""
        self.waiting.pop(fetch, None)
        # The queue's entry is left to _process_queue unless it is the head: removing from the middle is
        # linear.
        while self.queue and self.queue[0][0] not in self.waiting:
            self.queue.popleft()

    # -- connections --

    def take_connection(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Return an idle connection and forget it; see `ConnectionPool.take`."""
        return self.pool.take(key, fresh)

    def keep_connection(self, connection: ClientConnection) -> None:
        """Keep a connection that has become idle, or close it."""
        self.pool.put(connection)

    async def open_connection(self, key: ConnectionKey, timeout: float | None) -> ClientConnection:
        """Make a connection; see `Connector.connect`."""
        if len(self.pool) and len(self.pool) + len(self.active) > max(self.max_clients, self.pool.max_idle):
            self.pool.close_oldest()
        stream = await self.connector.connect(key, timeout)
        return ClientConnection(stream, key, self._limits)

    # -- requests of programs' own classes, one connection each --

    def _connection_class(self) -> type[_HTTPConnection]:
        """The class that carries out a request."""
        return _HTTPConnection

    def _handle_request(
        self, request: HTTPRequest, release_callback: Callable[[], None], final_callback: _Callback
    ) -> None:
        """Carry out a request: the first callback makes room for the next, the second takes the response."""
        carry_out = self._connection_class()
        limits = {"max_header_size": self.max_header_size, "max_body_size": self.max_body_size}
        carry_out(
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
        """A request of a program's own class has been in the queue for too long."""
        request, callback, _timer = self.waiting[key]
        self.leave_queue(key)
        text = f"Timeout {info}" if info else "Timeout"
        response = HTTPResponse(
            request,
            NO_RESPONSE,
            error=HTTPTimeoutError(text, shown_url(request.url)),
            request_time=time.time() - request.start_time,
        )
        self.io_loop.add_callback(callback, response)


class _Host:
    """The requests to one host, where there is a limit for each.

    :ivar active: how many are under way.
    :ivar waiting: those that have come to the head of the queue while there were enough.
    """

    __slots__ = ("active", "waiting")

    def __init__(self) -> None:
        self.active = 0
        self.waiting: deque[tuple[Fetch, HTTPRequest, _Callback]] = deque()


def _queue_timeout(request: HTTPRequest) -> float | None:
    """Seconds for which a request may wait in the queue: by default the shortest of its other timeouts."""
    own: float | None = getattr(request, "queue_timeout", None)
    if own is not None:
        return own
    return min([limit for limit in (request.connect_timeout, request.request_timeout) if limit], default=None)


_HANDLE_REQUEST = SimpleAsyncHTTPClient._handle_request
_CONNECTION_CLASS = SimpleAsyncHTTPClient._connection_class
