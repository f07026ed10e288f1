"""`DeadlineScheduler`: one timer for many deadlines."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import Context, ContextVar
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tests.support.server import ExpectLog
from tornado._loop import deadlines as _deadline_scheduler
from tornado._loop.deadlines import NEVER, DeadlineScheduler


class Watched:
    """A connection that records when its deadline passed."""

    def __init__(self, clock: FakeClock) -> None:
        self.deadline = NEVER
        self._clock = clock
        self.ended: list[float] = []

    def deadline_passed(self) -> None:
        self.ended.append(self._clock.now)


@pytest.fixture(autouse=True)
def fake_time(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline_scheduler, "time", SimpleNamespace(monotonic=clock))


def watched(scheduler: DeadlineScheduler, clock: FakeClock, count: int) -> list[Watched]:
    found = [Watched(clock) for _ in range(count)]
    for each in found:
        scheduler.add(each, asyncio.get_running_loop())
    return found


async def test_each_connection_expires_at_its_deadline(clock: FakeClock) -> None:
    scheduler, start = DeadlineScheduler(), clock.now
    first, second, third = watched(scheduler, clock, 3)
    scheduler.set(first, clock.now, 30)
    scheduler.set(second, clock.now, 10)
    scheduler.set_at(third, clock.now, clock.now + 20, 40)
    await asyncio.sleep(100)
    assert [each.ended[0] - start for each in (first, second, third)] == pytest.approx([30, 10, 20])
    assert [len(each.ended) for each in (first, second, third)] == [1, 1, 1]


async def test_started_deadlines_expire_in_order(clock: FakeClock) -> None:
    scheduler, start = DeadlineScheduler(), clock.now
    later, earlier = Watched(clock), Watched(clock)
    scheduler.start(later, asyncio.get_running_loop(), 20.0)
    scheduler.start(earlier, asyncio.get_running_loop(), 10.0)
    assert scheduler.watched == {later, earlier}
    await asyncio.sleep(100)
    assert [each.ended[0] - start for each in (earlier, later)] == pytest.approx([10, 20])


async def test_postponed_deadline_is_observed(clock: FakeClock) -> None:
    scheduler, start = DeadlineScheduler(), clock.now
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, clock.now, 10)
    await asyncio.sleep(9)
    one.deadline = clock.now + 10
    await asyncio.sleep(20)
    assert [each - start for each in one.ended] == pytest.approx([19], rel=0.1)


async def test_infinite_timeout_never_expires(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler()
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, clock.now, NEVER)
    await asyncio.sleep(1e6)
    assert one.ended == []
    assert "no timer" in repr(scheduler)


async def test_many_deadlines_expire_in_batches(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler()
    many = watched(scheduler, clock, 100)
    for each in many:
        scheduler.set(each, clock.now, 10)
    await asyncio.sleep(10)
    some = sum(len(each.ended) for each in many)
    while not all(each.ended for each in many):
        await asyncio.sleep(0)
    assert some < 20
    assert all(len(each.ended) == 1 for each in many)


async def test_connection_postponed_or_discarded_during_batches_does_not_expire(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler()
    many = watched(scheduler, clock, 100)
    for each in many:
        scheduler.set(each, clock.now, 10)
    await asyncio.sleep(10)
    waiting = [each for each in many if not each.ended]
    moved, gone = waiting[:5], waiting[5:10]
    for each in moved:
        each.deadline = clock.now + 50  # as when a connection postpones its deadline
    for each in gone:
        scheduler.discard(each)
    await asyncio.sleep(5)
    assert not any(each.ended for each in moved + gone)
    assert all(each.ended for each in waiting[10:])
    await asyncio.sleep(50)
    assert all(each.ended for each in moved)


async def test_timer_is_cancelled_with_last_connection(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler()
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, clock.now, 10)
    scheduler.discard(one)
    assert "no timer" in repr(scheduler)


async def test_timer_is_cancelled_when_scheduler_is_cleared(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler(keep_timer=True)
    one, _ = watched(scheduler, clock, 2)
    scheduler.set(one, clock.now, 10)
    scheduler.clear()
    await asyncio.sleep(20)
    assert one.ended == []
    assert scheduler.next_deadline == NEVER
    assert repr(scheduler) == "<DeadlineScheduler 0 watched, no timer>"


async def test_kept_timer_serves_objects_that_come_and_go(clock: FakeClock) -> None:
    """The requests of a client: most end in time, one after the other."""
    scheduler = DeadlineScheduler(keep_timer=True)
    (first,) = watched(scheduler, clock, 1)
    scheduler.set(first, clock.now, 10)
    due = scheduler.next_deadline
    for _ in range(5):
        scheduler.discard(first)
        await asyncio.sleep(1)
        (first,) = watched(scheduler, clock, 1)
        scheduler.set(first, clock.now, 10)
        assert scheduler.next_deadline == due  # the same timer
    start = clock.now
    await asyncio.sleep(20)
    assert [each - start for each in first.ended] == pytest.approx([10], rel=0.1)


async def test_kept_timer_without_objects_is_not_started_again(clock: FakeClock) -> None:
    scheduler = DeadlineScheduler(keep_timer=True)
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, clock.now, 10)
    scheduler.discard(one)
    assert scheduler.next_deadline != NEVER
    await asyncio.sleep(20)
    assert scheduler.next_deadline == NEVER


async def test_timer_may_fire_a_little_early(clock: FakeClock) -> None:
    """Timers of uvloop are rounded to milliseconds."""
    scheduler = DeadlineScheduler(lambda: clock.now - 0.0005)
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, scheduler.time(), 10)
    await asyncio.sleep(10.0001)
    assert len(one.ended) == 1


async def test_deadlines_are_handled_in_given_context(clock: FakeClock) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    class Recording(Watched):
        def deadline_passed(self) -> None:
            seen.append(variable.get())

    variable.set("of the request")
    for context in (None, Context()):
        scheduler, one = DeadlineScheduler(context=context), Recording(clock)
        scheduler.add(one, asyncio.get_running_loop())
        scheduler.set(one, clock.now, 10)
        await asyncio.sleep(11)
    assert seen == ["of the request", "unset"]


async def test_scheduler_is_not_in_a_reference_cycle(clock: FakeClock) -> None:
    """The scheduler is freed without the garbage collector."""
    scheduler = DeadlineScheduler()
    (one,) = watched(scheduler, clock, 1)
    scheduler.set(one, clock.now, 10)
    await asyncio.sleep(20)
    assert one.ended
    held = weakref.ref(one)
    gc.disable()
    try:
        del scheduler, one
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError])
async def test_error_at_deadline_does_not_affect_other_connections(
    clock: FakeClock, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    class Failing(Watched):
        def deadline_passed(self) -> None:
            raise fault

    scheduler = DeadlineScheduler()
    others = watched(scheduler, clock, 3)
    failing = [Failing(clock) for _ in range(10)]
    for each in failing:
        scheduler.add(each, asyncio.get_running_loop())
        scheduler.set(each, clock.now, 10)
    for each in others:
        scheduler.set(each, clock.now, 20)
    with expect_log("tornado.application", "Uncaught exception at a deadline") as expected:
        await asyncio.sleep(12)
    assert len(expected.records) == 10
    await asyncio.sleep(12)
    assert all(len(each.ended) == 1 for each in others)


def test_deadlines_survive_interrupted_event_loop(clock: FakeClock) -> None:
    """A program may run the loop again after SystemExit or KeyboardInterrupt."""

    class Ending(Watched):
        def deadline_passed(self) -> None:
            raise SystemExit(3)

    async def begin() -> None:
        loop = asyncio.get_running_loop()
        for each in (ending, *others):
            scheduler.add(each, loop)
            scheduler.set(each, clock.now, 10)
        await asyncio.sleep(20)

    scheduler, ending = DeadlineScheduler(), Ending(clock)
    others = [Watched(clock) for _ in range(6)]
    loop = clock.new_event_loop()
    waiting = loop.create_task(begin())
    with pytest.raises(SystemExit):
        loop.run_until_complete(waiting)
    loop.run_until_complete(waiting)
    assert all(len(each.ended) == 1 for each in others)
    loop.close()
