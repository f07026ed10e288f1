"""The access log of ``serve`` on standard output."""

from __future__ import annotations

import json
import re
import socket
import threading

import pytest

from tests.support.serve import serve, write_module
from tests.support.supervisor import SupervisedService, children

WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]
"""


@pytest.mark.parametrize("options", [["--workers=2"], ["--reload"]], ids=["workers", "one process"])
def test_each_request_has_a_line_in_json(options, tmp_path):
    with SupervisedService(tmp_path, "--access-log=json", *options) as service:
        for number in range(20):
            service.get(f"/?number={number}")
        assert service.stop() == 0
        lines = [json.loads(line) for line in service.output.splitlines() if line.startswith("{")]
    assert sorted(line["target"] for line in lines) == sorted(f"/?number={number}" for number in range(20))
    assert {(line["route"], line["status"]) for line in lines} == {("/", 200)}


@pytest.mark.parametrize("log_format", ["common", "combined"])
def test_line_of_a_web_server(log_format, tmp_path):
    with SupervisedService(tmp_path, f"--access-log={log_format}") as service:
        service.get("/")
        assert service.stop() == 0
    end = ' "-" "-"' if log_format == "combined" else ""
    assert re.search(rf'(?m)^127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 \d+{end}$', service.output)


def test_request_of_another_target_is_logged_with_the_messages(tmp_path):
    write_module(tmp_path, WSGI)
    with serve(tmp_path, "app", "--access-log=json", "--bind=127.0.0.1:0") as service:
        with socket.create_connection(("127.0.0.1", service.port())) as client:
            client.sendall(b"GET /path HTTP/1.0\r\n\r\n")
            while client.recv(4096):
                pass
        service.wait_for("200 GET /path")


def test_service_continues_if_nothing_reads_the_lines(tmp_path):
    with SupervisedService(tmp_path, "--access-log=json", "--workers=1", "--grace=5s") as service:
        (worker,) = children(service.process.pid)
        fields = {"User-Agent": "x" * 4000}
        connection = service.connect()
        for _ in range(100):  # four times the size of a pipe
            connection.request("GET", "/", headers=fields)
            assert connection.getresponse().read() == str(worker).encode()
        connection.close()
        service.process.terminate()
        reader = threading.Thread(target=service.end)
        reader.start()
        reader.join(60)
        assert service.process.returncode == 0
    assert service.output.count('"route":"/"') == 100
