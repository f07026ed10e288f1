from __future__ import annotations

import contextlib

from tornado._serve import lifespan
from tornado.web import Application


async def test_lifespan_of_an_application_that_has_one():
    events = []

    class Own(Application):
        @contextlib.asynccontextmanager
        async def run_lifespan(self):
            events.append("startup")
            yield
            events.append("shutdown")

    async with lifespan.lifespan_of(Own()):
        assert events == ["startup"]
    assert events == ["startup", "shutdown"]


async def test_object_without_a_lifespan():
    async with lifespan.lifespan_of(lambda environ, start_response: []) as nothing:
        assert nothing is None
