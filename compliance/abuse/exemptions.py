"""What the defaults are allowed beyond the bounds of ``protection="public"``: how much, and why.

The defaults are what programs written for Tornado expect, and nothing that a slow but honest client would
notice. What that costs under attack is listed here, one by one; everything else has to keep the bounds of
"public", and to be no worse than upstream's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

_LATER = "is ended, but later than the attack lasts: "


@dataclass(frozen=True)
class Exemption:
    """A bound of its own for one figure of one attack on the defaults.

    :ivar most: what the figure may be: seconds (``probe``, ``cpu``), bytes (``memory``) or connections
        (``held``).
    :ivar worse: whether it may be worse than upstream's too.
    """

    most: float
    reason: str
    worse: bool = False


#: By the attack's name and the figure.
EXEMPTIONS: dict[tuple[str, str], Exemption] = {
    ("slow_head", "held"): Exemption(inf, _LATER + "`header_timeout` is 60 s"),
    ("headerless", "held"): Exemption(inf, _LATER + "`header_timeout` is 60 s"),
    ("silent", "held"): Exemption(
        inf, _LATER + "`idle_connection_timeout` is an hour, as upstream's; `tls_handshake_timeout` is 60 s"
    ),
    ("slow_body", "held"): Exemption(inf, "uploads may be as slow as their clients are: no `min_body_rate`"),
    ("slow_reader", "held"): Exemption(
        inf, "without `min_send_rate` a handler that is sending waits as long as its client is connected"
    ),
    ("descriptors", "probe"): Exemption(
        10.0,
        "nobody new is served until the attacker leaves: without `max_connections` nothing makes room; and "
        "then within a second, as accepting pauses for one",
        worse=True,
    ),
    ("gzip_five", "memory"): Exemption(
        5 * 100 * 2**20,
        "each body is within `max_body_size` (100 MiB) and is handed over whole, as a handler asks; honest "
        "programs compress well, so that `max_inflation_ratio` is for them to set",
    ),
    ("gzip_five", "cpu"): Exemption(2.5, "half a gigabyte is inflated; see its memory"),
    ("gzip_five", "probe"): Exemption(
        0.2, "each of the five bodies of 95 MB is joined in one step, and several may fall together"
    ),
    ("gzip_bomb", "cpu"): Exemption(0.6, "100 MiB are inflated; see its memory"),
    ("gzip_bomb", "memory"): Exemption(
        110 * 2**20, "what is inflated until `max_body_size` (100 MiB) is passed; see the five bodies"
    ),
    ("pipelining", "cpu"): Exemption(
        1.0,
        "each request is answered, some 100,000 of them, until what waits for the client makes reading pause",
    ),
    ("ws_inflating", "cpu"): Exemption(
        10.0, "2 GB are inflated, as each message is within `websocket_max_message_size`"
    ),
}
