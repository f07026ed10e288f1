"""Tests of `WebSocketProtocol`: its state, and the attributes that programs read and set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.websocket import END, Recorder, masked, opened
from tornado._wire import ws_connection
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.websocket import WebSocketProtocol, WebSocketProtocol13, _protocol
from tornado.websocket._parameters import params_of


class Protocol(WebSocketProtocol):
    """The smallest protocol of a program."""

    close = is_closing = accept_connection = write_message = write_ping = start_pinging = set_nodelay = None  # type: ignore[assignment]
    selected_subprotocol = None  # type: ignore[assignment]


class Stream:
    """A stream that counts calls of `close`."""

    closes = 0

    def close(self) -> None:
        self.closes += 1


@pytest.mark.parametrize(
    ("state", "client_terminated", "server_terminated"),
    [
        (WebSocketState.CONNECTING, False, False),
        (WebSocketState.OPEN, False, False),
        (WebSocketState.CLOSING, False, True),
        (WebSocketState.CLOSED_BY_PEER, True, False),
        (WebSocketState.FAILED, True, False),
        (WebSocketState.CLOSED, True, True),
    ],
)
def test_terminated_attributes_follow_the_state(
    state: WebSocketState, client_terminated: bool, server_terminated: bool
) -> None:
    protocol = Protocol(None)
    protocol.state = state
    assert (protocol.client_terminated, protocol.server_terminated) == (client_terminated, server_terminated)


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("server", [False, True])
def test_subclass_may_set_the_terminated_attributes(client: bool, server: bool) -> None:
    protocol = Protocol(None)
    protocol.client_terminated = client
    protocol.server_terminated = server
    assert (protocol.client_terminated, protocol.server_terminated) == (client, server)


def test_new_protocol_is_connecting() -> None:
    protocol = Protocol("the handler")
    assert (protocol.handler, protocol.stream, protocol.state) == (
        "the handler",
        None,
        WebSocketState.CONNECTING,
    )
    assert repr(protocol) == "<Protocol connecting>"


@pytest.mark.parametrize("state", list(WebSocketState))
def test_abort_closes_the_stream_in_every_state(state: WebSocketState) -> None:
    protocol = Protocol(None)
    protocol.state, protocol.stream = state, Stream()
    protocol.on_connection_close()
    assert (protocol.state, protocol.stream.closes) == (WebSocketState.CLOSED, 1)


def test_abort_before_the_handshake() -> None:
    protocol: Any = WebSocketProtocol13(None, False, params_of())
    assert protocol.is_closing()
    protocol.close(1000)
    assert protocol.state is WebSocketState.CONNECTING
    protocol.on_connection_close()
    protocol.periodic_ping()
    protocol.start_pinging()
    assert protocol.state is WebSocketState.CLOSED
    assert protocol.unsent_size() == 0
    assert repr(protocol) == "<WebSocketProtocol13 closed>"


def test_lost_connection_can_be_lost_again() -> None:
    assert WebSocketState.CLOSED.after[WebSocketStep.LOST] is WebSocketState.CLOSED


# -- attributes that a program sets on an open connection --

_BOTH = ("client_terminated", "server_terminated")


@pytest.mark.parametrize(
    ("names", "ending", "reply", "code"),
    [
        (_BOTH[:1], b"\x03\xe8", ws_connection.Close(1000, ""), 1000),
        (_BOTH[1:], b"\x03\xe8", END, 1000),
        (_BOTH, b"\x03\xe8", END, 1000),
        (_BOTH[:1], None, ws_connection.Close(1002, "unknown opcode 3"), None),
        (_BOTH[1:], None, ws_connection.Close(1002, "unknown opcode 3"), None),
        (_BOTH, None, ws_connection.Close(1002, "unknown opcode 3"), None),
    ],
)
async def test_peer_ends_a_connection_that_a_program_has_marked_as_closed(
    names: tuple[str, ...], ending: bytes | None, reply: Any, code: int | None
) -> None:
    """:param ending: the payload of the peer's close frame, or None for a violation."""

    def on_message(self: Any, message: Any) -> None:
        for name in names:
            setattr(self.ws_connection, name, True)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("now")
        client.raw(masked(0x83, b"") if ending is None else masked(0x88, ending))
        assert await client.event() == reply
        client.drop()
        await handler.until(("close", code, None))


async def test_terminated_connection_is_closed_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_protocol, "CLOSE_TIMEOUT", 0.01)

    def on_message(self: Any, message: Any) -> None:
        self.ws_connection.client_terminated = self.ws_connection.server_terminated = True

    handler = Recorder.new(on_message=on_message)
    async with opened(handler) as client:
        client.send("now")
        assert await client.event() is END


async def test_terminated_attributes_that_are_reset_cancel_the_timeout() -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        await handler.until("open")
        connection: Any = handler.latest.ws_connection
        connection.client_terminated = connection.server_terminated = True
        assert connection.state is WebSocketState.TERMINATED
        connection.client_terminated = connection.server_terminated = False
        assert connection.state is WebSocketState.OPEN
        handler.latest.write_message("still open")
        assert await client.event() == "still open"


def test_closed_connection_is_not_reopened_by_the_attributes() -> None:
    protocol = Protocol(None)
    protocol.state = WebSocketState.CLOSED
    protocol.client_terminated = protocol.server_terminated = True
    assert protocol.state is WebSocketState.CLOSED
