"""`ConnectionPool`: idle connections, kept to be used again.

The connection that was used last is taken first, so that the others can expire. All idle connections stand in
one line, in the order in which they became idle; the head of that line is what expires next and what makes
room for others, and one timer is enough.

An idle connection is watched by the event loop: when the server closes it, it leaves the pool at once. It
holds no reference to the pool, and a client that the program has forgotten takes its idle connections with
it. They are closed, too, when the loop ends: by `asyncio.run` and whatever else calls
`asyncio.loop.shutdown_asyncgens`; otherwise when the pool is collected, or the interpreter exits. A child
process that is a fork starts with an empty pool.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import weakref
from collections.abc import AsyncGenerator

from tornado.ioloop import IOLoop
from tornado.simple_httpclient._connection import ClientConnection, State
from tornado.simple_httpclient._connection_key import ConnectionKey

__all__ = ["FRESH", "ConnectionPool"]

#: Seconds for which an idle connection may be trusted with a request that must not be repeated.
FRESH = 1.0


class ConnectionPool:
    """The idle connections of one client.

    :param io_loop: the loop that the connections belong to.
    :param max_idle: how many to keep; 0 keeps none.
    :param idle_timeout: seconds for which to keep one.
    """

    def __init__(self, io_loop: IOLoop, max_idle: int, idle_timeout: float) -> None:
        self.max_idle = max_idle
        self.idle_timeout = idle_timeout
        self._io_loop = io_loop
        self._loop = loop = io_loop.asyncio_loop
        self._by_key: dict[ConnectionKey, list[ClientConnection]] = {}
        #: The same connections, in the order in which they became idle.
        self._line: dict[ClientConnection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._removal = functools.partial(_remove, weakref.ref(self))
        _pools.add(self)
        # It refers to the line, but not to the pool.
        weakref.finalize(self, _close_all, self._line, loop)

    def __len__(self) -> int:
        return len(self._line)

    def __repr__(self) -> str:
        return f"<ConnectionPool {len(self._line)} idle of {self.max_idle}>"

    def take(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Return an idle connection for `key` and forget it, or return None.

        :param fresh: return only one that has just been checked and was used a moment ago, for a request that
            must not be sent twice.
        """
        stack = self._by_key.get(key)
        while stack:
            if fresh:
                connection = stack[-1]
                if self._loop.time() - connection.idle_since >= FRESH:
                    return None
                if not connection.is_open():
                    self._forget(connection)
                    connection.close()
                    stack = self._by_key.get(key)
                    continue
            connection = stack.pop()
            if not stack:
                del self._by_key[key]
            del self._line[connection]
            connection.on_idle_end = None
            if connection.state is _IDLE and not connection.stream.closed():
                return connection
            connection.close()
            stack = self._by_key.get(key)
        return None

    def put(self, connection: ClientConnection) -> None:
        """Keep an idle connection, or close it if the pool is full."""
        if self._closed or self.max_idle <= 0 or self._loop.is_closed():
            connection.close()
            return
        if len(self._line) >= self.max_idle:
            self.close_oldest()
        connection.idle_since = self._loop.time()
        connection.on_idle_end = self._removal
        self._line[connection] = None
        stack = self._by_key.get(connection.key)
        if stack is None:
            self._by_key[connection.key] = [connection]
        else:
            stack.append(connection)
        if self._timer is None:
            self._set_timer(self.idle_timeout)
            _end_with_loop(self, self._io_loop)

    def close_oldest(self) -> bool:
        """Close the connection that has been idle for longest. Returns False if the pool is empty."""
        for connection in self._line:
            self._forget(connection)
            connection.close()
            return True
        return False

    def close(self) -> None:
        """Close all idle connections, and whatever comes back later."""
        self._closed = True
        self._clear()

    def abandon(self) -> None:
        """Forget all connections in a forked child: they are the parent's."""
        connections = list(self._line)
        self._line.clear()
        self._by_key.clear()
        if self._loop.is_running():
            # A copy of a loop that runs on in the parent. Its registrations are shared, so nothing is closed.
            _inherited.extend(connections)
            return
        for connection in connections:
            # An error: TLS sends no close_notify, which the parent's server would receive.
            connection.close(OSError("the connection belongs to the parent process"))

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connections = list(self._line)
        self._line.clear()
        self._by_key.clear()
        for connection in connections:
            connection.on_idle_end = None
            connection.close()

    def _forget(self, connection: ClientConnection) -> None:
        if connection not in self._line:
            return
        del self._line[connection]
        connection.on_idle_end = None
        stack = self._by_key[connection.key]
        stack.remove(connection)
        if not stack:
            del self._by_key[connection.key]

    def expire(self) -> None:
        """Close what has been idle for too long, and set the timer for what is next."""
        self._timer = None
        now = self._loop.time() + _TOLERANCE
        while self._line:
            oldest = next(iter(self._line))
            wait = oldest.idle_since + self.idle_timeout - now
            if wait > 0:
                self._set_timer(wait)
                return
            self._forget(oldest)
            oldest.close()

    def _set_timer(self, seconds: float) -> None:
        # Not in the context of the request that happens to be the first.
        self._timer = self._loop.call_later(
            seconds, _expire, weakref.ref(self), context=contextvars.Context()
        )

    def remove(self, connection: ClientConnection) -> None:
        """Forget a connection that has ended."""
        self._forget(connection)


_IDLE = State.IDLE
#: Seconds that a timer may fire early.
_TOLERANCE = 0.001


class _LoopEnd:
    """The pools of one loop, to be closed when that ends; kept in the IOLoop's ``__dict__``."""

    def __init__(self) -> None:
        self.pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
        # A loop's shutdown_asyncgens() closes it, which `asyncio.run` calls.
        self._generator = self._wait()
        try:
            self._generator.__anext__().send(None)
        except StopIteration:
            pass

    def close(self) -> None:
        """Close all pools."""
        for pool in list(self.pools):
            pool.close()

    async def _wait(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()


def _end_with_loop(pool: ConnectionPool, io_loop: IOLoop) -> None:
    """Have a pool closed with its loop. Called while that runs."""
    held = vars(io_loop)
    end = held.get(_LOOP_END)
    if end is None:
        end = held[_LOOP_END] = _LoopEnd()
        held.setdefault("_at_close", []).append(end.close)
    end.pools.add(pool)


_LOOP_END = "_http_pools"


def _expire(pool: weakref.ref[ConnectionPool]) -> None:
    found = pool()
    if found is not None:
        found.expire()


def _remove(pool: weakref.ref[ConnectionPool], connection: ClientConnection) -> None:
    found = pool()
    if found is not None:
        found.remove(connection)


def _close_all(line: dict[ClientConnection, None], loop: asyncio.AbstractEventLoop) -> None:
    """Close the connections of a pool that was collected, in whatever thread that happened."""
    if not line:
        return
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        loop.call_soon_threadsafe(_close_now, line)
    else:
        _close_now(line)


def _close_now(line: dict[ClientConnection, None]) -> None:
    connections = list(line)
    line.clear()
    for connection in connections:
        connection.on_idle_end = None
        connection.close()


_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
#: Connections of the parent process that cannot be closed here.
_inherited: list[ClientConnection] = []


def _after_fork_in_child() -> None:
    for pool in list(_pools):
        pool.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
