"""The limits that end a server's connection: deadlines, minimum rates, and the number of pipelined requests.

A connection has one deadline (see `tornado.http1connection._deadline_scheduler`). The setting that determines
the deadline depends on what the connection is doing:

====================================  ==================================================================
situation                             setting
====================================  ==================================================================
TLS handshake                         ``tls_handshake_timeout``
waiting for a request                 ``idle_connection_timeout``; not logged, because it is normal
receiving a head                      ``header_timeout``
receiving a body                      ``body_timeout``, ``min_body_rate``
waiting for the peer to receive       ``min_send_rate``; if it is not set and the response is finished,
output                                ``idle_connection_timeout`` without progress
====================================  ==================================================================

While a minimum rate is measured, a `TransferRate` holds the deadlines of the body (including
``body_timeout``) and of the output. A partially received head has its own deadline. The connection's deadline
is the earliest of these. Each log line about a timeout names the setting.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from time import monotonic
from typing import TYPE_CHECKING

from tornado._log_rate_limit import LogRateLimit
from tornado.http1connection._deadline_scheduler import NEVER
from tornado.http1connection._state import State
from tornado.http1connection._transfer_rate import TransferRate, acknowledged_bytes
from tornado.log import gen_log

if TYPE_CHECKING:
    from tornado._wire.h1 import RequestHead
    from tornado.http1connection._server import HTTP1ServerConnection
    from tornado.iostream import IOStream

_log_limit = LogRateLimit(gen_log)
# A ``struct linger`` with a timeout of zero, with which close() resets the connection.
_RESET = struct.pack("ii" if os.name != "nt" else "hh", 1, 0)


def _log_timeout(connection: HTTP1ServerConnection, kind: str, what: str, setting: str) -> None:
    if gen_log.isEnabledFor(logging.INFO):  # reading `connection.context` creates it
        _log_limit.log(kind, logging.INFO, "Timeout %s %s: %s", what, connection.context, setting)


def _log_body_timeout(connection: HTTP1ServerConnection) -> None:
    exchange = connection._exchange
    timeout = None if exchange is None else exchange._body_timeout
    if timeout is None:
        timeout = connection.params.body_timeout
    _log_timeout(connection, "body", "reading body from", f"not complete within body_timeout ({timeout:g} s)")


# -- setting deadlines --


def set_body_deadline(connection: HTTP1ServerConnection, timeout: float | None) -> None:
    """Set the deadlines for receiving a body: the total time, and the end of the first rate window.

    :param timeout: the time for the whole body in seconds; None for no limit.
    """
    params = connection.params
    now = monotonic()
    if params._min_body_rate is None and connection._transfer_rate is None:
        if timeout is not None:
            params._deadlines.set(connection, now, timeout)
        return
    transfer_rate = connection._transfer_rate
    if transfer_rate is None:
        transfer_rate = connection._transfer_rate = TransferRate()
    window = params._rate_window if params._min_body_rate is not None else NEVER
    transfer_rate.begin_body(now, window, NEVER if timeout is None else now + timeout)
    _set_transfer_deadline(connection, transfer_rate, now)


def clear_body_deadline(connection: HTTP1ServerConnection, transfer_rate: TransferRate) -> None:
    """Remove the deadlines for a body, without changing the connection's current deadline."""
    transfer_rate.end_body()
    if transfer_rate.deadline() == NEVER:
        connection._transfer_rate = None


def set_output_deadline(connection: HTTP1ServerConnection) -> None:
    """Set the deadline for pending output; called each time that output could not be sent immediately."""
    params = connection.params
    transfer_rate = connection._transfer_rate
    if transfer_rate is None:
        transfer_rate = connection._transfer_rate = TransferRate()
    now = monotonic()
    if transfer_rate.output_window_end == NEVER:
        transfer_rate.begin_output(now, params._rate_window, acknowledged_bytes(connection.stream))
    _set_transfer_deadline(connection, transfer_rate, now)


def update_deadline(connection: HTTP1ServerConnection) -> None:
    """Set the connection's deadline again from its `TransferRate`, if it has one.

    Called when a transfer has ended, and when a request begins while output of the previous response is
    pending, because the beginning of a request clears the deadline.
    """
    if connection._transfer_rate is not None:
        _set_transfer_deadline(connection, connection._transfer_rate, monotonic())


def set_idle_deadline(connection: HTTP1ServerConnection) -> None:
    """Set the deadline of a connection that waits until the peer receives output or sends a request."""
    update_deadline(connection)
    if connection._transfer_rate is None:
        params = connection.params
        params._deadlines.set(connection, monotonic(), params._idle_timeout)


def set_head_deadline(connection: HTTP1ServerConnection) -> None:
    """Set the deadline of a head; called when its first part has arrived, but not for later parts."""
    params, now = connection.params, monotonic()
    connection._head_deadline = now + params._head_timeout
    params._deadlines.set(connection, now, params._head_timeout)
    update_deadline(connection)


def _set_transfer_deadline(
    connection: HTTP1ServerConnection, transfer_rate: TransferRate, now: float
) -> None:
    """Set the connection's deadline to the earliest one of its transfers and of its head."""
    deadline = transfer_rate.deadline()
    if deadline == NEVER:
        connection._transfer_rate = None
    _set_deadline(connection, now, deadline, connection.params._rate_window)


def _set_deadline(connection: HTTP1ServerConnection, now: float, deadline: float, period: float) -> None:
    """Set the connection's deadline to `deadline`, or to the deadline of an incomplete head if earlier."""
    params = connection.params
    if connection._state is State.SERVING and 0 < connection._head_deadline < deadline:
        deadline, period = connection._head_deadline, params._head_timeout
    if deadline == NEVER:
        connection._deadline = NEVER
    else:
        params._deadlines.set_at(connection, now, deadline, period)


def count_pipelined(connection: HTTP1ServerConnection, head: RequestHead) -> RequestHead:
    """Count a request that arrived before the previous response was finished.

    :returns: its head. When the limit is reached, the head is changed to one with ``Connection: close``, and
        the connection ends after the response.
    """
    limit = connection.params._max_pipelined
    if limit is None:
        return head
    connection._pipelined_count += 1
    if connection._pipelined_count + bool(connection._reader.buffered) <= limit:
        return head
    if gen_log.isEnabledFor(logging.INFO):
        text = "Closing connection from %s: more than max_pipelined_requests (%d) requests were pipelined"
        _log_limit.log("pipelining", logging.INFO, text, connection.context, limit)
    return head.closing()


def idle_since(connection: HTTP1ServerConnection) -> float | None:
    """Return the approximate time since which the connection has been idle (`monotonic`, in seconds), or None
    if it is serving a request.
    """
    if connection._state is State.LINGERING:
        return 0.0  # closed before all others, because its response has been sent
    deadline = connection._deadline
    busy = connection._exchange is not None or connection.stream._pending_output
    if busy or connection._state is not State.SERVING or deadline == NEVER:
        return None
    params = connection.params
    if connection._handshake_deadline and deadline == connection._handshake_deadline:
        return deadline - params._handshake_timeout
    return deadline - (params._head_timeout if connection._head_deadline else params._idle_timeout)


# -- when a deadline has passed --


def expired(connection: HTTP1ServerConnection) -> None:
    """Close the connection, or set a new deadline if no limit is exceeded."""
    now = monotonic()
    serving = connection._state is State.SERVING  # False while closing after the last response
    if serving and connection._handshake_deadline and _handshake_deadline_passed(connection, now):
        return
    transfer_rate = connection._transfer_rate
    if serving and 0 < connection._head_deadline <= now:
        limit = f"not complete within header_timeout ({connection.params._head_timeout:g} s)"
        _log_timeout(connection, "head", "reading head from", limit)
    elif transfer_rate is not None:
        if not _too_slow(connection, transfer_rate, now):
            _set_transfer_deadline(connection, transfer_rate, now)
            return
    elif _stays_open(connection, now):
        return
    _close(connection.stream)


def _close(stream: IOStream) -> None:
    """Close the stream and drop unsent output, which could otherwise use megabytes of kernel memory."""
    if stream._pending_output and stream.socket.family in (socket.AF_INET, socket.AF_INET6):
        try:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass  # the socket is disconnected already
    stream.close()


def _handshake_deadline_passed(connection: HTTP1ServerConnection, now: float) -> bool:
    """Handle the first deadline of a TLS connection, which is the deadline of its handshake.

    :returns: True if the handshake is complete and the first request may still arrive; then the idle deadline
        has been set.
    """
    params = connection.params
    end, connection._handshake_deadline = connection._handshake_deadline, 0.0
    if connection.stream._handshaking:  # type: ignore[attr-defined]
        _log_timeout(
            connection,
            "handshake",
            "during TLS handshake with",
            f"not complete within tls_handshake_timeout ({params._handshake_timeout:g} s)",
        )
        return False
    remaining = end - params._handshake_timeout + params._idle_timeout - now
    if remaining <= 0 or connection._exchange is not None or connection._head_deadline:
        return False
    params._deadlines.set(connection, now, remaining)
    return True


def _too_slow(connection: HTTP1ServerConnection, transfer_rate: TransferRate, now: float) -> bool:
    """Whether the peer has exceeded a time limit or is slower than a minimum rate; if so, log it."""
    params = connection.params
    window = params._rate_window
    if now >= transfer_rate.body_end:
        _log_body_timeout(connection)
        return True
    rate = params._min_body_rate
    if rate is not None and transfer_rate.body_is_too_slow(now, rate * window, window):
        limit = f"slower than min_body_rate ({rate:g} bytes/s over {window:g} s)"
        _log_timeout(connection, "body rate", "reading body from", limit)
        return True
    rate = params._min_send_rate
    if rate is not None and transfer_rate.output_window_end <= now:
        acknowledged = acknowledged_bytes(connection.stream)
        if transfer_rate.output_is_too_slow(now, rate * window, window, acknowledged):
            limit = f"slower than min_send_rate ({rate:g} bytes/s over {window:g} s)"
            _log_timeout(connection, "send rate", "writing to", limit)
            return True
    return False


def _stays_open(connection: HTTP1ServerConnection, now: float) -> bool:
    """Whether a connection without a `TransferRate` stays open although its deadline has passed."""
    exchange, stream, params = connection._exchange, connection.stream, connection.params
    pending = stream._pending_output
    reading = exchange is not None and not exchange._read_done
    if reading:
        _log_body_timeout(connection)
        return False
    if exchange is not None and not pending:
        return True
    if pending and pending != connection._previous_pending_output:
        # Not idle: the peer is receiving, but slowly.
        connection._previous_pending_output = pending
        _set_deadline(connection, now, now + params._idle_timeout, params._idle_timeout)
        return True
    return False
