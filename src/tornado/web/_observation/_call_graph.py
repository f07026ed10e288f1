"""The tasks for which a task waits: those that it awaits, and those of ``gather()`` or of a task group.

From Python 3.14 on, asyncio records which task awaits which (`asyncio.capture_call_graph`). In older versions
no task is found.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["AwaitedTasks"]

#: With more tasks than this in the event loop, none is searched: it takes a few microseconds for each.
_MAX_TASKS = 2000

_capture_call_graph: Any = getattr(asyncio, "capture_call_graph", None)


class AwaitedTasks:
    """The tasks of an event loop by the task that waits for them.

    It may be created in another thread than that of the event loop. Tasks that are created or end at the
    same time may be missing.

    :param loop: an asyncio loop.
    """

    __slots__ = ("_by_parent",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._by_parent: dict[Any, list[asyncio.Task[Any]]] = {}
        tasks = asyncio.all_tasks(loop) if _capture_call_graph is not None else ()
        if len(tasks) > _MAX_TASKS:
            return
        for task in tasks:
            try:
                graph = _capture_call_graph(task, limit=0)
            except RuntimeError:  # the event loop's thread has changed a set during the iteration
                continue
            for parent in graph.awaited_by:
                self._by_parent.setdefault(parent.future, []).append(task)

    def of(self, task: Any) -> list[asyncio.Task[Any]]:
        """Return all tasks for which a task waits, directly or through others; the nearest first."""
        found: dict[asyncio.Task[Any], None] = {}
        todo = [*self._by_parent.get(task, ())]
        while todo:
            each = todo.pop(0)
            if each not in found and each is not task:
                found[each] = None
                todo.extend(self._by_parent.get(each, ()))
        return [*found]
