"""Request routing.

A router receives the head of a request and returns the delegate that handles the request. A `RuleRouter` has
a list of rules, each with a `Matcher` and a target, and selects the first rule that matches. A target is
another router, any `.HTTPServerConnectionDelegate`, or a function that takes the request;
`tornado.web.Application` also accepts request handlers::

    router = RuleRouter([
        Rule(HostMatches("api.example.com"), RuleRouter([("/users/([0-9]+)", user)])),
        ("/robots.txt", robots),
    ])
    HTTPServer(router).listen(8888)

A `ReversibleRouter` can also construct the path of a rule from its name.

Look-up
    Rules for literal paths are found in a dictionary, and patterns by the literal text at their beginning and
    end, so the cost hardly depends on the number of rules. All other matchers are called one by one. The
    first matching rule in the list is used, regardless of its kind. The list of rules may be modified or
    replaced at any time; the change takes effect with the next request.

This file exceeds the usual length because it is one public module whose classes inherit from one another.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from re import Pattern
from typing import Any, Self, TypeAlias

from tornado import _signature_checks, httputil
from tornado._implicit_reexports import reexport
from tornado._wire import heads
from tornado.escape import _unquote_to_bytes, url_escape, utf8
from tornado.log import app_log, escape_controls
from tornado.util import import_object, re_unescape

__all__ = [
    "AnyMatches",
    "DefaultHostMatches",
    "HostMatches",
    "Matcher",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "Router",
    "Rule",
    "RuleRouter",
    "URLSpec",
]


class Router(httputil.HTTPServerConnectionDelegate):
    """Base class of routers. Subclasses define `find_handler`, which returns the delegate for a request."""

    def find_handler(
        self, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """Return the delegate that handles a request.

        :param request: the request; its body has not been received yet.
        :param kwargs: the arguments from the rule that has this router as its target.
        :returns: None if no route matches. The calling router then tries its next rule; if there is none,
            the response is 404.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define find_handler()")

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Return a delegate that receives the head, calls `find_handler` and forwards to its result."""
        return _RoutingDelegate(self, server_conn, request_conn)


class ReversibleRouter(Router):
    """Base class of routers that can construct the path of a named rule."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Return the path of a named rule, with its groups replaced by `args`.

        :returns: None if no rule has this name.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define reverse_url()")


class _RoutingDelegate(httputil.HTTPMessageDelegate):
    """A delegate that selects the actual delegate when it receives the head, and forwards to it."""

    def __init__(self, router: Router, server_conn: object, request_conn: httputil.HTTPConnection) -> None:
        self.router, self.server_conn, self.request_conn = router, server_conn, request_conn
        self.delegate: httputil.HTTPMessageDelegate | None = None

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, httputil.RequestStartLine)
        request = httputil.HTTPServerRequest(
            start_line=start_line,
            headers=headers,
            connection=self.request_conn,
            server_connection=self.server_conn,
        )
        found = self.router.find_handler(request)
        if found is None:
            app_log.debug("no route for %s %s", start_line.method, escape_controls(start_line.path))
            found = _NotFoundDelegate(self.request_conn)
        self.delegate = found
        return found.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self.delegate is not None
        return self.delegate.data_received(chunk)

    def finish(self) -> None:
        assert self.delegate is not None
        # A delegate may return an awaitable, as the delegates of tornado.web do.
        return self.delegate.finish()

    def on_connection_close(self) -> None:
        # The connection may close before the head is complete.
        if self.delegate is not None:
            self.delegate.on_connection_close()


class _NotFoundDelegate(httputil.HTTPMessageDelegate):
    """A delegate that responds with 404."""

    def __init__(self, connection: httputil.HTTPConnection) -> None:
        self.connection = connection

    def finish(self) -> None:
        start_line = httputil.ResponseStartLine("HTTP/1.1", 404, "Not Found")
        _ = self.connection.write_headers(start_line, httputil.HTTPHeaders({"Content-Length": "0"}))
        self.connection.finish()


class _CallableDelegate(httputil.HTTPMessageDelegate):
    """A delegate that buffers the body and calls a function with the complete request."""

    def __init__(
        self, function: Callable[[httputil.HTTPServerRequest], object], request: httputil.HTTPServerRequest
    ) -> None:
        self.function, self.request = function, request
        self.pieces: list[bytes] = []

    def data_received(self, chunk: bytes) -> None:
        self.pieces.append(chunk)

    def finish(self) -> None:
        self.request.body = b"".join(self.pieces)
        self.request.save_form()
        self.function(self.request)


# --- matchers ---


class Matcher:
    """Base class of matchers, which decide whether a rule applies to a request. Subclasses define `match`."""

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Match a request.

        :returns: None if the request does not match, otherwise a dictionary of arguments for the target. A
            request handler's method receives ``path_args`` and ``path_kwargs``; a router receives all of them
            in `Router.find_handler`. The caller may modify the dictionary.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define match()")

    def reverse(self, *args: Any) -> str | None:
        """Return a path that matches, with these arguments; None if it cannot be constructed."""
        return None


class AnyMatches(Matcher):
    """Matches every request."""

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Return ``{}``."""
        return {}


class HostMatches(Matcher):
    """Matches requests by their host name.

    :param host_pattern: a regular expression for the host name without a port. A string must match the whole
        name; a compiled pattern may match only its beginning.
    """

    def __init__(self, host_pattern: str | Pattern[str]) -> None:
        self.host_pattern: Pattern[str] = _compile_whole(host_pattern)

    def __repr__(self) -> str:
        """Return the matcher in the form of a constructor call."""
        return f"{type(self).__name__}({self.host_pattern.pattern!r})"

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Return ``{}`` if the host matches."""
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches every request not forwarded by a proxy, if the application's ``default_host`` matches.

    :param application: an object with the attribute ``default_host``.
    :param host_pattern: a compiled regular expression for the default host.
    """

    def __init__(self, application: Any, host_pattern: Pattern[str]) -> None:
        self.application: Any = application
        self.host_pattern: Pattern[str] = host_pattern

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Return ``{}`` if the default host matches and the request has no field ``X-Real-Ip``."""
        if "X-Real-Ip" in request.headers or not self.host_pattern.match(self.application.default_host):
            return None
        return {}


class PathMatches(Matcher):
    """Matches requests by their path.

    :param path_pattern: a regular expression for the path. A string must match the whole path; a compiled
        pattern may match only its beginning. The text of each group is percent-decoded to bytes and passed to
        the target, in ``path_kwargs`` if the groups are named, in ``path_args`` if they are not.
    :raises ValueError: if some groups are named and others are not.
    """

    def __init__(self, path_pattern: str | Pattern[str]) -> None:
        self.regex: Pattern[str] = _compile_whole(path_pattern)
        if self.regex.groupindex and len(self.regex.groupindex) != self.regex.groups:
            raise _MixedGroupsError(
                f"{self.regex.pattern!r} has both named and unnamed groups: name all of them or none"
            )
        # ddtrace reads both attributes.
        self._path: str | None
        self._group_count: int | None
        self._path, self._group_count = self._find_groups()

    def __setattr__(self, name: str, value: Any) -> None:
        is_change = name == "regex" and "regex" in self.__dict__
        super().__setattr__(name, value)
        if is_change:
            _rule_changes[0] += 1  # afterwards: another thread may create an index at any time

    def __repr__(self) -> str:
        """Return the matcher in the form of a constructor call."""
        return f"{type(self).__name__}({self.regex.pattern!r})"

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Return the arguments from the groups, ``{}`` if the pattern has none."""
        found = self.regex.match(request.path)
        return None if found is None else _arguments(self.regex, found)

    def reverse(self, *args: Any) -> str | None:
        """Return the path with its groups replaced by the percent-encoded arguments.

        :raises ValueError: if the pattern is not plain text with groups.
        """
        if self._path is None:
            raise ValueError(f"Cannot reverse url regex {self.regex.pattern}")
        if len(args) != self._group_count:
            # Upstream raises AssertionError here.
            raise AssertionError(
                f"required number of arguments not found: "
                f"{self.regex.pattern!r} takes {self._group_count}, got {len(args)}"
            )
        if not args:
            return self._path
        texts = (value if isinstance(value, (str, bytes)) else str(value) for value in args)
        return self._path % tuple(url_escape(utf8(text), plus=False) for text in texts)

    def _find_groups(self) -> tuple[str, int] | tuple[None, None]:
        """Return the path as a ``%`` template, and the number of groups. OpenTelemetry calls this method.

        A path without groups is returned as it is.
        """
        pieces = _text_between_groups(self.regex)
        if pieces is None:
            return None, None
        if len(pieces) == 1:
            return pieces[0], 0
        return "%s".join(piece.replace("%", "%%") for piece in pieces), len(pieces) - 1


def pattern_of_route(rule: Rule | None) -> str | None:
    """Return the pattern of a rule as the program wrote it, or None if the rule does not match paths."""
    pattern = getattr(getattr(getattr(rule, "matcher", None), "regex", None), "pattern", None)
    return pattern.removesuffix("$") if isinstance(pattern, str) else None


class _MixedGroupsError(ValueError, AssertionError):
    """A pattern with named and unnamed groups."""


def _compile_whole(pattern: str | Pattern[str]) -> Pattern[str]:
    """Compile a pattern so that it must match to the end; return a compiled pattern unchanged."""
    if not isinstance(pattern, str):
        return pattern
    return re.compile(pattern if pattern.endswith("$") else pattern + "$")


def _arguments(regex: Pattern[str], found: re.Match[str]) -> dict[str, Any]:
    """Return the arguments for a match, as `PathMatches.match` does."""
    if not regex.groups:
        return {}
    if regex.groupindex:
        named = found.groupdict().items()
        return {"path_args": [], "path_kwargs": {str(name): _unquote_or_none(text) for name, text in named}}
    return {"path_args": [_unquote_or_none(text) for text in found.groups()], "path_kwargs": {}}


def _unquote_or_none(text: str | None) -> bytes | None:
    """Percent-decode the text of a group. Programs import this function by its name."""
    if text is None:
        return None
    return _unquote_to_bytes(text) if "%" in text else text.encode()


def _text_between_groups(regex: Pattern[str]) -> list[str] | None:
    """Return the text before, between and after a pattern's groups; None if this is not literal text."""
    pattern = regex.pattern.removeprefix("^").removesuffix("$")
    if pattern.count("(") != regex.groups:
        return None  # an escaped parenthesis, or a non-capturing group
    pieces, depth = [""], 0
    for part in re.split(r"([()])", pattern):
        if part == "(":
            depth += 1
        elif part == ")":
            depth -= 1
            if not depth:
                pieces.append("")
        elif not depth:
            try:
                pieces[-1] += re_unescape(part)
            except ValueError:
                return None  # a character class such as \d
    return pieces


# --- rules ---

# How often the matcher of an existing rule, or the pattern of an existing matcher, has been replaced.
_rule_changes = [0]


def _import_target(name: str) -> Any:
    try:
        return import_object(name)
    except ImportError as error:
        text = f"the target {name!r} of a route cannot be imported: {error}"
        raise type(error)(text, name=error.name, path=error.path) from error


class Rule:
    """A matcher and its target.

    :param matcher: decides which requests the rule applies to.
    :param target: a router, a connection delegate, a function that takes the request, or another object that
        the router accepts (`tornado.web.Application` accepts request handlers). A string is a dotted name.
    :param target_kwargs: additional arguments for the target, such as those of a handler's ``initialize``.
    :param name: the name for `ReversibleRouter.reverse_url`.
    :raises ImportError: if a dotted name cannot be imported.
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.matcher = matcher
        self.name = name
        self.target: Any = _import_target(target) if isinstance(target, str) else target
        self.target_kwargs: dict[str, Any] = target_kwargs or {}

    def __setattr__(self, name: str, value: Any) -> None:
        # hasattr() is used because accessing `__dict__` makes later attribute reads of the object slower.
        is_change = name == "matcher" and hasattr(self, "matcher")
        super().__setattr__(name, value)
        if is_change:
            _rule_changes[0] += 1

    def reverse(self, *args: Any) -> str | None:
        """Return the path with these arguments; see `Matcher.reverse`."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        """Return the rule in the form of a constructor call."""
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """A rule that maps a path to a request handler; also available as `tornado.web.url`.

    :param pattern: the pattern for `PathMatches`.
    :param handler: a `.RequestHandler` class, or its dotted name.
    :param kwargs: the arguments for the handler's ``initialize``.
    :param name: the name for `ReversibleRouter.reverse_url`.
    """

    def __init__(
        self,
        pattern: str | Pattern[str],
        handler: Any,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        path = PathMatches(pattern)
        super().__init__(path, handler, kwargs, name)
        self.kwargs = kwargs
        self.handler_class: Any = self.target
        self.regex: Pattern[str] = path.regex

    def __repr__(self) -> str:
        """Return the rule in the form of a constructor call."""
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


#: The type of the argument of `RuleRouter.add_rules`.
_RuleList: TypeAlias = Sequence[
    Rule
    | list[Any]
    | tuple[str | Matcher, Any]
    | tuple[str | Matcher, Any, dict[str, Any]]
    | tuple[str | Matcher, Any, dict[str, Any], str]
]

_RULE_FORMS = "(pattern, target), (pattern, target, kwargs), (pattern, target, kwargs, name) or a Rule"


def _as_rule(entry: Any) -> Rule:
    """Convert an entry of a list of rules to a `Rule`.

    :raises TypeError: if it is not a valid entry; the message contains the entry and the valid forms.
    """
    if isinstance(entry, Rule):
        return entry
    if not isinstance(entry, (tuple, list)):
        raise TypeError(f"{entry!r:.200} is not a route; expected {_RULE_FORMS}")
    if not 2 <= len(entry) <= 4:
        raise TypeError(f"the route {entry!r:.200} has {len(entry)} items; expected {_RULE_FORMS}")
    pattern, target, *rest = entry
    if rest and not (rest[0] is None or isinstance(rest[0], Mapping)):
        hint = "; the name is the fourth item" if isinstance(rest[0], str) else ""
        raise TypeError(f"the third item of the route {entry!r:.200} must be a dict of arguments{hint}")
    return Rule(_as_matcher(pattern, entry), target, *rest)


def _as_matcher(pattern: Any, entry: Any) -> Matcher:
    """Convert the first item of an entry to a matcher."""
    if isinstance(pattern, (str, re.Pattern)):
        try:
            return PathMatches(pattern)
        except re.error as error:
            message = f"the pattern of the route {entry!r:.200} does not compile: {error.msg}"
            raise re.error(message, error.pattern, error.pos) from error
    if not callable(getattr(pattern, "match", None)):
        raise TypeError(
            f"the first item of the route {entry!r:.200} must be a pattern or a Matcher; "
            f"expected {_RULE_FORMS}"
        )
    matcher: Matcher = pattern
    return matcher


def _check_function(rule: Rule) -> None:
    """Check that a function that is the target of a rule accepts the arguments of `_CallableDelegate`."""
    target, matcher = rule.target, rule.matcher
    if isinstance(target, (type, Router, httputil.HTTPServerConnectionDelegate)) or not callable(target):
        return
    names = {"target_kwargs"} if rule.target_kwargs else set()
    if type(matcher) is PathMatches:
        if matcher.regex.groups:
            names |= {"path_args", "path_kwargs"}
    elif type(matcher) not in (AnyMatches, HostMatches, DefaultHostMatches):
        return  # the arguments that this matcher passes to the target are not known
    if _signature_checks.accepts(target, 1, names):
        return
    hint = _GATEWAY_HINTS.get(_signature_checks.protocol_of(target) or "", "")
    call = ", ".join(["request", *(f"{name}=..." for name in sorted(names))])
    raise TypeError(f"the target of the route {rule!r:.200} cannot be called with ({call}){hint}")


#: Hints for targets that seem to be WSGI or ASGI applications.
_GATEWAY_HINTS = {
    "WSGI": '; it looks like a WSGI application: (r".*", FallbackHandler, {"fallback": WSGIContainer(app)})',
    "ASGI": '; it looks like an ASGI application: (r".*", tornado.asgi.ASGIContainer(app))',
}


class _VersionedRules(list[Rule]):
    """A list of rules that counts its changes."""

    __slots__ = ("version",)
    version: int

    def __new__(cls, *args: Any) -> Self:
        self = super().__new__(cls, *args)
        self.version = 0
        return self


def _counts_change(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def change(self: _VersionedRules, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.version += 1  # afterwards: another thread may create an index at any time

    return change


for (
    _name
) in "append clear extend insert pop remove reverse sort __delitem__ __iadd__ __imul__ __setitem__".split():
    setattr(_VersionedRules, _name, _counts_change(getattr(list, _name)))


class RuleRouter(Router):
    """A router that selects the first rule of a list that matches the request.

    :param rules: the initial rules, see `add_rules`.
    """

    #: The rules, in the order in which they are tried. The list may be modified or replaced.
    rules: list[Rule]
    _table: _RuleIndex | None = None

    def __init__(self, rules: _RuleList | None = None) -> None:
        self.rules = _VersionedRules()
        if rules:
            self.add_rules(rules)

    def add_rules(self, rules: _RuleList) -> None:
        """Append rules.

        :param rules: a list of `Rule` objects, or of tuples or lists with the arguments of a `Rule`. A string
            or compiled regular expression as the first item becomes a `PathMatches`.
        :raises TypeError: if an entry has another form.
        :raises re.error: if a pattern does not compile.
        """
        given: object = rules
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            raise TypeError(f"{given!r:.200} is not a list of routes; each item must be {_RULE_FORMS}")
        for entry in rules:
            self.rules.append(self.process_rule(_as_rule(entry)))

    def process_rule(self, rule: Rule) -> Rule:
        """Return the rule to add, given each rule passed to `add_rules`. Subclasses may override it.

        :raises TypeError: if the target is a function that cannot be called with a request.
        """
        if type(self).get_target_delegate is RuleRouter.get_target_delegate:
            _check_function(rule)
        return rule

    def find_handler(
        self, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """Return the delegate of the first matching rule whose target provides a delegate."""
        for rule, params in self._matches(request):
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            request.matched_rule = rule  # a router that is the target replaces it with its own rule
            found = self.get_target_delegate(rule.target, request, **params)
            if found is not None:
                return found
        request.matched_rule = None
        return None

    def get_target_delegate(
        self, target: Any, request: httputil.HTTPServerRequest, **target_params: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """Return the delegate of a rule's target. Subclasses override it to support other kinds of targets.

        :param target_params: the arguments from the matcher, and ``target_kwargs`` if the rule has any.
        :returns: None if the target is of an unknown kind, or is a router that has no delegate for the
            request.
        """
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, httputil.HTTPServerConnectionDelegate):
            return self._delegate_of_server(target, request)
        if isinstance(target, type):
            found = self._delegate_of_class(target, request, target_params)
            if found is not None:
                return found
        if callable(target):
            return _CallableDelegate(functools.partial(target, **target_params), request)
        return None

    def _delegate_of_server(
        self, target: httputil.HTTPServerConnectionDelegate, request: httputil.HTTPServerRequest
    ) -> httputil.HTTPMessageDelegate:
        """Return the delegate of a target that could be the callback of a server.

        It is separate from `get_target_delegate` for the same reason as `_delegate_of_class`.
        """
        assert request.connection is not None
        return target.start_request(request.server_connection, request.connection)

    def _delegate_of_class(
        self, target: type[Any], request: httputil.HTTPServerRequest, params: dict[str, Any]
    ) -> httputil.HTTPMessageDelegate | None:
        """Return the delegate of a target that is a class. An application overrides it for handler classes.

        It is separate from `get_target_delegate`, so an application can detect whether a program has
        overridden or patched that method.
        """
        return None

    def first_rule(self, request: httputil.HTTPServerRequest) -> Rule | None:
        """Return the first rule that matches a request, or None."""
        found = self._match(request)
        return None if found is None else found[0]

    def _match(self, request: httputil.HTTPServerRequest) -> _Match | None:
        """Return the first rule that matches, and the arguments from its matcher."""
        table, rules = self._table, self.rules
        if (
            table is None
            or table.rules is not rules
            or type(rules) is not _VersionedRules
            or table.version != rules.version
            or table.changes != _rule_changes[0]
        ):
            table = self._current_table()
        direct, path = table.direct, request.path
        if path in direct and PathMatches.match is _PATH_MATCH:
            return direct[path]
        return table.first(request)

    def _matches(self, request: httputil.HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
        """Iterate over all rules that match, in order, with the arguments from their matchers."""
        return self._current_table().matches(request)

    def _current_table(self) -> _RuleIndex:
        table, rules = self._table, self.rules
        if table is None or not table.is_current(rules):
            table = self._table = _RuleIndex(rules)
        return table


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A `RuleRouter` whose rules may have names. It also finds named rules of the routers it contains."""

    def __init__(self, rules: _RuleList | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        """Register the name of a rule, and return the rule."""
        rule = super().process_rule(rule)
        name = rule.name
        if not name:
            return rule
        if name in self.named_rules:
            app_log.warning("Multiple handlers named %s; replacing previous value", name)
        self.named_rules[name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Return the path of a named rule; see `ReversibleRouter.reverse_url`."""
        own = self.named_rules.get(name)
        if own is not None:
            return own.reverse(*args)
        routers = (rule.target for rule in self.rules if isinstance(rule.target, ReversibleRouter))
        paths = (router.reverse_url(name, *args) for router in routers)
        return next((path for path in paths if path is not None), None)


# --- finding rules ---

_PATH_MATCH = PathMatches.match

#: The rule's position in the list; the rule; its pattern, or None if its matcher must be called; and whether
#: the pattern has exactly one group, which is unnamed (the most frequent case).
_Entry: TypeAlias = tuple[int, Rule, Pattern[str] | None, bool]


#: A rule, and the positional and the keyword arguments from its matcher.
_Match: TypeAlias = tuple[Rule, Sequence[bytes], dict[str, bytes] | None]


class _RuleIndex:
    """An index of a list of rules.

    * `literals`: path -> the rules for exactly that path, and the other rules before the first of these that
      may also match it.
    * `direct`: path -> the result of `first`, if no other rule can match before that of `literals`.
    * `patterns`: for each pair of prefix length and suffix length in use, a dict: (prefix, suffix) -> the
      rules whose pattern begins and ends with this literal text. There are few such pairs, and each costs one
      dictionary look-up. If the suffix is empty, the key is the prefix alone.
    * `others`: the rules whose matcher must be called.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.version = rules.version if type(rules) is _VersionedRules else None
        self.changes = _rule_changes[0]
        self.snapshot = rules[:]
        self.others: list[_Entry] = []
        literals: dict[str, list[_Entry]] = {}
        patterns: dict[tuple[int, int], dict[str | tuple[str, str], list[_Entry]]] = {}
        for position, rule in enumerate(self.snapshot):
            regex = _pattern_of(rule.matcher)
            if regex is None:
                self.others.append((position, rule, None, False))
                continue
            prefix, complete = _literal_prefix(regex)
            if complete:
                literals.setdefault(prefix, []).append((position, rule, regex, False))
            else:
                suffix = _literal_suffix(regex)
                by_affixes = patterns.setdefault((len(prefix), len(suffix)), {})
                one_group = regex.groups == 1 and not regex.groupindex
                affixes = (prefix, suffix) if suffix else prefix
                by_affixes.setdefault(affixes, []).append((position, rule, regex, one_group))
        self.patterns = [(*lengths, by_affixes) for lengths, by_affixes in patterns.items()]
        self.literals = {
            path: (exact, [entry for entry in self.candidates(path) if entry[0] < exact[0][0]])
            for path, exact in literals.items()
        }
        self.direct: dict[str, _Match] = {
            path: (exact[0][1], (), None) for path, (exact, earlier) in self.literals.items() if not earlier
        }
        heads.add_fixed_targets(literals)

    def is_current(self, rules: list[Rule]) -> bool:
        """Whether this index is up to date for a list of rules."""
        if self.changes != _rule_changes[0]:
            return False
        if type(rules) is _VersionedRules:
            return self.rules is rules and self.version == rules.version
        # A plain list does not count its changes. The comparison is fast because it checks identity first.
        return self.version is None and self.snapshot == rules

    def first(self, request: httputil.HTTPServerRequest) -> _Match | None:
        """Return the first rule that matches a request, and the arguments from its matcher."""
        if PathMatches.match is not _PATH_MATCH:
            for rule, params in _match_all(self.snapshot, request):
                return rule, params.get("path_args", ()), params.get("path_kwargs")
            return None
        path = request.path
        literal = self.literals.get(path)
        for _, rule, regex, one_group in self.candidates(path) if literal is None else literal[1]:
            if regex is None:
                given = rule.matcher.match(request)
                if given is not None:
                    return rule, given.get("path_args", ()), given.get("path_kwargs")
            else:
                found = regex.match(path)
                if found is None:
                    continue
                if one_group and (text := found[1]) is not None:
                    # This is the code of `_arguments`, inlined.
                    decoded = _unquote_to_bytes(text) if "%" in text else text.encode()
                    return rule, [decoded], None
                params = _arguments(regex, found)
                return rule, params.get("path_args", ()), params.get("path_kwargs")
        return None if literal is None else (literal[0][0][1], (), None)

    def matches(self, request: httputil.HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
        """Iterate over all rules that match a request, in order, with the arguments from their matchers."""
        if PathMatches.match is not _PATH_MATCH:
            yield from _match_all(self.snapshot, request)
            return
        path = request.path
        entries = self.candidates(path)
        if path in self.literals:
            entries = sorted(entries + self.literals[path][0], key=_position)
        for entry in entries:
            params = _match_entry(entry, request, path)
            if params is not None:
                yield entry[1], params

    def candidates(self, path: str) -> list[_Entry]:
        """Return the rules that may match a path, in order, without the rules in `literals`."""
        found, merged = self.others, False
        size = len(path)
        for begin, end, by_affixes in self.patterns:
            affixes = (path[:begin], path[size - end :]) if end else path[:begin]
            if affixes in by_affixes:
                entries = by_affixes[affixes]
                merged = merged or bool(found)
                found = found + entries if found else entries
        return sorted(found, key=_position) if merged else found


def _match_entry(entry: _Entry, request: httputil.HTTPServerRequest, path: str) -> dict[str, Any] | None:
    """Match a request against an entry; return the arguments, or None if the request does not match."""
    _, rule, regex, _ = entry
    if regex is None:
        return rule.matcher.match(request)
    found = regex.match(path)
    return None if found is None else _arguments(regex, found)


def _position(entry: _Entry) -> int:
    return entry[0]


def _match_all(
    rules: list[Rule], request: httputil.HTTPServerRequest
) -> Iterator[tuple[Rule, dict[str, Any]]]:
    """Call every matcher, without the index."""
    for rule in rules:
        params = rule.matcher.match(request)
        if params is not None:
            yield rule, params


def _pattern_of(matcher: Matcher) -> Pattern[str] | None:
    """Return the pattern of a `PathMatches`; None for a matcher with another or an overridden `match`."""
    if (
        isinstance(matcher, PathMatches)
        and type(matcher).match is _PATH_MATCH
        and "match" not in vars(matcher)
        and isinstance(matcher.regex.pattern, str)
    ):
        return matcher.regex
    return None


_SPECIAL = frozenset(".^$*+?{}[]\\|()")


def _literal_prefix(regex: Pattern[str]) -> tuple[str, bool]:
    """Return the literal text at the start of a pattern, and whether the pattern matches only this text."""
    pattern = regex.pattern
    if not _is_plain(regex):
        return "", False
    position = 1 if pattern.startswith("^") else 0
    prefix = ""
    while position < len(pattern):
        character, step = pattern[position], 1
        if character == "\\" and position + 1 < len(pattern):
            character, step = pattern[position + 1], 2
            if character.isascii() and character.isalnum():
                break
        elif character in _SPECIAL:
            break
        if pattern[position + step : position + step + 1] in ("*", "?", "{"):
            break  # this character is optional
        prefix += character
        position += step
    return prefix, pattern[position:] == "$"


def _literal_suffix(regex: Pattern[str]) -> str:
    """Return literal text with which every match of a pattern ends; a longer suffix may exist."""
    pattern = regex.pattern
    if not _is_plain(regex) or not pattern.endswith("$"):
        return ""
    begin = end = len(pattern) - 1
    while begin and pattern[begin - 1] not in _SPECIAL:
        begin -= 1
    if begin and pattern[begin - 1] == "\\":
        begin += 1  # a character after a backslash may not be literal
    return pattern[begin:end]


def _is_plain(regex: Pattern[str]) -> bool:
    """Whether a pattern has no flags, and no alternatives outside of groups."""
    return not regex.flags & ~re.UNICODE and "|" not in _without_groups(regex.pattern)


_ESCAPE_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*+\]", re.DOTALL)


def _without_groups(pattern: str) -> str:
    """Remove escapes, character classes and groups from a pattern."""
    output, depth = "", 0
    for part in re.split(r"([()])", _ESCAPE_OR_CLASS.sub("", pattern)):
        depth += (part == "(") - (part == ")")
        if not depth:
            output += part
    return output


reexport(globals())
