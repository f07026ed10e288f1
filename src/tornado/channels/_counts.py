"""Counts and present values of the channels of this process, for metrics and for readiness checks.

The counts belong to the process and not to a hub, so that they do not decrease when a hub is closed. Delivery
costs one addition for each batch of messages and group of receivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tornado._thread_safety import WeakRegistry, atomic
from tornado.channels._names import RESERVED


class Durations(Protocol):
    """A histogram."""

    def record(self, value: float) -> None:
        """Count a duration in seconds."""

    def as_json(self) -> dict[str, Any]:
        """Return the histogram in the form of a snapshot."""


class CountedHub(Protocol):
    """The part of a hub whose present values are metrics."""

    max_disconnected: float | None

    @property
    def disconnected_for(self) -> float:
        """The number of seconds for which no messages could arrive; 0 while they can."""

    @property
    def waiting_publications(self) -> int:
        """The number of messages that wait for the broker."""

    def subscriber_counts(self) -> Iterator[int]:
        """Yield the number of receivers of each channel."""

    @property
    def broker(self) -> Any:
        """The broker."""


class ChannelCounts:
    """The numbers since the start of the process.

    :ivar published: the number of messages that the broker has stored.
    :ivar sent: the number of ephemeral messages.
    :ivar failed: the number of messages that the broker has not confirmed by their deadline.
    :ivar delivered: the number of messages and gaps that were passed to receivers, once for each receiver.
    :ivar gaps: the number of gaps by reason: ``history`` if messages are no longer available, ``slow`` if a
        client has read too slowly. Each counts once for each receiver.
    :ivar slow: the number of clients that were found to be slow, by the action of the policy.
    :ivar disconnected: the seconds during which hubs were not connected. The present interruption is not
        included.
    :ivar durations: the durations of successful calls of `Hub.publish`; None if they are not measured.
    :ivar delays: the times between the beginning of such a call and the arrival of the message in the same
        process, if it has receivers for it; None if they are not measured.
    """

    __slots__ = (
        "delays",
        "delivered",
        "disconnected",
        "durations",
        "failed",
        "gaps",
        "published",
        "sent",
        "slow",
    )

    def __init__(self) -> None:
        self.published = self.sent = self.failed = self.delivered = 0
        self.gaps = {"history": 0, "slow": 0}
        self.slow = {"closed": 0, "skipped": 0, "latest": 0}
        self.disconnected = 0.0
        self.durations: Durations | None = None
        self.delays: Durations | None = None

    # Hubs run in several threads.

    def count_publication(self, duration: float) -> None:
        """Count a message that the broker has stored.

        :param duration: the time that this took, in seconds.
        """
        self._add_published()
        if self.durations is not None:
            self.durations.record(duration)

    @atomic
    def _add_published(self) -> None:
        self.published += 1

    @atomic
    def add_sent(self) -> None:
        """Count an ephemeral message."""
        self.sent += 1

    @atomic
    def add_failed(self) -> None:
        """Count a message that the broker has not confirmed."""
        self.failed += 1

    @atomic
    def add_delivered(self, number: int) -> None:
        """Count messages and gaps that were passed to receivers."""
        self.delivered += number

    @atomic
    def add_gaps(self, reason: str, number: int) -> None:
        """Count gaps with a reason."""
        self.gaps[reason] += number

    @atomic
    def add_slow(self, action: str) -> None:
        """Count a slow client."""
        self.slow[action] += 1

    @atomic
    def add_disconnected(self, seconds: float) -> None:
        """Add the duration of an interruption that has ended."""
        self.disconnected += seconds

    @atomic
    def _measure(self, durations: Durations, delays: Durations) -> None:
        if self.durations is None:
            self.durations = durations
        if self.delays is None:
            self.delays = delays

    def start_measuring(self, histogram: Callable[[], Durations]) -> tuple[Durations, Durations]:
        """Begin to measure durations, unless this was done before; return the histograms.

        :param histogram: creates a histogram of durations.
        """
        if self.durations is None or self.delays is None:
            self._measure(histogram(), histogram())
        assert self.durations is not None
        assert self.delays is not None
        return self.durations, self.delays


counts = ChannelCounts()
_internal = ChannelCounts()
#: The hubs that have been started and are not closed.
_hubs: WeakRegistry[CountedHub] = WeakRegistry()
#: Whether a hub was started in this process.
_was_started: list[bool] = []


def counts_of(channel: str) -> ChannelCounts:
    """Return the object that counts the messages of a channel."""
    return _internal if channel.startswith(RESERVED) else counts


def add_hub(hub: CountedHub) -> None:
    """Include a hub in the metrics and in the readiness of the process."""
    _was_started[:] = [True]
    _hubs.add(hub)


def remove_hub(hub: CountedHub) -> None:
    """Forget a hub that is closed."""
    _hubs.discard(hub)


def channel_metrics(histogram: Callable[[], Durations]) -> dict[str, dict[str, Any]] | None:
    """Return the counters, gauges and histograms of this process by name; None if it has no hub.

    The first call begins to measure durations.

    :param histogram: creates a histogram of durations.
    """
    if not _was_started:
        return None
    durations, delays = counts.start_measuring(histogram)
    hubs = _hubs.snapshot()
    sizes = [size for hub in hubs for size in hub.subscriber_counts()]
    outages = [hub.disconnected_for for hub in hubs]
    return {
        "counters": {
            "tornado.channels.published": {"stored": counts.published, "ephemeral": counts.sent},
            "tornado.channels.publish_failures": counts.failed,
            "tornado.channels.delivered": counts.delivered,
            "tornado.channels.gaps": dict(counts.gaps),
            "tornado.channels.slow_clients": dict(counts.slow),
            "tornado.channels.broker.disconnected": counts.disconnected + sum(outages),
        },
        "gauges": {
            "tornado.channels.subscribers": sum(sizes),
            "tornado.channels.active_channels": len(sizes),
            "tornado.channels.waiting_publications": sum(hub.waiting_publications for hub in hubs),
            "tornado.channels.brokers": {
                "connected": sum(not outage for outage in outages),
                "disconnected": sum(outage > 0 for outage in outages),
            },
        },
        "histograms": {
            "tornado.channels.publish.duration": durations.as_json(),
            "tornado.channels.delivery.delay": delays.as_json(),
        },
    }


def has_unshared_hub() -> bool:
    """Whether a hub is open whose broker does not connect several processes."""
    return any(not hub.broker.is_shared for hub in _hubs.snapshot())


def broker_problems() -> list[str]:
    """Describe each hub that has been disconnected for too long. It may be called in any thread.

    The address of the broker is not included, because health checks need no credentials.
    """
    return [
        f"channels have had no connection to their broker for {outage:.0f} s"
        for hub in _hubs.snapshot()
        if hub.max_disconnected is not None and (outage := hub.disconnected_for) >= hub.max_disconnected
    ]


__all__ = [
    "RESERVED",
    "add_hub",
    "broker_problems",
    "channel_metrics",
    "counts",
    "counts_of",
    "has_unshared_hub",
    "remove_hub",
]
