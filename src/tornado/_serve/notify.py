"""Tells systemd the state of the service: the protocol of sd_notify(3).

``NOTIFY_SOCKET`` is the address of a datagram socket. Without it, nothing is sent. ``WATCHDOG_USEC`` is the
time after which systemd restarts a service that has not sent ``WATCHDOG=1``.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping

from tornado.log import escape_controls

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: The variables of the protocol, which workers must not inherit: a library of the program could use them.
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends the states of the service to systemd.

    :param environment: the environment variables of the process.
    :ivar watchdog_interval: the time between two calls of `feed_watchdog`, in seconds; None if the watchdog
        is not enabled. It is a third of systemd's limit.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL character of an abstract name.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_interval = _watchdog_interval(environment) if address else None
        self._status = ""

    @property
    def enabled(self) -> bool:
        """Whether a service manager listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that the service serves, also after a reload."""
        self._send("READY=1", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Report that a reload has begun. It ends with `ready`."""
        # systemd compares the time with that of its own signal (Type=notify-reload).
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report that the service ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the text that ``systemctl status`` shows, unless it is unchanged."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={escape_controls(text)}")  # a line feed would begin another variable

    def feed_watchdog(self) -> None:
        """Report that the service is well."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(errors="backslashreplace"), self._address)
        except OSError:
            pass  # the service manager has gone or does not read; the service must not depend on it


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    """Return the time between two messages for the watchdog, in seconds."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        return None
    return int(text) / 1_000_000 / 3


__all__ = ["VARIABLES", "Notifier"]
