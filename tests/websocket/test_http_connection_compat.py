"""Tests of the names that Tornado's client connection inherits from its HTTP client."""

from __future__ import annotations

from tests.support.server import serving
from tornado import web
from tornado.httpclient import HTTPRequest
from tornado.tcpclient import TCPClient
from tornado.websocket import WebSocketClientConnection, WebSocketHandler


class Echo(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        _ = self.write_message(message)


async def test_names_during_and_after_the_handshake() -> None:
    async with serving(web.Application([("/", Echo)])) as server:
        conn = WebSocketClientConnection(HTTPRequest(f"ws://127.0.0.1:{server.port}/"))
        assert isinstance(conn.tcp_client, TCPClient)
        assert conn.final_callback is not None
        assert conn.client is conn.connection is None
        assert conn.start_time <= conn.io_loop.time()
        assert conn.start_wall_time > 1e9
        await conn.run()
        assert conn.tcp_client is conn.final_callback is None
        assert conn.chunks == []
        assert conn.max_body_size == conn.max_buffer_size == 1024 * 1024
        assert conn.max_header_size == 64 * 1024
        conn.release_callback()
        conn.data_received(b"ignored")
        conn.finish()
        await conn.write_message("still open")
        assert await conn.read_message() == "still open"
        conn.close()
        await conn.wait_closed()
