"""Tests of the client with servers whose responses are invalid, slow or missing."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import ssl
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.references import find_garbage, gc_disabled
from tests.support.server import ExpectLog
from tests.support.streams import run_loop_iterations
from tests.support.websocket_server import Visitor, scripted
from tornado import websocket
from tornado._wire import ws_connection
from tornado._wire.ws_handshake import accept_value
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import UnsatisfiableReadError
from tornado.netutil import Resolver
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from tornado.websocket import websocket_connect

Answer = Callable[[Visitor], bytes]
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


def accept(visitor: Visitor) -> str:
    return f"Sec-WebSocket-Accept: {accept_value(visitor.key)}"


#: Invalid responses to a handshake that offers the subprotocols a and b, and the expected errors.
WRONG: dict[str, tuple[Answer, str]] = {
    "no accept": (lambda it: it.head(*UPGRADE), "Sec-WebSocket-Accept: missing"),
    "wrong accept": (
        lambda it: it.head(*UPGRADE, f"Sec-WebSocket-Accept: {accept_value('x')}"),
        "Sec-WebSocket-Accept: does not match",
    ),
    "accept in capitals": (
        lambda it: it.head(*UPGRADE, accept(it).upper()),
        "Sec-WebSocket-Accept: does not match",
    ),
    "two accepts": (lambda it: it.acceptance(accept(it)), "Sec-WebSocket-Accept: more than one"),
    "no upgrade": (lambda it: it.head(UPGRADE[1], accept(it)), "Upgrade: missing"),
    "another upgrade": (
        lambda it: it.head("Upgrade: h2c", UPGRADE[1], accept(it)),
        'lacks the header field "Upgrade: websocket"',
    ),
    "two upgrades": (lambda it: it.acceptance("Upgrade: websocket"), "Upgrade: more than one"),
    "no connection": (
        lambda it: it.head(UPGRADE[0], accept(it)),
        'lacks the header field "Connection: Upgrade"',
    ),
    "another connection": (
        lambda it: it.head(UPGRADE[0], "Connection: upgraded", accept(it)),
        'lacks the header field "Connection: Upgrade"',
    ),
    "another subprotocol": (
        lambda it: it.acceptance("Sec-WebSocket-Protocol: c"),
        "Sec-WebSocket-Protocol: 'c' was not offered",
    ),
    "two subprotocols": (
        lambda it: it.acceptance("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"),
        "Sec-WebSocket-Protocol: more than one",
    ),
    "two in one": (
        lambda it: it.acceptance("Sec-WebSocket-Protocol: a, b"),
        "Sec-WebSocket-Protocol: 'a, b' was not offered",
    ),
    "an extension": (
        lambda it: it.acceptance("Sec-WebSocket-Extensions: permessage-deflate"),
        "Sec-WebSocket-Extensions: expected only offered extensions, each once, got permessage-deflate",
    ),
    "malformed value": (
        lambda it: it.acceptance("Sec-WebSocket-Extensions: a;;b"),
        "Sec-WebSocket-Extensions",
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_invalid_response_fails_the_connection(loop_kind: str, tls: Any, name: str) -> None:
    """The connection fails, the error names the header field, and the socket is closed."""
    answer, fault = WRONG[name]
    closed = asyncio.Event()

    async def script(visitor: Visitor) -> None:
        visitor.send(answer(visitor))
        assert await visitor.gone() == b""
        closed.set()

    async with scripted(script, tls) as server:
        with pytest.raises(websocket.WebSocketError, match=re.escape(fault)):
            await websocket_connect(server.url, subprotocols=["a", "b"], **server.trust)
        await closed.wait()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("permessage-deflate; tomato", "invalid parameters: permessage-deflate; tomato"),
        ("permessage-deflate; server_max_window_bits=7", "invalid parameters"),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
            "must not exceed 10, got 15",
        ),
        ("permessage-deflate; server_no_context_takeover", "must not exceed 10, got 15"),
        ("permessage-deflate; server_max_window_bits=10", "did not accept server_no_context_takeover"),
        ("x-webkit-deflate-frame", "only offered extensions, .* got x-webkit-deflate-frame"),
        ("permessage-deflate, permessage-deflate", "expected only offered extensions, each once"),
    ],
)
async def test_compression_without_offer_is_rejected(
    loop_kind: str, tls: Any, answer: str, fault: str
) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.accept(f"Sec-WebSocket-Extensions: {answer}")
        await visitor.gone()

    options = {"server_no_context_takeover": True, "server_max_window_bits": 10}
    async with scripted(script, tls) as server:
        with pytest.raises(websocket.WebSocketError, match=f"Sec-WebSocket-Extensions: .*{fault}"):
            await websocket_connect(server.url, compression_options=options, **server.trust)


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "204 No Content"])
async def test_status_200_is_rejected(loop_kind: str, tls: Any, status: str) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send(visitor.head(*UPGRADE, accept(visitor), "Content-Length: 0", status=status))
        await visitor.gone()

    async with scripted(script, tls) as server:
        with pytest.raises(websocket.WebSocketError, match=f"status code 101 .*, got {status[:3]}"):
            await websocket_connect(server.url, **server.trust)


@pytest.mark.parametrize("code", [300, 401, 426, 500, 599])
async def test_error_status_raises_with_the_response(loop_kind: str, tls: Any, code: int) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send(visitor.head("Content-Length: 3", status=f"{code} No"), "why")
        await visitor.gone()

    async with scripted(script, tls) as server:
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(server.url, **server.trust)
        assert caught.value.code == code
        assert caught.value.response is not None
        assert caught.value.response.body == b"why"


async def test_response_of_other_protocol(loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send("SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await visitor.gone()

    async with scripted(script, tls) as server:
        with pytest.raises(
            HTTPStreamClosedError, match=f"waiting for the response from https?://127.0.0.1:{server.port}"
        ):
            await websocket_connect(server.url, **server.trust)


@pytest.mark.parametrize("sent", ["", "HTTP/1.1 101 Switching"])
async def test_server_closes_before_response(sent: str, loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send(sent)

    async with scripted(script, tls) as server:
        url = server.url.replace("ws:", "wss:") if tls else server.url
        trust = {"ca_certs": str(tls.ca_file)} if tls else {}
        with pytest.raises(HTTPStreamClosedError, match="Connection closed"):
            await websocket_connect(url, **trust)


async def test_server_resets_connection(loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.writer.transport.abort()

    async with scripted(script, tls) as server:
        with pytest.raises((ConnectionResetError, HTTPStreamClosedError)):
            await websocket_connect(server.url, **server.trust)


async def test_endless_head_is_rejected(loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send("HTTP/1.1 101 Switching Protocols\r\n")
        for number in range(10_000):
            visitor.send(f"X-{number}: {'x' * 100}\r\n")
            await visitor.writer.drain()

    async with scripted(script, tls) as server:
        with pytest.raises(UnsatisfiableReadError, match="head"):
            await websocket_connect(server.url, **server.trust)


async def test_few_interim_responses_are_skipped(loop_kind: str, tls: Any) -> None:
    """A few 1xx responses are skipped; an endless series of them is rejected."""

    async def few(visitor: Visitor) -> None:
        visitor.send("HTTP/1.1 100 Continue\r\n\r\n" * 3, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n")
        visitor.accept()
        assert await visitor.event() == ws_connection.Close(None, "")

    async def flood(visitor: Visitor) -> None:
        visitor.send("HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await visitor.gone()

    async with scripted(few, tls) as server:
        (await websocket_connect(server.url, **server.trust)).close()
        await run_loop_iterations(5)
    async with scripted(flood, tls) as server:
        with pytest.raises(HTTPStreamClosedError):
            await websocket_connect(server.url, **server.trust)


async def test_endless_body_is_rejected(loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.send(visitor.head(status="500 Oops"))
        for _ in range(1000):
            visitor.send(b"x" * 65536)
            await visitor.writer.drain()

    async with scripted(script, tls) as server:
        with pytest.raises(HTTPStreamClosedError):
            await websocket_connect(server.url, **server.trust)


async def test_failed_connection_is_closed(loop_kind: str, tls: Any) -> None:
    """After a failed handshake, `wait_closed` and `read_message` complete."""

    async def script(visitor: Visitor) -> None:
        visitor.send(visitor.head("Content-Length: 0", status="404 No"))
        await visitor.gone()

    async with scripted(script, tls) as server:
        conn = websocket.WebSocketClientConnection(HTTPRequest(server.url, **server.trust))
        waiting = asyncio.ensure_future(conn.wait_closed())
        with pytest.raises(HTTPClientError, match="404"):
            await conn.connect_future
        await waiting
        assert await conn.read_message() is None
        conn.close()
        with pytest.raises(websocket.WebSocketClosedError):
            conn.ping()


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_body_in_101_response_is_rejected(loop_kind: str, tls: Any, field: str) -> None:
    """Implementations could disagree whether the data after the head is a body or frames."""

    async def script(visitor: Visitor) -> None:
        visitor.accept(field, then=b"\x81\x05hello")
        await visitor.gone()

    async with scripted(script, tls) as server:
        with pytest.raises(HTTPStreamClosedError, match="Connection closed: .*code 101 should not have body"):
            await websocket_connect(server.url, **server.trust)


# -- reference cycles after a failed handshake --


async def assert_no_reference_cycle(url: str, error: type[BaseException], **options: Any) -> None:
    """Fail to connect, and check that no reference cycle outlives the error."""
    with gc_disabled():
        with pytest.raises(error):
            await websocket_connect(url, **options)
        await run_loop_iterations(20)
        ours = [each for each in find_garbage() if type(each).__module__.startswith("tornado")]
        assert ours == []


#: Responses and the errors that they raise.
FAILING: dict[str, tuple[Answer, type[BaseException]]] = {
    "wrong accept": (WRONG["wrong accept"][0], websocket.WebSocketError),
    "a page": (lambda it: it.head("Content-Length: 0", status="200 OK"), websocket.WebSocketError),
    "an error": (lambda it: it.head("Content-Length: 0", status="404 No"), HTTPClientError),
    "a redirect": (
        lambda it: it.head("Content-Length: 0", "Location: ftp://x", status="302 No"),
        HTTPClientError,
    ),
    "no http": (lambda it: b"SSH-2.0-OpenSSH_9.2\r\n\r\n", HTTPStreamClosedError),
    "a body": (lambda it: it.acceptance("Content-Length: 5"), HTTPStreamClosedError),
    "nothing": (lambda it: b"", HTTPTimeoutError),
}


async def test_error_of_overridden_method_keeps_its_locals(loop_kind: str, tls: Any) -> None:
    """The local variables of the package are cleared, but those of the program are in its error report."""

    class Strict(websocket.WebSocketClientConnection):
        def headers_received(self, start_line: Any, headers: Any) -> Any:
            server_name = headers["Server"]
            raise ValueError(server_name)

    async def script(visitor: Visitor) -> None:
        visitor.accept("Server: old")
        await visitor.gone()

    async with scripted(script, tls) as server:
        with pytest.raises(ValueError, match="old") as caught:
            await Strict(HTTPRequest(server.url, **server.trust)).connect_future
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert frames[-1].f_locals["server_name"] == "old"
    assert not any(frame.f_locals for frame in frames if frame.f_globals["__name__"].startswith("tornado."))


@pytest.mark.parametrize("name", FAILING)
async def test_failed_handshake_leaves_no_reference_cycle(loop_kind: str, tls: Any, name: str) -> None:
    answer, error = FAILING[name]

    async def script(visitor: Visitor) -> None:
        visitor.send(answer(visitor))
        await visitor.gone()

    patience = 0.05 if name == "nothing" else 20
    async with scripted(script, tls) as server:
        await assert_no_reference_cycle(
            server.url, error, request_timeout=patience, follow_redirects=True, **server.trust
        )


async def test_failed_tls_handshake_leaves_no_reference_cycle(
    loop_kind: str, certificates: Any, expect_log: ExpectLog
) -> None:
    """No cycle remains if the certificate is not trusted, or if the server does not respond."""

    async def script(visitor: Visitor) -> None:
        await visitor.gone()

    async with scripted(script, certificates) as server:
        with expect_log("tornado.general", "certificate verify failed"):
            await assert_no_reference_cycle(server.url, ssl.SSLError)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"wss://127.0.0.1:{listener.getsockname()[1]}/"
        await assert_no_reference_cycle(url, HTTPTimeoutError, connect_timeout=0.05)


async def test_failed_connection_attempt_leaves_no_reference_cycle(loop_kind: str) -> None:
    """No cycle remains if name resolution or the socket fails, or if an argument is invalid."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    await assert_no_reference_cycle(url, ConnectionRefusedError)
    await assert_no_reference_cycle("ws://127.0.0.1:99999/", ValueError)
    await assert_no_reference_cycle("ws://nobody:80/", OSError, resolver=Ignorant())


class Ignorant(Resolver):
    """A resolver that fails for every name."""

    async def resolve(self, host: str, port: int, family: Any = 0) -> Any:
        await asyncio.sleep(0)
        raise OSError(f"no {host}")


@dataclasses.dataclass
class Unhashable(OSError):
    """An exception of a program that is not hashable."""

    why: str


class Answered(OSError):
    """An exception of another library that has a ``response`` attribute."""

    response = object()


@pytest.mark.parametrize("error", [Unhashable("no"), Answered("no")], ids=["no hash", "a response"])
async def test_exception_of_program_is_raised(loop_kind: str, error: Exception) -> None:
    class Refusing(Resolver):
        async def resolve(self, host: str, port: int, family: Any = 0) -> Any:
            raise error

    with pytest.raises(type(error)):
        await websocket_connect("ws://nobody:80/", resolver=Refusing())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\n\r\n", b"", None])
async def test_refusing_proxy_leaves_no_reference_cycle(loop_kind: str, answer: bytes | None) -> None:
    """No cycle remains if the proxy responds with an error, closes the connection, or does not respond."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with proxy:
        await assert_no_reference_cycle(
            "ws://server/",
            HTTPClientError,
            proxy_host="127.0.0.1",
            proxy_port=proxy.sockets[0].getsockname()[1],
            connect_timeout=0.05 if answer is None else 20,
        )


# -- timeouts and cancellation --


async def test_request_timeout_without_response(clock: FakeClock, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.gone()

    async with scripted(script, tls) as server:
        begin = clock.now
        with pytest.raises(HTTPTimeoutError, match="Timeout during request .*waiting for the response from"):
            await websocket_connect(server.url, request_timeout=7, **server.trust)
        assert clock.now - begin == pytest.approx(7, abs=0.1)


async def test_request_timeout_with_slow_response(clock: FakeClock, tls: Any) -> None:
    """A response that arrives byte by byte does not extend the timeout."""

    async def script(visitor: Visitor) -> None:
        for byte in visitor.acceptance():
            visitor.send(bytes([byte]))
            await visitor.writer.drain()
            await asyncio.sleep(1)

    async with scripted(script, tls) as server:
        begin = clock.now
        with pytest.raises(HTTPTimeoutError):
            await websocket_connect(server.url, **server.trust)
        assert clock.now - begin == pytest.approx(20, abs=1)


async def test_connect_timeout_during_tls_handshake(clock: FakeClock) -> None:
    """The server does not respond to the TLS handshake; the error message names this phase."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(HTTPTimeoutError, match=rf"Timeout during TLS handshake with 127.0.0.1:{port}"):
            await websocket_connect(f"wss://127.0.0.1:{port}/", connect_timeout=3)


async def test_refused_connection_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError, match=f"connecting to 127.0.0.1:{port}"):
        await websocket_connect(f"ws://127.0.0.1:{port}/")


@pytest.mark.parametrize("phase", ["connect", "answer"])
async def test_cancellation_closes_the_socket(phase: str) -> None:
    """The attempt is cancelled during the TLS handshake, and while it waits for the response."""
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n" if phase == "answer" else b"\x16")
        arrived.set()
        assert await reader.read() is not None
        gone.set()
        writer.close()

    listening = await asyncio.start_server(script, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    scheme = "ws" if phase == "answer" else "wss"

    async def connect() -> None:
        await websocket_connect(f"{scheme}://127.0.0.1:{port}/")

    task = asyncio.create_task(connect())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone.wait()
    listening.close()
    await listening.wait_closed()


async def test_wait_closed_ends_after_cancellation(loop_kind: str, tls: Any) -> None:
    arrived = asyncio.Event()

    async def script(visitor: Visitor) -> None:
        arrived.set()
        await visitor.gone()

    async with scripted(script, tls) as server:
        conn = websocket.WebSocketClientConnection(HTTPRequest(server.url, **server.trust))
        waiting = asyncio.ensure_future(conn.wait_closed())
        await arrived.wait()
        conn.connect_future.cancel()
        await waiting
        await run_loop_iterations(5)
        assert await conn.read_message() is None


async def test_cancellation_while_response_is_processed(loop_kind: str, tls: Any) -> None:
    """The handshake can no longer be aborted: the connection is closed, and `wait_closed` completes."""

    class Hasty(websocket.WebSocketClientConnection):
        def headers_received(self, start_line: Any, headers: Any) -> Any:
            self.connect_future.cancel()
            return super().headers_received(start_line, headers)

    async def script(visitor: Visitor) -> None:
        visitor.accept()
        assert await visitor.event() == ws_connection.Close(None, "")
        visitor.send(visitor.core.close())

    async with scripted(script, tls) as server:
        conn = Hasty(HTTPRequest(server.url, **server.trust))
        reading = conn.read_message()
        with pytest.raises(asyncio.CancelledError):
            await conn.connect_future
        await conn.wait_closed()
        assert await reading is None


async def test_immediately_cancelled_connect_starts_nothing() -> None:
    future = websocket_connect("ws://127.0.0.1:1/")
    future.cancel()
    await run_loop_iterations(10)


async def test_server_that_does_not_close_is_disconnected(by_the_clock: FakeClock, tls: Any) -> None:
    """The server has five seconds to reply, and then five seconds to close the stream."""
    answers = [True, False]

    async def script(visitor: Visitor) -> None:
        visitor.accept()
        await visitor.event()
        if answers.pop():
            visitor.send(visitor.core.close(1000))
        await visitor.gone()

    async with scripted(script, tls) as server:
        for code in (None, 1000):
            conn = await websocket_connect(server.url, **server.trust)
            begin = by_the_clock.now
            conn.close(1000)
            await conn.wait_closed()
            assert by_the_clock.now - begin == pytest.approx(5, rel=0.2)
            assert conn.close_code == (code if len(answers) else 1000)


# -- frames --


async def failed_with(data: bytes, tls: Any, **options: Any) -> Any:
    """Return the messages from a server that sends these bytes, and the close frame of the client."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def script(visitor: Visitor) -> None:
        visitor.accept(then=data)
        answer.set_result(await visitor.event())

    async with scripted(script, tls) as server:
        conn = await websocket_connect(server.url, **server.trust, **options)
        messages = [message async for message in conn]
        assert conn.protocol is not None
        return messages, await answer


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"\x81\x81\0\0\0\0x", 1002, "mask"),
        (b"\x83\x00", 1002, "opcode"),
        (b"\xc1\x01x", 1002, "reserved|RSV"),
        (b"\x80\x00", 1002, "continuation"),
        (b"\x09\x00", 1002, "fragment"),
        (b"\x89\x7e\x00\x80" + b"x" * 128, 1002, "125"),
        (b"\x88\x02\x03\xed", 1002, "1005"),
        (b"\x81\x01\xff", 1007, "UTF-8"),
        (b"\x81\x7e\x08\0" + b"x" * 2048, 1009, ""),
    ],
)
async def test_invalid_frame_closes_connection(
    loop_kind: str, tls: Any, data: bytes, code: int, reason: str
) -> None:
    """Messages before the frame are delivered; the close reason names the violated rule."""
    messages, answer = await failed_with(b"\x81\x02ok" + data, tls, max_message_size=1024)
    assert messages == ["ok"]
    assert answer.code == code
    assert re.search(reason, answer.reason), answer


async def test_frames_in_one_piece_with_the_response(loop_kind: str, tls: Any) -> None:
    async def script(visitor: Visitor) -> None:
        visitor.accept(then=b"\x81\x01a\x82\x01b\x89\x01p" + visitor.core.close(4000, "bye"))
        assert [await visitor.event() for _ in range(2)] == [
            ws_connection.Pong(b"p"),
            ws_connection.Close(4000, ""),
        ]

    async with scripted(script, tls) as server:
        conn = await websocket_connect(server.url, **server.trust)
        assert [message async for message in conn] == ["a", b"b"]
        assert (conn.close_code, conn.close_reason) == (4000, "bye")


async def test_server_closes_without_close_frame(loop_kind: str, tls: Any) -> None:
    """Messages before the end are delivered; the close code is None."""

    async def script(visitor: Visitor) -> None:
        visitor.accept(then=b"\x81\x01a")

    async with scripted(script, tls) as server:
        conn = await websocket_connect(server.url, **server.trust)
        assert [message async for message in conn] == ["a"]
        assert conn.close_code is None
        await conn.wait_closed()


async def test_exception_in_hook_is_logged_with_url(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    class Mine(websocket.WebSocketClientConnection):
        def on_ping(self, data: bytes) -> None:
            raise ValueError("on purpose")

    async def script(visitor: Visitor) -> None:
        visitor.accept(then=b"\x89\x00")
        await visitor.gone()

    async with scripted(script, tls) as server:
        with expect_log("tornado.application", f"Uncaught exception.*127.0.0.1:{server.port}"):
            conn = await Mine(HTTPRequest(server.url, **server.trust)).connect_future
            assert await conn.read_message() is None
