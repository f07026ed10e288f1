"""`DeadlineScheduler`: one timer for many deadlines."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tests.support.server import ExpectLog
from tornado.http1connection import _deadline_scheduler
from tornado.http1connection._deadline_scheduler import NEVER, DeadlineScheduler


class Watched:
    """A connection that records when its deadline passed."""

    def __init__(self, clock: FakeClock) -> None:
        self._deadline = NEVER
        self._clock = clock
        self.ended: list[float] = []

    def _expired(self) -> None:
        self.ended.append(self._clock.now)


@pytest.fixture(autouse=True)
def fake_time(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline_scheduler, "time", SimpleNamespace(monotonic=clock))


def watched(watch: DeadlineScheduler, clock: FakeClock, count: int) -> list[Watched]:
    found = [Watched(clock) for _ in range(count)]
    for each in found:
        watch.add(each, asyncio.get_running_loop())
    return found


async def test_each_at_its_time(clock: FakeClock) -> None:
    watch, start = DeadlineScheduler(), clock.now
    first, second, third = watched(watch, clock, 3)
    watch.set(first, clock.now, 30)
    watch.set(second, clock.now, 10)
    watch.set_at(third, clock.now, clock.now + 20, 40)
    await asyncio.sleep(100)
    assert [each.ended[0] - start for each in (first, second, third)] == pytest.approx([30, 10, 20])
    assert [len(each.ended) for each in (first, second, third)] == [1, 1, 1]


async def test_a_deadline_moved_away(clock: FakeClock) -> None:
    watch, start = DeadlineScheduler(), clock.now
    (one,) = watched(watch, clock, 1)
    watch.set(one, clock.now, 10)
    await asyncio.sleep(9)
    one._deadline = clock.now + 10
    await asyncio.sleep(20)
    assert [each - start for each in one.ended] == pytest.approx([19], rel=0.1)


async def test_no_time_at_all_means_never(clock: FakeClock) -> None:
    watch = DeadlineScheduler()
    (one,) = watched(watch, clock, 1)
    watch.set(one, clock.now, NEVER)
    await asyncio.sleep(1e6)
    assert one.ended == []
    assert watch._timer is None


async def test_many_at_once_leave_the_loop_its_turns(clock: FakeClock) -> None:
    watch = DeadlineScheduler()
    many = watched(watch, clock, 100)
    for each in many:
        watch.set(each, clock.now, 10)
    await asyncio.sleep(10)
    some = sum(len(each.ended) for each in many)
    while not all(each.ended for each in many):
        await asyncio.sleep(0)
    assert some < 20
    assert all(len(each.ended) == 1 for each in many)


async def test_who_moves_on_or_leaves_meanwhile_is_spared(clock: FakeClock) -> None:
    watch = DeadlineScheduler()
    many = watched(watch, clock, 100)
    for each in many:
        watch.set(each, clock.now, 10)
    await asyncio.sleep(10)
    waiting = [each for each in many if not each.ended]
    moved, gone = waiting[:5], waiting[5:10]
    for each in moved:
        each._deadline = clock.now + 50  # as a connection does that postpones its deadline
    for each in gone:
        watch.discard(each)
    await asyncio.sleep(5)
    assert not any(each.ended for each in moved + gone)
    assert all(each.ended for each in waiting[10:])
    await asyncio.sleep(50)
    assert all(each.ended for each in moved)


async def test_the_timer_goes_with_the_last_connection(clock: FakeClock) -> None:
    watch = DeadlineScheduler()
    (one,) = watched(watch, clock, 1)
    watch.set(one, clock.now, 10)
    watch.discard(one)
    assert watch._timer is None


async def test_a_watch_goes_with_its_server(clock: FakeClock) -> None:
    """It is freed without the garbage collector, because it is not part of a reference cycle."""
    watch = DeadlineScheduler()
    (one,) = watched(watch, clock, 1)
    watch.set(one, clock.now, 10)
    await asyncio.sleep(20)
    assert one.ended
    held = weakref.ref(one)
    gc.disable()
    try:
        del watch, one
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError])
async def test_an_error_at_a_deadline_concerns_that_one_alone(
    clock: FakeClock, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    class Failing(Watched):
        def _expired(self) -> None:
            raise fault

    watch = DeadlineScheduler()
    others = watched(watch, clock, 3)
    failing = [Failing(clock) for _ in range(10)]
    for each in failing:
        watch.add(each, asyncio.get_running_loop())
        watch.set(each, clock.now, 10)
    for each in others:
        watch.set(each, clock.now, 20)
    with expect_log("tornado.application", "Uncaught exception at a deadline") as expected:
        await asyncio.sleep(12)
    assert len(expected.records) == 10
    await asyncio.sleep(12)
    assert all(len(each.ended) == 1 for each in others)


def test_deadlines_outlive_the_end_of_a_run(clock: FakeClock) -> None:
    """A program may run the loop again after SystemExit or KeyboardInterrupt."""

    class Ending(Watched):
        def _expired(self) -> None:
            raise SystemExit(3)

    async def begin() -> None:
        loop = asyncio.get_running_loop()
        for each in (ending, *others):
            watch.add(each, loop)
            watch.set(each, clock.now, 10)
        await asyncio.sleep(20)

    watch, ending = DeadlineScheduler(), Ending(clock)
    others = [Watched(clock) for _ in range(6)]
    loop = clock.new_event_loop()
    waiting = loop.create_task(begin())
    with pytest.raises(SystemExit):
        loop.run_until_complete(waiting)
    loop.run_until_complete(waiting)
    assert all(len(each.ended) == 1 for each in others)
    loop.close()
