"""Public objects can be found under their ``__module__`` and name."""

from __future__ import annotations

import inspect
import sys

import pytest

from tests.support.modules import load, public_modules

PUBLIC = public_modules()


def exported(module) -> dict[str, object]:
    """Return the public objects of a module: those in ``__all__``, or else those without an underscore."""
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_all_has_no_duplicate_or_missing_names(name):
    module = load(name)
    if not hasattr(module, "__path__") and not hasattr(module, "__all__"):
        return  # a module without __all__ exports the names that it defines
    if name in ("tornado", "tornado.platform"):
        return  # these packages contain only modules
    assert len(set(module.__all__)) == len(module.__all__), "duplicate name in __all__"
    missing = [each for each in module.__all__ if not hasattr(module, each)]
    assert missing == []


@pytest.mark.parametrize("name", PUBLIC)
def test_public_objects_have_public_module(name):
    """Tracebacks, documentation and pickles contain ``tornado.web``, not ``tornado.web._handler``."""
    wrong = []
    for each, value in exported(load(name)).items():
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        where = value.__module__
        if where.partition(".")[0] != "tornado":
            continue  # a builtin or a class of the standard library under another name
        if any(part.startswith("_") for part in where.split(".")):
            wrong.append(f"{name}.{each} has the private __module__ {where}")
            continue
        found: object = sys.modules[where]
        for part in value.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is not value:
            wrong.append(f"{name}.{each} is not {where}.{value.__qualname__}")
    assert wrong == []


@pytest.mark.parametrize(
    "name", [each for each in PUBLIC if each.count(".") == 1 and each != "tornado.platform"]
)
def test_modules_are_attributes_of_the_package(name):
    import tornado

    assert getattr(tornado, name.partition(".")[2]) is load(name)


def test_unknown_attribute_of_the_package_raises():
    import tornado

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tornado.nothing
