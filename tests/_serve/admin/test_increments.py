from __future__ import annotations

import json

from tests.support.admin import series, snapshot
from tornado._serve.admin.increments import difference
from tornado.web._observation._merge import merge


def test_first_snapshot_is_an_increment_without_gauges():
    found = difference(snapshot(series(2), in_flight=3), None)
    assert sum(found["requests"][0][3][1]) == 2
    assert found["gauges"] == {}


def test_unchanged_series_are_left_out():
    earlier = snapshot(series(2), series(1, "/b"), cpu=1.0, delays=1)
    later = snapshot(series(5), series(1, "/b"), series(1, "/c", 500), cpu=1.5, delays=3)
    before = json.dumps([earlier, later])
    found = difference(later, earlier)
    assert json.dumps([earlier, later]) == before
    assert [(each[0], each[2], sum(each[3][1]), each[5][0]) for each in found["requests"]] == [
        ("/", 200, 3, 30),
        ("/c", 500, 1, 10),
    ]
    assert found["counters"] == {"process.cpu.time": {"user": 0.5, "system": 0.0}}
    assert sum(found["histograms"]["tornado.event_loop.delay"]["counts"]) == 2


def test_new_counters_and_histograms_count_from_zero():
    earlier = snapshot()
    earlier["counters"].clear()
    earlier["histograms"].clear()
    found = difference(snapshot(cpu=2.0, delays=4), earlier)
    assert found["counters"]["process.cpu.time"]["user"] == 2.0
    assert sum(found["histograms"]["tornado.event_loop.delay"]["counts"]) == 4


def test_sum_of_increments_is_the_last_snapshot():
    steps = [snapshot(series(1)), snapshot(series(4), series(2, "/b")), snapshot(series(4), series(3, "/b"))]
    increments = [difference(later, earlier) for earlier, later in zip([None, *steps], steps, strict=False)]
    assert merge(increments)["requests"] == merge(steps[-1:])["requests"]
