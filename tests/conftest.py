"""Hooks and fixtures for all tests.

Each ``async def`` test runs in a new event loop: asyncio's, or asyncio's and uvloop's in turn if it uses the
fixture ``loop_kind``, or one with a fake clock if it uses ``clock``. A test fails on a log record of level
WARNING or above that it does not expect with ``expect_log``, and on every warning (see ``pyproject.toml``).
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import running_browser
from tests.support.certificates import Certificates
from tests.support.clock import FakeClock
from tests.support.databases import (
    MariaDB,
    NATSServer,
    RedisServer,
    running_mariadb,
    running_nats,
    running_redis,
)
from tests.support.logs import Expectation, LogWatch, watched_logs
from tests.support.marks import marks
from tornado.iostream import _write_side
from tornado.iostream._core import FAIR_SHARE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DEADLINE = 30.0


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the function that creates an event loop of the kind ``"asyncio"`` or ``"uvloop"``."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop  # type: ignore[no-any-return, unused-ignore]
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop  # the default there; it has no add_reader()
    return asyncio.SelectorEventLoop


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest) -> str:
    """Run the test on each kind of event loop; the value is the kind."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    kind: str = request.param
    return kind


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test controls; the event loop of an ``async def`` test uses it."""
    return FakeClock()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an ``async def`` test in a new event loop, with a deadline."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    fixtures: dict[str, Any] = pyfuncitem.funcargs
    arguments = {name: fixtures[name] for name in pyfuncitem._fixtureinfo.argnames}
    marker = pyfuncitem.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else DEADLINE
    if "clock" in fixtures:
        factory, seconds = fixtures["clock"].new_event_loop, None
    else:
        factory = loop_factory(fixtures.get("loop_kind", "asyncio"))

    async def run() -> None:
        async with asyncio.timeout(seconds):
            await pyfuncitem.obj(**arguments)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
    # Warnings from the finalizers of the test's objects must belong to this test.
    gc.collect()
    return True


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that ``scripts/test --quick`` leaves out."""
    path = item.path.relative_to(Path(__file__).parent)
    for mark in marks(path, getattr(item, "fixturenames", ())):
        item.add_marker(mark)


def pytest_collection_finish() -> None:
    """Exclude the objects that exist before the first test from garbage collection."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Also exclude, after each file, the objects that its imports and caches refer to."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Escape lone surrogates in captured output, because pytest-xdist sends reports as UTF-8."""
    data = yield
    if data is not None and "sections" in data:
        data["sections"] = [
            (title, text.encode(errors="backslashreplace").decode()) for title, text in data["sections"]
        ]
    return data


@pytest.fixture(autouse=True)
def log_watch() -> Iterator[LogWatch]:
    """Fail the test on any unexpected log record of level WARNING or above."""
    with watched_logs() as watch:
        yield watch
    if watch.stray:
        pytest.fail(f"unexpected log records:\n{watch.describe()}", pytrace=False)


@pytest.fixture
def expect_log(log_watch: LogWatch) -> Callable[..., AbstractContextManager[Expectation]]:
    """``with expect_log("tornado.general", "regex"):`` allows and requires such a record in its block."""
    return log_watch.expect


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of the test run: files, and TLS contexts for servers and clients."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> Certificates | None:
    """Run the test without TLS (the value is None) and with TLS (the value is ``certificates``).

    Together with ``loop_kind``, this results in the four variants of every test of a stream or a server.
    """
    if request.param == "plain":
        return None
    value: Certificates = request.getfixturevalue("certificates")
    return value


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a stream's writes per event loop iteration to its share when many other streams write as well."""
    monkeypatch.setattr(_write_side, "LARGE_SHARE", FAIR_SHARE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one file, which must not be ``async def``.

    Playwright's event loop runs in this thread during the lifetime of the fixture.
    """
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server for the tests of one file; each test creates a separate database."""
    with running_mariadb() as running:
        yield running


@pytest.fixture(scope="module")
def nats_server() -> Iterator[NATSServer]:
    """A NATS server with JetStream for the tests of one file."""
    with running_nats() as running:
        yield running


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for the tests of one file."""
    with running_redis() as running:
        yield running
