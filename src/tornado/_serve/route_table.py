"""The routes of an application as a table: ``python -m tornado routes TARGET``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
    Rule,
    RuleRouter,
)
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

#: The names of the columns.
_HEADINGS = ("NAME", "PATTERN", "HANDLER", "METHODS")


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One route, as it is printed.

    :ivar name: its name, or an empty string.
    :ivar pattern: the regular expressions of its host and its path; other matchers as their ``repr``.
    :ivar handler: the qualified name of its target.
    :ivar methods: the HTTP methods that the handler class defines; for a WebSocket, ``WEBSOCKET``.
    """

    name: str
    pattern: str
    handler: str
    methods: tuple[str, ...]


def routes_of(application: object) -> list[RouteRow]:
    """Return the routes of an application or router, in the order in which they are tried.

    Routes of contained routers have the patterns of both. The list is empty for an object without routes,
    such as a WSGI application.
    """
    return [_route(rule, pattern) for rule, pattern in _rules(application, "")]


def format_table(routes: list[RouteRow]) -> str:
    """Return the routes in aligned columns."""
    rows = [
        _HEADINGS,
        *((each.name or "-", each.pattern, each.handler, " ".join(each.methods) or "-") for each in routes),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        padded = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        lines.append("  ".join([*padded, row[3]]))
    return "\n".join(lines) + "\n"


def format_json(routes: list[RouteRow]) -> str:
    """Return the routes as a JSON array of objects."""
    return json.dumps([asdict(route) for route in routes], indent=2, ensure_ascii=False) + "\n"


def _rules(router: object, prefix: str) -> Iterator[tuple[Rule, str]]:
    """Iterate over the rules of a router and the routers that it contains, with their complete patterns."""
    if isinstance(router, Application):
        router = router.default_router
    if not isinstance(router, RuleRouter):
        return
    for rule in router.rules:
        if isinstance(rule.matcher, DefaultHostMatches):
            continue  # these rules repeat those for the host itself
        pattern = " ".join(part for part in (prefix, _pattern(rule.matcher)) if part)
        if isinstance(rule.target, (RuleRouter, Application)):
            yield from _rules(rule.target, pattern)
        else:
            yield rule, pattern


def _pattern(matcher: Matcher) -> str:
    if isinstance(matcher, PathMatches):
        return matcher.regex.pattern.removesuffix("$")
    if isinstance(matcher, HostMatches):
        return f"host {matcher.host_pattern.pattern.removesuffix('$')}"
    return "" if type(matcher) is AnyMatches else repr(matcher)


def _route(rule: Rule, pattern: str) -> RouteRow:
    target = rule.target
    return RouteRow(rule.name or "", pattern or "(any)", _name(target), _methods(target))


def _name(target: Any) -> str:
    named = target if inspect.isclass(target) or inspect.isroutine(target) else type(target)
    return f"{named.__module__}.{named.__qualname__}"


def _methods(target: Any) -> tuple[str, ...]:
    """Return the methods that a handler class defines, in the order of ``SUPPORTED_METHODS``."""
    if not (inspect.isclass(target) and issubclass(target, RequestHandler)):
        return ()
    if issubclass(target, WebSocketHandler):
        return ("WEBSOCKET",)
    return tuple(
        method
        for method in target.SUPPORTED_METHODS
        if getattr(target, method.lower(), None) is not getattr(RequestHandler, method.lower(), None)
    )


__all__ = ["RouteRow", "format_json", "format_table", "routes_of"]
