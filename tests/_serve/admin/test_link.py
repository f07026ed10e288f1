from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.admin import Supervisor, collecting, snapshot, status
from tornado._serve.admin.link import SupervisorLink, SupervisorTimeout


async def test_status_is_returned():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        assert await collector.link.status() == supervisor.status


async def test_answers_of_all_workers_are_returned():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["errors"] = {1: [], 2: ["error"]}
        assert await collector.link.ask("errors") == {1: [], 2: ["error"]}
        assert supervisor.received[-1]["arguments"] == {}


async def test_question_without_workers_has_no_answers():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.status = status()
        assert await collector.link.ask("errors", timeout=60.0) == {}


async def test_missing_answer_of_a_worker_does_not_delay_the_others(clock):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["errors"] = {2: []}
        supervisor.stopped = {1}
        assert await collector.link.ask("errors") == {2: []}


async def test_late_answers_are_ignored():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.send("reply", id="other", pid=1, data=[])
        supervisor.send("reply", id="other", data=[])
        assert (await collector.link.status())["state"] == "serving"


async def test_stopped_supervisor_is_reported(clock):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.silent = {"status"}
        with pytest.raises(SupervisorTimeout) as raised:
            await collector.link.status()
        assert raised.value.status_code == 503
        supervisor.silent = set()
        assert (await collector.link.status())["state"] == "serving"


async def test_refusal_of_an_action_is_returned():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        assert await collector.link.act("scale", workers=3) is None
        assert supervisor.received[-1]["action"] == "scale"
        assert supervisor.received[-1]["arguments"] == {"workers": 3}
        supervisor.refusal = "the service is stopping"
        assert await collector.link.act("reload") == "the service is stopping"


async def test_large_data_is_sent_while_the_supervisor_does_not_read():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        data = "x" * 2_000_000
        collector.link.keep(data)
        await collector.link.status()
        assert supervisor.kept() == [data]


async def test_last_snapshot_of_a_worker_and_the_end_are_reported():
    finals: list[Any] = []
    ended = asyncio.Event()
    with Supervisor() as supervisor:
        link = SupervisorLink(supervisor.channel, lambda *values: finals.append(values), ended.set)
        supervisor.send("final", pid=1, snapshot=snapshot(), recent=None)
        supervisor.close()
        await ended.wait()
        link.close()
    assert finals == [(1, snapshot(), None)]
