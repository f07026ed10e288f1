"""The stored results of the tests on each interpreter, and the document made from them."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from compliance.pythons.interpreters import VERSIONS
from compliance.pythons.root_directory import REPOSITORY

FOLDER = Path(__file__).resolve().parent / "results"
DOCUMENT = REPOSITORY / "docs/pythons.md"
#: The columns of the table.
COLUMNS = {
    "core": "core tests",
    "quick": "quick tests",
    "whole": "all tests",
    "upstream": "Tornado's suite",
    "demos": "demos",
}
INTRODUCTION = """\
# Tests on each version of Python

`scripts/compliance pythons` makes this page. It finds or makes an interpreter of each version, runs the tests
with it in an environment of its own, and stores the results in `compliance/pythons/results/`. A cell contains
the numbers of tests that passed, failed and were skipped. In the column "Tornado's suite", the expected
failures that [compliance/upstream](../compliance/upstream/README.md) lists are not counted as failed. The
core tests, a part of the quick ones, are those of loops, streams, servers, WebSockets and channels.

"""


def parse(text: str, status: int = 0) -> dict[str, Any]:
    """Return the counts that a run of pytest or of Tornado's suite has printed, and the reasons of skips.

    A run that printed no counts has failed, and so has one that has ended with an exit status other than 0,
    for example between the modules of Tornado's suite, each of which prints counts.

    :param status: the exit status.
    """
    lines = text.splitlines()
    counts: dict[str, int] = {}
    for line in reversed(lines):
        found = re.findall(r"(\d+) (passed|failed|error|skipped|accepted)", line)
        if found and re.search(r"\bpassed\b.*|\bfailed\b.* in [\d.]+s", line):
            counts = {kind: int(number) for number, kind in found}
            break
    counts["failed"] = counts.get("failed", 0) + counts.pop("error", 0) if counts else 1
    if status:
        counts["failed"] = max(1, counts["failed"])
    reasons: Counter[str] = Counter()
    for line in lines:
        if match := re.match(r"SKIPPED \[(\d+)\] [^:]+:(?:\d+:)? (.*)", line):
            reasons[match[2]] += int(match[1])
    return {"counts": counts, "reasons": dict(sorted(reasons.items()))}


def has_passed(outcome: dict[str, Any]) -> bool:
    """Whether tests were run and none failed."""
    return outcome["counts"].get("passed", 0) > 0 and not outcome["counts"]["failed"]


def summary(outcome: dict[str, Any]) -> str:
    """Format the counts of an outcome."""
    counts = outcome["counts"]
    return (
        f"{counts.get('passed', 0):,} passed, {counts['failed']} failed, {counts.get('skipped', 0)} skipped"
    )


def read(version: str) -> dict[str, Any]:
    """Return the stored results of a version, or an empty dict."""
    path = FOLDER / f"{version}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(version: str, stored: dict[str, Any]) -> None:
    """Store the results of a version."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{version}.json").write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n")


def document() -> str:
    """Return the document: a table of the results, the builds, and the reasons of skipped tests."""
    table = ["| version | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    builds = ["| version | release | build | OpenSSL |", "|---|---|---|---|"]
    reasons: dict[str, list[str]] = {}
    for version in VERSIONS:
        stored = read(version)
        if not stored:
            continue
        parts = stored.get("parts", {})
        cells = [summary(parts[part]) if part in parts else "not run" for part in COLUMNS]
        table.append(f"| {version} | " + " | ".join(cells) + " |")
        build = stored["interpreter"]
        builds.append(
            f"| {version} | {build['version']} | {build['compiler']}, {build['build']} | {build['openssl']} |"
        )
        for part in COLUMNS:
            for reason in parts.get(part, {}).get("reasons", {}):
                reasons.setdefault(reason, []).append(f"{version} {part}")
    text = (
        INTRODUCTION + "\n".join(table) + "\n\n## Builds\n\n" + "\n".join(builds) + "\n\n## Skipped tests\n\n"
    )
    rows = [f"| {reason} | {', '.join(where)} |" for reason, where in sorted(reasons.items())]
    return text + "\n".join(["| reason | where |", "|---|---|", *rows]) + "\n"


def write_document() -> None:
    """Write ``docs/pythons.md``."""
    DOCUMENT.write_text(document())
