"""`WebSocketTransport`: messages are sent to WebSockets with `tornado.websocket.broadcast`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import MethodType
from typing import Any

from tornado.channels._encoding import EncodedItem
from tornado.channels._limits import SlowPolicy
from tornado.channels._transport import Transport
from tornado.concurrent import Future
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from tornado.websocket._broadcast import broadcast_shared
from tornado.websocket._protocol import WRITE_MESSAGE, WebSocketProtocol13

#: The number of unsent bytes above which a client that does not read its replies is disconnected.
_MAX_UNSENT = 512 * 1024
_WRITE_MESSAGE = WebSocketHandler.write_message


class WebSocketTransport(Transport):
    """The transport whose receivers are WebSocket handlers."""

    def send(self, receiver: Any, text: bytes, position: str | None = None) -> None:
        connection = receiver.ws_connection
        try:
            if (
                type(connection) is WebSocketProtocol13
                and (type(m := receiver.write_message) is MethodType and m.__func__ is _WRITE_MESSAGE)
                and WebSocketProtocol13.write_message is WRITE_MESSAGE.originals
            ):
                connection.write_encoded(text)
            else:
                receiver.write_message(text)
        except WebSocketClosedError:
            pass  # the session ends soon

    def send_to_all(
        self, receivers: Collection[Any], item: EncodedItem, policy: SlowPolicy | None
    ) -> Collection[Any]:
        if policy is None:
            _ = broadcast_shared(receivers, item.frame, slow="close", limit=_MAX_UNSENT)
            return ()
        return broadcast_shared(receivers, item.frame, slow="skip", limit=policy.limit).slow

    def when_sent(self, receiver: Any, rest: int, callback: Callable[[], None]) -> None:
        def sent(future: Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                callback()

        if receiver.ws_connection is not None:
            receiver.ws_connection.when_sent(rest).add_done_callback(sent)

    def close(self, receiver: Any, code: int, reason: str) -> None:
        receiver.close(code, reason)


__all__ = ["WebSocketTransport"]
