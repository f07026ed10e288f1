"""The lifespan of an application and the drain of a server, for objects that may have neither."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol, runtime_checkable

from tornado.httpserver import HTTPServer
from tornado.tcpserver import ServerDrain

_STEP = 0.01


@runtime_checkable
class _HasLifespan(Protocol):
    def run_lifespan(self) -> contextlib.AbstractAsyncContextManager[object]: ...


class _Result(Protocol):
    @property
    def clean(self) -> bool: ...


@runtime_checkable
class _CanDrain(Protocol):
    async def drain(self, grace: float) -> _Result: ...


def lifespan_of(application: object) -> contextlib.AbstractAsyncContextManager[object]:
    """Return the context manager that starts an application up and shuts it down; a WSGI application has "
    "none."""
    return application.run_lifespan() if isinstance(application, _HasLifespan) else contextlib.nullcontext()


async def drain(server: HTTPServer, grace: float) -> bool:
    """Stop a server without cutting requests off.

    :param grace: the maximum time for current requests, in seconds.
    :returns: whether all requests have ended normally.
    """
    if isinstance(server, _CanDrain):
        return (await server.drain(grace)).clean
    draining = ServerDrain(server)
    draining.start()
    server.stop()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    while (active := draining.active_connections()) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_STEP)
    await server.close_all_connections()
    return not active


__all__ = ["drain", "lifespan_of"]
