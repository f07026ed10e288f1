"""`EventChannel`: sends events to many streams. `_sse_delivery` implements it."""

from __future__ import annotations

import os
from typing import Any

from tornado._wire.sse import check_id, serialize_event
from tornado.escape import json_encode
from tornado.web._sse._sse_delivery import Delivery, EncodedEvent


def as_text(data: Any) -> str | bytes:
    """Return the data of an event: text and bytes unchanged, anything else as JSON."""
    return data if isinstance(data, (str, bytes)) else json_encode(data)


class EventChannel:
    """A source of events for any number of `EventSourceHandler` streams, with a history for reconnects.

    ::

        prices = web.EventChannel(history=1000)

        class Prices(web.EventSourceHandler):
            def open(self):
                self.subscribe(prices)

        prices.publish({"EUR": 1.08}, event="price")

    Every event has an id that is unique across channels and runs of the program. A browser that reconnects
    sends the id of the last event it received, and the events it has missed are sent from the history. If the
    id is unknown, or its event is no longer in the history, the whole history is sent. The client may then
    receive an event twice, but no event of the history is omitted.

    A channel belongs to one event loop and must be used in the thread of that loop. Other threads must call
    ``loop.call_soon_threadsafe(channel.publish, data)``.

    :param history: the number of events to keep.
    :param slow: how to treat a client that does not read, once more than ``max_unsent`` bytes of its handler
        are unsent. ``"wait"`` skips it until it has read, and disconnects it only if it has missed more
        events than the history contains; ``"drop"`` disconnects it immediately, after which a browser
        reconnects.
    :raises ValueError: if `history` is negative, or `slow` is neither ``"wait"`` nor ``"drop"``.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(self, history: int = 100, slow: str = "wait") -> None:
        if history < 0:
            raise ValueError(f"history must be a number of events of at least 0, got {history!r}")
        if slow not in ("wait", "drop"):
            raise ValueError(f'slow must be "wait" or "drop", got {slow!r}')
        self._epoch = os.urandom(4).hex()
        self._delivery = Delivery(history, slow == "drop")

    def __len__(self) -> int:
        """Return the number of subscribed streams."""
        return len(self._delivery)

    def __bool__(self) -> bool:
        """Return True, even for a channel without subscribers."""
        return True

    def publish(self, data: Any, event: str | None = None, id: str | int | None = None) -> str:
        """Send an event to every stream, in the next event loop iteration.

        :param data: text, or text encoded in UTF-8; anything else is sent as JSON.
        :param event: the type of the event; without it, browsers use ``message``.
        :param id: an id to use instead of a generated one, such as a database key; an int is converted
            to text. Each id should occur only once in the history.
        :returns: the id of the event.
        :raises ValueError: if `event` or `id` contains a line end, or if `id` contains NUL or is empty.
        :raises TypeError: if `event` is not a str, or `id` is neither a str nor an int.
        :raises RuntimeError: if there are subscribers and no event loop is running in this thread.
        """
        if id == "":
            raise ValueError("the id of an event must not be empty, which would reset the last event id")
        name = check_id(id) if id is not None else f"{self._epoch}-{self._delivery.newest + 1}"
        self._delivery.publish(EncodedEvent(serialize_event(as_text(data), event, name), name))
        return name

    def close(self) -> None:
        """Finish all streams. Browsers reconnect whenever a stream ends."""
        self._delivery.finish_all()  # sends the published events first


def delivery_of(channel: EventChannel) -> Delivery:
    """Return the delivery of a channel, to which a stream adds itself."""
    return channel._delivery


__all__ = ["EventChannel", "as_text", "delivery_of"]
