"""`ChannelHandler`: serves the channels of a hub to clients at one URL."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from tornado.channels._endpoint import Endpoint, endpoint_of
from tornado.channels._http_requests import answer_preflight, body_of, respond_with_error, serve_request
from tornado.channels._hub import Hub
from tornado.channels._limits import ClientLimits, SlowPolicy
from tornado.channels._presence import Presence
from tornado.channels._session import Session
from tornado.channels._session_state import Identity
from tornado.channels._static import serve_file
from tornado.channels._steps import run_steps
from tornado.channels._websocket_transport import WebSocketTransport
from tornado.web import EventSourceHandler, RequestHandler
from tornado.web._execution._response import response_of
from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_handler import event_stream_of
from tornado.websocket import WebSocketHandler
from tornado.websocket._server_handshake import offered_websocket

#: The interval between pings if the application does not set ``websocket_ping_interval``, in seconds.
_PING_INTERVAL = 30.0


class _MaxBodySize:
    """The limit of the bodies of requests: larger ones than this are not read."""

    def __get__(self, handler: Any, cls: type[ChannelHandler]) -> int | None:
        limits = cls.client_limits
        return limits.message + limits.list_size if isinstance(limits, ClientLimits) else None


class ChannelHandler(EventSourceHandler, WebSocketHandler):
    """Serves the channels of a `Hub` to browsers and other clients. ::

        class Rooms(ChannelHandler):
            def authorize_publish(self, channel):
                return channel.startswith("room:") and self.identity.user is not None

        Application([(r"/channels(?:/(.*))?", Rooms, {"hub": hub})])

    The protocol is described in docs/reference/channel-protocol.md. Messages are encoded and compressed once
    in each process. An idle client has no Task and no queue.

    By default, every client may subscribe to every channel, and no client may publish or be present. Override
    `authenticate` and the authorization methods to change this. They may be ``async``. Use `revoke` to
    withdraw permissions at once.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    #: The limits of each client.
    client_limits: ClientLimits = ClientLimits()
    #: The time without output, in seconds, after which a client checks its connection.
    keep_alive: float = 25.0
    #: The session of an HTTP request; that of a WebSocket is found by its handler.
    http_session: Any = None
    _endpoint: Endpoint

    def initialize(self, hub: Hub, presence: Presence | None = None) -> None:
        """Set the hub; the arguments are those of the route.

        :param hub: the hub whose channels are served.
        :param presence: the presence of the hub, if the program uses one itself.
        """
        self._endpoint = endpoint_of(hub, presence)

    # -- methods to override --

    def authenticate(self, token: str | None) -> Identity | Awaitable[Identity | None] | None:
        """Return the user of a client, or None to refuse the connection; may be ``async``.

        By default, `current_user` is the user, and tokens are refused.

        :param token: the token that the client has sent, or None.
        """
        if token is not None:
            return None
        user = self.current_user
        if isinstance(user, bytes):
            user = user.decode()
        return Identity(str(user)) if user else _ANONYMOUS

    def authorize_subscribe(self, channel: str) -> bool | Awaitable[bool]:
        """Whether the client may subscribe to a channel; may be ``async``. By default it may."""
        return True

    def authorize_publish(self, channel: str) -> bool | Awaitable[bool]:
        """Whether the client may publish to a channel; may be ``async``. By default it may not."""
        return False

    def authorize_presence(self, channel: str) -> bool | Awaitable[bool]:
        """Whether the client may be present in a channel; may be ``async``. By default it may not."""
        return False

    def slow_policy(self, channel: str) -> SlowPolicy:
        """Return what to do if the client reads the messages of a channel too slowly."""
        return _CLOSE

    @property
    def identity(self) -> Identity:
        """The user of the client, for the authorization methods."""
        session = self._session or self.http_session
        identity: Identity = _ANONYMOUS if session is None else session.identity
        return identity

    # -- requests --

    if not TYPE_CHECKING:
        max_body_size = _MaxBodySize()
        # A fast path of event streams requires the original methods, which `WebSocketHandler` replaces.
        write = RequestHandler.write
        flush = RequestHandler.flush

    def get(self, path: str | None = None) -> Awaitable[None] | None:  # type: ignore[override]
        """Open a WebSocket, serve a file, or process the request in the argument ``request``."""
        if path:
            serve_file(self, path)
            return None
        upgrade = self.request.headers.get("Upgrade", "").lower()
        if upgrade == "websocket" or offered_websocket(self.request) is not None:
            return WebSocketHandler.get(self)
        return run_steps(serve_request(self, self._endpoint, self.get_query_argument("request", "{}")))

    def post(self, path: str | None = None) -> Awaitable[None] | None:
        """Process the request in the body."""
        return run_steps(serve_request(self, self._endpoint, body_of(self)))

    def options(self, path: str | None = None) -> None:
        """Respond to a browser that asks whether a page of another origin may send requests."""
        answer_preflight(self)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write an ``error`` of the protocol, except for files and WebSockets."""
        if any(self.path_args) or "Upgrade" in self.request.headers:
            super().write_error(status_code, **kwargs)
        else:
            respond_with_error(self, status_code, response_of(self).reason)

    def check_xsrf_cookie(self) -> None:
        """Do nothing: each request is checked with `check_origin` instead."""

    @property
    def event_stream(self) -> EventStream:
        """The event stream of this request."""
        return event_stream_of(self)

    def begin_stream(self) -> None:
        """Send the head of an event stream."""
        _ = EventSourceHandler.get(self)

    # -- the WebSocket --

    if not TYPE_CHECKING:

        @property
        def max_message_size(self) -> int:
            """The maximum size of a request."""
            return self.client_limits.message

        @property
        def ping_interval(self) -> float | None:
            """The interval between pings, in seconds."""
            return self.application.settings.get("websocket_ping_interval", _PING_INTERVAL)

    @property
    def _session(self) -> Session | None:
        session = self._endpoint.sessions.get(self)
        assert session is None or isinstance(session, Session)
        return session

    def _open(self, *args: str, **kwargs: str) -> None:
        connection = self.ws_connection
        if connection is not None:
            session = Session(self, self, self._endpoint, self._endpoint.transport(WebSocketTransport))
            session.limit_authentication(connection.stream.loop)

    if not TYPE_CHECKING:
        open = _open
    cancel_on_disconnect: bool | None = True

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Process a request of the client."""
        session: Session | None = self._endpoint.sessions.get(self)  # type: ignore[assignment]
        return None if session is None or self.ws_connection is None else session.receive(message)

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> Awaitable[None] | None:
        """End the session."""
        session = self._session
        if session is not None:
            session.end()
        return super().on_ws_connection_close(close_code, close_reason)


_ANONYMOUS = Identity()
_CLOSE = SlowPolicy()

__all__ = ["ChannelHandler"]
