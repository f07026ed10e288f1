"""The workflows in ``.github/workflows``, which run the tests on the systems that this machine is not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import PYTHON, ROOT

yaml = pytest.importorskip("yaml")

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(file: Path) -> dict[Any, Any]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def workflow(request: pytest.FixtureRequest) -> dict[Any, Any]:
    return load(request.param)


def steps_of(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_keys_are_those_of_a_workflow(workflow: dict[Any, Any]) -> None:
    # YAML 1.1 reads the key "on" as true.
    assert set(workflow) <= {"name", True, "permissions", "jobs", "env", "defaults", "concurrency"}
    assert set(workflow[True]) <= {"push", "pull_request", "workflow_dispatch", "schedule"}
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert 0 < job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert ("uses" in step) is not ("run" in step), step
            assert set(step) <= {"name", "uses", "with", "run", "env", "if", "shell"}, step


def test_actions_have_a_version(workflow: dict[Any, Any]) -> None:
    for step in steps_of(workflow):
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step


def test_commands_are_valid_for_bash(workflow: dict[Any, Any]) -> None:
    commands = [step["run"] for step in steps_of(workflow) if "run" in step]
    assert commands
    for command in commands:
        subprocess.run(["bash", "-n"], input=command, text=True, check=True)


def test_expressions_name_the_matrix(workflow: dict[Any, Any]) -> None:
    for job in workflow["jobs"].values():
        names = set(re.findall(r"\$\{\{ matrix\.(\w+) \}\}", str(job)))
        assert names == set(job["strategy"]["matrix"])


def test_every_system_and_version_is_tested() -> None:
    matrix = load(ROOT / ".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == columns(ROOT / "README.md") == columns(ROOT / "README.zh.md")


def columns(readme: Path) -> list[str]:
    """Return the versions in the head of the table of supported platforms."""
    (head,) = re.findall(r"^\| *\| (3\.11 \|.*)\|$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    return [cell.strip() for cell in head.split("|")]


def test_packages_of_the_tests_are_listed() -> None:
    (step,) = [
        each
        for each in steps_of(load(ROOT / ".github/workflows/tests.yml"))
        if each.get("name") == "Install what the tests use"
    ]
    source = re.search(r'python -c "\n(.*?)\n"', step["run"], re.DOTALL)
    assert source is not None
    done = subprocess.run([PYTHON, "-c", source[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert any(line.startswith("pytest>=") for line in done.stdout.splitlines())
