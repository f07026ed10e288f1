"""The delay of the event loop and the pauses of the garbage collector."""

from __future__ import annotations

import asyncio
import gc

from tests.support.clock import FakeClock
from tornado import web
from tornado.web._observation._loop_delay import INTERVAL, CollectorPauses, LoopDelay, start_measuring


async def test_blocked_loop_is_recorded(clock: FakeClock) -> None:
    delay = LoopDelay(asyncio.get_running_loop())
    for number in range(1, 4):
        await asyncio.sleep(INTERVAL)
        assert delay.beats == number
    assert delay.delays.counts[0] == 3
    delay.stop()
    await asyncio.sleep(10 * INTERVAL)
    assert delay.beats == 3


async def test_functions_are_called_with_each_beat(clock: FakeClock) -> None:
    loop = asyncio.get_running_loop()
    calls: list[float] = []
    call = calls.append

    def beat() -> None:
        call(loop.time())

    start_measuring(loop, beat)
    start_measuring(loop, beat)
    begin = loop.time()
    await asyncio.sleep(2.5 * INTERVAL)
    assert [round(each - begin, 6) for each in calls] == [round(n * INTERVAL, 6) for n in (1, 2)]


def test_pauses_are_recorded_until_stopped() -> None:
    pauses = CollectorPauses()
    gc.collect()
    count = sum(pauses.pauses.counts)
    assert count >= 1
    pauses.stop()
    gc.collect()
    assert sum(pauses.pauses.counts) == count


async def test_measurement_begins_when_the_server_listens(clock: FakeClock) -> None:
    application = web.Application(metrics=True)
    application.server_listens()
    observer = application.observer
    assert observer is not None
    swept: list[int] = []
    observer.in_flight = SizedOnly(swept)  # type: ignore[assignment]
    await asyncio.sleep(INTERVAL)
    assert swept == [1]


class SizedOnly(dict):  # type: ignore[type-arg]
    """Records each call of ``len``."""

    def __init__(self, calls: list[int]) -> None:
        self.calls = calls

    def __len__(self) -> int:
        self.calls.append(1)
        return 0


async def test_nothing_is_stored_in_the_loop() -> None:
    loop = asyncio.get_running_loop()
    names = set(dir(loop))
    start_measuring(loop, lambda: None)
    assert set(dir(loop)) == names


def test_application_may_be_checked_without_an_event_loop() -> None:
    web.Application(metrics=True).server_listens()
