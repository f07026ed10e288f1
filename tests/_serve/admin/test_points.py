from __future__ import annotations

from tests.support.admin import series, snapshot
from tornado._serve.admin.points import make_point, route_rows
from tornado.web._observation._merge import merge


def test_point_has_rates_percentiles_and_gauges():
    increment = snapshot(series(98), series(2, "/slow", 503, 3.0), cpu=1.0, delays=10)
    point = make_point(2.0, increment, snapshot(in_flight=4))
    assert point["rate"] == 50.0
    assert point["classes"] == {"2xx": 49.0, "5xx": 1.0}
    assert 0.0005 < point["p50"] < point["p95"] <= 0.001
    assert 2.5 < point["p99"] <= 5.0
    assert 0.01 < point["loop_delay"] <= 0.025
    assert (point["sent"], point["received"], point["cpu"]) == (500.0, 0.0, 0.5)
    assert (point["in_flight"], point["connections"]) == (4, {"idle": 2})


def test_point_without_requests_has_no_percentiles():
    point = make_point(1.0, merge([]), merge([]))
    assert (point["rate"], point["classes"]) == (0.0, {})
    assert point["p50"] is point["p95"] is point["p99"] is point["loop_delay"] is None


def test_point_has_the_values_of_channels_if_they_are_used():
    assert make_point(1.0, merge([]), merge([]))["channels"] is None
    present, increment = snapshot(), snapshot()
    present["gauges"].update(
        {
            "tornado.channels.subscribers": 7,
            "tornado.channels.waiting_publications": 2,
            "tornado.channels.brokers": {"connected": 1, "disconnected": 1},
        }
    )
    increment["counters"].update(
        {
            "tornado.channels.published": {"stored": 4, "ephemeral": 6},
            "tornado.channels.delivered": 30,
            "tornado.channels.gaps": {"history": 1, "slow": 2},
        }
    )
    assert make_point(2.0, increment, present)["channels"] == {
        "subscribers": 7,
        "waiting": 2,
        "disconnected": 1,
        "published": 5.0,
        "delivered": 15.0,
        "gaps": 1.5,
        "slow_clients": 0.0,
        "publish_failures": 0.0,
    }


def test_slowest_routes_come_first():
    increment = merge(
        [
            snapshot(series(10, "/fast"), series(3, "/slow", duration=0.4)),
            snapshot(series(1, "/slow", 500, duration=2.0), series(1, None, 404, duration=0.02)),
        ]
    )
    rows = route_rows(increment, 10.0)
    assert [(row["route"], row["requests"], row["errors"]) for row in rows] == [
        ("/slow", 4, 1),
        (None, 1, 0),
        ("/fast", 10, 0),
    ]
    assert rows[0]["rate"] == 0.4
    assert rows[0]["mean"] == 0.8


def test_methods_of_a_route_are_separate_rows():
    rows = route_rows(snapshot(series(1, method="POST"), series(1, method="GET")), 1.0)
    assert [row["method"] for row in rows] == ["GET", "POST"]


def test_number_of_rows_is_limited():
    assert len(route_rows(snapshot(*(series(1, f"/{number}") for number in range(100))), 1.0)) == 30
