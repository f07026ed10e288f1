"""`Wakeup`: several calls wait for the same event, and may be cancelled."""

from __future__ import annotations

import asyncio

from tornado.asgi._wakeup import Wakeup


async def test_all_waiting_calls_continue():
    loop, wakeup = asyncio.get_running_loop(), Wakeup()
    waiters = [wakeup.wait(loop) for _ in range(3)]
    waiters[1].cancel()
    wakeup.wake()
    assert [each.done() for each in waiters] == [True] * 3
    assert waiters[1].cancelled()
    later = wakeup.wait(loop)
    assert not later.done()
    wakeup.wake()
    assert later.done()


async def test_cancelled_calls_are_forgotten():
    loop, wakeup = asyncio.get_running_loop(), Wakeup()
    first = wakeup.wait(loop)
    for _ in range(100):
        wakeup.wait(loop).cancel()
    assert not first.done()
    wakeup.wake()
    assert first.done()
