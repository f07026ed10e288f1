"""The results as Markdown and JSON."""

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
    "instructions": "user-space instructions per request",
    "cpu": "CPU microseconds per request (user and system)",
    "rate": "requests per second",
    "memory": "bytes per connection",
}


def how(options: dict[str, Any]) -> str:
    """Describe the method in one paragraph."""
    counting = {
        "perf": "counted by `perf stat -e instructions:u` on the server's process around a wrk run",
        "callgrind": "counted by valgrind's callgrind, after a warm-up, in rounds of one request on each of "
        "64 connections",
        "": "not counted (neither hardware counters nor valgrind available)",
    }[method()]
    return (
        "Each server has one process, which is pinned to one core; the load generator runs on another core. "
        f"Instructions: {counting}. "
        f"CPU: user and system time of the server over {options['seconds']:g} s of wrk with 64 connections, "
        f"divided by the number of requests; the median of {options['repeat']} measurements. "
        "Accept: CPU time for opening a connection, serving one request and closing the connection, "
        "one connection after the other. "
        f"Idle: growth of the server's memory (PSS) for each of {options['idle']} idle connections, "
        "each of which has been used once. "
        "Rates depend on the machine: rely first on instructions, then on CPU time, then on ratios within "
        "one run."
    )


def markdown(results: Results, options: dict[str, Any]) -> list[str]:
    """Return a table per metric: servers as rows, scenarios as columns, with the ratio to Tornado if
    measured.
    """
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
    """Write ``server.md`` and ``server.json``; return the path of the former."""
    record = {
        "options": options,
        "method": how(options),
        "versions": {name: version(PEERS[name]) for name in results},
        "units": UNITS,
        "results": results,
    }
    return tables.save(folder, "server", markdown(results, options), record)
