"""Tests of the server's responses to valid and invalid handshakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.server import ExpectLog, raised, serving
from tests.support.streams import run_loop_iterations
from tests.support.websocket import END, FIELDS, KEY, Recorder, dial, opened
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.websocket import WebSocketHandler, WebSocketProtocol13


def without(name: str) -> tuple[str, ...]:
    return tuple(field for field in FIELDS if not field.startswith(name))


def changed(name: str, value: str) -> tuple[str, ...]:
    return (*without(name), f"{name}: {value}")


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        (without("Upgrade"), 400, '"Upgrade: websocket"'),
        (changed("Upgrade", "h2c"), 400, '"Upgrade: websocket"'),
        (without("Connection"), 400, '"Connection: Upgrade"'),
        (without("Sec-WebSocket-Version"), 400, "Sec-WebSocket-Version: missing"),
        (changed("Sec-WebSocket-Version", "12"), 426, "'12'"),
        (without("Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key: missing"),
        (changed("Sec-WebSocket-Key", "short"), 400, "expected 16 bytes"),
        ((*FIELDS, f"Sec-WebSocket-Key: {KEY}"), 400, "more than one"),
        ((*FIELDS, "Sec-WebSocket-Protocol: a b"), 400, "is not a token"),
    ],
)
async def test_invalid_handshakes(
    loop_kind: str, tls: Any, fields: tuple[str, ...], code: int, text: str
) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        response = await server.fetch("/", *fields)
    assert response.code == code
    assert text in response.body.decode()
    assert response.get("Content-Type") == "text/plain; charset=UTF-8"
    if code == 426:
        assert response.get("Sec-WebSocket-Version") == "13, 8, 7"
    assert handler.happened == []


@pytest.mark.parametrize(
    "options",
    [{"version": "HTTP/1.0"}, {"method": "POST", "body": b""}, {"method": "HEAD"}],
    ids=["1.0", "POST", "HEAD"],
)
async def test_other_methods_and_http_versions(loop_kind: str, tls: Any, options: Any) -> None:
    async with serving(web.Application([("/", Recorder.new())]), tls=tls) as server:
        response = await server.fetch("/", *FIELDS, **options)
    assert response.code == (400 if "version" in options else 405)


async def test_rejected_handshake_keeps_the_http_connection(loop_kind: str, tls: Any) -> None:
    async with serving(web.Application([("/", Recorder.new())]), tls=tls) as server:
        peer = await server.connect()
        assert (await peer.fetch("/", *without("Upgrade"))).code == 400
        assert (await peer.fetch("/missing")).code == 404


async def test_case_and_lists_of_the_fields(loop_kind: str, tls: Any) -> None:
    fields = (
        "upgrade: WebSocket",
        "connection: keep-alive, UPGRADE",
        "sec-websocket-version: 8",
        f"sec-websocket-key: {KEY}",
    )
    async with serving(web.Application([("/", Recorder.new())]), tls=tls) as server:
        assert (await server.fetch("/", *fields)).code == 101


async def test_head_byte_by_byte(loop_kind: str, tls: Any) -> None:
    async with serving(web.Application([("/", Recorder.new())]), tls=tls) as server:
        peer = await server.connect()
        for byte in "\r\n".join(["GET / HTTP/1.1", "Host: a", *FIELDS, "", ""]).encode():
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await peer.response()).code == 101


async def test_compress_response_does_not_apply_to_the_101(loop_kind: str, tls: Any) -> None:
    async with opened(Recorder.new(), "Accept-Encoding: gzip", tls=tls, compress_response=True) as client:
        assert client.response.get("Vary") is None
        assert client.response.get("Content-Encoding") is None


async def test_server_with_decompress_request(loop_kind: str, tls: Any) -> None:
    """With ``decompress_request``, a delegate in front of the application creates the requests."""
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls, decompress_request=True) as server:
        client = await dial(server)
        client.send("message")
        await handler.until("message")
        assert handler.latest.request.headers["Sec-WebSocket-Version"] == "13"


async def test_handlers_in_tasks(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)], handler_tasks=True), tls=tls) as server:
        client = await dial(server, first=("early",))
        client.send("late")
        await handler.until("late")
    assert handler.happened[:3] == ["open", "early", "late"]


async def test_handler_timeouts_do_not_close_connections(loop_kind: str, tls: Any) -> None:
    async def open_(self: Any) -> None:
        await asyncio.sleep(0.05)
        self.note("opened")

    handler = Recorder.new(open=open_, handler_timeout=0.01, cancel_on_disconnect=True)
    async with opened(handler, tls=tls) as client:
        client.send("message")
        await handler.until("message")
    assert handler.happened[:2] == ["opened", "message"]


async def test_accept_connection_raises_for_invalid_handshake() -> None:
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    request: Any = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "a"}))

    class Connection:
        def set_close_callback(self, callback: Any) -> None:
            pass

    request.connection = Connection()
    handler = WebSocketHandler(web.Application(), request)
    request.headers["Sec-WebSocket-Version"] = "13"
    protocol = handler.get_websocket_protocol()
    assert protocol is not None
    with pytest.raises(ValueError, match="Upgrade"):
        await protocol.accept_connection(handler)


@pytest.mark.parametrize("where", ["on_finish", "_log"])
async def test_exception_after_the_101_closes_the_connection(
    loop_kind: str, tls: Any, where: str, expect_log: ExpectLog
) -> None:
    """The client has received the 101 response and must not wait for a connection that is never served."""

    def fail(self: Any) -> None:
        raise ValueError("on purpose")

    handler = Recorder.new(**{where: fail})
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        async with opened(handler, tls=tls) as client:
            assert await client.event() is END
            await run_loop_iterations()
    assert isinstance(raised(expected), ValueError)
    assert handler.happened == []


async def test_accept_connection_wrapped_by_an_agent_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = WebSocketProtocol13.accept_connection
    wrapper = Wrapper(original, lambda: calls.append("accept_connection"))
    monkeypatch.setattr(WebSocketProtocol13, "accept_connection", wrapper)
    async with opened(Recorder.new()) as client:
        client.close()
        assert len(await client.events()) == 1
    assert calls == ["accept_connection"]
