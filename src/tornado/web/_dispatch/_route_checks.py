"""Checks of an application's routes when they are added.

An error is raised for a route that can never work. A warning is logged for a route that Tornado accepts, but
that never matches or whose requests all fail.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tornado import _signature_checks
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.log import app_log
from tornado.routing import PathMatches, Rule
from tornado.web._dispatch import _path_argument_checks
from tornado.web._dispatch._builtin_handlers import FallbackHandler
from tornado.web._files._static import StaticFileHandler
from tornado.web._handler import RequestHandler

# Words separated by slashes. Patterns with special characters of regular expressions are not checked, because
# they may match other paths.
_WORDS = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]*)*\$?")


def check(rule: Rule) -> None:
    """Check a single route.

    :raises TypeError: if its target is a `FallbackHandler` whose callable does not accept a request.
    """
    target, matcher = rule.target, rule.matcher
    _check_fallback(rule)
    if isinstance(target, type) and not issubclass(target, (RequestHandler, HTTPServerConnectionDelegate)):
        app_log.warning(
            "the target of the route %.200r is the class %s, which is not a RequestHandler: it will be "
            "called with each request, which then gets no response",
            rule,
            target.__qualname__,
        )
    regex = getattr(matcher, "regex", None)
    if regex is not None and regex.groups == 0 and _serves_files(target):
        app_log.warning(
            "the pattern of the route %.200r needs a group, for the file's path: %r",
            rule,
            regex.pattern.removesuffix("$").removesuffix("/") + "/(.*)",
        )
    pattern = getattr(regex, "pattern", None)
    if type(matcher) is PathMatches and isinstance(pattern, str) and _WORDS.fullmatch(pattern):
        wanted = "/" + pattern.removesuffix("$")
        app_log.warning(
            "the route %.100r can never match, as paths begin with a slash: %r",
            pattern.removesuffix("$"),
            wanted,
        )


def check_list(rules: list[Rule], begin: int) -> None:
    """Check routes against each other.

    :param rules: all routes of a router, in order.
    :param begin: the index of the first new route.
    """
    added = rules[begin:]
    _warn_of_duplicates(rules, added)
    _warn_of_missing_directories(added)
    _warn_of_mismatches(rules, [rule for rule in added if not _lacks_group(rule)])


def _warn_of_duplicates(rules: list[Rule], added: list[Rule]) -> None:
    """Log a warning for each route that can never match because an earlier one has the same pattern.

    If both routes have the same handler and arguments, as in Flower and Bokeh, there is no difference, and
    the message is logged at INFO.
    """
    new = {id(rule) for rule in added}
    first: dict[Any, Rule] = {}
    for rule in rules:
        if type(rule.matcher) is not PathMatches or "match" in vars(rule.matcher):
            continue
        earlier = first.get(rule.matcher.regex)  # two regexes are equal if their patterns and flags are
        if earlier is None:
            if _handles_all(rule.target):
                first[rule.matcher.regex] = rule
        elif id(rule) in new:
            same = (rule.target, rule.target_kwargs) == (earlier.target, earlier.target_kwargs)
            app_log.log(
                logging.INFO if same else logging.WARNING,
                "the route %r to %s can never match: an earlier route with the same pattern has the "
                "target %s",
                rule.matcher.regex.pattern.removesuffix("$"),
                _name(rule.target),
                _name(earlier.target),
            )


def _warn_of_mismatches(rules: Sequence[Rule], added: Iterable[Rule]) -> None:
    """Log a warning for each of the `added` rules whose groups do not match the parameters of the methods.

    A method is reported if it matches none of the routes of its class, or if a route of the class matches
    none of its methods. A class with two routes may have different methods for each.

    :param rules: all rules of the router.
    """
    matching: set[tuple[type, str]] = set()
    mismatched: dict[int, list[str]] = {}
    for rule in rules:
        if not _is_checked(rule):
            continue
        mismatched[id(rule)] = []
        for name, method in _methods(rule.target):
            if _path_argument_checks.fits(rule.matcher, method):
                matching.add((rule.target, name))
            else:
                mismatched[id(rule)].append(name)
    for rule in added:
        names = mismatched.get(id(rule))
        if not names:
            continue
        target = rule.target
        if len(names) < len(_methods(target)):
            names = [name for name in names if (target, name) not in matching]
        for name in names:
            app_log.warning(
                "%s: each such request fails with status 500",
                _path_argument_checks.describe(rule.matcher, target, name),
            )


def _is_checked(rule: Rule) -> bool:
    """Whether the methods are known to be called with the groups of the pattern as their arguments."""
    target = rule.target
    if type(rule.matcher) is not PathMatches or not (
        isinstance(target, type) and issubclass(target, RequestHandler)
    ):
        return False
    own_classes = target.__mro__[: target.__mro__.index(RequestHandler)]
    if any("_execute" in vars(cls) for cls in own_classes):
        return False
    for name in ("prepare", "initialize"):
        for cls in own_classes:
            code = getattr(vars(cls).get(name), "__code__", None)
            if code is not None and {"path_args", "path_kwargs"} & {*code.co_names}:
                return False  # prepare() or initialize() may change the arguments
    return True


def _methods(target: type[RequestHandler]) -> list[tuple[str, Any]]:
    """Return the HTTP methods that a handler class defines, by name."""
    names = [str(name).lower() for name in target.SUPPORTED_METHODS]
    websocket = sys.modules.get("tornado.websocket")
    if websocket is not None and issubclass(target, websocket.WebSocketHandler):
        names.append("open")
    methods = ((name, getattr(target, name, None)) for name in names)
    unimplemented = RequestHandler.get  # the same function for each HTTP method
    return [(name, method) for name, method in methods if method is not None and method is not unimplemented]


def _warn_of_missing_directories(added: list[Rule]) -> None:
    """Log a warning for each directory of static files that does not exist.

    The setting ``static_path`` creates several routes, for which a single warning is logged.
    """
    reported = set()
    for rule in added:
        path = _argument(rule, "path") if rule.target is StaticFileHandler else None
        if not isinstance(path, (str, bytes, os.PathLike)) or path in reported or os.path.isdir(path):
            continue
        reported.add(path)
        app_log.warning(
            "the path %r of static files (static_path) is not a directory: each request for one fails with "
            "status 404 (the current directory is %r)",
            path,
            os.getcwd(),
        )


def _handles_all(target: Any) -> bool:
    """Whether a target handles each request that its route matches. A router may not handle all of them."""
    return isinstance(target, type) and issubclass(target, RequestHandler)


def _name(target: Any) -> str:
    return getattr(target, "__qualname__", None) or f"{target!r:.100}"


def _check_fallback(rule: Rule) -> None:
    target = rule.target
    if not (isinstance(target, type) and issubclass(target, FallbackHandler)):
        return
    fallback = _argument(rule, "fallback")
    if target.prepare is not FallbackHandler.prepare or not callable(fallback):
        return
    if not _signature_checks.accepts(fallback, 1):
        protocol = _signature_checks.protocol_of(fallback)
        hint = _GATEWAY_HINTS.get(protocol or "", "")
        kind = f"it seems to be an application of {protocol}" if protocol else "its parameters differ"
        raise TypeError(
            f"the fallback of the route {rule!r:.200} must be a function that accepts a request, but "
            f"{kind}{hint}"
        )


#: The advice in the error message if the fallback is an application for another interface.
_GATEWAY_HINTS = {
    "WSGI": "; wrap it: tornado.wsgi.WSGIContainer(app)",
    "ASGI": "; use it as the target of a route: (pattern, tornado.asgi.ASGIContainer(app))",
}


def _argument(rule: Rule, name: str) -> Any:
    kwargs: object = rule.target_kwargs
    return kwargs.get(name) if isinstance(kwargs, Mapping) else None


def _serves_files(target: Any) -> bool:
    return isinstance(target, type) and getattr(target, "get", None) is StaticFileHandler.get


def _lacks_group(rule: Rule) -> bool:
    """Whether `check` has already reported a route of static files."""
    return _serves_files(rule.target) and not getattr(getattr(rule.matcher, "regex", None), "groups", 1)


__all__ = ["check", "check_list"]
