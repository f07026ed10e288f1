"""A snapshot of the metrics of this process, as values for JSON; `._merge` adds up those of several."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer, servers_of
from tornado.web._observation._catalog import Kind
from tornado.web._observation._histogram import Histogram
from tornado.web._observation._loop_delay import collector_pauses, loop_delay, start_measuring
from tornado.web._observation._message_counts import message_counts

if TYPE_CHECKING:
    from tornado.web._observation._observer import Observer

__all__ = ["take_snapshot"]

_PAGE = 4096
if sys.platform != "win32":
    _PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY = "/proc/self/statm"
_DESCRIPTORS = "/proc/self/fd"


def take_snapshot(observer: Observer) -> dict[str, Any]:
    """Return the metrics of this process. Must be called on the thread of the running event loop.

    :returns: the series of requests, and the counters, gauges and histograms by name.
    """
    loop = asyncio.get_running_loop()
    start_measuring(loop, observer.sweep)
    servers = servers_of(observer.application)
    cpu = os.times()
    clients = _client_counts()
    gauges: dict[str, Any] = {
        "http.server.active_requests": len(observer.in_flight),
        "tornado.connections": _connections(observer, servers),
        "asyncio.tasks": len(asyncio.all_tasks(loop)),
        "http.client.requests": {"active": clients["active"], "queued": clients["queued"]},
        "http.client.open_connections": {"idle": clients["idle"]},
    }
    backlogs = [backlog for server in servers for backlog in server.accept_backlogs()]
    if backlogs:
        gauges["tornado.accept.backlog"] = sum(backlogs)
    if os.path.exists(_MEMORY):
        with open(_MEMORY) as file:
            gauges["process.memory.usage"] = int(file.read().split()[1]) * _PAGE
        gauges["process.open_file_descriptor.count"] = len(os.listdir(_DESCRIPTORS)) - 1
    counters: dict[str, Any] = {
        "process.cpu.time": {"user": cpu.user, "system": cpu.system},
        "tornado.websocket.messages": {
            "received": message_counts.received,
            "sent": message_counts.sent,
        },
    }
    if observer.access_log is not None:
        counters["tornado.access_log.lost_lines"] = observer.access_log.writer.lost
    channels = _channel_metrics()
    return {
        "requests": observer.metrics.as_json(),
        Kind.COUNTER: {**counters, **channels.get(Kind.COUNTER, {})},
        Kind.GAUGE: {**gauges, **channels.get(Kind.GAUGE, {})},
        Kind.HISTOGRAM: {
            "tornado.event_loop.delay": loop_delay(loop).delays.as_json(),
            "cpython.gc.pause": collector_pauses().pauses.as_json(),
            **channels.get(Kind.HISTOGRAM, {}),
        },
    }


def _connections(observer: Observer, servers: Iterable[HTTPServer]) -> dict[str, int]:
    """Return the number of open connections by kind."""
    total = upgraded = 0
    for server in servers:
        counts = server.connection_counts()
        total += counts.http
        upgraded += counts.upgraded
    streams = waiting = 0
    for request in list(observer.in_flight):
        if request.is_waiting:
            if _has_event_stream(request):
                streams += 1
            else:
                waiting += 1
    active = min(total, len(observer.in_flight)) - streams - waiting
    return {
        "active": max(0, active),
        "idle": max(0, total - active - streams - waiting),
        "waiting": waiting,
        "event_stream": streams,
        "websocket": upgraded,
    }


def _has_event_stream(request: Any) -> bool:
    """Whether the response to a request is an event stream, which a drain ends."""
    module: Any = sys.modules.get("tornado.web._sse._event_stream")  # otherwise there are no event streams
    return module is not None and isinstance(
        getattr(request.connection, "drainable", None), module.EventStream
    )


def _channel_metrics() -> dict[str, dict[str, Any]]:
    """Return the metrics of `tornado.channels`; nothing if the program does not use it."""
    module: Any = sys.modules.get("tornado.channels._counts")
    return {} if module is None else module.channel_metrics(Histogram) or {}


def _client_counts() -> dict[str, int]:
    """Return the requests and idle connections of the HTTP clients of this process."""
    module: Any = sys.modules.get("tornado.simple_httpclient._client")
    if module is None:
        return {"active": 0, "queued": 0, "idle": 0}
    counts: dict[str, int] = module.client_counts()
    return counts
