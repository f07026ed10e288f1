"""WebSockets of an Application under an ASGI server, event by event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.asgi import Call, calls, http_scope
from tornado.asgi import ASGIAdapter
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13, broadcast

APPLICATION = "tornado.application"


@pytest.fixture(autouse=True)
def _no_access_log() -> Iterator[None]:
    logger = logging.getLogger("tornado.access")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def scope(*subprotocols: str, path: str = "/", denial: bool = True, **more: Any) -> dict[str, Any]:
    made = http_scope(path=path, **more)
    del made["method"]
    extensions = {"websocket.http.response": {}} if denial else {}
    made.update(type="websocket", scheme="wss", subprotocols=list(subprotocols), extensions=extensions)
    return made


class Echo(WebSocketHandler):
    closed: asyncio.Future[tuple[int | None, str | None]]
    opened: list[Any]

    def prepare(self) -> None:
        self.set_header("X-Extra", "1")
        self.set_cookie("a", "b")
        cls = type(self)
        cls.closed, cls.opened = asyncio.get_running_loop().create_future(), []

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[-1] if subprotocols else None

    def open(self) -> None:
        self.opened.append((self.selected_subprotocol, self.request.protocol))

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, isinstance(message, bytes))

    def on_close(self) -> None:
        self.closed.set_result((self.close_code, self.close_reason))


@asynccontextmanager
async def connecting(
    handler: type[RequestHandler] = Echo, **settings: Any
) -> AsyncIterator[Callable[..., Call]]:
    async with calls(ASGIAdapter(Application([("/", handler)], **settings))) as call:

        def connect(*subprotocols: str, **more: Any) -> Call:
            made = call(scope=scope(*subprotocols, **more), body=None)
            made.put("websocket.connect")
            return made

        yield connect


async def test_messages_are_echoed_until_the_client_closes() -> None:
    async with connecting() as connect:
        socket = connect("x", "y")
        accepted = await socket.take()
        assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", "y")
        fields = dict(accepted["headers"])
        assert fields.keys() == {b"x-extra", b"set-cookie"}
        assert Echo.opened == [("y", "https")]
        socket.put("websocket.receive", text="grüße")
        socket.put("websocket.receive", bytes=b"\x00", text=None)
        socket.put("websocket.receive", text="")
        assert await socket.take() == {"type": "websocket.send", "text": "grüße"}
        assert await socket.take() == {"type": "websocket.send", "bytes": b"\x00"}
        assert await socket.take() == {"type": "websocket.send", "text": ""}
        socket.put("websocket.disconnect", code=4000, reason="bye")
        await socket.task
        assert await Echo.closed == (4000, "bye")


@pytest.mark.parametrize(("code", "seen"), [(1005, None), (1006, None), (1001, 1001)])
async def test_close_code_of_the_client(code: int, seen: int | None) -> None:
    async with connecting() as connect:
        socket = connect()
        await socket.take()
        socket.put("websocket.disconnect", code=code)
        await socket.task
        assert await Echo.closed == (seen, None)


async def test_close_by_the_handler() -> None:
    class Closing(Echo):
        async def on_message(self, message: str | bytes) -> None:
            self.close(4001, "enough")
            with pytest.raises(WebSocketClosedError):
                self.write_message("x")

    async with connecting(Closing) as connect:
        socket = connect()
        await socket.take()
        socket.put("websocket.receive", text="x")
        assert await socket.take() == {"type": "websocket.close", "code": 4001, "reason": "enough"}
        await socket.task  # the server completes the closing handshake
        assert await Closing.closed == (4001, "enough")


async def test_exception_closes_with_1011(expect_log: Any) -> None:
    class Failing(Echo):
        async def on_message(self, message: str | bytes) -> None:
            raise ValueError("broken")

    async with connecting(Failing) as connect:
        socket = connect()
        await socket.take()
        with expect_log(APPLICATION, "Uncaught exception"):
            socket.put("websocket.receive", text="x")
            event = await socket.take()
        assert (event["type"], event["code"]) == ("websocket.close", 1011)
        await socket.task


@pytest.mark.parametrize("message", ["x" * 11, "ü" * 6, b"x" * 11])
async def test_message_over_the_limit_closes_with_1009(message: str | bytes) -> None:
    async with connecting(websocket_max_message_size=10) as connect:
        socket = connect()
        await socket.take()
        key = "bytes" if isinstance(message, bytes) else "text"
        socket.put("websocket.receive", **{key: message})
        event = await socket.take()
        assert (event["type"], event["code"]) == ("websocket.close", 1009)
        await socket.task


async def test_busy_handler_pauses_receive() -> None:
    class Busy(Echo):
        gate = asyncio.Event()
        count = 0

        async def on_message(self, message: str | bytes) -> None:
            type(self).count += 1
            await self.gate.wait()

    async with connecting(Busy) as connect:
        socket = connect()
        await socket.take()
        for _ in range(20):
            socket.put("websocket.receive", bytes=b"x" * 100_000)
        for _ in range(100):
            await asyncio.sleep(0)
        assert Busy.count == 1
        assert socket.received < 10
        Busy.gate.set()
        while Busy.count < 20:
            await asyncio.sleep(0)


async def test_write_limit_applies_back_pressure() -> None:
    class Sender(Echo):
        async def on_message(self, message: str | bytes) -> None:
            for _ in range(5):
                await self.write_message("x" * 100)
                sent.append(True)

    sent: list[bool] = []
    async with connecting(Sender, websocket_write_limit=150) as connect:
        socket = connect()
        await socket.take()
        socket.sendable.clear()
        socket.put("websocket.receive", text="go")
        await socket.take()
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(sent) < 5
        socket.sendable.set()
        for _ in range(4):
            await socket.take()
        while len(sent) < 5:
            await asyncio.sleep(0)


async def test_disconnect_while_a_callback_waits_for_its_output() -> None:
    class Sender(Echo):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message("x" * 1000)

    async with connecting(Sender, websocket_write_limit=10) as connect:
        socket = connect()
        await socket.take()
        socket.sendable.clear()
        for _ in range(3):
            socket.put("websocket.receive", text="go")
        await socket.take()
        socket.put("websocket.disconnect", code=1001)
        assert await Sender.closed == (1001, None)
        socket.sendable.set()
        await socket.task


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("unexpected message")])
async def test_send_that_fails_closes_the_websocket(error: Exception) -> None:
    async with connecting() as connect:
        socket = connect()
        await socket.take()
        socket.send_error = error
        socket.put("websocket.receive", text="x")
        assert await Echo.closed == (None, None)
        await asyncio.wait([socket.task])
        assert socket.task.exception() is (None if isinstance(error, OSError) else error)


async def test_cancelled_call_closes_the_websocket() -> None:
    async with connecting() as connect:
        socket = connect()
        await socket.take()
        socket.task.cancel()
        assert await Echo.closed == (None, None)


async def test_broadcast() -> None:
    class Client(Echo):
        clients: set[Any] = set()

        def open(self) -> None:
            self.clients.add(self)

        def on_close(self) -> None:
            self.clients.discard(self)

    async with connecting(Client) as connect:
        sockets = [connect() for _ in range(3)]
        for socket in sockets:
            await socket.take()
        assert broadcast(Client.clients, "hello").sent == 3
        for socket in sockets:
            assert await socket.take() == {"type": "websocket.send", "text": "hello"}


async def test_ping_names_asgi() -> None:
    class Pinging(Echo):
        async def on_message(self, message: str | bytes) -> None:
            with pytest.raises(RuntimeError, match="ASGI has no event for pings"):
                self.ping(b"x")
            self.set_nodelay(True)
            await self.write_message("ok")

    async with connecting(Pinging, websocket_ping_interval=0.001) as connect:
        socket = connect()
        await socket.take()
        socket.put("websocket.receive", text="x")
        assert (await socket.take())["text"] == "ok"


# -- handshakes that are rejected --


class Refusing(Echo):
    def prepare(self) -> None:
        self.set_header("WWW-Authenticate", "Basic")
        self.set_status(401)
        self.finish("no")


class Page(RequestHandler):
    def get(self) -> None:
        self.write("page")


class Wrong(RequestHandler):
    def get(self) -> None:
        raise HTTPError(404)


@pytest.mark.parametrize(("handler", "status"), [(Refusing, 401), (Page, 200), (Wrong, 404)])
async def test_handshake_is_rejected_with_a_response(handler: Any, status: int) -> None:
    async with connecting(handler) as connect:
        socket = connect()
        start = await socket.take()
        assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
        body = await socket.take()
        assert (body["type"], body["more_body"]) == ("websocket.http.response.body", False)
        await socket.task
        socket = connect(denial=False)
        assert await socket.take() == {"type": "websocket.close"}
        await socket.task


async def test_foreign_origin_is_rejected() -> None:
    async with connecting() as connect:
        headers = [(b"host", b"example.com"), (b"origin", b"http://evil.example")]
        socket = connect(headers=headers)
        assert (await socket.take())["status"] == 403


async def test_exception_during_the_handshake(expect_log: Any) -> None:
    class Broken(Echo):
        def prepare(self) -> None:
            raise ValueError("broken")

    async with connecting(Broken) as connect:
        with expect_log(APPLICATION, "Uncaught exception"):
            assert (await connect().take())["status"] == 500


@pytest.mark.parametrize("denial", [True, False])
async def test_malformed_head_of_a_handshake(denial: bool) -> None:
    async with connecting() as connect:
        first = await connect(headers=[(b"host", b"a b")], denial=denial).take()
    assert first["type"] == ("websocket.http.response.start" if denial else "websocket.close")


async def test_disconnect_during_the_handshake() -> None:
    class Slow(Echo):
        async def prepare(self) -> None:  # type: ignore[override]
            entered.set()
            await asyncio.Event().wait()

        cancel_on_disconnect = True

    entered = asyncio.Event()
    async with connecting(Slow) as connect:
        socket = connect()
        await entered.wait()
        socket.put("websocket.disconnect", code=1006)
        await socket.task


async def test_disconnect_before_the_handshake() -> None:
    async with calls(ASGIAdapter(Application())) as call:
        socket = call(scope=scope(), body=None)
        socket.put("websocket.disconnect", code=1006)
        await socket.task


async def test_http_request_for_a_websocket_is_rejected() -> None:
    async with calls(ASGIAdapter(Application([("/", Echo)]))) as call:
        assert (await call().response())[0] == 400


async def test_server_without_websockets_is_named(expect_log: Any) -> None:
    fields = [
        (b"host", b"example.com"),
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    async with calls(ASGIAdapter(Application([("/", Echo)]))) as call:
        with expect_log(APPLICATION, "Uncaught exception") as expected:
            assert (await call(headers=fields).response())[0] == 500
    assert "it accepts WebSockets itself" in str(expected.records[0].exc_info[1])  # type: ignore[index]


async def test_own_protocol_with_frames_is_refused(expect_log: Any) -> None:
    class Own(Echo):
        def get_websocket_protocol(self) -> Any:
            return WebSocketProtocol13(self, False, self._params())

        async def on_message(self, message: str | bytes) -> None: ...

        def open(self) -> None:
            self.write_message("x")

    async with connecting(Own) as connect:
        with expect_log(APPLICATION, "Uncaught exception") as expected:
            socket = connect()
            assert (await socket.take())["type"] == "websocket.accept"
            socket.put("websocket.disconnect", code=1006)
            await asyncio.wait([socket.task])
    assert "does not accept" in str(expected.records[0].exc_info[1])  # type: ignore[index]
