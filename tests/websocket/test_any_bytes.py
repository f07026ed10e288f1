"""Random bytes after the handshake, in random pieces, sent to a server and to a client.

The results are compared with those of the sans-IO protocol for the same bytes in one piece. The messages and
their order must be the same, each message must get a reply, the end must be correct and reported once, and
there must be no log records.
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
from tests.support.streams import run_loop_iterations
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

#: First bytes of frames: common ones, compression, fragments, reserved bits and opcodes.
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
    """Return a strategy for the bytes sent by a peer: mostly frames, valid and invalid, with arbitrary bytes
    between them.
    """
    key = KEY if from_client else st.just(b"")
    frame = st.builds(serialize_frame, FIRST, PAYLOAD, key)
    message = st.builds(compressed, st.just(from_client), st.text(max_size=200))
    rare = frame.map(lambda data: data[:-1]) | st.binary(max_size=20)
    return st.lists(st.one_of(frame, frame, frame, message, rare), max_size=8).map(b"".join)


def compressed(from_client: bool, text: str) -> bytes:
    """Return the first message of a peer that uses compression."""
    sender = ws_connection.WSConnection(
        ws_connection.DEFAULT, (lambda: b"mask") if from_client else None, AGREED, POLICY
    )
    return sender.message(text)


def check_splitting(data: bytes, cuts: list[int], by_client: bool, compressing: bool) -> list[list[Any]]:
    """Check that the sans-IO protocol gives the same events in one piece and in these pieces; return both.

    They may differ in one case: if compressed text is both invalid DEFLATE and invalid UTF-8, the pieces
    determine which error is detected first.
    """
    whole = protocol_events([data], by_client, compressing)
    cut = protocol_events(pieces(data, cuts), by_client, compressing)
    if expected_responses(whole) != expected_responses(cut):
        assert whole[:-1] == cut[:-1]
        assert {whole[-1].code, cut[-1].code} == {1002, 1007}
    return [whole, cut]


def protocol_events(parts: Iterable[bytes], by_client: bool, compressing: bool) -> list[Any]:
    """Return the events of the sans-IO protocol, with the same settings as the server and the client."""
    limits = ws_connection.WSLimits(max_message_size=LIMIT)
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
    """Cut the data at these positions."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return (data[begin:end] for begin, end in itertools.pairwise(edges))


class Echo(Recorder):
    """A handler that returns each message to the client, immediately or later."""

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
        await run_loop_iterations(1)
        await self.write_message(message, isinstance(message, bytes))


def expected_responses(events: list[Any]) -> list[Any]:
    """Return the events that a server must send in response."""
    answers: list[Any] = []
    for event in events:
        if isinstance(event, ws_connection.Ping):
            answers.append(ws_connection.Pong(event.payload))
        elif isinstance(event, ws_connection.Close | ws_connection.Failed):
            answers.append(ws_connection.Close(event.code, ""))
        elif not isinstance(event, ws_connection.Pong):
            answers.append(event)
    return answers


def expected_records(events: list[Any]) -> list[Any]:
    """Return the events that the handler must record."""
    records: list[Any] = ["open"]
    end = ("close", None, None)
    for event in events:
        if isinstance(event, ws_connection.Ping):
            records.append(("ping", event.payload))
        elif isinstance(event, ws_connection.Pong):
            records.append(("pong", event.payload))
        elif isinstance(event, ws_connection.Close):
            end = ("close", event.code, event.reason or None)  # type: ignore[assignment]
        elif not isinstance(event, ws_connection.Failed):
            records.append(event)
    return [*records, end]


async def server_responses(server: Server, data: bytes, cuts: list[int], compressing: bool) -> list[Any]:
    """Send the bytes and the end of the input; return the events of the response, without close reasons."""
    client = await dial(server, policy=POLICY if compressing else None)
    found = []
    with contextlib.suppress(OSError):  # the server has closed the connection; not always ConnectionError
        for piece in pieces(data, cuts):
            client.raw(piece)
            await run_loop_iterations()
        client.peer.writer.write_eof()
    while (event := await client.event()) not in (END, RESET):
        found.append(ws_connection.Close(event.code, "") if isinstance(event, ws_connection.Close) else event)
    await client.peer.close()
    if event is RESET:
        found.append(RESET)
    return found


@pytest.mark.parametrize("compressing", [False, True])
@pytest.mark.parametrize("waits", [False, True])
def test_server_with_random_bytes(waits: bool, compressing: bool, log_watch: LogWatch) -> None:
    handler: Any = Echo.new(waits=waits, compresses=compressing)
    with running(serving(application(handler))) as (runner, server):

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(streams(from_client=True), CUTS)
        def check(data: bytes, cuts: list[int]) -> None:
            handler.happened.clear()
            found = runner.run(_one(data, cuts))
            whole, cut = check_splitting(data, cuts, False, compressing)
            events = cut if found == expected_responses(cut) else whole
            expected = expected_responses(events)
            if found[-1:] == [RESET]:
                # Only a client that sends data after its close frame may lose data that was sent to it.
                assert isinstance(events[-1], ws_connection.Close)
                assert found[:-1] == expected[: len(found) - 1]
            elif waits and events and isinstance(events[-1], str | bytes):
                # A client that disconnects without a close frame may miss the last reply.
                assert found in (expected, expected[:-1])
            else:
                assert found == expected
            assert handler.happened == expected_records(events)
            assert not log_watch.stray, log_watch.describe()

        async def _one(data: bytes, cuts: list[int]) -> list[Any]:
            async with asyncio.timeout(20):
                found = await server_responses(server, data, cuts, compressing)
                while not any(isinstance(each, tuple) and each[0] == "close" for each in handler.happened):
                    await asyncio.sleep(0)
                return found

        check()


@pytest.mark.parametrize("compressing", [False, True])
def test_client_with_random_bytes(compressing: bool, log_watch: LogWatch) -> None:
    given_bytes: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        visitor.accept(*(["Sec-WebSocket-Extensions: permessage-deflate"] if compressing else []))
        for piece in given_bytes:
            visitor.send(piece)
            await run_loop_iterations()
        visitor.writer.write_eof()
        await visitor.gone()

    with running(scripted(script)) as (runner, server):

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(streams(from_client=False), CUTS)
        def check(data: bytes, cuts: list[int]) -> None:
            given_bytes[:] = pieces(data, cuts)
            events, _ = check_splitting(data, cuts, True, compressing)
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
    """Run a server in an event loop in which all examples are run, one after the other."""
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
