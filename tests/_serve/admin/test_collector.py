from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.admin import Supervisor, collecting, error, record, request, series, snapshot, status
from tornado._serve.admin.collector import Collector


def requests(collector: Collector) -> int:
    return sum(sum(each[3][1]) for each in collector.state.total()["requests"])


async def test_metrics_of_all_workers_are_added_up():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["metrics"] = {1: snapshot(series(3)), 2: snapshot(series(4))}
        await collector.update_metrics()
        assert requests(collector) == 7


@pytest.mark.parametrize("answer", [None, {"error": "it has failed"}, "text"])
async def test_answer_without_a_snapshot_is_ignored(answer):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["metrics"] = {1: snapshot(series(3)), 2: answer}
        supervisor.answers["errors"] = supervisor.answers["requests"] = {1: answer, 2: answer}
        await collector.update_metrics()
        await collector.update_errors()
        collector.add_snapshot(1, answer)
        assert requests(collector) == 3
        assert await collector.requests() == collector.state.errors() == []


async def test_last_snapshot_of_a_drained_worker_is_counted():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["metrics"] = {1: snapshot(series(3))}
        await collector.update_metrics()
        collector.add_snapshot(1, snapshot(series(5)))
        supervisor.status = status(2)
        await collector.update_status()
        assert requests(collector) == 5


async def test_counts_are_kept_when_a_worker_ends_and_for_a_new_supervisor():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.status["started"] = 1.0
        supervisor.answers["metrics"] = {1: snapshot(series(3))}
        await collector.update_metrics()
        await collector.update_metrics()
        assert len(supervisor.kept()) == 1
        supervisor.status = {**status(2), "started": 1.0}
        await collector.update_status()
        await collector.update_status()
        assert [len(each["requests"]) for each in supervisor.kept()] == [0, 1]
        supervisor.status["started"] = 2.0
        await collector.update_status()
        await collector.update_status()
        assert [len(each["requests"]) for each in supervisor.kept()] == [0, 1, 1]


async def test_requests_of_all_workers_are_sorted_by_age():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["requests"] = {
            1: [request(age=1.0), request(age=9.0), request(age=60.0, is_waiting=True)],
            2: [request(age=5.0)],
        }
        found = [(each["age"], each["pid"]) for each in await collector.requests()]
        assert found == [(9.0, 1), (5.0, 2), (1.0, 1), (60.0, 1)]


async def test_log_of_a_request_comes_from_its_worker():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["log"] = {1: [], 2: [record(message="one")]}
        assert await collector.log_of("id") == [record(message="one")]
        assert supervisor.received[-1]["arguments"] == {"request_id": "id"}


async def test_event_has_no_tracebacks_and_a_limited_number_of_requests():
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["errors"] = {1: [error()]}
        supervisor.answers["requests"] = {1: [request(age=float(age)) for age in range(40)]}
        await collector.update_status()
        await collector.update_errors()
        event = await collector.event()
        assert [each["type"] for each in event["errors"]] == ["ValueError"]
        assert "traceback" not in event["errors"][0]
        assert (len(event["requests"]), event["request_count"]) == (30, 40)
        assert event["point"] is None
        assert "workers" not in event["service"]


async def test_point_is_added_each_second(clock):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.answers["metrics"] = {1: snapshot(series(3)), 2: snapshot()}
        supervisor.answers["errors"] = {1: [], 2: []}
        running = asyncio.create_task(collector.run())
        await asyncio.sleep(10.5)
        running.cancel()
        assert len(collector.state.points) == 10
        asked: list[Any] = [each.get("what") for each in supervisor.received if each["type"] == "ask"]
        assert asked.count("metrics") == 10
        assert asked.count("errors") == 1
        assert asked.count("requests") == 0  # there is no reader


async def test_collection_continues_after_a_timeout(clock, expect_log):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.silent = {"status"}
        running = asyncio.create_task(collector.run())
        with expect_log("tornado.general", "the supervisor has not answered within 2 s"):
            await asyncio.sleep(3.5)
            supervisor.silent = set()
            await asyncio.sleep(3.0)
        running.cancel()
        assert collector.state.points


async def test_collection_continues_after_an_error(clock, expect_log):
    with Supervisor() as supervisor, collecting(supervisor) as collector:
        supervisor.status = {"workers": None}
        running = asyncio.create_task(collector.run())
        with expect_log("tornado.general", "the state of the service cannot be collected"):
            await asyncio.sleep(1.5)
        supervisor.status = status(1)
        supervisor.status["started"] = 1.0
        await asyncio.sleep(1.0)
        running.cancel()
        assert collector.state.points
