"""`MessageQueue`: order, bounds, the end."""

from __future__ import annotations

import asyncio

from tests.support.streams import turns
from tornado.websocket._messages import MAX_MESSAGES, MAX_SIZE, MessageQueue


def queue() -> MessageQueue:
    return MessageQueue(asyncio.get_running_loop())


async def test_messages_in_order() -> None:
    messages = queue()
    for message in ("a", b"b", ""):
        assert messages.put(message) is None
    assert len(messages) == 3
    assert [await messages.get() for _ in range(3)] == ["a", b"b", ""]


async def test_readers_in_order() -> None:
    """One that was cancelled takes no message."""
    messages = queue()
    readers = [messages.get() for _ in range(3)]
    readers[1].cancel()
    messages.put("a")
    messages.put("b")
    messages.put("c")
    assert [await readers[0], await readers[2], await messages.get()] == ["a", "b", "c"]


async def test_the_bound_on_their_number() -> None:
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


async def test_the_bound_on_their_size() -> None:
    messages = queue()
    assert messages.put("x" * (MAX_SIZE - 1)) is None
    room = messages.put(b"x")
    assert room is not None
    assert not room.done()
    await messages.get()
    assert room.done()
    # Anything fits into an empty queue, and nothing beside it.
    await messages.get()
    room = messages.put("x" * MAX_SIZE)
    assert room is not None
    assert len(messages) == 1


async def test_the_end() -> None:
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
    """Then nobody is made to wait."""
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


async def test_who_made_room_may_have_been_cancelled() -> None:
    messages = queue()
    for _ in range(MAX_MESSAGES):
        room = messages.put("")
    assert room is not None
    room.cancel()
    await messages.get()
    await turns()
