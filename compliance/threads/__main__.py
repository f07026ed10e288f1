"""Serve and fetch in several threads, and compare each response: ``scripts/compliance threads``.

The results are printed. The exit status is 1 if there was an error.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys

from compliance.threads.run import Outcome, run


def has_gil() -> bool:
    """Return whether the interpreter has enabled the GIL."""
    enabled: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    return enabled


def table(outcome: Outcome) -> str:
    """Return the results as a table in Markdown."""
    rows = [
        ("threads", f"{outcome.threads}"),
        ("GIL", "yes" if has_gil() else "no"),
        ("seconds", f"{outcome.seconds:.1f}"),
        ("responses", f"{sum(outcome.requests.values()):,}"),
        *((f"scenario {name}", f"{count:,}") for name, count in sorted(outcome.done.items())),
        ("errors", f"{len(outcome.errors)}"),
    ]
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> int:
    """Run the test that the command line selects; print the results."""
    parser = argparse.ArgumentParser(prog="scripts/compliance threads", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0, help="duration (default: 60)")
    parser.add_argument(
        "--switch-interval",
        type=float,
        default=1e-6,
        help="seconds after which a build with a GIL changes the thread (default: 0.000001)",
    )
    arguments = parser.parse_args()
    if arguments.threads < 1:
        parser.error("--threads must be positive")
    logging.getLogger("tornado.general").setLevel(logging.ERROR)  # malformed requests are part of the test
    began_with_gil = has_gil()
    outcome = run(arguments.threads, seconds=arguments.seconds, switch_interval=arguments.switch_interval)
    if has_gil() and not began_with_gil:
        outcome.errors.append("an import has enabled the GIL")
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}\n")
    print(table(outcome))
    print("", *(outcome.errors or ["No errors."]), sep="\n")
    return bool(outcome.errors)


if __name__ == "__main__":
    sys.exit(main())
