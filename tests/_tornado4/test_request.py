"""``request.write`` and ``request.finish``: a server whose application is a function."""

from __future__ import annotations

import pytest

from tests.support.server import serving


async def test_function_as_application():
    seen = []

    def handle(request):
        body = f"You requested {request.uri}\n".encode()
        with pytest.warns(
            DeprecationWarning, match=r"HTTPServerRequest.write\(\) is in the deprecated style of Tornado 4"
        ):
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        with pytest.warns(DeprecationWarning, match=r"supports_http_1_1") as caught:
            seen.append(request.supports_http_1_1())
        assert caught[0].filename == __file__
        with pytest.warns(DeprecationWarning, match=r"write\(\)"):
            request.write(body)
        with pytest.warns(DeprecationWarning, match=r"finish\(\)"):
            request.finish()
        seen.append(request.request_time())

    async with serving(handle) as server:
        response = await server.fetch("/here?x=1")
    assert (response.code, response.body) == (200, b"You requested /here?x=1\n")
    assert seen[0] is True
    assert seen[1] >= 0
