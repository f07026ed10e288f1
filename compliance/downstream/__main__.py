"""Run the test suites of programs written for Tornado: on upstream first, then on Waterspout.

    python -m compliance.downstream [--only NAME] [--folder DIRECTORY] [--table] [--list]

For each program, a virtual environment is created with the versions pinned in ``programs/*.json`` and with
upstream. The tests are those of its source distribution, or of the installed package. Then Waterspout, built
from this checkout, replaces upstream in that environment, and the same tests run again. A test that passed on
upstream and failed on Waterspout is run again separately on both. Results are stored in ``results/`` and
tabulated in ``RESULTS.md``. The exit status is 1 if a test passes on upstream only.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compliance.downstream import results
from compliance.downstream.environment import Environment
from compliance.downstream.program import Program, load

ROOT = Path(__file__).parents[2]
UPSTREAM = "tornado==6.6.1"
#: The maximum number of differing tests that run again one by one; if there are more, they run together.
ONE_BY_ONE = 25


def build_wheels(folder: Path) -> tuple[Path, Path]:
    """Download upstream's wheel and build the wheel of Waterspout.

    :returns: the wheel of upstream and the wheel of Waterspout.
    """
    pip = [sys.executable, "-m", "pip"]
    theirs, ours = folder / "upstream", folder / "waterspout"
    if not list(theirs.glob("tornado-*.whl")):
        subprocess.run([*pip, "download", "--quiet", "--no-deps", UPSTREAM, "-d", theirs], check=True)
    shutil.rmtree(ours, ignore_errors=True)
    with tempfile.TemporaryDirectory() as copy:
        # Setuptools builds inside the source tree, and includes files that an earlier build has left there.
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        shutil.copytree(ROOT / "src/tornado", Path(copy, "src/tornado"))
        subprocess.run([*pip, "wheel", "--quiet", "--no-deps", copy, "-w", ours], check=True)
    (upstream,), (wheel,) = theirs.glob("tornado-*.whl"), ours.glob("tornado-*.whl")
    return upstream, wheel


def rerun(environment: Environment, tests: list[str], label: str) -> dict[str, str]:
    """Run tests again, each in a separate run unless there are many."""
    options = environment.program.options()
    timeout = environment.program.timeout
    if len(tests) > ONE_BY_ONE:
        return environment.run_tests(label, [*options, *tests], timeout)
    found: dict[str, str] = {}
    for number, test in enumerate(tests):
        found |= environment.run_tests(f"{label}-{number}", [*options, test], timeout)
    return found


def compare(program: Program, folder: Path, upstream: Path, ours: Path) -> results.Result:
    """Run one program's tests on upstream and on Waterspout."""
    environment = Environment(program, folder)
    environment.prepare(upstream)
    arguments = [*program.tests, *(f"--deselect={test}" for test in program.deselect)]
    environment.install(upstream)
    on_upstream = environment.run_tests("upstream", arguments, program.timeout)
    environment.install(ours)
    on_ours = environment.run_tests("ours", arguments, program.timeout)
    differing = [test for test, outcome in on_upstream.items() if outcome == "passed" != on_ours.get(test)]
    if differing:
        again = rerun(environment, differing, "ours-again")
        steady = [test for test in differing if again.get(test) != "passed"]
        if steady:
            environment.install(upstream)
            again = rerun(environment, steady, "upstream-again")
            steady = [test for test in steady if again.get(test) == "passed"]
    else:
        steady = []
    return results.Result(
        title=program.title,
        version=program.version,
        upstream=results.count(on_upstream),
        ours=results.count(on_ours),
        lost=[test for test in steady if test not in program.accepted],
        accepted={test: program.accepted[test] for test in steady if test in program.accepted},
        gained=[
            test
            for test, outcome in on_ours.items()
            if outcome == "passed" and on_upstream.get(test) == "failed"
        ],
        unsteady=[test for test in differing if test not in steady],
        deselected=program.deselect,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", help="a program's title; may be repeated")
    parser.add_argument("--folder", type=Path, help="where environments are kept between runs")
    parser.add_argument("--table", action="store_true", help="only write the table of the stored results")
    parser.add_argument("--list", action="store_true", help="only print the programs' titles")
    arguments = parser.parse_args()
    programs = load()
    if arguments.list:
        print("\n".join(program.title for program in programs))
        return 0
    if unknown := set(arguments.only or ()) - {program.title for program in programs}:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; --list names them all")
    if not arguments.table:
        folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="downstream-"))).resolve()
        upstream, ours = build_wheels(folder / "wheels")
        for program in programs:
            if arguments.only and program.title not in arguments.only:
                continue
            absent = [command for command in program.needs if shutil.which(command) is None]
            if absent:
                print(f"{program.title}: not run, needs {', '.join(absent)}", flush=True)
                continue
            try:
                result = compare(program, folder, upstream, ours)
            except (subprocess.CalledProcessError, TimeoutError) as error:
                print(
                    f"{program.title}: not run: {error}; see {folder / program.slug / 'pip.log'}", flush=True
                )
                continue
            result.save(program)
            print(result.row(), flush=True)
        if arguments.folder is None:
            shutil.rmtree(folder)
    results.write_table(programs)
    found = [result for program in programs if (result := results.load(program)) is not None]
    selected = [result for result in found if not arguments.only or result.title in arguments.only]
    for result in selected:
        for test in result.lost:
            print(f"passes on upstream only: {result.title}: {test}")
    return int(any(result.lost for result in selected))


if __name__ == "__main__":
    sys.exit(main())
