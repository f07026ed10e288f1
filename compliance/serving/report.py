"""The table of the results, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compliance.serving.figures import Figures
from compliance.serving.kills import GRACE, HANG_TIMEOUT

#: The results by the name of the scenario; several runs of one scenario are in one list.
Results = Mapping[str, list[Figures]]
_NEVER = "never"


def _sum(runs: list[Figures], name: str) -> int:
    return sum(run[name] for run in runs)


def _seconds(value: float | None) -> str:
    return _NEVER if value is None else f"{value:.1f} s"


def _worst(runs: list[Figures], name: str) -> str:
    values = [run[name] for run in runs]
    return _NEVER if None in values else _seconds(max(values))


def _reloads(runs: list[Figures]) -> str:
    if runs[0]["failed"] is None:
        return "cannot reload"
    slow = any(None in run["reload_seconds"] for run in runs)
    unchanged = not all(run["changed"] for run in runs)
    notes = (", old workers remain" if slow else "") + (", code not changed" if unchanged else "")
    return f"{_sum(runs, 'failed')} of {_sum(runs, 'requests'):,}{notes}"


def _connections(runs: list[Figures]) -> str:
    if runs[0]["failed"] is None:
        return "–"
    return f"{_sum(runs, 'resets')} · {_sum(runs, 'refused')}"


def _sweep(runs: list[Figures]) -> str:
    late = ", does not end" if any(run["seconds"] is None for run in runs) else ""
    return f"{_sum(runs, 'failed')} of {_sum(runs, 'requests')}{late}"


def _stop_under_load(runs: list[Figures]) -> str:
    late = ", does not end" if any(run["seconds"] is None for run in runs) else ""
    cut = "" if all(run["answered"] for run in runs) else ", the long one cut off"
    return f"{_sum(runs, 'failed')} of {_sum(runs, 'requests'):,}{cut}{late}"


def _closes(runs: list[Figures]) -> str:
    names = sorted({name for run in runs for name in run["closes"]})
    return "; ".join(f"{sum(run['closes'].get(name, 0) for run in runs)}: {name}" for name in names)


def _killed_supervisor(runs: list[Figures]) -> str:
    return f"{_worst(runs, 'workers_gone_seconds')} · {_worst(runs, 'served_again_seconds')}"


def _killed_worker(runs: list[Figures]) -> str:
    ended = "" if all(run["serves"] for run in runs) else ", the server ends"
    return _worst(runs, "replaced_seconds") + ended


def _blocked(runs: list[Figures]) -> str:
    stack = ", stack logged" if all(run["stack_logged"] for run in runs) else ""
    return _worst(runs, "replaced_seconds") + stack


def _end(runs: list[Figures]) -> str:
    if runs[0]["seconds"] is None:
        return _NEVER
    return f"{_worst(runs, 'seconds')}, status {runs[0]['status']}"


def _zombies(runs: list[Figures]) -> str:
    return f"{5 * len(runs) - _sum(runs, 'zombies')} of {5 * len(runs)}"


def _broken_start(runs: list[Figures]) -> str:
    if runs[0]["ended_seconds"] is None:
        return f"does not end; {runs[0]['tracebacks']} tracebacks in 8 s"
    return f"{_worst(runs, 'ended_seconds')}, status {runs[0]['status']}, {runs[0]['lines']} lines"


def _broken_deploy(runs: list[Figures]) -> str:
    if runs[0]["failed"] is None:
        return "cannot reload"
    serves = "serves" if all(run["serves"] for run in runs) else "serves no more"
    return f"{serves}; {_sum(runs, 'failed')} failed, {_sum(runs, 'refused')} refused"


def _certificate(runs: list[Figures]) -> str:
    return _worst(runs, "seconds")


ROWS: tuple[tuple[str, str, Callable[[list[Figures]], str]], ...] = (
    ("five reloads under 64 kept-alive connections: requests failed", "reloads", _reloads),
    ("– connections reset · refused", "reloads", _connections),
    ("SIGTERM during requests of 200 ms: requests failed", "sweep", _sweep),
    ("SIGTERM under 32 kept-alive connections: requests failed", "stop_under_load", _stop_under_load),
    ("SIGTERM with 100 WebSockets: closed with", "websockets", _closes),
    ("– last close frame after", "websockets", lambda runs: _worst(runs, "last_close_seconds")),
    ("– the server ends after", "websockets", _end),
    (
        "supervisor killed: idle workers gone after · served again after",
        "kill_supervisor",
        _killed_supervisor,
    ),
    ("worker killed: replaced after", "kill_worker", _killed_worker),
    (f"event loop blocked, time-out {HANG_TIMEOUT} s: replaced after", "blocked_loop", _blocked),
    (f"SIGTERM while it is blocked, grace {GRACE} s: the server ends after", "stop_while_blocked", _end),
    ("PID 1: processes of others reaped", "pid_1", _zombies),
    ("– SIGTERM: the server ends after", "pid_1", _end),
    (f"– SIGTERM with a request over the grace of {GRACE} s", "pid_1_cut", _end),
    ("a program that cannot start: ends after", "broken_start", _broken_start),
    ("reload of a program that cannot start", "broken_deploy", _broken_deploy),
    ("files of the certificate replaced: in use after", "certificate", _certificate),
)


def table(titles: Mapping[str, str], results: Mapping[str, Results]) -> str:
    """Return the table, with a column for each server."""
    names = list(results)
    lines = ["| | " + " | ".join(titles[name] for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, scenario, cell in ROWS:
        cells = [_cell(cell, results[name].get(scenario)) for name in names]
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(cell: Callable[[list[Figures]], str], runs: list[Any] | None) -> str:
    if not runs:
        return ""
    errors = [run["error"] for run in runs if "error" in run]
    return f"error: {errors[0]}" if errors else cell(runs)
