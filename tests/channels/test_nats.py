"""Hubs of several processes, connected by a NATS server that fails in several ways."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tests.support.channels import (
    broker_connection,
    broker_streams,
    fail_to_delete,
    known_streams,
    streams_of,
)
from tests.support.databases import NATSServer
from tests.support.hubs import Receiver, attached, until
from tornado.channels import (
    Gap,
    History,
    Hub,
    Message,
    NATSBroker,
    Position,
    PublishError,
)

LOST = "connection to NATS at .* is lost"


@pytest.fixture(autouse=True)
def server(nats_server: NATSServer) -> NATSServer:
    nats_server.restart_empty()
    return nats_server


@asynccontextmanager
async def connected_hub(server: NATSServer, **options) -> AsyncIterator[Hub]:
    """A hub that is connected."""
    async with Hub(NATSBroker(server.url, ping_interval=0.1, timeout=0.5), **options) as hub:
        await until(lambda: not hub.disconnected_for)
        yield hub


@asynccontextmanager
async def administrator(server: NATSServer) -> AsyncIterator:
    """A JetStream context of nats-py."""
    import nats

    client = await nats.connect(server.url, allow_reconnect=False)
    yield client.jetstream()
    await client.close()


@pytest.mark.parametrize("channel", ["room.*>}{ ü", "x" * 200, "$presence:a"])
async def test_messages_reach_other_processes(server, channel):
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        async with attached(hub, channel) as receiver:
            first = await sender.publish(channel, {"text": "ü b"}, key="a b")
            second = await sender.publish(channel, 2)
            await sender.send(channel, "typing", key="-")
            await until(lambda: len(receiver.got) == 3)
            assert receiver.got == [{"text": "ü b"}, 2, "typing"]
            assert [(each.position, each.key) for each in receiver.messages] == [
                (first, "a b"),
                (second, None),
                (None, "-"),
            ]
            assert (first.offset, second) == (1, Position(first.epoch, 2))


async def test_resume_in_another_process(server):
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        positions = [await sender.publish("c", n, key="k") for n in range(700)]
        async with hub.subscribe("c", since=positions[9]) as messages:
            got = [await anext(messages) for _ in range(690)]
        assert [(each.data, each.position, each.key) for each in got] == [
            (n, positions[n], "k") for n in range(10, 700)
        ]


async def test_history_is_limited_by_count(server):
    async with connected_hub(server, history=History(count=3)) as hub:
        positions = [await hub.publish("c", n) for n in range(10)]
        async with hub.subscribe("c", since=positions[0]) as messages:
            got = [await anext(messages) for _ in range(4)]
        assert got[0] == Gap("c", positions[0], positions[6])
        assert [each.data for each in got[1:]] == [7, 8, 9]


async def test_history_is_limited_by_age(server):
    """The server keeps messages for as long as their idempotency keys, which is longer."""
    async with connected_hub(server, history=History(age=0.05)) as hub:
        first = await hub.publish("c", 1)
        while (await hub.broker.read("c", None, 0, History(age=0.05))).oldest == 1:
            pass
        async with hub.subscribe("c", since=Position(first.epoch, 0)) as messages:
            assert await anext(messages) == Gap("c", Position(first.epoch, 0), first)
            second = await hub.publish("c", 2)
            assert (await anext(messages)).position == second


async def test_changed_limits_apply_to_existing_streams(server):
    async with connected_hub(server) as hub:
        first = await hub.publish("c", 1)
        await hub.publish("c", 2)
    async with connected_hub(server, history=History(count=1)) as hub:
        async with hub.subscribe("c", since=Position(first.epoch, 0)) as messages:
            assert await anext(messages) == Gap("c", Position(first.epoch, 0), first)
            assert (await anext(messages)).data == 2


async def test_message_with_the_same_key_is_stored_once(server):
    async with connected_hub(server) as hub, connected_hub(server) as other:
        first = await hub.publish("c", 1, idempotency_key="k")
        assert await other.publish("c", 1, idempotency_key="k") == first
        assert (await hub.publish("c", 1, timeout=100)).offset == 2
        assert await hub.publish("c", 1, idempotency_key="k") == first
        async with administrator(server) as context:
            info = await context.stream_info("channels-c")
        assert info.config.duplicate_window == 200


async def test_subscription_ends_with_the_last_receiver(server):
    async with connected_hub(server) as hub:
        async with attached(hub, "c"):
            hub.attach("c", other := Receiver())
            hub.detach("c", other)
        async with attached(hub, "c") as receiver:
            await hub.publish("c", 1)
            await until(lambda: receiver.got == [1])
        async with administrator(server) as context:
            # Without a subscription, a request to the subject gets the response that there is no receiver.
            from nats.errors import NoRespondersError

            with pytest.raises(NoRespondersError):
                while True:
                    await context._nc.request("channels.out.c.-", b"-0", timeout=5)


async def test_closed_hub_can_be_opened_again(server):
    hub = Hub(NATSBroker(server.url, ping_interval=0.1, timeout=0.5))
    for number in range(3):
        async with hub, attached(hub, "c") as receiver:
            with pytest.raises(RuntimeError, match="create a broker for each hub"):
                await Hub(hub.broker).start()
            await hub.publish("c", number)
            await until(lambda: len(receiver.got) == 1)
            assert receiver.got == [number]


async def test_malformed_message_is_ignored(server, expect_log):
    async with connected_hub(server) as hub:
        async with attached(hub, "c") as receiver, administrator(server) as context:
            with expect_log("tornado.general", "Malformed message in channel 'c'") as expected:
                for data in (b"", b"7 k1", b"x 1"):
                    await context._nc.publish("channels.out.c.-", data)
                await context._nc.flush()
                await hub.publish("c", 1)
                # The message may have been read from the history before the others are processed.
                await until(lambda: receiver.got == [1] and expected.records)


@pytest.mark.parametrize("storage", ["file", "memory"])
async def test_killed_server_is_a_gap(server, expect_log, storage):
    """The new epoch begins without the messages of the old one: the last of them may be lost."""

    def made() -> Hub:
        return Hub(NATSBroker(server.url, ping_interval=0.1, timeout=0.5, storage=storage))

    async with made() as sender, made() as hub:
        async with attached(hub, "c") as receiver:
            last = await sender.publish("c", 1, idempotency_key="k")
            await until(lambda: receiver.got == [1])
            with expect_log("tornado.general", LOST):
                server.stop()
                await until(lambda: hub.disconnected_for and sender.disconnected_for)
            waiting = asyncio.ensure_future(sender.publish("c", 2, idempotency_key="k", timeout=20))
            await asyncio.sleep(0)
            assert not waiting.done()
            with expect_log("tornado.general", "is restored after"):
                server.start()
                position = await waiting
                await until(lambda: len(receiver.got) == 3)
                await until(lambda: not sender.disconnected_for)
            before = Position(position.epoch, position.offset - 1)
            assert receiver.got == [1, Gap("c", last, before), 2]
            assert position.epoch != last.epoch


async def test_deleted_stream_is_a_gap(server):
    async with connected_hub(server) as hub:
        async with attached(hub, "c") as receiver:
            for n in range(3):
                last = await hub.publish("c", n)
            async with administrator(server) as context:
                await context.delete_stream("channels-c")
            position = await hub.publish("c", 3)
            await until(lambda: len(receiver.got) == 5)
            assert receiver.got == [0, 1, 2, Gap("c", last, Position(position.epoch, 0)), 3]


async def test_stream_replaced_by_another_process_is_a_gap(server):
    """Neither the publisher nor the receivers learn of it before the next message."""
    async with connected_hub(server) as sender, connected_hub(server) as hub, connected_hub(server) as other:
        first = await sender.publish("c", 1)
        await sender.publish("c", 2)
        async with attached(hub, "c", first) as receiver:
            await until(lambda: receiver.got == [2])
            async with administrator(server) as context:
                await context.delete_stream("channels-c")
            assert (await other.head("c")).offset == 0
            position = await sender.publish("c", 3)
            assert position.offset == 1
            assert position.epoch != first.epoch
            await until(lambda: len(receiver.got) == 3)
            gap = Gap("c", Position(first.epoch, 2), Position(position.epoch, 0))
            assert receiver.got == [2, gap, 3]
            await sender.publish("c", 4)
            await until(lambda: receiver.got[3:] == [4])


async def test_changed_generation_keeps_epoch_and_messages(server):
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        async with attached(hub, "c") as receiver:
            first = await sender.publish("c", 1)
            async with connected_hub(server, history=History(count=10)) as other:
                assert (await other.head("c")).offset == 1  # changes the limits of the stream
            assert await sender.publish("c", 2) == Position(first.epoch, 2)
            assert await sender.publish("c", 3) == Position(first.epoch, 3)
            await until(lambda: receiver.got == [1, 2, 3])


@asynccontextmanager
async def short_lived(server: NATSServer, monkeypatch, **options) -> AsyncIterator[NATSBroker]:
    """A broker whose streams are unused after a fifth of a second."""
    monkeypatch.setattr("tornado.channels._nats_streams._WINDOW", 0.1)
    broker = NATSBroker(server.url, max_unused=0.2, **options)
    async with Hub(broker) as hub:
        await until(lambda: not hub.disconnected_for)
        yield broker


#: The limits of the streams of a `short_lived` broker.
SHORT = History(age=0.1)


async def publish(broker: NATSBroker, channel: str, data: bytes, history: History = SHORT) -> Position:
    return await broker.publish(Message(channel, data), history, data.hex(), 0.1)


async def test_unused_streams_are_deleted(server, monkeypatch):
    async with short_lived(server, monkeypatch) as broker, administrator(server) as context:
        old = await publish(broker, "short", b"1")
        await publish(broker, "long", b"1", History(age=1000))
        await broker.read("never", None, 0, SHORT)
        while {each.config.name for each in await context.streams_info()} != {
            "channels-long",
            "channels-_presence",
        }:
            await asyncio.sleep(0.01)
        assert await broker.channels("*") == ["long"]
        new = await publish(broker, "short", b"2")
        assert (new.offset, old.offset) == (1, 1)
        assert new.epoch != old.epoch
        page = await broker.read("short", old, 10, History())
        assert [each.position for each in page.messages] == [new]


async def test_stream_that_is_read_is_not_deleted(server, monkeypatch):
    async with short_lived(server, monkeypatch) as broker, administrator(server) as context:
        first = await publish(broker, "c", b"1")
        while (await context.stream_info("channels-c")).state.messages:
            assert (await broker.read("c", None, 0, SHORT)).head == first
        clock = [time.time()]
        monkeypatch.setattr("tornado.channels._nats_streams.time", lambda: clock[0])
        clock[0] += 3600
        assert (await broker.read("c", None, 0, SHORT)).head == first  # records the use
        streams = broker_streams(broker)
        for _ in range(5):
            await asyncio.sleep(0.1)  # the time of the server
            await streams.delete_unused(context._nc, lambda operation: operation)
        assert (await broker.read("c", None, 0, SHORT)).head == first


@pytest.fixture
def restricted(server: NATSServer, tmp_path) -> Iterator[NATSServer]:
    """A server whose users must not delete streams."""
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        """
        authorization { users: [{
            user: user, password: password,
            permissions: { publish: { allow: ">", deny: "$JS.API.STREAM.DELETE.>" }, subscribe: ">" }
        }] }
        """
    )
    url, options = server.url, server.options
    server.options = ["--config", str(configuration)]
    server.url = url.replace("//", "//user:password@")
    server.restart_empty()
    yield server
    server.url, server.options = url, options


async def test_missing_permission_to_delete_streams_ends_the_cleanup_alone(
    restricted, monkeypatch, expect_log
):
    denied = r"no permission to publish to \$js.api.stream.delete.channels-"
    ended = r"not deleted: .* publish to \$JS.API.STREAM.DELETE.\*; permit this, or use max_unused=None"
    with expect_log("tornado.general", denied), expect_log("tornado.general", ended) as log:
        async with short_lived(restricted, monkeypatch, timeout=0.5) as broker:
            for channel in ("a", "b"):
                await broker.read(channel, None, 0, SHORT)
            client = await broker_connection(broker).client()
            await until(lambda: log.records)
            assert await broker_connection(broker).client() is client
            assert client.is_connected
            assert set(await broker.channels("*")) == {"a", "b"}


async def test_stream_that_cannot_be_deleted_does_not_keep_others(server, monkeypatch):
    async with short_lived(server, monkeypatch) as broker, administrator(server) as context:
        fail_to_delete(monkeypatch, broker, "channels-a")
        for channel in ("a", "b"):
            await broker.read(channel, None, 0, SHORT)
        while {each.config.name for each in await context.streams_info()} != {
            "channels-a",
            "channels-_presence",
        }:
            pass


OTHER_SUBJECTS = [
    ["channels.in.a.events"],
    ["channels.in.a.5"],
    ["channels.in.a.f-", "channels.in.b.f-"],
    [f"channels.in.a.{'f' * 20}-"],
]


@pytest.mark.parametrize("subjects", OTHER_SUBJECTS)
async def test_streams_of_other_programs_are_kept(server, monkeypatch, subjects):
    async with administrator(server) as context:
        await context.add_stream(name="channels-a", subjects=subjects)
        await context.add_stream(name="another", subjects=["channels.in.c.1-2"])
        async with short_lived(server, monkeypatch) as broker:
            await broker.read("z", None, 0, SHORT)
            while "channels-z" in {each.config.name for each in await context.streams_info()}:
                pass
            names = {each.config.name for each in await context.streams_info()}
            assert names == {"channels-a", "channels-_presence", "another"}


async def test_stream_of_another_program_is_not_used(server):
    async with administrator(server) as context:
        await context.add_stream(name="channels-a", subjects=["channels.in.a.events"])
        await context.add_stream(name="other", subjects=["channels.in.c.1-2"])
        async with connected_hub(server) as hub:
            assert await hub.broker.channels("*") == ["a"]
            with pytest.raises(RuntimeError, match="channels-a of NATS was created by another .*: delete it"):
                await hub.publish("a", 1)


class ListingClient:
    """A client of nats-py that lists streams, in pages of 100.

    :param change: called with the names before each page.
    """

    def __init__(self, names: list[str], change: Callable[[list[str]], None]) -> None:
        self.names = names
        self.change = change
        self.pages = 0

    async def request(self, subject: str, data: bytes, timeout: float) -> SimpleNamespace:
        self.pages += 1
        self.change(self.names)
        self.names.sort()
        offset = json.loads(data)["offset"]
        part = {"streams": self.names[offset : offset + 100], "total": len(self.names)}
        return SimpleNamespace(data=json.dumps(part).encode())


@pytest.mark.parametrize("deleted", [0, 1, 17, 100, 450])
@pytest.mark.parametrize("created", [0, 1, 17, 150])
async def test_list_is_complete_although_streams_change(server, deleted, created):
    """The next page would begin after a stream that has moved to another page."""
    names = [f"channels-{number:04}" for number in range(1000)]

    def change(names: list[str]) -> None:
        if client.pages == 6:
            del names[:deleted]
            names.extend(f"channels-0000-{number}" for number in range(created))

    client = ListingClient(list(names), change)
    found = await broker_streams(NATSBroker(server.url)).channels(client, lambda operation: operation)
    assert len(found) == len(set(found))
    assert {each.removeprefix("channels-") for each in names[deleted:]} <= set(found)
    assert client.pages < 30


async def test_list_ends_although_streams_are_created_and_deleted_all_the_time(server):
    names = [f"channels-{number:04}" for number in range(1000)]

    def change(names: list[str]) -> None:
        names[:] = [each for each in names if "-new-" not in each or random.random() < 0.5]
        names.extend(f"channels-{random.randrange(1000):04}-new-{client.pages}-{n}" for n in range(20))

    client = ListingClient(list(names), change)
    found = await broker_streams(NATSBroker(server.url)).channels(client, lambda operation: operation)
    assert {each.removeprefix("channels-") for each in names} <= set(found)
    assert client.pages < 30


async def test_suspended_server_is_detected(server, expect_log):
    async with connected_hub(server) as hub:
        async with attached(hub, "c") as receiver:
            with expect_log("tornado.general", r"lost \(no response to a ping within 0.5 s\)"):
                with server.paused():
                    await until(lambda: hub.disconnected_for)
                    with pytest.raises(PublishError, match="did not respond|has not confirmed"):
                        await hub.publish("c", "late", timeout=0.2)
            with expect_log("tornado.general", "is restored after"):
                await until(lambda: not hub.disconnected_for)
            await hub.publish("c", 1)
            await until(lambda: 1 in receiver.got)
            # The server may have processed it after it continued, although the publisher has given up.
            assert receiver.got in ([1], ["late", 1])


async def test_blocked_event_loop_does_not_end_the_connection(server):
    """The time limit of a ping passes while the event loop is blocked by a program."""
    async with Hub(NATSBroker(server.url, ping_interval=0.02, timeout=0.1)) as hub:
        await until(lambda: not hub.disconnected_for)
        for turns in range(8):
            time.sleep(0.15)  # noqa: ASYNC251 - a ping becomes due
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(0.15)  # noqa: ASYNC251 - its time limit passes
            await asyncio.sleep(0.03)
            assert not hub.disconnected_for


async def test_dropped_messages_are_read_from_history(server, monkeypatch):
    """nats-py drops messages while too many bytes wait in the process."""
    monkeypatch.setattr("tornado.channels._nats_connection._MAX_PENDING", 1000)
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        async with attached(hub, "c") as receiver:
            await asyncio.gather(*(sender.publish("c", "x" * 400) for _ in range(20)))
            last = await sender.publish("c", 2)
            await until(lambda: len(receiver.got) == 21)
            assert [each.position.offset for each in receiver.messages] == list(range(1, 22))
            assert receiver.messages[-1].position == last


async def test_reopened_broker_does_not_continue_an_earlier_run(server, expect_log):
    """A broker that assumed the earlier run would remove the messages of the others again and again."""
    reopened = NATSBroker(server.url, timeout=0.5)
    async with Hub(reopened) as hub:
        await hub.publish("c", 1)
    server.stop()
    server.start()
    async with Hub(reopened) as hub, connected_hub(server) as other:
        first = await hub.publish("c", 2, timeout=20)
        for n in range(3):
            assert (await other.publish("c", n)).epoch == first.epoch
            page = await hub.broker.read("c", first, 100, History())
            assert [each.data for each in page.messages] == list(range(n + 1))


async def test_process_that_does_not_know_of_a_restart_removes_nothing(server):
    async with connected_hub(server) as hub, connected_hub(server) as other:
        await hub.publish("c", 1)
        async with administrator(server) as context:
            with pytest.raises(Exception, match="the server was restarted"):
                await streams_of(hub).open(context, "an earlier run", "c", History())
        assert len((await other.broker.read("c", Position("?", 0), 10, History())).messages) == 1


async def test_large_messages_are_read_in_several_pages(server):
    async with connected_hub(server) as hub:
        first = await hub.publish("c", 0)
        for n in range(1, 81):
            await hub.publish("c", str(n) + "x" * 900_000, timeout=20)
        page = await hub.broker.read("c", first, 500, History())
        assert [each.data[:2] for each in page.messages] == ["1x", "2x"]
        async with attached(hub, "c", first) as receiver:
            await until(lambda: len(receiver.got) == 80)
            assert [each.position.offset for each in receiver.messages] == list(range(2, 82))


async def test_streams_of_unused_channels_are_forgotten(server, monkeypatch):
    monkeypatch.setattr("tornado.channels._nats._MAX_KNOWN", 5)
    async with connected_hub(server) as hub, attached(hub, "c") as receiver:
        for n in range(12):
            await hub.publish(f"unused{n}", n)
            await hub.publish("c", n)
        await until(lambda: len(receiver.got) == 12)
        assert "c" in known_streams(hub)
        assert len(known_streams(hub)) <= 5


async def test_missing_server_is_logged_once(server, expect_log):
    server.stop()
    with expect_log("tornado.general", r"^NATS at .* cannot be reached \("):
        async with Hub(NATSBroker(server.url, timeout=0.5)) as hub:
            with pytest.raises(PublishError, match="increase the timeout"):
                await hub.publish("c", 1, timeout=0.3)
            assert hub.disconnected_for > 0
            with expect_log("tornado.general", "is established after"):
                server.start()
                await hub.publish("c", 1, timeout=20)
                await until(lambda: not hub.disconnected_for)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timeout": 0}, "timeout must be a positive number of seconds"),
        ({"ping_interval": -1}, "ping_interval must be a positive number of seconds"),
        ({"storage": "disk"}, "storage must be 'file' or 'memory', got 'disk'"),
        ({"max_unused": 0}, "max_unused must be a positive number of seconds, or None, got 0"),
        ({"prefix": "a.b"}, "prefix must consist of letters"),
        ({"replicas": 0}, "replicas must be a number of servers from 1 to 5, got 0"),
        ({"servers": []}, "at least one server"),
        ({"servers": "nats://user:secret@host:port"}, "invalid URL 'host:port'"),
        ({"servers": ["nats://"]}, "URL without a host"),
        ({"options": {"connect_timeout": 5}}, "must not contain 'connect_timeout'"),
        ({"options": {"no_such": 1}}, "'no_such', which nats.connect does not have"),
    ],
)
def test_invalid_options_are_rejected(options, problem):
    with pytest.raises(ValueError, match=problem):
        NATSBroker(**options)


def test_password_is_not_shown(server):
    broker = NATSBroker("nats://me:secret@localhost:4222")
    assert "secret" not in repr(broker)


async def test_command_that_is_cancelled_does_not_end_the_reception(server):
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        async with attached(hub, "a") as receiver:
            with server.paused():
                subscribing = [asyncio.ensure_future(hub.broker.subscribe(f"b{n}")) for n in range(3)]
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                for each in subscribing:
                    each.cancel()
                await asyncio.gather(*subscribing, return_exceptions=True)
            await sender.publish("a", 1)
            await until(lambda: receiver.got == [1])


async def test_list_of_presence_is_complete_while_leases_are_renewed(server):
    async with connected_hub(server) as one, connected_hub(server) as two:
        entries = {f"c{n}-0": b"1" for n in range(30)}
        await one.broker.add_presence("a", "worker", entries, 60)

        async def renew() -> None:
            number = 0
            while not ended.is_set():
                number += 1
                await one.broker.add_presence("a", "other", {f"d{number}-0": b"2"}, 60)
                assert await one.broker.renew_presence("a", "worker", 60)
                await one.broker.remove_presence("a", [f"d{number}-0"])

        ended = asyncio.Event()
        renewing = asyncio.ensure_future(renew())
        for _ in range(50):
            found = await two.broker.list_presence("a")
            assert {name for name in found if name.startswith("c")} == set(entries)
        assert not renewing.done()
        ended.set()
        await renewing


@pytest.mark.parametrize("during", ["pull_subscribe_bind", "fetch"])
@pytest.mark.parametrize("removed", [{0}, {25}, {29}, {3, 4, 5, 27}, set(range(30))], ids=len)
async def test_entry_that_is_removed_while_presence_is_listed(server, monkeypatch, during, removed):
    from nats.js.client import JetStreamContext

    owner = JetStreamContext if during == "pull_subscribe_bind" else JetStreamContext.PullSubscription
    original = getattr(owner, during)
    # With "fetch", the entries are removed after the first of several batches.
    countdown = [1] if during == "pull_subscribe_bind" else [2]
    monkeypatch.setattr("tornado.channels._nats_streams._BATCH", 10)

    async def removing(self, *args, **options):
        countdown[0] -= 1
        if not countdown[0]:
            await one.broker.remove_presence("a", [f"c{number}-0" for number in removed])
        return await original(self, *args, **options)

    async with connected_hub(server) as one, connected_hub(server) as two:
        await one.broker.add_presence("a", "worker", {f"c{n}-0": b"%d" % n for n in range(30)}, 60)
        monkeypatch.setattr(owner, during, removing)
        found = await two.broker.list_presence("a")
        remaining = {f"c{n}-0": b"%d" % n for n in range(30) if n not in removed}
        assert countdown[0] < 1
        # An entry that was read before its removal may be in the list.
        assert remaining.items() <= found.items()
        assert {int(data) for data in found.values()} - removed == {int(data) for data in remaining.values()}
        assert await two.broker.list_presence("a") == remaining


async def test_hub_closes_although_a_cancellation_is_lost(server, monkeypatch):
    """`asyncio.wait_for` of Python 3.11, with which nats-py connects, suppresses some cancellations."""
    import nats.aio.client

    connect = nats.aio.client.Client.connect
    begun = asyncio.Event()

    async def losing(self, *args, **options):
        await connect(self, *args, **options)
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(nats.aio.client.Client, "connect", losing)
    hub = Hub(NATSBroker(server.url, ping_interval=0.1, timeout=5))
    await hub.start()
    await begun.wait()
    await hub.close()
    assert not [each for each in asyncio.all_tasks() if "NATSConnection._run" in repr(each)]


async def test_connection_closed_during_handshake_is_released(expect_log):
    """nats-py leaves it open, which is a warning."""
    attempts = 0

    def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as closing:
        port = closing.sockets[0].getsockname()[1]
        with expect_log("tornado.general", "cannot be reached"):
            async with Hub(NATSBroker(f"nats://127.0.0.1:{port}")):
                await until(lambda: attempts == 3)
        gc.collect()


async def test_lease_from_the_future_has_ended(server, monkeypatch):
    """The clock of the server was set back: the entries of a dead process must not remain."""
    async with connected_hub(server) as hub:
        broker, streams = hub.broker, streams_of(hub)
        await broker.add_presence("a", "worker", {"c-0": b"1"}, 60)
        assert await broker.list_presence("a") == {"c-0": b"1"}
        original = streams.fetch_all

        async def earlier(*arguments, **options):
            messages, now = await original(*arguments, **options)
            return messages, now - timedelta(hours=1)

        monkeypatch.setattr(streams, "fetch_all", earlier)
        assert await broker.list_presence("a") == {}
        monkeypatch.undo()
        assert not await broker.renew_presence("a", "worker", 60)  # so it is stored again
        assert await broker.list_presence("a") == {}


async def test_channel_that_no_pattern_can_match_reaches_its_receiver(server):
    """Its name is too long to be contained in a subject."""
    async with connected_hub(server) as sender, connected_hub(server) as hub:
        hub.attach_pattern("*", pattern := Receiver())
        await hub.established("*")
        async with attached(hub, "x" * 200) as receiver:
            for number in range(5):
                await sender.publish("x" * 200, number)
                await until(lambda: number in receiver.got)  # noqa: B023
        hub.detach_pattern("*", pattern)
