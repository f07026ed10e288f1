"""The states of a stream: an enum, and the table of its transitions.

::

    UNCONNECTED -> CONNECTING -> HANDSHAKING -> OPEN -> ... -> CLOSING -> CLOSED

A plain stream begins in OPEN, because only a system call could tell whether its socket is connected, and
returns to CONNECTING in `.IOStream.connect`. A TLS stream begins in UNCONNECTED. If its socket is already
connected, the next state is HANDSHAKING.

Each side of a connection can close its sending direction (half-close). INPUT_ENDED means that the peer has
done so, OUTPUT_ENDED that this side has (`.IOStream.write_eof`), and BOTH_ENDED that both have. Only push
mode has states with an ended input: in pull mode, the end of input closes the stream. An ended input becomes
open again when another consumer starts, which then receives the end of input itself.

In CLOSING, the descriptor is being closed and the outstanding operations are notified. DETACHED is the last
state of a stream whose socket has moved to another stream (`.IOStream.start_tls`).

Whether reading is paused, whether a reader or a writer is registered, and whether `.IOStream.write_eof` waits
for buffered output are independent of the state.
"""

from __future__ import annotations

from typing import Final

from tornado._wire.state_machine import State, Step, permit_steps

__all__ = [
    "CLOSED_STATES",
    "CONNECTED_STATES",
    "INPUT_ENDED_STATES",
    "OPENING_STATES",
    "OUTPUT_ENDED_STATES",
    "RECEIVING_STATES",
    "TRANSITIONS",
    "StreamState",
    "StreamStep",
]


class StreamStep(Step):
    """A change of a stream's state."""

    CONNECT = "connect"
    CONNECTED = "end of the connection attempt"
    HANDSHAKE = "start of the TLS handshake"
    HANDSHAKE_DONE = "end of the TLS handshake"
    INPUT_ENDED = "end of input"
    INPUT_RESTARTED = "start of another consumer"
    OUTPUT_ENDED = "end of output"
    DETACH = "removal of the socket"
    CLOSE = "close"
    CLOSED = "end of closing"


class StreamState(State):
    """The state of a stream; see the module's documentation."""

    UNCONNECTED = "unconnected"
    CONNECTING = "connecting"
    HANDSHAKING = "handshaking"
    OPEN = "open"
    INPUT_ENDED = "open for output"
    OUTPUT_ENDED = "open for input"
    BOTH_ENDED = "ended"
    CLOSING = "closing"
    CLOSED = "closed"
    DETACHED = "detached"


_State, _Step = StreamState, StreamStep

#: The next state for each permitted step. Before the connection is open, an end of input means that the
#: connection is broken: the state does not change until the stream is closed.
TRANSITIONS: Final[dict[StreamState, dict[StreamStep, StreamState]]] = {
    _State.UNCONNECTED: {
        _Step.CONNECT: _State.CONNECTING,
        _Step.HANDSHAKE: _State.HANDSHAKING,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.CONNECTING: {
        _Step.CONNECTED: _State.OPEN,
        _Step.HANDSHAKE: _State.HANDSHAKING,
        _Step.INPUT_ENDED: _State.CONNECTING,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.HANDSHAKING: {
        _Step.HANDSHAKE_DONE: _State.OPEN,
        _Step.INPUT_ENDED: _State.HANDSHAKING,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.OPEN: {
        _Step.CONNECT: _State.CONNECTING,
        _Step.INPUT_ENDED: _State.INPUT_ENDED,
        _Step.INPUT_RESTARTED: _State.OPEN,
        _Step.OUTPUT_ENDED: _State.OUTPUT_ENDED,
        _Step.DETACH: _State.DETACHED,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.INPUT_ENDED: {
        _Step.CONNECT: _State.CONNECTING,
        _Step.INPUT_ENDED: _State.INPUT_ENDED,
        _Step.INPUT_RESTARTED: _State.OPEN,
        _Step.OUTPUT_ENDED: _State.BOTH_ENDED,
        _Step.DETACH: _State.DETACHED,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.OUTPUT_ENDED: {
        _Step.INPUT_ENDED: _State.BOTH_ENDED,
        _Step.INPUT_RESTARTED: _State.OUTPUT_ENDED,
        _Step.OUTPUT_ENDED: _State.OUTPUT_ENDED,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.BOTH_ENDED: {
        _Step.INPUT_ENDED: _State.BOTH_ENDED,
        _Step.INPUT_RESTARTED: _State.OUTPUT_ENDED,
        _Step.OUTPUT_ENDED: _State.BOTH_ENDED,
        _Step.CLOSE: _State.CLOSING,
    },
    _State.CLOSING: {_Step.CLOSED: _State.CLOSED},
    _State.CLOSED: {},
    _State.DETACHED: {},
}
permit_steps(TRANSITIONS)

#: The states before the connection can be used.
OPENING_STATES: Final = frozenset({_State.UNCONNECTED, _State.CONNECTING, _State.HANDSHAKING})
#: The states in which the descriptor can be read and written. Half-closed connections are included.
CONNECTED_STATES: Final = frozenset({_State.OPEN, _State.INPUT_ENDED, _State.OUTPUT_ENDED, _State.BOTH_ENDED})
#: The states in which input is expected.
RECEIVING_STATES: Final = frozenset({_State.OPEN, _State.OUTPUT_ENDED})
#: The states in which the consumer has received the end of input, or receives it next.
INPUT_ENDED_STATES: Final = frozenset({_State.INPUT_ENDED, _State.BOTH_ENDED})
#: The states in which this side has closed its sending direction.
OUTPUT_ENDED_STATES: Final = frozenset({_State.OUTPUT_ENDED, _State.BOTH_ENDED})
#: The states in which no operation is possible.
CLOSED_STATES: Final = frozenset({_State.CLOSING, _State.CLOSED, _State.DETACHED})
