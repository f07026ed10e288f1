"""The internals of `tornado.wsgi` that tests access."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tornado.wsgi import _request_body
from tornado.wsgi._request_body import SpooledBody
from tornado.wsgi._response_bridge import ResponseBridge

#: The size of the data that is written to the disk in one job, in bytes.
BATCH: int = _request_body._BATCH


def waiting_size(spool: SpooledBody) -> int:
    """Return the size of the data that waits to be written to the disk, in bytes."""
    return spool._waiting_size


def is_closed(spool: SpooledBody) -> bool:
    """Whether the file that contains the body is closed."""
    return spool._file.closed


def replace_move_to_disk(monkeypatch: pytest.MonkeyPatch, move: Callable[[SpooledBody], None]) -> None:
    """Call `move` instead of moving a body from memory to a file."""
    monkeypatch.setattr(SpooledBody, "_move_to_disk", move)


async def end_job_without_callback(spool: SpooledBody) -> Callable[[], None]:
    """Wait for the write in progress, and return a function that calls the callback for its end."""
    job: Any = spool._job
    job.remove_done_callback(spool._job_done)
    await asyncio.wait([job])
    return lambda: spool._job_done(job)


def act_in_another_thread(bridge: ResponseBridge) -> None:
    """Make a bridge treat the calling thread as a thread other than that of its event loop."""
    bridge._loop_thread = -1


def note_progress_checks(monkeypatch: pytest.MonkeyPatch, note: Callable[[], object]) -> None:
    """Call `note` each time before a waiting thread checks whether the client has received data."""
    progress = ResponseBridge._progress

    def noted(self: ResponseBridge) -> Any:
        note()
        return progress(self)

    monkeypatch.setattr(ResponseBridge, "_progress", noted)
