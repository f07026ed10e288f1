"""docs/guide/nginx.md: its configuration in a real nginx, with three upstream processes of its program."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compliance.http1 import corpus
from compliance.http1.case import ANSWER, Case, End
from compliance.http1.runner import Feed, Target, run_corpus
from tests.support.certificates import Certificates
from tests.support.nginx import Nginx, reserve
from tests.support.program import ROOT, Program
from tests.support.tools import need

GUIDE = ROOT / "docs/guide/nginx"
CONFIGURATION = (GUIDE / "nginx.conf").read_text()
PROGRAM = "tests/compliance/nginx_program.py"
LIMIT = 10 * 1024 * 1024
#: The groups of the corpus in which two parsers of a request may disagree.
FRAMING = (
    "line_ends",
    "content_length",
    "transfer_encoding",
    "length_and_coding",
    "chunks",
    "trailers",
    "expect",
    "connection",
    "pipelining",
    "smuggling",
    "unread",
    "advisories",
)
FORGED = {
    "X-Real-Ip": "6.6.6.6",
    "X-Forwarded-For": "6.6.6.6",
    "X-Scheme": "https",
    "X-Forwarded-Proto": "https",
}


class Answer:
    """A complete response, as the client receives it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Site:
    """nginx and its upstream processes; a context manager."""

    def __init__(self, folder: Path, certificates: Certificates, *, without: str = "", arguments=()) -> None:
        self.folder, self.certificates = folder, certificates
        self._configuration = CONFIGURATION
        if without:
            assert without in CONFIGURATION
            self._configuration = CONFIGURATION.replace(without, "")
        self._arguments = ("--port={port}", "--logging=error", *arguments)

    def __enter__(self) -> Site:
        with ExitStack() as stack:
            self.programs = [
                stack.enter_context(Program(PROGRAM, self._arguments)) for _ in ("8001", "8002", "8003")
            ]
            reserved = [stack.enter_context(reserve()).getsockname()[1] for _ in range(3)]
            self.port, self.tls_port, self.redirecting_port = reserved
            for name in ("static", "protected", "errors"):
                (self.folder / name).mkdir()
            replacements = {
                "listen 80;": f"listen 127.0.0.1:{self.redirecting_port};",
                # A port without TLS, for requests from a proxy that terminates it.
                "listen 443 ssl": f"listen 127.0.0.1:{self.port}; listen 127.0.0.1:{self.tls_port} ssl",
                "/etc/ssl/example.com.pem": str(self.certificates.certificate_file),
                "/etc/ssl/example.com.key": str(self.certificates.key_file),
                "/srv/app/": f"{self.folder}/",
                **{
                    f"127.0.0.1:{port}": f"127.0.0.1:{program.port}"
                    for port, program in zip((8001, 8002, 8003), self.programs, strict=True)
                },
            }
            self.nginx = stack.enter_context(Nginx(self.folder, self._configuration, replacements, self.port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def connection(self, *, tls: bool = False, source: str = "127.0.0.1"):
        """Open a client connection to nginx."""
        if tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", self.tls_port, context=self.certificates.client_context, timeout=30
            )
        else:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30, source_address=(source, 0)
            )
        try:
            yield connection
        finally:
            connection.close()

    def fetch(self, path, *, method="GET", body=None, headers=None, tls=False, source="127.0.0.1") -> Answer:
        with self.connection(tls=tls, source=source) as connection:
            return fetch(connection, path, method=method, body=body, headers=headers)

    def raw(self, *, tls: bool) -> socket.socket:
        """Open a client connection as a socket."""
        sock = socket.create_connection(("127.0.0.1", self.tls_port if tls else self.port), timeout=30)
        if tls:
            return self.certificates.client_context.wrap_socket(sock, server_hostname="localhost")
        return sock

    def poll(self, stack: ExitStack, room: str) -> http.client.HTTPConnection:
        """Start a long poll."""
        connection = stack.enter_context(self.connection())
        connection.request("GET", f"/rooms/poll?room={room}")
        return connection

    def say(self, room: str, news: str) -> None:
        """Post news to a room until a poll has received it."""
        with self.connection() as connection:
            while not fetch(connection, f"/rooms/poll?room={room}&news={news}", method="POST").json()["told"]:
                pass


def fetch(connection, path, *, method="GET", body=None, headers=None) -> Answer:
    connection.request(method, path, body=body, headers=headers or {})
    return Answer(connection.getresponse())


@pytest.fixture(scope="module")
def site(tmp_path_factory, certificates) -> Iterator[Site]:
    """A site for tests that do not break it."""
    with Site(tmp_path_factory.mktemp("site"), certificates) as running:
        yield running


@pytest.fixture
def fragile(tmp_path, certificates) -> Iterator[Site]:
    """A site for tests that stop processes."""
    with Site(tmp_path, certificates) as running:
        yield running


def test_configuration_is_valid(site):
    said = site.nginx.check()
    assert "test is successful" in said
    assert "[warn]" not in said


def test_requests_are_distributed_over_all_processes(site):
    with site.connection() as connection:
        served = Counter(fetch(connection, "/").json()["at"] for _ in range(30))
    assert sorted(served) == sorted(program.port for program in site.programs)
    assert min(served.values()) >= 5


def test_upstream_connections_are_kept(site):
    with site.connection() as connection:
        seen = [fetch(connection, "/seen").json() for _ in range(30)]
    # Each nginx worker has one connection to each process.
    assert len({(one["at"], one["from"]) for one in seen}) <= 3
    assert {one["version"] for one in seen} == {"HTTP/1.1"}
    assert not any(name.lower() in ("connection", "upgrade") for one in seen for name, _ in one["fields"])


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.9"])
def test_client_cannot_forge_its_address(site, source):
    for headers in ({}, FORGED):
        seen = site.fetch("/seen", headers=headers, source=source).json()
        assert (seen["ip"], seen["protocol"]) == (source, "http")
        assert seen["url"] == f"http://127.0.0.1:{site.port}/seen"


def test_program_sees_the_protocol_of_the_client(site):
    forged = {**FORGED, "X-Scheme": "http", "X-Forwarded-Proto": "http"}
    seen = site.fetch("/seen", headers=forged, tls=True).json()
    assert (seen["ip"], seen["protocol"]) == ("127.0.0.1", "https")
    assert seen["url"] == f"https://localhost:{site.tls_port}/seen"


def test_trusted_proxy_in_front_of_nginx(tmp_path, certificates):
    without = "proxy_set_header X-Real-Ip $remote_addr;"
    arguments = ["--trusted=127.0.0.1,192.0.2.1"]
    with Site(tmp_path, certificates, without=without, arguments=arguments) as site:
        for chain in ("203.0.113.7", "6.6.6.6, 203.0.113.7", "203.0.113.7, 192.0.2.1"):
            # Clients must not be able to set this field, so the other proxy removes it.
            seen = site.fetch("/seen", headers={"X-Forwarded-For": chain}).json()
            assert seen["ip"] == "203.0.113.7"


def test_port_80_redirects_to_https(site):
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", site.redirecting_port, timeout=30)
    ) as one:
        answer = fetch(one, "/seen?x=%2F", method="POST", headers={"Host": "example.com"})
    assert (answer.status, answer.headers["Location"]) == (308, "https://example.com/seen?x=%2F")


def test_http2_client_is_served(site):
    curl = need("curl", "curl")
    command = [curl, "--silent", "--show-error", "--http2", "--cacert", str(site.certificates.ca_file)]
    command += ["--write-out", "\n%{http_version} %{http_code} %{num_connects}\n"]
    url = f"https://localhost:{site.tls_port}/seen"
    done = subprocess.run([*command, url, url], stdout=subprocess.PIPE, timeout=30, check=True, text=True)
    first, verdict, second, other = done.stdout.splitlines()
    assert (verdict, other) == ("2 200 1", "2 200 0")
    for seen in map(json.loads, (first, second)):
        assert (seen["protocol"], seen["version"], seen["url"]) == ("https", "HTTP/1.1", url)


def test_conditional_requests_with_compression_by_nginx(site):
    plain = site.fetch("/text")
    packed = site.fetch("/text", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["Etag"] == "W/" + plain.headers["Etag"]
    for tag in (plain.headers["Etag"], packed.headers["Etag"]):
        headers = {"Accept-Encoding": "gzip", "If-None-Match": tag}
        assert site.fetch("/text", headers=headers).status == 304


# -- bodies --


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_upload_of_maximum_size(site, tls):
    body = os.urandom(LIMIT)
    collected = site.fetch("/whole", method="POST", body=body, tls=tls)
    assert (collected.status, collected.json()) == (200, {"size": LIMIT})
    streamed = site.fetch("/upload", method="PUT", body=body, tls=tls)
    assert streamed.json() == {"size": LIMIT, "sha256": hashlib.sha256(body).hexdigest()}


def test_nginx_and_program_have_the_same_body_limit(site):
    assert re.findall(r"client_max_body_size (\d+)m;", CONFIGURATION) == [str(LIMIT >> 20)]
    head = f"Host: localhost\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode()
    for port in (site.port, site.programs[0].port):
        for request in (b"POST /whole HTTP/1.1\r\n", b"PUT /upload HTTP/1.1\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
                sock.sendall(request + head)
                assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", site.programs[0].port), timeout=30) as sock:
        sock.sendall(b"POST /whole HTTP/1.1\r\nConnection: close\r\n")
        sock.sendall(head.replace(b"%d" % (LIMIT + 1), b"%d" % LIMIT) + b"x" * LIMIT)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_upload_is_streamed_to_the_program(site):
    with site.raw(tls=False) as client:
        client.sendall(b"PUT /upload/begun HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"5\r\nfirst\r\n")
        # The handler responds to the first bytes, before the last ones are sent.
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


# -- request smuggling --


@pytest.mark.deadline(300)
async def test_nginx_and_program_agree_on_the_end_of_requests(site):
    """The framing cases of the corpus in ``compliance/http1``.

    A request that reaches the program without the field that nginx sets has been smuggled past nginx. A
    missing or additional response could be sent to another client. nginx may accept requests that it should
    refuse:
    the program does not have to refuse requests that nginx has normalized.
    """
    cases = [case for case in corpus.load() if case.group in FRAMING and not waits_for_the_program(case)]
    target = Target("nginx", ("127.0.0.1", site.port), deadline=20.0, parallel=32)
    results = await run_corpus(cases, target, Feed.WHOLE)
    assert not [title for title, result in results.items() if result.end is None and not result.fault]
    answers = [answer for result in results.values() for answer in result.responses]
    assert not [answer for answer in answers if answer.code in (500, 502, 504)]
    received = sum(answer.echo() is not None for answer in answers)
    received += sum(
        result.end is End.OPEN for result in results.values()
    )  # the responses to the request after a case
    told = [noted(program) for program in site.programs]
    assert [one["unmarked"] for one in told] == [[], [], []]
    assert sum(one["echoed"] for one in told) == received
    assert min(one["echoed"] for one in told) > 50
    # Requests that bypass nginx are recorded.
    with contextlib.closing(site.programs[0].connect()) as connection:
        assert fetch(connection, "/x").status == 200
        assert fetch(connection, "/y", headers={"X-Real-Ip": "6.6.6.6"}).status == 200
    assert noted(site.programs[0])["unmarked"] == ["GET /x", "GET /y"]


def noted(program: Program) -> dict[str, Any]:
    """Return the program's record of requests."""
    with contextlib.closing(program.connect()) as connection:
        told: dict[str, Any] = fetch(connection, "/noted").json()
        return told


def waits_for_the_program(case: Case) -> bool:
    """Whether the program must respond before it has the body, which nginx buffers first."""
    data = b"".join(part for part in case.parts if isinstance(part, bytes))
    return ANSWER in case.parts and b"Expect" not in data


# -- long-lived responses and connections --


def test_long_poll_does_not_block_other_requests(site):
    with ExitStack() as stack:
        waiting = [site.poll(stack, room) for room in ("one", "one", "two")]
        for _ in range(10):
            assert site.fetch("/").status == 200
        site.say("two", "hello")
        assert Answer(waiting[2].getresponse()).json() == {"news": "hello"}
        told = 0
        while told < 2:  # the process may not have received the polls yet
            told += site.fetch("/rooms/poll?room=one&news=both", method="POST").json()["told"]
        assert [Answer(one.getresponse()).json() for one in waiting[:2]] == [{"news": "both"}] * 2


def test_flushed_data_arrives_immediately(site):
    with site.raw(tls=False) as client:
        client.sendall(b"GET /rooms/halves?room=h HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\nfirst"):
            received += client.recv(65536)
        assert site.fetch("/rooms/halves?room=h", method="POST").status == 200
        while not received.endswith(b"firstother"):
            received += client.recv(65536)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_upgraded_connection_carries_data_in_both_directions(site, tls):
    with site.raw(tls=tls) as client:
        client.sendall(
            b"GET /rooms/upgrade?room=u HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            received += client.recv(65536)
        assert received.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nUpgrade: echo\r\n" in received
        for message in (b"\x81\x05hello", b"\0" * 100_000):
            client.sendall(message)
            echoed = b""
            while len(echoed) < len(message):
                echoed += client.recv(65536)
            assert echoed == message


def test_refused_upgrade_is_an_ordinary_response(site):
    headers = {"Connection": "Upgrade", "Upgrade": "something"}
    assert site.fetch("/rooms/upgrade?room=u", headers=headers).status == 426


# -- files --


def test_nginx_serves_static_files(site):
    (site.folder / "static/site.css").write_text("body { color: green }")
    answer = site.fetch("/static/site.css")
    assert (answer.status, answer.body) == (200, b"body { color: green }")
    assert answer.headers["Content-Type"] == "text/css"
    assert "Cache-Control" not in answer.headers
    versioned = site.fetch("/static/site.css?v=0123456789abcdef")
    assert versioned.headers["Cache-Control"] == "max-age=315360000"
    assert site.fetch("/static/site.css", headers={"If-None-Match": answer.headers["Etag"]}).status == 304
    assert site.fetch("/static/missing.css").status == 404


def test_x_accel_redirect(site):
    (site.folder / "protected/report.txt").write_text("figures")
    answer = site.fetch("/files/report.txt?ticket=1")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"figures", "text/plain")
    assert "X-Accel-Redirect" not in answer.headers
    part = site.fetch("/files/report.txt?ticket=1", headers={"Range": "bytes=0-2"})
    assert (part.status, part.body) == (206, b"fig")
    assert site.fetch("/files/report.txt").status == 403
    assert site.fetch("/protected/report.txt").status == 404


# -- process restarts and reloads --


def test_killed_process_causes_no_errors(fragile):
    killed = fragile.programs[0]
    with fragile.connection() as connection:
        for _ in range(6):
            assert fetch(connection, "/").status == 200  # now nginx has an idle connection to each process
        os.kill(killed.pid, signal.SIGKILL)
        answers = [fetch(connection, "/") for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["at"] for answer in answers} == {program.port for program in fragile.programs[1:]}


def test_rolling_restart_causes_no_errors(fragile):
    """As in rolling.sh of docs/guide/deploying.md: each process is restarted while clients send requests.

    The requests are idempotent. nginx does not repeat a POST that it has sent over a kept connection
    which the process closes at that moment.
    """
    (fragile.folder / "errors/unavailable.html").write_text("<p>Back in a minute.")
    statuses: Counter[int] = Counter()
    stopped, served_while_down = threading.Event(), threading.Semaphore(0)

    def send_requests() -> None:
        while not stopped.is_set():
            with fragile.connection() as connection:
                statuses[fetch(connection, "/").status] += 1
            served_while_down.release()

    with ThreadPoolExecutor(4) as clients:
        sending = [clients.submit(send_requests) for _ in range(4)]
        try:
            for program in fragile.programs:
                program.stop()
                while served_while_down.acquire(blocking=False):
                    pass
                for _ in range(20):  # requests that meet the stopped process
                    assert served_while_down.acquire(timeout=30)
                program.restart()
        finally:
            stopped.set()
        for each in sending:
            each.result()
    assert set(statuses) == {200}, statuses


def test_process_is_replaced_without_errors(fragile):
    with (
        ExitStack() as stack,
        Program(PROGRAM, ("--port={port}", "--logging=error")) as replacement,
    ):
        held = fragile.poll(stack, "room")
        fragile.nginx.reload({"127.0.0.1:8001": f"127.0.0.1:{replacement.port}"})
        served: set[int] = set()
        while replacement.port not in served:  # until the new configuration is active
            answer = fragile.fetch("/")
            assert answer.status == 200
            served.add(answer.json()["at"])
        # The poll is handled by an old worker of nginx, and by the old process or another one.
        while not sum(told(program, "room") for program in fragile.programs):
            pass
        assert Answer(held.getresponse()).json() == {"news": "told"}


def told(program: Program, room: str) -> int:
    """Post news to a room in one process, bypassing nginx."""
    connection = program.connect()
    try:
        told: int = fetch(connection, f"/rooms/poll?room={room}&news=told", method="POST").json()["told"]
        return told
    finally:
        connection.close()


def test_sigterm_finishes_pending_requests(fragile):
    program = fragile.programs[0]
    with (
        contextlib.closing(program.connect()) as waiting,
        contextlib.closing(program.connect()) as other,
    ):
        for connection in (waiting, other):
            assert fetch(connection, "/healthz").json() == {"stopping": False}
        waiting.request("GET", "/rooms/poll?room=direct")
        assert fetch(other, "/").status == 200  # sent after the poll, so the poll has arrived, too
        os.kill(program.pid, signal.SIGTERM)
        while fetch(other, "/healthz").status == 200:
            pass
        assert {fragile.fetch("/").status for _ in range(6)} == {200}
        told = fetch(other, "/rooms/poll?room=direct&news=last", method="POST").json()
        assert told == {"told": 1}
        assert Answer(waiting.getresponse()).json() == {"news": "last"}
    assert program.wait() == 0
    assert "Traceback" not in program.output()


def test_error_page_without_processes(fragile):
    (fragile.folder / "errors/unavailable.html").write_text("<p>Back in a minute.")
    for program in fragile.programs:
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
    for tls in (False, True):
        answer = fragile.fetch("/", tls=tls)
        assert (answer.status, answer.body) == (502, b"<p>Back in a minute.")


def test_listings_in_the_guide_match_the_files(site):
    text = (GUIDE.parent / "nginx.md").read_text()
    for name in ("nginx.conf", "main.py"):
        assert f"](nginx/{name})" in text
    blocks = re.findall(r"```(nginx|python)\n(.*?)```", text, re.DOTALL)
    assert blocks
    for kind, block in blocks:
        file = "nginx.conf" if kind == "nginx" else "main.py"
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        listing = [line.strip() for line in (GUIDE / file).read_text().splitlines() if line.strip()]
        starts = [n for n in range(len(listing)) if listing[n : n + len(lines)] == lines]
        assert starts, f"not in {file}:\n{block}"
