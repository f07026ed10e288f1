"""Scripts that are executed together on one connection to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.databases import RedisServer
from tornado.channels._redis_pipeline import RedisPipeline

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@asynccontextmanager
async def pipeline_of(server: RedisServer, script: str = ADD) -> AsyncIterator[RedisPipeline]:
    import redis.asyncio

    pool = redis.asyncio.ConnectionPool.from_url(server.url, protocol=2)
    pipeline = RedisPipeline(pool.make_connection, redis.exceptions, script)
    yield pipeline
    await pipeline.close()
    with pytest.raises(redis.exceptions.ConnectionError, match="closed"):
        await pipeline.execute([])


@pytest.fixture(autouse=True)
def empty(redis_server: RedisServer) -> None:
    redis_server.start()
    redis_server.flush()


async def test_results_are_in_the_order_of_the_calls(loop_kind, redis_server):
    async with pipeline_of(redis_server) as pipeline:
        calls = [([b"a"], [b"%d" % number]) for number in range(1, 200)]
        assert await pipeline.execute(calls) == [sum(range(number + 1)) for number in range(1, 200)]
        redis_server.run("SCRIPT FLUSH")
        assert await pipeline.execute([([b"a"], [b"0"]), ([b"b"], [b"7"])]) == [19900, 7]


async def test_large_arguments(redis_server):
    async with pipeline_of(redis_server, "return {#ARGV[1], ARGV[2]}") as pipeline:
        payload = b"\r\n$3\0" * 500_000
        assert await pipeline.execute([([], [payload, b""])] * 3) == [[len(payload), b""]] * 3


async def test_error_of_one_call_does_not_affect_others(redis_server):
    async with pipeline_of(redis_server) as pipeline:
        first, second, third = await pipeline.execute([([b"a"], [b"1"]), ([b"a"], [b"x"]), ([b"a"], [b"1"])])
        assert (first, third) == (1, 2)
        assert "not an integer" in str(second)
        assert await pipeline.execute([([b"a"], [b"1"])]) == [3]


async def test_closed_connection_is_replaced(redis_server):
    async with pipeline_of(redis_server) as pipeline:
        for number in range(1, 4):
            assert await pipeline.execute([([b"a"], [b"1"])]) == [number]
            redis_server.run("CLIENT KILL TYPE normal")
        redis_server.stop()
        with pytest.raises((OSError, Exception), match="Connect|connect|closed"):
            await pipeline.execute([([b"a"], [b"1"])])
        redis_server.start()
        assert await pipeline.execute([([b"b"], [b"1"])]) == [1]


async def test_result_of_a_cancelled_call_is_not_that_of_the_next(redis_server):
    async with pipeline_of(redis_server) as pipeline:
        assert await pipeline.execute([([b"a"], [b"1"])]) == [1]
        with redis_server.paused():
            late = asyncio.ensure_future(pipeline.execute([([b"a"], [b"10"])]))
            for _ in range(5):
                await asyncio.sleep(0)
            late.cancel()
            with pytest.raises(asyncio.CancelledError):
                await late
        assert await pipeline.execute([([b"b"], [b"2"])]) == [2]
