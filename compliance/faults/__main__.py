"""Run the fault scenarios: ``scripts/compliance faults [--clients N] [--requests N] [--only TEXT] …``."""

from __future__ import annotations

import argparse
import platform
import ssl
import sys
import tempfile
import time
from pathlib import Path

import trustme

from compliance.faults import scenarios


def certificates(folder: str) -> scenarios.Tls:
    """Create a certificate for ``localhost``, of an authority created for this run."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = Path(folder) / "server.pem", Path(folder) / "server.key"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return scenarios.Tls(str(certificate), str(key), context)


def line(outcome: scenarios.Outcome, seconds: float) -> str:
    """Format a row of the table in README.md."""
    if outcome.skipped:
        return f"| {outcome.name} | skipped: {outcome.skipped} | | | | | |"
    before, after = outcome.before, outcome.after
    held = [f"{before[name]} → {after[name]}" for name in ("descriptors", "tasks", "objects")]
    memory = f"{before['rss'] / 1024:.1f} → {after['rss'] / 1024:.1f}"
    counts = f"{outcome.counts.requests:,} | {outcome.faults:,} | {outcome.counts.failures:,}"
    return f"| {outcome.name} | {counts} | {' · '.join(held)} | {memory} | {seconds:.0f} |"


def main() -> None:
    """Run the scenarios, print the table, and exit with status 1 if there are problems."""
    parser = argparse.ArgumentParser(prog="scripts/compliance faults", description=__doc__)
    parser.add_argument("--clients", type=int, default=scenarios.FULL.clients)
    parser.add_argument(
        "--requests", type=int, default=scenarios.FULL.requests, help="requests per client and round"
    )
    parser.add_argument(
        "--resets", type=int, default=scenarios.FULL.resets, help="resets per point and round"
    )
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    arguments = parser.parse_args()
    size = scenarios.Size(arguments.clients, arguments.requests, arguments.resets)
    print(f"CPython {platform.python_version()}, {platform.system()} {platform.release()}\n")
    print(
        "| scenario | requests | faults | failures | descriptors · tasks · objects | memory, MiB | seconds |"
    )
    print("|---|---:|---:|---:|---|---|---:|", flush=True)
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for name, scenario in scenarios.everything(size, certificates(folder), scenarios.available_loops()):
            if arguments.only not in name:
                continue
            start = time.monotonic()
            outcome = scenario()
            print(line(outcome, time.monotonic() - start), flush=True)
            problems += [f"{outcome.name}: {problem}" for problem in outcome.problems()]
    print("", *problems, sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
