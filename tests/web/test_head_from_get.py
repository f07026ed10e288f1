"""HEAD requests handled by ``get`` (the setting ``head_from_get``)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import handler_of, serving
from tests.support.web import is_unimplemented
from tornado import web, websocket

WEBSOCKET_FIELDS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def plain(self: Any) -> None:
    self.set_header("X-Own", "1")
    self.set_cookie("a", "b")
    self.write("body " * 300)


async def waiting(self: Any) -> None:
    plain(self)


def flushed(self: Any) -> None:
    self.write("body")
    self.flush()
    self.write("more")


def redirect(self: Any) -> None:
    self.redirect("/elsewhere")


METHODS = [plain, waiting, flushed, redirect]


@pytest.mark.parametrize("get", METHODS)
@pytest.mark.parametrize("compressed", [False, True])
async def test_head_has_the_headers_of_get_and_no_body(get: Any, compressed: bool) -> None:
    application = web.Application(
        [("/", handler_of(get=get))], head_from_get=True, compress_response=compressed
    )
    async with serving(application) as server:
        peer = await server.connect()
        fields = ("Accept-Encoding: gzip",) if compressed else ()
        for _ in range(2):  # on a kept-alive connection
            head = await peer.fetch("/", *fields, method="HEAD")
            got = await peer.fetch("/", *fields)
            assert head.code == got.code
            assert [field for field in head.headers if field[0] != "date"] == [
                field for field in got.headers if field[0] != "date"
            ]


async def test_head_with_matching_entity_tag_returns_304() -> None:
    application = web.Application([("/", handler_of(get=plain))], head_from_get=True)
    async with serving(application) as server:
        etag = (await server.fetch("/")).get("etag")
        assert (await server.fetch("/", f"If-None-Match: {etag}", method="HEAD")).code == 304


@pytest.mark.parametrize(
    ("setting", "attribute", "code"),
    [
        (None, None, 405),
        (False, None, 405),
        (True, None, 200),
        (True, False, 405),
        (False, True, 200),
        (None, True, 200),
    ],
)
async def test_attribute_overrides_setting(setting: Any, attribute: Any, code: int) -> None:
    settings = {} if setting is None else {"head_from_get": setting}
    handler = handler_of(get=plain, head_from_get=attribute)
    async with serving(web.Application([("/", handler)], **settings)) as server:
        response = await server.fetch("/", method="HEAD")
        assert response.code == code
        response = await server.fetch("/", method="DELETE")
        assert (response.code, response.get("allow")) == (405, "GET, HEAD" if code == 200 else "GET")


async def test_head_method_of_the_class_is_called() -> None:
    def head(self: Any) -> None:
        self.set_status(204)

    handler = handler_of(get=plain, head=head)
    async with serving(web.Application([("/", handler)], head_from_get=True)) as server:
        assert (await server.fetch("/", method="HEAD")).code == 204


async def test_handler_without_get_rejects_head() -> None:
    handler = handler_of(post=plain)
    async with serving(web.Application([("/", handler)], head_from_get=True)) as server:
        response = await server.fetch("/", method="HEAD")
        assert (response.code, response.get("allow")) == (405, "POST")


async def test_arguments_of_the_route_are_passed_to_get() -> None:
    def get(self: Any, first: str, *, name: str = "") -> None:
        self.set_header("X-Groups", first + name)

    routes = [("/(a)", handler_of(get=get)), ("/named/(?P<first>b)", handler_of(get=get))]
    async with serving(web.Application(routes, head_from_get=True)) as server:
        assert (await server.fetch("/a", method="HEAD")).get("x-groups") == "a"
        assert (await server.fetch("/named/b", method="HEAD")).get("x-groups") == "b"


async def test_websockets_and_event_streams_reject_head() -> None:
    routes = [("/socket", websocket.WebSocketHandler), ("/events", web.EventSourceHandler)]
    async with serving(web.Application(routes, head_from_get=True)) as server:
        for path in ("/socket", "/events"):
            response = await server.fetch(path, *WEBSOCKET_FIELDS, method="HEAD")
            assert (response.code, response.get("allow")) == (405, "GET")


def test_jupyter_still_finds_unimplemented_methods() -> None:
    """Jupyter's audit compares each method with `RequestHandler._unimplemented_method`."""
    handler = handler_of(get=plain)
    assert is_unimplemented(handler.head)
