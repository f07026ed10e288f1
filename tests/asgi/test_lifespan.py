"""The lifespan of ASGI applications: startup, shutdown, state, and applications without support."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.asgi.conftest import respond
from tests.support.server import serving
from tornado.asgi import ASGIContainer
from tornado.routing import AnyMatches, PathMatches, Rule, RuleRouter
from tornado.web import Application


class Supporting:
    """An application that records its lifespan in `happened`.

    :param replies: the messages that it sends in reply to startup and shutdown.
    """

    def __init__(self, *replies):
        self.happened = []
        self.replies = replies or ("lifespan.startup.complete", "lifespan.shutdown.complete")

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            self.happened.append(scope["state"])
            scope["state"]["own"] = True
            await respond(send)
            return
        assert scope["asgi"]["version"] == "3.0"
        scope["state"]["database"] = self
        for reply in self.replies:
            self.happened.append((await receive())["type"])
            await send({"type": reply, "message": "no database"})


async def unsupporting(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    await respond(send, b"ok")


async def test_startup_state_and_shutdown():
    application = Supporting()
    container = ASGIContainer(application, lifespan="on")
    async with container.run_lifespan():
        assert application.happened == ["lifespan.startup"]
        async with serving(container) as server:
            peer = await server.connect()
            for _ in range(2):
                assert (await peer.fetch("/")).code == 200
    startup, first, second, shutdown = application.happened
    assert (startup, shutdown) == ("lifespan.startup", "lifespan.shutdown")
    # Each request has a copy, so the second one does not see what the first one has added.
    assert first is not second
    assert first == second == {"database": application, "own": True}
    assert container.state == {"database": application}


async def test_failed_startup_ends_the_start():
    container = ASGIContainer(Supporting("lifespan.startup.failed"))
    with pytest.raises(RuntimeError, match="startup of the ASGI application has failed: no database"):
        async with container.run_lifespan():
            raise AssertionError


async def test_failed_shutdown_is_reported():
    container = ASGIContainer(Supporting("lifespan.startup.complete", "lifespan.shutdown.failed"))
    with pytest.raises(RuntimeError, match="shutdown of the ASGI application has failed: no database"):
        async with container.run_lifespan():
            pass


async def test_application_without_support():
    container = ASGIContainer(unsupporting)
    async with container.run_lifespan(), serving(container) as server:
        assert (await server.fetch("/")).body == b"ok"


async def test_application_without_support_although_it_is_required():
    container = ASGIContainer(unsupporting, lifespan="on")
    with pytest.raises(RuntimeError, match="does not support lifespan, which is 'on'") as caught:
        async with container.run_lifespan():
            raise AssertionError
    assert isinstance(caught.value.__cause__, AssertionError)


async def test_application_that_returns_at_once_does_not_support_it():
    async def application(scope, receive, send):
        pass

    async with ASGIContainer(application).run_lifespan():
        pass


async def test_lifespan_is_off():
    application = Supporting()
    async with ASGIContainer(application, lifespan="off").run_lifespan():
        pass
    assert application.happened == []


async def test_exception_in_the_shutdown_is_logged(expect_log):
    async def application(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ValueError("fault")

    with expect_log("tornado.application", "Uncaught exception in the lifespan of the ASGI application"):
        async with ASGIContainer(application).run_lifespan():
            pass


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        (("lifespan.other",), "unknown ASGI message type 'lifespan.other' in the lifespan"),
        (("http.response.start",), "unknown ASGI message type 'http.response.start' in the lifespan"),
        (("lifespan.startup.complete",) * 2, "the reply to lifespan.startup was sent before"),
    ],
)
async def test_wrong_message(replies, error, expect_log):
    container = ASGIContainer(Supporting(*replies), lifespan="on")
    if len(replies) == 2:
        with expect_log("tornado.application", "Uncaught exception in the lifespan") as log:
            async with container.run_lifespan():
                pass
        cause = log.records[0].exc_info[1]
    else:
        with pytest.raises(RuntimeError) as caught:
            async with container.run_lifespan():
                raise AssertionError
        cause = caught.value.__cause__
    assert error in str(cause)


# -- in an Application --


async def test_application_runs_the_lifespans_of_its_targets():
    first, second = Supporting(), Supporting()
    shared = ASGIContainer(first)
    happened = first.happened

    @contextlib.asynccontextmanager
    async def lifespan(application):
        happened.append("enter")
        yield
        happened.append("exit")

    inner = Application([("/inner", ASGIContainer(second))])
    router = RuleRouter([Rule(PathMatches("/deep/.*"), shared), Rule(AnyMatches(), inner)])
    routes = [("/a", shared), ("/b", shared), ("/.*", router)]
    application = Application(
        routes,
        lifespan=lifespan,
        on_startup=[lambda app: happened.append("on_startup")],
        on_shutdown=[lambda app: happened.append("on_shutdown")],
    )
    async with application.run_lifespan():
        assert second.happened == ["lifespan.startup"]
    assert second.happened == ["lifespan.startup", "lifespan.shutdown"]
    assert happened == ["enter", "lifespan.startup", "on_startup", "on_shutdown", "lifespan.shutdown", "exit"]


async def test_failed_startup_of_a_target_ends_the_start_of_the_application():
    application = Application([("/a", ASGIContainer(Supporting("lifespan.startup.failed")))])
    with pytest.raises(RuntimeError, match="startup of the ASGI application has failed"):
        async with application.run_lifespan():
            raise AssertionError


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_application_that_never_returns_from_its_lifespan_is_cancelled(step, clock, expect_log):
    async def application(scope, receive, send):
        await receive()
        if step == "startup":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
        else:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    cancelled = asyncio.Event()
    failure = (
        pytest.raises(RuntimeError, match="no database") if step == "startup" else contextlib.nullcontext()
    )
    with expect_log("tornado.application", "has not returned 10 seconds after its last message"), failure:
        async with ASGIContainer(application).run_lifespan():
            pass
    await cancelled.wait()
