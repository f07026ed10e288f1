"""The login demo without a browser: its options, its provider's process, a provider that is down."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.seeds.client import Answer, Visitor
from tests.support.program import ROOT, Program

pytest.importorskip("jwt")

MAIN = "demos/login/main.py"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def without_provider() -> Iterator[Program]:
    """The demo with a provider that does not respond."""
    arguments = ["--port={port}", f"--issuer=http://127.0.0.1:{closed_port()}", "--hosts=login.example"]
    with Program(MAIN, arguments) as program:
        yield program


def test_unavailable_provider_shows_an_error_page(without_provider):
    answer = Visitor(without_provider).get("/login")
    assert answer.code == 503
    assert "Sign-in is not available" in answer.text
    assert "Connection refused" not in answer.text
    assert "Connection refused" in without_provider.output()


@pytest.mark.parametrize("path", ["/", "/profile", "/login", "/login?state=x", "/nothing"])
def test_pages_are_not_stored(without_provider, path):
    answer = Visitor(without_provider).get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_other_host_names_are_refused(without_provider):
    def ask(host: str) -> Answer:
        return Visitor(without_provider).get("/", Host=host)

    assert [ask(host).code for host in ("evil.example", "login.example", "localhost")] == [421, 200, 200]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sessions=disk"], "--sessions=disk: expected memory, cookie or redis://host:port/0"),
        (["--port=8888", "login"], "unknown argument 'login'; usage: main.py .*"),
    ],
)
def test_wrong_argument_is_reported_in_one_line(arguments, message):
    status, output = Program(MAIN, ["--port=0", *arguments]).run_to_its_end()
    assert status == 1
    assert re.fullmatch(rf"login: {message}\n", output)


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("needs /proc")
    return [int(each) for each in path.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_provider_ends_with_the_demo(number):
    with Program(MAIN, deadline=90) as program:
        assert Visitor(program).get("/").code == 200  # requests wait until the provider has started
        (provider,) = children(program.pid)
        descriptor = os.pidfd_open(provider)
        try:
            os.kill(program.pid, number)
            program.wait()
            # Readable once the process has exited.
            assert select.select([descriptor], [], [], 30)[0]
        finally:
            os.close(descriptor)
        assert "Traceback" not in program.output()


@pytest.mark.parametrize("store", ["memory", "cookie", "redis"])
def test_login_with_each_session_store(store, request):
    if store == "redis":
        store = request.getfixturevalue("redis_server").url
    with Program(MAIN, ["--port={port}", f"--sessions={store}"], deadline=90) as program:
        ann = Visitor(program)
        begun = ann.get("/login?next=/profile")
        assert begun.code == 302
        agreed = agree(begun.headers["Location"])
        back = ann.get(agreed.removeprefix(program.url("")))
        assert (back.code, back.headers["Location"]) == (302, "/profile")
        assert "Ann Example" in ann.get("/profile").text
        # The log must not contain secrets or tokens.
        assert "eyJ" not in program.output()
        token = re.search(r'name="_xsrf" value="([^"]+)"', ann.get("/").text)
        assert token is not None
        assert ann.post("/logout", _xsrf=token[1]).code == 303
        assert ann.get("/profile").code == 302


def agree(url: str) -> str:
    """Sign in as Ann at the provider, and return its redirect target."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", f"{parts.path}?{parts.query}", b"sub=ann", kind)
        response = connection.getresponse()
        response.read()
        assert response.status == 302
        return response.headers["Location"]
    finally:
        connection.close()


def test_readme_lists_every_option():
    text = (ROOT / "demos/login/README.md").read_text()
    source = (ROOT / MAIN).read_text()
    for name in re.findall(r'define\(\s*"(\w+)"', source):
        assert f"--{name.replace('_', '-')}" in text, name
