"""Results as Markdown tables and JSON."""

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
    """Describe the machine and the interpreter."""
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
    """Return the lines of a title, followed by the machine and the versions."""
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    return lines + [f"- {peer.title}: {version(peer)}" for peer in peers]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table. The first column contains names, the other columns figures."""
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def save(folder: Path, name: str, lines: Iterable[str], record: dict[str, Any]) -> Path:
    """Write ``name.md`` from the lines and ``name.json`` from the record; return the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine(), **record}, indent=1) + "\n")
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path
