"""Messages for Redis that share a command while others are executed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tornado.channels import BrokerUnavailableError, Position
from tornado.channels._redis_publisher import Entry, RedisPublisher


def entry(number: int, channel: bytes = b"a", *, size: int = 1, limit: bytes = b"100") -> Entry:
    return Entry(
        (b"h" + channel, b"s" + channel), (b"epoch%d" % number, limit), b"i%d" % number, (b"m",), size
    )


class Server:
    """Executes a round of calls when the test permits it, and gives offsets in the order of the messages."""

    def __init__(self) -> None:
        self.rounds: list[Any] = []
        self.permits = asyncio.Semaphore(0)
        self.result: Any = None
        self.offsets: dict[bytes, int] = {}

    async def execute(self, calls: Any) -> Any:
        self.rounds.append([[key.decode() for key in keys[2:]] for keys, _ in calls])
        await self.permits.acquire()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result or [self._positions(keys) for keys, _ in calls]

    def _positions(self, keys: list[bytes]) -> list[Any]:
        first = self.offsets.get(keys[0], 0) + 1
        self.offsets[keys[0]] = first + len(keys) - 3
        return [b"e", *range(first, first + len(keys) - 2)]


def publisher_of(server: Server, timeout: float = 30) -> RedisPublisher:
    return RedisPublisher(server.execute, (OSError,), "localhost:6379", timeout)


async def started(publisher: RedisPublisher, *entries: Entry) -> list[asyncio.Task[Position]]:
    tasks = [asyncio.ensure_future(publisher.publish(each)) for each in entries]
    await asyncio.sleep(0)
    return tasks


async def test_messages_share_a_command_while_one_is_executed(loop_kind):
    server = Server()
    publisher = publisher_of(server)
    tasks = await started(publisher, *[entry(number) for number in range(4)], entry(4, b"b"))
    server.permits.release()
    assert await tasks[0] == Position("e", 1)
    server.permits.release()
    assert [each.offset for each in await asyncio.gather(*tasks)] == [1, 2, 3, 4, 1]
    assert server.rounds == [[["i0"]], [["i1", "i2", "i3"], ["i4"]]]
    server.permits.release()
    assert await publisher.publish(entry(5)) == Position("e", 5)
    assert server.rounds[2:] == [[["i5"]]]


@pytest.mark.parametrize(
    ("entries", "rounds"),
    [
        ([entry(number) for number in range(251)], [1, 100, 100, 50]),
        ([entry(number, size=400_000) for number in range(6)], [1, 2, 2, 1]),
        ([entry(number, size=5_000_000) for number in range(3)], [1, 1, 1]),
        ([entry(0), entry(1), entry(2, limit=b"7"), entry(3, limit=b"7")], [1, 1, 2]),
    ],
)
async def test_commands_are_limited(entries, rounds):
    server = Server()
    tasks = await started(publisher_of(server), *entries)
    for _ in rounds:
        server.permits.release()
    positions = await asyncio.gather(*tasks)
    assert [each.offset for each in positions] == list(range(1, len(entries) + 1))
    assert [len(batch) for [batch] in server.rounds] == rounds


async def test_cancelled_message_that_waits_is_not_published():
    server = Server()
    first, second, third = await started(publisher_of(server), *[entry(number) for number in range(3)])
    second.cancel()
    server.permits.release()
    server.permits.release()
    await asyncio.gather(first, third)
    assert server.rounds == [[["i0"]], [["i2"]]]


async def test_others_are_published_if_the_first_is_cancelled():
    server = Server()
    first, second = await started(publisher_of(server), entry(0), entry(1))
    first.cancel()
    server.permits.release()
    assert (await second).offset == 1
    assert first.cancelled()


@pytest.mark.parametrize("result", [ConnectionError("reset"), [ValueError("READONLY")]])
async def test_failure_is_that_of_each_message(result):
    server = Server()
    publisher = publisher_of(server)
    tasks = await started(publisher, *[entry(number) for number in range(3)])
    server.result = result
    server.permits.release()
    server.permits.release()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in errors] == [BrokerUnavailableError] * 3
    assert len({id(each) for each in errors}) == 3
    assert "Redis at localhost:6379: " in str(errors[0])
    server.result = None
    server.permits.release()
    assert (await publisher.publish(entry(9))).offset == 1


async def test_time_limit(clock):
    server = Server()
    publisher = publisher_of(server, timeout=2)
    tasks = await started(publisher, entry(0), entry(1))
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    for error in errors:
        assert isinstance(error, BrokerUnavailableError)
        assert str(error) == "Redis at localhost:6379 did not respond within 2 s"


async def test_messages_that_wait_fail_if_the_broker_is_closed():
    server = Server()
    publisher = publisher_of(server)
    first, second = await started(publisher, entry(0), entry(1))
    await publisher.close()
    with pytest.raises(BrokerUnavailableError, match="closed"):
        await second
    server.permits.release()
    assert (await first).offset == 1
    first, second = await started(publisher, entry(2), entry(3))
    server.permits.release()
    await first
    await asyncio.sleep(0)
    await publisher.close()
    with pytest.raises(BrokerUnavailableError):
        await second


async def test_unexpected_error_fails_all_that_wait(expect_log):
    server = Server()
    publisher = publisher_of(server)
    tasks = await started(publisher, *[entry(number) for number in range(3)])
    server.permits.release()
    await tasks[0]
    later = await started(publisher, entry(3))
    server.result = LookupError("unexpected")
    with expect_log("tornado.general", "Exception while messages were published to Redis"):
        server.permits.release()
        for task in [*tasks[1:], *later]:
            with pytest.raises(BrokerUnavailableError, match="the operation has failed"):
                await task
    server.result = None
    server.permits.release()
    assert await publisher.publish(entry(4))
