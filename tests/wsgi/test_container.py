"""`WSGIContainer` on a server, as a route and in handlers, with threads and in the event loop's thread."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import hashlib
import logging
import tempfile
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.clock import FakeClock
from tests.support.server import raised, serving
from tests.support.wsgi import BATCH, waiting_size
from tests.wsgi.conftest import running
from tornado.concurrent import dummy_executor
from tornado.httpserver import HTTPServer
from tornado.routing import AnyMatches, PathMatches, Rule, RuleRouter
from tornado.web import Application, FallbackHandler, RequestHandler
from tornado.wsgi import WSGIContainer, _response_bridge
from tornado.wsgi._request_body import SpooledBody


def echo(environ, start_response):
    """Respond with the path, the thread, and the request body."""
    body = environ["wsgi.input"].read()
    start_response(
        "200 OK", [("X-Path", environ["PATH_INFO"]), ("X-Thread", threading.current_thread().name)]
    )
    return [body]


class Hello(RequestHandler):
    def get(self):
        self.write("handler")


# -- ways to use a container --


@pytest.mark.parametrize("threads", [None, 2])
async def test_container_runs_as_a_fallback(threads):
    container = WSGIContainer(echo, threads=threads)
    routes = [("/hello", Hello), (".*", FallbackHandler, {"fallback": container})]
    async with serving(Application(routes)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/hello")).body == b"handler"
        response = await peer.fetch("/x", method="POST", body=b"abc")
        assert (response.body, response.get("x-path")) == (b"abc", "/x")
        assert (await peer.fetch("/hello")).body == b"handler"
    await asyncio.to_thread(container.close)


@pytest.mark.parametrize(
    ("path", "root_path", "expected"),
    [
        ("/shop", "", "200 /shop|"),
        ("/shop/a%20b", "", "200 /shop|/a b"),
        ("/shop/", "/site/", "200 /site/shop|/"),
        ("/shopping", "", "404 Not Found"),
    ],
)
async def test_mounted_application(path, root_path, expected):
    def show(environ, start_response):
        start_response("200 OK", [])
        return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]

    container = WSGIContainer(show, mount="/shop", root_path=root_path)
    async with serving(Application([(".*", container)])) as server:
        response = await server.fetch(path)
    assert f"{response.code} {response.body.decode()}" == expected


def test_invalid_mount_is_rejected():
    with pytest.raises(ValueError, match="mount must be a path such as '/api'"):
        WSGIContainer(echo, mount="shop")


async def test_container_runs_as_a_route():
    container = WSGIContainer(echo, threads=2)
    async with serving(Application([("/hello", Hello), ("/(.*)", container)])) as server:
        peer = await server.connect()
        assert (await peer.fetch("/hello")).body == b"handler"
        assert (await peer.fetch("/x", method="POST", body=b"abc")).body == b"abc"
    await asyncio.to_thread(container.close)


async def test_container_runs_as_a_rule_of_a_router():
    container = WSGIContainer(echo)
    router = RuleRouter(
        [Rule(PathMatches("/hello"), Application([("/hello", Hello)])), Rule(AnyMatches(), container)]
    )
    async with serving(router) as server:
        peer = await server.connect()
        assert (await peer.fetch("/hello")).body == b"handler"
        assert (await peer.fetch("/x", method="POST", body=b"abc")).body == b"abc"


async def test_container_called_by_a_function():
    container = WSGIContainer(echo)
    async with serving(lambda request: container(request)) as server:
        assert (await server.fetch("/x", method="POST", body=b"abc")).body == b"abc"


async def test_an_overridden_call_is_used():
    class Container(WSGIContainer):
        def __call__(self, request):
            request.path = "/changed"
            request.body = request.body.upper()
            super().__call__(request)

    async with running(Container(echo)) as server:
        response = await server.fetch("/x", method="POST", body=b"abc")
    assert (response.get("x-path"), response.body) == ("/changed", b"ABC")


@pytest.mark.parametrize("kind", ["loop", "threads"])
async def test_request_on_each_kind_of_connection_and_loop(kind, tls, loop_kind):
    async with running(echo, None if kind == "loop" else 2, tls=tls) as server:
        peer = await server.connect()
        for size in (0, 10, 3_000_000):
            body = bytes(size)
            assert (await peer.fetch("/", method="POST", body=body)).body == body


async def test_pipelined_requests_are_answered_in_order():
    async with running(echo) as server:
        peer = await server.connect()
        for number in range(10):
            peer.get(f"/{number}")
        paths = [(await peer.response()).get("x-path") for _ in range(10)]
    assert paths == [f"/{number}" for number in range(10)]


# -- threads --


async def test_requests_run_concurrently_in_threads():
    barrier = threading.Barrier(20, timeout=25)

    def application(environ, start_response):
        barrier.wait()
        start_response("200 OK", [])
        return [b"met"]

    async with running(application, threads=20) as server:
        responses = await asyncio.gather(*(server.fetch("/") for _ in range(20)))
    assert [response.body for response in responses] == [b"met"] * 20


async def test_without_threads_requests_run_one_at_a_time():
    inside = 0

    def application(environ, start_response):
        nonlocal inside
        inside += 1
        assert threading.current_thread() is threading.main_thread()
        start_response("200 OK", [])
        yield b"%d" % inside
        inside -= 1

    async with running(application, threads=None) as server:
        responses = await asyncio.gather(*(server.fetch("/") for _ in range(5)))
    assert [response.body for response in responses] == [b"1"] * 5


async def test_application_in_thread_does_not_block_event_loop():
    go = threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            assert go.wait(25)
        start_response("200 OK", [])
        return [b"done"]

    async with running(application, threads=2) as server:
        slow = asyncio.ensure_future(server.fetch("/slow"))
        assert (await server.fetch("/fast")).body == b"done"
        assert not slow.done()
        go.set()
        assert (await slow).body == b"done"


async def test_given_executor_is_used_and_not_shut_down():
    with ThreadPoolExecutor(1, "mine") as executor:
        container = WSGIContainer(echo, executor)
        assert container.executor is executor
        async with running(container) as server:
            assert (await server.fetch("/")).get("x-thread").startswith("mine")
        # close() only ends the container's own threads.
        assert executor.submit(int).result() == 0


async def test_context_variables_are_copied_to_thread():
    name = contextvars.ContextVar("name", default="none")

    def application(environ, start_response):
        start_response("200 OK", [("X-Name", name.get())])
        name.set("changed")
        return []

    name.set("request's")
    async with running(application, threads=1) as server:
        for _ in range(2):
            assert (await server.fetch("/")).get("x-name") == "request's"


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tornado-wsgi")]


async def test_threads_start_when_needed_and_end_with_close():
    earlier = own_threads()  # those of containers in earlier tests
    container = WSGIContainer(echo, threads=3)
    assert own_threads() == earlier
    async with running(container) as server:
        await server.fetch("/")
        assert own_threads() != earlier
    assert own_threads() == earlier


async def test_threads_end_when_container_is_collected():
    earlier = own_threads()
    async with serving(WSGIContainer(echo, threads=3)) as server:
        await server.fetch("/")
        threads = [thread for thread in own_threads() if thread not in earlier]
        assert threads != []
    del server
    while any(thread.is_alive() for thread in threads):  # the current requests end first
        await asyncio.sleep(0)
        gc.collect()


async def test_request_after_close_is_answered_with_500(expect_log):
    container = WSGIContainer(echo, threads=1)
    container.close()
    with expect_log("tornado.application", "Uncaught exception in a WSGI application"):
        async with running(container) as server:
            assert (await server.fetch("/")).code == 500


def test_invalid_arguments_raise():
    assert WSGIContainer(echo).executor is dummy_executor
    WSGIContainer(echo).close()
    with pytest.raises(ValueError, match="an executor or a number of threads, not both"):
        WSGIContainer(echo, dummy_executor, threads=1)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        WSGIContainer(echo, threads=0)


# -- bodies --


async def test_a_body_over_the_limit(expect_log):
    async with running(echo, max_body_size=10) as server:
        assert (await server.fetch("/", method="POST", body=b"x" * 10)).code == 200
        assert (await server.fetch("/", method="POST", body=b"x" * 11)).code == 413


async def test_disconnect_during_body_closes_temporary_file():
    container = WSGIContainer(echo)
    container.max_body_in_memory = 10
    async with running(container) as server:
        peer = await server.connect()
        peer.get("/", "Content-Length: 1000", method="POST")
        peer.send(b"x" * 100)
        await peer.close()
        assert (await server.fetch("/")).code == 200
    # A temporary file that is not closed would cause a ResourceWarning, which fails the test.


@pytest.mark.parametrize("size", [0, 10, 11, 3_000_000])
async def test_bodies_on_disk(size):
    container = WSGIContainer(echo, threads=2)
    container.max_body_in_memory = 10
    async with running(container) as server:
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert (await server.fetch("/", method="POST", body=body)).body == body


@pytest.mark.deadline(60)
async def test_upload_of_200_megabytes_uses_constant_memory():
    size, block = 200 * 2**20, bytes(range(256)) * 1024

    def application(environ, start_response):
        digest, count = hashlib.md5(), 0
        while data := environ["wsgi.input"].read(2**18):
            digest.update(data)
            count += len(data)
        assert count == int(environ["CONTENT_LENGTH"])
        start_response("200 OK", [])
        return [digest.hexdigest().encode()]

    expected = hashlib.md5()
    async with running(application, max_body_size=size) as server:
        await server.fetch("/", method="POST", body=b"warm")
        peer = await server.connect()
        tracemalloc.start()
        try:
            peer.get("/", f"Content-Length: {size}", method="POST")
            for _ in range(size // len(block)):
                peer.send(block)
                expected.update(block)
                await peer.writer.drain()
            response = await peer.response()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert response.body == expected.hexdigest().encode()
    assert peak < 8 * 2**20


# -- the access log --


@pytest.mark.parametrize(
    ("status", "level"), [("200 OK", "INFO"), ("404 Not Found", "WARNING"), ("503 Sorry", "ERROR")]
)
async def test_access_log_level_depends_on_the_status(status, level, caplog, expect_log):
    def application(environ, start_response):
        start_response(status, [])
        return []

    with expect_log("tornado.access", "/path", required=level != "INFO"):
        with caplog.at_level("INFO", "tornado.access"):
            async with running(application, access_log=logging.INFO) as server:
                await server.fetch("/path?q")
    (record,) = [record for record in caplog.records if record.name == "tornado.access"]
    assert record.levelname == level
    assert record.getMessage().startswith(f"{status[:3]} GET /path?q (127.0.0.1) ")
    assert record.getMessage().endswith("ms")


async def test_overridden_log_method_is_called():
    logged = []

    class Container(WSGIContainer):
        def _log(self, status_code, request):
            logged.append((status_code, request.uri))

    async with running(Container(echo)) as server:
        await server.fetch("/x")
    assert logged == [(200, "/x")]


def test_server_accepts_a_container_as_its_callback():
    assert HTTPServer(WSGIContainer(echo)).request_callback is not None


# -- large bodies --


@pytest.mark.parametrize("size", [1_048_577, 1_200_000, 10_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_body_that_cannot_be_written_is_answered_with_500(
    tmp_path, monkeypatch, expect_log, size, chunked
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    calls = []
    async with running(lambda *arguments: calls.append(arguments)) as server:
        with expect_log("tornado.application", "Uncaught exception in a WSGI application: POST /") as logged:
            if chunked:
                peer = await server.connect()
                peer.get("/", "Transfer-Encoding: chunked", method="POST")
                peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)))
                response = await peer.response()
            else:
                response = await server.fetch("/", method="POST", body=bytes(size))
        assert response.code == 500
        assert isinstance(raised(logged), FileNotFoundError)
    assert calls == []


async def test_slow_disk_pauses_reading_from_client(monkeypatch):
    gate = threading.Event()
    write = SpooledBody.write

    def held(self, data):
        if self.size + len(data) > self._limit:
            assert gate.wait(25)
        write(self, data)

    spools = []
    receive = SpooledBody.receive

    def noted(self, data):
        spools[:] = [self]
        return receive(self, data)

    monkeypatch.setattr(SpooledBody, "write", held)
    monkeypatch.setattr(SpooledBody, "receive", noted)
    body = bytes(range(256)) * 40_000
    async with running(echo) as server:
        peer = await server.connect()
        peer.get("/", method="POST", body=body)
        while not spools or waiting_size(spools[0]) < BATCH:
            await asyncio.sleep(0)
        for _ in range(3):
            assert (await server.fetch("/")).body == b""
        gate.set()
        assert (await peer.response()).body == body


async def test_client_that_does_not_read_releases_thread_after_timeout(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(_response_bridge, "monotonic", clock)
    monkeypatch.setattr(_response_bridge, "_CHECK_INTERVAL", 0.001)
    closed = threading.Event()

    def application(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/quick":
            yield b"quick"
            return
        try:
            while True:
                yield bytes(1_000_000)
        finally:
            closed.set()

    async with running(application, 1) as server:
        with server.dial() as sock:
            sock.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = asyncio.ensure_future(server.fetch("/quick"))
            while not closed.is_set():
                clock.advance(1)
                await asyncio.sleep(0)
            assert (await answer).body == b"quick"


def test_application_must_be_callable():
    with pytest.raises(TypeError, match="a WSGI application must be callable, got 5"):
        WSGIContainer(5)  # type: ignore[arg-type]
