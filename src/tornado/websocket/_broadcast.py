"""`broadcast`: send one message to many WebSockets.

The message is serialized once, and compressed once for each set of compression parameters in use. Sending it
to a connection costs little more than the system call. `tornado.websocket._broadcast_scheduler` limits the
time that broadcasts may block the event loop, and preserves the order of messages.

If a subclass or a patch replaces ``write_message``, that method is called instead. It is also called for
client connections, because each of their frames is masked with a different key.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
from collections.abc import Generator, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tornado._loop.tasks import keep_reference
from tornado._original_methods import OriginalMethods
from tornado._wire.ws_shared_message import SharedMessage
from tornado.concurrent import Future
from tornado.escape import json_encode
from tornado.gen import convert_yielded
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.websocket._broadcast_scheduler import CONNECTIONS_PER_CHECK, BroadcastScheduler, scheduler_of
from tornado.websocket._errors import WebSocketClosedError, check_thread
from tornado.websocket._handler import WebSocketHandler
from tornado.websocket._protocol import WRITE_MESSAGE, WebSocketProtocol13, payload_of

if TYPE_CHECKING:
    from tornado.websocket._client import WebSocketClientConnection

    Receiver: TypeAlias = WebSocketHandler | WebSocketClientConnection

Policy: TypeAlias = Literal["close", "skip", "wait"]

#: The close code for a peer that reads too slowly: "try again later" (IANA registry of close codes).
TOO_SLOW = 1013
_REASON = "messages are read too slowly"
_POLICIES = ("close", "skip", "wait")
_WRITE = OriginalMethods(WebSocketHandler, "write_message")


def broadcast(
    handlers: Iterable[Receiver],
    message: str | bytes | dict[str, Any],
    binary: bool = False,
    *,
    slow: Policy = "close",
    limit: int | None = None,
) -> BroadcastResult:
    """Send a message to many connections. This is many times faster than calling
    `~.WebSocketHandler.write_message` for each of them.

    A chat server keeps its connections in a set::

        broadcast(self.clients, message)

    Closed connections are skipped. A peer that reads more slowly than messages are sent would exhaust memory.
    A connection is slow while more than `limit` bytes wait to be sent to its peer; `slow` selects what
    happens then. With ``"wait"``, await the result to continue after all peers have caught up::

        for row in table:
            await broadcast(self.clients, row, slow="wait")

    With ``limit=0`` and ``"skip"``, a message is sent only to peers that have received all earlier ones. Use
    this for messages of which only the latest matters, such as a position.

    :param handlers: `.WebSocketHandler` objects or connections opened by `.websocket_connect`. All must
        belong to the running event loop. The collection is copied, so it may change while the message is
        sent.
    :param message: text, or its UTF-8 encoding as bytes; a dict is sent as JSON.
    :param binary: whether to send a binary message, which peers receive as bytes. Any bytes are valid then.
    :param slow: ``"close"``: close the connection with code 1013 ("try again later"), so that the peer knows
        that it has missed messages; ``"skip"``: do not send this message to it; ``"wait"``: send the message,
        and wait for the peer when the result is awaited. If a peer does not read at all, only
        ``websocket_ping_timeout`` or a timeout of the caller ends the wait.
    :param limit: the limit in bytes; None for the ``write_limit`` of each connection, by default 1 MiB.
    :returns: the outcome; see `BroadcastResult`. It need not be awaited.
    :raises TypeError: if the message has another type, or one of the `handlers` is not a connection. In this
        case nothing is sent.
    :raises ValueError: if `slow` or `limit` is invalid.
    :raises RuntimeError: if called outside the event loop of the connections.

    The message is sent to all connections before this function returns, unless that takes more than 5 ms or
    this is not the first broadcast in an iteration of the event loop. Then the remaining connections are
    served in the next iterations. The order of the messages to each connection is preserved. Exceptions
    raised by an overridden ``write_message`` are passed to the handler's ``log_exception``.
    """
    if slow not in _POLICIES:
        raise ValueError(f"slow must be one of {', '.join(map(repr, _POLICIES))}, got {slow!r}")
    if limit is not None and not limit >= 0:
        raise ValueError(f"limit must be None or a non-negative number of bytes, got {limit!r}")
    payload = json_encode(message) if isinstance(message, dict) else message
    shared = SharedMessage(payload_of(payload, binary), binary)
    result = BroadcastResult(slow, limit)
    result._send(list(handlers), shared, message, binary)
    return result


def broadcast_shared(
    handlers: Iterable[Receiver], message: SharedMessage, *, slow: Policy, limit: int
) -> BroadcastResult:
    """Send a text message whose frames may have been used before; see `broadcast`."""
    result = BroadcastResult(slow, limit)
    result._send(list(handlers), message, message.payload, False)
    return result


class BroadcastResult:
    """The outcome of `broadcast`. Awaiting it returns the object itself after the message has been sent to
    all connections and, with ``slow="wait"``, all peers have caught up.

    :ivar sent: the number of connections that the message is sent to.
    :ivar closed: the handlers or client connections that are closed::

            self.clients.difference_update(broadcast(self.clients, message).closed)

    :ivar slow: the handlers or client connections whose unsent output exceeded the limit.
    """

    __slots__ = ("_awaited", "_futures", "_limit", "_policy", "_scheduler", "closed", "sent", "slow")

    def __init__(self, policy: Policy, limit: int | None) -> None:
        self.sent: int = 0
        self.closed: list[Receiver] = []
        self.slow: list[Receiver] = []
        self._policy = policy
        self._limit = limit
        self._scheduler: BroadcastScheduler | None = None
        #: With "wait", the connections to wait for while their waiting output exceeds the limit.
        self._awaited: list[WebSocketProtocol13] = []
        #: With "wait", the Futures of overridden ``write_message`` methods.
        self._futures: list[Future[Any]] = []

    def __repr__(self) -> str:
        return f"<BroadcastResult sent={self.sent} closed={len(self.closed)} slow={len(self.slow)}>"

    def __await__(self) -> Generator[Any, None, BroadcastResult]:
        return self._wait().__await__()

    async def _wait(self) -> BroadcastResult:
        served = None if self._scheduler is None else self._scheduler.served()
        if served is not None:
            await served
        for connection in self._awaited:
            if self._is_slow(connection):
                with contextlib.suppress(StreamClosedError):
                    await connection.when_sent(self._limit_of(connection))
        if self._futures:
            await asyncio.wait(self._futures)
        return self

    def _send(
        self,
        handlers: list[Receiver],
        shared: SharedMessage,
        message: str | bytes | dict[str, Any],
        binary: bool,
    ) -> None:
        for handler in handlers:
            if not hasattr(handler, "write_message"):
                raise TypeError(f"handlers must be WebSocket handlers or client connections, got {handler!r}")
        is_ours = WRITE_MESSAGE.are_original(WebSocketProtocol13)
        write_message = _WRITE.originals
        waits = self._policy == "wait"
        connection: Any
        remaining = 0
        for handler in handlers:
            connection = None
            # This is the code of `_WRITE.are_original_on(handler)`. A call would cost 1,000 instructions per
            # client.
            if is_ours and (type(m := handler.write_message) is MethodType and m.__func__ is write_message):
                connection = handler.ws_connection  # type: ignore[union-attr]
            if type(connection) is not WebSocketProtocol13 or connection.stream is None:
                self._send_by_method(handler, message, binary)
                continue
            if not remaining:
                scheduler, remaining = self._check_schedule(connection), CONNECTIONS_PER_CHECK
            remaining -= 1
            if connection.stream.unsent_output is not None and not self._accepts_message(handler, connection):
                continue
            if scheduler.holding and connection.hold_output():
                scheduler.waiting.append(connection)
            try:
                connection.write_shared(shared)
            except WebSocketClosedError:
                self.closed.append(handler)
                continue
            self.sent += 1
            if waits:
                self._awaited.append(connection)

    def _check_schedule(self, connection: WebSocketProtocol13) -> BroadcastScheduler:
        """Check the time and return the scheduler; called every `CONNECTIONS_PER_CHECK` connections."""
        scheduler = self._scheduler
        if scheduler is None:
            loop = connection.stream.loop
            check_thread(loop, "broadcast()")
            scheduler = self._scheduler = scheduler_of(loop)
            scheduler.begin()
        else:
            scheduler.check_time()
        return scheduler

    def _is_slow(self, connection: WebSocketProtocol13) -> bool:
        """Whether the output that waits for the peer, not including corked output, exceeds the limit."""
        return connection.unsent_size() > self._limit_of(connection)

    def _limit_of(self, connection: WebSocketProtocol13) -> int:
        return connection.params.write_limit if self._limit is None else self._limit

    def _accepts_message(self, handler: Receiver, connection: WebSocketProtocol13) -> bool:
        """Whether to send the message to a connection that has waiting output."""
        if connection.is_closing() or not self._is_slow(connection):
            return True
        self.slow.append(handler)
        if self._policy == "close":
            connection.record_close_error(
                "more than %d bytes of broadcasts wait to be sent", self._limit_of(connection)
            )
            try:
                handler.close(TOO_SLOW, _REASON)
            except Exception:  # raised by an overridden method
                _log(handler)
        return self._policy == "wait"

    def _send_by_method(self, handler: Receiver, message: str | bytes | dict[str, Any], binary: bool) -> None:
        connection = handler.ws_connection if isinstance(handler, WebSocketHandler) else handler.protocol
        if isinstance(connection, WebSocketProtocol13) and not self._accepts_message(handler, connection):
            return
        try:
            result: Any = handler.write_message(message, binary)
        except WebSocketClosedError:
            self.closed.append(handler)
            return
        except Exception:
            _log(handler)
            return
        self.sent += 1
        if inspect.isawaitable(result):
            future = keep_reference(convert_yielded(result))
            future.add_done_callback(functools.partial(_write_done, handler))
            if self._policy == "wait":
                self._futures.append(future)


def _log(handler: Receiver) -> None:
    """Pass the current exception to the handler's ``log_exception``; the broadcast continues."""
    try:
        handler.log_exception(*sys.exc_info())
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)


def _write_done(handler: Receiver, future: Future[Any]) -> None:
    """Log the exception of an overridden ``write_message``, if there is one."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, WebSocketClosedError):
        handler.log_exception(type(error), error, error.__traceback__)


__all__ = ["BroadcastResult", "broadcast", "broadcast_shared"]
