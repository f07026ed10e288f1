from __future__ import annotations

import socket
import urllib.request

import pytest

from tests.support.program import Program


def test_greeting():
    with Program("demos/hello/main.py") as program, urllib.request.urlopen(program.url()) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert response.headers["Content-Length"] == "12"
        assert response.read() == b"Hello, world"


def test_one_connection_carries_many_requests():
    with Program("demos/hello/main.py") as program:
        connection = program.connect()
        for _ in range(3):
            connection.request("GET", "/")
            used = connection.sock
            assert connection.getresponse().read() == b"Hello, world"
            assert connection.sock is used
        connection.close()


def test_404_is_logged():
    with Program("demos/hello/main.py") as program:
        connection = program.connect()
        connection.request("GET", "/nowhere")
        response = connection.getresponse()
        assert (response.status, response.reason) == (404, "Not Found")
        response.read()
        connection.close()
        program.stop()
        assert "404 GET /nowhere (127.0.0.1)" in program.output()
        assert "Traceback" not in program.output()


def test_occupied_port_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        program = Program("demos/hello/main.py", [f"--port={port}", "--logging=error"])
        status, output = program.run_to_its_end()
    assert status != 0
    message = output.splitlines()[-1]
    assert "in use" in message
    assert str(port) in message


@pytest.mark.parametrize(
    ("argument", "message"),
    [("--prot=1", "prot"), ("--port=eighty", "eighty")],
)
def test_wrong_option_is_reported(argument, message):
    status, output = Program("demos/hello/main.py", [argument]).run_to_its_end()
    assert status != 0
    assert message in output.splitlines()[-1]


def test_help_lists_the_options():
    status, output = Program("demos/hello/main.py", ["--help"]).run_to_its_end()
    assert status == 0
    assert "--port" in output
    assert "port to listen on" in output
