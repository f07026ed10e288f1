"""The entries of ``programs/*.json``: a distribution, its tests to run, and their requirements."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "programs"
#: pytest's options whose value is the next argument.
WITH_VALUE = {"-W", "-m", "-k", "-p", "-o", "-c", "-r", "-n", "--ignore", "--import-mode"}


@dataclass
class Service:
    """A server that runs during the tests, such as Redis.

    :ivar command: its shell command, run in an empty directory.
    :ivar port: the local TCP port on which it accepts connections once it is ready.
    """

    command: str
    port: int


@dataclass
class Program:
    """One program: a distribution, and the tests to run.

    :ivar name: the distribution.
    :ivar version: its version.
    :ivar title: its name in the table and for ``--only``; set if one distribution is run in several parts.
    :ivar requires: further requirements of its tests, pinned.
    :ivar no_dependencies: whether to ignore the distribution's own requirements, such as an older Tornado.
    :ivar suite: a file in ``suites/``, used instead of ``tests`` for a distribution that includes no tests.
    :ivar tests: pytest's arguments. Paths are relative to the source distribution or, with ``source`` false,
        to an empty directory.
    :ivar source: whether to unpack the source distribution and run the tests there.
    :ivar setup: shell commands run once in the tests' directory, with the environment's programs in PATH.
    :ivar environment: further environment variables; ``{home}`` is the program's working directory.
    :ivar needs: commands that must be installed; if one is missing, the program is not run.
    :ivar services: servers that run during the tests.
    :ivar timeout: the maximum duration of the suite in seconds.
    :ivar deselect: tests that are not run, each with the reason.
    :ivar accepted: tests that may fail on Waterspout only, each with the reason.
    """

    name: str
    version: str
    title: str = ""
    requires: list[str] = field(default_factory=list)
    no_dependencies: bool = False
    suite: str = ""
    tests: list[str] = field(default_factory=list)
    source: bool = True
    setup: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    timeout: float = 1200
    deselect: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.title = self.title or self.name
        if self.suite:
            self.source = False
            self.tests = [self.suite, *self.tests]
        self.services = [Service(**each) if isinstance(each, dict) else each for each in self.services]

    @property
    def slug(self) -> str:
        """The title as a file name."""
        return "".join(each if each.isalnum() or each in "-_." else "-" for each in self.title.lower())

    def options(self) -> list[str]:
        """Return the arguments of pytest that are not paths, for another selection of tests."""
        found: list[str] = []
        arguments = iter(self.tests)
        for argument in arguments:
            if argument.startswith("-"):
                found.append(argument)
                if argument in WITH_VALUE:
                    found.append(next(arguments))
        return found


def load(folder: Path = FOLDER) -> list[Program]:
    """Return all programs, in the order of the table.

    :raises ValueError: if two entries have the same title.
    """
    programs = [
        Program(**entry) for file in sorted(folder.glob("*.json")) for entry in json.loads(file.read_text())
    ]
    slugs = [each.slug for each in programs]
    if twice := {each for each in slugs if slugs.count(each) > 1}:
        raise ValueError(f"several programs have the same title: {', '.join(sorted(twice))}")
    return sorted(programs, key=lambda each: each.slug)
