"""The client of the channel protocol for programs in Python, on each transport."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, ClassVar
from unittest import mock

import pytest

from compliance.channels.proxy import Proxy
from tests.support.channels import ChannelServer, Open, serving_channels
from tornado.channels import (
    BrokerUnavailableError,
    ChannelClient,
    ChannelHandler,
    ChannelRequestError,
    ClientLimits,
    Gap,
    Hub,
    Identity,
    MemoryBroker,
    Message,
    Page,
    Position,
    PresenceChange,
    PublishError,
    SubscriptionEnd,
    connect,
    revoke,
)

TRANSPORTS = ["websocket", "stream", "poll"]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """A transport."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the client connect again at once."""
    monkeypatch.setattr("tornado.channels._client._MIN_DELAY", 0.001)
    monkeypatch.setattr("tornado.channels._client._MAX_DELAY", 0.001)
    monkeypatch.setattr("tornado.channels._client._DELAYS", {})


def client_of(server: ChannelServer, *transports: str, **options: Any) -> ChannelClient:
    url = f"http://127.0.0.1:{server.server.port}/channels"
    return connect(url, transports=transports or TRANSPORTS, **options)


async def messages(client: ChannelClient, count: int) -> list[Any]:
    found = []
    for _ in range(count):
        item = await anext(client)
        assert isinstance(item, Message), item
        found.append(item.data)
    return found


async def test_messages_are_published_and_received_once(loop_kind: str, transport: str) -> None:
    async with serving_channels() as server, client_of(server, transport) as client:
        assert client.is_connected
        await client.subscribe("a")
        positions = [await client.publish("a", {"n": number}, key="k") for number in range(3)]
        assert [each.offset for each in positions] == [1, 2, 3]
        item = await anext(client)
        assert item == Message("a", b'{"n":0}', positions[0], "k")
        assert await messages(client, 2) == [{"n": 1}, {"n": 2}]
        await client.send("a", "typing")
        if transport != "poll":  # it may be lost between two polls
            assert await anext(client) == Message("a", b'"typing"')
        client.unsubscribe("a")
        await client.subscribe("b")
        await client.publish("a", "not received")
        await client.publish("b", "received")
        assert await messages(client, 1) == ["received"]


async def test_subscribing_again_continues_at_the_position(loop_kind: str, transport: str) -> None:
    """Messages of the earlier subscription that are still on their way are not received twice."""
    async with serving_channels() as server, client_of(server, transport) as client:
        await client.subscribe("a")
        since = await server.hub.publish("a", 0)
        await server.hub.publish("a", 1)
        assert await messages(client, 1) == [0]
        for last in range(2, 10):
            await server.hub.publish("a", last)
            for _ in range(last % 7):
                await asyncio.sleep(0)
            await client.subscribe("a", since)
            assert await messages(client, last) == [*range(1, last + 1)]


async def test_subscription_is_repeated_after_a_failure(
    loop_kind: str, transport: str, expect_log: Any
) -> None:
    class Handler(Open):
        failures = 1

        def authorize_subscribe(self, channel: str) -> bool:
            if Handler.failures:
                Handler.failures -= 1
                raise RuntimeError("the database does not respond")
            return True

    async with serving_channels(Handler) as server, client_of(server, transport) as client:
        position = await server.hub.publish("a", 0)
        with expect_log("tornado.application", "Uncaught exception"):
            await client.subscribe("a", Position(position.epoch, 0))
            assert await messages(client, 1) == [0]


async def test_lost_connections_are_restored_without_loss(loop_kind: str, transport: str) -> None:
    async with serving_channels() as server, client_of(server, transport) as client:
        await client.subscribe("a")
        found: list[Any] = []
        for number in range(30):
            publishing = asyncio.ensure_future(client.publish("a", number))
            if number % 5 == 0:
                await server.server.server.close_all_connections()
            await publishing
            found += await messages(client, 1)
        assert found == list(range(30))
        assert (await server.hub.head("a")).offset == 30


async def test_gap_is_received_for_position_of_another_epoch(loop_kind: str, transport: str) -> None:
    async with serving_channels() as server, client_of(server, transport) as client:
        head = await server.hub.publish("a", "old")
        await client.subscribe("a", Position("other", 9))
        gap = await anext(client)
        assert gap == Gap("a", Position("other", 9), Position(head.epoch, 0))
        assert await messages(client, 1) == ["old"]


async def test_members_are_received_as_changes(loop_kind: str, transport: str) -> None:
    async with (
        serving_channels() as server,
        client_of(server, transport) as client,
        client_of(server, transport) as other,
    ):
        await other.subscribe("a", join={"name": "B"})
        await client.subscribe("a", watch=True)
        change = await anext(client)
        assert isinstance(change, PresenceChange)
        [[member, connections]] = change.joined.items()
        assert list(connections.values()) == [{"name": "B"}]
        assert client.members("a") == {member: connections}


async def test_next_transport_is_used_if_first_fails(loop_kind: str, expect_log: Any) -> None:
    class Handler(Open):
        def get(self, path: str | None = None) -> Any:
            if self.request.headers.get("Upgrade"):
                self.set_status(400)
                return None
            return super().get(path)

        def post(self, path: str | None = None) -> Any:
            if b'"stream"' in self.request.body:
                self.set_status(502)
                return None
            return super().post(path)

    async with serving_channels(Handler) as server:
        client = client_of(server)
        with expect_log("tornado.general", "No connection .* by the transport 'websocket' .400 Bad Request"):
            await client
        await client.subscribe("a")
        await client.publish("a", 1)
        assert await messages(client, 1) == [1]
        await client.close()


@pytest.mark.parametrize(
    ("transport", "code", "bounds"),
    [
        ("websocket", None, (0.0, 5.0)),  # 1012 of the drain
        ("stream", None, (1.0, 3.0)),
        ("websocket", 1012, (0.0, 5.0)),  # permissions must be checked again
        ("stream", 1012, (1.25, 3.75)),
        ("websocket", 1013, (0.0, 1.0)),
        ("websocket", 4429, (10.0, 10.0)),
        ("websocket", 1011, (0.0005, 0.001)),
    ],
)
async def test_delay_is_that_of_the_protocol(
    monkeypatch: pytest.MonkeyPatch, transport: str, code: int | None, bounds: tuple[float, float]
) -> None:
    found: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        found.append((low, high))
        return 60.0

    handlers: list[ChannelHandler] = []

    class Handler(Open):
        def authenticate(self, token: str | None) -> Identity:
            handlers.append(self)
            return Identity()

    monkeypatch.undo()
    monkeypatch.setattr("tornado.channels._client._MIN_DELAY", 0.001)
    async with serving_channels(Handler) as server:
        client = await client_of(server, transport)
        monkeypatch.setattr("tornado.channels._client.random", mock.Mock(uniform=uniform))
        if code is None:
            await server.server.server.drain(grace=5, retry=2000)
        elif code == 1012:
            server.sessions[0].reconnect()
        else:
            handlers[0].close(code)
        while not found:
            await asyncio.sleep(0.001)
        assert not client.is_connected
        await client.close()
    assert found == [bounds]


async def test_websocket_is_closed_when_close_returns(loop_kind: str) -> None:
    closed = []

    class Handler(Open):
        def on_close(self) -> None:
            closed.append(self)

    async with serving_channels(Handler) as server:
        async with client_of(server, "websocket") as client:
            await client.subscribe("a")
            await server.hub.publish("a", 1)  # not read by the program
        assert len(closed) == 1


async def test_first_failure_is_logged_once(loop_kind: str, transport: str, expect_log: Any) -> None:
    async with serving_channels() as server:
        url = f"http://127.0.0.1:{server.server.port}/wrong"
        with expect_log("tornado.general", f"No connection .*/wrong .*{transport}.*404.*check the URL"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connect(url, transports=[transport])


async def test_refused_requests_raise(loop_kind: str, transport: str) -> None:
    class Handler(ChannelHandler):
        def authorize_subscribe(self, channel: str) -> bool:
            return channel != "private"

    async with serving_channels(Handler) as server, client_of(server, transport) as client:
        with pytest.raises(ChannelRequestError, match="forbidden") as caught:
            await client.subscribe("private")
        assert caught.value.code == "forbidden"
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.publish("a", 1)
        await client.subscribe("private", Position("e", 1))
        assert await anext(client) == SubscriptionEnd("private", "forbidden")


class Tokens(Open):
    """A handler whose tokens contain the user and the time of expiry."""

    def authenticate(self, token: str | None) -> Identity | None:
        user, _, seconds = (token or "").partition(" ")
        return Identity(user, time.time() + float(seconds)) if seconds else None


async def test_invalid_token_raises(loop_kind: str, transport: str) -> None:
    async with serving_channels(Tokens) as server:
        with pytest.raises(ChannelRequestError, match="the server refuses the connection"):
            await client_of(server, transport, token="wrong")


async def test_identity_is_known_to_authorization_methods(loop_kind: str, transport: str) -> None:
    class Own(ChannelHandler):
        def authenticate(self, token: str | None) -> Identity:
            return Identity(token)

        def authorize_subscribe(self, channel: str) -> bool:
            return channel == self.identity.user

        authorize_publish = authorize_presence = authorize_subscribe

    async with serving_channels(Own) as server, client_of(server, transport, token="ann") as client:
        await client.subscribe("ann", join="here", watch=True)
        change = await anext(client)
        assert isinstance(change, PresenceChange)
        assert list(change.joined) == ["ann"]
        await client.publish("ann", 1)
        assert await messages(client, 1) == [1]
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.publish("bao", 1)
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.subscribe("bao")


async def test_token_is_renewed_before_it_expires(clock: Any) -> None:
    tokens = []

    async def token() -> str:
        tokens.append(f"alice {10 * (len(tokens) + 1)}")
        return tokens[-1]

    async with serving_channels(Tokens) as server, client_of(server, token=token) as client:
        await client.subscribe("a")
        await asyncio.sleep(20)
        await client.publish("a", 1)
        assert await messages(client, 1) == [1]
        assert len(tokens) == 2
        await revoke(server.hub, "alice", "a")
        assert await anext(client) == SubscriptionEnd("a", "revoked")
        await revoke(server.hub, "alice")
        with pytest.raises(ChannelRequestError, match="4403"):
            await anext(client)


async def test_silent_connection_is_replaced(clock: Any) -> None:
    class Handler(Open):
        def on_message(self, message: str | bytes) -> Any:
            return None if b"ping" in message.encode() else super().on_message(message)  # type: ignore[union-attr]

    async with serving_channels(Handler) as server, client_of(server, "websocket") as client:
        await client.subscribe("a")
        [before] = server.sessions
        await asyncio.sleep(60)
        while server.sessions in ([], [before]):
            await asyncio.sleep(0.1)
        await server.hub.publish("a", 1)
        assert await messages(client, 1) == [1]


async def test_slow_program_limits_items_and_misses_nothing(loop_kind: str, transport: str) -> None:
    async with serving_channels() as server, client_of(server, transport, max_items=5) as client:
        await client.subscribe("a")
        for number in range(200):
            await server.hub.publish("a", number)
        assert await messages(client, 200) == list(range(200))


async def test_publishing_without_connection_has_deadline(loop_kind: str) -> None:
    hub = Hub(MemoryBroker())
    async with serving_channels(hub=hub) as server, client_of(server, max_waiting=1) as client:
        server.server.server.stop()
        await server.server.server.close_all_connections()
        waiting = asyncio.ensure_future(client.publish("a", 1, timeout=0.05))
        await asyncio.sleep(0)
        with pytest.raises(PublishError, match="1 messages wait: increase max_waiting"):
            await client.publish("a", 2)
        with pytest.raises(PublishError, match="not confirmed within 0.05 s"):
            await waiting
    with pytest.raises(StopAsyncIteration):
        await anext(client)
    with pytest.raises(ChannelRequestError, match="closed"):
        await client.publish("a", 1)


async def test_cut_connection_is_replaced(transport: str) -> None:
    async with serving_channels() as server:
        proxy = Proxy(random.Random(1))
        await proxy.start()
        proxy.target = ("127.0.0.1", server.server.port)
        client = await connect(f"http://127.0.0.1:{proxy.port}/channels", transports=[transport])
        await client.subscribe("a")
        for number in range(3):
            await server.has_sessions(1)
            proxy.cut(1.0)
            await server.hub.publish("a", number)
            assert await messages(client, 1) == [number]
        await client.close()
        await proxy.close()
    assert proxy.cuts >= 3


class Recording(Open):
    """A handler whose tokens are users, and that records the users that subscribe."""

    subscribed: ClassVar[list[str | None]] = []

    def authenticate(self, token: str | None) -> Identity:
        return Identity(token)

    def authorize_subscribe(self, channel: str) -> bool:
        self.subscribed.append(self.identity.user)
        return True


class Failing(MemoryBroker):
    """A broker that cannot be reached by a number of reads."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def read(self, *arguments: Any) -> Page:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("on purpose")
        return await super().read(*arguments)


@pytest.mark.parametrize("failures", [1, 2, 3])
async def test_requests_that_the_server_could_not_process_are_repeated(
    failures: int, transport: str, clock: Any, expect_log: Any
) -> None:
    Recording.subscribed.clear()
    async with serving_channels(Recording, Hub(Failing(failures))) as server:
        first = await server.hub.publish("a", 0)
        with expect_log("tornado.general", "No connection .*503", required=transport != "websocket"):
            client = await client_of(server, transport, token="ada")
        await client.subscribe("a", Position(first.epoch, 0))
        assert await messages(client, 1) == [0]
        await client.close()
        assert set(Recording.subscribed) == {"ada"}


async def test_too_large_message_is_refused_and_connection_stays(loop_kind: str, transport: str) -> None:
    class Small(Open):
        client_limits = ClientLimits(message=500)

    async with serving_channels(Small) as server, client_of(server, transport) as client:
        await client.subscribe("a")
        before = server.sessions
        with pytest.raises(ChannelRequestError, match="too_large") as caught:
            await client.publish("a", "x" * 500)
        assert caught.value.code == "too_large"
        await client.publish("a", "x" * 300)
        assert await messages(client, 1) == ["x" * 300]
        if transport != "poll":
            assert server.sessions == before


async def test_many_channels_with_positions_work_on_each_transport(transport: str) -> None:
    class Handler(Open):
        client_limits = ClientLimits(subscriptions=1000, rate=1e6, burst=10_000)

    async with serving_channels(Handler) as server, client_of(server, transport) as client:
        epoch = (await server.hub.publish("c999" + "x" * 90, 1)).epoch
        names = [f"c{number}" + "x" * 90 for number in range(1000)]
        await asyncio.gather(*[client.subscribe(name, Position(epoch, 0)) for name in names])
        assert await messages(client, 1) == [1]
        await client.publish(names[0], 2)
        assert await messages(client, 1) == [2]


@pytest.mark.parametrize("fault", ["surplus", "reserved name"])
async def test_subscription_that_is_refused_does_not_end_the_others(transport: str, fault: str) -> None:
    class Two(Open):
        client_limits = ClientLimits(subscriptions=2)

    async with serving_channels(Two) as server, client_of(server, transport) as client:
        await client.subscribe("a")
        if fault == "surplus":
            await client.subscribe("b")
        refused, code = ("c", "limit") if fault == "surplus" else ("$c", "forbidden")
        with pytest.raises(ChannelRequestError) as caught:
            await client.subscribe(refused)
        assert caught.value.code == code
        await client.publish("a", 1)
        assert await messages(client, 1) == [1]


class BehindProxy(Open):
    """A handler behind a proxy that refuses large requests."""

    def post(self, path: str | None = None) -> Any:
        if len(self.request.body) > 1000:
            self.set_status(413)
            self.finish("<h1>Request Entity Too Large</h1>")
            return None
        return super().post(path)


@pytest.mark.parametrize("transport", ["stream", "poll"])
async def test_subscriptions_that_exceed_the_size_of_a_request_are_refused(transport: str) -> None:
    async with serving_channels(BehindProxy) as server, client_of(server, transport) as client:
        await client.subscribe("a")
        names = [f"{number:0>100}" for number in range(12)]
        found = await asyncio.gather(*map(client.subscribe, names), return_exceptions=True)
        refused = [each for each in found if isinstance(each, ChannelRequestError)]
        assert 1 < len(refused) < 10
        assert refused == found[-len(refused) :]
        assert {each.code for each in refused} == {"too_large"}
        await client.publish("a", 1)
        item = await anext(client)
        while isinstance(item, SubscriptionEnd):  # with its position, the list has become larger
            assert (item.channel in names, item.code) == (True, "too_large")
            item = await anext(client)
        assert isinstance(item, Message)
        assert item.data == 1


@pytest.mark.parametrize("transport", ["stream", "poll"])
async def test_message_that_a_proxy_does_not_permit_is_refused(transport: str) -> None:
    async with serving_channels(BehindProxy) as server, client_of(server, transport) as client:
        with pytest.raises(ChannelRequestError, match="too_large"):
            await client.publish("a", "x" * 1000)
        await client.publish("a", 1)


async def test_subscription_that_is_too_large_is_refused_and_connection_stays(loop_kind: str) -> None:
    class Small(Open):
        client_limits = ClientLimits(message=500)

    async with serving_channels(Small) as server, client_of(server, "websocket") as client:
        before = server.sessions
        with pytest.raises(ChannelRequestError, match="too_large"):
            await client.subscribe("a", join="x" * 500)
        await client.subscribe("a")
        await client.publish("a", 1)
        assert await messages(client, 1) == [1]
        assert server.sessions == before


async def test_subscription_that_waits_and_is_too_large_is_refused(loop_kind: str) -> None:
    class Small(Open):
        client_limits = ClientLimits(message=500)

    async with serving_channels(Small) as server:
        client = client_of(server, "websocket")
        refused = asyncio.ensure_future(client.subscribe("a", join="x" * 500))
        valid = asyncio.ensure_future(client.subscribe("b"))
        await asyncio.sleep(0)
        async with client:
            with pytest.raises(ChannelRequestError, match="too_large"):
                await refused
            await valid


async def test_too_large_message_that_waits_is_refused_after_the_connection(loop_kind: str) -> None:
    class Small(Open):
        client_limits = ClientLimits(message=500)

    async with serving_channels(Small) as server:
        client = client_of(server, "websocket")
        publishing = asyncio.ensure_future(client.publish("a", "x" * 500))
        await asyncio.sleep(0)
        async with client:
            with pytest.raises(ChannelRequestError, match="a request has at most 500 bytes"):
                await publishing


@pytest.mark.parametrize("data", [{1, 2}, float("nan"), b"bytes"])
async def test_data_without_json_is_rejected_at_once(loop_kind: str, data: Any) -> None:
    async with serving_channels() as server, client_of(server, max_waiting=1) as client:
        with pytest.raises((TypeError, ValueError)):
            await client.publish("a", data)
        assert (await client.publish("a", 1)).offset == 1  # the other one does not wait


async def test_data_may_change_while_the_message_waits(loop_kind: str) -> None:
    async with serving_channels() as server:
        client = client_of(server)
        data = {"n": 1}
        publishing = asyncio.ensure_future(client.publish("a", data))
        await asyncio.sleep(0)
        data["n"] = 2
        async with client:
            await client.subscribe("a", Position((await publishing).epoch, 0))
            assert await messages(client, 1) == [{"n": 1}]


async def test_subscription_that_is_replaced_fails(loop_kind: str, transport: str) -> None:
    allowed = asyncio.Event()

    class Waiting(Open):
        async def authorize_subscribe(self, channel: str) -> bool:
            await allowed.wait()
            return True

    async with serving_channels(Waiting) as server, client_of(server, transport) as client:
        first = asyncio.ensure_future(client.subscribe("a"))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(client.subscribe("a"))
        with pytest.raises(ChannelRequestError, match="unsubscribed"):
            await first
        client.unsubscribe("a")
        with pytest.raises(ChannelRequestError, match="unsubscribed"):
            await second
        third = asyncio.ensure_future(client.subscribe("a"))
        await asyncio.sleep(0)
        allowed.set()
        await third
        await server.hub.publish("a", 1)
        assert await messages(client, 1) == [1]


async def test_revocation_of_a_replaced_subscription_does_not_end_the_next(loop_kind: str) -> None:
    """The permission is withdrawn and granted again while the request is on its way."""

    class Handler(Open):
        def authenticate(self, token: str | None) -> Identity:
            return Identity(token)

    async with serving_channels(Handler) as server, client_of(server, "websocket", token="ada") as client:
        await client.subscribe("a")
        [session] = server.sessions
        again = asyncio.ensure_future(client.subscribe("a"))
        await asyncio.sleep(0)
        session.revoke("ada", "a")
        await again
        await server.hub.publish("a", 1)
        assert await messages(client, 1) == [1]


@pytest.mark.parametrize("transport", ["stream", "poll"])
@pytest.mark.parametrize("body", ['{"error": "bad gateway"}', "[]", "1", "<h1>Bad gateway</h1>"])
async def test_response_of_an_intermediary_is_not_a_reply(body: str, transport: str, loop_kind: str) -> None:
    class Behind(Open):
        is_broken = True

        def post(self, path: str | None = None) -> Any:
            if Behind.is_broken and b'"publish"' in self.request.body:
                Behind.is_broken = False
                self.set_status(502)
                self.finish(body)
                return None
            return super().post(path)

    async with serving_channels(Behind) as server, client_of(server, transport) as client:
        await client.subscribe("a")
        await client.publish("a", 1)
        assert await messages(client, 1) == [1]
        assert not Behind.is_broken


class Invalid(Open):
    """A handler that sends an invalid text after a subscription to "a", or in place of its reply."""

    texts: ClassVar[list[str]] = []

    def write_message(self, message: Any, *arguments: Any, **options: Any) -> Any:
        sent = super().write_message(message, *arguments, **options)
        if Invalid.texts and b'"subscribed"' in message and b'"a"' in message:
            super().write_message(Invalid.texts.pop())
        return sent

    def post(self, path: str | None = None) -> Any:
        if Invalid.texts and b'"channel": "a"' in self.request.body:
            text = Invalid.texts.pop()
            if b'"stream"' in self.request.body:
                self.set_header("Content-Type", "text/event-stream")
                self.finish(f"data: {text}\n\n")
            else:
                self.finish(f'{{"messages": [{text}]}}')
            return None
        return super().post(path)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "null",
        "[]",
        '{"type":"subscribed","channel":"a","position":5}',
        '{"type":"message","channel":"a"}',
        '{"type":"gap","channel":"a"}',
        '{"type":"error"}',
        '{"type":["message"]}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
async def test_client_connects_again_after_invalid_message(
    transport: str, text: str, loop_kind: str, expect_log: Any
) -> None:
    """It continues at its position, so that nothing is lost. It logs one line if the text is repeated."""
    async with serving_channels(Invalid) as server, client_of(server, transport) as client:
        await client.subscribe("b")
        first = await server.hub.publish("a", 0)
        await server.hub.publish("a", 1)
        Invalid.texts[:] = [text] * 3
        with expect_log(
            "tornado.general", f"The channels of http.* by the transport .{transport}. what"
        ) as log:
            await client.subscribe("a", first)
            assert await messages(client, 1) == [1]
            while Invalid.texts:  # the message was before the first invalid text
                await asyncio.sleep(0.001)
        assert len(log.records) == 1
        assert await client.publish("a", 2)
        assert await messages(client, 1) == [2]


async def test_refused_token_is_not_a_reason_for_another_transport(loop_kind: str) -> None:
    tokens = iter(["old", "old", "old", "old", "new"])

    class Handler(Open):
        def authenticate(self, token: str | None) -> Identity | None:
            return Identity("ada") if token == "new" else None

        def post(self, path: str | None = None) -> Any:
            raise AssertionError("another transport is used")

    async with serving_channels(Handler) as server, client_of(server, token=lambda: next(tokens)) as client:
        assert client.is_connected
    assert list(tokens) == []


async def test_program_that_publishes_without_reading_does_not_wait_for_itself(
    loop_kind: str, transport: str
) -> None:
    async with serving_channels() as server, client_of(server, transport, max_items=3) as client:
        await client.subscribe("a")
        for number in range(50):
            await client.publish("a", number)
        await client.subscribe("b")
        assert await messages(client, 50) == list(range(50))


async def test_only_refused_requests_are_repeated(clock: Any, expect_log: Any) -> None:
    """They are repeated together, after the time that the server has named."""
    calls: list[str] = []
    is_busy = True

    class Busy(Open):
        def authorize_publish(self, channel: str) -> bool:
            calls.append(channel)
            if is_busy and channel != "works":
                raise BrokerUnavailableError("on purpose")
            return True

    async with serving_channels(Busy) as server, client_of(server, "websocket") as client:
        publishing = [asyncio.ensure_future(client.publish(channel, 1)) for channel in ("a", "b", "works")]
        await publishing[2]
        is_busy = False
        positions = await asyncio.gather(*publishing)
        assert [each.offset for each in positions] == [1, 1, 1]
    assert calls == ["a", "b", "works", "a", "b"]


async def test_polls_wait_for_the_repetition_of_a_subscription(clock: Any, expect_log: Any) -> None:
    calls = []

    class Busy(Open):
        def authorize_subscribe(self, channel: str) -> bool:
            calls.append(clock())
            if len(calls) == 1:
                raise BrokerUnavailableError("on purpose")
            return True

    async with serving_channels(Busy) as server, client_of(server, "poll") as client:
        await client.subscribe("a")
    assert calls[1] - calls[0] > 0.1


async def test_request_that_always_fails_is_not_repeated_for_ever(
    transport: str, clock: Any, expect_log: Any
) -> None:
    calls = []

    class Faulty(Open):
        def authorize_publish(self, channel: str) -> bool:
            calls.append(channel)
            raise RuntimeError("a bug")

    async with serving_channels(Faulty) as server, client_of(server, transport) as client:
        with expect_log("tornado.application", "Uncaught exception"):
            with pytest.raises(ChannelRequestError, match="internal"):
                await client.publish("a", 1)
            assert len(calls) == 5


async def test_ephemeral_message_that_may_have_been_sent_is_not_repeated(
    loop_kind: str, transport: str
) -> None:
    """It is lost with the connection, and does not arrive twice."""
    calls = []
    cut = asyncio.Event()

    class Cut(Open):
        async def authorize_publish(self, channel: str) -> bool:
            calls.append(channel)
            if len(calls) == 1:
                cut.set()
                await asyncio.Event().wait()
            return True

    async with serving_channels(Cut) as server, client_of(server, transport) as client:
        sending = asyncio.ensure_future(client.send("a", "typing"))
        await cut.wait()
        await server.server.server.close_all_connections()
        await sending
        await client.send("a", "typing again")
        await client.publish("a", 1)
    assert len(calls) == 3


async def test_token_function_that_fails_is_called_again(loop_kind: str, expect_log: Any) -> None:
    tokens = iter([OSError("the service does not respond"), "ada"])

    def token() -> str:
        found = next(tokens)
        if isinstance(found, Exception):
            raise found
        return found

    Recording.subscribed.clear()
    async with serving_channels(Recording) as server:
        with expect_log("tornado.general", "The token for the channels of http.*could not be obtained"):
            client = await client_of(server, token=token)
        await client.subscribe("a")
        await client.close()
    assert Recording.subscribed == ["ada"]


@pytest.mark.parametrize(
    ("url", "transports", "message"),
    [
        (
            "ws://localhost/",
            ["websocket"],
            "expected a URL with the scheme http or https, got 'ws://localhost/'",
        ),
        ("http://localhost/", ["carrier"], "transports must be some of websocket, stream, poll"),
        ("http://localhost/", [], "transports must be some of websocket, stream, poll"),
    ],
)
async def test_invalid_argument_is_rejected(url: str, transports: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connect(url, transports=transports)
