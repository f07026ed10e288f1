"""The messages that a client's program has not read yet."""

from __future__ import annotations

import asyncio

Message = str | bytes

#: What may wait before nothing more is read of the peer: messages, and their characters or bytes.
MAX_MESSAGES = 64
MAX_SIZE = 256 * 1024
#: Readers that may wait before it is first looked which of them were cancelled.
SWEEP_AT = 16


class MessageQueue:
    """A queue with two bounds, which tells who fills it when to pause.

    A message may be put in whenever there is none waiting, however large it is; so a connection holds at most
    the larger of `MAX_SIZE` and one message, and what one receive has brought besides.
    """

    __slots__ = ("_discards", "_ended", "_loop", "_messages", "_readers", "_room", "_size", "_sweep_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Lists, as they are short, and a deque that is empty takes 600 bytes more.
        self._messages: list[Message] = []
        self._size = 0
        #: Those who wait for a message; only while there is none.
        self._readers: list[asyncio.Future[Message | None]] = []
        #: At so many readers it is looked who was cancelled: a program may ask again and again.
        self._sweep_at = SWEEP_AT
        #: Done when there is room again.
        self._room: asyncio.Future[None] | None = None
        self._discards = self._ended = False

    def __len__(self) -> int:
        return len(self._messages)

    def _is_full(self) -> bool:
        return len(self._messages) >= MAX_MESSAGES or self._size >= MAX_SIZE

    def put(self, message: Message) -> asyncio.Future[None] | None:
        """Add a message.

        :returns: None, or if the queue is full now a Future that is done when it is not.
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
        if self._room is None:
            self._room = self._loop.create_future()
        return self._room

    def get(self) -> asyncio.Future[Message | None]:
        """A Future of the next message; of None behind the last one."""
        future: asyncio.Future[Message | None] = self._loop.create_future()
        if self._messages:
            message = self._messages.pop(0)
            self._size -= len(message)
            if self._room is not None and not self._is_full():
                self._make_room()
            future.set_result(message)
        elif self._ended:
            future.set_result(None)
        else:
            self._readers.append(future)
            if len(self._readers) >= self._sweep_at:
                self._sweep()
        return future

    def discard_excess(self) -> None:
        """The program may read no more: whatever comes while the queue is full is thrown away."""
        self._discards = True
        self._make_room()

    def end(self) -> None:
        """No message follows those that wait."""
        self._ended = True
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    def _sweep(self) -> None:
        """Forget the readers that were cancelled."""
        readers = self._readers
        readers[:] = [reader for reader in readers if not reader.done()]
        self._sweep_at = max(SWEEP_AT, 2 * len(readers))

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)


__all__ = ["MAX_MESSAGES", "MAX_SIZE", "Message", "MessageQueue"]
