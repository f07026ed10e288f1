"""Tests of `WebSocketHandler`: methods to override and methods to call."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import Any
from unittest import mock

import pytest

from tests.support.references import gc_disabled
from tests.support.server import ExpectLog, Peer, Response, raised, serving
from tests.support.streams import run_loop_iterations
from tests.support.web import wrap_execute
from tests.support.websocket import END, FIELDS, Recorder, dial, opened
from tests.support.websocket_internals import traffic
from tornado import httputil, web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13


async def refused(handler: Any, tls: Any, *fields: str, **settings: Any) -> Response:
    """Return the response to a handshake."""
    async with serving(web.Application([("/", handler)], **settings), tls=tls) as server:
        return await server.fetch("/", *(fields or FIELDS))


# -- sending --


async def test_dict_is_sent_as_json(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(open=lambda self: self.write_message({"a": ["é", 1]}) and None)
    async with opened(handler, tls=tls) as client:
        assert json.loads(await client.event()) == {"a": ["é", 1]}


async def test_text_as_bytes(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(open=lambda self: self.write_message("é".encode()) and None)
    async with opened(handler, tls=tls) as client:
        assert await client.event() == "é"


async def test_is_closing_of_test_double_is_called() -> None:
    """The tests of jupyter_server replace the connection by a mock whose other attributes are all true."""
    request = httputil.HTTPServerRequest(
        start_line=httputil.RequestStartLine("GET", "/", "HTTP/1.0"), connection=mock.MagicMock()
    )
    handler = WebSocketHandler(web.Application(), request)
    connection: Any = mock.MagicMock()
    handler.ws_connection = connection
    connection.is_closing.return_value = False
    handler.write_message({"a": 1})
    connection.write_message.assert_called_once_with('{"a": 1}', False)
    connection.is_closing.return_value = True
    with pytest.raises(WebSocketClosedError):
        handler.write_message("late")


@pytest.mark.parametrize("message", [None, 1, ["a"], bytearray(b"x")])
async def test_invalid_message_type(loop_kind: str, tls: Any, message: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        with pytest.raises(TypeError, match=f"got {type(message).__name__}$"):
            handler.latest.write_message(message)


async def test_pings_and_pongs_are_exchanged(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(open=lambda self: self.ping("text"))
    async with opened(handler, tls=tls) as client:
        assert await client.event() == ws_connection.Ping(b"text")
        client.peer.send(client.core.pong(b"text"))
        client.peer.send(client.core.ping(b"mine"))
        assert await client.event() == ws_connection.Pong(b"mine")
        await handler.until(("ping", b"mine"))
    assert handler.happened[:2] == [("pong", b"text"), ("ping", b"mine")]


async def test_too_long_ping_is_rejected(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        with pytest.raises(ValueError, match="125 bytes"):
            handler.latest.ping(b"x" * 126)


async def test_methods_of_closed_connection_raise(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.close(1000)
        await handler.until(("close", 1000, None))
        closed = handler.latest
        for call in (lambda: closed.write_message("x"), lambda: closed.ping(b"")):
            with pytest.raises(WebSocketClosedError):
                call()
        closed.close()  # has no effect
        with pytest.raises(AssertionError):
            closed.set_nodelay(True)
        with pytest.raises(AssertionError):
            _ = closed.selected_subprotocol


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ws_connection.Close(None, "")),
        ((4000,), ws_connection.Close(4000, "")),
        ((None, "why"), ws_connection.Close(1000, "why")),
        ((1001, "é" * 100), ws_connection.Close(1001, "é" * 61)),
        ((1005,), ws_connection.Close(None, "")),
        ((1006, None), ws_connection.Close(None, "")),
    ],
)
async def test_close_sends_code_and_reason(
    loop_kind: str, tls: Any, arguments: Any, expected: ws_connection.Close
) -> None:
    handler = Recorder.new(open=lambda self: self.close(*arguments))
    async with opened(handler, tls=tls) as client:
        assert await client.event() == expected


@pytest.mark.parametrize("code", [0, 999, 1004, 2999, 5000])
async def test_invalid_close_code_is_rejected(loop_kind: str, tls: Any, code: int) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        with pytest.raises(ValueError, match=f"close code must be .*, got {code}$"):
            handler.latest.close(code)
        client.send("still open")
        await handler.until("still open")


async def test_set_nodelay_sets_the_socket_option(loop_kind: str, tls: Any) -> None:
    import socket

    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        for value in (False, True):
            handler.latest.set_nodelay(value)
            stream = handler.latest.ws_connection.stream
            assert bool(stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is value


# -- the handshake, and the request after it --


async def test_route_groups_are_passed_to_open(loop_kind: str, tls: Any) -> None:
    def open_(self: Any, *args: str, **kwargs: str) -> None:
        self.note((args, kwargs, self.open_args, self.open_kwargs))

    handler = Recorder.new(open=open_)
    routes = [(r"/a/(\d+)/(.*)", handler), (r"/b/(?P<name>.*)", handler)]
    async with serving(web.Application(routes), tls=tls) as server:
        await dial(server, "/a/1/x%20y")
        await dial(server, "/b/z")
    assert [each for each in handler.happened if type(each[0]) is tuple] == [
        (("1", "x y"), {}, ("1", "x y"), {}),
        ((), {"name": "z"}, (), {"name": "z"}),
    ]


async def test_request_can_be_read_after_the_handshake(loop_kind: str, tls: Any) -> None:
    def read(self: Any, message: str) -> None:
        request = self.request
        self.note(
            (
                self.get_argument("a"),
                self.get_cookie("c"),
                request.headers["X-Field"],
                request.remote_ip,
                request.protocol,
                request.full_url().partition("://")[2],
                request.connection.stream,
                request.connection.context.remote_ip,
            )
        )

    handler = Recorder.new(on_message=read)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, "/?a=b", "Cookie: c=d", "X-Field: e")
        client.send("")
        protocol = "https" if tls else "http"
        expected = ("b", "d", "e", "127.0.0.1", protocol, "localhost/?a=b", None, "127.0.0.1")
        await handler.until(expected)


async def test_addresses_from_proxy_headers_are_kept(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=lambda self, message: self.note(self.request.remote_ip))
    async with serving(web.Application([("/", handler)]), tls=tls, xheaders=True) as server:
        client = await dial(server, "/", "X-Real-Ip: 4.5.6.7")
        client.send("")
        await handler.until("4.5.6.7")


async def test_header_fields_changed_by_program_are_kept(loop_kind: str, tls: Any) -> None:
    def prepare(self: Any) -> None:
        self.request.headers["X-Mine"] = "set"

    handler = Recorder.new(
        prepare=prepare, on_message=lambda self, message: self.note(self.request.headers.get("X-Mine"))
    )
    async with opened(handler, tls=tls) as client:
        client.send("")
        await handler.until("set")


async def test_headers_and_cookies_of_prepare_are_sent_with_the_101(loop_kind: str, tls: Any) -> None:
    def prepare(self: Any) -> None:
        self.set_header("X-A", "b")
        self.set_cookie("k", "v")

    async with opened(Recorder.new(prepare=prepare), tls=tls) as client:
        response = client.response
        assert response.get("X-A") == "b"
        assert response.get("Set-Cookie") == "k=v; Path=/"
        assert response.get("Sec-WebSocket-Accept") == "ICX+Yqv66kxgM0FcWaLWlFLwTAI="
        assert response.get("Content-Type") is None
        assert response.get("Content-Length") is None


async def test_prepare_may_reject_the_request(loop_kind: str, tls: Any) -> None:
    async def prepare(self: Any) -> None:
        await asyncio.sleep(0)
        raise web.HTTPError(401)

    handler = Recorder.new(prepare=prepare)
    assert (await refused(handler, tls)).code == 401
    assert handler.happened == []


async def test_request_is_logged_and_finished_after_the_handshake(loop_kind: str, tls: Any) -> None:
    lines: list[int] = []
    handler = Recorder.new(on_finish=lambda self: self.note("finished"))
    settings = {"log_function": lambda handler: lines.append(handler.get_status())}
    async with opened(handler, tls=tls, **settings) as client:
        client.close()
        await handler.until(("close", None, None))
    assert handler.happened == ["finished", "open", ("close", None, None)]
    assert lines == [101]


@pytest.mark.parametrize("name", ["write", "redirect", "set_header", "set_cookie", "set_status"])
async def test_response_methods_raise_after_the_handshake(loop_kind: str, tls: Any, name: str) -> None:
    arguments: Any = {"set_header": ("a", "b"), "set_cookie": ("a", "b"), "set_status": (200,)}
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        with pytest.raises(RuntimeError, match=rf"{name}\(\): Method not supported for Web Sockets"):
            getattr(handler.latest, name)(*arguments.get(name, ("x",)))
        for method in ("flush", "finish"):
            with pytest.raises(RuntimeError, match="not supported for Web Sockets"):
                getattr(handler.latest, method)()


async def test_methods_of_mixin_are_called(loop_kind: str, tls: Any) -> None:
    class Careful(web.RequestHandler):
        def set_header(self, name: str, value: Any) -> None:
            super().set_header(name, f"{value}!" if name == "X-A" else value)

    class Both(Recorder, Careful):
        def prepare(self) -> None:
            self.set_header("X-A", "b")

    async with opened(Both.new(), tls=tls) as client:
        assert client.response.get("X-A") == "b!"


# -- overridden get --


@pytest.mark.parametrize("kind", ["awaits", "returns", "authenticated"])
async def test_get_may_be_overridden(loop_kind: str, tls: Any, kind: str) -> None:
    class Base(Recorder):
        pass

    if kind == "awaits":

        async def get(self: Any, *args: Any, **kwargs: Any) -> None:
            self.note("before")
            await asyncio.sleep(0)
            await super(Base, self).get(*args, **kwargs)
            self.note("after")

    else:

        def get(self: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
            self.note("before")
            return super(Base, self).get(*args, **kwargs)

    if kind == "authenticated":
        get = web.authenticated(get)
    handler = Base.new(get=get, get_current_user=lambda self: "me")
    async with opened(handler, tls=tls) as client:
        client.send("message")
        await handler.until("message")
        assert handler.happened == ["before", "open", "message"]
        client.close(1000)
        assert await client.events() == [ws_connection.Close(1000, "")]
        await handler.until(("close", 1000, None))
        await run_loop_iterations()
    # As in Tornado, an awaiting method resumes when the connection is closed.
    assert ("after" in handler.happened) is (kind == "awaits")


async def test_open_connection_has_no_task(loop_kind: str, tls: Any) -> None:
    async def prepare(self: Any) -> None:
        await asyncio.sleep(0)

    for members in ({}, {"prepare": prepare}):
        handler = Recorder.new(**members)
        async with opened(handler, tls=tls) as client:
            client.send("message")
            await handler.until("message")
            await run_loop_iterations(5)
            running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert running == []


async def test_wrapped_execute_is_called(loop_kind: str, tls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def wrapped(execute: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(type(self).__name__)
        await execute(self, *args, **kwargs)

    wrap_execute(monkeypatch, wrapped)
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.send("message")
        await handler.until("message")
    assert seen == ["Handler"]


async def test_overridden_get_responds_to_other_requests(loop_kind: str, tls: Any) -> None:
    async def get(self: Any, *args: Any) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            self.finish("a page")
        else:
            await WebSocketHandler.get(self, *args)

    handler = Recorder.new(get=get)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        assert (await server.fetch("/")).body == b"a page"
        client = await dial(server)
        client.send("message")
        await handler.until("message")


async def test_disconnect_before_the_handshake(loop_kind: str, tls: Any) -> None:
    """`on_connection_close` is called as for any request; `on_close` is not: no WebSocket was open."""
    gate = asyncio.Event()

    async def prepare(self: Any) -> None:
        self.note("preparing")
        await gate.wait()
        self.note("prepared")

    def on_connection_close(self: Any) -> Any:
        self.note("gone")
        return Recorder.on_connection_close(self)

    handler = Recorder.new(prepare=prepare, on_connection_close=on_connection_close)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        peer: Peer = await server.connect()
        peer.get("/", *FIELDS)
        await handler.until("preparing")
        peer.writer.transport.abort()
        await handler.until("gone")
        assert handler.happened == ["preparing", "gone"]
        gate.set()
        await handler.until("prepared")
        await run_loop_iterations(5)
    assert ("close", None, None) not in handler.happened or "open" in handler.happened


async def test_on_close_is_called_once_after_on_connection_close(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=lambda self, message: self.on_connection_close())
    async with opened(handler, tls=tls) as client:
        client.send("message")
        assert await client.event() is END
        await run_loop_iterations(5)
    assert handler.happened == ["open", ("close", None, None)]


# -- subprotocols --


async def test_selected_subprotocol_is_sent_to_the_client(loop_kind: str, tls: Any) -> None:
    def select(self: Any, offered: list[str]) -> str | None:
        self.note(offered)
        return "b" if "b" in offered else None

    handler = Recorder.new(
        select_subprotocol=select, on_message=lambda self, message: self.note(self.selected_subprotocol)
    )
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, "/", "Sec-WebSocket-Protocol: a, b, c")
        assert client.response.get("Sec-WebSocket-Protocol") == "b"
        client.send("")
        await handler.until("b")
        client = await dial(server, "/", "Sec-WebSocket-Protocol: x")
        assert client.response.get("Sec-WebSocket-Protocol") is None
        client = await dial(server)
        client.send("")
        await handler.until(None)
    assert [each for each in handler.happened if type(each) is list] == [["a", "b", "c"], ["x"], []]


async def test_subprotocol_without_offer_is_an_error(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    handler = Recorder.new(select_subprotocol=lambda self, offered: "mine")
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await refused(handler, tls)).code == 500
    assert "got 'mine'" in str(raised(expected))


# -- compression --


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, None),
        ({}, "permessage-deflate"),
        ({"server_no_context_takeover": True}, "permessage-deflate; server_no_context_takeover"),
        (
            {"server_max_window_bits": 11, "client_max_window_bits": 10, "mem_level": 4},
            "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10",
        ),
    ],
)
async def test_compression_options_determine_the_response(
    loop_kind: str, tls: Any, options: Any, expected: str | None
) -> None:
    handler = Recorder.new(get_compression_options=lambda self: options)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        assert client.response.get("Sec-WebSocket-Extensions") == expected


async def test_messages_below_the_threshold_are_not_compressed(loop_kind: str, tls: Any) -> None:
    def open_(self: Any) -> None:
        for size in (99, 100):
            self.write_message("x" * size)
            self.note(traffic(self.ws_connection).wire_bytes_out)

    handler = Recorder.new(get_compression_options=lambda self: {"threshold": 100}, open=open_)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        assert [await client.event(), await client.event()] == ["x" * 99, "x" * 100]
    plain, both = handler.happened[:2]
    assert plain == 2 + 99
    assert both - plain < 20


async def test_compression_option_out_of_range(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    handler = Recorder.new(get_compression_options=lambda self: {"compression_level": 10})
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await refused(handler, tls)).code == 500
    assert "between -1 and 9, got 10" in str(raised(expected))


# -- settings and properties --


async def test_settings_are_defaults_of_properties(loop_kind: str, tls: Any) -> None:
    settings = {
        "websocket_ping_interval": 30,
        "websocket_ping_timeout": 10,
        "websocket_max_message_size": 5,
        "websocket_write_limit": 7,
    }
    handler = Recorder.new(ping_timeout=20)
    async with opened(handler, tls=tls, **settings):
        await handler.until("open")
        assert handler.latest.max_message_size == 5
        connection = handler.latest.ws_connection
        assert (connection.ping_interval, connection.ping_timeout) == (30, 20)
        assert connection.params.limits.max_message_size == 5
        assert connection.params.write_limit == 7


async def test_messages_at_and_over_the_size_limit(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_max_message_size=1000) as client:
        client.send(b"x" * 1000, b"x" * 1001)
        event = await client.event()
        assert event == ws_connection.Close(1009, "message too big")
    assert handler.happened[1] == b"x" * 1000


@pytest.mark.parametrize(("options", "code"), [({}, 1000), ({"protection": "public"}, 1009)])
async def test_inflation_ratio_of_server_applies_to_messages(
    loop_kind: str, tls: Any, options: dict[str, str], code: int
) -> None:
    handler = Recorder.new(get_compression_options=lambda self: {})
    async with serving(web.Application([("/", handler)]), tls=tls, **options) as server:
        client = await dial(server, policy=DeflatePolicy())
        client.send(bytes(2**21))
        client.close(1000)
        assert (await client.event()).code == code


async def test_invalid_limit_is_reported(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await refused(Recorder.new(), tls, websocket_max_message_size=0)).code == 500
    assert "websocket_max_message_size must be a positive number of bytes, got 0" in str(raised(expected))


async def test_missing_on_message_is_an_error(loop_kind: str, tls: Any, expect_log: ExpectLog) -> None:
    class Silent(WebSocketHandler):
        pass

    with expect_log("tornado.application", "Uncaught exception") as expected:
        async with opened(Silent, tls=tls) as client:
            client.send("x")
            assert await client.event() == ws_connection.Close(1011, "")
    assert "Silent must define on_message()" in str(raised(expected))


# -- origins --

HOST = "Host: here.example:8000"


def _allow(self: Any, origin: str) -> bool:
    self.note(origin)
    return True


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ((), 101),
        (("Origin: http://here.example:8000",), 101),
        (("Origin: https://HERE.example:8000",), 101),
        (("Origin: http://here.example",), 403),
        (("Origin: http://elsewhere.example",), 403),
        (("Origin: null",), 403),
        (("Origin: ",), 403),
        (("Sec-Fetch-Site: ",), 403),
        (("Sec-WebSocket-Origin: http://elsewhere.example",), 403),
        (("Origin: http://[broken",), 403),
        (("Origin: https://friend.example",), 101),
        (("Sec-Fetch-Site: same-origin", "Origin: http://proxied.example"), 101),
        (("Sec-Fetch-Site: cross-site", "Origin: http://here.example:8000"), 403),
        (("Sec-Fetch-Site: same-site", "Origin: http://here.example:8000"), 403),
        (("Sec-Fetch-Site: cross-site",), 403),
        (("Sec-Fetch-Site: cross-site", "Origin: https://friend.example"), 101),
    ],
)
async def test_only_own_and_trusted_origins_are_accepted(
    loop_kind: str, tls: Any, fields: tuple[str, ...], code: int
) -> None:
    handler = Recorder.new()
    settings = {"trusted_origins": ["https://friend.example"]}
    assert (await refused(handler, tls, *FIELDS, HOST, *fields, **settings)).code == code
    assert ("open" in handler.happened) is (code == 101)


async def test_check_origin_may_allow_other_origins(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(check_origin=_allow)
    assert (await refused(handler, tls, *FIELDS, HOST, "Origin: http://any.example")).code == 101
    assert handler.happened[0] == "http://any.example"


# -- the protocol object --


async def test_custom_protocol_class(loop_kind: str, tls: Any) -> None:
    class Loud(WebSocketProtocol13):
        def write_message(self, message: str | bytes, binary: bool = False) -> Any:
            return super().write_message(message.upper(), binary)

    handler = Recorder.new(
        get_websocket_protocol=lambda self: Loud(self, False, self._params()),
        on_message=lambda self, message: self.write_message(message),
    )
    async with opened(handler, tls=tls) as client:
        client.send("hello")
        assert await client.event() == "HELLO"


async def test_custom_accept_connection(loop_kind: str, tls: Any) -> None:
    class Counting(WebSocketProtocol13):
        accepted = 0

        async def accept_connection(self, handler: Any) -> None:
            Counting.accepted += 1
            await super().accept_connection(handler)

    handler = Recorder.new(get_websocket_protocol=lambda self: Counting(self, False, self._params()))
    async with opened(handler, tls=tls) as client:
        client.send("hello")
        await handler.until("hello")
    assert Counting.accepted == 1


async def test_missing_protocol_responds_with_426(loop_kind: str, tls: Any) -> None:
    response = await refused(Recorder.new(get_websocket_protocol=lambda self: None), tls)
    assert response.code == 426
    assert response.get("Sec-WebSocket-Version") == "13, 8, 7"


async def test_handlers_are_freed_with_their_connection(loop_kind: str, tls: Any) -> None:
    class Plain(WebSocketHandler):
        references: list[Any] = []

        def open(self) -> None:
            self.references += [weakref.ref(self), weakref.ref(self.ws_connection), weakref.ref(self.request)]

        def on_message(self, message: str | bytes) -> None:
            self.write_message(message)

    with gc_disabled():
        async with opened(Plain, tls=tls) as client:
            client.send("x")
            assert await client.event() == "x"
            client.close(1000)
            assert await client.events() == [ws_connection.Close(1000, "")]
            await run_loop_iterations(5)
        assert [reference() for reference in Plain.references] == [None, None, None]


async def test_on_close_called_is_shown_and_may_be_assigned() -> None:
    """The name is Tornado's; programs read it, and assign it to suppress `on_close`."""
    handler = Recorder.new(open=lambda self: seen.append(self))
    seen: list[Any] = []
    async with opened(handler) as client:
        client.send("x")
        await handler.until("x")
        assert not seen[0]._on_close_called
        seen[0]._on_close_called = True
        assert seen[0]._on_close_called
        seen[0]._on_close_called = False
        client.close(1000)
        assert await client.event() == ws_connection.Close(1000, "")
        await handler.until(("close", 1000, None))
        assert seen[0]._on_close_called
