"""The settings of a WebSocket connection, as one immutable value that connections share."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Mapping
from typing import Any

from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket._deflate import policy_of
from tornado.websocket._log_once import de_dupe_gen_log

#: Most bytes of a message after decompression, unless a program says otherwise.
MAX_MESSAGE_SIZE = 10 * 1024 * 1024
#: Bytes that may wait for a peer before its messages, and who sends to it, have to wait.
WRITE_LIMIT = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class WebSocketParams:
    """What one side has settled for its connections; make it by `params_of`.

    :ivar ping_interval: seconds between two pings; 0 for none.
    :ivar ping_timeout: seconds that a pong may take; 0 for no limit.
    :ivar policy: for compression; None for none.
    :ivar write_limit: bytes.
    :ivar limits: of the protocol.
    """

    ping_interval: float = 0
    ping_timeout: float = 0
    policy: DeflatePolicy | None = None
    write_limit: int = WRITE_LIMIT
    limits: ws_connection.WSSettings = ws_connection.DEFAULT


def params_of(
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int | None = None,
    compression_options: Mapping[str, Any] | None = None,
    write_limit: int | None = None,
    max_inflation_ratio: float | None = None,
) -> WebSocketParams:
    """The value that stands for these settings, the same object for the same settings.

    :param ping_interval: None or 0 for no pings.
    :param ping_timeout: None for the interval, and never longer than that; 0 for no limit.
    :param max_message_size: None for `MAX_MESSAGE_SIZE`.
    :param write_limit: None for `WRITE_LIMIT`.
    :param max_inflation_ratio: times that a message over 1 MiB may grow in decompression; None for no limit.
    :raises ValueError: if a number is out of range.
    :raises TypeError: if it is none.
    """
    size = MAX_MESSAGE_SIZE if max_message_size is None else max_message_size
    limit = WRITE_LIMIT if write_limit is None else write_limit
    ratio = math.inf if max_inflation_ratio is None else max_inflation_ratio
    return _shared(ping_interval or 0, ping_timeout, size, policy_of(compression_options), limit, ratio)


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
            raise TypeError(f"{name} is a number, not {value!r}")
    if not size > 0:
        raise ValueError(f"websocket_max_message_size is a number of bytes above zero, not {size!r}")
    if not write_limit >= 0:
        raise ValueError(f"websocket_write_limit is a number of bytes, not {write_limit!r}")
    interval = max(interval, 0)
    if timeout is None:
        timeout = interval
    elif interval and timeout > interval:
        text = "websocket_ping_timeout (%s) is taken for %s: it cannot be longer than websocket_ping_interval"
        de_dupe_gen_log(logging.WARNING, text, timeout, interval)
        timeout = interval
    limits = ws_connection.WSSettings(max_message_size=size, max_inflation_ratio=ratio)
    return WebSocketParams(interval, max(timeout, 0), policy, write_limit, limits)


__all__ = ["MAX_MESSAGE_SIZE", "WRITE_LIMIT", "WebSocketParams", "params_of"]
