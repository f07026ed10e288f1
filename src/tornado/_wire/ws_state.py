"""The state of a WebSocket: an enum and the table of its transitions (RFC 6455).

Theory of operation
-------------------
`State` is the only representation of the state. Two objects store one: `ws_connection.WSConnection` stores
the state after all received data, and `tornado.websocket.WebSocketProtocol` the state after the events that
were delivered to the program so far. The two differ while events wait for delivery.

A state changes only by `State.after`, which looks up the next state in `TRANSITIONS`.

Rejected input
--------------
This module processes no input. A transition that is not in the table is an error of this package and raises
`InvalidTransition`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from tornado._wire.errors import InvalidTransition

__all__ = ["TRANSITIONS", "InvalidTransition", "State", "Step"]


class State(enum.Enum):
    """The state of a connection.

    :ivar reads: whether data of the peer is processed.
    :ivar sends: whether messages and pings may be sent.
    """

    CONNECTING = "connecting"  #: the opening handshake is not complete
    OPEN = "open"
    CLOSING = "closing"  #: this side has sent a close frame and waits for the peer's
    CLOSED_BY_PEER = "closed by the peer"  #: the peer has sent a close frame, this side has not
    FAILED = "failed"  #: the peer has violated the protocol, and this side has not sent a close frame
    #: A program has marked both sides as closed; input is still processed until the peer closes.
    TERMINATED = "terminated by the program"
    CLOSED = "closed"  #: nothing more is read or sent

    reads: bool
    sends: bool

    def __init__(self, value: str) -> None:
        self.reads = value in ("open", "closing", "terminated by the program")
        # Section 5.5.1: a message that is being sent may be completed after the peer's close frame has
        # arrived. The replies to messages before an error are sent before the close frame, too.
        self.sends = value in ("open", "closed by the peer", "failed")

    if not TYPE_CHECKING:
        __hash__ = object.__hash__  # Enum.__hash__ is a slow Python function

    @property
    def peer_closed(self) -> bool:
        """Whether the peer has closed the connection, or has violated the protocol."""
        return self in _PEER_CLOSED

    @property
    def closed_here(self) -> bool:
        """Whether this side has closed the connection, or the connection is lost."""
        return self in _CLOSED_HERE

    def after(self, step: Step) -> State:
        """Return the next state.

        :raises InvalidTransition: if this state does not permit the step.
        """
        following = TRANSITIONS[self].get(step)
        if following is None:
            raise InvalidTransition(f"{step.value} is not possible: the WebSocket is {self.value}")
        return following


_PEER_CLOSED: Final = frozenset({State.CLOSED_BY_PEER, State.FAILED, State.TERMINATED, State.CLOSED})
_CLOSED_HERE: Final = frozenset({State.CLOSING, State.TERMINATED, State.CLOSED})


class Step(enum.Enum):
    """What changes the state of a connection."""

    OPENED = "the end of the opening handshake"
    CLOSE_SENT = "sending a close frame"
    CLOSE_RECEIVED = "receiving a close frame"
    FAULT = "a violation by the peer"
    LOST = "the loss of the connection"  #: also the end of the input, and a closure without a close frame

    if not TYPE_CHECKING:
        __hash__ = object.__hash__


#: The state that follows each state after each permitted step. A close frame or a violation may follow a
#: state in which the peer has closed, because programs may set these states (``client_terminated``).
TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.CONNECTING: {
        Step.OPENED: State.OPEN,
        Step.LOST: State.CLOSED,
    },
    State.OPEN: {
        Step.CLOSE_SENT: State.CLOSING,
        Step.CLOSE_RECEIVED: State.CLOSED_BY_PEER,
        Step.FAULT: State.FAILED,
        Step.LOST: State.CLOSED,
    },
    State.CLOSING: {
        Step.CLOSE_RECEIVED: State.CLOSED,
        Step.FAULT: State.CLOSED,
        Step.LOST: State.CLOSED,
    },
    State.CLOSED_BY_PEER: {
        Step.CLOSE_RECEIVED: State.CLOSED_BY_PEER,
        Step.FAULT: State.CLOSED_BY_PEER,
        Step.CLOSE_SENT: State.CLOSED,
        Step.LOST: State.CLOSED,
    },
    State.FAILED: {
        Step.CLOSE_RECEIVED: State.FAILED,
        Step.FAULT: State.FAILED,
        Step.CLOSE_SENT: State.CLOSED,
        Step.LOST: State.CLOSED,
    },
    State.TERMINATED: {
        Step.CLOSE_RECEIVED: State.CLOSED,
        Step.FAULT: State.CLOSED,
        Step.LOST: State.CLOSED,
    },
    State.CLOSED: {
        Step.CLOSE_RECEIVED: State.CLOSED,
        Step.FAULT: State.CLOSED,
        Step.LOST: State.CLOSED,
    },
}
