"""The event loop of a client: one that is created before any loop runs, and one that is used on two loops."""

from __future__ import annotations

import asyncio
import threading
import warnings

import pytest

from tests.support.modules import load
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import DefaultLoopResolver, bind_sockets
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application, RequestHandler

CLIENTS = ["tornado.simple_httpclient.SimpleAsyncHTTPClient", "tornado.curl_httpclient.CurlAsyncHTTPClient"]


class Hello(RequestHandler):
    def get(self):
        self.write("hello")


@pytest.fixture(params=CLIENTS, ids=["simple", "curl"])
def kind(request):
    module, _, name = request.param.rpartition(".")
    return getattr(load(module), name)


async def fetch(client, times=1):
    """Fetch from a server of this loop, and return the bodies."""
    server = HTTPServer(Application([("/", Hello)], log_function=lambda handler: None))
    (sock,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([sock])
    url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
    try:
        return [(await client.fetch(url, request_timeout=30)).body for _ in range(times)]
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
def other_loop():
    """A current loop that never runs, as programs have it when they create a client at module level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loop = IOLoop(make_current=True)
    yield loop
    loop.close()


def test_client_created_before_the_loop(kind, other_loop):
    client = kind(force_instance=True)

    async def main():
        assert await fetch(client, times=2) == [b"hello", b"hello"]
        assert client.io_loop is IOLoop.current()
        client.close()

    asyncio.run(main())


def test_shared_client_moves_to_the_cache_of_the_running_loop(kind, other_loop):
    client = kind()

    async def main():
        await fetch(client)
        assert kind() is client
        client.close()
        assert kind() is not client
        kind().close()

    asyncio.run(main())


def test_one_client_for_consecutive_loops(kind, other_loop):
    client = kind(force_instance=True)
    for _ in range(3):
        assert asyncio.run(fetch(client, times=2)) == [b"hello", b"hello"]
    client.close()


def test_one_client_on_two_loops_is_an_error(kind, other_loop):
    client = kind(force_instance=True)

    async def main():
        await fetch(client)
        raised = []

        def in_thread():
            try:
                asyncio.run(fetch(client))
            except RuntimeError as error:
                raised.append(str(error))

        thread = threading.Thread(target=in_thread)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert [text.partition(";")[0] for text in raised] == [
            f"this {kind.__name__} has been used on another event loop"
        ]
        assert await fetch(client) == [b"hello"]
        client.close()

    asyncio.run(main())


def test_client_of_a_loop_that_does_not_run_any_more(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loop = IOLoop(make_current=True)
    client = kind(force_instance=True)
    assert loop.run_sync(lambda: fetch(client)) == [b"hello"]
    assert asyncio.run(fetch(client)) == [b"hello"]
    client.close()
    loop.close()


def test_a_resolver_that_the_program_has_installed_is_kept(other_loop):
    class Refusing(DefaultLoopResolver):
        async def resolve(self, host, port, family=0):
            raise OSError("refused")

    client = SimpleAsyncHTTPClient(force_instance=True)
    client.tcp_client.resolver = Refusing()

    async def main():
        with pytest.raises(OSError, match="refused"):
            await client.fetch("http://localhost:1/")
        client.close()

    asyncio.run(main())
