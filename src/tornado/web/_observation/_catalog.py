"""The metrics by name: kind, unit, label and help text, as data.

Names follow the semantic conventions of OpenTelemetry where these define a metric.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CATALOG", "REQUESTS", "Kind", "Metric"]


class Kind:
    """The kinds of metrics: a counter only grows, a gauge is a present value."""

    COUNTER = "counters"
    GAUGE = "gauges"
    HISTOGRAM = "histograms"


class Metric(NamedTuple):
    """One metric.

    :ivar kind: an attribute of `Kind`, which is also its key in a snapshot.
    :ivar unit: the unit as it ends the name for Prometheus, or "".
    :ivar label: the name of the label; None for a metric with one value.
    :ivar help: what is measured.
    """

    kind: str
    unit: str
    label: str | None
    help: str


#: The metrics other than `REQUESTS`.
CATALOG: dict[str, Metric] = {
    "http.server.active_requests": Metric(Kind.GAUGE, "", None, "Requests in flight."),
    "tornado.connections": Metric(Kind.GAUGE, "", "kind", "Open connections of the server by kind."),
    "tornado.accept.backlog": Metric(Kind.GAUGE, "", None, "Connections that wait to be accepted."),
    "tornado.event_loop.delay": Metric(
        Kind.HISTOGRAM, "seconds", None, "How late the event loop calls a timer."
    ),
    "tornado.websocket.messages": Metric(Kind.COUNTER, "", "direction", "WebSocket messages."),
    "tornado.access_log.lost_lines": Metric(Kind.COUNTER, "", None, "Lines that could not be written."),
    "tornado.workers.restarts": Metric(Kind.COUNTER, "", "reason", "Restarted worker processes."),
    "tornado.channels.subscribers": Metric(Kind.GAUGE, "", None, "Subscriptions of channels."),
    "tornado.channels.active_channels": Metric(Kind.GAUGE, "", None, "Channels with subscribers."),
    "tornado.channels.published": Metric(Kind.COUNTER, "", "kind", "Messages sent to the broker."),
    "tornado.channels.publish_failures": Metric(
        Kind.COUNTER, "", None, "Messages that the broker has not confirmed by their deadline."
    ),
    "tornado.channels.publish.duration": Metric(
        Kind.HISTOGRAM, "seconds", None, "Time until the broker has stored a message."
    ),
    "tornado.channels.delivery.delay": Metric(
        Kind.HISTOGRAM,
        "seconds",
        None,
        "Time from the publication of a message to its arrival in the same worker, if it has subscribers.",
    ),
    "tornado.channels.waiting_publications": Metric(
        Kind.GAUGE, "", None, "Messages that wait for the broker."
    ),
    "tornado.channels.delivered": Metric(
        Kind.COUNTER, "", None, "Messages and gaps delivered, once for each subscriber."
    ),
    "tornado.channels.gaps": Metric(
        Kind.COUNTER, "", "reason", "Gaps reported, once for each subscriber, by reason."
    ),
    "tornado.channels.slow_clients": Metric(
        Kind.COUNTER, "", "action", "Clients found to be slow, by the action of the policy."
    ),
    "tornado.channels.brokers": Metric(Kind.GAUGE, "", "state", "Connections to brokers by state."),
    "tornado.channels.broker.disconnected": Metric(
        Kind.COUNTER, "seconds", None, "Time without a connection to a broker."
    ),
    "asyncio.tasks": Metric(Kind.GAUGE, "", None, "Tasks that are not done."),
    "http.client.requests": Metric(Kind.GAUGE, "", "state", "Requests of HTTP clients by state."),
    "http.client.open_connections": Metric(Kind.GAUGE, "", "state", "Connections of HTTP clients."),
    "cpython.gc.pause": Metric(Kind.HISTOGRAM, "seconds", None, "Durations of garbage collections."),
    "process.cpu.time": Metric(Kind.COUNTER, "seconds", "mode", "CPU time used by the process."),
    "process.memory.usage": Metric(Kind.GAUGE, "bytes", None, "Resident memory of the process."),
    "process.open_file_descriptor.count": Metric(Kind.GAUGE, "", None, "Open file descriptors."),
}

#: The histograms of requests, in the order of a snapshot: name, unit and help text.
REQUESTS = (
    ("http.server.request.duration", "seconds", "Durations of requests."),
    ("http.server.request.body.size", "bytes", "Sizes of request bodies."),
    ("http.server.response.body.size", "bytes", "Sizes of response bodies."),
)
