"""The checks of handlers with ``debug=True``."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tornado import gen, web, websocket
from tornado.web._dispatch import _debug_checks

DEBUG: dict[str, Any] = {"debug": True, "autoreload": False, "serve_traceback": False}


class Clock:
    """A clock that advances only when handlers spend time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that appears to block the event loop."""
    clock = Clock()
    monkeypatch.setattr(_debug_checks, "_clock", clock)
    monkeypatch.setattr(_debug_checks, "BLOCKING_TIME", 0.1)
    return clock.spend


# -- blocking --


def blocking_handlers(spend: Callable[[float], None]) -> dict[str, tuple[Any, str]]:
    """Return handlers that block for 0.25 s in one step, and the name of the method in the warning."""

    def plain(self: Any) -> None:
        spend(0.25)

    async def first_step(self: Any) -> None:
        spend(0.25)
        await asyncio.sleep(0)
        spend(0.05)

    async def second_step(self: Any) -> None:
        spend(0.05)
        await asyncio.sleep(0)
        spend(0.25)

    async def last_step(self: Any) -> None:
        for _ in range(3):
            spend(0.05)
            await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0)
        except TimeoutError:
            spend(0.25)

    async def inner(self: Any) -> None:
        await second_step(self)

    @gen.coroutine
    def generator_first(self: Any) -> Any:
        spend(0.25)
        yield gen.moment

    @gen.coroutine
    def generator_second(self: Any) -> Any:
        yield gen.moment
        spend(0.25)

    @gen.coroutine
    def generator_inner(self: Any) -> Any:
        yield generator_second(self)

    async def native_over_generator(self: Any) -> None:
        await generator_second(self)

    def fails(self: Any) -> None:
        spend(0.25)
        raise web.HTTPError(400)

    def nothing(self: Any) -> None:
        pass

    methods = [
        plain,
        first_step,
        second_step,
        last_step,
        inner,
        generator_first,
        generator_second,
        generator_inner,
        native_over_generator,
        fails,
    ]
    found: dict[str, tuple[Any, str]] = {
        method.__name__: (handler_of(get=method), "get") for method in methods
    }
    for method in (plain, second_step, generator_second):
        found[f"prepare {method.__name__}"] = handler_of(get=nothing, prepare=method), "prepare"
        found[f"get {method.__name__} after prepare"] = handler_of(get=method, prepare=inner_wait), "get"
    found["on_finish"] = handler_of(get=nothing, on_finish=plain), "on_finish"
    return found


async def inner_wait(self: Any) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", blocking_handlers(lambda seconds: None))
async def test_blocking_step_is_named(
    name: str, spend: Callable[[float], None], loop_kind: str, expect_log: ExpectLog
) -> None:
    handler, method = blocking_handlers(spend)[name]
    with expect_log("tornado.application", "blocked") as expected:
        await ask(handler, path="/page", **DEBUG)
    (record,) = expected.records
    assert record.getMessage() == (f"Handler.{method}() blocked the event loop for 0.250 s: GET /page")


async def test_short_steps_are_not_added_up(spend: Callable[[float], None]) -> None:
    async def get(self: Any) -> None:
        for _ in range(10):
            spend(0.09)
            await asyncio.sleep(0)

    assert (await ask(handler_of(get=get), **DEBUG)).code == 200


async def test_waiting_is_not_blocking(spend: Callable[[float], None]) -> None:
    async def get(self: Any) -> None:
        asyncio.get_running_loop().call_soon(spend, 10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.write("done")

    assert (await ask(handler_of(get=get), **DEBUG)).body == b"done"


async def test_data_received_is_measured(spend: Callable[[float], None], expect_log: ExpectLog) -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        def data_received(self, chunk: bytes) -> None:
            spend(0.25)

        def post(self) -> None:
            self.write("done")

    with expect_log("tornado.application", r"^Handler.data_received\(\) blocked"):
        assert (await ask(Handler, method="POST", body=b"x", **DEBUG)).body == b"done"


async def test_hook_called_within_a_method_is_measured_separately(
    spend: Callable[[float], None], expect_log: ExpectLog
) -> None:
    def get(self: Any) -> None:
        spend(0.05)
        self.finish("done")
        spend(0.04)

    with expect_log("tornado.application", "blocked") as expected:
        await ask(handler_of(get=get, on_finish=lambda self: spend(0.25)), **DEBUG)
    assert [record.getMessage() for record in expected.records] == [
        "Handler.on_finish() blocked the event loop for 0.250 s: GET /"
    ]


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_websocket_callback_that_blocks_is_named(
    kind: str, spend: Callable[[float], None], expect_log: ExpectLog
) -> None:
    class Plain(websocket.WebSocketHandler):
        def on_message(self, message: str | bytes) -> Any:
            spend(0.25)
            self.write_message(message)

    class Async(websocket.WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await asyncio.sleep(0)
            spend(0.25)
            self.write_message(message)

    handler = Plain if kind == "plain" else Async
    async with serving(web.Application([("/", handler)], **DEBUG)) as server:
        connection = await websocket.websocket_connect(f"ws://localhost:{server.port}/")
        with expect_log(
            "tornado.application", rf"^{handler.__name__}.on_message\(\) blocked .* 0.250 s: GET /$"
        ):
            await connection.write_message("text")
            assert await connection.read_message() == "text"
        connection.close()
        assert await connection.read_message() is None


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_nothing_is_measured_without_debug(spend: Callable[[float], None], kind: str) -> None:
    handler, _ = blocking_handlers(spend)["plain" if kind == "plain" else "second_step"]
    assert (await ask(handler)).code == 200


async def test_measured_coroutine_can_be_cancelled(
    spend: Callable[[float], None], expect_log: ExpectLog
) -> None:
    seen: list[str] = []

    async def get(self: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("finally")

    with expect_log(
        "tornado.application", r"handler_timeout.*it was waiting at .*test_debug_checks.py:\d+ in"
    ):
        assert (await ask(handler_of(get=get), handler_timeout=0.001, **DEBUG)).code == 503
    assert seen == ["cancelled", "finally"]


async def test_measured_coroutine_that_is_closed_runs_its_finally_block(
    spend: Callable[[float], None],
) -> None:
    seen: list[str] = []

    async def get(self: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("finally")

    steps = _debug_checks.StepTimer(handler_of(get=get), "get")
    running = _debug_checks._run(steps, get(None))
    running.send(None)
    running.close()
    assert seen == ["finally"]


async def test_exception_of_an_awaited_future_is_propagated(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, ZeroDivisionError("there"))
        try:
            await future
        except ZeroDivisionError as error:
            self.write(str(error))

    assert (await ask(handler_of(get=get), **DEBUG)).body == b"there"


# -- threads --

#: Calls that produce a response.
CALLS: dict[str, Callable[[Any], Any]] = {
    "write": lambda self: self.write("late"),
    "flush": lambda self: self.flush(),
    "finish": lambda self: self.finish(),
    "render": lambda self: self.render("absent.html"),
    "redirect": lambda self: self.redirect("/"),
    "send_error": lambda self: self.send_error(500),
    "clear": lambda self: self.clear(),
    "set_status": lambda self: self.set_status(404),
    "set_header": lambda self: self.set_header("X-Late", "1"),
    "add_header": lambda self: self.add_header("X-Late", "1"),
    "clear_header": lambda self: self.clear_header("Server"),
    "set_cookie": lambda self: self.set_cookie("a", "b"),
}


def threaded(call: Callable[[Any], Any], executor: ThreadPoolExecutor) -> Any:
    async def get(self: Any) -> None:
        self.write("written")
        await asyncio.get_running_loop().run_in_executor(executor, call, self)

    return handler_of(get=get)


@pytest.mark.parametrize("call", CALLS)
async def test_call_in_another_thread_is_rejected_with_debug(call: str, expect_log: ExpectLog) -> None:
    with ThreadPoolExecutor(1) as executor:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            response = await ask(threaded(CALLS[call], executor), **DEBUG)
    assert response.code == 500
    assert isinstance(raised(expected), RuntimeError)
    assert str(raised(expected)).startswith(
        f"Handler.{call}() was called outside of its event loop's thread: use IOLoop.add_callback"
    )


async def test_write_in_another_thread_is_allowed_without_debug() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert (await ask(threaded(CALLS["write"], executor))).body == b"writtenlate"


async def test_thread_may_pass_the_call_to_the_loop() -> None:
    async def get(self: Any) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            loop.call_soon_threadsafe(self.write, "done")
            loop.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=work)
        thread.start()
        await done.wait()
        thread.join()

    assert (await ask(handler_of(get=get), **DEBUG)).body == b"done"


async def test_streaming_handler_is_checked_too(expect_log: ExpectLog) -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        def data_received(self, chunk: bytes) -> None:
            pass

        async def post(self) -> None:
            with ThreadPoolExecutor(1) as executor:
                await asyncio.get_running_loop().run_in_executor(executor, self.write, "late")

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler, method="POST", body=b"x", **DEBUG)).code == 500
    assert "Handler.write() was called outside of its event loop's thread" in str(raised(expected))


async def test_overridden_methods_are_called_with_debug() -> None:
    class Handler(web.RequestHandler):
        def write(self, chunk: Any) -> None:
            super().write(chunk.upper())

        def finish(self, chunk: Any = None) -> Any:
            self.set_header("X-Mine", "1")
            return super().finish(chunk)

        def get(self) -> None:
            self.write("text")

    async with serving(web.Application([("/", Handler)], **DEBUG)) as server:
        response = await server.fetch("/")
    assert (response.body, response.get("x-mine")) == (b"TEXT", "1")


async def test_keyword_arguments_may_have_any_name_with_debug() -> None:
    """The checks reserve no names: ``render(name=…)`` and a group named ``method`` still work."""

    class Handler(web.RequestHandler):
        def render(self, template_name: str, **kwargs: Any) -> Any:
            return self.finish(template_name + "".join(kwargs.values()))

        def get(self, steps: str, method: str) -> None:
            self.render("", name=steps, handler=method, thread="3", method="4")

    pattern = "/(?P<steps>1)/(?P<method>2)"
    assert (await ask(Handler, path="/1/2", pattern=pattern, **DEBUG)).body == b"1234"


async def test_decorator_attributes_and_kind_of_method_are_kept_with_debug() -> None:
    def public(method: Any) -> Any:
        method.needs_login = False
        return method

    class Handler(web.RequestHandler):
        def prepare(self) -> None:
            method = getattr(self, self.request.method.lower())
            self.marked = not getattr(method, "needs_login", True)

        @public
        async def get(self, name: str = "x") -> None:
            assert (self.write.__self__, self.write.__name__) == (self, "write")
            assert inspect.iscoroutinefunction(self.get)
            assert not inspect.iscoroutinefunction(self.prepare)
            assert str(inspect.signature(self.get)) == "(name: 'str' = 'x') -> 'None'"
            self.write(str(self.marked))

    assert (await ask(Handler, **DEBUG)).body == b"True"
