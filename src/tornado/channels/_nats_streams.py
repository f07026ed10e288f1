"""The streams of JetStream that contain the histories of channels.

Each channel has a stream, whose sequence numbers are the offsets. What it stores from the subject ``in`` it
publishes again to the subject ``out``, together with the sequence number.

A server that was restarted may have lost messages that it had confirmed, because it does not write each of
them to the disk at once. A stream of a single server therefore contains the ID of the server's run, which is
the creation time of a stream in memory. In another run, its messages are removed and a new epoch begins. In
a cluster, a majority of the servers has stored each message.

Streams of unused channels are deleted (`_nats_cleanup`). Therefore the last token of both subjects is a
*generation*, which belongs to one stream and one version of its configuration. A process that knows an
earlier generation cannot publish to a stream that was created in place of another one, and a received message
shows whether the process knows its stream.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from tornado.channels._broker import MAX_PAGE
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._nats_encoding import channel_of, token_of
from tornado.channels._values import History, Position

#: The minimum time in seconds for which idempotency keys are stored.
_WINDOW = 120.0
#: Error codes of JetStream: the name of a stream, or one of its subjects, is in use.
_IN_USE = (10058, 10065)
#: The maximum number of messages in a response, and their size in bytes: a NATS server closes the connection
#: of a client that has not read 64 MiB.
_BATCH, _BATCH_SIZE = 500, 32 * 2**20
#: How often messages are read that change at the same time.
_ATTEMPTS = 10
#: The time for which a request waits for messages that may have been removed, in seconds.
_FETCH_TIMEOUT = 0.25
#: The part of the time until an unused channel is forgotten after which reading it is recorded.
_TOUCH = 0.25
#: The time limit for each request for a list of streams, in seconds, if the broker has none that is shorter.
_LIST_TIMEOUT = 10.0
#: The number of streams in a page of a list that were in the previous page.
_OVERLAP = 16
#: The beginning of the subject of the request that deletes a stream.
_DELETE = "$JS.API.STREAM.DELETE"
#: The last token of the subject of ephemeral messages.
_EPHEMERAL = "-"

#: Waits for an operation, and raises `BrokerUnavailableError` if it fails.
Call = Callable[[Awaitable[Any]], Awaitable[Any]]


@dataclass(slots=True)
class ChannelStream:
    """The stream of a channel, as a connection knows it.

    :ivar name: the name of the stream.
    :ivar subject: the subject whose messages it stores. Its last token is the generation.
    :ivar epoch: its epoch.
    :ivar begin: the last offset when the epoch was read. Later messages have larger offsets.
    :ivar age: the time in seconds for which the server keeps messages.
    :ivar window: the time in seconds for which it keeps idempotency keys.
    :ivar received: the largest offset that was received on this connection.
    """

    name: str
    subject: str
    epoch: str
    begin: int
    age: float
    window: float
    received: int = 0

    def stores(self, subject: str) -> bool:
        """Whether a message that was received on a subject belongs to this generation of the stream."""
        return generation_of(subject) == generation_of(self.subject)


def batch_of(client: Any, state: Any = None) -> int:
    """Return the number of messages to request at a time.

    :param client: the client of nats-py.
    :param state: the state of a stream, if a page of at most `MAX_PAGE` bytes is read from it.
    """
    largest: int = max(1, _BATCH_SIZE // max(1, client.max_payload))
    if state is not None and state.messages:
        largest = min(largest, 1 + MAX_PAGE * state.messages // max(1, state.bytes))
    return min(int(largest), _BATCH)


class Streams:
    """Creates streams, and finds their epochs.

    :param prefix: the first token of all subjects, and the beginning of the name of each stream.
    :param storage: ``file`` or ``memory``.
    :param replicas: the number of servers that store each message.
    :param max_unused: the time in seconds after which an unused stream may be deleted; None for never.
    """

    def __init__(self, prefix: str, storage: str, replicas: int, max_unused: float | None) -> None:
        import nats.errors
        import nats.js.api
        import nats.js.errors

        self._api: Any = nats.js.api
        self._not_found: type[Exception] = nats.js.errors.NotFoundError
        self._error: type[Exception] = nats.errors.Error
        self._api_error: type[Exception] = nats.js.errors.APIError
        self._prefix = prefix
        #: The name of the stream of presence.
        self.table = f"{prefix}-_presence"
        self._storage = storage
        self._replicas = replicas
        self._max_unused = max_unused
        #: The exception for a message that no stream has stored.
        self.not_stored: type[Exception] = nats.js.errors.NoStreamResponseError

    def subject(self, channel: str) -> str:
        """Return the subject, with a wildcard, on which processes receive messages."""
        return f"{self._prefix}.out.{token_of(channel)}.*"

    def ephemeral_subject(self, channel: str) -> str:
        """Return the subject of ephemeral messages."""
        return f"{self._prefix}.out.{token_of(channel)}.{_EPHEMERAL}"

    @property
    def all_subjects(self) -> str:
        """Return the subject with a wildcard that stands for those of all channels."""
        return f"{self._prefix}.out.*.*"

    async def channels(self, client: Any, call: Call) -> list[str]:
        """Return the channels that have a stream, except those with very long names."""
        channels = map(self._channel_of, await self._list(client, call, "NAMES"))
        return [channel for channel in channels if channel is not None]

    async def heads(self, client: Any, call: Call, run: str) -> dict[str, Position]:
        """Return the positions of the last messages of channels, except those of an earlier run."""
        found: dict[str, Position] = {}
        for each in await self._list(client, call, "LIST"):
            info = self._api.StreamInfo.from_response(each)
            channel = self._channel_of(info.config.name)
            if channel is not None and (info.cluster is not None or info.config.description == run):
                epoch = _epoch_of(info, "" if info.cluster is not None else run)
                found[channel] = Position(epoch, info.state.last_seq)
        return found

    def _channel_of(self, name: str) -> str | None:
        prefix = f"{self._prefix}-"
        return channel_of(name.removeprefix(prefix)) if name.startswith(prefix) else None

    async def _list(self, client: Any, call: Call, operation: str) -> list[Any]:
        """Return the names or the descriptions of the streams of channels.

        The server lists them in the order of their names. Each page must contain a stream of an earlier one:
        otherwise some before it were deleted, so that those between the pages would be left out, and the next
        request begins further ahead. Streams that were created since the first request may be missing.
        """
        found: dict[str, Any] = {}
        offset, step, failures = 0, _OVERLAP, 0
        while failures < _ATTEMPTS:
            request = {"offset": offset, "subject": f"{self._prefix}.in.>"}
            answer = await call(
                client.request(
                    f"$JS.API.STREAM.{operation}", json.dumps(request).encode(), timeout=_LIST_TIMEOUT
                )
            )
            response = json.loads(answer.data)
            if "error" in response:
                raise BrokerUnavailableError(f"the streams cannot be listed: {response['error']}")
            part = {_name_of(each): each for each in response.get("streams") or []}
            total = response.get("total", 0)
            if offset and found.keys().isdisjoint(part):
                offset = max(0, min(offset, total) - step)
                step *= 2
                failures += 1
                continue
            if not part.keys() <= found.keys():
                step, failures = _OVERLAP, 0
            found = part | found
            if offset + len(part) >= total:
                return list(found.values())
            offset += max(1, len(part) - _OVERLAP)
        raise BrokerUnavailableError("the streams changed while they were listed")

    async def delete_unused(
        self, client: Any, call: Call, is_denied: Callable[[str], bool] = lambda subject: False
    ) -> None:
        """Delete the streams of channels that have no messages and have not been used for a long time.

        One that cannot be deleted does not prevent the deletion of others.

        :param is_denied: whether a request failed because the user must not publish to its subject.
        :raises PermissionError: if the user must not delete streams.
        :raises BrokerUnavailableError: if at least one could not be deleted.
        """
        if self._max_unused is None:
            return
        failed: BrokerUnavailableError | None = None
        context = client.jetstream()
        run = await call(self.create_table(context))
        _, now = await call(self.fetch(context, self.table, 0, 1))
        started = datetime.fromtimestamp(int(run, 16) / 1e6, UTC)
        for each in await self._list(client, call, "LIST"):
            if not self._is_unused(each, started, now):
                continue
            # A message may have been stored since. One that is stored after this answer is lost with the
            # stream, which its receivers learn, because the next stream has another epoch.
            name = each["config"]["name"]
            try:
                answer = await call(client.request(f"$JS.API.STREAM.INFO.{name}", timeout=_LIST_TIMEOUT))
                if self._is_unused(json.loads(answer.data), started, now):
                    await call(self._delete(context, name))
            except BrokerUnavailableError as error:
                if is_denied(f"{_DELETE}.{name}"):
                    raise PermissionError(f"the user has no permission to publish to {_DELETE}.*") from error
                if not client.is_connected:
                    raise
                failed = error
        if failed is not None:
            raise failed

    async def _delete(self, context: Any, name: str) -> None:
        with contextlib.suppress(self._not_found):  # another process has deleted it
            await context.delete_stream(name)

    def _is_unused(self, info: Any, started: datetime, now: datetime) -> bool:
        if "error" in info or info["state"]["messages"] or self._max_unused is None:
            return False
        config = info["config"]
        begun = _used_at(config["subjects"])
        if begun is None or not config["name"].startswith(f"{self._prefix}-"):
            return False  # another program has created it
        used = max(started, begun, _time_of(info["created"]), _time_of(info["state"]["last_ts"]))
        limit: float = max(self._max_unused, 2e-9 * config["max_age"])
        return (now - used).total_seconds() > limit

    async def open(
        self, context: Any, run: str, channel: str, history: History, lifetime: float = 0.0
    ) -> tuple[ChannelStream, Any]:
        """Return the stream of a channel, and its state. Create it if it does not exist.

        :param context: the JetStream context of a connection.
        :param run: the ID of the run of the server.
        :param lifetime: the time in seconds for which idempotency keys must be stored.
        """
        config = self._config(channel, history, run, max(lifetime, _WINDOW))
        try:
            info = await context.stream_info(config.name)
        except self._not_found:
            info = await self._create(context, config)
        used = _used_at(info.config.subjects)
        if used is None:
            raise RuntimeError(
                f"the stream {config.name} of NATS was created by another program, for the subjects "
                f"{info.config.subjects}: delete it, or change the prefix of NATSBroker"
            )
        if info.cluster is not None:
            run = ""
        if info.config.duplicate_window > config.duplicate_window:
            config = self._config(channel, history, run, info.config.duplicate_window)
        if run and info.config.description != run:
            if await self.create_table(context) != run:
                raise self._error("the server was restarted, which this connection does not know yet")
            # What another process publishes in the new epoch follows the last message of this state.
            await context.purge_stream(config.name, seq=info.state.last_seq + 1)
            await context.update_stream(config)
            info = await context.stream_info(config.name)
        elif _limits(info.config) != _limits(config) or self._must_touch(used):
            info = await context.update_stream(replace(config, description=info.config.description))
        stream = ChannelStream(
            config.name,
            info.config.subjects[0],
            _epoch_of(info, run),
            info.state.last_seq,
            config.max_age,
            config.duplicate_window,
        )
        return stream, info.state

    def _must_touch(self, used: datetime) -> bool:
        """Whether the use of a stream must be recorded, by a new generation."""
        return self._max_unused is not None and time() - used.timestamp() > _TOUCH * self._max_unused

    async def _create(self, context: Any, config: Any) -> Any:
        try:
            return await context.add_stream(config)
        except self._api_error as error:
            if getattr(error, "err_code", None) not in _IN_USE:
                raise
            return await context.stream_info(config.name)  # another process has created it

    def _config(self, channel: str, history: History, run: str, window: float) -> Any:
        """Return the configuration of a stream. Each has a generation of its own."""
        api = self._api
        subject = f"{self._prefix}.in.{token_of(channel)}"
        return api.StreamConfig(
            name=f"{self._prefix}-{token_of(channel)}",
            description=run,
            subjects=[f"{subject}.{int(time()):x}-{os.urandom(9).hex()}"],
            max_msgs=history.count,
            # The server requires that messages are stored at least as long as their idempotency keys.
            max_age=max(history.age, window),
            duplicate_window=window,
            storage=api.StorageType(self._storage),
            num_replicas=self._replicas,
            republish=api.RePublish(src=f"{subject}.*", dest=f"{self._prefix}.out.{token_of(channel)}.$1"),
        )

    async def fetch(
        self, context: Any, name: str, limit: float, batch: int, max_size: float = math.inf, **selection: Any
    ) -> tuple[list[Any], datetime]:
        """Return messages of a stream, and the time of the server.

        :param limit: the maximum number of messages.
        :param batch: the number of messages to request at a time.
        :param max_size: the size in bytes after which no further message is returned.
        :param selection: fields of the configuration of a consumer, which select the messages.
        """
        api = self._api
        consumer = os.urandom(9).hex()
        config = api.ConsumerConfig(
            name=consumer,
            ack_policy=api.AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=10.0,
            **selection,
        )
        info = await context.add_consumer(name, config)
        found: list[Any] = []
        size = 0
        count = int(min(info.num_pending, limit))
        if count:
            pull = await context.pull_subscribe_bind(consumer=consumer, stream=name)
            try:
                while len(found) < count and size < max_size:
                    with contextlib.suppress(TimeoutError):
                        for each in await pull.fetch(min(count - len(found), batch), _FETCH_TIMEOUT):
                            if size < max_size:
                                found.append(each)
                                size += len(each.data)
                    if len(found) < count or limit == math.inf:
                        # Messages may have been removed, or replaced by others, since they were counted.
                        remaining = (await pull.consumer_info()).num_pending
                        count = int(min(len(found) + remaining, limit))
            finally:
                with contextlib.suppress(Exception):
                    await pull.unsubscribe()
        await context.delete_consumer(name, consumer)
        if limit == math.inf and not _is_complete(info.num_pending, found):
            raise self._error(f"the messages of {name} changed while they were read")
        return found, info.created

    async def fetch_all(
        self, context: Any, name: str, batch: int, **selection: Any
    ) -> tuple[list[Any], datetime]:
        """Return all messages that are selected; see `fetch`.

        :raises nats.errors.Error: if they change too often.
        """
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(self._error):
                return await self.fetch(context, name, math.inf, batch, **selection)
        return await self.fetch(context, name, math.inf, batch, **selection)

    async def first_within(self, context: Any, name: str, age: float) -> int | None:
        """Return the sequence number of the first message of at most this age, or None."""
        _, now = await self.fetch(context, name, 0, 1)
        start = now - timedelta(seconds=age)
        policy = self._api.DeliverPolicy.BY_START_TIME
        found, _ = await self.fetch(context, name, 1, 1, deliver_policy=policy, opt_start_time=start)
        return found[0].metadata.sequence.stream if found else None

    async def create_table(self, context: Any) -> str:
        """Create the stream of presence, in memory, unless it exists.

        :returns: the ID of the run of the server, at whose end the stream is lost.
        """
        api = self._api
        config = api.StreamConfig(
            name=self.table,
            subjects=[f"{self._prefix}.presence.>"],
            max_msgs_per_subject=1,
            storage=api.StorageType.MEMORY,
            num_replicas=self._replicas,
        )
        info = await self._create(context, config)  # nothing changes if it exists
        return f"{int(info.created.timestamp() * 1e6):x}"

    async def has_message(self, context: Any, name: str, subject: str) -> bool:
        """Whether a stream contains a message with a subject."""
        try:
            await context.get_last_msg(name, subject)
        except self._not_found:
            return False
        return True

    def read_from(self, sequence: int) -> dict[str, Any]:
        """Return the selection of the messages that begin with a sequence number."""
        return {
            "deliver_policy": self._api.DeliverPolicy.BY_START_SEQUENCE,
            "opt_start_seq": sequence,
        }


def _is_complete(count: int, messages: list[Any]) -> bool:
    """Whether the number of messages that remained has decreased with each of them by at most one.

    Otherwise some were removed at the same time, or left out: NATS 2.9 does so while others are replaced.
    """
    counts = [count, *(each.metadata.num_pending for each in messages), 0]
    return all(before - after <= 1 for before, after in itertools.pairwise(counts))


def generation_of(subject: str) -> str:
    """Return the last token of a subject."""
    return subject.rpartition(".")[2]


def _used_at(subjects: Sequence[str] | None) -> datetime | None:
    """Return the time at which the generation of a stream began, by the clock of the process that began it.

    :returns: None if the stream was not created by a `NATSBroker`.
    """
    if not subjects or len(subjects) > 1:
        return None
    begun, separator, _ = generation_of(subjects[0]).partition("-")
    try:
        return datetime.fromtimestamp(int(begun, 16), UTC) if separator else None
    except (ValueError, OverflowError, OSError):
        return None


def _epoch_of(info: Any, run: str) -> str:
    return f"{int(info.created.timestamp() * 1e6):x}{run and '-'}{run}"


def _name_of(listed: Any) -> str:
    """Return the name of a stream from its description, or its name."""
    name: str = listed if isinstance(listed, str) else listed["config"]["name"]
    return name


def _time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _limits(config: Any) -> tuple[int, float, float]:
    return config.max_msgs, config.max_age, config.duplicate_window


__all__ = ["Call", "ChannelStream", "Streams", "batch_of"]
