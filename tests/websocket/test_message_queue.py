"""Tests of `MessageQueue`: order, limits and the end."""

from __future__ import annotations

import asyncio

from tests.support.streams import run_loop_iterations
from tests.support.websocket_internals import waiting_readers
from tornado.websocket._message_queue import MAX_MESSAGES, MAX_SIZE, MessageQueue


def queue() -> MessageQueue:
    return MessageQueue(asyncio.get_running_loop())


async def test_messages_are_returned_in_order() -> None:
    messages = queue()
    for message in ("a", b"b", ""):
        assert messages.put(message) is None
    assert len(messages) == 3
    assert [await messages.get() for _ in range(3)] == ["a", b"b", ""]


async def test_waiting_readers_receive_messages_in_order() -> None:
    """A cancelled reader receives no message; the next reader receives it."""
    messages = queue()
    readers = [messages.get() for _ in range(3)]
    readers[1].cancel()
    messages.put("a")
    messages.put("b")
    messages.put("c")
    assert [await readers[0], await readers[2], await messages.get()] == ["a", "b", "c"]


async def test_limit_on_the_number_of_messages() -> None:
    messages = queue()
    for _ in range(MAX_MESSAGES - 1):
        assert messages.put("") is None
    room = messages.put("")
    assert room is not None
    assert messages.put("beyond") is room
    await messages.get()
    assert not room.done()
    await messages.get()
    assert room.done()
    assert len(messages) == MAX_MESSAGES - 1


async def test_limit_on_the_size_of_messages() -> None:
    messages = queue()
    assert messages.put("x" * (MAX_SIZE - 1)) is None
    room = messages.put(b"x")
    assert room is not None
    assert not room.done()
    await messages.get()
    assert room.done()
    # An empty queue accepts a message of any size, and is then full.
    await messages.get()
    room = messages.put("x" * MAX_SIZE)
    assert room is not None
    assert len(messages) == 1


async def test_end_wakes_readers_with_none() -> None:
    messages = queue()
    waiting = messages.get()
    given_up = messages.get()
    given_up.cancel()
    messages.end()
    assert await waiting is None
    assert await messages.get() is None
    messages = queue()
    messages.put("last")
    messages.end()
    assert [await messages.get(), await messages.get()] == ["last", None]


async def test_excess_is_discarded() -> None:
    """After `discard_excess`, `put` never returns a Future to wait for."""
    messages = queue()
    for number in range(MAX_MESSAGES):
        room = messages.put(str(number))
    assert room is not None
    messages.discard_excess()
    assert room.done()
    assert messages.put("too many") is None
    assert len(messages) == MAX_MESSAGES
    assert await messages.get() == "0"
    assert messages.put("fits") is None
    assert len(messages) == MAX_MESSAGES


async def test_waiting_producer_may_be_cancelled() -> None:
    messages = queue()
    for _ in range(MAX_MESSAGES):
        room = messages.put("")
    assert room is not None
    room.cancel()
    await messages.get()
    await run_loop_iterations()


async def test_cancelled_readers_are_removed() -> None:
    """Neither the readers of a program that polls nor readers replaced one by one accumulate; the order of
    the others does not change.
    """
    messages = queue()
    first = messages.get()
    previous = messages.get()
    for _ in range(1000):
        messages.get().cancel()
        current = messages.get()
        previous.cancel()
        previous = current
    assert waiting_readers(messages) < 50
    for message in "abc":
        messages.put(message)
    assert [await first, await previous, await messages.get()] == ["a", "b", "c"]


async def test_many_readers_may_wait() -> None:
    messages = queue()
    readers = [messages.get() for _ in range(100)]
    for number in range(100):
        messages.put(str(number))
    assert [await reader for reader in readers] == [str(number) for number in range(100)]
