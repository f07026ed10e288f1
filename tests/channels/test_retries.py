"""`Retries`: a wait ends after its delay, or when the broker is connected again."""

from __future__ import annotations

import asyncio

from tests.support.clock import FakeClock
from tornado.channels._retries import FIRST_DELAY, MAX_DELAY, Retries


def test_delays_double_up_to_the_maximum():
    clock = FakeClock()

    async def main() -> None:
        retries = Retries()
        delay = FIRST_DELAY
        for n in range(10):
            begin = clock.now
            next_delay = await retries.wait(delay)
            assert 0.5 * delay <= clock.now - begin <= delay * 1.001
            assert next_delay == min(FIRST_DELAY * 2 ** (n + 1), MAX_DELAY)
            delay = next_delay

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(main())


async def test_all_waits_can_be_ended():
    retries = Retries()
    retries.wake()
    waits = [asyncio.ensure_future(retries.wait(1000.0)) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    retries.wake()
    assert await asyncio.gather(*waits[1:]) == [MAX_DELAY, MAX_DELAY]
    assert waits[0].cancelled()
    retries.wake()
