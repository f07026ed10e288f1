"""The two kinds of loop, what converts Futures, and the event loop policy for any thread."""

from __future__ import annotations

import asyncio
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

import tornado.platform.asyncio as platform_asyncio
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import (
    AsyncIOLoop,
    AsyncIOMainLoop,
    BaseAsyncIOLoop,
    to_asyncio_future,
    to_tornado_future,
)


async def test_the_main_loop_is_the_running_one(loop_kind: str) -> None:
    made = AsyncIOMainLoop()
    assert made.asyncio_loop is asyncio.get_running_loop()
    assert made.selector_loop is made.asyncio_loop
    assert IOLoop.current() is made


def test_a_given_asyncio_loop(loop_kind: str) -> None:
    given = asyncio.new_event_loop()
    made = AsyncIOLoop(asyncio_loop=given, make_current=False)
    assert isinstance(made, BaseAsyncIOLoop)
    assert made.asyncio_loop is given
    with pytest.raises(RuntimeError, match="has an IOLoop already"):
        AsyncIOLoop(asyncio_loop=given, make_current=False)
    assert not given.is_closed()
    made.close()
    assert given.is_closed()


def test_a_loop_of_its_own_is_closed_when_it_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        return made[0]

    monkeypatch.setattr(asyncio, "new_event_loop", new_event_loop)
    with pytest.raises(TypeError):
        AsyncIOLoop(make_current=False, unknown=True)
    assert made[0].is_closed()


async def test_conversions() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    assert to_tornado_future(future) is future
    assert to_asyncio_future(future) is future
    future.set_result(1)
    both = to_asyncio_future([future, future])  # type: ignore[arg-type, var-annotated]
    assert await both == [1, 1]


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        platform_asyncio.nothing  # noqa: B018
    assert "AnyThreadEventLoopPolicy" in dir(platform_asyncio)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio itself warns of everything about policies")
def test_a_policy_for_any_thread() -> None:
    def work() -> bool:
        loop = asyncio.get_event_loop()
        same = asyncio.get_event_loop() is loop
        loop.close()
        return same

    policy_class = platform_asyncio.AnyThreadEventLoopPolicy
    assert platform_asyncio.AnyThreadEventLoopPolicy is policy_class
    assert policy_class.__module__ == "tornado.platform.asyncio"
    before = asyncio.get_event_loop_policy()
    with pytest.warns(DeprecationWarning, match="AnyThreadEventLoopPolicy is deprecated"):
        asyncio.set_event_loop_policy(policy_class())
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(work).result()
    finally:
        asyncio.set_event_loop_policy(before)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="no current event loop"):
        pool.submit(work).result()


def test_importing_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vars(platform_asyncio).pop("AnyThreadEventLoopPolicy", None)
        assert platform_asyncio.AnyThreadEventLoopPolicy
