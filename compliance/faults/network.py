"""Two connected network namespaces with packet loss. Needs Linux, root, iproute2 and iptables."""

from __future__ import annotations

import os
import shutil
import subprocess
from types import TracebackType


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=30, capture_output=True)


class Network:
    """The namespaces ``server`` and ``client`` of this process; a context manager."""

    SERVER = "10.199.0.1"
    CLIENT = "10.199.0.2"

    def __init__(self) -> None:
        self._names = {side: f"faults-{os.getpid()}-{side}" for side in ("server", "client")}

    @staticmethod
    def missing() -> str:
        """Return why namespaces are not available, or an empty string."""
        for program in ("ip", "iptables"):
            if shutil.which(program) is None:
                return f"{program} is not installed; on Debian: apt-get install iproute2 iptables"
        name = f"faults-{os.getpid()}-try"
        try:
            _run("ip", "netns", "add", name)
        except subprocess.CalledProcessError as error:
            return f"network namespaces are not available: {error.stderr.decode().strip()}"
        try:
            _run("ip", "netns", "exec", name, "iptables", *_losing(0.5))
        except subprocess.CalledProcessError as error:
            return f"iptables cannot drop packets: {error.stderr.decode().strip()}"
        finally:
            _run("ip", "netns", "del", name)
        return ""

    def __enter__(self) -> Network:
        try:
            for name in self._names.values():
                _run("ip", "netns", "add", name)
            server, client = self._names["server"], self._names["client"]
            cable = ("veth0", "netns", server, "type", "veth", "peer", "name", "veth0", "netns", client)
            _run("ip", "link", "add", *cable)
            for name, address in ((server, self.SERVER), (client, self.CLIENT)):
                _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "veth0")
                _run("ip", "-n", name, "link", "set", "veth0", "up")
                _run("ip", "-n", name, "link", "set", "lo", "up")
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
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, timeout=30)

    def inside(self, side: str) -> list[str]:
        """Return the command prefix for running a command in one of the namespaces."""
        return ["ip", "netns", "exec", self._names[side]]

    def lose(self, probability: float) -> None:
        """Drop this share of the packets that arrive in either namespace: 0 for none, 1 for all."""
        for side in self._names:
            _run(*self.inside(side), "iptables", "-F", "INPUT")
            if probability:
                _run(*self.inside(side), "iptables", *_losing(probability))


def _losing(probability: float) -> list[str]:
    chance = ["-m", "statistic", "--mode", "random", "--probability", str(probability)]
    return ["-A", "INPUT", *(chance if probability < 1 else []), "-j", "DROP"]
