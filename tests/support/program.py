"""Run a program in a separate process, as a user would."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

#: The interpreter that runs the programs.
PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[2]


def output_of(source: str, *arguments: str, options: Sequence[str] = ()) -> str:
    """Run Python code in a separate process, in which warnings are errors, and return its output.

    :param options: further options for the interpreter.
    :raises AssertionError: if it exits with a status other than 0; the message contains the output.
    """
    command = [PYTHON, *options, "-W", "error", "-c", textwrap.dedent(source), *arguments]
    pipe = subprocess.PIPE
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


class PortTaken(AssertionError):
    """Raised if the port of the program is already in use."""


class Program:
    """A context manager that runs ``python script --port=N`` in a separate process, on an unused port.

    The program accepts connections inside the block, and is stopped after it.

    :param script: the path of the script, relative to the repository.
    :param arguments: the arguments, which may contain ``{port}``.
    :param environment: additional environment variables.
    :param deadline: the maximum time until the program accepts connections, in seconds.
    """

    def __init__(
        self,
        script: str | Path,
        arguments: Sequence[str] = ("--port={port}",),
        *,
        environment: Mapping[str, str] | None = None,
        deadline: float = 30.0,
    ) -> None:
        self._script = ROOT / script
        self._arguments = arguments
        # The seeds and some programs of tests use what is deprecated; the demos do not.
        warnings = "error" if self._script.is_relative_to(ROOT / "demos") else "default"
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": warnings}
        self._environment.update(environment or {})
        self._deadline = deadline
        self.port = 0

    def __enter__(self) -> Program:
        for _ in range(4):
            try:
                self._begin()
                return self
            except PortTaken:
                continue  # a process has bound this port by its number; try another port
        self._begin()
        return self

    def _begin(self) -> None:
        # Bound but not listening, with SO_REUSEADDR: the program can bind the port, and the kernel does not
        # assign it to another process.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port = self._reservation.getsockname()[1]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._start()

    def _start(self) -> None:
        arguments = [argument.format(port=self.port) for argument in self._arguments]
        self.process = subprocess.Popen(
            [PYTHON, str(self._script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment,
        )
        try:
            self._wait_until_it_accepts()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def restart(self) -> None:
        """Stop the program and start it again on the same port."""
        self.stop()
        self._start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._log.close()
        self._reservation.close()

    def _wait_until_it_accepts(self) -> None:
        end, pause = time.monotonic() + self._deadline, 0.005
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=self._deadline).close()
                return
            except ConnectionRefusedError:
                pass
            try:
                # A pause that ends early if the program exits.
                status = self.process.wait(pause)
            except subprocess.TimeoutExpired:
                pause = min(pause * 2, 0.2)
                if time.monotonic() > end:
                    raise AssertionError(
                        f"not listening after {self._deadline} s:\n{self.output()}"
                    ) from None
            else:
                if "Address already in use" in self.output():
                    raise PortTaken(self.output())
                raise AssertionError(f"the program exited with status {status}:\n{self.output()}")

    def run_to_its_end(self) -> tuple[int, str]:
        """Run a program that exits without being stopped; return its status and output."""
        done = subprocess.run(
            [PYTHON, str(self._script), *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            timeout=self._deadline,
            text=True,
        )
        return done.returncode, done.stdout

    @property
    def pid(self) -> int:
        """The process ID."""
        return self.process.pid

    def url(self, path: str = "/") -> str:
        """Return the URL of ``path`` on this program."""
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection of `http.client` to the program; the caller closes it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._deadline)

    def output(self) -> str:
        """Return the output of the program so far, standard output and standard error together."""
        self._log.flush()
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def wait(self) -> int:
        """Wait for a program that has been signalled, and return its status."""
        return self.process.wait(self._deadline)

    def stop(self) -> None:
        """Stop the program with SIGTERM, and with SIGKILL if it does not exit within 10 seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
