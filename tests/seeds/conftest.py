"""Fixtures for the tests of the seeds, which run their programs as a user does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.program import Program

PROGRAMS = Path(__file__).parent / "programs"

Start = Callable[..., Program]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """``start(name, *arguments)`` runs a server of the seeds until the last test of the file.

    The port is the first argument, unless an argument contains it. A program is started once for the same
    arguments.
    """
    with ExitStack() as stack:
        running: dict[tuple[str, ...], Program] = {}

        def start(name: str, *arguments: str, fresh: bool = False) -> Program:
            key = (name, *arguments)
            if key not in running or fresh:
                given = arguments if any("{port}" in each for each in arguments) else ("{port}", *arguments)
                running[key] = stack.enter_context(Program(PROGRAMS / name, given))
            return running[key]

        yield start


def run(name: str, *arguments: str) -> str:
    """Run a program of the seeds that exits without being stopped, and return its output."""
    status, output = Program(PROGRAMS / name, arguments).run_to_its_end()
    assert status == 0, output
    return output
