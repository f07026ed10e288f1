"""Tests of the state of a WebSocket (`ws_state`)."""

import itertools

import pytest

from tornado._wire.ws_state import TRANSITIONS, InvalidTransition, State, Step


def test_every_state_has_transitions():
    assert set(TRANSITIONS) == set(State)
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


@pytest.mark.parametrize(("state", "step"), [*itertools.product(State, Step)])
def test_step_follows_the_table_or_is_rejected(state, step):
    if step in TRANSITIONS[state]:
        assert state.after(step) is TRANSITIONS[state][step]
    else:
        with pytest.raises(InvalidTransition, match=f"the WebSocket is {state.value}"):
            state.after(step)


@pytest.mark.parametrize(("state", "step"), [*itertools.product(State, Step)])
def test_nothing_that_has_ended_begins_again(state, step):
    following = TRANSITIONS[state].get(step)
    if following is not None and state is not State.CONNECTING:
        assert following.reads <= state.reads
        assert following.sends <= state.sends
        assert following.peer_closed >= state.peer_closed
        assert following.closed_here >= state.closed_here


@pytest.mark.parametrize("step", [Step.CLOSE_RECEIVED, Step.FAULT])
@pytest.mark.parametrize("state", [State.CLOSED_BY_PEER, State.FAILED, State.CLOSED])
def test_second_end_of_the_peer_changes_nothing(state, step):
    assert state.after(step) is state


def test_connection_can_be_lost_in_every_state():
    assert {state.after(Step.LOST) for state in State} == {State.CLOSED}


@pytest.mark.parametrize(
    ("state", "reads", "sends", "peer_closed", "closed_here"),
    [
        (State.CONNECTING, False, False, False, False),
        (State.OPEN, True, True, False, False),
        (State.CLOSING, True, False, False, True),
        (State.CLOSED_BY_PEER, False, True, True, False),
        (State.FAILED, False, True, True, False),
        (State.TERMINATED, True, False, True, True),
        (State.CLOSED, False, False, True, True),
    ],
)
def test_state_permits(state, reads, sends, peer_closed, closed_here):
    assert (state.reads, state.sends) == (reads, sends)
    assert (state.peer_closed, state.closed_here) == (peer_closed, closed_here)
