"""Measure publishing over Redis: ``python -m benchmarks publishing``.

The latency of one publisher and one subscriber, compared with redis-py's own publish and subscribe, and the
rate of many publishers in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import redis.asyncio

from benchmarks import tables
from benchmarks.macro.channels.broker import redis_server
from tornado.channels import Gap, Hub, Message, RedisBroker

#: A row of the table: what was measured, and the figure.
Row = tuple[str, str]


def main() -> None:
    """Measure, print the results, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks publishing", description=__doc__)
    parser.add_argument("--messages", type=int, default=3000, help="messages of a latency")
    parser.add_argument("--published", type=int, default=100_000, help="messages of the rate")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[2] / "results")
    asked = parser.parse_args()
    with redis_server() as url:
        rows = [
            *_run(lambda: _latency(url, asked.messages), "asyncio"),
            *_run(lambda: _latency(url, asked.messages), "uvloop"),
            *_run(lambda: _rate(url, asked.published), "asyncio"),
        ]
    text = [*tables.heading("Publishing over Redis", []), "", *tables.table(["", "figure"], rows)]
    print(tables.save(asked.output, "publishing", text, {"rows": rows}))


def _run(measure: Callable[[], Awaitable[Sequence[Row]]], loop: str) -> list[Row]:
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        rows = [(f"{name}, {loop}", figure) for name, figure in runner.run(measure())]
    for name, figure in rows:
        print(f"{name:70} {figure}", flush=True)
    return rows


class _Counter:
    """A receiver that counts messages."""

    def __init__(self) -> None:
        self.count = 0
        self.arrived = asyncio.Event()

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        assert not any(isinstance(each, Gap) for each in items)
        self.count += len(items)
        self.arrived.set()


async def _attached(hub: Hub) -> _Counter:
    """Return a receiver that has received one message, so that its subscription is established."""
    receiver = _Counter()
    hub.attach("news", receiver, await hub.head("news"))
    await hub.publish("news", "first")
    await receiver.arrived.wait()
    return receiver


async def _latency(url: str, messages: int) -> list[Row]:
    """Publish one message after the other, in turn by both ways, and measure until it has arrived."""
    client = redis.asyncio.Redis.from_url(url)
    async with Hub(RedisBroker(url)) as hub, client, client.pubsub() as subscription:
        await subscription.subscribe("plain")
        await subscription.get_message(timeout=1)
        receiver = await _attached(hub)

        async def by_hub() -> None:
            receiver.arrived.clear()
            publishing = asyncio.ensure_future(hub.publish("news", "x" * 64))
            await receiver.arrived.wait()
            await publishing

        async def by_redis() -> None:
            publishing = asyncio.ensure_future(client.publish("plain", "x" * 64))
            while await subscription.get_message(ignore_subscribe_messages=True, timeout=5) is None:
                pass
            await publishing

        found: dict[str, list[float]] = {"hub": [], "redis": []}
        for _ in range(messages):
            for name, publish in (("hub", by_hub), ("redis", by_redis)):
                begun = time.perf_counter()
                await publish()
                found[name].append(time.perf_counter() - begun)
        ours, plain = (statistics.median(each) * 1e6 for each in found.values())
        return [
            ("latency of a message, `Hub`", f"{ours:.0f} us ({ours / plain:.2f}x)"),
            ("latency of a message, redis-py", f"{plain:.0f} us"),
        ]


async def _rate(url: str, messages: int) -> list[Row]:
    """Publish from 100 coroutines, and receive in the same process; look at the memory between two halves."""
    async with Hub(RedisBroker(url)) as hub:
        receiver = await _attached(hub)

        async def publish(count: int) -> float:
            numbers = iter(range(count))

            async def one() -> None:
                for number in numbers:
                    await hub.publish("news", {"number": number})

            begun = time.perf_counter()
            await asyncio.gather(*[one() for _ in range(100)])
            return count / (time.perf_counter() - begun)

        await publish(messages // 5)
        before = _memory()
        rate = await publish(messages)
        while receiver.count < messages // 5 + messages + 1:
            receiver.arrived.clear()
            await receiver.arrived.wait()
        growth = (_memory() - before) / 1024
        return [
            ("messages per second of 100 publishers in one process", f"{rate:,.0f}"),
            (f"growth of its memory over {messages:,} messages", f"{growth:,.0f} KiB"),
        ]


def _memory() -> int:
    """Return the memory of this process in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
