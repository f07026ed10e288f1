"""The lifespan of an application: ``lifespan``, ``on_startup``, ``on_shutdown`` and `run_lifespan`."""

from __future__ import annotations

import asyncio
import contextlib
import unittest
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tornado import testing, web


class Log:
    """Functions for the settings, which record their calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.applications: set[Any] = set()

    def plain(self, name: str) -> Any:
        def function(application: web.Application) -> None:
            self.calls.append(name)
            self.applications.add(application)

        return function

    def waiting(self, name: str) -> Any:
        async def function(application: web.Application) -> None:
            await asyncio.sleep(0)
            self.plain(name)(application)

        return function

    def failing(self, name: str) -> Any:
        async def function(application: web.Application) -> None:
            self.calls.append(name)
            raise ZeroDivisionError(name)

        return function

    @contextlib.asynccontextmanager
    async def lifespan(self, application: web.Application) -> AsyncIterator[None]:
        self.calls.append("enter")
        task = asyncio.current_task()
        try:
            yield
        finally:
            assert asyncio.current_task() is task  # an `asyncio.TaskGroup` requires this
            self.calls.append("exit")


class Page(web.RequestHandler):
    def get(self) -> None:
        self.settings["log"].calls.append("request")


def application(log: Log, **settings: Any) -> web.Application:
    settings.setdefault("lifespan", log.lifespan)
    settings.setdefault("on_startup", [log.plain("start 1"), log.waiting("start 2")])
    settings.setdefault("on_shutdown", [log.waiting("stop 1"), log.plain("stop 2")])
    return web.Application([("/", Page)], log=log, **settings)


ORDER = ["enter", "start 1", "start 2", "request", "stop 2", "stop 1", "exit"]


async def test_order(loop_kind):
    log = Log()
    app = application(log)
    async with app.run_lifespan():
        log.calls.append("request")
    assert log.calls == ORDER
    assert log.applications == {app}


async def test_without_settings():
    async with web.Application().run_lifespan():
        pass


@pytest.mark.parametrize("name", ["lifespan", "on_startup", "on_shutdown"])
async def test_server_without_the_lifespan_is_reported(name, expect_log):
    log = Log()
    value = log.lifespan if name == "lifespan" else [log.plain("never")]
    app = web.Application(**{name: value})
    with expect_log("tornado.application", f"the setting {name} has no effect"):
        app.listen(0, "127.0.0.1").stop()
    async with app.run_lifespan():
        app.listen(0, "127.0.0.1").stop()


async def test_error_in_startup_runs_the_shutdown_and_propagates():
    log = Log()
    app = application(log, on_startup=[log.plain("start 1"), log.failing("start 2"), log.plain("start 3")])
    with pytest.raises(ZeroDivisionError, match="start 2"):
        async with app.run_lifespan():
            pytest.fail("the startup has failed")
    assert log.calls == ["enter", "start 1", "start 2", "stop 2", "stop 1", "exit"]


async def test_error_in_shutdown_does_not_skip_the_rest():
    log = Log()
    app = application(log, lifespan=None, on_shutdown=[log.plain("stop 1"), log.failing("stop 2")])
    with pytest.raises(ZeroDivisionError, match="stop 2"):
        async with app.run_lifespan():
            pass
    assert log.calls == ["start 1", "start 2", "stop 2", "stop 1"]


async def test_error_while_serving_runs_the_shutdown():
    log = Log()
    with pytest.raises(KeyError):
        async with application(log).run_lifespan():
            raise KeyError("on purpose")
    assert log.calls == [each for each in ORDER if each != "request"]


async def _coroutine(application: Any) -> None:
    pass


async def _generator(application: Any) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on_startup": print}, "on_startup must be a list of functions that accept the application, got"),
        ({"on_shutdown": [1]}, "on_shutdown must contain functions only, got 1"),
        ({"lifespan": 1}, "returns an asynchronous context manager, got 1"),
        ({"lifespan": _coroutine}, "returns an asynchronous context manager, but .* returned"),
        ({"lifespan": _generator}, "decorate it with contextlib.asynccontextmanager"),
    ],
)
async def test_invalid_settings(settings, message):
    with pytest.raises(TypeError, match=message):
        async with web.Application(**settings).run_lifespan():
            pass


async def test_serving():
    log = Log()
    async with testing.serving(application(log, log_function=lambda handler: None)) as server:
        await server.fetch("/")
    assert log.calls == ORDER


async def test_serving_after_failed_startup():
    log = Log()
    with pytest.raises(ZeroDivisionError):
        async with testing.serving(application(log, on_startup=[log.failing("start 1")])):
            pytest.fail("the startup has failed")
    assert log.calls == ["enter", "start 1", "stop 2", "stop 1", "exit"]


def test_http_case():
    log = Log()

    class Case(testing.AsyncHTTPTestCase):
        def get_app(self) -> web.Application:
            return application(log, log_function=lambda handler: None)

        def test(self) -> None:
            assert self.fetch("/").code == 200

    result = unittest.TestResult()
    Case("test").run(result)
    assert result.wasSuccessful(), result.errors
    assert log.calls == ORDER


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        ({"on_startup": ["start 1"]}, ["start 1", "stop 2", "stop 1"]),
        ({"on_shutdown": ["stop 1"]}, ["start 1", "start 2", "request", "stop 1"]),
    ],
)
def test_http_case_reports_an_error_of_the_lifespan(settings, calls):
    log = Log()
    functions = {name: [log.failing(each) for each in names] for name, names in settings.items()}

    class Case(testing.AsyncHTTPTestCase):
        def get_app(self) -> web.Application:
            return application(log, lifespan=None, log_function=lambda handler: None, **functions)

        def test(self) -> None:
            self.fetch("/")

        def setUp(self) -> None:
            self.addCleanup(lambda: self.io_loop.close(all_fds=True))
            super().setUp()

    result = unittest.TestResult()
    Case("test").run(result)
    [(_, text)] = result.errors
    assert "ZeroDivisionError" in text
    assert log.calls == calls
