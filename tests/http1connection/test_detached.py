"""The replacement of an exchange whose stream was detached."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import serving
from tornado import web
from tornado.http1connection._detached import DetachedConnection
from tornado.iostream import StreamClosedError


async def left_of(**options: Any) -> DetachedConnection:
    """Return the replacement of an exchange that a handler has detached."""
    found: list[Any] = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            connection: Any = self.request.connection
            stream = self.detach()
            found.append(connection._detached_connection())
            stream.close()

    async with serving(web.Application([("/", Handler)]), **options) as server:
        await server.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 4.5.6.7\r\n\r\n")
    (remains,) = found
    assert isinstance(remains, DetachedConnection)
    return remains


@pytest.mark.parametrize(("xheaders", "address"), [(False, "127.0.0.1"), (True, "4.5.6.7")])
async def test_detached_connection_keeps_context(xheaders: bool, address: str, tls: Any) -> None:
    remains = await left_of(xheaders=xheaders, tls=tls)
    assert remains.context.remote_ip == address
    assert remains.context.protocol == ("https" if tls else "http")
    assert remains.context is remains.context


async def test_operations_of_detached_connection_do_nothing_or_fail() -> None:
    remains = await left_of()
    assert remains.stream is None
    assert remains.params.chunk_size > 0
    for future in (remains.write_headers(None, None), remains.write(b"")):
        with pytest.raises(StreamClosedError):
            await future
    remains.set_close_callback(None)
    remains.finish()
    remains.close()
    assert remains.detach() is None  # type: ignore[func-returns-value]
