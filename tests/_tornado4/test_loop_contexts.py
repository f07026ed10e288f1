"""Stack contexts and the loop's own methods: wrapped callbacks, ``spawn_callback``, ``add_future``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
from collections.abc import Iterator

import pytest

from tornado.ioloop import IOLoop
from tornado.stack_context import ExceptionStackContext, StackContext, wrap

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


async def test_wrapped_callback_runs_only_in_contexts_active_when_wrapped() -> None:
    active: list[str] = []
    seen: asyncio.Future[tuple[list[str], int]] = asyncio.get_running_loop().create_future()

    @contextlib.contextmanager
    def context(name: str) -> Iterator[None]:
        active.append(name)
        yield
        active.remove(name)

    def note(value: int, extra: int) -> None:
        seen.set_result((list(active), value + extra))

    with StackContext(functools.partial(context, "of wrapping")):
        wrapped = wrap(note)
    assert wrapped is not None
    with StackContext(functools.partial(context, "of adding")):
        IOLoop.current().add_callback(wrapped, 1, extra=2)
    assert await seen == (["of wrapping"], 3)


async def test_add_future_keeps_context_for_concurrent_future() -> None:
    failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    of_thread: concurrent.futures.Future[int] = concurrent.futures.Future()

    def handle(kind: object, error: BaseException, trace: object) -> bool:
        failed.set_result(str(error))
        return True

    def callback(done: concurrent.futures.Future[int]) -> None:
        raise ValueError(f"callback of {done.result()}")

    with ExceptionStackContext(handle):
        IOLoop.current().add_future(of_thread, callback)
    await asyncio.to_thread(of_thread.set_result, 42)
    assert await failed == "callback of 42"


async def test_spawned_callback_is_outside_of_stack_contexts(expect_log) -> None:
    handled: list[BaseException] = []
    with ExceptionStackContext(lambda kind, error, trace: handled.append(error) or True):
        IOLoop.current().spawn_callback(lambda: 1 / 0)
    with expect_log("tornado.application", "Exception in callback"):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert handled == []
