"""The results as a table for people and as JSON for programs."""

from __future__ import annotations

import datetime
import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.macro.server.instructions import method
from benchmarks.macro.server.peers import PEERS, ROOT, version
from benchmarks.macro.server.scenarios import SCENARIOS

#: Results by server, scenario and metric.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "instructions": "user-space instructions a request",
    "cpu": "CPU microseconds a request (user and system)",
    "rate": "requests a second",
    "memory": "bytes a connection",
}


def machine() -> dict[str, str]:
    """What the figures were made on and with."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit or "none",
        "processor": f"{cpu[1] if cpu else platform.machine()}",
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
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


def markdown(results: Results, options: dict[str, Any]) -> str:
    """One table a metric: servers down, scenarios across, a factor against Tornado where it was measured."""
    facts = machine()
    lines = ["# The server against its peers", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [f"- {PEERS[name].title}: {version(PEERS[name])}" for name in results]
    lines += ["", how(options), ""]
    for metric, unit in UNITS.items():
        columns = [name for name in SCENARIOS if any(metric in row.get(name, {}) for row in results.values())]
        if not columns:
            continue
        lines += [f"## {unit[0].upper()}{unit[1:]}", ""]
        lines.append("| server | " + " | ".join(columns) + " |")
        lines.append("|---|" + "---:|" * len(columns))
        for name, row in results.items():
            cells = [_cell(results, row, column, metric) for column in columns]
            lines.append(f"| {PEERS[name].title} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += [
        f"- `{name}`: {SCENARIOS[name].title}"
        for name in SCENARIOS
        if any(name in r for r in results.values())
    ]
    return "\n".join(lines) + "\n"


def _cell(results: Results, row: dict[str, dict[str, float]], column: str, metric: str) -> str:
    value = row.get(column, {}).get(metric)
    if value is None:
        return "–"
    base = results.get("tornado", {}).get(column, {}).get(metric)
    text = f"{value:,.0f}"
    return f"{text} ({value / base:.2f}x)" if base and row is not results["tornado"] else text


def write(results: Results, options: dict[str, Any], folder: Path) -> Path:
    """Write ``server.md`` and ``server.json``; the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {name: version(PEERS[name]) for name in results}
    record = {
        "machine": machine(),
        "options": options,
        "method": how(options),
        "versions": versions,
        "units": UNITS,
        "results": results,
    }
    (folder / "server.json").write_text(json.dumps(record, indent=1) + "\n")
    path = folder / "server.md"
    path.write_text(markdown(results, options))
    return path
