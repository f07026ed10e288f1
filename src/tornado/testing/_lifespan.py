"""The lifespan of an application under test; see `tornado.web.Application.run_lifespan`."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from typing import Any

from tornado.web._dispatch._lifespan import targets_with_lifespan


def lifespan_of(app: Any) -> AbstractAsyncContextManager[None]:
    """Return the lifespan of an application, which does nothing for an object without one."""
    run = getattr(app, "run_lifespan", None)
    lifespan: AbstractAsyncContextManager[None] = contextlib.nullcontext() if run is None else run()
    return lifespan


def has_lifespan(app: Any) -> bool:
    """Whether an application has code to run before or after it serves."""
    settings = getattr(app, "settings", None)
    if not isinstance(settings, dict):
        return hasattr(app, "run_lifespan")
    names = ("lifespan", "on_startup", "on_shutdown")
    if any(settings.get(name) for name in names):
        return True
    return hasattr(app, "default_router") and bool(targets_with_lifespan(app))


class LifespanTask:
    """Runs a lifespan in a task of its own.

    The lifespan must be entered and exited in the same task, because it may contain ``async with
    asyncio.TaskGroup()``. A test case has no task that lasts from ``setUp`` to ``tearDown``.

    :param app: the application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Return when the startup is complete. Its exception is raised here."""
        started = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(started))
        await asyncio.wait([self._task, started], return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await self._task

    async def stop(self) -> None:
        """Run the shutdown. Its exception is raised here."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self, started: asyncio.Future[None]) -> None:
        async with lifespan_of(self._app):
            started.set_result(None)
            await self._stopping.wait()
