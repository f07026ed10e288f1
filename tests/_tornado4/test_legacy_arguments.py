"""``callback=`` of coroutines, and a loop as the first argument."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from tests.support.server import serving
from tests.support.testing import is_coroutine_function
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import DefaultExecutorResolver, ExecutorResolver, OverrideResolver, Resolver
from tornado.tcpclient import TCPClient


async def test_connect_calls_callback():
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


async def test_failed_connect_with_callback_is_logged(expect_log):
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
async def test_resolve_calls_callback(make):
    got = asyncio.Queue()
    resolver = make()
    with pytest.warns(DeprecationWarning, match=r"resolve\(callback=...\)"):
        resolver.resolve("127.0.0.1", 80, callback=got.put_nowait)
    ((_, address),) = await got.get()
    assert address == ("127.0.0.1", 80)
    assert await resolver.resolve("127.0.0.1", 80) == [(_, address)]
    resolver.close()


def test_decorated_method_is_coroutine_function():
    assert is_coroutine_function(TCPClient.connect)
    assert "callback" not in inspect.signature(TCPClient.connect).parameters
    with mock.patch.object(TCPClient, "connect") as connect:
        assert isinstance(connect, mock.AsyncMock)


async def test_arguments_after_io_loop_shift_left():
    shared = AsyncHTTPClient()
    for arguments, named in (((True,), {}), ((), {"force_instance": True})):
        with pytest.warns(DeprecationWarning, match="io_loop argument of"):
            own = AsyncHTTPClient(IOLoop.current(), *arguments, **named)
        assert own is not shared
        own.close()
    assert list(inspect.signature(AsyncHTTPClient.__new__).parameters) == ["cls", "force_instance", "kwargs"]
    shared.close()


async def test_loop_as_only_argument_is_force_instance():
    # jupyter_server.utils.async_fetch does this, and its test suite turns all warnings into errors.
    shared, own = AsyncHTTPClient(), AsyncHTTPClient(IOLoop.current())
    assert own is not shared
    own.close()
    assert AsyncHTTPClient() is shared
    shared.close()


async def test_set_blocking_log_threshold_warns():
    with pytest.warns(DeprecationWarning, match="debug mode"):
        IOLoop.current().set_blocking_log_threshold(0.5)


async def test_multi_future_and_maybe_future():
    from tornado import gen

    assert await gen.MultiFuture([gen.maybe_future(1), gen.maybe_future(2)]) == [1, 2]
