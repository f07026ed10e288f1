"""The delay between a publication and its arrival, for messages that a process publishes and receives itself.

Both times are of the clock of this process, so the delay is correct without synchronized clocks. A message
may arrive before or after its position is known to the publisher.
"""

from __future__ import annotations

from time import monotonic

from tornado.channels._counts import counts_of
from tornado.channels._values import Position

#: The maximum number of messages of which only one of the two times is known.
_MAX_KNOWN = 1000


class DeliveryDelays:
    """Measures the delays of one hub. It is true while it must be told of arrivals."""

    __slots__ = ("_arrived", "_awaited", "_publishing")

    def __init__(self) -> None:
        self._publishing = 0
        #: The times of arrival of messages that may have been published here.
        self._arrived: dict[tuple[str, Position], float] = {}
        #: The times of publication of messages that have not arrived.
        self._awaited: dict[tuple[str, Position], float] = {}

    def __bool__(self) -> bool:
        return self._publishing > 0 or bool(self._awaited)

    def begin(self) -> None:
        """Note that a publication begins."""
        self._publishing += 1

    def end(self) -> None:
        """Note that a publication has ended, after `published` if it was successful."""
        self._publishing -= 1
        if not self._publishing:
            self._arrived.clear()

    def published(self, channel: str, position: Position, began: float, last: Position | None) -> None:
        """Note the position of a message that was published.

        :param began: when the publication began (`time.monotonic`).
        :param last: the position of the last message that has arrived.
        """
        key = (channel, position)
        arrived = self._arrived.pop(key, None)
        if arrived is not None:
            self._record(channel, arrived - began)
        elif last is not None and not (last.epoch == position.epoch and last.offset >= position.offset):
            _add(self._awaited, key, began)

    def arrived(self, channel: str, position: Position) -> None:
        """Note the arrival of a message."""
        key = (channel, position)
        began = self._awaited.pop(key, None)
        if began is not None:
            self._record(channel, monotonic() - began)
        elif self._publishing:
            _add(self._arrived, key, monotonic())

    def _record(self, channel: str, delay: float) -> None:
        delays = counts_of(channel).delays
        if delays is not None:
            delays.record(delay)


def _add(times: dict[tuple[str, Position], float], key: tuple[str, Position], time: float) -> None:
    if len(times) >= _MAX_KNOWN:
        del times[next(iter(times))]
    times[key] = time


__all__ = ["DeliveryDelays"]
