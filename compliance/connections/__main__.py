"""Hold many WebSockets in one server process; each sends a message once a minute, which the server returns.

``scripts/compliance connections [--connections 15000] [--minutes 5] [--url ws://localhost:8888/echo]``
prints the table of README.md. The exit status is 1 if there was an error.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys

from compliance.connections.herd import Plan, Target
from compliance.connections.measure import Outcome, run_plan


def table(outcome: Outcome) -> str:
    """Return the results as a table in Markdown."""
    start, opened, said, _ = outcome.seconds
    rows = [
        ("connections open at the same time", f"{outcome.opened:,}"),
        ("seconds to open them", f"{opened - start:.1f}"),
        ("seconds held", f"{said - opened:.1f}"),
        ("echoes", f"{len(outcome.latencies):,}"),
        ("errors", f"{sum(outcome.errors.values()):,}"),
    ]
    for name, part in (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("slowest", 1.0)):
        rows.append((f"echo latency, milliseconds: {name}", f"{outcome.percentile(part) * 1000:.2f}"))
    if outcome.states and outcome.opened and outcome.latencies:
        rows += server_rows(outcome)
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)])


def server_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the rows for the memory and CPU time of the server."""
    memory = [state["memory"] for state in outcome.states]
    opening, holding, closing = (
        after["cpu"] - earlier["cpu"] for earlier, after in itertools.pairwise(outcome.states)
    )
    return [
        ("server: memory before, MiB", f"{memory[0] / 2**20:.1f}"),
        ("server: memory with all connections open, MiB", f"{memory[1] / 2**20:.1f}"),
        ("server: memory at the end, MiB", f"{memory[2] / 2**20:.1f}"),
        ("server: bytes per connection, at the end", f"{(memory[2] - memory[0]) / outcome.opened:,.0f}"),
        ("server: CPU to open a connection, microseconds", f"{opening / outcome.opened * 1e6:.0f}"),
        ("server: CPU per echo, microseconds", f"{holding / len(outcome.latencies) * 1e6:.0f}"),
        ("server: CPU while held, seconds", f"{holding:.2f}"),
        ("server: CPU to close a connection, microseconds", f"{closing / outcome.opened * 1e6:.0f}"),
    ]


def main() -> None:
    """Run the test that the command line selects; print the results."""
    parser = argparse.ArgumentParser(prog="scripts/compliance connections", description=__doc__)
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument(
        "--minutes",
        type=int,
        default=5,
        help="duration of the test (default: 5); each connection echoes once a minute",
    )
    parser.add_argument("--url", help="URL of another echo server to test")
    arguments = parser.parse_args()
    if arguments.connections < 1 or arguments.minutes < 1:
        parser.error("--connections and --minutes must be positive")
    try:
        if arguments.url is not None:
            Target.of(arguments.url)
        outcome = run_plan(
            Plan(arguments.connections, 60.0, arguments.minutes), arguments.url, real_time=True
        )
    except ValueError as error:
        parser.error(str(error))
    print(f"CPython {platform.python_version()}, {platform.system()} {platform.release()}\n")
    print(table(outcome))
    print("", *(outcome.problems() or ["No errors."]), sep="\n")
    sys.exit(bool(outcome.problems()))


if __name__ == "__main__":
    main()
