"""Presence in NATS: the entries of connections and the leases of processes.

One stream in the memory of the server contains the last message of each subject. A connection has a subject,
whose message contains its worker and its entry. A worker has one with the duration of its lease, which begins
when the server stores the message. A lease that begins in the future was stored before the clock of the
server was set back. It has ended, and its process stores its entries again with the next renewal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from tornado.channels._nats_connection import NATSConnection
from tornado.channels._nats_encoding import token_of
from tornado.channels._nats_streams import Streams, batch_of

#: The number of entries that are stored at the same time.
_MAX_CONCURRENT = 100
#: The end and the run of a lease that does not exist.
_NO_LEASE = 0.0, ""


class NATSPresence:
    """Stores entries and leases.

    :param prefix: the first token of all subjects, and the beginning of the name of the stream.
    """

    def __init__(self, connection: NATSConnection, streams: Streams, prefix: str) -> None:
        self._connection = connection
        self._streams = streams
        self._name = streams.table
        self._subject = f"{prefix}.presence"
        #: The ends of the leases of this process, and the run of the server that contains them.
        self._leases: dict[tuple[str, str], tuple[float, str]] = {}

    async def add(self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float) -> bool:
        """See `Broker.add_presence`."""
        had_lease: bool = await self._call(
            lambda context: self._add(context, channel, worker, entries, lease)
        )
        return had_lease

    async def _add(
        self, context: Any, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        run = await self._streams.create_table(context)
        had_lease = await self._extend(context, channel, worker, lease, run)
        subject = self._of(channel)
        await _gather(
            context.publish(f"{subject}.c.{connection}", worker.encode() + b" " + entry, stream=self._name)
            for connection, entry in entries.items()
        )
        return had_lease

    async def _extend(self, context: Any, channel: str, worker: str, lease: float, run: str) -> bool:
        """Begin or renew a lease. Return whether there was one in this run of the server until now."""
        end, known_run = self._leases.get((channel, worker), _NO_LEASE)
        begin = monotonic()
        subject = f"{self._of(channel)}.w.{worker}"
        await context.publish(subject, b"%d" % (lease * 1000), stream=self._name)
        if (channel, worker) not in self._leases:  # a new one, perhaps in place of one that ends
            self._leases = {key: found for key, found in self._leases.items() if found[0] > begin}
        self._leases[channel, worker] = begin + lease, run
        # After the end of the lease, another process may have removed the entries.
        return run == known_run and monotonic() < end

    async def remove(self, channel: str, connections: Sequence[str]) -> None:
        """See `Broker.remove_presence`."""
        subject = self._of(channel)

        async def remove(context: Any) -> None:
            await self._streams.create_table(context)
            await _gather(
                context.purge_stream(self._name, subject=f"{subject}.c.{connection}")
                for connection in connections
            )

        await self._call(remove)

    async def renew(self, channel: str, worker: str, lease: float) -> bool:
        """See `Broker.renew_presence`."""
        end, run = self._leases.get((channel, worker), _NO_LEASE)
        if end <= monotonic():
            self._leases.pop((channel, worker), None)
            return False

        async def renew(context: Any) -> bool:
            return await self._streams.has_message(
                context, self._name, f"{self._of(channel)}.w.{worker}"
            ) and await self._extend(context, channel, worker, lease, run)

        renewed: bool = await self._call(renew)
        return renewed

    async def list(self, channel: str) -> dict[str, bytes]:
        """See `Broker.list_presence`. Remove what belongs to processes whose lease has ended."""
        client = await self._connection.client()
        batch = batch_of(client)
        found: dict[str, bytes] = await self._call(lambda context: self._list(context, channel, batch))
        return found

    async def _list(self, context: Any, channel: str, batch: int) -> dict[str, bytes]:
        await self._streams.create_table(context)
        subject = self._of(channel)
        messages, now = await self._streams.fetch_all(
            context, self._name, batch, filter_subject=f"{subject}.>"
        )
        workers: set[bytes] = set()
        entries: dict[str, tuple[bytes, bytes, Any]] = {}
        ended: list[Any] = []
        ended_workers: set[bytes] = set()
        for message in messages:
            kind, _, name = message.subject[len(subject) + 1 :].partition(".")
            if kind == "c":
                worker, _, entry = message.data.partition(b" ")
                entries[name] = (worker, entry, message)
            elif abs(message.metadata.timestamp - now) < timedelta(milliseconds=int(message.data)):
                workers.add(name.encode())
            else:
                ended.append(message)
                ended_workers.add(name.encode())
        for worker in {worker for worker, _, _ in entries.values()} - workers - ended_workers:
            # Its lease may have been renewed after its position had been read.
            if await self._streams.has_message(context, self._name, f"{subject}.w.{worker.decode()}"):
                workers.add(worker)
        ended += [message for worker, _, message in entries.values() if worker not in workers]
        # Limited to what was read: a process that was suspended may store its entries again now.
        await _gather(
            context.purge_stream(
                self._name, subject=message.subject, seq=message.metadata.sequence.stream + 1
            )
            for message in ended
        )
        return {name: entry for name, (worker, entry, _) in entries.items() if worker in workers}

    def _of(self, channel: str) -> str:
        return f"{self._subject}.{token_of(channel)}"

    async def _call(self, operation: Any) -> Any:
        client = await self._connection.client()
        return await self._connection.call(operation(client.jetstream()))


async def _gather(operations: Iterable[Awaitable[Any]]) -> None:
    limit = asyncio.Semaphore(_MAX_CONCURRENT)

    async def one(operation: Awaitable[Any]) -> None:
        async with limit:
            await operation

    try:
        async with asyncio.TaskGroup() as group:
            for operation in operations:
                group.create_task(one(operation))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


__all__ = ["NATSPresence"]
