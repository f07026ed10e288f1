"""The user and the progress of a session."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tornado._wire.state_machine import State, permit


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a client, as `ChannelHandler.authenticate` returns it.

    :ivar user: the name of the user; None for an anonymous client.
    :ivar expires_at: the time at which the permissions of the token end (`time.time`), or None.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    user: str | None = None
    expires_at: float | None = None


def name_of_anonymous(client: str) -> str:
    """Return the name of a member without a user.

    It contains a character that the IDs of clients do not have, so that a client cannot choose the name of a
    user. The ID itself stays secret, because it is enough to continue the presence of the client.
    """
    return "~" + hashlib.sha256(client.encode()).hexdigest()[:16]


class SessionState(State):
    """The progress of a session."""

    #: The client has not been authenticated.
    NEW = "new"
    #: The client may send requests.
    CONNECTED = "connected"
    #: The connection is closed or closing.
    CLOSED = "closed"


#: For each state, the states that may follow it.
TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    SessionState.NEW: frozenset({SessionState.CONNECTED, SessionState.CLOSED}),
    SessionState.CONNECTED: frozenset({SessionState.CLOSED}),
    SessionState.CLOSED: frozenset(),
}
permit(TRANSITIONS)

__all__ = ["TRANSITIONS", "Identity", "SessionState", "name_of_anonymous"]
