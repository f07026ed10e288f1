"""WebSockets: floods of small frames, decompression bombs, masks, and pages of other sites."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

import pytest

from tests.support.server import serving
from tests.support.streams import run_loop_iterations
from tests.support.websocket import END, FIELDS, Recorder, dial, opened
from tests.support.websocket_internals import is_congested, traffic
from tests.support.websocket_server import Visitor, scripted
from tests.support.work import assert_linear
from tornado import web, websocket
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflateParameters
from tornado._wire.ws_frames import serialize_frame
from tornado.websocket._message_receiver import MAX_BACKLOG

MASK = b"mask"


def flood(first: int, payload: bytes, count: int, mask: bytes = MASK) -> bytes:
    """Return the same frame `count` times."""
    return serialize_frame(first, payload, mask) * count


# -- floods --


@pytest.mark.parametrize("first", [0x89, 0x8A])
async def test_pong_floods_are_refused_by_the_server(first: int) -> None:
    handler = Recorder.new()
    async with opened(handler) as client:
        client.raw(flood(first, b"", 50_000))
        while not isinstance(event := await client.event(), ws_connection.Close):
            assert event == ws_connection.Pong(b"")
        assert event.code == 1008
        assert "max_control_frames" in event.reason


@pytest.mark.parametrize("first", [0x89, 0x8A])
async def test_pong_floods_are_refused_by_the_client(first: int) -> None:
    said: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        visitor.accept(then=flood(first, b"", 50_000, b""))
        said.append(await visitor.gone())

    async with scripted(script) as server:
        connection = await websocket.websocket_connect(server.url)
        assert await connection.read_message() is None
        await connection.wait_closed()
    last: Any = ws_connection.WSConnection(ws_connection.WSLimits(max_control_frames=10**6)).receive_data(
        said[0]
    )[-1]
    assert isinstance(last, ws_connection.Close)
    assert last.code == 1008


async def test_pong_floods_do_not_fill_memory_if_client_does_not_read() -> None:
    """The client does not read, so the pongs fill all buffers; then the server pauses reading."""
    handler, limit = Recorder.new(), 100_000
    async with opened(handler, websocket_write_limit=limit) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not is_congested(connection):
            client.raw(flood(0x89, b"x" * 125, 500))
            await run_loop_iterations()
        before = traffic(connection).wire_bytes_in
        for _ in range(100):
            client.raw(flood(0x89, b"x" * 125, 500))
            await run_loop_iterations()
        assert traffic(connection).wire_bytes_in - before < 2 * MAX_BACKLOG
        assert connection.stream.pending_output < 2 * limit
        client.drop()
        await handler.until(("close", None, None))


@pytest.mark.parametrize("payload", [b"", b"x"])
async def test_empty_fragments_are_counted(payload: bytes) -> None:
    async with opened(Recorder.new()) as client:
        client.raw(serialize_frame(0x01, b"", MASK) + flood(0x00, payload, 50_000))
        event = await client.event()
        assert event.code == 1008
        assert "max_fragments" in event.reason
        assert await client.event() is END


@pytest.mark.parametrize("size", [0, 1])
def test_empty_fragments_are_linear(size: int) -> None:
    settings = ws_connection.WSLimits(max_fragments=10**9)

    def read(data: bytes) -> None:
        (message,) = ws_connection.WSConnection(settings).receive_data(data)
        assert isinstance(message, str)

    def made(count: int) -> bytes:
        begin, end = serialize_frame(0x01, b"", MASK), serialize_frame(0x80, b"", MASK)
        return begin + flood(0x00, b"x" * size, count) + end

    assert_linear(read, made, 2_000)


# -- decompression --


def bomb(size: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(bytes(size)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return serialize_frame(0xC2, packed[:-4], MASK)


def test_inflating_messages_are_limited_during_decompression() -> None:
    """A message of 100 MB is rejected when 1 MB, the limit, and one more step have been decompressed."""
    frame = bomb(100_000_000)
    connection = ws_connection.WSConnection(
        ws_connection.WSLimits(max_message_size=1_000_000), None, DeflateParameters()
    )
    tracemalloc.start()
    try:
        events = connection.receive_data(frame)
        while connection.pending:
            events += connection.receive_data(b"")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (event,) = events
    assert isinstance(event, ws_connection.Failed)
    assert event.code == 1009
    assert peak < 4_000_000


def test_inflating_messages_stop_after_each_step() -> None:
    """A call decompresses at most 256 KiB, even if several messages are waiting."""
    connection = ws_connection.WSConnection(ws_connection.DEFAULT, None, DeflateParameters())
    connection.receive_data(bomb(10_000_000) * 3)
    calls = 0
    while connection.pending:
        calls += 1
        connection.receive_data(b"")
    assert calls >= 3 * 10_000_000 // (256 * 1024)


# -- masks --


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 125, 126, 65536])
def test_cve_2026_49854_the_mask_of_a_frame_has_four_bytes(size: int) -> None:
    """A frame that is split within its mask is parsed after the rest of the mask has arrived."""
    payload = bytes(number % 251 for number in range(size))
    frame = serialize_frame(0x82, payload, MASK)
    mask_at = frame.index(MASK)
    for cut in range(mask_at, mask_at + 4):
        connection = ws_connection.WSConnection()
        assert connection.receive_data(frame[:cut]) == []
        assert connection.receive_data(frame[cut:]) == [payload]


# -- other sites --


class Account(Recorder):
    """A WebSocket handler that sends the user name in a cookie."""

    def on_message(self, message: str | bytes) -> None:
        self.write_message(self.get_cookie("user", "nobody"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example",
        "http://bank.example.evil.example",
        "http://evil.example#bank.example",
        "http://evil.example/bank.example",
        "http://bank.example@evil.example",
        "http://bank.example:80@evil.example",
        "http://evil.example?http://bank.example",
        "http://notbank.example",
        "http://sub.bank.example",
        "http://bank.example:8080",
        "http://bank.example.",
        "http://bank.example\\@evil.example",
        "//evil.example",
        "file://",
        "null",
        "",
        "bank.example",
    ],
)
async def test_cross_site_websocket_hijacking_is_refused(origin: str) -> None:
    handler = Account.new()
    fields = (*FIELDS, "Host: bank.example", "Cookie: user=victim")
    async with serving(web.Application([("/", handler)])) as server:
        assert (await server.fetch("/", *fields, f"Origin: {origin}")).code == 403
        # The name of the field in earlier versions of the protocol.
        version = [field.replace("Version: 13", "Version: 8") for field in fields]
        assert (await server.fetch("/", *version, f"Sec-WebSocket-Origin: {origin}")).code == 403
        twice = ("Origin: http://bank.example", f"Origin: {origin}")
        assert (await server.fetch("/", *fields, *twice)).code in (400, 403)
        assert (await server.fetch("/", *fields, "Origin: http://bank.example")).code == 101
    assert handler.happened[0] == "open"
    assert handler.happened.count("open") == 1


async def test_cross_site_websocket_hijacking_check_accepts_own_site() -> None:
    async with serving(web.Application([("/", Account.new())])) as server:
        client = await dial(server, "/", "Cookie: user=me", "Origin: http://localhost")
        client.send("who am I?")
        assert await client.event() == "me"
