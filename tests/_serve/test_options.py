from __future__ import annotations

from dataclasses import fields

import pytest

from tornado._serve.configuration import Configuration
from tornado._serve.options import BY_NAME, TABLE


def test_each_option_is_an_attribute_of_the_configuration():
    assert {each.name for each in fields(Configuration)} == {*BY_NAME, "origins"}


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
def test_defaults_are_accepted(option):
    for text in (option.default or "").split(","):
        if text:
            option.kind.parse(text)


def test_flags_and_variables_are_derived_from_the_name():
    assert BY_NAME["drain_delay"].flag == "--drain-delay"
    assert BY_NAME["drain_delay"].variable == "WATERSPOUT_DRAIN_DELAY"


def test_options_of_a_group_are_adjacent():
    groups = [each.group for each in TABLE]
    assert sorted(groups, key=groups.index) == groups
