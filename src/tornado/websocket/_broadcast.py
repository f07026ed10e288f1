"""`broadcast`: one message to many WebSockets.

The message becomes a frame once, and a compressed one once for each set of parameters that was agreed on; a
delivery is hardly more than the system call. How long broadcasts may keep the loop, and how the order of
messages survives that, is told in `tornado.websocket._broadcast_scheduler`.

A handler whose ``write_message`` is not ours, by a subclass or by a patch, gets the message by that method;
so does a client's connection, as each of its frames has a mask of its own.
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

from tornado._tasks import keep_reference
from tornado._wire.ws_shared_message import SharedMessage
from tornado.concurrent import Future
from tornado.escape import json_encode
from tornado.gen import convert_yielded
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.websocket._broadcast_scheduler import STEP, BroadcastScheduler, rounds_of
from tornado.websocket._errors import WebSocketClosedError, check_thread
from tornado.websocket._handler import WebSocketHandler
from tornado.websocket._protocol import WebSocketProtocol13, _bytes_of

if TYPE_CHECKING:
    from tornado.websocket._client import WebSocketClientConnection

    Receiver: TypeAlias = WebSocketHandler | WebSocketClientConnection

Policy: TypeAlias = Literal["close", "skip", "wait"]

#: What a peer is told that takes its messages too slowly: "try again later" (IANA's registry of close codes).
TOO_SLOW = 1013
_REASON = "messages are taken too slowly"
_POLICIES = ("close", "skip", "wait")
_WRITE = WebSocketHandler.write_message
_SEND = WebSocketProtocol13.write_message


def broadcast(
    handlers: Iterable[Receiver],
    message: str | bytes | dict[str, Any],
    binary: bool = False,
    *,
    slow: Policy = "close",
    limit: int | None = None,
) -> Broadcast:
    """Send a message to many connections, for a fraction of what as many calls of
    `~.WebSocketHandler.write_message` cost.

    A chat keeps its connections in a set and says::

        broadcast(self.clients, message)

    Those that are closed are left out. Whoever takes its messages more slowly than they come would fill the
    memory: a connection counts as slow while more than `limit` bytes wait for its peer, and `slow` says what
    becomes of it. With ``"wait"``, await the result to go on when all peers have caught up::

        for row in table:
            await broadcast(self.clients, row, slow="wait")

    and with ``limit=0`` and ``"skip"`` only those get a message, the latest position say, who have nothing
    older to take first.

    :param handlers: `.WebSocketHandler` objects or connections of `.websocket_connect`, all of the loop that
        runs here. It may change while they are sent to: a copy is taken.
    :param message: text, or its UTF-8 as bytes; a dict is sent as JSON.
    :param binary: send it as binary, so that the peers get bytes; any bytes will do then.
    :param slow: ``"close"``: the connection is closed with code 1013 ("try again later"), so that the peer
        knows what it has missed; ``"skip"``: it does not get this message; ``"wait"``: it does, and awaiting
        the result waits for it. A peer that reads nothing is waited for until ``websocket_ping_timeout`` or a
        time-out around this ends that.
    :param limit: bytes; None for the connection's own ``write_limit``, 1 MiB unless settings say otherwise.
    :returns: what has become of it; see `Broadcast`. There is no need to await it.
    :raises TypeError: for a message of another type, and for what is no connection; nobody gets it then.
    :raises ValueError: for an unknown `slow`.
    :raises RuntimeError: in another thread than that of the connections' loop.

    All have their message in the system's hands when this returns, unless they are so many that sending takes
    more than 5 ms, or this is not the first broadcast in one turn of the loop. What is left then leaves in
    the next turns, before anything that is sent to the same connection later. What a ``write_message`` that
    was overridden raises goes to the handler's ``log_exception``.
    """
    if slow not in _POLICIES:
        raise ValueError(f"slow is one of {', '.join(map(repr, _POLICIES))}, not {slow!r}")
    if limit is not None and not limit >= 0:
        raise ValueError(f"limit is a number of bytes, or None, not {limit!r}")
    payload = json_encode(message) if isinstance(message, dict) else message
    shared = SharedMessage(_bytes_of(payload, binary), binary)
    made = Broadcast(slow, limit)
    made._send(list(handlers), shared, message, binary)
    return made


class Broadcast:
    """What has become of a message that `broadcast` has sent. Awaiting it gives itself, once all have been
    served and nobody has to be waited for.

    :ivar sent: the number of connections that get it.
    :ivar closed: the handlers, or client's connections, that do not, as they are closed::

            self.clients.difference_update(broadcast(self.clients, message).closed)

    :ivar slow: those that had more than the limit waiting for them before it.
    """

    __slots__ = ("_awaited", "_futures", "_limit", "_policy", "_rounds", "closed", "sent", "slow")

    def __init__(self, policy: Policy, limit: int | None) -> None:
        self.sent: int = 0
        self.closed: list[Receiver] = []
        self.slow: list[Receiver] = []
        self._policy = policy
        self._limit = limit
        self._rounds: BroadcastScheduler | None = None
        #: Connections that are waited for while they have more than the limit to take.
        self._awaited: list[WebSocketProtocol13] = []
        #: What methods of the program's have returned.
        self._futures: list[Future[Any]] = []

    def __repr__(self) -> str:
        return f"<Broadcast sent={self.sent} closed={len(self.closed)} slow={len(self.slow)}>"

    def __await__(self) -> Generator[Any, None, Broadcast]:
        return self._settled().__await__()

    async def _settled(self) -> Broadcast:
        served = None if self._rounds is None else self._rounds.served()
        if served is not None:
            await served
        for connection in self._awaited:
            if self._is_slow(connection):
                with contextlib.suppress(StreamClosedError):
                    await connection.stream._written(self._limit_of(connection))
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
                raise TypeError(f"broadcast() sends to handlers and client connections, not {handler!r}")
        is_ours = WebSocketProtocol13.write_message is _SEND
        waits = self._policy == "wait"
        connection: Any
        left = 0
        for handler in handlers:
            connection = None
            if is_ours and (type(m := handler.write_message) is MethodType and m.__func__ is _WRITE):
                connection = handler.ws_connection  # type: ignore[union-attr]
            if type(connection) is not WebSocketProtocol13 or connection.stream is None:
                self._by_method(handler, message, binary)
                continue
            if not left:
                rounds, left = self._next_step(connection), STEP
            left -= 1
            if connection.stream._output is not None and not self._bears(handler, connection):
                continue
            if rounds.holding and connection.hold():
                rounds.waiting.append(connection)
            try:
                connection.write_shared(shared)
            except WebSocketClosedError:
                self.closed.append(handler)
                continue
            self.sent += 1
            if waits:
                self._awaited.append(connection)

    def _next_step(self, connection: WebSocketProtocol13) -> BroadcastScheduler:
        """Before the first connection, and after every few."""
        rounds = self._rounds
        if rounds is None:
            loop = connection.stream._loop
            check_thread(loop, "broadcast()")
            rounds = self._rounds = rounds_of(loop)
            rounds.begin()
        else:
            rounds.look_at_clock()
        return rounds

    def _is_slow(self, connection: WebSocketProtocol13) -> bool:
        """Whether more than the limit waits for the peer, without what it was not offered yet."""
        stream = connection.stream
        if stream is None or stream._output is None:
            return False
        return stream._pending_output - stream._collected_size > self._limit_of(connection)

    def _limit_of(self, connection: WebSocketProtocol13) -> int:
        return connection.params.write_limit if self._limit is None else self._limit

    def _bears(self, handler: Receiver, connection: WebSocketProtocol13) -> bool:
        """Whether a connection gets the message although something is waiting for it."""
        if connection.is_closing() or not self._is_slow(connection):
            return True
        self.slow.append(handler)
        if self._policy == "close":
            connection.say_why("more than %d bytes of broadcasts wait", self._limit_of(connection))
            try:
                handler.close(TOO_SLOW, _REASON)
            except Exception:  # of a program's own method
                _log(handler)
        return self._policy == "wait"

    def _by_method(self, handler: Receiver, message: str | bytes | dict[str, Any], binary: bool) -> None:
        connection = handler.ws_connection if isinstance(handler, WebSocketHandler) else handler.protocol
        if isinstance(connection, WebSocketProtocol13) and not self._bears(handler, connection):
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
            future.add_done_callback(functools.partial(_done, handler))
            if self._policy == "wait":
                self._futures.append(future)


def _log(handler: Receiver) -> None:
    """Tell the handler of the exception under way; the others still get the message."""
    try:
        handler.log_exception(*sys.exc_info())
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)


def _done(handler: Receiver, future: Future[Any]) -> None:
    """What a method of the program's has returned is done."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, WebSocketClosedError):
        handler.log_exception(type(error), error, error.__traceback__)


__all__ = ["Broadcast", "broadcast"]
