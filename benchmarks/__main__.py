"""Run a benchmark: ``python -m benchmarks server --only ours,tornado --scenario root``."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def runners() -> dict[str, str]:
    """Return the modules of the benchmarks by their names on the command line."""
    mains = sorted(HERE.glob("*/__main__.py")) + sorted(HERE.glob("*/*/__main__.py"))
    return {path.parent.name: ".".join(path.parent.relative_to(HERE.parent).parts) for path in mains}


def main() -> None:
    """Run the benchmark that the first argument names; without an argument, the server benchmark."""
    known = runners()
    name = "server"
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        name = sys.argv.pop(1)
    if name not in known:
        sys.exit(f"scripts/bench: unknown benchmark {name!r}; expected one of {', '.join(sorted(known))}")
    runpy.run_module(known[name], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
