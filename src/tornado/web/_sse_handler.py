"""`EventSourceHandler`: streams of server-sent events (WHATWG HTML, section 9.2, "Server-sent events").

A stream without a coroutine of its own has no task: an open one is a handler, its request and its connection.
It learns of its client's leaving by the exchange's close callback, and its keep-alive comments come from one
timer for all streams of a loop (`tornado.http1connection._deadline_scheduler`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import Any

from tornado import gen
from tornado._wire.sse import check_id, serialize_comment, serialize_event
from tornado.concurrent import Future
from tornado.http1connection import HTTP1Connection
from tornado.http1connection._deadline_scheduler import NEVER
from tornado.iostream import StreamClosedError
from tornado.web import _response
from tornado.web._cancellation import CancelReason
from tornado.web._client_disconnect import abandon, watch_of
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler
from tornado.web._sse_channel import EventChannel, Frame, as_text, log_disconnected
from tornado.web._transforms import _Compression

_WATCH = "_tornado_event_streams"
_KEEP_ALIVE = Frame(serialize_comment())
#: Keep-alive times that a client may take none of what waits for it: a minute by default, as nginx's
#: ``send_timeout``.
_PATIENCE = 4
_HANDLER_FLUSH = RequestHandler.flush
_HANDLER_WRITE = RequestHandler.write


class EventSourceHandler(RequestHandler):
    """Base class of handlers that stream server-sent events to ``new EventSource(url)`` in a browser.

    There are two ways to use it. Either override `stream`, whose run is the stream::

        class Clock(web.EventSourceHandler):
            async def stream(self):
                while True:
                    await self.send_event(time.ctime())
                    await asyncio.sleep(1)

    It ends, by `asyncio.CancelledError` where it waits, when the client goes away. Or override `open`, and
    let others send: a `EventChannel`, or whoever has a reference to the handler. Then no task is kept for the
    stream, which lasts until the client goes away or `finish` is called::

        class News(web.EventSourceHandler):
            def open(self):
                self.subscribe(news)

    `prepare` comes before both and `on_finish` after them, however the stream ends; `on_connection_close` is
    called if it was the client who ended it.

    A browser reconnects when a stream ends, after a few seconds (`retry`), and sends the id of the last event
    it got (`last_event_id`). To have it stop, answer with 204: ``raise web.HTTPError(204)`` in `prepare` or
    `open`.

    For clients that send a body (``fetch()`` with POST): ``post = web.EventSourceHandler.get``.

    Attributes that a class may set, beside those of every handler: `keep_alive`, `max_unsent`, `retry`,
    `compress_events`; see docs/reference/settings.md. The application's ``handler_timeout`` does not hold for
    streams.
    """

    __module__ = "tornado.web"  # its public address

    #: Seconds of silence after which a comment is sent, so that proxies keep the connection and a client that
    #: vanished is noticed; 0 for none. Proxies commonly wait 60 seconds, some 30.
    keep_alive: float = 15.0
    #: Bytes that may wait for a client that does not read. With more than that waiting, the next `send_event`
    #: closes the connection; whoever awaits each `send_event` never comes to that. What a channel does then
    #: is the channel's to say.
    max_unsent: int = 1024 * 1024
    #: Milliseconds that a browser waits before it reconnects; None leaves it to the browser (about 3000).
    retry: int | None = None
    #: Whether the application's ``compress_response`` holds for this stream. Events are then compressed for
    #: each client by itself, and each open stream keeps a compressor (with gzip some 270 kB).
    compress_events: bool = False

    cancel_on_disconnect: bool | None = True
    handler_timeout: float | None = 0.0
    head_from_get: bool | None = False  # a stream does not end

    _streaming = False
    _direct = False
    _deadline = NEVER
    _stuck = 0
    _stuck_at = 0
    _channels: tuple[EventChannel, ...] = ()
    _watched = False

    # -- to be overridden --

    def _open(self, *args: str, **kwargs: str) -> None:
        pass

    async def _stream(self, *args: str, **kwargs: str) -> None:
        pass

    open: Callable[..., Awaitable[None] | None] = _open
    """Called before the stream begins, with the groups of the route's pattern; may be ``async``.

    The place to subscribe to channels, to set headers, or to refuse by raising `HTTPError`. The response's
    head is sent when it returns, or with the first event.
    """

    stream: Callable[..., Awaitable[None]] = _stream
    """The stream itself, as a coroutine function with the groups of the route's pattern; when it returns, the
    stream is finished.

    Where it is not overridden, the stream stays open without it.
    """

    # -- for the program --

    @property
    def last_event_id(self) -> str:
        """The id of the last event that a reconnecting client has got; empty for a new one.

        :raises HTTPError: (400) if the client sent what no id can be.
        """
        field = _response._request_field(self.request, "Last-Event-ID")
        if not field:
            return ""
        try:
            return check_id(field.encode("latin-1").decode())
        except ValueError:
            raise HTTPError(
                400, "Last-Event-ID is no UTF-8, or has a control character: %r", field[:40]
            ) from None

    def send_event(
        self, data: Any, event: str | None = None, id: str | int | None = None, retry: int | None = None
    ) -> Future[None]:
        """Send an event. The first one sends the response's head, too.

        :param data: text, which may have several lines, or its UTF-8 as bytes; anything else is sent as JSON.
        :param event: its type, for ``source.addEventListener(type, …)``; without it ``source.onmessage`` gets
            it.
        :param id: what a browser will send as `last_event_id`, should it have to reconnect after this event;
            a number counts as its digits.
        :param retry: as the class attribute, from now on.
        :returns: a Future that is done when the operating system has taken the bytes: await it wherever
            events may come faster than a client reads (see `max_unsent`). It holds an
            `.iostream.StreamClosedError` if the stream has ended.
        :raises ValueError: if `event` or `id` holds a line end, or `retry` is not a natural number.
        :raises TypeError: if `event` is no text, or `id` neither text nor a whole number.
        """
        return self._post(serialize_event(as_text(data), event, id, retry))

    def send_comment(self, text: str = "") -> Future[None]:
        """Send a comment, which browsers pass over; see `keep_alive`."""
        return self._post(serialize_comment(text))

    def subscribe(self, channel: EventChannel, backlog: int = 0) -> None:
        """Have every event of a channel sent on this stream, until it ends.

        A client that reconnects gets what it missed first. Ids are those of the last event whatever its
        channel, so of several channels on one stream each takes the others' ids for unknown ones.

        Nothing happens where the client has gone meanwhile.

        :param backlog: how many of the channel's latest events a new client gets at once.
        :raises RuntimeError: if the stream has been finished.
        :raises TypeError: if `channel` is none.
        """
        if not isinstance(channel, EventChannel):
            raise TypeError(f"subscribe() takes an EventChannel, not {channel!r:.100}")
        if self._finished:
            raise RuntimeError("subscribe() after the stream has ended")
        if self._is_over():
            return  # the client has gone meanwhile, and the stream ends before it begins
        channel._attach(self, self.last_event_id, backlog)
        if channel not in self._channels:
            self._channels = (*self._channels, channel)
        channel._bring_up(self, monotonic())

    # -- the life of a stream --

    # `Any` for every argument lets subclasses name the groups of their routes.
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
            if streams and not _starts_later(self.stream):
                # Before the head, so that what it returns by mistake becomes an error page.
                running = _running(self, self.stream(*args, **kwargs))
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

    def _begin(self) -> None:
        """Send the head, and from now on events."""
        if self._finished or self._streaming:
            return
        _check(self)
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        headers = self._headers
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Accel-Buffering", "no")  # nginx would collect what it proxies
        if not self.compress_events:
            self._transforms = [each for each in self._transforms if not isinstance(each, _Compression)]
        if self.retry is not None:
            self._write_buffer.append(b"retry: %d\n\n" % self.retry)
        self._streaming = True
        self._listen()
        _ = self.flush()
        self._made_headers = None  # sent; an open stream is to be small
        if self._is_over():
            abandon(self)
            return
        self._direct = self._may_go_direct()
        if self.keep_alive:
            loop = asyncio.get_running_loop()
            watch = watch_of(loop, _WATCH)
            self._watched = True
            watch.add(self, loop)
            watch.set(self, monotonic(), self.keep_alive)
        for channel in self._channels:
            channel._bring_up(self, monotonic())

    def _listen(self) -> None:
        guard = self._cancellation
        if guard is not None and guard.is_running:
            guard.call_first(self._gone)
        else:
            connection: Any = self.request.connection
            connection.set_close_callback(self._gone)

    def _gone(self) -> None:
        """The client has left."""
        self._leave()
        try:
            self.on_connection_close()
        finally:
            if self._cancellation is None or not self._cancellation.is_running:
                abandon(self)

    def _leave(self) -> None:
        """Part from channels and timer."""
        channels, self._channels = self._channels, ()
        for channel in channels:
            channel._detach(self)
        if self._watched:
            self._watched = False
            self._deadline = NEVER
            watch_of(asyncio.get_running_loop(), _WATCH).discard(self)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """End the stream, or answer something else instead; see `RequestHandler.finish`.

        What was published before on its channels is sent first.
        """
        if self._catch_up() and self._finished:  # it had fallen too far behind
            return _ended()
        self._leave()
        return super().finish(chunk)

    def _is_over(self) -> bool:
        guard = self._cancellation
        if self._finished or (guard is not None and guard.cause is CancelReason.GONE):
            return True
        stream = getattr(self.request.connection, "stream", None)
        return stream is not None and stream.closed()

    # -- sending --

    def _catch_up(self) -> bool:
        """Send what was published before now, so that nothing overtakes it.

        :returns: whether there are channels.
        """
        channels = self._channels
        if channels and not self._is_over():
            now = monotonic()
            for channel in channels:
                channel._catch_up(self, now)
        return bool(channels)

    def _post(self, data: bytes) -> Future[None]:
        if not self._is_over():
            self._begin()
            self._catch_up()
            if not self._is_over() and self._is_slow():
                self._disconnect("it does not read (max_unsent)")
        if self._is_over():
            return _ended()
        if self._watched:
            self._deadline = monotonic() + self.keep_alive
        self.write(data)
        return self.flush()

    def _send_frame(self, frame: Frame, now: float) -> None:
        """Send bytes that others are sent too."""
        if self._watched:
            self._deadline = now + self.keep_alive
        if not self._direct:
            self.write(frame.data)
            _ = self.flush()
            return
        connection: Any = self.request.connection
        if connection._driver is not None:
            connection.stream._send(frame.chunk if connection._chunking else frame.data)

    def _may_go_direct(self) -> bool:
        """Whether ready-made chunks may go to the stream past `write`, `flush` and the exchange, as all of
        these are ours.
        """
        connection = self.request.connection
        cls = type(self)
        return (
            not self._transforms
            and cls.write is _HANDLER_WRITE
            and cls.flush is _HANDLER_FLUSH
            and type(connection) is HTTP1Connection
            and connection._left is None
            and connection.stream is not None
            and type(connection.stream).write is _response._STREAM_WRITE
        )

    def _unsent(self) -> int:
        stream = getattr(self.request.connection, "stream", None)
        return 0 if stream is None else stream._pending_output

    def _is_slow(self) -> bool:
        return self._unsent() > self.max_unsent

    def _when_drained(self, callback: Callable[[Any], None]) -> None:
        connection: Any = self.request.connection
        if not connection.stream.closed():
            connection.stream.write(b"").add_done_callback(callback)

    def _disconnect(self, reason: str) -> None:
        """Close the connection without an end of the body, so that a browser reconnects."""
        log_disconnected(self, reason)
        connection: Any = self.request.connection
        connection.close()

    def _expired(self) -> None:
        """It is time for a comment, unless earlier bytes are waiting still."""
        now = monotonic()
        unsent = self._unsent()
        if not unsent:
            self._stuck = 0
            self._send_frame(_KEEP_ALIVE, now)
        else:
            self._stuck = self._stuck + 1 if unsent == self._stuck_at else 0
            self._stuck_at = unsent
            if self._stuck >= _PATIENCE:
                self._disconnect("it does not read (keep_alive)")
        if self._watched:
            watch_of(asyncio.get_running_loop(), _WATCH).set(self, now, self.keep_alive)


def _starts_later(stream: Any) -> bool:
    """Whether nothing runs when `stream` is called, or it is known to return what can be awaited."""
    return inspect.iscoroutinefunction(stream) or gen.is_coroutine_function(stream)


def _running(handler: EventSourceHandler, result: Any) -> Any:
    """What `EventSourceHandler.stream` has returned, if it can be awaited.

    :raises TypeError: if not.
    """
    if inspect.isawaitable(result):
        return result
    name = f"{type(handler).__name__}.stream()"
    if inspect.isasyncgen(result):
        raise TypeError(f"{name} has a yield: send with 'await self.send_event(...)' instead")
    raise TypeError(f"{name} is to be an 'async def' function; it returned {result!r:.100}")


def _check_stream(cls: type[EventSourceHandler]) -> None:
    """See that a class of streams has events to send, as far as that can be told.

    :raises NotImplementedError: if nothing of it is overridden where they could come from.
    """
    base = EventSourceHandler
    if cls.open is base.open and cls.stream is base.stream and cls.prepare is base.prepare:
        if cls.initialize is base.initialize and cls.__init__ is base.__init__ and cls.get is base.get:
            raise NotImplementedError(f"{cls.__name__} overrides neither stream() nor open(): nobody sends")


def _ended() -> Future[None]:
    """What is sent to a stream that has ended."""
    future: Future[None] = Future()
    future.set_exception(StreamClosedError())
    future.exception()  # whoever does not look at it knew that clients go
    return future


def _check(handler: EventSourceHandler) -> None:
    """See that the attributes of a class make sense, before anything is sent.

    :raises ValueError: if not; the message names class and attribute.
    """
    keep_alive: Any = handler.keep_alive
    most: Any = handler.max_unsent
    retry: Any = handler.retry
    if not _is_number(keep_alive, (int, float)):
        name, wanted, value = "keep_alive", "a number of seconds, 0 for none", keep_alive
    elif not _is_number(most, (int, float)):
        name, wanted, value = "max_unsent", "a number of bytes", most
    elif retry is not None and not _is_number(retry, int):
        name, wanted, value = "retry", "a whole number of milliseconds, or None", retry
    else:
        return
    raise ValueError(f"{type(handler).__name__}.{name}: {wanted} is wanted, not {value!r}")


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and 0 <= value < inf


__all__ = ["EventSourceHandler"]
