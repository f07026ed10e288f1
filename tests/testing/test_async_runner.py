"""Running all coroutines of a test in one task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from tornado.testing._async_runner import AsyncRunner


@pytest.fixture
def stage() -> Iterator[AsyncRunner]:
    made = AsyncRunner()
    yield made
    made.close()


def test_coroutines_share_a_task_and_its_context(stage):
    variable: ContextVar[int] = ContextVar("variable")

    async def first():
        variable.set(1)
        return asyncio.current_task()

    async def second():
        await asyncio.sleep(0)
        return asyncio.current_task(), variable.get()

    assert stage.run(second_of := first()) is not None
    assert second_of.cr_frame is None
    task, value = stage.run(second())
    assert value == 1
    assert task is stage.run(first())


def test_context_manager_is_exited_in_another_coroutine(stage):
    """asyncio requires that both happen in the same task."""
    group = asyncio.TaskGroup()
    seen = []

    async def child():
        seen.append(1)

    async def middle():
        group.create_task(child())

    async def leave():
        await group.__aexit__(None, None, None)

    stage.run(group.__aenter__())
    stage.run(middle())
    stage.run(leave())
    assert seen == [1]


@pytest.mark.parametrize(
    "error", [KeyError, pytest.skip.Exception, KeyboardInterrupt, asyncio.CancelledError]
)
def test_every_exception_is_raised_by_run(stage, error):
    async def fail():
        await asyncio.sleep(0)
        raise error

    async def work():
        return 1

    with pytest.raises(error):
        stage.run(fail())
    assert stage.run(work()) == 1


def test_timeout_traceback_contains_waiting_line(stage):
    async def wait():
        await asyncio.Event().wait()

    async def own():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match=r"timed out after 0\.001 seconds") as caught:
        stage.run(wait(), 0.001)
    cause = caught.value.__cause__
    assert isinstance(cause, asyncio.CancelledError)
    names = []
    trace = cause.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_qualname)
        trace = trace.tb_next
    assert names[-1] == "Event.wait"
    with pytest.raises(TimeoutError, match="its own"):
        stage.run(own(), 30)


@pytest.mark.parametrize("waits", [True, False])
def test_coroutine_may_cancel_current_task(stage, waits):
    async def cancel():
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if waits:
            await asyncio.sleep(0)
        return 1

    async def work():
        await asyncio.sleep(0)
        return 2

    if waits:
        with pytest.raises(asyncio.CancelledError):
            stage.run(cancel())
    else:
        assert stage.run(cancel()) == 1
    assert stage.run(work()) == 2


def test_remaining_tasks_are_cancelled():
    stage, ended = AsyncRunner(), []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    async def begin():
        stage.left = asyncio.ensure_future(forever())
        await asyncio.sleep(0)

    stage.run(begin())
    stage.close()
    assert ended == ["cleaned up"]


def test_loop_factory():
    class Loop(asyncio.SelectorEventLoop):
        pass

    stage = AsyncRunner(Loop)

    async def kind():
        return type(asyncio.get_running_loop())

    assert stage.run(kind()) is Loop
    stage.close()


def test_nested_run_raises(stage):
    """The coroutine is closed without running, and the next call does not run it."""
    ran = []

    async def inner():
        ran.append("inner")

    async def outer():
        with pytest.raises(RuntimeError, match="await the coroutine"):
            stage.run(inner())

    async def following():
        await asyncio.sleep(0)

    stage.run(outer())
    stage.run(following())
    assert not ran
