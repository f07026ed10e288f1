"""Find the interpreters of the supported versions on this machine, or make them: ``scripts/pythons``.

An interpreter is looked for on ``PATH`` and where uv and pyenv install it. If it is not there, and the user
is root on a Debian system, a root directory with it is made from Debian's newer suites (`root_directory`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compliance.pythons import root_directory

#: The supported versions. A trailing ``t`` means a free-threaded build.
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15", "3.13t", "3.14t")
#: Prints the version that an interpreter implements, in the format of `VERSIONS`.
PRINT_VERSION = (
    "import sys, sysconfig; "
    "print('%d.%d' % sys.version_info[:2] + 't' * bool(sysconfig.get_config_var('Py_GIL_DISABLED')))"
)


class UnavailableError(Exception):
    """Raised if an interpreter is not on this machine and cannot be made."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter of this machine, or one in a root directory.

    :param version: the version, such as ``3.14`` or ``3.14t``.
    :param path: the path of the executable, inside ``root`` if there is one.
    :param root: the root directory that contains it, or None.
    """

    version: str
    path: str
    root: root_directory.RootDirectory | None = None

    def __str__(self) -> str:
        return f"{self.path} in {self.root.path}" if self.root else self.path


def find(name: str) -> Interpreter | None:
    """Return the interpreter of a version that is on this machine, or None.

    :param name: the version; with ``@debian`` after it, only the one that is made from Debian's packages.
    """
    version, _, origin = name.partition("@")
    for path in () if origin else _candidates(version):
        if _version_of(path) == version:
            return Interpreter(version, path)
    recipe = root_directory.RECIPES.get(version)
    if recipe is not None and recipe.is_made():
        return Interpreter(version, recipe.executable, recipe.root)
    return None


def make(name: str) -> Interpreter:
    """Return the interpreter of a version, after making it if it is not on this machine.

    :param name: the version; with ``@debian`` after it, only the one that is made from Debian's packages.
    :raises UnavailableError: if there is none and it cannot be made; the message says what to install.
    """
    version, _, origin = name.partition("@")
    if version not in VERSIONS or origin not in ("", "debian"):
        raise UnavailableError(
            f"unknown version {name!r}; expected one of {' '.join(VERSIONS)}, also with @debian"
        )
    found = find(name)
    if found is not None:
        return found
    recipe = root_directory.RECIPES.get(version)
    missing = "no suite of Debian has it" if recipe is None else root_directory.why_impossible()
    if recipe is None or missing:
        raise UnavailableError(
            f"python{version} is neither on PATH nor installed by uv or pyenv, and it cannot be made: "
            f"{missing}. Install it, for example with 'uv python install {version}'."
        )
    recipe.make()
    return Interpreter(version, recipe.executable, recipe.root)


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    for folder in os.get_exec_path():
        if os.access(Path(folder, name), os.X_OK):
            yield str(Path(folder, name))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    for pattern in (f"{version}*/bin/{name}", f"cpython-{version[:4]}*/bin/{name}"):
        for parent in (pyenv, uv):
            yield from map(str, sorted(parent.glob(pattern), reverse=True))
    base = Path(sys.base_prefix, "bin", name)
    if base.exists():
        yield str(base)


def _version_of(path: str) -> str | None:
    """Return the version of an interpreter; None if it does not start, as a shim of pyenv may."""
    try:
        done = subprocess.run([path, "-c", PRINT_VERSION], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main(arguments: list[str]) -> int:
    """List the interpreters, or make the named ones; return the exit status."""
    if shutil.which("git") is None:
        print("scripts/pythons: git is required", file=sys.stderr)
        return 2
    status = 0
    for version in arguments or VERSIONS:
        try:
            found = make(version) if arguments else find(version)
        except (UnavailableError, subprocess.CalledProcessError) as error:
            print(f"scripts/pythons: {error}", file=sys.stderr)
            status = 1
        else:
            print(f"{version}: {found or f'not found; scripts/pythons {version} makes it'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
