"""The states of a response, and the table of its transitions."""

from __future__ import annotations

import enum


class ResponseState(enum.Enum):
    """How much of a response has been sent, and whether the handler may still add to it.

    :ivar head_sent: whether the status and the header fields have been sent.
    :ivar ended: whether the handler can no longer write to the response.
    """

    #: Nothing has been sent.
    OPEN = "open"
    #: The head, and perhaps a part of the body, has been sent.
    HEAD_SENT = "head sent"
    #: The response is complete, and is sent when the session has been saved.
    SAVING = "saving"
    #: The handler has completed the response, or cannot complete it because the client has disconnected.
    FINISHED = "finished"
    #: The handler sends no response: another protocol uses the stream, another object has responded, or the
    #: client has disconnected.
    DETACHED = "detached"
    #: 101 has been sent, and another protocol uses the stream.
    UPGRADED = "upgraded"

    head_sent: bool
    ended: bool
    successors: tuple[ResponseState, ...]


#: For each state: whether the head has been sent, whether the response has ended, the possible next states.
_TRANSITIONS: dict[ResponseState, tuple[bool, bool, tuple[ResponseState, ...]]] = {
    ResponseState.OPEN: (
        False,
        False,
        (ResponseState.HEAD_SENT, ResponseState.FINISHED, ResponseState.SAVING, ResponseState.DETACHED),
    ),
    # Back to OPEN: the head turned out to be invalid before any of it was sent.
    ResponseState.HEAD_SENT: (
        True,
        False,
        (ResponseState.FINISHED, ResponseState.UPGRADED, ResponseState.OPEN),
    ),
    ResponseState.SAVING: (True, True, (ResponseState.OPEN,)),
    ResponseState.FINISHED: (True, True, ()),
    ResponseState.DETACHED: (False, True, ()),
    ResponseState.UPGRADED: (True, True, ()),
}
# The table is stored on the members, because a look-up by member calls `Enum.__hash__`, which is slow.
for _state, (_head_sent, _ended, _successors) in _TRANSITIONS.items():
    _state.head_sent, _state.ended, _state.successors = _head_sent, _ended, _successors

#: The states that a program selects by assigning Tornado's flags: by "headers written" and "finished".
STATES_BY_FLAGS = {
    (False, False): ResponseState.OPEN,
    (True, False): ResponseState.HEAD_SENT,
    (True, True): ResponseState.FINISHED,
    (False, True): ResponseState.DETACHED,
}

__all__ = ["STATES_BY_FLAGS", "ResponseState"]
