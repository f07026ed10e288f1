"""The files of docs/guide/deploying.md, and the stand-ins for the commands that they call."""

from __future__ import annotations

import configparser
import http.client
import os
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.support.guides import GUIDE
from tests.support.program import PYTHON
from tests.support.serve import environment
from tests.support.tools import need

PAGE = GUIDE / "deploying.md"
#: The main configuration of nginx, which includes the file of the guide as those of Debian do.
NGINX = """
user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {}
http {
    access_log off;
    @@FILE@@
}
"""
_BLOCK = re.compile(r"^```\w+\n# ([\w.@]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> dict[str, str]:
    """Return the content of each code block, by the file name in its first line."""
    text = PAGE.read_text(encoding="utf-8")
    found = dict(_BLOCK.findall(text))
    assert len(found) == text.count("\n```\n"), "a block without a file name, or with one that is not unique"
    return found


def write_files(folder: Path, replacements: Mapping[str, str] | None = None) -> None:
    """Write all files of the guide into a folder, which also gets a program ``python``.

    :param replacements: replacements in all files, old text -> new text.
    """
    for name, content in blocks().items():
        for old, new in (replacements or {}).items():
            content = content.replace(old, new)
        (folder / name).write_text(content, encoding="utf-8")
    write_command(folder, "python", f'exec {PYTHON} "$@"')


def write_command(folder: Path, name: str, script: str) -> None:
    """Write a shell script that is called instead of the command `name`."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def run_script(
    folder: Path, name: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a shell script of the guide in its folder, whose programs take precedence."""
    if "curl " in (folder / name).read_text():
        need("curl", "curl")
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", name, *arguments],
        cwd=folder,
        env=environment(PATH=path, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        start_new_session=True,  # a signal to the process group must not reach the tests
    )


def unit(folder: Path, name: str) -> configparser.ConfigParser:
    """Parse a systemd unit."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(folder / name)
    return parser


def service(folder: Path, name: str = "app.service") -> configparser.SectionProxy:
    """Return the section ``[Service]`` of a unit."""
    return unit(folder, name)["Service"]


def words_of(folder: Path, name: str = "app.service") -> list[str]:
    """Return the arguments of the interpreter in a unit's ``ExecStart``."""
    program, *words = service(folder, name)["ExecStart"].split()
    assert program.startswith("/srv/app/")
    assert program.endswith("/.venv/bin/python")
    return words


def ask(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    body: bytes | None = None,
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Send a request on a new connection; return the status and the text."""
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    else:
        connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
    with closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()


def rest(sock: socket.socket) -> bytes:
    """Receive until the server closes the connection."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


class Client(threading.Thread):
    """Sends requests on a kept-alive connection until it is told to stop.

    :ivar failed: the statuses and exceptions of requests that have failed.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._stopping = threading.Event()
        self._lock = threading.Condition()
        self.answered = 0
        self.failed: list[object] = []

    def run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            while not self._stopping.is_set():
                try:
                    connection.request("GET", "/")
                    response = connection.getresponse()
                    response.read()
                    outcome: object = response.status
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    outcome = error
                with self._lock:
                    self.answered += 1
                    if outcome != 200:
                        self.failed.append(outcome)
                    self._lock.notify_all()

    def await_more(self, count: int) -> None:
        """Wait until `count` more requests have been answered."""
        with self._lock:
            goal = self.answered + count
            assert self._lock.wait_for(lambda: self.answered >= goal, 60)

    def stop(self) -> None:
        self._stopping.set()
        self.join(60)
        assert not self.is_alive()


__all__ = [
    "NGINX",
    "Client",
    "PAGE",
    "ask",
    "blocks",
    "rest",
    "run_script",
    "service",
    "unit",
    "words_of",
    "write_command",
    "write_files",
]
