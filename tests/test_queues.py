"""Queues of each order: full, empty, and with waiters."""

from __future__ import annotations

import asyncio
import datetime
import re

import pytest

from tests.support.locks import waiting_getters, waiting_putters
from tornado import gen, queues

SECOND = datetime.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (queues.Queue, [2, 3, 1]),
        (queues.PriorityQueue, [1, 2, 3]),
        (queues.LifoQueue, [1, 3, 2]),
    ],
)
async def test_each_kind_of_queue_has_its_order(kind, expected):
    queue = kind()
    for item in (2, 3, 1):
        queue.put_nowait(item)
    assert [queue.get_nowait() for _ in range(3)] == expected


async def test_sizes_follow_the_content():
    queue = queues.Queue(2)
    assert (queue.maxsize, queue.qsize(), queue.empty(), queue.full()) == (2, 0, True, False)
    await queue.put("a")
    assert (queue.qsize(), queue.empty(), queue.full()) == (1, False, False)
    await queue.put("b")
    assert queue.full()
    with pytest.raises(queues.QueueFull, match="2 items"):
        queue.put_nowait("c")
    assert not queues.Queue().full()
    with pytest.raises(TypeError, match="None"):
        queues.Queue(maxsize=None)
    with pytest.raises(ValueError, match="negative"):
        queues.Queue(maxsize=-1)
    with pytest.raises(queues.QueueEmpty):
        queues.Queue().get_nowait()


async def test_fractional_maxsize_is_rounded_up():
    queue = queues.Queue(1.3)
    queue.put_nowait(1)
    queue.put_nowait(2)
    assert queue.full()


async def test_getters_are_served_in_order():
    queue = queues.Queue()
    first, second = queue.get(), queue.get()
    queue.put_nowait("a")
    await queue.put("b")
    assert (first.result(), second.result()) == ("a", "b")
    assert queue.empty()


async def test_putters_are_served_in_order():
    queue = queues.Queue(1)
    waiting = [queue.put(number) for number in range(3)]
    assert [future.done() for future in waiting] == [True, False, False]
    assert await queue.get() == 0
    assert waiting[1].done()
    assert not waiting[2].done()
    assert [queue.get_nowait(), queue.get_nowait()] == [1, 2]
    assert waiting[2].done()


async def test_items_of_waiting_putters_keep_the_queue_order():
    queue = queues.PriorityQueue(1)
    queue.put_nowait(5)
    queue.put(1)
    assert queue.get_nowait() == 1
    assert queue.get_nowait() == 5


@pytest.mark.parametrize("timeout", [SECOND, 0])
async def test_get_and_put_raise_at_timeout(clock, timeout):
    queue = queues.Queue(1)
    with pytest.raises(TimeoutError):
        await queue.get(timeout)
    queue.put_nowait("in")
    with pytest.raises(TimeoutError):
        await queue.put("never", timeout)
    with pytest.raises(TimeoutError):
        await queue.join(timeout)
    assert queue.get_nowait() == "in"
    assert queue.empty()


async def test_timeouts_that_do_not_expire(clock):
    queue = queues.Queue(1)
    getting = queue.get(SECOND)
    queue.put_nowait(1)
    queue.put_nowait(2)
    putting = queue.put(3, SECOND)
    queue.get_nowait()
    await gen.sleep(2)
    assert getting.result() == 1
    await putting


async def test_finished_waiters_are_skipped():
    queue = queues.Queue(1)
    gone, there = queue.get(), queue.get()
    gone.cancel()
    queue.put_nowait(1)
    assert there.result() == 1
    queue.put_nowait(2)
    gone, there = queue.put(3), queue.put(4)
    gone.cancel()
    assert [queue.get_nowait(), queue.get_nowait()] == [2, 4]
    assert there.done()


async def test_number_of_finished_waiters_is_bounded():
    queue = queues.Queue(1)
    queue.put_nowait(0)
    stays = queue.put("stays")
    for _ in range(1_000):
        queue.put("leaves").cancel()
    assert len(waiting_putters(queue)) <= 128
    assert not stays.done()


async def test_join_waits_for_all_tasks():
    queue = queues.Queue()
    assert queue.join().done()
    queue.put_nowait(1)
    queue.put_nowait(2)
    waiting = queue.join()
    queue.get_nowait()
    queue.task_done()
    assert not waiting.done()
    queue.get_nowait()
    queue.task_done()
    assert waiting.done()
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()


async def test_async_for_gets_items(loop_kind):
    queue = queues.Queue(1)
    seen = []

    async def consume():
        async for item in queue:
            seen.append(item)
            queue.task_done()

    consumer = asyncio.create_task(consume())
    for number in range(5):
        await queue.put(number)
    await queue.join()
    consumer.cancel()
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", [queues.Queue, queues.PriorityQueue, queues.LifoQueue])
async def test_task_cancelled_when_its_item_arrives_leaves_the_item(kind):
    """If a `get` is cancelled, the item remains in the queue, and the next `get` returns it."""
    queue = kind()
    seen = []

    async def consume():
        async for item in queue:
            seen.append(item)
            queue.task_done()

    first = asyncio.create_task(consume())
    await asyncio.sleep(0)
    queue.put_nowait(1)
    queue.put_nowait(2)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert [queue.get_nowait() for _ in range(2)] == [1, 2]
    assert not seen


async def test_returned_item_goes_to_the_next_waiter():
    queue = queues.Queue()

    async def consume():
        item = await anext(aiter(queue))
        queue.task_done()
        return item

    first, second = (asyncio.create_task(consume()) for _ in range(2))
    await asyncio.sleep(0)
    queue.put_nowait("item")
    first.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert first.cancelled()
    assert second.done()
    assert await second == "item"
    assert queue.join().done()


async def test_task_cancelled_while_waiting_takes_no_item():
    queue = queues.Queue()
    waiting = asyncio.create_task(anext(aiter(queue)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    queue.put_nowait("item")
    assert queue.get_nowait() == "item"


async def test_subclass_with_coroutine_get():
    class Slow(queues.Queue):
        async def get(self, timeout=None):
            return await super().get(timeout)

    queue = Slow()
    queue.put_nowait("item")
    async for item in queue:
        assert item == "item"
        break


async def test_consumer_as_generator_coroutine():
    queue = queues.Queue()

    @gen.coroutine
    def consume():
        return (yield queue.get()) + (yield queue.get())

    both = consume()
    queue.put_nowait(1)
    queue.put_nowait(2)
    assert await both == 3


async def test_subclass_with_custom_container():
    class Distinct(queues.Queue):
        def _init(self):
            self._queue = set()

        def _put(self, item):
            self._queue.add(item)

        def _get(self):
            return self._queue.pop()

    queue = Distinct()
    queue.put_nowait(1)
    queue.put_nowait(1)
    assert queue.qsize() == 1


async def test_repr_and_str_show_the_state():
    queue = queues.Queue(1)
    assert str(queue) == "<Queue maxsize=1>"
    queue.put_nowait("x")
    queue.put("y")
    assert str(queue) == "<Queue maxsize=1 queue=deque(['x']) putters[1] tasks=1>"
    assert re.fullmatch(r"<LifoQueue at 0x[0-9a-f]+ maxsize=0>", repr(queues.LifoQueue()))
    empty = queues.Queue()
    empty.get()
    assert str(empty) == "<Queue maxsize=0 getters[1]>"


async def test_subclass_whose_nowait_methods_never_fail():
    """The overridden ``put_nowait`` and ``get_nowait`` decide whether `put` and `get` wait."""

    class Ring(queues.Queue):
        def put_nowait(self, item):
            if self.full():
                super().get_nowait()
            super().put_nowait(item)

        def get_nowait(self):
            return super().get_nowait() if self.qsize() else "nothing"

    ring = Ring(2)
    for number in range(4):
        assert ring.put(number).done()
    assert [ring.get().result() for _ in range(3)] == [2, 3, "nothing"]


async def test_new_waiter_removes_finished_ones(clock):
    empty, full = queues.Queue(), queues.Queue(1)
    full.put_nowait(0)
    for wait in (empty.get, lambda timeout=None: full.put(1, timeout)):
        left = [wait(SECOND) for _ in range(10)]
        await asyncio.sleep(2)
        assert all(isinstance(each.exception(), TimeoutError) for each in left)
        wait()
    assert len(waiting_getters(empty)) == 1
    assert len(waiting_putters(full)) == 1


async def test_subclass_with_custom_full():
    """The `full` method of a subclass may allow fewer or more items than ``maxsize``."""

    class Light(queues.Queue):
        limit = 1

        def full(self) -> bool:
            return self.qsize() >= self.limit

    queue = Light(1)
    queue.put_nowait(0)
    second = queue.put(1)
    assert not second.done()
    assert await queue.get() == 0
    await second
    queue.limit = 3
    assert queue.put(2).done()
    assert queue.qsize() == 2
