"""`Fetch`: one call of `fetch`, from the queue to the report of its outcome.

A fetch consists of one or more hops. Redirects, digest challenges and retries add hops. Each hop takes a
connection from the pool, or opens one with the connector, and carries out one exchange on it. If the server
has closed a connection from the pool, the hop is repeated on a new connection. A hop on a connection from the
pool runs synchronously, without a Task or a timer.

Phases
------
===========  ======================================================  =====================
phase        event                                                   next phase
===========  ======================================================  =====================
QUEUED       start                                                   CONNECTING or WAITING
QUEUED       start, and a hook must be awaited                       PREPARING
PREPARING    the hooks are done                                      CONNECTING or WAITING
CONNECTING   the connection is open                                  WAITING
WAITING      head of the response                                    READING
WAITING      the connection from the pool was already closed         CONNECTING or PREPARING
READING      end of a response that requires another hop             as after QUEUED
READING      end of a response, and the next hop has a delay         DELAYED
READING      end of the response                                     DONE
READING      end of a redirect, and the client's `fetch` is wrapped  FOLLOWING
FOLLOWING    the response of the wrapped `fetch`                     DONE
DELAYED      the delay is over                                       as after QUEUED
any          error, timeout, cancellation                            DONE
===========  ======================================================  =====================

The file exceeds the usual length because `Fetch` is one state machine, and its phases share the clean-up
code.

Every transition to DONE is made by `Fetch._finish`. After the transition, the fetch has no connection, Task
or deadline, and is not among the client's active requests.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from io import BytesIO
from typing import Any, NamedTuple, Protocol

from tornado import httputil
from tornado._loop.deadlines import NEVER, DeadlineScheduler
from tornado._wire import h1
from tornado._wire.content_decoders import ContentDecoder, parse_codings
from tornado._wire.errors import HeadTooLarge, HTTPInputError
from tornado._wire.state_machine import State, permit
from tornado.gen import convert_yielded
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpclient._body import BodySource, BytesSource, ProducerSource
from tornado.httpclient._request import _RequestProxy, default_settings
from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError
from tornado.log import app_log, gen_log
from tornado.simple_httpclient._body import ResponseBody
from tornado.simple_httpclient._connection import SENDING, ClientConnection, ConnectionEndedError
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._connection_routes import Route, Routes
from tornado.simple_httpclient._digest import CredentialsCache
from tornado.simple_httpclient._errors import NO_RESPONSE, HTTPStreamClosedError, HTTPTimeoutError
from tornado.simple_httpclient._extension import MAX_FOLLOW_UPS, Extension, ExtensionFactory, FollowUp
from tornado.simple_httpclient._extension_factories import has_own_extensions, make_extensions
from tornado.simple_httpclient._progress import Progress
from tornado.simple_httpclient._redirect import REDIRECT_CODES, check_downgrade, redirected_request
from tornado.simple_httpclient._request_head import check_request, plain_head, request_fields, request_head
from tornado.simple_httpclient._upload import Upload
from tornado.simple_httpclient._url import url_without_secrets

__all__ = ["Fetch", "FetchOwner", "FetchPhase", "UpgradeHandler"]

#: Methods that may be sent again when it is not known whether the request was processed (RFC 9110 section
#: 9.2.2).
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))
_PLAIN_METHODS = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
#: A request body of up to this size in bytes is sent together with the head.
_JOINED_BODY = 64 * 1024
#: Response bodies above this size in bytes, or of unknown length, are collected in one buffer.
_LARGE_BODY = 256 * 1024
#: Maximum number of bytes of a body to read and discard so that its connection can be reused.
_MAX_DISCARDED = 64 * 1024


class FetchPhase(State):
    """The phase of a fetch; see the table in the module docstring. Its value is used in messages."""

    QUEUED = "in the request queue, for"
    PREPARING = "awaiting before_request, for"
    CONNECTING = "connecting, for"
    WAITING = "waiting for the response from"
    READING = "reading the response from"
    DELAYED = "waiting to retry"
    FOLLOWING = "following the redirect from"
    DONE = "done with"


QUEUED, PREPARING, CONNECTING, WAITING, READING, DELAYED, FOLLOWING, DONE = FetchPhase

_BEGINS_HOP = frozenset({PREPARING, CONNECTING, WAITING})

#: The phases that may follow each phase. After an error, another hop may begin: a retry.
TRANSITIONS: dict[FetchPhase, frozenset[FetchPhase]] = {
    QUEUED: _BEGINS_HOP | {DONE},
    PREPARING: _BEGINS_HOP | {DELAYED, DONE},
    CONNECTING: _BEGINS_HOP | {DELAYED, DONE},
    WAITING: _BEGINS_HOP | {READING, DELAYED, DONE},
    READING: _BEGINS_HOP | {DELAYED, FOLLOWING, DONE},
    DELAYED: _BEGINS_HOP | {DONE},
    FOLLOWING: frozenset({DONE}),
    DONE: frozenset(),
}
permit(TRANSITIONS)


class FetchOwner(Protocol):
    """The part of the client that a fetch uses."""

    loop: asyncio.AbstractEventLoop
    deadlines: DeadlineScheduler
    routes: Routes
    max_body_size: int | None
    max_buffer_size: int
    continue_timeout: float
    logins: CredentialsCache

    @property
    def extensions(self) -> Sequence[ExtensionFactory]:
        """The factories of the objects that take part in each fetch."""

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed, so further hops are not allowed."""

    def take_connection(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Return an idle connection; see `.ConnectionPool.take`."""

    def keep_connection(self, connection: ClientConnection) -> None:
        """Keep a connection that has become idle, or close it."""

    async def open_connection(self, key: ConnectionKey, timeout: float | None) -> ClientConnection:
        """Open a connection."""

    def fetch_ended(self, fetch: Fetch) -> None:
        """Process the end of a fetch."""


class UpgradeHandler(Protocol):
    """The user of a connection that switches to another protocol with a 101 response."""

    def connected(self, stream: IOStream) -> None:
        """Process a new connection, before the request is sent on `stream`."""

    def redirected(self, request: HTTPRequest) -> HTTPRequest:
        """Return the request for the next hop.

        :param request: the request that follows the redirect by the rules of HTTP.
        :raises ValueError: if the redirect must not be followed.
        """

    def check(self, head: h1.ResponseHead) -> None:
        """Check a 101 response. An exception ends the fetch."""

    def switched(self, stream: IOStream) -> None:
        """Take over `stream`, which is in pull mode. The fetch ends without calling its callback."""


class Fetch:
    """One fetch.

    :param client: the client, whose connections and settings it uses.
    :param view: the request as it is passed to `.AsyncHTTPClient.fetch_impl`.
    :param callback: called once with the response.
    :param upgrade: takes over the connection after a 101 response. If it is None, a 101 response is treated
        like any other.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_callback",
        "_chunks",
        "_connected_at",
        "_connecting",
        "_connection",
        "_context",
        "_created_at",
        "_decompress",
        "_defaults",
        "_delay",
        "_delegates_redirect",
        "_discarded",
        "_extensions",
        "_follow_up",
        "_follow_ups",
        "_following",
        "_head",
        "_hop_started_at",
        "_max_body_size",
        "_original",
        "_progress",
        "_redirect_fetch",
        "_request",
        "_responded_at",
        "_retried",
        "_sent_head",
        "_started_at",
        "_timer",
        "_upgrade",
        "_wall_time",
        "client",
        "deadline",
        "phase",
    )

    def __init__(
        self,
        client: FetchOwner,
        view: HTTPRequest,
        callback: Callable[[HTTPResponse], None],
        upgrade: UpgradeHandler | None = None,
    ) -> None:
        self.client: FetchOwner = client
        self.phase: FetchPhase = QUEUED
        self.deadline: float = NEVER
        self._callback: Callable[[HTTPResponse], None] | None = callback
        request: HTTPRequest = view
        defaults: dict[str, Any] = {}
        if isinstance(view, _RequestProxy):
            request, defaults = view.request, view.defaults or {}
        self._original: HTTPRequest = getattr(request, "original_request", request)
        self._defaults = defaults
        if len(defaults) > _DEFAULT_COUNT:
            request = _with_defaults(request, defaults)
        #: The request of the current hop. If a setting is None, the client's default applies.
        self._request = request
        self._context: contextvars.Context | None = None
        if (
            upgrade is not None
            or request.streaming_callback is not None
            or request.header_callback is not None
            or request.body_producer is not None
            or request.progress_callback is not None
        ):
            self._context = contextvars.copy_context()
        self._upgrade = upgrade
        self._extensions: list[Extension] = []
        if client.extensions or has_own_extensions(request):
            self._extensions = make_extensions(request, client.extensions, client.logins)
        self._progress: Progress | None = None
        self._follow_ups = 0
        self._delay = 0.0
        self._timer: asyncio.TimerHandle | None = None
        #: The head of the first hop, for `HTTPRequest.headers`.
        self._sent_head = b""
        #: The times at which the fetch was created, the fetch left the queue, the current hop began, its
        #: connection was available, and its response's head was received.
        self._created_at = self._started_at = self._hop_started_at = client.loop.time()
        self._connected_at = self._responded_at = 0.0
        self._wall_time = 0.0
        self._connection: ClientConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._retried = False
        self._head: h1.ResponseHead | None = None
        self._chunks: list[bytes] = []
        self._buffer: BytesIO | None = None
        self._body: ResponseBody | None = None
        self._follow_up: HTTPRequest | None = None
        #: The client's `fetch` if redirects must be followed by calling it, else None.
        self._redirect_fetch: Callable[..., Awaitable[HTTPResponse]] | None = None
        #: Whether `_redirect_fetch` must send the follow-up request.
        self._delegates_redirect = False
        #: The result of `_redirect_fetch` in the phase FOLLOWING, else None.
        self._following: asyncio.Future[HTTPResponse] | None = None

    def __repr__(self) -> str:
        return f"<Fetch {self._request.method} {url_without_secrets(self._request.url)} {self.phase.name}>"

    @property
    def host(self) -> str:
        """Scheme and authority of the request's URL in lower case: the key for limits per host."""
        scheme, _, rest = self._original.url.partition("://")
        authority = rest.replace("?", "/").replace("#", "/").partition("/")[0]
        return f"{scheme}://{authority.rpartition('@')[2]}".lower()

    def _setting(self, name: str) -> Any:
        value = getattr(self._request, name)
        return self._defaults.get(name) if value is None else value

    # -- interface for the client --

    def start(self) -> None:
        """Leave the queue and begin the first hop."""
        self._wall_time = time.time()
        self._started_at = self._hop_started_at = self.client.loop.time()
        self._prepare_hop()

    def follow_redirects_with(self, fetch: Callable[..., Awaitable[HTTPResponse]]) -> None:
        """Follow redirects with calls of `fetch`, in the context of this call.

        Upstream always does this. A program or a monitoring agent that has wrapped `.AsyncHTTPClient.fetch`
        expects a call for each hop: Instana's agent reports a span for each call.
        """
        self._redirect_fetch = fetch
        if self._context is None:
            self._context = contextvars.copy_context()

    def cancel(self) -> None:
        """Abort the fetch. Its connection is closed, and its callback is not called."""
        if self.phase is not DONE:
            self._callback = None
            self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the fetch with `error`."""
        self._end(error)

    def set_timeout(self, start: float, timeout: float) -> None:
        """Set the fetch to expire `timeout` seconds after `start`, which is a time of the loop's clock."""
        client = self.client
        client.deadlines.add(self, client.loop)
        client.deadlines.set(self, start, timeout)

    def deadline_passed(self) -> None:
        """End the fetch with a timeout error."""
        if self.phase is QUEUED:
            message = "Timeout in request queue"
            own = getattr(self._request, "queue_timeout", None) is not None
            names = ("queue_timeout",) if own else ("connect_timeout", "request_timeout")
        else:
            message = f"Timeout during request ({self._describe_phase()})"
            names = ("request_timeout",)
        self._end(HTTPTimeoutError(message, url_without_secrets(self._request.url), self._limits(*names)))

    def _limits(self, *names: str) -> str:
        """Return the timeout settings that are set, with their values in seconds, for messages."""
        values = [(name, self._setting(name)) for name in names]
        return ", ".join(f"{name}={value:g}" for name, value in values if value)

    # -- the request --

    def _prepare_hop(self) -> None:
        """Begin a hop: prepare the request and send it."""
        request, client = self._request, self.client
        timeout = self._setting("request_timeout")
        if timeout:
            self.set_timeout(self._hop_started_at, timeout)
        try:
            route, target, userinfo = client.routes.find(request, self._defaults)
            message = self._make_message(route, target, userinfo)
        except Exception as error:
            self._end(error, is_transport=False)
            return
        if isinstance(message, _MessageAfterHook):
            self._prepare(route, message, self._dispatch)
        else:
            self._dispatch(route, message)

    def _dispatch(self, route: Route, message: _Message) -> None:
        """Send the message on a connection from the pool, or open one."""
        if not self._sent_head:
            data = message[0][0]
            self._sent_head = data[: data.index(b"\r\n\r\n") + 2]
        connection = self.client.take_connection(route.key, fresh=not self._is_repeatable())
        if connection is not None:
            self._send(connection, message)
        else:
            self._connect(route, message)

    def _make_message(
        self, route: Route, target: str, userinfo: tuple[str, str] | None
    ) -> _Message | _MessageAfterHook:
        """Check the request and serialize it.

        :returns: the message, or a `_MessageAfterHook` if a hook must be awaited first.
        """
        request = self._request
        decompress = self._decompress = bool(self._setting("decompress_response"))
        body = request.body
        if (
            decompress
            and not request.headers
            and body is None
            and request.body_producer is None
            and request.method in _PLAIN_METHODS
            and request.auth_username is None
            and userinfo is None
            and not request.user_agent
            and not request.expect_100_continue
            and not self._extensions
            and request.progress_callback is None
        ):
            return (plain_head(request.method, target, route),), None, True
        check_request(request)
        headers = request_fields(request, route, target, userinfo, decompress)
        for number, extension in enumerate(self._extensions, 1):
            waiting = extension.prepare(request, target, headers)
            if waiting is not None:
                return _MessageAfterHook(
                    waiting, self._hooked_message(waiting, number, route, target, headers)
                )
        return self._serialize(route, target, headers)

    async def _hooked_message(
        self, waiting: Awaitable[object], number: int, route: Route, target: str, headers: HTTPHeaders
    ) -> _Message:
        """Await a hook, then call the extensions from index `number` on, and serialize the request."""
        await waiting
        for extension in self._extensions[number:]:
            further = extension.prepare(self._request, target, headers)
            if further is not None:
                await further
        return self._serialize(route, target, headers)

    def _serialize(self, route: Route, target: str, fields: HTTPHeaders) -> _Message:
        """Serialise the request."""
        request, body = self._request, self._request.body
        head, headers, length, reusable = request_head(request, route, target, fields)
        if self._upgrade is not None:
            request.headers = headers  # programs read the sent fields of a handshake from the request
        if request.progress_callback is not None:
            self._progress = Progress(request.progress_callback, self._context, length)
        source: BodySource | None
        if body is None and request.body_producer is None:
            return (head,), None, reusable
        if isinstance(body, bytes):
            if self._progress is None and not request.expect_100_continue:
                return ((head + body,) if len(body) <= _JOINED_BODY else (head, body)), None, reusable
            source = BytesSource(body)
        elif request.body_producer is not None:
            source = ProducerSource(request.body_producer, length)
        else:
            source = request.body_source
            assert source is not None
        context = self._context or contextvars.copy_context()
        sent = None if self._progress is None else self._progress.add_sent
        wait = self.client.continue_timeout if request.expect_100_continue else 0.0
        return (head,), Upload(source, wait, context, sent), reusable

    def _prepare(
        self,
        route: Route,
        hooked: _MessageAfterHook,
        proceed: Callable[[Route, _Message], None],
    ) -> None:
        """Await the hooks in a Task, then call `proceed` with the message."""
        self.phase = self.phase.to[PREPARING]

        async def prepare() -> None:
            try:
                message = await hooked.message
            except Exception as error:
                self._end(error, is_transport=False)
                return
            if self.phase is PREPARING:
                self._connecting = None
                proceed(route, message)

        self._connecting = self.client.loop.create_task(prepare())
        self._connecting.add_done_callback(hooked.close)
        self._connecting.add_done_callback(self._connect_done)

    def _connect(self, route: Route, message: _Message) -> None:
        """Open a connection in a Task."""
        self.phase = self.phase.to[CONNECTING]
        client = self.client
        limits = [limit for limit in (self._setting("connect_timeout"), self._remaining_time()) if limit]
        client.deadlines.discard(self)  # while connecting, the connector's timeout applies instead
        task = client.loop.create_task(self._open(route, message, min(limits) if limits else None))
        self._connecting = task
        task.add_done_callback(self._connect_done)

    def _remaining_time(self) -> float | None:
        """Return the remaining seconds of the hop's ``request_timeout``; None for no limit."""
        timeout: float | None = self._setting("request_timeout")
        if timeout and self._retried:
            # The first attempt, on a connection from the pool, has used some of the time.
            timeout = max(0.001, self._hop_started_at + timeout - self.client.loop.time())
        return timeout

    async def _open(self, route: Route, message: _Message, timeout: float | None) -> None:
        connection = await self.client.open_connection(route.key, timeout)
        if self.phase is not CONNECTING:
            connection.close()  # the fetch has ended in this event loop iteration
            return
        self._connecting = None
        timeout = self._setting("request_timeout")
        if timeout:
            self.set_timeout(self._hop_started_at, timeout)
        self._send(connection, message)

    def _connect_done(self, task: asyncio.Task[None]) -> None:
        if self._connecting is task:
            self._connecting = None
        if task.cancelled():
            # This object did not cancel the Task. It was cancelled for another reason, such as the end of the
            # event loop.
            if self.phase is CONNECTING or self.phase is PREPARING:
                self._end(HTTPStreamClosedError(f"cancelled ({self._describe_phase()})"), is_transport=False)
            return
        error = task.exception()
        if error is None or self.phase is DONE:
            return
        if isinstance(error, TimeoutError) and error.errno is None:
            text = " ".join([str(error) or "Timeout while connecting", *getattr(error, "__notes__", ())])
            limits = self._limits("connect_timeout", "request_timeout")
            timeout = HTTPTimeoutError(text, url_without_secrets(self._request.url), limits)
            timeout.__cause__ = error
            error = timeout
        self._end(error)

    def _send(self, connection: ClientConnection, message: _Message) -> None:
        """Start the exchange on a connection."""
        pieces, upload, reusable = message
        self.phase = self.phase.to[WAITING]
        self._connected_at = self.client.loop.time()
        self._connection = connection
        if self._upgrade is not None:
            self._upgrade.connected(connection.stream)
        connection.start(self, self._request.method, pieces, upload, reusable, self._body_limit())

    def _body_limit(self) -> int:
        """Return the maximum size of the response's body in bytes.

        A streamed body is limited only if the request or the client sets a limit.
        """
        client = self.client
        limit = getattr(self._request, "max_body_size", None)
        if limit is None:
            limit = client.max_body_size
        if limit is None:
            limit = sys.maxsize if self._request.streaming_callback is not None else client.max_buffer_size
        self._max_body_size = limit
        return limit

    # -- the response: callbacks for the connection --

    def head_received(self, head: h1.ResponseHead) -> None:
        """Process the head: decide whether another hop follows, and how to handle the body."""
        self.phase = self.phase.to[READING]
        self._responded_at = self.client.loop.time()
        self._head = head
        if head.code == 101 and self._upgrade is not None:
            self._switch(self._upgrade, head)
            return
        if head.code in REDIRECT_CODES or self._extensions:
            try:
                self._follow_up = self._extension_hop(head)
                if self._follow_up is None and head.code in REDIRECT_CODES:
                    self._follow_up = self._redirect(head)
                    self._delegates_redirect = self._redirect_fetch is not None
            except Exception as error:
                self._end(error, is_transport=False)
                return
            if self._follow_up is not None:
                self._discarded = 0
                if head.until_close:
                    self._skip_body()
                return
        if head.has_body and (head.content_length is None or head.content_length > _LARGE_BODY):
            # A BytesIO grows in place. Joining many chunks would need twice the memory.
            self._buffer = BytesIO()
        request = self._request
        decoder = None
        if self._decompress and head.has_body and "ncoding:" in head.headers_block.lower():
            try:
                decoder = _make_decoder(head, self._max_body_size)
            except HTTPInputError as error:
                self._end(error)
                return
        if (
            decoder is not None
            or request.streaming_callback is not None
            or request.header_callback is not None
        ):
            assert self._connection is not None
            self._body = ResponseBody(
                self._connection,
                decoder,
                request.streaming_callback,
                self._context or contextvars.copy_context(),
                self._end,
                self._callback_failed,
            )
            if request.header_callback is not None:
                self._call_header_callback(request.header_callback, self._body)
        if self._progress is not None:
            self._progress.receive_total = head.content_length

    def _switch(self, upgrade: UpgradeHandler, head: h1.ResponseHead) -> None:
        """Pass the connection to `upgrade` after a 101 response."""
        connection = self._connection
        assert connection is not None
        try:
            assert self._context is not None
            self._context.run(upgrade.check, head)
        except Exception as error:
            self._end(error)
            return
        if self.phase is DONE:
            return
        stream = connection.detach()
        self._connection = None
        self._finish()
        assert self._context is not None
        self._context.run(upgrade.switched, stream)

    def _call_header_callback(self, header_callback: Callable[[str], Any], body: ResponseBody) -> None:
        """Call the ``header_callback`` with each line of the head."""
        head = self._head
        assert head is not None
        assert self._context is not None
        lines = [f"{head.version} {head.code} {head.reason}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in head.headers.get_all()]
        lines.append("\r\n")
        lines.reverse()

        def call_next() -> Awaitable[Any] | None:
            while lines and self.phase is READING:
                result = header_callback(lines.pop())
                if result is not None and _is_awaitable(result):
                    awaited: Awaitable[Any] = result
                    return awaited
            return None

        async def call_rest(waiting: Awaitable[Any] | None) -> None:
            while waiting is not None:
                await convert_yielded(waiting)
                waiting = call_next()

        try:
            waiting = self._context.run(call_next)
        except (Exception, asyncio.CancelledError) as error:
            self._callback_failed(error)
            return
        if waiting is not None:
            body.pause_until(call_rest(waiting))

    def body_received(self, data: bytes) -> None:
        """Process a part of the body."""
        if self._progress is not None and self._follow_up is None:
            self._progress.add_received(len(data))
        if self._follow_up is not None:
            self._discarded += len(data)
            if self._discarded > _MAX_DISCARDED:
                self._skip_body()
        elif self._body is None:
            if self._buffer is None:
                self._chunks.append(data)
            else:
                self._buffer.write(data)
        else:
            self._body.receive(data)

    def _skip_body(self) -> None:
        """Begin the next hop on another connection, which costs less than reading the rest of this body."""
        self._abandon_hop()
        self._next_hop()

    def response_complete(self, reusable: bool) -> None:
        """Begin the next hop after a complete response, or report the response."""
        if self._body is not None:
            try:
                self._body.finish()
            except HTTPInputError as error:
                self._end(error)  # also closes the connection
                return
        connection, self._connection = self._connection, None
        if connection is not None and reusable:
            self.client.keep_connection(connection)
        if self._follow_up is not None:
            self._next_hop()
            return
        chunks = self._chunks if self._body is None else self._body.chunks
        head = self._head
        assert head is not None
        buffer, self._buffer = self._buffer, None
        if buffer is None or chunks:
            buffer = BytesIO(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        else:
            buffer.seek(0)
        response = self._response(head.code, headers=head.headers, buffer=buffer, reason=head.reason)
        if head.code in REDIRECT_CODES and response.error is not None and self._setting("follow_redirects"):
            if not self._setting("max_redirects"):
                response.error.add_note("(more redirects than max_redirects)")
        self._report(response)

    def _response(self, code: int, **details: Any) -> HTTPResponse:
        now, hop = self.client.loop.time(), self._hop_started_at
        times = {
            "queue": self._started_at - self._created_at,
            "redirect": hop - self._started_at,
            "total": now - self._started_at,
        }
        if self._connected_at:
            times["connect"] = self._connected_at - hop
        if self._responded_at:
            times["starttransfer"] = self._responded_at - hop
        self._record_sent_head()
        return HTTPResponse(
            self._original,
            code,
            effective_url=self._request.url,
            request_time=now - self._started_at,
            start_time=self._wall_time or time.time(),
            time_info=times,
            **details,
        )

    def _record_sent_head(self) -> None:
        # Programs read the sent fields from `response.request.headers`; OpenTelemetry's tests read the Host.
        self._original._sent_head = self._sent_head

    def exchange_failed(self, error: BaseException, started: bool) -> None:
        """Send the request again if the exchange failed and that is safe, or report the error."""
        connection = self._connection
        if (
            connection is not None
            and connection.exchanges > 1
            and not started
            and not self._retried
            and isinstance(error, (ConnectionEndedError, OSError))
            and self._is_repeatable()
        ):
            # The server probably closed the idle connection before it received this request.
            self._retried = True
            self._connection = None
            self._resend()
            return
        self._end(error)

    def source_failed(self, error: BaseException) -> None:
        """End the fetch with an `error` that the source of the request's body raised."""
        self._end(error, is_transport=False)

    def _is_repeatable(self) -> bool:
        """Whether the request may be sent again when it is not known whether the server has processed it."""
        request = self._request
        if request.method not in _IDEMPOTENT or request.body_producer is not None:
            return False
        # A body from a source is not sent again: data that was read may be lost or have changed.
        return request.body is None or isinstance(request.body, bytes)

    def _resend(self) -> None:
        """Send the request of this hop again, on a new connection."""
        try:
            route, target, userinfo = self.client.routes.find(self._request, self._defaults)
            message = self._make_message(route, target, userinfo)
        except Exception as error:
            self._end(error, is_transport=False)
            return
        if isinstance(message, _MessageAfterHook):
            self._prepare(route, message, self._connect)
        else:
            self._connect(route, message)

    def _callback_failed(self, error: BaseException) -> None:
        """End the fetch, because a ``streaming_callback`` or ``header_callback`` has failed or was
        cancelled.
        """
        if isinstance(error, StreamClosedError):
            # The callback relays the body to another client, which has disconnected.
            self._end(error, is_transport=False)
            return
        app_log.error("Uncaught exception in a callback of %r", self, exc_info=error)
        closed = self._closed_error("Connection closed", error)
        self._end(closed, is_transport=False)

    # -- further hops --

    def _redirect(self, head: h1.ResponseHead) -> HTTPRequest | None:
        """Return the request that follows a redirect, or None if the redirect must not be followed."""
        if not self._setting("follow_redirects") or not self._setting("max_redirects"):
            return None
        headers = head.headers
        if headers.get("Location") is None:
            return None
        effective: Any = _RequestProxy(self._request, self._defaults)
        try:
            new = redirected_request(self._request, effective, head.code, headers)
            if self._upgrade is not None:
                new = self._upgrade.redirected(new)
            check_downgrade(effective, new)
        except ValueError as error:
            message = f"cannot follow the redirect: {error}"
            response = self._response(head.code, headers=headers, reason=head.reason)
            raise HTTPClientError(head.code, message, response) from error
        if self.client.is_closed:
            raise RuntimeError(f"fetch() called on a closed {type(self.client).__name__}")
        return new

    def _extension_hop(self, head: h1.ResponseHead) -> HTTPRequest | None:
        """Return the next hop that an extension requests after a response, or None."""
        requested = None
        for extension in self._extensions:
            follow_up = extension.responded(self._request, head)
            requested = requested or follow_up
        return self._accept_follow_up(requested)

    def _accept_follow_up(self, requested: FollowUp | None) -> HTTPRequest | None:
        if requested is None or self._follow_ups >= MAX_FOLLOW_UPS or self.client.is_closed:
            return None
        self._follow_ups += 1
        self._delay = requested.delay
        return requested.request

    def _retry_by_extension(self, error: BaseException) -> bool:
        """Begin another hop if an extension requests one in place of `error`; return whether one began."""
        for extension in self._extensions:
            self._follow_up = self._accept_follow_up(extension.failed(self._request, error))
            if self._follow_up is not None:
                self._abandon_hop()
                self._next_hop()
                return True
        return False

    def _next_hop(self) -> None:
        follow_up = self._follow_up
        assert follow_up is not None
        if self._delegates_redirect:
            self._delegate_redirect(follow_up)
            return
        self._request = follow_up
        self._follow_up = self._head = None
        self._retried = False
        self._chunks = []
        self._buffer = None
        delay, self._delay = self._delay, 0.0
        if delay > 0:
            self.phase = self.phase.to[DELAYED]
            self.client.deadlines.discard(self)
            self._timer = self.client.loop.call_later(delay, self._delay_elapsed)
        else:
            self._begin_hop()

    def _delegate_redirect(self, request: HTTPRequest) -> None:
        """Follow a redirect with the client's `fetch`, and report its outcome as that of this fetch."""
        self.phase = self.phase.to[FOLLOWING]
        self._follow_up = None
        self.client.fetch_ended(self)  # the new fetch counts as an active request, too
        request.original_request = self._original  # type: ignore[attr-defined]
        assert self._context is not None
        assert self._redirect_fetch is not None
        try:
            awaited = self._context.run(self._redirect_fetch, request, raise_error=False)
            self._following = asyncio.ensure_future(awaited)
        except Exception as error:
            self._end(error, is_transport=False)
        else:
            self._following.add_done_callback(self._followed)

    def _followed(self, future: asyncio.Future[HTTPResponse]) -> None:
        self._following = None
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if self.phase is DONE:
            return
        if error is not None:
            self._end(error, is_transport=False)
            return
        self._record_sent_head()  # the redirected fetch has recorded the head of its request
        self._report(future.result())

    def _delay_elapsed(self) -> None:
        self._timer = None
        self._begin_hop()

    def _begin_hop(self) -> None:
        self._hop_started_at = self.client.loop.time()
        self._connected_at = self._responded_at = 0.0
        self._prepare_hop()

    # -- the end --

    def _abandon_hop(self) -> None:
        """Close the connection, and cancel pending Tasks and timers of the hop."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        task, self._connecting = self._connecting, None
        if task is not None:
            task.cancel()
        body, self._body = self._body, None
        if body is not None:
            body.cancel()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        following, self._following = self._following, None
        if following is not None:
            following.cancel()

    def _end(self, error: BaseException | None, is_transport: bool = True) -> None:
        """End the fetch with `error`, or without calling the callback if `error` is None.

        :param is_transport: False for an error of the program's callbacks or settings, which is never
            retried.
        """
        if self.phase is DONE:
            return
        reported = None
        if error is not None:
            reported = self._error_to_report(error, is_transport)
            may_retry = is_transport and self._extensions and self.phase is not QUEUED
            if may_retry and self._retry_by_extension(reported):
                return
        self._abandon_hop()
        callback = self._finish()
        if reported is None or callback is None:
            return
        response = self._response(NO_RESPONSE, error=reported)
        # The callback runs in the next event loop iteration, because fetch_impl() may not have returned yet.
        if not self.client.loop.is_closed():
            self.client.loop.call_soon(_call, callback, response)

    def _report(self, response: HTTPResponse) -> None:
        callback = self._finish()
        if callback is not None:
            _call(callback, response)

    def _finish(self) -> Callable[[HTTPResponse], None] | None:
        """Set the phase to DONE and return the callback. Clearing the attributes breaks reference cycles."""
        callback, self._callback = self._callback, None
        self.phase = self.phase.to[DONE]
        self._body = self._upgrade = None
        self.client.fetch_ended(self)
        return callback

    def _describe_phase(self) -> str:
        """Return the phase and the URL, for messages."""
        phase = self.phase.value
        if self._connection is not None and self._connection.state is SENDING:
            phase = "sending the request to"
        proxy = None if self._connection is None else self._connection.key.proxy
        through = "" if proxy is None else f" through the proxy {proxy}"
        return f"{phase} {url_without_secrets(self._request.url)}{through}"

    def _error_to_report(self, error: BaseException, is_transport: bool) -> BaseException:
        """Convert an internal error to the error to report, with the phase and the URL in its message."""
        if not is_transport and isinstance(error, OSError):
            return error
        if isinstance(error, ConnectionEndedError):
            fault = error.__cause__
            return self._closed_error(f"Connection closed: {fault}" if fault else "Connection closed", fault)
        if isinstance(error, HeadTooLarge):
            # Programs expect this error, because upstream reads the head with a limited `read_until`.
            gen_log.info("Unsatisfiable read from %s: %s", url_without_secrets(self._request.url), error)
            return UnsatisfiableReadError(str(error))
        if isinstance(error, HTTPInputError) and self.phase in (WAITING, READING):
            # Test suites expect "from None" in this message, because upstream does not name the peer.
            gen_log.info(
                "Malformed HTTP message from %s: %s (%s)", None, error, url_without_secrets(self._request.url)
            )
            return self._closed_error(f"Connection closed: {error}", error)
        if isinstance(error, (asyncio.CancelledError, StopIteration)):
            return self._closed_error(f"Connection closed: a callback of the request raised {error!r}", error)
        if isinstance(error, StreamClosedError) and self.phase is CONNECTING:
            error = error.real_error or HTTPStreamClosedError("Stream closed")
        if isinstance(error, ssl.SSLCertVerificationError):
            error.add_note("(ca_certs or ssl_options of the request select the trusted authorities)")
        if isinstance(error, OSError) and self.phase in (WAITING, READING) and error.strerror:
            place = self._describe_phase()
            if place not in error.strerror:
                error.strerror = f"{error.strerror} ({place})"
        return error

    def _closed_error(self, message: str, cause: BaseException | None) -> HTTPStreamClosedError:
        error = HTTPStreamClosedError(f"{message} ({self._describe_phase()})")
        error.__cause__ = cause
        return error


_Message = tuple[tuple[bytes, ...], Upload | None, bool]


class _MessageAfterHook(NamedTuple):
    """A message that can be serialized when a hook is done.

    :ivar waiting: the awaitable that the hook returned.
    :ivar message: a coroutine that awaits it and returns the message.
    """

    waiting: Awaitable[object]
    message: Coroutine[Any, Any, _Message]

    def close(self, _task: asyncio.Task[None]) -> None:
        """Close coroutines that were not started because the fetch was cancelled."""
        self.message.close()
        if isinstance(self.waiting, Coroutine):
            self.waiting.close()


#: Number of settings for which every client has a default.
_DEFAULT_COUNT = len(default_settings())


def request_deadlines(loop: asyncio.AbstractEventLoop) -> DeadlineScheduler:
    """Return the scheduler for the deadlines of a client's requests, which are times of the loop's clock."""
    # The context is empty, because the timer serves all requests and not just the one that started it.
    return DeadlineScheduler(loop.time, context=contextvars.Context(), keep_timer=True)


def _with_defaults(request: HTTPRequest, defaults: dict[str, Any]) -> HTTPRequest:
    """Return a copy of a request with the client's defaults filled in."""
    filled = copy.copy(request)
    for name, value in defaults.items():
        if getattr(filled, name, None) is None:
            setattr(filled, name, value)
    return filled


def _is_awaitable(result: Any) -> bool:
    return isinstance(result, Awaitable)


def _make_decoder(head: h1.ResponseHead, max_size: int) -> ContentDecoder | None:
    """Return the decoder for a response's content codings, or None if there are none to decode.

    The Content-Encoding field is renamed to X-Consumed-Content-Encoding.

    :raises HTTPInputError: if there are too many codings.
    """
    headers: httputil.HTTPHeaders = head.headers
    field = headers.get("Content-Encoding", "")
    codings = parse_codings(field)
    if not codings:
        return None  # not encoded, or encoded in an unsupported coding
    headers.add("X-Consumed-Content-Encoding", field)
    del headers["Content-Encoding"]
    return ContentDecoder(codings, max_size)


def _call(callback: Callable[[HTTPResponse], None], response: HTTPResponse) -> None:
    try:
        callback(response)
    except Exception as error:
        app_log.error("Uncaught exception in the callback of a fetch", exc_info=error)
