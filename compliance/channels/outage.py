"""Redis without persistence, killed for two seconds while messages are published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from compliance.channels.client import TRANSPORTS, User
from compliance.channels.hosts import running_workers
from compliance.channels.record import Record, Track
from compliance.channels.worker import broker_of, history_of
from tests.support.databases import RedisServer
from tornado.channels import Hub, PublishError

_CHANNELS = ("a", "b")
_WITHIN = 60.0
#: The interval between messages, and the time for which messages are published before and after, in seconds.
_INTERVAL, _CALM = 0.01, 2.0
#: The time for which some clients are away before, in seconds. The workers remember the last 100 messages.
_AWAY = 4.0


@dataclass
class OutageResult:
    """The result of the test.

    :ivar published: the number of messages with a position, of all epochs and channels.
    :ivar received: the number of messages received by all clients together, and of those that gaps contain.
    :ivar delays: for each worker the time in seconds between the broker's return and the first message.
    """

    clients: int
    published: int = 0
    refused: int = 0
    received: int = 0
    missed: int = 0
    delays: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        delays = ", ".join(f"{delay:.2f}" for delay in self.delays)
        return (
            f"{self.clients} clients, {self.published} published, {self.refused} refused, "
            f"{self.received} received, {self.missed} in gaps, "
            f"first message of each worker after {delays} s, {len(self.problems)} problems"
        )


async def run_outage(server: RedisServer, folder: Path, clients: int, seconds: float = 2.0) -> OutageResult:
    """Kill the server while messages are published, and start it without data.

    :param seconds: the time for which the server is killed.
    """
    record = Record()
    users = [
        User(number, f"user {number}", TRANSPORTS[number % 3], [_CHANNELS[number % 2]], record)
        for number in range(clients)
    ]
    tracks = [track for user in users for track in user.tracks.values()]
    result = OutageResult(clients)
    server.remove_data()
    async with (
        running_workers(server.url, folder, 4) as workers,
        Hub(broker_of(server.url), history=history_of) as hub,
    ):
        publisher = asyncio.ensure_future(_publish(hub, record, result))
        try:
            for number, user in enumerate(users):
                user.connect(f"http://127.0.0.1:{workers[number % len(workers)].port}/channels")
            await _until(lambda: all(track.received for track in tracks))
            await asyncio.sleep(_CALM)
            for user in users[::5]:  # these miss the last messages of the epoch
                user.disconnect()
            await asyncio.sleep(_AWAY)
            record.kills += 1
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(server.start)
            for number, user in list(enumerate(users))[::5]:
                user.connect(f"http://127.0.0.1:{workers[number % len(workers)].port}/channels")
            await _measure_return(users, len(workers), result)
            await asyncio.sleep(_CALM)
            publisher.cancel()
            await asyncio.gather(publisher, return_exceptions=True)
            heads = {channel: await hub.head(channel) for channel in _CHANNELS}
            await _until(lambda: all(track.position == heads[track.channel] for track in tracks))
        finally:
            publisher.cancel()
            await asyncio.gather(*(user.close() for user in users))
    result.problems = record.problems
    _count(record, tracks, {channel: head.epoch for channel, head in heads.items()}, result)
    return result


async def _publish(hub: Hub, record: Record, result: OutageResult) -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def publish(channel: str, number: int) -> None:
        try:
            position = await hub.publish(channel, number)
        except PublishError:
            result.refused += 1
        else:
            record.confirm(channel, position, number)

    number = 0
    try:
        while True:
            number += 1
            task = asyncio.ensure_future(publish(_CHANNELS[number % len(_CHANNELS)], number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(_INTERVAL)
    finally:
        await asyncio.gather(*tasks)


async def _measure_return(users: list[User], workers: int, result: OutageResult) -> None:
    """Wait until a client of each worker has received a message of the new epoch."""
    begin = monotonic()
    waiting = set(range(workers))
    while waiting and monotonic() - begin < _WITHIN:
        for number in sorted(waiting):
            if any(_has_returned(user) for user in users[number::workers]):
                waiting.discard(number)
                result.delays.append(monotonic() - begin)
        await asyncio.sleep(0.005)


def _has_returned(user: User) -> bool:
    return any(
        track.breaks and track.position is not None and track.position.offset > track.breaks[-1].until.offset
        for track in user.tracks.values()
    )


def _count(record: Record, tracks: list[Track], last: dict[str, str], result: OutageResult) -> None:
    """Check for each client that what it has received, and the gaps, are all that was published."""
    for channel in _CHANNELS:
        result.published += sum(record.heads(channel).values())
    for track in tracks:
        heads = record.heads(track.channel)
        if track.start is None or len(track.breaks) != 1 or track.position is None:
            record.fail(f"{track!r} received the gaps {track.breaks}")
            continue
        gap = track.breaks[0]
        published = heads[track.start.epoch] - track.start.offset + heads[last[track.channel]]
        missed = heads[track.start.epoch] - gap.after.offset + gap.until.offset + track.missed
        result.received += track.received
        result.missed += missed
        if missed < 0 or track.received + missed != published or track.position.epoch != last[track.channel]:
            record.fail(f"{track!r}: {track.received} received + {missed} in gaps, {published} published")


async def _until(is_complete: Callable[[], bool]) -> None:
    end = monotonic() + _WITHIN
    while not is_complete() and monotonic() < end:  # noqa: ASYNC110 - of many objects
        await asyncio.sleep(0.05)


__all__ = ["OutageResult", "run_outage"]
