"""`ChannelHandler` over WebSockets: the requests of the protocol, permissions and limits."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.support.channels import Open, serving_channels
from tests.support.server import ExpectLog
from tornado.channels import (
    BrokerUnavailableError,
    ChannelHandler,
    ClientLimits,
    Gap,
    Hub,
    Identity,
    MemoryBroker,
    Message,
    Position,
    SlowPolicy,
    revoke,
)
from tornado.channels._endpoint import endpoint_of
from tornado.channels._session_state import name_of_anonymous
from tornado.websocket._protocol import WebSocketProtocol13

MEMBER_2 = name_of_anonymous("client-2")


async def test_messages_arrive_in_order_after_subscribed(loop_kind: str) -> None:
    async with serving_channels() as server:
        client = await server.connect()
        client.send(type="subscribe", channel="room:1", id="s1")
        connected = await client.receive()
        assert connected["type"] == "connected"
        assert (connected["version"], connected["limits"]["subscriptions"]) == (1, 100)
        subscribed = await client.receive()
        epoch = subscribed["position"].rpartition(":")[0]
        assert subscribed == {"type": "subscribed", "id": "s1", "channel": "room:1", "position": f"{epoch}:0"}
        for number in range(3):
            await server.hub.publish("room:1", {"text": "grüße", "n": number}, key=f"k{number}")
        for number in range(3):
            assert await client.receive() == {
                "type": "message",
                "channel": "room:1",
                "position": f"{epoch}:{number + 1}",
                "key": f"k{number}",
                "data": {"text": "grüße", "n": number},
            }


async def test_replies_pass_through_overridden_write_message(loop_kind: str) -> None:
    written: list[bytes] = []

    class Handler(ChannelHandler):
        def write_message(self, message: Any, binary: bool = False) -> Any:
            written.append(message)
            return super().write_message(message, binary)

    async with serving_channels(Handler) as server:
        client = await server.connect()
        client.send(type="subscribe", channel="room:1", id="s1")
        received = [await client.receive(), await client.receive()]
    assert [json.loads(each) for each in written] == received


async def test_replies_pass_through_patched_write_message(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    original = WebSocketProtocol13.write_message

    def write_message(self: WebSocketProtocol13, message: Any, binary: bool = False) -> Any:
        written.append(message)
        return original(self, message, binary)

    monkeypatch.setattr(WebSocketProtocol13, "write_message", write_message)
    async with serving_channels() as server:
        client = await server.connect()
        client.send(type="subscribe", channel="room:1", id="s1")
        received = [await client.receive(), await client.receive()]
    assert [json.loads(each) for each in written] == received


async def test_client_continues_at_its_position_on_another_connection(loop_kind: str) -> None:
    async with serving_channels() as server:
        first = await server.connect()
        position = await first.subscribe("a")
        first.client.drop()
        await server.has_sessions(0)
        for number in range(3):
            await server.hub.publish("a", number)
        second = await server.connect()
        assert await second.subscribe("a", position=position) == position
        assert [(await second.receive())["data"] for _ in range(3)] == [0, 1, 2]


async def test_gap_is_reported_for_another_epoch(loop_kind: str) -> None:
    async with serving_channels() as server:
        await server.hub.publish("a", 1)
        client = await server.connect()
        await client.subscribe("a", position="other:7")
        gap = await client.receive()
        assert (gap["type"], gap["after"], gap["missed"]) == ("gap", "other:7", None)
        assert gap["until"].endswith(":0")
        assert (await client.receive())["data"] == 1


async def test_published_message_has_position_and_is_stored_once(loop_kind: str) -> None:
    async with serving_channels() as server:
        client, other = await server.connect(), await server.connect()
        await other.subscribe("a")
        first = await client.ask(type="publish", id="0123456789abcdef", channel="a", data={"x": [1]})
        again = await client.ask(type="publish", id="0123456789abcdef", channel="a", data={"x": [1]})
        assert first == again
        assert (first["type"], first["channel"]) == ("published", "a")
        message = await other.receive_type("message")
        assert (message["position"], message["data"]) == (first["position"], {"x": [1]})
        reply = await client.ask(type="publish", id="another", channel="a", data=None, ephemeral=True)
        assert reply == {"type": "published", "id": "another", "channel": "a"}
        assert await other.receive() == {"type": "message", "channel": "a", "data": None}


async def test_unsubscribed_client_gets_no_further_messages(loop_kind: str) -> None:
    async with serving_channels() as server:
        client = await server.connect()
        await client.subscribe("a")
        await client.subscribe("b")
        reply = await client.ask(type="unsubscribe", channel="a")
        assert reply == {"type": "unsubscribed", "id": "ask", "channel": "a"}
        await server.hub.publish("a", 1)
        await server.hub.publish("b", 2)
        assert (await client.receive())["data"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "expected a JSON object in UTF-8"),
        ("[" * 50_000, "expected a JSON object in UTF-8"),
        ("[1]", "expected a JSON object, got list"),
        ("{}", "unknown type None of a request"),
        ('{"type":["a"]}', "unknown type ['a'] of a request"),
        ('{"type":"poll"}', "poll is not available on a WebSocket"),
        ('{"type":"subscribe"}', "expected a channel"),
        ('{"type":"subscribe","channel":"a\\nb"}', "channel must be a text of at most 200 characters"),
        ('{"type":"subscribe","channel":"a","position":"x"}', "expected a position such as 'epoch:7'"),
        ('{"type":"subscribe","channel":"a","watch":1}', "watch must be true or the version"),
        ('{"type":"publish","channel":"a","data":1}', "publish needs an id"),
        ('{"type":"publish","channel":"a","id":"i"}', "publish needs data"),
        ('{"type":"publish","channel":"a","id":"i","data":NaN}', "expected a JSON object in UTF-8"),
        ('{"type":"publish","channel":"a","id":"i","data":"\\ud800"}', "a text contains a surrogate"),
        ('{"type":"publish","channel":"a","id":"i","data":1,"ephemeral":2}', "ephemeral must be true"),
        ('{"type":"connect","client":"short"}', "client must be 8 to 64 letters"),
        ('{"type":"token"}', "expected a token"),
        ('{"type":"publish","channel":"a","id":"i","data":1e999}', "expected a JSON object in UTF-8"),
        ('{"type":"subscribe","channel":"\\ud800"}', "a text contains a surrogate"),
        ('{"type":"subscribe","channel":"a","join":"\\uDFFF"}', "a text contains a surrogate"),
        (
            f'{{"type":"publish","channel":"a","id":"i","data":{"[" * 100}{"]" * 100}}}',
            "nested more than 100",
        ),
    ],
)
async def test_malformed_request_gets_error_and_connection_stays_open(text: str, message: str) -> None:
    async with serving_channels() as server:
        client = await server.connect()
        await client.ask(type="ping")
        client.client.send(text)
        error = await client.receive()
        assert (error["type"], error["code"]) == ("error", "bad_request")
        assert message in error["message"]
        assert (await client.ask(type="ping"))["type"] == "pong"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"type": "subscribe", "channel": "$revocations"}, "forbidden"),
        ({"type": "subscribe", "channel": "private"}, "forbidden"),
        ({"type": "publish", "channel": "a", "data": 1}, "forbidden"),
        ({"type": "subscribe", "channel": "a", "join": None}, "forbidden"),
        ({"type": "join", "channel": "a"}, "not_subscribed"),
        ({"type": "watch", "channel": "b"}, "not_subscribed"),
    ],
)
async def test_refused_request(request_: dict[str, Any], code: str) -> None:
    class Handler(ChannelHandler):
        async def authorize_subscribe(self, channel: str) -> bool:
            await asyncio.sleep(0)
            return channel != "private"

    async with serving_channels(Handler) as server:
        client = await server.connect()
        reply = await client.ask(**request_)
        assert (reply["type"], reply["code"]) == ("error", code)


async def test_exception_of_hook_is_logged_and_reported(expect_log: ExpectLog) -> None:
    class Handler(ChannelHandler):
        def authorize_subscribe(self, channel: str) -> bool:
            raise ZeroDivisionError

    async with serving_channels(Handler) as server:
        client = await server.connect()
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await client.ask(type="subscribe", channel="a"))["code"] == "internal"


async def test_requests_above_rate_wait_and_keep_their_order(loop_kind: str) -> None:
    class Handler(Open):
        client_limits = ClientLimits(rate=200, burst=2, violations=1)

    async with serving_channels(Handler) as server:
        client = await server.connect()
        await client.subscribe("a")
        began = time.monotonic()
        ids = [f"{number:016}" for number in range(10)]
        for number, name in enumerate(ids):
            client.send(type="publish", id=name, channel="a", data=number)
        received = [await client.receive() for _ in range(20)]
        assert [each["id"] for each in received if each["type"] == "published"] == ids
        assert [each["data"] for each in received if each["type"] == "message"] == [*range(10)]
        assert time.monotonic() - began > 8 / 200


async def test_request_waits_while_its_session_ends(loop_kind: str) -> None:
    class Handler(Open):
        client_limits = ClientLimits(rate=0.25, burst=2)

        def authenticate(self, token: str | None) -> Identity:
            return Identity("user")

    async with serving_channels(Handler) as server:
        client = await server.connect()
        await client.subscribe("a")
        client.send(type="publish", id="1" * 16, channel="a", data=1)
        assert (await client.receive_type("message"))["data"] == 1
        client.send(type="publish", id="2" * 16, channel="a", data=2)
        client.send(type="ping")
        await revoke(server.hub, "user")
        assert (await client.closed())[0] == 4403
        head = await server.hub.head("a")
        assert head.offset == 1


async def test_requests_far_above_rate_are_refused_and_repeated_ones_close(loop_kind: str) -> None:
    class Handler(Open):
        client_limits = ClientLimits(rate=0.01, burst=3, violations=2, subscriptions=1)

    async with serving_channels(Handler) as server:
        client = await server.connect()
        assert (await client.ask(type="subscribe", channel="a"))["type"] == "subscribed"
        assert (await client.ask(type="subscribe", channel="b"))["code"] == "limit"
        assert (await client.ask(type="ping"))["type"] == "pong"
        refused = await client.ask(type="ping")
        assert (refused["code"], refused["retry"] > 0) == ("rate", True)
        client.send(type="ping")
        assert await client.closed() == (4429, "rate")


async def test_requests_that_fail_without_broker_are_repeated_at_different_times(loop_kind: str) -> None:
    class Unavailable(MemoryBroker):
        async def send(self, message: Message) -> None:
            raise BrokerUnavailableError("the broker has been stopped")

    async with serving_channels(hub=Hub(Unavailable())) as server:
        client = await server.connect()
        replies = [await client.ask(type="publish", channel="a", data=1, ephemeral=True) for _ in range(40)]
        assert {reply["code"] for reply in replies} == {"unavailable"}
        found = [reply["retry"] for reply in replies]
        assert all(500 <= each <= 1500 for each in found)
        assert min(found) < 1000 < max(found)


async def test_authenticate_that_returns_no_identity_is_named(loop_kind: str, expect_log: ExpectLog) -> None:
    class Handler(Open):
        def authenticate(self, token: str | None) -> str:  # type: ignore[override]
            return "alice"

    async with serving_channels(Handler) as server:
        client = await server.connect()
        with expect_log("tornado.application", r"Uncaught exception") as logged:
            assert (await client.ask(type="subscribe", channel="a"))["code"] == "internal"
        [error] = [record.exc_info[1] for record in logged.records]
        assert str(error) == "Handler.authenticate() must return an Identity or None, got 'alice'"


class Tokens(ChannelHandler):
    """A handler whose tokens contain the user and the time of expiry."""

    def authenticate(self, token: str | None) -> Identity | None:
        if token is None:
            return None
        user, _, seconds = token.partition(" ")
        return Identity(user, time.time() + float(seconds) if seconds else None)

    def authorize_subscribe(self, channel: str) -> bool:
        return channel.startswith(f"{self.identity.user}:")


async def test_client_without_valid_token_is_disconnected(loop_kind: str) -> None:
    async with serving_channels(Tokens) as server:
        client = await server.connect()
        client.send(type="subscribe", channel="alice:a", id="s")
        assert (await client.receive())["code"] == "unauthorized"
        assert await client.closed() == (4401, "unauthorized")
        await server.has_sessions(0)


async def test_client_that_sends_nothing_is_disconnected_after_30_seconds(clock: Any) -> None:
    async with serving_channels() as server:
        silent, other = await server.connect(), await server.connect()
        await asyncio.sleep(29)
        assert (await other.ask(type="ping"))["type"] == "pong"
        late = await server.connect()
        await server.has_sessions(3)
        await asyncio.sleep(2)
        await server.has_sessions(2)
        assert await silent.closed() == (4408, "the client was not authenticated in time")
        await late.subscribe("a")
        await asyncio.sleep(1000)
        assert (await other.ask(type="ping"))["type"] == "pong"
        assert (await late.ask(type="ping"))["type"] == "pong"


async def test_client_whose_authentication_takes_too_long_is_disconnected(clock: Any) -> None:
    class Handler(Open):
        client_limits = ClientLimits(authentication_timeout=2)

        async def authenticate(self, token: str | None) -> Identity:  # type: ignore[override]
            await asyncio.sleep(float(token or 0))
            return Identity("alice")

    async with serving_channels(Handler) as server:
        client = await server.connect()
        client.send(type="connect", token="1")
        assert (await client.receive())["type"] == "connected"
        client = await server.connect()
        client.send(type="connect", token="100")
        client.send(type="subscribe", channel="a")
        await server.has_sessions(2)
        await asyncio.sleep(3)
        await server.has_sessions(1)
        event = await client.client.event()
        assert (event.code, event.reason) == (4408, "the client was not authenticated in time")
        await asyncio.sleep(100)
        await server.has_sessions(1)


@pytest.mark.parametrize("seconds", [float("inf"), 1e9])
async def test_time_limit_of_authentication_can_be_lifted(clock: Any, seconds: float) -> None:
    class Handler(Open):
        client_limits = ClientLimits(authentication_timeout=seconds)

    async with serving_channels(Handler) as server:
        client = await server.connect()
        await server.has_sessions(1)
        await asyncio.sleep(100_000)
        assert (await client.ask(type="ping"))["type"] == "pong"


async def test_only_clients_that_are_not_authenticated_are_watched(loop_kind: str) -> None:
    async with serving_channels() as server:
        clients = [await server.connect() for _ in range(3)]
        await server.has_sessions(3)
        endpoint = endpoint_of(server.hub)
        assert len(endpoint.authentications.watched) == 3
        await clients[0].ask(type="connect")
        assert len(endpoint.authentications.watched) == 2
        clients[1].client.drop()
        await server.has_sessions(2)
        assert len(endpoint.authentications.watched) == 1
        await clients[2].subscribe("a")
        assert not endpoint.authentications.watched


async def test_renewed_token_keeps_connection_open_and_expired_one_closes_it(clock: Any) -> None:
    async with serving_channels(Tokens) as server:
        client = await server.connect()
        connected = await client.ask(type="connect", token="alice 10", client="client-1")
        assert (connected["expires_in"], connected["client"]) == (10, "client-1")
        await client.subscribe("alice:a")
        assert (await client.ask(type="token", token="alice 1000"))["expires_in"] == 1000
        await asyncio.sleep(15)
        await server.hub.publish("alice:a", 1)
        assert (await client.receive())["data"] == 1
        await asyncio.sleep(1000)
        assert (await client.receive())["code"] == "expired"
        assert await client.closed() == (4401, "expired")


async def test_token_of_another_user_or_version_ends_connection(loop_kind: str) -> None:
    async with serving_channels(Tokens) as server:
        client = await server.connect()
        await client.ask(type="connect", token="alice")
        client.send(type="token", token="bob")
        assert await client.closed() == (4401, "unauthorized")
        client = await server.connect()
        client.send(type="connect", token="alice", version=2)
        assert await client.closed() == (1002, "version")


async def test_revocation_ends_subscription_or_connection_of_its_user(loop_kind: str) -> None:
    async with serving_channels(Tokens) as server:
        alice, bob = await server.connect(), await server.connect()
        for client, user in ((alice, "alice"), (bob, "bob")):
            await client.ask(type="connect", token=user)
            await client.subscribe(f"{user}:a")
            await client.subscribe(f"{user}:b")
        await revoke(server.hub, "alice", "alice:a")
        assert await alice.receive() == {"type": "unsubscribed", "channel": "alice:a", "code": "revoked"}
        await server.hub.publish("alice:a", 1)
        await server.hub.publish("alice:b", 2)
        assert (await alice.receive())["data"] == 2
        await revoke(server.hub, "alice")
        assert (await alice.receive())["code"] == "revoked"
        assert await alice.closed() == (4403, "revoked")
        await server.hub.publish("bob:a", 3)
        assert (await bob.receive())["data"] == 3


async def test_revocation_during_authorization_calls_hook_again(loop_kind: str) -> None:
    asked: list[str] = []
    revoked = asyncio.Event()

    class Handler(ChannelHandler):
        def authenticate(self, token: str | None) -> Identity:
            return Identity("alice")

        async def authorize_subscribe(self, channel: str) -> bool:
            asked.append(channel)
            if len(asked) == 1:
                await revoked.wait()
                return True
            return False

    async with serving_channels(Handler) as server:
        client = await server.connect()
        client.send(type="subscribe", channel="a", id="s")
        await client.receive_type("connected")
        await revoke(server.hub, "alice", "a")
        await asyncio.sleep(0)
        revoked.set()
        assert (await client.receive())["code"] == "forbidden"
        assert asked == ["a", "a"]


async def test_revocation_while_the_position_is_read_calls_hook_again(loop_kind: str) -> None:
    asked: list[str] = []

    class Handler(ChannelHandler):
        def authenticate(self, token: str | None) -> Identity:
            return Identity("alice")

        def authorize_subscribe(self, channel: str) -> bool:
            asked.append(channel)
            return len(asked) == 1

    class Slow(MemoryBroker):
        async def read(self, channel: str, after: Any, limit: int, history: Any) -> Any:
            if channel == "a":
                await revoked.wait()
            return await super().read(channel, after, limit, history)

    revoked = asyncio.Event()
    async with serving_channels(Handler, Hub(Slow())) as server:
        client = await server.connect()
        client.send(type="subscribe", channel="a", id="s")
        await client.receive_type("connected")
        await revoke(server.hub, "alice", "a")
        await asyncio.sleep(0)
        revoked.set()
        assert (await client.receive())["code"] == "forbidden"
        assert asked == ["a", "a"]


async def test_revocation_during_authentication_calls_hook_again(loop_kind: str) -> None:
    asked: list[str | None] = []
    revoked = asyncio.Event()

    class Handler(ChannelHandler):
        async def authenticate(self, token: str | None) -> Identity | None:  # type: ignore[override]
            asked.append(token)
            if len(asked) == 1:
                await revoked.wait()
                return Identity("alice")
            return None

    async with serving_channels(Handler) as server:
        client = await server.connect()
        client.send(type="connect", token="t", id="c")
        while not asked:
            await asyncio.sleep(0)
        await revoke(server.hub, "alice")
        await asyncio.sleep(0)
        revoked.set()
        assert await client.closed() == (4401, "unauthorized")
        assert asked == ["t", "t"]


async def test_refused_subscription_gets_one_reply(expect_log: ExpectLog) -> None:
    """The client would otherwise take the first reply for a success, and messages would follow the second."""
    failing = True

    class Handler(ChannelHandler):
        def slow_policy(self, channel: str) -> SlowPolicy:
            if failing:
                raise ZeroDivisionError
            return SlowPolicy()

    async with serving_channels(Handler) as server:
        client = await server.connect()
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await client.ask(type="subscribe", channel="a", id="s1"))["code"] == "internal"
        failing = False
        reply = await client.ask(type="subscribe", channel="a", id="s2", join="data")
        assert (reply["type"], reply["code"], reply["channel"]) == ("error", "forbidden", "a")
        await server.hub.publish("a", 1)
        assert await client.ask(type="ping") == {"type": "pong", "id": "ask"}
        assert server.hub.position("a") is None


async def test_anonymous_client_cannot_take_the_name_of_a_user(loop_kind: str) -> None:
    class Handler(Open):
        def authenticate(self, token: str | None) -> Identity:
            return Identity(token)

    async with serving_channels(Handler) as server:
        user, other = await server.connect(), await server.connect()
        await user.ask(type="connect", token="administrator")
        await user.subscribe("a", join=1)
        await other.ask(type="connect", client="administrator")
        await other.subscribe("a", join=2, watch=True)
        members = (await other.receive_type("presence"))["members"]
        assert set(members) == {"administrator", name_of_anonymous("administrator")}
        assert list(members["administrator"].values()) == [1]


async def test_users_connect_again_if_revocations_may_be_lost(loop_kind: str) -> None:
    class Handler(Tokens):
        def authenticate(self, token: str | None) -> Identity | None:
            return Identity(None) if token is None else super().authenticate(token)

    async with serving_channels(Handler) as server:
        alice, anonymous = await server.connect(), await server.connect()
        await alice.ask(type="connect", token="alice")
        await anonymous.ask(type="connect")
        endpoint: Any = server.hub.endpoint
        endpoint.deliver([Gap("$revocations", Position("a", 1), Position("b", 0))])
        assert (await alice.closed())[0] == 1012
        assert (await anonymous.ask(type="ping"))["type"] == "pong"
        await server.has_sessions(1)


async def test_presence_is_sent_completely_and_then_as_differences(loop_kind: str) -> None:
    async with serving_channels() as server:
        first, second = await server.connect(), await server.connect()
        await first.ask(type="connect", client="client-1")
        await second.ask(type="connect", client="client-2")
        await first.subscribe("a", watch=True)
        event = await first.receive_type("presence")
        assert event["members"] == {}
        await second.subscribe("a", join={"name": "B"})
        joined = await first.receive_type("presence")
        [(connection, data)] = joined["joined"][MEMBER_2].items()
        assert data == {"name": "B"}
        third = await server.connect()
        await third.subscribe("a", watch=True)
        event = await third.receive_type("presence")
        assert event["members"] == {MEMBER_2: {connection: {"name": "B"}}}
        assert (await second.ask(type="join", channel="a", data="new"))["type"] == "joined"
        assert (await first.receive())["updated"] == {MEMBER_2: {connection: "new"}}
        assert (await second.ask(type="leave", channel="a"))["type"] == "left"
        assert (await first.receive())["left"] == {MEMBER_2: {connection: "new"}}
        await second.ask(type="join", channel="a", data="again")
        assert MEMBER_2 in (await first.receive())["joined"]
        second.client.drop()
        assert MEMBER_2 in (await first.receive())["left"]
        assert (await first.ask(type="unwatch", channel="a"))["type"] == "unwatched"


async def test_page_of_another_origin_is_refused() -> None:
    async with serving_channels() as server:
        with pytest.raises(AssertionError, match="403"):
            await server.connect("Origin: https://evil.example")


async def test_drain_closes_with_restart_code(loop_kind: str) -> None:
    async with serving_channels() as server:
        client = await server.connect()
        await client.subscribe("a")
        draining = asyncio.ensure_future(server.server.server.drain(5))
        assert (await client.closed())[0] == 1012
        client.client.close(1012)
        await draining


async def test_compressed_message_is_the_same_for_all(loop_kind: str) -> None:
    from tornado._wire.ws_deflate import DeflatePolicy

    class Handler(Open):
        def get_compression_options(self) -> dict[str, Any]:
            return {}

    async with serving_channels(Handler) as server:
        clients = [await server.connect(policy=DeflatePolicy()) for _ in range(3)]
        for client in clients:
            await client.subscribe("a")
        await server.hub.publish("a", "x" * 10_000)
        for client in clients:
            assert (await client.receive())["data"] == "x" * 10_000
