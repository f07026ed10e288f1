"""Count instructions on each interpreter and write the table of docs/benchmarks.md.

The command is ``scripts/bench pythons``. Interpreters are found or made as by ``scripts/pythons``. All
figures are of callgrind, because hardware counters are not available everywhere. The results of each version
are kept, so that it can be run alone.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT
from benchmarks.tables import table
from compliance.pythons.interpreters import Interpreter, UnavailableError, make
from compliance.pythons.run import run

#: The versions that are measured by default.
DEFAULT = ("3.11", "3.12", "3.13", "3.14", "3.15", "3.14t")
SCENARIOS = {
    "root": "`/`",
    "item": "`/item`",
    "echo": "WebSocket echo",
    "get": "client GET",
}
RESULTS = ROOT / "benchmarks/results/pythons.json"
DOCUMENT = ROOT / "docs/benchmarks.md"
HEADING = "## Versions of Python"
INTRODUCTION = """\
`scripts/bench pythons` makes this table: instructions (callgrind) of Waterspout / of Tornado 6.6.1 on the
same interpreter, for `/` and `/item` as above, a WebSocket echo of 32 bytes, and a GET of the HTTP client on
a kept connection. Builds differ as much as versions do: compare figures of one line. The options are those of
PGO and LTO in `CONFIG_ARGS` of `sysconfig`, which contains none in Debian's packages.
"""


def origin(interpreter: Interpreter) -> str:
    """Return the origin of an interpreter, as far as its path shows it."""
    if interpreter.root is not None:
        return "built from Debian's source" if interpreter.path.startswith("/opt/") else "Debian"
    known = {".pyenv": "pyenv", "/uv/": "uv", "/usr/bin/": "system"}
    return next((name for part, name in known.items() if part in interpreter.path), "other")


def measure(version: str) -> dict[str, Any]:
    """Return the results of a version.

    :raises RuntimeError: if the measurement fails; the message is its output.
    """
    interpreter = make(version)
    if interpreter.root is not None:
        with interpreter.root.lock():
            interpreter.root.install("valgrind")
    command = (interpreter.path, "-m", "benchmarks.macro.pythons.measure")
    with tempfile.TemporaryFile("w+") as output:
        status = run(interpreter, command, {"BENCH_COUNTER": "callgrind"}, output=output)
        output.seek(0)
        text = output.read()
    if status:
        raise RuntimeError(text)
    results: dict[str, Any] = json.loads(text.splitlines()[-1])
    build = results["build"]
    build["origin"] = origin(interpreter)
    if build["origin"] == "Debian" and build["options"] == "none":
        build["options"] = "not recorded"
    return results


def section(results: dict[str, Any]) -> str:
    """Return the section of the document."""
    rows = []
    for found in results.values():
        build, ours, tornado = found["build"], found["ours"], found["tornado"]
        cells = [
            f"{ours[each]:,.0f} / {tornado[each]:,.0f} ({ours[each] / tornado[each]:.2f}x)"
            for each in SCENARIOS
        ]
        rows.append([build["version"], *cells, build["origin"], build["options"], build["openssl"]])
    lines = table(["version", *SCENARIOS.values(), "build", "options", "OpenSSL"], rows)
    return "\n".join([HEADING, "", INTRODUCTION, *lines]) + "\n"


def write(results: dict[str, Any], document: Path = DOCUMENT) -> None:
    """Replace the section in the document."""
    text = document.read_text()
    before, found, rest = text.partition(HEADING + "\n")
    if not found:
        raise ValueError(f"{document} has no heading {HEADING!r}")
    following = re.search(r"^## ", rest, re.MULTILINE)
    after = "\n" + rest[following.start() :] if following else ""
    document.write_text(before + section(results) + after)


def main() -> int:
    """Measure the versions of the command line; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="scripts/bench pythons", description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", default=DEFAULT, help=f"default: {' '.join(DEFAULT)}")
    status = 0
    stored: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for version in parser.parse_args().versions:
        try:
            stored[version] = measure(version)
        except (UnavailableError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{version}: {error}", file=sys.stderr)
            status = 1
            continue
        print(version, json.dumps(stored[version]), flush=True)
        order = {each: stored[each] for each in DEFAULT if each in stored}
        stored = order | stored
        RESULTS.write_text(json.dumps(stored, indent=1) + "\n")
        write(stored)
    return status


if __name__ == "__main__":
    sys.exit(main())
