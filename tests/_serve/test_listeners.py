from __future__ import annotations

import os
import socket
import subprocess

import pytest

from tests.support.program import PYTHON
from tests.support.serve import configuration_of
from tornado._serve.bind import parse_bind
from tornado._serve.listeners import ListenError, open_listener, open_listeners


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def connect(sock):
    client = socket.socket(sock.family)
    client.connect(sock.getsockname())
    return client


def test_all_addresses_are_opened_and_closed():
    listeners = open_listeners(configuration_of("--bind=127.0.0.1:0", "--bind=unix:s", "--socket-mode=600"))
    tcp, unix = listeners
    assert tcp.address == f"127.0.0.1:{tcp.sockets[0].getsockname()[1]}"
    assert tcp.url("https") == f"https://localhost:{tcp.sockets[0].getsockname()[1]}"
    assert (unix.address, unix.url("http")) == ("unix:s", None)
    assert os.stat("s").st_mode & 0o777 == 0o600
    for listener in listeners:
        listener.close()
    assert not os.path.exists("s")
    assert tcp.sockets[0].fileno() == -1
    unix.close()


def test_urls():
    listener = open_listener(parse_bind("[::1]:0"))
    port = listener.sockets[0].getsockname()[1]
    assert listener.address == f"[::1]:{port}"
    assert listener.url("http") == f"http://localhost:{port}"
    listener.close()
    listener = open_listener(parse_bind("127.0.0.2:0"))
    assert listener.url("http") == f"http://127.0.0.2:{listener.sockets[0].getsockname()[1]}"
    listener.close()


def test_all_interfaces():
    listener = open_listener(parse_bind(":0"))
    port = listener.sockets[0].getsockname()[1]
    assert listener.address == f":{port}"
    assert listener.url("http") == f"http://localhost:{port}"
    listener.close()


def test_abstract_names():
    listener = open_listener(parse_bind(f"unix:@waterspout-{os.getpid()}"))
    connect(listener.sockets[0]).close()
    assert listener.address == f"unix:@waterspout-{os.getpid()}"
    listener.close()
    assert os.listdir(".") == []


def test_inherited_descriptor():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        descriptor = os.dup(sock.fileno())
        listener = open_listener(parse_bind(f"fd:{descriptor}"))
        port = sock.getsockname()[1]
        assert listener.address == f"fd:{descriptor} (127.0.0.1:{port})"
        assert listener.url("http") == f"http://localhost:{port}"
        assert not listener.sockets[0].getblocking()
        listener.close()


def test_inherited_unix_socket_and_its_file_are_kept():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("s")
        sock.listen()
        listener = open_listener(parse_bind(f"fd:{os.dup(sock.fileno())}"))
        assert listener.address.endswith(" (s)")
        listener.close()
        assert os.path.exists("s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "fd:0",
            "cannot listen on fd:0: descriptor 0 is not a listening socket; expected one that the parent",
        ),
        ("systemd", "cannot listen on systemd: systemd has passed no listening sockets; start the program"),
        ("systemd:web", "has passed no listening sockets of the name 'web'"),
        ("unix:/nowhere/s", "cannot listen on the Unix socket '/nowhere/s': No such file"),
        ("192.0.2.1:80", "cannot listen on address '192.0.2.1', port 80: .*no interface with that address"),
        ("no.invalid:80", "port 80, address 'no.invalid'"),
    ],
)
def test_errors_name_the_address(text, message):
    with pytest.raises(ListenError, match=message):
        open_listener(parse_bind(text))


def test_used_port_names_its_process():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        message = rf"^cannot listen on 127.0.0.1:{port}: Address already in use, by process {os.getpid()} \("
        with pytest.raises(ListenError, match=message):
            open_listener(parse_bind(f"127.0.0.1:{port}"))


def test_used_port_of_unknown_process_is_reported(monkeypatch):
    monkeypatch.setattr("tornado._serve.port_users.find", lambda port: [])
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ListenError, match=rf"address '127.0.0.1', port {port}: Address already in use"):
            open_listener(parse_bind(f"127.0.0.1:{port}"))


def test_first_sockets_are_closed_if_another_address_fails():
    with pytest.raises(ListenError):
        open_listeners(configuration_of("--bind=unix:s", "--bind=unix:/nowhere/s"))
    assert os.listdir(".") == []


def test_sockets_of_systemd_are_used_by_default():
    program = """
import os, socket, sys
from tornado._serve.configuration import load
from tornado._serve.listeners import open_listeners
os.environ["LISTEN_PID"] = str(os.getpid())
[listener] = open_listeners(load(["app", *sys.argv[1:]], {}))
print(listener.address, [sock.getsockname()[1] for sock in listener.sockets] == [int(os.environ["PORT"])])
"""

    def prepare():
        os.dup2(sock.fileno(), 3, inheritable=True)

    with socket.create_server(("127.0.0.1", 0)) as sock:
        variables = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "PORT": str(sock.getsockname()[1])}
        for words, expected in (
            ([], "systemd True\n"),
            (["--bind=systemd:web"], "systemd:web True\n"),
            (["--bind=unix:s"], "unix:s False\n"),
        ):
            done = subprocess.run(
                [PYTHON, "-c", program, *words],
                env={**os.environ, **variables},
                preexec_fn=prepare,
                close_fds=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.stdout == expected, done.stderr


def test_a_descriptor_that_is_not_a_listening_socket_stays_inheritable():
    with socket.socket() as sock:
        sock.set_inheritable(True)
        with pytest.raises(ListenError, match="is not a listening socket"):
            open_listener(parse_bind(f"fd:{sock.fileno()}"))
        assert sock.get_inheritable()
        assert sock.fileno() >= 0
