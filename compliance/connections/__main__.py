"""Hold many WebSockets in one process, each of which says something once a minute and gets it back.

``scripts/compliance connections [--connections 15000] [--minutes 5] [--url ws://localhost:8888/echo]`` prints
the figures of README.md, and ends with status 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys

from compliance.connections.herd import Plan, Target
from compliance.connections.measure import Outcome, carry_out


def table(outcome: Outcome) -> str:
    """The figures, as a table."""
    start, opened, said, _ = outcome.seconds
    rows = [
        ("connections, all open at once", f"{outcome.opened:,}"),
        ("seconds to open them", f"{opened - start:.1f}"),
        ("seconds held", f"{said - opened:.1f}"),
        ("echoes", f"{len(outcome.latencies):,}"),
        ("errors", f"{sum(outcome.errors.values()):,}"),
    ]
    for name, part in (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("slowest", 1.0)):
        rows.append((f"echo within, milliseconds: {name}", f"{outcome.percentile(part) * 1000:.2f}"))
    if outcome.states and outcome.opened and outcome.latencies:
        rows += server_rows(outcome)
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)])


def server_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """What the server used."""
    memory = [state["memory"] for state in outcome.states]
    opening, holding, closing = (
        after["cpu"] - earlier["cpu"] for earlier, after in itertools.pairwise(outcome.states)
    )
    return [
        ("server: memory before, MiB", f"{memory[0] / 2**20:.1f}"),
        ("server: memory with all open, MiB", f"{memory[1] / 2**20:.1f}"),
        ("server: memory at the end, MiB", f"{memory[2] / 2**20:.1f}"),
        ("server: bytes a connection, at the end", f"{(memory[2] - memory[0]) / outcome.opened:,.0f}"),
        ("server: CPU to open one, microseconds", f"{opening / outcome.opened * 1e6:.0f}"),
        ("server: CPU for an echo, microseconds", f"{holding / len(outcome.latencies) * 1e6:.0f}"),
        ("server: CPU while held, seconds", f"{holding:.2f}"),
        ("server: CPU to close one, microseconds", f"{closing / outcome.opened * 1e6:.0f}"),
    ]


def main() -> None:
    """Hold them, print, judge."""
    parser = argparse.ArgumentParser(prog="scripts/compliance connections", description=__doc__)
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument("--minutes", type=int, default=5, help="to hold them; each echoes once in each")
    parser.add_argument("--url", help="of an echo to judge in place of ours")
    asked = parser.parse_args()
    if asked.connections < 1 or asked.minutes < 1:
        parser.error("--connections and --minutes are numbers above zero")
    try:
        if asked.url is not None:
            Target.of(asked.url)
        outcome = carry_out(Plan(asked.connections, 60.0, asked.minutes), asked.url, favour=True)
    except ValueError as error:
        parser.error(str(error))
    print(f"CPython {platform.python_version()}, {platform.system()} {platform.release()}\n")
    print(table(outcome))
    print("", *(outcome.problems() or ["Nothing went wrong."]), sep="\n")
    sys.exit(bool(outcome.problems()))


if __name__ == "__main__":
    main()
