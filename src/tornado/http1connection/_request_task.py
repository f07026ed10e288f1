"""The Task in which a request is dispatched if `start_request` of the server is overridden or wrapped.

Upstream calls `start_request` and the message delegate in a Task of the connection. Monitoring agents that
wrap `.HTTPServer.start_request`, such as New Relic's, identify the transaction of a request by
`asyncio.current_task`. Without a Task, they would merge overlapping requests on two connections into one
transaction. A server whose `start_request` is unchanged calls delegates in the read callback without a Task,
which saves 10,000 instructions per request.

The delegate's methods are still called synchronously. The Task only waits for the end of the request;
`RequestTask.call` makes it the current task during a call, with the two functions that asyncio documents
for other Task implementations (https://docs.python.org/3/library/asyncio-extending.html).
"""

from __future__ import annotations

import asyncio
from asyncio import tasks
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

_enter_task: Callable[[Any, Any], None] | None = getattr(tasks, "_enter_task", None)
_leave_task: Callable[[Any, Any], None] | None = getattr(tasks, "_leave_task", None)


class _QuietTask(asyncio.Task[None]):
    """A Task that logs no warning if it is destroyed while it is pending, for example because the event
    loop was closed before its connections.
    """

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
        self._task = _QuietTask(_wait_for(self._ended), loop=loop)

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call `function` with this Task as the current one.

        If another Task is the current one, for example that of a handler that finishes the previous response,
        it becomes current again after the call.
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
        """End the Task, because the request is complete."""
        if not self._ended.done() and not self._loop.is_closed():
            self._ended.set_result(None)


async def _wait_for(ended: asyncio.Future[None]) -> None:
    await ended
