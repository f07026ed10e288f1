"""Tests of the `Transport` interface: streams implement it, and other transports may."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from tests.support.streams import run_loop_iterations
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflateParameters, DeflatePolicy
from tornado.iostream import IOStream, SSLIOStream
from tornado.iostream._interface import Transport
from tornado.websocket import WebSocketProtocol13
from tornado.websocket._parameters import params_of


class Carrier:
    """A transport without a descriptor: output is stored until the test calls `take`.

    It has only the attributes of `Transport`, so that any other access raises AttributeError.
    """

    __slots__ = (
        "__weakref__",
        "_consumer",
        "_corked",
        "_drained",
        "_is_closed",
        "_parts",
        "_paused",
        "_waiters",
        "corked_size",
        "error",
        "loop",
    )

    def __init__(self) -> None:
        self.error = None
        self.loop = asyncio.get_running_loop()
        self.corked_size = 0
        self._parts: list[bytes] = []
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._corked, self._paused, self._is_closed, self._drained = 0, False, False, True

    @property
    def unsent_output(self) -> object | None:
        return self._parts or None

    @property
    def pending_output(self) -> int:
        return sum(map(len, self._parts))

    def start_push(self, consumer: Any) -> None:
        self._consumer = consumer

    def send(self, data: bytes) -> bool:
        if not self._is_closed:
            self._parts.append(data)
            self._drained = False
        return self._is_closed

    def cork(self) -> None:
        self._corked += 1

    def uncork(self) -> None:
        self._corked -= 1

    def flush_output(self) -> None:
        pass

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def end_output(self) -> None:
        pass

    def when_written(self, rest: int = 0) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiters.append((rest, future))
        return future

    def set_nodelay(self, value: bool) -> None:
        pass

    def closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._consumer.connection_lost(None)

    # -- the peer's side, called by tests --

    def take(self) -> bytes:
        """Return the output, and treat it as sent."""
        data, self._parts = b"".join(self._parts), []
        waiters, self._waiters = self._waiters, []
        for _, future in waiters:
            future.set_result(None)
        if not self._drained:
            self._drained = True
            self._consumer.output_drained()
        return data

    def give(self, data: bytes) -> None:
        assert not self._paused
        self._consumer.data_received(data)


class Owner:
    """A handler that returns messages and records the end of the connection."""

    end: Any = None

    def on_message(self, message: str | bytes) -> Any:
        self.protocol.write_message(message, isinstance(message, bytes))

    def on_ping(self, data: bytes) -> None:
        pass

    def on_pong(self, data: bytes) -> None:
        pass

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        self.end = code, reason

    def __init__(self, **settings: Any) -> None:
        policy = settings.get("compression_options") is not None
        self.carrier = Carrier()
        self.protocol = WebSocketProtocol13(self, False, params_of(**settings))
        parameters = DeflateParameters() if policy else None
        self.protocol.begin(self.carrier, parameters, None)  # type: ignore[arg-type]
        if policy:
            self.peer = ws_connection.WSConnection(
                ws_connection.DEFAULT, lambda: b"key!", parameters, DeflatePolicy()
            )
        else:
            self.peer = ws_connection.WSConnection(ws_connection.DEFAULT, lambda: b"key!")


def test_streams_implement_the_interface() -> None:
    here = inspect.getfile(Transport)
    methods = {name for name, each in inspect.getmembers(Transport, inspect.isfunction)}
    wanted = {name for name in methods if inspect.getfile(getattr(Transport, name)) == here}
    assert {"end_output", "send", "start_push", "close"} <= wanted
    for carrier in (IOStream, SSLIOStream, Carrier):
        for name in wanted | {"unsent_output", "pending_output", *Transport.__annotations__}:
            assert hasattr(carrier, name) or name in Carrier.__slots__, name


@pytest.mark.parametrize("options", [None, {}])
async def test_messages_over_another_transport(loop_kind: str, options: Any) -> None:
    owner = Owner(compression_options=options, ping_interval=30)
    sent = ["text", b"bytes", "x" * 100_000]
    for message in sent:
        payload = message.encode() if isinstance(message, str) else message
        owner.carrier.give(owner.peer.message(payload, isinstance(message, bytes)))
    owner.carrier.give(owner.peer.ping(b"there?"))
    assert owner.peer.receive_data(owner.carrier.take()) == [*sent, ws_connection.Pong(b"there?")]
    owner.carrier.give(owner.peer.close(4000, "done"))
    assert owner.peer.receive_data(owner.carrier.take()) == [ws_connection.Close(4000, "")]
    assert owner.carrier.closed()
    await run_loop_iterations()
    assert owner.end == (4000, "done")


async def test_flow_control_over_another_transport(loop_kind: str) -> None:
    """The output is not sent: messages wait, and reading pauses after a limited amount."""
    owner = Owner(write_limit=100_000)
    message = owner.peer.message(b"x" * 60_000, True)
    count = 0
    while not owner.carrier._paused:
        owner.carrier.give(message)
        count += 1
    assert 2 < count < 20
    assert owner.carrier.pending_output < 200_000
    came = 0
    while came < count:
        came += len(owner.peer.receive_data(owner.carrier.take()))
        await run_loop_iterations()
    assert not owner.carrier._paused
    owner.protocol.close(1000)
    owner.carrier.give(owner.peer.close(1000))
    assert not owner.carrier.closed()
    owner.carrier.take()
    await run_loop_iterations()
    assert owner.end == (1000, None)


async def test_end_of_another_transport(loop_kind: str) -> None:
    owner = Owner()
    owner.carrier.close()
    await run_loop_iterations()
    assert owner.end == (None, None)
