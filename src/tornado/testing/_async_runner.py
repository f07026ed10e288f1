"""Where an asynchronous test plays: one event loop, and in it one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_Turn = tuple[Coroutine[Any, Any, Any], "asyncio.Future[tuple[Any, BaseException | None]]"]


class AsyncRunner:
    """Runs one coroutine after another in the same task: a test's fixtures, the test, the fixtures' ends.

    One task, because what is entered in a task must be left in the same one: a fixture may yield inside
    ``async with asyncio.TaskGroup()``. What one coroutine sets in a context variable the next ones see.

    :arg loop_factory: makes the event loop; asyncio's own where it is None.
    """

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self._loop = self._runner.get_loop()
        self._turns: asyncio.Queue[_Turn] = asyncio.Queue()
        self._player: asyncio.Task[None] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        """Run a coroutine to its end, the loop meanwhile.

        :arg timeout: seconds that it may take.
        :returns: what it returns.
        :raises TimeoutError: if the time is over first, with a cause that leads to the line that waited.
        :raises RuntimeError: if it is called while a loop runs, as in an asynchronous test.
        """
        __tracebackhide__ = True
        if asyncio._get_running_loop() is not None:
            coroutine.close()
            raise RuntimeError(
                "tornado_stage.run() is for plain tests and fixtures; here await the coroutine"
            )
        if self._player is None or self._player.done():
            self._player = self._loop.create_task(self._play())
        outcome = self._loop.create_future()
        self._turns.put_nowait((self._limited(coroutine, timeout), outcome))
        value, error = self._loop.run_until_complete(outcome)
        try:
            if error is not None:
                raise error
            return value
        finally:
            del outcome, error  # else they and the error's traceback would hold each other

    def close(self) -> None:
        """Cancel what still runs, and close the loop."""
        self._runner.close()

    async def _play(self) -> None:
        __tracebackhide__ = True
        while True:
            coroutine, outcome = await self._turns.get()
            # Any error goes to who called run(), a skip of pytest's and an interrupt too. As a value, since
            # run_until_complete() would wait for ever for a future that has failed with an interrupt.
            try:
                outcome.set_result((await coroutine, None))
            except BaseException as error:
                outcome.set_result((None, error))

    async def _limited(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(timeout) as limit:
                return await coroutine
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"no end within {timeout} seconds") from error.__cause__
