"""Measure parts that need no server: templates, routing, importing, ours beside others in one run."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from benchmarks.macro.server.peers import ROOT, Peer, version
from benchmarks.macro.server.report import machine

CASES = Path(__file__).parent / "cases"
PEERS = {
    peer.name: peer
    for peer in [
        Peer("ours", "Waterspout", ""),
        Peer("tornado", "Tornado 6.6.1", "", ("tornado==6.6.1", "uvloop==0.23.0")),
        Peer("jinja2", "Jinja2", "", ("jinja2==3.1.6", "markupsafe==3.0.3")),
    ]
}
#: What is measured: title, program with its arguments (``{engine}`` is the peer's), who takes part.
ROWS: list[tuple[str, str, tuple[str, ...]]] = [
    ("template, table of 1,000 rows of 10 escaped cells", "templates.py {engine}", tuple(PEERS)),
    *(
        (
            f"routing, {count:,} routes, {kind}, the last one",
            f"routing.py {kind} {count}",
            ("ours", "tornado"),
        )
        for kind in ("literal", "pattern")
        for count in (10, 1000)
    ),
    ("import tornado.web", "importing.py", ("ours", "tornado")),
]


def measure(peer: Peer, program: str) -> float:
    """CPU microseconds, by the program's own count."""
    engine = "jinja2" if peer.name == "jinja2" else "tornado"
    name, *words = program.format(engine=engine).split()
    command = [str(peer.python()), str(CASES / name), *words]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, print, and write ``micro.md``."""
    parser = argparse.ArgumentParser(prog="scripts/bench micro", description=__doc__)
    parser.add_argument("--only", default=",".join(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--case", default="", help="only rows whose title has this text")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args()
    chosen = [PEERS[name] for name in asked.only.split(",")]
    lines = ["# Parts by themselves", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    lines += [f"- {peer.title}: {version(peer)}" for peer in chosen]
    lines += ["", "CPU microseconds each (process time; the least of fifteen means).", ""]
    lines.append("| what | " + " | ".join(peer.title for peer in chosen) + " |")
    lines.append("|---|" + "---:|" * len(chosen))
    for title, program, takers in ROWS:
        if asked.case in title:
            values = [f"{measure(each, program):,.1f}" if each.name in takers else "–" for each in chosen]
            lines.append(f"| {title} | " + " | ".join(values) + " |")
            print(lines[-1], flush=True)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "micro.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
