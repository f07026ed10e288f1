"""The Redis servers of a URL: one server, a master that Sentinel monitors, or a cluster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qs, urlsplit

from tornado.channels._redis_pipeline import Call, RedisPipeline

_MAX_CONNECTIONS = 50
#: redis-py does not wait for a connection to a node of a cluster, so this limit must not be reached.
_MAX_NODE_CONNECTIONS = 1000
_SENTINEL_PORT, _PORT = 26379, 6379
#: The options of redis-py that would change how it replies, or repeats what the hub repeats.
_OWN_OPTIONS = frozenset(
    {
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "max_connections",
        "protocol",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "single_connection_client",
        "socket_connect_timeout",
        "socket_timeout",
        "timeout",
    }
)


ScanCall: TypeAlias = Callable[..., Awaitable[Any]]


class Pipeline(Protocol):
    """Executes calls of one script."""

    async def execute(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Execute calls. Return the result of each, or the error that Redis has reported."""

    async def close(self) -> None:
        """Close the connections."""


class Monitor(Protocol):
    """Finds connections for messages that are unusable although they respond."""

    async def check(self, connection: Any) -> None:
        """Raise an exception if a new connection is unusable."""

    async def watch(self, connection: Any) -> None:
        """Wait until a connection has become unusable, and raise an exception then."""


class RedisServers(Protocol):
    """Creates the connections to the servers.

    :ivar address: the address for messages.
    :ivar database: the number of the database.
    :ivar client: the client of redis-py for commands.
    :ivar monitor: finds connections for messages that are unusable although they respond; None if there are
        none.
    """

    address: str
    database: int
    client: Any

    @property
    def monitor(self) -> Monitor | None: ...

    def connect(self) -> Any:
        """Return a new connection for messages, which is not connected yet."""

    def pipeline(self, script: str) -> Pipeline:
        """Return a pipeline for a script."""

    def scan(self, match: str, count: int, call: ScanCall) -> AsyncIterator[list[bytes]]:
        """Iterate over the keys that match a pattern, in parts, which may be empty.

        :param count: the number of keys to examine for each part.
        :param call: calls a method of redis-py with arguments, and waits for its result.
        """

    async def disconnect(self) -> None:
        """Close the connections for commands that are not in use."""

    async def close(self) -> None:
        """Close all connections for commands."""


def servers_of(redis: Any, url: str, timeout: float, interval: float) -> RedisServers:
    """Return the servers of a URL.

    :param redis: the package of redis-py, with its asyncio modules imported.
    :param timeout: the time limit for an operation, in seconds.
    :param interval: the number of seconds between checks of a connection.
    :raises ValueError: if the URL is invalid.
    """
    # urlsplit() refuses a list of addresses that contains one in brackets (from Python 3.13 on).
    for name in parse_qs(url.partition("#")[0].partition("?")[2], keep_blank_values=True):
        if name in _OWN_OPTIONS:
            raise ValueError(f"the URL of Redis must not contain {name}, which RedisBroker itself sets")
    try:
        servers = _parse_url(redis, url, timeout, interval)
        servers.connect()  # the connection does not connect; this checks the options
    except TypeError as error:
        raise ValueError(f"the URL of Redis has an option that redis-py does not support: {error}") from error
    return servers


def _parse_url(redis: Any, url: str, timeout: float, interval: float) -> RedisServers:
    scheme, _, rest = url.partition("://")
    base, _, kind = scheme.partition("+")
    if not kind:
        return _Server(redis, url)
    if base not in ("redis", "rediss") or kind not in ("cluster", "sentinel"):
        raise ValueError(
            f"expected a URL with redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel or "
            f"rediss+sentinel, got {scheme!r}"
        )
    rest, mark, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    addresses = [
        _parse_address(each, _PORT if kind == "cluster" else _SENTINEL_PORT) for each in hosts.split(",")
    ]
    service, database = "", path
    if kind == "sentinel":
        service, _, database = path.partition("/")
    # redis-py interprets everything but the addresses and the service.
    plain = f"{base}://{credentials}{at}{_netloc(addresses[0])}/{database}{mark}{query}"
    if kind == "cluster":
        return _Cluster(redis, plain, addresses, timeout, interval)
    if not service:
        raise ValueError(
            "expected the name of a service after the addresses, as in redis+sentinel://host/name/0"
        )
    return _Sentinel(redis, plain, addresses, service, timeout)


def _parse_address(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit("//" + text)
    if not parts.hostname:
        raise ValueError(f"expected addresses such as host:{port}, separated by commas, got {text!r}")
    return parts.hostname, parts.port or port


def _netloc(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(redis: Any) -> dict[str, Any]:
    """Return the options of connections.

    Operations have a time limit of their own, and the hub repeats them.
    """
    return {
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "protocol": 2,
        "retry": redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0),
    }


class _Server:
    """One server."""

    monitor = None

    def __init__(self, redis: Any, url: str) -> None:
        options = redis.asyncio.connection.parse_url(url)
        self.address = (
            options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', _PORT)}"
        )
        self.database: int = options.get("db", 0)
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=_MAX_CONNECTIONS, timeout=None, **_options(redis)
        )
        self._redis = redis
        self._pool: Any = pool
        self.client: Any = redis.asyncio.Redis.from_pool(pool)

    def connect(self) -> Any:
        return self._pool.make_connection()

    def pipeline(self, script: str) -> Pipeline:
        return RedisPipeline(self.connect, self._redis.exceptions, script)

    def scan(self, match: str, count: int, call: ScanCall) -> AsyncIterator[list[bytes]]:
        return _scan(self.client, match, count, call)

    async def disconnect(self) -> None:
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self.client.aclose()
        await self._pool.aclose()


class _Sentinel:
    """The master of a service. Each connection asks a Sentinel for its address."""

    monitor = None

    def __init__(
        self, redis: Any, url: str, addresses: Sequence[tuple[str, int]], service: str, timeout: float
    ) -> None:
        options = redis.asyncio.connection.parse_url(url)
        options |= _options(redis)
        secured = options.pop("connection_class", None) is redis.asyncio.SSLConnection
        self.address = f"{service} of {', '.join(map(_netloc, addresses))}"
        self.database: int = options.pop("db", 0)
        for name in ("host", "port"):
            options.pop(name, None)
        limits = {**_options(redis), "socket_timeout": timeout / 2, "socket_connect_timeout": timeout / 2}
        names = [name for name in options if name.startswith("sentinel_")]
        limits |= {name.removeprefix("sentinel_"): options.pop(name) for name in names}
        if secured:
            limits |= {"ssl": True, **{name: options[name] for name in options if name.startswith("ssl_")}}
        sentinel = redis.asyncio.sentinel
        self._redis = redis
        self._sentinel: Any = sentinel.Sentinel(addresses, sentinel_kwargs=limits)
        #: Finds the master. The connections belong to the other pool, which waits for one that is free.
        self._master: Any = sentinel.SentinelConnectionPool(service, self._sentinel)
        self._pool: Any = redis.asyncio.BlockingConnectionPool(
            max_connections=_MAX_CONNECTIONS,
            timeout=None,
            connection_class=(
                sentinel.SentinelManagedSSLConnection if secured else sentinel.SentinelManagedConnection
            ),
            connection_pool=self._master,
            db=self.database,
            **options,
        )
        self.client: Any = redis.asyncio.Redis.from_pool(self._pool)

    def connect(self) -> Any:
        return self._pool.make_connection()

    def pipeline(self, script: str) -> Pipeline:
        return RedisPipeline(self.connect, self._redis.exceptions, script)

    def scan(self, match: str, count: int, call: ScanCall) -> AsyncIterator[list[bytes]]:
        return _scan(self.client, match, count, call)

    async def disconnect(self) -> None:
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self.client.aclose()
        await self._pool.aclose()
        for each in self._sentinel.sentinels:
            await each.aclose()


class _Cluster:
    """A cluster. What one node publishes reaches the subscribers of all nodes."""

    database = 0

    def __init__(
        self, redis: Any, url: str, addresses: Sequence[tuple[str, int]], timeout: float, interval: float
    ) -> None:
        self.address = ", ".join(map(_netloc, addresses))
        # A node that does not respond must leave time for another one.
        limits = {"socket_timeout": timeout / 2, "socket_connect_timeout": timeout / 2, "protocol": 2}
        self.client: Any = redis.asyncio.RedisCluster.from_url(
            url,
            startup_nodes=[redis.asyncio.cluster.ClusterNode(*address) for address in addresses],
            dynamic_startup_nodes=False,
            require_full_coverage=False,
            max_connections=_MAX_NODE_CONNECTIONS,
            # The second attempt uses the nodes that it finds then.
            retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 1),
            **limits,
        )
        options = redis.asyncio.connection.parse_url(url) | _options(redis)
        options["socket_connect_timeout"] = timeout / 2
        for name in ("host", "port", "db"):
            options.pop(name, None)
        self._connection_class: Any = options.pop("connection_class", redis.asyncio.Connection)
        self._options: dict[str, Any] = options
        self._addresses = addresses
        self._last: tuple[str, int] | None = None
        self._interval = interval

    @property
    def monitor(self) -> Monitor:
        return self

    def connect(self) -> Any:
        """Return a connection to another node than the last one, if there is another one."""
        choices = {*self._addresses, *[(each.host, each.port) for each in self.client.get_nodes()]}
        if len(choices) > 1:
            choices.discard(self._last)
        self._last = random.choice(sorted(choices))
        return self._connect(*self._last)

    def _connect(self, host: str, port: int) -> Any:
        return self._connection_class(host=host, port=port, **self._options)

    async def check(self, connection: Any) -> None:
        await connection.send_command("CLUSTER", "INFO")
        if b"cluster_state:ok" not in await connection.read_response(disable_decoding=True):
            raise ConnectionError(f"the cluster is down for the node {connection.host}:{connection.port}")

    async def watch(self, connection: Any) -> None:
        # No time limits: the connection for messages, which is to the same node, has them.
        control = self._connect(connection.host, connection.port)
        try:
            await control.connect()
            while True:
                await self.check(control)
                await asyncio.sleep(self._interval)
        finally:
            await control.disconnect(nowait=True)

    def pipeline(self, script: str) -> Pipeline:
        return _ClusterPipeline(self.client.register_script(script))

    async def scan(self, match: str, count: int, call: ScanCall) -> AsyncIterator[list[bytes]]:
        await call(self.client.initialize)  # finds the nodes
        for node in self.client.get_primaries():
            cursor = 0
            while True:
                cursors, keys = await call(self.client.scan, cursor, match, count, target_nodes=node)
                yield keys
                cursor = cursors[node.name]
                if not cursor:
                    break

    async def disconnect(self) -> None:
        """Do nothing: redis-py finds the nodes again."""

    async def close(self) -> None:
        await self.client.aclose()


async def _scan(client: Any, match: str, count: int, call: ScanCall) -> AsyncIterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, keys = await call(client.scan, cursor, match, count)
        yield keys
        if not cursor:
            return


class _ClusterPipeline:
    """Executes calls of one script at the nodes of their keys.

    :param script: the script, registered with redis-py.
    """

    def __init__(self, script: Any) -> None:
        self._script = script

    async def execute(self, calls: Sequence[Call]) -> Sequence[Any]:
        # The channels of the calls are different, so the order does not matter.
        results: list[Any] = await asyncio.gather(
            *[self._script(keys, arguments) for keys, arguments in calls], return_exceptions=True
        )
        return results

    async def close(self) -> None:
        """Do nothing: the connections belong to the client."""


__all__ = ["Monitor", "Pipeline", "RedisServers", "ScanCall", "servers_of"]
