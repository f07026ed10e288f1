"""docs/guide/databases.md."""

from __future__ import annotations

import json

import pytest

from tests.support.databases import PostgreSQL, RedisServer
from tests.support.guides import Run
from tornado import websocket

JSON = "Content-Type: application/json"


def prepare(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Start the servers that the programs need, and set the variables of the environment."""
    if name in ("cache", "relay"):
        redis: RedisServer = request.getfixturevalue("redis_server")
        redis.flush()
        monkeypatch.setenv("REDIS_URL", redis.url)
    if name == "shop":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        monkeypatch.setenv("DATABASE_URL", server.url)


async def check_todo(run: Run) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    text = "text=it%27s%22%3B+DROP+TABLE+todo"
    added = await run.server.fetch("/todo", form, method="POST", body=text.encode())
    assert (added.code, json.loads(added.body)) == (201, {"id": 1})
    assert (await run.server.fetch("/todo/1/done", method="PUT", body=b"")).code == 204
    assert (await run.server.fetch("/todo/2/done", method="PUT", body=b"")).code == 404
    listed = json.loads((await run.server.fetch("/todo")).body)
    assert listed == {"todo": [{"id": 1, "text": "it's\"; DROP TABLE todo", "done": True}]}


async def check_shop(run: Run) -> None:
    async def add(name: str) -> int:
        body = json.dumps({"name": name}).encode()
        response = await run.server.fetch("/items", JSON, method="POST", body=body)
        return int(response.code)

    assert [await add("hat"), await add("hat")] == [201, 409]
    order = await run.server.fetch("/items/hat/order?count=3", method="PUT", body=b"")
    assert json.loads(order.body) == {"left": 7}
    assert (await run.server.fetch("/items/hat/order?count=8", method="PUT", body=b"")).code == 409
    for count in (-5, 0, 1001, 2**40):
        refused = await run.server.fetch(f"/items/hat/order?count={count}", method="PUT", body=b"")
        assert refused.code == 400
    assert (await run.server.fetch("/items/cap/order", method="PUT", body=b"")).code == 404
    listed = json.loads((await run.server.fetch("/items")).body)
    assert listed == {"items": [{"name": "hat", "stock": 7}]}


async def check_cache(run: Run) -> None:
    for _ in range(2):
        found = json.loads((await run.server.fetch("/reports/may")).body)
        assert found == {"name": "may", "total": 42}
    assert run.program["Report"].computed == 1
    run.fixture("redis_server").stop()
    with run.expect_log("tornado.application", "the cache is not available"):
        assert (await run.server.fetch("/reports/may")).code == 200
    run.fixture("redis_server").start()


async def check_relay(run: Run) -> None:
    url = f"ws://127.0.0.1:{run.server.port}/chat"
    async with websocket.websocket_connect(url) as ada, websocket.websocket_connect(url) as bob:
        while len(run.program["MEMBERS"]) < 2:
            await run.server.fetch("/")
        await ada.write_message("hello")
        assert [await ada.read_message(), await bob.read_message()] == ["hello", "hello"]
