"""Run the measurements: ``python -m benchmarks.macro.bodies --scenario whole,streamed``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections.abc import Collection
from pathlib import Path

from benchmarks.macro.bodies.measure import cpu_seconds, forget_peak, peak_memory, upload
from benchmarks.macro.bodies.scenarios import SCENARIOS, Scenario
from benchmarks.macro.server.peers import PEERS, ROOT, Peer, version
from benchmarks.macro.server.process import running
from benchmarks.macro.server.report import machine

#: Results by server, scenario and metric.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "cpu": "CPU seconds of the server (user and system, all threads)",
    "peak": "peak memory above that of the idle process, divided by the body",
    "ahead": "growth of memory while the body arrives, divided by what has arrived (the worst of ten looks)",
}


class BodyPeer(Peer):
    """A server of the other measurements, running the program of this one."""

    @property
    def script(self) -> Path:
        """The program it runs."""
        return Path(__file__).parent / "apps" / self.app


CHOICE = {
    name: BodyPeer(**{field.name: getattr(PEERS[name], field.name) for field in dataclasses.fields(Peer)})
    for name in ("ours", "tornado")
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/bench bodies", description=__doc__)
    parser.add_argument("--only", default=",".join(CHOICE), help=f"servers: {','.join(CHOICE)}")
    parser.add_argument("--scenario", default=",".join(SCENARIOS), help=f"scenarios: {','.join(SCENARIOS)}")
    parser.add_argument("--megabytes", type=int, default=100, help="size of the body")
    parser.add_argument("--repeat", type=int, default=5, help="uploads, of which the median counts")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "benchmarks" / "results", help="folder of results"
    )
    asked = parser.parse_args()
    asked.only = _chosen(parser, asked.only, CHOICE)
    asked.scenario = _chosen(parser, asked.scenario, SCENARIOS)
    return asked


def _chosen(parser: argparse.ArgumentParser, text: str, known: Collection[str]) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"unknown {name!r}: there are {', '.join(known)}")
    return names


def measure(peer: Peer, scenario: Scenario, size: int, repeat: int) -> dict[str, float]:
    """All metrics of one scenario on one server; a fresh process for CPU time and one for memory."""
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


def markdown(results: Results, asked: argparse.Namespace) -> str:
    """One table a metric: servers down, scenarios across."""
    lines = ["# Large request bodies", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    lines += [f"- {CHOICE[name].title}: {version(CHOICE[name])}" for name in results]
    how = (
        f"Bodies of {asked.megabytes} MB from one client over the loopback interface; one process a server, "
        f"pinned to one core; the client runs where it likes. CPU: the median of {asked.repeat} uploads. "
        "`cpu` swings with the machine; trust ratios within one run."
    )
    lines += ["", how]
    for metric, unit in UNITS.items():
        lines += ["", f"## {metric}: {unit}", ""]
        lines += ["| server | " + " | ".join(asked.scenario) + " |", "|---|" + "---:|" * len(asked.scenario)]
        for name, row in results.items():
            cells = [f"{row[column][metric]:.3f}" if column in row else "–" for column in asked.scenario]
            lines.append(f"| {CHOICE[name].title} | " + " | ".join(cells) + " |")
    lines += ["", *(f"- `{name}`: {SCENARIOS[name].title}" for name in asked.scenario)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the table."""
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
    asked.output.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "units": UNITS, "megabytes": asked.megabytes, "results": results}
    (asked.output / "bodies.json").write_text(json.dumps(record, indent=1) + "\n")
    path = asked.output / "bodies.md"
    path.write_text(markdown(results, asked))
    print(path)


if __name__ == "__main__":
    main()
