"""The measured programs, each in its own virtual environment."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORNADO = ("tornado==6.6.1", "uvloop==0.23.0")
UVLOOP = {"BENCH_LOOP": "uvloop"}


@dataclass(frozen=True)
class Peer:
    """A program: its requirements, its command and its scenarios."""

    name: str
    title: str
    #: The file of the program.
    app: Path
    #: Requirements for pip; empty for the environment of this checkout.
    requirements: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    #: Names of scenarios that do not apply to the program.
    without: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The virtual environment, one for each version of Python and each first requirement."""
        name = re.sub(r"\[.*\]|==", "-", self.requirements[0])
        return ROOT / ".venvs" / f"{name}-{sys.implementation.cache_tag}{sys.abiflags}"

    def is_installed(self) -> bool:
        """Whether the virtual environment has all requirements."""
        stamp = self.folder / "installed"
        return stamp.exists() and set(stamp.read_text().split()).issuperset(self.requirements)

    def python(self) -> Path:
        """The interpreter of the peer's virtual environment, which is created on first use."""
        if not self.requirements:
            return Path(sys.executable)
        python = self.folder / "bin" / "python"
        stamp = self.folder / "installed"
        installed = set(stamp.read_text().split()) if stamp.exists() else set()
        if not installed.issuperset(self.requirements):
            print(f"installing {', '.join(self.requirements)}", file=sys.stderr)
            if not python.exists():
                subprocess.run([str(ROOT / "scripts/venv"), sys.executable, str(self.folder)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *self.requirements], check=True)
            stamp.write_text("\n".join(installed.union(self.requirements)))
        return python


def tornado_peers(app: Path) -> dict[str, Peer]:
    """Return Waterspout and Tornado, each on asyncio and uvloop, running the same program."""
    peers = [
        Peer("ours", "Waterspout", app),
        Peer("ours-uvloop", "Waterspout on uvloop", app, environment=UVLOOP),
        Peer("tornado", "Tornado 6.6.1", app, TORNADO),
        Peer("tornado-uvloop", "Tornado 6.6.1 on uvloop", app, TORNADO, UVLOOP),
    ]
    return {peer.name: peer for peer in peers}


def version(peer: Peer) -> str:
    """Return the installed versions of the peer's packages."""
    names = [item.partition("=")[0].partition("[")[0] for item in peer.requirements] or ["tornado"]
    program = "import sys, importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in sys.argv[1:]))"
    done = subprocess.run([peer.python(), "-c", program, *names], capture_output=True, text=True, check=True)
    return done.stdout.strip()
