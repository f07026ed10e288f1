"""Two hosts, the second of which is a network namespace, and the worker processes on them."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT = 30.0
_NUMBERS = itertools.count()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_TIMEOUT, capture_output=True)


class SecondHost:
    """A network namespace that is connected with this one; a context manager.

    :ivar near: the address of this host for the second one.
    :ivar far: the address of the second host.
    """

    def __init__(self) -> None:
        pid, number = os.getpid(), next(_NUMBERS)  # the kernel removes links of a namespace later
        self._name = f"channels-{pid}-{number}"
        self._link = f"ch{pid}-{number}"
        network = f"10.{100 + pid // 250 % 100}.{pid % 250}"
        self.near, self.far = f"{network}.1", f"{network}.2"

    @staticmethod
    def missing() -> str:
        """Return why there cannot be a second host, or an empty string."""
        for program in ("ip", "iptables"):
            if shutil.which(program) is None:
                return f"{program} is not installed; on Debian: apt-get install iproute2 iptables"
        try:
            with SecondHost() as host:
                host.separate(1, "reset")
        except subprocess.CalledProcessError as error:
            return f"network namespaces are not available: {error.stderr.decode().strip()}"
        return ""

    def __enter__(self) -> SecondHost:
        try:
            _run("ip", "netns", "add", self._name)
            _run(
                "ip", "link", "add", self._link, "type", "veth", "peer", "name", "veth0", "netns", self._name
            )
            _run("ip", "address", "add", f"{self.near}/24", "dev", self._link)
            _run("ip", "link", "set", self._link, "up")
            _run("ip", "-n", self._name, "address", "add", f"{self.far}/24", "dev", "veth0")
            for device in ("veth0", "lo"):
                _run("ip", "-n", self._name, "link", "set", device, "up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # This also removes the link.
        subprocess.run(["ip", "netns", "del", self._name], stderr=subprocess.DEVNULL, timeout=_TIMEOUT)

    def inside(self) -> list[str]:
        """Return the command prefix for running a command on the second host."""
        return ["ip", "netns", "exec", self._name]

    def separate(self, port: int, kind: str) -> None:
        """Separate the second host from a server on the first one.

        :param port: the port of the server.
        :param kind: ``"broker"``: drop the packets to and from the server; ``"all"``: drop all packets;
            ``"reset"``: reset the connections to the server.
        """
        rules = {
            "broker": ["INPUT -p tcp --sport {} -j DROP", "OUTPUT -p tcp --dport {} -j DROP"],
            "all": ["INPUT -i veth0 -j DROP", "OUTPUT -o veth0 -j DROP"],
            "reset": ["OUTPUT -p tcp --dport {} -j REJECT --reject-with tcp-reset"],
        }
        for rule in rules[kind]:
            _run(*self.inside(), "iptables", "-A", *rule.format(port).split())

    def connect(self) -> None:
        """Undo `separate`."""
        _run(*self.inside(), "iptables", "-F")


class Worker:
    """One worker, which can be killed and started again.

    :param broker: the URL of the broker.
    :param log: the file for its log.
    :param host: the second host, if the worker runs there.
    :ivar port: its port, which changes with each start.
    """

    def __init__(self, broker: str, log: Path, host: SecondHost | None = None) -> None:
        self.address = "127.0.0.1" if host is None else host.far
        self.port = 0
        self.log = log
        self._before = [] if host is None else host.inside()
        self._broker = broker
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and wait until it listens."""
        command = [
            sys.executable,
            "-m",
            "compliance.channels.worker",
            self._broker,
            "--address",
            self.address,
        ]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._before,
                *command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError(f"a worker did not start:\n{self.log.read_text()}")
        self.port = int(line)

    def print_tasks(self) -> None:
        """Let the process write its tasks to its log, to explain a problem."""
        if self._process is not None:
            self._process.send_signal(signal.SIGUSR1)

    async def stop(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, and wait until the process has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise RuntimeError(f"a worker has not ended {_TIMEOUT} s after signal {number}") from None


@asynccontextmanager
async def running_workers(broker: str, folder: Path, count: int) -> AsyncIterator[list[Worker]]:
    """Run workers on this host."""
    workers = [Worker(broker, folder / f"worker-{number}.log") for number in range(count)]
    try:
        await asyncio.gather(*(worker.start() for worker in workers))
        yield workers
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))


__all__ = ["ROOT", "SecondHost", "Worker", "running_workers"]
