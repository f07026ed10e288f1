"""Run the benchmarks of parts that need no server: templates, routing, coroutines, locks."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from benchmarks import tables, workers
from benchmarks.arguments import command_line
from benchmarks.micro.cases.waiting import CASES
from benchmarks.peers import Peer, tornado_peers

FOLDER = Path(__file__).parent / "cases"
_TORNADO = tornado_peers(workers.WORKER)
PEERS = {
    "ours": _TORNADO["ours"],
    "tornado": _TORNADO["tornado"],
    "jinja2": Peer("jinja2", "Jinja2", FOLDER / "templates.py", ("jinja2==3.1.6", "markupsafe==3.0.3")),
}
#: Programs that measure themselves: title, program with arguments (``{engine}`` is replaced by the peer's),
#: and the peers that run it.
PROGRAMS: list[tuple[str, str, tuple[str, ...]]] = [
    ("template, table of 1,000 rows of 10 escaped cells", "templates.py {engine}", tuple(PEERS)),
    *(
        (
            f"routing, {count:,} routes, {kind}, last route matches",
            f"routing.py {kind} {count}",
            ("ours", "tornado"),
        )
        for kind in ("literal", "pattern")
        for count in (10, 1000)
    ),
    ("import tornado.web", "importing.py", ("ours", "tornado")),
]


def measure(peer: Peer, program: str) -> float:
    """Return CPU microseconds, as the program itself measures them."""
    engine = "jinja2" if peer.name == "jinja2" else "tornado"
    name, *words = program.format(engine=engine).split()
    command = [str(peer.python()), str(FOLDER / name), *words]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def programs(peers: list[Peer], text: str) -> list[list[str]]:
    """Return a row for each program whose title contains the text."""
    rows = []
    for title, program, takers in PROGRAMS:
        if text in title:
            values = [f"{measure(each, program):,.1f}" if each.name in takers else "–" for each in peers]
            rows.append([title, *values])
            print("  ".join(rows[-1]), flush=True)
    return rows


def report(peers: list[Peer], rows: list[list[str]], results: workers.Results, how: str) -> list[str]:
    """Return the tables of the programs and of the cases."""
    lines = tables.heading("Single parts", peers)
    if rows:
        lines += [
            "",
            "## Programs",
            "",
            "CPU microseconds (process time; the lowest of fifteen means).",
            "",
        ]
        lines += tables.table(["what", *(peer.title for peer in peers)], rows)
    if results:
        workers_of = [peer for peer in peers if peer.app == workers.WORKER]
        lines += ["", how, *workers.markdown(results, CASES.values(), workers_of)]
    return lines


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("micro", __doc__, PEERS)
    workers.add_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Measure, print the results, and write the tables."""
    asked = arguments()
    peers = [PEERS[name] for name in asked.only]
    rows = programs(peers, asked.case) if "cpu" in asked.metric else []
    cases = [case for case in CASES.values() if asked.case in case.name]
    comparison = workers.Comparison(
        [peer for peer in peers if peer.app == workers.WORKER], "benchmarks.micro.cases.waiting"
    )
    results = workers.measured(comparison, cases, asked) if cases else {}
    record = {"units": workers.UNITS, "programs": rows, "results": results}
    lines = report(peers, rows, results, workers.how(asked))
    print(tables.save(asked.output, "micro", lines, record))


if __name__ == "__main__":
    main()
