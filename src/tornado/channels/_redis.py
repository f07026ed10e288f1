"""`RedisBroker`: channels of many processes, over Redis or Valkey.

A channel has three kinds of keys with the same hash tag: a hash with its epoch and its last offset, a stream
with its history, whose entry IDs are the offsets, and one key for each idempotency key. One script assigns
the offset, stores the message and publishes it.

The scripts compare the replication ID of the server with that of the last operation. A server has a new one
after each start and after each promotion to master. If it differs, the server was restarted or replaced, and
may have lost messages. Then the channel begins a new epoch.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado.channels._broker import MAX_PAGE, Broker, BrokerListener, Page, shared_error
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._pattern import Pattern
from tornado.channels._redis_listener import RedisListener
from tornado.channels._redis_pipeline import Call
from tornado.channels._redis_publisher import Entry, RedisPublisher
from tornado.channels._redis_servers import servers_of
from tornado.channels._values import History, Message, Position
from tornado.log import gen_log

_LOG = LogRateLimit(gen_log)
#: The number of keys that Redis examines in one step.
_SCAN = 1000
#: The number of positions that are read in one round trip.
_HEADS = 100
#: The minimum time for which the epoch of an unused channel is kept, in milliseconds.
_MIN_EPOCH_AGE = 86_400_000

#: The replication ID. It changes when the server starts and when a replica takes over: the data may then be
#: older than it was before.
_RUN = """
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''
"""

#: KEYS: hash, stream. ARGV: an epoch to use if it has none, its time to live, the maximum age of a message.
_BEGIN = (
    _RUN
    + """
local found = redis.call('HMGET', KEYS[1], 'run', 'epoch', 'offset')
local epoch, offset = found[2], tonumber(found[3] or 0)
if found[1] ~= run then
  epoch, offset = ARGV[1], 0
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'run', run, 'epoch', epoch, 'offset', 0)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function expire(count)
  local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', count)
  local expired = 0
  for i, entry in ipairs(entries) do
    if now - tonumber(entry[2][2]) < tonumber(ARGV[3]) then break end
    expired = i
  end
  if expired > 0 then
    local last = tonumber(string.match(entries[expired][1], '^%d+'))
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f', last + 1))
  end
  return expired
end
"""
)

#: Further KEYS: the idempotency key of each message. Further ARGV: the maximum number of messages, the Redis
#: channel, and for each message the time to live of its idempotency key, its key ('-' for none, or '+' and
#: the key) and its payload.
#: A script that has failed is not undone, so what can fail comes first.
_PUBLISH = (
    """
if redis.acl_check_cmd and not redis.acl_check_cmd('PUBLISH', ARGV[5], '') then
  return redis.error_reply('NOPERM the user may not publish to the channel ' .. ARGV[5])
end
"""
    + _BEGIN
    + """
local result = {epoch}
for i = 1, #KEYS - 2 do
  local known = redis.call('GET', KEYS[i + 2])
  if known and string.sub(known, 1, #epoch + 1) == epoch .. ':' then
    result[i + 1] = tonumber(string.sub(known, #epoch + 2))
  else
    local key, payload = ARGV[3 * i + 4], ARGV[3 * i + 5]
    offset = offset + 1
    local text = string.format('%.0f', offset)
    redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[4], text .. '-0', 't', now, 'k', key, 'd', payload)
    redis.call('HSET', KEYS[1], 'offset', text)
    redis.call('SET', KEYS[i + 2], epoch .. ':' .. text, 'PX', ARGV[3 * i + 3])
    redis.call('PUBLISH', ARGV[5], epoch .. ' ' .. text .. ' ' .. #key .. ' ' .. key .. payload)
    result[i + 1] = offset
  end
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
expire(#KEYS - 1)
return result
"""
)

#: Further ARGV: the epoch and the offset of the position, the maximum number of messages to return, and the
#: size in bytes after which no further message is returned.
_READ = (
    _BEGIN
    + """
while expire(64) == 64 do end
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
local oldest = offset + 1
if first[1] then oldest = tonumber(string.match(first[1][1], '^%d+')) end
local entries, size, wanted, after = {}, 0, tonumber(ARGV[6]), 0
if ARGV[4] == epoch and tonumber(ARGV[5]) <= offset then after = tonumber(ARGV[5]) end
while #entries < wanted and size < tonumber(ARGV[7]) do
  local count = math.min(wanted - #entries, 32)
  local found = redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1), '+', 'COUNT', count)
  for i, entry in ipairs(found) do
    if size >= tonumber(ARGV[7]) then break end
    entries[#entries + 1] = entry
    size = size + #entry[2][6]
    after = tonumber(string.match(entry[1], '^%d+'))
  end
  if #found < count then break end
end
return {epoch, offset, oldest, entries}
"""
)


#: KEYS: the hash of entries, in which "w" and a worker is the end of its lease, its duration and the
#: replication ID, separated by spaces, and "c" and a connection is its worker, a space and its entry. ARGV:
#: the worker, its lease, whether it must have one, connections and entries. The result is whether it had one.
#: A lease from before the server was restarted is not renewed: its entries may be older than what the worker
#: has changed since. They remain visible until it ends, so that the worker can store them under another one.
_LEASE = (
    _RUN
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], 'w' .. ARGV[1])
local ends, begun = string.match(known or '0 0 ' .. run, '^(%d+) %d+ ?(%w*)$')
ends = tonumber(ends)
if begun == run and (ends > now or ARGV[3] == '0') then
  redis.call('HSET', KEYS[1], 'w' .. ARGV[1], string.format('%.0f %s %s', now + ARGV[2], ARGV[2], run))
elseif ARGV[3] == '1' then
  return 0
end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], 'c' .. ARGV[i], ARGV[1] .. ' ' .. ARGV[i + 1]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return begun == run and ends > now and 1 or 0
"""
)

#: A lease that ends later than it can was begun before the clock of the server was set back. Its end is
#: corrected, so that entries of a process that has died do not remain until the clock reaches it.
_LIST = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local ended, found = {}, {}
local alive = {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 'w' then
    local ends, lease, run = string.match(all[i + 1], '^(%d+) (%d+) ?(%w*)$')
    if tonumber(ends) > now + lease then
      redis.call('HSET', KEYS[1], all[i], string.format('%.0f %s %s', now + lease, lease, run))
    end
    if tonumber(ends) > now then alive[string.sub(all[i], 2)] = true else ended[#ended + 1] = all[i] end
  end
end
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 'c' then
    local worker, entry = string.match(all[i + 1], '^(%w+) (.*)$')
    if alive[worker] then
      found[#found + 1] = string.sub(all[i], 2)
      found[#found + 1] = entry
    else
      ended[#ended + 1] = all[i]
    end
  end
end
for i, name in ipairs(ended) do redis.call('HDEL', KEYS[1], name) end
return found
"""


class RedisBroker(Broker):
    """A broker in Redis 6.2 or later, or Valkey. It needs the package redis (the extra ``redis``).

    A process has one connection for messages, however many channels and receivers it has, and a pool of
    connections for commands.

    :param url: ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, or ``unix://…``;
        ``redis+cluster://host:6379,host:6379`` with some nodes of a cluster; or
        ``redis+sentinel://host:26379,host:26379/service/0`` with Sentinels and the name of the service. The
        user and the password are those of Redis; ``?sentinel_username=…&sentinel_password=…`` are those of
        Sentinel.
    :param prefix: the prefix of all keys and channels in Redis.
    :param timeout: the time limit for one attempt of an operation, in seconds.
    :param ping_interval: the number of seconds without messages after which a ping is sent to find out
        whether the connection still works.
    """

    def __init__(
        self, url: str, *, prefix: str = "channels:", timeout: float = 2.0, ping_interval: float = 1.0
    ) -> None:
        try:
            import redis.asyncio.cluster
            import redis.asyncio.retry
            import redis.asyncio.sentinel
            import redis.backoff
        except ImportError as error:
            raise ImportError("RedisBroker needs the package redis (the extra 'redis')") from error
        for name, value in (("timeout", timeout), ("ping_interval", ping_interval)):
            if not value > 0:
                raise ValueError(f"{name} must be a positive number of seconds, got {value!r}")
        if "{" in prefix or "}" in prefix:
            raise ValueError(f"prefix must not contain braces, which delimit hash tags, got {prefix!r}")
        self.prefix = prefix
        self.timeout = timeout
        self._ping_interval = ping_interval
        self._make_servers = functools.partial(servers_of, redis, url, timeout, ping_interval)
        exceptions = redis.exceptions  # pyright: ignore[reportAttributeAccessIssue]
        self._errors = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
        self._read_only: type[Exception] = exceptions.ReadOnlyError
        self._create_clients()
        #: Channels in Redis do not belong to a database, so their names contain its number.
        self._channel_prefix = f"{prefix}{self._servers.database}:".encode()
        self._listener: RedisListener | None = None
        self._was_closed = False
        #: The subscribed patterns, by their form in Redis.
        self._patterns: dict[bytes, Pattern] = {}

    def _create_clients(self) -> None:
        """Create what executes commands. It connects when it is used."""
        self._servers = servers = self._make_servers()
        self._address = servers.address
        self._client: Any = servers.client
        self._pipeline = servers.pipeline(_PUBLISH)
        self._publisher = RedisPublisher(self._pipeline.execute, self._errors, self._address, self.timeout)
        self._head_pipeline = servers.pipeline(_READ)
        self._reading_heads = asyncio.Lock()
        self._read_script: Any = self._client.register_script(_READ)
        self._lease_script: Any = self._client.register_script(_LEASE)
        self._list_script: Any = self._client.register_script(_LIST)

    def __repr__(self) -> str:
        return f"<RedisBroker {self._address}, database {self._servers.database}>"

    async def start(self, listener: BrokerListener) -> None:
        if self._listener is not None:
            raise shared_error(self)
        if self._was_closed:  # the last connections were those of another event loop
            self._create_clients()

        def received(channel: bytes, data: bytes) -> None:
            name = channel.removeprefix(self._channel_prefix).decode()
            try:
                message = _decode_message(name, data)
            except ValueError:
                _LOG.log(
                    "malformed",
                    logging.WARNING,
                    "Malformed message in channel %r of Redis at %s ignored: only hubs may publish there",
                    name,
                    self._address,
                )
            else:
                listener.received(message)

        def matches(glob: bytes, channel: bytes) -> bool:
            return self._patterns[glob].matches(channel.removeprefix(self._channel_prefix).decode())

        self._listener = RedisListener(
            self._servers.connect,
            self._servers.monitor,
            self._errors,
            self._address,
            self._ping_interval,
            self.timeout,
            matches,
            received,
            listener.connected,
            listener.disconnected,
        )
        self._listener.start()

    async def close(self) -> None:
        listener, self._listener = self._listener, None
        self._was_closed = True
        if listener is not None:
            await listener.close()
        await self._publisher.close()
        await self._pipeline.close()
        await self._head_pipeline.close()
        await self._servers.close()

    def _started(self) -> RedisListener:
        """Return the listener.

        :raises BrokerUnavailableError: if the broker has not been started, or is closed.
        """
        if self._listener is None:
            raise BrokerUnavailableError("the broker has not been started, or is closed")
        return self._listener

    async def publish(
        self, message: Message, history: History, idempotency_key: str, lifetime: float
    ) -> Position:
        self._started()
        keys = self._keys(message.channel)
        entry = Entry(
            (keys[0].encode(), keys[1].encode()),
            (*_limits(history), b"%d" % history.count, self._channel(message.channel)),
            f"{keys[0][:-1]}i:{idempotency_key}".encode(),
            (b"%d" % int(lifetime * 1000), *_encode_message(message)),
            len(message.payload),
        )
        return await self._publisher.publish(entry)

    async def send(self, message: Message) -> None:
        key, payload = _encode_message(message)
        data = b"- 0 %d %s%s" % (len(key), key, payload)
        await self._call(self._client.publish, self._channel(message.channel), data)

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        epoch, offset = ("", 0) if after is None else after
        if after is None:
            limit = 0
        epoch, head, oldest, entries = await self._call(
            self._read_script,
            self._keys(channel),
            [*_limits(history), epoch, offset, limit, MAX_PAGE],
        )
        epoch = epoch.decode()
        messages = [
            Message(channel, fields[5], Position(epoch, int(name.partition(b"-")[0])), _decode_key(fields[3]))
            for name, fields in entries
        ]
        return Page(Position(epoch, head), oldest, messages)

    async def subscribe(self, channel: str) -> None:
        await self._started().channels.subscribe(self._channel(channel))

    def unsubscribe(self, channel: str) -> None:
        if self._listener is not None:
            self._listener.channels.unsubscribe(self._channel(channel))

    async def subscribe_pattern(self, pattern: str) -> None:
        listener = self._started()
        glob = self._glob(pattern)
        self._patterns[glob] = Pattern(pattern)
        await listener.patterns.subscribe(glob)

    def unsubscribe_pattern(self, pattern: str) -> None:
        glob = self._glob(pattern)
        if self._patterns.pop(glob, None) is not None and self._listener is not None:
            self._listener.patterns.unsubscribe(glob)

    async def channels(self, pattern: str) -> Collection[str]:
        begin, end = f"{self.prefix}{{c", "}:m"
        glob = Pattern(pattern).translate(lambda text: _escape_glob(_encode_name(text)))
        found: set[str] = set()
        async for names in self._servers.scan(f"{_escape_glob(begin)}{glob}{end}", _SCAN, self._call):
            found.update(_decode_name(each.decode()[len(begin) : -len(end)]) for each in names)
        return found

    async def heads(
        self, channels: Collection[str], history_of: Callable[[str], History]
    ) -> Mapping[str, Position]:
        names = list(channels)
        found: dict[str, Position] = {}
        async with self._reading_heads:
            for begin in range(0, len(names), _HEADS):
                part = names[begin : begin + _HEADS]
                calls = [self._head_call(channel, history_of(channel)) for channel in part]
                results = await self._call(self._head_pipeline.execute, calls)
                found |= {
                    channel: Position(result[0].decode(), result[1])
                    for channel, result in zip(part, results, strict=True)
                    if not isinstance(result, BaseException)
                }
        return found

    def _head_call(self, channel: str, history: History) -> Call:
        keys = [key.encode() for key in self._keys(channel)]
        return keys, [*_limits(history), b"", b"0", b"0", b"%d" % MAX_PAGE]

    async def add_presence(
        self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        arguments: list[Any] = [worker, int(lease * 1000), 0]
        for connection, entry in entries.items():
            arguments += [connection, entry]
        return bool(await self._call(self._lease_script, [self._presence_key(channel)], arguments))

    async def remove_presence(self, channel: str, connections: Sequence[str]) -> None:
        fields = ["c" + each for each in connections]
        await self._call(self._client.hdel, self._presence_key(channel), *fields)

    async def renew_presence(self, channel: str, worker: str, lease: float) -> bool:
        arguments = [worker, int(lease * 1000), 1]
        return bool(await self._call(self._lease_script, [self._presence_key(channel)], arguments))

    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        found = await self._call(self._list_script, [self._presence_key(channel)])
        return {name.decode(): entry for name, entry in zip(found[::2], found[1::2], strict=True)}

    def _presence_key(self, channel: str) -> str:
        return self._keys(channel)[0][:-1] + "p"

    async def _call(self, operation: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        """Start an operation, and wait for its result.

        :raises BrokerUnavailableError: if it fails or takes longer than the time limit.
        """
        self._started()
        try:
            async with asyncio.timeout(self.timeout):
                return await operation(*arguments, **options)
        except TimeoutError as error:
            raise BrokerUnavailableError(
                f"Redis at {self._address} did not respond within {self.timeout} s"
            ) from error
        except self._errors as error:
            if isinstance(error, self._read_only):
                # A proxy or a name may lead to another server now, but only for new connections.
                await self._servers.disconnect()
            raise BrokerUnavailableError(f"Redis at {self._address}: {error}") from error

    def _channel(self, channel: str) -> bytes:
        return self._channel_prefix + channel.encode()

    def _glob(self, pattern: str) -> bytes:
        """Return a pattern for channels of Redis."""
        glob = Pattern(pattern).translate(_escape_glob)
        return (_escape_glob(self._channel_prefix.decode()) + glob).encode()

    def _keys(self, channel: str) -> list[str]:
        # Braces in the name must not end the hash tag, and the tag must not be empty.
        tag = "c" + _encode_name(channel)
        return [f"{self.prefix}{{{tag}}}:m", f"{self.prefix}{{{tag}}}:s"]


def _encode_name(name: str) -> str:
    return name.replace("%", "%25").replace("}", "%7D")


def _decode_name(tag: str) -> str:
    return tag.replace("%7D", "}").replace("%25", "%")


def _escape_glob(text: str) -> str:
    """Return the pattern of Redis that matches only this text."""
    return re.sub(r"[*?\[\]\\^-]", r"\\\g<0>", text)


def _limits(history: History) -> list[bytes]:
    """Return the first arguments of the scripts."""
    age = int(history.age * 1000)
    return [os.urandom(6).hex().encode(), b"%d" % max(2 * age, _MIN_EPOCH_AGE), b"%d" % age]


def _encode_message(message: Message) -> tuple[bytes, bytes]:
    return (b"-" if message.key is None else b"+" + message.key.encode()), message.payload


def _decode_key(key: bytes) -> str | None:
    return key[1:].decode() if key.startswith(b"+") else None


def _decode_message(channel: str, data: bytes) -> Message:
    epoch, offset, length, rest = data.split(b" ", 3)
    end = int(length)
    position = Position(epoch.decode(), int(offset)) if int(offset) else None
    return Message(channel, rest[end:], position, _decode_key(rest[:end]))


__all__ = ["RedisBroker"]
