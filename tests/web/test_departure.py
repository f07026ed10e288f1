"""The end of a request whose client has gone."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.support.server import handler_of, serving
from tornado import web
from tornado.web._departure import abandon, watch_of


async def test_there_is_one_watch_of_a_name_for_a_loop() -> None:
    loop = asyncio.get_running_loop()
    assert watch_of(loop, "_one") is watch_of(loop, "_one")
    assert watch_of(loop, "_one") is not watch_of(loop, "_other")


async def test_what_is_done_for_a_request_that_is_abandoned(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    calls: list[str] = []

    def get(self: Any) -> None:
        self._auto_finish = False
        self.write("nobody gets it")
        abandon(self)
        abandon(self)  # nothing but the parting is done twice

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
