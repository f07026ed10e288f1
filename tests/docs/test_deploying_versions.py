"""docs/guide/deploying.md: a new version in place, and by two instances that take turns."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.deployment import (
    NGINX,
    PAGE,
    Client,
    ask,
    blocks,
    run_script,
    service,
    words_of,
    write_command,
    write_files,
)
from tests.support.nginx import Nginx, reserve
from tests.support.program import PYTHON
from tests.support.serve import Served, serve
from tests.support.supervisor import ServiceManager, children

#: ``systemctl reload app``: the ``ExecReload`` of the unit.
RELOAD = """
test "$1 $2" = "reload app" || exit 1
MAINPID=$(cat app.pid)
{command}
"""
#: ``systemctl start`` and ``stop``: tell the test, and wait for the result.
START_OR_STOP = """
import os, socket, sys

with socket.socket(socket.AF_UNIX) as channel:
    channel.connect("manager")
    channel.sendall(" ".join(sys.argv[1:]).encode())
    channel.shutdown(socket.SHUT_WR)
    sys.exit(0 if channel.recv(10) == b"done" else 1)
"""


def change(folder: Path, greeting: str) -> None:
    """Write a new version of the program into a folder. The size differs from that of the first one."""
    source = blocks()["app.py"]
    assert "Hello from" in source
    (folder / "app.py").write_text(source.replace("Hello from", f"{greeting} from"))


def successor(port: int, before: set[int]) -> str:
    """Return the response of a worker that was started after others, which may still be draining."""
    end = time.monotonic() + 60
    while True:
        text = ask(port)[1]
        if int(text.split()[-1]) not in before:
            return text
        assert time.monotonic() < end, f"expected a new worker, got {text!r}"


# -- in place --


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the service, with a stand-in for ``systemctl`` and an environment."""
    folder = tmp_path / "app"
    folder.mkdir()
    write_files(folder, {"/srv/app": str(folder)})
    (folder / ".venv/bin").mkdir(parents=True)
    shutil.copy(folder / "python", folder / ".venv/bin/python")
    (folder / "release").mkdir()
    command = service(folder)["ExecReload"]
    write_command(folder, "systemctl", RELOAD.format(command=command))
    return folder


def update(folder: Path) -> int:
    """Deploy the folder ``release``, and return the status of the script."""
    return run_script(folder, "update.sh").returncode


def test_update_in_place(folder):
    with serve(folder, "--bind=127.0.0.1:0", "--pid-file=app.pid") as running:
        port = running.port()
        before = children(running.process.pid)
        assert ask(port)[1].startswith("Hello from")
        change(folder / "release", "Good evening")
        assert update(folder) == 0
        running.wait_for("reload complete")
        assert successor(port, before).startswith("Good evening from")
        # The check finds a mistake before anything is replaced.
        (folder / "release/app.py").write_text("import no_such_module\n")
        assert update(folder) == 1
        assert successor(port, before).startswith("Good evening from")


def test_version_that_cannot_start_changes_nothing(folder):
    with serve(folder, "--bind=127.0.0.1:0", "--pid-file=app.pid") as running:
        port = running.port()
        before = blocks()["app.py"]
        # `check` does not run the lifespan.
        broken = before.replace("    yield\n", '    raise RuntimeError("no database")\n    yield\n')
        assert broken != before
        (folder / "release/app.py").write_text(broken)
        assert update(folder) == 0
        running.wait_for("reload failed")
        running.wait_for("no database")
        assert ask(port)[1].startswith("Hello from")


def test_link_to_the_folder_is_followed_only_at_the_start(tmp_path):
    for name, greeting in (("one", "First"), ("two", "Second")):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name)
        change(tmp_path / name, greeting)
    current = tmp_path / "current"
    current.symlink_to("one")
    with serve(current, "--bind=127.0.0.1:0", f"--pid-file={tmp_path}/app.pid") as running:
        port = running.port()
        before = children(running.process.pid)
        current.unlink()
        current.symlink_to("two")
        os.kill(running.process.pid, signal.SIGHUP)
        running.wait_for("reload complete")
        assert successor(port, before).startswith("First from")


# -- blue and green --


class Instances:
    """The instances of ``app@.service``, and a stand-in for systemd that starts and stops them.

    :param folder: the folder of both instances, and of their sockets.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, Served] = {}
        self._stack = ExitStack()
        for name in ("blue", "green"):
            (folder / name).mkdir()
            write_files(folder / name)
            change(folder / name, name.title())
        write_files(folder, {"/run/app": str(folder)})
        write_command(folder, "systemctl", f'exec {PYTHON} systemctl.py "$@"')
        (folder / "systemctl.py").write_text(START_OR_STOP)

    def __enter__(self) -> Instances:
        self.manager = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self.manager.bind(str(self.folder / "manager"))
        self.manager.listen()
        self.manager.settimeout(60)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self, name: str) -> bool:
        """Start an instance as its unit says; return whether it is ready."""
        folder = self.folder / name
        words = [word.replace("%i", name) for word in words_of(self.folder, "app@.service")]
        (folder / "notify").unlink(missing_ok=True)
        manager = self._stack.enter_context(ServiceManager(folder))
        running = self._stack.enter_context(
            Served(folder, [*words, "--workers=2"], variables={"NOTIFY_SOCKET": manager.path})
        )
        try:
            running.wait_for("serving app:make_app")
        except AssertionError:
            return False
        manager.wait_for("READY=1")
        self._running[name] = running
        return True

    def stop(self, name: str) -> bool:
        """Stop an instance; return whether it has drained."""
        running = self._running.pop(name)
        running.process.terminate()
        return running.end() == 0

    def serve_commands(self, count: int) -> list[str]:
        """Answer `count` calls of ``systemctl``, and return them."""
        calls = []
        for _ in range(count):
            with self.manager.accept()[0] as call:
                calls.append(call.makefile().read())
                action, _, unit = calls[-1].partition(" ")
                name = unit.removeprefix("app@")
                done = self.start(name) if action == "start" else self.stop(name)
                call.sendall(b"done" if done else b"failed")
        return calls

    def switch(self, new: str, old: str, calls: list[str]) -> int:
        """Run the script of the guide, which makes these calls; return its status."""
        with ThreadPoolExecutor() as pool:
            script = pool.submit(run_script, self.folder, "switch.sh", new, old)
            assert self.serve_commands(len(calls)) == calls
            return script.result().returncode


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[Instances]:
    """Two instances, of which blue runs and is in use."""
    with Instances(tmp_path) as made:
        assert made.start("blue")
        (tmp_path / "current").symlink_to("blue.sock")
        yield made


@pytest.fixture
def site(instances: Instances) -> Iterator[int]:
    """The port of nginx in front of the instances."""
    socket_file = f"unix:{instances.folder}/current"
    line = f"server {socket_file} max_fails=0;"
    assert line.replace(str(instances.folder), "/run/app") in PAGE.read_text()
    text = blocks()["app.conf"].replace("server 127.0.0.1:8888 max_fails=0;", line)
    with reserve() as reservation:
        port = reservation.getsockname()[1]
        replacements = {"listen 80;": f"listen 127.0.0.1:{port};"}
        with Nginx(instances.folder, NGINX.replace("@@FILE@@", text), replacements, port):
            yield port


def test_green_replaces_blue_without_losing_a_request(instances, site):
    assert ask(site)[1].startswith("Blue from")
    clients = [Client(site) for _ in range(8)]
    for client in clients:
        client.start()
    clients[0].await_more(20)
    assert instances.switch("green", "blue", ["start app@green", "stop app@blue"]) == 0
    assert ask(site)[1].startswith("Green from")
    clients[0].await_more(20)
    # The way back.
    assert instances.switch("blue", "green", ["start app@blue", "stop app@green"]) == 0
    assert ask(site)[1].startswith("Blue from")
    for client in clients:
        client.await_more(20)
        client.stop()
    assert [client.failed for client in clients] == [[]] * 8
    assert instances.stop("blue")


def test_instance_that_cannot_start_is_not_used(instances, site):
    (instances.folder / "green/app.py").write_text("raise RuntimeError('no database')\n")
    assert instances.switch("green", "blue", ["start app@green"]) != 0
    assert ask(site)[1].startswith("Blue from")
    assert instances.stop("blue")
