"""Counting of messages; see `tornado.web._observation._message_counts`, which calls `begin`
if the program observes an application."""

from __future__ import annotations

import functools
from typing import Any

from tornado._wire import ws_connection
from tornado.web._observation._message_counts import MessageCounts, call_when_counting
from tornado.websocket._message_receiver import MessageReceiver
from tornado.websocket._protocol import WRITE_MESSAGE, WebSocketProtocol13

__all__ = ["begin"]


def begin(counts: MessageCounts) -> None:
    """Replace the methods that send and receive messages by methods that also count."""
    is_original = WRITE_MESSAGE.are_original(WebSocketProtocol13)
    for name in ("write_message", "write_encoded", "write_shared"):
        setattr(WebSocketProtocol13, name, _counting(getattr(WebSocketProtocol13, name), counts))
    if is_original:  # the methods that bypass `write_message` count, too
        WRITE_MESSAGE.record(WebSocketProtocol13)
    take = MessageReceiver.take

    @functools.wraps(take)
    def take_and_count(self: MessageReceiver, events: list[ws_connection.Event]) -> None:
        number = 0
        for event in events:
            if type(event) is str or type(event) is bytes:
                number += 1
        if number:
            counts.add_received(number)
        take(self, events)

    MessageReceiver.take = take_and_count  # type: ignore[method-assign]


def _counting(send: Any, counts: MessageCounts) -> Any:
    @functools.wraps(send)
    def send_and_count(self: WebSocketProtocol13, *args: Any, **kwargs: Any) -> Any:
        result = send(self, *args, **kwargs)
        counts.add_sent()
        return result

    return send_and_count


call_when_counting(begin)
