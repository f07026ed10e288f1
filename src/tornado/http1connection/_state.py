"""What a server's connection is doing; the table of states is in `tornado.http1connection._server`."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Where a connection is in its life."""

    SERVING = 1
    CLOSING = 2
    LINGERING = 3
    DETACHED = 4
    CLOSED = 5
