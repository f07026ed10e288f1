"""Counts of WebSocket messages in this process.

Counting takes a few instructions per message, which only an observed program should spend. Therefore
`tornado.websocket` registers a function that replaces the methods that send and receive messages by counting
ones, and it is called when the first application is observed.
"""

from __future__ import annotations

from collections.abc import Callable

from tornado._thread_safety import atomic

__all__ = ["MessageCounts", "call_when_counting", "message_counts", "start_counting"]


class MessageCounts:
    """The messages since counting began.

    :ivar received: the number of received messages.
    :ivar sent: the number of sent messages; a broadcast counts once for each connection.
    """

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = self.sent = 0

    @atomic
    def add_received(self, number: int) -> None:
        """Count received messages."""
        self.received += number

    @atomic
    def add_sent(self) -> None:
        """Count a sent message."""
        self.sent += 1


message_counts = MessageCounts()
_waiting: list[Callable[[MessageCounts], None]] = []
_started: list[bool] = []


def call_when_counting(begin: Callable[[MessageCounts], None]) -> None:
    """Call a function when counting begins, or now if it has begun."""
    # In this order, the function is called also if another thread begins to count at the same time.
    _waiting.append(begin)
    if _started:
        start_counting()


def start_counting() -> None:
    """Begin to count."""
    _started[:] = [True]
    while True:
        try:
            begin = _waiting.pop()
        except IndexError:
            return
        begin(message_counts)
