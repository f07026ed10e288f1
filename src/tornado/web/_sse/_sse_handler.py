"""`EventSourceHandler`: streams of server-sent events (WHATWG HTML, section 9.2, "Server-sent events").

If `stream` is not overridden, a stream has no task: it consists of a handler, its request and its connection.
The close callback of the exchange notifies the handler that the client has disconnected, and one timer for
all streams of an event loop (`tornado._loop.deadlines`) sends the keep-alive comments. The handler and its
channels share an `EventStream`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import Any

from tornado import gen
from tornado._wire.sse import check_id, serialize_comment, serialize_event
from tornado.concurrent import Future
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import IOStream, StreamClosedError
from tornado.web._encoding._transforms import _Compression
from tornado.web._errors import HTTPError
from tornado.web._execution import _response, _response_fields
from tornado.web._execution._cancellation import CancelReason
from tornado.web._execution._client_disconnect import abandon
from tornado.web._handler import RequestHandler
from tornado.web._sse._event_stream import EventStream, EventStreamState
from tornado.web._sse._sse_channel import EventChannel, as_text, delivery_of


class EventSourceHandler(RequestHandler):
    """The base class of handlers that stream server-sent events to ``new EventSource(url)`` in a browser.

    There are two ways to use it. One is to override `stream` with a coroutine that sends the events::

        class Clock(web.EventSourceHandler):
            async def stream(self):
                while True:
                    await self.send_event(time.ctime())
                    await asyncio.sleep(1)

    If the client disconnects, the coroutine is cancelled. The other way is to override `open`, and to send
    events from an `EventChannel` or from any code that has a reference to the handler. Then the stream needs
    no task. It lasts until the client disconnects or `finish` is called::

        class News(web.EventSourceHandler):
            def open(self):
                self.subscribe(news)

    In both cases, `prepare` is called before the stream begins, and `on_finish` after the stream has ended
    for any reason. `on_connection_close` is called if the client has disconnected.

    When a stream ends, a browser reconnects after a few seconds (`retry`) and sends the id of the last event
    it received (`last_event_id`). To prevent the reconnection, respond with 204: ``raise web.HTTPError(204)``
    in `prepare` or `open`.

    To serve clients that send a body (``fetch()`` with POST), define ``post = web.EventSourceHandler.get``.

    Attributes that a class may set, in addition to those of every handler: `keep_alive`, `max_unsent`,
    `retry`, `compress_events`; see docs/reference/settings.md. The application's ``handler_timeout`` does not
    apply to streams.
    """

    __module__ = "tornado.web"  # the module that exports this class

    #: The time without output, in seconds, after which a comment is sent; 0 disables it. Comments prevent
    #: proxies from closing the connection, commonly after 30 or 60 seconds, and reveal lost connections.
    keep_alive: float = 15.0
    #: The maximum number of unsent bytes for a client that does not read. If it is exceeded, the next
    #: `send_event` closes the connection. This cannot happen if each `send_event` is awaited. An
    #: `EventChannel` acts according to its argument ``slow``.
    max_unsent: int = 1024 * 1024
    #: The time in milliseconds that a browser waits before it reconnects. None: the browser's default (about
    #: 3000).
    retry: int | None = None
    #: Whether the application's ``compress_response`` applies to this stream. Events are then compressed for
    #: each client separately, and each open stream has a compressor (about 270 kB with gzip).
    compress_events: bool = False

    cancel_on_disconnect: bool | None = True
    handler_timeout: float | None = 0.0
    head_from_get: bool | None = False  # a HEAD request must not open a stream, which does not end

    _event_stream: EventStream | None = None

    # -- to be overridden --

    def _open(self, *args: str, **kwargs: str) -> None:
        pass

    async def _stream(self, *args: str, **kwargs: str) -> None:
        pass

    open: Callable[..., Awaitable[None] | None] = _open
    """Called before the stream begins, with the groups of the route's pattern; may be ``async``.

    Override it to subscribe to channels, to set header fields, or to reject the request by raising
    `HTTPError`. The head of the response is sent when this method returns, or with the first event.
    """

    stream: Callable[..., Awaitable[None]] = _stream
    """Called to send the events, with the groups of the route's pattern; must be a coroutine function.

    The stream is finished when this method returns. If the method is not overridden, the stream stays open
    until `finish` is called.
    """

    def on_drain(self) -> Awaitable[None] | None:
        """Called when the server begins to drain (`.HTTPServer.drain`), before it ends the stream; may be
        ``async``. The stream ends after the events that this method sends.
        """

    # -- for the program --

    @property
    def last_event_id(self) -> str:
        """The id of the last event that a reconnecting client has received; empty for a new client.

        :raises HTTPError: (400) if the field Last-Event-ID is malformed.
        """
        field = _response_fields.request_field(self.request, "Last-Event-ID")
        if not field:
            return ""
        try:
            return check_id(field.encode("latin-1").decode())
        except ValueError:
            raise HTTPError(
                400, "Last-Event-ID must be UTF-8 without line ends and NUL, got %r", field[:40]
            ) from None

    def send_event(
        self, data: Any, event: str | None = None, id: str | int | None = None, retry: int | None = None
    ) -> Future[None]:
        """Send an event. The first event is preceded by the head of the response.

        :param data: text, which may have several lines, or text encoded in UTF-8; anything else is sent as
            JSON.
        :param event: the type of the event, for ``source.addEventListener(type, …)``; without it,
            ``source.onmessage`` is called.
        :param id: the id that a browser will send as `last_event_id` if it reconnects after this event; an
            int is converted to text.
        :param retry: the new reconnection time in milliseconds; see the class attribute.
        :returns: a Future that is done when the bytes have been passed to the operating system. Await it if
            events may be sent faster than the client reads (see `max_unsent`). If the stream has ended, the
            exception of the Future is an `.iostream.StreamClosedError`.
        :raises ValueError: if `event` or `id` contains a line end, or `retry` is negative.
        :raises TypeError: if `event` is not a str, or `id` is neither a str nor an int.
        """
        return self._post(serialize_event(as_text(data), event, id, retry))

    def send_comment(self, text: str = "") -> Future[None]:
        """Send a comment, which browsers ignore; see `keep_alive`."""
        return self._post(serialize_comment(text))

    def subscribe(self, channel: EventChannel, backlog: int = 0) -> None:
        """Send every event of a channel on this stream until it ends.

        A client that reconnects is first sent the events it has missed. A browser stores only the id of the
        last event of the stream. If the stream subscribes to several channels, the id is unknown to all of
        them except the one that published this event.

        If the client has already disconnected, nothing happens.

        :param backlog: the number of previous events of the channel to send to a new client.
        :raises RuntimeError: if the stream is already finished.
        :raises TypeError: if `channel` is not an `EventChannel`.
        """
        if not isinstance(channel, EventChannel):
            raise TypeError(f"subscribe() expects an EventChannel, got {channel!r:.100}")
        if self._finished:
            raise RuntimeError("subscribe() was called after the stream had ended")
        if self._is_over():
            return  # the client has disconnected before the stream began
        last_id = self.last_event_id
        self._stream_object().subscribe(delivery_of(channel), last_id, backlog)

    # -- beginning and ending --

    # The parameters are `Any` so that subclasses may declare others for the groups of their routes.
    def get(self, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        """Open the stream; see `open` and `stream`."""
        _check_stream(type(self))
        self._auto_finish = False
        opened: Any = self.open(*args, **kwargs)
        if opened is None and type(self).stream is EventSourceHandler.stream:
            self._begin()
            return None
        return self._run(opened, args, kwargs)

    async def _run(self, opened: Any, args: tuple[str, ...], kwargs: dict[str, str]) -> None:
        try:
            if opened is not None:
                await opened
            streams = type(self).stream is not EventSourceHandler.stream
            running: Any = None
            if streams and not _is_coroutine_function(self.stream):
                # The head has not been sent yet, so a wrong return value leads to an error page.
                running = _checked_awaitable(self, self.stream(*args, **kwargs))
            self._begin()
            if not streams or self._finished:
                if inspect.iscoroutine(running):
                    running.close()
                return
            try:
                await (self.stream(*args, **kwargs) if running is None else running)
            except StreamClosedError:
                if not self._is_over():
                    raise
            if not self._is_over():
                _ = self.finish()
        except BaseException:
            self._leave()
            raise

    def _stream_object(self) -> EventStream:
        stream = self._event_stream
        if stream is None:
            stream = self._event_stream = EventStream(self, _response.response_of(self))
        return stream

    def _begin(self) -> None:
        """Send the head of the response and enable the sending of events."""
        stream = self._stream_object()
        if self._finished or stream.has_begun:
            return
        _check_attributes(self)
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        response = _response.response_of(self)
        headers = response.headers(self)
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Accel-Buffering", "no")  # disables the buffering of responses in nginx
        if not self.compress_events:
            response.transforms = [each for each in response.transforms if not isinstance(each, _Compression)]
        if self.retry is not None:
            response.buffer.append(b"retry: %d\n\n" % self.retry)
        stream.advance(EventStreamState.OPEN)
        self._watch_for_disconnect()
        _ = self.flush()
        response.fields = None  # saves memory while the stream is open
        if self._is_over():
            abandon(self)
            return
        stream.begin()

    def _watch_for_disconnect(self) -> None:
        cancellation = self._cancellation
        if cancellation is not None and cancellation.is_running:
            cancellation.call_before_cancel(self._on_disconnect)
        else:
            connection: Any = self.request.connection
            connection.set_close_callback(self._on_disconnect)

    def _on_disconnect(self) -> None:
        """Clean up after the client has disconnected."""
        self._leave()
        try:
            self.on_connection_close()
        finally:
            if self._cancellation is None or not self._cancellation.is_running:
                abandon(self)

    def _leave(self) -> None:
        """Unsubscribe from the channels and cancel the keep-alive comments."""
        stream = self._event_stream
        if stream is not None:
            if not stream.has_begun:
                self._event_stream = None  # if the other response cannot be sent, a stream may still begin
            stream.end()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """End the stream, or send another response instead; see `RequestHandler.finish`.

        Events that were published on the stream's channels are sent first.
        """
        if self._catch_up() and self._finished:  # disconnected, because it had missed too many events
            return _stream_closed_future()
        self._leave()
        return super().finish(chunk)

    def detach(self) -> IOStream:
        """Take over the connection's stream; see `RequestHandler.detach`. The stream of events ends."""
        self._leave()
        return super().detach()

    def _is_over(self) -> bool:
        cancellation = self._cancellation
        if self._finished or (cancellation is not None and cancellation.cause is CancelReason.GONE):
            return True
        connection = self.request.connection
        return (
            isinstance(connection, ServerExchange) and not connection.is_detached and connection.is_closed()
        )

    # -- sending --

    def _catch_up(self) -> bool:
        """Send the events published on the channels; see `EventStream.catch_up`."""
        stream = self._event_stream
        if stream is None:
            return False
        return stream.has_channels if self._is_over() else stream.catch_up()

    def _post(self, data: bytes) -> Future[None]:
        if not self._is_over():
            self._begin()
            self._catch_up()
            if not self._is_over() and self._stream_object().is_slow():
                reason = "the client does not read, and more than max_unsent bytes are unsent"
                self._stream_object().disconnect(reason)
        if self._is_over():
            return _stream_closed_future()
        self._stream_object().postpone_comment(monotonic())
        self.write(data)
        return self.flush()


def event_stream_of(handler: EventSourceHandler) -> EventStream:
    """Return the stream of a handler, which may not have begun."""
    return handler._stream_object()


def _is_coroutine_function(stream: Any) -> bool:
    """Whether `stream` is a coroutine function, so that calling it has no effect until it is awaited."""
    return inspect.iscoroutinefunction(stream) or gen.is_coroutine_function(stream)


def _checked_awaitable(handler: EventSourceHandler, result: Any) -> Any:
    """Return the result of `EventSourceHandler.stream`, checking that it is awaitable.

    :raises TypeError: if it is not.
    """
    if inspect.isawaitable(result):
        return result
    name = f"{type(handler).__name__}.stream()"
    if inspect.isasyncgen(result):
        raise TypeError(f"{name} must not contain yield: use 'await self.send_event(...)' instead")
    raise TypeError(f"{name} must be an 'async def' function; it returned {result!r:.100}")


def _check_stream(cls: type[EventSourceHandler]) -> None:
    """Check that a class overrides a method in which it could send events or subscribe to channels.

    :raises NotImplementedError: if it does not.
    """
    base = EventSourceHandler
    if cls.open is base.open and cls.stream is base.stream and cls.prepare is base.prepare:
        if cls.initialize is base.initialize and cls.__init__ is base.__init__ and cls.get is base.get:
            raise NotImplementedError(f"{cls.__name__} must override stream() or open() to send events")


def _stream_closed_future() -> Future[None]:
    """Return the Future for a write to a stream that has ended."""
    future: Future[None] = Future()
    future.set_exception(StreamClosedError())
    future.exception()  # prevents a warning if it is never awaited: a disconnect is not an error
    return future


def _check_attributes(handler: EventSourceHandler) -> None:
    """Validate the attributes of a class before the response begins.

    :raises ValueError: if an attribute is invalid. The message names the class and the attribute.
    """
    keep_alive: Any = handler.keep_alive
    max_unsent: Any = handler.max_unsent
    retry: Any = handler.retry
    if not _is_number(keep_alive, (int, float)):
        name, expected, value = "keep_alive", "a number of seconds, or 0 to disable it", keep_alive
    elif not _is_number(max_unsent, (int, float)):
        name, expected, value = "max_unsent", "a number of bytes", max_unsent
    elif retry is not None and not _is_number(retry, int):
        name, expected, value = "retry", "an integer number of milliseconds, or None", retry
    else:
        return
    raise ValueError(f"{type(handler).__name__}.{name} must be {expected}, got {value!r}")


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and 0 <= value < inf


__all__ = ["EventSourceHandler", "event_stream_of"]
