"""`EventQueue`: the events that the server has not accepted."""

from __future__ import annotations

import asyncio

import pytest

from tornado.asgi._event_queue import EventQueue
from tornado.iostream import StreamClosedError


def new_queue() -> tuple[EventQueue, list[str]]:
    woken: list[str] = []
    return EventQueue(asyncio.get_running_loop(), lambda: woken.append("woken")), woken


async def test_events_leave_in_order_and_their_futures_are_done() -> None:
    queue, woken = new_queue()
    sent = [queue.put({"type": name}, 10) for name in "ab"]
    assert woken == ["woken"] * 2
    assert queue.size == 20
    assert queue.first() == {"type": "a"}
    queue.accepted()
    assert [each.done() for each in sent] == [True, False]
    assert queue.size == 10
    assert queue.first() == {"type": "b"}
    queue.accepted()
    assert queue.first() is None


async def test_last_event_cannot_change_once_the_server_has_it() -> None:
    queue, _ = new_queue()
    _ = queue.put({"type": "a"})
    assert queue.last() == {"type": "a"}
    _ = queue.first()
    assert queue.last() is None
    _ = queue.put({"type": "b"})
    assert queue.last() == {"type": "b"}


async def test_when_sent_waits_for_the_present_events() -> None:
    queue, _ = new_queue()
    assert queue.when_sent().done()
    _ = queue.put({"type": "a"})
    waiting = queue.when_sent()
    _ = queue.put({"type": "b"})
    _ = queue.first()
    queue.accepted()
    await waiting


async def test_cleared_events_fail() -> None:
    queue, _ = new_queue()
    sent, waiting = queue.put({"type": "a"}, 5), queue.when_sent()
    _ = queue.first()
    queue.clear()
    for future in (sent, waiting):
        with pytest.raises(StreamClosedError):
            await future
    assert queue.size == 0


async def test_event_after_clear_is_not_taken_for_the_accepted_one() -> None:
    queue, _ = new_queue()
    _ = queue.put({"type": "a"})
    _ = queue.first()
    queue.clear()
    sent = queue.put({"type": "b"})
    queue.accepted()  # the server has accepted "a"
    assert not sent.done()
    assert queue.first() == {"type": "b"}


async def test_cancelled_future_does_not_disturb_the_others() -> None:
    queue, _ = new_queue()
    first, second = queue.put({"type": "a"}), queue.put({"type": "b"})
    waiting = queue.when_sent()
    first.cancel()
    second.cancel()
    waiting.cancel()
    for _number in range(2):
        _ = queue.first()
        queue.accepted()
    await asyncio.sleep(0)
    assert queue.first() is None
