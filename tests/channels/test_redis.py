"""Hubs of several processes, connected by a Redis server that fails in several ways."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tests.support.databases import RedisServer, running_redis
from tests.support.forwarder import Forwarder
from tests.support.hubs import Receiver, attached, until
from tests.support.redis_servers import query
from tornado.channels import (
    BrokerUnavailableError,
    Gap,
    History,
    Hub,
    Position,
    Presence,
    PublishError,
    RedisBroker,
)

LOST = "connection to Redis at .* is lost"


@asynccontextmanager
async def connected_hub(server: RedisServer, **options) -> AsyncIterator[Hub]:
    """A hub that is connected."""
    broker = RedisBroker(server.url, ping_interval=0.1, timeout=0.5)
    async with Hub(broker, **options) as hub:
        await until(lambda: not hub.disconnected_for)
        yield hub


@pytest.fixture(autouse=True)
def empty(redis_server: RedisServer) -> None:
    redis_server.start()
    redis_server.flush()


async def test_messages_reach_other_processes(redis_server):
    async with connected_hub(redis_server) as sender, connected_hub(redis_server) as hub:
        async with attached(hub, "room}{ü") as receiver:
            first = await sender.publish("room}{ü", {"text": "ü b"}, key="a b")
            second = await sender.publish("room}{ü", 2)
            await sender.send("room}{ü", "typing")
            await until(lambda: len(receiver.got) == 3)
            assert receiver.got == [{"text": "ü b"}, 2, "typing"]
            assert [(each.position, each.key) for each in receiver.messages] == [
                (first, "a b"),
                (second, None),
                (None, None),
            ]
            assert (first.offset, second) == (1, Position(first.epoch, 2))


async def test_resume_in_another_process(redis_server):
    async with connected_hub(redis_server) as sender, connected_hub(redis_server) as hub:
        positions = [await sender.publish("c", n, key="k") for n in range(700)]
        async with hub.subscribe("c", since=positions[9]) as messages:
            got = [await anext(messages) for _ in range(690)]
        assert [(each.data, each.position, each.key) for each in got] == [
            (n, positions[n], "k") for n in range(10, 700)
        ]


async def test_history_is_limited_by_count(redis_server):
    async with connected_hub(redis_server, history=History(count=3)) as hub:
        positions = [await hub.publish("c", n) for n in range(10)]
        async with hub.subscribe("c", since=positions[0]) as messages:
            got = [await anext(messages) for _ in range(4)]
        assert got[0] == Gap("c", positions[0], positions[6])
        assert [each.data for each in got[1:]] == [7, 8, 9]


async def test_history_is_limited_by_age(redis_server):
    async with connected_hub(redis_server, history=History(age=0.05)) as hub:
        first = await hub.publish("c", 1)
        await until(lambda: redis_server.run("EXISTS channels:{cc}:s") == b":0")
        async with hub.subscribe("c", since=Position(first.epoch, 0)) as messages:
            assert await anext(messages) == Gap("c", Position(first.epoch, 0), first)


async def test_message_with_the_same_key_is_stored_once(redis_server):
    async with connected_hub(redis_server) as hub:
        first = await hub.publish("c", 1, idempotency_key="k")
        assert await hub.publish("c", 1, idempotency_key="k") == first
        assert (await hub.publish("c", 1)).offset == 2
        assert redis_server.run("PTTL channels:{cc}:i:k") > b":0"


async def test_subscription_ends_with_the_last_receiver(redis_server):
    async with connected_hub(redis_server) as hub:
        async with attached(hub, "c"):
            hub.attach("c", other := Receiver())
            hub.detach("c", other)
            assert redis_server.run("PUBSUB CHANNELS") == b"*1"
        async with attached(hub, "c") as receiver:
            await hub.publish("c", 1)
            await until(lambda: receiver.got == [1])
        await until(lambda: redis_server.run("PUBSUB CHANNELS") == b"*0")


async def test_closed_hub_can_be_opened_again(redis_server):
    hub = Hub(RedisBroker(redis_server.url, ping_interval=0.1, timeout=0.5))
    for number in range(3):
        async with hub, attached(hub, "reopened") as receiver:
            with pytest.raises(RuntimeError, match="create a broker for each hub"):
                await Hub(hub.broker).start()
            await hub.publish("reopened", number)
            await until(lambda: len(receiver.got) == 1)
            assert receiver.got == [number]
    with pytest.raises(PublishError, match="is closed"):
        await hub.publish("reopened", 3)


async def test_malformed_message_is_ignored(redis_server, expect_log):
    async with connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            with expect_log("tornado.general", "Malformed message in channel 'c'"):
                assert redis_server.run("PUBLISH channels:0:c x") == b":1"
                await hub.publish("c", 1)
                await until(lambda: receiver.got == [1])


async def test_killed_server_without_persistence_is_a_gap(redis_server, expect_log):
    async with connected_hub(redis_server) as sender, connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            last = await sender.publish("c", 1)
            await until(lambda: receiver.got == [1])
            with expect_log("tornado.general", LOST):
                redis_server.stop()
                await until(lambda: hub.disconnected_for and sender.disconnected_for)
            waiting = asyncio.ensure_future(sender.publish("c", 2, timeout=20))
            await asyncio.sleep(0)
            assert not waiting.done()
            with expect_log("tornado.general", "is restored after"):
                redis_server.start()
                position = await waiting
                await until(lambda: len(receiver.got) == 3)
                await until(lambda: not sender.disconnected_for)
            assert receiver.got == [1, Gap("c", last, Position(position.epoch, 0)), 2]
            assert position.epoch != last.epoch


async def test_restart_from_an_old_snapshot_is_a_gap(redis_server, expect_log):
    """Without a new epoch, the second message 2 would have the offset of the one that was lost."""
    async with connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            await hub.publish("c", 1)
            assert redis_server.run("SAVE") == b"+OK"
            last = await hub.publish("c", "lost")
            await until(lambda: len(receiver.got) == 2)
            with expect_log("tornado.general", LOST):
                redis_server.stop()
                await until(lambda: hub.disconnected_for)
            with expect_log("tornado.general", "is restored after"):
                redis_server.start()
                position = await hub.publish("c", 2, timeout=20)
                await until(lambda: len(receiver.got) == 4)
            assert receiver.got == [1, "lost", Gap("c", last, Position(position.epoch, 0)), 2]


async def test_closed_connection_loses_nothing(redis_server, expect_log):
    async with connected_hub(redis_server) as sender, connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            with expect_log("tornado.general", LOST), expect_log("tornado.general", "is restored after"):
                for n in range(200):
                    if n == 100:
                        assert redis_server.run("CLIENT KILL TYPE pubsub") >= b":1"
                    await sender.publish("c", n)
                await until(lambda: len(receiver.got) == 200)
                await until(lambda: not sender.disconnected_for)
            assert receiver.got == list(range(200))


async def test_full_output_buffer_loses_nothing(redis_server, expect_log):
    async with connected_hub(redis_server) as sender, connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            limit = "CONFIG SET client-output-buffer-limit 'pubsub %s 0 0'"
            assert redis_server.run(limit % "100kb") == b"+OK"
            try:
                with expect_log("tornado.general", LOST), expect_log("tornado.general", "is restored after"):
                    await sender.publish("c", "x" * 300_000)
                    await sender.publish("c", 2)
                    await until(lambda: len(receiver.got) == 2)
            finally:
                assert redis_server.run(limit % "32mb") == b"+OK"
            assert receiver.got == ["x" * 300_000, 2]


async def test_suspended_server_is_detected(redis_server, expect_log):
    async with connected_hub(redis_server) as hub:
        async with attached(hub, "c") as receiver:
            with expect_log("tornado.general", r"lost \(no response to a ping within 0.5 s\)"):
                with redis_server.paused():
                    await until(lambda: hub.disconnected_for)
                    with pytest.raises(PublishError, match="did not respond|has not confirmed"):
                        await hub.publish("c", "late", timeout=0.2)
            with expect_log("tornado.general", "is restored after"):
                await until(lambda: not hub.disconnected_for)
            await hub.publish("c", 1)
            await until(lambda: 1 in receiver.got)
            # The script may have run after the server continued, although the publisher has given up.
            assert receiver.got in ([1], ["late", 1])


async def test_blocked_event_loop_does_not_end_the_connection(redis_server):
    """The time limit of a ping passes while the event loop is blocked by a program."""
    async with Hub(RedisBroker(redis_server.url, ping_interval=0.02, timeout=0.1)) as hub:
        await until(lambda: not hub.disconnected_for)
        for turns in range(8):
            time.sleep(0.15)  # noqa: ASYNC251 - a ping becomes due
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(0.15)  # noqa: ASYNC251 - its time limit passes
            await asyncio.sleep(0.03)
            assert not hub.disconnected_for


async def test_missing_server_is_logged_once(redis_server, expect_log):
    redis_server.stop()
    with expect_log("tornado.general", r"^Redis at .* cannot be reached \("):
        async with Hub(RedisBroker(redis_server.url, timeout=0.5)) as hub:
            with pytest.raises(PublishError, match="increase the timeout"):
                await hub.publish("c", 1, timeout=0.3)
            assert hub.disconnected_for > 0
            with expect_log("tornado.general", "is established after"):
                redis_server.start()
                await hub.publish("c", 1, timeout=20)
                await until(lambda: not hub.disconnected_for)


async def test_user_without_permission_for_channels_cannot_publish(redis_server):
    """Redis does not undo what a script has done before the command that is refused."""
    assert redis_server.run("ACL SETUSER app on >pw ~* resetchannels +@all") == b"+OK"
    try:
        url = redis_server.url.replace("redis://", "redis://app:pw@")
        async with connected_hub(redis_server) as hub, attached(hub, "c") as receiver:
            async with Hub(RedisBroker(url)) as sender:
                with pytest.raises(PublishError, match="the user may not publish to the channel"):
                    await sender.publish("c", 1, timeout=0.3)
            position = await hub.publish("c", 2)
            await until(lambda: receiver.got)
            assert (receiver.got, position.offset) == ([2], 1)
    finally:
        assert redis_server.run("ACL DELUSER app") == b":1"


async def test_failed_publication_does_not_use_an_offset(redis_server):
    async with connected_hub(redis_server) as hub:
        assert (await hub.publish("c", 1)).offset == 1
        redis_server.run("SET channels:{cc}:s text")
        with pytest.raises(PublishError, match="WRONGTYPE"):
            await hub.publish("c", 2, timeout=0.3)
        redis_server.run("DEL channels:{cc}:s")
        assert (await hub.publish("c", 2)).offset == 2


async def test_publication_ends_with_the_hub(redis_server):
    async with connected_hub(redis_server) as hub:
        await hub.publish("c", 1)
        assert redis_server.run("CLIENT PAUSE 60000 WRITE") == b"+OK"
        try:
            waiting = [asyncio.ensure_future(hub.publish("c", n, timeout=60)) for n in range(3)]
            await asyncio.sleep(0)
            await hub.close()
            for each in waiting:
                with pytest.raises(PublishError, match="was closed"):
                    await each
        finally:
            assert redis_server.run("CLIENT UNPAUSE") == b"+OK"
        with pytest.raises(BrokerUnavailableError, match="not been started, or is closed"):
            await hub.broker.read("c", None, 0, History())
    async with connected_hub(redis_server) as hub:
        assert (await hub.publish("c", 4)).offset == 2


async def test_large_messages_are_read_in_several_pages(redis_server):
    async with connected_hub(redis_server) as hub:
        first = await hub.publish("c", 0)
        for n in range(1, 31):
            await hub.publish("c", str(n) + "x" * 200_000)
        page = await hub.broker.read("c", first, 500, History())
        assert [each.data[:2] for each in page.messages] == ["1x", "2x", "3x", "4x", "5x", "6x"]
        async with attached(hub, "c", first) as receiver:
            await until(lambda: len(receiver.got) == 30)
            assert [each.position.offset for each in receiver.messages] == list(range(2, 32))


async def test_time_limit_is_that_of_one_step_through_the_keys(redis_server, monkeypatch):
    monkeypatch.setattr("tornado.channels._redis._SCAN", 1)
    async with connected_hub(redis_server) as hub:
        await hub.publish("c", 1)
        assert query(redis_server, "MSET", *map(str, range(20_000))) == "OK"
        begin = time.monotonic()
        assert await hub.broker.channels("*") == {"c"}
        assert time.monotonic() - begin > hub.broker.timeout


@contextmanager
def replica_of(server: RedisServer) -> Iterator[RedisServer]:
    """A replica. Replications begin without a delay."""
    with running_redis() as replica:
        for each in (server, replica):
            assert each.run("CONFIG SET repl-diskless-sync-delay 0") == b"+OK"
        assert replica.run(f"REPLICAOF 127.0.0.1 {server.port}") == b"+OK"
        yield replica


async def test_promoted_replica_begins_an_epoch(redis_server):
    """A master became a replica, and a master again: what it had stored after the copy is lost."""
    with replica_of(redis_server) as other:
        async with connected_hub(redis_server) as hub:
            await hub.publish("c", 1)
            await until(lambda: other.run("EXISTS channels:{cc}:s") == b":1")
            assert other.run("REPLICAOF NO ONE") == b"+OK"
            lost = await hub.publish("c", "lost")
            try:
                assert redis_server.run(f"REPLICAOF 127.0.0.1 {other.port}") == b"+OK"
                await until(lambda: is_synchronized(redis_server))
            finally:
                assert redis_server.run("REPLICAOF NO ONE") == b"+OK"
            position = await hub.publish("c", "other", timeout=20)
            assert position.epoch != lost.epoch
            async with attached(hub, "c", lost) as receiver:
                await until(lambda: len(receiver.got) == 2)
                assert receiver.got == [Gap("c", lost, Position(position.epoch, 0)), "other"]


async def test_reads_continue_after_a_failover_behind_a_forwarder(redis_server):
    """The forwarder closes no connection: only new ones lead to the new master."""
    with replica_of(redis_server) as other, Forwarder([redis_server.port, other.port]) as forwarder:
        async with Hub(RedisBroker(f"redis://127.0.0.1:{forwarder.port}/0", timeout=0.5)) as hub:
            last = await hub.publish("c", 1)
            assert (await hub.broker.read("c", None, 0, History())).head == last
            await until(lambda: other.run("EXISTS channels:{cc}:s") == b":1")
            assert other.run("REPLICAOF NO ONE") == b"+OK"
            forwarder.use(1, keep=True)
            try:
                assert redis_server.run(f"REPLICAOF 127.0.0.1 {other.port}") == b"+OK"
                with pytest.raises(BrokerUnavailableError, match="read only replica"):
                    await hub.broker.read("c", None, 0, History())
                assert (await hub.broker.read("c", None, 0, History())).head.epoch != last.epoch
            finally:
                assert redis_server.run("REPLICAOF NO ONE") == b"+OK"


def is_synchronized(server: RedisServer) -> bool:
    """Whether a replica has the data of its master."""
    return "master_link_status:up" in query(server, "INFO", "replication")


@pytest.mark.parametrize("options", [{"timeout": 0}, {"ping_interval": -1}])
def test_invalid_times_are_rejected(options):
    with pytest.raises(ValueError, match="must be a positive number of seconds"):
        RedisBroker("redis://localhost", **options)


def test_invalid_prefix_is_rejected():
    with pytest.raises(ValueError, match="prefix must not contain braces"):
        RedisBroker("redis://localhost", prefix="a{b}")


def replication_id(server: RedisServer) -> str:
    found = re.search(r"master_replid:(\w+)", query(server, "INFO", "replication"))
    assert found is not None
    return found[1]


async def test_lease_of_a_dead_process_ends_although_the_clock_was_set_back(redis_server):
    async with connected_hub(redis_server) as hub:
        broker = hub.broker
        await broker.add_presence("a", "dead", {"c-0": b"1"}, 0.1)
        await broker.add_presence("a", "alive", {"d-0": b"2"}, 60)
        # The lease was begun while the clock was a year ahead.
        year = 31_536_000_000
        ends = int(time.time() * 1000)
        redis_server.run(f'HSET channels:{{ca}}:p wdead "{ends + year} 100 {replication_id(redis_server)}"')
        assert await broker.list_presence("a") == {"c-0": b"1", "d-0": b"2"}
        while await broker.list_presence("a") != {"d-0": b"2"}:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("joins_later", [False, True])
async def test_presence_in_an_old_snapshot_does_not_remain(
    redis_server, expect_log, monkeypatch, joins_later
):
    """Redis is killed after SAVE: it forgets the connections that have joined or left since."""
    added = 0

    def add(*arguments):
        nonlocal added
        added += 1
        return original(*arguments)

    async with connected_hub(redis_server) as hub, Presence(hub, lease=1.5) as presence:
        await presence.join("a", "stays")
        leaves = await presence.join("a", "leaves")
        redis_server.run("SAVE")
        await presence.leave("a", leaves)
        await presence.join("a", "joins")
        members = {"stays", "joins"}
        original = hub.broker.add_presence
        monkeypatch.setattr(hub.broker, "add_presence", add)
        with expect_log("tornado.general", LOST):
            redis_server.stop()
            await until(lambda: hub.disconnected_for)
        with expect_log("tornado.general", "is restored after"):
            redis_server.start()
            await until(lambda: not hub.disconnected_for)
        if joins_later:
            await presence.join("a", "later")
            members.add("later")
        # The old entries remain until their lease ends.
        async with asyncio.timeout(10):
            while set(await presence.members("a")) != members:
                await asyncio.sleep(0.01)
        assert added <= 3  # one for the connection that joins, and one for each further lease
    redis_server.remove_data()


async def test_positions_of_many_channels_are_read_with_few_round_trips(redis_server):
    async with connected_hub(redis_server) as hub:
        expected = {f"c{number}": await hub.publish(f"c{number}", 1) for number in range(250)}
        assert await hub.broker.heads(expected, lambda channel: History()) == expected
