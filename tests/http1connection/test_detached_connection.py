"""`DetachedConnection`: the object that replaces an exchange after a handler has detached its stream."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import serving
from tornado import web
from tornado.http1connection._detached_connection import DetachedConnection
from tornado.iostream import StreamClosedError


async def detach_exchange(**options: Any) -> DetachedConnection:
    """Serve a handler that detaches its stream; return the object that then replaces the exchange."""
    found: list[Any] = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            connection: Any = self.request.connection
            stream = self.detach()
            found.append(connection.detached_connection())
            stream.close()

    async with serving(web.Application([("/", Handler)]), **options) as server:
        await server.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 4.5.6.7\r\n\r\n")
    (detached,) = found
    assert isinstance(detached, DetachedConnection)
    return detached


@pytest.mark.parametrize(("xheaders", "address"), [(False, "127.0.0.1"), (True, "4.5.6.7")])
async def test_detached_connection_keeps_context(xheaders: bool, address: str, tls: Any) -> None:
    detached = await detach_exchange(xheaders=xheaders, tls=tls)
    assert detached.context.remote_ip == address
    assert detached.context.protocol == ("https" if tls else "http")
    assert detached.context is detached.context


async def test_operations_of_detached_connection_do_nothing_or_fail() -> None:
    detached = await detach_exchange()
    assert detached.stream is None
    assert detached.params.chunk_size > 0
    for future in (detached.write_headers(None, None), detached.write(b"")):
        with pytest.raises(StreamClosedError):
            await future
    detached.set_close_callback(None)
    detached.finish()
    detached.close()
    assert detached.detach() is None  # type: ignore[func-returns-value]
