"""The requests of the channel protocol over HTTP: ``publish``, ``stream`` and ``poll``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tornado.channels._endpoint import Endpoint
from tornado.channels._limits import ClientLimits
from tornado.channels._polling_transport import Poll, PollingTransport
from tornado.channels._requests import (
    Request,
    RequestError,
    SubscriptionRequest,
    decode_object,
    encode_http_error,
    encode_reply,
    parse_request,
    request_id_of,
)
from tornado.channels._session import Hooks, Session
from tornado.channels._sse_transport import EventStreamTransport, SessionEnd
from tornado.channels._steps import Steps
from tornado.channels._values import Position
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError
from tornado.web._security._xsrf import check_origin
from tornado.web._sse._event_stream import EventStream

#: The maximum time in seconds for which a poll waits for history longer than its client asks for.
_MAX_READ = 2.0
#: The bounds of the time after which a client repeats a poll without all of the history, in milliseconds.
_RETRY = (500, 1500)
_EVENT_STREAM = "text/event-stream"


class HTTPHandler(Hooks, Protocol):
    """The methods of a `ChannelHandler` that these functions call."""

    request: HTTPServerRequest
    client_limits: ClientLimits
    http_session: Session | None

    @property
    def last_event_id(self) -> str: ...

    @property
    def event_stream(self) -> EventStream: ...

    def check_origin(self, origin: str) -> bool: ...

    def begin_stream(self) -> None: ...

    def set_status(self, status_code: int, reason: str | None = None) -> None: ...

    def set_header(self, name: str, value: Any) -> None: ...

    def finish(self, chunk: Any = None) -> Any: ...


def check_cross_origin(handler: HTTPHandler) -> None:
    """Refuse a request from a page of another origin unless the handler permits it.

    :raises HTTPError: (403) if it is refused.
    """
    check_origin(handler.request, handler.check_origin)
    origin = handler.request.headers.get("Origin")
    if origin is not None:
        # The origin was permitted, or it is that of the page itself, for which these fields have no effect.
        handler.set_header("Access-Control-Allow-Origin", origin)
        handler.set_header("Access-Control-Allow-Credentials", "true")
        handler.set_header("Vary", "Origin")


def answer_preflight(handler: HTTPHandler) -> None:
    """Respond to an OPTIONS request, which a browser sends before a request to another origin."""
    check_cross_origin(handler)
    handler.set_header("Access-Control-Allow-Methods", "GET, POST")
    handler.set_header("Access-Control-Allow-Headers", "Content-Type, Last-Event-ID")
    handler.set_header("Access-Control-Max-Age", "600")
    handler.set_status(204)


def body_of(handler: HTTPHandler) -> bytes:
    """Return the request in the body of a POST.

    :raises HTTPError: (415) if it is not JSON. Browsers ask with OPTIONS before they send JSON to another
        origin.
    """
    media_type = handler.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPError(415, "expected Content-Type application/json, got %r", media_type[:100])
    return handler.request.body


def serve_request(handler: HTTPHandler, endpoint: Endpoint, text: str | bytes) -> Steps:
    """Process a request, and send its response or begin its event stream."""
    check_cross_origin(handler)
    request_id = None
    session: Session | None = None
    try:
        limits = handler.client_limits
        _check_size(text, limits.list_size)
        members = decode_object(text)
        request_id = request_id_of(members)
        request = parse_request({"type": _default_type(handler), **members}, request_id)
        serve = _OPERATIONS.get(request.type)
        if serve is None:
            raise RequestError("bad_request", f"{request.type} is not available over HTTP")
        if request.type == "publish" and handler.request.method != "POST":
            # A link, or an image of another site, could publish with the cookies of the user.
            raise RequestError("bad_request", "publish needs the method POST")
        if request.type == "publish":
            _check_size(text, limits.message)
        if request.type == "stream":
            session = handler.http_session = Session(
                handler, handler.event_stream, endpoint, endpoint.transport(EventStreamTransport)
            )
            yield from _serve_stream(handler, endpoint, request, session)
        else:
            poll = Poll()
            session = handler.http_session = Session(
                handler, poll, endpoint, endpoint.transport(PollingTransport), lingers=request.type == "poll"
            )
            yield from serve(handler, endpoint, request, session, poll)
            session.end()
    except BaseException as error:  # also if the client has disconnected, and the handler is cancelled
        if session is not None:
            session.end()
        if isinstance(error, RequestError):
            refused = error
        elif session is not None and isinstance(error, Exception):
            refused = session.error_of(error)
        else:
            raise
        _respond(handler, refused.encode(request_id), refused)


def _check_size(text: str | bytes, limit: int) -> None:
    if len(text) > limit:
        raise RequestError("too_large", f"expected a request of at most {limit} bytes, got {len(text)}")


def _default_type(handler: HTTPHandler) -> str:
    return "stream" if _EVENT_STREAM in handler.request.headers.get("Accept", "") else "poll"


def _respond(handler: HTTPHandler, body: bytes, error: RequestError | None = None) -> None:
    if error is not None:
        handler.set_status(error.status)
        if error.retry is not None:
            handler.set_header("Retry-After", str(math.ceil(error.retry)))
    _set_json_fields(handler)
    handler.finish(body)


def _set_json_fields(handler: HTTPHandler) -> None:
    handler.set_header("Content-Type", "application/json; charset=UTF-8")
    handler.set_header("Cache-Control", "no-store")


def respond_with_error(handler: HTTPHandler, status: int, reason: str) -> None:
    """Write the body of an error response that is not the reply to a request of the protocol."""
    _set_json_fields(handler)
    handler.finish(encode_http_error(status, reason))


def _authenticate(handler: HTTPHandler, endpoint: Endpoint, request: Request, session: Session) -> Steps:
    yield from session.authenticate(request.token, request.client)
    limits, user, address = handler.client_limits, session.identity.user, handler.request.remote_ip or ""
    if request.type == "publish":
        wait = endpoint.count_publication(limits, user, address)
    else:
        wait = endpoint.count_reception(limits, user, address, request.client or "")
    if wait:
        raise RequestError("rate", f"more than {limits.rate:g} requests per second", retry=wait)


def _subscribe_all(
    session: Session, request: Request, subscriptions: tuple[SubscriptionRequest, ...]
) -> Steps:
    for malformed in request.refused:
        session.fail(malformed)
    for wanted in subscriptions:
        try:
            yield from session.subscribe(wanted)
        except Exception as error:
            refused = session.error_of(error)
            if refused.channel is None:
                refused.channel = wanted.channel
            session.fail(refused)


# -- the requests --


def _serve_publish(
    handler: HTTPHandler, endpoint: Endpoint, request: Request, session: Session, poll: Poll
) -> Steps:
    yield from _authenticate(handler, endpoint, request, session)
    members = yield from session.publish(request)
    _respond(handler, encode_reply("published", request.id, members))


def _serve_poll(
    handler: HTTPHandler, endpoint: Endpoint, request: Request, session: Session, poll: Poll
) -> Steps:
    yield from _authenticate(handler, endpoint, request, session)
    connection = handler.request.connection
    if isinstance(connection, HTTP1Connection):
        connection.drainable = poll
    yield from _subscribe_all(session, request, request.subscriptions)
    if not poll.is_ready and request.wait:
        with handler.request.waiting():
            yield poll.wait(request.wait)
    if not poll.is_ready or not request.wait:
        # A short poll also receives what must be read from the broker.
        channels = [each.channel for each in request.subscriptions]
        if not (yield endpoint.hub.read_history(channels, _MAX_READ)):
            poll.retry = poll.retry or random.randint(*_RETRY)
    session.end()
    _respond(handler, poll.response())


def _serve_stream(handler: HTTPHandler, endpoint: Endpoint, request: Request, session: Session) -> Steps:
    yield from _authenticate(handler, endpoint, request, session)
    subscriptions = _with_last_event_id(handler, request.subscriptions)
    handler.begin_stream()
    stream = handler.event_stream
    if not stream.is_open:
        session.end()  # the client has disconnected
        return
    stream.subscribe(SessionEnd(session), "", 0)
    session.send_connected(request.id)
    yield from _subscribe_all(session, request, subscriptions)


def _with_last_event_id(
    handler: HTTPHandler, subscriptions: tuple[SubscriptionRequest, ...]
) -> tuple[SubscriptionRequest, ...]:
    """Return the subscriptions with the position of a browser that reconnects by itself."""
    last_event_id = handler.last_event_id
    if not last_event_id or len(subscriptions) != 1:
        return subscriptions
    try:
        position = Position.parse(last_event_id)
    except ValueError as error:
        raise RequestError("bad_request", f"Last-Event-ID: {error}") from None
    [only] = subscriptions
    return (SubscriptionRequest(only.channel, position, only.join, only.watch),)


_OPERATIONS: Mapping[str, Callable[..., Steps]] = {
    "publish": _serve_publish,
    "poll": _serve_poll,
    "stream": _serve_stream,
}

__all__ = ["HTTPHandler", "answer_preflight", "body_of", "respond_with_error", "serve_request"]
