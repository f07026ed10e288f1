"""Many simultaneous disconnects."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import gc
import weakref
from contextlib import AsyncExitStack

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, is_idle, queued_disconnects, reset, stream_pair
from tornado.iostream import IOStream
from tornado.iostream._disconnect_queue import DisconnectQueue, disconnect_queues

MANY = 100
#: Maximum number of disconnects handled in the first event loop iteration.
FIRST = 12

Pair = tuple[IOStream, IOStream, Recorder]


async def pairs(stack: AsyncExitStack, kind: str, certificates: Certificates, family: str) -> list[Pair]:
    """Return `MANY` pairs of connected streams, with the server's stream in push mode."""
    made = []
    for _ in range(MANY):
        server, client = await stack.enter_async_context(stream_pair(kind, certificates, family))
        consumer = Recorder()
        server.start_push(consumer)
        made.append((server, client, consumer))
    return made


async def count_in_first_iteration(consumers: list[Recorder]) -> int:
    """Wait until all consumers have been notified.

    :returns: the number notified in the first event loop iteration with a notification.
    """
    first = 0
    while not all(consumer.events for consumer in consumers):
        await asyncio.sleep(0)
        first = first or sum(bool(consumer.events) for consumer in consumers)
    return first


async def test_many_orderly_ends_are_handled_in_batches(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with AsyncExitStack() as stack:
        made = await pairs(stack, kind, certificates, "unix")
        for _, client, _ in made:
            client.close()
        assert await count_in_first_iteration([consumer for _, _, consumer in made]) <= FIRST
        assert all(consumer.events == ["eof"] for _, _, consumer in made)
        assert not any(server.closed() for server, _, _ in made)


async def test_many_resets_are_handled_in_batches(loop_kind: str, certificates: Certificates) -> None:
    async with AsyncExitStack() as stack:
        made = await pairs(stack, "plain", certificates, "tcp")
        for _, client, _ in made:
            reset(client)
        assert await count_in_first_iteration([consumer for _, _, consumer in made]) <= FIRST
        for server, _, consumer in made:
            assert isinstance(server.error, ConnectionResetError)
            assert consumer.events == [("lost", server.error)]


async def test_single_disconnect_is_not_delayed(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """The disconnect is handled immediately, and the queue has no batch scheduled."""
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        client.close()
        await consumer.until(lambda: consumer.events)
        assert is_idle(disconnect_queues.get(server.loop))


class Peer:
    """A substitute for a stream that records the error and the context of each notification."""

    def __init__(self, notified: list[tuple[Peer, Exception | None, str]]) -> None:
        self._notified = notified

    def _disconnected(self, error: Exception | None) -> None:
        self._notified.append((self, error, CONTEXT_NAME.get()))


CONTEXT_NAME: contextvars.ContextVar[str] = contextvars.ContextVar("CONTEXT_NAME", default="default")


def peers(count: int) -> tuple[DisconnectQueue, list[Peer], list[tuple[Peer, Exception | None, str]]]:
    notified: list[tuple[Peer, Exception | None, str]] = []
    return DisconnectQueue(asyncio.get_running_loop()), [Peer(notified) for _ in range(count)], notified


async def test_entries_are_handled_in_order_each_in_its_context() -> None:
    queue, many, notified = peers(MANY)
    for number, peer in enumerate(many):
        context = contextvars.copy_context()
        context.run(CONTEXT_NAME.set, str(number))
        context.run(queue.add, peer, None)
    while len(notified) < MANY:
        await asyncio.sleep(0)
    assert notified == [(peer, None, str(number)) for number, peer in enumerate(many)]


async def test_stream_entered_twice_is_notified_once_with_the_error() -> None:
    queue, many, notified = peers(6)
    error = ConnectionResetError(errno.ECONNRESET, "x")
    for peer in many:
        queue.add(peer, None)
    del notified[:]
    queue.add(many[-2], error)
    queue.add(many[-1], None)
    queue.add(many[-2], None)
    await asyncio.sleep(0)
    assert notified == [(many[-2], error, "default"), (many[-1], None, "default")]


@pytest.mark.parametrize("change", ["closed", "another consumer", "taken"])
async def test_stream_changed_before_its_turn_is_not_notified(
    certificates: Certificates, change: str
) -> None:
    """A stream that was closed or has another consumer when its entry is handled is not notified."""
    async with AsyncExitStack() as stack:
        made = await pairs(stack, "plain", certificates, "unix")
        for _, client, _ in made:
            client.close()
        while not any(consumer.events for _, _, consumer in made):
            await asyncio.sleep(0)
        queued = queued_disconnects(disconnect_queues.get(made[0][0].loop))
        waiting = [(server, consumer) for server, _, consumer in made if server in queued]
        assert len(waiting) > FIRST
        other = Recorder()
        server, consumer = waiting[-1]
        if change == "closed":
            server.close()
        elif change == "taken":
            server.stop_push()
        else:
            server.start_push(other)
        while any(server in queued for server, _, _ in made):
            await asyncio.sleep(0)
        assert consumer.events == ([("lost", None)] if change == "closed" else [])
        if change == "another consumer":
            await other.until(lambda: other.events)
            assert other.events == ["eof"]


class WeakReferencableQueue(DisconnectQueue):
    """A queue that supports weak references."""

    __slots__ = ("__weakref__",)


async def test_queue_is_not_in_a_reference_cycle() -> None:
    """The queue is freed together with its event loop, without the garbage collector."""
    queue = WeakReferencableQueue(asyncio.get_running_loop())
    held = weakref.ref(queue)
    gc.disable()
    try:
        del queue
        assert held() is None
    finally:
        gc.enable()
