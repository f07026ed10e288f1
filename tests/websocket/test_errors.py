"""The tree of errors, and the facade."""

from __future__ import annotations

import logging

import pytest

from tests.support.server import ExpectLog
from tornado import websocket
from tornado.websocket import WebSocketClosedError, WebSocketError, de_dupe_gen_log


def test_the_tree_and_where_it_says_it_is() -> None:
    assert issubclass(WebSocketClosedError, WebSocketError)
    assert (WebSocketError.__module__, WebSocketClosedError.__module__) == ("tornado.websocket",) * 2


@pytest.mark.parametrize("name", websocket.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(websocket, name) is not None


def test_one_line_for_the_same_event(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "twice") as expected:
        for number in (1, 1, 2):
            de_dupe_gen_log(logging.WARNING, "said twice, not %d times", number)
    assert len(expected.records) == 2
