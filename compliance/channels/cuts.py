"""Connections that are cut at random moments, and continue at another worker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from compliance.channels.client import User
from compliance.channels.hosts import running_workers
from compliance.channels.proxy import Balancer
from compliance.channels.record import Record, Track
from compliance.channels.worker import broker_of, history_of
from tornado.channels import Hub

#: The number of clients of one channel.
_CLIENTS_OF_A_CHANNEL = 25
#: The time limit for everything after the last message, in seconds.
_WITHIN = 60.0


@dataclass
class CutsResult:
    """The result of one test.

    :ivar moves: the number of connections of clients to another worker than before.
    :ivar rate: the number of messages per second that were published.
    :ivar expected: the number of messages that all clients together must receive.
    """

    transport: str
    connections: int
    cuts: int = 0
    moves: int = 0
    published: int = 0
    rate: float = 0.0
    expected: int = 0
    received: int = 0
    gaps: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.transport}: {self.connections} connections, {self.cuts} cuts, "
            f"{self.moves} times to another worker, "
            f"{self.published} messages at {self.rate:.0f}/s, {self.received} received of {self.expected}, "
            f"{self.gaps} gaps, {len(self.problems)} problems"
        )


async def run_cuts(
    broker: str, folder: Path, transport: str, connections: int, seconds: float, rate: float, seed: int
) -> CutsResult:
    """Cut as many connections as there are, while messages are published.

    :param seconds: the duration of publishing and cutting.
    :param rate: the number of messages per second, in all channels together.
    """
    randomness = random.Random(seed)
    record = Record()
    names = [f"{seed} {transport} {n}" for n in range(max(1, connections // _CLIENTS_OF_A_CHANNEL))]
    users = [
        User(number, f"user {number}", transport, [names[number % len(names)]], record)
        for number in range(connections)
    ]
    tracks = [track for user in users for track in user.tracks.values()]
    result = CutsResult(transport, connections)
    async with (
        running_workers(broker, folder, 4) as workers,
        Hub(broker_of(broker), history=history_of) as hub,
    ):
        proxy = Balancer(randomness, [(worker.address, worker.port) for worker in workers])
        await proxy.start()
        try:
            for user in users:
                user.connect(f"http://127.0.0.1:{proxy.port}/channels?user={user.number}")
            await _until(tracks, lambda track: track.position is not None)
            began = monotonic()
            cutting = asyncio.ensure_future(_cut(proxy, randomness, connections, seconds))
            await _publish(hub, record, names, int(seconds * rate), rate, randomness)
            result.rate = record.confirmed / (monotonic() - began)
            await cutting
            heads = {name: await hub.head(name) for name in names}
            await _until(tracks, lambda track: track.position == heads[track.channel])
        finally:
            await asyncio.gather(*(user.close() for user in users))
            await proxy.close()
    result.cuts, result.moves, result.published = proxy.cuts, proxy.moves, record.confirmed
    result.gaps, result.received = record.gaps, record.messages
    result.problems = record.problems
    for track in tracks:
        head, start = heads[track.channel], track.start
        if start is None or track.position != head or track.received != head.offset - start.offset:
            record.fail(f"{track!r} has {track.received} messages from {start} to {track.position} of {head}")
        result.expected += 0 if start is None else head.offset - start.offset
    if record.gaps:
        record.fail(f"{record.gaps} gaps were reported, although the history contains everything")
    return result


async def _cut(proxy: Balancer, randomness: random.Random, count: int, seconds: float) -> None:
    begin = monotonic()
    for moment in sorted(randomness.uniform(0, seconds) for _ in range(count)):
        await asyncio.sleep(begin + moment - monotonic())
        proxy.cut_one()


async def _publish(
    hub: Hub, record: Record, names: list[str], count: int, rate: float, randomness: random.Random
) -> None:
    async def publish(number: int) -> None:
        channel = names[number % len(names)]
        record.confirm(channel, await hub.publish(channel, number, timeout=_WITHIN), number)

    begin = monotonic()
    tasks = []
    for number in range(count):
        tasks.append(asyncio.ensure_future(publish(number)))
        await asyncio.sleep(begin + number / rate - monotonic())
    await asyncio.gather(*tasks)


async def _until(tracks: list[Track], is_complete: Callable[[Track], bool]) -> None:
    end = monotonic() + _WITHIN
    while not all(map(is_complete, tracks)) and monotonic() < end:  # noqa: ASYNC110 - of many objects
        await asyncio.sleep(0.05)


__all__ = ["CutsResult", "run_cuts"]
