"""Run the test suites of programs written for Tornado: on upstream first, then on Waterspout.

    python compliance/downstream/run.py [--only NAME] [--folder DIRECTORY]

Each program gets a virtual environment with the pinned versions of ``programs.json`` and with upstream. Its
tests come from its source distribution, or from the installed package. Then Waterspout, built from this
checkout, takes upstream's place in that environment, and the same tests run again. A test that passed on
upstream and does not pass on Waterspout is listed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
UPSTREAM = "tornado==6.6.1"
#: Seconds that a suite may take.
TIMEOUT = 1200


@dataclass
class Program:
    """An entry of ``programs.json``.

    :ivar name: the distribution.
    :ivar version: its version.
    :ivar requires: what its tests need besides, pinned.
    :ivar no_dependencies: whether to ignore what it requires itself, such as an older Tornado.
    :ivar tests: pytest's arguments; paths are relative to the source distribution.
    :ivar source: whether to unpack the source distribution for the tests.
    :ivar env: further environment variables.
    :ivar needs: commands that must be installed; without one the program is skipped.
    """

    name: str
    version: str
    requires: list[str] = field(default_factory=list)
    no_dependencies: bool = False
    tests: list[str] = field(default_factory=list)
    source: bool = True
    env: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(each) for each in command], text=True, check=True, **options)  # type: ignore[call-overload, no-any-return]


def build(folder: Path) -> Path:
    """Build Waterspout's wheel."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", HERE.parents[1], "-w", folder)
    (wheel,) = folder.glob("tornado-*.whl")
    return wheel


def unpack(program: Program, folder: Path) -> Path:
    """Fetch and unpack a source distribution; return where its tests are run."""
    found = [path for path in folder.glob("*/") if path.name != "download"]
    if not found:
        download = folder / "download"
        wanted = f"{program.name}=={program.version}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", program.name]
        run(*pip, wanted, "-d", download)
        (archive,) = download.iterdir()
        if archive.suffix == ".zip":
            zipfile.ZipFile(archive).extractall(folder)
        else:
            with tarfile.open(archive) as opened:
                opened.extractall(folder, filter="data")
        found = [path for path in folder.glob("*/") if path.name != "download"]
    return found[0]


def outcomes(python: Path, program: Program, where: Path, report: Path) -> dict[str, str]:
    """Run the tests; return what became of each."""
    report.unlink(missing_ok=True)
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junit-xml={report}",
        *program.tests,
    ]
    path = f"{python.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **program.env}
    with report.with_suffix(".log").open("w") as log:
        try:
            subprocess.run(
                [str(each) for each in command],
                cwd=where,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"the whole suite": "timeout"}
    if not report.exists():
        return {"the whole suite": "error"}
    found = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = kinds.pop() if len(kinds) == 1 else "failure" if kinds else "passed"
        if outcome != "passed" or name not in found:
            found[name] = outcome
    return found


def compare(program: Program, folder: Path, wheel: Path) -> tuple[str, list[str]]:
    """Run one program on both.

    :returns: a row of the table, and the tests that pass on upstream only.
    """
    home = folder / program.name
    home.mkdir(parents=True, exist_ok=True)
    python = home / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", home / "venv")
    pip = [python, "-m", "pip", "install", "--quiet"]
    pinned = f"{program.name}=={program.version}"
    if program.no_dependencies:
        run(*pip, UPSTREAM, *program.requires)
        run(*pip, "--no-deps", pinned)
    else:
        run(*pip, UPSTREAM, pinned, *program.requires)
    where = home
    if program.source:
        (home / "source").mkdir(exist_ok=True)
        where = unpack(program, home / "source")
    upstream = outcomes(python, program, where, home / "upstream.xml")
    run(*pip, "--no-deps", "--force-reinstall", wheel)
    ours = outcomes(python, program, where, home / "ours.xml")
    lost = [name for name, outcome in upstream.items() if outcome == "passed" and ours.get(name) != "passed"]
    return f"| {program.name} | {program.version} | {counts(upstream)} | {counts(ours)} |", lost


def counts(found: dict[str, str]) -> str:
    number = Counter(found.values())
    failed = number["failure"] + number["error"] + number["timeout"]
    return f"{number['passed']} / {failed} / {number['skipped']}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", help="a program's name; may be repeated")
    parser.add_argument("--folder", type=Path, help="where environments are kept between runs")
    arguments = parser.parse_args()
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="downstream-"))).resolve()
    wheel = build(folder / "wheel")
    programs = [Program(**entry) for entry in json.loads((HERE / "programs.json").read_text())]
    print("| program | version | upstream: passed / failed / skipped | Waterspout |\n|---|---|---|---|")
    all_lost = []
    for program in programs:
        if arguments.only and program.name not in arguments.only:
            continue
        absent = [command for command in program.needs if shutil.which(command) is None]
        if absent:
            print(f"| {program.name} | {program.version} | not run: needs {', '.join(absent)} | |")
            continue
        row, lost = compare(program, folder, wheel)
        print(row, flush=True)
        all_lost += [f"{program.name}: {name}" for name in lost]
    for each in all_lost:
        print("passes on upstream only:", each)
    return bool(all_lost)


if __name__ == "__main__":
    sys.exit(main())
