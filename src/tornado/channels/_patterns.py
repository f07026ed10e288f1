"""The receivers of patterns: of all channels whose names match, also of those that do not exist yet.

While a pattern is subscribed, the position of each matching channel is known: it was read when the pattern
was established, or the channel did not exist then. A channel with messages has a `ChannelState`, to which
the pattern is attached at this position, so missing messages are found as for any receiver. After a while
without messages only the position is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
        remove: Callable[[str], None],
        retries: Retries,
    ) -> None:
        self._broker = broker
        self._channels = channels
        self._tail = tail
        self._history_of = history_of
        self._each = each
        self._read = read
        self._remove = remove
        self._retries = retries
        self._patterns: dict[str, _PatternReceivers] = {}
        #: The last known positions of matching channels.
        self._positions: dict[str, Position] = {}
        #: The channels whose position is being read because of a message, with ephemeral messages.
        self._opening: dict[str, tuple[asyncio.Task[None], list[Message]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """End all work."""
        tasks = [task for task, _ in self._opening.values()]
        tasks += [each.task for each in self._patterns.values() if each.task is not None]
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
        return any(each.is_confirmed and each.pattern.matches(channel) for each in self._patterns.values())

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
        known = self._positions.get(channel)
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
        known = self._positions.get(state.name)
        if known is None and any(each.established.is_set() for each in matching):
            self._begin_opening(state.name)
        elif known is not None:
            self._join(state, known)

    def _open(self, channel: str, position: Position) -> ChannelState:
        """Create the state of a channel at a position."""
        state = self._channels[channel] = ChannelState(channel, self._tail)
        state.last = self._positions[channel] = position
        state.is_stale = False
        self._join(state, position)
        return state

    def _join(self, state: ChannelState, position: Position) -> None:
        for entry in self._matching(state.name):
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
                page = await self._broker.read(channel, None, 0, self._history_of(channel))
                return page.head if channel in self._opening else None
            except BrokerUnavailableError:
                delay = await self._retries.wait(delay)
            except Exception:
                gen_log.error("Exception while channel %r was opened", channel, exc_info=True)
                await asyncio.sleep(MAX_DELAY)
        return None

    # -- positions --

    def connected(self) -> None:
        """Look for messages that were missed while there was no connection."""
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
        if not entry.established.is_set():
            for state in list(self._channels.values()):
                if pattern.matches(state.name) and state.last is not None:
                    self._join(state, state.last)
                    self._read(state)
        names = {each for each in await self._broker.channels(pattern.text) if pattern.matches(each)}
        names.update(each for each in self._positions if pattern.matches(each))
        names.update(each for each in self._channels if self._must_join(each, entry))
        names -= entry.checked
        while names and self._patterns.get(pattern.text) is entry:
            remaining = iter(names)
            await gather_all(self._check_each(remaining, entry) for _ in range(min(len(names), _MAX_READS)))
            # Receivers of channels may have been attached since.
            names = {each for each in self._channels if self._must_join(each, entry)}
        entry.checked.clear()
        entry.established.set()

    async def _check_each(self, names: Iterator[str], entry: _PatternReceivers) -> None:
        for channel in names:
            if self._must_join(channel, entry):
                page = await self._broker.read(channel, None, 0, self._history_of(channel))
                if self._patterns.get(entry.pattern.text) is entry:
                    self._compare(channel, page.head)
                    entry.checked.add(channel)

    def _must_join(self, channel: str, entry: _PatternReceivers) -> bool:
        """Whether the position of a channel must be read, so that a pattern can be attached to it."""
        return (
            channel not in entry.attached and channel not in self._opening and entry.pattern.matches(channel)
        )

    def _compare(self, channel: str, head: Position, *, must_open: bool = False) -> None:
        """Open a channel if there are messages after its last known position.

        :param must_open: whether to open it in any case.
        """
        matching = self._matching(channel)
        if not matching:
            return
        # A channel without a position was created after any of the patterns was established.
        is_new = any(each.established.is_set() for each in matching)
        known = self._positions.setdefault(channel, Position(head.epoch, 0) if is_new else head)
        state = self._channels.get(channel)
        if state is not None:
            self._join(state, known)
        elif known != head or must_open:
            state = self._open(channel, known)
            state.is_stale = True
        if state is not None:
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
            is_silent = self._positions.get(channel) == state.last
            self._positions[channel] = state.last
            # A pattern that is not established yet may not be attached.
            has_others = len(state) > len(matching) or any(channel not in each.attached for each in matching)
            if is_silent and not state.must_read and not has_others:
                for entry in matching:
                    entry.attached.discard(channel)
                    state.detach(entry)
                if not len(state):
                    self._remove(channel)


__all__ = ["Patterns"]
