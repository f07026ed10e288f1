"""`Outage`: the time during which a process has no connection to its broker."""

from __future__ import annotations

from time import monotonic

from tornado.log import gen_log


class Outage:
    """Logs one line when a connection is lost or cannot be established, and one when it is established.

    :param server: the broker and its address, for these lines.
    """

    __slots__ = ("_begin", "_server", "_was_connected")

    def __init__(self, server: str) -> None:
        self._server = server
        #: The time at which the outage has begun (`monotonic`, in seconds); None if there is none.
        self._begin: float | None = None
        self._was_connected = False

    def begin(self, error: BaseException) -> bool:
        """Record that a connection, or an attempt to connect, has failed.

        :returns: whether the outage begins with it.
        """
        if self._begin is not None:
            return False
        self._begin = monotonic()
        reason = str(error) or type(error).__name__
        if self._was_connected:
            text = "The connection to %s is lost (%s): no messages arrive until it is restored"
        else:
            text = "%s cannot be reached (%s): no messages arrive until the connection is established"
        gen_log.warning(text, self._server, reason)
        return True

    def end(self) -> None:
        """Record that there is a connection."""
        if self._begin is not None:
            what = "restored" if self._was_connected else "established"
            duration = monotonic() - self._begin
            gen_log.warning("The connection to %s is %s after %.1f s", self._server, what, duration)
            self._begin = None
        self._was_connected = True


__all__ = ["Outage"]
