"""The status of a service, as values for JSON, and the description of exit statuses."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from tornado._serve.configuration import Configuration
from tornado._serve.process_states import SupervisorState, WorkerState
from tornado._serve.worker_pool import WorkerPool

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")


def service_status(
    configuration: Configuration,
    pool: WorkerPool,
    state: SupervisorState,
    started: float,
    reload_error: str | None,
    start_error: str | None,
) -> dict[str, Any]:
    """Return the status of a service.

    :param started: when the supervisor was started (`time.time`).
    """
    return {
        "target": configuration.target,
        "state": state.value,
        "pid": os.getpid(),
        "started": started,
        "size": len(pool.slots),
        "serving": pool.serving(),
        "generation": pool.generation,
        "reload_error": reload_error,
        "start_error": start_error,
        "restarts": dict(pool.restarts),
        "workers": [
            {
                "number": worker.number,
                "pid": worker.pid,
                "generation": worker.generation,
                "state": worker.state.value,
                "started": worker.started,
                "blocked": round(worker.blocked_time(), 3),
                "restarts": pool.slots[worker.number].starts - 1 if worker.number < len(pool.slots) else 0,
                "memory": worker.memory(),
                "stats": worker.stats,
            }
            for worker in pool
            if worker.state is not WorkerState.EXITED
        ],
    }


def describe_exit(status: int) -> str:
    """Return a description of an exit status, which is negative if a signal has ended the process."""
    if status >= 0:
        return f"has exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


__all__ = ["describe_exit", "service_status"]
