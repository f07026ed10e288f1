"""Checks of the values that handler methods return."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tornado import gen, web

DEBUG: dict[str, Any] = {"debug": True, "autoreload": False, "serve_traceback": False}

#: Values returned by mistake, and the recommendation in the message.
MISTAKES: list[tuple[Any, str]] = [
    ({"a": 1}, "got dict; write it with self.write(...)"),
    ({}, "got dict; write it with self.write(...)"),
    ("text", "got str; write it with self.write(...)"),
    (b"bytes", "got bytes; write it with self.write(...)"),
    ([1, 2], "got list; write it in a dict"),
    (("text", 404), "got tuple; set the status with self.set_status(...)"),
    (7, "got int; write the response with self.write(...)"),
    (True, "got bool; "),
]


async def settled(value: Any = None) -> Any:
    return value


def future(value: Any = None) -> asyncio.Future[Any]:
    made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    made.set_result(value)
    return made


def pool_future() -> concurrent.futures.Future[Any]:
    made: concurrent.futures.Future[Any] = concurrent.futures.Future()
    made.set_result(1)
    return made


def method_kinds(make: Callable[[Any], Any]) -> dict[str, Any]:
    """Return asynchronous methods of each kind, whose result is `make` called with the handler."""

    async def native(self: Any) -> Any:
        return make(self)

    @gen.coroutine
    def generator(self: Any) -> Any:
        yield gen.moment
        return make(self)

    @gen.coroutine
    def finished_generator(self: Any) -> Any:
        return make(self)

    def returns_coroutine(self: Any) -> Any:
        return native(self)

    return {
        "async def": native,
        "gen.coroutine": generator,
        "gen.coroutine without yield": finished_generator,
        "a coroutine of another function": returns_coroutine,
    }


KINDS = list(method_kinds(str))
PLACES = ["prepare", "get", "get after prepare"]


def handler_with(place: str, method: Any) -> Any:
    members: dict[str, Any] = {"get": lambda self: None, place.partition(" ")[0]: method}
    if place == "get after prepare":
        members["prepare"] = lambda self: settled()
    return handler_of(**members)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
async def test_returned_dict_is_an_error_with_debug(kind: str, place: str, expect_log: ExpectLog) -> None:
    handler = handler_with(place, method_kinds(lambda self: {"a": 1})[kind])
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler, **DEBUG)).code == 500
    name = place.partition(" ")[0]
    assert str(raised(expected)) == (
        f"Handler.{name}() should return None, got dict; write it with self.write(...)"
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
async def test_returned_dict_is_a_warning_once_per_class(
    kind: str, place: str, expect_log: ExpectLog
) -> None:
    def make(self: Any) -> Any:
        self.write("written")
        return {"a": 1}

    handler = handler_with(place, method_kinds(make)[kind])
    other = handler_with(place, method_kinds(make)[kind])
    async with serving(web.Application([("/", handler), ("/other", other)])) as server:
        with expect_log("tornado.application", "should return None, got dict.*ignored$") as expected:
            for path in ("/", "/", "/other", "/"):
                answer = await server.fetch(path)
                assert (answer.code, answer.body) == (200, b"written")
        assert [record.levelname for record in expected.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize(("value", "advice"), MISTAKES)
async def test_message_recommends_a_correction(value: Any, advice: str, expect_log: ExpectLog) -> None:
    async def get(self: Any) -> Any:
        return value

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_of(get=get), **DEBUG)).code == 500
    assert f"Handler.get() should return None, {advice}" in str(raised(expected))


@pytest.mark.parametrize(("value", "advice"), [*MISTAKES, ([], "got list; write it in a dict")])
@pytest.mark.parametrize("place", PLACES)
async def test_plain_method_that_returns_a_value_is_an_error(
    place: str, value: Any, advice: str, expect_log: ExpectLog
) -> None:
    """Tornado also responds with 500 to these return values."""
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_with(place, lambda self: value))).code == 500
    assert f"Handler.{place.partition(' ')[0]}() should return None, {advice}" in str(raised(expected))


async def test_coroutine_that_was_not_awaited_is_an_error_with_debug(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> Any:
        self.made = settled()
        return self.made

    class Handler(web.RequestHandler):
        made: Any = None

        def on_finish(self) -> None:
            self.made.close()

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_of(Handler, get=get), **DEBUG)).code == 500
    assert str(raised(expected)).endswith("should return None, got coroutine; await it")


@pytest.mark.parametrize("value", [{"a": 1}, "text"])
async def test_value_returned_after_finish_does_not_change_the_response(
    value: Any, expect_log: ExpectLog
) -> None:
    async def get(self: Any) -> Any:
        self.finish("done")
        return value

    with expect_log("tornado.application", "Uncaught exception"):
        answer = await ask(handler_of(get=get), **DEBUG)
    assert (answer.code, answer.body) == (200, b"done")


#: Values that programs for upstream return and that may be ignored.
HARMLESS: dict[str, Callable[[Any], Any]] = {
    "None": lambda self: None,
    "finish": lambda self: self.finish("done"),
    "flush": lambda self: self.flush(),
    "a future": lambda self: future(),
    "a future with a value": lambda self: future({"a": 1}),
    "a future of a pool": lambda self: pool_future(),
    "gen.moment": lambda self: gen.moment,
    "what gather returns": lambda self: [None, None],
    "futures": lambda self: (future(), None),
}


@pytest.mark.parametrize("harmless", HARMLESS.values(), ids=HARMLESS.keys())
@pytest.mark.parametrize("place", ["prepare", "get"])
@pytest.mark.parametrize("kind", KINDS)
async def test_futures_and_none_may_be_returned(kind: str, place: str, harmless: Any) -> None:
    assert (await ask(handler_with(place, method_kinds(harmless)[kind]), **DEBUG)).code == 200


async def test_result_of_a_future_that_a_plain_method_returns_may_be_anything() -> None:
    """A method with ``return client.fetch(...)`` does not determine the result of the Future."""

    def get(self: Any) -> Any:
        self.write("done")
        return future(object())

    assert (await ask(handler_of(get=get), **DEBUG)).body == b"done"


async def test_dict_in_a_future_that_a_plain_method_returns_is_reported(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Handler.get.. should return None, got dict; .*ignored"):
        assert (await ask(handler_of(get=lambda self: future({"a": 1})))).code == 200
