"""docs/guide/deploying.md: each of its programs, units and scripts is extracted and used."""

from __future__ import annotations

import configparser
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.program import PYTHON, ROOT, Program

TEXT = (ROOT / "docs/guide/deploying.md").read_text()
#: systemd's socket activation: the sockets are descriptors 3, 4, …; LISTEN_PID is the process id of the
#: program.
ACTIVATE = """
import fcntl, os, sys
count = int(sys.argv[1])
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[2 : 2 + count]]
for number in sys.argv[2 : 2 + count]:
    os.close(int(number))
for place, number in enumerate(given, 3):
    os.dup2(number, place)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.executable, [sys.executable, *sys.argv[2 + count :]])
"""


def blocks() -> dict[str, str]:
    """Return the content of each code block that starts with a file name in a comment, by file name."""
    found = {}
    for block in re.findall(r"^ *```\w+\n(.*?)^ *```$", TEXT, re.DOTALL | re.MULTILINE):
        content = textwrap.dedent(block)
        name = re.match(r"# ([\w.@]+)\n", content)
        assert name is not None, f"a block without a name:\n{content}"
        found[name[1]] = content
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files of the guide."""
    for name, content in blocks().items():
        (tmp_path / name).write_text(content)
    return tmp_path


def ask(address: tuple[str, int], path: str = "/", context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Send a request; return the status and the text."""
    if context is None:
        connection = http.client.HTTPConnection(*address, timeout=30)
    else:
        connection = http.client.HTTPSConnection(*address, timeout=30, context=context)
    with closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def rest(sock: socket.socket) -> bytes:
    """Receive until the server closes the connection."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def unit(folder: Path, name: str) -> configparser.ConfigParser:
    """Parse a systemd unit."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(folder / name)
    return parser


def test_guide_contains_the_expected_files():
    programs = {"app.py", "forking.py"}
    units = {"app.service", "app@.service", "app.socket"}
    scripts = {"try.sh", "rolling.sh", "two.sh", "tls.sh", "descriptors.sh"}
    assert set(blocks()) == programs | units | scripts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_serves_until_signalled(folder, number):
    with Program(folder / "app.py") as program:
        assert ask(("127.0.0.1", program.port)) == (200, f"Hello from process {program.pid}\n")
        assert ask(("127.0.0.1", program.port), "/healthz") == (200, "ok\n")
        os.kill(program.pid, number)
        assert program.wait() == 0
        assert "Traceback" not in program.output()


def test_occupied_port_is_reported_in_one_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output = Program(folder / "app.py", [f"--port={port}"]).run_to_its_end()
    assert status == 1
    assert len(output.splitlines()) == 1
    assert f"port {port}" in output


def test_the_unit_for_each_port_trusts_the_proxy(folder):
    command = unit(folder, "app@.service")["Service"]["ExecStart"].split()
    assert command[:3] == ["/srv/app/.venv/bin/python", "app.py", "--port=80%i"]
    with Program(folder / "app.py", ["--port={port}", *command[3:]]) as program:
        forwarded = {"X-Real-Ip": "192.0.2.7", "X-Scheme": "https"}
        with closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)) as connection:
            connection.request("GET", "/address", headers=forwarded)
            assert connection.getresponse().read() == b"192.0.2.7 by https\n"
    with Program(folder / "app.py") as program:
        with closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)) as connection:
            connection.request("GET", "/address", headers=forwarded)
            assert connection.getresponse().read() == b"127.0.0.1 by http\n"


@contextmanager
def activated(folder: Path, *listeners: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program as the unit does; it inherits these sockets."""
    command = unit(folder, "app.service")["Service"]["ExecStart"].split()
    assert command[0] == "/srv/app/.venv/bin/python"
    numbers = [str(listener.fileno()) for listener in listeners]
    process = subprocess.Popen(
        [PYTHON, "-c", ACTIVATE, str(len(numbers)), *numbers, *command[1:]],
        cwd=folder,
        pass_fds=[listener.fileno() for listener in listeners],
        stderr=subprocess.PIPE,
    )
    try:
        yield process
        process.terminate()
        output = process.communicate(timeout=30)[1]
        assert (process.returncode, output) == (0, b"")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("blocking", [False, True], ids=["nonblocking", "blocking"])
def test_program_serves_inherited_sockets(folder, blocking):
    host, port = unit(folder, "app.socket")["Socket"]["ListenStream"].split(":")
    assert int(port) == 8888
    with socket.create_server((host, 0)) as first, socket.create_server((host, 0)) as second:
        for listener in (first, second):
            listener.setblocking(blocking)
        # The connection was made before the process started, and waits in the kernel's queue.
        with socket.create_connection(first.getsockname(), timeout=30) as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            with activated(folder, first, second) as process:
                assert rest(early).endswith(b"ok\n")
                for listener in (first, second, first):
                    assert ask(listener.getsockname()) == (200, f"Hello from process {process.pid}\n")


def test_connection_during_restart_is_served_by_the_next_process(folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with activated(folder, listener) as process:
            assert ask(listener.getsockname()) == (200, f"Hello from process {process.pid}\n")
        with socket.create_connection(listener.getsockname(), timeout=30) as between:
            between.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            with activated(folder, listener) as process:
                assert rest(between).endswith(b" %d\n" % process.pid)


def test_inherited_unix_socket(folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "app.sock"))
        listener.listen()
        with activated(folder, listener), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(folder / "app.sock"))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert rest(client).endswith(b"ok\n")


def test_units_match_the_text(folder):
    service = unit(folder, "app.service")["Service"]
    assert int(service["LimitNOFILE"]) == 65536
    assert int(service["TimeoutStopSec"]) > 10
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return  # the units cannot be checked without systemd
    text = (folder / "app.service").read_text()
    text = text.replace("/srv/app/.venv/bin/python", PYTHON).replace("User=app\n", "")
    (folder / "app.service").write_text(text)
    template = (folder / "app@.service").read_text()
    template = template.replace("/srv/app/.venv/bin/python", PYTHON).replace("User=app\n", "")
    (folder / "app@.service").write_text(template)
    files = [str(folder / name) for name in ("app.service", "app@.service", "app.socket")]
    done = subprocess.run(
        [verify, "verify", "--man=no", *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    ours = [line for line in done.stdout.decode().splitlines() if str(folder) in line]
    assert ours == []


def test_two_processes_on_one_port(folder):
    (folder / "python").write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    (folder / "python").chmod(0o755)
    with reserve_shared() as reservation:
        port = reservation.getsockname()[1]
        environment = {**os.environ, "PORT": str(port), "PATH": f"{folder}:{os.environ['PATH']}"}
        script = subprocess.Popen(
            ["/bin/sh", "two.sh"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
        )
        try:
            assert len(answering(("127.0.0.1", port), 2)) == 2
        finally:
            script.terminate()
            assert script.wait(30) in (0, 128 + signal.SIGTERM)


def reserve_shared() -> socket.socket:
    """Like `reserve`, for programs that bind with SO_REUSEPORT."""
    sock = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def answering(address: tuple[str, int], count: int) -> set[str]:
    """Send requests until `count` different processes have responded."""
    seen: set[str] = set()
    end = time.monotonic() + 30
    while len(seen) < count:
        assert time.monotonic() < end, f"expected more processes, got {seen}"
        try:
            status, text = ask(address)
        except (ConnectionError, http.client.HTTPException):
            continue  # not listening yet
        assert status == 200
        seen.add(text)
    return seen


def test_killed_child_is_replaced(folder):
    arguments = ("--port={port}", "--processes=2", "--logging=error")
    with Program(folder / "forking.py", arguments) as program:
        address = ("127.0.0.1", program.port)
        first = answering(address, 2)
        killed = int(min(first).split()[-1])
        assert killed != program.pid
        os.kill(killed, signal.SIGKILL)
        assert len(answering(address, 2) | first) >= 2
        while answering(address, 2) <= first:
            pass
        for child in children(program.pid):
            os.kill(child, signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_the_parent_ends_all_processes(folder, number):
    arguments = ("--port={port}", "--processes=2", "--logging=error")
    with Program(folder / "forking.py", arguments) as program:
        address = ("127.0.0.1", program.port)
        answering(address, 2)
        os.kill(program.pid, number)
        assert program.wait() == (0 if number == signal.SIGTERM else -signal.SIGINT)
        with pytest.raises(ConnectionRefusedError):
            ask(address)


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_program_serves_tls(folder, certificates):
    arguments = (
        "--port={port}",
        f"--certificate={certificates.certificate_file}",
        f"--key={certificates.key_file}",
    )
    with Program(folder / "app.py", arguments) as program:
        answer = ask(("localhost", program.port), context=certificates.client_context)
        assert answer == (200, f"Hello from process {program.pid}\n")


def test_recovery_after_running_out_of_descriptors(folder):
    start = "import os,resource,sys; resource.setrlimit(resource.RLIMIT_NOFILE,(40,40));"
    start += "os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
    (folder / "limited.py").write_text(start)
    with Program(folder / "limited.py", (str(folder / "app.py"), "--port={port}", "--proxy")) as program:
        limits = Path(f"/proc/{program.pid}/limits").read_text()
        assert re.search(r"Max open files +40 +40 ", limits)
        address = ("127.0.0.1", program.port)
        held = [socket.create_connection(address, timeout=30) for _ in range(60)]
        try:
            while "ulimit -n" not in program.output():
                pass
            assert len(os.listdir(f"/proc/{program.pid}/fd")) <= 40
        finally:
            for sock in held:
                sock.close()
        assert ask(address) == (200, f"Hello from process {program.pid}\n")
