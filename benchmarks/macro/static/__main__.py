"""Run the measurements: ``python -m benchmarks.macro.static --only ours,tornado``."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks import tables
from benchmarks.arguments import command_line
from benchmarks.instructions import method
from benchmarks.macro.bodies.measure import cpu_seconds
from benchmarks.macro.server import cpu
from benchmarks.macro.server.instructions import counted
from benchmarks.macro.server.process import running
from benchmarks.macro.server.scenarios import BROWSER, Scenario
from benchmarks.macro.static.download import download, slowest_beside
from benchmarks.peers import Peer, tornado_peers

UNITS = {
    "instructions": "user-space instructions per request",
    "cpu": "CPU microseconds per request (user and system)",
    "large": "CPU milliseconds for the large file",
    "waiting": "milliseconds of the slowest other request during the download",
}
SMALL = [
    Scenario("4 KB", "a file of 4 KB", "/files/small.css"),
    Scenario(
        "browser", "the same for a browser's 12 fields", "/files/small.css", headers=tuple(BROWSER.items())
    ),
    Scenario("range", "a range request for it", "/files/small.css", headers=(("Range", "bytes=100-199"),)),
    Scenario("32 KB", "a file of 32 KB", "/files/medium.js"),
    Scenario("200 KB", "a file of 200 KB", "/files/larger.js"),
]


CHOICE = tornado_peers(Path(__file__).parent / "apps" / "tornado_app.py")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("static", __doc__, CHOICE)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the large file")
    parser.add_argument("--seconds", type=float, default=2, help="length of each CPU measurement")
    parser.add_argument("--repeat", type=int, default=5, help="number of downloads; the median is reported")
    return parser.parse_args()


def make_files(folder: Path, large: int) -> None:
    """Create the served files, with old modification times: recent files are served differently."""
    for name, size in {"small.css": 4096, "medium.js": 32768, "larger.js": 200_000}.items():
        (folder / name).write_bytes(os.urandom(size))
        os.utime(folder / name, (0, 1_600_000_000))
    with open(folder / "large.bin", "wb") as file:
        file.writelines(os.urandom(1_000_000) for _ in range(large // 1_000_000))


def measure(peer: Peer, size: int, asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return all metrics of one server: metric -> scenario -> value."""
    found: dict[str, dict[str, float]] = {metric: {} for metric in UNITS}
    if method():
        with counted(peer, None, False) as server:
            for scenario in SMALL:
                if scenario.name != "range":  # the load generator accepts only 200
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


def markdown(results: dict[str, dict[str, dict[str, float]]], asked: argparse.Namespace) -> list[str]:
    """Return a table per metric, with servers as rows and scenarios as columns."""
    lines = tables.heading("Static files", [CHOICE[name] for name in results])
    lines += ["", f"One process per server, pinned to one core. The large file has {asked.megabytes} MB."]
    for metric, unit in UNITS.items():
        columns = list(next(iter(results.values()))[metric])
        rows = [
            [CHOICE[name].title, *(f"{row[metric][column]:,.1f}" for column in columns)]
            for name, row in results.items()
        ]
        lines += ["", f"## {metric}: {unit}", "", *tables.table(["server", *columns], rows)]
    return lines


def main() -> None:
    """Measure, print the results, and write the table."""
    asked = arguments()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), asked.megabytes * 1_000_000)
        os.environ["BENCH_FILES"] = folder
        for name in asked.only:
            CHOICE[name].python()
            results[name] = measure(CHOICE[name], asked.megabytes * 1_000_000, asked)
            print(CHOICE[name].title, json.dumps(results[name]), flush=True)
    record = {"units": UNITS, "results": results}
    print(tables.save(asked.output, "static", markdown(results, asked), record))


if __name__ == "__main__":
    main()
