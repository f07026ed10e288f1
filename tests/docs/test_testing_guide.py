"""docs/guide/testing.md: its files are written into a folder and run by pytest and unittest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tornado.testing.pytest as plugin
from tests.support.program import ROOT

PATH = ROOT / "docs/guide/testing.md"
TEXT = PATH.read_text()
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def python(folder: Path, *arguments: str) -> str:
    """Run Python; check that it succeeds, and return its output, including the log."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_block_is_a_file():
    assert len(FILES) == TEXT.count("```python")


def test_with_pytest(folder):
    output = python(folder, "-m", "pytest", "-v", "-p", "no:cacheprovider")
    passed = set(re.findall(r"^(\S+) PASSED", output, re.MULTILINE))
    assert passed == {
        "test_app.py::test_greeting",
        "test_app.py::test_concurrent_requests",
        "test_app.py::test_warning_is_logged",
        "test_app.py::test_unknown_path_is_404",
        "test_features.py::test_login",
        "test_features.py::test_form_of_another_site_is_refused",
        "test_features.py::test_json",
        "test_features.py::test_echo",
        "test_cases.py::GreetingTest::test_greeting",
        "test_cases.py::GreetingTest::test_both",
        "test_cases.py::ModernTest::test_greeting",
        "test_isolated.py::GreetingTest::test_greeting",
    }


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["test_cases.py"], 3),
        (["-m", "unittest", "test_cases", "test_isolated"], 4),
        (["-m", "tornado.testing", "test_cases"], 3),
    ],
)
def test_with_unittest(folder, arguments, count):
    assert f"Ran {count} tests" in python(folder, *arguments)


def test_the_table_lists_the_fixtures_of_the_plugin():
    fixtures = {name for name, value in vars(plugin).items() if "FixtureFunction" in type(value).__name__}
    listed = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert listed == fixtures | {"tornado"}
    assert all(name.startswith("tornado_") for name in fixtures)


def test_the_guide_names_the_marks_that_the_plugin_ignores():
    marks = re.search(r"marked ((?:`\w+`(?:,\s+|\s+or\s+)?)+)", TEXT)
    assert marks is not None
    assert set(re.findall(r"`(\w+)`", marks[1])) == set(plugin._OTHERS)
