"""The progress of a hub."""

from __future__ import annotations

from tornado._wire.state_machine import State, permit


class HubState(State):
    """The progress of a `tornado.channels.Hub`."""

    #: The hub has not been opened yet.
    NEW = "new"
    #: Messages can be published and received.
    OPEN = "open"
    #: The hub has been closed. It can be opened again, also on another event loop.
    CLOSED = "closed"


#: For each state, the states that may follow it.
TRANSITIONS: dict[HubState, frozenset[HubState]] = {
    HubState.NEW: frozenset({HubState.OPEN}),
    HubState.OPEN: frozenset({HubState.CLOSED}),
    HubState.CLOSED: frozenset({HubState.OPEN}),
}
permit(TRANSITIONS)

__all__ = ["TRANSITIONS", "HubState"]
