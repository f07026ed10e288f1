"""Programs served by the command ``python -m tornado``, in separate processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.program import PYTHON
from tornado._serve.configuration import Configuration, load

#: A small application, for a module of a test.
APPLICATION = """
from tornado import web

class Hello(web.RequestHandler):
    def get(self):
        self.write("Hello")

application = web.Application([("/", Hello)])
"""


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a program, without variables of the command and with warnings as errors."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATERSPOUT_")}
    return {**inherited, "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1", **variables}


def write_module(folder: Path, source: str, name: str = "app") -> None:
    """Write a module of a program."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")


def run_command(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m tornado`` in `folder` to its end."""
    return subprocess.run(
        [PYTHON, "-m", "tornado", *arguments],
        cwd=folder,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Served:
    """A context manager that runs a program in `folder`, and ends it with SIGKILL if it still runs.

    :param words: the arguments of the interpreter.
    :param descriptors: file descriptors that the program inherits.
    """

    def __init__(
        self,
        folder: Path,
        words: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.output = ""
        self.process = subprocess.Popen(
            [PYTHON, *words],
            cwd=folder,
            env=environment(**(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            text=True,
        )

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read the output until a line matches a regular expression, and return the match.

        :raises AssertionError: if the program ends before.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line matches {pattern!r}:\n{self.output}")

    def port(self) -> int:
        """Wait until the program accepts connections, and return its port."""
        return int(self.wait_for(r"(?:listening|serving \S+) on https?://localhost:(\d+)")[1])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Read the rest of the output, wait for the end, and return the status."""
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait(60)


def configuration_of(*words: str) -> Configuration:
    """Return the configuration of a command line, without the environment and its target."""
    return load(["app", *words], {})


def serve(folder: Path, *arguments: str, **options: object) -> Served:
    """Run ``python -m tornado serve`` in `folder`."""
    return Served(folder, ["-m", "tornado", "serve", *arguments], **options)  # type: ignore[arg-type]
