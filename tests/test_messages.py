"""Error messages: each names the faulty value, what is accepted, and the setting or argument at fault.

Each row causes one error, as a program or as a peer. One message, log line or response must contain all that
the row lists: the value, a regular expression for the accepted values or for the reason, and the name of what
to change.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import inspect
import io
import logging
import re
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from tests.support.auth import consumer_token, undefined_consumer_token
from tests.support.certificates import Certificates
from tests.support.client_server import scripted
from tests.support.clock import FakeClock
from tests.support.http1connection import use_clock
from tests.support.httpserver import connections
from tests.support.server import ExpectLog, handler_of, serving
from tests.support.websocket import FIELDS, KEY, Recorder, dial, masked
from tests.support.websocket_client import answering
from tornado import (
    auth,
    autoreload,
    concurrent,
    escape,
    gen,
    httputil,
    ioloop,
    iostream,
    locale,
    locks,
    log,
    netutil,
    options,
    process,
    queues,
    routing,
    speedups,
    tcpclient,
    tcpserver,
    template,
    testing,
    util,
    web,
    websocket,
    wsgi,
)
from tornado._log_rate_limit import LogRateLimit
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPRequest, RetryPolicy
from tornado.httpserver import HTTPServer, Protection
from tornado.simple_httpclient import SimpleAsyncHTTPClient

CERTIFICATES: list[Certificates] = []
DIRECTORY: list[Path] = []


class Row(NamedTuple):
    """One error.

    :ivar provoke: a function, maybe a coroutine function, that raises the error, logs it, or returns the text
        that a peer receives.
    :ivar value: the wrong value, or a part of it, as the message contains it.
    :ivar accepted: a regular expression for the accepted values, or for the reason.
    :ivar name: the setting, argument or method to change; empty if the reason shows what to change.
    """

    provoke: Callable[..., Any]
    value: str
    accepted: str
    name: str


# -- functions that cause the errors --


def in_handler(
    call: Callable[[Any], Any], base: type[web.RequestHandler] = web.RequestHandler, **settings: Any
) -> Callable[[], Any]:
    """Call a function with a handler whose connection is not real."""

    def provoke() -> Any:
        headers = httputil.HTTPHeaders({"Host": "example.com", "Content-Type": "text/plain"})
        connection: Any = Mock(max_json_size=None, max_form_size=None)
        start_line = httputil.RequestStartLine("POST", "/a?n=x&n=y&e=", "HTTP/1.1")
        request = httputil.HTTPServerRequest(
            start_line=start_line, headers=headers, connection=connection, body=b"?"
        )
        return call(base(web.Application([("/a", base, {}, "page")], **settings), request))

    return provoke


def rejected_without_realm(handler: Any) -> None:
    raise web.AuthenticationError(scheme="Basic")


def served(method: Callable[[Any], Any], *fields: str, **settings: Any) -> Callable[[], Any]:
    """Have a handler call a function in its ``get``."""

    async def provoke() -> bytes:
        async def get(handler: Any) -> None:
            result = method(handler)
            if inspect.isawaitable(result):
                await result

        async with serving(web.Application([("/", handler_of(get=get))], **settings)) as server:
            response = await server.fetch("/", *fields)
        return response.head + response.body

    return provoke


async def served_value(value: Any) -> None:
    """Have a handler return a value."""
    async with serving(
        web.Application([("/", handler_of(get=lambda handler: value))], debug=True, autoreload=False)
    ) as server:
        await server.fetch("/")


class Everything(web.RequestHandler):
    """A handler that reads the body in the way that the path names."""

    def get(self, kind: str) -> None:
        self.write("ok")

    def post(self, kind: str) -> None:
        if kind == "json":
            self.get_json_body()
        elif kind == "small":
            self.get_json_body(max_size=3, max_depth=1)
        elif kind == "form":
            self.get_body_argument("a", None)


def peer(data: str | bytes, *routes: Any, settings: Any = None, **options: Any) -> Callable[[], Any]:
    """Send bytes to a server, and return the response."""

    async def provoke() -> bytes:
        application = web.Application([*routes, ("/([a-z]*)", Everything)], **(settings or {}))
        async with serving(application, **options) as server:
            return await server.exchange(data)

    return provoke


def post(path: str, body: str | bytes, *fields: str, **options: Any) -> Callable[[], Any]:
    """Send a POST request with a body."""
    data = body.encode("latin-1") if isinstance(body, str) else body
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(data)}", *fields]
    return peer("\r\n".join([*lines, "", ""]).encode("latin-1") + data, **options)


def get(path: str, *fields: str, routes: Any = (), **options: Any) -> Callable[[], Any]:
    """Send a GET request."""
    return peer(
        "\r\n".join([f"GET {path} HTTP/1.1", "Connection: close", *fields, "", ""]), *routes, **options
    )


def fetching(
    answer: Any, client: type[Any] = SimpleAsyncHTTPClient, path: str = "", tls: Any = None, **arguments: Any
) -> Callable[[], Any]:
    """Fetch from a scripted server; arguments of the client begin with an underscore."""
    of_client = {name[1:]: value for name, value in arguments.items() if name.startswith("_")}
    of_request = {name: value for name, value in arguments.items() if not name.startswith("_")}

    async def provoke() -> None:
        fetcher = client(force_instance=True, **of_client)
        try:
            async with scripted(answer, tls() if tls else None) as server:
                await fetcher.fetch(server.url + path, **of_request)
        finally:
            fetcher.close()

    return provoke


def request(
    url: str = "http://localhost/", client: type[Any] = SimpleAsyncHTTPClient, **arguments: Any
) -> Callable[[], Any]:
    """Fetch with arguments that cause an error before anything is sent."""

    async def provoke() -> None:
        fetcher = client(force_instance=True)
        try:
            await fetcher.fetch(url, **arguments)
        finally:
            fetcher.close()

    return provoke


def calling(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], Any]:
    return functools.partial(function, *args, **kwargs)


async def cut_off(visit: Any) -> None:
    """Read the request, send half a response, and close the connection."""
    await visit.request()
    visit.send("HTTP/1.1 200 OK\r\nContent-")


async def silent(visit: Any) -> None:
    """Read the request and do not respond."""
    await visit.request()
    await visit.end()


def response(*fields: str, status: str = "200 OK", body: str = "") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", body]).encode("latin-1")


@pytest.fixture(autouse=True)
def every_line_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Log records of level INFO and above, without the rate limit."""
    monkeypatch.setattr(LogRateLimit, "admit", lambda self, kind: 0)
    for name in ("general", "application"):
        caplog.set_level(logging.INFO, f"tornado.{name}")


def texts_of(row: Row, clock: FakeClock | None, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return all messages of a row's error."""
    texts: list[str] = []

    async def run() -> Any:
        async with asyncio.timeout(600 if clock else 10):
            result = row.provoke()
            return await result if inspect.isawaitable(result) else result

    factory = clock.new_event_loop if clock else asyncio.SelectorEventLoop
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            result = runner.run(run())
        if isinstance(result, (str, bytes)):
            texts.append(result if isinstance(result, str) else result.decode("latin-1"))
    except Exception as error:
        texts.append(" ".join([str(error), *getattr(error, "__notes__", ())]))
    for record in caplog.records:
        texts.append(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            texts.append(str(record.exc_info[1]))
    return texts


def missing_facts(row: Row, texts: list[str]) -> str:
    """Return the facts that are missing from the best of the messages; empty if it contains all of them."""
    best = ["no message"]
    for text in texts:
        found = []
        if row.value not in text:
            found.append(f"value {row.value!r}")
        if not re.search(row.accepted, text, re.IGNORECASE):
            found.append(f"accepted {row.accepted!r}")
        if row.name not in text:
            found.append(f"name {row.name!r}")
        if best == ["no message"] or len(found) < len(best):
            best = found
    return ", ".join(best)


async def streamed_json() -> None:
    """Call a handler that reads JSON from a body that it streams."""
    handler = handler_of(post=lambda self: self.get_json_body(), data_received=lambda self, chunk: None)
    async with serving(web.Application([("/", web.stream_request_body(handler))])) as server:
        await server.fetch("/", JSON, method="POST", body=b"{}")


async def hosted_traceback() -> None:
    """Raise an exception in a handler, for a host that may belong to another site."""
    handler = handler_of(get=lambda self: 1 / 0)
    async with serving(web.Application([("/", handler)], serve_traceback=True)) as server:
        await server.fetch("/", "Host: site.example")


async def unread_response() -> None:
    """Send a request without reading the response."""

    async def get(handler: web.RequestHandler) -> None:
        handler.write(bytes(30_000_000))

    async with serving(
        web.Application([("/", handler_of(get=get))]), min_send_rate=100, rate_window=7
    ) as server:
        client = await server.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.get("/")
        await until_closed(server)


async def until_closed(server: Any) -> None:
    """Wait until the server has closed its connections."""
    while not connections(server.server):
        await asyncio.sleep(0)
    while connections(server.server):
        await asyncio.sleep(1)


async def tls_client(data: bytes, **options: Any) -> None:
    """Send bytes to a TLS server without a handshake, and wait until it closes the connection."""
    server = HTTPServer(_APP, ssl_options=CERTIFICATES[0].server_context, **options)
    (listener,) = netutil.bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server.add_sockets([listener])
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(data)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
    server.stop()


async def too_many_connections(idle: bool = False, **limit: int) -> None:
    """Open one more connection than the server accepts."""
    async with serving(_APP, **limit) as server:
        first = await server.connect()
        first.send("" if idle else _OPEN)
        if idle:
            await first.fetch("/")
        while not connections(server.server):
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        await (await server.connect()).rest() if not idle else await server.fetch("/")


async def pipelined(**limit: int) -> None:
    """Send several requests without waiting for the responses."""
    async with serving(_APP, **limit) as server:
        await server.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)


async def unaccepted_connection() -> None:
    """Fetch from a peer that never accepts the connection."""
    client = SimpleAsyncHTTPClient(force_instance=True, resolver=Unresolved())
    await client.fetch("http://a/", connect_timeout=7, request_timeout=60)


class Unresolved(netutil.Resolver):
    """A resolver whose lookups never finish."""

    def initialize(self) -> None: ...

    async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> Any:
        await asyncio.Event().wait()


async def queued_fetch() -> None:
    """Fetch while another request uses the only connection of the client."""
    client = SimpleAsyncHTTPClient(force_instance=True, max_clients=1)
    async with scripted(silent) as server:
        first = asyncio.ensure_future(client.fetch(server.url, request_timeout=60))
        try:
            await client.fetch(server.url, connect_timeout=7, request_timeout=7)
        finally:
            first.cancel()
            client.close()


async def connect_timeout() -> None:
    await tcpclient.TCPClient(resolver=Unresolved()).connect("a.example", 80, timeout=7)


async def ioloop_timeout() -> None:
    def run() -> None:
        ioloop.IOLoop(make_current=False).run_sync(asyncio.Event().wait, timeout=0.01)

    await asyncio.to_thread(run)


class SyncStore(web.SessionStore):
    """A store whose plain methods return awaitable objects."""

    def load(self, token: str) -> Any: ...

    def create(self, *args: Any) -> Any:
        return asyncio.sleep(0)

    def update(self, *args: Any) -> Any: ...

    def delete(self, token: str) -> Any: ...


async def unreachable_store() -> None:
    """Save a session where there is no Redis server."""
    store = web.RedisSessionStore("redis://localhost:1")
    await served(lambda handler: handler.session.update(a=1), session_store=store)()


async def tcp_connect(host: str, port: int) -> None:
    await tcpclient.TCPClient().connect(host, port)


def log_context() -> None:
    """Expect a log line, and write none."""
    with testing.ExpectLog("tornado.general", "b"):
        pass


async def closed_client() -> None:
    client = SimpleAsyncHTTPClient(force_instance=True)
    client.close()
    await client.fetch("http://localhost/")


async def streamed() -> None:
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        async with client.stream("http://localhost/", streaming_callback=print):
            pass
    finally:
        client.close()


async def tunnelled() -> None:
    """Fetch through a proxy that refuses the request."""
    client = SimpleAsyncHTTPClient(force_instance=True)
    async with scripted(response("Content-Length: 0", status="502 Bad Gateway")) as proxy:
        try:
            await client.fetch("https://a.example/", proxy_host="127.0.0.1", proxy_port=proxy.port)
        finally:
            client.close()


# -- settings and handlers --


class Sample(web.RequestHandler):
    """A value of a wrong or of the right type, depending on the setting."""


def wsgi_application(environ: Any, start_response: Any) -> Any: ...


async def asgi_application(scope: Any, receive: Any, send: Any) -> None: ...


# Setting and value; then the facts that the message must contain.
_STORE = web.MemorySessionStore()
SETTINGS: list[tuple[dict[str, Any], str, str]] = [
    ({"default_handler_class": 5}, "5", "RequestHandler class"),
    ({"cookie_secret": 5}, "int", "str or bytes"),
    ({"cookie_secret": ""}, "empty", "cannot be used"),
    ({"log_function": 5}, "5", "function that accepts a handler"),
    ({"static_path": 5}, "5", "path of a directory"),
    ({"static_path": "/no/such"}, "/no/such", "not a directory"),
    ({"template_whitespace": "some"}, "'some'", "all, single, oneline"),
    ({"ui_modules": 5}, "5", "dict or a module, or a list"),
    ({"ui_modules": {"Entry": 5}}, "5", "UIModule class"),
    ({"ui_methods": "entry"}, "'entry'", "dict or a module, or a list"),
    ({"transforms": 5}, "5", "list of OutputTransform"),
    ({"transforms": [5]}, "5", "OutputTransform classes"),
    ({"allowed_hosts": "example.com"}, "'example.com'", "list of hosts"),
    ({"allowed_hosts": []}, "empty", r'\["\*"\] or None'),
    ({"allowed_hosts": [5]}, "5", "str only"),
    ({"allowed_hosts": ["*.example.com"]}, "'*.example.com'", r"'\.example\.com'"),
    ({"allowed_hosts": ["example.com:99999"]}, "example.com:99999", "1 to 65535"),
    ({"security_headers": "on"}, "'on'", "True, a dict or a SecurityHeaders"),
    ({"security_headers": {"frames": 1}}, "frames", "unexpected keyword"),
    ({"security_headers": {"extra": "X-A: b"}}, "'X-A: b'", "dict of header fields"),
    ({"security_headers": {"extra": {"Set-Cookie": "a"}}}, "Set-Cookie", "extra must not contain"),
    (
        {"security_headers": {"extra": {"Strict-Transport-Security": "a"}}},
        "Strict-Transport",
        "use hsts_max_age",
    ),
    ({"security_headers": {"hsts_max_age": "1y"}}, "'1y'", "hsts_max_age must be a number of seconds"),
    ({"security_headers": {"hsts_max_age": 60, "hsts_preload": True}}, "hsts_preload", "31536000 or more"),
    ({"security_headers": {"frame_ancestors": 5}}, "5", "frame_ancestors must be 'self', 'none' or sources"),
    ({"security_headers": {"frame_ancestors": "a;b"}}, "'a;b'", "frame_ancestors must be .*spaces"),
    ({"security_headers": {"content_security_policy": "a\nb"}}, "'a\\nb'", "one line of printable ASCII"),
    ({"security_headers": {"content_security_policy": "script-src {nonce}"}}, "{nonce}", "'nonce-{nonce}'"),
    ({"compress_response": {"codings": "br"}}, "'br'", "list"),
    ({"compress_response": {"codings": []}}, "empty", "False"),
    ({"compress_response": ["snappy"]}, "'snappy'", "gzip.*|.*zstd"),
    ({"compress_response": {"level": 5}}, "level", "codings, min_length.*content_types"),
    ({"compress_response": {"min_length": -1}}, "-1", "min_length"),
    ({"compress_response": {"content_types": "text/html"}}, "text/html", "content_types.*list"),
    ({"compress_response": {"codings": {"gzip": 11}}}, "11", "1.*9"),
    ({"static_path": ".", "static_precompressed": 5}, "5", "True.* list"),
    ({"static_path": ".", "static_precompressed": ["lzma"]}, "'lzma'", "br, .*gzip"),
    ({"session_store": _STORE, "session_idle_timeout": 0}, "0", "positive number of seconds"),
    ({"session_store": _STORE, "session_lifetime": "day"}, "'day'", "positive number of seconds"),
    ({"session_store": _STORE, "session_cookie_name": "a b"}, "'a b'", "name of a cookie|cookie name"),
    ({"session_store": _STORE, "session_cookie_kwargs": "secure"}, "'secure'", "dict"),
    ({"cookie_secrets": "x" * 32}, "'cookie_secrets'", "did you mean 'cookie_secret'"),
]


APPLICATION = [
    Row(calling(web.Application, [], **setting), *row, list(setting)[-1]) for setting, *row in SETTINGS
]

# Argument and value of HTTPServer; then the facts that the message must contain.
_APP = web.Application()
SERVER_ARGUMENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"max_body_size": "1M"}, "'1M'", "number of bytes"),
    ({"max_buffer_size": "1M"}, "'1M'", "number of bytes"),
    ({"chunk_size": "1M"}, "'1M'", "number of bytes"),
    ({"header_timeout": "60"}, "'60'", "number"),
    ({"idle_connection_timeout": -1}, "-1", "positive|above zero|negative"),
    ({"body_timeout": -1}, "-1", "positive|above zero"),
    ({"tls_handshake_timeout": True}, "True", "number"),
    ({"min_body_rate": 0}, "0", "positive|above zero"),
    ({"min_send_rate": "fast"}, "'fast'", "number"),
    ({"rate_window": float("nan")}, "nan", "positive|above zero"),
    ({"max_header_size": 1.5}, "1.5", "whole number|integer"),
    ({"max_header_count": -5}, "-5", "positive|above zero"),
    ({"max_connections": 0.5}, "0.5", "whole number|integer"),
    ({"max_connections_per_address": "all"}, "'all'", "number"),
    ({"max_pipelined_requests": 0}, "0", "positive|above zero"),
    ({"max_inflation_ratio": -2}, "-2", "positive|above zero"),
    ({"max_form_size": "1M"}, "'1M'", "number"),
    ({"max_json_size": -1}, "-1", "positive|above zero|negative"),
    ({"protection": "strict"}, "'strict'", '"default", "public" or a Protection'),
    ({"protection": 5}, "5", '"default", "public" or a Protection'),
    ({"max_bodysize": 5}, "'max_bodysize'", "did you mean 'max_body_size'"),
    ({"cookie_secret": "x"}, "'cookie_secret'", r"setting.*Application\("),
    ({"reuse_port": True}, "'reuse_port'", r"listen\(\)"),
    ({"ssl_options": {"certfile": "/no.pem"}}, "/no.pem", "certfile"),
    ({"ssl_options": {}}, "certfile", "must have the key"),
    ({"ssl_options": {"certfile": __file__, "cert": "a"}}, "cert", "supported keys are .*keyfile"),
]
SERVER = [
    *(Row(calling(HTTPServer, _APP, **given), *row, list(given)[-1]) for given, *row in SERVER_ARGUMENTS),
    Row(calling(HTTPServer, wsgi_application), "wsgi_application", "WSGIContainer", "HTTPServer"),
    Row(calling(HTTPServer, asgi_application), "asgi_application", "ASGIContainer", "HTTPServer"),
    Row(calling(Protection, header_timeout="a"), "'a'", "number", "header_timeout"),
    Row(
        calling(HTTPServer, web.Application(xheaders=True)),
        "'xheaders'",
        "argument of HTTPServer",
        "xheaders",
    ),
    Row(calling(_APP.listen, 70000), "70000", "0 to 65535", "port"),
    Row(calling(_APP.listen, 0, max_bodysize=5), "'max_bodysize'", "did you mean", "max_body_size"),
]

# The call of a handler's method; then the facts that the message must contain, and the method or argument.
HANDLER = [
    Row(in_handler(lambda h: h.set_header("X-A", [1])), "[1]", "str, bytes, int or datetime", "header value"),
    Row(in_handler(lambda h: h.set_header("X-A", "a\nb")), "'a\\nb'", "control character", "header value"),
    Row(in_handler(lambda h: h.set_header("X-A", "\u20ac")), "'\u20ac'", "Latin-1: encode", "header value"),
    Row(in_handler(lambda h: h.set_header("X A", "b")), "'X A'", "letters, digits or", "header name"),
    Row(in_handler(lambda h: h.set_status("200")), "'200'", "must be an int", "status_code"),
    Row(in_handler(lambda h: h.send_error("200")), "'200'", "must be an int", "status_code"),
    Row(calling(web.HTTPError, "404"), "'404'", "must be an int", "status_code"),
    Row(in_handler(lambda h: h.set_cookie("a b", "c")), "'a b'", "letters, digits or", "cookie name"),
    Row(in_handler(lambda h: h.set_cookie("a", "b c\n")), "'b c\\n'", "control characters", "cookie 'a'"),
    Row(in_handler(lambda h: h.set_cookie("a", "\u20ac")), "\u20ac", "url_escape", "cookie"),
    Row(in_handler(lambda h: h.set_cookie("a", "b", path="/;")), "'/;'", "semicolon", "path"),
    Row(in_handler(lambda h: h.set_cookie("a", "b", max_age="day")), "'day'", "number of seconds", "max"),
    Row(in_handler(lambda h: h.set_cookie("a", "b", size=5)), "size", "unknown", "cookie attribute"),
    Row(in_handler(lambda h: h.set_cookie("a", "b", samesite=5)), "5", "expected a str", "samesite"),
    Row(
        in_handler(lambda h: h.set_cookie("a", "b", partitioned=True)), "partitioned", "secure=True", "secure"
    ),
    Row(
        in_handler(lambda h: h.set_cookie("a", "b", expires_days="x")),
        "'x'",
        "number of days",
        "expires_days",
    ),
    Row(in_handler(lambda h: h.set_cookie("a", "b", samesite="None")), "None", "secure", "'a'"),
    Row(in_handler(lambda h: h.set_cookie("__Host-a", "b")), "'__Host-a'", "secure", "cookie"),
    Row(
        in_handler(lambda h: h.clear_cookie("a", max_age=1)),
        "'max_age'",
        "unexpected keyword",
        "clear_cookie()",
    ),
    Row(in_handler(lambda h: h.set_signed_cookie("a", "b")), "cookie_secret", "must define", "setting"),
    Row(
        in_handler(lambda h: h.set_signed_cookie("a", "b"), cookie_secret={1: "x" * 32}),
        "dict",
        "must be",
        "key_version",
    ),
    Row(
        in_handler(lambda h: h.set_signed_cookie("a", "b", version=3), cookie_secret="x" * 32),
        "version 3",
        "1 (and|or) 2",
        "version",
    ),
    Row(
        in_handler(lambda h: h.get_signed_cookie("a", "b", min_version=3), cookie_secret="x" * 32),
        "min_version 3",
        "newest is 2",
        "min_version",
    ),
    Row(in_handler(lambda h: h.redirect("/", status=200)), "200", "300 to 399", "status"),
    Row(in_handler(lambda h: h.redirect("/a\nb")), "'/a\\nb'", "control character", ""),
    Row(in_handler(lambda h: h.write(5)), "int", "bytes, (str|unicode),? (and|or) dict", "write()"),
    Row(in_handler(lambda h: h.write([1])), "list", "dict", "write()"),
    Row(in_handler(lambda h: h.get_argument("b")), "b", "missing argument", ""),
    Row(in_handler(lambda h: h.get_argument("n", type=int)), "'y'", "int", "argument n"),
    Row(in_handler(lambda h: h.get_argument("n", type=bool)), "'y'", "true (n?or) false", "argument n"),
    Row(in_handler(lambda h: h.get_argument("n", type=float)), "'y'", "number", "argument n"),
    Row(in_handler(lambda h: h.get_argument("n", type=datetime.date)), "'y'", "date", "argument n"),
    Row(
        in_handler(lambda h: h.get_argument("n", type=datetime.datetime)),
        "'y'",
        "date and time",
        "argument n",
    ),
    Row(in_handler(lambda h: h.get_argument("n", type="int")), "'int'", "function that accepts text", "'n'"),
    Row(in_handler(lambda h: h.get_arguments("n", "yes")), "'yes'", "must be a bool", "strip"),
    Row(in_handler(lambda h: h.reverse_url("home")), "home", "known names: .*page", "named urls"),
    Row(in_handler(lambda h: h.reverse_url("page", 1)), "1", "takes 0", "arguments"),
    Row(in_handler(lambda h: h.static_url("a.js")), "static_path", "must define", "setting"),
    Row(in_handler(lambda h: h.render_string("none.html"), template_path="/tmp"), "none.html", "/tmp", ""),
    Row(
        in_handler(lambda h: h.data_received(b"")), "RequestHandler", "has no|must define", "data_received()"
    ),
    Row(
        in_handler(lambda h: h.xsrf_token, xsrf_cookie_version=3),
        "3",
        "must be 1 or 2",
        "xsrf_cookie_version",
    ),
    Row(in_handler(lambda h: h.get_login_url()), "login_url", "must define", "setting"),
    Row(
        served(lambda h: h.session.update(a=1)), "cookie_secret", "must define|session_store", "session_store"
    ),
    Row(calling(web.authenticated, "Bearer"), "'Bearer'", "scheme='Bearer'", "@authenticated"),
    Row(calling(web.stream_request_body, int), "int", "subclass of RequestHandler", "@stream_request_body"),
    Row(served(rejected_without_realm), "Basic", "realm=", "authentication_realm"),
    Row(
        calling(web.AuthenticationError, challenges="Basic"), "'Basic'", "list of field values", "challenges"
    ),
    Row(calling(web.AuthenticationError, scheme="a b"), "'a b'", "token such as", "scheme"),
    Row(served(lambda h: [h.finish(), h.write("a")]), "write()", "response has been sent", "finish()"),
    Row(served(lambda h: [h.finish(), h.finish()]), "finish()", "twice", ""),
    Row(served(lambda h: [h.flush(), h.redirect("/")]), "redirect", "headers have been written", ""),
    Row(served(lambda h: [h.finish(), h.render("a.html")]), "render()", "after", "finish()"),
    Row(served(lambda h: [h.set_status(204), h.write("a")]), "204", "no body", ""),
    Row(
        served(lambda h: [h.set_header("Content-Length", "a"), h.write("b")]),
        "'a'",
        "number",
        "Content-Length",
    ),
    Row(
        served(lambda h: [h.set_header("Content-Length", 1), h.write("bc")]),
        "Content-Length",
        "more data",
        "",
    ),
    Row(
        served(lambda h: [h.set_header("Content-Length", 3), h.write("bc")]),
        "1",
        "bytes less",
        "Content-Length",
    ),
    Row(calling(served_value, "page"), "str", "None.*write", "get"),
]

# Routes; then the facts that the message must contain.
ROUTES: list[tuple[Any, str, str, str]] = [
    ("abc", "'abc'", r"list of tuples, as in .*\[\(", "routes"),
    (["abc"], "'abc'", r"\(pattern, target\)", "route"),
    ([("/",)], "has 1", r"\(pattern, target\)", "('/',)"),
    ([("/", Sample, "home")], "'home'", "dict of arguments.*fourth", "route"),
    ([("(", Sample)], "'('", "does not compile: missing", "pattern"),
    ([(5, Sample)], "5", "pattern.*Matcher", "route"),
    ([("/", 5)], "5", "RequestHandler class, its dotted name, a list of routes", "target"),
    ([("/", wsgi_application)], "wsgi_application", "WSGIContainer", "route"),
    ([("/", asgi_application)], "asgi_application", "ASGIContainer", "route"),
    ([("/", web.FallbackHandler, {"fallback": wsgi_application})], "wsgi", "WSGIContainer", "fallback"),
    ([("/", "no.such.Handler")], "no", "no module|no.such", ""),
    ([("/(?P<a>.)(.)", Sample)], "(?P<a>.)(.)", "name all.* or none", ""),
    ([("/", int)], "int", "not a RequestHandler", "target of the route Rule(PathMatches('/$')"),
    ([("/a", Sample), ("/a", web.RedirectHandler)], "'/a'", "can never match", "RedirectHandler"),
    ([("a", Sample)], "'a'", "begin with a slash: '/a'", "route"),
    ([("/s", web.StaticFileHandler, {"path": "."})], "'/s$'", r"needs a group.*/s/\(\.\*\)", "pattern"),
    ([("/(.*)", handler_of(get=lambda self: None))], "get", "status 500", "/(.*)"),
    ([("/a", Sample, {}, "x"), ("/b", Sample, {}, "x")], "x", "replacing previous", "handlers named"),
]
ROUTING = [
    *(Row(calling(web.Application, routes), *row) for routes, *row in ROUTES),
    Row(calling(web.Application, "/", Sample), "'/'", r"list of tuples, as in .*\[", "routes"),
    Row(calling(routing.PathMatches("/(a)").reverse), "0", "takes 1", "/(a)"),
    Row(
        calling(routing.PathMatches("/(?:a|(b))(?=c)").reverse, 1),
        "/(?:a|(b))(?=c)",
        "cannot reverse",
        "url regex",
    ),
    Row(calling(routing.Matcher().match, None), "Matcher", "define", "match()"),  # type: ignore[abstract]
    Row(calling(routing.Router().find_handler, None), "Router", "define", "find_handler()"),  # type: ignore[abstract]
]

# A template and a part of the message for each of its errors.
SYNTAX = [
    ("{% apply %}a{% end %}", "{% apply %}", "needs|requires"),
    ("{% fi %}", "'fi'", "unknown operator"),
    ("{% end %}", "{% end %}", "no block is open"),
    ("{% if a %}", "{% if %}", "no {% end %}|missing {% end %}"),
    ("{% else %}", "{% else %}", "if, for, while|if or for|if"),
    ("{% break %}", "{% break %}", "for or while"),
    ("{% whitespace some %}", "'some'", "all, single, oneline"),
    ("{% extends %}", "extends", "name|file"),
    ("{% set %}", "{% set %}", "needs|requires"),
    ("{% block %}", "{% block %}", "needs|requires"),
    ("{{ a", "Missing end", "}}"),
    ("{{ }}", "empty", "}}"),
    ("{% include 'b.html' %}", "b.html", "loader"),
]
_PAGES = template.DictLoader({"a.html": "", "b.html": "{% extends 'b.html' %}"})
TEMPLATES = [
    *(
        Row(calling(template.Template, text, "page.html"), value, accepted, "page.html:1")
        for text, value, accepted in SYNTAX
    ),
    Row(calling(_PAGES.load, "c.html"), "c.html", "a.html", ""),
    Row(lambda: _PAGES.load("b.html").generate(), "b.html", "themselves|itself", ""),
    Row(calling(template.Loader("/tmp").load, "c.html"), "c.html", "not found", "/tmp"),
    Row(calling(template.Loader("/tmp").load, "../c.html"), "../c.html", "outside", "/tmp"),
    Row(calling(template.Template, "", whitespace="some"), "'some'", "all, single, oneline", "whitespace"),
    Row(
        calling(template.Template, "", compress_whitespace=True, whitespace="all"),
        "whitespace",
        "pass",
        "compress_whitespace",
    ),
    Row(lambda: template.Template("{{ a }}").generate(), "'a'", "not defined", ""),
    Row(lambda: template.Template("{{ a }}", autoescape="b").generate(a="c"), "'b'", "not defined", ""),
    Row(calling(template.BaseLoader().resolve_path, "a"), "BaseLoader", "define", "resolve_path()"),
]


# -- peers of a server --

# A request that the server or a handler refuses; then the facts that the log or the response must contain.
_LONG = "X-A: " + "a" * 70000
REQUESTS = [
    Row(peer("hello\r\n\r\n"), "hello", "METHOD target HTTP/1.1", "127.0.0.1"),
    Row(peer("\x16\x03\x01\r\n\r\n"), "\\x16", "request line", "127.0.0.1"),
    Row(peer("GET / HTTP/3.0\r\n\r\n"), "HTTP/3.0", r"HTTP/1.0 and 1\.1", "127.0.0.1"),
    Row(peer("GET x HTTP/1.1\r\nHost: x\r\n\r\n"), "'x'", "path, an absolute URL", "127.0.0.1"),
    Row(peer("GET / HTTP/1.1\r\n\r\n"), "Host", "HTTP/1.1 (requires|demands) one", "127.0.0.1"),
    Row(get("/", "Host: a b"), "a b", "host:port", "127.0.0.1"),
    Row(get("/", "Host: x", "Host: y"), "x, y", "not allowed", "Host"),
    Row(get("/", "Host: x", "X A: b"), "'X A'", "token followed by a colon", "127.0.0.1"),
    Row(get("/", "Host: x", "nonsense"), "nonsense", "no colon", "127.0.0.1"),
    Row(get("/", "Host: x", "X: a\x00b"), "a\\x00b", "control character", "127.0.0.1"),
    Row(get("/", "Host: x", " folded"), "folded", "Line folding", "127.0.0.1"),
    Row(get("/", "Host: x", _LONG), "65536 bytes", "longer|exceed", "max_header_size"),
    Row(get("/" + "a" * 70000, "Host: x"), "65536 bytes", "longer|exceed", "max_header_size"),
    Row(get("/", "Host: x", *["A: b"] * 1001), "1000", "header fields", "max_header_count"),
    Row(get("/", "Host: x", "Content-Length: a"), "'a'", "only integer", "Content-Length"),
    Row(get("/", "Host: x", "Content-Length: 1, 2"), "1, 2", "unequal", "Content-Length"),
    Row(
        get("/", "Host: x", "Content-Length: 1", "Transfer-Encoding: chunked"),
        "Transfer-Encoding",
        "both",
        "127.0.0.1",
    ),
    Row(get("/", "Host: x", "Transfer-Encoding: gzip"), "gzip", "only .*chunked", "Transfer-Encoding"),
    Row(get("/", "Host: x", "Expect: tea"), "", "100-continue", "Expect"),
    Row(get("https://x/", "Host: x"), "https", "TLS.*protocol=.*xheaders|xheaders", "127.0.0.1"),
    Row(post("/", "abcd", max_body_size=3), "4", "limit.* 3", "max_body_size"),
    Row(
        post("/", b"5\r\nabcde\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        "Transfer-Encoding",
        "both",
        "127.0.0.1",
    ),
    Row(
        peer("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
        "x",
        "chunk size",
        "127.0.0.1",
    ),
    Row(
        peer("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", max_body_size=3),
        "3 bytes",
        "limit",
        "max_body_size",
    ),
    Row(
        post("/form", "a=b", "Content-Type: application/x-www-form-urlencoded", max_form_size=2),
        "3 bytes",
        "2 bytes",
        "max_form_size",
    ),
    Row(post("/form", "a=%FF", "Content-Type: application/x-www-form-urlencoded"), "", "UTF-8|unicode", "a"),
    Row(
        post("/form", "&".join("a" * 2000), "Content-Type: application/x-www-form-urlencoded"),
        "1000",
        "fields",
        "",
    ),
    Row(
        post("/form", "a=b", "Content-Type: multipart/form-data"),
        "multipart/form-data",
        "no boundary",
        "Content-Type",
    ),
    Row(
        post("/form", "a=b", "Content-Type: multipart/form-data; boundary=x"),
        "multipart",
        "no final boundary",
        "",
    ),
    Row(
        post("/form", "--x\r\n\r\na\r\n--x--", "Content-Type: multipart/form-data; boundary=x"),
        "",
        "missing headers",
        "",
    ),
    Row(
        post(
            "/form",
            "--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
            "Content-Type: multipart/form-data; boundary=x",
        ),
        "Content-Disposition",
        "missing name",
        "",
    ),
    Row(
        post("/form", "a=b", "Content-Encoding: gzip", "Content-Type: application/x-www-form-urlencoded"),
        "gzip",
        "decompress_request=True",
        "Content-Encoding",
    ),
    Row(
        post("/form", "x", "Content-Encoding: gzip", decompress_request=True), "gzip", "invalid", "127.0.0.1"
    ),
    Row(
        get("/a%FF?b=%FF", "Host: x", routes=[("/(.*)", handler_of(get=lambda self, a: self.write(a)))]),
        "xff",
        "unicode|UTF-8",
        "",
    ),
]

# JSON that a handler does not accept.
JSON = "Content-Type: application/json"
JSON_BODIES = [
    Row(post("/json", "{}", "Content-Type: text/plain"), "'text/plain'", "application/json", "Content-Type"),
    Row(post("/json", "{}", JSON + "; a=b" * 65), "parameters", "malformed", "Content-Type"),
    Row(post("/json", "{}", JSON + "; charset=latin-1"), "'latin-1'", "UTF-8", "charset"),
    Row(
        post("/json", "{}", JSON, "Content-Encoding: gzip"),
        "'gzip'",
        "decompress_request=True",
        "Content-Encoding",
    ),
    Row(post("/json", "{}", JSON, max_json_size=1), "2 bytes", r"\b1\b", "max_json_size"),
    Row(post("/small", "[1, 2]", JSON), "6 bytes", r"\b3\b", "max_size"),
    Row(post("/small", "[[]]", JSON), "4 bytes", r"\b3\b", "max_size"),
    Row(post("/json", "", JSON), "empty", "JSON", ""),
    Row(post("/json", "{", JSON), "line 1 column 2", "JSON", ""),
    Row(post("/json", b"\xef\xbb\xbf{}", JSON), "byte order mark", "RFC 8259", ""),
    Row(post("/json", b'"\xff"', JSON), "byte 1", "UTF-8", ""),
    Row(post("/json", "[" * 101 + "]" * 101, JSON), "101", "100", "max_depth"),
    Row(post("/json", '{"a": 1, "a": 2}', JSON), "'a'", "twice|duplicate", ""),
    Row(post("/json", "1e999", JSON), "1e999", "too large|range", ""),
    Row(post("/json", "9" * 5000, JSON), "4300", "digits", ""),
    Row(post("/json", "NaN", JSON), "NaN", "JSON", ""),
    Row(post("/json", '"\\ud800"', JSON), "d800", "surrogate", ""),
    Row(post("/json", "[" * 100000, JSON, max_json_size=10**6), "JSON", "nested|max_depth", "max_depth"),
    Row(in_handler(lambda h: h.get_json_body()), "text/plain", "application/json", "Content-Type"),
    Row(
        calling(streamed_json),
        "get_json_body",
        "stream_request_body",
        "data_received",
    ),
]

# Requests that settings of the application refuse.
_SECRET = "x" * 32
REFUSALS = [
    Row(get("/", "Host: x", settings={"allowed_hosts": ["a"]}), "'x'", "is not in", "allowed_hosts"),
    Row(post("/", "", settings={"xsrf_cookies": True}), "_xsrf", "missing", ""),
    Row(post("/?_xsrf=a", "", settings={"xsrf_cookies": True}), "_xsrf", "format|match", ""),
    Row(
        post("/", "", "Origin: http://b", settings={"cross_origin_protection": True}),
        "http://b",
        "differs from the requested host 'x'",
        "Origin",
    ),
    Row(
        post(
            "/", "", "Sec-Fetch-Site: cross-site", "Origin: null", settings={"cross_origin_protection": True}
        ),
        "cross-site",
        "null",
        "Sec-Fetch-Site",
    ),
    Row(
        served(lambda h: h.get_signed_cookie("a"), 'Cookie: a="YQ==|1|b"', cookie_secret=_SECRET),
        "YQ==|1|b",
        "signature",
        "cookie",
    ),
    Row(served(lambda h: h.get_argument("b")), "b", "missing", "GET / (127.0.0.1)"),
    Row(served(lambda h: 1 / 0), "GET / (127.0.0.1)", "uncaught exception", ""),
    Row(calling(hosted_traceback), "'site.example'", "serve_traceback", "allowed_hosts"),
    Row(get("/s/../a", "Host: x", settings={"static_path": "/tmp", "static_url_prefix": "/s/"}), "a", "", ""),
    Row(
        get("/static/..%2fetc/passwd", "Host: x", settings={"static_path": "/tmp"}),
        "etc/passwd",
        "not in root static directory",
        "127.0.0.1",
    ),
    Row(get("/static/", "Host: x", settings={"static_path": "/"}), "", "not a file", "127.0.0.1"),
    Row(
        get("//a//", "Host: x", routes=[("/.*", handler_of(get=web.removeslash(lambda self: None)))]),
        "//a",
        "two initial slashes",
        "",
    ),
]

# Clients that are too slow, and too many clients; the tests advance the clock.
_OPEN = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
TIMEOUTS = [
    Row(peer("GET / HTTP/1.1\r\n", header_timeout=7), "7 s", "head", "header_timeout"),
    Row(peer(_OPEN, body_timeout=7), "7 s", "body", "body_timeout"),
    Row(peer(_OPEN, min_body_rate=100, rate_window=7), "100 bytes", "7 s", "min_body_rate"),
    Row(calling(unread_response), "100 bytes", "7 s", "min_send_rate"),
    Row(calling(tls_client, b"", tls_handshake_timeout=7), "7 s", "TLS handshake", "tls_handshake_timeout"),
    Row(
        served(lambda h: asyncio.sleep(60), handler_timeout=7),
        "7 s",
        "GET / .*longer|longer",
        "handler_timeout",
    ),
    Row(fetching(silent, request_timeout=7), "7", "waiting for|during request|response", "request_timeout"),
    Row(calling(unaccepted_connection), "7", "resolving a", "connect_timeout"),
    Row(calling(queued_fetch), "7", "queue", "connect_timeout"),
    Row(calling(connect_timeout), "a.example", "timeout while resolving", ""),
]
LIMITS = [
    Row(
        fetching(silent, client=CurlAsyncHTTPClient, request_timeout=0.01),
        "milliseconds",
        "timed out",
        "http://127.0.0.1",
    ),
    Row(calling(ioloop_timeout), "0.01 seconds", "timed out", ""),
    Row(
        calling(too_many_connections, max_connections_per_address=1),
        "=1",
        "refused",
        "max_connections_per_address",
    ),
    Row(calling(too_many_connections, max_connections=1), "=1", "refused", "max_connections"),
    Row(calling(too_many_connections, max_connections=1, idle=True), "=1", "idle", "max_connections"),
    Row(calling(pipelined, max_pipelined_requests=2), "2", "127.0.0.1", "max_pipelined_requests"),
    Row(calling(tls_client, b"GET / HTTP/1.1\r\n\r\n"), "127.0.0.1", "http request|wrong version|ssl", ""),
]


# -- uploads, sessions, event streams --


async def upload(
    body: str, kind: str = "multipart/form-data; boundary=x", *fields: str, **members: Any
) -> None:
    handler = handler_of(web.UploadHandler, post=lambda self: None, **members)
    async with serving(web.Application([("/", handler)])) as server:
        await server.fetch("/", f"Content-Type: {kind}", *fields, method="POST", body=body.encode())


async def received_file(use: Callable[[Any], Any], **members: Any) -> Any:
    """Call a function with an uploaded file."""
    found: list[Any] = []

    async def post(handler: Any) -> None:
        try:
            result = use(handler.uploads["a"][0] if hasattr(handler, "uploads") else handler)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            found.append(error)

    await upload(_FILE, post=post, **members)
    raise found[0]


_FIELD = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n0123456789\r\n--x--'
_FILE = _FIELD.replace('"a"', '"a"; filename="b.txt"')
UPLOADS = [
    Row(calling(upload, _FILE, max_file_size=3), "'b.txt'", "3 bytes", "max_file_size"),
    Row(calling(upload, _FIELD, max_fields_size=3), "3 bytes", "more than", "max_fields_size"),
    Row(calling(upload, _FIELD, max_parts=0), "0", "too many parts", "max_parts"),
    Row(calling(upload, _FIELD, max_part_header_size=3), "3 bytes", "too large", "max_part_header_size"),
    Row(calling(upload, _FIELD, max_body_size=3), "3 bytes", "larger than|over", "max_body_size"),
    Row(calling(upload, "a", max_body_size="a"), "'a'", "None or .*0 on|None or", "max_body_size"),
    Row(calling(upload, "nothing"), "multipart", "no final boundary|no boundary", ""),
    Row(calling(upload, _FIELD, "multipart/form-data"), "multipart", "no boundary", "Content-Type"),
    Row(
        calling(upload, _FIELD, "multipart/form-data; boundary=x", "Content-Encoding: br"),
        "br",
        "decompress_request=True",
        "Content-Encoding",
    ),
    Row(
        calling(upload, _FILE, part_started=lambda self, part: 5),
        "5",
        "None or an awaitable",
        "UploadHandler",
    ),
    Row(calling(upload, _FILE, upload_directory="/no/such"), "/no/such", "directory", "upload_directory"),
]

# Uses of sessions; then the facts that the message must contain.
_WITH_SESSION: dict[str, Any] = {"cookie_secret": _SECRET}
SESSIONS = [
    Row(
        calling(web.MemorySessionStore, max_sessions=0), "0", "1 or more|at least 1|positive", "max_sessions"
    ),
    Row(
        calling(web.RedisSessionStore, "redis://localhost", timeout=0),
        "0",
        "positive number of seconds",
        "timeout",
    ),
    Row(served(lambda h: h.session.update({5: 1}), **_WITH_SESSION), "5", "str", "session"),
    Row(
        served(lambda h: h.session.update(a={1}), **_WITH_SESSION), "'a'", "JSON|not serializable", "session"
    ),
    Row(
        served(lambda h: h.session.update(a="b" * 5000), **_WITH_SESSION),
        "bytes",
        "keep less|store less",
        "session_store",
    ),
    Row(
        served(lambda h: h.session.update(a="b" * 500), session_store=web.MemorySessionStore(max_size=9)),
        "9",
        "keep less|store less",
        "max_size",
    ),
    Row(
        served(lambda h: [h.flush(), h.session.update(a=1)], **_WITH_SESSION),
        "session",
        "head .*was sent|been sent",
        "",
    ),
    Row(
        served(lambda h: h.session.update(a=1), session_store="redis"),
        "'redis'",
        "RedisSessionStore",
        "session_store",
    ),
    Row(
        served(lambda h: h.session.update(a=1), session_lifetime=0, **_WITH_SESSION),
        "0",
        "positive",
        "session_lifetime",
    ),
    Row(served(lambda h: h.session.update(a=1), session_store=SyncStore()), "store", "async def", "session"),
    Row(calling(unreachable_store), "localhost:1", "RedisSessionStore", "session store"),
]


async def event_stream(*fields: str, **members: Any) -> None:
    """Serve an event stream with these methods and attributes."""
    handler = handler_of(web.EventSourceHandler, **members)
    async with serving(web.Application([("/", handler)])) as server:
        await server.fetch("/", *fields)


def sending(*args: Any, **kwargs: Any) -> Callable[[], Any]:
    async def stream(handler: web.EventSourceHandler) -> None:
        await handler.send_event(*args, **kwargs)

    return calling(event_stream, stream=stream)


async def idle_stream(handler: Any) -> None: ...


async def stream_generator(handler: Any) -> Any:
    yield "a"


EVENTS = [
    Row(calling(web.EventChannel, history=-1), "-1", "number of events", "history"),
    Row(calling(web.EventChannel, slow="skip"), "'skip'", '"wait" or "drop"', "slow"),
    Row(sending("a", id="b\n"), "'b\\n'", "LF", "id"),
    Row(sending("a", id=1.5), "1.5", "(str|text).*(int|whole number)", "id"),
    Row(sending("a", event=5), "5", "str|text", "event"),
    Row(sending("a", event="b\r"), "'b\\r'", "CR or LF", "event"),
    Row(sending("a", retry=1.5), "1.5", "int in milliseconds|integer", "retry"),
    Row(lambda: web.EventChannel().publish("a", id=""), "id", "empty", ""),
    Row(calling(event_stream, stream=lambda self: 5), "5", "async def", "stream()"),
    Row(calling(event_stream, stream=stream_generator), "yield", "send_event", "stream()"),
    Row(calling(event_stream), "Handler", "neither|override", "stream()"),
    Row(calling(event_stream, stream=idle_stream, keep_alive="a"), "'a'", "number of seconds", "keep_alive"),
    Row(calling(event_stream, stream=idle_stream, max_unsent=None), "None", "number of bytes", "max_unsent"),
    Row(calling(event_stream, stream=idle_stream, retry=1.5), "1.5", "milliseconds", "retry"),
    Row(
        calling(event_stream, stream=lambda self: self.subscribe("news")),
        "'news'",
        "EventChannel",
        "subscribe()",
    ),
    Row(
        calling(event_stream, "Last-Event-ID: \xff", stream=lambda self: self.last_event_id),
        "ÿ",
        "UTF-8",
        "Last-Event-ID",
    ),
]

# -- WebSockets --


def socket_server(call: Callable[[Any], Any], **members: Any) -> Callable[[], Any]:
    """Call a function with an open WebSocket of a server."""

    async def provoke() -> Any:
        handler = Recorder.new(**members)
        async with serving(web.Application([("/", handler)])) as server:
            await dial(server)
            await handler.until("open")
            result = call(handler.latest)
            return await result if inspect.isawaitable(result) else None

    return provoke


def handshake(
    *fields: str, start: str = "GET / HTTP/1.1", members: Any = None, **settings: Any
) -> Callable[[], Any]:
    """Send a handshake, and return the response."""

    async def provoke() -> bytes:
        async with serving(web.Application([("/", Recorder.new(**(members or {})))], **settings)) as server:
            client = await server.connect()
            client.send("\r\n".join([start, "Host: x", *fields, "", ""]))
            response = await client.response()
            return response.head + response.body

    return provoke


def frames(data: bytes, *fields: str, **settings: Any) -> Callable[[], Any]:
    """Send frames, and return the server's close frame."""

    async def provoke() -> str:
        async with serving(web.Application([("/", Recorder.new())], **settings)) as server:
            client = await dial(server, "/", *fields)
            client.raw(data)
            return "; ".join(map(str, await client.events()))

    return provoke


def connecting(url: Any, **arguments: Any) -> Callable[[], Any]:
    async def provoke() -> None:
        await websocket.websocket_connect(url, **arguments)

    return provoke


def dialing(path: str = "/", use: Any = None, **arguments: Any) -> Callable[[], Any]:
    """Connect to a server, and call a function with the connection."""

    async def provoke() -> Any:
        async with answering() as (server, _):
            connection = await websocket.websocket_connect(f"ws://127.0.0.1:{server.port}{path}", **arguments)
            result = use(connection)
            return await result if inspect.isawaitable(result) else None

    return provoke


def broken_server(*fields: str, status: str = "101 Switching Protocols") -> Callable[[], Any]:
    """Connect to a server that responds with these fields."""

    async def script(visit: Any) -> None:
        await visit.request()
        visit.send(response(*fields, status=status))
        await visit.end()

    async def provoke() -> None:
        async with scripted(script) as server:
            await websocket.websocket_connect(f"ws://127.0.0.1:{server.port}/", subprotocols=["a"])

    return provoke


def closed_first(use: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(connection: Any) -> Any:
        connection.close()
        return use(connection)

    return call


_UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
_VERSION = "Sec-WebSocket-Version: 13"
_KEY = f"Sec-WebSocket-Key: {KEY}"
WEBSOCKETS = [
    *(
        Row(
            socket_server(lambda h: None, **{property_name: value}),
            repr(value),
            accepted,
            f"websocket_{property_name}",
        )
        for property_name, value, accepted in (
            ("max_message_size", 0, "positive number of bytes"),
            ("write_limit", -1, "non-negative number of bytes"),
            ("ping_interval", "30", "number"),
            ("ping_timeout", "30", "number"),
            ("max_message_size", "1M", "number"),
        )
    ),
    Row(
        handshake(*FIELDS, websocket_ping_interval=5, websocket_ping_timeout=9),
        "9",
        "cannot be longer.* 5",
        "websocket_ping_timeout",
    ),
    Row(handshake(*FIELDS[:2]), "Sec-WebSocket-Version", "missing", ""),
    Row(handshake(*FIELDS[:3]), "Sec-WebSocket-Key", "missing", ""),
    Row(
        handshake(*_UPGRADE, "Sec-WebSocket-Version: 5", _KEY),
        "Sec-Websocket-Version: 13",
        "unsupported version '5'",
        "",
    ),
    Row(
        handshake(*_UPGRADE, _VERSION, "Sec-WebSocket-Key: abc"),
        "'abc'",
        "16 bytes in base64",
        "Sec-WebSocket-Key",
    ),
    Row(
        handshake(*FIELDS, "Sec-WebSocket-Extensions: a;;"), "'a;;'", "malformed", "Sec-WebSocket-Extensions"
    ),
    Row(handshake(*FIELDS, "Sec-WebSocket-Protocol: a b"), "'a b'", "token", "Sec-WebSocket-Protocol"),
    Row(
        handshake(*FIELDS, "Sec-WebSocket-Protocol: a, a"),
        "Sec-WebSocket-Protocol",
        "duplicate subprotocol",
        "",
    ),
    Row(handshake("Connection: Upgrade"), "Upgrade: websocket", "lacks", ""),
    Row(handshake("Upgrade: websocket"), "Connection", "upgrade", ""),
    Row(handshake(*FIELDS, start="GET / HTTP/1.0"), "HTTP/1.0", "HTTP/1.1", "GET"),
    Row(handshake(*FIELDS, "Origin: http://b"), "origin", "not allowed", ""),
    Row(
        handshake(
            *FIELDS, "Sec-WebSocket-Protocol: a", members={"select_subprotocol": lambda self, offered: "b"}
        ),
        "'b'",
        "offered.*a",
        "subprotocol",
    ),
    Row(
        handshake(
            *FIELDS,
            "Sec-WebSocket-Extensions: permessage-deflate",
            members={"get_compression_options": lambda self: {"compression_level": 99}},
        ),
        "99",
        "-1 (to|and) 9",
        "compression_level",
    ),
    Row(
        handshake(
            *FIELDS,
            "Sec-WebSocket-Extensions: permessage-deflate",
            members={"get_compression_options": lambda self: {"mem_level": 0}},
        ),
        "0",
        "1 (to|and) 9",
        "mem_level",
    ),
    Row(socket_server(lambda h: h.write_message(5)), "int", "str or bytes", "message"),
    Row(socket_server(lambda h: h.write_message(b"\xff")), "xff", "binary=True", "message"),
    Row(socket_server(lambda h: h.close(999)), "999", "1000", "close code"),
    Row(socket_server(lambda h: h.ping(b"a" * 200)), "200", "125 bytes", "payload"),
    Row(socket_server(closed_first(lambda h: h.write_message("a"))), "WebSocket", "closed or closing", ""),
    Row(socket_server(lambda h: h.write("a")), "write()", "write_message", ""),
    Row(
        socket_server(lambda h: websocket.broadcast([h], "a", slow="drop")),
        "'drop'",
        "close.*skip.*wait",
        "slow",
    ),
    Row(
        socket_server(lambda h: websocket.broadcast([h], "a", limit=-1)),
        "-1",
        "None or a non-negative",
        "limit",
    ),
    Row(socket_server(lambda h: websocket.broadcast(["a"], "a")), "'a'", "WebSocket handlers", "handlers"),
    Row(
        socket_server(lambda h: asyncio.to_thread(h.write_message, "a")), "write_message", "add_callback", ""
    ),
    Row(frames(b"\x83\x80abcd"), "3", "unknown opcode", ""),
    Row(frames(b"\xf1\x80abcd"), "111", "reserved bits", ""),
    Row(frames(b"\x81\x00"), "unmasked frame", "from a client", ""),
    Row(frames(masked(0x80, b"a")), "continuation", "without", ""),
    Row(frames(masked(0x01, b"a") + masked(0x81, b"a")), "new message", "final fragment", ""),
    Row(frames(masked(0x81, b"\xff")), "text message", "not valid UTF-8", ""),
    Row(frames(masked(0x88, b"\x03\xe7")), "999", "invalid close code", ""),
    Row(frames(masked(0x88, b"\x03")), "one byte", "two", ""),
    Row(frames(masked(0x09, b"")), "fragmented", "control frame", ""),
    Row(frames(b"\x89\xfe\x00\xc8abcd"), "125", "longer", "control frame"),
    Row(frames(masked(0x82, bytes(20)), websocket_max_message_size=9), "1009", "message too big", ""),
    Row(connecting("ftp://localhost/"), "ftp://localhost/", "ws:// or wss://", "URL"),
    Row(connecting("ws://localhost/", subprotocols="a"), "'a'", "list of names", "subprotocols"),
    Row(
        connecting("ws://localhost/", subprotocols=["a", "a"]),
        "['a', 'a']",
        "distinct tokens",
        "subprotocols",
    ),
    Row(connecting(HTTPRequest("ws://localhost/", method="POST", body="")), "POST", "GET", "handshake"),
    Row(
        connecting(HTTPRequest("ws://localhost/"), connect_timeout=5), "connect_timeout", "URL", "HTTPRequest"
    ),
    Row(
        connecting("ws://localhost/", compression_options={"compression_level": 99}),
        "99",
        "-1 (to|and) 9",
        "compression_level",
    ),
    Row(connecting("ws://localhost/", max_message_size=0), "0", "positive", "max_message_size"),
    Row(dialing("/page?code=403", lambda c: None), "403", "Forbidden", ""),
    Row(dialing(use=closed_first(lambda c: c.write_message("a"))), "WebSocket", "closed or closing", ""),
    Row(
        dialing(use=lambda c: c.read_message(), on_message_callback=print),
        "read_message()",
        "together",
        "on_message_callback",
    ),
    Row(dialing(use=lambda c: c.close(5000)), "5000", "3000-4999", "close code"),
    Row(broken_server("Upgrade: websocket", "Connection: Upgrade"), "Sec-WebSocket-Accept", "missing", ""),
    Row(broken_server("Connection: Upgrade"), "Upgrade", "lacks|missing", ""),
    Row(
        broken_server("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: a"),
        "Sec-WebSocket-Accept",
        "match",
        "",
    ),
    Row(broken_server("Content-Length: 0", status="200 OK"), "200", "101", ""),
]


# -- WSGI --


def gateway(
    body: Any = (b"a",), status: Any = "200 OK", headers: Any = (), start: int = 1
) -> Callable[[], Any]:
    """Serve a WSGI application that responds in this way."""

    def application(environ: Any, start_response: Any) -> Any:
        for _ in range(start):
            start_response(status, list(headers))
        return body

    async def provoke() -> None:
        async with serving(wsgi.WSGIContainer(application)) as server:
            await server.fetch("/")

    return provoke


def adapter(
    *fields: tuple[str, str], call: Any = None, body: bytes = b"", **environ: Any
) -> Callable[[], Any]:
    """Call a `WSGIAdapter` as a WSGI server does."""

    def provoke() -> Any:
        application = web.Application([("/", handler_of(post=call or (lambda self: None)))])
        found: list[Any] = []
        base = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
        }
        stream = {"wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            gateway = wsgi.WSGIAdapter(application)
        page = b"".join(gateway({**base, **stream, **environ}, lambda *args: found.append(args)))
        return repr(found) + page.decode()

    return provoke


WSGI = [
    Row(
        calling(wsgi.WSGIContainer, 5), "5", "called with each request|callable|function", "WSGI application"
    ),
    Row(calling(wsgi.WSGIContainer, wsgi_application, threads=0), "0", "at least (one|1)", "threads"),
    Row(
        calling(wsgi.WSGIContainer, wsgi_application, executor=Mock(), threads=1),
        "executor",
        "not both",
        "threads",
    ),
    Row(gateway(status=200), "200", "'200 OK'", "status"),
    Row(gateway(status="OK"), "'OK'", "three digits", "status"),
    Row(gateway(status="100 Continue"), "100", "200 or above|final", "status"),
    Row(gateway(headers=["a"]), "'a'", "pair|tuple", "header"),
    Row(gateway(headers=[("A", 5)]), "5", "str", "header"),
    Row(gateway(headers=[("A", "\u20ac")]), "\u20ac", "Latin-1", "A"),
    Row(gateway(headers=[("A", "b\n")]), "b\\n", "control|CR or LF|line", "A"),
    Row(
        gateway(headers=[("Transfer-Encoding", "gzip")]),
        "transfer-encoding",
        "must not|may not",
        "WSGI application",
    ),
    Row(gateway(headers=[("Content-Length", "a")]), "a", "decimal|number|integer", "Content-Length"),
    Row(gateway(headers=[("Content-Length", "5")]), "4", "bytes", "Content-Length"),
    Row(gateway([b"abc"], headers=[("Content-Length", "1")]), "2", "bytes", "Content-Length"),
    Row(gateway("abc"), "'abc'", "iterable of bytes|bytes", "WSGI application"),
    Row(gateway(["abc"]), "'abc'", "bytes", "WSGI application"),
    Row(gateway(5), "5", "iterable of bytes", "WSGI application"),
    Row(gateway(start=2), "start_response", "again|twice", "exc_info"),
    Row(gateway(start=0), "start_response", "before|without", "WSGI application"),
    Row(gateway([], start=0), "start_response", "without", "WSGI application"),
    Row(adapter(CONTENT_LENGTH="a"), "'a'", "decimal|integer|number", "Content-Length"),
    Row(adapter(CONTENT_LENGTH="9999999999"), "9999999999", "limit of", "max_body_size"),
    Row(adapter(CONTENT_LENGTH="5", body=b"abc"), "2 bytes", "short|missing|early", "Content-Length"),
    Row(adapter(call=lambda self: asyncio.sleep(0)), "/", "another thread", "WSGIAdapter"),
    Row(calling(wsgi.to_wsgi_str, "a"), "str", "bytes", "to_wsgi_str"),
]

# -- streams and sockets --


def with_stream(call: Callable[[Any, Any], Any], **arguments: Any) -> Callable[[], Any]:
    """Call a function with two connected streams."""

    async def provoke() -> Any:
        ends = socket.socketpair()
        first, second = iostream.IOStream(ends[0], **arguments), iostream.IOStream(ends[1])
        try:
            result = call(first, second)
            return await result if inspect.isawaitable(result) else None
        finally:
            first.close()
            second.close()

    return provoke


class Silent(tcpserver.TCPServer):
    """A server whose handler raises an exception for each connection."""

    async def handle_stream(self, stream: Any, address: Any) -> None:
        raise ValueError("wrong")


async def tcp_failure(server: tcpserver.TCPServer) -> None:
    (listener,) = netutil.bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server.add_sockets([listener])
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        await reader.read()
        writer.close()
    finally:
        server.stop()


def started_twice() -> None:
    server = Silent()
    server.add_sockets([])
    server.start()
    server.start()


async def refused(**arguments: Any) -> None:
    """Connect to a port on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        await tcpclient.TCPClient().connect("127.0.0.1", unused.getsockname()[1], **arguments)


async def resolving(host: str) -> None:
    await netutil.DefaultExecutorResolver().resolve(host, 80)


async def closed_resolver() -> None:
    resolver = netutil.ThreadedResolver()
    resolver.close()
    await resolver.resolve("localhost", 80)


def unix_socket_in(path: str, **arguments: Any) -> Any:
    return netutil.bind_unix_socket(path, **arguments)


_CLOSE = "close"
STREAMS = [
    Row(calling(iostream.IOStream, "x"), "'x'", "must be a socket", "socket"),
    Row(with_stream(lambda a, b: a.read_until("x")), "'x'", "must be bytes", "delimiter"),
    Row(with_stream(lambda a, b: a.read_until_regex(5)), "5", "bytes pattern", "regex"),
    Row(with_stream(lambda a, b: a.read_bytes(-1)), "-1", "not be negative", "num_bytes"),
    Row(with_stream(lambda a, b: a.read_bytes("1")), "'1'", "int", "num_bytes"),
    Row(with_stream(lambda a, b: a.read_into(b"x")), "bytes", "writable buffer", "buf"),
    Row(with_stream(lambda a, b: [a.read_bytes(1), a.read_bytes(1)]), "Already reading", "await", ""),
    Row(with_stream(lambda a, b: a.write("x")), "str", "must be bytes", "data"),
    Row(
        with_stream(lambda a, b: a.write(bytes(99)), max_write_buffer_size=9),
        "9 bytes",
        "maximum",
        "max_write_buffer_size",
    ),
    Row(with_stream(lambda a, b: [a.close(), a.write(b"")]), "closed", "", ""),
    Row(with_stream(lambda a, b: [a.close(), a.read_bytes(1)]), "closed", "", ""),
    Row(with_stream(lambda a, b: [a.write_eof(), a.write(b"x")]), "write()", "closed", "write_eof()"),
    Row(
        with_stream(lambda a, b: [b.write(b"a" * 99), a.read_until(b"x", max_bytes=9)][1]),
        "9 bytes",
        "not found",
        "b'x'",
    ),
    Row(
        with_stream(lambda a, b: [b.write(b"a" * 99), a.read_until_regex(b"x", max_bytes=9)][1]),
        "9 bytes",
        "not found",
        "x",
    ),
    Row(
        with_stream(lambda a, b: [b.write(b"a" * 200000), a.read_bytes(200000)][1], max_buffer_size=99),
        "99 bytes",
        "maximum",
        "max_buffer_size",
    ),
    Row(
        with_stream(lambda a, b: [a.read_bytes(1), a.start_tls(False)][1]),
        "start_tls",
        "read or write is outstanding",
        "",
    ),
    Row(
        with_stream(lambda a, b: a.start_tls(True, {"keyfile": "a"})),
        '"keyfile"',
        "add the certificate",
        "certfile",
    ),
    Row(with_stream(lambda a, b: a.start_tls(True, 5)), "5", "dict or an ssl.SSLContext", "ssl_options"),
    Row(calling(netutil.ssl_options_to_context, {"cert": "a"}), "cert", "supported keys are", "ssl_options"),
    Row(
        calling(netutil.ssl_options_to_context, {"certfile": "/no.pem"}, True),
        "/no.pem",
        "No such file",
        "certfile",
    ),
    Row(calling(netutil.bind_sockets, 70000), "70000", "0 to 65535", "port"),
    Row(calling(netutil.bind_sockets, 0, "256.1.1.1"), "256.1.1.1", "not known|resolv", ""),
    Row(calling(unix_socket_in, "/no/such/socket"), "/no/such/socket", "no such file", ""),
    Row(calling(unix_socket_in, __file__), "test_messages.py", "not a socket", "listen"),
    Row(calling(unix_socket_in, "/tmp/" + "a" * 200), "aaaa", "too long", "Unix socket"),
    Row(calling(resolving, "a" * 70 + ".example"), "", "label|invalid host name", "host name"),
    Row(calling(resolving, "no.invalid"), "no.invalid", "not known|no address|resol|failure", ""),
    Row(calling(closed_resolver), "closed", "ExecutorResolver|resolver", ""),
    Row(lambda: netutil.Resolver.configure("os.path.join"), "join", "subclass", "Resolver"),
    Row(calling(started_twice), "start()", "once", ""),
    Row(calling(tcp_failure, Silent()), "127.0.0.1", "wrong|handle_stream", ""),
    Row(calling(tcp_failure, tcpserver.TCPServer()), "TCPServer", "must define", "handle_stream"),
    Row(calling(tcpserver.TCPServer, ssl_options={}), "certfile", "must have", "ssl_options"),
    Row(
        calling(tcpserver.TCPServer, ssl_options={"certfile": __file__, "keyfile": "/no.pem"}),
        "/no.pem",
        "exist",
        "keyfile",
    ),
    Row(calling(refused), "127.0.0.1", "refused", ""),
    Row(calling(refused, timeout="7"), "'7'", "seconds, a timedelta or None", "timeout"),
    Row(calling(tcp_connect, "localhost", 70000), "70000", "0 to 65535", "port"),
]

# -- the event loop, coroutines, locks and queues --


@gen.coroutine
def yields(value: Any) -> Any:
    yield value


def with_loop(call: Callable[[Any], Any]) -> Callable[[], Any]:
    async def provoke() -> Any:
        result = call(ioloop.IOLoop.current())
        return await result if inspect.isawaitable(result) else None

    return provoke


def released(lock: Any) -> None:
    lock.release()


def full_queue() -> None:
    queue = queues.Queue[int](maxsize=1)
    queue.put_nowait(1)
    queue.put_nowait(1)


def lock_as_context() -> None:
    with locks.Lock():  # type: ignore[attr-defined]
        pass


LOOP = [
    Row(calling(yields, 5), "5", "Future, an awaitable, a list", ""),
    Row(calling(yields, [5]), "5", "Future, an awaitable, a list", ""),
    Row(
        with_loop(lambda loop: gen.with_timeout("a", asyncio.Future())),
        "'a'",
        "time in seconds.* or a timedelta",
        "",
    ),
    Row(with_loop(lambda loop: gen.with_timeout(datetime.timedelta(1), 5)), "5", "Future, an awaitable", ""),
    Row(with_loop(lambda loop: gen.WaitIterator(asyncio.Future(), a=5)), "positional", "not both", "keyword"),
    Row(with_loop(lambda loop: loop.add_timeout("a", print)), "'a'", "timedelta", "deadline"),
    Row(with_loop(lambda loop: loop.call_later("a", print)), "'a'", "number of seconds", "delay"),
    Row(with_loop(lambda loop: loop.call_at("a", print)), "'a'", "seconds", "when"),
    Row(calling(ioloop.PeriodicCallback, print, 0), "0", "positive", "callback_time"),
    Row(calling(ioloop.PeriodicCallback, print, "5"), "'5'", "number of milliseconds", "callback_time"),
    Row(with_loop(lambda loop: loop.close()), "running", "stop()", "close"),
    Row(with_loop(lambda loop: loop.update_handler(999, 1)), "999", "add_handler()", "handler"),
    Row(
        with_loop(lambda loop: [loop.add_handler(0, print, 0), loop.add_handler(0, print, 0)]),
        "0",
        "update_handler()",
        "handler",
    ),
    Row(calling(locks.Semaphore, -1), "-1", ">= 0", "initial value"),
    Row(calling(released, locks.BoundedSemaphore(1)), "release()", "too many times", "acquire()"),
    Row(calling(released, locks.Lock()), "release()", "unlocked", "acquire()"),
    Row(calling(lock_as_context), "with", "async with", "Lock"),
    Row(calling(queues.Queue, None), "None", "0 for a queue without a limit", "maxsize"),
    Row(calling(queues.Queue, -1), "-1", "0 for a queue without a limit", "maxsize"),
    Row(calling(full_queue), "1 items", "put()", "maxsize"),
    Row(lambda: queues.Queue[int]().get_nowait(), "empty", "get()", ""),
    Row(lambda: queues.Queue[int]().task_done(), "task_done()", "once for each item", ""),
    Row(
        calling(concurrent.future_set_exc_info, asyncio.Future, (None, None, None)),
        "exception",
        "except block",
        "",
    ),
    Row(calling(concurrent.run_on_executor, 5, 6), "5", "executor=", "run_on_executor"),
    Row(calling(asyncio.to_thread, process.fork_processes, 1.5), "1.5", "integer or None", "num_processes"),
    Row(calling(asyncio.to_thread, process.fork_processes, 1, "a"), "'a'", "integer or None", "max_restarts"),
    Row(with_loop(lambda loop: process.fork_processes(2)), "fork_processes", "before the loop starts", ""),
    Row(calling(process.Subprocess, ["/no/such"]), "/no/such", "no such file", ""),
    Row(calling(autoreload.start, check_time=0), "0", "positive", "check_time"),
    Row(calling(autoreload.start, drain_time=-1), "-1", "not be negative", "drain_time"),
]

# -- options, locale, log, utilities --


def parsing(*arguments: str, use: Any = None) -> Callable[[], Any]:
    """Parse a command line with some options."""

    def provoke() -> Any:
        parser = options.OptionParser()
        parser.define("port", type=int, default=1)
        parser.define("hosts", type=str, multiple=True)
        parser.define("since", type=datetime.datetime)
        parser.define("wait", type=datetime.timedelta)
        parser.define("debug", type=bool)
        return use(parser) if use else parser.parse_command_line(["program", *arguments])

    return provoke


def config_file(text: str) -> Callable[[], Any]:
    def provoke() -> Any:
        file = DIRECTORY[0] / "program.conf"
        file.write_text(text)
        return parsing(use=lambda parser: parser.parse_config_file(str(file)))()

    return provoke


def translations(name: str, text: str) -> Callable[[], Any]:
    def provoke() -> Any:
        (DIRECTORY[0] / name).write_text(text)
        try:
            locale.load_translations(str(DIRECTORY[0]))
        finally:
            (DIRECTORY[0] / name).unlink()

    return provoke


def logging_with(**values: Any) -> Callable[[], Any]:
    def provoke() -> None:
        parser = options.OptionParser()
        log.define_logging_options(parser)
        for name, value in values.items():
            setattr(parser, name, value)
        log.enable_pretty_logging(parser, logging.getLogger("unused"))

    return provoke


OPTIONS = [
    Row(parsing("--prot=5"), "prot", "port", "command line option"),
    Row(parsing("--port=a"), "'a'", "int", "'port'"),
    Row(parsing("--port"), "port", "requires a value", "--port="),
    Row(parsing("--since=tomorrow"), "'tomorrow'", "2025-01-31 12:00", "'since'"),
    Row(parsing("--wait=1x"), "'1x'", "1.5h", "'wait'"),
    Row(parsing(use=lambda parser: setattr(parser, "port", "5")), "'5'", "int", "'port'"),
    Row(parsing(use=lambda parser: setattr(parser, "hosts", "a")), "'a'", "list of str", "'hosts'"),
    Row(parsing(use=lambda parser: parser.prot), "'prot'", "port", "option"),
    Row(
        parsing(use=lambda parser: parser.define("port")), "'port'", "already defined in", "test_messages.py"
    ),
    Row(config_file("port = 'a'"), "'a'", "int", "'port'"),
    Row(config_file("hosts = 5"), "5", "list of str", "'hosts'"),
    Row(config_file("port = ="), "program.conf", "invalid syntax", ""),
    Row(translations("xx_yy_zz.csv", ""), "xx_yy_zz", "unrecognized locale", ""),
    Row(translations("de.csv", "a,b,many"), "'many'", "plural", "de.csv line 1"),
    Row(logging_with(logging="loud"), "'loud'", "debug, info, warning, error", "logging"),
    Row(
        logging_with(log_file_prefix="/tmp/x", log_rotate_mode="never"),
        "'never'",
        '"size" or "time"',
        "log_rotate_mode",
    ),
]
UTILITIES = [
    Row(calling(escape.utf8, 5), "int", "bytes, unicode, or None|str", ""),
    Row(calling(escape.to_unicode, 5), "int", "bytes, unicode, or None|str", ""),
    Row(calling(escape.json_decode, "{"), "line 1 column 2", "expecting", ""),
    Row(calling(escape.json_encode, {1j: 1}), "complex", "str, int, float", ""),
    Row(calling(escape.parse_qs_bytes, "a&b", strict_parsing=True), "'a'", "no '='|=", "query"),
    Row(
        calling(escape.parse_qs_bytes, "a=1&b=2", max_num_fields=1), "1 fields", "more than|too many", "query"
    ),
    Row(calling(util.import_object, "os.nosuch"), "nosuch", "attribute nor a submodule", "os"),
    Row(calling(util.import_object, "nosuch.module"), "nosuch", "no module", ""),
    Row(lambda: util.ObjectDict(a=1).b, "b", "", ""),
    Row(lambda: util.Configurable.configurable_base(), "Configurable", "define", "configurable_base()"),
    Row(calling(util.raise_exc_info, (None, None, None)), "exc_info", "exception", ""),
    Row(calling(util.re_unescape, "\\d"), "\\d", "re.escape", ""),
    Row(lambda: util.GzipDecompressor().decompress(b"abc", 9), "61 62", "1f 8b|gzip", ""),
    Row(calling(util._websocket_mask_python, b"abc", b"d"), "3", "4 bytes", "mask"),
    Row(calling(speedups.websocket_mask, b"abc", b"d"), "3", "4 bytes", "mask"),
    Row(calling(httputil.url_concat, "/", 5), "int", "dict.* list or (a )?tuple", ""),
    Row(
        calling(httputil.format_timestamp, "now"),
        "'now'",
        "number, a (time )?tuple or a datetime",
        "timestamp",
    ),
    Row(calling(httputil.HTTPHeaders.parse, "a b"), "'a b'", "colon", "header"),
    Row(calling(httputil.HTTPHeaders().add, "A", 5), "5", "must be a str|str", "A"),
    Row(lambda: httputil.HTTPHeaders().add("A B", "c"), "'A B'", "letters, digits", "header name"),
    Row(lambda: httputil.HTTPHeaders().add("A", "b\nc"), "'b\\nc'", "control characters", "A"),
    Row(
        calling(httputil.parse_request_start_line, "GET"),
        "",
        "METHOD target HTTP/1.1|method.*target",
        "request line",
    ),
    Row(
        calling(httputil.parse_response_start_line, "200"),
        "",
        "HTTP/1.1 (code|200) reason|reason",
        "status line",
    ),
    Row(
        calling(testing.AsyncHTTPTestCase().get_app),
        "AsyncHTTPTestCase",
        "return its application|application",
        "get_app()",
    ),
    Row(lambda: log_context(), "tornado.general", "matched 'b'|did not get expected", ""),
]


# -- HTTP clients --


def elsewhere(location: str, status: str = "302 Found") -> bytes:
    return response("Content-Length: 0", f"Location: {location}", status=status)


def certificates() -> Certificates:
    return CERTIFICATES[0]


async def producer(write: Any) -> None: ...


# An argument of a request; then the facts that the message must contain.
REQUEST_ARGUMENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"method": "POST", "body": "a", "json": 1}, "body", "one body"),
    ({"method": "POST", "body": {"a": "b"}}, "mapping", "json= or data="),
    ({"method": "POST", "body": 5}, "int", "str, bytes, .*Path"),
    ({"method": "POST", "body": io.StringIO()}, "StringIO", "binary"),
    ({"method": "POST", "body": Path("/")}, "/", "directory"),
    ({"method": "POST", "data": 5}, "int", "mapping or an iterable"),
    ({"method": "POST", "data": {"a": object}}, "'a'", "str, bytes, int"),
    ({"method": "POST", "files": {"a": "b"}}, "'a'", "Path.*bytes"),
    ({"method": "POST", "files": {"a": ("b",)}}, "'a'", r"\(filename, content\)"),
    ({"method": "POST", "headers": {"Content-Type": "a/b"}, "files": {"a": b"c"}}, "'a/b'", "remove"),
    ({"params": 5}, "int", "mapping or an iterable"),
    ({"queue_timeout": "a"}, "'a'", "number or None"),
    ({"max_body_size": -1}, "-1", "not be negative"),
    ({"cookies": {"a": "b"}}, "dict", "CookieJar"),
    ({"retry": 3}, "3", "RetryPolicy"),
    ({"progress_callback": 5}, "5", "callable"),
    ({"headers": {"A": "b\n"}}, "'b\\n'", "control characters"),
    ({"headers": {"A B": "c"}}, "'A B'", "letters, digits"),
    ({"method": "GRAB"}, "GRAB", "allow_nonstandard_methods=True"),
    ({"method": "GET", "body": "a"}, "GET", "allow_nonstandard_methods"),
    ({"method": "POST"}, "POST", "must not be None"),
    ({"auth_username": "a", "auth_password": "b", "auth_mode": "bearer"}, "'bearer'", "basic"),
    ({"proxy_host": "a"}, "proxy_port", "together"),
    ({"network_interface": "eth0"}, "eth0", "IP address|interface|failed"),
    ({"ssl_options": {"cert": "a"}}, "cert", "supported keys|only"),
    ({"ca_certs": "/no.pem"}, "/no.pem", "ca_certs"),
    ({"client_cert": "/no.pem"}, "/no.pem", "client_cert"),
    ({"timeout": 5}, "timeout", "unexpected|did you mean"),
]
_ADDRESS = "https://localhost:1/"
_NAMES = {"body": "", "params": "params", "headers": "", "timeout": "timeout"}
FETCH_ARGUMENTS = [
    *(Row(request(_ADDRESS, **given), *row, "") for given, *row in REQUEST_ARGUMENTS),
    Row(request("ftp://localhost/"), "ftp://localhost/", "http:// or https://", "url"),
    Row(request("http:///"), "http:///", "no host", "URL"),
    Row(request("http://a b/"), "a b", "illegal characters", "host"),
    Row(request("http://localhost/a b"), "/a b", "illegal characters", ""),
    Row(request("http://localhost:70000/"), "70000", "65535|range", ""),
    Row(request("http+unix:///a"), "http+unix:/", r"http\+unix://%2Fpath/", ""),
    Row(request(HTTPRequest("http://localhost/"), method="GET"), "method", "URL", "HTTPRequest"),  # type: ignore[arg-type]
    Row(
        request(_ADDRESS, method="POST", body="a", body_producer=producer),
        "body_producer",
        "not (have )?both",
        "",
    ),
    Row(calling(SimpleAsyncHTTPClient, force_instance=True, proxy="ftp://a"), "ftp", "http", "proxy"),
    Row(
        calling(SimpleAsyncHTTPClient, force_instance=True, max_client=5),
        "max_client",
        "did you mean 'max_clients'",
        "",
    ),
    Row(
        calling(SimpleAsyncHTTPClient, force_instance=True, continue_timeout=0),
        "0",
        "number of seconds",
        "continue_timeout",
    ),
    Row(calling(RetryPolicy, max_attempts=0), "0", "int of at least 1|positive integer", "max_attempts"),
    Row(calling(RetryPolicy, methods="GET"), "'GET'", "collection", "methods"),
    Row(calling(RetryPolicy, statuses=[99]), "99", "status code", "statuses"),
    Row(calling(RetryPolicy, methods=["a b"]), "'a b'", "method name", "methods"),
    Row(calling(closed_client), "SimpleAsyncHTTPClient", "closed", "fetch()"),
    Row(calling(streamed), "streaming_callback", "iterate over the response", "stream()"),
]
CURL_ARGUMENTS = [
    Row(request("ftp://localhost/", CurlAsyncHTTPClient), "ftp://localhost/", "http:// or https://", "url"),
    Row(request("http://localhost/a b", CurlAsyncHTTPClient), "/a b", "percent-encode", "URL"),
    *(
        Row(request("http://localhost:1/", CurlAsyncHTTPClient, **given), value, accepted, name)
        for given, value, accepted, name in (
            ({"method": "a b"}, "'a b'", "malformed", "method"),
            ({"method": "GRAB"}, "GRAB", "=True", "allow_nonstandard_methods"),
            ({"body": "a"}, "GET", "must be None", "allow_nonstandard_methods"),
            ({"ssl_options": ssl.create_default_context()}, "ssl.SSLContext", "dictionary", "ssl_options"),
            ({"ssl_options": {"cert": "a"}}, "cert", "cert_reqs, certfile", "ssl_options"),
            ({"auth_username": "a", "auth_mode": "bearer"}, "'bearer'", "'basic' or 'digest'", "auth_mode"),
            ({"proxy_host": "a"}, "proxy_port", "together", "proxy_host"),
            (
                {"proxy_host": "a", "proxy_port": 1, "proxy_username": "b", "proxy_auth_mode": "c"},
                "'c'",
                "'basic' or",
                "proxy_auth_mode",
            ),
            ({"network_interface": "a\n"}, "'a\\n'", "control characters", "network_interface"),
            ({"streaming_callback": producer}, "coroutine function", "plain function", "streaming_callback"),
        )
    ),
    Row(
        calling(CurlAsyncHTTPClient, force_instance=True, continue_timeout=0),
        "0",
        "number of seconds",
        "continue_timeout",
    ),
]
FETCH = [
    Row(request("http://127.0.0.1:1/"), "127.0.0.1:1", "refused", ""),
    Row(request("http://127.0.0.1:1/", CurlAsyncHTTPClient), "127.0.0.1", "port 1|:1", ""),
    Row(request("http://no.invalid/"), "no.invalid", "not known|resol", ""),
    Row(fetching(b"nonsense\r\n\r\n"), "nonsense", "HTTP/1.1 200 reason|status line", "127.0.0.1"),
    Row(fetching(cut_off), "http://127.0.0.1", "connection closed", ""),
    Row(fetching(response("Content-Length: 9"), max_body_size=3), "9 bytes", "limit.* 3", "max_body_size"),
    Row(fetching(response("Content-Length: 9"), _max_body_size=3), "9 bytes", "limit.* 3", ""),
    Row(
        fetching(response("A: " + "b" * 99999), _max_header_size=9999),
        "9999 bytes",
        "longer",
        "max_header_size",
    ),
    Row(fetching(response("Content-Length: a")), "'a'", "only integer", "Content-Length"),
    Row(
        fetching(response("Content-Length: 3", "Content-Encoding: gzip", body="abc")),
        "gzip",
        "invalid",
        "http://127.0.0.1",
    ),
    Row(fetching(elsewhere("ftp://a/")), "ftp://a/", "http://", ""),
    Row(fetching(elsewhere("http+unix://%2Fa/")), "http+unix://", "Unix socket", "redirect"),
    Row(fetching(elsewhere("/"), max_redirects=2), "302", "more redirects than", "max_redirects"),
    Row(
        fetching(elsewhere("http://localhost:1/"), tls=certificates, validate_cert=False),
        "http://localhost:1/",
        "TLS",
        "allow_downgrade",
    ),
    Row(
        fetching(
            elsewhere("http://localhost:1/"), CurlAsyncHTTPClient, tls=certificates, validate_cert=False
        ),
        "http",
        "=True",
        "allow_downgrade",
    ),
    Row(fetching(response(), tls=certificates), "127.0.0.1", "certificate verify failed", "ca_certs"),
    Row(fetching(response(), CurlAsyncHTTPClient, tls=certificates), "SSL", "certificate", ""),
    Row(
        fetching(response("Content-Length: 3", body="abc"), CurlAsyncHTTPClient, max_body_size=1),
        "1",
        "",
        "max_body_size",
    ),
    Row(
        fetching(response(status="404 Not Found")[:-2] + b"Content-Length: 0\r\n\r\n"), "404", "Not Found", ""
    ),
    Row(
        fetching(response("Content-Length: 0"), proxy_host="127.0.0.1", proxy_port=1),
        "127.0.0.1:1",
        "proxy",
        "",
    ),
    Row(calling(tunnelled), "502", "did not connect to", "proxy"),
]

# -- logins --


class Login(web.RequestHandler, auth.OpenIDConnectMixin, auth.OAuthMixin):
    """A handler that logs users in at providers that do not exist."""

    _OAUTH_NO_CALLBACKS = True


class Twitter(web.RequestHandler, auth.TwitterMixin):
    """A handler that logs users in at Twitter."""


class Google(web.RequestHandler, auth.GoogleOAuth2Mixin):
    """A handler that logs users in at Google."""


_PROVIDER: dict[str, Any] = {
    "openid_connect": {"issuer": "http://a.example", "client_id": "b"},
    "cookie_secret": _SECRET,
}
_OIDC = auth.OpenIDConnectMixin
LOGINS = [
    Row(
        in_handler(lambda h: h.get_openid_connect_settings(), Login),
        "openid_connect",
        "must define",
        "setting",
    ),
    Row(
        in_handler(lambda h: h.get_openid_connect_settings(), Login, openid_connect={"issuer": "a"}),
        "client_id",
        "has no",
        "openid_connect",
    ),
    Row(
        in_handler(lambda h: _OIDC.authorize_redirect(h, "/a"), Login, **_PROVIDER),
        "http://a.example",
        "must be an https URL",
        "issuer",
    ),
    Row(
        in_handler(lambda h: _OIDC.get_authenticated_user(h), Login, **_PROVIDER),
        "callback",
        "start it again",
        "",
    ),
    Row(
        in_handler(lambda h: auth.OAuthMixin.authorize_redirect(h, "/a"), Login),
        "Login",
        "does not accept",
        "callback_uri",
    ),
    Row(
        in_handler(undefined_consumer_token, Login),
        "Login",
        "define",
        "_oauth_consumer_token()",
    ),
    Row(
        in_handler(consumer_token, Twitter),
        "twitter_consumer_key",
        "must define",
        "setting",
    ),
    Row(
        in_handler(lambda h: h.get_google_oauth_settings(), Google), "google_oauth", "must define", "setting"
    ),
]


# Messages that lack one of the facts, because Tornado's test suite or programs compare their text. The
# comment before each row names the missing fact.
UPSTREAM = [
    # the announced and the written number of bytes
    Row(
        served(lambda h: [h.set_header("Content-Length", 1), h.write("bc")]),
        "more data than Content-Length",
        "",
        "",
    ),
    # the limit; the peer must not learn more than the close code
    Row(frames(masked(0x82, bytes(20)), websocket_max_message_size=9), "message too big", "1009", ""),
    # the timeout, which the caller has just passed
    Row(with_loop(lambda loop: gen.with_timeout(datetime.timedelta(0), asyncio.Future())), "Timeout", "", ""),
    # the token, which is a secret
    Row(
        post("/?_xsrf=a", "", "Cookie: _xsrf=b", settings={"xsrf_cookies": True}),
        "XSRF cookie",
        "argument",
        "",
    ),
]


GROUPS = {
    name: rows
    for name, rows in globals().items()
    if isinstance(rows, list) and rows and isinstance(rows[0], Row)
}
PARAMETERS = [
    pytest.param(row, id=f"{group.lower()}{number}-{row.name or row.value}")
    for group, rows in GROUPS.items()
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize("row", PARAMETERS)
def test_message_has_value_accepted_values_and_name(
    row: Row,
    certificates: Certificates,
    expect_log: ExpectLog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    CERTIFICATES[:] = [certificates]
    DIRECTORY[:] = [tmp_path]
    clock = FakeClock() if row in TIMEOUTS else None
    if clock:
        use_clock(monkeypatch, clock)
    with expect_log("", "", required=False):
        texts = texts_of(row, clock, caplog)
    missing = missing_facts(row, texts)
    assert not missing, f"without {missing}: {texts}"
