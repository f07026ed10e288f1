"""The command line of a benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.peers import ROOT


def command_line(name: str, description: str | None, peers: Collection[str]) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has: the peers, and the folder of the results."""
    made = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=description)
    add_choice(made, "--only", peers)
    made.add_argument(
        "--output", type=Path, default=ROOT / "benchmarks" / "results", help="folder of results"
    )
    return made


def add_choice(made: argparse.ArgumentParser, option: str, known: Collection[str]) -> None:
    """Add an option whose value is a comma-separated list of names from `known`; the default is all."""
    made.add_argument(
        option, type=_some_of(known), default=list(known), help=f"comma-separated list of {','.join(known)}"
    )


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def take(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"unknown {name!r}; expected {', '.join(known)}")
        return names

    return take
