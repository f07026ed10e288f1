"""`HTTPClient`, and the cache, defaults and errors of `AsyncHTTPClient`, tested without a network."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar

import pytest

from tests.support.configuration import restored_configuration
from tests.support.httpclient import async_client
from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPError, HTTPRequest, HTTPResponse
from tornado.ioloop import IOLoop


class Canned(AsyncHTTPClient):
    """An implementation whose response has the status code in the URL."""

    def initialize(self, defaults=None, extra=None):
        super().initialize(defaults)
        self.extra = extra
        self.seen = []

    def fetch_impl(self, request, callback):
        self.seen.append(request)
        if request.url == "broken":
            callback(HTTPResponse(request, 599, error=OSError("broken")))
        else:
            callback(HTTPResponse(request, int(request.url)))


@pytest.fixture(autouse=True)
def configured():
    with restored_configuration(AsyncHTTPClient):
        AsyncHTTPClient.configure(Canned)
        yield


async def test_one_instance_per_loop():
    client = AsyncHTTPClient()
    assert isinstance(client, Canned)
    assert AsyncHTTPClient() is client
    assert AsyncHTTPClient(force_instance=True) is not client
    client.close()
    other = AsyncHTTPClient()
    assert other is not client
    client.close()
    assert AsyncHTTPClient() is other


async def test_each_class_has_its_own_instance():
    assert Canned() is not AsyncHTTPClient()
    assert Canned() is Canned()


def test_each_loop_has_its_own_instance_and_frees_it():
    async def make():
        return AsyncHTTPClient()

    first, second = asyncio.run(make()), asyncio.run(make())
    assert first is not second
    freed = weakref.ref(first)
    del first
    gc.collect()
    assert freed() is None


async def test_arguments_and_defaults_of_configure_apply():
    AsyncHTTPClient.configure(Canned, extra="configured", defaults={"user_agent": "agent"})
    client = AsyncHTTPClient()
    assert client.extra == "configured"
    assert client.io_loop is IOLoop.current()
    await client.fetch("200", max_redirects=2)
    (request,) = client.seen
    assert request.user_agent == "agent"
    assert request.max_redirects == 2
    assert request.connect_timeout == 20
    assert AsyncHTTPClient(force_instance=True, extra="given").extra == "given"


async def test_own_arguments_are_not_ignored_if_a_shared_client_exists():
    AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient")
    client = AsyncHTTPClient(max_clients=5, retry=None)
    assert AsyncHTTPClient(max_clients=6, defaults={"user_agent": "x"}, retry=None) is client  # as in Tornado
    with pytest.raises(RuntimeError, match=r"\(no_proxy=..., proxy=...\).*force_instance=True"):
        AsyncHTTPClient(max_clients=5, proxy="http://proxy.test", no_proxy="a.test")
    other = AsyncHTTPClient(force_instance=True, proxy="http://proxy.test")
    other.close()
    client.close()
    client = AsyncHTTPClient(proxy="http://proxy.test")
    assert AsyncHTTPClient(proxy="http://proxy.test") is client
    assert AsyncHTTPClient() is client
    with pytest.raises(RuntimeError, match="proxy"):
        AsyncHTTPClient(proxy="http://other.test")
    client.close()


async def test_arguments_of_a_programs_own_client_are_ignored_as_in_upstream():
    class Own(Canned):
        def initialize(self, proxy=None, **arguments):
            super().initialize(**arguments)

    assert Own() is Own(proxy="x")


async def test_error_for_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match=r"'requets_timeout'[:.] [Dd]id you mean 'request_timeout'\?$"):
        await AsyncHTTPClient().fetch("200", requets_timeout=1)
    with pytest.raises(TypeError, match=r"'metod'[:.] [Dd]id you mean 'method'\?$"):
        AsyncHTTPClient().stream("200", metod="GET")
    with pytest.raises(TypeError, match="'zzz'$"):
        await AsyncHTTPClient().fetch("200", zzz=1)
    AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient")
    for kind in (AsyncHTTPClient, AsyncHTTPClient.configured_class()):
        with pytest.raises(TypeError, match=r"'max_client'[:.] [Dd]id you mean 'max_clients'\?$"):
            kind(force_instance=True, max_client=1)


async def test_type_errors_of_arguments_are_passed_on():
    with pytest.raises(TypeError, match="a chunk|body"):
        await AsyncHTTPClient().fetch("200", body=1)


async def test_error_status_raises_unless_disabled():
    client = AsyncHTTPClient()
    with pytest.raises(HTTPError, match="404"):
        await client.fetch("404")
    assert (await client.fetch("404", raise_error=False)).code == 404
    for raise_error in (True, False):
        with pytest.raises(OSError, match="broken"):
            await client.fetch("broken", raise_error=raise_error)


async def test_request_objects_are_accepted_without_arguments():
    client = AsyncHTTPClient()
    headers = {"X": "1"}
    request = HTTPRequest("200", headers=headers)
    response = await client.fetch(request)
    assert response.request is request
    assert request.headers is not headers
    with pytest.raises(ValueError, match="accepts method only together with a URL"):
        client.fetch(request, method="POST")


async def test_fetch_on_a_closed_client():
    client = AsyncHTTPClient(force_instance=True)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed Canned"):
        client.fetch("200")


async def test_cancelled_fetch_ignores_the_response():
    client = AsyncHTTPClient()
    calls = []
    client.fetch_impl = lambda request, callback: calls.append((request, callback))
    future = client.fetch("200")
    future.cancel()
    request, callback = calls[0]
    callback(HTTPResponse(request, 200))


def test_missing_fetch_impl_is_reported():
    async def fetch():
        class Empty(AsyncHTTPClient):
            pass

        with pytest.raises(NotImplementedError, match="Empty does not define fetch_impl"):
            Empty(force_instance=True).fetch("200")

    asyncio.run(fetch())


def test_default_implementation_is_the_simple_client():
    AsyncHTTPClient.configure(None)
    assert AsyncHTTPClient.configured_class().__name__ == "SimpleAsyncHTTPClient"


def test_blocking_client_returns_or_raises():
    client = HTTPClient()
    assert client.fetch("200").code == 200
    with pytest.raises(HTTPError):
        client.fetch("500")
    client.close()
    client.close()


async def test_blocking_client_inside_a_running_loop():
    """The client's loop runs in a temporary thread, in a copy of the caller's context."""
    variable: ContextVar[int] = ContextVar("variable")
    seen = []

    class Curious(Canned):
        def fetch_impl(self, request, callback):
            seen.append((variable.get(), threading.current_thread() is threading.main_thread()))
            super().fetch_impl(request, callback)

    variable.set(7)
    loop, threads = asyncio.get_running_loop(), threading.active_count()
    client = HTTPClient(Curious)
    assert client.fetch("200").code == 200
    with pytest.raises(HTTPError):
        client.fetch("500")
    client.close()
    assert seen == [(7, False), (7, False)]
    assert asyncio.get_running_loop() is loop
    assert IOLoop.current().asyncio_loop is loop
    assert threading.active_count() == threads


def test_blocking_client_takes_force_instance() -> None:
    for force_instance in (True, False):
        client = HTTPClient(force_instance=force_instance)
        client.close()


def test_blocking_client_of_a_class_with_arguments():
    client = HTTPClient(Canned, extra=3)
    assert async_client(client).extra == 3
    del client
    gc.collect()


def test_blocking_client_with_wrong_arguments_leaks_nothing():
    with pytest.raises(TypeError):
        HTTPClient(Canned, wrong=1)
    gc.collect()
