from __future__ import annotations

from tornado._serve.worker_problems import has_healthy_worker, worker_problems


def test_only_problems_of_serving_workers_count():
    stats = {"problems": ["no connection to a broker", "no memory"]}
    workers = [
        {"number": 0, "state": "serving", "stats": {}},
        {"number": 1, "state": "serving", "stats": stats},
        {"number": 2, "state": "draining", "stats": stats},
        {"number": 3},
    ]
    assert worker_problems(workers) == ["worker 1: no connection to a broker", "worker 1: no memory"]


def test_worker_that_serves_without_a_problem_is_healthy():
    problem = {"problems": ["no connection to a broker"]}
    workers = [
        {"number": 0, "state": "serving", "stats": problem},
        {"number": 1, "state": "draining", "stats": {}},
        {"number": 2},
    ]
    assert not has_healthy_worker(workers)
    assert has_healthy_worker([*workers, {"number": 3, "state": "serving", "stats": {"problems": []}}])
