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


async def test_response_is_finished_by_finish():
    with pytest.warns(
        DeprecationWarning,
        match="web.asynchronous is in the deprecated style of Tornado 4; write the method as async",
    ):

        class Handler(web.RequestHandler):
            @web.asynchronous
            def get(self):
                """Respond in a callback."""
                IOLoop.current().add_callback(self.on_time)

            def on_time(self):
                self.finish("later")

    assert Handler.get.__doc__ == "Respond in a callback."
    response = await ask(Handler)
    assert (response.code, response.body) == (200, b"later")


async def test_response_finished_in_the_method():
    def get(self):
        self.finish("at once")

    assert (await ask(handler_of(get=asynchronous(get)))).body == b"at once"


async def test_decorator_has_no_effect_on_coroutine():
    @gen.coroutine
    def get(self):
        yield gen.moment
        self.write("coroutine")

    async def native(self):
        await asyncio.sleep(0)
        self.write("native")

    assert (await ask(handler_of(get=asynchronous(get)))).body == b"coroutine"
    assert (await ask(handler_of(get=asynchronous(native)))).body == b"native"


async def test_asynchronous_with_gen_engine():
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
async def test_exception_is_handled_as_error_of_the_request(get, expect_log):
    with expect_log("tornado.application", "Uncaught exception GET /place") as expected:
        response = await ask(handler_of(get=asynchronous(get)), path="/place")
    assert response.code == 500
    assert isinstance(raised(expected), ZeroDivisionError)


async def test_http_error_in_callback_sets_status():
    def get(self):
        def refuse():
            raise web.HTTPError(403)

        IOLoop.current().add_callback(refuse)

    assert (await ask(handler_of(get=asynchronous(get)))).code == 403


async def test_exception_after_response_is_logged(expect_log):
    def get(self):
        IOLoop.current().add_callback(fail, self)
        self.finish("whole")

    with expect_log("tornado.application", "Uncaught exception GET /"):
        response = await ask(handler_of(get=asynchronous(get)))
    assert (response.code, response.body) == (200, b"whole")


async def test_exceptions_of_concurrent_requests_are_separate(expect_log):
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


async def test_connection_is_reused_for_further_responses():
    def get(self):
        IOLoop.current().add_callback(self.finish, "again")

    async with serving(web.Application([("/", handler_of(get=asynchronous(get)))])) as server:
        peer = await server.connect()
        for _ in range(3):
            assert (await peer.fetch("/")).body == b"again"


# -- flush


async def test_flush_calls_callback():
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
async def test_flush_with_callback_warns():
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


class ResponseCallback:
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
async def test_fetch_calls_callback(target, place, as_request):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), ResponseCallback()
        url = f"http://127.0.0.1:{server.port}/200"
        request = HTTPRequest(url) if as_request else url
        with pytest.warns(DeprecationWarning, match=r"AsyncHTTPClient.fetch\(callback=...\)") as caught:
            future = client.fetch(request, got) if place == "old" else client.fetch(request, callback=got)
        assert caught[0].filename == __file__
        response = await got.future
        assert (response.code, response.body, response.error) == (200, b"body", None)
        assert await future is response
        client.close()


async def test_callback_receives_error_responses(target):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), ResponseCallback()
        future = client.fetch(f"http://127.0.0.1:{server.port}/404", got, method="GET")
        response = await got.future
        assert (response.code, response.body) == (404, b"body")
        assert isinstance(response.error, HTTPClientError)
        with pytest.raises(HTTPClientError):
            await future
        got = ResponseCallback()
        future = client.fetch(f"http://127.0.0.1:{server.port}/404", callback=got, raise_error=False)
        assert await future is await got.future
        client.close()


async def test_callback_receives_599_response_without_connection():
    from tornado.testing import bind_unused_port

    sock, port = bind_unused_port()
    sock.close()
    client, got = AsyncHTTPClient(), ResponseCallback()
    client.fetch(f"http://127.0.0.1:{port}/", got)
    response = await got.future
    assert response.code == 599
    assert isinstance(response.error, OSError)
    assert response.request.url.endswith("/")
    assert response.request_time >= 0
    client.close()


async def test_fetch_with_callback_none_does_not_warn(target):
    async with serving(target) as server:
        client = AsyncHTTPClient()
        url = f"http://127.0.0.1:{server.port}/200"
        assert (await client.fetch(url, callback=None)).code == 200
        client.close()


async def test_cancelled_fetch_does_not_call_callback(target):
    async with serving(target) as server:
        client, got = AsyncHTTPClient(), ResponseCallback()
        client.fetch(f"http://127.0.0.1:{server.port}/200", got).cancel()
        await client.fetch(f"http://127.0.0.1:{server.port}/200")
        assert not got.future.done()
        client.close()


async def test_gen_task_of_fetch(target):
    async with serving(target) as server:
        client = AsyncHTTPClient()

        @gen.coroutine
        def work():
            return (yield gen.Task(client.fetch, f"http://127.0.0.1:{server.port}/500"))

        assert (await work()).code == 500
        client.close()


async def test_exception_in_fetch_callback_is_handled_as_error_of_the_request(target, expect_log):
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
