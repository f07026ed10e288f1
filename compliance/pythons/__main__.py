"""Run the tests on all interpreters and write the table: ``scripts/compliance pythons``.

The results of each are kept in ``results/VERSION.json``, so that it can be run alone. The table in
``docs/pythons.md`` is made from all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from typing import Any

from compliance.pythons import results
from compliance.pythons.interpreters import Interpreter, UnavailableError, make
from compliance.pythons.root_directory import REPOSITORY
from compliance.pythons.run import run

#: The versions that are run by default. Python 3.13 is that of Debian 13, with a newer OpenSSL than 3.11's.
DEFAULT = ("3.11", "3.12", "3.13@debian", "3.14", "3.15", "3.14t")
#: The commands, by the name of the part.
PARTS = {
    "quick": ("scripts/test", "--quick", "-q"),
    "whole": ("scripts/test", "-q", "-n", "3", "--dist", "loadfile"),
    # Loops, streams, servers, WebSockets and channels, for each change on a free-threaded build.
    "core": (
        *("scripts/test", "-q", "-m", "not slow and not external"),
        *(
            "tests/_loop",
            "tests/test_ioloop.py",
            "tests/test_ioloop_threads.py",
            "tests/test_thread_safety.py",
        ),
        *("tests/iostream", "tests/http1connection", "tests/test_httpserver.py"),
        *("tests/websocket", "tests/channels"),
    ),
    "upstream": ("scripts/compliance", "upstream"),
    "demos": ("scripts/test", "-q", "tests/demos"),
}
#: Parts that need the programs that `.ci/packages` lists.
WITH_PROGRAMS = {"whole"}
#: Prints how the interpreter was built.
PRINT_BUILD = """
import json, platform, ssl, sys, sysconfig
options = sysconfig.get_config_var("CONFIG_ARGS") or ""
flags = {"PGO": "--enable-optimizations", "LTO": "--with-lto", "free-threaded": "--disable-gil"}
print(json.dumps({
    "version": platform.python_version(),
    "build": ", ".join(name for name, option in flags.items() if option in options) or "no PGO, no LTO",
    "compiler": platform.python_compiler(),
    "openssl": " ".join(ssl.OPENSSL_VERSION.split()[:2]),
}))
"""


def programs() -> list[str]:
    """Return the packages of Debian whose programs the whole suite uses."""
    return [line.split()[1] for line in (REPOSITORY / ".ci/packages").read_text().splitlines()]


def output_of(
    interpreter: Interpreter, command: tuple[str, ...], environment: dict[str, str]
) -> tuple[int, str]:
    """Run a command with an interpreter; return its exit status, and what it has printed on standard output
    and error.
    """
    with tempfile.TemporaryFile("w+") as output:
        status = run(interpreter, command, environment, output=output)
        output.seek(0)
        return status, output.read()


def build_of(interpreter: Interpreter) -> dict[str, str]:
    """Return how an interpreter was built.

    :raises UnavailableError: if it cannot be run.
    """
    status, text = output_of(interpreter, (interpreter.path, "-c", PRINT_BUILD), {})
    if status:
        raise UnavailableError(f"{interpreter} has exited with status {status}: {text}")
    build: dict[str, str] = json.loads(text.splitlines()[-1])
    return build


def run_part(interpreter: Interpreter, part: str) -> tuple[dict[str, Any], str]:
    """Run a part on an interpreter; return the outcome as `results` stores it, and the output."""
    environment = {}
    if part in WITH_PROGRAMS:
        environment["CI"] = "true"
        if interpreter.root is not None:
            with interpreter.root.lock():
                interpreter.root.install(*programs())
    begun = time.monotonic()
    status, text = output_of(interpreter, PARTS[part], environment)
    outcome = results.parse(text, status)
    outcome["minutes"] = round((time.monotonic() - begun) / 60, 1)
    return outcome, text


def run_parts(name: str, parts: Collection[str], tries: int, store: bool) -> bool:
    """Run parts on an interpreter, and return whether nothing failed.

    :param name: the version, as `interpreters.make` takes it.
    :param tries: how often a part is run at most, until it passes.
    :param store: whether to store the results.
    """
    interpreter = make(name)
    build = build_of(interpreter)
    stored: dict[str, Any] = results.read(interpreter.version)
    if stored.get("interpreter") != build:
        stored = {"interpreter": build}  # the results of the other build do not hold for this one
    passed = True
    for part in parts:
        for _ in range(tries):
            outcome, text = run_part(interpreter, part)
            print(f"{interpreter.version} {part}: {results.summary(outcome)}", flush=True)
            if results.has_passed(outcome):
                break
            print(text, flush=True)
        else:
            passed = False
        stored.setdefault("parts", {})[part] = outcome
        if store:
            results.write(interpreter.version, stored)
    return passed


def main(arguments: list[str]) -> int:
    """Run what the command line names; return 1 if a test failed or an interpreter is not available."""
    parser = argparse.ArgumentParser(prog="scripts/compliance pythons", description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", default=DEFAULT, help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="default: all but core, which is part of quick"
    )
    parser.add_argument("--tries", type=int, default=1, help="run a part that fails again, N times in all")
    parser.add_argument("--table", action="store_true", help="only write docs/pythons.md from stored results")
    parser.add_argument(
        "--no-store", action="store_true", help="store no results, and do not write the table"
    )
    asked = parser.parse_args(arguments)
    passed = True
    for version in () if asked.table else asked.versions:
        try:
            parts = asked.part or [part for part in PARTS if part != "core"]
            passed &= run_parts(version, parts, max(1, asked.tries), not asked.no_store)
        except (UnavailableError, subprocess.CalledProcessError) as error:
            print(f"{version}: {error}")
            passed = False
    if not asked.no_store:
        results.write_document()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
