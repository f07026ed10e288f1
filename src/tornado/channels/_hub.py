"""`Hub`: connects the receivers of one process with a broker."""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable, Collection, Iterator
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

from tornado._loop.tasks import start_lazily
from tornado.channels._broker import Broker
from tornado.channels._channel_state import ChannelState
from tornado.channels._counts import add_hub, counts, counts_of, remove_hub
from tornado.channels._delivery_delays import DeliveryDelays
from tornado.channels._errors import BrokerUnavailableError, PublishError
from tornado.channels._hub_state import HubState
from tornado.channels._names import RESERVED, check_channel
from tornado.channels._pattern import check_pattern
from tornado.channels._pattern_subscription import PatternSubscription
from tornado.channels._patterns import Patterns
from tornado.channels._receivers import EachReceiver, Receiver, ReceiverGroup
from tornado.channels._retries import FIRST_DELAY, MAX_DELAY, Retries
from tornado.channels._subscription import Subscription
from tornado.channels._values import History, Message, Position
from tornado.log import gen_log

# See `tornado._wire.state_machine` for the reason for these constants.
_NEW = HubState.NEW
_OPEN = HubState.OPEN
_CLOSED = HubState.CLOSED

#: The number of channels whose history is read at the same time.
_MAX_READS = 32
_PAGE = 500
#: The maximum time limit of a publication, in seconds.
_MAX_TIMEOUT = 3600


class Closeable(Protocol):
    """An object that a hub closes before it is closed itself."""

    async def close(self) -> None:
        """Release all resources."""


class Endable(Protocol):
    """An iterator over messages."""

    def end(self) -> None:
        """Return no further messages."""


class Hub:
    """Publishes messages and distributes them to the receivers of this process. ::

        hub = Hub(RedisBroker("redis://localhost:6379/0"))

        async with hub:
            await hub.publish("room:7", {"text": "Hello"})
            async with hub.subscribe("room:7") as messages:
                async for message in messages:
                    ...

    While a hub is open, it belongs to one event loop. It can be opened again after it was closed. A hub that
    has never been opened raises `RuntimeError` in methods that need the broker.

    :param broker: the broker, which must not be shared with another hub.
    :param history: the limits of the history of each channel, or a function that returns them for the name
        of a channel. All processes must use the same limits.
    :param tail: the number of messages to keep in this process for each channel with receivers.
    :param timeout: the default time limit of `publish`, in seconds.
    :param max_waiting: the maximum number of messages that wait for the broker. Above it, `publish` fails
        immediately.
    :param max_disconnected: the number of seconds without a connection to the broker after which a worker of
        the production server is not ready. With None, its readiness does not depend on the broker.
    :raises TypeError: if `broker` or `history` has a wrong type.
    :raises ValueError: if a number is out of range.
    :ivar endpoint: what the handlers of this hub share, which the first `ChannelHandler` sets.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        history: History | Callable[[str], History] | None = None,
        tail: int = 100,
        timeout: float = 5.0,
        max_waiting: int = 1000,
        max_disconnected: float | None = 10.0,
    ) -> None:
        _check_arguments(broker, history, tail, timeout, max_waiting)
        if max_disconnected is not None and not max_disconnected > 0:
            raise ValueError(
                f"max_disconnected must be a positive number of seconds, or None, got {max_disconnected!r}"
            )
        self.broker = broker
        self.timeout = timeout
        self.max_waiting = max_waiting
        self.max_disconnected = max_disconnected
        self.endpoint: Closeable | None = None
        self._state = _NEW
        self._tail = tail
        limits = History() if history is None else history
        self._history_of: Callable[[str], History] = (
            limits if not isinstance(limits, History) else lambda channel: limits
        )
        self._channels: dict[str, ChannelState] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        #: The reads of `head` that have not begun: all callers in one iteration of the loop share one.
        self._heads: dict[str, asyncio.Task[Position]] = {}
        #: All reads of `head` that have not ended.
        self._head_reads: set[asyncio.Task[Position]] = set()
        self._unflushed: dict[str, ChannelState] = {}
        self._each = EachReceiver()
        self._reads = asyncio.Semaphore(_MAX_READS)
        #: The reads of channels whose last read has failed. They do not delay others.
        self._repeated_reads = asyncio.Semaphore(_MAX_READS)
        self._refresher: asyncio.TimerHandle | None = None
        self._disconnected_at: float | None = None
        self._publishing = 0
        self._delays = DeliveryDelays()
        self._retries = Retries()
        #: The iterators in use, which end with the hub.
        self._subscriptions: set[Endable] = set()
        self._patterns = Patterns(
            broker,
            self._channels,
            tail,
            self._history_of,
            self._each,
            self._read_if_needed,
            self._is_reading,
            self._remove,
            self._retries,
        )

    def __repr__(self) -> str:
        return f"<Hub {self.broker!r}, {len(self._channels)} channels>"

    async def start(self) -> None:
        """Begin to connect to the broker. Messages can be published and received as soon as it responds.

        :raises RuntimeError: if the hub or the broker is open already.
        """
        if self._state is _OPEN:
            raise RuntimeError(
                f"{self!r} is open already: use `async with hub` once, for example in the lifespan of the "
                "application"
            )
        self._disconnected_at = monotonic()
        self._reads = asyncio.Semaphore(_MAX_READS)
        self._repeated_reads = asyncio.Semaphore(_MAX_READS)
        try:
            await self.broker.start(self)
        except BaseException:
            self._disconnected_at = None
            raise
        self._state = self._state.to[_OPEN]
        self._schedule_refresh()
        add_hub(self)

    async def close(self) -> None:
        """Close the connections to the broker. Receivers get no further messages."""
        if self._state is not _OPEN:
            return
        endpoint, self.endpoint = self.endpoint, None
        try:
            if endpoint is not None:
                await endpoint.close()  # it announces the departure of its clients
        finally:
            if self._state is _OPEN:
                await self._close()

    async def _close(self) -> None:
        self._state = self._state.to[_CLOSED]
        if self._refresher is not None:
            self._refresher.cancel()
            self._refresher = None
        for subscription in list(self._subscriptions):
            subscription.end()
        try:
            await self._end_tasks()
        finally:
            try:
                await self.broker.close()
            finally:
                self._retries.wake()  # waiting publications fail
                remove_hub(self)
                counts.add_disconnected(self.disconnected_for)
                self._disconnected_at = None

    async def _end_tasks(self) -> None:
        readers, self._readers = [*self._readers.values(), *self._head_reads], {}
        self._channels.clear()  # ends readers whose cancellation is lost, see `_read`
        for reader in readers:
            reader.cancel()
        await self._patterns.close()
        await asyncio.gather(*readers, return_exceptions=True)

    async def __aenter__(self) -> Hub:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _check_open(self) -> None:
        """Check that the hub is open.

        :raises RuntimeError: if it has not been opened yet.
        :raises BrokerUnavailableError: if it was closed.
        """
        if self._state is _NEW:
            raise RuntimeError(
                f"{self!r} is not open: use `async with hub`, for example in the application's lifespan"
            )
        if self._state is _CLOSED:
            raise BrokerUnavailableError(f"{self!r} is closed")

    @property
    def disconnected_for(self) -> float:
        """Return the number of seconds for which no messages could arrive; 0 while they can."""
        since = self._disconnected_at  # read once, because another thread may call this
        return 0.0 if since is None else monotonic() - since

    @property
    def waiting_publications(self) -> int:
        """Return the number of messages that wait for the broker."""
        return self._publishing

    def subscriber_counts(self) -> Iterator[int]:
        """Yield the number of receivers of each channel, except channels for internal use."""
        return (len(state) for name, state in list(self._channels.items()) if not name.startswith(RESERVED))

    # -- publishing --

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Position:
        """Publish a message, and return its position when the broker has stored it.

        While the broker cannot be reached, the message waits until the deadline. It is stored at most once,
        although it may be sent to the broker several times.

        :param data: anything that can be encoded as JSON.
        :param key: see `Message`.
        :param idempotency_key: if another message was published with this key in the last two minutes, its
            position is returned and nothing is published.
        :param timeout: the time limit in seconds.
        :raises PublishError: if the broker has not confirmed the message by the deadline, too many messages
            wait for it, or the hub was closed.
        :raises TypeError: if `data` cannot be encoded as JSON.
        :raises ValueError: if `channel` is not the name of a channel, `data` contains a number that is not
            finite, or the time limit is not positive or more than an hour.
        """
        check_channel(channel)
        message = Message(channel, _encode(data), None, key)
        history = self._history_of(channel)
        idempotency_key = idempotency_key or os.urandom(12).hex()
        limit = self.timeout
        if timeout is not None:
            _check_timeout(timeout)
            limit = timeout
        try:
            self._check_open()
        except BrokerUnavailableError as error:
            raise PublishError(str(error), idempotency_key) from error
        if self._publishing >= self.max_waiting:
            raise PublishError(
                f"{self._publishing} messages wait for the broker: increase max_waiting", idempotency_key
            )
        self._publishing += 1
        is_measured = counts_of(channel).delays is not None and channel in self._channels
        if is_measured:
            self._delays.begin()
        began = monotonic()
        reason: BrokerUnavailableError | None = None
        try:
            async with asyncio.timeout(limit):
                delay = FIRST_DELAY
                while True:
                    try:
                        position = await self.broker.publish(
                            message, history, idempotency_key, max(120.0, 2 * limit)
                        )
                        counts_of(channel).count_publication(monotonic() - began)
                        if is_measured:
                            self._delays.published(channel, position, began, self.position(channel))
                        return position
                    except BrokerUnavailableError as error:
                        if self._state is not _OPEN:
                            raise PublishError(f"{self!r} was closed", idempotency_key) from error
                        reason = error
                        delay = await self._retries.wait(delay)
        except TimeoutError as error:
            counts_of(channel).add_failed()
            details = "" if reason is None else f" ({reason})"
            raise PublishError(
                f"the broker has not confirmed a message to {channel!r} within {limit} s{details}: check "
                "that it is running, or increase the timeout",
                idempotency_key,
            ) from error
        finally:
            self._publishing -= 1
            if is_measured:
                self._delays.end()

    async def send(self, channel: str, data: Any, *, key: str | None = None) -> None:
        """Send an ephemeral message: it is not stored, has no position, and may be lost.

        :raises BrokerUnavailableError: if it could not be sent.
        """
        check_channel(channel)
        self._check_open()
        await self.broker.send(Message(channel, _encode(data), None, key))
        counts_of(channel).add_sent()

    # -- receiving --

    def subscribe(self, channel: str, since: Position | None = None, *, limit: int = 1000) -> Subscription:
        """Return an asynchronous iterator over the messages and gaps of a channel.

        :param since: the position of the last message received; None for the messages from now on.
        :param limit: the number of messages to hold for a slow consumer. Later messages are read from the
            history when it has caught up.
        :raises ValueError: if `channel` is not the name of a channel.
        """
        check_channel(channel)
        if since is not None and not isinstance(since, Position):
            raise TypeError(f"since must be a Position or None, got {since!r:.100}: use Position.parse(text)")
        return Subscription(self, channel, since, limit, self._subscriptions)

    def attach(
        self,
        channel: str,
        receiver: Receiver | Any,
        since: Position | None = None,
        group: ReceiverGroup | None = None,
    ) -> None:
        """Deliver the messages of a channel to a receiver, without a Task or a queue.

        If the receiver is attached to this channel already, it continues at the new position.

        :param since: the position of the last message received. The receiver gets all later messages, and a
            `Gap` in place of those that are no longer available. With None it gets the messages that are
            published after the subscription of this process is established.
        :param group: an object that delivers to many receivers at once, instead of ``receiver.deliver``.
        """
        self._check_open()
        state = self._channels.get(channel)
        if state is None:
            state = self._channels[channel] = ChannelState(channel, self._tail)
            self._patterns.created(state)
        state.attach(receiver, self._each if group is None else group, since)
        self._read_if_needed(state)

    def detach(self, channel: str, receiver: Receiver | Any) -> None:
        """End the delivery to a receiver. It has no effect if the receiver is not attached."""
        state = self._channels.get(channel)
        if state is None:
            return
        state.detach(receiver)
        if not len(state):
            self._remove(channel)

    def _remove(self, channel: str) -> None:
        """Remove the state of a channel without receivers."""
        del self._channels[channel]
        self._unflushed.pop(channel, None)
        reader = self._readers.pop(channel, None)
        if reader is not None:
            reader.cancel()
        self.broker.unsubscribe(channel)

    def subscribe_pattern(self, pattern: str, *, limit: int = 1000) -> PatternSubscription:
        """Return an asynchronous iterator over the messages and gaps of all channels that match a pattern. ::

            async with hub.subscribe_pattern("room:*") as messages:
                await messages.established()
                async for message in messages:
                    print(message.channel)

        For each channel, the messages and gaps together are what is published after the pattern is
        established. To establish it, the position of each existing channel is read once, and again after the
        connection to the broker was lost.

        :param pattern: a name in which ``*`` stands for any text, also for none. All other characters stand
            for themselves. Channels that begin with ``$`` match only patterns that begin with ``$``.
        :param limit: see `subscribe`; it applies to all channels together.
        :raises ValueError: if `pattern` is empty.
        """
        check_pattern(pattern)
        return PatternSubscription(self, pattern, limit, self._subscriptions)

    def attach_pattern(
        self, pattern: str, receiver: Receiver | Any, group: ReceiverGroup | None = None
    ) -> None:
        """Deliver the messages of all channels that match a pattern to a receiver.

        See `subscribe_pattern` for the patterns and the guarantee, and `attach` for the other parameters.
        Each call of ``deliver`` is for one channel.
        """
        self._check_open()
        self._patterns.attach(pattern, receiver, self._each if group is None else group)

    def detach_pattern(self, pattern: str, receiver: Receiver | Any) -> None:
        """End the delivery to a receiver of a pattern. It has no effect if the receiver is not attached."""
        self._patterns.detach(pattern, receiver)

    async def established(self, pattern: str) -> None:
        """Wait until a pattern with receivers is established.

        :raises BrokerUnavailableError: if the hub was closed.
        """
        event = self._patterns.event(pattern)
        if event is not None:
            await event.wait()
            self._check_open()

    async def read_history(self, channels: Collection[str], timeout: float) -> bool:
        """Wait until the history that receivers of channels need has been read and delivered.

        :param timeout: the time limit in seconds.
        :returns: whether it has been.
        """
        readers = [self._readers[each] for each in channels if each in self._readers]
        return not readers or not (await asyncio.wait(readers, timeout=timeout))[1]

    def position(self, channel: str) -> Position | None:
        """Return the position of the last message delivered in this process, or None if it is unknown."""
        state = self._channels.get(channel)
        return None if state is None else state.last

    async def head(self, channel: str) -> Position:
        """Return the position of the last message published.

        A receiver that is attached since this position can later continue in another process, even if it has
        not received a message yet.

        :raises BrokerUnavailableError: if the broker cannot be reached.
        """
        check_channel(channel)
        self._check_open()
        state = self._channels.get(channel)
        if state is not None and state.last is not None and not state.is_stale:
            if channel not in self._readers and not self.disconnected_for:
                return state.last
        reading = self._heads.get(channel)
        if reading is None:
            reading = self._heads[channel] = start_lazily(self._read_head(channel))
            self._head_reads.add(reading)
            reading.add_done_callback(functools.partial(self._end_head_read, channel))
        try:
            # Not `asyncio.shield`: if its caller is cancelled, Python 3.14 logs the exception of the read.
            await asyncio.wait((reading,))
            self._check_open()
            if reading.cancelled():
                raise BrokerUnavailableError(f"the read of channel {channel!r} was cancelled")
            return reading.result()
        finally:
            del reading  # otherwise its exception would refer to itself

    def _end_head_read(self, channel: str, reading: asyncio.Task[Position]) -> None:
        self._head_reads.discard(reading)
        if self._heads.get(channel) is reading:  # it was cancelled before it began
            del self._heads[channel]
        if not reading.cancelled():
            reading.exception()  # marks it as retrieved, because all callers may have been cancelled

    async def _read_head(self, channel: str) -> Position:
        # A later caller may have published in between, and needs another read.
        del self._heads[channel]
        return (await self.broker.read(channel, None, 0, self._history_of(channel))).head

    # -- the interface for the broker --

    def received(self, message: Message) -> None:
        """See `BrokerListener.received`."""
        if self._delays and message.position is not None:
            self._delays.arrived(message.channel, message.position)
        state = self._channels.get(message.channel)
        if state is None:
            state = self._patterns.wake(message)
            if state is None:
                return
        if state.receive(message):
            if not self._unflushed:
                asyncio.get_running_loop().call_soon(self._flush)
            self._unflushed[message.channel] = state
        elif state.is_stale:
            self._read_if_needed(state)

    def connected(self) -> None:
        """See `BrokerListener.connected`."""
        counts.add_disconnected(self.disconnected_for)
        self._disconnected_at = None
        self._retries.wake()
        for state in self._channels.values():
            state.is_stale = True
            self._read_if_needed(state)
        self._patterns.connected()

    def disconnected(self) -> None:
        """See `BrokerListener.disconnected`."""
        if self._disconnected_at is None:
            self._disconnected_at = monotonic()
        self._patterns.disconnected()

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, {}
        for state in unflushed.values():
            state.flush()

    # -- history --

    def _read_if_needed(self, state: ChannelState) -> None:
        # A receiver may have detached itself while it was being attached, and the channel with it.
        is_current = self._channels.get(state.name) is state
        if is_current and state.must_read and state.name not in self._readers:
            self._readers[state.name] = start_lazily(self._read(state))

    def _is_reading(self, channel: str) -> bool:
        return channel in self._readers

    def _schedule_refresh(self) -> None:
        if self.broker.max_unused is not None:
            interval = self.broker.max_unused / 4
            self._refresher = asyncio.get_running_loop().call_later(interval, self._refresh)

    def _refresh(self) -> None:
        """Read the silent channels with receivers, so that the broker does not forget them."""
        self._schedule_refresh()
        for state in list(self._channels.values()):
            if state.last is not None and state.last == state.refreshed:
                state.is_stale = True
                self._read_if_needed(state)
            state.refreshed = state.last

    async def _read(self, state: ChannelState) -> None:
        """Subscribe to a channel and read its history until no receiver waits for it."""
        delay = FIRST_DELAY
        try:
            # Its cancellation may be lost: `asyncio.wait_for` of Python 3.11 suppresses some.
            while state.must_read and self._channels.get(state.name) is state:
                try:
                    async with self._reads if delay == FIRST_DELAY else self._repeated_reads:
                        await self._read_page(state)
                    delay = FIRST_DELAY
                except BrokerUnavailableError:
                    state.is_stale = True
                    delay = await self._retries.wait(delay)
                except Exception:
                    gen_log.error("Exception while channel %r was read", state.name, exc_info=True)
                    state.is_stale = True
                    await asyncio.sleep(MAX_DELAY)
        finally:
            if self._readers.get(state.name) is asyncio.current_task():
                del self._readers[state.name]

    async def _read_page(self, state: ChannelState) -> None:
        if not self._patterns.covers(state.name):
            await self.broker.subscribe(state.name)
        after = state.begin_read()
        page = await self.broker.read(
            state.name, after, 0 if after is None else _PAGE, self._history_of(state.name)
        )
        if self._channels.get(state.name) is state:
            state.apply(page)


def _check_arguments(broker: Any, history: Any, tail: Any, timeout: Any, max_waiting: Any) -> None:
    if not isinstance(broker, Broker):
        raise TypeError(f"broker must be a Broker such as MemoryBroker(), got {broker!r:.100}")
    if not (history is None or isinstance(history, History) or callable(history)):
        raise TypeError(f"history must be a History, a function or None, got {history!r:.100}")
    if not (isinstance(tail, int) and tail >= 0):
        raise ValueError(f"tail must be a number of messages, at least 0, got {tail!r}")
    _check_timeout(timeout)
    if not (isinstance(max_waiting, int) and max_waiting >= 1):
        raise ValueError(f"max_waiting must be a number of messages, at least 1, got {max_waiting!r}")


def _check_timeout(timeout: Any) -> None:
    # Idempotency keys are stored for twice this time.
    if not (isinstance(timeout, (int, float)) and 0 < timeout <= _MAX_TIMEOUT):
        raise ValueError(
            f"timeout must be a positive number of seconds, at most {_MAX_TIMEOUT}, got {timeout!r}"
        )


def _encode(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


__all__ = ["Hub"]
