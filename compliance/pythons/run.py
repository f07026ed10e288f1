"""Run a command with an interpreter: ``python -m compliance.pythons.run 3.14 COMMAND``.

The variables ``PYTHON`` and ``VENV`` tell the scripts of the checkout which interpreter and which virtual
environment to use. Each version has its own environment, which later runs use again.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from compliance.pythons.interpreters import Interpreter, UnavailableError, make
from compliance.pythons.root_directory import REPOSITORY

#: Variables of this process that the command gets too, also in a root directory.
PASSED_ON = ("CI", "PYTHONWARNINGS", "HYPOTHESIS_PROFILE")


def run(
    interpreter: Interpreter,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    output: IO[str] | None = None,
) -> int:
    """Run a command in the checkout, or in a copy of it in the interpreter's root directory.

    :param environment: additional environment variables.
    :param output: the file for standard output and error; by default those of this process.
    :returns: the exit status.
    """
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables |= {"PYTHON": interpreter.path, **(environment or {})}
    if interpreter.version.endswith("t"):
        # Otherwise the first import of an extension module such as brotli would enable the GIL.
        variables["PYTHON_GIL"] = "0"
    if interpreter.root is None:
        variables["VENV"] = f".venvs/python{interpreter.version}"
        done = subprocess.run(
            command, cwd=REPOSITORY, env={**os.environ, **variables}, stdout=output, stderr=output
        )
        return done.returncode
    # Several checkouts can use one interpreter at the same time if each names its copy.
    copy = os.environ.get("WATERSPOUT_COPY", "")
    folder = f"/srv/waterspout/python{interpreter.version}{copy and f'-{copy}'}"
    variables["VENV"] = f"/srv/waterspout/environments/{Path(folder).name}"
    interpreter.root.copy_checkout(folder)
    return interpreter.root.run(
        shlex.join(command), folder=folder, environment=variables, output=output, check=False
    )


def main(arguments: list[str]) -> int:
    """Run the command in ``arguments[1:]`` with the version ``arguments[0]``; return the exit status."""
    if len(arguments) < 2:
        print("usage: python -m compliance.pythons.run VERSION COMMAND [ARGUMENTS]", file=sys.stderr)
        return 2
    try:
        interpreter = make(arguments[0])
    except (UnavailableError, subprocess.CalledProcessError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 1
    return run(interpreter, arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
