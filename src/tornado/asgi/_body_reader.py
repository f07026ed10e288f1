"""`BodyReader`: the body of a request, from the events of an ASGI server."""

from __future__ import annotations

from collections import deque

from tornado._wire import h1
from tornado._wire.errors import BodyTooLarge


class BodyReader:
    """The parts of a body that have been received and not yet been delivered.

    A `.MessageInput` reads from it as from a parser of HTTP/1.

    :param max_body_size: the maximum size of the body in bytes. It may be changed.
    """

    __slots__ = ("_is_complete", "_parts", "_received", "max_body_size")

    def __init__(self, max_body_size: int) -> None:
        self.max_body_size: int = max_body_size
        self._parts: deque[bytes] = deque()
        self._received = 0
        self._is_complete = False

    def receive(self, part: bytes, more: bool) -> None:
        """Add a part of the body.

        :param more: whether other parts follow.
        """
        if part:
            self._parts.append(part)
        self._is_complete = not more

    @property
    def buffered(self) -> int:
        """The number of bytes that have been received and not yet been delivered."""
        return sum(map(len, self._parts))

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been received."""
        return self._is_complete

    def next_event(self) -> bytes | h1.EndOfMessage | None:
        """Return the next part of the body; the end of the body; or None if more must be received.

        :raises BodyTooLarge: if the body is larger than `max_body_size`.
        """
        if self._parts:
            part = self._parts.popleft()
            self._received += len(part)
            if self._received > self.max_body_size:
                self._parts.clear()
                raise BodyTooLarge(f"body over the limit of {self.max_body_size} bytes (max_body_size)")
            return part
        return h1.EndOfMessage() if self._is_complete else None


__all__ = ["BodyReader"]
