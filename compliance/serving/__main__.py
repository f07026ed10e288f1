"""Measure production servers by the same scenarios, each with two workers.

``scripts/compliance serving [--only ours,uvicorn] [--scenario reloads,sweep] [--repeat 3] [--output FILE]``
prints the table of docs/serving.md. The exit status is 1 if Waterspout does not pass a scenario.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.peers import version
from compliance.serving import deploys, kills, reloads, stops
from compliance.serving.expectations import problems
from compliance.serving.figures import Figures
from compliance.serving.report import table
from compliance.serving.servers import SERVERS, Server

#: The scenarios by name, and whether `--repeat` applies, because their result varies.
SCENARIOS: dict[str, tuple[Callable[[Server], Coroutine[Any, Any, Figures]], bool]] = {
    "reloads": (reloads.reloads, True),
    "sweep": (stops.sweep, True),
    "websockets": (stops.websockets_at_stop, False),
    "kill_supervisor": (kills.kill_supervisor, True),
    "kill_worker": (kills.kill_worker, True),
    "blocked_loop": (kills.blocked_loop, False),
    "stop_while_blocked": (kills.stop_while_blocked, False),
    "pid_1": (kills.pid_1, False),
    "pid_1_cut": (kills.pid_1_cut, False),
    "broken_start": (deploys.broken_start, False),
    "broken_deploy": (deploys.broken_deploy, False),
    "certificate": (deploys.certificate, False),
}


def measure(server: Server, scenarios: list[str], repeat: int) -> dict[str, list[Figures]]:
    """Return the results of a server."""
    results = {}
    for name in scenarios:
        function, repeats = SCENARIOS[name]
        runs = results[name] = [_run(server, function) for _ in range(repeat if repeats else 1)]
        for run in runs:
            print(f"{server.peer.name} {name}: {json.dumps(run)}", file=sys.stderr, flush=True)
    return results


def _run(server: Server, function: Callable[[Server], Coroutine[Any, Any, Figures]]) -> Figures:
    try:
        return asyncio.run(function(server))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def machine() -> dict[str, str]:
    """Return the machine, the interpreter and the date."""
    return {
        "python": f"CPython {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processors": str(len(os.sched_getaffinity(0))),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _names(text: str, known: dict[str, Any]) -> list[str]:
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"expected some of {', '.join(known)}, got {name!r}")
    return names


def main() -> None:
    """Run the scenarios that the command line selects; print the table."""
    parser = argparse.ArgumentParser(prog="scripts/compliance serving", description=__doc__)
    parser.add_argument("--only", type=lambda text: _names(text, SERVERS), default="", help="servers")
    parser.add_argument("--scenario", type=lambda text: _names(text, SCENARIOS), default="", help="scenarios")
    parser.add_argument("--repeat", type=int, default=3, help="runs of scenarios whose result varies")
    parser.add_argument("--output", type=Path, help="write the results to this file as JSON")
    arguments = parser.parse_args()
    servers = [SERVERS[name] for name in arguments.only]
    results = {server.peer.name: measure(server, arguments.scenario, arguments.repeat) for server in servers}
    titles = {server.peer.name: server.peer.title for server in servers}
    versions = {server.peer.name: version(server.peer) for server in servers}
    if arguments.output is not None:
        content = {"machine": machine(), "versions": versions, "results": results}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n")
    print(table(titles, results), "", *machine().values(), *versions.values(), sep="\n")
    found = problems(results.get("ours", {}))
    print("", *found, sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
