"""`MatchedRoute`: the attribute ``route`` of a handler."""

from __future__ import annotations

from typing import Any

from tornado.routing import pattern_of_route

__all__ = ["MatchedRoute"]


class MatchedRoute:
    """A descriptor that returns the pattern of the route that matched a handler's request.

    It has no ``__set__``, so that a program may use the name for an attribute of its own.
    """

    def __get__(self, handler: Any, owner: type | None = None) -> Any:
        if handler is None:
            return self
        return pattern_of_route(getattr(handler.request, "matched_rule", None))
