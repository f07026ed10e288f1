"""The servers that are measured, each in a virtual environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@dataclass(frozen=True)
class Peer:
    """One server: what to install, what to run, what it can do."""

    name: str
    title: str
    app: str
    #: For pip; empty means the environment of this checkout.
    requirements: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    #: Scenarios that make no sense for it.
    without: tuple[str, ...] = ("hooked",)

    @property
    def folder(self) -> Path:
        """The virtual environment; peers with the same first requirement share one."""
        return ROOT / ".venvs" / re.sub(r"\[.*\]|==", "-", self.requirements[0])

    def python(self) -> Path:
        """The interpreter to run it with; its environment is made on first use."""
        if not self.requirements:
            return Path(sys.executable)
        python = self.folder / "bin" / "python"
        stamp = self.folder / "complete"
        if not stamp.exists():
            print(f"installing {', '.join(self.requirements)}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *self.requirements], check=True)
            stamp.touch()
        return python

    @property
    def script(self) -> Path:
        """The program it runs."""
        return HERE / "apps" / self.app


UVICORN = "uvicorn[standard]==0.54.0"
UVLOOP = {"BENCH_LOOP": "uvloop"}
BARE = ("hooked", "form", "suspend")

PEERS = {
    peer.name: peer
    for peer in [
        Peer("ours", "Waterspout", "tornado_app.py", without=()),
        Peer("ours-uvloop", "Waterspout on uvloop", "tornado_app.py", environment=UVLOOP, without=()),
        Peer("tornado", "Tornado 6.6.1", "tornado_app.py", ("tornado==6.6.1", "uvloop==0.23.0"), without=()),
        Peer(
            "tornado-uvloop",
            "Tornado 6.6.1 on uvloop",
            "tornado_app.py",
            ("tornado==6.6.1", "uvloop==0.23.0"),
            UVLOOP,
            without=(),
        ),
        Peer("sanic", "Sanic", "sanic_app.py", ("sanic==25.12.1",)),
        Peer(
            "starlette",
            "Starlette on uvicorn",
            "starlette_app.py",
            ("starlette==1.10.0", "python-multipart==0.0.34", UVICORN),
        ),
        Peer("aiohttp", "aiohttp on uvloop", "aiohttp_app.py", ("aiohttp==3.14.5", "uvloop==0.23.0")),
        Peer("falcon", "Falcon on uvicorn", "falcon_app.py", ("falcon==4.4.0", UVICORN)),
        Peer("blacksheep", "BlackSheep on uvicorn", "blacksheep_app.py", ("blacksheep==2.6.4", UVICORN)),
        Peer("uvicorn", "uvicorn, no framework", "uvicorn_app.py", (UVICORN,), without=BARE),
        Peer(
            "granian",
            "granian RSGI, no framework",
            "granian_app.py",
            ("granian==2.8.7",),
            without=(*BARE, "tls", "logged"),
        ),
    ]
}


def version(peer: Peer) -> str:
    """The versions of what was installed for it, from its own environment."""
    names = [item.partition("=")[0].partition("[")[0] for item in peer.requirements] or ["tornado"]
    program = "import sys, importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in sys.argv[1:]))"
    done = subprocess.run([peer.python(), "-c", program, *names], capture_output=True, text=True, check=True)
    return done.stdout.strip()
