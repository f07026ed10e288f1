"""The time limits of a server's connection: deadlines and minimum rates.

A connection has one deadline (see `tornado._loop.deadlines`). The setting that determines
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

While a minimum rate is measured, a `TransferRate` holds the end of the current window. There are separate
deadlines for a partially received head, for a body with a ``body_timeout``, and for the wait until the peer
receives output. The connection's deadline is the earliest of these. Each log line about a timeout names the
setting.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
from time import monotonic

from tornado._log_rate_limit import LogRateLimit
from tornado._loop.deadlines import NEVER
from tornado.http1connection._interfaces import ServerConnection
from tornado.http1connection._states import ConnectionState
from tornado.http1connection._transfer_rate import TransferRate, acknowledged_bytes
from tornado.iostream import IOStream
from tornado.log import gen_log

_log_limit = LogRateLimit(gen_log)
# A ``struct linger`` with a timeout of zero, with which close() resets the connection.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_SERVING = ConnectionState.SERVING


class Deadlines:
    """The deadlines of one connection, of which its `deadline` is the earliest.

    A plain connection that waits for a request has only one deadline, so it has no `Deadlines`: the object is
    created when a handshake, a head, a body or pending output is limited, and dropped when the connection
    becomes idle again.

    :param connection: the connection; its `deadline` is set.
    """

    __slots__ = (
        "_body_end",
        "_connection",
        "_handshake_end",
        "_head_end",
        "_pending_output",
        "_transfer_rate",
        "_wait_end",
    )

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._handshake_end = 0.0  # the deadline of the TLS handshake; otherwise 0
        self._head_end = 0.0  # the deadline of a partially received head; otherwise 0
        self._body_end = NEVER  # the deadline of a body with a time limit
        self._wait_end = 0.0  # the last deadline of a wait for output
        self._pending_output = 0  # the pending output in bytes when the deadline passed the last time
        self._transfer_rate: TransferRate | None = None

    def __repr__(self) -> str:
        limits = {
            "handshake": self._handshake_end,
            "head": self._head_end,
            "body": self._body_end,
            "transfer": NEVER if self._transfer_rate is None else self._transfer_rate.deadline(),
        }
        active = [f"{name} until {end:.3f}" for name, end in limits.items() if 0 < end < NEVER]
        return f"<Deadlines {', '.join(active) or 'none'}>"

    # -- setting deadlines --

    def begin_handshake(self) -> None:
        """Set the deadline of the TLS handshake."""
        connection, now = self._connection, monotonic()
        timeout = connection.params.handshake_timeout
        self._handshake_end = now + timeout
        connection.params.deadlines.set(connection, now, timeout)

    def begin_head(self) -> None:
        """Set the deadline for receiving a head. It does not change when later parts of the head arrive."""
        if self._head_end:
            return
        connection, now = self._connection, monotonic()
        timeout = connection.params.head_timeout
        self._head_end = now + timeout
        connection.params.deadlines.set(connection, now, timeout)
        self.update()

    def end_head(self) -> None:
        """Remove the deadline for the head, because it is complete."""
        self._head_end = 0.0

    @property
    def receiving_head(self) -> bool:
        """Whether a head has been received in part."""
        return bool(self._head_end)

    def begin_body(self, timeout: float | None) -> None:
        """Set the deadlines for receiving a body: the total time, and the end of the first rate window.

        :param timeout: the time for the whole body in seconds; None for no limit.
        """
        connection, now = self._connection, monotonic()
        params = connection.params
        self._body_end = NEVER if timeout is None else now + timeout
        if params.min_body_rate is not None:
            self._measure().begin_body(now, params.rate_window)
        if self._transfer_rate is not None:
            self._set_transfer_deadline(self._transfer_rate, now)
        elif timeout is not None:
            if connection.deadline != NEVER:  # output is pending, for example a file
                self._wait_end = connection.deadline
            self._set(now, connection.deadline, params.idle_timeout)

    def body_received(self, size: int) -> None:
        """Count `size` received bytes."""
        if self._transfer_rate is not None:
            self._transfer_rate.received += size

    def pause_body(self) -> None:
        """Stop the clock of the minimum rate, because the program has paused reading."""
        if self._transfer_rate is not None:
            self._transfer_rate.pause(monotonic())

    def resume_body(self) -> None:
        """Restart the clock of the minimum rate, because the program reads again."""
        if self._transfer_rate is not None:
            self._transfer_rate.resume(monotonic())

    def end_body(self) -> None:
        """Remove the deadlines of the body, because it is complete or will be discarded."""
        connection, end = self._connection, self._body_end
        self._body_end = NEVER
        if self._transfer_rate is not None:
            self._transfer_rate.end_body()
            self.update()
        elif connection.deadline == end:
            # The wait for output that began during the body continues.
            waits = connection.stream.pending_output and self._wait_end > end
            self._set(monotonic(), self._wait_end if waits else NEVER, connection.params.idle_timeout)

    def forget_body(self) -> None:
        """Remove the deadlines of the body without changing the connection's current deadline."""
        self._body_end = NEVER
        if self._transfer_rate is not None:
            self._transfer_rate.end_body()
            if self._transfer_rate.deadline() == NEVER:
                self._transfer_rate = None

    def begin_output(self) -> None:
        """Set the deadline for pending output; called each time that output could not be sent immediately."""
        connection, now = self._connection, monotonic()
        transfer_rate = self._measure()
        if transfer_rate.output_window_end == NEVER:
            acknowledged = acknowledged_bytes(connection.stream)
            transfer_rate.begin_output(now, connection.params.rate_window, acknowledged)
        self._set_transfer_deadline(transfer_rate, now)

    def end_output(self) -> None:
        """Remove the deadline for pending output, because all output has been sent."""
        if self._transfer_rate is not None:
            self._transfer_rate.end_output()
            self.update()

    def update(self) -> None:
        """Set the connection's deadline again from its transfers, if there are any.

        Called when a transfer has ended, and when a request begins while output of the previous response is
        pending, because the beginning of a request clears the deadline.
        """
        if self._transfer_rate is not None:
            self._set_transfer_deadline(self._transfer_rate, monotonic())

    def begin_wait(self) -> None:
        """Set the deadline of a connection that waits until the peer receives output or sends a request."""
        self.update()
        if self._transfer_rate is None:
            now, timeout = monotonic(), self._connection.params.idle_timeout
            self._wait_end = now + timeout
            self._set(now, self._wait_end, timeout)

    def begin_idle(self) -> bool:
        """Set the deadline of a connection that waits for a request.

        :returns: whether this object is still needed, because output is pending.
        """
        self._head_end = self._handshake_end = 0.0  # the handshake is complete, too
        self.forget_body()
        self.begin_wait()
        return self._transfer_rate is not None

    def _measure(self) -> TransferRate:
        if self._transfer_rate is None:
            self._transfer_rate = TransferRate()
        return self._transfer_rate

    def _set_transfer_deadline(self, transfer_rate: TransferRate, now: float) -> None:
        """Set the connection's deadline to the earliest one of its transfers and of its head."""
        deadline = transfer_rate.deadline()
        if deadline == NEVER:
            self._transfer_rate = None
        self._set(now, deadline, self._connection.params.rate_window)

    def _set(self, now: float, deadline: float, period: float) -> None:
        """Set the connection's deadline to `deadline`, or to that of an incomplete head or body if that is
        earlier.

        :param period: the full timeout that ends at `deadline`, in seconds.
        """
        connection = self._connection
        params = connection.params
        if connection.state is _SERVING:
            if 0 < self._head_end < deadline:
                deadline, period = self._head_end, params.head_timeout
            if self._body_end < deadline:
                deadline, period = self._body_end, self._body_timeout() or period
        if deadline == NEVER:
            connection.deadline = NEVER
        else:
            params.deadlines.set_at(connection, now, deadline, period)

    def idle_since(self, deadline: float) -> float:
        """Return the approximate time since which the connection has been idle (`monotonic`, in seconds).

        :param deadline: the deadline of the connection, which is not serving a request.
        """
        params = self._connection.params
        if self._handshake_end and deadline == self._handshake_end:
            return deadline - params.handshake_timeout
        return deadline - (params.head_timeout if self._head_end else params.idle_timeout)

    # -- when a deadline has passed --

    def passed(self) -> None:
        """Close the connection, or set a new deadline if no limit is exceeded."""
        connection, now = self._connection, monotonic()
        serving = connection.state is _SERVING  # False while closing after the last response
        if serving and self._handshake_end and self._handshake_deadline_passed(now):
            return
        transfer_rate = self._transfer_rate
        if serving and 0 < self._head_end <= now:
            limit = f"not complete within header_timeout ({connection.params.head_timeout:g} s)"
            self._log("head", "reading head from", limit)
        elif serving and self._body_end <= now:
            self._log_body_timeout()
        elif transfer_rate is not None:
            if not self._too_slow(transfer_rate, now):
                self._set_transfer_deadline(transfer_rate, now)
                return
        elif self._stays_open(now):
            return
        _close(connection.stream)

    def _handshake_deadline_passed(self, now: float) -> bool:
        """Handle the first deadline of a TLS connection, which is the deadline of its handshake.

        :returns: True if the handshake is complete and the first request may still arrive; then the idle
            deadline has been set.
        """
        connection = self._connection
        params = connection.params
        end, self._handshake_end = self._handshake_end, 0.0
        if connection.stream.handshaking:  # type: ignore[attr-defined]
            limit = f"not complete within tls_handshake_timeout ({params.handshake_timeout:g} s)"
            self._log("handshake", "during TLS handshake with", limit)
            return False
        remaining = end - params.handshake_timeout + params.idle_timeout - now
        if remaining <= 0 or connection.exchange is not None or self._head_end:
            return False
        params.deadlines.set(connection, now, remaining)
        return True

    def _too_slow(self, transfer_rate: TransferRate, now: float) -> bool:
        """Whether the peer has exceeded a time limit or is slower than a minimum rate; if so, log it."""
        connection = self._connection
        params = connection.params
        window = params.rate_window
        rate = params.min_body_rate
        if rate is not None and transfer_rate.body_is_too_slow(now, rate * window, window):
            limit = f"slower than min_body_rate ({rate:g} bytes/s over {window:g} s)"
            self._log("body rate", "reading body from", limit)
            return True
        rate = params.min_send_rate
        if rate is not None and transfer_rate.output_window_end <= now:
            acknowledged = acknowledged_bytes(connection.stream)
            if transfer_rate.output_is_too_slow(now, rate * window, window, acknowledged):
                limit = f"slower than min_send_rate ({rate:g} bytes/s over {window:g} s)"
                self._log("send rate", "writing to", limit)
                return True
        return False

    def _stays_open(self, now: float) -> bool:
        """Whether a connection without a `TransferRate` stays open although its deadline has passed."""
        connection = self._connection
        exchange, pending = connection.exchange, connection.stream.pending_output
        if exchange is not None and not pending:
            self._set(now, NEVER, connection.params.idle_timeout)
            return True
        if pending and pending != self._pending_output:
            # Not idle: the peer is receiving, but slowly.
            self._pending_output = pending
            timeout = connection.params.idle_timeout
            self._wait_end = now + timeout
            self._set(now, self._wait_end, timeout)
            return True
        return False

    def _body_timeout(self) -> float | None:
        """Return the time limit for the current body in seconds; None for no limit."""
        exchange = self._connection.exchange
        timeout = None if exchange is None else exchange.body_timeout
        return self._connection.params.body_timeout if timeout is None else timeout

    def _log_body_timeout(self) -> None:
        timeout = self._body_timeout()
        self._log("body", "reading body from", f"not complete within body_timeout ({timeout:g} s)")

    def _log(self, kind: str, activity: str, limit: str) -> None:
        if gen_log.isEnabledFor(logging.INFO):  # reading `connection.context` creates it
            _log_limit.log(kind, logging.INFO, "Timeout %s %s: %s", activity, self._connection.context, limit)


def _close(stream: IOStream) -> None:
    """Close the stream and drop unsent output, which could otherwise use megabytes of kernel memory."""
    if stream.pending_output and stream.socket.family in (socket.AF_INET, socket.AF_INET6):
        try:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass  # the socket is disconnected already
    stream.close()
