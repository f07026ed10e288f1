"""``max_body_size``, ``max_form_size`` and ``body_timeout`` of a handler class."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from tests.support.server import handler_of, serving
from tornado import web
from tornado.web._input import _body_limits

OVER = "413 POST / .*: a body of 11 bytes is larger than Handler.max_body_size"


def size(self):
    self.write(str(len(self.request.body)))


def application(**members):
    return web.Application([("/plain", handler_of(post=size)), ("/.*", handler_of(post=size, **members))])


@pytest.mark.parametrize(
    ("limit", "sent", "code"),
    [(10, 10, 200), (10, 11, 413), (5000, 5000, 200), (5000, 5001, 413), (0, 1, 413)],
)
async def test_limit_of_a_class_replaces_the_servers_limit(limit, sent, code, expect_log):
    over = rf"413 POST / .*: a body of {sent} bytes is larger than Handler.max_body_size \({limit} bytes\)"
    async with serving(application(max_body_size=limit), max_body_size=1000) as server:
        with expect_log("tornado.general", over, required=code == 413):
            response = await server.fetch("/", method="POST", body=bytes(sent))
        assert response.code == code
        if code == 200:
            assert response.body == str(sent).encode()
        assert (await server.fetch("/plain", method="POST", body=bytes(1000))).code == 200
        assert (await server.fetch("/plain", method="POST", body=bytes(1001))).code == 413


@pytest.mark.parametrize(("sent", "code"), [(10, 200), (11, 413)])
async def test_limit_applies_to_chunked_body(sent, code, expect_log):
    async with serving(application(max_body_size=10)) as server:
        peer = await server.connect()
        peer.get("/", "Transfer-Encoding: chunked", method="POST")
        for _ in range(sent):
            peer.send(b"1\r\nx\r\n")
        peer.send(b"0\r\n\r\n")
        with expect_log(
            "tornado.general", "413 .*: the body is larger than Handler.max", required=code == 413
        ):
            assert (await peer.response()).code == code


@pytest.mark.parametrize(("sent", "code"), [(10, 100), (11, 413)])
async def test_expect_continue_is_answered_with_413(sent, code, expect_log):
    async with serving(application(max_body_size=10)) as server:
        peer = await server.connect()
        peer.get("/", "Expect: 100-continue", f"Content-Length: {sent}", method="POST")
        with expect_log("tornado.general", OVER, required=code == 413):
            assert (await peer.response()).code == code
        if code == 100:
            peer.send(bytes(sent))
            assert (await peer.response()).body == b"10"


async def test_request_without_body_is_not_affected():
    async with serving(application(max_body_size=0, get=lambda self: self.write("got"))) as server:
        assert (await server.fetch("/")).body == b"got"


async def test_limits_apply_with_overridden_find_handler(expect_log):
    class Own(web.Application):
        def find_handler(self, request, **kwargs):
            return super().find_handler(request, **kwargs)

    async with serving(Own([("/.*", handler_of(post=size, max_body_size=10))])) as server:
        assert (await server.fetch("/", method="POST", body=bytes(10))).code == 200
        with expect_log("tornado.general", OVER):
            assert (await server.fetch("/", method="POST", body=bytes(11))).code == 413


async def test_prepare_of_streaming_handler_may_change_limits(expect_log):
    @web.stream_request_body
    class Streaming(web.RequestHandler):
        max_body_size = 10

        def prepare(self):
            self.received = 0
            if self.request.path == "/more":
                self.max_body_size = 20

        def data_received(self, chunk):
            self.received += len(chunk)

        def post(self):
            self.write(str(self.received))

    async with serving(web.Application([("/.*", Streaming)])) as server:
        with expect_log("tornado.general", r"11 bytes is larger than Streaming.max_body_size \(10 bytes\)"):
            assert (await server.fetch("/", method="POST", body=bytes(11))).code == 413
        assert (await server.fetch("/more", method="POST", body=bytes(20))).body == b"20"
        with expect_log("tornado.general", r"21 bytes is larger than Streaming.max_body_size \(20 bytes\)"):
            assert (await server.fetch("/more", method="POST", body=bytes(21))).code == 413


async def test_body_timeout_closes_the_connection():
    async with serving(application(body_timeout=0.05)) as server:
        peer = await server.connect()
        peer.get("/", "Content-Length: 10", method="POST")
        peer.send(b"12345")
        assert await peer.rest() == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_body_size", "10MB"),
        ("max_body_size", True),
        ("max_body_size", 1.5),
        ("max_body_size", -1),
        ("body_timeout", "1s"),
        ("body_timeout", -0.1),
        ("body_timeout", float("nan")),
    ],
)
async def test_invalid_value_is_reported_once_and_ignored(expect_log, name, value):
    """The request succeeds, because an existing program may use the attribute for another purpose."""
    async with serving(application(**{name: value})) as server:
        with expect_log("tornado.application", rf"Handler\.{name} is ignored"):
            assert (await server.fetch("/", method="POST", body=bytes(10))).body == b"10"
        assert (await server.fetch("/", method="POST", body=bytes(10))).body == b"10"


def test_properties_and_methods_are_ignored():
    cls = handler_of(max_body_size=property(lambda self: 3), body_timeout=lambda self: 3)
    connection = Mock()
    _body_limits.apply(cls, connection)
    assert connection.mock_calls == []


FORM = "Content-Type: application/x-www-form-urlencoded"


def ask_for_an_argument(self):
    self.write(self.get_argument("a"))


@pytest.mark.parametrize(
    ("server_options", "own", "limit"),
    [
        ({"max_form_size": 10}, None, 10),
        ({"max_form_size": 10}, 12, 12),
        ({"max_form_size": 10}, 8, 8),
        ({}, 8, 8),
        ({"protection": "public"}, None, 1024 * 1024),
    ],
)
async def test_max_form_size(server_options, own, limit, expect_log):
    members = {} if own is None else {"max_form_size": own}
    routes = [("/asks", handler_of(post=ask_for_an_argument, **members)), ("/", handler_of(post=size))]
    async with serving(web.Application(routes), **server_options) as server:
        body = b"a=" + b"x" * (limit - 2)
        assert (await server.fetch("/asks", FORM, method="POST", body=body)).body == body[2:]
        body += b"x"
        over = rf"413 POST /asks .*a form of {limit + 1} bytes is larger than max_form_size \({limit} bytes\)"
        with expect_log("tornado.general", over):
            response = await server.fetch("/asks", FORM, method="POST", body=body)
        assert response.code == 413
        assert b"max_form_size" in response.body
        assert (await server.fetch("/", FORM, method="POST", body=body)).body == b"%d" % len(body)


async def test_invalid_max_form_size_is_reported(expect_log):
    application = web.Application([("/", handler_of(post=ask_for_an_argument, max_form_size="2M"))])
    async with serving(application) as server:
        with expect_log("tornado.application", "Handler.max_form_size is ignored.*'2M'"):
            assert (await server.fetch("/", FORM, method="POST", body=b"a=1")).body == b"1"
