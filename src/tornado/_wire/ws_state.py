"""The state of a WebSocket: an enum and the table of its transitions (RFC 6455).

Theory of operation
-------------------
`WebSocketState` is the only representation of the state. Two objects store a state:
`ws_connection.WSConnection` stores the state after all received data, and
`tornado.websocket.WebSocketProtocol` the state after the events that were delivered to the program so far.
The two differ while events wait for delivery.

A state changes only by ``state.after[step]``, which looks up the next state in `TRANSITIONS`; see
`tornado._wire.state_machine`.

Rejected input
--------------
This module processes no input. A transition that is not in the table is an error of this package and raises
`InvalidTransition`.
"""

from __future__ import annotations

from typing import Final

from tornado._wire.state_machine import State, Step, permit_steps

__all__ = ["TRANSITIONS", "WebSocketState", "WebSocketStep"]


class WebSocketState(State):
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

    @property
    def peer_closed(self) -> bool:
        """Whether the peer has closed the connection, or has violated the protocol."""
        return self in _PEER_CLOSED

    @property
    def closed_here(self) -> bool:
        """Whether this side has closed the connection, or the connection is lost."""
        return self in _CLOSED_HERE


_PEER_CLOSED: Final = frozenset(
    {WebSocketState.CLOSED_BY_PEER, WebSocketState.FAILED, WebSocketState.TERMINATED, WebSocketState.CLOSED}
)
_CLOSED_HERE: Final = frozenset({WebSocketState.CLOSING, WebSocketState.TERMINATED, WebSocketState.CLOSED})


class WebSocketStep(Step):
    """An event that changes the state of a connection."""

    OPENED = "the end of the opening handshake"
    CLOSE_SENT = "sending a close frame"
    CLOSE_RECEIVED = "receiving a close frame"
    FAULT = "a violation by the peer"
    LOST = "the loss of the connection"  #: also the end of the input, and a closure without a close frame


#: The state that follows each state after each permitted step. A close frame or a violation may follow a
#: state in which the peer has closed, because programs may set these states (``client_terminated``).
TRANSITIONS: Final[dict[WebSocketState, dict[WebSocketStep, WebSocketState]]] = {
    WebSocketState.CONNECTING: {
        WebSocketStep.OPENED: WebSocketState.OPEN,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.OPEN: {
        WebSocketStep.CLOSE_SENT: WebSocketState.CLOSING,
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.CLOSED_BY_PEER,
        WebSocketStep.FAULT: WebSocketState.FAILED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.CLOSING: {
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.CLOSED,
        WebSocketStep.FAULT: WebSocketState.CLOSED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.CLOSED_BY_PEER: {
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.CLOSED_BY_PEER,
        WebSocketStep.FAULT: WebSocketState.CLOSED_BY_PEER,
        WebSocketStep.CLOSE_SENT: WebSocketState.CLOSED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.FAILED: {
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.FAILED,
        WebSocketStep.FAULT: WebSocketState.FAILED,
        WebSocketStep.CLOSE_SENT: WebSocketState.CLOSED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.TERMINATED: {
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.CLOSED,
        WebSocketStep.FAULT: WebSocketState.CLOSED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
    WebSocketState.CLOSED: {
        WebSocketStep.CLOSE_RECEIVED: WebSocketState.CLOSED,
        WebSocketStep.FAULT: WebSocketState.CLOSED,
        WebSocketStep.LOST: WebSocketState.CLOSED,
    },
}
permit_steps(TRANSITIONS)
