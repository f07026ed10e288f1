"""The tasks for which a task waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from tornado.web._observation import _call_graph
from tornado.web._observation._call_graph import AwaitedTasks


class FakeTask:
    """A task of Python 3.14 and newer.

    :param parents: the tasks that await it.
    """

    def __init__(self, parents: Collection[FakeTask] = ()) -> None:
        self._asyncio_awaited_by = frozenset(parents) or None


def awaited(monkeypatch: pytest.MonkeyPatch, tasks: list[Any]) -> AwaitedTasks:
    monkeypatch.setattr(asyncio, "all_tasks", lambda _: tasks)
    loop: Any = None
    return AwaitedTasks(loop)


def layers(count: int) -> list[FakeTask]:
    """Return a task and layers of two tasks, each of which is awaited by all tasks of the layer before."""
    tasks, above = [FakeTask()], 1
    for _ in range(count):
        parents = tasks[-above:]
        tasks += [FakeTask(parents), FakeTask(parents)]
        above = 2
    return tasks


def test_tasks_are_found_once_and_the_nearest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 2**300 paths to the last layer."""
    tasks = layers(300)
    found: list[Any] = [*awaited(monkeypatch, tasks[::-1]).of(tasks[0])]
    assert [(tasks.index(each) + 1) // 2 for each in found] == [1 + number // 2 for number in range(600)]
    assert len(set(found)) == 600


def test_tasks_that_await_each_other_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = FakeTask()
    second = FakeTask([first])
    first._asyncio_awaited_by = frozenset([second])
    assert [*awaited(monkeypatch, [first, second]).of(first)] == [second]


@pytest.mark.parametrize(("limit", "found"), [("_MAX_TASKS", 0), ("_MAX_LINKS", 9)])
def test_search_is_limited(monkeypatch: pytest.MonkeyPatch, limit: str, found: int) -> None:
    monkeypatch.setattr(_call_graph, limit, 9)
    parent = FakeTask()
    tasks = [parent, *(FakeTask([parent]) for _ in range(20))]
    assert len([*awaited(monkeypatch, tasks).of(parent)]) == found


@pytest.mark.skipif(not hasattr(asyncio, "capture_call_graph"), reason="requires Python 3.14")
async def test_tasks_of_asyncio_are_found() -> None:
    """`capture_call_graph` would follow 2**40 paths."""
    release = asyncio.Event()

    async def wait(tasks: list[asyncio.Task[Any]]) -> None:
        await (asyncio.gather(*tasks) if tasks else release.wait())

    tasks = [asyncio.create_task(wait([]))]
    layer = tasks
    for _ in range(40):
        layer = [asyncio.create_task(wait(layer)) for _ in range(2)]
        tasks = [*tasks, *layer]
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    found = [*AwaitedTasks(asyncio.get_running_loop()).of(tasks[-1])]
    assert set(found) == set(tasks[:-2])
    assert found[-1] is tasks[0]
    release.set()
    await asyncio.gather(*tasks)
