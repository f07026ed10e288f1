"""Test the raw WebSocket, framed WebSocket and XHR polling transports of sockjs-tornado."""

import json

from sockjs.tornado import SockJSConnection, SockJSRouter

from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application
from tornado.websocket import websocket_connect


class Echo(SockJSConnection):
    def on_message(self, message):
        self.send(message)


class SockJSTest(AsyncHTTPTestCase):
    def get_app(self):
        return Application(SockJSRouter(Echo, "/echo").urls)

    def test_greeting_and_info(self):
        assert self.fetch("/echo").body == b"Welcome to SockJS!\n"
        info = json.loads(self.fetch("/echo/info").body)
        assert info["websocket"] is True

    def test_iframe_is_cached(self):
        page = self.fetch("/echo/iframe.html")
        assert page.code == 200
        headers = {"If-None-Match": page.headers["Etag"]}
        assert self.fetch("/echo/iframe.html", headers=headers).code == 304

    def test_xhr_polling(self):
        base = "/echo/000/abc"
        assert self.fetch(f"{base}/xhr", method="POST", body="").body == b"o\n"
        assert self.fetch(f"{base}/xhr_send", method="POST", body='["a","b"]').code == 204
        assert self.fetch(f"{base}/xhr", method="POST", body="").body == b'a["a","b"]\n'

    @gen_test
    async def test_websockets(self):
        raw = await websocket_connect(f"ws://127.0.0.1:{self.get_http_port()}/echo/websocket")
        await raw.write_message("x")
        assert await raw.read_message() == "x"
        raw.close()
        framed = await websocket_connect(f"ws://127.0.0.1:{self.get_http_port()}/echo/1/2/websocket")
        assert await framed.read_message() == "o"
        await framed.write_message('["y"]')
        assert await framed.read_message() == 'a["y"]'
        framed.close()
