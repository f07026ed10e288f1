"""The callbacks of a client request run inside the stack contexts of its fetch."""

from __future__ import annotations

import pytest

from tests.support.server import serving
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.stack_context import ExceptionStackContext
from tornado.web import Application, RequestHandler

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


@pytest.mark.parametrize("name", ["streaming_callback", "header_callback"])
@pytest.mark.parametrize("whole", [False, True])
async def test_callback_exception_is_passed_to_exception_handler(name: str, whole: bool) -> None:
    seen, calls = [], []

    def fail(received: object) -> None:
        calls.append(received)
        raise ValueError("in the callback")

    async with serving(Application([("/", Hello)])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        with ExceptionStackContext(lambda kind, error, trace: seen.append(str(error)) or True):
            if whole:
                future = AsyncHTTPClient().fetch(HTTPRequest(url, **{name: fail}))
            else:
                future = AsyncHTTPClient().fetch(url, **{name: fail})
        response = await future
    assert response.code == 200
    assert seen == ["in the callback"] * len(calls)
    assert calls
