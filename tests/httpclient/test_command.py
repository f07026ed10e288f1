"""The command line: ``python -m tornado.httpclient``."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("X-Mark", "here")
        self.end_headers()
        self.wfile.write(b"at " + self.path.encode())

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def url():
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_command_prints_responses(url):
    command = [sys.executable, "-m", "tornado.httpclient", "--print_headers", f"{url}/a", f"{url}/missing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "at /a" in done.stdout
    assert "at /missing" in done.stdout
    assert done.stdout.count("X-Mark: here") == 2
