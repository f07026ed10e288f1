"""``scripts/setup`` and ``scripts/test``, with a fake Python that stores its arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.program import ROOT

PYTHON = """\
#!/bin/sh
echo "$2 $*" >>asked
case $2 in
    venv) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    pytest) shift 2 && printf '%s\\n' "$@" >passed ;;
esac
"""
SLOW = "creating .venv, which takes half a minute ...\n"


class Checkout:
    """A folder that contains only the scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        for name in ("setup", "test", "venv"):
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        (folder / "pyproject.toml").touch()
        self.python = folder / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def setup(self, *arguments: str) -> str:
        """Run ``scripts/setup`` and return its output."""
        return self.run("setup", *arguments)

    def run(self, script: str, *arguments: str) -> str:
        """Run a script and return its output."""
        done = subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            env={**os.environ, "VENV": ".venv", "PYTHON": str(self.python)},
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stderr

    def pytest_arguments(self, *arguments: str) -> list[str]:
        """Run ``scripts/test`` and return the arguments that it passes to pytest."""
        self.run("test", *arguments)
        return (self.folder / "passed").read_text().splitlines()

    def installed(self) -> list[str]:
        """Return the arguments of each ``pip install`` since the last call."""
        asked = self.folder / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.unlink(missing_ok=True)
        found = [line.partition("--disable-pip-version-check ")[2] for line in lines if "install" in line]
        return [" ".join(each.split()) for each in found]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if os.name == "nt":
        pytest.skip("requires a POSIX shell")
    return Checkout(tmp_path)


def test_environment_is_created_once_with_message(checkout):
    assert checkout.setup() == SLOW
    assert "venv --clear" in (checkout.folder / "asked").read_text()
    assert checkout.installed() == ["-e .[test,dev,speed]"]
    assert checkout.setup() == ""
    (checkout.folder / "pyproject.toml").write_text("# changed")
    assert checkout.setup() == SLOW


def test_requirements_file_restricts_installation(checkout):
    for name in ("a", "b"):
        (checkout.folder / name).write_text("")
    assert checkout.setup("a") == SLOW
    assert checkout.installed() == ["-r a"]
    assert checkout.setup("a") == ""
    assert checkout.setup("b") == SLOW
    assert checkout.installed() == ["-r b"]
    (checkout.folder / "a").write_text("# changed")
    assert checkout.setup("a") == SLOW
    assert checkout.installed() == ["-r a"]
    # After an installation of everything, a demo needs no further packages.
    assert checkout.setup() == SLOW
    assert checkout.installed() == ["-e .[test,dev,speed]"]
    assert checkout.setup("b") == ""


QUICK = ["-n", "auto", "--dist", "loadfile", "-m", "not slow and not external"]


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (["-q"], ["-q"]),
        (["tests/_wire", "-k", "a or b"], ["tests/_wire", "-k", "a or b"]),
        (["--quick"], QUICK),
        (["--quick", "-q", "-k", "a or b"], [*QUICK, "-q", "-k", "a or b"]),
        (["-q", "--quick"], ["-q", "--quick"]),  # pytest rejects it
    ],
)
def test_arguments_are_passed_to_pytest(checkout, arguments, passed):
    assert checkout.pytest_arguments(*arguments) == passed


def test_without_arguments_all_tests_run(checkout):
    checkout.run("test")
    assert "-m pytest" in (checkout.folder / "asked").read_text()
    assert (checkout.folder / "passed").read_text() == "\n"


def test_version_is_passed_to_the_runner_of_interpreters(checkout):
    checkout.run("test", "--python", "3.14", "--quick", "tests/_wire")
    asked = (checkout.folder / "asked").read_text()
    assert asked == "compliance.pythons.run -m compliance.pythons.run 3.14 scripts/test --quick tests/_wire\n"


WITHOUT_ENSUREPIP = """\
#!/bin/sh
case $* in
    *ensurepip*) exit 1 ;;
    *print*) echo python3.13-venv ;;
    *) echo "python $*" >>asked ;;
esac
"""
OTHER_PROGRAM = """\
#!/bin/sh
echo "${0##*/} $*" >>asked
"""


def create_environment(folder: Path, *programs: str) -> tuple[list[str], str]:
    """Run ``scripts/venv`` with a Python that has no ensurepip; return the commands and its messages.

    :param programs: the programs on ``PATH`` beside the interpreter; with ``apt-get``, the user is root.
    """
    found = folder / "bin"
    found.mkdir()
    for name in ("rm", "sh", "uname"):
        (found / name).symlink_to(shutil.which(name) or name)
    (found / "id").write_text(f"#!/bin/sh\necho {0 if 'apt-get' in programs else 1000}\n")
    (found / "python").write_text(WITHOUT_ENSUREPIP)
    for name in programs:
        (found / name).write_text(OTHER_PROGRAM)
    for each in found.iterdir():
        if not each.is_symlink():
            each.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "venv", "python", "folder"],
        cwd=folder,
        env={"PATH": str(found)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    asked = folder / "asked"
    return asked.read_text().splitlines() if asked.exists() else [], done.stderr


@pytest.mark.parametrize(
    ("programs", "commands"),
    [
        (["uv", "virtualenv"], ["uv venv --quiet --seed --python {python} folder"]),
        (["virtualenv"], ["virtualenv --quiet --clear --python python folder"]),
        (
            ["apt-get"],
            [
                "apt-get update -qq",
                "apt-get install -y --no-install-recommends python3.13-venv -qq",
                "python -m venv --clear folder",
            ],
        ),
    ],
)
def test_environment_without_ensurepip(tmp_path, programs, commands):
    asked, errors = create_environment(tmp_path, *programs)
    python = next(tmp_path.rglob("python"))  # uv would look for another interpreter of this name
    assert asked == [command.format(python=python) for command in commands]
    assert errors == ""


def test_environment_without_ensurepip_and_rights_names_the_package(tmp_path):
    commands, message = create_environment(tmp_path)
    assert commands == []
    assert message.endswith("    sudo apt-get install -y --no-install-recommends python3.13-venv\n")
