"""Test Gunicorn's Tornado worker, which the arbiter starts, and restarts and stops by signals."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

PROGRAM = """
import os
from tornado.web import Application, RequestHandler

class Main(RequestHandler):
    async def get(self):
        self.write(str(os.getpid()))

    async def post(self):
        self.write(self.request.body)

application = Application([("/", Main)])
"""


@pytest.fixture(name="server")
def running_server(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-k",
        "tornado",
        "-w",
        "2",
        "-b",
        "127.0.0.1:0",
        "program:application",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if found := re.search(r"Listening at: (http://\S+)", line):
                break
        yield process, found[1]
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(60) == 0


def get(url, **options):
    with urllib.request.urlopen(urllib.request.Request(url, **options), timeout=60) as response:
        return response.read()


def test_requests(server):
    _, url = server
    assert get(url, data=b"x" * 100_000) == b"x" * 100_000
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{url}/none")


def test_worker_that_ends_is_replaced(server):
    _, url = server
    ended = int(get(url))
    os.kill(ended, signal.SIGKILL)
    answers = set()
    # A connection that the exited worker had accepted is reset; fewer than a hundred connections are
    # affected.
    for _ in range(100):
        try:
            answers.add(int(get(url)))
        except OSError:
            continue
        if len(answers - {ended}) == 2:
            break
    assert len(answers - {ended}) >= 1
    assert ended not in answers
