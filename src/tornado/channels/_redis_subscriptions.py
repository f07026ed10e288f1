"""The subscriptions of a process to channels or patterns of Redis, on one connection after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from tornado.channels._errors import BrokerUnavailableError

#: The number of names in one command.
_CHUNK = 1000

Commands = asyncio.Queue[tuple[bytes, ...]]


class RedisSubscriptions:
    """Subscribes to names, and knows which of them Redis has confirmed.

    :param prefix: the beginning of the commands: ``P`` for patterns.
    :param address: the address for error messages.
    :param timeout: the time limit of `subscribe`, in seconds.
    """

    def __init__(self, prefix: bytes, address: str, timeout: float) -> None:
        self._subscribe_command = prefix + b"SUBSCRIBE"
        self._unsubscribe_command = prefix + b"UNSUBSCRIBE"
        self._address = address
        self._timeout = timeout
        self._wanted: dict[bytes, None] = {}
        self._confirmed: dict[bytes, None] = {}
        #: The number of commands of each name without a response on this connection.
        self._requested: dict[bytes, int] = {}
        self._waiters: dict[bytes, list[asyncio.Future[None]]] = {}
        self._commands: Commands | None = None

    @property
    def confirmed(self) -> Collection[bytes]:
        """Return the names that are subscribed, in the order of their confirmation."""
        return self._confirmed.keys()

    @property
    def is_complete(self) -> bool:
        """Whether all names are confirmed."""
        return not self._requested

    async def subscribe(self, name: bytes) -> None:
        """Subscribe to a name, and return when Redis has confirmed it.

        :raises BrokerUnavailableError: if this takes longer than the time limit.
        """
        if name in self._confirmed:
            return
        if name not in self._wanted:
            self._wanted[name] = None
            self._request((name,))
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(name, []).append(waiter)
        try:
            async with asyncio.timeout(self._timeout):
                await waiter
        except TimeoutError as error:
            raise BrokerUnavailableError(
                f"Redis at {self._address} has not confirmed a subscription within {self._timeout} s"
            ) from error
        finally:
            waiters = self._waiters.get(name, [])
            if waiter in waiters:
                waiters.remove(waiter)
                if not waiters:
                    del self._waiters[name]

    def unsubscribe(self, name: bytes) -> None:
        """End the subscription to a name, without waiting for Redis."""
        if name in self._wanted:
            del self._wanted[name]
            self._confirmed.pop(name, None)
            if self._commands is not None:
                self._commands.put_nowait((self._unsubscribe_command, name))

    def connected(self, commands: Commands) -> None:
        """Request all names on a new connection, by its queue of commands."""
        self._commands = commands
        wanted = list(self._wanted)
        for begin in range(0, len(wanted), _CHUNK):
            self._request(tuple(wanted[begin : begin + _CHUNK]))

    def disconnected(self) -> None:
        """Forget what was requested on the connection."""
        self._commands = None
        self._confirmed.clear()
        self._requested.clear()

    def confirm(self, name: bytes) -> None:
        """Process the response to a request."""
        remaining = self._requested.get(name, 1) - 1
        if remaining:
            self._requested[name] = remaining
            return
        self._requested.pop(name, None)
        if name in self._wanted:
            self._confirmed[name] = None
            for waiter in self._waiters.pop(name, []):
                if not waiter.done():
                    waiter.set_result(None)

    def _request(self, names: tuple[bytes, ...]) -> None:
        if self._commands is None:
            return  # all names are requested when the connection is established
        for name in names:
            self._requested[name] = self._requested.get(name, 0) + 1
        self._commands.put_nowait((self._subscribe_command, *names))


__all__ = ["Commands", "RedisSubscriptions"]
