from __future__ import annotations

import asyncio
import contextlib

from tests.support.server import handler_of, serving
from tornado._serve import lifecycle
from tornado.web import Application


async def test_lifespan_of_an_application_that_has_one():
    events = []

    class Own(Application):
        @contextlib.asynccontextmanager
        async def run_lifespan(self):
            events.append("startup")
            yield
            events.append("shutdown")

    async with lifecycle.lifespan_of(Own()):
        assert events == ["startup"]
    assert events == ["startup", "shutdown"]


async def test_object_without_a_lifespan():
    async with lifecycle.lifespan_of(lambda environ, start_response: []) as nothing:
        assert nothing is None


async def test_drain_waits_for_the_request():
    started, proceed = asyncio.Event(), asyncio.Event()

    async def get(self):
        started.set()
        await proceed.wait()
        self.write("done")

    async with serving(Application([("/", handler_of(get=get))])) as server:
        request = asyncio.create_task(server.fetch("/"))
        await started.wait()
        draining = asyncio.create_task(lifecycle.drain(server.server, 30))
        await asyncio.sleep(0)
        assert not draining.done()
        proceed.set()
        assert (await request).body == b"done"
        assert await draining
