"""Listening sockets from a service manager, as described in sd_listen_fds(3)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest

from tornado.netutil import inherited_sockets

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="descriptors are inherited on Unix")

#: A program that duplicates the descriptors in its arguments to 3, 4, … and then executes another program, as
#: systemd does.
MANAGER = """
import fcntl, os, sys
program, *numbers = sys.argv[1:]
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in numbers]
for place, number in enumerate(given, 3):
    os.dup2(number, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(sys.executable, [sys.executable, "-c", program])
"""


def run(program, *sockets, names=None):
    """Run a program with these sockets.

    :returns: its standard output, decoded from JSON, and its standard error.
    """
    environment = {**os.environ, **({"LISTEN_FDNAMES": names} if names else {})}
    numbers = [sock.fileno() for sock in sockets]
    prelude = "import json, os, sys; from tornado.netutil import inherited_sockets\n"
    prelude += "ports = lambda sockets: [sock.getsockname()[1] for sock in sockets]\n"
    done = subprocess.run(
        [sys.executable, "-c", MANAGER, prelude + textwrap.dedent(program), *map(str, numbers)],
        env=environment,
        pass_fds=numbers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def listeners():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    yield sockets
    for sock in sockets:
        sock.close()


def ports(sockets):
    return [sock.getsockname()[1] for sock in sockets]


def test_without_a_service_manager(monkeypatch):
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        monkeypatch.delenv(name, raising=False)
    assert inherited_sockets() == []


def test_variables_for_another_process_are_ignored(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert inherited_sockets() == []
    assert os.environ["LISTEN_PID"] == "1"


@pytest.mark.parametrize("value", ["", "-1", "one", "999999"])
def test_invalid_number_is_rejected(monkeypatch, value):
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", value)
    with pytest.raises(ValueError, match="LISTEN_FDS must be a number from 0 to 500, got '"):
        inherited_sockets()


def test_sockets_are_returned_in_order_once_and_not_inherited_by_children(listeners):
    seen, _ = run(
        """
        sockets = inherited_sockets()
        print(json.dumps({
            "ports": ports(sockets),
            "again": len(inherited_sockets()),
            "blocking": [sock.getblocking() for sock in sockets],
            "inheritable": [os.get_inheritable(fd) for fd in (3, 4, 5, *(sock.fileno() for sock in sockets))],
            "left": [name for name in os.environ if name.startswith("LISTEN_")],
        }))
        """,
        *listeners,
    )
    assert seen == {
        "ports": ports(listeners),
        "again": 0,
        "blocking": [False] * 3,
        "inheritable": [False] * 6,
        "left": [],
    }


def test_selection_by_name(listeners):
    seen, _ = run(
        """
        seen = [ports(inherited_sockets(name)) for name in ("https", "http", "ftp")]
        print(json.dumps([*seen, ports(inherited_sockets())]))
        """,
        *listeners,
        names="http:https:http",
    )
    first, second, third = ports(listeners)
    assert seen == [[second], [first, third], [], []]


def test_other_descriptors_are_ignored(listeners):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        seen, log = run("print(json.dumps(ports(inherited_sockets())))", datagrams, listeners[0])
    assert seen == ports(listeners[:1])
    assert "ignoring descriptor 3, which is not a listening socket" in log


def test_sockets_are_kept_across_a_restart(listeners):
    """The program replaces itself, as autoreload does. The ports and names of its sockets do not change."""
    seen, _ = run(
        """
        from tornado.netutil import _socket_inheritance
        if _socket_inheritance.message is None:
            program = sys.orig_argv[-1]
            first = inherited_sockets("web")
            with _socket_inheritance.pass_on_sockets({}):
                os.execv(sys.executable, [sys.executable, "-c", program])
        print(json.dumps([ports(inherited_sockets("web")), ports(inherited_sockets())]))
        """,
        *listeners[:2],
        names="web:other",
    )
    first, second, _ = ports(listeners)
    assert seen == [[first], [second]]
