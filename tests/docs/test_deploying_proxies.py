"""docs/guide/deploying.md: the configurations of nginx and HAProxy in front of the service."""

from __future__ import annotations

import http.client
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.deployment import NGINX, PAGE, Client, ask, blocks, words_of, write_files
from tests.support.haproxy import HAProxy
from tests.support.nginx import Nginx, reserve
from tests.support.serve import Served
from tornado.websocket import websocket_connect

#: What a client could send in order to forge its address and its scheme.
FORGED = {
    "X-Real-Ip": "192.0.2.1",
    "X-Forwarded-For": "192.0.2.2",
    "X-Scheme": "https",
    "X-Forwarded-Proto": "https",
}


class Proxied:
    """The service of the guide behind a proxy; a context manager.

    :param bind: HAProxy's line in the guide that is used in place of the one in the file.
    :ivar port: the port of the proxy.
    """

    def __init__(self, folder: Path, proxy: str, bind: str = "bind :80") -> None:
        write_files(folder)
        self._folder, self._proxy = folder, proxy
        self._bind = re.sub(r":\d+", "127.0.0.1:{port}", bind)
        self._stack = ExitStack()

    def __enter__(self) -> Proxied:
        with ExitStack() as stack:
            self._own = stack.enter_context(reserve()).getsockname()[1]
            self.port = stack.enter_context(reserve()).getsockname()[1]
            self.service = stack.enter_context(self.serve())
            self.proxy: Nginx | HAProxy = stack.enter_context(self._make_proxy())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def serve(self) -> Served:
        """Start the service of the unit, with two workers."""
        words = [*words_of(self._folder), f"--bind=127.0.0.1:{self._own}", "--workers=2"]
        served = Served(self._folder, words)
        served.port()
        return served

    def _make_proxy(self) -> Nginx | HAProxy:
        upstream = {"127.0.0.1:8888": f"127.0.0.1:{self._own}"}
        if self._proxy == "nginx":
            text = NGINX.replace("@@FILE@@", blocks()["app.conf"])
            replacements = {**upstream, "listen 80;": f"listen 127.0.0.1:{self.port};"}
            return Nginx(self._folder, text, replacements, self.port)
        replacements = {
            **upstream,
            "bind :80": self._bind.format(port=self.port),
            "inter 2s": "inter 100ms",
            "maxconn 20000": "maxconn 1000",  # the limit of file descriptors may be low
        }
        return HAProxy(self._folder, blocks()["haproxy.cfg"], replacements, self.port)


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """A site for tests that do not break it."""
    with Proxied(tmp_path_factory.mktemp("site"), request.param) as running:
        yield running


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_proxy_accepts_the_configuration(tmp_path, proxy):
    with Proxied(tmp_path, proxy) as site:
        output = site.proxy.check()
        assert "warn" not in output.lower()
        assert proxy == "nginx" or output == ""


def test_clients_cannot_forge_their_address(site):
    assert ask(site.port, "/address") == (200, "127.0.0.1 by http\n")
    for name, value in FORGED.items():
        assert ask(site.port, "/address", headers={name: value}) == (200, "127.0.0.1 by http\n")
    assert ask(site.port, "/address", headers=FORGED) == (200, "127.0.0.1 by http\n")


def test_large_body_reaches_the_program(site):
    assert ask(site.port, method="POST", body=b"x" * 10_000_000) == (200, "10000000 bytes\n")


async def test_websocket_through_the_proxy(site):
    async with websocket_connect(f"ws://127.0.0.1:{site.port}/live/echo") as connection:
        for message in ("hello", "x" * 1_000_000, b"\0\xff" * 1000):
            await connection.write_message(message, binary=isinstance(message, bytes))
            assert await connection.read_message() == message


def test_event_arrives_before_the_stream_ends(site):
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
        connection.request("GET", "/live/numbers")
        response = connection.getresponse()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        while b"data: 1" not in (line := response.readline()):
            assert line


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_no_request_fails_while_workers_are_replaced(tmp_path, proxy):
    with Proxied(tmp_path, proxy) as site:
        clients = [Client(site.port) for _ in range(8)]
        for client in clients:
            client.start()
        for _ in range(3):
            clients[0].await_more(20)
            site.service.signal(signal.SIGHUP)
            site.service.wait_for("reload complete")
        for client in clients:
            client.await_more(20)
            client.stop()
        assert [client.failed for client in clients] == [[]] * 8


def test_haproxy_tells_the_scheme(tmp_path, certificates):
    pair = Path(certificates.certificate_file).read_bytes() + Path(certificates.key_file).read_bytes()
    (tmp_path / "pair.pem").write_bytes(pair)
    bind = "bind :443 ssl crt /etc/ssl/example.com.pem"
    assert f"`{bind}`" in PAGE.read_text()
    with Proxied(
        tmp_path, "haproxy", bind.replace("/etc/ssl/example.com.pem", f"{tmp_path}/pair.pem")
    ) as site:
        answer = ask(site.port, "/address", context=certificates.client_context, headers=FORGED)
        assert answer == (200, "127.0.0.1 by https\n")


def test_haproxy_checks_the_health_of_the_service(tmp_path):
    with Proxied(tmp_path, "haproxy") as site:
        assert ask(site.port, "/healthz") == (200, "ok\n")
        site.service.signal(signal.SIGTERM)
        assert site.service.end() == 0
        assert isinstance(site.proxy, HAProxy)
        site.proxy.wait_for("Server app/app1 is DOWN")
        assert ask(site.port, "/healthz")[0] == 503
        with site.serve():
            site.proxy.wait_for("Server app/app1 is UP")
            assert ask(site.port, "/healthz") == (200, "ok\n")
