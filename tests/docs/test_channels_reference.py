"""docs/reference/channels.md: it has every name of `tornado.channels`, with its signature."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from tests.support.program import ROOT
from tornado import channels

TEXT = (ROOT / "docs/reference/channels.md").read_text()
CODE = set(re.findall(r"`([^`]+)`", TEXT))
_WORDS = {word for each in CODE for word in re.findall(r"\w+", each)}
#: The classes whose constructors a program calls.
CONSTRUCTORS = [
    channels.ClientLimits,
    channels.Gap,
    channels.History,
    channels.Hub,
    channels.Identity,
    channels.MemoryBroker,
    channels.Message,
    channels.NATSBroker,
    channels.Page,
    channels.Position,
    channels.Presence,
    channels.RedisBroker,
    channels.SlowPolicy,
]
#: What `ChannelClient` has for its transports.
_INTERNAL = {"hello", "receive", "use", "wait_for_room"}


def signature(function: Any, *, is_method: bool = False) -> str:
    """Return the parameters of a function without their types."""
    found = inspect.signature(function)
    parameters = [each.replace(annotation=each.empty) for each in found.parameters.values()]
    plain = found.replace(parameters=parameters[is_method:], return_annotation=found.empty)
    return str(plain).replace("ABSENT", "...")


def call(function: Any, *, is_method: bool = False) -> str:
    """Return a function as the tables show it."""
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    return f"{prefix}{function.__name__}{signature(function, is_method=is_method)}"


def public(kind: type) -> dict[str, Any]:
    """Return the public members of a class itself."""
    return {name: each for name, each in vars(kind).items() if not name.startswith("_")}


def test_every_name_is_described() -> None:
    assert set(channels.__all__) <= _WORDS


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_constructor_has_its_parameters(kind: type) -> None:
    assert f"{kind.__name__}{signature(kind)}" in CODE


@pytest.mark.parametrize("kind", [channels.Hub, channels.Presence, channels.ChannelClient])
def test_methods_have_their_parameters(kind: type) -> None:
    members = {name: each for name, each in public(kind).items() if name not in _INTERNAL}
    functions = {name: each for name, each in members.items() if inspect.isfunction(each)}
    assert {call(each, is_method=True) for each in functions.values()} <= CODE
    assert members.keys() - functions.keys() <= CODE


@pytest.mark.parametrize("function", [channels.connect, channels.create_broker, channels.revoke])
def test_function_has_its_parameters(function: Any) -> None:
    assert call(function) in CODE


def test_what_a_handler_overrides_is_described() -> None:
    hooks = ["authenticate", "authorize_subscribe", "authorize_publish", "authorize_presence", "slow_policy"]
    assert {call(getattr(channels.ChannelHandler, each), is_method=True) for each in hooks} <= CODE
    assert {"client_limits", "keep_alive"} <= CODE
    assert f"| {channels.ChannelHandler.keep_alive}: " in TEXT


def test_every_method_of_a_broker_is_described() -> None:
    assert channels.Broker.__abstractmethods__ <= CODE
