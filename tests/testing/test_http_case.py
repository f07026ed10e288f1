"""Test cases with a server."""

from __future__ import annotations

import ssl

import pytest

from tests.support.testing import set_port
from tests.testing.cases import passes
from tornado import web
from tornado.httpclient import HTTPClientError
from tornado.testing import AsyncHTTPSTestCase, AsyncHTTPTestCase, gen_test


def test_get_url():
    case = AsyncHTTPTestCase()
    set_port(case, 8080)
    assert case.get_url("/a?b") == "http://127.0.0.1:8080/a?b"
    assert case.get_httpserver_options() == {}
    with pytest.raises(NotImplementedError, match="get_app"):
        case.get_app()
    secure = AsyncHTTPSTestCase()
    set_port(secure, 8443)
    assert secure.get_url("/") == "https://127.0.0.1:8443/"
    options = secure.get_httpserver_options()["ssl_options"]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(**options)


class HelloHandler(web.RequestHandler):
    def get(self):
        self.write(self.request.protocol)


@pytest.mark.parametrize("kind", [AsyncHTTPTestCase, AsyncHTTPSTestCase])
def test_server_and_client(kind, expect_log):
    class Case(kind):
        def get_app(self):
            return web.Application([("/hello", HelloHandler)])

        def test_fetch(self):
            for url in ("/hello", self.get_url("/hello")):
                assert self.fetch(url).body == self.get_protocol().encode()
            assert self.fetch("/other").code == 404
            with pytest.raises(HTTPClientError, match="404"):
                self.fetch("/other", raise_error=True)

        @gen_test
        async def test_coroutine(self):
            response = await self.http_client.fetch(self.get_url("/hello"))
            assert response.code == 200

    passes(Case, "test_coroutine")
    with expect_log("tornado.access", "404 GET /other"):
        passes(Case, "test_fetch")
