from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.program import Program


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("demos/tcpecho/main.py") as running:
        yield running
        assert "Traceback" not in running.output()


def dial(program: Program) -> socket.socket:
    return socket.create_connection(("127.0.0.1", program.port), timeout=30)


def client(program: Program, *lines: str) -> tuple[int, str]:
    arguments = ["--host=127.0.0.1", f"--port={program.port}", "--", *lines]
    return Program("demos/tcpecho/client.py", arguments).run_to_its_end()


def test_lines_are_echoed(program):
    with dial(program) as connection, connection.makefile("rb") as answers:
        for line in (b"hello\n", b"\n", "你好\r\n".encode()):
            connection.sendall(line[:2])
            connection.sendall(line[2:])
            assert answers.readline() == line
        connection.sendall(b"one\ntwo\nthr")
        assert [answers.readline(), answers.readline()] == [b"one\n", b"two\n"]


def test_silent_client_does_not_block_others(program):
    with dial(program) as silent, dial(program) as other:
        other.sendall(b"here\n")
        assert other.recv(100) == b"here\n"
        silent.sendall(b"here, too\n")
        assert silent.recv(100) == b"here, too\n"


def test_endless_line_closes_the_connection(program):
    with dial(program) as connection:
        with pytest.raises(OSError):  # raised once the server has closed the connection
            while True:
                connection.sendall(bytes(65536))
                if connection.recv(1) == b"":
                    raise ConnectionResetError


def test_client_prints_the_echo(program):
    assert client(program, "hello", "你好 there") == (0, "hello\n你好 there\n")
    assert client(program) == (0, "")  # the client's standard input is empty


def test_client_without_server(program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    arguments = ["--host=127.0.0.1", f"--port={port}", "hello"]
    status, output = Program("demos/tcpecho/client.py", arguments).run_to_its_end()
    assert status == 1
    assert output.startswith("client: ")
    assert "refused" in output
    assert output.count("\n") == 1


def test_client_reports_closed_connection():
    """The server closes the connection, as the demo does after a line that is too long."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        arguments = ["--host=127.0.0.1", f"--port={listener.getsockname()[1]}", "hello"]
        ending = pool.submit(Program("demos/tcpecho/client.py", arguments).run_to_its_end)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b"hello\n"
        assert ending.result() == (1, "client: the server has closed the connection\n")
