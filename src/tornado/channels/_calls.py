"""Calls: requests of a client that a method of the handler answers."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Coroutine
from typing import Any, Protocol

from tornado._loop.tasks import start_lazily
from tornado.channels._requests import Request, RequestError

#: The beginning of the names of the methods that clients may call.
PREFIX = "call_"


class _Hooks(Protocol):
    max_call_duration: float


async def execute(hooks: _Hooks, request: Request) -> Any:
    """Call the method of a request, and return its result.

    :raises RequestError: if there is no such method, or it takes too long.
    :raises TypeError: if JSON cannot represent the result.
    """
    method = getattr(hooks, PREFIX + request.method, None)
    if not callable(method):
        raise RequestError("not_found", f"there is no method {request.method!r}")
    result = method(request.data)
    if inspect.isawaitable(result):
        # `asyncio.timeout` would also report a TimeoutError of the method itself.
        limit = asyncio.timeout(hooks.max_call_duration)
        try:
            async with limit:
                result = await result
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"{request.method} has not ended within {hooks.max_call_duration:g} s"
            raise RequestError("timeout", text) from None
    json.dumps(result, allow_nan=False)  # raises an error before a part of the reply is written
    return result


class Calls:
    """The calls of one client that have not ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        """Execute a call in a task."""
        task = start_lazily(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel all calls, because the client has disconnected."""
        for task in list(self._tasks):
            task.cancel()


__all__ = ["PREFIX", "Calls", "execute"]
