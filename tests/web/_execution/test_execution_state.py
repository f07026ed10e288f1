"""The state of handlers that stream their body or can be cancelled."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from tests.support.references import gc_disabled
from tests.support.server import serving
from tests.support.web import prepared_future, set_prepared_future
from tornado import web
from tornado.concurrent import Future
from tornado.web._execution._execution_state import cancellation_of, execution_of, release_body, streams_body


def handler() -> Any:
    """Return a handler without a request: only its execution is used."""
    return web.RequestHandler.__new__(web.RequestHandler)


def test_handler_has_no_execution_until_it_is_needed() -> None:
    made = handler()
    assert cancellation_of(made) is None
    assert prepared_future(made) is None
    release_body(made)
    assert made.__dict__ == {}
    assert execution_of(made) is execution_of(made)


async def test_release_body_is_idempotent() -> None:
    made = handler()
    set_prepared_future(made, Future())
    assert execution_of(made).prepared is prepared_future(made)
    release_body(made)
    release_body(made)
    assert prepared_future(made).result() is None


async def test_only_first_error_of_a_body_is_raised() -> None:
    execution = execution_of(handler())
    execution.body = Future()
    error = ValueError("first")
    assert execution.fail_body(error)
    assert not execution.fail_body(ValueError("second"))
    assert execution.body.exception() is error


async def test_stop_iteration_of_a_body_becomes_a_runtime_error() -> None:
    execution = execution_of(handler())
    execution.body = Future()
    assert execution.fail_body(StopIteration())
    assert isinstance(execution.body.exception(), RuntimeError)


def test_streams_body_is_true_for_decorated_classes_and_their_subclasses() -> None:
    decorated = web.stream_request_body(type("Upload", (web.RequestHandler,), {}))
    assert streams_body(decorated)
    assert streams_body(type("Below", (decorated,), {}))
    assert not streams_body(web.RequestHandler)


# -- reference cycles --

FORM = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nqq\r\n--x--\r\n'


async def _wait_and_write(self: Any) -> None:
    await asyncio.sleep(0)
    self.write("x")


async def _wait_and_fail(self: Any) -> None:
    await asyncio.sleep(0)
    raise web.HTTPError(404)


async def _send_one_event(self: Any) -> None:
    await self.send_event("x")


def _fail_to_receive(self: Any, chunk: bytes) -> None:
    raise web.HTTPError(400)


def _use_session(self: Any) -> None:
    self.session["a"] = 1


@pytest.mark.parametrize(
    ("base", "members"),
    [
        (web.RequestHandler, {"get": _wait_and_write, "cancel_on_disconnect": True}),
        (web.RequestHandler, {"get": _wait_and_fail, "cancel_on_disconnect": True}),
        (web.RequestHandler, {"get": _wait_and_write, "handler_timeout": 60.0}),
        (web.RequestHandler, {"get": _use_session}),
        (web.EventSourceHandler, {"stream": _send_one_event}),
        (web.UploadHandler, {"post": lambda self: self.write("x")}),
        (
            web.RequestHandler,
            {"data_received": _fail_to_receive, "post": print, "_stream_request_body": True},
        ),
    ],
)
async def test_handler_is_freed_without_the_garbage_collector(base: Any, members: dict[str, Any]) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    handler = type("Handler", (base,), {"initialize": lambda self: alive.add(self), **members})
    application = web.Application([("/", handler)], cookie_secret="a secret of at least 32 characters")
    method = "POST" if "post" in members else "GET"
    fields = ("Content-Type: multipart/form-data; boundary=x", "Connection: close")
    async with serving(application) as server:
        with gc_disabled():
            for _ in range(3):
                await server.fetch("/", *fields, method=method, body=FORM if method == "POST" else b"")
            for _ in range(20):
                if not alive:
                    break
                await asyncio.sleep(0)
            assert not alive
