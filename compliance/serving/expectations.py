"""The conditions that Waterspout must meet in each scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from compliance.serving.figures import Figures
from compliance.serving.kills import GRACE, HANG_TIMEOUT


def _within(figures: Figures, name: str, limit: float) -> bool:
    return figures[name] is not None and figures[name] <= limit


#: The conditions by scenario.
EXPECTATIONS: dict[str, Callable[[Figures], bool]] = {
    "reloads": lambda run: (
        run["failed"] == run["resets"] == run["refused"] == 0
        and run["changed"]
        and None not in run["reload_seconds"]
        and not run.get("lost")
    ),
    "sweep": lambda run: run["failed"] == 0 and run["status"] == 0,
    "stop_under_load": lambda run: run["failed"] == 0 and run["answered"] and run["status"] == 0,
    "websockets": lambda run: (
        set(run["closes"]) == {"1012"} and _within(run, "last_close_seconds", 1.0) and run["status"] == 0
    ),
    "kill_supervisor": lambda run: (
        _within(run, "workers_gone_seconds", 1.0) and _within(run, "served_again_seconds", 2.0)
    ),
    "kill_worker": lambda run: run["serves"] and _within(run, "replaced_seconds", 0.5),
    "blocked_loop": lambda run: run["stack_logged"] and _within(run, "replaced_seconds", HANG_TIMEOUT + 1.0),
    "stop_while_blocked": lambda run: _within(run, "seconds", GRACE + 1.0) and run["status"] == 1,
    "pid_1": lambda run: run["zombies"] == 0 and _within(run, "seconds", GRACE) and run["status"] == 0,
    "pid_1_cut": lambda run: _within(run, "seconds", GRACE + 1.0) and run["status"] == 1,
    "broken_start": lambda run: (
        _within(run, "ended_seconds", 2.0) and run["status"] not in (0, None) and run["tracebacks"] == 1
    ),
    "broken_deploy": lambda run: run["serves"] and run["failed"] == run["refused"] == 0,
    "certificate": lambda run: run["connection_kept"] and _within(run, "seconds", 5.0),
}


def problems(results: Mapping[str, list[Figures]]) -> list[str]:
    """Describe each result that does not meet the conditions."""
    return [
        f"{scenario}: {run}"
        for scenario, runs in results.items()
        for run in runs
        if "error" in run or not EXPECTATIONS[scenario](run)
    ]
