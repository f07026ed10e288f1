"""Serving an application during a block."""

from __future__ import annotations

import socket

import pytest

from tornado import web
from tornado.httpclient import HTTPClientError
from tornado.testing import AsyncHTTPSTestCase, serving


class SchemeHandler(web.RequestHandler):
    def get(self):
        self.write(f"{self.request.protocol} {self.request.remote_ip}")


APP = web.Application([("/", SchemeHandler)], log_function=lambda handler: None)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_server_and_its_client(scheme):
    options = {"ssl_options": AsyncHTTPSTestCase.default_ssl_options()} if scheme == "https" else {}
    async with serving(APP, **options) as server:
        assert server.url("/a?b").startswith(f"{scheme}://127.0.0.1:")
        assert server.url("HTTP://example.com/") == "HTTP://example.com/"
        for path in ("/", server.url()):
            assert (await server.fetch(path)).body == f"{scheme} 127.0.0.1".encode()


async def test_raise_error_raises_for_error_status():
    async with serving(APP) as server:
        assert (await server.fetch("/nowhere")).code == 404
        assert (await server.fetch(method="POST", body=b"")).code == 405
        with pytest.raises(HTTPClientError, match="404"):
            await server.fetch("/nowhere", raise_error=True)


async def test_options_of_the_server():
    async with serving(APP, xheaders=True) as server:
        assert (await server.fetch(headers={"X-Real-Ip": "192.0.2.1"})).body == b"http 192.0.2.1"


async def test_server_and_client_are_closed_after_the_block():
    with pytest.raises(KeyError):
        async with serving(APP) as server:
            host, port = server.url("").rpartition("/")[2].split(":")
            held = socket.create_connection((host, int(port)))
            await server.fetch()
            raise KeyError
    with held:
        held.settimeout(30)
        assert held.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    with pytest.raises(RuntimeError, match="closed"):
        await server.fetch()
