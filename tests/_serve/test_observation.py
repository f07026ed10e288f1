"""Observation by ``serve``: the access log on standard output, request identifiers, the administration."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import threading

import pytest

from tests.support.admin import AdministeredService
from tests.support.serve import serve, write_module
from tests.support.supervisor import SupervisedService, children

#: Programs whose requests to ``/wait`` do not end, by the kind of target.
PROGRAMS = {
    "wsgi": """
import time


def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        print("waiting", flush=True)
        time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"answer"]
""",
    "asgi": """
import asyncio


async def application(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/wait":
        print("waiting", flush=True)
        await asyncio.sleep(60)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})
""",
}
FUNCTION = """
def application(request):
    request.connection.write_headers(*head)
    request.connection.finish()


from tornado.httputil import HTTPHeaders, ResponseStartLine

head = ResponseStartLine("HTTP/1.1", 204, "No Content"), HTTPHeaders()
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


@pytest.mark.parametrize("kind", list(PROGRAMS))
def test_gateway_is_observed_like_an_application(kind, tmp_path):
    options = ("--access-log=json", "--request-id", "--workers=2", "--grace=100ms")
    with AdministeredService(tmp_path, *options, source=PROGRAMS[kind]) as service:
        with contextlib.closing(service.connect()) as connection:
            connection.request("GET", "/path?a=b")
            response = connection.getresponse()
            identifier = response.getheader("X-Request-Id")
            assert response.read() == b"answer"
        with service.sending("/wait", "waiting"):
            (found,) = service.json("/api/requests")["requests"]
            assert (found["target"], found["route"]) == ("/wait", "/.*")
            assert any("sleep(60)" in line for line in found["stack"])
            while not service.metric("http_server_request_duration_seconds_count"):
                pass
        if kind == "asgi":
            service.stop()
        else:  # a thread cannot be cancelled
            service.signal(signal.SIGKILL)
            service.end()
    lines = [json.loads(line) for line in service.output.splitlines() if line.startswith("{")]
    line = next(each for each in lines if each["target"] == "/path?a=b")
    assert (line["route"], line["status"], line["request_id"]) == ("/.*", 200, identifier)


@pytest.mark.parametrize("log_format", ["common", "combined"])
def test_line_of_a_gateway(log_format, tmp_path):
    with SupervisedService(tmp_path, f"--access-log={log_format}", source=PROGRAMS["wsgi"]) as service:
        service.get("/")
        assert service.stop() == 0
    end = ' "-" "-"' if log_format == "combined" else ""
    assert re.search(rf'(?m)^127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 6{end}$', service.output)


def test_request_of_a_function_is_not_logged_in_json(tmp_path):
    write_module(tmp_path, FUNCTION)
    with serve(tmp_path, "app", "--access-log=json", "--bind=127.0.0.1:0") as service:
        with socket.create_connection(("127.0.0.1", service.port())) as client:
            client.sendall(b"GET /path HTTP/1.0\r\n\r\n")
            while client.recv(4096):
                pass
        service.signal(signal.SIGTERM)
        assert service.end() == 0
    assert "/path" not in service.output


def test_request_id_of_an_application(tmp_path):
    with SupervisedService(tmp_path, "--request-id", "--access-log=json") as service:
        with contextlib.closing(service.connect()) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            identifier = response.getheader("X-Request-Id")
            response.read()
        assert service.stop() == 0
    assert f'"request_id":"{identifier}"' in service.output


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
