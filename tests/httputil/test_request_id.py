"""`HTTPServerRequest.id`."""

from __future__ import annotations

import os
import re

import pytest

from tests.support.server import serving
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.httputil._request_id import choose_id, new_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
NEW = re.compile(r"[0-9a-f]{32}")


def request_with(**fields: str) -> HTTPServerRequest:
    headers = HTTPHeaders({"Host": "localhost", **{k.replace("_", "-"): v for k, v in fields.items()}})
    return HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.1"), headers=headers)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"X_Request_Id": "abc-1.2:3"}, "abc-1.2:3"),
        ({"X_Request_Id": "abc", "Traceparent": PARENT}, "abc"),
        ({"Traceparent": PARENT}, TRACE),
        ({"Traceparent": f"01-{TRACE}-00f067aa0ba902b7-01-later"}, TRACE),
        ({"X_Request_Id": "two words", "Traceparent": PARENT}, TRACE),
    ],
)
def test_well_formed_identifier_of_a_proxy_is_used(fields: dict[str, str], expected: str) -> None:
    assert choose_id(request_with(**fields), from_proxy=True) == expected
    assert choose_id(request_with(**fields), from_proxy=False) != expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"X_Request_Id": ""},
        {"X_Request_Id": "a" * 129},
        {"X_Request_Id": 'a"b'},
        {"X_Request_Id": "a\tb"},
        {"Traceparent": f"ff-{TRACE}-00f067aa0ba902b7-01"},
        {"Traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"},
        {"Traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01-more"},
        {"Traceparent": PARENT.upper()},
    ],
)
def test_malformed_identifier_is_replaced(fields: dict[str, str]) -> None:
    assert NEW.fullmatch(choose_id(request_with(**fields), from_proxy=True))


def test_identifier_is_made_once_and_can_be_assigned() -> None:
    request = request_with()
    assert NEW.fullmatch(request.id)
    assert request.id == request.id != request_with().id
    request.id = "own"
    assert request.id == "own"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_process_makes_other_identifiers() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writer, new_id().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        other = file.read()
    os.waitpid(pid, 0)
    assert NEW.fullmatch(other)
    assert other != new_id()


class Identify(web.RequestHandler):
    def get(self) -> None:
        self.write(self.request.id)


async def test_identifier_is_taken_from_trusted_proxies_only() -> None:
    application = web.Application([("/", Identify)])
    async with serving(application) as server:
        assert (await server.fetch("/", "X-Request-Id: mine")).body != b"mine"
    async with serving(application, xheaders=True) as server:
        assert (await server.fetch("/", "X-Request-Id: mine")).body == b"mine"
    async with serving(application, trusted_proxies=["127.0.0.1"]) as server:
        assert (await server.fetch("/", "X-Request-Id: mine")).body == b"mine"
    async with serving(application, trusted_proxies=["192.0.2.1"]) as server:
        assert (await server.fetch("/", "X-Request-Id: mine")).body != b"mine"
