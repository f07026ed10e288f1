from __future__ import annotations

from typing import Any

import pytest

from tests.support.admin import series, snapshot, status
from tornado._serve.admin.state import HISTORY, State


@pytest.fixture
def state() -> State:
    state = State(50.0)
    state.update_status(status(1, 2))
    return state


def requests(state: State) -> int:
    return sum(sum(each[3][1]) for each in state.total()["requests"])


def error(time: float, count: int = 1, traceback: str = "line 1") -> dict[str, Any]:
    return {"logger": "app", "type": "ValueError", "traceback": traceback, "time": time, "count": count}


def test_totals_do_not_decrease_when_a_worker_is_replaced(state):
    state.update_worker(1, snapshot(series(5)))
    state.update_worker(2, snapshot(series(7)))
    assert requests(state) == 12
    assert not state.update_status(status(1, 2))
    assert state.update_status(status(2, 3, killed=1))
    assert requests(state) == 12
    state.update_worker(3, snapshot(series(1)))
    assert requests(state) == 13
    assert state.total()["counters"]["tornado.workers.restarts"] == {"killed": 1}
    assert state.total()["gauges"]["tornado.connections"] == {"idle": 4}


def test_counts_of_ended_workers_are_restored(state):
    state.update_worker(1, snapshot(series(5)))
    state.update_status(status(2))
    another = State(60.0)
    another.restore(state.ended())
    another.update_status(status(2))
    another.update_worker(2, snapshot(series(1)))
    assert requests(another) == 6
    assert another.add_point(61.0)["rate"] == 1.0


def test_snapshot_of_an_unknown_worker_is_ignored(state):
    state.update_worker(9, snapshot(series(5)))
    assert requests(state) == 0


def test_points_have_the_rate_since_the_previous_point(state):
    state.update_worker(1, snapshot(series(5)))
    state.update_worker(2, snapshot(series(1)))
    assert state.add_point(51.0)["rate"] == 6.0
    state.update_worker(1, snapshot(series(9)))
    assert state.add_point(53.0)["rate"] == 2.0
    assert state.add_point(54.0)["rate"] == 0.0
    assert [point["time"] for point in state.points] == [51.0, 53.0, 54.0]


def test_requests_before_the_observation_are_not_part_of_the_history():
    state = State(200.0)
    state.update_status(status(1, started=100.0))
    state.update_worker(1, snapshot(series(500)))
    assert state.add_point(201.0)["rate"] == 0.0
    state.update_worker(1, snapshot(series(503)))
    assert state.add_point(202.0)["rate"] == 3.0
    assert requests(state) == 503


def test_requests_of_a_worker_that_ended_since_the_last_point_are_counted(state):
    state.update_worker(1, snapshot(series(5)))
    state.update_status(status(2))
    assert state.add_point(51.0)["rate"] == 5.0


def test_workers_have_their_own_values(state):
    state.update_worker(1, snapshot(series(5), cpu=0.5, in_flight=1))
    state.add_point(51.0)
    first, second = state.workers()
    assert (first["pid"], first["now"]["rate"], first["now"]["cpu"]) == (1, 5.0, 0.5)
    assert first["now"]["in_flight"] == 1
    assert (second["pid"], second["now"]) == (2, None)


def test_history_is_bounded(state):
    for second in range(HISTORY + 5):
        state.add_point(51.0 + second)
    assert len(state.points) == HISTORY
    assert state.points[0]["time"] == 56.0


def test_routes_are_those_of_the_last_minute(state):
    state.update_worker(1, snapshot(series(5, "/old")))
    for second in range(60):
        state.add_point(51.0 + second)
    assert [row["route"] for row in state.routes()] == ["/old"]
    state.update_worker(1, snapshot(series(5, "/old"), series(6, "/new")))
    state.add_point(111.0)
    assert [(row["route"], row["rate"]) for row in state.routes()] == [("/new", 0.1)]


def test_equal_errors_of_workers_are_counted_together(state):
    state.update_errors(1, [error(5.0, 2), error(4.0, traceback="line 2")])
    state.update_errors(2, [error(6.0, 3)])
    assert [(each["count"], each["time"], each["pid"]) for each in state.errors()] == [
        (5, 6.0, 2),
        (1, 4.0, 1),
    ]
    state.update_errors(2, [])
    assert [each["count"] for each in state.errors()] == [2, 1]


def test_errors_of_ended_workers_are_kept_up_to_a_limit(state):
    for pid in range(10, 40):
        state.update_errors(pid, [error(float(pid), traceback=str(pid))])
    state.update_errors(1, [error(1.0)])
    assert [each["pid"] for each in state.errors()] == [*range(39, 19, -1), 1]


def test_log_records_of_ended_workers_are_kept_for_some_time(state):
    kept = {"request_id": "a", "time": 1.0, "level": "INFO", "logger": "app", "message": "one"}
    state.keep_records(1, [kept, {**kept, "request_id": "b"}])
    assert state.records_of("a") == [{"time": 1.0, "level": "INFO", "logger": "app", "message": "one"}]
    assert state.records_of("c") == []
    for pid in range(2, 22):
        state.keep_records(pid, [])
    assert state.records_of("a") == []
