from __future__ import annotations

from typing import Any

import pytest

from tornado._serve.ctl_tables import TABLES, bytes_text, duration_text

WORKER: dict[str, Any] = {
    "number": 0,
    "pid": 12,
    "state": "serving",
    "started": 900.0,
    "blocked": 0.0,
    "restarts": 1,
    "memory": 50 << 20,
    "stats": {"connections": 3},
    "now": {"rate": 12.345, "p95": 0.0123, "cpu": 0.5},
}
SERVICE: dict[str, Any] = {
    "target": "app",
    "state": "serving",
    "serving": 1,
    "size": 2,
    "started": 900.0,
    "restarts": {"killed": 1, "hang": 2},
    "reload_error": None,
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.00012, "0.12 ms"),
        (0.25, "250 ms"),
        (1.5, "1.5 s"),
        (90.0, "1 min 30 s"),
        (7260.0, "2 h 1 min"),
        (90000.0, "1 d 1 h"),
    ],
)
def test_durations_are_readable(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (0, "0 B"), (1536, "1.5 KiB"), (5 << 20, "5 MiB"), (3 << 30, "3 GiB")]
)
def test_sizes_are_readable(size, text):
    assert bytes_text(size) == text


def test_status_has_a_row_for_each_worker():
    starting = {
        **WORKER,
        "number": 1,
        "pid": 13,
        "state": "starting",
        "now": None,
        "memory": None,
        "stats": {},
    }
    answer = {"service": SERVICE, "workers": [starting, WORKER], "point": {"rate": 12.3, "p50": 0.001}}
    lines = TABLES["status"](answer, 1000.0).splitlines()
    assert lines[0] == "app: serving, 1 of 2 workers serve, up 1 min 40 s, restarts: 2 hang, 1 killed"
    assert lines[1] == "requests/s 12.3, p50 1 ms, p95 -, p99 -, in flight -"
    assert lines[4].split() == "0 12 serving 12.3 12.3 ms 50% 50 MiB 3 1 min 40 s 1".split()
    assert lines[5].split() == "1 13 starting - - - - - 1 min 40 s 1".split()


def test_blocked_event_loop_is_shown():
    answer = {"service": SERVICE, "workers": [{**WORKER, "blocked": 2.5}], "point": None}
    assert " blocked 2.5 s " in TABLES["status"](answer, 1000.0)


def test_status_before_the_first_point_and_after_a_failed_reload():
    answer = {
        "service": {**SERVICE, "restarts": {}, "reload_error": "it is bad"},
        "workers": [],
        "point": None,
    }
    text = TABLES["status"](answer, 901.0)
    assert "up 1 s, restarts: none\nthe last reload has failed: it is bad\nrequests/s -," in text


def test_problems_of_workers_are_shown():
    worker = {**WORKER, "stats": {"problems": ["no connection to a broker for 12 s"]}}
    text = TABLES["status"]({"service": SERVICE, "workers": [worker], "point": None}, 1000.0)
    assert "\nworker 0: no connection to a broker for 12 s\nrequests/s -," in text


def test_errors_have_their_traceback():
    error = {
        "count": 3,
        "type": "ValueError",
        "message": "Uncaught exception GET /\nrequest",
        "time": 990.0,
        "pid": 12,
        "request_id": "abc",
        "traceback": "Traceback\n  line",
    }
    assert TABLES["errors"]({"errors": [error]}, 1000.0) == (
        "3x ValueError: Uncaught exception GET /\n    last 10 s ago, pid 12, request abc\n"
        "    Traceback\n      line\n"
    )


def test_log_has_a_line_for_each_record():
    record = {"time": 0.0, "level": "INFO", "logger": "app", "message": "hello"}
    assert TABLES["log"]({"id": "a", "records": [record]}, 0.0).endswith(" INFO app: hello\n")


def test_request_that_waits_or_whose_client_has_disconnected_is_marked():
    request = {
        "age": 2.0,
        "method": "GET",
        "target": "/a",
        "route": None,
        "handler": "app.A",
        "pid": 12,
        "id": "abc",
        "is_connected": False,
        "stack": ["app.py:1 in get"],
    }
    assert TABLES["requests"]({"requests": [request]}, 0.0) == (
        "2 s  GET /a\n    route none, app.A, pid 12, id abc, client disconnected\n      app.py:1 in get\n"
    )
    waiting = {**request, "is_connected": True, "is_waiting": True}
    assert "pid 12, id abc, waits by design\n" in TABLES["requests"]({"requests": [waiting]}, 0.0)
