"""The commands that find interpreters and run the tests on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compliance.pythons import __main__ as command
from compliance.pythons import interpreters, results, root_directory
from tests.support.program import ROOT

#: The version of the interpreter that runs the tests, as `interpreters` names it.
VERSION = subprocess.run(
    [sys.executable, "-c", interpreters.PRINT_VERSION], capture_output=True, text=True, check=True
).stdout.strip()


def executable(path: Path, text: str) -> Path:
    """Create a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home directory without interpreters; the cache is empty as well."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(root_directory, "CACHE", tmp_path / "cache")
    return tmp_path


@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.14",
        ".pyenv/versions/3.14.2/bin/python3.14",
        ".local/share/uv/python/cpython-3.14.2-linux-x86_64-gnu/bin/python3.14",
    ],
)
def test_interpreters_of_path_pyenv_and_uv_are_found(empty_machine, place):
    path = executable(empty_machine / place, "echo 3.14")
    assert interpreters.find("3.14") == interpreters.Interpreter("3.14", str(path))
    assert interpreters.find("3.14@debian") is None


@pytest.mark.parametrize("script", ["exit 127", "echo 3.14t", "echo no such version >&2"])
def test_shims_and_other_builds_are_not_taken_for_an_interpreter(empty_machine, script):
    executable(empty_machine / "bin/python3.14", script)
    assert interpreters.find("3.14") is None


def test_interpreter_in_a_root_directory_is_found(empty_machine):
    path = executable(empty_machine / "cache/sid/usr/bin/python3.14", "echo 3.14")
    found = interpreters.find("3.14")
    assert found is not None
    assert found.root is not None
    assert (found.path, found.root.path) == ("/usr/bin/python3.14", path.parents[2])


@pytest.mark.parametrize("name", ["3.9", "4.0", "3.14@ubuntu", ""])
def test_unknown_versions_are_refused(name):
    with pytest.raises(interpreters.UnavailableError, match="expected one of 3.11 3.12"):
        interpreters.make(name)


@pytest.mark.parametrize(
    ("version", "reason"),
    [("3.12", "no suite of Debian has it"), ("3.14", "Debian's apt-get, chroot, unshare, mount")],
)
def test_message_says_why_an_interpreter_cannot_be_made(empty_machine, version, reason):
    with pytest.raises(interpreters.UnavailableError, match=reason) as raised:
        interpreters.make(version)
    assert f"uv python install {version}" in str(raised.value)


def test_local_folders_of_the_pip_configuration(monkeypatch, tmp_path):
    (tmp_path / "pip").mkdir()
    for name in ("wheels", "index/simple"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pip/pip.conf").write_text(
        f"[global]\nfind-links = {tmp_path}/wheels\nextra-index-url = https://example.org/tmp "
        f"file://{tmp_path}/index/simple\ncert = {tmp_path}/absent\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(root_directory, "CONFIGURATION", (str(tmp_path / "pip"),))
    assert root_directory._local_folders() == {f"{tmp_path}/wheels", f"{tmp_path}/index"}


def test_command_runs_with_the_interpreter_and_an_environment_of_its_own():
    program = "import os, sys; print(sys.version_info[:2], os.environ['VENV'])"
    done = subprocess.run(
        [sys.executable, "-m", "compliance.pythons.run", VERSION, "sh", "-c", f'"$PYTHON" -c "{program}"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    version = VERSION.rstrip("t")
    assert done.stdout.startswith(f"({version.replace('.', ', ')}) "), done.stderr
    assert done.stdout.rstrip().endswith(f"/python{VERSION}")


PYTEST = """\
SKIPPED [3] tests/_wire/test_digest.py:315: lighttpd is not installed
SKIPPED [1] tests/web/test_x.py: lighttpd is not installed
FAILED tests/web/test_x.py::test_y - assert 1 == 2
1 failed, 2 passed, 4 skipped, 1 error in 8.54s
"""
UPSTREAM = """\
gen_test: 50 passed, 0 failed, 0 accepted, 1 skipped
1478 passed, 0 failed, 9 accepted, 30 skipped
"""


def test_counts_and_reasons_of_a_run():
    outcome = results.parse(PYTEST)
    assert outcome["counts"] == {"failed": 2, "passed": 2, "skipped": 4}
    assert outcome["reasons"] == {"lighttpd is not installed": 4}
    assert not results.has_passed(outcome)
    outcome = results.parse(UPSTREAM)
    assert outcome["counts"] == {"passed": 1478, "failed": 0, "accepted": 9, "skipped": 30}
    assert results.has_passed(outcome)


@pytest.mark.parametrize("text", ["", "Traceback ...\nOSError: 3 files\n", "no tests ran in 0.01s\n"])
def test_run_without_counts_has_failed(text):
    assert not results.has_passed(results.parse(text))


@pytest.mark.parametrize(("text", "failed"), [(UPSTREAM.splitlines()[0], 1), (PYTEST, 2), ("", 1)])
def test_run_with_another_exit_status_has_failed(text, failed):
    """Each module of Tornado's suite prints counts, also if the command ends between two of them."""
    assert results.parse(text, 137)["counts"]["failed"] == failed


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """The folder of the results, and the command of a part, which passes a test."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "DOCUMENT", tmp_path / "pythons.md")
    monkeypatch.setattr(
        command, "PARTS", {"quick": ("echo", "1 passed in 0.1s"), "demos": ("sh", "-c", DYING)}
    )
    return tmp_path


DYING = "echo '1 passed in 0.1s'; exit 137"


@pytest.mark.parametrize(("part", "status"), [("quick", 0), ("demos", 1)])
def test_exit_status_of_the_command_decides(stored, capsys, part, status):
    assert command.main([VERSION, "--part", part]) == status
    assert f"{VERSION} {part}: 1 passed, {status} failed" in capsys.readouterr().out
    assert results.read(VERSION)["parts"][part]["counts"] == {"passed": 1, "failed": status}
    assert f"| {VERSION} |" in results.DOCUMENT.read_text()


def test_no_file_is_changed_without_storing(stored):
    assert command.main([VERSION, "--part", "quick", "--no-store"]) == 0
    assert not [*stored.iterdir()]


@pytest.mark.parametrize("same", [False, True])
def test_results_of_another_build_are_dropped(stored, same):
    command.main([VERSION, "--part", "quick"])
    kept = results.read(VERSION)
    kept["parts"]["whole"] = kept["parts"]["quick"]
    if not same:
        kept["interpreter"]["openssl"] = "OpenSSL 0.9"
    results.write(VERSION, kept)
    command.main([VERSION, "--part", "quick"])
    assert ("whole" in results.read(VERSION)["parts"]) is same


def test_interpreter_that_cannot_be_made_does_not_end_the_run(stored, monkeypatch, capsys):
    def make(name):
        if name == "3.99":
            raise subprocess.CalledProcessError(100, "apt-get update")
        return interpreters.make(name)

    monkeypatch.setattr(command, "make", make)
    assert command.main(["3.99", VERSION, "--part", "quick"]) == 1
    assert "3.99: Command 'apt-get update' returned non-zero exit status 100" in capsys.readouterr().out
    assert f"| {VERSION} |" in results.DOCUMENT.read_text()


def test_interpreter_that_does_not_start_is_reported(stored, monkeypatch, tmp_path, capsys):
    broken = interpreters.Interpreter("3.14", str(executable(tmp_path / "python", "echo broken; exit 3")))
    monkeypatch.setattr(command, "make", lambda name: broken)
    assert command.main(["3.14", "--part", "quick"]) == 1
    assert "has exited with status 3: broken" in capsys.readouterr().out


def test_document_shows_the_stored_results():
    assert results.DOCUMENT.read_text() == results.document()


def test_programs_of_the_suite_are_named_with_their_packages():
    assert {"chromium", "redis-server", "nginx-light"} <= set(command.programs())
