"""Hubs with the nodes of a Redis cluster, and with a master that Sentinel replaces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.hubs import attach, until
from tests.support.redis_servers import MonitoredRedis, RedisCluster, running_cluster, running_sentinel
from tornado.channels import Gap, Hub, Position, RedisBroker

LOST = "connection to Redis at .* is lost"
RESTORED = "is restored after"


@asynccontextmanager
async def connected_hub(url: str) -> AsyncIterator[Hub]:
    """A hub that is connected."""
    async with Hub(RedisBroker(url, ping_interval=0.1, timeout=0.5)) as hub:
        await until(lambda: not hub.disconnected_for)
        yield hub


async def cluster_is(cluster: RedisCluster, state: str) -> None:
    """Wait until the first node regards the cluster as being in a state."""
    await until(lambda: f"cluster_state:{state}" in cluster.info(cluster.nodes[0]))


@pytest.fixture(scope="module")
def redis_cluster() -> Iterator[RedisCluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def redis_sentinel() -> Iterator[MonitoredRedis]:
    with running_sentinel() as running:
        yield running


def channels_of_all_nodes(cluster: RedisCluster) -> list[str]:
    """Return a channel for each node, in the order of the nodes."""
    found = {}
    for number in range(100):
        found.setdefault(cluster.nodes.index(cluster.node_of(f"{{croom:{number}}}")), f"room:{number}")
    return [found[index] for index in range(len(cluster.nodes))]


async def test_channels_of_all_nodes_reach_one_connection(redis_cluster):
    channels = channels_of_all_nodes(redis_cluster)
    async with connected_hub(redis_cluster.url) as sender, connected_hub(redis_cluster.url) as hub:
        receivers = [await attach(hub, channel) for channel in channels]
        for number in range(50):
            await asyncio.gather(*[sender.publish(channel, number) for channel in channels])
        for channel in channels:
            await sender.send(channel, "typing")
        await until(lambda: all(len(each.got) >= 51 for each in receivers))
        for receiver in receivers:  # nothing is said about the order of ephemeral messages and others
            receiver.got.remove("typing")
            assert receiver.got == list(range(50))
        assert await sender.broker.list_presence(channels[0]) == {}


async def test_killed_node_of_a_cluster_is_a_gap(redis_cluster, expect_log):
    channels = channels_of_all_nodes(redis_cluster)
    async with connected_hub(redis_cluster.url) as sender, connected_hub(redis_cluster.url) as hub:
        receivers = [await attach(hub, channel) for channel in channels]
        last = [await sender.publish(channel, 1) for channel in channels]
        await until(lambda: all(each.got == [1] for each in receivers))
        with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
            redis_cluster.nodes[1].stop()
            # Hubs with a connection to another node lose it when this node regards the cluster as down.
            await cluster_is(redis_cluster, "fail")
            await until(lambda: hub.disconnected_for and sender.disconnected_for)
            redis_cluster.nodes[1].start()
            positions = [await sender.publish(channel, 2, timeout=20) for channel in channels]
            await until(lambda: all(2 in each.got for each in receivers))
            await until(lambda: not hub.disconnected_for and not sender.disconnected_for)
        assert receivers[1].got == [1, Gap(channels[1], last[1], Position(positions[1].epoch, 0)), 2]
        assert [receivers[0].got, receivers[2].got] == [[1, 2], [1, 2]]


async def test_suspended_node_of_a_cluster_is_an_interruption(redis_cluster, expect_log):
    channels = channels_of_all_nodes(redis_cluster)
    async with connected_hub(redis_cluster.url) as sender, connected_hub(redis_cluster.url) as hub:
        receiver = await attach(hub, channels[0])
        with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
            with redis_cluster.nodes[2].paused():
                await cluster_is(redis_cluster, "fail")
                await until(lambda: hub.disconnected_for and sender.disconnected_for)
            await sender.publish(channels[0], 1, timeout=20)
            await until(lambda: receiver.got == [1])
            await until(lambda: not hub.disconnected_for and not sender.disconnected_for)


async def test_moved_slot_is_found(redis_cluster):
    """The new node has another run, so the epoch changes, as it does when a server was restarted."""
    [channel, *_] = channels_of_all_nodes(redis_cluster)
    async with connected_hub(redis_cluster.url) as hub:
        receiver = await attach(hub, channel)
        last = await hub.publish(channel, 1)
        source, target = redis_cluster.nodes[:2]
        slot = int(source.run(f"CLUSTER KEYSLOT {{c{channel}}}")[1:])
        source.flush()
        redis_cluster.assign(slot, target)
        try:
            position = await hub.publish(channel, 2, timeout=20)
            await until(lambda: 2 in receiver.got)
            assert receiver.got == [1, Gap(channel, last, Position(position.epoch, 0)), 2]
        finally:
            target.flush()
            redis_cluster.assign(slot, source)


async def test_failover_by_sentinel_is_a_gap(redis_sentinel, expect_log):
    async with connected_hub(redis_sentinel.url) as sender, connected_hub(redis_sentinel.url) as hub:
        receiver = await attach(hub, "c")
        last = await sender.publish("c", 1)
        await until(lambda: receiver.got == [1])
        with expect_log("tornado.general", LOST), expect_log("tornado.general", RESTORED):
            redis_sentinel.master.stop()
            position = await sender.publish("c", 2, timeout=50)
            await until(lambda: 2 in receiver.got)
            await until(lambda: not hub.disconnected_for and not sender.disconnected_for)
        assert receiver.got == [1, Gap("c", last, Position(position.epoch, 0)), 2]
        assert redis_sentinel.replica.run("EXISTS channels:{cc}:s") == b":1"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+cluster://", "expected addresses such as host:6379"),
        ("redis+sentinel://a,b", "name of a service"),
        ("redis+other://a", "got 'redis.other'"),
        ("unix+cluster://a", "got 'unix.cluster'"),
        ("redis://a?protocol=3", "must not contain protocol"),
        ("redis+sentinel://a/s?socket_timeout=1", "must not contain socket_timeout"),
        ("redis://a?other=1", "does not support: .*'other'"),
        ("redis+cluster://a?other=1", "does not support: .*'other'"),
        ("redis+sentinel://a/s?other=1", "does not support: .*'other'"),
    ],
)
def test_invalid_urls_are_rejected(url, message):
    with pytest.raises(ValueError, match=message):
        RedisBroker(url)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis+cluster://u:p@a,[::1]:7000", "<RedisBroker a:6379, [::1]:7000, database 0>"),
        ("rediss+cluster://a:1", "<RedisBroker a:1, database 0>"),
        ("redis+sentinel://a,b:7/s/3", "<RedisBroker s of a:26379, b:7, database 3>"),
        ("rediss+sentinel://u:p@a/s?sentinel_password=q", "<RedisBroker s of a:26379, database 0>"),
    ],
)
async def test_urls_name_several_servers(url, text):
    broker = RedisBroker(url)
    assert repr(broker) == text
    await broker.close()
