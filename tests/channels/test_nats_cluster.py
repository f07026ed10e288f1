"""Hubs with a cluster of three NATS servers, whose streams have three replicas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.support.hubs import attach, until
from tests.support.nats_cluster import ClusterNode, running_nats_cluster
from tornado.channels import Hub, NATSBroker

EVENTS = r"NATS at .* (is (lost|restored|established)|cannot be reached)"


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[ClusterNode]]:
    with running_nats_cluster() as running:
        yield running


def broker_of(nodes: Sequence[ClusterNode]) -> NATSBroker:
    return NATSBroker([node.url for node in nodes], replicas=3)


async def leader_of(nodes: Sequence[ClusterNode], stream: str) -> ClusterNode:
    """Return the server that leads a stream."""
    import nats

    client = await nats.connect([node.url for node in nodes], allow_reconnect=False)
    try:
        info = await client.jetstream().stream_info(stream)
    finally:
        await client.close()
    assert info.cluster is not None
    [leader] = [node for node in nodes if node.name == info.cluster.leader]
    return leader


@pytest.mark.deadline(120)
async def test_killed_leader_of_a_stream_loses_nothing(nodes, expect_log):
    with expect_log("tornado.general", EVENTS, required=False):
        async with Hub(broker_of(nodes)) as sender, Hub(broker_of(nodes)) as hub:
            first = await sender.publish("c", 0, timeout=60)
            receiver = await attach(hub, "c", first)
            leader = await leader_of(nodes, "channels-c")
            for n in range(1, 201):
                if n == 50:
                    leader.stop()
                elif n == 150:
                    leader.start()
                last = await sender.publish("c", n, timeout=60)
            await until(lambda: len(receiver.got) >= 200)
            assert receiver.got == list(range(1, 201))
            assert last.epoch == first.epoch


@pytest.mark.deadline(120)
async def test_killed_cluster_loses_nothing_that_it_has_stored(nodes, expect_log):
    with expect_log("tornado.general", EVENTS, required=False):
        async with Hub(broker_of(nodes)) as sender, Hub(broker_of(nodes)) as hub:
            first = await sender.publish("d", 0, timeout=60)
            receiver = await attach(hub, "d", first)
            for n in range(1, 100):
                await sender.publish("d", n, timeout=60)
            for node in nodes:
                node.stop()
            await until(lambda: hub.disconnected_for and sender.disconnected_for)
            for node in nodes:
                node.start()
            for n in range(100, 200):
                last = await sender.publish("d", n, timeout=60)
            await until(lambda: len(receiver.got) >= 199)
            assert receiver.got == list(range(1, 200))
            assert last.epoch == first.epoch
