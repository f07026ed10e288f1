"""A pytest plugin for tests and fixtures that are ``async def``. One fixture serves the application.

It is not loaded automatically; request it in ``conftest.py``::

    pytest_plugins = ["tornado.testing.pytest"]

    @pytest.fixture
    def tornado_app():
        return make_app()

A test can then use the fixture `tornado_server`::

    async def test_front_page(tornado_server):
        response = await tornado_server.fetch("/")
        assert response.body == b"Hello, world"

All names that the plugin adds start with ``tornado``: the mark `tornado`, and the fixtures `tornado_app`,
`tornado_server`, `tornado_runner` and `tornado_loop_factory`. The plugin ignores tests that are marked for
another plugin (``asyncio``, ``anyio``, ``trio``, or ``gen_test`` of pytest-tornado) or use anyio's fixture
``anyio_backend``, and fixtures that only such tests use.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import unittest
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from tornado.testing._async_runner import AsyncRunner
from tornado.testing._serving import RunningServer, serving
from tornado.testing._timeout import get_async_test_timeout

#: Marks of other plugins that run asynchronous tests.
_OTHERS = ("anyio", "asyncio", "gen_test", "trio", "twisted")

_EXHAUSTED = object()


@pytest.fixture
def tornado_app() -> Any:
    """Return the application to test. Every program overrides this fixture."""
    pytest.fail(
        "tornado_server requires a fixture tornado_app that returns the application: "
        "define it in conftest.py or in the test module",
        pytrace=False,
    )


@pytest.fixture
async def tornado_server(tornado_app: Any) -> AsyncIterator[RunningServer]:
    """Serve `tornado_app` during a test; the value is a `RunningServer <tornado.testing.RunningServer>`.

    To pass options to the server, override this fixture::

        @pytest.fixture
        async def tornado_server(tornado_app):
            async with tornado.testing.serving(tornado_app, xheaders=True) as server:
                yield server
    """
    async with serving(tornado_app) as server:
        yield server


@pytest.fixture
def tornado_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the function that creates the event loop, such as ``uvloop.new_event_loop``, or None."""
    return None


@pytest.fixture
def tornado_runner(
    tornado_loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> Iterator[AsyncRunner]:
    """Return the runner of a test: a synchronous fixture can call ``tornado_runner.run(coroutine)``."""
    runner = AsyncRunner(tornado_loop_factory)
    yield runner
    runner.close()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        "tornado(timeout=None): run an async def test with a timeout in seconds, "
        "by default ASYNC_TEST_TIMEOUT or 5; 0 for no limit",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Insert the runner as the first fixture, so that it is closed after all other fixtures."""
    if _runs_test(item):
        item.fixturenames.insert(0, "tornado_runner")  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Run the test on its runner."""
    __tracebackhide__ = True
    if not _runs_test(pyfuncitem):
        return (yield)
    test, timeout = pyfuncitem.obj, _timeout(pyfuncitem)
    if inspect.isasyncgenfunction(test):
        pytest.fail(f"the test {pyfuncitem.name} contains 'yield', which only fixtures may do", pytrace=False)
    runner: Any = pyfuncitem.funcargs["tornado_runner"]

    def run(**arguments: Any) -> Any:
        __tracebackhide__ = True
        return runner.run(test(**arguments), timeout)

    pyfuncitem.obj = run
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Run an asynchronous fixture on the runner of the test that uses it."""
    __tracebackhide__ = True
    function = fixturedef.func
    if not _is_asynchronous(function) or "tornado_runner" not in request.fixturenames:
        return (yield)
    if fixturedef.scope != "function":
        pytest.fail(
            f"the fixture {fixturedef.argname} is async def and has the scope {fixturedef.scope!r}: an async "
            "fixture must have the scope 'function', because each test has a separate event loop",
            pytrace=False,
        )
    if asyncio._get_running_loop() is not None:
        pytest.fail(
            f"the fixture {fixturedef.argname} is async def and cannot be set up while a test is running: "
            "request it as an argument of the test, or with the mark usefixtures",
            pytrace=False,
        )
    runner = request.getfixturevalue("tornado_runner")
    bound: Any = function
    if inspect.ismethod(function) and request.instance is not None:
        bound = function.__func__.__get__(request.instance)  # pytest has bound it to another instance
    adapt = _as_generator if inspect.isasyncgenfunction(function) else _as_function
    # pytest finds the source of the fixture, for error messages, through wraps().
    fixturedef.func = functools.wraps(function)(adapt(runner, bound))  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


def _is_asynchronous(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _as_function(runner: AsyncRunner, fixture: Any) -> Callable[..., Any]:
    def make(**arguments: Any) -> Any:
        __tracebackhide__ = True
        return runner.run(fixture(**arguments))

    return make


def _as_generator(runner: AsyncRunner, fixture: Any) -> Callable[..., Generator[Any, None, None]]:
    def steps(**arguments: Any) -> Generator[Any, None, None]:
        __tracebackhide__ = True
        values = fixture(**arguments)

        async def advance() -> Any:
            return await anext(values, _EXHAUSTED)

        # Yield as often as the fixture does. If it does not yield exactly once, pytest reports an error.
        while (value := runner.run(advance())) is not _EXHAUSTED:
            yield value

    return steps


def _runs_test(item: pytest.Item) -> bool:
    """Whether this plugin runs a test."""
    if not isinstance(item, pytest.Function) or not _is_asynchronous(item.obj):
        return False
    if item.cls is not None and issubclass(item.cls, unittest.TestCase):
        return False
    if item.get_closest_marker("tornado"):
        return True
    others = any(item.get_closest_marker(name) for name in _OTHERS)
    return not others and "anyio_backend" not in item.fixturenames


def _timeout(item: pytest.Item) -> float | None:
    mark = item.get_closest_marker("tornado")
    given = None
    if mark is not None:
        if len(mark.args) + len(mark.kwargs) > 1 or mark.kwargs.keys() - {"timeout"}:
            arguments = [*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())]
            pytest.fail(
                f"@pytest.mark.tornado takes only the argument timeout (in seconds), "
                f"got ({', '.join(arguments)})",
                pytrace=False,
            )
        given = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    return (get_async_test_timeout() if given is None else given) or None
