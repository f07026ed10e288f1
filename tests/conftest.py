"""How every test here runs.

``async def`` tests run in an event loop of their own: on asyncio, or on asyncio and on uvloop when they use
the fixture ``loop_kind``, or on a fake clock when they use ``clock``. A log record of WARNING or above that
the test did not announce with ``expect_log`` fails it, as does every warning (``pyproject.toml``).
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import running_browser
from tests.support.certificates import Certificates
from tests.support.clock import FakeClock
from tests.support.databases import MariaDB, RedisServer, running_mariadb, running_redis
from tests.support.logs import Expectation, LogWatch, watched_logs
from tornado.iostream import _write_side
from tornado.iostream._core import FAIR_SHARE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DEADLINE = 30.0


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes a loop of the kind ``"asyncio"`` or ``"uvloop"``."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop  # type: ignore[no-any-return, unused-ignore]
    return asyncio.SelectorEventLoop


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest) -> str:
    """Run the test once on each kind of event loop; the value names the kind."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    kind: str = request.param
    return kind


@pytest.fixture
def clock() -> FakeClock:
    """A clock for the test to move; an ``async def`` test's loop lives by it."""
    return FakeClock()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an ``async def`` test to its end, with a deadline, in a fresh loop."""
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
    # What the test dropped is reported while this test is still the one under way.
    gc.collect()
    return True


def pytest_collection_finish() -> None:
    """Leave what exists before the first test out of every later collection."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The same after each file: what its imports and the caches keep is not looked at a thousand times."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def log_watch() -> Iterator[LogWatch]:
    """Fail the test on any log record of WARNING or above that it did not expect."""
    with watched_logs() as watch:
        yield watch
    if watch.stray:
        pytest.fail(f"stray log records:\n{watch.describe()}", pytrace=False)


@pytest.fixture
def expect_log(log_watch: LogWatch) -> Callable[..., AbstractContextManager[Expectation]]:
    """``with expect_log("tornado.general", "regex"):`` allows and demands such records in its block."""
    return log_watch.expect


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of this run: contexts for servers and clients, and files."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> Certificates | None:
    """Run the test once without TLS (the value is None) and once with it (the value is ``certificates``).

    With ``loop_kind`` these are the four variants that every test of a stream or a server runs on.
    """
    if request.param == "plain":
        return None
    value: Certificates = request.getfixturevalue("certificates")
    return value


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stream writes more in a turn of the loop than each of many would: steps small enough to be seen."""
    monkeypatch.setattr(_write_side, "LARGE_SHARE", FAIR_SHARE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one file, none of which may be ``async def``.

    Playwright's own loop runs in this thread for as long as the fixture lives.
    """
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server for the tests of one file; each makes a database of its own in it."""
    with running_mariadb() as running:
        yield running


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for the tests of one file."""
    with running_redis() as running:
        yield running
