"""The problems that serving workers report, such as a lost connection to a broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def worker_problems(workers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the problems of workers, with their numbers.

    :param workers: the workers in the status of a service.
    """
    return [
        f"worker {worker['number']}: {problem}"
        for worker in workers
        if worker.get("state") == "serving"
        for problem in worker.get("stats", {}).get("problems", ())
    ]


def has_healthy_worker(workers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a worker serves and reports no problem. The others then accept no connections.

    :param workers: the workers in the status of a service.
    """
    return any(
        worker.get("state") == "serving" and not worker.get("stats", {}).get("problems") for worker in workers
    )


__all__ = ["has_healthy_worker", "worker_problems"]
