"""Any bytes behind the handshake, however they are cut, on a real server and on a real client.

What the shells make of them is held against the protocol core alone, which gets the bytes in one piece: the
same messages in the same order, each answered, then the right end, told once, and nothing in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.logs import LogWatch
from tests.support.server import Server, serving
from tests.support.streams import turns
from tests.support.websocket import END, RESET, Recorder, dial
from tests.support.websocket_server import ScriptedServer, Visitor, scripted
from tornado import web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflateParameters, DeflatePolicy
from tornado._wire.ws_frames import serialize_frame
from tornado.websocket import WebSocketHandler, websocket_connect

POLICY = DeflatePolicy()
AGREED = DeflateParameters()
LIMIT = 1000

#: First bytes of frames: the usual ones, compressed ones, fragments, reserved bits and opcodes.
FIRST = st.sampled_from(
    [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0x41, 0xC2]
) | st.integers(0, 255)
PAYLOAD = (
    st.text(max_size=20).map(str.encode)
    | st.binary(max_size=150)
    | st.integers(0, 5000).map(lambda code: code.to_bytes(2, "big"))
    | st.integers(LIMIT - 1, LIMIT + 1).map(bytes)
)
KEY = st.binary(min_size=4, max_size=4)
CUTS = st.lists(st.integers(0, 400), max_size=5)


def streams(from_client: bool) -> st.SearchStrategy[bytes]:
    """Bytes of a peer: mostly frames, right and wrong, with anything between them."""
    key = KEY if from_client else st.just(b"")
    frame = st.builds(serialize_frame, FIRST, PAYLOAD, key)
    message = st.builds(compressed, st.just(from_client), st.text(max_size=200))
    rare = frame.map(lambda data: data[:-1]) | st.binary(max_size=20)
    return st.lists(st.one_of(frame, frame, frame, message, rare), max_size=8).map(b"".join)


def compressed(from_client: bool, text: str) -> bytes:
    """The first message of a peer that compresses."""
    sender = ws_connection.WSConnection(
        ws_connection.DEFAULT, (lambda: b"mask") if from_client else None, AGREED, POLICY
    )
    return sender.message(text)


def verdicts(data: bytes, cuts: list[int], by_client: bool, compressing: bool) -> list[list[Any]]:
    """What the core makes of the bytes: as a whole, and in these pieces.

    They differ in one case: compressed text that is wrong in two ways, no DEFLATE and no UTF-8, fails by the
    fault that is met first, and what a broken stream gives before its fault depends on the pieces.
    """
    whole = understood([data], by_client, compressing)
    cut = understood(pieces(data, cuts), by_client, compressing)
    if answers_to(whole) != answers_to(cut):
        assert whole[:-1] == cut[:-1]
        assert {whole[-1].code, cut[-1].code} == {1002, 1007}
    return [whole, cut]


def understood(parts: Iterable[bytes], by_client: bool, compressing: bool) -> list[Any]:
    """What the core makes of the bytes, with the settings of the shells here."""
    limits = ws_connection.WSSettings(max_message_size=LIMIT)
    core = ws_connection.WSConnection(
        limits, (lambda: b"mask") if by_client else None, AGREED if compressing else None
    )
    events: list[Any] = []
    for part in parts:
        events += core.receive_data(part)
        while core.pending:
            events += core.receive_data(b"")
    return events


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The data, cut there."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return (data[begin:end] for begin, end in itertools.pairwise(edges))


class Echo(Recorder):
    """Sends each message back, at once or after a while."""

    waits = False
    compresses = False

    def get_compression_options(self) -> Any:
        return {} if self.compresses else None

    def on_message(self, message: str | bytes) -> Any:
        self.note(message)
        if self.waits:
            return self.answer_later(message)
        self.write_message(message, isinstance(message, bytes))
        return None

    async def answer_later(self, message: str | bytes) -> None:
        await turns(1)
        await self.write_message(message, isinstance(message, bytes))


def answers_to(events: list[Any]) -> list[Any]:
    """What the server has to say to them."""
    answers: list[Any] = []
    for event in events:
        if isinstance(event, ws_connection.Ping):
            answers.append(ws_connection.Pong(event.payload))
        elif isinstance(event, ws_connection.Close | ws_connection.Failed):
            answers.append(ws_connection.Close(event.code, ""))
        elif not isinstance(event, ws_connection.Pong):
            answers.append(event)
    return answers


def noted(events: list[Any]) -> list[Any]:
    """What the handler is told of them."""
    told: list[Any] = ["open"]
    end = ("close", None, None)
    for event in events:
        if isinstance(event, ws_connection.Ping):
            told.append(("ping", event.payload))
        elif isinstance(event, ws_connection.Pong):
            told.append(("pong", event.payload))
        elif isinstance(event, ws_connection.Close):
            end = ("close", event.code, event.reason or None)  # type: ignore[assignment]
        elif not isinstance(event, ws_connection.Failed):
            told.append(event)
    return [*told, end]


async def _server_s_answers(server: Server, data: bytes, cuts: list[int], compressing: bool) -> list[Any]:
    """Send the bytes and then the end; everything that comes back, reasons left out."""
    client = await dial(server, policy=POLICY if compressing else None)
    found = []
    with contextlib.suppress(OSError):  # the server has closed already; not always a ConnectionError
        for piece in pieces(data, cuts):
            client.raw(piece)
            await turns()
        client.peer.writer.write_eof()
    while (event := await client.event()) not in (END, RESET):
        found.append(ws_connection.Close(event.code, "") if isinstance(event, ws_connection.Close) else event)
    await client.peer.close()
    if event is RESET:
        found.append(RESET)
    return found


@pytest.mark.parametrize("compressing", [False, True])
@pytest.mark.parametrize("waits", [False, True])
def test_a_server_takes_any_bytes(waits: bool, compressing: bool, log_watch: LogWatch) -> None:
    handler: Any = Echo.new(waits=waits, compresses=compressing)
    with running(serving(application(handler))) as (runner, server):

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(streams(from_client=True), CUTS)
        def check(data: bytes, cuts: list[int]) -> None:
            handler.happened.clear()
            found = runner.run(_one(data, cuts))
            whole, cut = verdicts(data, cuts, False, compressing)
            events = cut if found == answers_to(cut) else whole
            expected = answers_to(events)
            if found[-1:] == [RESET]:
                # Only who goes on behind his close frame may lose what was sent to him.
                assert isinstance(events[-1], ws_connection.Close)
                assert found[:-1] == expected[: len(found) - 1]
            elif waits and events and isinstance(events[-1], str | bytes):
                # Who goes without a close frame has gone, whatever is still to be answered.
                assert found in (expected, expected[:-1])
            else:
                assert found == expected
            assert handler.happened == noted(events)
            assert not log_watch.stray, log_watch.describe()

        async def _one(data: bytes, cuts: list[int]) -> list[Any]:
            async with asyncio.timeout(20):
                found = await _server_s_answers(server, data, cuts, compressing)
                while not any(isinstance(each, tuple) and each[0] == "close" for each in handler.happened):
                    await asyncio.sleep(0)
                return found

        check()


@pytest.mark.parametrize("compressing", [False, True])
def test_a_client_takes_any_bytes(compressing: bool, log_watch: LogWatch) -> None:
    given_bytes: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        visitor.accept(*(["Sec-WebSocket-Extensions: permessage-deflate"] if compressing else []))
        for piece in given_bytes:
            visitor.send(piece)
            await turns()
        visitor.writer.write_eof()
        await visitor.gone()

    with running(scripted(script)) as (runner, server):

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(streams(from_client=False), CUTS)
        def check(data: bytes, cuts: list[int]) -> None:
            given_bytes[:] = pieces(data, cuts)
            events, _ = verdicts(data, cuts, True, compressing)
            messages = [each for each in events if isinstance(each, str | bytes)]
            close = (
                events[-1]
                if events and isinstance(events[-1], ws_connection.Close)
                else ws_connection.Close(None, "")
            )
            assert runner.run(_one(server)) == (messages, close.code, close.reason or None)
            assert not log_watch.stray, log_watch.describe()

        async def _one(server: ScriptedServer) -> tuple[Any, ...]:
            async with asyncio.timeout(20):
                options = {} if compressing else None
                connection = await websocket_connect(
                    server.url, compression_options=options, max_message_size=LIMIT
                )
                found = []
                while (message := await connection.read_message()) is not None:
                    found.append(message)
                await connection.wait_closed()
                return found, connection.close_code, connection.close_reason

        check()


def application(handler: type[WebSocketHandler]) -> web.Application:
    return web.Application([("/", handler)], websocket_max_message_size=LIMIT)


@contextlib.contextmanager
def running(server: contextlib.AbstractAsyncContextManager[Any]) -> Iterator[tuple[asyncio.Runner, Any]]:
    """A loop in which the server lives, for examples that are one after the other run in it."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        begin, end = asyncio.Event(), asyncio.Event()
        given_server: list[Any] = []

        async def live() -> None:
            async with server as running_server:
                given_server.append(running_server)
                begin.set()
                await end.wait()

        async def start() -> asyncio.Task[None]:
            task = asyncio.create_task(live())
            await begin.wait()
            return task

        async def stop() -> None:
            end.set()
            await task

        task = runner.run(start())
        try:
            yield runner, given_server[0]
        finally:
            runner.run(stop())
