"""Checks that the groups of a route's pattern match the parameters of the handler's methods.

Each group is passed as an argument to ``get``, ``post`` and so on. If the pattern has one group but the
method is ``def get(self)``, every request fails with a `TypeError`. `_route_checks` detects this when routes
are added. `explain` completes the message of the `TypeError` in the other cases: decorated methods, and
classes with several routes where a method matches only some of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tornado import _signature_checks
from tornado.routing import PathMatches, Rule
from tornado.template._errors import note_once

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

# The message of CPython's TypeError for a call with the wrong arguments.
_CALL_ERROR = re.compile(r"(?:[\w.<>]+\.)?(\w+)\(\) (?:missing|takes|got an unexpected|got multiple)")


def fits(matcher: Any, method: Any) -> bool:
    """Whether a method can be called with the groups of a pattern; True if this cannot be determined."""
    regex = matcher.regex
    if regex.groupindex:
        return _signature_checks.method_accepts(method, 0, regex.groupindex)
    return _signature_checks.method_accepts(method, regex.groups)


def describe(matcher: Any, target: type, name: str) -> str:
    """Return a message saying that the method `name` of a handler class does not accept the groups of a
    pattern.
    """
    regex = matcher.regex
    if regex.groupindex:
        groups = "groups named " + ", ".join(regex.groupindex)
    else:
        groups = {0: "no group", 1: "one group"}.get(regex.groups, f"{regex.groups} groups")
    shown = regex.pattern.removesuffix("$")
    parameters = _signature_checks.shown(getattr(target, name))
    return (
        f"the pattern {shown!r} has {groups}, which does not fit the parameters of "
        f"{target.__qualname__}.{name}{parameters}"
    )


def explain(handler: Any, error: TypeError) -> None:
    """Add a note about the route and the method to an error that was raised when the method was called."""
    match = _CALL_ERROR.match(str(error))
    method = str(handler.request.method).lower()
    if match is None or match[1] not in (method, "open"):
        return
    rule = _rule_of(handler)
    if rule is not None and type(rule.matcher) is PathMatches:
        note_once(error, describe(rule.matcher, type(handler), match[1]))


def _rule_of(handler: HandlerInterface) -> Rule | None:
    try:
        rule = handler.application.wildcard_router.first_rule(handler.request)
    except Exception:  # raised by a matcher of the program, or by a mock application
        return None
    return rule if rule is not None and rule.target is type(handler) else None


__all__ = ["describe", "explain", "fits"]
