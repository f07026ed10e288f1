"""`ASGIAdapter`: its arguments, and the views of other implementations of ASGI on it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from asgiref.compatibility import guarantee_single_callable, is_double_callable
from asgiref.testing import ApplicationCommunicator

from tests.support.asgi import http_scope
from tornado.asgi import ASGIAdapter
from tornado.web import Application, RequestHandler

APPLICATION = "tornado.application"


class Hello(RequestHandler):
    def get(self) -> None:
        state = getattr(self.request.connection, "scope", {}).get("state", {})
        self.write({"names": self.get_arguments("name"), "state": dict(state)})

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write({"files": [each.filename for each in self.request.files["f"]]})


def test_application_is_required() -> None:
    application: Any = lambda request: None  # noqa: E731
    with pytest.raises(TypeError, match=r"expected a tornado\.web\.Application"):
        ASGIAdapter(application)


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="protection"):
        ASGIAdapter(Application(), protection="unknown")


def test_short_secret_is_reported(expect_log: Any) -> None:
    with expect_log(APPLICATION, "cookie_secret"):
        ASGIAdapter(Application(cookie_secret="short"))


async def test_unknown_scope_is_refused() -> None:
    adapter: Any = ASGIAdapter(Application())
    with pytest.raises(ValueError, match="unknown scope type 'other'"):
        await adapter({"type": "other"}, None, None)


async def test_asgiref_recognizes_a_single_callable() -> None:
    adapter = ASGIAdapter(Application([("/", Hello)]))
    assert not is_double_callable(adapter)
    assert guarantee_single_callable(adapter) is adapter
    communicator = ApplicationCommunicator(adapter, http_scope(query_string=b"name=a"))
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output()
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    body = await communicator.receive_output()
    assert body["body"] == b'{"names": ["a"], "state": {}}'
    await communicator.wait()


async def test_httpx_transport() -> None:
    adapter = ASGIAdapter(Application([("/", Hello)]))
    transport = httpx.ASGITransport(adapter, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        response = await client.get("/", params={"name": "ü"})
        assert response.json()["names"] == ["ü"]
        response = await client.post("/", files={"f": ("a.txt", b"data")})
        assert response.json() == {"files": ["a.txt"]}


# -- the lifespan --


async def test_lifespan_runs_the_functions_of_the_application() -> None:
    calls: list[str] = []
    adapter = ASGIAdapter(
        Application(
            [("/", Hello)],
            on_startup=[lambda application: calls.append("start")],
            on_shutdown=[lambda application: calls.append("stop")],
        )
    )
    async with LifespanManager(adapter) as manager:
        assert calls == ["start"]
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            assert (await client.get("/")).status_code == 200
    assert calls == ["start", "stop"]


async def lifespan(adapter: Any) -> list[dict[str, Any]]:
    """Run the whole lifespan, and return the events that the application sends."""
    sent: list[dict[str, Any]] = []
    received = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(received)}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await adapter({"type": "lifespan"}, receive, send)
    return sent


async def fail(application: Application) -> None:
    raise ValueError("no database")


async def test_failed_start_is_reported_to_the_server(expect_log: Any) -> None:
    with expect_log(APPLICATION, "The start of the application has failed"):
        events = await lifespan(ASGIAdapter(Application(on_startup=[fail])))
    assert events == [{"type": "lifespan.startup.failed", "message": "ValueError: no database"}]


async def test_failed_shutdown_is_reported_to_the_server(expect_log: Any) -> None:
    with expect_log(APPLICATION, "The shutdown of the application has failed"):
        events = await lifespan(ASGIAdapter(Application(on_shutdown=[fail])))
    assert events[-1] == {"type": "lifespan.shutdown.failed", "message": "ValueError: no database"}


async def test_invalid_setting_fails_the_start(expect_log: Any) -> None:
    with expect_log(APPLICATION, "The start of the application has failed"):
        [event] = await lifespan(ASGIAdapter(Application(on_startup=5)))
    assert "on_startup must be a list" in event["message"]


async def test_delegate_without_lifespan() -> None:
    from tornado.routing import Rule, RuleRouter

    events = await lifespan(ASGIAdapter(RuleRouter([Rule("/", Application())])))
    assert [event["type"] for event in events] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class Fields(RequestHandler):
    def get(self) -> None:
        self.write(dict(self.request.headers))


@pytest.mark.parametrize(
    "scope",
    [
        {"query_string": b"a HTTP/1.1\r\nx-admin: 1\r\nx-b: "},
        {"raw_path": b"/ HTTP/1.1\r\nx-admin: 1\r\nx-b: "},
        {"method": "GET / HTTP/1.1\r\nx-admin: 1\r\nx-b: "},
        {"headers": [(b"host", b"x"), (b"a", b"b\r\nx-admin: 1")]},
    ],
)
async def test_line_breaks_in_a_scope_cannot_add_fields(scope: dict[str, Any], expect_log: Any) -> None:
    adapter = ASGIAdapter(Application([("/", Fields)]))
    communicator = ApplicationCommunicator(adapter, http_scope(**scope))
    await communicator.send_input({"type": "http.request", "body": b""})
    with expect_log("tornado.general", "line break", required=False):
        start = await communicator.receive_output()
    assert start["status"] == 400
