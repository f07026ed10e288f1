"""The requests that REDbot checks, and the accepted notes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

VERSION = "2.7.1"
HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".venvs" / f"redbot-{VERSION}"
TIMEOUT = 120

#: Levels of notes that fail the check unless they are accepted.
FAULTS = ("bad", "warning")


@dataclass(frozen=True)
class Check:
    """A request and its expected status."""

    path: str
    status: int = 200
    method: str = "GET"
    fields: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        fields = "".join(f" {name}: {value}" for name, value in self.fields.items())
        return f"{self.method} {self.path}{fields}"


CHECKS = [
    Check("/page"),
    Check("/page", method="HEAD"),
    Check("/page", fields={"Accept-Encoding": "gzip"}),
    Check("/typed/json"),
    Check("/typed/text"),
    Check("/typed/bytes"),
    Check("/streamed"),
    Check("/streamed", fields={"Accept-Encoding": "gzip"}),
    Check("/empty/200"),
    Check("/empty/204", 204),
    Check("/empty/204", 204, "DELETE"),
    Check("/cookies"),
    Check("/slash", 301),
    Check("/moved", 301),
    Check("/found", 302),
    Check("/static/plain.txt"),
    Check("/static/plain.txt", method="HEAD"),
    Check("/static/plain.txt", 206, fields={"Range": "bytes=5-9"}),
    Check("/static/plain.txt", 206, fields={"Range": "bytes=-7"}),
    Check("/static/plain.txt", 416, fields={"Range": "bytes=99999-"}),
    Check("/static/plain.txt", 304, fields={"If-None-Match": "*"}),
    Check("/static/plain.txt", 304, fields={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    Check("/static/plain.txt?v=1"),
    Check("/static/small.css"),
    Check("/static/data.bin"),
    Check("/static/", 200),
    Check("/static/missing", 404),
    Check("/missing", 404),
    Check("/error/400", 400),
    Check("/error/403", 403),
    Check("/error/500", 500),
    Check("/error/503", 503),
    Check("/page", 405, "DELETE"),
]

#: Text of an accepted note, and the reason.
ACCEPTED: dict[str, str] = {
    "to assign their own freshness lifetimes": "the program chooses the caching directives",
    "The server didn't understand the request": "the check expects the status 400",
}


def installed() -> bool:
    """Whether the environment of REDbot exists."""
    return (FOLDER / "complete").exists()


def install() -> None:
    """Create the environment of REDbot."""
    if not installed():
        print(f"installing REDbot {VERSION}", file=sys.stderr)
        subprocess.run([str(HERE.parents[1] / "scripts/venv"), sys.executable, str(FOLDER)], check=True)
        pip = [
            str(FOLDER / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, f"redbot=={VERSION}"], check=True)
        (FOLDER / "complete").touch()


def faults(port: int) -> list[str]:
    """Return the faults that REDbot finds in the application on this port; blocks until it is done."""
    asked = [[check.method, f"http://127.0.0.1:{port}{check.path}", check.fields] for check in CHECKS]
    done = subprocess.run(
        [FOLDER / "bin" / "python", "-I", HERE / "lint.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode:
        return [f"REDbot failed: {done.stderr}"]
    return [
        fault
        for check, answer in zip(CHECKS, json.loads(done.stdout), strict=True)
        for fault in judge(check, *answer)
    ]


def judge(check: Check, status: int | None, notes: list[tuple[str, str, str]]) -> list[str]:
    """Return the faults of one response: a wrong status, and notes that are not accepted."""
    found = [] if status == check.status else [f"{check}: status {status}, expected {check.status}"]
    for level, subject, summary in notes:
        if level in FAULTS and not any(words in summary for words in ACCEPTED):
            found.append(f"{check}: {level}: {subject}: {summary}")
    return found
