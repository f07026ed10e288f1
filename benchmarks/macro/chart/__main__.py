"""Draw the README's chart: ``scripts/bench chart``.

The figures come from ``benchmarks/results/server.json``, which ``scripts/bench server`` writes, so all bars
show the same run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.macro.chart.svg import draw
from benchmarks.macro.server.peers import PEERS

ROOT = Path(__file__).parents[3]
#: The scenarios in the chart, each with the description of its requests.
LABELS = {
    "root": "GET / (13 bytes)",
    "item": "GET /item/42?q=abc (JSON)",
    "differs": "proxied, every request different",
}


def main() -> None:
    """Read results and write the chart.

    :raises SystemExit: if the results lack one of the scenarios.
    """
    parser = argparse.ArgumentParser(prog="scripts/bench chart", description=__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results/server.json")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images/instructions.svg")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text(encoding="utf-8"))["results"]
    missing = [
        f"{name}/{scenario}"
        for name, measured in results.items()
        for scenario in LABELS
        if "instructions" not in measured.get(scenario, {})
    ]
    if missing:
        scenarios = ",".join(LABELS)
        parser.error(
            f"{arguments.results} has no instructions of {', '.join(missing)}: run scripts/bench server "
            f"--metric instructions --scenario {scenarios} first"
        )
    titles = {name: PEERS[name].title for name in results}
    groups = {
        label: {titles[name]: measured[scenario]["instructions"] for name, measured in results.items()}
        for scenario, label in LABELS.items()
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(draw("User-space instructions per request", groups), encoding="utf-8")


if __name__ == "__main__":
    main()
