"""``python -m tornado serve`` on Windows: one process, which is emulated."""

from __future__ import annotations

import signal
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.platforms import EMULATION
from tests.support.program import PYTHON
from tests.support.serve import Served, environment, write_module

SERVE = (EMULATION, "win32", "-m", "tornado", "serve", "app:application", "--bind=127.0.0.1:0")

APPLICATION = """
from tornado import web

class Greeting(web.RequestHandler):
    async def get(self):
        self.write("{greeting}")
        await self.flush()
        self.finish()

application = web.Application([("/", Greeting)])
"""


def get(port: int) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], ids=["INT", "TERM", "BREAK"]
)
def test_signal_drains_the_only_process(tmp_path: Path, number: signal.Signals) -> None:
    write_module(tmp_path, APPLICATION.format(greeting="Hello"))
    with Served(tmp_path, SERVE) as served:
        port = served.port()
        assert get(port) == b"Hello"
        idle = HTTPConnection("127.0.0.1", port, timeout=30)
        idle.request("GET", "/")
        assert idle.getresponse().read() == b"Hello"
        served.signal(number)
        assert served.end() == 0, served.output
        idle.close()
    assert "Traceback" not in served.output


def test_program_restarts_when_its_source_changes(tmp_path: Path) -> None:
    write_module(tmp_path, APPLICATION.format(greeting="first"))
    with Served(tmp_path, (*SERVE[:-1], f"--bind=127.0.0.1:{free_port()}", "--reload")) as served:
        port = served.port()
        assert get(port) == b"first"
        write_module(tmp_path, APPLICATION.format(greeting="second"))
        assert served.port() == port
        assert get(port) == b"second"
        # The console sends Ctrl+C to both processes; here, the first one passes no signals on.
        child = children_of(served.process.pid)
        for pid in child:
            subprocess.run(["kill", "-INT", str(pid)], check=True)
        served.signal(signal.SIGINT)
        assert served.end() == 0, served.output
    assert "Traceback" not in served.output


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    "option",
    [
        "--workers=2",
        "--preload",
        "--start-timeout=10",
        "--hang-timeout=10",
        "--max-requests=10",
        "--max-memory=1G",
        "--admin=127.0.0.1:0",
        "--pid-file=app.pid",
        "--user=www-data",
        "--group=www-data",
    ],
)
def test_option_that_needs_fork_is_refused(tmp_path: Path, option: str) -> None:
    write_module(tmp_path, APPLICATION.format(greeting="Hello"))
    done = subprocess.run(
        [PYTHON, *SERVE, option], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    name = option.partition("=")[0]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"tornado serve: {name}: {name} requires fork(), which Windows lacks; serve without {name}, or on "
        "Linux or macOS\n"
    )


def test_unix_socket_is_refused(tmp_path: Path) -> None:
    write_module(tmp_path, APPLICATION.format(greeting="Hello"))
    command = [PYTHON, *SERVE[:-1], "--bind=unix:app.sock"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "this platform does not support Unix sockets" in done.stderr
