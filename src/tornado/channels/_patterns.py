"""The receivers of patterns: of all channels whose names match, also of those that do not exist yet.

While a pattern is subscribed, the position of each matching channel is known: it was read when the pattern
was established, or the channel did not exist then. A channel with messages has a `ChannelState`, to which
the pattern is attached at this position, so missing messages are found as for any receiver. After a while
without messages only the position is stored. It is forgotten when the broker has forgotten the channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tornado._loop.tasks import start_lazily
from tornado.channels._broker import UNKNOWN_EPOCH, Broker
from tornado.channels._channel_state import ChannelState
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._pattern import Pattern
from tornado.channels._receivers import ReceiverGroup
from tornado.channels._retries import FIRST_DELAY, MAX_DELAY, Retries, gather_all
from tornado.channels._values import Gap, History, Message, Position
from tornado.log import app_log, gen_log

#: The number of channels whose position is read at the same time.
_MAX_READS = 32
#: The interval after which a channel without messages is reduced to its position, in seconds.
_SILENCE = 30.0
#: The number of ephemeral messages that wait for the position of a new channel.
_MAX_WAITING = 100
#: The minimum time without messages after which a position may be forgotten, and the interval in which such
#: positions are looked for, in seconds.
_MIN_IDLE = 3600.0


class _Known(NamedTuple):
    """The last known position of a channel, and the time of the event loop when it was confirmed."""

    position: Position
    time: float


class _PatternReceivers:
    """A pattern and its receivers. It is itself a receiver of each matching channel.

    :ivar is_confirmed: whether the broker has confirmed the subscription.
    :ivar established: set when the positions of all channels were read once.
    :ivar must_check: whether channels may have messages that were missed.
    :ivar attached: the channels to whose states it is attached.
    :ivar checked: the channels whose positions were read on this connection, until all are.
    """

    __slots__ = (
        "_groups",
        "attached",
        "checked",
        "established",
        "is_confirmed",
        "must_check",
        "pattern",
        "task",
    )

    def __init__(self, text: str) -> None:
        self.pattern = Pattern(text)
        self.is_confirmed = False
        self.must_check = True
        self.established = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.attached: set[str] = set()
        self.checked: set[str] = set()
        self._groups: dict[ReceiverGroup, dict[Any, None]] = {}

    def attach(self, receiver: Any, group: ReceiverGroup) -> None:
        """Add a receiver, or change its group."""
        self.detach(receiver)
        self._groups.setdefault(group, {})[receiver] = None

    def detach(self, receiver: Any) -> bool:
        """Remove a receiver. Return whether there are no others."""
        for group, receivers in list(self._groups.items()):
            if receiver in receivers:
                del receivers[receiver]
                if not receivers:
                    del self._groups[group]
        return not self._groups

    def knows(self, channel: str) -> bool:
        """Whether the pattern receives the messages after the known position of a channel."""
        return self.established.is_set() or channel in self.checked

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Deliver messages of one channel to all receivers."""
        for group, receivers in list(self._groups.items()):
            try:
                group.deliver(receivers, items)
            except Exception:
                app_log.error("Exception in %r.deliver() for %r", group, self.pattern, exc_info=True)


class Patterns:
    """The patterns of a hub.

    :param broker: the broker.
    :param channels: the states of the channels of the hub.
    :param tail: the number of messages to keep in memory for each channel.
    :param history_of: returns the limits of the history of a channel.
    :param each: the group for receivers of channels.
    :param read: reads the history of a channel if this is needed.
    :param is_reading: whether the history of a channel is being read.
    :param remove: removes the state of a channel without receivers.
    :param retries: the delays of the hub between attempts.
    """

    def __init__(
        self,
        broker: Broker,
        channels: dict[str, ChannelState],
        tail: int,
        history_of: Callable[[str], History],
        each: ReceiverGroup,
        read: Callable[[ChannelState], None],
        is_reading: Callable[[str], bool],
        remove: Callable[[str], None],
        retries: Retries,
    ) -> None:
        self._broker = broker
        self._channels = channels
        self._tail = tail
        self._history_of = history_of
        self._each = each
        self._read = read
        self._is_reading = is_reading
        self._remove = remove
        self._retries = retries
        self._patterns: dict[str, _PatternReceivers] = {}
        #: The last known positions of matching channels.
        self._positions: dict[str, _Known] = {}
        #: The time since which messages arrive without an interruption; None while they do not.
        self._connected_at: float | None = None
        #: The number of calls of `connected`: a position that was read before the last one proves nothing.
        self._connections = 0
        self._forgetting: asyncio.Task[None] | None = None
        self._forget_at = 0.0
        self._reads = asyncio.Semaphore(_MAX_READS)
        #: The channels whose position is being read because of a message, with ephemeral messages.
        self._opening: dict[str, tuple[asyncio.Task[None], list[Message]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """End all work."""
        tasks = [task for task, _ in self._opening.values()]
        tasks += [each.task for each in self._patterns.values() if each.task is not None]
        if self._forgetting is not None:
            tasks.append(self._forgetting)
        for entry in self._patterns.values():
            entry.established.set()  # ends those who wait for it
        self._patterns.clear()
        self._positions.clear()
        self._opening.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._connected_at = None
        self._reads = asyncio.Semaphore(_MAX_READS)  # the next event loop may be another one

    # -- receivers --

    def attach(self, text: str, receiver: Any, group: ReceiverGroup) -> None:
        """Add a receiver of a pattern."""
        entry = self._patterns.get(text)
        if entry is None:
            entry = self._patterns[text] = _PatternReceivers(text)
            if self._sweeper is None:
                self._sweep()
            self._check(entry)
        entry.attach(receiver, group)

    def detach(self, text: str, receiver: Any) -> None:
        """Remove a receiver of a pattern if it is attached."""
        entry = self._patterns.get(text)
        if entry is None or not entry.detach(receiver):
            return
        del self._patterns[text]
        if entry.task is not None:
            entry.task.cancel()
        self._broker.unsubscribe_pattern(text)
        for state in list(self._channels.values()):
            if entry.pattern.matches(state.name):  # it may have been covered without being attached
                state.detach(entry)
                if not len(state):
                    self._remove(state.name)
                elif not self.covers(state.name):
                    # The channel itself must be subscribed now.
                    state.is_stale = True
                    self._read(state)
        others = [each.pattern for each in self._patterns.values()]
        for channel in [each for each in self._positions if entry.pattern.matches(each)]:
            if not any(pattern.matches(channel) for pattern in others):
                del self._positions[channel]

    def event(self, text: str) -> asyncio.Event | None:
        """Return the event that is set when a pattern is established."""
        entry = self._patterns.get(text)
        return None if entry is None else entry.established

    def covers(self, channel: str) -> bool:
        """Whether the messages of a channel arrive without a subscription to it."""
        return self._broker.patterns_receive(channel) and any(
            each.is_confirmed and each.pattern.matches(channel) for each in self._patterns.values()
        )

    def _matching(self, channel: str) -> list[_PatternReceivers]:
        return [each for each in self._patterns.values() if each.pattern.matches(channel)]

    # -- messages --

    def wake(self, message: Message) -> ChannelState | None:
        """Return the state for a message of a channel that has none; None if it is not needed yet."""
        channel, position = message.channel, message.position
        if not self._patterns:
            return None
        opening = self._opening.get(channel)
        if opening is not None:
            if position is None and len(opening[1]) < _MAX_WAITING:
                opening[1].append(message)
            return None
        matching = self._matching(channel)
        known = self._position_of(channel)
        if not matching or (known is None and not any(each.established.is_set() for each in matching)):
            return None
        if (
            known is None
            and position is not None
            and position.offset == 1
            and position.epoch != UNKNOWN_EPOCH
        ):
            known = Position(position.epoch, 0)
        if known is not None:
            return self._open(channel, known)
        self._begin_opening(channel)
        if position is None:
            self._opening[channel][1].append(message)
        return None

    def created(self, state: ChannelState) -> None:
        """Attach the patterns to the new state of a channel, whose history will be read."""
        matching = self._matching(state.name)
        known = self._position_of(state.name)
        if known is None and any(each.established.is_set() for each in matching):
            self._begin_opening(state.name)
        elif known is not None:
            self._join(state, known)

    def _open(self, channel: str, position: Position) -> ChannelState:
        """Create the state of a channel at a position."""
        state = self._channels[channel] = ChannelState(channel, self._tail)
        state.last = position
        self._store(channel, position)
        state.is_stale = False
        self._join(state, position)
        return state

    def _join(self, state: ChannelState, position: Position) -> None:
        """Attach the patterns that know the position of a channel."""
        for entry in self._matching(state.name):
            if entry.knows(state.name):
                self._attach(entry, state, position)

    def _attach(self, entry: _PatternReceivers, state: ChannelState, position: Position) -> None:
        if state.name not in entry.attached:
            entry.attached.add(state.name)
            state.attach(entry, self._each, position)

    def _begin_opening(self, channel: str) -> None:
        if channel not in self._opening:
            task = start_lazily(self._open_unknown(channel))
            self._opening[channel] = task, []

    async def _open_unknown(self, channel: str) -> None:
        """Open a channel that was created after a pattern was established, at its begin."""
        try:
            head = await self._head(channel)
            if head is None:
                return
            waiting = self._opening.pop(channel)[1]
            self._compare(channel, head, must_open=bool(waiting))
            state = self._channels.get(channel)
            if state is not None:
                for message in waiting:
                    state.receive(message)
                state.flush()
        except Exception:
            gen_log.error("Exception while channel %r was opened", channel, exc_info=True)
        finally:
            if self._opening.get(channel, (None,))[0] is asyncio.current_task():
                del self._opening[channel]

    async def _head(self, channel: str) -> Position | None:
        """Return the position of the last message of a channel, or None after `close`."""
        delay = FIRST_DELAY
        while channel in self._opening:
            try:
                async with self._reads:
                    page = await self._broker.read(channel, None, 0, self._history_of(channel))
                return page.head if channel in self._opening else None
            except BrokerUnavailableError:
                delay = await self._retries.wait(delay)
            except Exception:
                gen_log.error("Exception while channel %r was opened", channel, exc_info=True)
                await asyncio.sleep(MAX_DELAY)
        return None

    # -- positions --

    def _position_of(self, channel: str) -> Position | None:
        known = self._positions.get(channel)
        return None if known is None else known.position

    def _store(self, channel: str, position: Position) -> None:
        self._positions[channel] = _Known(position, asyncio.get_running_loop().time())

    def disconnected(self) -> None:
        """Learn that messages may be missed from now on."""
        self._connected_at = None

    def connected(self) -> None:
        """Look for messages that were missed while there was no connection."""
        self._connected_at = asyncio.get_running_loop().time()
        self._connections += 1
        for entry in self._patterns.values():
            entry.must_check = True
            entry.checked.clear()
            self._check(entry)

    def _check(self, entry: _PatternReceivers) -> None:
        if entry.task is None:
            entry.task = start_lazily(self._run_check(entry))

    async def _run_check(self, entry: _PatternReceivers) -> None:
        """Subscribe to a pattern, and compare the positions of all channels until this has succeeded."""
        delay = FIRST_DELAY
        try:
            # Its cancellation may be lost: `asyncio.wait_for` of Python 3.11 suppresses some.
            while entry.must_check and self._patterns.get(entry.pattern.text) is entry:
                entry.must_check = False
                try:
                    await self._check_channels(entry)
                    delay = FIRST_DELAY
                except BrokerUnavailableError:
                    entry.must_check = True
                    delay = await self._retries.wait(delay)
                except Exception:
                    gen_log.error("Exception while %r was subscribed", entry.pattern, exc_info=True)
                    entry.must_check = True
                    await asyncio.sleep(MAX_DELAY)
        finally:
            entry.task = None

    async def _check_channels(self, entry: _PatternReceivers) -> None:
        pattern = entry.pattern
        await self._broker.subscribe_pattern(pattern.text)
        entry.is_confirmed = True
        names = {each for each in await self._broker.channels(pattern.text) if pattern.matches(each)}
        names.update(each for each in self._positions if pattern.matches(each))
        names.update(each for each in self._channels if self._must_join(each, entry))
        names -= entry.checked | entry.attached
        while names and self._patterns.get(pattern.text) is entry:
            connections = self._connections
            heads = await self._broker.heads(names, self._history_of)
            remaining = iter(names)
            failed: list[BrokerUnavailableError] = []
            await gather_all(
                self._check_each(remaining, heads, connections, entry, failed)
                for _ in range(min(len(names), _MAX_READS))
            )
            if failed:
                raise failed[0]
            # Receivers of channels may have been attached since.
            names = {each for each in self._channels if self._must_join(each, entry)}
        entry.checked.clear()
        entry.established.set()

    async def _check_each(
        self,
        names: Iterator[str],
        heads: Mapping[str, Position],
        connections: int,
        entry: _PatternReceivers,
        failed: list[BrokerUnavailableError],
    ) -> None:
        """Compare the positions of channels. Those that cannot be read do not delay others.

        :param connections: the number of connections before `heads` were read.
        """
        for channel in names:
            if not self._must_join(channel, entry):
                continue
            head, known_since = heads.get(channel), connections
            if head is None:
                known_since = self._connections
                try:
                    head = (await self._broker.read(channel, None, 0, self._history_of(channel))).head
                except BrokerUnavailableError as error:
                    failed.append(error)
                    continue
            if self._patterns.get(entry.pattern.text) is entry:
                self._compare(channel, head, entry)
                if known_since == self._connections:  # otherwise a message may have been missed since
                    entry.checked.add(channel)

    def _must_join(self, channel: str, entry: _PatternReceivers) -> bool:
        """Whether the position of a channel must be read, so that a pattern can be attached to it."""
        if channel in entry.attached or not entry.pattern.matches(channel):
            return False
        return channel not in self._opening or not entry.established.is_set()

    def _compare(
        self,
        channel: str,
        head: Position,
        entry: _PatternReceivers | None = None,
        *,
        must_open: bool = False,
    ) -> None:
        """Open a channel if there are messages after its last known position.

        :param entry: the pattern for which the position was read. If it is not established yet, it receives
            only the messages after `head`.
        :param must_open: whether to open it in any case.
        """
        matching = self._matching(channel)
        if not matching:
            return
        # A channel without a position was created after any of the patterns was established.
        is_new = any(each.established.is_set() for each in matching)
        known = self._position_of(channel) or (Position(head.epoch, 0) if is_new else head)
        self._store(channel, known)
        state = self._channels.get(channel)
        if state is None and (known != head or must_open):
            state = self._open(channel, known)
            state.is_stale = True
        if state is not None:
            if entry is not None and not entry.established.is_set():
                self._attach(entry, state, head)
            self._join(state, known)
            self._read(state)

    def _sweep(self) -> None:
        """Reduce channels without messages since the last call to their positions, and do so again later."""
        self._sweeper = (
            asyncio.get_running_loop().call_later(_SILENCE, self._sweep) if self._patterns else None
        )
        for channel, state in list(self._channels.items()):
            matching = self._matching(channel)
            if not matching or state.last is None:
                continue
            is_silent = self._position_of(channel) == state.last
            self._store(channel, state.last)
            # A pattern that is not established yet may not be attached.
            has_others = len(state) > len(matching) or any(channel not in each.attached for each in matching)
            if is_silent and not (state.must_read or self._is_reading(channel) or has_others):
                for entry in matching:
                    entry.attached.discard(channel)
                    state.detach(entry)
                if not len(state):
                    self._remove(channel)
        self._forget_if_needed()

    # -- positions of channels that no longer exist --

    def _forget_if_needed(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._forget_at or self._forgetting is not None:
            return
        self._forget_at = now + _MIN_IDLE
        idle = {channel: known for channel, known in self._positions.items() if self._is_idle(channel, now)}
        if idle:
            self._forgetting = start_lazily(self._forget(idle))

    def _is_idle(self, channel: str, now: float) -> bool:
        """Whether a channel had no messages for so long that the broker may have forgotten it.

        All messages since its position was confirmed would have arrived: the connection was not interrupted.
        """
        known, connected_at = self._positions[channel], self._connected_at
        limit = max(_MIN_IDLE, 2 * self._history_of(channel).age)
        return (
            channel not in self._channels
            and channel not in self._opening
            and connected_at is not None
            and connected_at <= known.time <= now - limit
        )

    async def _forget(self, idle: Mapping[str, _Known]) -> None:
        """Forget the positions of idle channels that the broker does not have any more."""
        try:
            existing: set[str] = set()
            for text in list(self._patterns):
                existing.update(await self._broker.channels(text))
        except BrokerUnavailableError:
            return
        except Exception:
            gen_log.error("Exception while channels were listed", exc_info=True)
            return
        finally:
            self._forgetting = None
        now = asyncio.get_running_loop().time()
        for channel, known in idle.items():
            if channel not in existing and self._positions.get(channel) is known:
                if self._is_idle(channel, now):
                    del self._positions[channel]


__all__ = ["Patterns"]
