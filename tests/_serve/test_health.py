"""Workers that are blocked, stopped or killed: small versions of the scenarios of compliance/serving."""

from __future__ import annotations

import os
import signal

import pytest

from compliance.serving import kills
from compliance.serving.process import Running
from compliance.serving.processes import is_running
from compliance.serving.servers import SERVERS, Options
from compliance.serving.waiting import until

OURS = SERVERS["ours"]
pytestmark = pytest.mark.deadline(120)


async def test_worker_whose_event_loop_is_blocked_is_replaced():
    figures = await kills.blocked_loop(OURS)
    assert figures["replaced_seconds"] is not None
    assert figures["stack_logged"]


async def test_service_with_a_blocked_worker_ends_after_the_grace_period():
    figures = await kills.stop_while_blocked(OURS)
    assert figures["seconds"] is not None
    assert figures["status"] == 1


async def test_stopped_worker_is_replaced():
    """SIGSTOP stops the thread that reports to the supervisor, too."""
    async with Running(OURS, Options(hang_timeout=1, grace=1)) as service:
        old = await service.until_complete()
        victim = min(old)
        os.kill(victim, signal.SIGSTOP)
        assert await until(lambda: not is_running(victim), 60.0) is not None
        assert await service.until_complete() - old
        service.signal(signal.SIGTERM)
        assert await service.until_ended(60.0) is not None
        assert service.status == 0


async def test_killed_worker_is_replaced():
    figures = await kills.kill_worker(OURS)
    assert figures["replaced_seconds"] is not None
    assert figures["serves"]


async def test_workers_of_a_killed_supervisor_end_and_a_new_one_starts():
    figures = await kills.kill_supervisor(OURS)
    assert None not in figures.values()
