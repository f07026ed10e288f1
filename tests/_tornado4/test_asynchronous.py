"""``web.asynchronous``, ``fetch(callback=)`` and ``flush(callback=)``: handlers that use callbacks."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.server import ask, handler_of, raised, serving
from tornado import gen, web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


def asynchronous(method):
    return web.asynchronous(method)


async def test_a_response_is_finished_when_the_handler_says_so():
    with pytest.warns(
        DeprecationWarning,
        match="web.asynchronous is in the deprecated style of Tornado 4; write the method as async",
    ):

        class Handler(web.RequestHandler):
            @web.asynchronous
            def get(self):
                """Respond later."""
                IOLoop.current().add_callback(self.on_time)

            def on_time(self):
                self.finish("later")

    assert Handler.get.__doc__ == "Answers later."
    response = await ask(Handler)
    assert (response.code, response.body) == (200, b"later")


async def test_a_response_finished_at_once():
    def get(self):
        self.finish("at once")

    assert (await ask(handler_of(get=asynchronous(get)))).body == b"at once"


async def test_over_a_coroutine_it_changes_nothing():
    @gen.coroutine
    def get(self):
        yield gen.moment
        self.write("coroutine")

    async def native(self):
        await asyncio.sleep(0)
        self.write("native")

    assert (await ask(handler_of(get=asynchronous(get)))).body == b"coroutine"
    assert (await ask(handler_of(get=asynchronous(native)))).body == b"native"


async def test_over_an_engine():
    @gen.engine
    def get(self, name):
        found = yield gen.Task(lambda callback: IOLoop.current().add_callback(callback, name))
        self.finish(found)

    response = await ask(handler_of(get=asynchronous(get)), pattern="/(.*)", path="/ann")
    assert response.body == b"ann"


def in_a_callback(self):
    IOLoop.current().add_callback(fail, self)


def in_the_method(self):
    fail(self)


def after_two_callbacks(self):
    loop = IOLoop.current()
    loop.add_callback(lambda: loop.call_later(0, fail, self))


def in_an_engine(self):
    @gen.engine
    def work():
        yield gen.moment
        fail(self)

    work()


@gen.coroutine
def in_a_coroutine(self):
    yield gen.moment
    fail(self)


def in_a_coroutine_of_a_callback(self):
    async def work():
        await asyncio.sleep(0)
        fail(self)

    IOLoop.current().add_callback(work)


def fail(self):
    raise ZeroDivisionError(self.request.path)


@pytest.mark.parametrize(
    "get",
    [
        in_a_callback,
        in_the_method,
        after_two_callbacks,
        in_an_engine,
        in_a_coroutine,
        in_a_coroutine_of_a_callback,
    ],
)
async def test_an_exception_is_the_requests_error(get, expect_log):
    with expect_log("tornado.application", "Uncaught exception GET /place") as expected:
        response = await ask(handler_of(get=asynchronous(get)), path="/place")
    assert response.code == 500
    assert isinstance(raised(expected), ZeroDivisionError)


async def test_an_http_error_of_a_callback():
    def get(self):
        def refuse():
            raise web.HTTPError(403)

        IOLoop.current().add_callback(refuse)

    assert (await ask(handler_of(get=asynchronous(get)))).code == 403


async def test_an_exception_after_the_response_is_logged(expect_log):
    def get(self):
        IOLoop.current().add_callback(fail, self)
        self.finish("whole")

    with expect_log("tornado.application", "Uncaught exception GET /"):
        response = await ask(handler_of(get=asynchronous(get)))
    assert (response.code, response.body) == (200, b"whole")


async def test_each_request_gets_its_own_errors(expect_log):
    def get(self, name):
        def on_time():
            if name == "bad":
                raise ValueError(name)
            self.finish(name)

        IOLoop.current().add_callback(on_time)

    with expect_log("tornado.application", "Uncaught exception GET /bad") as expected:
        async with serving(web.Application([("/(.*)", handler_of(get=asynchronous(get)))])) as server:
            found = await asyncio.gather(*(server.fetch(f"/{name}") for name in ("a", "bad", "b", "bad")))
    assert [each.code for each in found] == [200, 500, 200, 500]
    assert len(expected.records) == 2


async def test_one_connection_carries_such_responses():
    def get(self):
        IOLoop.current().add_callback(self.finish, "again")

    async with serving(web.Application([("/", handler_of(get=asynchronous(get)))])) as server:
        peer = await server.connect()
        for _ in range(3):
            assert (await peer.fetch("/")).body == b"again"


# -- flush


async def test_flush_calls_back():
    def get(self):
        self.write("first ")
        self.flush(callback=self.on_flushed)

    def on_flushed(self):
        self.write("second ")
        self.flush(False, self.on_flushed_again)

    def on_flushed_again(self):
        self.finish("third")

    handler = handler_of(get=asynchronous(get), on_flushed=on_flushed, on_flushed_again=on_flushed_again)
    assert (await ask(handler)).body == b"first second third"


@pytest.mark.filterwarnings("default")
async def test_flush_warns():
    async def get(self):
        with pytest.warns(DeprecationWarning, match=r"RequestHandler.flush\(callback=...\)") as caught:
            await self.flush(callback=lambda: None)
        self.write(caught[0].filename)

    assert (await ask(handler_of(get=get))).body.decode() == __file__


# -- fetch


class Echo(web.RequestHandler):
    def get(self, code):
        self.set_status(int(code))
        self.write("body")


class Waiting:
    """A callback that stores the response in a Future."""

    def __init__(self):
        self.future = asyncio.get_running_loop().create_future()

    def __call__(self, response):
        self.future.set_result(response)


@pytest.fixture
def target():
    return web.Application([("/([0-9]+)", Echo)])


@pytest.mark.parametrize("place", ["keyword", "old"])
@pytest.mark.parametrize("as_request", [False, True])
async def test_fetch_calls_back(target, place, as_request):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), Waiting()
        url = f"http://127.0.0.1:{server.port}/200"
        request = HTTPRequest(url) if as_request else url
        with pytest.warns(DeprecationWarning, match=r"AsyncHTTPClient.fetch\(callback=...\)") as caught:
            future = client.fetch(request, got) if place == "old" else client.fetch(request, callback=got)
        assert caught[0].filename == __file__
        response = await got.future
        assert (response.code, response.body, response.error) == (200, b"body", None)
        assert await future is response
        client.close()


async def test_a_callback_gets_responses_of_any_status(target):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), Waiting()
        future = client.fetch(f"http://127.0.0.1:{server.port}/404", got, method="GET")
        response = await got.future
        assert (response.code, response.body) == (404, b"body")
        assert isinstance(response.error, HTTPClientError)
        with pytest.raises(HTTPClientError):
            await future
        got = Waiting()
        future = client.fetch(f"http://127.0.0.1:{server.port}/404", callback=got, raise_error=False)
        assert await future is await got.future
        client.close()


async def test_a_callback_gets_a_response_where_there_is_none():
    from tornado.testing import bind_unused_port

    sock, port = bind_unused_port()
    sock.close()
    client, got = AsyncHTTPClient(), Waiting()
    client.fetch(f"http://127.0.0.1:{port}/", got)
    response = await got.future
    assert response.code == 599
    assert isinstance(response.error, OSError)
    assert response.request.url.endswith("/")
    assert response.request_time >= 0
    client.close()


async def test_fetch_without_a_callback_is_no_use_of_it(target):
    async with serving(target) as server:
        client = AsyncHTTPClient()
        url = f"http://127.0.0.1:{server.port}/200"
        assert (await client.fetch(url, callback=None)).code == 200
        client.close()


async def test_a_cancelled_fetch_does_not_call_back(target):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), Waiting()
        client.fetch(f"http://127.0.0.1:{server.port}/200", got).cancel()
        await client.fetch(f"http://127.0.0.1:{server.port}/200")
        assert not got.future.done()
        client.close()


async def test_tasks_of_fetches(target):
    async with serving(target) as server:
        client = AsyncHTTPClient()

        @gen.coroutine
        def work():
            return (yield gen.Task(client.fetch, f"http://127.0.0.1:{server.port}/500"))

        assert (await work()).code == 500
        client.close()


async def test_an_exception_in_the_callback_of_a_fetch_is_the_requests_error(target, expect_log):
    async with serving(target) as server:
        url = f"http://127.0.0.1:{server.port}/200"

        def get(self):
            AsyncHTTPClient().fetch(url, callback=self.on_fetch)

        def on_fetch(self, response):
            raise ValueError(response.body)

        with expect_log("tornado.application", "Uncaught exception GET /"):
            response = await ask(handler_of(get=asynchronous(get), on_fetch=on_fetch))
        assert response.code == 500
        AsyncHTTPClient().close()
