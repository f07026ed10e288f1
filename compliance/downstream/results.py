"""Store the outcomes of each program in a JSON file in ``results/``, and tabulate them in ``RESULTS.md``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from compliance.downstream.program import Program

HERE = Path(__file__).parent
OPENING = """# Programs of the ecosystem: their test suites on upstream and on Waterspout

Made by `scripts/compliance downstream`; do not edit. Upstream is `tornado==6.6.1`. Numbers: tests passed /
failed (errors included) / skipped. A test that passes on upstream and fails on Waterspout is run again alone
on both before it is counted.

| program | version | upstream | Waterspout | passes on upstream only | passes on Waterspout only |
|---|---|---|---|---|---|
"""


@dataclass
class Result:
    """One program's outcomes.

    :ivar title: the program's title.
    :ivar version: its version.
    :ivar upstream: the numbers of tests that passed, failed and were skipped on upstream.
    :ivar ours: the same numbers on Waterspout.
    :ivar lost: tests that pass on upstream and fail on Waterspout.
    :ivar accepted: tests that may fail on Waterspout only, each with the reason.
    :ivar gained: tests that fail on upstream and pass on Waterspout.
    :ivar unsteady: tests whose outcomes on the two differed in the whole suite, but not in separate runs.
    :ivar deselected: tests that were not run, each with the reason.
    """

    title: str
    version: str
    upstream: dict[str, int]
    ours: dict[str, int]
    lost: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    gained: list[str] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)
    deselected: dict[str, str] = field(default_factory=dict)

    def save(self, program: Program, folder: Path = HERE / "results") -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{program.slug}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")

    def row(self) -> str:
        lost = f"{len(self.lost)}" + (f" and {len(self.accepted)} accepted" if self.accepted else "")
        cells = [
            self.title,
            self.version,
            _numbers(self.upstream),
            _numbers(self.ours),
            lost,
            f"{len(self.gained)}",
        ]
        return f"| {' | '.join(cells)} |"


def count(outcomes: dict[str, str]) -> dict[str, int]:
    """Return how many tests have each outcome."""
    return dict(Counter(outcomes.values()))


def _numbers(counts: dict[str, int]) -> str:
    return " / ".join(str(counts.get(outcome, 0)) for outcome in ("passed", "failed", "skipped"))


def load(program: Program, folder: Path = HERE / "results") -> Result | None:
    """Return the stored result; None if it is missing or for another version."""
    file = folder / f"{program.slug}.json"
    if not file.exists():
        return None
    result = Result(**json.loads(file.read_text()))
    return result if result.version == program.version else None


def write_table(programs: list[Program], file: Path = HERE / "RESULTS.md") -> None:
    """Write the table of all stored results."""
    results = {program.title: load(program) for program in programs}
    found = [result for result in results.values() if result is not None]
    lines = [result.row() for result in found]
    waiting = [title for title, result in results.items() if result is None]
    text = OPENING + "\n".join(lines) + "\n"
    if waiting:
        text += f"\nNo result yet: {', '.join(waiting)}.\n"
    for heading, kind in (
        ("Tests that pass on upstream only", "lost"),
        ("Accepted: tests that pass on upstream only, by a documented decision", "accepted"),
        ("Tests not run", "deselected"),
    ):
        named = [_named(result.title, getattr(result, kind)) for result in found if getattr(result, kind)]
        if named:
            text += f"\n## {heading}\n\n" + "".join(named)
    file.write_text(text)


def _named(title: str, tests: list[str] | dict[str, str]) -> str:
    if isinstance(tests, list):
        return "".join(f"- {title}: `{test}`\n" for test in tests)
    return "".join(f"- {title}: `{test}`: {reason}\n" for test, reason in tests.items())
