"""A hub with a broker in memory."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tornado.channels import BrokerUnavailableError, Gap, History, Hub, MemoryBroker, Position, PublishError


class Unreliable(MemoryBroker):
    """A broker whose first operations fail, or succeed without a response."""

    def __init__(self, failures: int, *, stored: bool = False) -> None:
        super().__init__()
        self.failures = failures
        self.stored = stored

    async def publish(self, message, history, idempotency_key, lifetime):
        if self.failures:
            self.failures -= 1
            if self.stored:
                await super().publish(message, history, idempotency_key, lifetime)
            raise BrokerUnavailableError("no response")
        return await super().publish(message, history, idempotency_key, lifetime)


class Receiver:
    """Collects items."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []

    def deliver(self, items):
        self.batches.append([each if isinstance(each, Gap) else each.data for each in items])


async def take(messages, count):
    return [await anext(messages) for _ in range(count)]


async def use_each_method(hub: Hub) -> list[tuple[str, BaseException]]:
    """Call the methods that need the broker. Return the exceptions."""

    async def enter(subscription):
        async with subscription:
            pass

    calls = {
        "publish": hub.publish("c", 1),
        "send": hub.send("c", 1),
        "head": hub.head("c"),
        "subscribe": enter(hub.subscribe("c")),
        "subscribe_pattern": enter(hub.subscribe_pattern("*")),
    }
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    return [(name, error) for name, error in zip(calls, results, strict=True) if error is not None]


async def test_hub_that_was_never_opened_raises_an_error():
    errors = await use_each_method(Hub(MemoryBroker()))
    assert [name for name, _ in errors] == ["publish", "send", "head", "subscribe", "subscribe_pattern"]
    for _, error in errors:
        with pytest.raises(RuntimeError, match=r"not open: use `async with hub`"):
            raise error


async def test_closed_hub_raises_an_error_at_once_and_can_be_opened_again():
    hub = Hub(MemoryBroker())
    async with hub:
        first = await hub.publish("c", 1)
    errors = dict(await use_each_method(hub))
    assert type(errors.pop("publish")) is PublishError
    assert {name: type(error) for name, error in errors.items()} == dict.fromkeys(
        ("send", "head", "subscribe", "subscribe_pattern"), BrokerUnavailableError
    )
    await hub.close()
    async with hub, hub.subscribe("c", since=Position(first.epoch, 0)) as messages:
        await hub.publish("c", 2)
        assert [each.data for each in await take(messages, 2)] == [1, 2]


async def test_open_hub_cannot_be_opened_and_its_broker_not_be_shared():
    broker = MemoryBroker()
    async with Hub(broker) as hub:
        with pytest.raises(RuntimeError, match="open already"):
            await hub.start()
        other = Hub(broker)
        with pytest.raises(RuntimeError, match="create a broker for each hub"):
            await other.start()
        with pytest.raises(RuntimeError, match="not open"):
            await other.head("c")
        assert (await hub.publish("c", 1)).offset == 1


async def test_hub_without_a_connection_at_its_start_is_not_open():
    class Broken(MemoryBroker):
        async def start(self, listener):
            raise OSError("no")

    hub = Hub(Broken())
    with pytest.raises(OSError, match="no"):
        await hub.start()
    assert hub.disconnected_for == 0
    await hub.close()


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\udc80", "$mine"])
async def test_invalid_names_are_refused(name):
    async with Hub(MemoryBroker()) as hub:
        for use in (hub.publish, hub.send):
            with pytest.raises(ValueError, match=r"name"):
                await use(name, 1)
        with pytest.raises(ValueError, match=r"name"):
            await hub.head(name)
        with pytest.raises(ValueError, match=r"name"):
            hub.subscribe(name)


async def test_arguments_of_other_types_are_refused():
    async with Hub(MemoryBroker()) as hub:
        with pytest.raises(TypeError, match="name of a channel, a str, got 7"):
            await hub.publish(7, 1)
        with pytest.raises(TypeError, match=r"Position\.parse"):
            hub.subscribe("c", since="e:1")
        with pytest.raises(TypeError, match="a str, got 7"):
            hub.subscribe_pattern(7)
        with pytest.raises(ValueError, match="room:"):
            hub.subscribe_pattern("")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"history": 5}, TypeError),
        ({"broker": "redis://localhost"}, TypeError),
        ({"tail": -1}, ValueError),
        ({"timeout": "5"}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("inf")}, ValueError),
        ({"max_waiting": 0}, ValueError),
        ({"max_disconnected": 0}, ValueError),
    ],
)
def test_arguments_of_a_hub_are_checked(options, error):
    with pytest.raises(error, match=f"{next(iter(options))} must be"):
        Hub(**{"broker": MemoryBroker(), **options})


async def test_time_limit_of_a_publication_is_checked():
    async with Hub(MemoryBroker()) as hub:
        for timeout in (0, 1e9):
            with pytest.raises(ValueError, match="timeout must be"):
                await hub.publish("c", 1, timeout=timeout)


async def test_subscriber_gets_messages_in_order():
    async with Hub(MemoryBroker()) as hub:
        first = await hub.publish("c", "before")
        async with hub.subscribe("c", since=Position(first.epoch, 0)) as messages:
            second = await hub.publish("c", {"n": 1}, key="k")
            got = await take(messages, 2)
            assert [(each.data, each.position, each.key) for each in got] == [
                ("before", first, None),
                ({"n": 1}, second, "k"),
            ]
            assert messages.position == second
        assert second == Position(first.epoch, 2)


async def test_subscriber_without_position_gets_later_messages():
    async with Hub(MemoryBroker()) as hub:
        await hub.publish("c", 1)
        async with hub.subscribe("c") as messages:
            while hub.position("c") is None:
                await asyncio.sleep(0)
            await hub.publish("c", 2)
            await hub.send("c", "typing")
            assert [each.data for each in await take(messages, 2)] == [2, "typing"]
        assert hub.position("c") is None  # the channel has no receivers any more


async def test_head_is_the_position_of_the_last_message():
    async with Hub(MemoryBroker()) as hub:
        start = await hub.head("c")
        assert start.offset == 0
        first = await hub.publish("c", 1)
        assert await hub.head("c") == first
        async with hub.subscribe("c", since=start) as messages:
            assert (await anext(messages)).data == 1
            assert await hub.head("c") == first


async def test_history_that_is_too_short_is_a_gap():
    async with Hub(MemoryBroker(), history=History(count=2)) as hub:
        positions = [await hub.publish("c", n) for n in range(5)]
        async with hub.subscribe("c", since=positions[0]) as messages:
            gap, *rest = await take(messages, 3)
            assert gap == Gap("c", positions[0], positions[2])
            assert gap.missed == 2
            assert [each.data for each in rest] == [3, 4]


async def test_slow_consumer_continues_from_history():
    async with Hub(MemoryBroker(), tail=5) as hub:
        async with hub.subscribe("c", limit=10) as messages:
            while hub.position("c") is None:
                await asyncio.sleep(0)
            for n in range(100):
                await hub.publish("c", n)
                await asyncio.sleep(0)
            assert [each.data for each in await take(messages, 100)] == list(range(100))


async def test_messages_are_delivered_in_batches():
    async with Hub(MemoryBroker()) as hub:
        receiver = Receiver()
        hub.attach("c", receiver)
        while hub.position("c") is None:
            await asyncio.sleep(0)
        for n in range(3):
            await hub.publish("c", n)
        await asyncio.sleep(0)
        assert receiver.batches == [[0, 1, 2]]
        hub.detach("c", receiver)


async def test_group_is_called_once_for_all_receivers():
    class Group:
        calls: list[object] = []

        def deliver(self, receivers, items):
            self.calls.append((sorted(receivers), [each.data for each in items]))

    async with Hub(MemoryBroker()) as hub:
        for name in ("r", "s"):
            hub.attach("c", name, group=(group := Group()) if name == "r" else group)
        while hub.position("c") is None:
            await asyncio.sleep(0)
        await hub.publish("c", 1)
        await asyncio.sleep(0)
        assert Group.calls == [(["r", "s"], [1])]


async def test_messages_missed_before_a_connection_are_read():
    broker = MemoryBroker()
    async with Hub(broker) as hub:
        receiver = Receiver()
        hub.attach("c", receiver)
        while hub.position("c") is None:
            await asyncio.sleep(0)
        broker.unsubscribe("c")
        hub.disconnected()
        assert hub.disconnected_for > 0
        await hub.publish("c", 1)
        hub.connected()
        assert hub.disconnected_for == 0
        while not receiver.batches:
            await asyncio.sleep(0)
        assert receiver.batches == [[1]]


@pytest.mark.parametrize("stored", [False, True])
async def test_failed_attempts_to_publish_are_repeated(stored):
    async with Hub(Unreliable(2, stored=stored)) as hub:
        position = await hub.publish("c", 1)
        assert position.offset == 1
        assert (await hub.publish("c", 2)).offset == 2


async def test_publish_raises_at_the_deadline():
    async with Hub(Unreliable(10**9)) as hub:
        with pytest.raises(PublishError, match="within 0.1 s") as raised:
            await hub.publish("c", 1, idempotency_key="k", timeout=0.1)
        assert raised.value.idempotency_key == "k"


async def test_number_of_waiting_messages_is_limited():
    async with Hub(Unreliable(10**9), max_waiting=1) as hub:
        first = asyncio.ensure_future(hub.publish("c", 1))
        await asyncio.sleep(0)
        with pytest.raises(PublishError, match="increase max_waiting"):
            await hub.publish("c", 1)
        first.cancel()
        await asyncio.wait([first])


async def test_message_with_the_same_key_is_stored_once():
    async with Hub(MemoryBroker()) as hub:
        first = await hub.publish("c", 1, idempotency_key="k")
        assert await hub.publish("c", 1, idempotency_key="k") == first
        assert (await hub.publish("c", 1)).offset == 2


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:-1", "a:²"])
def test_invalid_positions_are_rejected(text):
    with pytest.raises(ValueError, match="expected a position"):
        Position.parse(text)


def test_positions_are_parsed():
    assert Position.parse(str(Position("a:b", 7))) == Position("a:b", 7)


@pytest.mark.parametrize("limits", [{"count": 0}, {"age": 0}, {"age": float("inf")}, {"age": 1e16}])
def test_invalid_limits_of_a_history_are_rejected(limits):
    with pytest.raises(ValueError, match="must be a number"):
        History(**limits)


async def test_memory_broker_forgets_unused_channels(monkeypatch):
    now = 0.0
    monkeypatch.setattr("tornado.channels._memory.monotonic", lambda: now)
    broker = MemoryBroker()
    async with Hub(broker) as hub:
        first = await hub.publish("c", 1)
        for number in range(2000):
            await hub.publish(f"room:{number}", number)
        assert await hub.head("c") == first
        now = 90_000.0
        async with hub.subscribe("room:7"):
            await broker.subscribe("room:7")
            kept = await hub.head("room:7")
            for number in range(2000, 4100):
                await hub.publish(f"room:{number}", number)
            assert await hub.head("room:7") == kept
        assert (await hub.head("c")).epoch != first.epoch


async def test_kept_messages_after_ephemeral_ones_are_not_lost():
    """The subscription is full before it knows a position."""
    async with Hub(MemoryBroker()) as hub, hub.subscribe("c", limit=2) as messages:
        while hub.position("c") is None:
            await asyncio.sleep(0)
        for text in ("one", "two"):
            await hub.send("c", text)
        for number in range(3):
            await hub.publish("c", number)
        assert [each.data for each in await take(messages, 5)] == ["one", "two", 0, 1, 2]


async def test_iterators_end_with_the_hub():
    async with Hub(MemoryBroker()) as hub:
        async with hub.subscribe("c") as messages, hub.subscribe_pattern("*") as others:
            await others.established()
            waiting = [asyncio.ensure_future(anext(each)) for each in (messages, others)]
            await asyncio.sleep(0)
            await hub.close()
            for each in waiting:
                with pytest.raises(StopAsyncIteration):
                    await each


class Unestablished(MemoryBroker):
    async def subscribe_pattern(self, pattern):
        raise BrokerUnavailableError("no response")


async def test_wait_for_a_pattern_ends_with_the_hub():
    async with Hub(Unestablished()) as hub, hub.subscribe_pattern("*") as messages:
        waiting = asyncio.ensure_future(messages.established())
        await asyncio.sleep(0)
        await hub.close()
        with pytest.raises(BrokerUnavailableError, match="is closed"):
            await waiting


@pytest.mark.parametrize("error", [LookupError("unexpected"), asyncio.CancelledError()])
async def test_failure_of_one_part_does_not_prevent_the_end_of_the_others(error):
    class Failing:
        async def close(self):
            raise error

    broker = MemoryBroker()
    hub = Hub(broker)
    await hub.start()
    hub.endpoint = Failing()
    hub.attach("c", Receiver())
    with pytest.raises(type(error)):
        await hub.close()
    async with hub, hub.subscribe("c") as messages:  # the broker was closed, so it can be opened again
        while hub.position("c") is None:
            await asyncio.sleep(0)
        await hub.publish("c", 1)
        assert [each.data for each in await take(messages, 1)] == [1]


async def test_head_waits_for_a_read_under_way():
    class Delayed(MemoryBroker):
        async def read(self, channel, after, limit, history):
            page = await super().read(channel, after, limit, history)
            if after is not None:
                await continued.wait()
            return page

    continued = asyncio.Event()
    async with Hub(Delayed()) as hub:
        hub.attach("c", Receiver())
        while hub.position("c") is None:
            await asyncio.sleep(0)
        hub.broker.unsubscribe("c")
        last = await hub.publish("c", 1)
        hub.connected()  # messages may be missing
        await asyncio.sleep(0)
        assert await hub.head("c") == last
        continued.set()


async def test_heads_that_are_asked_for_together_are_read_once():
    class Counted(MemoryBroker):
        async def read(self, channel, after, limit, history):
            reads.append(channel)
            page = await super().read(channel, after, limit, history)
            await continued.wait()
            if error is not None:
                raise error
            return page

    reads: list[str] = []
    continued = asyncio.Event()
    error = None
    async with Hub(Counted()) as hub:
        together = [asyncio.create_task(hub.head(name)) for name in ("a", "a", "b", "a")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert reads == ["a", "b"]
        # A read that has begun does not know what is published after it.
        last = await hub.publish("a", 1)
        later = asyncio.create_task(hub.head("a"))
        await asyncio.sleep(0)
        together[1].cancel()
        continued.set()
        results = await asyncio.gather(*together, later, return_exceptions=True)
        assert reads == ["a", "b", "a"]
        assert isinstance(results[1], asyncio.CancelledError)
        assert results[0] == results[3]
        assert results[0].offset == 0
        assert results[4] == last
        error = BrokerUnavailableError("gone")
        results = await asyncio.gather(hub.head("a"), hub.head("a"), return_exceptions=True)
        assert results == [error, error]
        assert reads == ["a", "b", "a", "a"]


async def test_head_after_a_read_that_was_cancelled_before_it_began():
    async with Hub(MemoryBroker()) as hub:
        tasks = asyncio.all_tasks()
        head = asyncio.create_task(hub.head("a"))
        await asyncio.sleep(0)
        (read,) = asyncio.all_tasks() - tasks - {head}
        read.cancel()
        with pytest.raises(BrokerUnavailableError, match="'a' was cancelled"):
            await head
        assert (await hub.head("a")).offset == 0


async def test_head_of_a_hub_that_is_closed_at_the_same_time():
    class Silent(MemoryBroker):
        async def read(self, channel, after, limit, history):
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    async with Hub(Silent()) as hub:
        head = asyncio.create_task(hub.head("a"))
        await begun.wait()
    with pytest.raises(BrokerUnavailableError, match="is closed"):
        await head


async def test_error_of_a_head_whose_caller_was_cancelled_is_not_logged(caplog):
    class Failing(MemoryBroker):
        async def read(self, channel, after, limit, history):
            begun.set()
            await continued.wait()
            ended.set()
            raise BrokerUnavailableError("gone")

    begun, continued, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with Hub(Failing()) as hub:
        waiting = asyncio.create_task(hub.head("a"))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        continued.set()
        await ended.wait()
        await asyncio.sleep(0)
        gc.collect()
    assert caplog.records == []


async def test_memory_broker_stores_nothing_for_channels_without_messages():
    async with Hub(MemoryBroker()) as hub:
        heads = [await hub.head(f"room:{number}") for number in range(100)]
        assert await hub.broker.channels("*") == []
        first = await hub.publish("room:7", 1)
        assert first == Position(heads[7].epoch, 1)


async def test_number_that_is_not_finite_cannot_be_published():
    async with Hub(MemoryBroker()) as hub:
        with pytest.raises(ValueError, match="not JSON compliant"):
            await hub.publish("c", [float("nan")])


async def test_memory_broker_forgets_ended_leases(monkeypatch):
    now = 0.0
    monkeypatch.setattr("tornado.channels._memory.monotonic", lambda: now)
    broker = MemoryBroker()
    await broker.add_presence("c", "one", {"a": b"1"}, 6.0)
    now = 5.0
    await broker.add_presence("c", "two", {"b": b"2"}, 6.0)
    now = 7.0
    assert await broker.list_presence("c") == {"b": b"2"}
    assert not await broker.renew_presence("c", "one", 6.0)
    assert await broker.renew_presence("c", "two", 6.0)


async def test_channels_that_cannot_be_read_do_not_delay_others():
    class Failing(MemoryBroker):
        waiting = 0

        async def read(self, channel, after, limit, history):
            if channel.startswith("bad"):
                if channel in failed:
                    self.waiting += 1
                    await ended.wait()
                failed.add(channel)
                raise BrokerUnavailableError("no response")
            return await super().read(channel, after, limit, history)

    failed: set[str] = set()
    ended = asyncio.Event()
    broker = Failing()
    async with Hub(broker) as hub:
        for number in range(100):
            hub.attach(f"bad{number}", Receiver())
        while broker.waiting < 32:
            await asyncio.sleep(0.005)
        hub.attach("good", Receiver())
        while hub.position("good") is None:
            await asyncio.sleep(0.005)
        ended.set()


async def test_silent_channels_with_receivers_are_read_so_that_the_broker_keeps_them():
    class Counting(MemoryBroker):
        max_unused = 0.02
        reads = 0

        async def read(self, channel, after, limit, history):
            self.reads += 1
            return await super().read(channel, after, limit, history)

    broker = Counting()
    async with Hub(broker) as hub:
        hub.attach("c", Receiver())
        while broker.reads < 4:
            await asyncio.sleep(0.005)
    reads = broker.reads
    await asyncio.sleep(0.02)
    assert broker.reads == reads


async def test_broker_in_memory_keeps_channels_until_their_history_has_ended(monkeypatch):
    monkeypatch.setattr("tornado.channels._memory._MAX_UNUSED", 0.0)
    monkeypatch.setattr("tornado.channels._memory._FIRST_SWEEP", 1)
    ages = {"short": 0.001, "long": 3600.0}
    async with Hub(MemoryBroker(), history=lambda channel: History(age=ages.get(channel, 1.0))) as hub:
        positions = {channel: await hub.publish(channel, 1) for channel in ages}
        await asyncio.sleep(0.01)
        for number in range(10):  # each time the number of channels has doubled, unused ones are forgotten
            await hub.publish(f"other{number}", 1)
        assert await hub.head("long") == positions["long"]
        assert (await hub.head("short")).offset == 0
