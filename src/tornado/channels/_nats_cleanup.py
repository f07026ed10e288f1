"""Deletes the streams of NATS whose channels have not been used for a long time.

Each process does so at random times, so no process must be chosen. JetStream has no conditional deletion. A
message that is stored between the last look at a stream and its deletion is lost, and receivers get a gap,
because the next stream has another epoch.
"""

from __future__ import annotations

import asyncio
import random

from tornado._loop.tasks import start_lazily
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._nats_connection import NATSConnection
from tornado.channels._nats_streams import Streams
from tornado.log import gen_log

#: The interval between two lists of all streams: a part of the time until a stream is unused.
_INTERVAL = 1 / 12


class StreamCleanup:
    """Deletes unused streams again and again.

    :param max_unused: the time in seconds after which an unused stream is deleted.
    """

    def __init__(self, connection: NATSConnection, streams: Streams, max_unused: float) -> None:
        self._connection = connection
        self._streams = streams
        self._interval = _INTERVAL * max_unused
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to wait for the first time."""
        self._task = start_lazily(self._run())

    async def close(self) -> None:
        """End the work."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        # Its cancellation may be lost: nats-py uses `asyncio.wait_for`, which in Python 3.11 suppresses some.
        while self._task is not None:
            await asyncio.sleep(self._interval * random.uniform(0.5, 1.5))
            try:
                client = await self._connection.client()
                await self._streams.delete_unused(client, self._connection.call, self._connection.is_denied)
            except BrokerUnavailableError:
                pass  # the next attempt follows
            except PermissionError as error:
                gen_log.warning(
                    "Unused streams of NATS at %s are not deleted: %s; permit this, or use max_unused=None",
                    self._connection.address,
                    error,
                )
                return
            except Exception:
                gen_log.error("Exception while unused streams of NATS were deleted", exc_info=True)


__all__ = ["StreamCleanup"]
