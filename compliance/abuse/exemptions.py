"""Exemptions of the default configuration from the bounds of ``protection="public"``, with reasons.

The defaults must not break programs written for Tornado or affect slow but honest clients. The additional
cost that this causes under attack is listed here. All other figures must be within the bounds of "public" and
not worse than Tornado's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

_LATER = "the connection is closed, but only after the end of the attack: "


@dataclass(frozen=True)
class Exemption:
    """A separate bound for one figure of one attack on the defaults.

    :ivar maximum: seconds (``probe``, ``cpu``), bytes (``memory``) or connections (``held``).
    :ivar worse: whether the figure may also be worse than Tornado's.
    """

    maximum: float
    reason: str
    worse: bool = False


#: The exemptions by attack and figure.
EXEMPTIONS: dict[tuple[str, str], Exemption] = {
    ("slow_head", "held"): Exemption(inf, _LATER + "`header_timeout` is 60 s"),
    ("headerless", "held"): Exemption(inf, _LATER + "`header_timeout` is 60 s"),
    ("silent", "held"): Exemption(
        inf, _LATER + "`idle_connection_timeout` is an hour, as in Tornado; `tls_handshake_timeout` is 60 s"
    ),
    ("slow_body", "held"): Exemption(inf, "there is no `min_body_rate`, so uploads may be slow"),
    ("slow_reader", "held"): Exemption(
        inf, "without `min_send_rate` a handler that is sending waits as long as its client is connected"
    ),
    ("descriptors", "probe"): Exemption(
        10.0,
        "without `max_connections` new connections wait until the attacker disconnects, "
        "and up to one second longer, since accepting pauses for one second",
        worse=True,
    ),
    ("gzip_five", "memory"): Exemption(
        5 * 100 * 2**20,
        "each body is within `max_body_size` (100 MiB) and passed to the handler as a whole; "
        "honest clients may send highly compressed bodies, so `max_inflation_ratio` is optional",
    ),
    ("gzip_five", "cpu"): Exemption(2.5, "half a gigabyte is inflated"),
    ("gzip_five", "probe"): Exemption(
        0.2, "each of the five bodies of 95 MB is joined in one step; several such steps may coincide"
    ),
    ("gzip_bomb", "cpu"): Exemption(0.6, "100 MiB are inflated"),
    ("gzip_bomb", "memory"): Exemption(
        110 * 2**20, "the body is inflated until it exceeds `max_body_size` (100 MiB)"
    ),
    ("pipelining", "cpu"): Exemption(
        1.0,
        "about 100,000 requests get a response before the unsent responses make the server pause reading",
    ),
    ("ws_inflating", "cpu"): Exemption(
        10.0, "2 GB are inflated, since each message is within `websocket_max_message_size`"
    ),
}
