"""Fixtures: session stores of each kind, and a clock that tests can set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.support.databases import RedisServer
from tornado import web
from tornado.web import SessionRecord
from tornado.web._sessions import memory, request_session, session

SECRET = "an old secret of 32 bytes or more"


class AwaitedStore(web.SessionStore):
    """An asynchronous store in memory.

    :ivar calls: the names of the methods that were called.
    :ivar gate: the event that each method waits for first.
    :ivar failure: the exception that each method raises, or None.
    """

    def __init__(self) -> None:
        self.inner = web.MemorySessionStore()
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: BaseException | None = None

    async def _enter(self, name: str) -> None:
        self.calls.append(name)
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure

    async def load(self, token: str) -> SessionRecord | None:
        await self._enter("load")
        return self.inner.load(token)

    async def create(self, record: SessionRecord, seconds: float) -> str:
        await self._enter("create")
        return self.inner.create(record, seconds)

    async def update(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
    ) -> str | None:
        await self._enter("update")
        return self.inner.update(token, record, changed, removed, seconds)

    async def delete(self, token: str) -> None:
        await self._enter("delete")
        self.inner.delete(token)


MakeStore = Callable[[], AbstractAsyncContextManager[Any]]


@pytest.fixture(params=["cookie", "memory", "awaited", "redis"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """Return a context manager for an empty store. The test runs once with each kind of store."""
    server: RedisServer | None = None
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.flush()

    @asynccontextmanager
    async def make() -> AsyncIterator[Any]:
        if server is not None:
            store: Any = web.RedisSessionStore(server.url, timeout=20)
        else:
            kinds: dict[str, Any] = {
                "cookie": web.CookieSessionStore,
                "memory": web.MemorySessionStore,
                "awaited": AwaitedStore,
            }
            store = kinds[request.param]()
        try:
            yield store
        finally:
            await store.close()

    return make


class WallClock:
    """A replacement for ``time.time`` in the session modules."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """Replace the clock of the session modules. It does not affect Redis."""
    clock = WallClock()
    for module in (request_session, memory, session):
        monkeypatch.setattr(module, "time", clock)
    return clock
