"""`ASGIContainer` as the whole server, as a route, and mounted under a path."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.asgi.conftest import echo, respond, show_scope
from tests.support.server import serving
from tornado.asgi import ASGIContainer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.routing import AnyMatches, Rule, RuleRouter
from tornado.web import Application, RequestHandler
from tornado.wsgi import WSGIContainer


class Hello(RequestHandler):
    def get(self):
        self.write("handler")


def wsgi_application(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"wsgi"]


@pytest.mark.parametrize("kind", ["server", "route", "router", "delegate"])
async def test_container_in_each_place(kind, tls, loop_kind):
    container = ASGIContainer(echo)

    class Wrapper(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return container.start_request(server_conn, request_conn)

    application = {
        "server": container,
        "route": Application([("/.*", container)]),
        "router": RuleRouter([Rule(AnyMatches(), container)]),
        "delegate": Wrapper(),
    }[kind]
    async with serving(application, tls=tls) as server:
        peer = await server.connect()
        for size in (0, 10, 3_000_000):
            body = b"x" * size
            response = await peer.fetch("/a%20b?q", method="POST", body=body)
            assert (response.code, response.body, response.get("x-path")) == (200, body, "/a%20b")
        assert (await peer.fetch("/")).get("x-method") == "GET"


async def test_one_route_table_mixes_all_kinds_of_applications():
    routes = [
        ("/hello", Hello),
        ("/api/.*", ASGIContainer(show_scope, mount="/api")),
        (".*", WSGIContainer(wsgi_application)),
    ]
    async with serving(Application(routes)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/hello")).body == b"handler"
        assert json.loads((await peer.fetch("/api/x")).body)["root_path"] == "/api"
        assert (await peer.fetch("/other")).body == b"wsgi"


async def test_overridden_start_request_is_called():
    class Container(ASGIContainer):
        def start_request(self, server_conn, request_conn):
            seen.append(request_conn.head.path)
            return super().start_request(server_conn, request_conn)

    seen = []
    async with serving(Container(echo)) as server:
        assert (await server.fetch("/x", method="POST", body=b"abc")).body == b"abc"
    assert seen == ["/x"]


async def test_decompressed_request_body():
    import gzip

    async with serving(ASGIContainer(echo), decompress_request=True) as server:
        body = gzip.compress(b"abc" * 1000)
        response = await server.fetch("/", "Content-Encoding: gzip", method="POST", body=body)
    assert response.body == b"abc" * 1000


async def test_pipelined_requests_are_answered_in_order():
    async def application(scope, receive, send):
        await asyncio.sleep(0)
        await respond(send, scope["raw_path"])

    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        for number in range(20):
            peer.get(f"/{number}")
        assert [(await peer.response()).body for _ in range(20)] == [b"/%d" % i for i in range(20)]


@pytest.mark.parametrize(
    ("options", "path", "root_path", "expected"),
    [
        ({}, "/a/b", "", "/a/b"),
        ({"mount": "/api"}, "/api/b", "/api", "/api/b"),
        ({"mount": "/api/"}, "/api", "/api", "/api"),
        ({"root_path": "/proxy"}, "/b", "/proxy", "/proxy/b"),
        ({"root_path": "/proxy", "mount": "/api"}, "/api/b", "/proxy/api", "/proxy/api/b"),
    ],
)
async def test_paths_of_a_mounted_application(options, path, root_path, expected):
    async with serving(ASGIContainer(show_scope, **options)) as server:
        scope = json.loads((await server.fetch(path)).body)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (root_path, expected, expected)


@pytest.mark.parametrize("path", ["/", "/apix", "/API/x"])
async def test_path_outside_of_the_mount_gets_404(path):
    async with serving(ASGIContainer(show_scope, mount="/api")) as server:
        assert (await server.fetch(path)).code == 404


async def test_connection_of_another_kind():
    """The delegate receives the head only by its methods, and the connection has only the public ones."""

    class Connection:
        def __init__(self):
            self.context = type("Context", (), {"remote_ip": "1.2.3.4", "protocol": "https"})()
            self.written = []

        def set_close_callback(self, callback):
            pass

        def write_headers(self, start_line, headers, chunk=None):
            self.written.append((start_line.code, headers.get("X-Path"), chunk))
            return done

        def write(self, chunk):
            self.written.append(chunk)
            return done

        def finish(self):
            self.written.append("end")
            finished.set_result(None)

    loop = asyncio.get_running_loop()
    done, finished = loop.create_future(), loop.create_future()
    done.set_result(None)
    connection = Connection()
    delegate = ASGIContainer(echo).start_request(None, connection)
    assert isinstance(delegate, HTTPMessageDelegate)
    from tornado.httputil import RequestStartLine

    waiting = delegate.headers_received(RequestStartLine("POST", "/p?q", "HTTP/1.1"), HTTPHeaders())
    assert waiting is None
    assert delegate.data_received(b"abc") is None
    assert delegate.finish() is None
    await finished
    assert connection.written == [(200, "/p", b"abc"), "end"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mount": "api"}, "mount must be a path such as '/api', .* got 'api'"),
        ({"root_path": "/a%20b"}, "root_path must be a path"),
        ({"lifespan": "yes"}, "lifespan must be one of auto, on, off, got 'yes'"),
    ],
)
def test_invalid_options_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        ASGIContainer(echo, **arguments)


def test_application_must_be_callable():
    with pytest.raises(TypeError, match="an ASGI application must be callable, got 5"):
        ASGIContainer(5)
