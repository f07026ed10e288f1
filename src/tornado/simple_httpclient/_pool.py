"""`ConnectionPool`: idle connections, kept for reuse.

The most recently used connection is reused first, so connections that are not needed expire. All idle
connections are kept in one queue, in the order in which they became idle. The connection at the head of the
queue expires next, so one timer is enough. It is also the first to be closed when the pool is full.

The event loop watches idle connections: a connection that the server closes is removed from the pool
immediately. A connection does not refer to the pool, so the idle connections of an unreferenced client are
closed when its pool is garbage-collected. They are also closed when the event loop is shut down with
`asyncio.loop.shutdown_asyncgens`, as `asyncio.run` does, and when the interpreter exits. After a fork, the
pool of the child process is empty.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import sys
import weakref
from collections.abc import AsyncGenerator

from tornado._loop.per_loop import PerLoop, call_at_close
from tornado._thread_safety import WeakRegistry
from tornado.ioloop import IOLoop
from tornado.simple_httpclient._connection import ClientConnection, ClientConnectionState
from tornado.simple_httpclient._connection_key import ConnectionKey

__all__ = ["FRESH", "ConnectionPool"]

#: Maximum idle time in seconds of a connection that is used for a request that must not be sent twice.
FRESH = 1.0


class ConnectionPool:
    """The idle connections of one client.

    :param io_loop: the event loop of the connections.
    :param max_idle: the maximum number of idle connections; 0 keeps none.
    :param idle_timeout: the maximum idle time of a connection in seconds.
    """

    def __init__(self, io_loop: IOLoop, max_idle: int, idle_timeout: float) -> None:
        self.max_idle = max_idle
        self.idle_timeout = idle_timeout
        self._io_loop = io_loop
        self._loop = loop = io_loop.asyncio_loop
        self._by_key: dict[ConnectionKey, list[ClientConnection]] = {}
        #: The same connections in the order in which they became idle.
        self._idle: dict[ClientConnection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._remove_callback = functools.partial(_remove, weakref.ref(self))
        _pools.add(self)
        # The arguments must not refer to the pool, because the pool could then not be garbage-collected.
        weakref.finalize(self, _close_all, self._idle, loop)

    def __len__(self) -> int:
        return len(self._idle)

    def __repr__(self) -> str:
        return f"<ConnectionPool {len(self._idle)} idle of {self.max_idle}>"

    def take(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Remove an idle connection for `key` from the pool and return it, or return None.

        :param key: the key of the request.
        :param fresh: whether to return only a connection that became idle less than `FRESH` seconds ago and
            has been checked to be open, for a request that must not be sent twice.
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
            del self._idle[connection]
            connection.on_idle_end = None
            if connection.state is _IDLE and not connection.stream.closed():
                return connection
            connection.close()
            stack = self._by_key.get(key)
        return None

    def put(self, connection: ClientConnection) -> None:
        """Add an idle connection, or close it if the pool is closed. A full pool first closes the one that
        has been idle the longest.
        """
        if self._closed or self.max_idle <= 0 or self._loop.is_closed():
            connection.close()
            return
        if len(self._idle) >= self.max_idle:
            self.close_oldest()
        connection.idle_since = self._loop.time()
        connection.on_idle_end = self._remove_callback
        self._idle[connection] = None
        stack = self._by_key.get(connection.key)
        if stack is None:
            self._by_key[connection.key] = [connection]
        else:
            stack.append(connection)
        if self._timer is None:
            self._set_timer(self.idle_timeout)
            _loop_ends.get(self._io_loop).pools.add(self)

    def close_oldest(self) -> bool:
        """Close the connection that has been idle the longest; return whether there was one."""
        for connection in self._idle:
            self._forget(connection)
            connection.close()
            return True
        return False

    def close(self) -> None:
        """Close all idle connections, and close connections that are added later."""
        self._closed = True
        self._clear()

    def abandon(self) -> None:
        """Remove all connections in a forked child process, because they belong to the parent."""
        connections = list(self._idle)
        self._idle.clear()
        self._by_key.clear()
        if self._loop.is_running():
            # The loop is a copy of a loop that still runs in the parent, and both use the same epoll object.
            # Closing a connection would change the parent's registrations, so the connections stay open.
            _inherited.extend(connections)
            return
        for connection in connections:
            # An error is passed, because otherwise TLS would send close_notify on the parent's connection.
            connection.close(OSError("the connection belongs to the parent process"))

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connections = list(self._idle)
        self._idle.clear()
        self._by_key.clear()
        for connection in connections:
            connection.on_idle_end = None
            connection.close()

    def _forget(self, connection: ClientConnection) -> None:
        if connection not in self._idle:
            return
        del self._idle[connection]
        connection.on_idle_end = None
        stack = self._by_key[connection.key]
        stack.remove(connection)
        if not stack:
            del self._by_key[connection.key]

    def expire(self) -> None:
        """Close the connections whose idle timeout has expired, and set the timer for the next expiry."""
        self._timer = None
        now = self._loop.time() + _TOLERANCE
        while self._idle:
            oldest = next(iter(self._idle))
            wait = oldest.idle_since + self.idle_timeout - now
            if wait > 0:
                self._set_timer(wait)
                return
            self._forget(oldest)
            oldest.close()

    def _set_timer(self, seconds: float) -> None:
        # The context is empty, because the timer serves all requests and not just the current one.
        self._timer = self._loop.call_later(
            seconds, _expire, weakref.ref(self), context=contextvars.Context()
        )

    def remove(self, connection: ClientConnection) -> None:
        """Remove a connection that has been closed."""
        self._forget(connection)


_IDLE = ClientConnectionState.IDLE
#: Seconds by which a timer may fire early.
_TOLERANCE = 0.001


class _LoopEnd:
    """The pools of one loop, which are closed with the loop. This object is created while the loop is
    running.
    """

    def __init__(self, io_loop: IOLoop) -> None:
        self.pools: WeakRegistry[ConnectionPool] = WeakRegistry()
        # `asyncio.run` calls the loop's shutdown_asyncgens(), which closes this generator.
        self._generator = self._wait()
        try:
            self._generator.__anext__().send(None)
        except StopIteration:
            pass
        call_at_close(io_loop, lambda all_fds: self.close())

    def close(self) -> None:
        """Close all pools."""
        for pool in self.pools.snapshot():
            pool.close()

    async def _wait(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()


_loop_ends = PerLoop("end of connection pools", _LoopEnd)


def _expire(pool: weakref.ref[ConnectionPool]) -> None:
    found = pool()
    if found is not None:
        found.expire()


def _remove(pool: weakref.ref[ConnectionPool], connection: ClientConnection) -> None:
    found = pool()
    if found is not None:
        found.remove(connection)


def _close_all(idle: dict[ClientConnection, None], loop: asyncio.AbstractEventLoop) -> None:
    """Close the connections of a pool that was garbage-collected, possibly in another thread."""
    if not idle:
        return
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        loop.call_soon_threadsafe(_close_now, idle)
    else:
        _close_now(idle)


def _close_now(idle: dict[ClientConnection, None]) -> None:
    connections = list(idle)
    idle.clear()
    for connection in connections:
        connection.on_idle_end = None
        connection.close()


_pools: WeakRegistry[ConnectionPool] = WeakRegistry()
#: Connections of the parent process that must not be closed in this process.
_inherited: list[ClientConnection] = []


def _after_fork_in_child() -> None:
    for pool in _pools.snapshot():
        pool.abandon()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):  # Pyodide and WASI do not have it
    os.register_at_fork(after_in_child=_after_fork_in_child)
