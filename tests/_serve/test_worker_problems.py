from __future__ import annotations

from tornado._serve.worker_problems import worker_problems


def test_only_problems_of_serving_workers_count():
    stats = {"problems": ["no connection to a broker", "no memory"]}
    workers = [
        {"number": 0, "state": "serving", "stats": {}},
        {"number": 1, "state": "serving", "stats": stats},
        {"number": 2, "state": "draining", "stats": stats},
        {"number": 3},
    ]
    assert worker_problems(workers) == ["worker 1: no connection to a broker", "worker 1: no memory"]
