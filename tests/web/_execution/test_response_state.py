"""The table of the states of a response."""

from __future__ import annotations

import pytest

from tornado.web._execution._response import Response
from tornado.web._execution._response_state import STATES_BY_FLAGS, ResponseState

_POSSIBLE = {
    ("open", "head sent"),
    ("open", "saving"),
    ("open", "finished"),
    ("open", "detached"),
    ("head sent", "finished"),
    ("head sent", "upgraded"),
    ("head sent", "open"),
    ("saving", "open"),
}


@pytest.mark.parametrize("before", ResponseState)
@pytest.mark.parametrize("after", ResponseState)
def test_only_transitions_in_the_table_are_possible(before: ResponseState, after: ResponseState) -> None:
    response = Response()
    response.state = before
    if (before.value, after.value) in _POSSIBLE:
        response.advance(after)
        assert response.state is after
    else:
        with pytest.raises(RuntimeError, match=f"from '{before.value}' to '{after.value}'"):
            response.advance(after)
        assert response.state is before


def test_flags_select_a_state_that_shows_them() -> None:
    for flags, state in STATES_BY_FLAGS.items():
        assert (state.head_sent, state.ended) == flags
