"""A pytest plugin: tests and fixtures that are ``async def``, and a server with the program's application.

It is loaded where a program asks for it, in its ``conftest.py``, and never because it is installed::

    pytest_plugins = ["tornado.testing.pytest"]

    @pytest.fixture
    def tornado_app():
        return make_app()

Then in a test::

    async def test_front_page(tornado_server):
        response = await tornado_server.fetch("/")
        assert response.body == b"Hello, world"

Every name that it adds begins with ``tornado``: the mark `tornado`, the fixtures `tornado_app`,
`tornado_server`, `tornado_stage` and `tornado_loop_factory`. A test that is marked for another plugin
(``asyncio``, ``anyio``, ``trio``, ``gen_test`` of pytest-tornado), or that uses anyio's fixture
``anyio_backend``, is left to that one; so are fixtures that only such tests use.
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

#: Marks by which a test says who runs it, if not this plugin.
_OTHERS = ("anyio", "asyncio", "gen_test", "trio", "twisted")

_END = object()


@pytest.fixture
def tornado_app() -> Any:
    """Give the application under test: each program overrides this one."""
    pytest.fail(
        "tornado_server serves what the fixture tornado_app returns: "
        "define it in conftest.py or beside the tests",
        pytrace=False,
    )


@pytest.fixture
async def tornado_server(tornado_app: Any) -> AsyncIterator[RunningServer]:
    """Serve `tornado_app` for the time of a test: `RunningServer <tornado.testing.RunningServer>`.

    To give the server options, override this one by what it is::

        @pytest.fixture
        async def tornado_server(tornado_app):
            async with tornado.testing.serving(tornado_app, xheaders=True) as server:
                yield server
    """
    async with serving(tornado_app) as server:
        yield server


@pytest.fixture
def tornado_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the event loop of a test, such as ``uvloop.new_event_loop``; None for asyncio's own."""
    return None


@pytest.fixture
def tornado_stage(
    tornado_loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> Iterator[AsyncRunner]:
    """Give the loop of a test: ``tornado_stage.run(coroutine)`` runs one in it, from a plain fixture."""
    stage = AsyncRunner(tornado_loop_factory)
    yield stage
    stage.close()


def pytest_configure(config: pytest.Config) -> None:
    """Describe the mark."""
    config.addinivalue_line(
        "markers",
        "tornado(timeout=None): a test that is async def, and the seconds it may take, "
        "ASYNC_TEST_TIMEOUT or 5 where they are left out; 0 for no limit",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have the stage made before, and closed after, everything else that a test of this plugin uses."""
    if _is_ours(item):
        item.fixturenames.insert(0, "tornado_stage")  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Run the test on its stage."""
    __tracebackhide__ = True
    if not _is_ours(pyfuncitem):
        return (yield)
    test, timeout = pyfuncitem.obj, _timeout(pyfuncitem)
    if inspect.isasyncgenfunction(test):
        pytest.fail(f"the test {pyfuncitem.name} has a 'yield', which only fixtures may have", pytrace=False)
    stage: Any = pyfuncitem.funcargs["tornado_stage"]

    def play(**arguments: Any) -> Any:
        __tracebackhide__ = True
        return stage.run(test(**arguments), timeout)

    pyfuncitem.obj = play
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Run a fixture on the stage of the test that it is made for."""
    __tracebackhide__ = True
    function = fixturedef.func
    if not _is_asynchronous(function) or "tornado_stage" not in request.fixturenames:
        return (yield)
    if fixturedef.scope != "function":
        pytest.fail(
            f"the fixture {fixturedef.argname} is async def and of scope {fixturedef.scope!r}: each test has "
            "a loop of its own, so such a fixture must be of scope 'function'",
            pytrace=False,
        )
    if asyncio._get_running_loop() is not None:
        pytest.fail(
            f"the fixture {fixturedef.argname} is async def and cannot be made while a test runs: "
            "let the test have it as an argument, or the mark usefixtures",
            pytrace=False,
        )
    stage = request.getfixturevalue("tornado_stage")
    bound: Any = function
    if inspect.ismethod(function) and request.instance is not None:
        bound = function.__func__.__get__(request.instance)  # what pytest has bound is another instance
    plain = _as_generator if inspect.isasyncgenfunction(function) else _as_function
    # With wraps() pytest finds the fixture's source when it has to name it.
    fixturedef.func = functools.wraps(function)(plain(stage, bound))  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


def _is_asynchronous(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _as_function(stage: AsyncRunner, fixture: Any) -> Callable[..., Any]:
    def make(**arguments: Any) -> Any:
        __tracebackhide__ = True
        return stage.run(fixture(**arguments))

    return make


def _as_generator(stage: AsyncRunner, fixture: Any) -> Callable[..., Generator[Any, None, None]]:
    def steps(**arguments: Any) -> Generator[Any, None, None]:
        __tracebackhide__ = True
        values = fixture(**arguments)

        async def advance() -> Any:
            return await anext(values, _END)

        # As often as the fixture yields: pytest says what is wrong with other than once.
        while (value := stage.run(advance())) is not _END:
            yield value

    return steps


def _is_ours(item: pytest.Item) -> bool:
    """Tell whether this plugin is to run a test."""
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
                f"@pytest.mark.tornado takes timeout (seconds) and nothing else, "
                f"not ({', '.join(arguments)})",
                pytrace=False,
            )
        given = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    return (get_async_test_timeout() if given is None else given) or None
