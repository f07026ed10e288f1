"""Check the package for each platform and version: ``python -m tests.platforms.type_checkers``.

mypy and pyright must accept it as Linux, macOS and Windows see it, with the oldest and the newest Python:
each name that one of them lacks must be behind a test of ``sys.platform`` or ``sys.version_info``. A checker
runs only if its last success was with other sources.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.support.program import ROOT

BIN = Path(sys.executable).parent
CACHE = ROOT / ".mypy_cache/platforms"
#: The names of the platforms: those of ``sys.platform``, and pyright's.
PLATFORMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
VERSIONS = ("3.11", "3.15")
#: The statement with which a module tells that it needs fork().
_POSIX_ONLY = re.compile(r'^if sys\.platform == "win32":\n    raise ImportError', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Check:
    """One run of a type checker, as one platform and version.

    :ivar checker: ``mypy`` or ``pyright``.
    :ivar platform: a value of ``sys.platform``.
    :ivar version: the version of Python, ``3.11``.
    """

    checker: str
    platform: str
    version: str

    def __str__(self) -> str:
        return f"{self.checker} {self.platform} {self.version}"

    def command(self) -> list[str]:
        """Return the command line."""
        if self.checker == "mypy":
            # One cache for each platform: mypy's own does not distinguish them. Code and comments that are
            # necessary on one platform are not on another one.
            flags = [
                "--no-warn-unreachable",
                "--no-warn-unused-ignores",
                f"--cache-dir={CACHE / self.platform}",
            ]
            return ["mypy", f"--platform={self.platform}", f"--python-version={self.version}", *flags]
        config = ROOT / f"pyright-{self.platform}-{self.version}.tmp.json"
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]
        settings |= {"pythonPlatform": PLATFORMS[self.platform], "pythonVersion": self.version}
        settings["ignore"] = posix_modules() if self.platform == "win32" else []
        config.write_text(json.dumps(settings))
        return ["pyright", f"--project={config}", f"--pythonpath={sys.executable}"]

    def run(self, digest: str) -> str:
        """Run it, unless it has succeeded before, and return its errors.

        :param digest: identifies the sources.
        """
        stamp = CACHE / f"{self.checker}-{self.platform}-{self.version}.stamp"
        if stamp.exists() and stamp.read_text() == digest:
            return ""
        name, *arguments = self.command()
        done = subprocess.run([BIN / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        for config in arguments:
            if config.startswith("--project="):
                Path(config.removeprefix("--project=")).unlink()
        if done.returncode:
            return f"{self}\n{done.stdout}{done.stderr}"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest)
        return ""


#: All runs. The plain ``mypy`` of ``scripts/check`` is the one for Linux and the oldest version.
CHECKS = [
    Check(*each)
    for each in product(("mypy", "pyright"), PLATFORMS, VERSIONS)
    if each != ("mypy", "linux", VERSIONS[0])
]


def posix_modules() -> list[str]:
    """Return the paths of the modules that Windows cannot import."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "src").rglob("*.py"))
        if _POSIX_ONLY.search(path.read_text())
    ]


def source_digest() -> str:
    """Return a text that is different after each change of the package, its settings or a type checker."""
    digest = hashlib.sha256()
    for path in [ROOT / "pyproject.toml", Path(__file__), *sorted((ROOT / "src").rglob("*.py"))]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    digest.update(" ".join(map(importlib.metadata.version, ("mypy", "pyright"))).encode())
    return digest.hexdigest()


def main() -> int:
    """Run all checks, two at a time, and return the exit status."""
    digest = source_digest()
    with ThreadPoolExecutor(2) as executor:
        errors = [each for each in executor.map(lambda check: check.run(digest), CHECKS) if each]
    sys.stdout.writelines(errors)
    sys.stdout.write(f"{len(CHECKS) - len(errors)} of {len(CHECKS)} platforms and versions have no errors\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
