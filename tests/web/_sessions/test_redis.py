"""The store in Redis: its content, and errors of Redis."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import Any

import pytest
import redis.asyncio

from tests.support.databases import RedisServer
from tests.support.server import ExpectLog, Server, serving
from tests.support.visitor import Visitor
from tornado import web
from tornado.web import RedisSessionStore, SessionRecord, SessionStoreError

RECORD = SessionRecord({"a": "1", "b": '"two"'}, 1.5, 2.5)


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """Return a running Redis server without data, even if an earlier test has stopped it."""
    redis_server.start()
    redis_server.flush()
    return redis_server


@asynccontextmanager
async def storing(server: RedisServer, **options: Any) -> AsyncIterator[RedisSessionStore]:
    store = RedisSessionStore(server.url, **{"timeout": 20, **options})
    try:
        yield store
    finally:
        await store.close()


class Counter(web.RequestHandler):
    def get(self) -> None:
        self.session["count"] = self.session.get("count", 0) + 1
        self.write(str(self.session["count"]))


class Untouched(web.RequestHandler):
    def get(self) -> None:
        self.write("untouched")


@asynccontextmanager
async def counting(store: RedisSessionStore, **settings: Any) -> AsyncIterator[Server]:
    routes: Any = [("/", Counter), ("/untouched", Untouched)]
    async with serving(web.Application(routes, session_store=store, **settings)) as running:
        yield running


async def test_record_is_stored_updated_and_deleted(server: RedisServer) -> None:
    async with storing(server) as store:
        token = await store.create(RECORD, 60)
        assert await store.load(token) == RECORD
        changed = SessionRecord({"a": "2", "c": "3"}, 1.5, 4.5)
        assert await store.update(token, changed, ["a", "c"], ["b"], 60) == token
        assert await store.load(token) == changed
        await store.delete(token)
        assert await store.load(token) is None
        assert await store.update(token, changed, ["a"], [], 60) is None
        assert await store.load(token) is None
        await store.delete(token)


async def test_token_is_not_in_the_store(server: RedisServer) -> None:
    async with storing(server, prefix="app:") as store:
        token = await store.create(RECORD, 60)
        client: Any = redis.asyncio.Redis.from_url(server.url)
        (key,) = await client.keys("*")
        assert key.decode() == f"app:{store.key(token)}"
        kept = repr(await client.hgetall(key))
        assert token not in kept
        assert token not in key.decode()
        await client.aclose()


async def test_redis_deletes_expired_sessions(server: RedisServer) -> None:
    async with storing(server) as store, counting(store, session_idle_timeout=60) as running:
        visitor = Visitor(running)
        await visitor.fetch("/")
        (token,) = visitor.cookies.values()
        left = int(server.run(f"PTTL session:{store.key(token)}")[1:])
        assert 0 < left <= 60_000
        server.run(f"PEXPIRE session:{store.key(token)} 1000")
        await visitor.fetch("/")
        assert int(server.run(f"PTTL session:{store.key(token)}")[1:]) > 1000


async def test_session_outlives_the_process(server: RedisServer) -> None:
    async with storing(server) as store, counting(store) as running:
        visitor = Visitor(running)
        assert (await visitor.fetch("/")).body == b"1"
    async with storing(server) as store, counting(store) as running:
        visitor.server = running
        assert (await visitor.fetch("/")).body == b"2"


@pytest.mark.parametrize("decode_responses", [False, True])
async def test_client_of_the_program_is_not_closed(server: RedisServer, decode_responses: bool) -> None:
    client: Any = redis.asyncio.Redis.from_url(server.url, decode_responses=decode_responses)
    store = RedisSessionStore(client, timeout=20)
    token = await store.create(RECORD, 60)
    assert await store.load(token) == RECORD
    await store.close()
    assert await client.ping()
    await client.aclose()


@pytest.mark.parametrize("token", ["", "x", "*", "A" * 44, "A" * 42 + "/", "A" * 42 + "\n"])
async def test_malformed_token_is_not_sent_to_redis(token: str) -> None:
    store = RedisSessionStore("redis://127.0.0.1:1/0")
    assert await store.load(token) is None


async def test_other_data_under_the_key_is_not_a_session(server: RedisServer, expect_log: ExpectLog) -> None:
    async with storing(server) as store, counting(store) as running:
        token = store.new_token()
        server.run(f"HSET session:{store.key(token)} a b")
        assert (await running.fetch("/", f"Cookie: session={token}")).body == b"1"
        server.run(f"HSET session:{store.key(token)} created 1 used {int(time())} =count not-json")
        server.run(f"HSET session:{store.key(token)} created {int(time())}")
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await running.fetch("/", f"Cookie: session={token}")).code == 500
        server.run(f"SET session:{store.key(token)} text")
        with expect_log("tornado.general", "503 .*WRONGTYPE"):
            assert (await running.fetch("/", f"Cookie: session={token}")).code == 503


async def test_names_and_texts_are_preserved_exactly(server: RedisServer) -> None:
    values = {"created": "1", "used": "2", "=": "3", "": "4", "\0\r\n": "5", "Zo\xeb \U0001f600": '"\\ud800"'}
    async with storing(server) as store:
        token = await store.create(SessionRecord(values, 1.0, 2.0), 60)
        assert await store.load(token) == SessionRecord(values, 1.0, 2.0)


async def test_size_is_limited(server: RedisServer) -> None:
    async with storing(server, max_size=10) as store:
        with pytest.raises(web.SessionTooLargeError, match="accepts at most 10: store less"):
            await store.create(SessionRecord({"a": "x" * 10}, 1, 1), 60)
        token = await store.create(SessionRecord({"a": "x" * 9}, 1, 1), 60)
        with pytest.raises(web.SessionTooLargeError):
            await store.update(token, SessionRecord({"a": "x" * 10}, 1, 1), ["a"], [], 60)
    async with storing(server) as store:
        many = {str(number): "1" for number in range(1000)}
        token = await store.create(SessionRecord(many, 1, 1), 60)
        assert await store.update(token, SessionRecord({}, 1, 1), [], list(many), 60) == token
        with pytest.raises(web.SessionTooLargeError, match="1001 values"):
            await store.create(SessionRecord({**many, "more": "1"}, 1, 1), 60)


# -- without Redis --


async def test_redis_that_is_not_running(server: RedisServer, expect_log: ExpectLog) -> None:
    async with storing(server) as store, counting(store) as running:
        visitor = Visitor(running)
        assert (await visitor.fetch("/")).body == b"1"
        server.stop()
        for client in (visitor, Visitor(running)):
            with expect_log("tornado.general", "503 GET .*cannot be reached") as expected:
                assert (await client.fetch("/")).code == 503
            message = expected.records[0].getMessage()
            assert f"Redis at 127.0.0.1:{server.port}, database 0" in message
            assert "check that it is running" in message
        assert (await visitor.fetch("/untouched")).code == 200
        server.start()
        assert (await visitor.fetch("/")).body == b"1"  # the session was lost


async def test_unresponsive_redis_delays_requests_for_a_limited_time(
    server: RedisServer, expect_log: ExpectLog
) -> None:
    """The wait is bounded, and late responses of Redis are not used for other requests."""
    async with storing(server) as store, counting(store) as running:
        visitors = [Visitor(running) for _ in range(3)]
        for number, visitor in enumerate(visitors):
            for _ in range(number + 1):
                await visitor.fetch("/")
        store.timeout = 0.05
        with server.paused(), expect_log("tornado.general", "503 GET .*did not respond within 0.05 s"):
            answers = await asyncio.gather(*[visitor.fetch("/") for visitor in visitors])
        assert [answer.code for answer in answers] == [503, 503, 503]
        store.timeout = 20
        answers = await asyncio.gather(*[visitor.copy().fetch("/") for visitor in visitors])
        for number, answer in enumerate(answers):
            assert int(answer.body) == number + 2


def test_password_is_not_shown() -> None:
    store = RedisSessionStore("redis://me:secret@db.example:1234/3")
    assert repr(store) == "<RedisSessionStore db.example:1234, database 3>"
    assert "secret" not in repr(RedisSessionStore("unix://me:secret@/run/redis.sock?db=1"))
    assert repr(RedisSessionStore("redis://")) == "<RedisSessionStore localhost:6379, database 0>"


async def test_password_is_not_logged(server: RedisServer) -> None:
    server.stop()
    store = RedisSessionStore(server.url.replace("//", "//me:secret@"), timeout=20)
    with pytest.raises(SessionStoreError) as raised:
        await store.create(RECORD, 60)
    assert raised.value.status_code == 503
    assert "secret" not in str(raised.value)
    await store.close()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeout_must_be_positive(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds"):
        RedisSessionStore("redis://", timeout=timeout)


def test_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio.retry", None)
    with pytest.raises(ImportError, match=r"needs the package redis \(the extra 'redis'\)"):
        RedisSessionStore("redis://")


async def test_concurrent_visitors_share_the_connections(server: RedisServer) -> None:
    """All requests succeed, although there are more concurrent requests than connections to Redis."""
    async with storing(server) as store, counting(store) as running:
        visitors = [Visitor(running) for _ in range(80)]
        for expected in (b"1", b"2"):
            answers = await asyncio.gather(*[visitor.fetch("/") for visitor in visitors])
            assert {answer.body for answer in answers} == {expected}


def test_each_event_loop_has_its_own_connections(server: RedisServer) -> None:
    store = RedisSessionStore(server.url, timeout=20)

    async def create() -> str:
        token = await store.create(RECORD, 60)
        await store.close()
        return token

    async def load(token: str) -> Any:
        record = await store.load(token)
        await store.close()
        return record

    assert asyncio.run(load(asyncio.run(create()))) == RECORD
