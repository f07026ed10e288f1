"""Messages and requests that a handler processes: authors, `prepare_publication`, calls, history."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar

import pytest

from tests.support.brokers import KINDS, broker_url
from tests.support.channels import ChannelServer, Open, serving_channels
from tests.support.clock import FakeClock
from tests.support.server import ExpectLog
from tornado.channels import (
    ChannelRequestError,
    ClientLimits,
    Gap,
    History,
    Hub,
    Identity,
    MemoryBroker,
    Message,
    Position,
    PublishError,
    connect,
    create_broker,
)

TRANSPORTS = ["websocket", "stream", "poll"]


class Game(Open):
    client_limits: ClassVar[ClientLimits] = ClientLimits(calls=3)  # type: ignore[misc]
    waiting = 0
    cancelled = 0
    moves: ClassVar[list[Any]] = []

    def authenticate(self, token: str | None) -> Identity:
        return Identity(token or self.get_cookie("user") or self.request.headers.get("X-User"))

    async def prepare_publication(self, channel: str, data: Any) -> Any:
        await asyncio.sleep(0)
        if data == "refused":
            raise ChannelRequestError("no_such_move", "e9 is not a square")
        if data == "closing":
            raise ChannelRequestError("unauthorized", "would close the connection")
        return {"text": data, "by": self.identity.user, "in": channel}

    def call_move(self, data: Any) -> Any:
        type(self).moves.append(data)
        return [self.identity.user, data]

    async def call_later(self, data: Any) -> Any:
        await asyncio.sleep(0)
        return self.call_move(data)

    def call_refuse(self, data: Any) -> Any:
        raise ChannelRequestError(data, "because")

    def call_fail(self, data: Any) -> Any:
        raise TimeoutError("of the program")

    def call_unable(self, data: Any) -> Any:
        return {1, 2}

    async def call_wait(self, data: Any) -> Any:
        type(self).waiting += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            type(self).cancelled += 1
            raise
        finally:
            type(self).waiting -= 1


@contextlib.asynccontextmanager
async def client_of(server: ChannelServer, transport: str, token: str | None = "ada", **options: Any) -> Any:
    url = f"http://127.0.0.1:{server.server.port}/channels"
    async with connect(url, token=token, transports=[transport], **options) as client:
        yield client


async def item_of(client: Any) -> Message:
    item = await anext(client)
    assert isinstance(item, Message)
    return item


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    return broker_url(request)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_author_is_that_of_the_session(url, transport):
    hub = Hub(create_broker(url))
    async with serving_channels(Open, hub) as server, client_of(server, transport, None) as anonymous:
        await anonymous.subscribe("c")
        first = await anonymous.publish("c", {"author": "eve"}, key="@ 1")
        assert (await item_of(anonymous)).data == {"author": "eve"}
        await hub.publish("c", 2)
        await hub.publish("c", 3, author="@3 ü:", key="k")
        await hub.send("c", 4, author="~") if transport != "poll" else None
        expected = [(None, None), ("@3 ü:", "k"), ("~", None)][: 2 if transport == "poll" else 3]
        got = [await item_of(anonymous) for _ in expected]
        assert [(each.author, each.key) for each in got] == expected
        # Others, and the history, have the same authors.
        async with hub.subscribe("c", Position(first.epoch, 0)) as messages:
            stored = [await anext(messages) for _ in range(3)]
        name = stored[0].author
        assert name is not None
        assert name.startswith("~")
        assert [(each.author, each.key) for each in stored] == [(name, "@ 1"), (None, None), ("@3 ü:", "k")]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_hook_decides_what_is_published(transport):
    async with serving_channels(Game) as server, client_of(server, transport) as client:
        await client.subscribe("c")
        with pytest.raises(ChannelRequestError, match="no_such_move: e9 is not a square") as raised:
            await client.publish("c", "refused")
        assert raised.value.code == "no_such_move"
        await client.publish("c", "e4")
        message = await item_of(client)
        assert (message.data, message.author) == ({"text": "e4", "by": "ada", "in": "c"}, "ada")
        if transport == "websocket":
            await client.send("c", "typing")
            message = await item_of(client)
            assert (message.data["text"], message.author, message.position) == ("typing", "ada", None)


async def test_author_can_be_left_out():
    class Secret(Open):
        publishes_author = False

    async with serving_channels(Secret) as server:
        client = await server.connect()
        await client.subscribe("c")
        client.send(type="publish", channel="c", data=1, id="0" * 20)
        assert set(await client.receive_type("message")) == {"type", "channel", "position", "data"}


async def test_refusal_cannot_close_the_connection(expect_log: ExpectLog):
    async with serving_channels(Game) as server, client_of(server, "websocket") as client:
        with expect_log("tornado.application", "Uncaught exception"):
            client_error = asyncio.ensure_future(client.publish("c", "closing", timeout=0.05))
            with pytest.raises(PublishError):
                await client_error
        assert client.is_connected


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_calls_are_answered(transport, expect_log: ExpectLog):
    async with serving_channels(Game) as server, client_of(server, transport) as client:
        assert await client.call("move", {"to": "e4"}) == ["ada", {"to": "e4"}]
        assert await client.call("later", None) == ["ada", None]
        for method, data, code in (
            ("refuse", "my_code", "my_code"),
            ("refuse", "forbidden", "forbidden"),
            ("unknown", 1, "not_found"),
            ("__class__", 1, "bad_request"),
            ("Move", 1, "bad_request"),
        ):
            with pytest.raises(ChannelRequestError) as raised:
                await client.call(method, data)
            assert raised.value.code == code
        for method, data in (("fail", 1), ("unable", 1), ("refuse", "No code"), ("refuse", "unauthorized")):
            with expect_log("tornado.application", "Uncaught exception"):
                with pytest.raises(ChannelRequestError, match="internal"):
                    await client.call(method, data)
        with pytest.raises(ChannelRequestError, match="timeout: 'wait' was not answered within 0.02 s"):
            await client.call("wait", timeout=0.02)
        assert await client.call("move", 1) == ["ada", 1]


async def test_calls_have_a_deadline_on_the_server(clock: FakeClock):
    async with serving_channels(Game) as server:
        client = await server.connect()
        reply = await client.ask(type="call", method="wait")
        assert (reply["code"], reply["message"]) == ("timeout", "wait has not ended within 10 s")
        response = await server.post(type="call", method="wait", id="1")
        assert response.code == 504


async def test_calls_do_not_delay_other_requests_and_are_limited():
    async with serving_channels(Game) as server:
        client = await server.connect()
        for number in range(3):
            client.send(type="call", method="wait", id=f"w{number}")
        assert (await client.ask(type="call", method="move"))["code"] == "limit"
        assert (await client.ask(type="ping"))["type"] == "pong"
        assert Game.waiting == 3
        before = Game.cancelled
        client.client.peer.writer.close()
        while Game.waiting:
            await asyncio.sleep(0)
        assert Game.cancelled == before + 3


async def test_call_without_an_id_is_refused():
    async with serving_channels(Game) as server:
        client = await server.connect()
        client.send(type="call", method="move")
        assert (await client.receive_type("error"))["code"] == "bad_request"


async def test_call_is_not_possible_with_get():
    async with serving_channels(Game) as server:
        response = await server.server.fetch(
            "/channels?request=%7B%22type%22:%22call%22,%22method%22:%22move%22,%22id%22:%221%22%7D"
        )
        assert response.code == 400
        assert (await server.post(type="call", method="refuse", data="mine", id="1")).code == 422


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_call_of_a_lost_connection_is_not_repeated(transport):
    async with serving_channels(Game) as server, client_of(server, transport) as client:
        calling = asyncio.ensure_future(client.call("wait", timeout=None))
        while not Game.waiting:
            await asyncio.sleep(0)
        for connection in list(server.server.connections):
            connection.stream.close()
        for session in server.sessions:
            session.reconnect()
        with pytest.raises(ChannelRequestError) as raised:
            await calling
        assert raised.value.code == "disconnected"
        before = len(Game.moves)
        result = None
        while result is None:  # the connection may have been lost again
            with contextlib.suppress(ChannelRequestError):
                result = await client.call("move", "after")
        assert result == ["ada", "after"]
        assert Game.moves[before:] == ["after"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_headers_and_cookies_of_the_client(transport):
    async with serving_channels(Game) as server:
        for options, user in (
            ({"cookies": {"other": "x", "user": "cookie"}}, "cookie"),
            ({"headers": {"X-User": "header"}}, "header"),
        ):
            async with client_of(server, transport, None, **options) as client:
                assert await client.call("move", 1) == [user, 1]


@pytest.mark.parametrize("cookies", [{"": "x"}, {"a": "b;c"}, {"a=": "b"}, {"a": "b\r\nX: y"}, {"a": "ü"}])
def test_invalid_cookies_are_refused(cookies):
    with pytest.raises(ValueError, match="the cookie '.*' must have"):
        connect("http://localhost/channels", cookies=cookies)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_subscription_begins_with_the_last_messages(url, transport):
    hub = Hub(create_broker(url), history=History(count=10), tail=4)
    async with serving_channels(Open, hub) as server, client_of(server, transport, None) as client:
        await client.subscribe("empty", history=5)
        for number in range(20):
            await hub.publish("c", number)
        for count, expected in ((3, [17, 18, 19]), (50, list(range(10, 20)))):
            for _ in range(2):  # not in memory, and in memory
                await client.subscribe("c", history=count)
                assert [(await item_of(client)).data for _ in expected] == expected
            client.unsubscribe("c")
        await hub.publish("empty", "first")
        assert (await item_of(client)).data == "first"


async def test_history_has_limits():
    async with serving_channels() as server:
        client = await server.connect()
        for history in (-1, 1001, True, "5", 1.5):
            reply = await client.ask(type="subscribe", channel="c", history=history)
            assert reply["code"] == "bad_request"
        first = await server.hub.publish("c", 1)
        await server.hub.publish("c", 2)
        # A position counts rather than a number.
        assert await client.subscribe("c", position=str(first), history=2) == str(first)


async def test_expired_messages_before_the_last_ones_are_not_a_gap(clock: FakeClock):
    hub = Hub(MemoryBroker(), history=History(age=5.0))
    async with hub:
        await hub.publish("c", 1)
        clock.advance(6.0)
        await hub.publish("c", 2)
        async with hub.subscribe("c", await hub.before_last("c", 10)) as messages:
            item = await anext(messages)
            assert not isinstance(item, Gap)
            assert item.data == 2
