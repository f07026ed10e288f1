"""Queues of waiters: waiters that are cancelled before they are woken are skipped."""

from __future__ import annotations

import asyncio
import datetime

from tornado._loop.waiters import Waiters, call_unless_done


async def test_finished_waiters_at_the_head_are_removed():
    line = Waiters()
    first, second, third = asyncio.Future(), asyncio.Future(), asyncio.Future()
    for each in (first, second, third):
        line.add(each)
    first.cancel()
    third.cancel()
    line.drop_finished()
    assert list(line) == [second, third]
    second.set_result(None)
    line.drop_finished()
    assert not line


async def test_queue_is_swept_when_half_has_finished():
    line = Waiters()
    waiting = [asyncio.Future() for _ in range(4)]
    for each in waiting:
        line.add(each)
    for number, length in ((3, 4), (2, 2), (1, 1)):
        waiting[number].set_result(None)
        line.count_finished()
        assert len(line) == length
    assert list(line) == waiting[:1]


async def test_number_of_uncounted_finished_waiters_is_bounded():
    line = Waiters()
    stays = asyncio.Future()
    line.add(stays)
    longest = 0
    for _ in range(5_000):
        leaves = asyncio.Future()
        line.add(("item", leaves))
        leaves.cancel()
        longest = max(longest, len(line))
    assert longest <= 128
    assert line[0] is stays


async def test_action_is_called_at_timeout(clock):
    future = asyncio.Future()
    called = []
    call_unless_done(future, datetime.timedelta(seconds=5), lambda: called.append(clock()))
    start = clock()
    await asyncio.sleep(4)
    assert called == []
    await asyncio.sleep(2)
    assert [round(when - start, 1) for when in called] == [5]


async def test_action_is_not_called_for_completed_future(clock):
    called = []
    early, late = asyncio.Future(), asyncio.Future()
    early.set_result(None)
    for future in (early, late):
        call_unless_done(future, datetime.timedelta(seconds=5), lambda: called.append(1))
    late.set_result(None)
    call_unless_done(asyncio.Future(), None, lambda: called.append(1))
    await asyncio.sleep(10)
    assert called == []
