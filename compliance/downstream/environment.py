"""The virtual environment in which one program's tests run, on upstream or on Waterspout."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from compliance.downstream.program import Program

HERE = Path(__file__).parent
#: Seconds until a service must accept connections.
SERVICE_TIMEOUT = 30


def run(*command: str | Path, **options: object) -> None:
    subprocess.run([str(each) for each in command], check=True, **options)  # type: ignore[call-overload]


class Environment:
    """A directory with a virtual environment, the tests and their logs, which later runs reuse.

    :param program: the program.
    :param folder: the directory that holds the directories of all programs.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.home = folder / program.slug
        self.home.mkdir(parents=True, exist_ok=True)
        self.python = self.home / "venv/bin/python"
        self.tests = self.home / "source"

    def prepare(self, upstream: Path) -> None:
        """Install the program on upstream and fetch its tests, unless the same entry was prepared before.

        :param upstream: upstream's wheel.
        """
        suite = HERE / "suites" / self.program.suite
        entry = repr(self.program) + (suite.read_text() if self.program.suite else "")
        mark = self.home / "prepared"
        if mark.exists() and mark.read_text() == entry:
            return
        shutil.rmtree(self.home)
        self.home.mkdir()
        run(sys.executable, "-m", "venv", "--without-pip", self.home / "venv")
        # The limit also applies to isolated builds of old source distributions, which need modules that
        # setuptools 82 removed.
        (self.home / "constraints.txt").write_text("setuptools<81\n")
        pinned = f"{self.program.name}=={self.program.version}"
        if self.program.no_dependencies:
            self._pip("install", upstream, *self.program.requires)
            self._pip("install", "--no-deps", pinned)
        else:
            self._pip("install", upstream, pinned, *self.program.requires)
        self.tests.mkdir()
        if self.program.source:
            self.tests = self._unpack()
        if self.program.suite:
            shutil.copy(suite, self.tests)
        for command in self.program.setup:
            run("sh", "-ec", command, cwd=self.tests, env=self._variables())
        mark.write_text(entry)

    def install(self, wheel: Path) -> None:
        """Install upstream or Waterspout, replacing the other implementation.

        :param wheel: the implementation's wheel.
        """
        (installed,) = self.python.parents[1].glob("lib/python*/site-packages/tornado-*.dist-info")
        if installed.stem == "-".join(wheel.stem.split("-")[:2]) == "tornado-6.6.1":
            return
        self._pip("install", "--no-deps", "--force-reinstall", wheel)

    def run_tests(self, label: str, arguments: list[str], timeout: float) -> dict[str, str]:
        """Run tests.

        :param label: the name of the log and of the file of outcomes.
        :param arguments: pytest's arguments.
        :param timeout: seconds after which the run is ended.
        :returns: ``passed``, ``failed`` or ``skipped`` for each test.
        """
        self.tests = self._tests()
        file = self.home / f"{label}.jsonl"
        file.unlink(missing_ok=True)
        command = [
            str(self.python),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "downstream_recorder",
        ]
        command += [f"--rootdir={self.tests}", *arguments]
        variables = self._variables() | {"DOWNSTREAM_OUTCOMES": str(file)}
        variables["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(HERE / "plugin"), variables.get("PYTHONPATH")])
        )
        with (self.home / f"{label}.log").open("w") as log, self._services(log):
            process = subprocess.Popen(
                command,
                cwd=self.tests,
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            ending = None
            try:
                status = process.wait(timeout)
                if status not in (0, 1, 5):
                    ending = f"pytest ended with status {status}"
            except subprocess.TimeoutExpired:
                ending = f"pytest was ended after {timeout:.0f} seconds"
            finally:
                # Also end processes that the tests have left running.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        found = read_outcomes(file)
        if ending is not None and "failed" not in found.values():
            found[ending] = "failed"
        return found

    def _tests(self) -> Path:
        """Return the directory in which the tests run, to which the names of the tests are relative."""
        if not self.program.source and not self.program.suite:
            return self.home
        inner = list((self.home / "source").glob("*/"))
        return inner[0] if self.program.source and len(inner) == 1 else self.home / "source"

    def _unpack(self) -> Path:
        download = self.home / "download"
        wanted = f"{self.program.name}=={self.program.version}"
        self._pip("download", "--no-deps", "--no-binary", self.program.name, wanted, "-d", download)
        (archive,) = download.iterdir()
        if archive.suffix == ".zip":
            zipfile.ZipFile(archive).extractall(self.tests)
        else:
            with tarfile.open(archive) as opened:
                opened.extractall(self.tests, filter="data")
        return self._tests()

    def _pip(self, command: str, *arguments: str | Path) -> None:
        """Run pip on the environment, or uv if it is installed, which is many times faster."""
        constraints = str(self.home / "constraints.txt")
        variables = {
            "PIP_CONSTRAINT": constraints,
            "UV_CONSTRAINT": constraints,
            "UV_BUILD_CONSTRAINT": constraints,
        }
        if command == "install" and shutil.which("uv"):
            tool = ["uv", "pip", "install", "--python", self.python]
        else:
            tool = [sys.executable, "-m", "pip", "--python", self.python, command]
        with (self.home / "pip.log").open("a") as log:
            run(*tool, *arguments, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **variables})

    def _variables(self) -> dict[str, str]:
        """Return the environment variables of the tests, without the variables of the environment that runs
        this program."""
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        given = {name: value.format(home=self.home) for name, value in self.program.environment.items()}
        return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(self.home / "venv"), **given}

    @contextlib.contextmanager
    def _services(self, log: object) -> Iterator[None]:
        """Run the program's services, each in a directory that is empty at the start."""
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for number, service in enumerate(self.program.services):
                where = self.home / f"service-{number}"
                shutil.rmtree(where, ignore_errors=True)
                where.mkdir()
                processes.append(
                    subprocess.Popen(  # type: ignore[call-overload]
                        ["sh", "-c", service.command],
                        cwd=where,
                        env=self._variables(),
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,
                    )
                )
                _wait_for(service.port)
            yield
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(SERVICE_TIMEOUT)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def _wait_for(port: int) -> None:
    """Wait until something accepts connections on a local port.

    :raises TimeoutError: if no connection is accepted within `SERVICE_TIMEOUT`.
    """
    deadline = time.monotonic() + SERVICE_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no service accepts connections on port {port} after {SERVICE_TIMEOUT} seconds")


def read_outcomes(file: Path) -> dict[str, str]:
    """Read the recorder's file. If a test is recorded several times, for example by its tear-down, a failure
    takes precedence.
    """
    found: dict[str, str] = {}
    if file.exists():
        for line in file.read_text().splitlines():
            name, outcome = json.loads(line)
            if found.get(name) != "failed":
                found[name] = outcome
    return found
