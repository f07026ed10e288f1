"""Each fast path sends the same bytes as its slow path.

The slow path is forced by replacing one hook by a method that only calls the original: in a subclass or by a
patch of the class.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import handler_of, serving
from tests.support.web import header_fields
from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.iostream import BaseIOStream
from tornado.web._execution import _bypassed_methods
from tornado.web._execution._response import Response
from tornado.web._files import _static_fast_path
from tornado.web._sse._event_stream import EventStream
from tornado.websocket import WebSocketHandler


def passing_through(original: Any) -> Any:
    """Return a wrapper that only calls a function."""
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await original(*args, **kwargs)

        return wrapper
    return functools.wraps(original)(lambda *args, **kwargs: original(*args, **kwargs))


def with_replaced_hook(cls: Any, name: str) -> Any:
    """Return a subclass that overrides one hook."""
    original = inspect.getattr_static(cls, name)
    if isinstance(original, classmethod):
        return type("Replaced", (cls,), {name: classmethod(passing_through(original.__func__))})
    return type("Replaced", (cls,), {name: passing_through(original)})


async def bytes_sent(application: Any, *requests: str) -> list[bytes]:
    """Return the bytes that the server sends for each request, without Date and random parts."""
    received = []
    async with serving(application) as server:
        for request in requests:
            data = await server.exchange(request)
            data = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: ", data)
            received.append(re.sub(rb"\nid: [0-9a-f]{8}-", b"\nid: channel-", data))
    return received


# -- responses of handlers --


async def flush_twice(self: Any) -> None:
    self.write("a")
    await self.flush()
    self.write("b")


async def write_later(self: Any) -> None:
    await self.finish({"later": True})


async def write_nothing(self: Any, *_: str) -> None:
    pass


METHODS: dict[str, Any] = {
    "text": lambda self: self.write("hello"),
    "parts": lambda self: [self.write(part) for part in ("a", b"b", "ü")] and None,
    "JSON": lambda self: self.write({"a": [1, "é", "</script>"]}),
    "empty": lambda self: None,
    "large": lambda self: self.write(b"x" * 100_000),
    "created": lambda self: self.set_status(201),
    "own reason": lambda self: self.set_status(200, "Fine"),
    "finished with a value": lambda self: self.finish("done") and None,
    "no content": lambda self: self.set_status(204),
    "header field": lambda self: self.set_header("X-Own", "1"),
    "cookie": lambda self: self.set_cookie("a", "b"),
    "flushed": flush_twice,
    "later": write_later,
    "coroutine": write_nothing,
}
#: The methods whose responses to the first request are sent on the fast path.
SIMPLE = set(METHODS) - {"no content", "header field", "cookie", "flushed"}

_TAG = '"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"'  # of hello
_HOST = "Host: localhost\r\n"
_CLOSE = f"{_HOST}Connection: close\r\n"
REQUESTS = [
    f"GET / HTTP/1.1\r\n{_CLOSE}\r\n",
    f"GET / HTTP/1.1\r\n{_HOST}\r\nGET /?x=1 HTTP/1.1\r\n{_CLOSE}\r\n",
    f"GET / HTTP/1.1\r\n{_CLOSE}If-None-Match: {_TAG}\r\n\r\n",
    f'GET / HTTP/1.1\r\n{_CLOSE}If-None-Match: "x"\r\n\r\n',
    "GET / HTTP/1.0\r\n\r\n",
    f"POST / HTTP/1.1\r\n{_CLOSE}Content-Length: 3\r\n\r\na=b",
    f"HEAD / HTTP/1.1\r\n{_CLOSE}\r\n",
    "HEAD / HTTP/1.0\r\n\r\n",
]
#: The replaceable methods by the class that defines them.
HANDLER_HOOKS = [*_bypassed_methods.FINISH_STEPS.names, "finish", "_execute", "write"]
APPLICATION_HOOKS = ["start_request", "find_handler", "get_handler_delegate"]
PATCHES = [(HTTP1Connection, "write_headers"), (HTTP1Connection, "finish"), (BaseIOStream, "write")]


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list in which each response records whether it was sent on the fast path."""
    taken: list[bool] = []
    original = Response.finish_fast

    def recording(*args: Any) -> bool:
        done = original(*args)
        taken.append(done)
        return done

    monkeypatch.setattr(Response, "finish_fast", recording)
    return taken


def handler_class(method: Any) -> Any:
    return handler_of(get=method, post=method, head=method)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("hook", HANDLER_HOOKS)
async def test_responses_of_a_handler_with_a_replaced_hook(
    name: str, hook: str, finished: list[bool]
) -> None:
    handler = handler_class(METHODS[name])
    fast = await bytes_sent(web.Application([("/", handler)]), *REQUESTS)
    assert finished[0] == (name in SIMPLE)
    finished.clear()
    slow = await bytes_sent(web.Application([("/", with_replaced_hook(handler, hook))]), *REQUESTS)
    assert slow == fast
    if hook in _bypassed_methods.FINISH_STEPS.names:
        assert not any(finished)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("hook", APPLICATION_HOOKS)
async def test_responses_of_an_application_with_a_replaced_hook(name: str, hook: str) -> None:
    routes = [("/", handler_class(METHODS[name]))]
    fast = await bytes_sent(web.Application(routes), *REQUESTS)
    slow = await bytes_sent(with_replaced_hook(web.Application, hook)(routes), *REQUESTS)
    assert slow == fast


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("owner", "hook"), PATCHES)
async def test_responses_while_connection_or_stream_is_patched(
    name: str, owner: Any, hook: str, finished: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    application = web.Application([("/", handler_class(METHODS[name]))])
    fast = await bytes_sent(application, *REQUESTS)
    finished.clear()
    with monkeypatch.context() as patch:
        patch.setattr(owner, hook, passing_through(getattr(owner, hook)))
        assert await bytes_sent(application, *REQUESTS) == fast
    assert not any(finished)
    finished.clear()
    assert await bytes_sent(application, *REQUESTS) == fast
    assert finished[0] == (name in SIMPLE)


# -- the 101 response of a WebSocket --


async def prepare_field(self: Any) -> None:
    self.set_header("X-Own", "1")


def open_with_message(self: Any) -> None:
    self.write_message("hello")


UPGRADES: dict[str, dict[str, Any]] = {
    "plain": {},
    "message": {"open": open_with_message},
    "subprotocol": {"select_subprotocol": lambda self, offered: offered[1]},
    "compression": {"get_compression_options": lambda self: {}},
    "header field": {"prepare": prepare_field},
    "cookie": {"prepare": lambda self: self.set_cookie("a", "b")},
    "default field": {"set_default_headers": lambda self: self.set_header("Server", "own")},
}
UPGRADE_REQUEST = (
    f"GET / HTTP/1.1\r\n{_HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
#: A masked close frame without a code. With it, the server closes the connection.
CLOSE_FRAME = b"\x88\x80\0\0\0\0"


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> list[Response]:
    """Return a list of the responses with status 101 that were sent on the fast path."""
    taken: list[Response] = []
    original = Response.record_upgrade

    def recording(self: Response, block: bytes, tail: bytes) -> None:
        taken.append(self)
        original(self, block, tail)

    monkeypatch.setattr(Response, "record_upgrade", recording)
    return taken


async def upgrade_bytes(handler: Any, **settings: Any) -> bytes:
    """Return the bytes that the server sends to a client that opens and closes a WebSocket."""
    async with serving(web.Application([("/", handler)], **settings)) as server:
        peer = await server.connect()
        peer.send(UPGRADE_REQUEST.encode() + CLOSE_FRAME)
        return re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: ", await peer.rest())


@pytest.mark.parametrize("name", UPGRADES)
@pytest.mark.parametrize("hook", ["set_header", "set_status", "clear_header", "flush"])
@pytest.mark.parametrize("place", ["subclass", "RequestHandler"])
async def test_upgrade_with_a_replaced_hook(
    name: str, hook: str, place: str, upgraded: list[Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = type("Handler", (WebSocketHandler,), UPGRADES[name])
    fast = await upgrade_bytes(handler)
    assert fast.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert len(upgraded) == (name in ("plain", "message", "subprotocol", "compression"))
    upgraded.clear()
    if place == "subclass":
        handler = with_replaced_hook(handler, hook)
    else:
        monkeypatch.setattr(web.RequestHandler, hook, passing_through(getattr(web.RequestHandler, hook)))
    assert await upgrade_bytes(handler) == fast
    assert not upgraded


async def test_upgrade_with_security_headers_or_a_patched_stream(
    upgraded: list[Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = await upgrade_bytes(WebSocketHandler)
    assert len(upgraded) == 1
    assert b"X-Content-Type-Options" in await upgrade_bytes(WebSocketHandler, security_headers=True)
    monkeypatch.setattr(BaseIOStream, "write", passing_through(BaseIOStream.write))
    assert await upgrade_bytes(WebSocketHandler) == fast
    assert len(upgraded) == 1


async def test_fields_of_an_upgrade_are_available_afterwards() -> None:
    logged: list[Any] = []

    def log(handler: Any) -> None:
        fields = header_fields(handler)
        logged.append((handler.get_status(), fields["Upgrade"], "Content-Type" in fields))

    await upgrade_bytes(WebSocketHandler, log_function=log)
    assert logged == [(101, "websocket", False)]


# -- static files --

STATIC_REQUESTS = [
    f"GET /s/a.css HTTP/1.1\r\n{_CLOSE}\r\n",
    f"GET /s/a.css HTTP/1.1\r\n{_HOST}\r\nGET /s/sub/ HTTP/1.1\r\n{_CLOSE}\r\n",
    f"GET /s/a.css HTTP/1.1\r\n{_CLOSE}If-None-Match: *\r\n\r\n",
    f"GET /s/a.css HTTP/1.1\r\n{_CLOSE}If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT\r\n\r\n",
    f"GET /s/a.css HTTP/1.1\r\n{_CLOSE}If-Modified-Since: yesterday\r\n\r\n",
    f"GET /s/a.css HTTP/1.1\r\n{_CLOSE}Range: bytes=2-3\r\n\r\n",
    f"HEAD /s/a.css HTTP/1.1\r\n{_CLOSE}\r\n",
    "GET /s/a.css HTTP/1.0\r\n\r\n",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "a.css", tmp_path / "sub/index.html"):
        path.write_bytes(b"body { color: red }")
        os.utime(path, (0, 1_600_000_000))
    return tmp_path


def static_application(root: Path, handler: Any) -> web.Application:
    _static_fast_path.reset()
    return web.Application([("/s/(.*)", handler, {"path": str(root), "default_filename": "index.html"})])


@pytest.fixture
def static_paths(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list in which each request for a file records whether it used the fast path."""
    taken: list[bool] = []
    original = _static_fast_path.respond

    def recording(*args: Any) -> bool:
        done = original(*args)
        taken.append(done)
        return done

    monkeypatch.setattr(_static_fast_path, "respond", recording)
    return taken


@pytest.mark.parametrize("hook", _static_fast_path.STEPS.names)
async def test_static_files_with_a_replaced_hook(root: Path, static_paths: list[bool], hook: str) -> None:
    application = static_application(root, web.StaticFileHandler)
    await bytes_sent(application, *STATIC_REQUESTS)  # fills the table
    static_paths.clear()
    fast = await bytes_sent(application, *STATIC_REQUESTS)
    assert static_paths == [True, True, True, True, True, True, False, True, True]
    static_paths.clear()
    replaced = with_replaced_hook(web.StaticFileHandler, hook)
    assert await bytes_sent(static_application(root, replaced), *STATIC_REQUESTS) == fast
    assert not any(static_paths)


@pytest.mark.parametrize("hook", ["set_headers", "should_return_304", "compute_etag", "flush"])
async def test_hook_set_on_a_static_file_handler_is_called(
    root: Path, static_paths: list[bool], hook: str
) -> None:
    called = []

    class Handler(web.StaticFileHandler):
        def prepare(self) -> None:
            original = getattr(self, hook)

            def replacement(*args: Any, **kwargs: Any) -> Any:
                called.append(hook)
                return original(*args, **kwargs)

            setattr(self, hook, replacement)

    application = static_application(root, web.StaticFileHandler)
    fast = (await bytes_sent(application, STATIC_REQUESTS[0], STATIC_REQUESTS[0]))[1]
    assert static_paths == [False, True]
    replaced = web.Application([("/s/(.*)", Handler, {"path": str(root)})])  # the table of files is shared
    assert await bytes_sent(replaced, STATIC_REQUESTS[0]) == [fast]
    assert called
    assert static_paths == [False, True, False]


# -- server-sent events --


class Events(web.EventSourceHandler):
    """Sends the events of a channel, and ends."""

    channel: web.EventChannel

    def open(self) -> None:
        self.subscribe(self.channel)
        for number in range(3):
            _ = self.send_event(f"own {number}\nsecond line", id=str(number))
            self.channel.publish(f"shared {number}", event="tick")
        _ = self.finish()


SSE_REQUESTS = [f"GET / HTTP/1.1\r\n{_CLOSE}\r\n", "GET / HTTP/1.0\r\n\r\n"]
SSE_PATCHES = [(web.EventSourceHandler, "write"), (web.EventSourceHandler, "flush"), (BaseIOStream, "write")]


@pytest.mark.parametrize(("owner", "hook"), SSE_PATCHES)
async def test_event_streams_with_a_replaced_hook(
    owner: Any, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bypassing: list[bool] = []
    begin = EventStream.begin

    def recording(self: Any) -> None:
        begin(self)
        bypassing.append(self._bypasses_handler)

    monkeypatch.setattr(EventStream, "begin", recording)
    sent = []
    for replaced in (False, True):
        with monkeypatch.context() as patch:
            if replaced:
                patch.setattr(owner, hook, passing_through(getattr(owner, hook)))
            Events.channel = web.EventChannel()
            sent.append(await bytes_sent(web.Application([("/", Events)]), *SSE_REQUESTS))
    assert sent[0] == sent[1]
    assert sent[0][0].count(b"data: ") == 9
    assert bypassing == [True, True, False, False]
