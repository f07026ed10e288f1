"""The setting ``allowed_hosts``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import ExpectLog, ask, serving
from tests.support.web import cached_hosts
from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.routing import Rule, RuleRouter
from tornado.web import LOCAL_HOSTS
from tornado.web._dispatch._allowed_hosts import _MAX_CACHED, AllowedHosts

ALLOWED = [
    "example.com",
    ".example.org",
    "127.0.0.1",
    "[::1]",
    "with-port.test:8080",
    "bücher.example",
    "a_b",
]


def request_for(host: str, protocol: str = "http") -> Any:
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    request = httputil.HTTPServerRequest(start_line=line, headers=httputil.HTTPHeaders({"Host": "x"}))
    request.host, request.protocol = host, protocol
    return request


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "EXAMPLE.com",
        "example.com:80",
        "example.com:8888",
        "example.com:",
        "example.com.",
        "example.com.:80",
        "example.org",
        "a.example.org",
        "a.b.example.org:1",
        "127.0.0.1",
        "127.0.0.1:8888",
        "[::1]",
        "[::1]:8888",
        "[0:0:0:0:0:0:0:1]",
        "with-port.test:8080",
        "xn--bcher-kva.example",
        "a_b",
    ],
)
def test_listed_hosts_are_allowed(host: str) -> None:
    allowed = AllowedHosts(ALLOWED)
    assert allowed.allow(request_for(host))
    assert allowed.allow(request_for(host))


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "example.com..",
        "a.example.com",
        "example.comx",
        "xexample.com",
        "notexample.org",
        ".example.org",
        "example.org.evil.test",
        "example.com@evil.test",
        "evil.test#example.com",
        "evil.test",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "[::2]",
        "[::1",
        "::1:80]",
        "[::ffff:127.0.0.1]",
        "with-port.test",
        "with-port.test:80",
        "with-port.test:8081",
        "bücher.exämple",
        "x" * 70 + ".example.orgx",
        "x." * 200 + "example.org",
    ],
)
def test_other_hosts_are_rejected(host: str) -> None:
    allowed = AllowedHosts(ALLOWED)
    assert not allowed.allow(request_for(host))
    assert not allowed.allow(request_for(host))


def test_default_port_of_the_protocol() -> None:
    allowed = AllowedHosts(["example.com:443", ".example.org:80"])
    assert allowed.allow(request_for("example.com", "https"))
    assert not allowed.allow(request_for("example.com", "http"))
    assert allowed.allow(request_for("a.example.org", "http"))
    assert not allowed.allow(request_for("a.example.org", "https"))


def test_local_hosts() -> None:
    allowed = AllowedHosts(LOCAL_HOSTS)
    for host in ("localhost", "localhost:8888", "app.localhost", "127.0.0.1:1", "[::1]:1"):
        assert allowed.allow(request_for(host))
    for host in ("localhost.evil.test", "notlocalhost", "0.0.0.0", "192.168.0.1"):
        assert not allowed.allow(request_for(host))


def test_asterisk_allows_every_host() -> None:
    assert AllowedHosts(["*"]).allow(request_for("anything"))


def test_cache_of_allowed_hosts_is_limited() -> None:
    allowed = AllowedHosts([".example.org"])
    for number in range(_MAX_CACHED * 3):
        assert allowed.allow(request_for(f"a{number}.example.org"))
        assert cached_hosts(allowed) <= _MAX_CACHED


@given(st.text(max_size=40) | st.from_regex(r"[\[\].:a-z0-9]{0,20}", fullmatch=True))
def test_any_text_is_allowed_or_rejected(host: str) -> None:
    AllowedHosts(ALLOWED).allow(request_for(host))


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ("example.com", TypeError, "the setting allowed_hosts must be a list of hosts, got 'example.com'"),
        (False, TypeError, "the setting allowed_hosts must be a list of hosts, got False"),
        (True, TypeError, "the setting allowed_hosts must be a list of hosts, got True"),
        (5, TypeError, "the setting allowed_hosts must be a list of hosts, got 5"),
        ([], ValueError, "the setting allowed_hosts is empty"),
        ([7], TypeError, "the setting allowed_hosts must contain str only, got 7"),
        (["example.com:0"], ValueError, "the port of 'example.com:0' must be from 1 to 65535"),
        ([".example.com:65536"], ValueError, "the port of '.example.com:65536' must be from 1 to 65535"),
        (["[::1]:70000"], ValueError, "must be from 1 to 65535"),
        (["http://example.com"], ValueError, "'http://example.com' is not a host"),
        (["example.com/"], ValueError, "is not a host"),
        (["*.example.com"], ValueError, "for all subdomains write '.example.com'"),
        ([""], ValueError, "is not a host"),
        (["."], ValueError, "is not a host"),
        (["[::1"], ValueError, "is not a host"),
        (["a..ü"], ValueError, "is not a host"),
    ],
)
def test_invalid_setting_is_rejected(entries: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message.replace("*", r"\*").replace("[", r"\[")):
        web.Application(allowed_hosts=entries)


# -- in an application --


class Hello(web.RequestHandler):
    def get(self) -> None:
        self.write("hello")

    def post(self) -> None:
        self.write(self.request.body)


EVIL = "Host: evil.test"
GOOD = "Host: example.com:8888"
LINE = "421 .* host 'evil.test' is not in the application's setting allowed_hosts"


def application(cls: type[web.Application] = web.Application, **settings: Any) -> web.Application:
    return cls([("/", Hello)], allowed_hosts=ALLOWED, **settings)


async def test_no_code_of_the_program_runs_for_another_host(expect_log: ExpectLog) -> None:
    ran: list[str] = []

    class Witness(web.RequestHandler):
        def initialize(self, **kwargs: Any) -> None:
            ran.append("initialize")

        def prepare(self) -> None:
            ran.append("prepare")

    app = web.Application(
        [("/", Witness)], allowed_hosts=ALLOWED, default_handler_class=Witness, xsrf_cookies=True
    )
    async with serving(app) as server:
        for path in ("/", "/nowhere"):
            for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"):
                with expect_log("tornado.general", LINE):
                    assert (await server.fetch(path, EVIL, method=method)).code == 421
    assert ran == []


async def test_connection_is_kept_alive() -> None:
    async with serving(application()) as server:
        peer = await server.connect()
        for _ in range(3):
            assert (await peer.fetch("/", GOOD)).body == b"hello"
            assert (await peer.fetch("/", GOOD, method="POST", body=b"x")).body == b"x"
            assert (await peer.fetch("/none", GOOD)).code == 404


async def test_response_for_another_host(expect_log: ExpectLog) -> None:
    async with serving(application(security_headers=True)) as server:
        peer = await server.connect()
        for _ in range(2):
            with expect_log("tornado.general", LINE):
                response = await peer.fetch("/", EVIL)
            assert (response.code, response.get("x-frame-options")) == (421, "SAMEORIGIN")
            assert b"421: Misdirected Request" in response.body
            assert b"evil" not in response.body
        assert (await peer.fetch("/", GOOD)).body == b"hello"


@pytest.mark.parametrize("field", ["X-Forwarded-Host", "X-Host", "Forwarded"])
@pytest.mark.parametrize("xheaders", [True, False])
async def test_forwarding_fields_are_ignored(field: str, xheaders: bool, expect_log: ExpectLog) -> None:
    async with serving(application(), xheaders=xheaders) as server:
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/", EVIL, f"{field}: example.com")).code == 421
        assert (await server.fetch("/", GOOD, f"{field}: evil.test")).code == 200


async def test_host_of_the_target_takes_precedence(expect_log: ExpectLog) -> None:
    async with serving(application()) as server:
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("http://evil.test/", GOOD)).code == 421
        assert (await server.fetch("http://example.com/", EVIL)).code == 200


async def test_request_without_host_is_for_the_local_machine(expect_log: ExpectLog) -> None:
    request = "GET / HTTP/1.0\r\n\r\n"
    async with serving(application()) as server:
        assert (await server.exchange(request)).startswith(b"HTTP/1.1 200")
    async with serving(web.Application([("/", Hello)], allowed_hosts=["example.com"])) as server:
        with expect_log("tornado.general", "host '127.0.0.1' is not in"):
            assert (await server.exchange(request)).startswith(b"HTTP/1.1 421")


async def test_response_is_sent_before_the_body(expect_log: ExpectLog) -> None:
    async with serving(application()) as server:
        peer = await server.connect()
        peer.send(f"POST / HTTP/1.1\r\n{EVIL}\r\nContent-Length: 1000000\r\n\r\nabc")
        with expect_log("tornado.general", LINE):
            assert (await peer.response()).code == 421
        peer = await server.connect()
        peer.send(f"POST / HTTP/1.1\r\n{EVIL}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        with expect_log("tornado.general", LINE):
            assert (await peer.response()).code == 421


async def test_static_files_of_another_host(tmp_path: Any, expect_log: ExpectLog) -> None:
    (tmp_path / "a.txt").write_text("content")
    async with serving(application(static_path=str(tmp_path))) as server:
        assert (await server.fetch("/static/a.txt", GOOD)).body == b"content"
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/static/a.txt", EVIL)).code == 421


class OwnFinder(web.Application):
    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return self.get_handler_delegate(request, Hello)


class OwnStart(web.Application):
    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        return super().start_request(server_conn, request_conn)


@pytest.mark.parametrize("cls", [OwnFinder, OwnStart])
async def test_application_with_overridden_methods(cls: Any, expect_log: ExpectLog) -> None:
    async with serving(application(cls)) as server:
        assert (await server.fetch("/", GOOD)).body == b"hello"
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/", EVIL)).code == 421


def replace_router(app: Any) -> None:
    rules = app.wildcard_router

    class NoRules:
        def find_handler(self, request: Any, **kwargs: Any) -> Any:
            return rules.find_handler(request, **kwargs)

    app.default_router = NoRules()


def set_hook(app: Any) -> None:
    app.find_handler = lambda request, **kwargs: app.get_handler_delegate(request, Hello)


def add_host(app: Any) -> None:
    app.add_handlers(".*", [("/", Hello)])


@pytest.mark.parametrize("change", [replace_router, set_hook, add_host])
async def test_application_changed_at_run_time(change: Any, expect_log: ExpectLog) -> None:
    app = application()
    change(app)
    async with serving(app) as server:
        assert (await server.fetch("/", GOOD)).body == b"hello"
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/", EVIL)).code == 421


async def test_application_as_target_of_a_router(expect_log: ExpectLog) -> None:
    outer = RuleRouter([Rule(web.AnyMatches(), application())])  # type: ignore[attr-defined]
    async with serving(outer) as server:
        assert (await server.fetch("/", GOOD)).body == b"hello"
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/", EVIL)).code == 421


async def test_server_that_decompresses_bodies(expect_log: ExpectLog) -> None:
    async with serving(application(), server_class=HTTPServer, decompress_request=True) as server:
        assert (await server.fetch("/", GOOD)).body == b"hello"
        with expect_log("tornado.general", LINE):
            assert (await server.fetch("/", EVIL, method="POST", body=b"x")).code == 421


async def test_all_hosts_are_allowed_by_default() -> None:
    assert (await ask(Hello, EVIL)).body == b"hello"
    assert (await ask(Hello, EVIL, allowed_hosts=None)).body == b"hello"
