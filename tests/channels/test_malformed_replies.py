"""Servers in place of Redis and NATS whose replies have another form than expected."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest

from tornado.channels import (
    BrokerUnavailableError,
    History,
    Hub,
    MemoryBroker,
    NATSBroker,
    PublishError,
    RedisBroker,
)

Reply = Callable[[list[bytes]], bytes]

REDIS = {
    "not a number": b":x\r\n",
    "another type": b"+OK\r\n",
    "no positions": b"*0\r\n",
    "too few positions": b"*1\r\n$1\r\ne\r\n",
    "position of another type": b"*2\r\n$1\r\ne\r\n$1\r\nx\r\n",
    "epoch that is not text": b"*2\r\n$1\r\n\xff\r\n:1\r\n",
    "nested arrays": b"*1\r\n" * 100_000 + b":1\r\n",
    "invalid length": b"$-5\r\n",
    "unknown type": b"?\r\n",
}


@contextlib.asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)  # type: ignore[misc]
        writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def redis_with(reply: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            count = int((await reader.readuntil(b"\r\n"))[1:])
            words = []
            for _ in range(count):
                size = int((await reader.readuntil(b"\r\n"))[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            is_script = words[0] in (b"EVALSHA", b"EVAL")
            writer.write(reply if is_script else b"+PONG\r\n" if words[0] == b"PING" else b"+OK\r\n")

    return serve


@pytest.mark.parametrize("reply", REDIS.values(), ids=list(REDIS))
async def test_malformed_replies_of_redis(reply):
    async with listening(redis_with(reply)) as port:
        async with Hub(RedisBroker(f"redis://127.0.0.1:{port}"), timeout=0.2) as hub:
            with pytest.raises(PublishError):
                await hub.publish("c", 1)
            assert [
                type(each)
                for each in await asyncio.gather(
                    hub.publish("c", 1), hub.publish("c", 2), hub.publish("d", 3), return_exceptions=True
                )
            ] == [PublishError] * 3
            broker = hub.broker
            for operation in (
                hub.head("c"),
                broker.list_presence("c"),
                broker.heads(["c"], lambda channel: History()),
            ):
                with contextlib.suppress(BrokerUnavailableError):
                    await operation


def nats_with(reply: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    info = json.dumps(
        {"server_id": "x", "version": "2.10.0", "proto": 1, "headers": True, "max_payload": 2**20}
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subscriptions: dict[bytes, bytes] = {}

        def send(subject: bytes, data: bytes) -> None:
            for pattern, sid in subscriptions.items():
                if subject == pattern or (pattern.endswith(b"*") and subject.startswith(pattern[:-1])):
                    writer.write(b"MSG %b %b %d\r\n%b\r\n" % (subject, sid, len(data), data))

        writer.write(b"INFO " + info.encode() + b"\r\n")
        while True:
            words = (await reader.readuntil(b"\r\n")).split()
            match words[0].upper():
                case b"PING":
                    writer.write(b"PONG\r\n")
                case b"SUB":
                    subscriptions[words[1]] = words[-1]
                case b"PUB" | b"HPUB" as kind:
                    data = await reader.readexactly(int(words[-1]) + 2)
                    answered = len(words) == (4 if kind == b"PUB" else 5)
                    send(words[2] if answered else words[1], reply if answered else data[:-2])

    return serve


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b"7",
        b'{"error":7}',
        b'{"error":{}}',
        b"\xff",
        b"[" * 100_000,
        b'{"created":5}',
    ],
    ids=lambda reply: repr(reply[:20]),
)
async def test_malformed_replies_of_nats(reply):
    async with listening(nats_with(reply)) as port:
        async with Hub(NATSBroker(f"nats://127.0.0.1:{port}"), timeout=0.3) as hub:
            while hub.disconnected_for:
                await asyncio.sleep(0)
            with pytest.raises(PublishError):
                await hub.publish("c", 1)
            for operation in (hub.head("c"), hub.broker.channels("*"), hub.broker.list_presence("c")):
                with contextlib.suppress(BrokerUnavailableError):
                    await operation


async def test_error_of_a_broker_is_a_publish_error():
    class Failing(MemoryBroker):
        async def publish(self, message, history, idempotency_key, lifetime):
            raise KeyError("x")

    async with Hub(Failing()) as hub:
        with pytest.raises(PublishError, match=r"failed to publish to 'c': KeyError\('x'\)") as raised:
            await hub.publish("c", 1, idempotency_key="k")
        assert raised.value.idempotency_key == "k"
