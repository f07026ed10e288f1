"""Run an asynchronous test and its fixtures in the same task of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_Job = tuple[Coroutine[Any, Any, Any], "asyncio.Future[tuple[Any, BaseException | None]]"]


class AsyncRunner:
    """Runs coroutines one after another in the same task: fixtures, the test, and the fixtures' teardown.

    They share a task because some context managers must be exited in the task in which they were entered: a
    fixture may yield inside ``async with asyncio.TaskGroup()``. They also share context variables.

    :param loop_factory: a function that creates the event loop; None for asyncio's default.
    """

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self._loop = self._runner.get_loop()
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        """Run the event loop until a coroutine is done.

        :param timeout: the maximum time, in seconds; None for no limit.
        :returns: the result of the coroutine.
        :raises TimeoutError: if the timeout expires. The traceback of its cause contains the line at which
            the coroutine was waiting.
        :raises RuntimeError: if an event loop is running, as it is in an asynchronous test.
        """
        __tracebackhide__ = True
        if asyncio._get_running_loop() is not None:
            coroutine.close()
            raise RuntimeError(
                "tornado_runner.run() cannot be called while an event loop is running: await the coroutine"
            )
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run_jobs())
        outcome = self._loop.create_future()
        self._jobs.put_nowait((self._with_timeout(coroutine, timeout), outcome))
        value, error = self._loop.run_until_complete(outcome)
        try:
            if error is not None:
                raise error
            return value
        finally:
            del outcome, error  # breaks the reference cycle with the traceback of the error

    def close(self) -> None:
        """Cancel the remaining tasks, and close the loop."""
        self._runner.close()

    async def _run_jobs(self) -> None:
        __tracebackhide__ = True
        while True:
            coroutine, outcome = await self._jobs.get()
            # Every exception is passed to the caller of run(), including pytest's skip and KeyboardInterrupt.
            # The exception is stored as the result of the future, not as its exception, because
            # run_until_complete() would hang on a future with a KeyboardInterrupt.
            try:
                outcome.set_result((await coroutine, None))
            except BaseException as error:
                outcome.set_result((None, error))

    async def _with_timeout(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
        __tracebackhide__ = True
        timeout_scope = asyncio.timeout(timeout)
        try:
            async with timeout_scope:
                return await coroutine
        except TimeoutError as error:
            if not timeout_scope.expired():
                raise
            raise TimeoutError(f"timed out after {timeout} seconds") from error.__cause__
