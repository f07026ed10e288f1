"""Checks of the tables of states; see `tornado._wire.state_machine`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from tornado._wire.state_machine import InvalidTransition, State


def check_transitions(table: Mapping[Any, Collection[Any]], kind: type[State], *initial: State) -> None:
    """Check that exactly the transitions in `table` are possible, and that each state can be reached.

    :param kind: the enum of the states; `table` may contain states of other enums, too.
    :param initial: the states in which an object may begin; by default the first one.
    """
    reached = set(initial or [next(iter(kind))])
    for before in kind:
        for after in kind:
            if after in table[before]:
                assert before.to[after] is after
            else:
                with pytest.raises(InvalidTransition, match=f"{before} does not permit {after}, only "):
                    before.to[after]
    while new := {after for state in reached for after in table[state]} - reached:
        reached |= new
    assert reached == set(kind)
