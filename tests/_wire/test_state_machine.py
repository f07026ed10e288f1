"""Tests of the mechanism of state tables (`state_machine`)."""

import pytest

from tornado._wire.state_machine import InvalidTransition, State, Step, permit, permit_steps


class Lamp(State):
    OFF = 1
    ON = 2
    BROKEN = 3


class Switch(Step):
    PRESS = 1
    DROP = 2


permit({Lamp.OFF: [Lamp.ON, Lamp.BROKEN], Lamp.ON: [Lamp.OFF], Lamp.BROKEN: []})
permit_steps(
    {
        Lamp.OFF: {Switch.PRESS: Lamp.ON, Switch.DROP: Lamp.BROKEN},
        Lamp.ON: {Switch.PRESS: Lamp.OFF},
        Lamp.BROKEN: {},
    }
)


def test_permitted_state_follows():
    assert Lamp.OFF.to[Lamp.ON] is Lamp.ON


def test_state_that_is_not_permitted_is_rejected_with_the_permitted_ones():
    with pytest.raises(InvalidTransition, match=r"^Lamp\.ON does not permit Lamp\.BROKEN, only OFF$"):
        Lamp.ON.to[Lamp.BROKEN]
    with pytest.raises(InvalidTransition, match=r"^Lamp\.BROKEN does not permit Lamp\.ON, only nothing$"):
        Lamp.BROKEN.to[Lamp.ON]


def test_permitted_step_has_the_result_of_the_state():
    assert Lamp.OFF.after[Switch.PRESS] is Lamp.ON
    assert Lamp.ON.after[Switch.PRESS] is Lamp.OFF


def test_step_that_is_not_permitted_is_rejected_with_the_permitted_ones():
    with pytest.raises(InvalidTransition, match=r"^Lamp\.ON does not permit Switch\.DROP, only PRESS$"):
        Lamp.ON.after[Switch.DROP]


def test_states_of_different_kinds_do_not_mix():
    class Other(State):
        OFF = 1
        ON = 2

    with pytest.raises(InvalidTransition, match="Other.ON"):
        Lamp.OFF.to[Other.ON]


def test_states_and_steps_are_hashed_without_a_python_function():
    assert Lamp.__hash__ is Switch.__hash__ is object.__hash__
