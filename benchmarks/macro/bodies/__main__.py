"""Run the measurements: ``python -m benchmarks.macro.bodies --scenario whole,streamed``."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks import tables
from benchmarks.arguments import add_choice, command_line
from benchmarks.macro.bodies.measure import cpu_seconds, forget_peak, peak_memory, upload
from benchmarks.macro.bodies.scenarios import SCENARIOS, Scenario
from benchmarks.macro.server.process import running
from benchmarks.peers import Peer, tornado_peers

#: Results by server, scenario and metric.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "cpu": "CPU seconds of the server (user and system, all threads)",
    "peak": "peak memory above that of the idle process, divided by the body",
    "ahead": "growth of memory while the body arrives, divided by the bytes received (highest of ten)",
}


_PEERS = tornado_peers(Path(__file__).parent / "apps" / "tornado_app.py")
CHOICE = {name: _PEERS[name] for name in ("ours", "tornado")}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("bodies", __doc__, CHOICE)
    add_choice(parser, "--scenario", SCENARIOS)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the body")
    parser.add_argument("--repeat", type=int, default=5, help="number of uploads; the median is reported")
    return parser.parse_args()


def measure(peer: Peer, scenario: Scenario, size: int, repeat: int) -> dict[str, float]:
    """Return all metrics of one scenario on one server, with separate processes for CPU time and memory."""
    with running(peer) as server:
        upload(server.port, scenario, size)
        each = []
        for _ in range(repeat):
            before = cpu_seconds(server.pid)
            upload(server.port, scenario, size)
            each.append(cpu_seconds(server.pid) - before)
    with running(peer) as server:
        upload(server.port, scenario, 100_000)
        forget_peak(server.pid)
        base = peak_memory(server.pid)
        ahead = upload(server.port, scenario, size, after=size // 10, server=server)
        return {
            "cpu": statistics.median(each),
            "peak": (peak_memory(server.pid) - base) / size,
            "ahead": ahead,
        }


def markdown(results: Results, asked: argparse.Namespace) -> list[str]:
    """Return a table per metric, with servers as rows and scenarios as columns."""
    lines = tables.heading("Large request bodies", [CHOICE[name] for name in results])
    how = (
        f"Bodies of {asked.megabytes} MB from one client over the loopback interface; one process per "
        f"server, pinned to one core; the client is not pinned. CPU: the median of {asked.repeat} uploads. "
        "`cpu` depends on the machine; compare figures of the same run only."
    )
    lines += ["", how]
    for metric, unit in UNITS.items():
        rows = [
            [CHOICE[name].title]
            + [f"{row[column][metric]:.3f}" if column in row else "–" for column in asked.scenario]
            for name, row in results.items()
        ]
        lines += ["", f"## {metric}: {unit}", "", *tables.table(["server", *asked.scenario], rows)]
    return [*lines, "", *(f"- `{name}`: {SCENARIOS[name].title}" for name in asked.scenario)]


def main() -> None:
    """Measure, print the results, and write the table."""
    asked = arguments()
    results: Results = {}
    for scenario in (SCENARIOS[name] for name in asked.scenario):
        for name in asked.only:
            if scenario.ours and name != "ours":
                continue
            found = measure(CHOICE[name], scenario, asked.megabytes * 1_000_000, asked.repeat)
            results.setdefault(name, {})[scenario.name] = found
            shown = "  ".join(f"{metric} {value:.3f}" for metric, value in found.items())
            print(f"{CHOICE[name].title:16} {scenario.name:9} {shown}", flush=True)
    record = {"units": UNITS, "megabytes": asked.megabytes, "results": results}
    print(tables.save(asked.output, "bodies", markdown(results, asked), record))


if __name__ == "__main__":
    main()
