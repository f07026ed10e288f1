"""Measure production servers by the same scenarios, each with two workers.

``scripts/compliance serving [--only ours,uvicorn] [--scenario reloads,sweep] [--repeat 3]`` prints the table
of docs/serving.md; ``--thorough`` runs Waterspout alone, with WebSockets and behind proxies. ``--record``
replaces the table in the document. The exit status is 1 if Waterspout does not pass a scenario.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.peers import version
from compliance.serving import deploys, kills, reloads, stops
from compliance.serving.document import record
from compliance.serving.expectations import problems
from compliance.serving.figures import Figures
from compliance.serving.report import table
from compliance.serving.servers import SERVERS, Server
from compliance.serving.thorough import thorough, thorough_problems, thorough_table

#: The scenarios by name, and whether `--repeat` applies, because their result varies.
SCENARIOS: dict[str, tuple[Callable[[Server], Coroutine[Any, Any, Figures]], bool]] = {
    "reloads": (reloads.reloads, True),
    "sweep": (stops.sweep, True),
    "stop_under_load": (stops.stop_under_load, True),
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
    parser.add_argument("--thorough", action="store_true", help="run Waterspout's own scenarios")
    parser.add_argument("--record", action="store_true", help="write docs/serving.json and docs/serving.md")
    arguments = parser.parse_args()
    if arguments.thorough:
        found = run_thorough(arguments.repeat, arguments.record)
    else:
        found = compare(arguments)
    print("", *found, sep="\n")
    sys.exit(bool(found))


def run_thorough(repeat: int, records: bool) -> list[str]:
    """Run Waterspout's own scenarios, and return the problems."""
    results = thorough(repeat)
    print(thorough_table(results))
    if records:
        record("thorough", results, {"ours": version(SERVERS["ours"].peer)})
    return thorough_problems(results)


def compare(arguments: argparse.Namespace) -> list[str]:
    """Measure the servers, and return the problems of Waterspout."""
    servers = [SERVERS[name] for name in arguments.only]
    results = {server.peer.name: measure(server, arguments.scenario, arguments.repeat) for server in servers}
    versions = {server.peer.name: version(server.peer) for server in servers}
    print(table({server.peer.name: server.peer.title for server in servers}, results))
    print("", *versions.values(), sep="\n")
    if arguments.record:
        record("servers", results, versions)
    return problems(results.get("ours", {}))


if __name__ == "__main__":
    main()
