"""Targets of routes that are not handlers, under an ASGI server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.asgi import calls
from tornado.asgi import ASGIAdapter
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.routing import AnyMatches, Rule, RuleRouter
from tornado.web import Application, FallbackHandler
from tornado.wsgi import WSGIContainer

Environ = dict[str, Any]


def wsgi_page(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield environ["PATH_INFO"].encode()
    yield b" " + environ["wsgi.url_scheme"].encode() + b" "
    yield body[-10:]


def wsgi_failure(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"part"
    raise ValueError("broken")


@pytest.mark.parametrize("threads", [None, 2])
async def test_wsgi_application(threads: int | None) -> None:
    container = WSGIContainer(wsgi_page, threads=threads) if threads else WSGIContainer(wsgi_page)
    try:
        async with calls(ASGIAdapter(Application([("/w/.*", container)]))) as call:
            body = b"x" * 3_000_000 + b"0123456789"
            headers = [(b"host", b"x"), (b"content-length", b"%d" % len(body))]
            request = call("POST", "/w/a", body=None, headers=headers)
            for position in range(0, len(body), 65536):
                request.body(body[position : position + 65536], more=position + 65536 < len(body))
            status, fields, sent = await request.response()
    finally:
        container.close()
    assert (status, sent) == (200, b"/w/a http 0123456789")
    assert fields["content-type"] == "text/plain"


async def test_failure_of_wsgi_application_leaves_the_response_incomplete(expect_log: Any) -> None:
    async with calls(ASGIAdapter(Application([("/", WSGIContainer(wsgi_failure))]))) as call:
        request = call()
        with expect_log("tornado.application", "WSGI"):
            assert (await request.take())["status"] == 200
            assert (await request.take())["body"] == b"part"
            with pytest.raises(EOFError):
                await request.take()


async def test_function_as_the_target_of_a_route() -> None:
    def answer(request: HTTPServerRequest) -> None:
        connection: Any = request.connection
        headers = HTTPHeaders({"Content-Length": "4"})
        _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, b"four")
        connection.finish()

    async with calls(ASGIAdapter(RuleRouter([Rule(AnyMatches(), answer)]))) as call:
        assert (await call().response())[2] == b"four"
        headers = [(b"host", b"x"), (b"content-length", b"1")]
        assert (await call("POST", body=b"x", headers=headers).response())[2] == b"four"


async def test_fallback_handler() -> None:
    routes: Any = [("/.*", FallbackHandler, {"fallback": WSGIContainer(wsgi_page)})]
    async with calls(ASGIAdapter(Application(routes))) as call:
        assert (await call(path="/x").response())[2] == b"/x http "


async def test_request_without_route_of_a_router_gets_404() -> None:
    async with calls(ASGIAdapter(RuleRouter([]))) as call:
        assert (await call().response())[0] == 404
