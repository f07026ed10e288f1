"""Running a handler; all hooks must be called."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tests.support.web import execute, set_flags, wrap_execute
from tornado import gen, httputil, web
from tornado.iostream import StreamClosedError

# -- hooks --


class Base(web.RequestHandler):
    """The class whose hooks are overridden; each hook is called by one of its methods."""

    def get(self) -> None:
        self.write("got")

    async def put(self) -> None:
        self.write({"got": True})
        await self.flush()
        await asyncio.sleep(0)

    def delete(self) -> None:
        raise ZeroDivisionError("a bug")

    async def patch(self) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("a bug")


@web.stream_request_body
class Streaming(web.RequestHandler):
    """Receives its body in parts."""

    def data_received(self, chunk: Any) -> None:
        pass

    def post(self) -> None:
        self.write("posted")


#: Hook -> the HTTP methods whose requests call it.
HANDLER_HOOKS = {
    "__init__": "GET PUT DELETE PATCH POST",
    "initialize": "GET PUT DELETE PATCH POST",
    "_execute": "GET PUT DELETE PATCH POST",
    "prepare": "GET PUT DELETE PATCH POST",
    "write": "GET PUT DELETE PATCH POST",
    "flush": "GET PUT DELETE PATCH POST",
    "finish": "GET PUT DELETE PATCH POST",
    "on_finish": "GET PUT DELETE PATCH POST",
    "clear": "GET PUT DELETE PATCH POST",
    "set_default_headers": "GET PUT DELETE PATCH POST",
    "_log": "GET PUT DELETE PATCH POST",
    "set_header": "GET PUT DELETE PATCH POST",
    "compute_etag": "GET",
    "set_etag_header": "GET",
    "check_etag_header": "GET",
    "set_status": "DELETE PATCH HEAD",
    "send_error": "DELETE PATCH HEAD",
    "write_error": "DELETE PATCH HEAD",
    "log_exception": "DELETE PATCH HEAD",
    "_handle_request_exception": "DELETE PATCH",
    "check_xsrf_cookie": "PUT DELETE PATCH POST",
    "decode_argument": "GET",
    "data_received": "POST",
    "get_current_user": "GET",
}
SETTINGS: dict[str, Any] = {"xsrf_cookies": True, "log_function": lambda handler: None}
XSRF = ("Cookie: _xsrf=00ff", "X-Xsrftoken: 00ff")


def counting(original: Any, calls: Any) -> Any:
    """Return a wrapper that records its calls, as programs wrap methods."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls.append(original.__name__)
        return original(*args, **kwargs)

    return wrapper


def coroutine_wrapper(original: Any, calls: Any) -> Any:
    """Return a wrapper of a coroutine function, as tracing programs use."""

    @functools.wraps(original)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls.append(original.__name__)
        return await original(*args, **kwargs)

    return wrapper


def wrapped(owner: Any, hook: Any, calls: Any) -> Any:
    wrap = coroutine_wrapper if hook == "_execute" else counting
    return wrap(getattr(owner, hook), calls)


def reading_user_and_argument(handler: Any) -> Any:
    """Return the handler class with a `get` that also reads the user and an argument."""

    def get(self: Any) -> None:
        _ = self.current_user
        self.get_argument("a", None)
        handler.get(self)

    return type(handler.__name__, (handler,), {"get": get})


async def send(peer: Any, method: Any) -> Any:
    """Send one request and return its response, which may be an error."""
    body = b"body" if method in ("PUT", "PATCH", "POST") else None
    path = "/stream" if method == "POST" else "/?a=b"
    return await peer.fetch(path, *XSRF, method=method, body=body)


CASES = [(hook, method) for hook, methods in HANDLER_HOOKS.items() for method in methods.split()]
LOGS = ("tornado.application", "Uncaught exception|Error in")


@pytest.mark.parametrize(("hook", "method"), CASES)
async def test_a_hook_overridden_on_a_subclass_is_called(
    hook: Any, method: Any, expect_log: ExpectLog
) -> None:
    calls: list[Any] = []
    members: dict[str, Any] = {hook: wrapped(Base, hook, calls)}
    base = type("Hooked", (reading_user_and_argument(Base),), members)
    stream = type("HookedStreaming", (Streaming,), {hook: wrapped(Streaming, hook, calls)})
    async with serving(web.Application([("/", base), ("/stream", stream)], **SETTINGS)) as server:
        peer = await server.connect()
        with expect_log(*LOGS, required=False):
            await send(peer, method)
    assert calls


@pytest.mark.parametrize(("hook", "method"), CASES)
async def test_a_hook_patched_at_run_time_is_called(
    hook: Any, method: Any, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    """The hook is patched during a connection, after requests on the fast path; the patch is then removed."""
    calls: list[Any] = []
    routes = [("/", reading_user_and_argument(Base)), ("/stream", Streaming)]
    async with serving(web.Application(routes, **SETTINGS)) as server:
        peer = await server.connect()
        with expect_log(*LOGS, required=False):
            before = await send(peer, method)
            owner = Streaming if hook == "data_received" else web.RequestHandler
            with monkeypatch.context() as patch:
                patch.setattr(owner, hook, wrapped(owner, hook, calls))
                during = await send(peer, method)
            assert calls
            del calls[:]
            after = await send(peer, method)
            assert not calls
    assert before.code == during.code == after.code
    assert before.body == during.body == after.body
    assert [name for name, _ in before.headers] == [name for name, _ in during.headers]


@pytest.mark.parametrize("verb", ["get", "put"])
async def test_a_method_patched_at_run_time_is_called(verb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    async with serving(web.Application([("/", Base)])) as server:
        peer = await server.connect()
        body = b"x" if verb == "put" else None
        await peer.fetch("/", method=verb.upper(), body=body)
        monkeypatch.setattr(Base, verb, counting(getattr(Base, verb), calls))
        await peer.fetch("/", method=verb.upper(), body=body)
    assert calls == [verb]


APPLICATION_HOOKS = ["start_request", "find_handler", "get_handler_delegate", "log_request"]


@pytest.mark.parametrize("way", ["subclass", "patch"])
@pytest.mark.parametrize("hook", APPLICATION_HOOKS)
@pytest.mark.parametrize("path", ["/", "/stream", "/none"])
async def test_hooks_of_the_application(
    hook: Any, path: str, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    cls: Any = web.Application
    if way == "subclass":
        cls = type("Hooked", (cls,), {hook: wrapped(cls, hook, calls)})
    settings: dict[str, Any] = {"log_function": lambda handler: None}
    async with serving(cls([("/", Base), ("/stream", Streaming)], **settings)) as server:
        peer = await server.connect()
        await peer.fetch(path, method="POST", body=b"x")
        if way == "patch":
            assert not calls
            monkeypatch.setattr(cls, hook, wrapped(cls, hook, calls))
            await peer.fetch(path, method="POST", body=b"x")
        assert calls == [hook]
        await peer.fetch(path)
        assert calls == [hook, hook]


@pytest.mark.parametrize("way", ["subclass", "patch"])
async def test_on_connection_close(way: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, started = asyncio.Event(), asyncio.Event()

    class Waiting(web.RequestHandler):
        async def get(self) -> None:
            started.set()
            await gone.wait()

    def on_connection_close(self: Any) -> None:
        gone.set()

    async with serving(web.Application([("/", Waiting)])) as server:
        owner = Waiting if way == "subclass" else web.RequestHandler
        monkeypatch.setattr(owner, "on_connection_close", on_connection_close)
        peer = await server.connect()
        peer.get("/")
        await started.wait()
        await peer.close()
        await gone.wait()


async def test_arguments_of_a_wrapped_execute(monkeypatch: pytest.MonkeyPatch) -> None:
    """`_execute(transforms, *args, **kwargs)` is a coroutine function, looked up on the class."""
    seen: list[Any] = []

    async def traced(original: Any, self: Any, transforms: Any, *args: Any, **kwargs: Any) -> Any:
        assert asyncio.current_task() is not None
        seen.append((self.request.path, transforms, args, kwargs))
        try:
            await original(self, transforms, *args, **kwargs)
        finally:
            seen.append(self.get_status())

    wrap_execute(monkeypatch, traced)
    routes = [
        ("/a/(.*)", handler_of(get=lambda self, x: None)),
        ("/(?P<x>.*)", handler_of(get=lambda self, x: None)),
    ]
    await ask(routes, path="/a/b%20c")
    await ask(routes, path="/d")
    assert seen == [("/a/b%20c", [], (b"b c",), {}), 200, ("/d", [], (), {"x": b"d"}), 200]


# -- the order of calls --


def noting(order: Any, base: Any = web.RequestHandler, **members: Any) -> Any:
    """Return a handler that records each step."""

    class Noting(base):  # type: ignore[misc]
        def initialize(self) -> None:
            order.append("initialize")

        def prepare(self) -> None:
            order.append("prepare")

        def get(self) -> None:
            order.append("get")

        async def post(self) -> None:
            order.append("post")
            await asyncio.sleep(0)

        def on_finish(self) -> None:
            order.append("on_finish")

    return type("Noting", (Noting,), members)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_order_of_calls(method: Any) -> None:
    order: list[Any] = []
    body = b"x" if method == "POST" else None
    await ask(noting(order), method=method, body=body)
    assert order == ["initialize", "prepare", method.lower(), "on_finish"]


PREPARES: dict[str, Any] = {
    "plain": lambda self: None,
    "async": None,
    "gen": None,
    "future": lambda self: done_future(),
}


def done_future() -> Any:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    return future


async def async_prepare(self: Any) -> None:
    await asyncio.sleep(0)


@gen.coroutine
def gen_prepare(self: Any) -> Any:
    yield gen.sleep(0)


PREPARES["async"] = async_prepare
PREPARES["gen"] = gen_prepare


@pytest.mark.parametrize("prepare", PREPARES.values(), ids=PREPARES.keys())
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_kinds_of_prepare(prepare: Any, method: Any) -> None:
    order: list[Any] = []
    body = b"x" if method == "POST" else None
    assert (await ask(noting(order, prepare=prepare), method=method, body=body)).code == 200
    assert order == ["initialize", method.lower(), "on_finish"]


@pytest.mark.parametrize("ending", ["finish", "redirect", "error", "Finish", "asynchronous"])
async def test_prepare_may_end_the_request(ending: Any) -> None:
    order: list[Any] = []

    def prepare(self: Any) -> Any:
        if ending == "redirect":
            return self.redirect("/x")
        if ending == "error":
            raise web.HTTPError(403)
        if ending == "Finish":
            raise web.Finish
        if ending == "asynchronous":
            return async_finish(self)
        _ = self.finish()
        return None

    async def async_finish(self: Any) -> None:
        await asyncio.sleep(0)
        await self.finish()

    response = await ask(noting(order, prepare=prepare))
    assert response.code == {"redirect": 302, "error": 403}.get(ending, 200)
    assert order == ["initialize", "on_finish"]


@gen.coroutine
def generator_method(self: Any) -> Any:
    yield gen.sleep(0)
    self.write("done")


METHODS: dict[str, Any] = {
    "generator": generator_method,
    "future": lambda self: self.write("done") or done_future(),
    "finish": lambda self: self.finish("done"),
}


@pytest.mark.parametrize("get", METHODS.values(), ids=METHODS.keys())
async def test_kinds_of_methods(get: Any) -> None:
    assert (await ask(handler_of(get=get))).body == b"done"


@pytest.mark.parametrize("where", ["prepare", "get"])
async def test_returned_object_that_is_not_awaitable_is_an_error(where: Any, expect_log: ExpectLog) -> None:
    members: dict[str, Any] = {"get": lambda self: None, where: lambda self: 7}
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_of(**members))).code == 500
    assert f"Handler.{where}() should return None, got int; " in str(raised(expected))


@pytest.mark.parametrize("prepare", [False, True])
async def test_a_coroutine_may_return_what_finish_returns(prepare: bool) -> None:
    """jupyterlab_server's WorkspacesHandler does this."""

    async def finish(self: Any) -> Any:
        return self.finish("done")

    async def flush(self: Any) -> Any:
        return self.flush()

    members: dict[str, Any] = {"prepare": flush} if prepare else {}
    assert (await ask(handler_of(get=finish, **members))).body == b"done"


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}])
@pytest.mark.parametrize("kind", ["plain", "after prepare"])
async def test_returned_body_of_a_plain_method_is_an_error(
    kind: str, value: Any, expect_log: ExpectLog
) -> None:
    async def prepare(self: Any) -> None:
        pass

    members: dict[str, Any] = {"get": lambda self: value}
    if kind == "after prepare":
        members["prepare"] = prepare
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_of(**members))).code == 500
    assert f"Handler.get() should return None, got {type(value).__name__}; write it with self.write" in str(
        raised(expected)
    )


async def test_auto_finish_may_be_turned_off() -> None:
    def get(self: Any) -> None:
        self._auto_finish = False
        asyncio.get_running_loop().call_soon(self.finish, "later")

    assert (await ask(handler_of(get=get))).body == b"later"


# -- failures --


@pytest.mark.parametrize("where", ["initialize", "prepare", "get", "post", "on_finish"])
async def test_exception_in_any_step_is_logged(where: Any, expect_log: ExpectLog) -> None:
    def fail(self: Any) -> None:
        raise ZeroDivisionError("a bug")

    handler = noting([], **{where: fail})
    method, body = ("POST", b"x") if where == "post" else ("GET", None)
    with expect_log("tornado.application", "Uncaught exception|Error in"):
        async with serving(web.Application([("/", handler)])) as server:
            peer = await server.connect()
            peer.get("/", method=method, body=body)
            answer = await peer.reader.readline()
    assert answer in (b"HTTP/1.1 500 Internal Server Error\r\n", b"", b"HTTP/1.1 200 OK\r\n")
    if where in ("prepare", "get", "post"):
        assert b"500" in answer


async def test_exception_after_the_head_truncates_the_body(expect_log: ExpectLog) -> None:
    """The client must not mistake the fragment for the whole body."""

    async def get(self: Any) -> None:
        self.set_header("Content-Length", "100")
        self.write("fragment")
        await self.flush()
        raise ZeroDivisionError("a bug")

    with expect_log("tornado.application", "Uncaught exception"):
        with expect_log("tornado.general", "Cannot send error response|Failed to flush"):
            async with serving(web.Application([("/", handler_of(get=get))])) as server:
                peer = await server.connect()
                peer.get("/")
                assert (await peer.rest()).endswith(b"\r\n\r\nfragment")


async def test_log_exception_may_fail(expect_log: ExpectLog) -> None:
    def log_exception(self: Any, typ: Any, value: Any, tb: Any) -> None:
        raise ZeroDivisionError("a bug in the logger")

    def get(self: Any) -> None:
        raise web.HTTPError(404)

    with expect_log("tornado.application", "Error in exception logger"):
        assert (await ask(handler_of(get=get, log_exception=log_exception))).code == 404


@pytest.mark.parametrize("error", [web.HTTPError(404, "100%% %s", "x"), web.HTTPError(404, "100%")])
async def test_log_messages_with_percent_signs(error: Any, expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        raise error

    with expect_log("tornado.general", "404 GET / .*100%( x)?$"):
        assert (await ask(handler_of(get=get))).code == 404


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("As It Is", "As It Is"),
        ("I'm a \xfc", "I'm a \xfc"),
        ("a\r\nX-Injected: x", "Unknown"),
        ("<script>", "Unknown"),
        ("\0", "Unknown"),
        ("世界", "Unknown"),
    ],
)
async def test_reasons_of_errors(reason: Any, expected: Any) -> None:
    def get(self: Any) -> None:
        raise web.HTTPError(400, reason=reason)

    response = await ask(handler_of(get=get))
    assert response.head.partition(b"\r\n")[0] == f"HTTP/1.1 400 {expected}".encode("latin-1")
    assert response.get("x-injected") is None
    assert b"<script" not in response.body


@pytest.mark.parametrize("reason", ["OK\r\nX-Injected: x", "a\nb", "\0", "\x7f", "世界", "<script>"])
async def test_reasons_that_set_status_replaces(reason: Any) -> None:
    def get(self: Any) -> None:
        self.set_status(200, reason)
        self.write("body")

    response = await ask(handler_of(get=get))
    assert response.head.startswith(b"HTTP/1.1 200 Unknown\r\n")
    assert response.get("x-injected") is None
    assert response.body == b"body"


async def test_malformed_body_is_400(expect_log: ExpectLog) -> None:
    def post(self: Any) -> None:
        self.write(json.dumps(sorted(self.request.body_arguments)))

    fields = "Content-Type: multipart/form-data; boundary=x"
    with expect_log("tornado.general", "Invalid body|400 POST"):
        assert (await ask(handler_of(post=post), fields, method="POST", body=b"--x\r\nnonsense")).code == 400


FORM = "Content-Type: application/x-www-form-urlencoded"
MALFORMED = [
    (
        FORM,
        b"a=1&" * 2000,
        "may have at most 1000; data that is not a form needs a Content-Type other than application/x",
    ),
    (
        "Content-Type: multipart/form-data; boundary=x",
        b"--x\r\nnonsense",
        "no final boundary|missing headers",
    ),
]


@pytest.mark.parametrize(("field", "body", "message"), MALFORMED)
async def test_malformed_form_that_is_not_accessed_is_ignored(field: str, body: bytes, message: str) -> None:
    response = await ask(
        handler_of(post=lambda self: self.write(str(len(self.request.body)))), field, method="POST", body=body
    )
    assert (response.code, response.body) == (200, str(len(body)).encode())


@pytest.mark.parametrize("options", [{}, {"decompress_request": True}, {"xheaders": True}])
async def test_form_that_is_not_accessed_is_not_decoded(options: Any) -> None:
    handler = handler_of(post=lambda self: self.write(str(len(self.request.body))))
    async with serving(web.Application([("/", handler)]), **options) as server:
        with mock.patch("tornado.httputil._lazy_form.parse_body_arguments") as parse:
            assert (await server.fetch("/", FORM, method="POST", body=b"a=1")).body == b"3"
        assert not parse.called


async def test_handler_with_a_mock_request() -> None:
    """Tests of programs create a mock request with the attributes that their handlers use."""
    request: Any = SimpleNamespace(
        method="POST",
        uri="/",
        headers=httputil.HTTPHeaders(),
        body=b"a=1",
        remote_ip="127.0.0.1",
        request_time=lambda: 0.0,
        connection=mock.Mock(),
    )

    async def post(self: Any) -> None:
        self.set_status(202)

    handler = handler_of(post=post)(web.Application(), request)
    await execute(handler)
    assert handler.get_status() == 202
    handler = web.RequestHandler(web.Application(), request)
    set_flags(handler, transforms=[])
    with mock.patch("tornado.web._dispatch._application.log_access"):
        handler.send_error(404)
    assert handler.get_status() == 404


@pytest.mark.parametrize(("field", "body", "message"), MALFORMED)
@pytest.mark.parametrize("asks", ["get_argument", "get_body_argument"])
async def test_malformed_form_is_400_and_keeps_query_arguments(
    field: str, body: bytes, message: str, asks: str, expect_log: ExpectLog
) -> None:
    def post(self: Any) -> None:
        for _ in range(2):  # a second access must not return an empty form
            with pytest.raises(httputil.HTTPInputError):
                getattr(self, asks)("a", "none")
        getattr(self, asks)("a", "none")

    def write_error(self: Any, code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1]
        assert isinstance(error, web.InvalidBodyError)
        self.finish(f"{code} {self.get_argument('q')} {self.get_arguments('a')} {self.request.files}")

    with expect_log("tornado.general", f"400 POST .*Invalid body: .*({message})"):
        response = await ask(
            handler_of(post=post, write_error=write_error), field, path="/?q=1", method="POST", body=body
        )
    assert (response.code, response.body) == (400, b"400 1 [] {}")


async def test_error_page_explains_a_malformed_form(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "400 POST .*Invalid body"):
        response = await ask(
            handler_of(post=lambda self: self.get_argument("a")), FORM, method="POST", body=b"a&" * 2000
        )
    assert (
        b"a form may have at most 1000; data that is not a form needs a Content-Type other than"
        in response.body
    )


async def test_error_page_may_read_arguments_of_a_valid_form(expect_log: ExpectLog) -> None:
    def post(self: Any) -> None:
        raise web.HTTPError(403)

    def write_error(self: Any, code: int, **kwargs: Any) -> None:
        self.finish(self.get_argument("a"))

    handler = handler_of(post=post, write_error=write_error)
    assert (await ask(handler, FORM, method="POST", body=b"a=1")).body == b"1"


async def test_arguments_are_unaffected_by_prepare() -> None:
    def prepare(self: Any) -> None:
        self.request.body = json.dumps("something else")
        self.request.headers["Content-Type"] = "application/json"

    handler = handler_of(prepare=prepare, post=lambda self: self.write(self.get_body_argument("a")))
    assert (await ask(handler, FORM, method="POST", body=b"a=1")).body == b"1"


async def test_form_is_decoded_for_a_plain_callable_when_accessed() -> None:
    def serve(request: Any) -> None:
        start = httputil.ResponseStartLine("HTTP/1.1", 200, "OK")
        body = b"%d" % len(request.arguments if request.path == "/ask" else request.body)
        request.connection.write_headers(
            start, httputil.HTTPHeaders({"Content-Length": str(len(body))}), body
        )
        request.connection.finish()

    async with serving(serve) as server:
        assert (await server.fetch("/", FORM, method="POST", body=b"a&" * 2000)).body == b"4000"
        assert (await server.fetch("/ask?b=1", FORM, method="POST", body=b"a&c")).body == b"3"


# -- streamed bodies --


async def test_disconnect_during_the_body_calls_on_connection_close() -> None:
    closed = asyncio.Event()

    @web.stream_request_body
    class Upload(web.RequestHandler):
        def data_received(self, chunk: Any) -> None:
            pass

        def on_connection_close(self) -> None:
            closed.set()

        def post(self) -> None:
            raise AssertionError("the body is incomplete")

    async with serving(web.Application([("/", Upload)])) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await peer.close()
        await closed.wait()


async def test_response_before_the_body_closes_the_connection() -> None:
    @web.stream_request_body
    class Early(web.RequestHandler):
        async def prepare(self) -> None:
            await asyncio.sleep(0)
            raise web.HTTPError(401)

        def data_received(self, chunk: Any) -> None:
            raise AssertionError("the body must not be delivered")

    async with serving(web.Application([("/", Early)])) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        response = await peer.response()
        assert (response.code, response.get("connection")) == (401, "close")


async def test_flush_after_disconnect_raises_stream_closed_error() -> None:
    started, done = asyncio.Event(), []

    class Talking(web.RequestHandler):
        def on_connection_close(self) -> None:
            started.set()

        async def get(self) -> None:
            await started.wait()
            try:
                for _ in range(100):
                    self.write(b"x" * 100_000)
                    await self.flush()
            except StreamClosedError:
                done.append("closed")
            finally:
                done.append("end")

    async with serving(web.Application([("/", Talking)])) as server:
        peer = await server.connect()
        peer.get("/")
        peer.writer.transport.abort()
        while "end" not in done:
            await asyncio.sleep(0)
    assert done == ["closed", "end"]


# -- contexts --

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_request_has_its_own_context(method: Any) -> None:
    seen: list[Any] = []

    class Handler(web.RequestHandler):
        def prepare(self) -> None:
            seen.append(variable.get())
            variable.set("this request's")

        def get(self) -> None:
            seen.append(variable.get())

        async def post(self) -> None:
            await asyncio.sleep(0)
            seen.append(variable.get())

        def on_finish(self) -> None:
            seen.append(variable.get())

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        for _ in range(2):
            await peer.fetch("/", method=method, body=b"x" if method == "POST" else None)
    assert seen == ["none", "this request's", "this request's"] * 2


# -- mistakes of programs --


def cancelled(self: Any) -> None:
    raise asyncio.CancelledError


def wrong_status(self: Any) -> None:
    self.set_status("404")


def generator(self: Any) -> Any:
    yield


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"get": cancelled}, ""),
    ({"prepare": cancelled}, ""),
    ({"get": wrong_status}, "status_code must be an int, got '404'"),
    ({"get": generator}, "Handler.get() is a generator: add @gen.coroutine, or use async def and await"),
    ({"prepare": generator}, "Handler.prepare() is a generator: add @gen.coroutine"),
    ({"prepare": lambda self: "x"}, "Handler.prepare() should return None, got str; write it with"),
    (
        {"get": lambda self: self.get_argument("a", 1, type="int")},
        "argument 'a' must be a function that accepts text",
    ),
    (
        {"get": lambda self: self.set_cookie("a", "b", expires_days="7")},
        "expires_days must be a number of days",
    ),
]


@pytest.mark.parametrize(("members", "words"), MISTAKES)
async def test_mistake_of_the_program_returns_500_and_is_explained(
    members: Any, words: str, expect_log: ExpectLog
) -> None:
    ended: list[Any] = []
    handler = handler_of(**members, on_finish=lambda self: ended.append(self))
    with expect_log("tornado.application", "Uncaught exception GET /") as expected:
        assert (await ask(handler)).code == 500
    assert words in str(raised(expected))
    assert len(ended) == 1
