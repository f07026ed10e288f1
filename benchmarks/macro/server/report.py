"""The results as a table for people and as JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.instructions import method
from benchmarks.macro.server.peers import PEERS
from benchmarks.macro.server.scenarios import SCENARIOS
from benchmarks.peers import version

#: Results by server, scenario and metric.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "instructions": "user-space instructions a request",
    "cpu": "CPU microseconds a request (user and system)",
    "rate": "requests a second",
    "memory": "bytes a connection",
}


def how(options: dict[str, Any]) -> str:
    """The method, in a paragraph."""
    counting = {
        "perf": "`perf stat -e instructions:u` on the server's process around a wrk run",
        "callgrind": "valgrind's callgrind, over rounds of a request on each of 64 connections, warmed up",
        "": "not counted (neither perf's counters nor valgrind here)",
    }[method()]
    return (
        "One process a server, pinned to one core; the load on another. "
        f"Instructions: {counting}. "
        f"CPU: user and system time of the server over {options['seconds']:g} s of wrk with 64 connections, "
        f"divided by the requests; the median of {options['repeat']}. "
        "Accept: a new connection, one request, close, one after the other; CPU time of each. "
        f"Idle: growth of the server's memory (PSS) over {options['idle']} connections, each used once. "
        "Rates swing with the machine; trust instructions first, then CPU time, then ratios within one run."
    )


def markdown(results: Results, options: dict[str, Any]) -> list[str]:
    """One table a metric: servers down, scenarios across, a factor against Tornado where it was measured."""
    lines = tables.heading("The server against its peers", [PEERS[name] for name in results])
    lines += ["", how(options), ""]
    for metric, unit in UNITS.items():
        columns = [name for name in SCENARIOS if any(metric in row.get(name, {}) for row in results.values())]
        if not columns:
            continue
        lines += [f"## {unit[0].upper()}{unit[1:]}", ""]
        rows = [
            [PEERS[name].title, *(_cell(results, row, column, metric) for column in columns)]
            for name, row in results.items()
        ]
        lines += [*tables.table(["server", *columns], rows), ""]
    return lines + [
        f"- `{name}`: {SCENARIOS[name].title}"
        for name in SCENARIOS
        if any(name in r for r in results.values())
    ]


def _cell(results: Results, row: dict[str, dict[str, float]], column: str, metric: str) -> str:
    value = row.get(column, {}).get(metric)
    if value is None:
        return "–"
    base = results.get("tornado", {}).get(column, {}).get(metric)
    text = f"{value:,.0f}"
    return f"{text} ({value / base:.2f}x)" if base and row is not results["tornado"] else text


def write(results: Results, options: dict[str, Any], folder: Path) -> Path:
    """Write ``server.md`` and ``server.json``; the path of the former."""
    record = {
        "options": options,
        "method": how(options),
        "versions": {name: version(PEERS[name]) for name in results},
        "units": UNITS,
        "results": results,
    }
    return tables.save(folder, "server", markdown(results, options), record)
