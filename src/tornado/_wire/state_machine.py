"""The mechanism of all state tables: an enum, and the transitions that each of its members permits.

Theory of operation
-------------------
There are two ways to change a state. Both look up the next state in a dict of the current state, so a check
costs only one look-up:

- ``self.state = self.state.to[NEXT]`` if the caller determines the next state. `permit` defines these
  transitions.
- ``self.state = self.state.after[STEP]`` if the table determines the next state, because one step has
  different results in different states. `permit_steps` defines these transitions.

The table of transitions is a constant next to the enum, so that it can be read and tested.

Modules on the hot path assign the members that they use to constants (``_OPEN = StreamState.OPEN``): until
CPython 3.12, access to a member through its class takes 90 to 200 ns, because `enum.EnumType` has a
``__getattr__``, and access to a constant takes 15 ns.

Rejected input
--------------
This module processes no input. A transition that is not in the table is an error of this package and raises
`InvalidTransition` where it happens, not later as a malformed message.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tornado._wire.errors import InvalidTransition

__all__ = ["InvalidTransition", "State", "Step", "Transitions", "permit", "permit_steps"]

_Key = TypeVar("_Key", bound=enum.Enum)
_Next = TypeVar("_Next", bound=enum.Enum)


class Transitions(dict[_Key, _Next]):
    """The transitions from one state: from the next state, or from a step, to the next state.

    :param state: the state before each of these transitions.
    :param following: the transitions.
    """

    __slots__ = ("_state",)

    def __init__(self, state: enum.Enum, following: Mapping[_Key, _Next]) -> None:
        super().__init__(following)
        self._state = state

    def __missing__(self, key: _Key) -> NoReturn:
        """Raise an exception that says what the state permits instead of `key`."""
        permitted = ", ".join([each.name for each in self]) or "nothing"
        raise InvalidTransition(f"{self._state!s} does not permit {key!s}, only {permitted}")


class Step(enum.Enum):
    """The base of the enums whose members change a state."""

    if not TYPE_CHECKING:
        __hash__ = object.__hash__  # Enum's own method is written in Python, and is slower


class State(enum.Enum):
    """The base of the enums of states.

    :ivar to: the states that may follow this state, each with itself as the value.
    :ivar after: the state that follows this state after each permitted step.
    """

    to: Transitions[Any, Any]  # not Self: mypy would narrow it to the literal type of the current state
    after: Transitions[Any, Any]

    if not TYPE_CHECKING:
        __hash__ = object.__hash__


_State = TypeVar("_State", bound=State)


def permit(table: Mapping[_State, Iterable[_State]]) -> None:
    """Set `State.to` of each state in `table`, which contains the states that may follow it."""
    for state, following in table.items():
        state.to = Transitions(state, {each: each for each in following})


def permit_steps(table: Mapping[_State, Mapping[Any, _State]]) -> None:
    """Set `State.after` of each state in `table`, which contains the next state for each permitted step."""
    for state, following in table.items():
        state.after = Transitions(state, following)
