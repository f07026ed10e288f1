"""docs/guide/websocket.md: each of its programs is taken out and run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.program import ROOT
from tests.support.server import serving
from tornado import httpclient, web, websocket

PATH = ROOT / "docs/guide/websocket.md"
PROGRAMS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)
)
Check = Callable[[dict[str, Any], Any], Awaitable[None]]


class Echo(websocket.WebSocketHandler):
    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)
        if message == "hello":
            self.write_message("bye")


async def chat(program: dict[str, Any], certificates: Any) -> None:
    """What one says, all hear."""
    async with serving(program["application"]) as server:
        url = f"ws://127.0.0.1:{server.port}/chat/lobby"
        async with websocket.websocket_connect(url) as one, websocket.websocket_connect(url) as other:
            await one.write_message("hi")
            for conn in (one, other):
                message = await conn.read_message()
                assert isinstance(message, str)
                assert json.loads(message) == {"from": "127.0.0.1", "text": "hi"}
        while program["guests"]:
            await asyncio.sleep(0)


async def origins(program: dict[str, Any], certificates: Any) -> None:
    """Those that are welcome, and another."""
    async with serving(program["application"]) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        for origin in ("https://example.com", "http://www.example.com:8000"):
            async with websocket.websocket_connect(url, headers={"Origin": origin}) as conn:
                await conn.write_message("x")
                assert await conn.read_message() == "x"
        with pytest.raises(httpclient.HTTPClientError) as caught:
            await websocket.websocket_connect(url, headers={"Origin": "https://notexample.com"})
        assert caught.value.code == 403


async def options(program: dict[str, Any], certificates: Any) -> None:
    """The subprotocol, the windows, the limit."""
    async with serving(program["application"]) as server:
        url = f"ws://127.0.0.1:{server.port}/feed"
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


async def client(program: dict[str, Any], certificates: Any) -> None:
    """Prints what comes, until the last word."""
    printed: list[tuple[Any, ...]] = []
    program["print"] = lambda *words: printed.append(words)
    async with serving(web.Application([("/", Echo)])) as server:
        await program["main"](f"ws://127.0.0.1:{server.port}/")
    assert printed == [("hello",), ("bye",), ("closed with", None, None)]


async def access(program: dict[str, Any], certificates: Any) -> None:
    """Success, and each of the errors."""
    main, trust = program["main"], str(certificates.ca_file)
    page = type("Page", (web.RequestHandler,), {"get": lambda self: self.write("hello")})
    routes = [("/", Echo), ("/page", page)]
    async with serving(web.Application(routes), tls=certificates) as server:
        url = f"wss://localhost:{server.port}"
        assert await main(f"{url}/", trust) == "12"
        assert await main(f"{url}/nowhere", trust) == "refused: HTTP 404: Not Found"
        assert (await main(f"{url}/page", trust)).startswith("no WebSocket: ")
    assert (await main(f"{url}/", trust)).startswith("no connection: ")


async def test_feed(program: dict[str, Any], certificates: Any) -> None:
    await program["test_echo"]()


test_feed.__test__ = False  # type: ignore[attr-defined]
CHECKS: dict[str, Check] = {
    each.__name__: each for each in (chat, origins, options, client, access, test_feed)
}


def test_every_program_is_checked() -> None:
    assert PROGRAMS.keys() == CHECKS.keys()
    assert len(PROGRAMS) == PATH.read_text().count("```python")


@pytest.mark.parametrize("name", CHECKS)
async def test_program(name: str, certificates: Any) -> None:
    module: dict[str, Any] = {"__name__": name}
    exec(compile(PROGRAMS[name], f"{name}.py", "exec"), module)
    await CHECKS[name](module, certificates)


def test_links() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PATH.read_text()):
        assert (PATH.parent / target).exists(), target
