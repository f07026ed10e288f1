"""Rules, matchers and routers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.routing import all_matches, attributes_of, candidates, first_match, template_of
from tests.support.threads import in_other_thread
from tornado import routing
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Router,
    Rule,
    RuleRouter,
    URLSpec,
)


def request(path="/", host="example.com", **headers):
    start_line = RequestStartLine("GET", path, "HTTP/1.1")
    return HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": host, **headers}))


class Target(Router):
    """A router that returns its name and the arguments of the call."""

    def __init__(self, name):
        self.name = name

    def find_handler(self, request, **kwargs):
        return (self.name, kwargs)

    def __repr__(self):
        return f"<{self.name}>"


class NoMatchRouter(Router):
    def find_handler(self, request, **kwargs):
        return None


def target_name(router, path="/", **kwargs):
    """Return the name of the target for a path, or None."""
    delegate = router.find_handler(request(path, **kwargs))
    matched = first_match(router, request(path, **kwargs))
    assert (delegate is None) == (matched is None)
    if delegate is None:
        return None
    assert matched[0].target.name == delegate[0]
    # `first_match` keeps only what a handler receives.
    assert matched[1] == {k: v for k, v in delegate[1].items() if k in ("path_args", "path_kwargs")}
    return delegate[0]


def router_of(*patterns):
    return RuleRouter([(pattern, Target(pattern)) for pattern in patterns])


# --- matchers ---


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/", "/", {}),
        ("/", "/a", None),
        ("/a", "/ab", None),
        ("^/a$", "/a", {}),
        ("/(.*)", "/b%20c%2F%E9+d", {"path_args": [b"b c/\xe9+d"], "path_kwargs": {}}),
        ("/(.*)", "/é", {"path_args": ["é".encode()], "path_kwargs": {}}),
        ("/(.*)", "/", {"path_args": [b""], "path_kwargs": {}}),
        ("/([^/]+)(/z)?", "/y", {"path_args": [b"y", None], "path_kwargs": {}}),
        ("/(?P<a>.)/(?P<b>.)?", "/1/", {"path_args": [], "path_kwargs": {"a": b"1", "b": None}}),
        (re.compile("/a"), "/abc", {}),
        (re.compile("/A", re.IGNORECASE), "/a", {}),
    ],
)
def test_path_matches_returns_the_groups(pattern, path, expected):
    assert PathMatches(pattern).match(request(path)) == expected
    matched = first_match(RuleRouter([(pattern, Target("t"))]), request(path))
    assert (matched and matched[1]) == expected


def test_named_and_unnamed_groups_together_raise():
    for error in (ValueError, AssertionError):
        with pytest.raises(error, match=r"'/\(\?P<a>x\)\(y\)\$' has both named and unnamed groups"):
            PathMatches("/(?P<a>x)(y)")


@pytest.mark.parametrize(
    ("pattern", "arguments", "path"),
    [
        ("/", (), "/"),
        ("^/a/(.*)$", ("x y/é?",), "/a/x%20y/%C3%A9%3F"),
        ("/(?P<a>.*)/b/(?P<c>[0-9]+)", ("x", 5), "/x/b/5"),
        (r"/q\.html/100%/(.)", (b"\xe9",), "/q.html/100%/%E9"),
        ("/((a)|b)/c", ("x",), "/x/c"),
    ],
)
def test_reverse_fills_the_groups(pattern, arguments, path):
    assert PathMatches(pattern).reverse(*arguments) == path
    with pytest.raises(AssertionError, match="required number of arguments"):
        PathMatches(pattern).reverse(*arguments, "one too many")


@pytest.mark.parametrize("pattern", ["/a(?:b)", r"/\(c\)", r"/(a)/\d+"])
def test_irreversible_patterns_raise(pattern):
    with pytest.raises(ValueError, match="Cannot reverse url regex"):
        PathMatches(pattern).reverse("x")
    assert template_of(PathMatches(pattern)) == (None, None)
    assert attributes_of(PathMatches(pattern)) == (None, None)


@pytest.mark.parametrize(
    ("pattern", "template", "count"),
    [
        ("/plain", "/plain", 0),
        ("/100%", "/100%", 0),
        ("/none/[0-9]/", "/none/[0-9]/", 0),
        (r"^/a\.b/([^/]+)$", "/a.b/%s", 1),
        ("/(?P<a>x)/100%/(?P<b>y)/", "/%s/100%%/%s/", 2),
        ("/((a)|b)/c", "/%s/c", 1),
        ("/(a|b)/(c)?", "/%s/%s?", 2),
    ],
)
def test_template_and_groups_are_found(pattern, template, count):
    assert template_of(PathMatches(pattern)) == (template, count)
    assert attributes_of(PathMatches(pattern)) == (template, count)


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("example.com", "example.com:8888", {}),
        ("example.com", "EXAMPLE.com", {}),
        ("example.com", "example.com.evil", None),
        (".*", "x", {}),
        (re.compile("exam"), "example.com", {}),
    ],
)
def test_host_matches_ignores_case_and_port(pattern, host, expected):
    assert HostMatches(pattern).match(request(host=host)) == expected


def test_default_host_matches():
    class application:
        default_host = "www.example.com"

    matcher = DefaultHostMatches(application, re.compile("www.example.com$"))
    assert matcher.match(request(host="127.0.0.1")) == {}
    assert matcher.match(request(**{"X-Real-Ip": "1.2.3.4"})) is None
    assert DefaultHostMatches(application, re.compile("other")).match(request()) is None


def test_any_matches_and_base_class():
    assert AnyMatches().match(request()) == {}
    assert Matcher().reverse() is None
    with pytest.raises(NotImplementedError, match="Matcher must define match"):
        Matcher().match(request())


# --- rules ---


def test_rule_imports_its_target():
    rule = Rule(AnyMatches(), "tornado.routing.Router", {"a": 1}, "name")
    assert rule.target is Router
    assert (rule.target_kwargs, rule.name, rule.reverse(1)) == ({"a": 1}, "name", None)
    assert repr(rule).startswith("Rule(<tornado.routing.AnyMatches object")
    assert repr(rule).endswith("<class 'tornado.routing.Router'>, kwargs={'a': 1}, name='name')")
    assert Rule(AnyMatches(), Router).target_kwargs == {}


def test_url_spec_is_a_rule_for_a_path():
    spec = URLSpec("/(.*)", "tornado.routing.Router", {"a": 1}, "name")
    assert (spec.handler_class, spec.kwargs, spec.target_kwargs) == (Router, {"a": 1}, {"a": 1})
    assert spec.regex.pattern == "/(.*)$"
    assert spec.reverse("x") == "/x"
    assert repr(spec) == "URLSpec('/(.*)$', <class 'tornado.routing.Router'>, kwargs={'a': 1}, name='name')"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("/", "'/' is not a list of routes; each item must be (pattern, target), "),
        (5, "5 is not a list of routes"),
        (Router, "is not a list of routes"),
        (["/", Router], "'/' is not a route; expected (pattern, target), "),
        ([None], "None is not a route"),
        ([("/",)], "the route ('/',) has 1 items; expected (pattern, target), "),
        ([("/", 1, {}, "n", 5)], "has 5 items"),
        (
            [("/", 1, "name")],
            "the third item of the route ('/', 1, 'name') must be a dict of arguments; the name is the",
        ),
        ([("/", 1, 5)], "must be a dict of arguments"),
        ([(5, 1)], "the first item of the route (5, 1) must be a pattern or a Matcher"),
    ],
)
def test_invalid_rules_raise(rules, message):
    with pytest.raises(TypeError) as caught:
        RuleRouter(rules)
    assert message in str(caught.value)


def test_invalid_pattern_raises():
    with pytest.raises(re.error, match=r"the pattern of the route \('/\(', 5\) does not compile: missing \)"):
        RuleRouter([("/(", 5)])


def test_all_forms_of_rules():
    class CustomMatcher:
        def match(self, request):
            return {"mine": True} if request.path == "/mine" else None

    router = RuleRouter(
        (
            ["/a", Target("a")],
            ("/b", Target("b"), {"k": 1}, "name"),
            ("/c", Target("c"), None),
            (re.compile("/d"), Target("d")),
            (CustomMatcher(), Target("mine")),
            URLSpec("/e", Target("e")),
            Rule(HostMatches("f"), Target("f")),
        )
    )
    assert [target_name(router, path) for path in ("/a", "/b", "/c", "/dd", "/mine", "/e", "/")] == [
        *("a", "b", "c", "d", "mine", "e", None),
    ]
    assert target_name(router, host="f") == "f"
    assert router.find_handler(request("/b")) == ("b", {"target_kwargs": {"k": 1}})


# --- finding ---


def test_first_match_wins():
    router = router_of("/a", "/(.*)", "/b", "/a/(.)", "/a")
    assert [target_name(router, path) for path in ("/a", "/b", "/a/x")] == ["/a", "/(.*)", "/(.*)"]
    router = router_of("/a/b", "/a/(.*)", "/(.*)/b", "/.*", "/c")
    paths = ("/a/b", "/a/c", "/c/b", "/c", "x")
    assert [target_name(router, path) for path in paths] == ["/a/b", "/a/(.*)", "/(.*)/b", "/.*", None]


def test_target_without_delegate_is_skipped():
    router = RuleRouter(
        [("/a", NoMatchRouter()), ("/a", 5), ("/(.*)", NoMatchRouter()), ("/a", Target("last"))]
    )
    assert router.find_handler(request("/a"))[0] == "last"
    assert router.find_handler(request("/b")) is None


PIECES = st.sampled_from(
    [
        "/",
        "a",
        "b",
        "ab",
        "(.*)",
        "([ab]+)",
        "(a|b)",
        "|",
        "^",
        "$",
        ".",
        "a?",
        "b*",
        "(a)?",
        r"\.",
        r"\w",
        "(?:a)",
        "[(]",
        "{",
    ]
)
PATHS = st.text("/ab.(|", max_size=6)


@given(
    st.lists(st.lists(PIECES, max_size=5).map("".join), max_size=12),
    st.lists(PATHS, max_size=8),
    st.booleans(),
)
def test_index_agrees_with_calling_every_matcher(patterns, paths, compiled):
    rules = []
    for pattern in patterns:
        try:
            rules.append((re.compile(pattern) if compiled else pattern, Target(pattern)))
        except re.error:
            continue
    router = RuleRouter()
    for rule in rules:
        try:
            router.add_rules([rule])
        except re.error:
            continue
    for path in [*paths, *patterns]:
        asked = request()
        asked.path = path
        expected_matches = list(routing._match_all(router.rules, asked))
        assert all_matches(router, asked) == expected_matches
        assert first_match(router, asked) == (expected_matches[0] if expected_matches else None)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rules, new: rules.insert(0, new), "new"),
        (lambda rules, new: rules.append(new), "old"),
        (lambda rules, new: rules.__setitem__(0, new), "new"),
        (lambda rules, new: rules.__setitem__(slice(0, 0), [new]), "new"),
        (lambda rules, new: rules.clear(), None),
        (lambda rules, new: rules.pop(), None),
        (lambda rules, new: rules.remove(rules[0]), None),
        (lambda rules, new: rules.__delitem__(0), None),
        (lambda rules, new: (rules.extend([new]), rules.reverse()), "new"),
        (lambda rules, new: rules.__iadd__([new]), "old"),
        (lambda rules, new: (rules.append(new), rules.sort(key=lambda rule: rule.target.name)), "new"),
        (lambda rules, new: setattr(rules[0], "matcher", HostMatches("nowhere")), None),
        (lambda rules, new: setattr(rules[0].matcher, "regex", re.compile("/b")), None),
        (lambda rules, new: setattr(rules[0], "target", Target("other")), "other"),
    ],
)
def test_change_of_rules_takes_effect_with_next_request(change, expected, kept):
    router = RuleRouter([("/a", Target("old"))])
    if not kept:
        router.rules = list(router.rules)  # a plain list, whose changes are not counted
    assert target_name(router, "/a") == "old"
    change(router.rules, Rule(PathMatches("/a"), Target("new")))
    assert target_name(router, "/a") == expected


def test_replaced_list_takes_effect():
    router = router_of("/a")
    assert target_name(router, "/a") == "/a"
    router.rules = router_of("/b").rules
    assert (target_name(router, "/a"), target_name(router, "/b")) == (None, "/b")
    router.rules = []
    assert target_name(router, "/b") is None


def test_custom_matchers_are_called_in_order(monkeypatch):
    class Shouting(PathMatches):
        def match(self, request):
            params = super().match(request)
            return None if params is None else {"shouted": True}

    asked = []

    class Watching(Matcher):
        def match(self, request):
            asked.append(request.path)

    router = RuleRouter(
        [
            ("/first", Target("first")),
            (Watching(), Target("w")),
            (Shouting("/(.*)"), Target("s")),
            ("/x", Target("x")),
        ]
    )
    assert target_name(router, "/first") == "first"
    assert asked == []
    assert first_match(router, request("/x")) == (router.rules[2], {})
    assert asked == ["/x"]
    monkeypatch.setattr(router.rules[0].matcher, "match", lambda request: None, raising=False)
    router.rules = list(router.rules)
    assert target_name(router, "/first") == "s"


def test_path_matches_patched_on_the_class(monkeypatch):
    router = router_of("/a", "/(.*)")
    assert target_name(router, "/a") == "/a"
    monkeypatch.setattr(PathMatches, "match", lambda self, request: {} if self.regex.groups else None)
    assert target_name(router, "/a") == "/(.*)"
    monkeypatch.undo()
    assert target_name(router, "/a") == "/a"


@pytest.mark.parametrize("pattern", ["/r{}/x", "/r{}/([0-9]+)", "/([^/]+)/r{}", "/api/(v1|v2)/r{}"])
def test_candidates_are_few_with_many_rules(pattern):
    router = router_of(*(pattern.format(number) for number in range(1000)))
    path = re.sub(r"\(.*\)", "5" if "[0" in pattern else "v1", pattern.format(999))
    assert target_name(router, path) == pattern.format(999)
    assert len(candidates(router, path)) <= 1


# --- names ---


def test_reverse_url_finds_nested_names():
    inner = ReversibleRuleRouter([("/z/(.)", Target("z"), {}, "z")])
    router = ReversibleRuleRouter([("/a/(.*)", Target("a"), {}, "a"), Rule(AnyMatches(), inner), ("/b", 5)])
    assert router.reverse_url("a", "x y") == "/a/x%20y"
    assert router.reverse_url("z", 5) == "/z/5"
    assert router.reverse_url("nothing") is None
    assert list(router.named_rules) == ["a"]


def test_duplicate_name_is_logged(expect_log):
    with expect_log("tornado.application", "Multiple handlers named n; replacing previous value"):
        router = ReversibleRuleRouter([("/a", Target("a"), {}, "n"), ("/b", Target("b"), {}, "n")])
    assert router.reverse_url("n") == "/b"


def test_base_classes_require_the_overridden_methods():
    with pytest.raises(NotImplementedError, match="Router must define find_handler"):
        Router().find_handler(request())
    with pytest.raises(NotImplementedError, match="ReversibleRouter must define reverse_url"):
        ReversibleRouter().reverse_url("x")

    class Marking(RuleRouter):
        def process_rule(self, rule):
            rule.target_kwargs["marked"] = True
            return rule

    assert Marking([("/", Target("t"))]).find_handler(request()) == ("t", {"target_kwargs": {"marked": True}})


# --- delegates ---


class Connection:
    def __init__(self):
        self.written = []

    def write_headers(self, start_line, headers):
        self.written.append((start_line.code, headers.get("Content-Length")))

    def finish(self):
        self.written.append("finish")


class Recording(HTTPMessageDelegate):
    def __init__(self):
        self.seen = []

    def headers_received(self, start_line, headers):
        self.seen.append(start_line.path)

    def data_received(self, chunk):
        self.seen.append(chunk)

    def finish(self):
        self.seen.append("finish")

    def on_connection_close(self):
        self.seen.append("close")


LINE = RequestStartLine("POST", "/a?b=1", "HTTP/1.1")
HEADERS = HTTPHeaders({"Host": "x", "Content-Type": "application/x-www-form-urlencoded"})


def start(router):
    connection = Connection()
    return router.start_request(None, connection), connection


def test_router_forwards_to_found_delegate():
    recording = Recording()

    class Server(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return recording

    delegate, _ = start(RuleRouter([("/a", Server())]))
    delegate.on_connection_close()
    delegate.headers_received(LINE, HEADERS)
    delegate.data_received(b"x")
    delegate.finish()
    delegate.on_connection_close()
    assert recording.seen == ["/a?b=1", b"x", "finish", "close"]


def test_not_found_response():
    delegate, connection = start(RuleRouter())
    delegate.headers_received(LINE, HEADERS)
    delegate.data_received(b"x")
    delegate.finish()
    delegate.on_connection_close()
    assert connection.written == [(404, "0"), "finish"]


def test_function_is_called_with_complete_request():
    calls = []

    def function(request, **kwargs):
        calls.append((request.body, request.arguments, kwargs))

    delegate, _ = start(RuleRouter([(PathMatches("/(.)"), function)]))
    delegate.headers_received(LINE, HEADERS)
    delegate.data_received(b"b=")
    delegate.data_received(b"2")
    delegate.finish()
    assert calls == [(b"b=2", {"b": [b"1", b"2"]}, {"path_args": [b"a"], "path_kwargs": {}})]


def test_repr_of_a_rule_shows_its_pattern() -> None:
    assert repr(Rule(PathMatches("/a/(.*)"), object)).startswith("Rule(PathMatches('/a/(.*)$'), ")
    assert repr(HostMatches("a.example")) == "HostMatches('a.example$')"


def test_request_in_another_thread_while_a_matcher_is_replaced() -> None:
    class ChangingRule(Rule):
        @property
        def matcher(self) -> Matcher:
            return self._matcher

        @matcher.setter
        def matcher(self, matcher: Matcher) -> None:
            if hasattr(self, "_matcher"):
                assert in_other_thread(lambda: first_match(router, request("/new"))) is None
            self._matcher = matcher

    rule = ChangingRule(PathMatches("/old"), object())
    router = RuleRouter([rule])
    assert first_match(router, request("/new")) is None
    rule.matcher = PathMatches("/new")
    assert first_match(router, request("/new")) is not None
