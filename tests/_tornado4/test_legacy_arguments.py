"""``callback=`` of coroutines, and a loop as the first argument."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from tests.support.server import serving
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import DefaultExecutorResolver, ExecutorResolver, OverrideResolver, Resolver
from tornado.tcpclient import TCPClient


async def test_connecting_for_a_callback():
    """The return value of connect() is not awaited."""
    got = asyncio.Queue()
    async with serving(web.Application()) as server:
        with pytest.warns(DeprecationWarning, match=r"TCPClient.connect\(callback=...\)") as caught:
            TCPClient().connect("127.0.0.1", server.port, callback=got.put_nowait)
        assert caught[0].filename == __file__
        stream = await got.get()
        assert isinstance(stream, IOStream)
        stream.close()
        stream = await TCPClient().connect("127.0.0.1", server.port, callback=None)
        stream.close()


async def test_a_connection_that_fails_is_logged(expect_log):
    with pytest.warns(DeprecationWarning, match="callback"):
        future = TCPClient().connect("127.0.0.1", 0, callback=print)
    with expect_log("tornado.application", "Exception in callback"):
        await asyncio.wait([future])
        await asyncio.sleep(0)
    assert isinstance(future.exception(), StreamClosedError)


@pytest.mark.parametrize(
    "make",
    [
        Resolver,
        DefaultExecutorResolver,
        lambda: OverrideResolver(Resolver(), {"name": "127.0.0.1"}),
        lambda: ExecutorResolver(ThreadPoolExecutor(1)),
    ],
)
async def test_resolving_for_a_callback(make):
    got = asyncio.Queue()
    resolver = make()
    with pytest.warns(DeprecationWarning, match=r"resolve\(callback=...\)"):
        resolver.resolve("127.0.0.1", 80, callback=got.put_nowait)
    ((_, address),) = await got.get()
    assert address == ("127.0.0.1", 80)
    assert await resolver.resolve("127.0.0.1", 80) == [(_, address)]
    resolver.close()


def test_they_are_still_what_they_were():
    assert asyncio.iscoroutinefunction(TCPClient.connect)
    assert "callback" not in inspect.signature(TCPClient.connect).parameters
    with mock.patch.object(TCPClient, "connect") as connect:
        assert isinstance(connect, mock.AsyncMock)


async def test_what_follows_a_loop_moves_up():
    shared = AsyncHTTPClient()
    for arguments, named in (((True,), {}), ((), {"force_instance": True})):
        with pytest.warns(DeprecationWarning, match="io_loop argument of"):
            own = AsyncHTTPClient(IOLoop.current(), *arguments, **named)
        assert own is not shared
        own.close()
    assert list(inspect.signature(AsyncHTTPClient.__new__).parameters) == ["cls", "force_instance", "kwargs"]
    shared.close()


async def test_a_loop_that_stands_alone_is_a_true_force_instance():
    # jupyter_server.utils.async_fetch does this, and its test suite turns all warnings into errors.
    shared, own = AsyncHTTPClient(), AsyncHTTPClient(IOLoop.current())
    assert own is not shared
    own.close()
    assert AsyncHTTPClient() is shared
    shared.close()


async def test_nothing_is_told_of_what_blocks_the_loop():
    with pytest.warns(DeprecationWarning, match="debug mode"):
        IOLoop.current().set_blocking_log_threshold(0.5)


async def test_futures_under_their_older_name():
    from tornado import gen

    assert await gen.MultiFuture([gen.maybe_future(1), gen.maybe_future(2)]) == [1, 2]
