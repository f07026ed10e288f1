"""The settings of HTTP/1.x connections, and parsers for the numbers in messages."""

from __future__ import annotations

import re
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado._loop.deadlines import NEVER, DeadlineScheduler
from tornado._loop.time_sliced_queue import TimeSlicedQueue
from tornado._wire.limits import Limits
from tornado.concurrent import Future
from tornado.http1connection._protection import DEFAULT as DEFAULT_PROTECTION
from tornado.http1connection._protection import Protection
from tornado.log import gen_log

#: The number of buffered bytes above which reading from the peer is paused.
READ_AHEAD = 65536
#: The default maximum number of bytes in one call of a delegate's ``data_received``.
DEFAULT_CHUNK_SIZE = 65536

CR_OR_LF_RE = re.compile(b"\r|\n")
DIGITS = re.compile(r"[0-9]+")
HEXDIGITS = re.compile(r"[0-9a-fA-F]+")


class HTTP1ConnectionParameters:
    """The settings of all connections of one server, or of one client connection.

    :param no_keep_alive: close each connection after one request.
    :param chunk_size: the maximum number of bytes in one call of a delegate's ``data_received`` (default
        64 KiB).
    :param max_header_size: the maximum size of the start line and the header section together, in bytes
        (default 64 KiB). Larger heads are rejected with 431.
    :param header_timeout: how long a server's connection may wait for its next request (default 3600), or a
        client's connection for the head of a response (default: no limit), in seconds.
    :param max_body_size: the maximum size of a message body, in bytes (default: the stream's
        ``max_buffer_size``). Larger bodies are rejected with 413. A delegate may change the limit for one
        message with `HTTP1Connection.set_max_body_size`.
    :param body_timeout: how long receiving a body may take, in seconds (default: no limit).
    :param decompress: decode ``Content-Encoding: gzip`` of incoming bodies.
    :param protection: the other limits. The arguments above override its values.

    Programs copy an object with ``HTTP1ConnectionParameters(**vars(parameters))``, so ``__dict__`` has only
    upstream's arguments. All other attributes are slots.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "deadlines",
        "dispatcher",
        "drain",
        "handshake_timeout",
        "head_timeout",
        "idle_timeout",
        "limits",
        "log_limit",
        "max_pipelined",
        "min_body_rate",
        "min_send_rate",
        "protection",
        "rate_window",
        "refusals",
        "waiting_writers",
    )

    def __init__(
        self,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        header_timeout: float | None = None,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        decompress: bool = False,
        protection: Protection | None = None,
    ) -> None:
        self.no_keep_alive = no_keep_alive
        self.chunk_size: int = chunk_size or DEFAULT_CHUNK_SIZE
        protection = DEFAULT_PROTECTION if protection is None else protection
        self.protection: Protection = protection
        self.max_header_size: int = max_header_size or protection.max_header_size
        self.header_timeout = header_timeout
        self.max_body_size = max_body_size
        self.body_timeout: float | None = protection.body_timeout if body_timeout is None else body_timeout
        self.decompress = decompress
        # No limit on the body here: the connection sets it for each message, because a delegate may change
        # it after it has received the head.
        self.limits: Limits = Limits(
            max_head_size=self.max_header_size,
            max_request_line=self.max_header_size,
            max_header_count=protection.max_header_count,
            max_body_size=2**63 - 1,
        )
        idle = protection.idle_connection_timeout
        self.idle_timeout: float = idle if header_timeout is None else header_timeout
        self.head_timeout: float = min(protection.header_timeout, header_timeout or NEVER)
        self.handshake_timeout: float = min(protection.tls_handshake_timeout, header_timeout or NEVER)
        self.min_body_rate: float | None = protection.min_body_rate
        self.min_send_rate: float | None = protection.min_send_rate
        self.rate_window: float = protection.rate_window
        self.max_pipelined: int | None = protection.max_pipelined_requests
        self.deadlines: DeadlineScheduler = DeadlineScheduler()
        #: The object through which the connections of an `.HTTPServer` call its application, or None.
        self.dispatcher: Any = None
        #: The drain of the server (see `tornado._http_server_drain`); None if it is not draining.
        self.drain: Any = None
        #: The rate limit of log lines about rejected messages. The first errors are logged individually, to
        #: help the developer of a client.
        self.log_limit: LogRateLimit = LogRateLimit(gen_log, burst=10)
        #: The rate limit of access log lines about rejected requests, by status code.
        self.refusals: LogRateLimit = LogRateLimit(gen_log, burst=100)
        #: Writers that have used their share of an event loop iteration. Each iteration resumes some of them.
        self.waiting_writers: TimeSlicedQueue[Future[None]] = TimeSlicedQueue(_set_done, immediate=0)


def _set_done(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def parse_int(s: str) -> int:
    """Parse a decimal number: digits only, without sign, space or underscore (RFC 9110 section 8.6).

    :raises ValueError: if `s` is not such a number.
    """
    if DIGITS.fullmatch(s) is None:
        raise ValueError(f"not an integer: {s!r}")
    return int(s)


def parse_hex_int(s: str) -> int:
    """Parse a chunk size: hexadecimal digits only (RFC 9112 section 7.1).

    :raises ValueError: if `s` is not such a number.
    """
    if HEXDIGITS.fullmatch(s) is None:
        raise ValueError(f"not a hexadecimal integer: {s!r}")
    return int(s, 16)
