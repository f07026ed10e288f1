"""docs/guide/asgi.md."""

from __future__ import annotations

import json

import httpx
from asgi_lifespan import LifespanManager

from tests.support.guides import Run
from tornado.websocket import websocket_connect


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
