"""Operations that wait only if necessary, so that most of them need no Task.

An operation is a generator. It yields only what it must await, and gets the result. Nothing is awaited
outside a Task, because `asyncio.timeout` and other functions that hooks may use need one.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from typing import Any, TypeAlias

Steps: TypeAlias = Generator[Awaitable[Any], Any, Any]


def run_steps(steps: Steps) -> Awaitable[None] | None:
    """Run an operation. Return None if it has finished, or else a coroutine that finishes it."""
    try:
        awaitable = next(steps)
    except StopIteration:
        return None
    return _finish(steps, awaitable)


async def _finish(steps: Steps, awaitable: Awaitable[Any]) -> None:
    try:
        while True:
            try:
                result = await awaitable
            except BaseException as error:
                awaitable = steps.throw(error)
            else:
                awaitable = steps.send(result)
    except StopIteration:
        pass
    finally:
        steps.close()


def resolve(value: Any) -> Steps:
    """Return a value, or the result of an awaitable, as a part of an operation."""
    # Most hooks return a bool. The check of the others takes two microseconds.
    if value is not True and value is not False and inspect.isawaitable(value):
        value = yield value
    return value


__all__ = ["Steps", "resolve", "run_steps"]
