"""Attack Waterspout, with its defaults and with ``protection="public"``, and Tornado for comparison.

``scripts/compliance abuse [--only slow_head,gzip_five] [--targets upstream,default,public] [--scale 1]``
prints a line per attack and, at the end, the table of README.md.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import certificates
from compliance.abuse import report
from compliance.abuse.measure import ROOT, Result, Scenario, Target, carry_out

UPSTREAM = "6.6.1"
#: The number of attempts if a figure exceeds its bound. Other work on the machine also delays the probe, but
#: not in every attempt.
ATTEMPTS = 3

SCENARIOS = [
    Scenario("slow_head", "slow head: 300 connections, a byte per second", 8, 26, ends=True),
    Scenario("slow_body", "slow body: 300 connections, a byte per second", 8, 30, ends=True),
    Scenario("silent", "1,000 silent connections", 8, 70, ends=True),
    Scenario("silent", "1,000 TLS connections without a hello", 8, 16, tls=True, ends=True),
    Scenario("headerless", "10,000 connections without header fields", 8, 26, ends=True),
    Scenario("half_open", "3,000 half-open connections", 4, 4, ends=True),
    Scenario("leaving", "3,000 clients disconnecting together, five times", slowest=0.03),
    Scenario("descriptors", "out of descriptors (256, 600 connections)", 6, 6, descriptors=256),
    Scenario("slow_reader", "80 clients that do not read 50 MiB", 8, 30, ends=True),
    Scenario("gzip_five", "5 gzip bodies of 92 kB, 95 MB each"),
    Scenario("gzip_bomb", "a gzip body of 1 MB, 1 GB"),
    Scenario("gzip_members", "a gzip body of 50,000 empty members"),
    Scenario("multipart_headers", "9 forms of 99 parts with crafted headers of 10 KB"),
    Scenario("tiny_chunks", "a million chunks of one byte"),
    Scenario("many_fields", "heads of 20,000 fields"),
    Scenario("many_parts", "forms of 100,000 parts and fields"),
    Scenario("unread_form", "a form of 30 MB of escapes that no handler reads"),
    Scenario("read_forms", "10 forms of 1 MiB that are slow to decode"),
    Scenario("json_bodies", "10 JSON bodies of 128 KiB that are slow to decode"),
    Scenario("parameters", "40 requests with parameters of 30 KB"),
    Scenario("cookies_and_ranges", "cookies and ranges of 30 KB"),
    Scenario("resets", "5,000 resets"),
    Scenario("pipelining", "pipelining without reading"),
    Scenario("ws_inflating", "200 WebSocket messages of 9.7 kB, 10 MB each"),
    Scenario("ws_fragments", "half a million WebSocket fragments, three ways"),
    Scenario("ws_pings", "half a million pings and pongs, two ways"),
    Scenario("ws_never_reading", "a WebSocket echo of 50 MB to a client that never reads"),
]


def upstream_python() -> str:
    """Return the interpreter of a virtual environment with Tornado, created on first use."""
    folder = ROOT / ".venvs" / f"tornado-{UPSTREAM}"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([str(ROOT / "scripts/venv"), sys.executable, str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", f"tornado=={UPSTREAM}"], check=True)
    return str(python)


def targets(names: list[str]) -> list[Target]:
    """Return the servers with these names."""
    known = {
        "upstream": lambda: Target("upstream", upstream_python()),
        "default": lambda: Target("default", sys.executable),
        "public": lambda: Target("public", sys.executable, "public"),
    }
    return [known[name]() for name in names]


def main() -> None:
    """Attack, print the figures, and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/compliance abuse", description=__doc__)
    parser.add_argument("--only", default="", help=",".join(dict.fromkeys(each.name for each in SCENARIOS)))
    parser.add_argument("--targets", default="upstream,default,public")
    parser.add_argument("--scale", type=float, default=1.0, help="size of each attack; 1 is full size")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    chosen = [each for each in SCENARIOS if not only or each.name in only]
    results: dict[tuple[str, str], Result] = {}
    attacked = targets(asked.targets.split(","))
    with tempfile.TemporaryDirectory() as folder:
        certificates.write(Path(folder))
        for scenario in chosen:
            for target in attacked:
                for attempt in range(1, ATTEMPTS + 1):
                    result = carry_out(scenario, target, Path(folder), asked.scale)
                    result.attempts = attempt
                    results[scenario.title, target.name] = result
                    print(report.line(scenario, target, result), flush=True)
                    if not report.faults([scenario], [target], results):
                        break
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {platform.platform()}\n")
    print(report.table(chosen, attacked, results))
    faults = report.faults(chosen, attacked, results)
    print("\n".join(["", *faults]) if faults else "\nAll figures are within their bounds.")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
