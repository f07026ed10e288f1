"""`NATSBroker`: channels of many processes, over NATS with JetStream."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from tornado._log_rate_limit import LogRateLimit
from tornado.channels._broker import (
    MAX_PAGE,
    UNKNOWN_EPOCH,
    Broker,
    BrokerListener,
    Page,
    shared_error,
)
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._nats_cleanup import StreamCleanup
from tornado.channels._nats_connection import NATSConnection, check_options, check_servers
from tornado.channels._nats_encoding import channel_of, decode_message, encode_message, token_of
from tornado.channels._nats_presence import NATSPresence
from tornado.channels._nats_streams import ChannelStream, Streams, batch_of
from tornado.channels._pattern import Pattern
from tornado.channels._values import History, Message, Position
from tornado.log import gen_log

_LOG = LogRateLimit(gen_log)
#: The number of streams above which those of unused channels are forgotten, to be looked up again.
_MAX_KNOWN = 10_000
#: The number of channels above which one list of all streams is read rather than each position.
_MIN_LISTED = 20


class NATSBroker(Broker):
    """A broker in NATS 2.9 or later with JetStream. It needs the package nats-py (the extra ``nats``).

    A process has one connection, however many channels and receivers it has. Each channel has a stream. It is
    deleted when the channel has not been used for a long time; its next use begins a new epoch.

    While a pattern is subscribed, a process receives the messages of all channels of the prefix. Patterns do
    not match channels with very long names: 150 characters, in which all but letters, digits and "-" count
    as three or more.

    :param servers: the URL of a server, such as ``nats://user:password@host:4222`` or ``tls://host:4222``, or
        the URLs of the servers of a cluster.
    :param prefix: the first token of all subjects, and the beginning of the name of each stream.
    :param storage: ``"file"`` or ``"memory"``.
    :param replicas: the number of servers that store each message. It should be 3 in a cluster: with 1,
        messages that are lost by the restart of one server are not reported as a gap.
    :param timeout: the time limit for one attempt of an operation, in seconds.
    :param ping_interval: the number of seconds between the pings that find out whether the connection works.
    :param max_unused: the stream of a channel that has no messages and was neither published to nor read for
        this number of seconds, nor for two times the age of its history, is deleted. None for never. It
        should be the same in all processes.
    :param options: further arguments of ``nats.connect``, such as ``tls`` or ``user_credentials``.
    """

    def __init__(
        self,
        servers: str | Sequence[str] = "nats://localhost:4222",
        *,
        prefix: str = "channels",
        storage: Literal["file", "memory"] = "file",
        replicas: int = 1,
        timeout: float = 2.0,
        ping_interval: float = 1.0,
        max_unused: float | None = 86_400.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            self._streams = Streams(prefix, storage, replicas, max_unused)
        except ImportError as error:
            raise ImportError("NATSBroker needs the package nats-py (the extra 'nats')") from error
        for name, value in (("timeout", timeout), ("ping_interval", ping_interval)):
            if not value > 0:
                raise ValueError(f"{name} must be a positive number of seconds, got {value!r}")
        if max_unused is not None and not max_unused > 0:
            raise ValueError(f"max_unused must be a positive number of seconds, or None, got {max_unused!r}")
        if storage not in ("file", "memory"):
            raise ValueError(f"storage must be 'file' or 'memory', got {storage!r}")
        if type(replicas) is not int or not 1 <= replicas <= 5:
            raise ValueError(f"replicas must be a number of servers from 1 to 5, got {replicas!r}")
        if not prefix or not prefix.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"prefix must consist of letters, digits, '-' and '_', got {prefix!r}")
        self.timeout = timeout
        self.max_unused = max_unused
        self._servers = [servers] if isinstance(servers, str) else list(servers)
        check_servers(self._servers)
        self._prefix = prefix
        self._options = dict(options or {})
        check_options(self._options)
        self._ping_interval = ping_interval
        self._listener: BrokerListener | None = None
        self._connection: NATSConnection | None = None
        self._presence: NATSPresence | None = None
        self._cleanup: StreamCleanup | None = None
        #: The streams that were found on the current connection, by channel.
        self._known: dict[str, ChannelStream] = {}
        self._patterns: dict[str, Pattern] = {}
        #: The ID of the run of the server; None if it is not known on the current connection.
        self._run: str | None = None

    def __repr__(self) -> str:
        address = "not started" if self._connection is None else self._connection.address
        return f"<NATSBroker {address}>"

    async def start(self, listener: BrokerListener) -> None:
        if self._listener is not None:
            raise shared_error(self)
        self._listener = listener
        self._known.clear()
        self._patterns.clear()
        self._run = None
        self._connection = NATSConnection(
            self._servers,
            self._options,
            self._ping_interval,
            self.timeout,
            listener.connected,
            self._disconnected,
        )
        self._presence = NATSPresence(self._connection, self._streams, self._prefix)
        self._connection.start()
        if self.max_unused is not None:
            self._cleanup = StreamCleanup(self._connection, self._streams, self.max_unused)
            self._cleanup.start()

    async def close(self) -> None:
        self._listener = None
        cleanup, self._cleanup = self._cleanup, None
        if cleanup is not None:
            await cleanup.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _disconnected(self) -> None:
        # The next connection may be to another run of the server.
        self._known.clear()
        self._run = None
        if self._listener is not None:
            self._listener.disconnected()

    def _connected_to(self) -> NATSConnection:
        if self._connection is None:
            raise BrokerUnavailableError("the broker has not been started, or is closed")
        return self._connection

    # -- messages --

    async def publish(
        self, message: Message, history: History, idempotency_key: str, lifetime: float
    ) -> Position:
        connection = self._connected_to()
        client = await connection.client()
        position: Position = await self._call(
            connection, self._publish(client, message, history, idempotency_key, lifetime)
        )
        return position

    async def _call(self, connection: NATSConnection, operation: Awaitable[Any]) -> Any:
        """Wait for the result of an operation that uses the run of the server."""
        try:
            return await connection.call(operation)
        except BrokerUnavailableError:
            self._run = None  # the next attempt asks for it again
            raise

    async def _publish(
        self, client: Any, message: Message, history: History, key: str, lifetime: float
    ) -> Position:
        channel = message.channel
        context = client.jetstream(timeout=self.timeout)
        run = await self._run_of(client, context)
        stream = known = self._known.get(channel)
        if stream is None or lifetime > stream.window:
            stream, _ = await self._streams.open(context, run, channel, history, lifetime)
            self._remember(client, channel, stream)
        try:
            response = await context.publish(
                stream.subject,
                encode_message(message),
                stream=stream.name,
                # A message of an earlier run may be lost, so its key must not count.
                headers={"Nats-Msg-Id": f"{key}-{run}"},
            )
        except Exception as error:
            self._known.pop(channel, None)
            if isinstance(error, self._streams.not_stored) and stream is known:
                # The stream was deleted, or has another generation.
                return await self._publish(client, message, history, key, lifetime)
            raise
        if response.seq <= stream.begin and not response.duplicate:
            self._known.pop(channel, None)
            raise BrokerUnavailableError(f"the stream {stream.name} has lost messages")
        return Position(stream.epoch, response.seq)

    async def send(self, message: Message) -> None:
        connection = self._connected_to()
        client = await connection.client()
        subject = self._streams.ephemeral_subject(message.channel)
        await connection.call(client.publish(subject, encode_message(message)))

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        connection = self._connected_to()
        client = await connection.client()
        page: Page = await self._call(connection, self._read(client, channel, after, limit, history))
        return page

    async def _read(
        self, client: Any, channel: str, after: Position | None, limit: int, history: History
    ) -> Page:
        context = client.jetstream(timeout=self.timeout)
        run = await self._run_of(client, context)
        stream, state = await self._streams.open(context, run, channel, history)
        self._remember(client, channel, stream)
        head = Position(stream.epoch, state.last_seq)
        oldest = state.first_seq if state.messages else state.last_seq + 1
        if state.messages and history.age < stream.age:
            oldest = await self._streams.first_within(context, stream.name, history.age) or head.offset + 1
        if after is None or limit <= 0 or oldest > head.offset:
            return Page(head, oldest)
        begin = oldest
        if after.epoch == head.epoch and after.offset <= head.offset:
            begin = max(oldest, after.offset + 1)
        if begin > head.offset:
            return Page(head, oldest)
        count = min(limit, head.offset + 1 - begin)
        found, _ = await self._streams.fetch(
            context,
            stream.name,
            count,
            batch_of(client, state),
            MAX_PAGE,
            **self._streams.read_from(begin),
        )
        messages = [_stored_message(channel, stream.epoch, each) for each in found]
        if messages and messages[0].position is not None:
            # Some may have been removed since their state was read.
            oldest = max(oldest, messages[0].position.offset) if begin == oldest else oldest
        return Page(head, oldest, messages)

    async def _run_of(self, client: Any, context: Any) -> str:
        """Return the ID of the run of the server."""
        if self._run is not None:
            return self._run
        run = await self._streams.create_table(context)
        if client.is_connected:  # otherwise the next connection may be to another run
            self._run = run
        return run

    def _remember(self, client: Any, channel: str, stream: ChannelStream) -> None:
        """Store a stream, unless the connection was lost since it was found."""
        known = self._known.get(channel)
        if not client.is_connected:
            return
        if known is not None and known.epoch == stream.epoch:
            known.subject = stream.subject
            known.window = max(known.window, stream.window)
            return
        if len(self._known) >= _MAX_KNOWN:
            self._forget_unused()
        self._known[channel] = stream

    def _forget_unused(self) -> None:
        """Forget the streams of channels without a subscriber in this process."""
        connection = self._connection
        self._known = {
            channel: stream
            for channel, stream in self._known.items()
            if connection is not None and connection.is_wanted(self._streams.subject(channel))
        }

    # -- subscriptions --

    async def subscribe(self, channel: str) -> None:
        await self._connected_to().subscribe(self._streams.subject(channel), partial(self._received, channel))

    def unsubscribe(self, channel: str) -> None:
        self._known.pop(channel, None)
        if self._connection is not None:
            self._connection.unsubscribe(self._streams.subject(channel))

    async def subscribe_pattern(self, pattern: str) -> None:
        connection = self._connected_to()
        subject = self._streams.all_subjects
        is_new = pattern not in self._patterns or not connection.is_confirmed(subject)
        self._patterns[pattern] = Pattern(pattern)
        await connection.subscribe(subject, self._received_any)
        if is_new:
            connection.reread()  # messages may be between two subscriptions

    def unsubscribe_pattern(self, pattern: str) -> None:
        connection = self._connection
        if self._patterns.pop(pattern, None) is None or connection is None:
            return
        if not self._patterns:
            connection.unsubscribe(self._streams.all_subjects)
        connection.reread()

    def patterns_receive(self, channel: str) -> bool:
        return channel_of(token_of(channel)) is not None

    async def channels(self, pattern: str) -> Collection[str]:
        connection = self._connected_to()
        client = await connection.client()
        found: list[str] = await self._streams.channels(client, connection.call)
        return found

    async def heads(
        self, channels: Collection[str], history_of: Callable[[str], History]
    ) -> Mapping[str, Position]:
        if len(channels) < _MIN_LISTED:
            return {}
        connection = self._connected_to()
        client = await connection.client()
        run = await self._call(connection, self._run_of(client, client.jetstream(timeout=self.timeout)))
        found: dict[str, Position] = await self._streams.heads(client, connection.call, run)
        return found

    def _arrives_by_pattern(self, channel: str) -> bool:
        """Whether the messages of a channel are those of the subscription to all channels.

        The same messages of the subscription to the channel are ignored then.
        """
        connection = self._connection
        return (
            bool(self._patterns)
            and connection is not None
            and connection.is_confirmed(self._streams.all_subjects)
            and any(each.matches(channel) for each in self._patterns.values())
            and self.patterns_receive(channel)
        )

    async def _received_any(self, data: Any) -> None:
        """Pass a message of any channel on."""
        channel = channel_of(data.subject.split(".")[-2])
        if channel is not None and self._arrives_by_pattern(channel):
            self._pass_on(channel, data)

    async def _received(self, channel: str, data: Any) -> None:
        """Pass a message of a subscribed channel on."""
        if not self._arrives_by_pattern(channel):
            self._pass_on(channel, data)

    def _pass_on(self, channel: str, data: Any) -> None:
        """Pass a message of nats-py on."""
        listener = self._listener
        if listener is None:
            return
        sequence = (data.headers or {}).get("Nats-Sequence")
        try:
            key, payload = decode_message(data.data)
            position = None if sequence is None else self._position(channel, data.subject, int(sequence))
        except ValueError:
            _LOG.log(
                "malformed",
                logging.WARNING,
                "Malformed message in channel %r of NATS ignored: only hubs may publish there",
                channel,
            )
        else:
            listener.received(Message(channel, payload, position, key))

    def _position(self, channel: str, subject: str, offset: int) -> Position:
        stream = self._known.get(channel)
        if stream is None:
            return Position(UNKNOWN_EPOCH, offset)
        if not stream.stores(subject) or offset <= stream.received:
            # The stream has another generation or was created again: numbers are not repeated.
            del self._known[channel]
            return Position(UNKNOWN_EPOCH, offset)
        stream.received = offset
        return Position(stream.epoch, offset)

    # -- presence --

    def _present(self) -> NATSPresence:
        if self._presence is None or self._connection is None:
            raise BrokerUnavailableError("the broker has not been started, or is closed")
        return self._presence

    async def add_presence(
        self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        return await self._present().add(channel, worker, entries, lease)

    async def remove_presence(self, channel: str, connections: Sequence[str]) -> None:
        await self._present().remove(channel, connections)

    async def renew_presence(self, channel: str, worker: str, lease: float) -> bool:
        return await self._present().renew(channel, worker, lease)

    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        return await self._present().list(channel)


def _stored_message(channel: str, epoch: str, data: Any) -> Message:
    key, payload = decode_message(data.data)
    return Message(channel, payload, Position(epoch, data.metadata.sequence.stream), key)


__all__ = ["NATSBroker"]
