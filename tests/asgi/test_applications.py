"""Applications of several frameworks under a container; see `tests.asgi.applications.specification`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import json
import resource

import pytest

from tests.asgi.applications.specification import (
    DOWNLOAD_SIZE,
    NAMES,
    WITHOUT_LIFESPAN,
    WITHOUT_WEBSOCKET,
)
from tests.support.server import serving
from tests.support.websocket import dial
from tests.wsgi.conftest import framework
from tornado._wire.ws_events import Close
from tornado.asgi import ASGIContainer
from tornado.web import Application

#: Django leaves its temporary file of a request body to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

UPLOAD_SIZE = 300_000_000
#: How much the memory of the process may grow during an upload or download, in bytes.
MEMORY = 60_000_000


@contextlib.asynccontextmanager
async def running(name, mounted=False):
    """Serve the application of a framework, as the whole server or as a route."""
    framework(name)
    module = importlib.import_module(f"tests.asgi.applications.{name}_app")
    container = ASGIContainer(module.app)
    application = Application([("/.*", container)]) if mounted else container
    settings = module.override_settings(**module.SETTINGS) if name == "django" else contextlib.nullcontext()
    async with application.run_lifespan(), serving(application, max_body_size=UPLOAD_SIZE) as server:
        with settings:
            yield server


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("mounted", [False, True])
async def test_requests(name, mounted, expect_log):
    with expect_log("django.request", "Not Found: /missing", required=name == "django"):
        await check_requests(name, mounted)


async def check_requests(name, mounted):
    async with running(name, mounted) as server:
        peer = await server.connect()
        response = await peer.fetch("/hello/a%20b")
        assert (response.code, response.body) == (200, b"Hello a b")
        assert response.get("content-type").startswith("text/plain")
        fields = ("Content-Type: application/json",)
        response = await peer.fetch("/json", *fields, method="POST", body=b'{"a": [1]}')
        assert json.loads(response.body) == {"a": [1], "seen": True}
        assert (await peer.fetch("/missing")).code == 404
        assert (await peer.fetch("/events")).body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_upload_uses_little_memory(name):
    part = bytes(range(256)) * 4000
    count = UPLOAD_SIZE // len(part)
    digest = hashlib.sha256()
    async with running(name) as server:
        peer = await server.connect()
        await peer.fetch("/upload", method="POST", body=part)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        head = f"Host: a\r\nContent-Length: {count * len(part)}\r\n\r\n"
        peer.send(f"POST /upload HTTP/1.1\r\nContent-Type: application/octet-stream\r\n{head}")
        for _ in range(count):
            peer.send(part)
            digest.update(part)
            await peer.writer.drain()
        response = await peer.response()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    expected = {"size": count * len(part), "sha256": digest.hexdigest()}
    assert json.loads(response.body) == expected
    assert (after - before) * 1024 < MEMORY


async def test_download_uses_little_memory(name):
    async with running(name) as server:
        peer = await server.connect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peer.get("/download", "Connection: close")
        size = 0
        while data := await peer.reader.read(1_000_000):
            size += len(data)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert DOWNLOAD_SIZE <= size < DOWNLOAD_SIZE * 1.01
    assert (after - before) * 1024 < MEMORY


async def test_download_whose_client_leaves(name):
    """The application ends without an error in the log."""
    async with running(name) as server:
        peer = await server.connect()
        peer.get("/download")
        await peer.reader.readexactly(100_000)
        peer.writer.transport.abort()
        assert (await server.fetch("/hello/b")).code == 200


async def test_background_task(name):
    async with running(name) as server:
        peer = await server.connect()
        assert (await peer.fetch("/later")).body == b"started"
        while (await peer.fetch("/result")).body != b"done":
            pass


async def test_exception(name, expect_log):
    with expect_log("", "", required=False):
        async with running(name) as server:
            peer = await server.connect()
            assert (await peer.fetch("/fail")).code == 500


async def test_lifespan_state(name):
    if name in WITHOUT_LIFESPAN:
        pytest.skip(f"{name} has no lifespan")
    async with running(name) as server:
        assert (await server.fetch("/state")).body == b"ready"


async def test_websocket(name):
    if name in WITHOUT_WEBSOCKET:
        pytest.skip(f"{name} has no WebSockets")
    async with running(name) as server:
        client = await dial(server, "/ws", "Sec-WebSocket-Protocol: other, echo")
        assert client.response.get("sec-websocket-protocol") == "echo"
        client.send("a", "ä" * 100_000)
        assert [await client.event() for _ in range(2)] == ["a", "ä" * 100_000]
        client.send("bye")
        assert await client.event() == Close(4000, "goodbye")
        client.close(4000)
        other = await dial(server, "/ws", "Sec-WebSocket-Protocol: echo")
        other.close(1001)
        assert await other.event() == Close(1001, "")
        await asyncio.sleep(0)
