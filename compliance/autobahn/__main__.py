"""Run Autobahn's cases: ``scripts/compliance autobahn [server|client] [--cases 1.*,9.1.6]``.

The exit status is 1 if a case fails for Waterspout.
"""

from __future__ import annotations

import argparse
import sys

from compliance.autobahn import verdicts
from compliance.autobahn.runner import DIRECTIONS, PROGRAMS, command_of, examine


def main() -> int:
    """Run the cases that the command line selects; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/compliance autobahn", description=__doc__)
    parser.add_argument("direction", nargs="?", choices=DIRECTIONS, help="test only this side")
    every = ",".join(verdicts.PROTOCOL + verdicts.COMPRESSION)
    parser.add_argument("--cases", default=every, help="numbers or patterns (default: all)")
    parser.add_argument(
        "--only", default="ours,upstream", help=f"programs to test: {', '.join(PROGRAMS)} (default: both)"
    )
    parser.add_argument("--jobs", type=int, default=4, help="number of concurrent cases (default: 4)")
    arguments = parser.parse_args()
    cases = arguments.cases.split(",")
    results = {}
    faulty = False
    for name in arguments.only.split(","):
        for direction in [arguments.direction] if arguments.direction else DIRECTIONS:
            found = examine(direction, cases, command_of(name, direction), jobs=arguments.jobs)
            results[PROGRAMS[name].title, direction] = found
            lines = verdicts.faults(found, cases)
            title = f"{PROGRAMS[name].title} as {direction}"
            print(f"{title}: {len(found)} cases, {len(lines)} faults", flush=True)
            for line in lines:
                print(f"    {line}")
            faulty |= bool(lines) and name == "ours"
    print(verdicts.table(results))
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
