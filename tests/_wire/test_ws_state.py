"""Tests of the state of a WebSocket (`ws_state`)."""

import itertools

import pytest

from tornado._wire.state_machine import InvalidTransition
from tornado._wire.ws_state import TRANSITIONS, WebSocketState, WebSocketStep


def test_every_state_has_transitions():
    assert set(TRANSITIONS) == set(WebSocketState)
    assert set(TRANSITIONS[WebSocketState.CLOSED].values()) == {WebSocketState.CLOSED}


@pytest.mark.parametrize(("state", "step"), [*itertools.product(WebSocketState, WebSocketStep)])
def test_step_follows_the_table_or_is_rejected(state, step):
    if step in TRANSITIONS[state]:
        assert state.after[step] is TRANSITIONS[state][step]
    else:
        with pytest.raises(InvalidTransition, match=f"{state} does not permit {step}"):
            state.after[step]


@pytest.mark.parametrize(("state", "step"), [*itertools.product(WebSocketState, WebSocketStep)])
def test_nothing_that_has_ended_begins_again(state, step):
    following = TRANSITIONS[state].get(step)
    if following is not None and state is not WebSocketState.CONNECTING:
        assert following.reads <= state.reads
        assert following.sends <= state.sends
        assert following.peer_closed >= state.peer_closed
        assert following.closed_here >= state.closed_here


@pytest.mark.parametrize("step", [WebSocketStep.CLOSE_RECEIVED, WebSocketStep.FAULT])
@pytest.mark.parametrize(
    "state", [WebSocketState.CLOSED_BY_PEER, WebSocketState.FAILED, WebSocketState.CLOSED]
)
def test_second_end_of_the_peer_changes_nothing(state, step):
    assert state.after[step] is state


def test_connection_can_be_lost_in_every_state():
    assert {state.after[WebSocketStep.LOST] for state in WebSocketState} == {WebSocketState.CLOSED}


@pytest.mark.parametrize(
    ("state", "reads", "sends", "peer_closed", "closed_here"),
    [
        (WebSocketState.CONNECTING, False, False, False, False),
        (WebSocketState.OPEN, True, True, False, False),
        (WebSocketState.CLOSING, True, False, False, True),
        (WebSocketState.CLOSED_BY_PEER, False, True, True, False),
        (WebSocketState.FAILED, False, True, True, False),
        (WebSocketState.TERMINATED, True, False, True, True),
        (WebSocketState.CLOSED, False, False, True, True),
    ],
)
def test_state_determines_reading_and_sending(state, reads, sends, peer_closed, closed_here):
    assert (state.reads, state.sends) == (reads, sends)
    assert (state.peer_closed, state.closed_here) == (peer_closed, closed_here)
