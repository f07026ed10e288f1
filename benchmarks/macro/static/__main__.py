"""Run the measurements: ``python -m benchmarks.macro.static --only ours,tornado``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks.macro.bodies.measure import cpu_seconds
from benchmarks.macro.server import cpu
from benchmarks.macro.server.instructions import counted, method
from benchmarks.macro.server.peers import PEERS, ROOT, Peer, version
from benchmarks.macro.server.process import running
from benchmarks.macro.server.report import machine
from benchmarks.macro.server.scenarios import BROWSER, Scenario
from benchmarks.macro.static.download import download, slowest_beside

UNITS = {
    "instructions": "user-space instructions a request",
    "cpu": "CPU microseconds a request (user and system)",
    "large": "CPU milliseconds for the large file",
    "waiting": "milliseconds that the slowest other request took meanwhile",
}
SMALL = [
    Scenario("4 KB", "a file of 4 KB", "/files/small.css"),
    Scenario(
        "browser", "the same for a browser's 12 fields", "/files/small.css", headers=tuple(BROWSER.items())
    ),
    Scenario("range", "a part of it", "/files/small.css", headers=(("Range", "bytes=100-199"),)),
    Scenario("32 KB", "a file of 32 KB", "/files/medium.js"),
    Scenario("200 KB", "a file of 200 KB", "/files/larger.js"),
]


class StaticPeer(Peer):
    """A server of the other measurements, running the program of this one."""

    @property
    def script(self) -> Path:
        """The program it runs."""
        return Path(__file__).parent / "apps" / self.app


CHOICE = {
    name: StaticPeer(**{field.name: getattr(PEERS[name], field.name) for field in dataclasses.fields(Peer)})
    for name in ("ours", "ours-uvloop", "tornado", "tornado-uvloop")
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/bench static", description=__doc__)
    parser.add_argument("--only", default=",".join(CHOICE), help=f"servers: {','.join(CHOICE)}")
    parser.add_argument("--megabytes", type=int, default=100, help="size of the large file")
    parser.add_argument("--seconds", type=float, default=2, help="length of each CPU measurement")
    parser.add_argument("--repeat", type=int, default=5, help="downloads, of which the median counts")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "benchmarks" / "results", help="folder of results"
    )
    asked = parser.parse_args()
    asked.only = [name for name in asked.only.split(",") if name]
    for name in asked.only:
        if name not in CHOICE:
            parser.error(f"unknown {name!r}: there are {', '.join(CHOICE)}")
    return asked


def make_files(folder: Path, large: int) -> None:
    """What is served; old enough that nobody takes it for a file being written."""
    for name, size in {"small.css": 4096, "medium.js": 32768, "larger.js": 200_000}.items():
        (folder / name).write_bytes(os.urandom(size))
        os.utime(folder / name, (0, 1_600_000_000))
    with open(folder / "large.bin", "wb") as file:
        file.writelines(os.urandom(1_000_000) for _ in range(large // 1_000_000))


def measure(peer: Peer, size: int, asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    """All metrics of one server: metric -> scenario -> value."""
    found: dict[str, dict[str, float]] = {metric: {} for metric in UNITS}
    if method():
        with counted(peer, None, False) as server:
            for scenario in SMALL:
                if scenario.name != "range":  # the counting client knows 200 only
                    found["instructions"][scenario.name] = server.measure(scenario, asked.seconds, None)
    for scenario in SMALL:
        with running(peer) as server:
            found["cpu"][scenario.name], _ = cpu.per_request(server, scenario, asked.seconds, None)
    with running(peer) as server:
        download(server.port, "/files/large.bin", size)
        each = []
        for _ in range(asked.repeat):
            before = cpu_seconds(server.pid)
            download(server.port, "/files/large.bin", size)
            each.append(cpu_seconds(server.pid) - before)
        found["large"]["100 MB"] = statistics.median(each) * 1e3
        waits = [slowest_beside(server.port, "/files/large.bin", size) for _ in range(asked.repeat)]
        found["waiting"]["100 MB"] = statistics.median(waits) * 1e3
    return found


def markdown(results: dict[str, dict[str, dict[str, float]]], asked: argparse.Namespace) -> str:
    """One table a metric: servers down, scenarios across."""
    lines = ["# Static files", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    lines += [f"- {CHOICE[name].title}: {version(CHOICE[name])}" for name in results]
    lines += ["", f"One process a server, pinned to one core. The large file has {asked.megabytes} MB."]
    for metric, unit in UNITS.items():
        columns = list(next(iter(results.values()))[metric])
        lines += ["", f"## {metric}: {unit}", ""]
        lines += ["| server | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
        for name, row in results.items():
            cells = [f"{row[metric][column]:,.1f}" for column in columns]
            lines.append(f"| {CHOICE[name].title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the table."""
    asked = arguments()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), asked.megabytes * 1_000_000)
        os.environ["BENCH_FILES"] = folder
        for name in asked.only:
            CHOICE[name].python()
            results[name] = measure(CHOICE[name], asked.megabytes * 1_000_000, asked)
            print(CHOICE[name].title, json.dumps(results[name]), flush=True)
    asked.output.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "units": UNITS, "results": results}
    (asked.output / "static.json").write_text(json.dumps(record, indent=1) + "\n")
    path = asked.output / "static.md"
    path.write_text(markdown(results, asked))
    print(path)


if __name__ == "__main__":
    main()
