"""The routes of an application as text, for pages and messages that show them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface

_MAX_DEPTH = 6


class Route(NamedTuple):
    """A route as it was written, preceded by the patterns of the routers that contain it.

    :ivar tried: whether the routers that contain it matched the request, so that the route was tried.
    """

    pattern: str
    target: str
    name: str
    tried: bool = True


def matching_route(application: ApplicationInterface, request: Any, handler_class: type) -> Route | None:
    """Return the route of a request that was passed to a handler of a class."""
    for route, rule in _routes(application.default_router, request):
        if rule.target is handler_class and route.tried and rule.matcher.match(request) is not None:
            return route
    return None


def unmatched_routes(application: ApplicationInterface, request: Any, limit: int) -> list[Route] | None:
    """Return the routes in the order of matching if none of them matches the request, otherwise None.

    :param limit: the maximum number of routes that are tried and returned.
    """
    found: list[Route] = []
    for route, rule in islice(_routes(application.default_router, request), limit):
        if route.tried and rule.matcher.match(request) is not None:
            return None
        found.append(route)
    return found


def similar_routes(path: str, routes: list[Route]) -> list[str]:
    """Return a hint about the routes whose patterns are similar to a path that none of them matches."""
    plain = [route.pattern.removeprefix("^") for route in routes]
    other = path.rstrip("/") if path.endswith("/") else path + "/"
    if other in plain:
        return [f"The route {other!r} exists, {'without' if path.endswith('/') else 'with'} a final slash."]
    close = difflib.get_close_matches(path, plain, n=3)
    return [f"Did you mean {' or '.join(close)}?"] if close else []


def _routes(
    router: Any, request: Any, before: tuple[str, ...] = (), tried: bool = True, depth: int = 0
) -> Iterator[tuple[Route, Any]]:
    """Yield each route of a router that has a target, with its rule, in the order of matching."""
    for rule in list(getattr(router, "rules", ())):
        pattern = _pattern_of(rule.matcher)
        prefix = (*before, pattern) if pattern else before
        target = rule.target
        if getattr(target, "rules", None) is not None and depth < _MAX_DEPTH:
            reached = tried and rule.matcher.match(request) is not None
            yield from _routes(target, request, prefix, reached, depth + 1)
        else:
            name = f"{target.__module__}.{target.__qualname__}" if isinstance(target, type) else repr(target)
            yield Route(" \u203a ".join(prefix), name, str(rule.name or ""), tried), rule


def _pattern_of(matcher: Any) -> str:
    """Return a description of the requests that a matcher matches; empty if it matches every request."""
    regex = getattr(matcher, "regex", None)
    if regex is not None:
        return str(regex.pattern).removesuffix("$") or "$"
    host = getattr(matcher, "host_pattern", None)
    if host is not None:
        return f"host {host.pattern.removesuffix('$')}"
    name = type(matcher).__name__
    return "" if name == "AnyMatches" else name
