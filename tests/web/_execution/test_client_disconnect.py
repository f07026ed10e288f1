"""The end of a request whose client has disconnected."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.server import ExpectLog, handler_of, serving
from tornado import _log_rate_limit, web
from tornado._log_rate_limit import LogRateLimit
from tornado._loop.deadlines import scheduler_of
from tornado.iostream import StreamClosedError
from tornado.log import gen_log
from tornado.web._execution import _client_disconnect
from tornado.web._execution._client_disconnect import abandon


async def test_scheduler_of_returns_one_scheduler_for_each_name_and_loop() -> None:
    loop = asyncio.get_running_loop()
    assert scheduler_of(loop, "_one") is scheduler_of(loop, "_one")
    assert scheduler_of(loop, "_one") is not scheduler_of(loop, "_other")


async def test_abandoned_request_is_finished_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    calls: list[str] = []

    def get(self: Any) -> None:
        self._auto_finish = False
        self.write("never sent")
        abandon(self)
        abandon(self)  # calls only _leave()

    handler = handler_of(
        get=get, on_finish=lambda self: calls.append("on_finish"), _leave=lambda self: calls.append("_leave")
    )
    async with serving(web.Application([("/", handler)]), access_log=logging.INFO) as server:
        peer = await server.connect()
        peer.get("/")
        assert await peer.rest() == b""
    assert calls == ["_leave", "on_finish", "_leave"]
    assert [
        each.getMessage().partition(" ")[0] for each in caplog.records if each.name == "tornado.access"
    ] == ["499"]


@pytest.mark.parametrize("flushed", [False, True])
async def test_disconnects_during_a_response_are_logged_at_info(
    flushed: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line at INFO is logged for all disconnects; `log_exception` is called for each of them."""
    caplog.set_level(logging.INFO, "tornado.general")
    monkeypatch.setattr(_client_disconnect, "_log_limit", LogRateLimit(gen_log))
    monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 0.0))
    told: list[object] = []
    ended = asyncio.Event()

    async def get(self: Any) -> None:
        if flushed:
            await self.flush()
        self.write(bytes(32 * 1024 * 1024))
        await self.flush()

    def log_exception(self: Any, typ: Any, value: Any, tb: Any) -> None:
        told.append(typ)
        web.RequestHandler.log_exception(self, typ, value, tb)
        ended.set()

    application = web.Application([("/", handler_of(get=get, log_exception=log_exception))])
    async with serving(application) as server:
        for _ in range(3):
            peer = await server.connect()
            peer.get("/")
            await peer.reader.readexactly(1)
            peer.writer.transport.abort()
            await ended.wait()
            ended.clear()
    assert told == [StreamClosedError] * 3
    assert caplog.messages == ["Connection closed before the end of the response: GET / (127.0.0.1)"]


async def test_stream_closed_error_of_another_stream_is_an_error(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        raise StreamClosedError

    async with serving(web.Application([("/", handler_of(get=get))])) as server:
        with expect_log("tornado.application", "Uncaught exception GET /"):
            assert (await server.fetch("/")).code == 500
