"""Counting of messages: every way to send one counts, and none becomes slower than another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.channels import serving_channels
from tests.support.observation import restored_process
from tornado.web._observation._message_counts import message_counts, start_counting
from tornado.websocket._protocol import WRITE_MESSAGE, WebSocketProtocol13


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with restored_process():
        yield


async def test_replies_and_messages_of_channels_are_counted() -> None:
    start_counting()
    async with serving_channels() as server:
        client = await server.connect()
        before = message_counts.received, message_counts.sent
        client.send(type="subscribe", channel="a")
        assert [(await client.receive())["type"] for _ in range(2)] == ["connected", "subscribed"]
        await server.hub.publish("a", 1)
        assert (await client.receive())["type"] == "message"
        assert (message_counts.received, message_counts.sent) == (before[0] + 1, before[1] + 3)


def test_counting_keeps_the_fast_paths() -> None:
    start_counting()
    assert WRITE_MESSAGE.are_original(WebSocketProtocol13)


def test_counting_does_not_hide_the_patch_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    original = WebSocketProtocol13.write_message
    with monkeypatch.context() as patch:
        patch.setattr(WebSocketProtocol13, "write_message", lambda *args: original(*args))
        start_counting()
        assert not WRITE_MESSAGE.are_original(WebSocketProtocol13)
