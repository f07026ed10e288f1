"""A session store in Redis, accessed with redis-py.

A session is a hash with one field for each value and two for its times. Only the fields that a request has
changed are written, so concurrent requests of a session do not undo each other's changes. Each write is one
script, which Redis runs atomically. The script checks that the session still exists, and sets the expiry
time of the session.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Collection
from typing import Any

from tornado.web._sessions.store import SessionRecord, SessionStore, SessionStoreError

_CREATED, _USED, _VALUE = "created", "used", "="
_MAX_CONNECTIONS = 50

#: ARGV: whether the session must exist, its time to live in milliseconds, the number of fields to remove,
#: their names, and then the names and values of the fields to set.
_WRITE = """
if ARGV[1] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local removed = tonumber(ARGV[3])
if removed > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 4, 3 + removed)) end
redis.call('HSET', KEYS[1], unpack(ARGV, 4 + removed))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class RedisSessionStore(SessionStore):
    """A store in Redis or Valkey. It needs the package redis (the extra ``redis``). ::

        Application(routes, session_store=RedisSessionStore("redis://localhost:6379/0"))

    Several processes and machines can share the sessions. Redis deletes sessions when they expire.

    :param server: a URL (``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, ``unix://…``), or a
        `redis.asyncio.Redis` client, which the program must close.
    :param prefix: the prefix of all keys.
    :param timeout: the time limit for one operation, in seconds. If it is exceeded, the response to the
        request is 503.
    :param max_size: the maximum size of a session in bytes.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(
        self, server: Any, *, prefix: str = "session:", timeout: float = 2.0, max_size: int = 65536
    ) -> None:
        try:
            import redis.asyncio.retry
            import redis.backoff
        except ImportError as error:
            raise ImportError("RedisSessionStore needs the package redis (the extra 'redis')") from error
        if not timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}")
        self.prefix = prefix
        self.timeout = timeout
        self.max_size = max_size
        self._redis: Any = redis
        self._server = server
        if isinstance(server, str):
            self._options: Any = redis.asyncio.connection.parse_url(server)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            self._options = server.connection_pool.connection_kwargs
        #: One client per event loop, because a connection belongs to the loop that created it.
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<RedisSessionStore {self._address}>"

    @property
    def _address(self) -> str:
        """The address for log messages, without user name and password."""
        options = self._options
        if options.get("path"):
            return f"{options['path']}, database {options.get('db', 0)}"
        return (
            f"{options.get('host', 'localhost')}:{options.get('port', 6379)}, database {options.get('db', 0)}"
        )

    @property
    def _client(self) -> Any:
        if not isinstance(self._server, str):
            return self._server
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            redis = self._redis
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                self._server,
                max_connections=_MAX_CONNECTIONS,
                timeout=None,
                # `_call` limits the total time of each operation.
                socket_timeout=None,
                socket_connect_timeout=None,
                # Reconnect once if Redis has closed an idle connection.
                retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 1),
            )
            client = self._clients[loop] = redis.asyncio.Redis.from_pool(pool)
        return client

    async def _call(self, operation: Awaitable[Any]) -> Any:
        """Wait for the result of an operation.

        :raises SessionStoreError: if Redis does not respond in time, cannot be reached or reports an error.
        """
        try:
            async with asyncio.timeout(self.timeout):
                return await operation
        except (TimeoutError, self._redis.exceptions.TimeoutError) as error:
            raise SessionStoreError(
                "The session store, Redis at %s, did not respond within %s s: check that it is running "
                "and not overloaded, or increase the timeout of RedisSessionStore",
                self._address,
                self.timeout,
            ) from error
        except self._redis.exceptions.ConnectionError as error:
            raise SessionStoreError(
                "The session store, Redis at %s, cannot be reached (%s): check that it is running, "
                "and check the address passed to RedisSessionStore",
                self._address,
                error,
            ) from error
        except self._redis.exceptions.RedisError as error:
            raise SessionStoreError(
                "The session store, Redis at %s, reported an error: %s", self._address, error
            ) from error

    # -- the interface --

    async def load(self, token: str) -> SessionRecord | None:
        key = self.key(token)
        if key is None:
            return None
        found = await self._call(self._client.hgetall(self.prefix + key))
        fields = {_text(name): _text(content) for name, content in found.items()}
        try:
            created, used = float(fields[_CREATED]), float(fields[_USED])
        except (KeyError, ValueError):
            return None  # the key does not exist, or is not a session
        values = {name[len(_VALUE) :]: text for name, text in fields.items() if name.startswith(_VALUE)}
        return SessionRecord(values, created, used)

    async def create(self, record: SessionRecord, seconds: float) -> str:
        token = self.new_token()
        await self._write(token, record, record.values, (), seconds, must_exist=False)
        return token

    async def update(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
    ) -> str | None:
        written = await self._write(token, record, changed, removed, seconds, must_exist=True)
        return token if written else None

    async def _write(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
        *,
        must_exist: bool,
    ) -> bool:
        self.check_size(record)
        fields = [_CREATED, repr(record.created), _USED, repr(record.used)]
        for name in changed:
            fields += [_VALUE + name, record.values[name]]
        arguments = [
            "1" if must_exist else "0",
            str(int(seconds * 1000)),
            str(len(removed)),
            *(_VALUE + name for name in removed),
            *fields,
        ]
        return bool(await self._call(self._client.eval(_WRITE, 1, self._key(token), *arguments)))

    async def delete(self, token: str) -> None:
        await self._call(self._client.delete(self._key(token)))

    def _key(self, token: str) -> str:
        key = self.key(token)
        assert key is not None, "the token was loaded or created by this store"
        return self.prefix + key

    async def close(self) -> None:
        """Close the connections of this event loop, unless the program has passed a client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
            await client.connection_pool.aclose()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
