"""`WebSocketParams`: the settings of a WebSocket connection, an immutable value shared by connections."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Mapping
from typing import Any

from tornado._log_rate_limit import de_dupe_gen_log
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket._compression_options import policy_of

#: The default maximum size of a message after decompression, in bytes.
MAX_MESSAGE_SIZE = 10 * 1024 * 1024
#: The default high-water mark of the output that waits to be sent, in bytes.
WRITE_LIMIT = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class WebSocketParams:
    """The settings of a connection, created by `params_of`.

    :ivar ping_interval: the interval between pings, in seconds; 0 for no pings.
    :ivar ping_timeout: the timeout for a pong, in seconds; 0 for no timeout.
    :ivar policy: the compression policy; None for no compression.
    :ivar write_limit: the high-water mark of the output that waits to be sent, in bytes.
    :ivar limits: the limits of the protocol.
    """

    ping_interval: float = 0
    ping_timeout: float = 0
    policy: DeflatePolicy | None = None
    write_limit: int = WRITE_LIMIT
    limits: ws_connection.WSLimits = ws_connection.DEFAULT


def params_of(
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int | None = None,
    compression_options: Mapping[str, Any] | None = None,
    write_limit: int | None = None,
    max_inflation_ratio: float | None = None,
) -> WebSocketParams:
    """Return the object for these settings; equal settings share an object.

    :param ping_interval: the interval between pings, in seconds; None or 0 for no pings.
    :param ping_timeout: the timeout for a pong, in seconds; None for the interval, which is also the maximum;
        0 for no timeout.
    :param max_message_size: the maximum size of a message after decompression, in bytes; None for
        `MAX_MESSAGE_SIZE`.
    :param compression_options: the options of `policy_of`; None for no compression.
    :param write_limit: the high-water mark of the output that waits to be sent, in bytes; None for
        `WRITE_LIMIT`.
    :param max_inflation_ratio: the maximum compression ratio of a message over 1 MiB; None for no limit.
    :raises ValueError: if a number is out of range.
    :raises TypeError: if a value is not a number.
    """
    size = MAX_MESSAGE_SIZE if max_message_size is None else max_message_size
    limit = WRITE_LIMIT if write_limit is None else write_limit
    ratio = math.inf if max_inflation_ratio is None else max_inflation_ratio
    policy = None if compression_options is None else policy_of(compression_options)
    return _shared(ping_interval or 0, ping_timeout, size, policy, limit, ratio)


@functools.lru_cache(maxsize=128)
def _shared(
    interval: float,
    timeout: float | None,
    size: int,
    policy: DeflatePolicy | None,
    write_limit: int,
    ratio: float,
) -> WebSocketParams:
    for name, value in (
        ("websocket_ping_interval", interval),
        ("websocket_ping_timeout", timeout),
        ("websocket_max_message_size", size),
        ("websocket_write_limit", write_limit),
    ):
        if value is not None and not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, got {value!r}")
    if not size > 0:
        raise ValueError(f"websocket_max_message_size must be a positive number of bytes, got {size!r}")
    if not write_limit >= 0:
        raise ValueError(f"websocket_write_limit must be a non-negative number of bytes, got {write_limit!r}")
    interval = max(interval, 0)
    if timeout is None:
        timeout = interval
    elif interval and timeout > interval:
        text = "websocket_ping_timeout (%s) cannot be longer than websocket_ping_interval: using %s"
        de_dupe_gen_log(logging.WARNING, text, timeout, interval)
        timeout = interval
    limits = ws_connection.WSLimits(max_message_size=size, max_inflation_ratio=ratio)
    return WebSocketParams(interval, max(timeout, 0), policy, write_limit, limits)


__all__ = ["MAX_MESSAGE_SIZE", "WRITE_LIMIT", "WebSocketParams", "params_of"]
