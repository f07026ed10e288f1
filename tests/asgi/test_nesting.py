"""Containers and adapters in one another, and the two kinds of containers as fallbacks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.asgi.conftest import echo, read_body, respond, show_scope
from tests.support.asgi import calls, http_scope
from tests.support.server import serving
from tests.support.websocket import dial
from tornado import web, websocket
from tornado._wire.ws_events import Close
from tornado.asgi import ASGIAdapter, ASGIContainer


async def ws_echo(scope: Any, receive: Any, send: Any) -> None:
    """Return messages to the client; a client that offers ``no`` is rejected."""
    assert scope["type"] == "websocket"
    await receive()
    if "no" in scope["subprotocols"]:
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "bye"})


async def both(scope: Any, receive: Any, send: Any) -> None:
    await (ws_echo if scope["type"] == "websocket" else echo)(scope, receive, send)


class Upload(web.RequestHandler):
    def post(self) -> None:
        self.write({"path": self.request.path, "size": len(self.request.body)})


class Stream(web.RequestHandler):
    async def get(self) -> None:
        for _ in range(100):
            self.write(bytes(100_000))
            await self.flush()


class Echo(websocket.WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


def handlers() -> web.Application:
    return web.Application([("/upload", Upload), ("/stream", Stream), ("/ws", Echo)])


# -- an Application, as an ASGI application, in a container --


async def test_adapter_in_a_container_streams_both_ways(loop_kind: str, tls: Any) -> None:
    async with serving(ASGIContainer(ASGIAdapter(handlers())), tls=tls) as server:
        peer = await server.connect()
        response = await peer.fetch("/upload", method="POST", body=bytes(5_000_000))
        assert response.body == b'{"path": "/upload", "size": 5000000}'
        assert len((await peer.fetch("/stream")).body) == 10_000_000
        assert (await peer.fetch("/missing")).code == 404


async def test_websocket_of_an_adapter_in_a_container(loop_kind: str, tls: Any) -> None:
    async with serving(ASGIContainer(ASGIAdapter(handlers())), tls=tls) as server:
        client = await dial(server, "/ws")
        client.send("text", b"bytes", "x" * 100_000)
        assert [await client.event() for _ in range(3)] == ["text", b"bytes", "x" * 100_000]
        client.close(4001, "bye")
        assert (await client.events())[0] == Close(4001, "")


# -- an ASGI application as the target of an adapted Application --


async def test_container_in_an_adapter_receives_the_scope_of_the_server() -> None:
    application = web.Application([("/api/.*", ASGIContainer(show_scope, mount="/api"))])
    async with calls(ASGIAdapter(application)) as call:
        request = call(path="/site/api/a", root_path="/site", client=("192.0.2.7", 55))
        status, _, body = await request.response()
    scope = json.loads(body)
    assert status == 200
    assert (scope["path"], scope["root_path"]) == ("/site/api/a", "/site/api")
    assert (scope["client"], scope["server"]) == (["192.0.2.7", 55], ["127.0.0.1", 80])


async def test_container_in_an_adapter_streams_both_ways() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        while (message := await receive())["more_body"]:
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async with calls(ASGIAdapter(web.Application([("/.*", ASGIContainer(application))]))) as call:
        headers = [(b"host", b"x"), (b"transfer-encoding", b"chunked")]
        request = call("POST", "/a", body=None, headers=headers)
        for part in (b"one", b"two"):
            request.body(part, more=True)
            if part == b"one":  # the head is sent with the first part
                assert (await request.take())["status"] == 200
            assert (await request.take())["body"] == part
        request.body(b"")
        assert (await request.take())["body"] == b"end"
        await request.task


@pytest.mark.parametrize("state", ["before", "in"])
async def test_disconnect_reaches_the_inner_application(state: str) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if state == "in":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        seen.set_result(await receive())
        with pytest.raises(OSError):
            await respond(send) if state == "before" else await send({"type": "http.response.body"})

    seen = asyncio.get_running_loop().create_future()
    async with calls(ASGIAdapter(web.Application([("/.*", ASGIContainer(application))]))) as call:
        request = call()
        if state == "in":
            await request.take()
            await request.take()
        request.put("http.disconnect")
        assert await seen == {"type": "http.disconnect"}
        await request.task


def ws_scope(path: str = "/ws", *subprotocols: str) -> dict[str, Any]:
    scope = http_scope(path=path, scheme="ws", subprotocols=list(subprotocols))
    del scope["method"]
    return {**scope, "type": "websocket"}


async def test_websocket_of_a_container_in_an_adapter() -> None:
    async with calls(ASGIAdapter(web.Application([("/.*", ASGIContainer(ws_echo))]))) as call:
        session = call(scope=ws_scope("/ws", "a", "b"), body=None)
        session.put("websocket.connect")
        accepted = await session.take()
        assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", "a")
        session.put("websocket.receive", text="abc")
        assert (await session.take())["text"] == "abc"
        session.put("websocket.receive", text="bye")
        assert (await session.take())["text"] == "bye"
        closed = await session.take()
        assert (closed["type"], closed["code"], closed["reason"]) == ("websocket.close", 4000, "bye")
        await session.task


async def test_rejected_websocket_of_a_container_in_an_adapter(expect_log: Any) -> None:
    with expect_log("tornado.access", "403 GET /ws"):
        async with calls(ASGIAdapter(web.Application([("/.*", ASGIContainer(ws_echo))]))) as call:
            session = call(scope=ws_scope("/ws", "no"), body=None)
            session.put("websocket.connect")
            assert (await session.take())["type"] == "websocket.close"
            await session.task


async def test_container_in_an_adapter_in_a_container() -> None:
    inner = web.Application([("/.*", ASGIContainer(both))])
    async with serving(ASGIContainer(ASGIAdapter(inner))) as server:
        response = await server.fetch("/a%20b", method="POST", body=b"abc")
        assert (response.body, response.get("x-path")) == (b"abc", "/a%20b")
        client = await dial(server, "/ws")
        client.send("abc", "bye")
        assert await client.events() == ["abc", "bye", Close(4000, "bye")]


# -- lifespans --


async def test_lifespans_of_all_levels_run_in_order() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        events.append("inner start")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        events.append("inner stop")
        await send({"type": "lifespan.shutdown.complete"})

    async def start(_: Any) -> None:
        events.append("start")

    async def stop(_: Any) -> None:
        events.append("stop")

    events: list[str] = []
    outer = web.Application([("/.*", ASGIContainer(application))], on_startup=[start], on_shutdown=[stop])
    async with ASGIContainer(ASGIAdapter(outer), lifespan="on").run_lifespan():
        assert events == ["inner start", "start"]
    assert events == ["inner start", "start", "stop", "inner stop"]


# -- fallbacks --


async def test_container_as_a_fallback(loop_kind: str) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        await asyncio.sleep(0)
        await respond(send, scope["raw_path"] + b" %d" % len(body))

    route = (".*", web.FallbackHandler, {"fallback": ASGIContainer(application)})
    async with serving(web.Application([("/upload", Upload), route])) as server:
        peer = await server.connect()
        assert (await peer.fetch("/a")).body == b"/a 0"
        assert (await peer.fetch("/b", method="POST", body=bytes(300_000))).body == b"/b 300000"
        assert (await peer.fetch("/upload", method="POST", body=b"abc")).code == 200


async def test_websocket_of_a_fallback() -> None:
    route = (".*", web.FallbackHandler, {"fallback": ASGIContainer(ws_echo)})
    async with serving(web.Application([route])) as server:
        client = await dial(server, "/ws")
        client.send("abc", "bye")
        assert await client.events() == ["abc", "bye", Close(4000, "bye")]
