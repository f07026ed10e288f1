"""The internals of `tornado.routing` that tests access."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import PathMatches, RuleRouter


def first_match(router: Any, request: HTTPServerRequest) -> Any:
    """Return the first matching rule and its arguments, or None."""
    found = router._match(request)
    if found is None:
        return None
    rule, args, kwargs = found
    return rule, {"path_args": args, "path_kwargs": kwargs or {}} if args or kwargs else {}


def all_matches(router: RuleRouter, request: HTTPServerRequest) -> list[Any]:
    """Return all matching rules in order, each with its arguments."""
    return list(router._matches(request))


def candidates(router: RuleRouter, path: str) -> Iterable[Any]:
    """Return the rules that the table does not exclude for a path."""
    return router._current_table().candidates(path)


def template_of(matcher: PathMatches) -> tuple[str | None, int | None]:
    """Return the template from which ``reverse`` builds a path, and its number of arguments."""
    return matcher._find_groups()


def attributes_of(matcher: PathMatches) -> tuple[str | None, int | None]:
    """Return the attributes with the template and the number of arguments, which ddtrace reads."""
    return matcher._path, matcher._group_count
