"""Short WebSocket frames that are there as a whole, many in one loop: nearly all the traffic there is.

Theory of operation
-------------------
Each loop knows one kind of frame and nothing else: two bytes looked at, one comparison of numbers, mask in
C. It ends before the first frame that is of another kind, longer than 125 bytes, incomplete or at fault. That
one is the caller's (`ws_connection.Connection`), so nothing is refused here but text that is no UTF-8.

A quarter of a microsecond is what a frame costs, a fifth of the general way. It matters for messages, and for
who sends half a million fragments of one byte, which cost him nothing.

Limits
------
The caller's: of messages only the size of a frame, of fragments their number and where to end.
"""

from __future__ import annotations

from typing import Final

from tornado._wire.ws_events import Event
from tornado._wire.ws_frames import CUT, FIN, READ_MASKED, REPEAT

__all__ = ["take_fragments", "take_masked", "take_plain"]

_number: Final = int.from_bytes


def take_masked(data: bytes, at: int, events: list[Event]) -> int:
    """Messages of a client, of one frame each and not compressed, from ``data[at:]``.

    :param events: what they are added to.
    :return: the position behind the last one.
    :raises UnicodeDecodeError: for a text that is no UTF-8.
    """
    end = len(data)
    while end - at >= 6:
        first = data[at]
        # The highest bit says that there is a mask.
        size = data[at + 1] - 128
        stop = at + 6 + size
        # 0x81 and 0x82: a text and a binary frame that is a message; literals cost no look-up.
        if not (0 <= size < 126 and stop <= end and first in (0x81, 0x82)):
            break
        key, payload = READ_MASKED[size](data, at)
        number = _number(payload, "little") ^ key * REPEAT[size] & CUT[size]
        payload = number.to_bytes(size, "little")
        events.append(payload.decode() if first == 0x81 else payload)
        at = stop
    return at


def take_plain(data: bytes, at: int, events: list[Event]) -> int:
    """The same of a server's."""
    end = len(data)
    while end - at >= 2:
        first = data[at]
        size = data[at + 1]
        stop = at + 2 + size
        if not (size < 126 and stop <= end and first in (0x81, 0x82)):
            break
        payload = data[at + 2 : stop]
        events.append(payload.decode() if first == 0x81 else payload)
        at = stop
    return at


def take_fragments(data: bytes, at: int, end: int, masked: bool, most: int) -> tuple[int, list[bytes], bool]:
    """Fragments of one message from ``data[at:end]``, none behind its last one.

    :param masked: whether the peer has to mask: it is a client.
    :param most: how many at most.
    :return: the position behind the last one that was taken, their payloads, and whether it ends the message.
        The first byte of the first one is not checked beyond that.
    """
    head, lowest = (6, 128) if masked else (2, 0)
    payloads: list[bytes] = []
    final = False
    for _ in range(most):
        if end - at < head:
            break
        size = data[at + 1] - lowest
        stop = at + head + size
        # Behind the first one: 0x00 and 0x80, a continuation and the last one.
        if not (0 <= size < 126 and stop <= end) or (payloads and data[at] & 0x7F):
            break
        if masked:
            key, payload = READ_MASKED[size](data, at)
            number = _number(payload, "little") ^ key * REPEAT[size] & CUT[size]
            payloads.append(number.to_bytes(size, "little"))
        else:
            payloads.append(data[at + 2 : stop])
        final = data[at] >= FIN
        at = stop
        if final:
            break
    return at, payloads, final
