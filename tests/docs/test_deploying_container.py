"""docs/guide/deploying.md: the Dockerfile is parsed, and its commands are run as process 1."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.deployment import ask, blocks, write_files
from tests.support.program import PYTHON
from tests.support.serve import Served, environment
from tests.support.supervisor import children

#: Ends with the arguments: the interpreter, which becomes process 1 of a new PID namespace.
UNSHARE = "import os, sys; os.execvp('unshare', ['unshare', '-pf', '--mount-proc', *sys.argv[1:]])"
ORDER = ["FROM", "COPY", "RUN", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"]


@dataclass
class Image:
    """What the Dockerfile says.

    :ivar instructions: the instructions with their arguments.
    :ivar variables: the environment variables.
    """

    instructions: list[tuple[str, str]]
    variables: dict[str, str] = field(default_factory=dict)

    def argument(self, name: str) -> str:
        """Return the argument of the only instruction with this name."""
        [found] = [argument for instruction, argument in self.instructions if instruction == name]
        return found

    def arguments(self, name: str) -> list[str]:
        """Return the arguments of a command in exec form, without the interpreter."""
        program, *words = json.loads(self.argument(name).partition("CMD ")[2] or self.argument(name))
        assert program == "python"
        return [str(word) for word in words]


def image() -> Image:
    """Parse the Dockerfile. Lines that end with a backslash are continued."""
    text = re.sub(r"\\\n\s*", "", blocks()["Dockerfile"])
    found = Image([(line.split()[0], line.partition(" ")[2]) for line in text.splitlines()])
    found.variables = dict(word.split("=", 1) for word in found.argument("ENV").split())
    return found


def test_instructions_are_those_that_the_text_explains(tmp_path):
    assert [name for name, _ in image().instructions] == ORDER
    write_files(tmp_path)
    *copied, place = image().instructions[5][1].split()
    assert place == "./"
    assert [name for name in copied if not (tmp_path / name).exists()] == []


def test_commands_of_the_image_are_valid_shell():
    for name, argument in image().instructions:
        if name == "RUN":
            assert subprocess.run(["/bin/sh", "-n", "-c", argument]).returncode == 0


def check_health(port: int) -> int:
    """Run the health check of the image, and return its status."""
    words = [word.replace("8888", str(port)) for word in image().arguments("HEALTHCHECK")]
    return subprocess.run([PYTHON, *words], stderr=subprocess.DEVNULL, timeout=60).returncode


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True).returncode != 0,
    reason="unshare is not permitted, so that a test cannot have a process with the ID 1",
)
def test_command_is_process_1_and_obeys_docker_stop(tmp_path: Path):
    write_files(tmp_path)
    variables = image().variables
    assert variables["WATERSPOUT_BIND"] == f"0.0.0.0:{image().argument('EXPOSE')}"
    variables["WATERSPOUT_BIND"] = "0.0.0.0:0"
    words = ["-c", UNSHARE, PYTHON, *image().arguments("CMD")]
    with Served(tmp_path, words, variables=variables) as running:
        port = running.port()
        assert ask(port, "/healthz") == (200, "ok\n")
        # The PID namespace has its own numbers: a worker is a child of process 1.
        assert int(ask(port)[1].split()[-1]) < 100
        assert check_health(port) == 0
        # Only a proxy in the network of the setting is trusted.
        assert ask(port, "/address", headers={"X-Real-Ip": "192.0.2.1"})[1] == "127.0.0.1 by http\n"
        [first] = children(running.process.pid)
        os.kill(first, signal.SIGTERM)
        assert running.end() == 0
        assert check_health(port) != 0


def test_proxy_in_the_network_of_the_setting_is_trusted(tmp_path):
    network = image().variables["WATERSPOUT_TRUSTED_PROXIES"]
    write_files(tmp_path)
    done = subprocess.run(
        [PYTHON, *image().arguments("CMD"), "--print-config"],
        cwd=tmp_path,
        env=environment(**image().variables),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert re.search(rf"^trusted_proxies +{re.escape(network)} +WATERSPOUT", done.stdout, re.MULTILINE)
    assert re.search(r"^bind +0.0.0.0:8888 +WATERSPOUT_BIND$", done.stdout, re.MULTILINE)
