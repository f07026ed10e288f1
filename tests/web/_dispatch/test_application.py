"""Routes and settings of a program, and the path of a request to its handler."""

from __future__ import annotations

import asyncio
import logging
import sys
import types
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import httputil, routing, web


def named(name: Any) -> Any:
    """Return a handler class that writes `name` and the groups of the path."""

    def get(self: Any, *args: Any, **kwargs: Any) -> None:
        shown = [*args, *(f"{key}={value}" for key, value in kwargs.items())]
        self.write(" ".join([name, *map(str, shown)]))

    return handler_of(get=get)


async def answers(app: Any, *requests: Any) -> Any:
    """Return status code and body for each path, or path and Host."""
    seen: list[Any] = []
    async with serving(app) as server:
        for each in requests:
            path, *hosts = each.split()
            response = await server.fetch(path, *(f"Host: {host}" for host in hosts))
            seen.append((response.code, response.body.decode() if response.code == 200 else ""))
    return [f"{code} {body}".strip() for code, body in seen]


# -- routes --


class ByDottedName(web.RequestHandler):
    def get(self) -> None:
        self.write("dotted")


async def test_forms_of_routes() -> None:
    routes: list[Any] = [
        ("/tuple", named("tuple")),
        ["/list", named("list")],
        web.url("/url", named("url")),
        web.URLSpec("/spec/(.*)", named("spec"), None, "spec"),
        routing.Rule(routing.PathMatches("/rule/(?P<x>.*)"), named("rule")),
        ("/dotted", f"{__name__}.ByDottedName"),
        (routing.HostMatches("other.org"), [("/host", named("host"))]),
        ("/nested/.*", [("/nested/a", named("nested")), ("/nested/(b)", named("nested"))]),
    ]
    module: Any = types.ModuleType(__name__)
    module.ByDottedName = ByDottedName
    sys.modules.setdefault(__name__, module)
    requests = (
        "/tuple /list /url /spec/a%20b /rule/c /dotted /nested/a /nested/b /nested/c /host /none".split()
    )
    assert await answers(web.Application(routes), *requests, "/host other.org", "/tuple other.org") == [
        "200 tuple",
        "200 list",
        "200 url",
        "200 spec a b",
        "200 rule x=c",
        "200 dotted",
        "200 nested",
        "200 nested b",
        "404",
        "404",
        "404",
        "200 host",
        "200 tuple",
    ]


async def test_an_application_without_routes() -> None:
    assert await answers(web.Application(), "/") == ["404"]


class Repeater(httputil.HTTPMessageDelegate):
    """A delegate that responds with the parts of the request."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.seen: list[str] = []

    def headers_received(self, start_line: Any, headers: Any) -> None:
        self.seen.append(f"{start_line.method} {start_line.path}")

    def data_received(self, chunk: Any) -> None:
        self.seen.append(chunk.decode())

    def finish(self) -> None:
        body = " ".join(self.seen).encode()
        headers = httputil.HTTPHeaders({"Content-Length": str(len(body))})
        _ = self.connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
        self.connection.finish()


class Delegating(routing.Router):
    """A router that returns its own delegates."""

    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return None if "none" in request.path else Repeater(request.connection)


class Serving(httputil.HTTPServerConnectionDelegate):
    """A server delegate that is not a router."""

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        return Repeater(request_conn)


def call(request: Any) -> None:
    """A plain function as a target."""
    body = b"called with " + request.body
    headers = httputil.HTTPHeaders({"Content-Length": str(len(body))})
    _ = request.connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
    request.connection.finish()


async def test_targets_other_than_handlers() -> None:
    routes = [
        ("/router.*", Delegating()),
        ("/serving", Serving()),
        ("/call", call),
        ("/app/.*", web.Application([("/app/x", named("inner"))])),
        ("/.*", named("last")),
    ]
    async with serving(web.Application(routes)) as server:
        peer = await server.connect()
        for path, code, get, post in [
            ("/router", 200, b"GET /router", b"POST /router body"),
            ("/router/none", 200, b"last", None),
            ("/serving", 200, b"GET /serving", b"POST /serving body"),
            ("/call", 200, b"called with ", b"called with body"),
            ("/app/x", 200, b"inner", None),
            ("/app/none", 404, None, None),
            ("/x", 200, b"last", None),
        ]:
            response = await peer.fetch(path)
            assert response.code == code
            assert get is None or response.body == get
            if post is not None:
                assert (await peer.fetch(path, method="POST", body=b"body")).body == post


async def test_an_application_in_a_router() -> None:
    inner = web.Application([("/a/(.*)", named("a")), ("/b", named("b"))])
    router = routing.RuleRouter(
        [
            routing.Rule(routing.PathMatches("/a.*"), inner),
            routing.Rule(routing.PathMatches("/b"), Delegating()),
        ]
    )
    assert await answers(router, "/a/x", "/b", "/ab", "/c") == ["200 a x", "200 GET /b", "404", "404"]


# -- hosts --


async def test_add_handlers() -> None:
    app = web.Application([("/", named("default"))])
    app.add_handlers(r"a\.org", [("/", named("a")), ("/only", named("a-only"))])
    app.add_handlers(r"(b|c)\.org", [web.url("/", named("b"))])
    assert await answers(
        app,
        "/ a.org",
        "/ A.ORG:8080",
        "/ b.org",
        "/ x.org",
        "/ xa.org",
        "/ a.org.x",
        "/only b.org",
        "/only a.org",
    ) == ["200 a", "200 a", "200 b", "200 default", "200 default", "200 default", "404", "200 a-only"]


async def test_default_host() -> None:
    app = web.Application([("/fall", named("fallback"))], default_host="www.a.org")
    app.add_handlers(r"www\.a\.org", [("/", named("www"))])
    async with serving(app) as server:
        assert (await server.fetch("/", "Host: 127.0.0.1")).body == b"www"
        # The Host field of a request from a proxy is authoritative.
        assert (await server.fetch("/", "Host: 127.0.0.1", "X-Real-Ip: 1.2.3.4")).code == 404


async def test_routes_added_while_serving_are_used() -> None:
    app = web.Application([("/", named("first"))])
    async with serving(app) as server:
        peer = await server.connect()
        assert (await peer.fetch("/late")).code == 404
        app.wildcard_router.add_rules([("/late", named("late"))])
        assert (await peer.fetch("/late")).body == b"late"
        app.add_handlers(".*", [("/", named("host"))])
        assert (await peer.fetch("/")).body == b"host"


# -- no matching route --


async def test_default_handler_class() -> None:
    class Missing(web.RequestHandler):
        def initialize(self, text: Any = "none") -> None:
            self.text = text

        def prepare(self) -> None:
            self.set_status(404)
            self.write(self.text)

        def get(self) -> None:
            pass

    async def body(**settings: Any) -> Any:
        response = await ask([("/", named("x"))], path="/none", default_handler_class=Missing, **settings)
        assert response.code == 404
        return response.body

    assert await body() == b"none"
    assert await body(default_handler_args={"text": "given"}) == b"given"


# -- reversing --


def test_reverse_url() -> None:
    app = web.Application(
        [
            web.url("/", web.RequestHandler, name="home"),
            web.url("/item/([0-9]+)/(.*)", web.RequestHandler, name="item"),
            ("/sub/.*", [web.url("/sub/(.*)", web.RequestHandler, name="sub")]),
        ]
    )
    app.add_handlers("other", [web.url("/other", web.RequestHandler, name="other")])
    assert app.reverse_url("home") == "/"
    assert app.reverse_url("item", 7, "a b/c") == "/item/7/a%20b/c"
    assert app.reverse_url("sub", "x") == "/sub/x"
    assert app.reverse_url("other") == "/other"
    with pytest.raises(KeyError, match="nope not found in named urls .*home, item"):
        app.reverse_url("nope")


def test_duplicate_route_name_is_logged(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Multiple handlers named a"):
        web.Application(
            [web.url("/a", web.RequestHandler, name="a"), web.url("/b", web.RequestHandler, name="a")]
        )


# -- settings --


def test_debug_changes_the_defaults_of_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    reloader: Any = types.ModuleType("tornado.autoreload")
    reloader.start = lambda: started.append(True)
    monkeypatch.setitem(sys.modules, "tornado.autoreload", reloader)
    monkeypatch.setattr(sys.modules["tornado"], "autoreload", reloader, raising=False)
    app = web.Application(debug=True)
    assert started == [True]
    assert app.settings == {
        "debug": True,
        "autoreload": True,
        "serve_traceback": True,
        "compiled_template_cache": False,
        "static_hash_cache": False,
    }
    app = web.Application(debug=True, autoreload=False, serve_traceback=False)
    assert started == [True]
    assert app.settings["serve_traceback"] is False
    assert "autoreload" not in web.Application().settings


async def test_handler_settings_are_those_of_the_application() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            assert self.settings is self.application.settings
            self.write(self.settings["mine"])

    assert (await ask(Handler, mine="value")).body == b"value"


# -- the access log --


@pytest.mark.parametrize(
    ("code", "level"),
    [(200, logging.INFO), (304, logging.INFO), (404, logging.WARNING), (500, logging.ERROR)],
)
async def test_the_access_log(
    code: Any, level: Any, caplog: pytest.LogCaptureFixture, expect_log: ExpectLog
) -> None:
    handler = handler_of(get=lambda self: self.set_status(code))
    async with serving(web.Application([("/", handler)]), access_log=logging.INFO) as server:
        with expect_log("tornado.access", "", required=level > logging.INFO):
            await server.fetch("/?a=b")
    (record,) = [each for each in caplog.records if each.name == "tornado.access"]
    assert record.levelno == level
    assert record.getMessage().startswith(f"{code} GET /?a=b (127.0.0.1) ")
    assert record.getMessage().endswith("ms")


async def test_log_function_and_log_request() -> None:
    seen: list[Any] = []
    await ask(named("x"), log_function=lambda handler: seen.append(handler.get_status()))

    class Logging(web.Application):
        def log_request(self, handler: Any) -> None:
            seen.append(handler.request.path)

    assert await answers(Logging([("/", named("x"))]), "/", "/none") == ["200 x", "404"]
    assert seen == [200, "/", "/none"]


# -- overridden methods, and requests without a server --


async def test_find_handler_may_be_overridden() -> None:
    class Finding(web.Application):
        def find_handler(self, request: Any, **kwargs: Any) -> Any:
            if request.path == "/own":
                return self.get_handler_delegate(request, named("own"), path_args=[b"arg"])
            if request.path == "/raw":
                return Repeater(request.connection)
            return super().find_handler(request, **kwargs)

    app = Finding([("/", named("usual"))])
    assert await answers(app, "/own", "/raw", "/", "/none") == [
        "200 own arg",
        "200 GET /raw",
        "200 usual",
        "404",
    ]


class _Recording(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made.calls = [*getattr(made, "calls", ()), "metaclass"]
        return made


class _Base:
    def __init__(self, *args: Any) -> None:
        self.calls = ["base"]


class _Plain(web.RequestHandler):
    calls: Any = ()

    def get(self) -> None:
        self.write(" ".join(self.calls))


class _WithMetaclass(_Plain, metaclass=_Recording):
    pass


class _WithNew(_Plain):
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        made.calls = ["new"]
        return made


class _WithInit(_Plain):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls = ["init"]


class _WithBase(_Plain, _Base):
    pass


class _WithInitialize(_Plain):
    def initialize(self) -> None:
        self.calls = ["initialize"]


class _WithDefaults(_Plain):
    def set_default_headers(self) -> None:
        self.calls = ["defaults"]


@pytest.mark.parametrize(
    ("handler_class", "expected"),
    [
        (_Plain, ""),
        (_WithMetaclass, "metaclass"),
        (_WithNew, "new"),
        (_WithInit, "init"),
        (_WithBase, "base"),
        (_WithInitialize, "initialize"),
        (_WithDefaults, "defaults"),
    ],
)
async def test_every_step_of_construction_is_called(handler_class: Any, expected: str) -> None:
    """Also by requests after the first one, which may take another path."""
    app = web.Application([("/", handler_class)])
    assert await answers(app, "/", "/", "/") == [f"200 {expected}".rstrip()] * 3


@pytest.mark.parametrize("name", ["__init__", "initialize", "set_default_headers"])
async def test_patched_steps_of_construction_are_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitoring agent or a test may patch the class of all handlers while the server runs."""
    calls: list[str] = []
    original = getattr(web.RequestHandler, name)

    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(type(self).__name__)
        original(self, *args, **kwargs)

    app = web.Application([("/", _Plain)])
    async with serving(app) as server:
        await server.fetch("/")
        monkeypatch.setattr(web.RequestHandler, name, patched)
        await server.fetch("/")
        monkeypatch.undo()
        await server.fetch("/")
    assert calls == ["_Plain"]


async def test_delegate_wrapped_by_start_request() -> None:
    class Wrapped(httputil.HTTPMessageDelegate):
        def __init__(self, inner: Any, log: Any) -> None:
            self.inner, self.log = inner, log

        def headers_received(self, start_line: Any, headers: Any) -> Any:
            self.log.append("head")
            return self.inner.headers_received(start_line, headers)

        def data_received(self, chunk: Any) -> Any:
            self.log.append(chunk)
            return self.inner.data_received(chunk)

        def finish(self) -> Any:
            self.log.append("end")
            return self.inner.finish()

    log: list[Any] = []

    class Wrapping(web.Application):
        def start_request(self, server_conn: Any, request_conn: Any) -> Any:
            return Wrapped(super().start_request(server_conn, request_conn), log)

    async def post(self: Any) -> None:
        self.write(self.request.body)

    async with serving(Wrapping([("/", handler_of(post=post))])) as server:
        peer = await server.connect()
        assert (await peer.fetch("/", method="POST", body=b"body")).body == b"body"
        assert (await peer.fetch("/")).code == 405
    assert log == ["head", b"body", "end", "head", "end"]


async def test_an_application_may_be_called_with_a_request() -> None:
    written = []

    class Connection(httputil.HTTPConnection):
        def write_headers(self, start_line: Any, headers: Any, chunk: Any = None) -> Any:
            written.extend([start_line.code, chunk])
            return self.done()

        def write(self, chunk: Any) -> Any:
            written.append(chunk)
            return self.done()

        def done(self) -> Any:
            future = asyncio.get_running_loop().create_future()
            future.set_result(None)
            return future

        def finish(self) -> None:
            written.append("end")

        def set_close_callback(self, callback: Any) -> None:
            pass

    request = httputil.HTTPServerRequest(
        start_line=httputil.RequestStartLine("GET", "/x", "HTTP/1.1"),
        headers=httputil.HTTPHeaders({"Host": "a"}),
        connection=Connection(),
    )
    app = web.Application([("/(.*)", named("called"))], log_function=lambda handler: None)
    result = app(request)
    if result is not None:
        await result
    assert written == [200, b"called x", "end"]


async def test_listen() -> None:
    server = web.Application([("/", named("x"))]).listen(0, "127.0.0.1", xheaders=True)
    assert server.xheaders is True
    server.stop()
    await server.close_all_connections()


async def test_on_close_of_an_application() -> None:
    closed = []

    class Closing(web.Application):
        def on_close(self, server_conn: Any) -> None:
            closed.append(server_conn)

    async with serving(Closing([("/", named("x"))])) as server:
        for _ in range(2):
            await server.fetch("/")
    assert len(set(closed)) == 2


@pytest.mark.parametrize("handlers", ["/", web.RequestHandler])
def test_routes_that_are_not_a_list_are_rejected(handlers: Any) -> None:
    with pytest.raises(TypeError, match=r"routes must be a list of tuples, as in Application"):
        web.Application(handlers)


async def test_handlers_run_in_tasks_with_the_setting_handler_tasks():
    seen = []

    class Handler(web.RequestHandler):
        def get(self):
            seen.append(asyncio.current_task() is not None)

        post = get

    for settings in ({}, {"handler_tasks": True}):
        async with serving(web.Application([("/", Handler)], **settings)) as server:
            peer = await server.connect()
            assert (await peer.fetch("/")).code == 200
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            assert (await peer.response()).code == 200
    assert seen == [False, False, True, True]


# -- overridden or patched methods of the routers --


@pytest.mark.parametrize(
    "place", [(routing.RuleRouter, "find_handler"), (routing.RuleRouter, "get_target_delegate")]
)
@pytest.mark.parametrize("own", [False, True])
async def test_patched_router_methods_are_called(
    place: Any, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = web.Application([("/", named("page"))])
    owner, name = type(app.wildcard_router) if own else place[0], place[1]
    original, calls = getattr(owner, name), []

    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self)
        return original(self, *args, **kwargs)

    async with serving(app) as server:
        peer = await server.connect()
        assert (await peer.fetch("/")).body == b"page"
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, patched)
            assert (await peer.fetch("/")).body == b"page"
            assert calls == [app.default_router, app.wildcard_router]
        assert (await peer.fetch("/")).body == b"page"
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["find_handler", "get_target_delegate"])
@pytest.mark.parametrize("inner", [False, True])
async def test_overridden_router_methods_are_called(name: str, inner: bool) -> None:
    app = web.Application([("/", named("page"))])
    calls: list[Any] = []
    base: Any = type(app.wildcard_router)

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return getattr(base, name)(self, *args, **kwargs)

    own = type("Own", (base,), {name: step})
    if inner:
        app.wildcard_router = own(app, [("/", named("page"))])
        app.default_router.rules[:] = [routing.Rule(routing.AnyMatches(), app.wildcard_router)]
    else:
        app.default_router = own(app, [routing.Rule(routing.AnyMatches(), app.wildcard_router)])
    assert await answers(app, "/", "/none") == ["200 page", "404"]
    assert name in calls


async def test_any_router_may_be_the_default_one() -> None:
    app = web.Application([("/", named("unused"))])

    class Own(routing.Router):
        def find_handler(self, request: Any, **kwargs: Any) -> Any:
            if request.path == "/":
                return app.get_handler_delegate(request, named("own"))
            return None

    app.default_router = Own()  # type: ignore[assignment]
    assert await answers(app, "/", "/none") == ["200 own", "404"]


async def test_start_request_of_an_application_wrapper_is_called() -> None:
    class Around(httputil.HTTPServerConnectionDelegate):
        def __init__(self, inner: Any) -> None:
            self.inner = inner
            self.started = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def start_request(self, server_conn: Any, request_conn: Any) -> Any:
            self.started += 1
            return self.inner.start_request(server_conn, request_conn)

    around = Around(web.Application([("/", named("page"))]))
    assert await answers(around, "/") == ["200 page"]
    assert around.started == 1


# -- OPTIONS * and unsupported Expect values --


async def test_options_of_the_whole_server() -> None:
    async with serving(web.Application([("/", named("page"))])) as server:
        peer = await server.connect()
        response = await peer.fetch("*", method="OPTIONS")
        assert response.code == 204
        assert response.get("allow") == "GET, HEAD, POST, DELETE, PATCH, PUT, OPTIONS"
        assert (await peer.fetch("/none", method="OPTIONS")).code == 404
        assert (await peer.fetch("/")).body == b"page"


async def test_options_of_the_whole_server_may_have_a_route() -> None:
    def options(self: Any) -> None:
        self.write("mine")

    response = await ask(handler_of(options=options), path="*", method="OPTIONS", pattern=r"\*")
    assert (response.code, response.body) == (200, b"mine")


@pytest.mark.parametrize("body", [None, b"body"])
async def test_unknown_expectations_are_rejected(body: Any) -> None:
    calls: list[Any] = []

    def get(self: Any) -> None:
        calls.append(self)

    response = await ask(handler_of(get=get, post=get), "Expect: the unexpected", method="POST", body=body)
    assert response.code == 417
    assert response.get("connection") == "close"
    assert not calls


# -- hooks set on objects --


@pytest.mark.parametrize("hook", ["start_request", "find_handler", "get_handler_delegate", "log_request"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_hooks_set_on_the_application_object(
    hook: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks are set and removed during a connection that has used the fast path."""
    calls: list[str] = []
    settings: dict[str, Any] = {"log_function": lambda handler: None}
    application = web.Application([("/", handler_of(get=write_x, post=write_x))], **settings)
    original = getattr(application, hook)

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(hook)
        return original(*args, **kwargs)

    body = b"x" if method == "POST" else None
    async with serving(application) as server:
        peer = await server.connect()
        for expected in ([], [hook], []):
            if expected:
                monkeypatch.setattr(application, hook, counted)
            assert (await peer.fetch("/", method=method, body=body)).body == b"x"
            assert calls == expected
            calls.clear()
            monkeypatch.undo()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_start_request_set_on_the_server_object(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    application = web.Application([("/", handler_of(get=write_x, post=write_x))])
    body = b"x" if method == "POST" else None
    async with serving(application) as server:
        original = server.server.start_request

        def counted(*args: Any) -> Any:
            calls.append("start_request")
            return original(*args)

        peer = await server.connect()
        for expected in ([], ["start_request"], []):
            if expected:
                monkeypatch.setattr(server.server, "start_request", counted)
            assert (await peer.fetch("/", method=method, body=body)).body == b"x"
            assert calls == expected
            calls.clear()
            monkeypatch.undo()


def write_x(self: Any) -> None:
    self.write("x")
