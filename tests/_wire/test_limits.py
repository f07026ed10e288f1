"""Limits are plain values with sensible defaults."""

import dataclasses

import pytest

from tornado._wire.limits import DEFAULT, Limits


def test_defaults():
    assert Limits() == DEFAULT
    assert (DEFAULT.max_head_size, DEFAULT.max_body_size) == (65536, 104857600)


def test_a_limit_is_not_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.max_1xx = 5


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_no_limit_is_negative(name):
    assert getattr(Limits(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        Limits(**{name: -1})


def test_every_limit_is_in_the_table_of_precedents():
    import tornado._wire.limits as module

    for field in dataclasses.fields(Limits):
        assert f"`{field.name}`" in module.__doc__
