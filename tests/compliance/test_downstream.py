"""The runner of `compliance/downstream`, with predefined outcomes instead of test suites."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compliance.downstream import __main__ as runner
from compliance.downstream import environment, results
from compliance.downstream.program import FOLDER, Program, load

PLUGIN = Path(environment.__file__).with_name("plugin")
UPSTREAM, OURS = Path("upstream.whl"), Path("ours.whl")


class Outcomes:
    """An environment whose tests have predefined outcomes on each side, in the whole suite and in separate
    runs.
    """

    def __init__(self, whole: dict[str, tuple[str, str]], alone: dict[str, tuple[str, str]]) -> None:
        self.whole = whole
        self.alone = alone
        self.installed = UPSTREAM
        self.runs: list[tuple[Path, list[str]]] = []

    def __call__(self, program: Program, folder: Path) -> Outcomes:
        self.program = program
        return self

    def prepare(self, upstream: Path) -> None:
        assert upstream == UPSTREAM

    def install(self, wheel: Path) -> None:
        self.installed = wheel

    def run_tests(self, label: str, arguments: list[str], timeout: float) -> dict[str, str]:
        self.runs.append((self.installed, arguments))
        side = self.installed == OURS
        again = "again" in label
        found = self.alone if again else self.whole
        return {test: outcomes[side] for test, outcomes in found.items() if not again or test in arguments}


def compare(monkeypatch: pytest.MonkeyPatch, outcomes: Outcomes, **entry: Any) -> results.Result:
    monkeypatch.setattr(runner, "Environment", outcomes)
    return runner.compare(Program("p", "1", **entry), Path(), UPSTREAM, OURS)


def test_difference_that_also_occurs_in_separate_runs_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = Outcomes(
        {"a": ("passed", "failed"), "b": ("passed", "passed"), "c": ("failed", "passed")},
        {"a": ("passed", "failed")},
    )
    result = compare(monkeypatch, outcomes, tests=["tests", "-k", "x"])
    assert (result.lost, result.gained, result.unsteady) == (["a"], ["c"], [])
    assert (result.upstream, result.ours) == ({"passed": 2, "failed": 1}, {"passed": 2, "failed": 1})
    assert outcomes.runs[2:] == [(OURS, ["-k", "x", "a"]), (UPSTREAM, ["-k", "x", "a"])]


@pytest.mark.parametrize("alone", [("passed", "passed"), ("failed", "failed")])
def test_difference_that_does_not_occur_in_separate_runs_is_unsteady(
    monkeypatch: pytest.MonkeyPatch, alone: tuple[str, str]
) -> None:
    result = compare(monkeypatch, Outcomes({"a": ("passed", "failed")}, {"a": alone}))
    assert (result.lost, result.unsteady) == ([], ["a"])


def test_skipped_or_missing_test_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    for outcome in ("skipped", "absent"):
        result = compare(monkeypatch, Outcomes({"a": ("passed", outcome)}, {"a": ("passed", outcome)}))
        assert result.lost == ["a"]


def test_accepted_and_deselected_tests_are_named_with_their_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcomes = Outcomes({"a": ("passed", "failed")}, {"a": ("passed", "failed")})
    result = compare(monkeypatch, outcomes, accepted={"a": "413 is right"}, deselect={"b": "hangs"})
    assert (result.lost, result.accepted) == ([], {"a": "413 is right"})
    assert outcomes.runs[0] == (UPSTREAM, ["--deselect=b"])
    program = Program("p", "1")
    result.save(program, tmp_path)
    assert results.load(program, tmp_path) == result
    assert results.load(Program("p", "2"), tmp_path) is None


def test_table_names_lost_tests_and_programs_without_a_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = results.Result("p", "1", {"passed": 2}, {"passed": 1, "failed": 1}, lost=["tests/a.py::b"])
    monkeypatch.setattr(results, "load", lambda program: found if program.title == "p" else None)
    results.write_table([Program("p", "1"), Program("q", "1")], tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    assert "| p | 1 | 2 / 0 / 0 | 1 / 1 / 0 | 1 | 0 |" in text
    assert "No result yet: q." in text
    assert "- p: `tests/a.py::b`" in text


def test_two_programs_with_one_title_are_refused(tmp_path: Path) -> None:
    entry = {"name": "p", "version": "1"}
    (tmp_path / "a.json").write_text(json.dumps([entry, entry]))
    with pytest.raises(ValueError, match="same title: p"):
        load(tmp_path)


def test_stored_programs_are_pinned_and_give_reasons() -> None:
    for program in load(FOLDER):
        assert program.tests
        for each in program.requires:
            assert "==" in each or "<" in each, (program.title, each)
        assert all(reason for reason in [*program.deselect.values(), *program.accepted.values()])
        assert not program.suite or (FOLDER.parent / "suites" / program.suite).is_file()


def test_recorder_writes_each_outcome(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 0\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
        "@pytest.fixture\n"
        "def late():\n    yield\n    assert 0\n"
        "def test_tear_down(late): pass\n"
    )
    (tmp_path / "test_import.py").write_text("import no_such_module\n")
    file = tmp_path / "outcomes.jsonl"
    variables = {"DOWNSTREAM_OUTCOMES": str(file), "PYTHONPATH": str(PLUGIN), "PATH": ""}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "downstream_recorder",
        "--rootdir=.",
        "--continue-on-collection-errors",
    ]
    subprocess.run(command, cwd=tmp_path, env=variables, check=False, capture_output=True)
    assert environment.read_outcomes(file) == {
        "test_import.py": "failed",
        "test_it.py::test_good": "passed",
        "test_it.py::test_bad": "failed",
        "test_it.py::test_skipped": "skipped",
        "test_it.py::test_tear_down": "failed",
    }


def test_run_ends_although_a_thread_of_the_tests_does_not(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import threading\n"
        "def test_good(): threading.Thread(target=threading.Event().wait).start()\n"
        "def test_bad(): assert 0\n"
    )
    file = tmp_path / "outcomes.jsonl"
    variables = {"DOWNSTREAM_OUTCOMES": str(file), "PYTHONPATH": str(PLUGIN), "PATH": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "downstream_recorder", "--rootdir=."]
    ended = subprocess.run(
        command, cwd=tmp_path, env=variables, check=False, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 1
    assert "1 failed, 1 passed" in ended.stdout
    assert environment.read_outcomes(file) == {
        "test_it.py::test_good": "passed",
        "test_it.py::test_bad": "failed",
    }
