"""The parts of observation that change the whole process, and programs that read what is observed."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tornado.httpclient import AsyncHTTPClient
from tornado.web._observation import _loop_delay, _message_counts
from tornado.web._observation._log_records import RecentRecords
from tornado.websocket._message_receiver import MessageReceiver
from tornado.websocket._protocol import WRITE_MESSAGE, WebSocketProtocol13


@contextlib.contextmanager
def restored_process() -> Iterator[None]:
    """Undo at the end what the observation of an application changes in the process."""
    factory = logging.getLogRecordFactory()
    fetch = AsyncHTTPClient.fetch
    methods = {
        (owner, name): getattr(owner, name)
        for owner, names in (
            (WebSocketProtocol13, ("write_message", "write_encoded", "write_shared")),
            (MessageReceiver, ("take",)),
        )
        for name in names
    }
    callbacks = list(gc.callbacks)
    waiting, started = list(_message_counts._waiting), list(_message_counts._started)
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)
        AsyncHTTPClient.fetch = fetch  # type: ignore[method-assign]
        for (owner, name), method in methods.items():
            setattr(owner, name, method)
        WRITE_MESSAGE.record(WebSocketProtocol13)
        gc.callbacks[:] = callbacks
        _loop_delay._pauses.clear()
        _message_counts._waiting[:], _message_counts._started[:] = waiting, started


def lines_of(application: Any, path: Path) -> list[str]:
    """Return the lines of an access log, after all of them have been written."""
    application.observer.access_log.writer.close()
    return path.read_text().splitlines()


def json_lines_of(application: Any, path: Path) -> list[dict[str, Any]]:
    """Return the lines of an access log in the JSON format."""
    return [json.loads(line) for line in lines_of(application, path)]


class FinishedRequest:
    """What the metrics read of a request.

    :param rule: the route.
    :param announced: the Content-Length of a body that was streamed to the handler.
    """

    def __init__(self, rule: Any, method: str, body: bytes = b"", announced: int | None = None) -> None:
        self.matched_rule = rule
        self.method = method
        self.body = body
        self.connection = SimpleNamespace(head=SimpleNamespace(content_length=announced))


def replace_records(monkeypatch: pytest.MonkeyPatch, recent: RecentRecords, records: deque[Any]) -> None:
    """Let the recent records be kept in another object."""
    monkeypatch.setattr(recent, "_records", records)
