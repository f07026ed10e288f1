"""`MessageQueue`: the received messages that a client has not read yet."""

from __future__ import annotations

import asyncio

Message = str | bytes

#: The number of messages at which the queue is full and reading pauses.
MAX_MESSAGES = 64
#: The total size of the messages, in characters or bytes, at which the queue is full and reading pauses.
MAX_SIZE = 256 * 1024
#: The number of waiting readers at which cancelled readers are first removed.
SWEEP_AT = 16


class MessageQueue:
    """A queue that applies back-pressure to the producer: the number and size of its messages are limited.

    An empty queue accepts a message of any size. A connection therefore stores at most `MAX_SIZE` or one
    message, whichever is larger, plus the messages of one read from the socket.
    """

    __slots__ = ("_capacity", "_discards", "_ended", "_loop", "_messages", "_readers", "_size", "_sweep_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # These are lists, because they are short; an empty deque would take 600 more bytes.
        self._messages: list[Message] = []
        self._size = 0
        #: The Futures of callers that wait for a message; empty while there are messages.
        self._readers: list[asyncio.Future[Message | None]] = []
        #: The number of readers at which cancelled readers are removed, because a program may call `get` and
        #: cancel the Future in a loop.
        self._sweep_at = SWEEP_AT
        #: The Future of a waiting producer, done when the queue has capacity again.
        self._capacity: asyncio.Future[None] | None = None
        self._discards = self._ended = False

    def __len__(self) -> int:
        return len(self._messages)

    def _is_full(self) -> bool:
        return len(self._messages) >= MAX_MESSAGES or self._size >= MAX_SIZE

    def put(self, message: Message) -> asyncio.Future[None] | None:
        """Add a message.

        :returns: None, or a Future if the queue is full now. The Future is done when the queue has capacity.
        """
        readers = self._readers
        if readers:
            if readers[0].done():
                self._sweep()
            if readers:
                readers.pop(0).set_result(message)
                return None
        if self._discards and self._is_full():
            return None
        self._messages.append(message)
        self._size += len(message)
        if self._discards or not self._is_full():
            return None
        if self._capacity is None:
            self._capacity = self._loop.create_future()
        return self._capacity

    def get(self) -> asyncio.Future[Message | None]:
        """Return a Future of the next message, or of None after the last one."""
        future: asyncio.Future[Message | None] = self._loop.create_future()
        if self._messages:
            message = self._messages.pop(0)
            self._size -= len(message)
            if self._capacity is not None and not self._is_full():
                self._notify_capacity()
            future.set_result(message)
        elif self._ended:
            future.set_result(None)
        else:
            self._readers.append(future)
            if len(self._readers) >= self._sweep_at:
                self._sweep()
        return future

    def discard_excess(self) -> None:
        """Discard messages from now on while the queue is full, because the program may have stopped
        reading.
        """
        self._discards = True
        self._notify_capacity()

    def end(self) -> None:
        """End the queue: no further message will be added."""
        self._ended = True
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    def _sweep(self) -> None:
        """Remove the readers that were cancelled."""
        readers = self._readers
        readers[:] = [reader for reader in readers if not reader.done()]
        self._sweep_at = max(SWEEP_AT, 2 * len(readers))

    def _notify_capacity(self) -> None:
        capacity, self._capacity = self._capacity, None
        if capacity is not None and not capacity.done():
            capacity.set_result(None)


__all__ = ["MAX_MESSAGES", "MAX_SIZE", "Message", "MessageQueue"]
