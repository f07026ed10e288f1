"""From a request to whom it is for.

A router is told of a request's head and returns the delegate that is told of the rest. `RuleRouter` keeps
a list of rules, each a `Matcher` with a target; the first rule that matches wins. A target is another
router, any `.HTTPServerConnectionDelegate`, or a function of the request; `tornado.web.Application` adds
request handlers::

    router = RuleRouter([
        Rule(HostMatches("api.example.com"), RuleRouter([("/users/([0-9]+)", user)])),
        ("/robots.txt", robots),
    ])
    HTTPServer(router).listen(8888)

`ReversibleRouter` also goes the other way, from a rule's name to a path.

How rules are found
    Rules of plain paths are looked up in a dictionary, patterns by the plain text they begin with, so
    that the number of rules hardly matters. All other matchers are asked one by one, in their turn; the
    order of the list is what counts, whatever the kind of rule. A list of rules may be changed, or
    replaced, at any time: that counts from the next request on.

The file is longer than the house allows because it is one public module whose classes subclass one another.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from re import Pattern
from typing import Any, Self, TypeAlias

from tornado import _signatures, httputil
from tornado._reexports import reexport
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
    """Finds the delegate for each request; subclasses define `find_handler`."""

    def find_handler(
        self, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """Whom to tell of a request.

        :arg request: the request, of which only the head has come.
        :arg kwargs: what the rule that led here has to say.
        :returns: None where this router knows nobody; the request is then answered with 404, or another
            rule is tried.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has to define find_handler()")

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """A delegate that waits for the head, and then gives way to the one that `find_handler` names."""
        return _RoutingDelegate(self, server_conn, request_conn)


class ReversibleRouter(Router):
    """A router that knows the paths of its rules by their names."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """The path of a named rule, its groups replaced by `args`; None where there is none of that name."""
        raise NotImplementedError(f"{type(self).__qualname__} has to define reverse_url()")


class _RoutingDelegate(httputil.HTTPMessageDelegate):
    """Stands in for a request's delegate until the head has come."""

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
        # A delegate may return something to await, as those of tornado.web do.
        return self.delegate.finish()

    def on_connection_close(self) -> None:
        # The connection may be gone before the head has come.
        if self.delegate is not None:
            self.delegate.on_connection_close()


class _NotFoundDelegate(httputil.HTTPMessageDelegate):
    """Answers 404."""

    def __init__(self, connection: httputil.HTTPConnection) -> None:
        self.connection = connection

    def finish(self) -> None:
        start_line = httputil.ResponseStartLine("HTTP/1.1", 404, "Not Found")
        _ = self.connection.write_headers(start_line, httputil.HTTPHeaders({"Content-Length": "0"}))
        self.connection.finish()


class _CallableDelegate(httputil.HTTPMessageDelegate):
    """Collects a request and calls a function with it."""

    def __init__(
        self, function: Callable[[httputil.HTTPServerRequest], object], request: httputil.HTTPServerRequest
    ) -> None:
        self.function, self.request = function, request
        self.pieces: list[bytes] = []

    def data_received(self, chunk: bytes) -> None:
        self.pieces.append(chunk)

    def finish(self) -> None:
        self.request.body = b"".join(self.pieces)
        self.request.note_form()
        self.function(self.request)


# --- matchers ---


class Matcher:
    """Says whether a request is one for its rule; subclasses define `match`."""

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Look at a request.

        :returns: None where it does not match. Else arguments for whom the rule leads to: ``path_args`` and
            ``path_kwargs`` go to a handler's method, all of them to a router's `Router.find_handler`. The
            dictionary is the caller's to change.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has to define match()")

    def reverse(self, *args: Any) -> str | None:
        """The path that matches and has these arguments, None where that cannot be told."""
        return None


class AnyMatches(Matcher):
    """Matches every request."""

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """Always ``{}``."""
        return {}


class HostMatches(Matcher):
    """Matches requests for certain hosts.

    :arg host_pattern: a regular expression for the whole host name, without a port; a compiled one may match
        the beginning alone.
    """

    def __init__(self, host_pattern: str | Pattern[str]) -> None:
        self.host_pattern: Pattern[str] = _whole(host_pattern)

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """``{}`` where the host matches."""
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches whatever the host, where the application's ``default_host`` matches, except behind a proxy.

    :arg application: an object with a ``default_host``.
    :arg host_pattern: a compiled regular expression.
    """

    def __init__(self, application: Any, host_pattern: Pattern[str]) -> None:
        self.application: Any = application
        self.host_pattern: Pattern[str] = host_pattern

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """``{}`` where the default host matches and the request did not come through a proxy."""
        if "X-Real-Ip" in request.headers or not self.host_pattern.match(self.application.default_host):
            return None
        return {}


class PathMatches(Matcher):
    """Matches requests by their path.

    :arg path_pattern: a regular expression for the whole path; a compiled one may match the beginning alone.
        What its groups match is percent-decoded, to bytes, and passed on: as ``path_kwargs`` where all
        have names, as ``path_args`` where none has one.
    :raises ValueError: where some groups have names and some do not.
    """

    def __init__(self, path_pattern: str | Pattern[str]) -> None:
        self.regex: Pattern[str] = _whole(path_pattern)
        if self.regex.groupindex and len(self.regex.groupindex) != self.regex.groups:
            raise _MixedGroupsError(
                f"in {self.regex.pattern!r} some groups have names and others have not: name all or none"
            )
        self._pieces = _text_between_groups(self.regex)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "regex" and "regex" in self.__dict__:
            _changes[0] += 1
        super().__setattr__(name, value)

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """What the groups matched, ``{}`` where there are none."""
        found = self.regex.match(request.path)
        return None if found is None else _arguments(self.regex, found)

    def reverse(self, *args: Any) -> str | None:
        """The path with its groups replaced by the arguments, percent-encoded.

        :raises ValueError: where the pattern is too complicated for that.
        """
        if self._pieces is None:
            raise ValueError(f"Cannot reverse url regex {self.regex.pattern}")
        if len(args) != len(self._pieces) - 1:
            # AssertionError is what programs have always been given here.
            wanted = len(self._pieces) - 1
            raise AssertionError(
                f"required number of arguments not found: "
                f"{self.regex.pattern!r} takes {wanted}, not {len(args)}"
            )
        output = self._pieces[0]
        for value, piece in zip(args, self._pieces[1:], strict=True):
            text = value if isinstance(value, (str, bytes)) else str(value)
            output += url_escape(utf8(text), plus=False) + piece
        return output

    def _find_groups(self) -> tuple[str, int] | tuple[None, None]:
        """The path as a ``%`` template of its groups, and their number: OpenTelemetry names routes by it."""
        if self._pieces is None:
            return None, None
        count = len(self._pieces) - 1
        if not count:
            return self._pieces[0], 0
        return "%s".join(piece.replace("%", "%%") for piece in self._pieces), count


class _MixedGroupsError(ValueError, AssertionError):
    """A pattern with named and unnamed groups."""


def _whole(pattern: str | Pattern[str]) -> Pattern[str]:
    """A compiled pattern; one that is given as text has to match to the end."""
    if not isinstance(pattern, str):
        return pattern
    return re.compile(pattern if pattern.endswith("$") else pattern + "$")


def _arguments(regex: Pattern[str], found: re.Match[str]) -> dict[str, Any]:
    """What `PathMatches.match` returns for a match."""
    if not regex.groups:
        return {}
    if regex.groupindex:
        named = found.groupdict().items()
        return {"path_args": [], "path_kwargs": {str(name): _decoded(text) for name, text in named}}
    return {"path_args": [_decoded(text) for text in found.groups()], "path_kwargs": {}}


def _decoded(text: str | None) -> bytes | None:
    if text is None:
        return None
    return _unquote_to_bytes(text) if "%" in text else text.encode()


def _text_between_groups(regex: Pattern[str]) -> list[str] | None:
    """The plain text before, between and behind a pattern's groups, None where that is not all there is."""
    pattern = regex.pattern.removeprefix("^").removesuffix("$")
    if pattern.count("(") != regex.groups:
        return None  # an escaped parenthesis, or a group that captures nothing
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
                return None  # a class such as \d has no text of its own
    return pieces


# --- rules ---

# How often a rule that was made already was given another matcher, or a matcher another pattern.
_changes = [0]


class Rule:
    """A matcher and its target.

    :arg matcher: which requests it is for.
    :arg target: whom they go to: a router, a connection delegate, a function of the request, or what else the
        router understands (request handlers, for `tornado.web.Application`); a string is a dotted name.
    :arg target_kwargs: passed on to the target, if it takes such.
    :arg name: for `ReversibleRouter.reverse_url`.
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
        self.target: Any = import_object(target) if isinstance(target, str) else target
        self.target_kwargs: dict[str, Any] = target_kwargs or {}

    def __setattr__(self, name: str, value: Any) -> None:
        # Not by __dict__: an object whose dictionary has been asked for is read more slowly ever after.
        if name == "matcher" and hasattr(self, "matcher"):
            _changes[0] += 1
        super().__setattr__(name, value)

    def reverse(self, *args: Any) -> str | None:
        """The path with these arguments; see `Matcher.reverse`."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        """The rule as it could be written."""
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """A rule for a path, and a request handler; `tornado.web.url` is another name of it.

    :arg pattern: as for `PathMatches`.
    :arg handler: a `.RequestHandler` class, or its dotted name.
    :arg kwargs: the arguments of its ``initialize``.
    :arg name: for `ReversibleRouter.reverse_url`.
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
        """The rule as it could be written."""
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


#: What `RuleRouter.add_rules` takes.
_RuleList: TypeAlias = Sequence[
    Rule
    | list[Any]
    | tuple[str | Matcher, Any]
    | tuple[str | Matcher, Any, dict[str, Any]]
    | tuple[str | Matcher, Any, dict[str, Any], str]
]

_FORMS = "(pattern, target), (pattern, target, kwargs), (pattern, target, kwargs, name) or a Rule"


def _as_rule(entry: Any) -> Rule:
    """An entry of a list of rules as a rule.

    :raises TypeError: for what is none; the message shows the entry, and what it should look like.
    """
    if isinstance(entry, Rule):
        return entry
    if not isinstance(entry, (tuple, list)):
        raise TypeError(f"{entry!r:.200} is not a route; a list of routes holds {_FORMS}")
    if not 2 <= len(entry) <= 4:
        raise TypeError(f"the route {entry!r:.200} has {len(entry)} parts; it should be {_FORMS}")
    pattern, target, *rest = entry
    if rest and not (rest[0] is None or isinstance(rest[0], Mapping)):
        hint = "; a name comes fourth" if isinstance(rest[0], str) else ""
        raise TypeError(f"the third part of the route {entry!r:.200} should be a dict of arguments{hint}")
    return Rule(_as_matcher(pattern, entry), target, *rest)


def _as_matcher(pattern: Any, entry: Any) -> Matcher:
    """The first part of an entry as a matcher."""
    if isinstance(pattern, (str, re.Pattern)):
        try:
            return PathMatches(pattern)
        except re.error as error:
            message = f"the pattern of the route {entry!r:.200} does not compile: {error.msg}"
            raise re.error(message, error.pattern, error.pos) from error
    if not callable(getattr(pattern, "match", None)):
        raise TypeError(
            f"the route {entry!r:.200} begins with neither a pattern nor a Matcher; it should be {_FORMS}"
        )
    matcher: Matcher = pattern
    return matcher


def _check_function(rule: Rule) -> None:
    """See that a rule's target, if it is a function, can be called as `_CallableDelegate` calls it."""
    target, matcher = rule.target, rule.matcher
    if isinstance(target, (type, Router, httputil.HTTPServerConnectionDelegate)) or not callable(target):
        return
    names = {"target_kwargs"} if rule.target_kwargs else set()
    if type(matcher) is PathMatches:
        if matcher.regex.groups:
            names |= {"path_args", "path_kwargs"}
    elif type(matcher) not in (AnyMatches, HostMatches, DefaultHostMatches):
        return  # it may have any arguments for the target
    if _signatures.accepts(target, 1, names):
        return
    hint = _GATEWAY_HINTS.get(_signatures.protocol_of(target) or "", "")
    call = ", ".join(["request", *(f"{name}=..." for name in sorted(names))])
    raise TypeError(f"the route {rule!r:.200} leads to a function that cannot be called with ({call}){hint}")


#: What to write in place of a target that is another kind of application.
_GATEWAY_HINTS = {
    "WSGI": '; it looks like a WSGI application: (r".*", FallbackHandler, {"fallback": WSGIContainer(app)})',
    "ASGI": "; it looks like an ASGI application, which needs a server of its own: Tornado cannot call it",
}


class _Rules(list[Rule]):
    """A list of rules that counts its changes."""

    __slots__ = ("version",)
    version: int

    def __new__(cls, *args: Any) -> Self:
        self = super().__new__(cls, *args)
        self.version = 0
        return self


def _counting(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def change(self: _Rules, *args: Any, **kwargs: Any) -> Any:
        self.version += 1
        return method(self, *args, **kwargs)

    return change


for (
    _name
) in "append clear extend insert pop remove reverse sort __delitem__ __iadd__ __imul__ __setitem__".split():
    setattr(_Rules, _name, _counting(getattr(list, _name)))


class RuleRouter(Router):
    """Finds whom a request is for by a list of rules, in their order.

    :arg rules: entries as for `add_rules`.
    """

    #: The rules, in the order in which they are tried; it may be changed, or set to another list.
    rules: list[Rule]
    _table: _Table | None = None

    def __init__(self, rules: _RuleList | None = None) -> None:
        self.rules = _Rules()
        if rules:
            self.add_rules(rules)

    def add_rules(self, rules: _RuleList) -> None:
        """Append rules.

        :arg rules: each is a `Rule`, or the arguments of one as a tuple or list, where text and compiled
            regular expressions stand for `PathMatches`.
        :raises TypeError: for something else.
        :raises re.error: for a pattern that does not compile.
        """
        given: object = rules
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            raise TypeError(f"{given!r:.200} is not a list of routes; it should hold {_FORMS}")
        for entry in rules:
            self.rules.append(self.process_rule(_as_rule(entry)))

    def process_rule(self, rule: Rule) -> Rule:
        """Called with each rule that is added; returns the one to add. A hook for subclasses.

        :raises TypeError: if the target is a function that cannot be called with a request.
        """
        if type(self).get_target_delegate is RuleRouter.get_target_delegate:
            _check_function(rule)
        return rule

    def find_handler(
        self, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """The delegate of the first rule that matches and whose target has one."""
        for rule, params in self._matches(request):
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            found = self.get_target_delegate(rule.target, request, **params)
            if found is not None:
                return found
        return None

    def get_target_delegate(
        self, target: Any, request: httputil.HTTPServerRequest, **target_params: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """The delegate of a rule's target. A hook for subclasses that know further kinds of targets.

        :arg target_params: what the matcher said, and ``target_kwargs`` where the rule has them.
        :returns: None where the target is of no known kind, or knows nobody.
        """
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, httputil.HTTPServerConnectionDelegate):
            assert request.connection is not None
            return target.start_request(request.server_connection, request.connection)
        if isinstance(target, type):
            found = self._delegate_of_class(target, request, target_params)
            if found is not None:
                return found
        if callable(target):
            return _CallableDelegate(functools.partial(target, **target_params), request)
        return None

    def _delegate_of_class(
        self, target: type[Any], request: httputil.HTTPServerRequest, params: dict[str, Any]
    ) -> httputil.HTTPMessageDelegate | None:
        """The delegate of a target that is a class; those of handlers mean something to an application.

        A method of its own, so that every router has the same `get_target_delegate` unless somebody has
        overridden or replaced that, which is then easily seen.
        """
        return None

    def first_rule(self, request: httputil.HTTPServerRequest) -> Rule | None:
        """Return the first rule that matches a request, None if there is none."""
        found = self._match(request)
        return None if found is None else found[0]

    def _match(self, request: httputil.HTTPServerRequest) -> tuple[Rule, dict[str, Any]] | None:
        """The first rule that matches, with what its matcher says."""
        table, rules = self._table, self.rules
        if (
            table is None
            or table.rules is not rules
            or type(rules) is not _Rules
            or table.version != rules.version
            or table.changes != _changes[0]
        ):
            table = self._fresh_table()
        return table.first(request)

    def _matches(self, request: httputil.HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
        """All rules that match, in their order."""
        return self._fresh_table().matches(request)

    def _fresh_table(self) -> _Table:
        table, rules = self._table, self.rules
        if table is None or not table.holds_for(rules):
            table = self._table = _Table(rules)
        return table


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A `RuleRouter` whose rules may have names. Those of routers among its targets are known here too."""

    def __init__(self, rules: _RuleList | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        """Note the rule's name."""
        rule = super().process_rule(rule)
        name = rule.name
        if not name:
            return rule
        if name in self.named_rules:
            app_log.warning("Multiple handlers named %s; replacing previous value", name)
        self.named_rules[name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """The path of a named rule; see `ReversibleRouter.reverse_url`."""
        own = self.named_rules.get(name)
        if own is not None:
            return own.reverse(*args)
        routers = (rule.target for rule in self.rules if isinstance(rule.target, ReversibleRouter))
        paths = (router.reverse_url(name, *args) for router in routers)
        return next((path for path in paths if path is not None), None)


# --- finding rules ---

_PATH_MATCH = PathMatches.match

#: A rule's place in the list, the rule, the pattern to try (None where the matcher has to be asked), and
#: whether the pattern has one group, without a name, as most have.
_Entry: TypeAlias = tuple[int, Rule, Pattern[str] | None, bool]


class _Table:
    """A list of rules, arranged for finding.

    * `literals`: path -> the rules of exactly that path, and the others before the first of them that may
      match it too.
    * `patterns`: for each pair of lengths in use, the first and last so many characters of a path -> the
      rules whose pattern begins and ends with them. There are few such pairs, and each costs one look into a
      dictionary.
    * `others`: the rules whose matcher has to be asked.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.version = rules.version if type(rules) is _Rules else None
        self.changes = _changes[0]
        self.snapshot = rules[:]
        self.others: list[_Entry] = []
        literals: dict[str, list[_Entry]] = {}
        patterns: dict[tuple[int, int], dict[tuple[str, str], list[_Entry]]] = {}
        for place, rule in enumerate(self.snapshot):
            regex = _pattern_of(rule.matcher)
            if regex is None:
                self.others.append((place, rule, None, False))
                continue
            prefix, complete = _literal_prefix(regex)
            if complete:
                literals.setdefault(prefix, []).append((place, rule, regex, False))
            else:
                suffix = _literal_suffix(regex)
                alike = patterns.setdefault((len(prefix), len(suffix)), {})
                one_group = regex.groups == 1 and not regex.groupindex
                alike.setdefault((prefix, suffix), []).append((place, rule, regex, one_group))
        self.patterns = [(*lengths, alike) for lengths, alike in patterns.items()]
        self.literals = {
            path: (exact, [entry for entry in self.candidates(path) if entry[0] < exact[0][0]])
            for path, exact in literals.items()
        }
        heads.add_fixed_targets(literals)

    def holds_for(self, rules: list[Rule]) -> bool:
        """Whether this is the table of a list as it is now."""
        if self.changes != _changes[0]:
            return False
        if type(rules) is _Rules:
            return self.rules is rules and self.version == rules.version
        # An ordinary list does not tell of its changes. Comparing looks at identities first, and is fast.
        return self.version is None and self.snapshot == rules

    def first(self, request: httputil.HTTPServerRequest) -> tuple[Rule, dict[str, Any]] | None:
        """The first rule that matches a request, with what its matcher says."""
        if PathMatches.match is not _PATH_MATCH:
            return next(_ask_all(self.snapshot, request), None)
        path = request.path
        literal = self.literals.get(path)
        for _, rule, regex, one_group in self.candidates(path) if literal is None else literal[1]:
            if regex is None:
                params = rule.matcher.match(request)
                if params is not None:
                    return rule, params
            else:
                found = regex.match(path)
                if found is None:
                    continue
                if one_group and (text := found[1]) is not None:
                    # What `_arguments` would say.
                    decoded = _unquote_to_bytes(text) if "%" in text else text.encode()
                    return rule, {"path_args": [decoded], "path_kwargs": {}}
                return rule, _arguments(regex, found)
        return None if literal is None else (literal[0][0][1], {})

    def matches(self, request: httputil.HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
        """All rules that match a request, in the order of the list, with what their matchers say."""
        if PathMatches.match is not _PATH_MATCH:
            yield from _ask_all(self.snapshot, request)
            return
        path = request.path
        entries = self.candidates(path)
        if path in self.literals:
            entries = sorted(entries + self.literals[path][0], key=_place)
        for entry in entries:
            params = _ask(entry, request, path)
            if params is not None:
                yield entry[1], params

    def candidates(self, path: str) -> list[_Entry]:
        """The rules that may match a path, besides those of exactly that path, in the order of the list."""
        found, merged = self.others, False
        size = len(path)
        for begin, end, alike in self.patterns:
            entries = alike.get((path[:begin], path[size - end :]))
            if entries is not None:
                merged = merged or bool(found)
                found = found + entries if found else entries
        return sorted(found, key=_place) if merged else found


def _ask(entry: _Entry, request: httputil.HTTPServerRequest, path: str) -> dict[str, Any] | None:
    """Whether a rule matches, and with what arguments."""
    _, rule, regex, _ = entry
    if regex is None:
        return rule.matcher.match(request)
    found = regex.match(path)
    return None if found is None else _arguments(regex, found)


def _place(entry: _Entry) -> int:
    return entry[0]


def _ask_all(rules: list[Rule], request: httputil.HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
    """The plain way: ask every matcher."""
    for rule in rules:
        params = rule.matcher.match(request)
        if params is not None:
            yield rule, params


def _pattern_of(matcher: Matcher) -> Pattern[str] | None:
    """The pattern that decides for a matcher; None where it decides by code of its own."""
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
    """The plain text a pattern begins with, and whether it is exactly that text that the pattern matches."""
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
            break  # this character need not be there
        prefix += character
        position += step
    return prefix, pattern[position:] == "$"


def _literal_suffix(regex: Pattern[str]) -> str:
    """The plain text that ends whatever a pattern matches, a part of it at least."""
    pattern = regex.pattern
    if not _is_plain(regex) or not pattern.endswith("$"):
        return ""
    begin = end = len(pattern) - 1
    while begin and pattern[begin - 1] not in _SPECIAL:
        begin -= 1
    if begin and pattern[begin - 1] == "\\":
        begin += 1  # what is behind a backslash may be something else than itself
    return pattern[begin:end]


def _is_plain(regex: Pattern[str]) -> bool:
    """Whether a pattern has no flags, and no alternatives but in groups."""
    return not regex.flags & ~re.UNICODE and "|" not in _without_groups(regex.pattern)


_ESCAPE_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*+\]", re.DOTALL)


def _without_groups(pattern: str) -> str:
    """A pattern without escapes, character classes, and what stands in parentheses."""
    output, depth = "", 0
    for part in re.split(r"([()])", _ESCAPE_OR_CLASS.sub("", pattern)):
        depth += (part == "(") - (part == ")")
        if not depth:
            output += part
    return output


reexport(globals())
