"""WebSockets of ASGI applications: the handshake, messages in both directions, and the end."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.server import serving
from tests.support.streams import run_loop_iterations
from tests.support.websocket import END, FIELDS, dial, masked
from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_events import Close
from tornado.asgi import ASGIContainer
from tornado.asgi._websocket_connection import WebSocketConnection
from tornado.asgi._websocket_invocation import WebSocketInvocation
from tornado.httputil import HTTPHeaders
from tornado.iostream import StreamClosedError
from tornado.web import Application


async def echo(scope, receive, send):
    assert (await receive()) == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


class Session:
    """An application that a test controls: it runs `steps` and records what happens."""

    def __init__(self, steps):
        self.steps = steps
        self.scope = None
        self.result = asyncio.get_running_loop().create_future()

    async def __call__(self, scope, receive, send):
        self.scope = scope
        try:
            self.result.set_result(await self.steps(receive, send))
        except Exception as error:
            self.result.set_exception(error)
            raise


async def accepted(receive, send, **values):
    await receive()
    await send({"type": "websocket.accept", **values})


@pytest.mark.parametrize("kind", ["server", "route"])
async def test_echo(kind, tls, loop_kind):
    container = ASGIContainer(echo)
    application = container if kind == "server" else Application([("/.*", container)])
    async with serving(application, tls=tls) as server:
        client = await dial(server, "/", first=("early",))
        client.send("text", b"bytes", "ä" * 100_000, b"")
        assert [await client.event() for _ in range(5)] == ["early", "text", b"bytes", "ä" * 100_000, b""]
        client.close(1000)
        assert await client.events() == [Close(1000, "")]


async def test_scope_of_a_handshake():
    async def steps(receive, send):
        await accepted(receive, send, subprotocol="b", headers=[(b"x-own", b"1")])
        return await receive()

    session = Session(steps)
    async with serving(ASGIContainer(session, mount="/ws")) as server:
        client = await dial(server, "/ws/%C3%A9?a=b", "Sec-WebSocket-Protocol: a, b")
        response = client.response
        assert (response.get("sec-websocket-protocol"), response.get("x-own")) == ("b", "1")
        assert response.get("server").startswith("TornadoServer")
        assert response.get("date")
        client.close()
        await session.result
    scope = session.scope
    assert (scope["type"], scope["scheme"], scope["subprotocols"]) == ("websocket", "ws", ["a", "b"])
    assert (scope["path"], scope["root_path"], scope["query_string"]) == ("/ws/é", "/ws", b"a=b")
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope


@pytest.mark.parametrize(
    ("close", "expected"),
    [((4000, "bye"), (4000, "bye")), ((None, ""), (1005, "")), ((1000, ""), (1000, ""))],
)
async def test_code_and_reason_of_the_client_reach_the_application(close, expected):
    async def steps(receive, send):
        await accepted(receive, send)
        event = await receive()
        assert await receive() == event  # it is returned again
        with pytest.raises(OSError):
            await send({"type": "websocket.send", "text": "late"})
        return event

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        client.close(*close)
        event = await session.result
    code, reason = expected
    assert event == {"type": "websocket.disconnect", "code": code, "reason": reason}


@pytest.mark.parametrize("how", ["drop", "leave"])
async def test_lost_connection_is_an_abnormal_closure(how):
    async def steps(receive, send):
        await accepted(receive, send)
        return await receive()

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        getattr(client, how)()
        assert await session.result == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, Close(1000, "")),
        ({"code": 4001, "reason": "over"}, Close(4001, "over")),
        ({"code": 1001, "reason": None}, Close(1001, "")),
    ],
)
async def test_application_closes(message, expected):
    async def steps(receive, send):
        await accepted(receive, send)
        await send({"type": "websocket.close", **message})
        event = await receive()
        assert event["type"] == "websocket.disconnect"
        assert event["code"] == expected.code
        with pytest.raises(RuntimeError, match=r"unexpected ASGI message 'websocket\.send', expected no"):
            await send({"type": "websocket.send", "text": "late"})

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        assert await client.event() == expected
        client.close(expected.code)
        await session.result
        assert await client.event() is END


async def test_application_that_returns_closes_the_connection():
    async def steps(receive, send):
        await accepted(receive, send)

    async with serving(ASGIContainer(Session(steps))) as server:
        client = await dial(server)
        assert await client.event() == Close(1000, "")


async def test_exception_closes_with_1011_and_is_logged_once(expect_log):
    async def steps(receive, send):
        await accepted(receive, send)
        await receive()
        raise ValueError("fault")

    with expect_log("tornado.application", r"Uncaught exception in the ASGI application: GET /x") as log:
        session = Session(steps)
        async with serving(ASGIContainer(session)) as server:
            client = await dial(server, "/x")
            client.send("go")
            assert await client.event() == Close(1011, "")
            client.close(1011)
            assert await client.event() is END
        assert isinstance(session.result.exception(), ValueError)
    assert len(log.records) == 1


async def test_exception_after_the_disconnect_is_not_logged():
    """Starlette raises WebSocketDisconnect from the OSError."""

    async def steps(receive, send):
        await accepted(receive, send)
        await receive()
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError:
            raise ValueError("disconnected") from None

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        client.close()
        with pytest.raises(ValueError):
            await session.result


# -- rejected handshakes --


async def test_close_before_accept_is_403():
    async def steps(receive, send):
        await receive()
        await send({"type": "websocket.close", "code": 4000})
        return await receive()

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        response = await server.fetch("/", *FIELDS)
        assert response.code == 403
        assert (await session.result)["type"] == "websocket.disconnect"


async def test_denial_response():
    async def steps(receive, send):
        await receive()
        fields = [(b"x-why", b"full")]
        await send({"type": "websocket.http.response.start", "status": 503, "headers": fields})
        await send({"type": "websocket.http.response.body", "body": b"a", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"b"})

    async with serving(ASGIContainer(Session(steps))) as server:
        response = await server.fetch("/", *FIELDS)
    assert (response.code, response.get("x-why"), response.body) == (503, "full", b"ab")


@pytest.mark.parametrize("begun", [False, True])
async def test_incomplete_denial_response(begun, expect_log):
    async def steps(receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": 503})
        if begun:
            await send({"type": "websocket.http.response.body", "body": b"a", "more_body": True})

    with expect_log("tornado.application", "returned without answering the WebSocket handshake"):
        async with serving(ASGIContainer(Session(steps))) as server:
            peer = await server.connect()
            peer.get("/", *FIELDS)
            data = await peer.rest() if begun else (await peer.response()).head
    assert data.startswith(b"HTTP/1.1 503" if begun else b"HTTP/1.1 500")
    assert not data.endswith(b"0\r\n\r\n")


async def test_header_fields_of_accept_may_be_an_iterator():
    async def steps(receive, send):
        await receive()
        await send({"type": "websocket.accept", "headers": iter([(b"x-a", b"1")])})

    async with serving(ASGIContainer(Session(steps))) as server:
        peer = await server.connect()
        peer.get("/", *FIELDS)
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"x-a: 1" in head.lower()
        await peer.close()


async def test_application_that_raises_before_accept(expect_log):
    async def steps(receive, send):
        raise ValueError("fault")

    with expect_log("tornado.application", "Uncaught exception in the ASGI application"):
        session = Session(steps)
        async with serving(ASGIContainer(session)) as server:
            assert (await server.fetch("/", *FIELDS)).code == 500
        assert session.result.exception() is not None


@pytest.mark.parametrize(
    ("fields", "status"),
    [(("Upgrade: websocket", "Connection: Upgrade"), 400), ((*FIELDS[:2], "Sec-WebSocket-Version: 5"), 426)],
)
async def test_invalid_handshake_does_not_reach_the_application(fields, status):
    async def application(scope, receive, send):
        raise AssertionError

    async with serving(ASGIContainer(application)) as server:
        response = await server.fetch("/", *fields)
    assert response.code == status


async def test_upgrade_to_another_protocol_is_a_request():
    async def application(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"plain"})

    async with serving(ASGIContainer(application)) as server:
        assert (await server.fetch("/", "Upgrade: h2c", "Connection: Upgrade")).body == b"plain"


async def test_client_that_disconnects_during_the_handshake():
    async def steps(receive, send):
        await receive()
        event = await receive()
        with pytest.raises(StreamClosedError):
            await send({"type": "websocket.accept"})
        return event

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        peer = await server.connect()
        peer.get("/", *FIELDS)
        await peer.close()
        assert await session.result == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        ({"type": "websocket.send", "text": "a"}, RuntimeError, "expected 'websocket.accept' or 'websocket"),
        ({"type": "websocket.accept", "subprotocol": "x"}, ValueError, "must be one of those offered"),
        (
            {"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Protocol", b"a")]},
            ValueError,
            "must not contain the header 'Sec-WebSocket-Protocol': only the server",
        ),
    ],
)
async def test_message_that_is_not_permitted_during_the_handshake(message, error, text):
    async def steps(receive, send):
        await receive()
        with pytest.raises(error, match=text):
            await send(message)
        await send({"type": "websocket.close"})

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        assert (await server.fetch("/", *FIELDS)).code == 403
        await session.result


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "websocket.send"}, TypeError),
        ({"type": "websocket.send", "bytes": 5}, TypeError),
        ({"type": "websocket.accept"}, RuntimeError),
        ({"type": "http.response.start"}, RuntimeError),
    ],
)
async def test_message_that_is_not_permitted_while_open(message, error):
    async def steps(receive, send):
        await accepted(receive, send)
        with pytest.raises(error):
            await send(message)

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        await session.result
        assert await client.event() == Close(1000, "")


# -- limits and back-pressure --


async def test_message_over_the_limit_is_1009():
    async def steps(receive, send):
        await accepted(receive, send)
        return await receive()

    session = Session(steps)
    async with serving(ASGIContainer(session, websocket_max_message_size=100)) as server:
        client = await dial(server)
        client.send("x" * 101)
        assert (await client.event()).code == 1009
        await client.peer.close()
        event = await session.result
    assert (event["type"], event["code"]) == ("websocket.disconnect", 1006)


async def test_reading_pauses_while_the_application_does_not_receive(monkeypatch):
    def receive_message(self, message):
        room = original(self, message)
        if room is not None:
            paused.set()
        return room

    original, paused = WebSocketInvocation.message_received, asyncio.Event()
    monkeypatch.setattr(WebSocketInvocation, "message_received", receive_message)

    async def steps(receive, send):
        await accepted(receive, send)
        await going_on.wait()
        return [await receive() for _ in range(count)]

    going_on, count = asyncio.Event(), 300
    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        # More than the buffers of both sockets, so that draining can only be complete after `going_on`.
        for _ in range(count):
            client.send(bytes(100_000))
        draining = asyncio.ensure_future(client.peer.writer.drain())
        await paused.wait()
        assert not draining.done()
        going_on.set()
        events = await session.result
        await draining
    assert len(events) == count
    assert all(len(each["bytes"]) == 100_000 for each in events)


async def test_send_waits_for_a_client_that_does_not_read(monkeypatch):
    def send_message(self, message):
        written.append(original(self, message))
        return written[-1]

    original, written = WebSocketConnection.send, []
    monkeypatch.setattr(WebSocketConnection, "send", send_message)

    async def steps(receive, send):
        await accepted(receive, send)
        for number in range(1000):
            sent.append(number)
            await send({"type": "websocket.send", "bytes": bytes(100_000)})

    sent: list[int] = []
    session = Session(steps)
    async with serving(ASGIContainer(session, websocket_write_limit=200_000)) as server:
        client = await dial(server)
        client.stop_reading()
        while not written or written[-1].done():
            await run_loop_iterations()
        assert 0 < len(sent) < 1000
        client.read_on()
        messages = [await client.event() for _ in range(1000)]
        assert {len(each) for each in messages} == {100_000}
        await session.result


async def test_compression():
    async with serving(ASGIContainer(echo, compression_options={})) as server:
        client = await dial(server, policy=DeflatePolicy())
        headers = HTTPHeaders(dict(client.response.headers))
        assert headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        client.send("x" * 100_000)
        assert await client.event() == "x" * 100_000


async def test_ping_is_answered():
    async with serving(ASGIContainer(echo)) as server:
        client = await dial(server)
        client.raw(masked(0x89, b"abc"))
        event = await client.event()
    assert event.payload == b"abc"


async def test_receive_can_be_cancelled_without_losing_a_message():
    async def steps(receive, send):
        await accepted(receive, send)
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), 0)
        await send({"type": "websocket.send", "text": "ready"})
        return await receive()

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        assert await client.event() == "ready"
        client.send("abc")
        assert await session.result == {"type": "websocket.receive", "text": "abc"}


async def test_drain_closes_the_connection_and_waits_for_the_application():
    async def steps(receive, send):
        await accepted(receive, send)
        event = await receive()
        await asyncio.sleep(0)
        return event

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        draining = asyncio.ensure_future(server.server.drain(grace=20))
        assert await client.event() == Close(1012, "")
        client.close(1012)
        result = await draining
        assert (result.websockets, result.clean) == (1, True)
        assert session.result.result()["code"] == 1012


# -- clients that leave early --


async def test_application_that_ignores_the_disconnect_does_not_block_the_event_loop():
    async def steps(receive, send):
        await accepted(receive, send)
        while not released.is_set():
            await receive()

    released = asyncio.Event()
    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        client = await dial(server)
        client.drop()
        await server.connect()
        released.set()
        await session.result


@pytest.mark.parametrize("waits", [False, True])
async def test_send_to_a_client_that_has_left_raises_an_oserror_that_is_not_logged(waits):
    async def steps(receive, send):
        await accepted(receive, send)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(100_000 if waits else 100)})
            if not waits:
                await asyncio.sleep(0)

    session = Session(steps)
    async with serving(ASGIContainer(session, websocket_write_limit=200_000)) as server:
        client = await dial(server)
        client.drop()
        with pytest.raises(StreamClosedError):
            await session.result


@pytest.mark.parametrize("returns", [False, True])
async def test_close_with_unreceived_messages_ends_the_connection(returns):
    """The messages had made the connection pause reading before the close frame of the client."""

    async def steps(receive, send):
        await accepted(receive, send)
        await going_on.wait()
        if not returns:
            await send({"type": "websocket.close", "code": 4000})
            while (await receive())["type"] != "websocket.disconnect":
                pass

    going_on = asyncio.Event()
    async with serving(ASGIContainer(Session(steps))) as server:
        client = await dial(server)
        for _ in range(200):
            client.send("x" * 1000)
        going_on.set()
        assert await client.event() == Close(1000 if returns else 4000, "")
        client.close(1000)
        assert await client.peer.rest() == b""


async def test_half_close_during_the_handshake_ends_the_connection():
    async def steps(receive, send):
        await receive()
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.accept"})

    session = Session(steps)
    async with serving(ASGIContainer(session)) as server:
        peer = await server.connect()
        peer.get("/", *FIELDS)
        peer.writer.write_eof()
        assert await peer.rest() == b""
        with pytest.raises(StreamClosedError):
            await session.result
