"""`PollingTransport`: messages are collected for the responses to long polls.

A message is added to the responses of all polls at once. The handlers that send the responses are woken in
batches, because a response takes a hundred microseconds. Messages that are published before the handler of a
poll continues are in the same response.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tornado._loop.time_sliced_queue import TimeSlicedQueue
from tornado.channels._encoding import EncodedItem, Encoder
from tornado.channels._limits import SlowPolicy
from tornado.channels._transport import SlowClient, Transport

#: The size of a response in bytes above which later messages are left to the next poll.
_MAX_RESPONSE = 1024 * 1024
#: The maximum time after which a client polls again if a drain sets none, in milliseconds. It is that of
#: WebSockets after close code 1012.
_MAX_RETRY = 5000


class Poll:
    """The request of a polling client, and the response that is being collected for it.

    Its other methods are those of `tornado._http_server_drain.LongLivedConnection`.

    :ivar retry: the time after which the client polls again, in milliseconds.
    """

    __slots__ = ("_is_over", "_size", "_texts", "_waiter", "retry")

    is_websocket = False

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None
        self.retry = 0

    def add(self, text: bytes) -> bool:
        """Add an object, unless the response is large already.

        :returns: whether to call `wake`, because the poll waits and this is the first object.
        """
        is_first = not self._texts
        if self._size < _MAX_RESPONSE:
            self._texts.append(text)
            self._size += len(text)
        return is_first and self._waiter is not None

    def end(self) -> None:
        """Send the response without further waiting."""
        self._is_over = True
        self.wake()

    def wake(self) -> None:
        """End the waiting. The response contains what is added until the handler continues."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_ready(self) -> bool:
        """Whether the response must not wait for further messages."""
        return self._is_over or bool(self._texts)

    async def wait(self, seconds: float) -> None:
        """Wait until there is something to send, at most for a number of seconds."""
        if self.is_ready:  # a message has arrived since the caller has checked this
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def response(self) -> bytes:
        """Return the body of the response."""
        return b'{"messages":[%b],"retry":%d}' % (b",".join(self._texts), self.retry)

    # -- the drain of the server --

    def notify_drain(self) -> asyncio.Future[Any] | None:
        """Do nothing; there is no hook for a poll."""
        return None

    def end_for_drain(self, retry: int | None) -> bool:
        """End the poll; return False if it has ended already.

        The time after which the client polls again is random, because many polls end at the same time. It is
        within the limits that the protocol sets for WebSockets, or, with `retry`, for event streams.
        """
        was_over = self._is_over
        self.retry = (
            random.randint(1, _MAX_RETRY) if retry is None else round(retry * random.uniform(0.5, 1.5))
        )
        self.end()
        return not was_over

    def describe(self) -> str:
        """Return a description for the log."""
        return "a poll"


class PollingTransport(Transport):
    """The transport whose receivers are `Poll` objects."""

    sends_differences = False

    def __init__(self, encoder: Encoder, sessions: Mapping[Any, SlowClient]) -> None:
        super().__init__(encoder, sessions)
        self._ready: TimeSlicedQueue[Poll] = TimeSlicedQueue(Poll.wake)

    def send_to_all(
        self, receivers: Collection[Any], item: EncodedItem, policy: SlowPolicy | None
    ) -> Collection[Any]:
        loop = asyncio.get_running_loop()
        for poll in list(receivers):
            if poll.add(item.text):
                self._ready.add(poll, loop)
        return ()

    def when_sent(self, receiver: Any, rest: int, callback: Callable[[], None]) -> None:
        raise NotImplementedError("a poll is never slow")

    def close(self, receiver: Any, code: int, reason: str) -> None:
        receiver.end()


__all__ = ["Poll", "PollingTransport"]
