"""Upstream's Tornado in a separate virtual environment, for interoperability tests."""

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
    """Return the interpreter; if there is none, skip the test, or install it if ``CI`` is set."""
    peer = PEERS["tornado"]
    assert peer.requirements[0] == f"tornado=={VERSION}"
    if not peer.is_installed() and not os.environ.get("CI"):
        pytest.skip(f"Tornado {VERSION} is not installed; run scripts/bench server --only tornado")
    return peer.python()


def run(program: str, **arguments: Any) -> Any:
    """Run a program that uses `arguments` as the dictionary ``given``, and prints JSON; return its result."""
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
