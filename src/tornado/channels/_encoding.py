"""The encoded forms of messages and gaps, which all connections of a process share.

The data of a message is already JSON when it arrives from the broker. It is inserted into the text of the
protocol without decoding. A WebSocket frame, its compressed forms, an event and a chunk are each created when
the first connection needs them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tornado._wire.sse import serialize_event
from tornado._wire.ws_shared_message import SharedMessage
from tornado.channels._values import Gap, Message
from tornado.web._sse._sse_delivery import EncodedEvent

#: The maximum size of the texts in the cache of an `Encoder`, in bytes.
_MAX_CACHED = 2 * 1024 * 1024

#: `json.dumps` would create an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_json(value: Any) -> bytes:
    """Return a value as JSON without spaces, in UTF-8."""
    return _encode(value).encode()


#: Return a text as JSON.
encode_text: Callable[[str], str] = json.encoder.encode_basestring


class EncodedItem:
    """One object of the channel protocol.

    :param text: the object as JSON.
    :param position: the position of a message as text, for the ``id`` of its event.
    """

    __slots__ = ("_event", "_frame", "_position", "text")

    def __init__(self, text: bytes, position: str | None = None) -> None:
        self.text = text
        self._position = position
        self._frame: SharedMessage | None = None
        self._event: EncodedEvent | None = None

    @property
    def frame(self) -> SharedMessage:
        """The object as a WebSocket message."""
        frame = self._frame
        if frame is None:
            frame = self._frame = SharedMessage(self.text)
        return frame

    @property
    def event(self) -> EncodedEvent:
        """The object as a server-sent event."""
        event = self._event
        if event is None:
            event = self._event = EncodedEvent(serialize_event(self.text, None, self._position))
        return event


class Encoder:
    """Encodes messages and gaps, and keeps the results for other groups of receivers and for reconnects.

    :param max_cached: the maximum size of the texts to keep, in bytes.
    """

    def __init__(self, max_cached: int = _MAX_CACHED) -> None:
        self._max_cached = max_cached
        self._size = 0
        #: The results by the identity of the item. The items are stored so that no identity is reused.
        self._cache: dict[int, tuple[Message | Gap, EncodedItem]] = {}

    def encode(self, item: Message | Gap) -> EncodedItem:
        """Return the encoded form of an item of a hub."""
        found = self._cache.get(id(item))
        if found is not None:
            return found[1]
        encoded = _encode_gap(item) if isinstance(item, Gap) else _encode_message(item)
        self._cache[id(item)] = (item, encoded)
        self._size += len(encoded.text)
        while self._size > self._max_cached:
            oldest = next(iter(self._cache))
            self._size -= len(self._cache.pop(oldest)[1].text)
        return encoded


def _encode_message(message: Message) -> EncodedItem:
    position = None if message.position is None else str(message.position)
    members = {"type": "message", "channel": message.channel}
    if position is not None:
        members["position"] = position
    if message.key is not None:
        members["key"] = message.key
    return EncodedItem(b'%b,"data":%b}' % (encode_json(members)[:-1], message.payload), position)


def _encode_gap(gap: Gap) -> EncodedItem:
    members = {
        "type": "gap",
        "channel": gap.channel,
        "after": str(gap.after),
        "until": str(gap.until),
        "missed": gap.missed,
    }
    return EncodedItem(encode_json(members), str(gap.until))


__all__ = ["EncodedItem", "Encoder", "encode_json", "encode_text"]
