"""Receivers of patterns, with each of the brokers."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.channels import known_positions, silence
from tests.support.forwarder import Forwarder
from tornado.channels import (
    Broker,
    BrokerUnavailableError,
    Gap,
    History,
    Hub,
    MemoryBroker,
    NATSBroker,
    Page,
    Position,
    RedisBroker,
)

LOST = "connection to .* is lost"
RESTORED = "is restored after"


class Servers:
    """Creates hubs of one kind of broker."""

    def __init__(self, make: Callable[[int], Broker], server=None) -> None:
        self.make = make
        self.server = server
        self.port = 0 if server is None else server.port

    @asynccontextmanager
    async def hub(self, port: int | None = None, **options) -> AsyncIterator[Hub]:
        """A hub that is connected, by another port if one is given."""
        async with Hub(self.make(port or self.port), **options) as hub:
            await until(lambda: not hub.disconnected_for)
            yield hub

    @asynccontextmanager
    async def hubs(self, **options) -> AsyncIterator[tuple[Hub, Hub]]:
        """A hub for publishing and another one, in memory the same one."""
        async with self.hub(**options) as hub:
            if self.server is None:
                yield hub, hub
            else:
                async with self.hub(**options) as sender:
                    yield sender, hub


@pytest.fixture(params=["memory", "redis", "nats"])
def servers(request) -> Servers:
    if request.param == "memory":
        return Servers(lambda port: MemoryBroker())
    server = request.getfixturevalue(f"{request.param}_server")
    times = {"ping_interval": 0.1, "timeout": 0.5}
    if request.param == "redis":
        server.start()
        server.flush()
        return Servers(lambda port: RedisBroker(f"redis://127.0.0.1:{port}/0", **times), server)
    server.restart_empty()
    return Servers(lambda port: NATSBroker(f"nats://127.0.0.1:{port}", **times), server)


class Receiver:
    """Collects the data of messages, and gaps, by channel."""

    def __init__(self) -> None:
        self.got: dict[str, list[object]] = defaultdict(list)

    def deliver(self, items):
        for each in items:
            self.got[each.channel].append(each if isinstance(each, Gap) else each.data)


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def attached(hub: Hub, pattern: str) -> AsyncIterator[Receiver]:
    """A receiver of a pattern that is established."""
    receiver = Receiver()
    hub.attach_pattern(pattern, receiver)
    await hub.established(pattern)
    yield receiver
    hub.detach_pattern(pattern, receiver)


async def test_messages_of_all_matching_channels_arrive(servers):
    async with servers.hubs() as (sender, hub):
        await sender.publish("room:1", "before")
        async with hub.subscribe_pattern("room:*") as messages:
            await messages.established()
            for channel in ("room:1", "room:2", "rooms", "room:é}%{?[]", "room:1"):
                await sender.publish(channel, f"to {channel}", key="k")
            got = defaultdict(list)
            for _ in range(4):
                message = await anext(messages)
                got[message.channel].append((message.data, message.key))
        assert got == {
            "room:1": [("to room:1", "k")] * 2,
            "room:2": [("to room:2", "k")],
            "room:é}%{?[]": [("to room:é}%{?[]", "k")],
        }


@pytest.mark.parametrize("pattern", ["a?[b]\\*", "*\\c"])
async def test_other_characters_stand_for_themselves(servers, pattern):
    async with servers.hubs() as (sender, hub), attached(hub, pattern) as receiver:
        for channel in ("axb\\c", "a?b\\c", "axb", "$revocations", "a?[b]\\c"):
            await sender.publish(channel, 1)
        await until(lambda: "a?[b]\\c" in receiver.got)
        expected = {"a?[b]\\c"} if pattern.startswith("a") else {"axb\\c", "a?b\\c", "a?[b]\\c"}
        assert receiver.got.keys() == expected


async def test_channel_with_an_exact_receiver_and_patterns_delivers_once_to_each(servers):
    async with servers.hubs() as (sender, hub):
        exact, early = Receiver(), Receiver()
        hub.attach("room:1", early)
        await until(lambda: hub.position("room:1") is not None)
        async with attached(hub, "room:*") as first, attached(hub, "*:1") as second:
            hub.attach("room:1", exact)
            for number in range(5):
                await sender.publish("room:1", number)
                await sender.send("room:1", f"typing {number}")
            await sender.publish("room:1", "end")
            await until(lambda: all("end" in each.got["room:1"] for each in (exact, early, first, second)))
            for each in (exact, early, first, second):
                assert [item for item in each.got["room:1"] if isinstance(item, int)] == [0, 1, 2, 3, 4]
                assert len(each.got["room:1"]) == 11, each.got
        await sender.publish("room:1", "later")
        await until(lambda: "later" in exact.got["room:1"] and "later" in early.got["room:1"])
        assert first.got["room:1"] == second.got["room:1"]
        assert len(exact.got["room:1"]) == len(early.got["room:1"]) == 12


async def test_ephemeral_messages_of_unknown_channels_arrive(servers):
    async with servers.hubs() as (sender, hub), attached(hub, "room:*") as receiver:
        for number in range(3):
            await sender.send("room:1", number)
        await sender.publish("room:1", "kept")
        await until(lambda: "kept" in receiver.got["room:1"] and len(receiver.got["room:1"]) == 4)
        assert [each for each in receiver.got["room:1"] if each != "kept"] == [0, 1, 2]


async def test_end_of_a_pattern_ends_the_delivery(servers):
    async with servers.hubs() as (sender, hub):
        receiver = Receiver()
        hub.attach_pattern("room:*", receiver)
        await hub.established("room:*")
        await sender.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        hub.detach_pattern("room:*", receiver)
        hub.detach_pattern("room:*", receiver)
        assert hub.position("room:1") is None
        async with attached(hub, "room:*") as other:
            await sender.publish("room:1", 2)
            await until(lambda: other.got["room:1"] == [2])
        assert receiver.got["room:1"] == [1]


async def test_slow_consumer_continues_from_history(servers):
    async with servers.hubs(tail=5) as (sender, hub):
        async with hub.subscribe_pattern("room:*", limit=10) as messages:
            await messages.established()
            for number in range(60):
                await sender.publish(f"room:{number % 3}", number)
            got = defaultdict(list)
            for _ in range(60):
                message = await anext(messages)
                got[message.channel].append(message.data)
            assert got == {f"room:{n}": list(range(n, 60, 3)) for n in range(3)}
            await sender.publish("room:1", "later")
            assert (await anext(messages)).data == "later"


async def test_slow_consumer_gets_a_gap_after_a_short_history(servers):
    async with servers.hubs(tail=2, history=History(count=5)) as (sender, hub):
        async with hub.subscribe_pattern("room:*", limit=10) as messages:
            await messages.established()
            for number in range(30):
                last = await sender.publish("room:1", number)
                await until(lambda: hub.position("room:1") == last)  # noqa: B023
            got = [await anext(messages) for _ in range(16)]
            assert [each.data for each in got[:10]] == list(range(10))
            assert got[10].missed == 15
            assert [each.data for each in got[11:]] == [25, 26, 27, 28, 29]


async def test_silent_channels_keep_their_position(servers):
    async with servers.hubs() as (sender, hub), attached(hub, "room:*") as receiver:
        last = await sender.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        assert hub.position("room:1") == last
        silence(hub)
        assert hub.position("room:1") is None
        await sender.publish("room:1", 2)
        await sender.publish("room:1", 3)
        await until(lambda: receiver.got["room:1"] == [1, 2, 3])


@pytest.mark.parametrize("servers", ["redis", "nats"], indirect=True)
async def test_interruption_loses_nothing(servers, expect_log):
    """Also messages of channels that are silent, were never seen, or are created in the meantime are read."""
    async with servers.hub() as sender, interruptible(servers) as (forwarder, hub):
        for channel in ("room:seen", "room:unseen", "room:idle", "other"):
            await sender.publish(channel, "before")
        async with attached(hub, "room:*") as receiver:
            for channel in ("room:seen", "room:silent"):
                await sender.publish(channel, 1)
            await until(lambda: len(receiver.got) == 2)
            silence(hub)
            silence(hub)
            await sender.publish("room:seen", 2)
            await until(lambda: receiver.got["room:seen"] == [1, 2])
            with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
                forwarder.use(1)
                await until(lambda: hub.disconnected_for)
                for channel in ("room:seen", "room:silent", "room:unseen", "room:new"):
                    await sender.publish(channel, "missed")
                    await sender.publish(channel, "missed too")
                forwarder.use(0)
                await until(lambda: not hub.disconnected_for)
            missed = ["missed", "missed too"]
            await until(
                lambda: len(receiver.got) == 4 and all("missed too" in each for each in receiver.got.values())
            )
            assert receiver.got == {
                "room:seen": [1, 2, *missed],
                "room:silent": [1, *missed],
                "room:unseen": missed,
                "room:new": missed,
            }


@asynccontextmanager
async def interruptible(servers: Servers) -> AsyncIterator[tuple[Forwarder, Hub]]:
    """A hub that has no connection to its server while the forwarder uses its second port."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as closing:
        ports = [servers.port, closing.sockets[0].getsockname()[1]]
        with Forwarder(ports) as forwarder:
            async with servers.hub(forwarder.port) as hub:
                yield forwarder, hub


@pytest.mark.parametrize("servers", ["redis"], indirect=True)
async def test_killed_server_is_a_gap_in_each_channel(servers, expect_log):
    async with servers.hub() as sender, servers.hub() as hub:
        old = await sender.publish("room:old", "before")
        async with attached(hub, "room:*") as receiver:
            last = [await sender.publish(f"room:{number}", 1) for number in range(2)]
            await until(lambda: len(receiver.got) == 2)
            silence(hub)
            silence(hub)
            with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
                servers.server.stop()
                await until(lambda: hub.disconnected_for and sender.disconnected_for)
                servers.server.start()
                position = await sender.publish("room:0", 2, timeout=20)
                await until(lambda: not hub.disconnected_for and not sender.disconnected_for)
            await until(lambda: 2 in receiver.got["room:0"] and len(receiver.got["room:1"]) == 2)
            await until(lambda: receiver.got["room:old"])
            assert receiver.got["room:0"] == [1, Gap("room:0", last[0], Position(position.epoch, 0)), 2]
            assert [each.after for each in receiver.got["room:1"][1:]] == [last[1]]
            assert [each.after for each in receiver.got["room:old"]] == [old]


async def test_receiver_that_raises_affects_no_other(servers, expect_log):
    class Faulty:
        def deliver(self, receivers, items):
            raise ZeroDivisionError

    async with servers.hubs() as (sender, hub), attached(hub, "*") as receiver:
        hub.attach_pattern("*", "faulty", Faulty())
        with expect_log("tornado.application", "Exception in .*Faulty"):
            await sender.publish("c", 1)
            await until(lambda: receiver.got["c"] == [1])
            hub.detach_pattern("*", "faulty")


def test_limit_of_a_pattern_subscription_is_checked():
    with pytest.raises(ValueError, match="limit must be a number"):
        Hub(MemoryBroker()).subscribe_pattern("*", limit=0)


class Delayed(MemoryBroker):
    """A broker that confirms the subscription to a pattern when `confirmed` is set, and reads history when
    `readable` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.confirmed = asyncio.Event()
        self.confirmed.set()
        self.readable = asyncio.Event()
        self.readable.set()

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        await self.readable.wait()
        return await super().read(channel, after, limit, history)

    async def subscribe_pattern(self, pattern: str) -> None:
        await self.confirmed.wait()
        await super().subscribe_pattern(pattern)


async def test_new_channel_of_an_interruption_is_complete_while_another_pattern_is_established(monkeypatch):
    broker = Delayed()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        with monkeypatch.context() as interruption:
            interruption.setattr(hub, "received", lambda message: None)
            for number in range(3):
                await hub.publish("room:1", number)
        broker.confirmed.clear()
        other = Receiver()
        hub.attach_pattern("*", other)  # reads the positions of all channels when it is confirmed
        await asyncio.sleep(0)
        broker.confirmed.set()
        await hub.established("*")
        hub.connected()
        await until(lambda: receiver.got["room:1"] == [0, 1, 2])
        await hub.publish("room:1", 3)
        await until(lambda: receiver.got["room:1"] == [0, 1, 2, 3] and other.got["room:1"][-1] == 3)


@pytest.mark.parametrize("is_known", [True, False])
async def test_pattern_is_established_when_it_has_the_positions_of_channels_being_read(is_known):
    broker = Delayed()
    async with Hub(broker) as hub:
        if is_known:
            await hub.publish("room:1", 0)
        broker.readable.clear()
        client, receiver = Receiver(), Receiver()
        hub.attach("room:1", client)
        hub.attach_pattern("room:*", receiver)
        for _ in range(20):
            await asyncio.sleep(0)
        broker.readable.set()
        await hub.established("room:*")
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])


async def test_pattern_that_ends_while_positions_are_read():
    broker = Delayed()
    async with Hub(broker) as hub:
        broker.readable.clear()
        client, receiver = Receiver(), Receiver()
        hub.attach("room:1", client)
        hub.attach_pattern("room:*", receiver)
        for _ in range(20):
            await asyncio.sleep(0)
        hub.detach_pattern("room:*", receiver)
        broker.readable.set()
        await until(lambda: hub.position("room:1") is not None)
        await hub.publish("room:1", 1)
        await until(lambda: client.got["room:1"] == [1])
        assert not receiver.got


async def test_silent_channel_of_a_client_stays_while_another_pattern_is_not_established():
    broker = Delayed()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        client = Receiver()
        hub.attach("room:1", client, hub.position("room:1"))
        broker.confirmed.clear()
        hub.attach_pattern("*", Receiver())
        silence(hub)
        silence(hub)
        await hub.publish("room:1", 2)
        await until(lambda: client.got["room:1"] == [2])
        assert receiver.got["room:1"] == [1, 2]
        broker.confirmed.set()
        await hub.established("*")


class Held(MemoryBroker):
    """A broker whose list of channels, or whose position of a channel, arrives when `continued` is set."""

    def __init__(self, *held: str) -> None:
        super().__init__()
        self.held = held
        self.continued = asyncio.Event()

    async def channels(self, pattern):
        if "channels" in self.held:
            await self.continued.wait()
        return await super().channels(pattern)

    async def read(self, channel, after, limit, history):
        if channel in self.held:
            await self.continued.wait()
        return await super().read(channel, after, limit, history)


@pytest.mark.parametrize("held", ["channels", "room:1"])
async def test_channel_is_subscribed_when_the_pattern_that_covered_it_ends(held):
    """The pattern was confirmed, but not attached to the channel yet."""
    broker = Held(held)
    async with Hub(broker) as hub:
        pattern, receiver = Receiver(), Receiver()
        hub.attach_pattern("room:*", pattern)
        if held != "channels":
            await hub.established("room:*")
        await asyncio.sleep(0.01)
        hub.attach("room:1", receiver)
        await asyncio.sleep(0.01)
        hub.detach_pattern("room:*", pattern)
        broker.continued.set()
        await until(lambda: hub.position("room:1") is not None)
        await asyncio.sleep(0.01)
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        assert not pattern.got


async def test_new_channel_is_opened_after_an_unexpected_error(expect_log, monkeypatch):
    class Failing(MemoryBroker):
        fails = False

        async def read(self, channel, after, limit, history):
            if self.fails and after is None:
                self.fails = False
                raise LookupError("unexpected")
            return await super().read(channel, after, limit, history)

    monkeypatch.setattr("tornado.channels._patterns.MAX_DELAY", 0.01)
    broker = Failing()
    async with Hub(broker) as hub, attached(hub, "room:*") as pattern:
        receiver = Receiver()
        broker.fails = True
        with expect_log("tornado.general", "Exception while channel 'room:1' was opened"):
            hub.attach("room:1", receiver)
            await until(lambda: hub.position("room:1") is not None and not broker.fails)
            await asyncio.sleep(0.05)
        for number in range(3):
            await hub.publish("room:1", number)
        await until(lambda: receiver.got["room:1"] == pattern.got["room:1"] == [0, 1, 2])


async def test_unreadable_channel_does_not_multiply_reads():
    class Failing(MemoryBroker):
        reading = peak = 0
        total: Counter[str] = Counter()

        async def channels(self, pattern):
            return [f"room:{number}" for number in range(200)]

        async def read(self, channel, after, limit, history):
            self.reading += 1
            self.peak = max(self.peak, self.reading)
            self.total[channel] += 1
            try:
                await asyncio.sleep(0)
                if channel == "room:7" and self.total[channel] < 5:
                    raise BrokerUnavailableError("no response")
                return await super().read(channel, after, limit, history)
            finally:
                self.reading -= 1

    broker = Failing()
    async with Hub(broker) as hub, attached(hub, "room:*"):
        assert broker.peak <= 32
        assert broker.total["room:7"] == 5
        assert broker.total.total() == 200 + 4  # a failure does not end the reads of others


async def test_sweep_continues_after_an_error(monkeypatch, expect_log):
    class Failing(MemoryBroker):
        def unsubscribe(self, channel):
            raise LookupError("unexpected")

    broker = Failing()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"])
        silence(hub)
        with pytest.raises(LookupError):
            silence(hub)
        monkeypatch.delattr(Failing, "unsubscribe")
        silence(hub)  # there is a timer


async def test_new_pattern_does_not_receive_what_another_one_has_missed(monkeypatch):
    async with Hub(MemoryBroker()) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        silence(hub)
        with monkeypatch.context() as interruption:
            interruption.setattr(hub, "received", lambda message: None)
            await hub.publish("room:1", 2)
        async with attached(hub, "*") as other:
            await hub.publish("room:1", 3)
            await until(lambda: receiver.got["room:1"] == [1, 2, 3])
            assert other.got["room:1"] == [3]


async def test_pattern_receives_nothing_before_it_is_established():
    broker = Delayed()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        silence(hub)
        broker.confirmed.clear()
        other = Receiver()
        hub.attach_pattern("*", other)
        for channel in ("room:1", "room:2"):
            await hub.publish(channel, "early")
        await until(lambda: receiver.got == {"room:1": [1, "early"], "room:2": ["early"]})
        broker.confirmed.set()
        await hub.established("*")
        for channel in ("room:1", "room:2"):
            await hub.publish(channel, "late")
        await until(lambda: len(other.got) == 2)
        assert other.got == {"room:1": ["late"], "room:2": ["late"]}


class Forgetful(MemoryBroker):
    """A broker that does not list channels that it has forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: set[str] = set()

    async def channels(self, pattern):
        return set(await super().channels(pattern)) - self.forgotten


@pytest.mark.parametrize("case", ["forgotten", "existing", "disconnected", "recent", "used"])
async def test_position_is_forgotten_when_nothing_can_have_been_missed(monkeypatch, case):
    monkeypatch.setattr("tornado.channels._patterns._MIN_IDLE", 0.0)
    broker = Forgetful()
    history = History(age=3600 if case == "recent" else 0.001)
    async with Hub(broker, history=history) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        silence(hub)
        assert known_positions(hub) == {"room:1"}
        if case != "existing":
            broker.forgotten.add("room:1")
        if case == "disconnected":
            hub.disconnected()
        await asyncio.sleep(0.01)
        silence(hub)
        if case == "used":  # while the channels are listed
            await hub.publish("room:1", 2)
        await asyncio.sleep(0.01)
        assert known_positions(hub) == (set() if case == "forgotten" else {"room:1"})


async def test_position_that_is_confirmed_after_an_interruption_is_forgotten(monkeypatch):
    monkeypatch.setattr("tornado.channels._patterns._MIN_IDLE", 0.0)
    broker = Forgetful()
    async with Hub(broker, history=History(age=0.001)) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        silence(hub)
        broker.forgotten.add("room:1")
        hub.disconnected()
        hub.connected()
        for _ in range(2):  # the position is read again at first
            await asyncio.sleep(0.01)
            silence(hub)
        await asyncio.sleep(0.01)
        assert known_positions(hub) == set()
        assert receiver.got["room:1"] == [1]


@pytest.mark.parametrize("servers", ["redis", "nats"], indirect=True)
async def test_interruption_costs_no_read_of_channels_without_new_messages(servers, expect_log, monkeypatch):
    read = Counter()
    async with servers.hub() as sender, interruptible(servers) as (forwarder, hub):
        original = hub.broker.read

        async def counted(channel, *arguments):
            read[channel] += 1
            return await original(channel, *arguments)

        monkeypatch.setattr(hub.broker, "read", counted)
        for number in range(120):
            await sender.publish(f"room:{number}", "before")
        async with attached(hub, "room:*") as receiver:
            assert not read
            with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
                forwarder.use(1)
                await until(lambda: hub.disconnected_for)
                await sender.publish("room:7", "missed")
                await sender.publish("room:new", "missed")
                forwarder.use(0)
                await until(lambda: not hub.disconnected_for)
            await until(lambda: len(receiver.got) == 2)
            assert receiver.got == {"room:7": ["missed"], "room:new": ["missed"]}
            assert read.keys() == {"room:7", "room:new"}


async def test_channel_is_not_reduced_to_its_position_while_its_history_is_read(monkeypatch):
    broker = Delayed()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        await hub.publish("room:1", 1)
        await until(lambda: receiver.got["room:1"] == [1])
        silence(hub)
        with monkeypatch.context() as interruption:
            interruption.setattr(hub, "received", lambda message: None)
            await hub.publish("room:1", 2)
        broker.readable.clear()
        hub.connected()
        for _ in range(5):
            await asyncio.sleep(0)
        silence(hub)
        broker.readable.set()
        await until(lambda: receiver.got["room:1"] == [1, 2])


async def test_interruption_during_a_check_that_fails_loses_nothing(monkeypatch):
    """The positions that were read before the interruption are not used for the next attempt."""

    class Interrupted(MemoryBroker):
        def __init__(self) -> None:
            super().__init__()
            self.is_held = False
            self.held = asyncio.Event()
            self.continued = asyncio.Event()
            self.failures = 0

        async def heads(self, channels, history_of):
            found = {}
            for each in set(channels) - {"room:unreadable"}:
                found[each] = (await super().read(each, None, 0, History())).head
            if self.is_held:
                self.held.set()
                await self.continued.wait()
            return found

        async def read(self, channel, after, limit, history):
            if channel == "room:unreadable" and self.is_held:
                self.is_held = False
                self.failures += 1
                raise BrokerUnavailableError("no response")
            return await super().read(channel, after, limit, history)

    broker = Interrupted()
    async with Hub(broker) as hub, attached(hub, "room:*") as receiver:
        for channel in ("room:1", "room:unreadable"):
            await hub.publish(channel, 1)
        await until(lambda: len(receiver.got) == 2)
        silence(hub)
        silence(hub)
        broker.is_held = True
        hub.connected()
        await broker.held.wait()
        with monkeypatch.context() as interruption:
            interruption.setattr(hub, "received", lambda message: None)
            await hub.publish("room:1", 2)
        hub.connected()
        broker.continued.set()
        await until(lambda: receiver.got["room:1"] == [1, 2])
        assert broker.failures == 1
