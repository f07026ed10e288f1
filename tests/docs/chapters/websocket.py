"""docs/guide/websocket.md."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.guides import Run
from tests.support.server import serving
from tornado import httpclient, web, websocket


def prepare(name: str, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """Set the variable of the environment that a program reads."""
    monkeypatch.setenv("COOKIE_SECRET", "0123456789abcdef" * 4)


class Echo(websocket.WebSocketHandler):
    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)
        if message == "hello":
            self.write_message("bye")


async def check_chat(run: Run) -> None:
    """A message is sent to the members of its room, and to no other room."""
    assert b'data-room="tea"' in (await run.server.fetch("/room/tea")).body
    assert 'data-room="茶"'.encode() in (await run.server.fetch("/room/%E8%8C%B6")).body
    assert (await run.server.fetch("/room/a%2Fb")).code == 404
    url = f"ws://127.0.0.1:{run.server.port}/chat"

    async def next_message(conn: Any) -> Any:
        return json.loads(await conn.read_message())

    async with (
        websocket.websocket_connect(f"{url}/tea") as ada,
        websocket.websocket_connect(f"{url}/coffee") as eve,
    ):
        assert await next_message(ada) == {"people": 1}
        assert await next_message(eve) == {"people": 1}
        async with websocket.websocket_connect(f"{url}/tea") as bob:
            assert await next_message(ada) == {"people": 2}
            assert await next_message(bob) == {"people": 2}
            await ada.write_message(json.dumps({"name": "Ada", "text": "hi"}))
            for conn in (ada, bob):
                assert await next_message(conn) == {"name": "Ada", "text": "hi"}
        assert await next_message(ada) == {"people": 1}
        await eve.write_message("[]")
        assert await eve.read_message() is None
        assert eve.close_code == 1008
    while run.program["Chat"].rooms:
        await asyncio.sleep(0)


async def check_private(run: Run) -> None:
    await _check_login(run, 401)


async def check_members(run: Run) -> None:
    await _check_login(run, 302)


async def _check_login(run: Run, code: int) -> None:
    """Check that a WebSocket opens after a login, and that the handshake fails with `code` before it."""
    form = "Content-Type: application/x-www-form-urlencoded"
    url = f"ws://127.0.0.1:{run.server.port}/feed"
    with pytest.raises(httpclient.HTTPClientError) as caught:
        await websocket.websocket_connect(url)
    assert caught.value.code == code
    await run.visitor.fetch("/login", form, method="POST", body=b"user=ada")
    cookies = "; ".join(f"{name}={value}" for name, value in run.visitor.cookies.items())
    async with websocket.websocket_connect(url, headers={"Cookie": cookies}) as conn:
        message = await conn.read_message()
        assert isinstance(message, str)
        assert json.loads(message) == {"hello": "ada"}


async def check_rows(run: Run) -> None:
    async with websocket.websocket_connect(f"ws://127.0.0.1:{run.server.port}/rows") as conn:
        await conn.write_message("all")
        assert [message async for message in conn][-1] == "999,998001"
        assert conn.close_code == 1000


async def check_origins(run: Run) -> None:
    """Connections from allowed origins are accepted, and one from another origin is refused."""
    url = f"ws://127.0.0.1:{run.server.port}/"
    for origin in ("https://example.com", "http://www.example.com:8000"):
        async with websocket.websocket_connect(url, headers={"Origin": origin}) as conn:
            await conn.write_message("x")
            assert await conn.read_message() == "x"
    with pytest.raises(httpclient.HTTPClientError) as caught:
        await websocket.websocket_connect(url, headers={"Origin": "https://notexample.com"})
    assert caught.value.code == 403


async def check_options(run: Run) -> None:
    """Check the negotiated subprotocol, the compression windows and the message size limit."""
    url = f"ws://127.0.0.1:{run.server.port}/feed"
    async with websocket.websocket_connect(
        url, subprotocols=["v1.feed", "v2.feed"], compression_options={}
    ) as conn:
        assert conn.selected_subprotocol == "v2.feed"
        assert "server_max_window_bits=11" in conn.headers["Sec-WebSocket-Extensions"]
        await conn.write_message("x" * 100)
        assert await conn.read_message() == "x" * 1000
        await conn.write_message("x" * 65537)
        assert await conn.read_message() is None
        assert conn.close_code == 1009
    async with websocket.websocket_connect(url) as conn:
        await conn.write_message("x")
        assert await conn.read_message() is None
        assert (conn.close_code, conn.close_reason) == (4000, "this needs v2.feed")


async def check_client(run: Run) -> None:
    """The client prints messages until "bye" is received."""
    printed: list[tuple[Any, ...]] = []
    run.program["print"] = lambda *words: printed.append(words)
    async with serving(web.Application([("/", Echo)])) as server:
        await run.program["main"](f"ws://127.0.0.1:{server.port}/")
    assert printed == [("hello",), ("bye",), ("closed with", None, None)]


async def check_access(run: Run) -> None:
    """The client returns the replies, or a different message for each error."""
    certificates = run.fixture("certificates")
    main, trust = run.program["main"], str(certificates.ca_file)
    page = type("Page", (web.RequestHandler,), {"get": lambda self: self.write("hello")})
    routes = [("/", Echo), ("/page", page)]
    async with serving(web.Application(routes), tls=certificates) as server:
        url = f"wss://localhost:{server.port}"
        assert await main(f"{url}/", trust) == "12"
        assert await main(f"{url}/nowhere", trust) == "refused: HTTP 404: Not Found"
        assert (await main(f"{url}/page", trust)).startswith("no WebSocket: ")
    assert (await main(f"{url}/", trust)).startswith("no connection: ")


async def check_test_feed(run: Run) -> None:
    await run.program["test_echo"]()
