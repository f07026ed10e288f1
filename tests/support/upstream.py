"""Tornado itself, in a virtual environment of its own, for tests that the two understand each other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.macro.server.peers import PEERS

VERSION = "6.6.1"


def python() -> Path:
    """The interpreter that has it; where there is none: a skip, or, when ``CI`` is set, it is installed."""
    peer = PEERS["tornado"]
    assert peer.requirements[0] == f"tornado=={VERSION}"
    if not (peer.folder / "complete").exists() and not os.environ.get("CI"):
        pytest.skip(f"Tornado {VERSION} is absent; install it by scripts/bench server --only tornado")
    return peer.python()


def run(program: str, **arguments: Any) -> Any:
    """Run a program there: it finds `arguments` as the dictionary ``given``, and prints JSON."""
    start = "import json, sys\ngiven = json.load(sys.stdin)\n"
    done = subprocess.run(
        [python(), "-I", "-c", start + program],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
