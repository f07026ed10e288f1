"""The connection on which a process receives messages from Redis.

One connection serves all channels. It is replaced when it is closed, when an error occurs, and when it
does not respond to a ping, until the listener is closed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from time import monotonic
from typing import Any

from tornado._loop.tasks import start_lazily
from tornado.channels._outage import Outage
from tornado.channels._redis_servers import Monitor
from tornado.channels._redis_subscriptions import Commands, RedisSubscriptions
from tornado.log import gen_log

#: The bounds of the delay between attempts to connect, in seconds.
_MIN_DELAY, _MAX_DELAY = 0.02, 0.4
#: The additional time for the response to a ping after the time limit, in seconds.
_GRACE = 0.1


class RedisListener:
    """Subscribes to channels of Redis and passes their messages on.

    :param connect: returns a new connection of redis-py, which is not connected yet.
    :param monitor: finds connections that are unusable although they respond; None if there are none.
    :param errors: the exceptions that mean that a connection is unusable.
    :param address: the address for log messages.
    :param ping_interval: the number of seconds without input after which a ping is sent.
    :param timeout: the time limit for the response to a ping, for a connection attempt and for subscriptions.
    :param matches: whether a pattern matches a channel.
    :param received: called with a channel and the data of a message.
    :param connected: called when all subscriptions are established.
    :param disconnected: called when the connection is lost, and when the first attempt fails.
    :ivar channels: the subscriptions to channels.
    :ivar patterns: the subscriptions to patterns.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        monitor: Monitor | None,
        errors: tuple[type[Exception], ...],
        address: str,
        ping_interval: float,
        timeout: float,
        matches: Callable[[bytes, bytes], bool],
        received: Callable[[bytes, bytes], None],
        connected: Callable[[], None],
        disconnected: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._monitor = monitor
        self._errors: tuple[type[Exception], ...] = (*errors, OSError, TimeoutError)
        self._address = address
        self._ping_interval = ping_interval
        self._timeout = timeout
        self._matches = matches
        self._received = received
        self._connected = connected
        self._disconnected = disconnected
        self.channels = RedisSubscriptions(b"", address, timeout)
        self.patterns = RedisSubscriptions(b"P", address, timeout)
        self._task: asyncio.Task[None] | None = None
        self._last_input = 0.0
        self._outage = Outage(f"Redis at {address}")
        self._is_ready = False

    def start(self) -> None:
        """Begin to connect."""
        self._task = start_lazily(self._run())

    async def close(self) -> None:
        """Close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    # -- connection --

    async def _run(self) -> None:
        """Connect again and again, until cancelled."""
        delay = _MIN_DELAY
        while True:
            try:
                connection = self._connect()
                try:
                    await self._use(connection)
                finally:
                    self._reset()
                    await connection.disconnect(nowait=True)
            except self._errors as error:
                was_ready = self._report_lost(error)
                delay = _MIN_DELAY if was_ready else min(2 * delay, _MAX_DELAY)
            except Exception as error:
                gen_log.error("Exception in the listener of Redis at %s", self._address, exc_info=True)
                self._report_lost(error)
                delay = _MAX_DELAY
            await asyncio.sleep(delay * random.uniform(0.5, 1))

    def _report_lost(self, error: BaseException) -> bool:
        """Report the loss of the connection once.

        :returns: whether all subscriptions had been established.
        """
        was_ready, self._is_ready = self._is_ready, False
        if self._outage.begin(error):
            self._disconnected()
        return was_ready

    def _reset(self) -> None:
        self.channels.disconnected()
        self.patterns.disconnected()

    async def _use(self, connection: Any) -> None:
        """Use one connection until it is lost.

        :raises OSError: or another of the `errors`, in every case.
        """
        async with asyncio.timeout(self._timeout):
            await connection.connect()
            if self._monitor is not None:
                await self._monitor.check(connection)
        commands: Commands = asyncio.Queue()
        self.patterns.connected(commands)
        self.channels.connected(commands)
        # The response shows that the server accepts commands, also if there are no channels.
        commands.put_nowait((b"PING",))
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._read(connection)),
            loop.create_task(self._write(connection, commands)),
        ]
        if self._monitor is not None:
            tasks.append(loop.create_task(self._monitor.watch(connection)))
        try:
            await self._watch(tasks, commands)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, tasks: list[asyncio.Task[None]], commands: Commands) -> None:
        """Send pings while there is no input, until a task ends or a ping is not answered."""
        self._last_input = pinged_at = monotonic()
        pending = True  # the first ping is in the queue
        while True:
            done, _ = await asyncio.wait(
                tasks,
                timeout=self._timeout if pending else self._ping_interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                task.result()
                raise ConnectionError("the connection was closed")
            if not pending or self._last_input > pinged_at:
                pending = monotonic() - self._last_input >= self._ping_interval
                if pending:
                    pinged_at = monotonic()
                    commands.put_nowait((b"PING",))
            else:
                # If the event loop was blocked, the ping may be unsent, or the response unread.
                await asyncio.wait(tasks, timeout=_GRACE, return_when=asyncio.FIRST_COMPLETED)
                if self._last_input <= pinged_at:
                    raise TimeoutError(f"no response to a ping within {self._timeout} s")

    async def _write(self, connection: Any, commands: Commands) -> None:
        while True:
            command = await commands.get()
            await connection.send_packed_command(connection.pack_command(*command), check_health=False)

    async def _read(self, connection: Any) -> None:
        while True:
            response = await connection.read_response(disable_decoding=True)
            self._last_input = monotonic()
            if isinstance(response, list):
                kind = response[0]
                if kind == b"message":
                    self._received_message(response[1], response[2])
                    continue
                if kind == b"pmessage":
                    self._received_by_pattern(response[1], response[2], response[3])
                    continue
                if kind == b"subscribe":
                    self.channels.confirm(response[1])
                elif kind == b"psubscribe":
                    self.patterns.confirm(response[1])
            if not self._is_ready and self.channels.is_complete and self.patterns.is_complete:
                self._report_ready()

    def _received_message(self, channel: bytes, data: bytes) -> None:
        # A message of a subscription that has ended may have arrived by a pattern, too.
        if channel in self.channels.confirmed:
            self._received(channel, data)

    def _received_by_pattern(self, pattern: bytes, channel: bytes, data: bytes) -> None:
        """Pass on a message that Redis sends once for each pattern, and once for the channel."""
        if channel in self.channels.confirmed:
            return
        if pattern == next((each for each in self.patterns.confirmed if self._matches(each, channel)), None):
            self._received(channel, data)

    def _report_ready(self) -> None:
        self._is_ready = True
        self._outage.end()
        self._connected()


__all__ = ["RedisListener"]
