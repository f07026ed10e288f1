"""The Task in which a request is dispatched where a server's `start_request` is not ours.

Upstream calls `start_request` and the message delegate in a Task of the connection. Agents that wrap
`.HTTPServer.start_request`, such as New Relic's, find the transaction of a request by `asyncio.current_task`.
Without a Task, requests that overlap on two connections are one transaction to them. Servers that nothing has
wrapped call delegates in the read callback without a Task, which costs 10,000 instructions less.

The calls stay synchronous. The Task only waits for the end of the request; `RequestTask.call` makes it
the current one during a call, with the two functions that asyncio documents for other Task implementations
(https://docs.python.org/3/library/asyncio-extending.html).
"""

from __future__ import annotations

import asyncio
from asyncio import tasks
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

_enter_task: Callable[[Any, Any], None] | None = getattr(tasks, "_enter_task", None)
_leave_task: Callable[[Any, Any], None] | None = getattr(tasks, "_leave_task", None)


class _WaitingTask(asyncio.Task[None]):
    """A Task that may be destroyed while it is pending, as when the loop is closed before its connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._log_destroy_pending = False


class RequestTask:
    """A Task that lasts as long as one request.

    :param loop: the asyncio loop that is running.
    """

    __slots__ = ("_ended", "_loop", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended: asyncio.Future[None] = loop.create_future()
        self._task = _WaitingTask(_wait_for(self._ended), loop=loop)

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call `function` with this Task as the current one.

        The call may come from another Task, as that of a handler which finishes the previous response. That
        one is the current Task again afterwards.
        """
        if _enter_task is None or _leave_task is None:
            return function(*args)
        loop, task = self._loop, self._task
        outer = asyncio.current_task(loop)
        if outer is task:
            return function(*args)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, task)
        try:
            return function(*args)
        finally:
            _leave_task(loop, task)
            if outer is not None:
                _enter_task(loop, outer)

    def end(self) -> None:
        """Have the Task end: the request is over."""
        if not self._ended.done() and not self._loop.is_closed():
            self._ended.set_result(None)


async def _wait_for(ended: asyncio.Future[None]) -> None:
    await ended
