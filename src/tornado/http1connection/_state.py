"""The states of a server's connection; `tornado.http1connection._server` describes them."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """The state of a server's connection."""

    SERVING = 1
    CLOSING = 2
    LINGERING = 3
    DETACHED = 4
    CLOSED = 5
