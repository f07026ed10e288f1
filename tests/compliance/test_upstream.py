"""The runner of Tornado's test suites compares the verdicts with the lists of accepted failures."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from compliance.upstream import run


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for the lists of accepted failures of 4.5.3."""
    monkeypatch.setattr(run, "HERE", tmp_path)
    folder = tmp_path / "accepted" / "4.5.3"
    folder.mkdir(parents=True)
    return folder


def outcome(**verdicts: str) -> run.Outcome:
    tests = {f"tornado.test.gen_test.GenTest.{test}": verdict for test, verdict in verdicts.items()}
    return run.Outcome("gen_test", tests, Path("gen_test.log"))


@pytest.mark.parametrize(
    "path",
    sorted((run.HERE / "accepted").glob("*/*.json")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_lists_of_the_project_are_valid(path: Path) -> None:
    assert run.accepted(path.parent.name, path.stem)


def test_listed_failure_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = run.report(outcome(test_a="failed", test_b="passed"), {"GenTest.test_a": "rfc: a reason"})
    assert counts == {"accepted": 1, "passed": 1}
    assert "gen_test: 1 passed, 0 failed, 1 accepted" in capsys.readouterr().out


@pytest.mark.parametrize("verdicts", [{"test_a": "failed"}, {"test_a": "passed", "test_b": "failed"}])
def test_failure_that_is_not_listed_counts(verdicts: dict[str, str]) -> None:
    assert run.report(outcome(**verdicts), {})["failed"] == 1


def test_listed_test_that_passes_counts_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.report(outcome(test_a="passed"), {"GenTest.test_a": "rfc: a reason"})["failed"] == 1
    assert "gen_test.GenTest.test_a" in capsys.readouterr().out


def test_listed_test_that_does_not_exist_counts_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.report(outcome(test_a="passed"), {"GenTest.test_gone": "rfc: a reason"})["failed"] == 1
    assert "gen_test.GenTest.test_gone" in capsys.readouterr().out


def test_reason_and_its_kind_are_read(lists: Path) -> None:
    entry = {"because": "python", "reason": "generators end otherwise"}
    (lists / "gen_test.json").write_text(json.dumps({"GenTest.test_a": entry}))
    assert run.accepted("4.5.3", "gen_test") == {"GenTest.test_a": "python: generators end otherwise"}
    assert run.accepted("4.5.3", "web_test") == {}


@pytest.mark.parametrize(
    "entry",
    [{"because": "design", "reason": "ours alone"}, {"because": "rfc"}, {"because": "rfc", "reason": ""}],
)
def test_entry_without_valid_reason_is_refused(lists: Path, entry: dict[str, str]) -> None:
    (lists / "gen_test.json").write_text(json.dumps({"GenTest.test_a": entry}))
    with pytest.raises(SystemExit, match=r"GenTest\.test_a"):
        run.accepted("4.5.3", "gen_test")


def test_demos_need_older_release(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", "--demos"])
    with pytest.raises(SystemExit):
        run.main()
    assert "--demos needs --version" in capsys.readouterr().err


def check_demos(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> int:
    """Run the check of helloworld on a source package whose demo is ``program``; return the exit status."""
    demo = folder / "tornado-4.5.3" / "demos" / "helloworld"
    demo.mkdir(parents=True)
    (demo / "helloworld.py").write_text(program)
    cache = folder / "cache" / "waterspout" / "tornado-4.5.3"
    cache.mkdir(parents=True)
    with tarfile.open(cache / "tornado-4.5.3.tar.gz", "w:gz") as archive:
        archive.add(folder / "tornado-4.5.3", "tornado-4.5.3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    command = [
        sys.executable,
        str(run.HERE / "run.py"),
        "--version",
        "4.5.3",
        "--demos",
        "helloworld",
        "chat",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "chat: absent from 4.5.3" in done.stdout, done.stderr
    assert f"helloworld: {'failed' if done.returncode else 'passed'}" in done.stdout, done.stderr
    return done.returncode


DEMO = """
from tornado import ioloop, options, web

class Hello(web.RequestHandler):
    def get(self):
        self.write("Hello, {}")

options.define("port", type=int)
options.parse_command_line()
web.Application([("/", Hello)]).listen(options.options.port, "127.0.0.1")
ioloop.IOLoop.current().start()
"""


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (DEMO.replace("{}", "world"), 0),
        (DEMO.replace("{}", "moon"), 1),
        ("raise SystemExit('it does not start')", 1),
    ],
)
def test_demo_passes_only_with_expected_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, status: int
) -> None:
    assert check_demos(monkeypatch, tmp_path, program) == status
