"""docs/guide/asgi.md."""

from __future__ import annotations

import json

import httpx
from asgi_lifespan import LifespanManager

from tests.support.guides import Run
from tests.support.websocket import dial
from tornado.websocket import websocket_connect


async def check_mixed(run: Run) -> None:
    """The handler and FastAPI answer their paths; the state of the lifespan reaches FastAPI."""
    assert b"/api/docs" in (await run.server.fetch("/")).body
    assert json.loads((await run.server.fetch("/api/prices/apple")).body) == {"apple": 0.5}
    assert b"/api/openapi.json" in (await run.server.fetch("/api/docs")).body
    assert "/prices/{name}" in json.loads((await run.server.fetch("/api/openapi.json")).body)["paths"]
    assert (await run.server.fetch("/apix")).code == 404


async def check_sizes(run: Run) -> None:
    assert (await run.server.fetch("/", method="POST", body=bytes(1_000_000))).body == b"1000000"
    client = await dial(run.server)
    client.send("a", b"b")
    assert [await client.event() for _ in range(2)] == ["a", b"b"]
    client.send("x" * 65_537)
    assert (await client.event()).code == 1009
    await client.peer.close()


async def check_adapter(run: Run) -> None:
    assert json.loads((await run.server.fetch("/hello")).body) == {"path": "/hello", "root_path": ""}
    async with websocket_connect(f"ws://127.0.0.1:{run.server.port}/echo") as connection:
        await connection.write_message("hi")
        assert await connection.read_message() == "hi"
    application = run.program["application"]
    async with LifespanManager(run.program["asgi_app"]) as manager:
        assert application.settings["database"] == "connected"
        transport = httpx.ASGITransport(manager.app, root_path="/site")
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            response = await client.get("/site/hello")
            assert response.json() == {"path": "/hello", "root_path": "/site"}
