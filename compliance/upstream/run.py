#!/usr/bin/env python3
"""Run Tornado's own test modules against the package installed for this interpreter.

``.venv/bin/python compliance/upstream/run.py gen_test locks_test`` runs two of them; without names, all are
run. ``--version`` selects the suite of an older release, and ``--server uvicorn`` serves the applications of
the tests with uvicorn. README.md in this folder explains it;
``accepted/VERSION/MODULE.json`` lists the tests that are expected to fail, with reasons.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

#: The release that Waterspout implements.
VERSION = "6.6.1"
#: The source packages of older releases whose API is supported, each with its path in the package registry
#: and its digest.
SOURCES = {
    "4.5.3": (
        "e3/7b/e29ab3d51c8df66922fea216e2bddfcb6430fb29620e5165b16a216e0d3c",
        "6d14e47eab0e15799cf3cdcc86b0b98279da68522caace2bd7ce644287685f0a",
    ),
    "5.1.1": (
        "e6/78/6e7b5af12c12bdf38ca9bfe863fcaf53dc10430a312d0324e76c1e5ca426",
        "4e5158d97583502a7e2739951553cbd88a72076f152b4b11b64b9a10c4c49409",
    ),
}
REGISTRY = "https://files.pythonhosted.org/packages"
HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "waterspout"
#: The program that runs the tests of one module and writes the verdicts.
WORKER = HERE / "worker.py"
#: Modules that are not run: this one compares the API with a list, so that each addition makes it fail.
LEFT_OUT = {"api_test"}
#: The permitted kinds of reasons. A test of an older release may contradict the behaviour of 6.6.1, a modern
#: Python, or an RFC; a test of 6.6.1 itself may contradict an RFC or a documented design decision.
GROUNDS = {VERSION: {"rfc", "design"}, **{version: {VERSION, "python", "rfc"} for version in SOURCES}}
#: The same for 6.6.1 under an ASGI server: a test may need what ASGI does not have, or depend on the server.
GROUNDS["uvicorn"] = {"asgi", "server", "rfc", "design"}
#: The modules that are run under an ASGI server, by default.
ASGI_MODULES = ["web_test"]


@dataclass
class Outcome:
    """The outcome of one module: a verdict for each test, and the file of its output."""

    module: str
    verdicts: dict[str, str]
    log: Path


def source_package(version: str) -> Path:
    """Return the source package of an older release, from the cache or from the package registry."""
    folder, digest = SOURCES[version]
    file = CACHE / f"tornado-{version}" / f"tornado-{version}.tar.gz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(f"{REGISTRY}/{folder}/{file.name}") as answer:
            data = answer.read()
        if hashlib.sha256(data).hexdigest() != digest:
            raise SystemExit(f"{file.name} from the registry does not have the expected sha256")
        file.write_bytes(data)
    return file


def wheel() -> Path:
    """Return Tornado's wheel, from the cache or from the package registry."""
    folder = CACHE / f"tornado-{VERSION}"
    if not any(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*command, "--only-binary=:all:", f"tornado=={VERSION}"], check=True)
    return next(folder.glob("*.whl"))


def lay_out(target: Path, version: str = VERSION) -> list[str]:
    """Copy our package to ``target`` and add Tornado's tests; return the names of the modules."""
    spec = importlib.util.find_spec("tornado")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("no tornado package is installed for this interpreter: run scripts/setup first")
    ours = Path(spec.submodule_search_locations[0])
    shutil.copytree(ours, target / "tornado", ignore=shutil.ignore_patterns("__pycache__"))
    archive = wheel() if version == VERSION else source_package(version)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    print(f"upstream: {archive.name} (sha256 {digest[:16]}…)\nours: {ours}")
    if version == VERSION:
        with zipfile.ZipFile(archive) as content:
            names = [name for name in content.namelist() if name.startswith("tornado/test/")]
            content.extractall(target, names)
    else:
        lay_out_source(archive, target)
    return sorted(path.stem for path in (target / "tornado" / "test").glob("*_test.py"))


def lay_out_source(archive: Path, target: Path) -> None:
    """Copy the tests and the demos of a source package to the folders that they expect."""
    root = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(target / "source", filter="data")
    tests = target / "tornado" / "test"
    shutil.copytree(target / "source" / root / "tornado" / "test", tests)
    update_tests(tests)
    shutil.move(target / "source" / root / "demos", target / "demos")


def update_tests(tests: Path) -> None:
    """Replace what modern Python and OpenSSL refuse in the tests of an older release."""
    # "async" is a keyword since Python 3.7; old_python.py supplies the attribute.
    for path in tests.glob("*.py"):
        text = path.read_text()
        updated = re.sub(r"\basyncio\.async\b", 'getattr(asyncio, "async")', text)
        if updated != text:
            path.write_text(updated)
    # OpenSSL 3 refuses the 1024-bit key of these releases.
    with zipfile.ZipFile(wheel()) as content:
        for name in ("test.crt", "test.key"):
            (tests / name).write_bytes(content.read(f"tornado/test/{name}"))


def run(module: str, target: Path, seconds: float, server: str | None = None) -> Outcome:
    """Run one module in a separate process; a crash or a timeout is a failure of the module.

    :param server: the ASGI server that serves the applications of the tests; None for `HTTPServer`.
    """
    answer, log = target / f"{module}.json", target / f"{module}.log"
    environment = {"ASYNC_TEST_TIMEOUT": "15", **os.environ, "PYTHONPATH": str(target)}
    with log.open("wb") as output:
        try:
            subprocess.run(
                [
                    sys.executable,
                    str(WORKER),
                    f"tornado.test.{module}",
                    str(answer),
                    *([server] if server else []),
                ],
                cwd=target,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(module, {f"(timeout after {seconds:g} s)": "failed"}, log)
    if not answer.exists():
        return Outcome(module, {"(the process crashed)": "failed"}, log)
    return Outcome(module, json.loads(answer.read_text()), log)


def accepted(version: str, module: str) -> dict[str, str]:
    """Return the tests of a module that are expected to fail, ``Class.test``, with their reasons.

    :raises SystemExit: if an entry has no reason, or its kind is not one of the `GROUNDS` of this suite.
    """
    path = HERE / "accepted" / version / f"{module}.json"
    table: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
    for test, entry in table.items():
        if entry.keys() != {"because", "reason"} or not entry["reason"]:
            raise SystemExit(f"{path}: {test} must have the keys because and reason, got {sorted(entry)}")
        if entry["because"] not in GROUNDS[version]:
            raise SystemExit(
                f"{path}: {test} fails because of {entry['because']!r}, expected one of "
                f"{', '.join(sorted(GROUNDS[version]))}"
            )
    return {test: f"{entry['because']}: {entry['reason']}" for test, entry in table.items()}


def report(outcome: Outcome, reasons: dict[str, str]) -> Counter[str]:
    """Print the unexpected verdicts of a module and return the count of each kind of verdict.

    A listed test that passes or does not exist is reported as failed, so that the list stays correct.
    """
    counts: Counter[str] = Counter()
    prefix = f"tornado.test.{outcome.module}."
    verdicts = {test.removeprefix(prefix): verdict for test, verdict in outcome.verdicts.items()}
    for test, verdict in verdicts.items():
        if verdict == "failed" and test in reasons:
            verdict = "accepted"
        elif verdict == "passed" and test in reasons:
            print(f"  passes, though it is listed as accepted: {outcome.module}.{test}")
            verdict = "failed"
        elif verdict == "failed":
            print(f"  failed: {outcome.module}.{test}")
        counts[verdict] += 1
    for test in sorted(reasons.keys() - verdicts.keys()):
        print(f"  not run, though it is listed as accepted: {outcome.module}.{test}")
        counts["failed"] += 1
    print(f"{outcome.module}: {summary(counts)}" + (f"; output in {outcome.log}" if counts["failed"] else ""))
    return counts


def summary(counts: Counter[str]) -> str:
    """Format the counts."""
    return ", ".join(f"{counts[name]} {name}" for name in ("passed", "failed", "accepted", "skipped"))


def check_demos(parser: argparse.ArgumentParser, version: str, names: list[str]) -> int:
    """Run the demos of an older release in a separate process; return its exit status."""
    if version not in SOURCES:
        parser.error(f"--demos needs --version with one of {', '.join(SOURCES)}")
    command = [sys.executable, str(HERE / "demos.py"), "--version", version, *names]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Run the modules that the command line names; return 1 if there are unexpected failures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="names such as gen_test; all by default")
    parser.add_argument("--timeout", type=float, default=240, help="timeout of a module in seconds")
    parser.add_argument("--keep", action="store_true", help="keep the temporary copy even if nothing failed")
    parser.add_argument("--version", default=VERSION, choices=[VERSION, *SOURCES], help="whose suite")
    parser.add_argument("--demos", action="store_true", help="check the demos of an older release instead")
    parser.add_argument("--server", choices=["uvicorn"], help="serve the tests' applications with it")
    asked = parser.parse_args()
    if asked.server and asked.version != VERSION:
        parser.error(f"--server needs version {VERSION}")
    if asked.demos:
        return check_demos(parser, asked.version, asked.modules)
    target = Path(tempfile.mkdtemp(prefix="upstream-tests-"))
    present = lay_out(target, asked.version)
    if unknown := set(asked.modules) - set(present):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected {', '.join(present)}")
    total: Counter[str] = Counter()
    modules = ASGI_MODULES if asked.server else [name for name in present if name not in LEFT_OUT]
    for module in asked.modules or modules:
        reasons = accepted(asked.server or asked.version, module)
        total += report(run(module, target, asked.timeout, asked.server), reasons)
    print(summary(total))
    if not total["failed"] and not asked.keep:
        shutil.rmtree(target)
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
