"""The tables of states of the supervisor and of workers."""

from __future__ import annotations

import re

import pytest

from tests.support.program import ROOT
from tornado._serve.process_states import TRANSITIONS, SupervisorState, WorkerState
from tornado._wire.errors import InvalidTransition

STATES = [*WorkerState, *SupervisorState]


def test_each_state_has_a_row():
    assert set(TRANSITIONS) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_only_the_transitions_of_the_table_are_allowed(state):
    for following in type(state):
        if following in TRANSITIONS[state]:
            assert state.to(following) is following
        else:
            with pytest.raises(InvalidTransition, match=f"{state.name} -> {following.name} is not allowed"):
                state.to(following)


@pytest.mark.parametrize("kind", [WorkerState, SupervisorState])
def test_each_state_leads_to_the_last_one(kind):
    *others, last = kind
    assert not TRANSITIONS[last]
    reaching = {last}
    for _ in others:
        reaching |= {state for state in others if TRANSITIONS[state] & reaching}
    assert reaching == set(kind)


@pytest.mark.parametrize("kind", [WorkerState, SupervisorState])
def test_design_document_shows_the_transitions(kind):
    text = (ROOT / "docs/design/0009-serving.md").read_text(encoding="utf-8")
    [diagram] = [
        part for part in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL) if kind.__name__ in part
    ]
    shown = set(re.findall(r"(\w+) --> (\w+)", diagram))
    expected = {(state.name, each.name) for state in kind for each in TRANSITIONS[state]}
    assert shown == expected
