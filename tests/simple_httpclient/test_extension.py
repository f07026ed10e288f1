"""Extensions of a fetch: added header fields, and requested hops."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from tests.support.client_server import Visit, answering, scripted
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, SimpleAsyncHTTPClient
from tornado.simple_httpclient._extension import MAX_FOLLOW_UPS, FollowUp

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNAUTHORIZED = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?"


class Login:
    """An extension that sends a password after a 401 response, and retries once after an error."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.errors: list[BaseException] = []
        self.codes: list[int] = []
        self.asked = False

    def prepare(self, request: HTTPRequest, target: str, headers: Any) -> None:
        if self.asked:
            headers["Authorization"] = f"Test {target}"

    def responded(self, request: HTTPRequest, head: Any) -> FollowUp | None:
        self.codes.append(head.code)
        self.asked = head.code == 401
        return FollowUp(copy.copy(request), self.delay) if self.asked else None

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        self.errors.append(error)
        return FollowUp(request, self.delay) if len(self.errors) == 1 else None


def make(extension: Login) -> SimpleAsyncHTTPClient:
    client = SimpleAsyncHTTPClient(force_instance=True)
    client.extensions.append(lambda request: extension if request.method != "HEAD" else None)
    return client


async def test_hop_after_a_response(loop_kind: str) -> None:
    def answer(request: Any) -> str:
        return OK if request.headers.get("authorization") == "Test /a?b" else UNAUTHORIZED

    async with scripted(answering(answer)) as server:
        login = Login()
        client = make(login)
        response = await client.fetch(f"{server.url}a?b", method="POST", body=b"x")
        assert (response.code, response.body) == (200, b"ok")
        assert [request.body for request in server.requests] == [b"x", b"x"]
        assert server.connections == 1
        assert login.codes == [401, 200]
        with pytest.raises(HTTPClientError, match="401"):
            await client.fetch(f"{server.url}a?b", method="HEAD")


async def test_hop_after_a_delay(clock: Any) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number > 1:
            visit.send(OK)

    async with scripted(script) as server:
        login = Login(delay=30)
        begin = clock.now
        assert (await make(login).fetch(server.url, request_timeout=5)).body == b"ok"
        assert clock.now - begin >= 30
        assert isinstance(login.errors[0], HTTPStreamClosedError)


async def test_fetch_that_is_cancelled_during_the_delay(clock: Any) -> None:
    async with scripted(UNAUTHORIZED) as server:
        client = make(Login(delay=30))
        fetch = client.fetch(server.url)
        while "DELAYED" not in repr(next(iter(client.active))):
            await asyncio.sleep(0)
        fetch.cancel()
        assert not client.active


async def test_hops_are_limited() -> None:
    async with scripted(UNAUTHORIZED) as server:
        with pytest.raises(HTTPClientError, match="401"):
            await make(Login()).fetch(server.url)
        assert len(server.requests) == MAX_FOLLOW_UPS + 1


async def test_error_that_is_not_retried() -> None:
    async with scripted("nonsense\r\n\r\n") as server:
        login = Login()
        with pytest.raises(HTTPStreamClosedError):
            await make(login).fetch(server.url)
        assert len(login.errors) == 2
        assert len(server.requests) == 2
