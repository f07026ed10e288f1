"""Fuzz one target with atheris, in the environment that ``scripts/fuzz`` creates.

New inputs are stored separately from the seeds, in ``.venvs/atheris-3.0.0/corpus``. An input that fails is
written to ``.venvs/atheris-3.0.0/failed``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

FUZZ = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the command line and run the target."""
    targets = sorted(path.stem for path in FUZZ.glob("*.py"))
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz a parser with atheris.")
    parser.add_argument("target", choices=targets, metavar="TARGET", help=", ".join(targets))
    parser.add_argument("--minutes", type=float, default=3, help="duration in minutes (default: 3)")
    parser.add_argument(
        "--max-size", type=int, default=4096, help="maximum size of an input in bytes (default: 4096)"
    )
    chosen = parser.parse_args()
    with atheris.instrument_imports(include=["tornado", "fuzz"]):
        module = importlib.import_module(f"fuzz.{chosen.target}")
    found, failed = (Path(sys.prefix) / folder / chosen.target for folder in ("corpus", "failed"))
    for folder in (found, failed):
        folder.mkdir(parents=True, exist_ok=True)
    seeds = FUZZ / "corpus" / chosen.target
    options = [
        f"-max_total_time={round(chosen.minutes * 60)}",
        f"-max_len={chosen.max_size}",
        f"-artifact_prefix={failed}/",
        "-timeout=10",
        "-print_final_stats=1",
    ]
    atheris.Setup([chosen.target, *options, str(found), str(seeds)], module.TestOneInput)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
