"""`ChannelHandler` over HTTP: publishing, server-sent events, long polling, origins and errors."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.channels import JSON, ChannelServer, Open, accepted_stream, serving_channels
from tests.support.server import ExpectLog
from tornado.channels import (
    BrokerUnavailableError,
    ClientLimits,
    History,
    Hub,
    Identity,
    MemoryBroker,
    Position,
    SlowPolicy,
    revoke,
)
from tornado.channels._broker import Page
from tornado.channels._session_state import name_of_anonymous

MEMBER_1, MEMBER_2 = map(name_of_anonymous, ("client-1", "client-2"))


class Tokens(Open):
    """A handler whose tokens contain the user and the time of expiry; without one, the user is anonymous."""

    def authenticate(self, token: str | None) -> Any:
        return self._authenticate(token)

    async def _authenticate(self, token: str | None) -> Identity | None:
        await asyncio.sleep(0)
        if token == "wrong":
            return None
        user, _, seconds = (token or "").partition(" ")
        return Identity(user or None, time.time() + float(seconds) if seconds else None)

    async def authorize_subscribe(self, channel: str) -> bool:  # type: ignore[override]
        await asyncio.sleep(0)
        return channel != "private"


# -- server-sent events --


async def test_stream_sends_subscribed_history_and_live_messages(loop_kind: str) -> None:
    async with serving_channels() as server:
        first = await server.hub.publish("a", 1)
        await server.hub.publish("a", "grüße\n")
        stream = await server.stream(
            subscribe=[{"channel": "b"}, {"channel": "a", "position": str(first)}], client="client-1"
        )
        assert stream.response.get("content-type") == "text/event-stream; charset=utf-8"
        connected = await stream.receive()
        assert (connected["type"], connected["client"]) == ("connected", "client-1")
        assert (await stream.receive())["channel"] == "b"
        assert await stream.receive() == {"type": "subscribed", "channel": "a", "position": str(first)}
        event = await stream.event()
        assert event is not None
        message = json.loads(event.data)
        assert (message["data"], message["position"]) == ("grüße\n", f"{first.epoch}:2")
        assert event.id == message["position"]
        position = await server.hub.publish("b", {"x": None})
        found = {"type": "message", "channel": "b", "position": str(position), "data": {"x": None}}
        assert await stream.receive() == found


async def test_browser_reconnects_with_last_event_id(loop_kind: str) -> None:
    async with serving_channels() as server:
        first = await server.hub.publish("a", 1)
        await server.hub.publish("a", 2)
        peer = await server.server.connect()
        request = quote(json.dumps({"subscribe": [{"channel": "a"}]}))
        fields = ("Accept: text/event-stream", f"Last-Event-ID: {first}")
        peer.get(f"/channels?request={request}", *fields)
        stream = await accepted_stream(peer)
        assert [(await stream.receive())["type"] for _ in range(2)] == ["connected", "subscribed"]
        assert (await stream.receive())["data"] == 2


async def test_refused_subscription_of_stream_is_reported_and_others_work(loop_kind: str) -> None:
    async with serving_channels(Tokens) as server:
        stream = await server.stream(subscribe=[{"channel": "private"}, {"channel": "a"}])
        assert (await stream.receive())["type"] == "connected"
        refused = await stream.receive()
        assert (refused["code"], refused["channel"]) == ("forbidden", "private")
        assert (await stream.receive())["type"] == "subscribed"
        await server.hub.publish("a", 1)
        assert (await stream.receive())["data"] == 1


async def test_disconnect_of_stream_ends_session_and_presence(loop_kind: str) -> None:
    async with serving_channels() as server:
        observer = await server.stream(subscribe=[{"channel": "a", "watch": True}])
        assert [(await observer.receive())["type"] for _ in range(3)][-1] == "presence"
        stream = await server.stream(client="client-2", subscribe=[{"channel": "a", "join": 7}])
        [(_, data)] = (await observer.receive())["joined"][MEMBER_2].items()
        assert data == 7
        await server.has_sessions(2)
        await stream.peer.close()
        assert MEMBER_2 in (await observer.receive())["left"]
        await server.has_sessions(1)


async def test_expired_token_and_revocation_end_stream(clock: Any) -> None:
    async with serving_channels(Tokens) as server:
        stream = await server.stream(token="alice 10", subscribe=[{"channel": "a"}])
        connected = await stream.receive()
        assert (connected["type"], connected["expires_in"]) == ("connected", 10)
        await stream.receive()
        await asyncio.sleep(11)
        assert (await stream.receive())["code"] == "expired"
        assert await stream.event() is None
        stream = await server.stream(token="alice", subscribe=[{"channel": "a"}])
        await stream.receive()
        await stream.receive()
        await revoke(server.hub, "alice", "a")
        assert (await stream.receive())["code"] == "revoked"
        await revoke(server.hub, "alice")
        assert (await stream.receive())["code"] == "revoked"
        assert await stream.event() is None
        await server.has_sessions(0)


async def test_slow_stream_is_disconnected_and_resumes(loop_kind: str) -> None:
    class Handler(Open):
        def slow_policy(self, channel: str) -> SlowPolicy:
            connection: Any = self.request.connection
            connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            return SlowPolicy("close", 50_000)

    async with serving_channels(Handler) as server:
        stream = await server.stream(subscribe=[{"channel": "a"}])
        await stream.receive()
        position = (await stream.receive())["position"]
        stream.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(900):
            await server.hub.publish("a", [number, "x" * 10_000])
            await asyncio.sleep(0)
        await server.has_sessions(0)
        again = await server.stream(subscribe=[{"channel": "a", "position": position}])
        await again.receive()
        await again.receive()
        assert [(await again.receive())["data"][0] for _ in range(900)] == list(range(900))


async def test_drain_ends_stream_with_retry_and_poll_at_once(loop_kind: str) -> None:
    async with serving_channels() as server:
        stream = await server.stream(subscribe=[{"channel": "a"}])
        position = [await stream.receive() for _ in range(2)][1]["position"]
        poll = asyncio.ensure_future(
            server.post(type="poll", subscribe=[{"channel": "a", "position": position}])
        )
        await server.has_sessions(2)
        await server.server.server.drain(5)
        assert await stream.event() is None
        assert stream.parser.retry == 3000
        response = json.loads((await poll).body)
        assert response["messages"] == []
        assert 1 <= response["retry"] <= 5000


# -- publishing --


async def test_publish_with_post_is_stored_once(loop_kind: str) -> None:
    async with serving_channels(Tokens) as server:
        request = {"type": "publish", "id": "0123456789abcdef", "channel": "a", "data": [1], "token": "alice"}
        first, again = await server.post(**request), await server.post(**request)
        assert (first.code, first.body) == (200, again.body)
        position = await server.hub.head("a")
        expected = {"type": "published", "id": request["id"], "channel": "a", "position": str(position)}
        assert json.loads(first.body) == expected
        assert position.offset == 1
        assert first.get("cache-control") == "no-store"


async def test_id_of_a_publication_counts_for_its_client(loop_kind: str) -> None:
    """It may be short, and that of another client does not suppress the message."""
    async with serving_channels(Tokens) as server:
        request = {"type": "publish", "id": "1", "channel": "a", "data": 1}
        positions = set()
        for token in (None, "alice"):
            for client in ("client-1", "client-2"):
                socket = await server.connect()
                await socket.ask(type="connect", client=client, token=token)
                first = await socket.ask(**request)
                again = json.loads((await server.post(client=client, token=token, **request)).body)
                assert again == first
                positions.add(first["position"])
        assert len(positions) == (await server.hub.head("a")).offset == 4


async def test_publication_without_client_needs_a_long_id(loop_kind: str) -> None:
    async with serving_channels() as server:
        request = {"type": "publish", "id": "i" * 15, "channel": "a", "data": 1}
        socket = await server.connect()
        for refused in (await socket.ask(**request), json.loads((await server.post(**request)).body)):
            assert refused["code"] == "bad_request"
            assert refused["message"] == "without client, the id of publish has at least 16 characters"
        request["id"] = "i" * 16
        assert json.loads((await server.post(**request)).body) == await socket.ask(**request)
        response = await server.post(client="a/b/c/d/", **request)
        assert (response.code, json.loads(response.body)["code"]) == (400, "bad_request")


@pytest.mark.parametrize("kind", ["stream", "poll"])
@pytest.mark.parametrize(("token", "clients"), [("ada", 2), (None, 3)])
async def test_client_that_changes_its_id_is_limited(kind: str, token: str | None, clients: int) -> None:
    class Handler(Tokens):
        client_limits = ClientLimits(rate=0.01, burst=2, clients_per_user=2, clients_per_address=3)

    async with serving_channels(Handler) as server:

        async def status(client: int) -> int:
            peer = await server.server.connect()
            request = {"type": kind, "wait": 0, "client": f"client-{client}", "token": token}
            peer.get("/channels", JSON, method="POST", body=json.dumps(request).encode())
            return int((await peer.reader.readline()).split()[1])

        assert [await status(0) for _ in range(3)] == [200, 200, 429]
        rest = 2 * clients - 2
        assert [await status(number) for number in range(1, rest + 3)] == [200] * rest + [429, 429]
        token = "bob"
        assert await status(0) == 200


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"type": "publish", "channel": "a"}, 400, "bad_request"),
        ({"type": "subscribe", "channel": "a"}, 400, "bad_request"),
        ({"type": "poll", "version": 2}, 400, "version"),
        ({"type": "poll", "wait": 51}, 400, "bad_request"),
        ({"type": "poll", "subscribe": [1]}, 400, "bad_request"),
        ({"type": "stream", "subscribe": {}}, 400, "bad_request"),
        ({"type": "poll", "token": "wrong"}, 401, "unauthorized"),
        ({"type": "stream", "token": "wrong"}, 401, "unauthorized"),
        ({"type": "publish", "token": "alice -1", "channel": "a", "id": "i", "data": 1}, 401, "expired"),
        ({"type": "publish", "channel": "a", "id": "i", "data": "x" * 70_000}, 413, "too_large"),
    ],
)
async def test_refused_request_has_status_and_error(request_: dict[str, Any], status: int, code: str) -> None:
    async with serving_channels(Tokens) as server:
        response = await server.post(**request_)
        assert response.code == status
        error = json.loads(response.body)
        assert (error["type"], error["code"]) == ("error", code)


async def test_publishing_is_limited_by_user() -> None:
    class Handler(Tokens):
        client_limits = ClientLimits(rate=0.01, burst=1)

    async with serving_channels(Handler) as server:
        request = {"type": "publish", "id": "i" * 16, "channel": "a", "data": 1}
        assert [(await server.post(token=user, **request)).code for user in ("a", "b")] == [200, 200]
        refused = await server.post(token="a", **request)
        assert (refused.code, int(refused.get("retry-after")) > 0) == (429, True)


async def test_request_of_another_origin_or_type_is_refused(expect_log: ExpectLog) -> None:
    async with serving_channels(trusted_origins=["https://good.example"]) as server:
        for fields in (["Origin: https://evil.example"], ["Sec-Fetch-Site: cross-site"]):
            with expect_log("tornado.general", "403 POST"):
                assert (await server.post(*fields, type="poll", wait=0)).code == 403
            with expect_log("tornado.general", "403 GET"):
                assert (await server.server.fetch("/channels", *fields)).code == 403
        trusted = "Origin: https://good.example"
        response = await server.post(trusted, type="poll", wait=0)
        assert (response.code, response.get("access-control-allow-origin")) == (200, "https://good.example")
        preflight = await server.server.fetch("/channels", trusted, method="OPTIONS")
        assert (preflight.code, preflight.get("access-control-allow-methods")) == (204, "GET, POST")
        with expect_log("tornado.general", "415 POST"):
            response = await server.server.fetch("/channels", method="POST", body=b"{}")
        assert response.code == 415
        assert response.get("content-type") == "application/json; charset=UTF-8"
        assert json.loads(response.body) == {
            "type": "error",
            "code": "bad_request",
            "message": "Unsupported Media Type",
        }


async def test_publication_needs_post() -> None:
    """A link of another site is a GET, to which browsers add the cookies of the user."""
    async with serving_channels() as server:
        request = quote(json.dumps({"type": "publish", "channel": "a", "data": 1, "id": "i" * 16}))
        response = await server.server.fetch(f"/channels?request={request}")
        assert (response.code, json.loads(response.body)["code"]) == (400, "bad_request")
        assert (await server.hub.head("a")).offset == 0


async def test_body_above_the_limit_is_not_read(expect_log: ExpectLog) -> None:
    class Handler(Open):
        client_limits = ClientLimits(message=1000)

    async with serving_channels(Handler) as server:
        response = await server.post(type="publish", channel="a", id="i" * 16, data="x" * 1000)
        assert (response.code, json.loads(response.body)["code"]) == (413, "too_large")
        peer = await server.server.connect()
        peer.get("/channels", JSON, "Content-Length: 60000000", method="POST")
        with expect_log("tornado.general", "413 POST", required=False):
            response = await peer.response()
        assert (response.code, json.loads(response.body)["code"]) == (413, "too_large")


async def replies(server: ChannelServer, kind: str, count: int, **request: Any) -> list[dict[str, Any]]:
    """Send a stream or a poll. Return the first objects about its subscriptions."""
    if kind == "poll":
        return await server.poll(**request)
    stream = await server.stream(**request)
    return [await stream.receive() for _ in range(count + 1)][1:]


@pytest.mark.parametrize("kind", ["stream", "poll"])
async def test_surplus_subscriptions_are_refused_and_others_work(kind: str) -> None:
    async with serving_channels() as server:
        wanted = [{"channel": f"c{number}"} for number in range(102)]
        found = await replies(server, kind, 102, subscribe=wanted)
        assert [each["type"] for each in found] == ["subscribed"] * 100 + ["error"] * 2
        refused = [(each["code"], each["channel"]) for each in found[100:]]
        assert refused == [("limit", "c100"), ("limit", "c101")]


@pytest.mark.parametrize("kind", ["stream", "poll"])
@pytest.mark.parametrize(
    ("malformed", "code"),
    [
        ({"channel": "$revocations"}, "forbidden"),
        ({"channel": "x" * 201}, "bad_request"),
        ({"channel": ""}, "bad_request"),
        ({"channel": "b", "position": "no offset"}, "bad_request"),
        ({"channel": "b", "watch": 1}, "bad_request"),
    ],
)
async def test_malformed_subscription_is_refused_and_others_work(
    kind: str, malformed: dict[str, Any], code: str
) -> None:
    async with serving_channels() as server:
        refused, subscribed = await replies(server, kind, 2, subscribe=[malformed, {"channel": "a"}])
        assert (refused["type"], refused["code"]) == ("error", code)
        assert refused["channel"] == malformed["channel"]
        assert (subscribed["type"], subscribed["channel"]) == ("subscribed", "a")


@pytest.mark.parametrize("kind", ["stream", "poll"])
async def test_list_contains_each_channel_once(kind: str) -> None:
    async with serving_channels() as server:
        response = await server.post(type=kind, subscribe=[{"channel": "c"}, {"channel": "c"}])
        assert (response.code, json.loads(response.body)["code"]) == (400, "bad_request")


@pytest.mark.parametrize("kind", ["stream", "poll"])
async def test_list_of_many_subscriptions_may_be_larger_than_other_requests(kind: str) -> None:
    class Handler(Open):
        client_limits = ClientLimits(subscriptions=1000)

    async with serving_channels(Handler) as server:
        epoch = (await server.hub.head("a")).epoch
        await server.hub.publish("channel-999" + "x" * 90, 1)
        wanted = [{"channel": f"channel-{n}" + "x" * 90, "position": f"{epoch}:0"} for n in range(1000)]
        assert len(json.dumps(wanted)) > 2 * Handler.client_limits.message
        found = await replies(server, kind, 1001, subscribe=wanted)
        assert [each["data"] for each in found if each["type"] == "message"] == [1]
        large = [{"channel": f"c{n}", "join": "x" * 1060} for n in range(1000)]
        response = await server.post(type=kind, subscribe=large)
        assert (response.code, json.loads(response.body)["code"]) == (413, "too_large")


@pytest.mark.parametrize("kind", ["stream", "poll"])
async def test_session_ends_if_client_disconnects_during_authentication(kind: str, loop_kind: str) -> None:
    asked = asyncio.Event()

    class Handler(Open):
        async def authenticate(self, token: str | None) -> Identity:  # type: ignore[override]
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    async with serving_channels(Handler) as server:
        peer = await server.server.connect()
        peer.get("/channels", JSON, method="POST", body=json.dumps({"type": kind}).encode())
        await asked.wait()
        assert len(server.sessions) == 1
        await peer.close()
        await server.has_sessions(0)


async def test_subscribed_event_has_an_id() -> None:
    """An `EventSource` that reconnects before the first message would otherwise miss messages."""
    async with serving_channels() as server:
        stream = await server.stream(subscribe=[{"channel": "a"}])
        connected, subscribed = await stream.event(), await stream.event()
        assert connected is not None
        assert subscribed is not None
        assert subscribed.id == json.loads(subscribed.data)["position"]


async def test_xsrf_cookie_is_not_required() -> None:
    async with serving_channels(xsrf_cookies=True, cookie_secret="x" * 32) as server:
        assert (await server.post(type="poll", wait=0)).code == 200


async def test_unknown_file_is_not_found() -> None:
    async with serving_channels() as server:
        for name in ("other.js", "..%2f_hub.py"):
            assert (await server.server.fetch(f"/channels/{name}")).code == 404


# -- long polling --


async def test_polls_continue_at_their_position(loop_kind: str) -> None:
    async with serving_channels() as server:
        [subscribed] = await server.poll(subscribe=[{"channel": "a"}])
        assert subscribed["type"] == "subscribed"
        wanted = [{"channel": "a", "position": subscribed["position"]}]
        waiting = asyncio.ensure_future(server.poll(subscribe=wanted))
        await server.has_sessions(1)
        await server.hub.publish("a", 1)
        [message] = await waiting
        assert message["data"] == 1
        for number in range(2, 5):
            await server.hub.publish("a", number)
        found = await server.poll(subscribe=[{"channel": "a", "position": message["position"]}])
        assert [each["data"] for each in found] == [2, 3, 4]
        assert (
            await server.poll(wait=0, subscribe=[{"channel": "a", "position": found[-1]["position"]}]) == []
        )
        await server.has_sessions(0)


async def test_poll_without_messages_ends_after_wait(clock: Any) -> None:
    async with serving_channels() as server:
        position = str(await server.hub.head("a"))
        assert await server.poll(subscribe=[{"channel": "a", "position": position}], wait=50) == []


async def test_refused_subscription_of_poll_is_reported() -> None:
    async with serving_channels(Tokens) as server:
        refused, subscribed = await server.poll(subscribe=[{"channel": "private"}, {"channel": "a"}])
        assert (refused["code"], refused["channel"]) == ("forbidden", "private")
        assert subscribed["channel"] == "a"


async def test_disconnect_ends_waiting_poll(loop_kind: str) -> None:
    async with serving_channels() as server:
        position = str(await server.hub.head("a"))
        peer = await server.server.connect()
        request = quote(json.dumps({"type": "poll", "subscribe": [{"channel": "a", "position": position}]}))
        peer.get(f"/channels?request={request}")
        await server.has_sessions(1)
        await peer.close()
        await server.has_sessions(0)


async def test_polling_client_stays_present_between_polls(clock: Any) -> None:
    async with serving_channels() as server:
        joined = {"client": "client-1", "subscribe": [{"channel": "a", "join": 1}]}
        await server.poll(**joined)
        [subscribed] = await server.poll(client="client-2", subscribe=[{"channel": "a", "watch": True}])
        wanted = {"channel": "a", "position": subscribed["position"], "watch": True}
        [presence] = await server.poll(client="client-2", subscribe=[wanted])
        [(connection, data)] = presence["members"][MEMBER_1].items()
        assert data == 1
        for _ in range(3):
            await asyncio.sleep(5)
            await server.poll(**joined)
        wanted["watch"] = presence["version"]
        assert await server.poll(client="client-2", subscribe=[wanted], wait=8) == []
        wanted["watch"] = True
        [presence] = await server.poll(client="client-2", subscribe=[wanted])
        assert presence["members"] == {MEMBER_1: {connection: 1}}
        wanted["watch"] = presence["version"]
        [left] = await server.poll(client="client-2", subscribe=[wanted])
        assert left["members"] == {}


async def test_two_polls_of_one_client_at_the_same_time_do_not_leave_a_connection(clock: Any) -> None:
    async with serving_channels() as server:
        [subscribed] = await server.poll(client="client-1", subscribe=[{"channel": "a"}])
        joined = {"channel": "a", "position": subscribed["position"], "join": 1}
        polls = [
            asyncio.ensure_future(server.poll(client="client-1", wait=3 + number, subscribe=[joined]))
            for number in range(2)
        ]
        await asyncio.gather(*polls)
        watched = {"channel": "a", "position": subscribed["position"], "watch": True}
        [presence] = await server.poll(client="client-2", subscribe=[watched])
        assert list(presence["members"]) == [MEMBER_1]
        watched["watch"] = presence["version"]
        while presence["members"]:
            [presence] = await server.poll(client="client-2", subscribe=[watched], wait=20)
            watched["watch"] = presence["version"]


@pytest.mark.parametrize("wait", [0, 0.001])
async def test_short_poll_receives_history_of_a_channel_without_receivers(
    loop_kind: str, wait: float
) -> None:
    class Slow(MemoryBroker):
        async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
            await asyncio.sleep(0.01)  # longer than the poll asks for
            return await super().read(channel, after, limit, history)

    async with serving_channels(hub=Hub(Slow())) as server:
        first = await server.hub.publish("a", 1)
        for number in (2, 3):
            await server.hub.publish("a", number)
        for _ in range(2):
            found = await server.poll(wait=wait, subscribe=[{"channel": "a", "position": str(first)}])
            assert [each["data"] for each in found] == [2, 3]
            found = await server.poll(wait=wait, subscribe=[{"channel": "a", "position": "other:1"}])
            assert [each["type"] for each in found] == ["gap", "message", "message", "message"]


async def test_short_poll_without_broker_is_repeated_later(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unavailable(MemoryBroker):
        async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
            if channel == "a" and after is not None:
                raise BrokerUnavailableError("the broker has been stopped")
            return await super().read(channel, after, limit, history)

    monkeypatch.setattr("tornado.channels._http_requests._MAX_READ", 0.01)
    async with serving_channels(hub=Hub(Unavailable())) as server:
        body = {"type": "poll", "wait": 0, "subscribe": [{"channel": "a", "position": "other:1"}]}
        response = json.loads((await server.post(**body)).body)
        assert response["messages"] == []
        assert 500 <= response["retry"] <= 1500
