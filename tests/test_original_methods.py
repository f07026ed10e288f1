"""`OriginalMethods`: methods that a subclass, a patch or an attribute of an object replaces."""

from __future__ import annotations

import functools
import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tornado._original_methods import OriginalMethods


class Owner:
    """Defines hooks of each kind."""

    def first(self) -> str:
        return "first"

    def second(self) -> str:
        return "second"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> str:
        return "static"


NAMES = ("first", "second", "of_class", "static")


@pytest.fixture
def hooks() -> OriginalMethods:
    return OriginalMethods(Owner, *NAMES)


def test_owner_has_its_own_methods(hooks: OriginalMethods) -> None:
    assert hooks.are_original(Owner)
    assert hooks.are_original_on(Owner())
    assert repr(hooks) == "<OriginalMethods first, second, of_class, static>"
    assert hooks.names == NAMES


def test_subclass_that_inherits_the_methods(hooks: OriginalMethods) -> None:
    class Child(Owner):
        def other(self) -> None: ...

    assert [hooks.are_original(Child) for _ in range(2)] == [True, True]
    assert hooks.are_original_on(Child())


@pytest.mark.parametrize("name", NAMES)
def test_subclass_that_overrides_a_method(hooks: OriginalMethods, name: str) -> None:
    overriding = type("Child", (Owner,), {name: lambda self: "own"})
    assert [hooks.are_original(overriding) for _ in range(2)] == [False, False]
    assert not hooks.are_original_on(overriding())
    assert hooks.are_original(Owner)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("subclass", [False, True])
def test_patch_of_the_class_is_noticed_until_it_is_removed(
    hooks: OriginalMethods, name: str, subclass: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls: Any = type("Child", (Owner,), {}) if subclass else Owner
    obj = cls()
    assert hooks.are_original(cls)
    with monkeypatch.context() as patch:
        patch.setattr(Owner, name, lambda self: "patched")
        assert not hooks.are_original(cls)
        assert not hooks.are_original_on(obj)
    assert hooks.are_original(cls)
    assert hooks.are_original_on(obj)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("names", [NAMES, None])
@pytest.mark.parametrize("subclass", [False, True])
def test_wrapper_that_equals_the_original_is_a_replacement(
    names: tuple[str, ...] | None, name: str, subclass: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls: Any = type("Child", (Owner,), {}) if subclass else Owner
    hooks = OriginalMethods(Owner, *(names or [name]))
    assert hooks.are_original(cls)  # the result of the first check is not kept
    with monkeypatch.context() as patch:
        patch.setattr(Owner, name, Wrapper(inspect.getattr_static(Owner, name), list))
        assert not hooks.are_original(cls)
        assert not hooks.are_original_on(cls())
    assert hooks.are_original(cls)
    assert hooks.are_original_on(cls())


@pytest.mark.parametrize("name", ["first", "second"])
def test_method_of_another_object_is_a_replacement(hooks: OriginalMethods, name: str) -> None:
    obj: Any = Owner()
    setattr(obj, name, getattr(Owner(), name))
    assert not hooks.are_original_on(obj)


@pytest.mark.parametrize("name", ["check", "x", "m", "MethodType"])
def test_methods_named_like_variables_of_the_check(name: str) -> None:
    cls = type("Named", (), {name: lambda self: None})
    hooks = OriginalMethods(cls, name)
    assert hooks.are_original(cls)
    assert hooks.are_original_on(cls())
    assert not hooks.are_original(type("Child", (cls,), {name: lambda self: None}))


@pytest.mark.parametrize("name", NAMES)
def test_attribute_of_one_object(hooks: OriginalMethods, name: str) -> None:
    obj: Any = Owner()
    setattr(obj, name, functools.partial(getattr(obj, name)))
    assert not hooks.are_original_on(obj)
    assert hooks.are_original_on(Owner())
    assert hooks.are_original(Owner)
    assert not hooks.absent_from(vars(obj))
    assert hooks.absent_from(vars(Owner()))


def test_wrapper_with_a_func_attribute_is_a_replacement(hooks: OriginalMethods) -> None:
    # A wrapper of a monitoring agent passes all attributes of the original through.
    obj: Any = Owner()
    obj.first = SimpleNamespace(__func__=Owner.first)
    assert not hooks.are_original_on(obj)


def test_objects_of_other_classes_have_replaced_methods(hooks: OriginalMethods) -> None:
    assert not hooks.are_original_on(object())


def test_check_of_an_object_does_not_write_to_it(hooks: OriginalMethods) -> None:
    class Slotted(Owner):
        __slots__ = ()

    assert hooks.are_original_on(Slotted())


def test_owner_is_recorded_later() -> None:
    hooks = OriginalMethods(None, "first")

    @hooks.record
    class Later:
        def first(self) -> None: ...

    assert hooks.originals is Later.first
    assert hooks.are_original(Later)
    assert not hooks.are_original(Owner)
