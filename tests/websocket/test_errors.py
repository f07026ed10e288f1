"""Tests of the exceptions and of the public names."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.support.server import ExpectLog
from tests.support.websocket import Recorder, opened
from tornado import websocket
from tornado.websocket import WebSocketClosedError, WebSocketError, broadcast, de_dupe_gen_log
from tornado.websocket._errors import check_thread


def test_class_hierarchy_and_module() -> None:
    assert issubclass(WebSocketClosedError, WebSocketError)
    assert (WebSocketError.__module__, WebSocketClosedError.__module__) == ("tornado.websocket",) * 2


@pytest.mark.parametrize("name", websocket.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(websocket, name) is not None


def test_identical_records_are_logged_once(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "twice") as expected:
        for number in (1, 1, 2):
            de_dupe_gen_log(logging.WARNING, "said twice, not %d times", number)
    assert len(expected.records) == 2


async def test_closed_error_has_close_code_of_peer(tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        client.close(4001, "enough")
        await handler.until(("close", 4001, "enough"))
    with pytest.raises(WebSocketClosedError, match="the peer closed it with code 4001 enough$"):
        handler.latest.write_message("x")


async def test_closed_error_has_reason_of_this_side(tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_max_message_size=10) as client:
        client.send("x" * 11)
        client.leave()
        await handler.until(("close", None, None))
    with pytest.raises(WebSocketClosedError, match=r"limit of 10 bytes \(max_message_size\)"):
        handler.latest.ping()


@pytest.mark.parametrize("method", ["write_message", "ping", "close"])
async def test_other_thread_is_rejected(loop_kind: str, method: str) -> None:
    """After the error, nothing has been sent, and the connection can still be used."""
    handler = Recorder.new()
    async with opened(handler) as client:
        await handler.until("open")
        arguments = ("x",) if method == "write_message" else ()
        with pytest.raises(RuntimeError, match=rf"{method}\(\) must be called in the thread.*add_callback"):
            await asyncio.to_thread(getattr(handler.latest, method), *arguments)
        handler.latest.write_message("still there")
        assert await client.event() == "still there"


async def test_use_before_the_loop_runs_is_allowed() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="event loop of the connection"):
            check_thread(loop, "some()")
        await asyncio.to_thread(check_thread, loop, "some()")
    finally:
        loop.close()


async def test_bytes_must_be_utf_8(tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls) as client:
        await handler.until("open")
        with pytest.raises(ValueError, match="not valid UTF-8: pass binary=True"):
            handler.latest.write_message(b"\xff\xfe")
        with pytest.raises(ValueError, match="not valid UTF-8"):
            broadcast([handler.latest], b"\xff\xfe")
        handler.latest.write_message(b"\xff\xfe", binary=True)
        handler.latest.write_message("ä".encode())
        assert [await client.event(), await client.event()] == [b"\xff\xfe", "ä"]
