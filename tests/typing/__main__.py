"""Check the public types: ``python -m tests.typing``.

1. ``pyright --verifytypes``: each public name of the installed package has a complete type.
2. mypy (strict) and pyright accept the programs in this folder, those in the guide, and the demos.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.support.guides import pages, programs
from tests.support.program import ROOT

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
#: Folders whose modules import each other by their plain names, as programs do.
SIBLINGS = ("demos/api", "demos/board", "demos/login", "demos/points", "guide/testing", "guide/deploying")
PYRIGHT = {
    "typeCheckingMode": "standard",
    "pythonVersion": "3.11",
    # Comments for mypy do not apply to pyright, so each checker has its own comments.
    "enableTypeIgnoreComments": False,
    "reportUnnecessaryTypeIgnoreComment": True,
    "reportMissingModuleSource": False,
}


def run(*command: str | Path, cwd: Path, **variables: str) -> bool:
    """Run a checker; its output is shown on the terminal."""
    done = subprocess.run([*map(str, command)], cwd=cwd, env={**os.environ, **variables}, check=False)
    return done.returncode == 0


def verify_types(folder: Path) -> bool:
    """Install the package without its editable link to this checkout, and check its public names."""
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(ROOT)]
    subprocess.run([*pip, "--disable-pip-version-check"], check=True)
    # With --verifytypes, pyright uses the package locations of the first python in PATH.
    done = subprocess.run(
        [BIN / "pyright", "--verifytypes", "tornado", "--ignoreexternal", "--outputjson"],
        cwd=folder,
        env={**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    for symbol in found["symbols"]:
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]:
            print(symbol["name"], *(each["message"] for each in symbol["diagnostics"]), sep="\n    ")
    score = found["completenessScore"]
    print(f"public names with a complete type: {score:.1%} of {sum(found['exportedSymbolCounts'].values())}")
    return score == 1 and bool(found["exportedSymbolCounts"]["withKnownType"])


def lay_programs(folder: Path) -> None:
    """Copy all checked files into one folder to which the project's configuration does not apply."""
    for page in pages():
        for name, code in programs(page).items():
            path = folder / "guide" / page.stem / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
    shutil.copytree(ROOT / "demos", folder / "demos", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "cases").mkdir(parents=True)
    for path in HERE.glob("*.py"):
        if path.name != "__main__.py":
            shutil.copy(path, folder / "cases")
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))


def check_programs(folder: Path) -> bool:
    """Whether both checkers accept every program in `folder`."""
    siblings = [folder / place for place in SIBLINGS]
    others = [path for path in folder.rglob("*.py") if path.parent not in siblings]
    mypy = [BIN / "mypy", "--strict", "--explicit-package-bases", "--disable-error-code=import-untyped"]
    mypy += ["--cache-dir", ROOT / ".mypy_cache/programs"]
    accepted = run(*mypy, *sorted(others), cwd=folder, MYPYPATH=".")
    for place in siblings:
        accepted &= run(*mypy, *sorted(place.glob("*.py")), cwd=place, MYPYPATH=".")
    return run(BIN / "pyright", "--pythonpath", sys.executable, cwd=folder) and accepted


def main() -> int:
    """Run all checks, even if one fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        complete = verify_types(folder)
        lay_programs(folder / "programs")
        accepted = check_programs(folder / "programs")
    return 0 if complete and accepted else 1


if __name__ == "__main__":
    sys.exit(main())
