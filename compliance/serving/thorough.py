"""Waterspout alone: reloads with 1,000 WebSockets on each kind of address, and behind each proxy."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from compliance.serving.certificates import Certificates
from compliance.serving.figures import Figures
from compliance.serving.proxies import PROXIES, reloads_behind
from compliance.serving.reloads import reloads
from compliance.serving.servers import SERVERS, Options

WORKERS = (1, 4)
SOCKETS = 1000
ADDRESSES = ("TCP", "TLS", "Unix socket")


def thorough(repeat: int) -> dict[str, Figures]:
    """Run each combination `repeat` times, and return the sums by their names."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        return {
            f"{way}, {workers} workers" if workers > 1 else f"{way}, 1 worker": summary(
                [_run(way, workers, certificates) for _ in range(repeat)]
            )
            for way in (*ADDRESSES, *PROXIES)
            for workers in WORKERS
        }


def _run(way: str, workers: int, certificates: Certificates) -> Figures:
    server, options = SERVERS["ours"], Options(workers=workers)
    if way in PROXIES:
        figures = asyncio.run(reloads_behind(server, way, options, sockets=SOCKETS))
    else:
        running: dict[str, Any] = {}
        if way == "TLS":
            options = dataclasses.replace(options, certificate=certificates.files)
            running["context"] = certificates.context
        elif way == "Unix socket":
            options = dataclasses.replace(options, path="s")
        figures = asyncio.run(reloads(server, options, sockets=SOCKETS, **running))
    print(f"{way}, {workers}: {json.dumps(figures)}", file=sys.stderr, flush=True)
    return figures


def summary(runs: list[Figures]) -> Figures:
    """Return the sums of several runs. A reload that has not ended counts as one that has failed."""
    names = ("requests", "failed", "resets", "refused", "acknowledged", "lost")
    sums: Figures = {name: sum(run[name] for run in runs) for name in names}
    seconds = [each for run in runs for each in run["reload_seconds"]]
    return {
        "runs": len(runs),
        **sums,
        "reloads_failed": seconds.count(None),
        "longest_reload_seconds": max((each for each in seconds if each is not None), default=None),
    }


def thorough_problems(results: dict[str, Figures]) -> list[str]:
    """Describe the results with losses."""
    names = ("failed", "resets", "refused", "lost", "reloads_failed")
    return [f"{way}: {figures}" for way, figures in results.items() if any(figures[name] for name in names)]


def thorough_table(results: dict[str, Figures]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| | runs | requests | failed | reset · refused | messages acknowledged | lost | longest reload |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for way, run in results.items():
        broken = f"{run['resets']} · {run['refused']}"
        cells = [f"{run['runs']}", f"{run['requests']:,}", f"{run['failed']}", broken]
        cells += [f"{run['acknowledged']:,}", f"{run['lost']}", f"{run['longest_reload_seconds']:.1f} s"]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
