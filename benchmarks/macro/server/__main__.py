"""Run the measurements: ``python -m benchmarks.macro.server --only ours,tornado --scenario root``."""

from __future__ import annotations

import argparse
import resource
import shutil
import ssl
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import certificates
from benchmarks.arguments import add_choice, command_line
from benchmarks.instructions import method
from benchmarks.macro.server import cpu, report
from benchmarks.macro.server.instructions import counted
from benchmarks.macro.server.peers import PEERS
from benchmarks.macro.server.process import running
from benchmarks.macro.server.scenarios import SCENARIOS, Scenario
from benchmarks.peers import Peer


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("server", __doc__, PEERS)
    add_choice(parser, "--scenario", SCENARIOS)
    add_choice(parser, "--metric", ("instructions", "cpu"))
    parser.add_argument("--seconds", type=float, default=4, help="length of each CPU measurement")
    parser.add_argument("--repeat", type=int, default=3, help="CPU measurements; the median is reported")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    return parser.parse_args()


class Bench:
    """One run of the benchmark with the chosen servers and scenarios."""

    def __init__(self, asked: argparse.Namespace, certificates: Path) -> None:
        self.asked = asked
        self._certificates = certificates
        self._context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        self.results: report.Results = {}

    def run(self) -> None:
        """Measure everything, one server after the other."""
        for name in self.asked.only:
            peer = PEERS[name]
            peer.python()
            for tls, logged, scenarios in self._groups(peer):
                if "instructions" in self.asked.metric and method():
                    self._instructions(peer, tls, logged, scenarios)
                if "cpu" in self.asked.metric or any(each.kind != "requests" for each in scenarios):
                    self._cpu(peer, tls, logged, scenarios)

    def _groups(self, peer: Peer) -> Iterator[tuple[bool, bool, list[Scenario]]]:
        """Yield the scenarios of a peer, grouped by the server configuration that they need."""
        chosen = [SCENARIOS[name] for name in self.asked.scenario if name not in peer.without]
        for configuration in ((False, False), (False, True), (True, False)):
            same = [each for each in chosen if (each.tls, each.logged) == configuration]
            if same:
                yield *configuration, same

    def _note(self, peer: Peer, scenario: Scenario, metric: str, value: float) -> None:
        self.results.setdefault(peer.name, {}).setdefault(scenario.name, {})[metric] = value
        print(f"{peer.title:28} {scenario.name:10} {metric:13} {value:12,.0f}", flush=True)

    def _instructions(self, peer: Peer, tls: bool, logged: bool, scenarios: list[Scenario]) -> None:
        wanted = [each for each in scenarios if each.kind == "requests"]
        if not wanted:
            return
        with counted(peer, self._certificates if tls else None, logged) as server:
            for scenario in wanted:
                value = server.measure(scenario, self.asked.seconds, self._context if tls else None)
                self._note(peer, scenario, "instructions", value)

    def _cpu(self, peer: Peer, tls: bool, logged: bool, scenarios: list[Scenario]) -> None:
        folder = self._certificates if tls else None
        for scenario in scenarios:
            if scenario.kind == "requests" and "cpu" not in self.asked.metric:
                continue
            # A fresh process for each scenario, so that memory and caches are not shared.
            with running(peer, tls=folder, logged=logged) as server:
                if scenario.kind == "idle":
                    self._note(peer, scenario, "memory", cpu.idle_memory(server, scenario, self.asked.idle))
                elif scenario.kind == "accept":
                    each = [cpu.per_accept(server, scenario) for _ in range(self.asked.repeat)]
                    self._note(peer, scenario, "cpu", statistics.median(each))
                else:
                    context = self._context if tls else None
                    runs = [
                        cpu.per_request(server, scenario, self.asked.seconds, context)
                        for _ in range(self.asked.repeat)
                    ]
                    self._note(peer, scenario, "cpu", statistics.median(each for each, _ in runs))
                    self._note(peer, scenario, "rate", statistics.median(rate for _, rate in runs))


def main() -> None:
    """Measure, print the results, and write the table."""
    asked = arguments()
    # Ten thousand connections need as many descriptors here and in the server, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not method():
        print(
            "neither hardware counters nor valgrind are available: instructions are not counted",
            file=sys.stderr,
        )
    if not shutil.which("wrk"):
        print("wrk is not installed: using the built-in client, which is slower", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        certificates.write(Path(folder))
        bench = Bench(asked, Path(folder))
        bench.run()
    options = {name: value for name, value in vars(asked).items() if name != "output"}
    print(report.write(bench.results, options, asked.output))


if __name__ == "__main__":
    main()
