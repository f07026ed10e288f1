"""An ASGI server whose events a test controls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from tornado.asgi import ASGIAdapter

Event = dict[str, Any]


def http_scope(method: str = "GET", path: str = "/", **more: Any) -> dict[str, Any]:
    """Return the scope of a request; `more` replaces or adds keys, ``headers`` those of the request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"example.com")],
        "client": ("192.0.2.1", 1234),
        "server": ("127.0.0.1", 80),
        **more,
    }


class Call:
    """One call of an ASGI application: the test puts events, and takes those that the application sends.

    :ivar sendable: cleared by the test to make ``send`` wait, as for a client that does not read.
    """

    def __init__(self, application: Any, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.sendable = asyncio.Event()
        self.sendable.set()
        self._input: asyncio.Queue[Event] = asyncio.Queue()
        self._output: asyncio.Queue[Event] = asyncio.Queue()
        self.send_error: Exception | None = None
        #: How many events the application has received.
        self.received = 0
        self.task = asyncio.create_task(application(scope, self._receive, self._send))

    async def _receive(self) -> Event:
        event = await self._input.get()
        self.received += 1
        return event

    async def _send(self, event: Event) -> None:
        if self.send_error is not None:
            raise self.send_error
        self._output.put_nowait(dict(event))
        await self.sendable.wait()

    def put(self, kind: str, **values: Any) -> None:
        """Let the application receive an event."""
        self._input.put_nowait({"type": kind, **values})

    def body(self, data: bytes, more: bool = False) -> None:
        """Let the application receive a part of the body."""
        self.put("http.request", body=data, more_body=more)

    async def take(self) -> Event:
        """Return the next event that the application sends, or raise the exception that ended it.

        :raises EOFError: if the application has returned.
        """
        getter = asyncio.ensure_future(self._output.get())
        await asyncio.wait([getter, self.task], return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            return getter.result()
        getter.cancel()
        self.task.result()
        raise EOFError("the application has returned")

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, header fields and body of the response, after the application has returned.

        :raises EOFError: if the response is incomplete.
        """
        start = await self.take()
        body = b""
        while True:
            part = await self.take()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        await self.task
        return start["status"], {n.decode(): v.decode("latin-1") for n, v in start["headers"]}, body


@contextlib.asynccontextmanager
async def calls(adapter: ASGIAdapter) -> AsyncIterator[Callable[..., Call]]:
    """Yield a function that calls the adapter with a scope; calls that still run are cancelled at the end."""
    made: list[Call] = []

    def call(method: str = "GET", path: str = "/", body: bytes | None = b"", **more: Any) -> Call:
        """Call the adapter.

        :param body: the body; None if the test puts the events.
        """
        scope = more.pop("scope", None) or http_scope(method, path, **more)
        made.append(Call(adapter, scope))
        if body is not None:
            made[-1].body(body)
        return made[-1]

    try:
        yield call
    finally:
        for each in made:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in made), return_exceptions=True)


__all__ = ["Call", "calls", "http_scope"]
