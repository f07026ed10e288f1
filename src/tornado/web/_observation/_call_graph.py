"""The tasks for which a task waits: those that it awaits, and those of ``gather()`` or of a task group.

From Python 3.14 on, asyncio records which tasks await a task, in an attribute. `asyncio.capture_call_graph`
is the public access to it, but it follows each path up to the roots: 14 layers of two tasks that await both
tasks of the next layer take 30 ms, and each further layer doubles that. In older versions no task is found.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

__all__ = ["AwaitedTasks"]

#: With more tasks than this in the event loop, none is searched: it takes a few microseconds for each.
_MAX_TASKS = 2000
#: The maximum number of pairs of tasks of which one awaits the other. Further ones are not searched.
_MAX_LINKS = 20_000
#: The attribute of asyncio's tasks with the tasks that await them; None if there are none.
_PARENTS = "_asyncio_awaited_by"


class AwaitedTasks:
    """The tasks of an event loop by the task that waits for them.

    It may be created in another thread than that of the event loop. Tasks that are created or end at the
    same time may be missing.

    :param loop: an asyncio loop.
    """

    __slots__ = ("_by_parent",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._by_parent: dict[Any, list[asyncio.Task[Any]]] = {}
        tasks = asyncio.all_tasks(loop)
        if len(tasks) > _MAX_TASKS:
            return
        links = 0
        for task in tasks:
            try:
                parents = getattr(task, _PARENTS, None) or ()
            except RuntimeError:  # the event loop's thread has changed a set during the iteration
                continue
            links += len(parents)
            if links > _MAX_LINKS:
                return
            for parent in parents:
                self._by_parent.setdefault(parent, []).append(task)

    def of(self, task: Any) -> Iterator[asyncio.Task[Any]]:
        """Yield all tasks for which a task waits, directly or through others; the nearest first."""
        found = {task}
        todo = deque(self._by_parent.get(task, ()))
        while todo:
            each = todo.popleft()
            if each not in found:
                found.add(each)
                yield each
                todo.extend(self._by_parent.get(each, ()))
