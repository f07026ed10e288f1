"""Docstrings are the reference documentation: everything public has one."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.support.modules import load, public_modules, sources
from tests.test_exports import exported


@pytest.mark.parametrize("name", list(sources()))
def test_every_module_has_a_docstring(name):
    assert (load(name).__doc__ or "").strip(), f"{name} has no docstring"


@pytest.mark.parametrize("name", list(sources()))
def test_headings_and_tables_are_not_rewrapped(name):
    # The line below a heading, and the lines of a table, contain no other text.
    text = load(name).__doc__ or ""
    wrapped = re.search(r"^.*\w +(-{4,}|={4,}) .*$|^.*(-{4,}|={4,}) +[`\w].*$", text, re.MULTILINE)
    assert wrapped is None, wrapped and wrapped[0]


def members(cls: type) -> dict[str, object]:
    """Return the public methods and properties that the class defines itself."""
    return {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod, property)))
        and not getattr(value, "__name__", "").startswith("_")  # an alias, documented where it is assigned
    }


@pytest.mark.parametrize("name", public_modules())
def test_every_public_name_is_documented(name):
    missing = []
    for each, value in exported(load(name)).items():
        if not getattr(value, "__module__", "").startswith("tornado"):
            continue
        if inspect.isfunction(value) and not value.__doc__:
            missing.append(each)
        elif inspect.isclass(value):
            if not value.__dict__.get("__doc__"):
                missing.append(each)
            # inspect.getdoc() returns the docstring of the overridden method.
            missing += [
                f"{each}.{method}" for method in members(value) if not inspect.getdoc(getattr(value, method))
            ]
    assert missing == []
