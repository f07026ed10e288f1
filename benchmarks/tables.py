"""Results as tables for people and as JSON for programs."""

from __future__ import annotations

import datetime
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT, Peer, version


def machine() -> dict[str, str]:
    """What the figures were made on and with."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit or "none",
        "processor": f"{cpu[1] if cpu else platform.machine()}",
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
    }


def heading(title: str, peers: Iterable[Peer]) -> list[str]:
    """A title, and below it the machine and the versions."""
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    return lines + [f"- {peer.title}: {version(peer)}" for peer in peers]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The first column holds names, the others figures."""
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def save(folder: Path, name: str, lines: Iterable[str], record: dict[str, Any]) -> Path:
    """Write ``name.md`` of the lines and ``name.json`` of the record; the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine(), **record}, indent=1) + "\n")
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path
