"""The lifespan of an application: code that runs before it serves the first request and after the last one.

The settings ``lifespan``, ``on_startup`` and ``on_shutdown`` contain that code. It runs once in each process
that serves the application, in its event loop.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from tornado.log import app_log
from tornado.routing import RuleRouter

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface


@contextlib.asynccontextmanager
async def run(application: ApplicationInterface) -> AsyncIterator[None]:
    """Run the lifespan of an application around a block; see `.Application.run_lifespan`."""
    settings = application.settings
    startup = _functions("on_startup", settings.get("on_startup"))
    shutdown = _functions("on_shutdown", settings.get("on_shutdown"))
    lifespan = settings.get("lifespan")
    async with contextlib.AsyncExitStack() as stack:
        if lifespan is not None:
            await stack.enter_async_context(_context(lifespan, application))
        for target in targets_with_lifespan(application):
            await stack.enter_async_context(target.run_lifespan())
        for function in shutdown:
            stack.push_async_callback(_call, function, application)
        for function in startup:
            await _call(function, application)
        yield


def targets_with_lifespan(application: Any) -> list[Any]:
    """Return the targets of routes that have a lifespan of their own, such as an `.ASGIContainer`."""
    found: dict[int, Any] = {}
    pending: list[Any] = [application.default_router]
    seen: set[int] = set()
    while pending:
        router = pending.pop()
        if id(router) in seen:
            continue
        seen.add(id(router))
        for rule in getattr(router, "rules", ()):
            target = rule.target
            if isinstance(target, RuleRouter):
                pending.append(target)
            elif hasattr(target, "default_router"):  # another application
                pending.append(target.default_router)
            elif not isinstance(target, type) and hasattr(target, "run_lifespan"):
                found[id(target)] = target
    return list(found.values())


def warn_if_set(settings: Mapping[str, Any]) -> None:
    """Log a warning if the settings contain code that does not run, because `run` has not been called."""
    for name in ("lifespan", "on_startup", "on_shutdown"):
        if settings.get(name):
            app_log.warning(
                "the setting %s has no effect: serve the application with tornado.web.run or "
                "`python -m tornado serve`, or listen within `async with application.run_lifespan()`",
                name,
            )
            return


async def _call(function: Callable[[Any], object], application: ApplicationInterface) -> None:
    """Call a function or a coroutine function with the application as its argument."""
    result = function(application)
    if inspect.isawaitable(result):
        await result


def _functions(name: str, value: Any) -> list[Callable[[Any], object]]:
    """Return the value of a setting as a list of functions.

    :raises TypeError: if it is not one; the message names the setting.
    """
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} must be a list of functions that accept the application, got {value!r:.100}")
    for each in value:
        if not callable(each):
            raise TypeError(f"{name} must contain functions only, got {each!r:.100}")
    return list(value)


def _context(lifespan: Any, application: ApplicationInterface) -> Any:
    """Return the context manager that the setting ``lifespan`` creates.

    :raises TypeError: if it does not create a context manager.
    """
    expected = "lifespan must be a function of the application that returns an asynchronous context manager"
    if not callable(lifespan):
        raise TypeError(f"{expected}, got {lifespan!r:.100}")
    context = lifespan(application)
    if hasattr(type(context), "__aenter__") and hasattr(type(context), "__aexit__"):
        return context
    if inspect.iscoroutine(context):
        context.close()
    hint = ": decorate it with contextlib.asynccontextmanager" if inspect.isasyncgen(context) else ""
    raise TypeError(f"{expected}, but {lifespan!r:.100} returned {context!r:.100}{hint}")
