"""Eagerly started Tasks behave like ordinary Tasks on each loop, with a fallback to ``create_task``."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tornado._loop import tasks as _tasks
from tornado._loop.tasks import done_future, run_eagerly, start_lazily

captures_only = pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python can start tasks eagerly")
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def in_callback(function: Callable[[], Any]) -> Any:
    """Return the result of ``function``, called by the loop outside of any task."""
    answer = asyncio.get_running_loop().create_future()

    def call() -> None:
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)

    asyncio.get_running_loop().call_soon(call, context=contextvars.Context())
    return await answer


def start(coro: Any, **options: Any) -> asyncio.Task[Any]:
    return run_eagerly(asyncio.get_running_loop(), coro, contextvars.copy_context(), **options)


async def started(make: Callable[[], Any], **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = await in_callback(lambda: start(make(), **options))
    return task


async def test_coroutine_without_wait_finishes_immediately(loop_kind: str) -> None:
    async def main() -> str:
        return "done"

    def call() -> tuple[asyncio.Task[str], bool]:
        task = start(main())
        return task, task.done()

    task, was_done = await in_callback(call)
    assert was_done
    assert isinstance(task, asyncio.Task)
    assert task.result() == "done"
    assert task.get_loop() is asyncio.get_running_loop()


async def test_coroutine_runs_until_first_wait(loop_kind: str) -> None:
    seen = []
    gate = asyncio.get_running_loop().create_future()

    async def main() -> int:
        seen.append("first step")
        value: int = await gate
        return value + 1

    task = await started(main)
    assert seen == ["first step"]
    assert not task.done()
    assert task in asyncio.all_tasks()
    gate.set_result(41)
    assert await task == 42


async def test_exception_is_stored_in_the_task(loop_kind: str) -> None:
    async def main() -> None:
        raise KeyError("x")

    task = await started(main)
    assert isinstance(task.exception(), KeyError)


async def test_system_exit_is_raised_to_the_caller(loop_kind: str, expect_log: Any) -> None:
    async def main() -> None:
        raise SystemExit(3)

    def call() -> str:
        with pytest.raises(SystemExit):
            start(main())
        gc.collect()
        return "left"

    # asyncio logs the same for any Task that ends in this way without a reference to it.
    with expect_log("asyncio", "Task exception was never retrieved"):
        assert await in_callback(call) == "left"


async def test_current_task_from_the_first_line(loop_kind: str) -> None:
    async def main() -> tuple[Any, Any]:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        return before, asyncio.current_task()

    task = await started(main)
    assert await task == (task, task)


async def test_current_task_is_reset(loop_kind: str) -> None:
    async def main() -> None:
        pass

    def call() -> Any:
        start(main())
        return asyncio.current_task()

    assert await in_callback(call) is None


async def test_timeout_in_the_first_step(loop_kind: str) -> None:
    async def main() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return "timed out"
        return "not reached"

    assert await (await started(main)) == "timed out"


async def test_task_group_in_the_first_step(loop_kind: str) -> None:
    async def child(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def main() -> list[int]:
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(child(number)) for number in range(3)]
        return [each.result() for each in children]

    assert await (await started(main)) == [0, 1, 2]


async def test_failing_task_group_in_the_first_step(loop_kind: str) -> None:
    async def child() -> None:
        raise ValueError("child")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.get_running_loop().create_future()

    task = await started(main)
    with pytest.raises(ExceptionGroup) as caught:
        await task
    assert caught.group_contains(ValueError)


async def test_cancelled_task_raises_cancelled_error_in_the_coroutine(loop_kind: str) -> None:
    seen = []

    async def main() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = await started(main)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_task_cancels_itself_in_the_first_step(loop_kind: str) -> None:
    async def main() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(0)

    task = await started(main)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_runs_in_the_given_context(loop_kind: str) -> None:
    context = contextvars.Context()
    context.run(variable.set, "given")

    async def main() -> list[str]:
        seen = [variable.get()]
        variable.set("changed")
        await asyncio.sleep(0)
        return [*seen, variable.get()]

    task = await in_callback(lambda: run_eagerly(asyncio.get_running_loop(), main(), context))
    assert await task == ["given", "changed"]
    assert context[variable] == "changed"


async def test_task_has_the_given_name(loop_kind: str) -> None:
    async def main() -> None:
        pass

    assert (await started(main)).get_name() == "tornado"
    assert (await started(main, name="mine")).get_name() == "mine"


async def test_callbacks_scheduled_in_the_first_step_run_later(loop_kind: str) -> None:
    """The attribute that shadows ``call_soon`` has been removed when the first step runs."""
    loop = asyncio.get_running_loop()
    order: list[str] = []

    async def main() -> None:
        loop.call_soon(order.append, "callback")
        order.append("step")
        await asyncio.sleep(0)
        order.append("second step")

    task = await started(main)
    await task
    assert order == ["step", "callback", "second step"]
    assert "call_soon" not in vars(loop)


async def test_inside_a_running_task(loop_kind: str) -> None:
    async def main() -> Any:
        return asyncio.current_task()

    outer = asyncio.current_task()
    task = start(main())
    assert asyncio.current_task() is outer
    assert await task is task


async def test_nested_in_an_eager_task(loop_kind: str) -> None:
    async def inner() -> Any:
        return asyncio.current_task()

    async def outer() -> Any:
        child = start(inner())
        assert asyncio.current_task() is not child
        return await child is child

    assert await (await started(outer))


async def test_task_factory_is_used(loop_kind: str) -> None:
    loop = asyncio.get_running_loop()
    made: list[Any] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        # asyncio passes no context if none is requested; uvloop passes None.
        assert options.get("context") is None
        made.append(coro)
        return asyncio.Task(coro, loop=loop)

    async def main() -> str:
        return variable.get()

    def call() -> asyncio.Task[str]:
        variable.set("from the caller")
        coro = main()
        task = start(coro)
        assert made == [coro]
        return task

    loop.set_task_factory(factory)  # type: ignore[arg-type]
    try:
        task = await in_callback(call)
        assert await task == "from the caller"
    finally:
        loop.set_task_factory(None)


async def test_overridden_create_task_is_used() -> None:
    made = []

    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
            made.append(coro)
            return super().create_task(coro, **options)

    async def inner() -> str:
        return "done"

    def run() -> str:
        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(outer())

    async def outer() -> str:
        task = await started(inner)
        assert task.get_coro() in made
        return await task  # type: ignore[no-any-return]

    assert await asyncio.to_thread(run) == "done"


def test_loop_that_is_not_running() -> None:
    async def main() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = asyncio.SelectorEventLoop()
    try:
        task = run_eagerly(loop, main(), contextvars.Context())
        assert not task.done()
        assert loop.run_until_complete(task) is loop
    finally:
        loop.close()


@captures_only
def test_create_task_wrapped_by_agent_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    # New Relic replaces this function to copy its current transaction to the new Task.
    made: list[str] = []
    cls = asyncio.BaseEventLoop
    monkeypatch.setattr(cls, "create_task", Wrapper(cls.create_task, lambda: made.append("made")))

    async def main() -> None:
        made.clear()
        task = await started(lambda: asyncio.sleep(0, "result"))
        assert await task == "result"

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert made == ["made"]


async def test_replaced_task_class_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """nest_asyncio, for example, replaces the C Task class by the one written in Python."""
    python_task = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    monkeypatch.setattr(asyncio.tasks, "Task", python_task)

    async def main() -> str:
        return "done"

    task = await started(main)
    assert type(task) is python_task
    assert await task == "done"


@captures_only
async def test_replaced_call_soon_is_kept() -> None:
    loop = asyncio.get_running_loop()
    seen = []

    def spy(callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        seen.append(callback)
        return type(loop).call_soon(loop, callback, *args, context=context)

    async def main() -> str:
        return "done"

    loop.call_soon = spy  # type: ignore[method-assign, assignment]
    try:
        task = await started(main)
        assert await task == "done"
        assert vars(loop)["call_soon"] is spy
    finally:
        del loop.call_soon
    assert seen


@captures_only
async def test_callbacks_scheduled_during_task_creation(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finalizer may run at any allocation, and may then call the loop or create a Task."""
    loop = asyncio.get_running_loop()
    seen: list[str] = []
    c_task = _tasks._CTask

    async def other(name: str) -> None:
        seen.append(f"{name} {variable.get()}")

    class Interrupted(c_task):  # type: ignore[misc, valid-type]
        def __init__(self, coro: Any, **options: Any) -> None:
            handle = loop.call_soon(seen.append, "never")
            loop.call_soon(seen.append, "callback")
            before = c_task(other("before"), loop=loop)
            super().__init__(coro, **options)
            after = c_task(other("after"), loop=loop)
            self.others = [before, after]
            handle.cancel()

    async def main() -> None:
        seen.append("main")

    def call() -> tuple[Any, list[str]]:
        variable.set("kept")
        monkeypatch.setattr(_tasks, "_CTask", Interrupted)
        monkeypatch.setattr(asyncio.tasks, "Task", Interrupted)
        return start(main()), list(seen)

    await started(main)  # the module determines the class of a step from an ordinary Task
    seen.clear()
    task, seen_at_once = await in_callback(call)
    assert task.done()
    assert seen_at_once == ["main"]
    await asyncio.gather(*task.others)
    assert seen == ["main", "callback", "before kept", "after kept"]


async def test_finished_task_leaves_no_cycle(loop_kind: str) -> None:
    async def main() -> None:
        pass

    class Payload:
        pass

    gone = []

    async def hold(payload: Payload) -> None:
        pass

    def call() -> None:
        start(main())
        payload = Payload()
        weakref.finalize(payload, gone.append, "gone")
        start(hold(payload))

    gc.disable()
    try:
        await in_callback(call)
        assert gone == ["gone"]
    finally:
        gc.enable()


def test_two_loops_in_two_threads(loop_kind: str) -> None:
    async def leaf(number: int) -> int:
        return number

    async def main(base: int) -> list[int]:
        def call() -> list[int]:
            return [start(leaf(base + number)).result() for number in range(500)]

        found: list[int] = await in_callback(call)
        return found

    def run(base: int) -> list[int]:
        if loop_kind == "uvloop":
            import uvloop

            return uvloop.run(main(base))
        return asyncio.run(main(base))

    with ThreadPoolExecutor(4) as pool:
        for base, found in zip(range(4), pool.map(run, range(4)), strict=True):
            assert found == list(range(base, base + 500))


async def test_done_future_is_shared_per_loop(loop_kind: str) -> None:
    loop = asyncio.get_running_loop()
    future = done_future(loop)
    assert future is done_future(loop)
    assert future.done()
    assert not future.cancel()
    await future
    future.result()
    assert future.get_loop() is loop


async def test_awaiting_the_done_future_does_not_suspend() -> None:
    seen = []
    loop = asyncio.get_running_loop()
    loop.call_soon(seen.append, "turn")
    await done_future(loop)
    assert seen == []


async def test_task_that_is_started_lazily_ignores_an_eager_factory(loop_kind: str) -> None:
    steps = []

    async def main() -> str:
        steps.append("step")
        return "done"

    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", lambda loop, coro, **options: 1 / 0))
    try:
        task = start_lazily(main())
        assert steps == []
    finally:
        loop.set_task_factory(None)
    assert await task == "done"
