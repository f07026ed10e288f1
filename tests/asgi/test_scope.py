"""The scope of a request: addresses, paths and header fields."""

from __future__ import annotations

import json

import pytest

from tests.asgi.conftest import respond, show_scope
from tests.support.server import serving
from tornado.asgi import ASGIContainer
from tornado.netutil import bind_unix_socket

CONTAINER = ASGIContainer(show_scope)


async def scope_of(path="/", *fields, **options):
    async with serving(CONTAINER, **options) as server:
        response = await server.fetch(path, *fields)
        return json.loads(response.body)


async def test_all_keys():
    async with serving(CONTAINER) as server:
        peer = await server.connect()
        response = await peer.fetch("/a%20b/%C3%A9%2F?x=%20&y", method="PATCH")
        port = peer.writer.get_extra_info("sockname")[1]
        assert json.loads(response.body) == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": "PATCH",
            "scheme": "http",
            "path": "/a b/é/",
            "raw_path": "/a%20b/%C3%A9%2F",
            "query_string": "x=%20&y",
            "root_path": "",
            "headers": [["host", "localhost"]],
            "client": ["127.0.0.1", port],
            "server": ["127.0.0.1", server.port],
            "state": {},
            "extensions": {
                "http.response.early_hint": {},
                "http.response.pathsend": {},
                "http.response.trailers": {},
            },
        }


async def test_application_may_change_its_scope():
    async def application(scope, receive, send):
        seen.append(json.dumps(scope, default=bytes.decode))
        scope["asgi"]["version"] = "x"
        scope["headers"].append((b"a", b"b"))
        scope["extensions"]["http.response.trailers"]["a"] = "b"
        scope["state"]["a"] = "b"
        await respond(send)

    seen = []
    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        for _ in range(3):
            await peer.fetch("/")
    assert len(set(seen)) == 1


async def test_header_fields():
    fields = [
        "X-Upper: A",
        "x-two: 1",
        "X-Two: 2",
        "Cookie: a=b",
        "User-Agent: test",
        "X-Space:   a b\t",
        "X-Empty:",
        "X-Latin: \xe9",
    ]
    for _ in range(2):  # the second time, some lines are cached
        scope = await scope_of("/", *fields)
        assert scope["headers"] == [
            ["host", "localhost"],
            ["x-upper", "A"],
            ["x-two", "1"],
            ["x-two", "2"],
            ["cookie", "a=b"],
            ["user-agent", "test"],
            ["x-space", "a b"],
            ["x-empty", ""],
            ["x-latin", "\xe9"],
        ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_unusual_line_ends(end):
    async with serving(CONTAINER) as server:
        data = await server.exchange(
            f"GET / HTTP/1.1\r\nHost: a{end}User-Agent: b{end}Connection: close\r\n\r\n"
        )
    headers = json.loads(data.partition(b"\r\n\r\n")[2])["headers"]
    assert sorted(headers) == [["connection", "close"], ["host", "a"], ["user-agent", "b"]]


async def test_caches_are_bounded():
    async with serving(CONTAINER) as server:
        peer = await server.connect()
        for number in range(1100):
            response = await peer.fetch("/", f"User-Agent: agent-{number}")
        assert ["user-agent", "agent-1099"] in json.loads(response.body)["headers"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("*", "*", ""),
        ("http://other/a?b", "/a", "b"),
        ("/%", "/%", ""),
        ("/%ff", "/\ufffd", ""),
        ("/?", "/", ""),
    ],
)
async def test_unusual_targets(target, path, query):
    async with serving(CONTAINER) as server:
        response = await server.fetch(target, method="OPTIONS")
    scope = json.loads(response.body)
    assert (scope["path"], scope["query_string"]) == (path, query)


async def test_addresses_from_a_trusted_proxy():
    fields = ("X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https")
    scope = await scope_of("/", *fields, trusted_proxies=["127.0.0.1"])
    assert (scope["client"], scope["scheme"]) == (["10.1.2.3", 0], "https")


async def test_addresses_from_an_untrusted_client():
    fields = ("X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https")
    scope = await scope_of("/", *fields, trusted_proxies=["10.0.0.1"])
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
    assert scope["client"][1] > 0


@pytest.mark.parametrize("forwarded", [False, True])
async def test_unix_socket(forwarded, tmp_path):
    path = str(tmp_path / "socket")
    fields = ("X-Real-Ip: 10.1.2.3",) if forwarded else ()
    scope = await scope_of("/", *fields, listener=bind_unix_socket(path), trusted_proxies=["unix"])
    assert scope["server"] == [path, None]
    assert scope["client"] == (["10.1.2.3", 0] if forwarded else None)


async def test_tls_extension(certificates):
    scope = await scope_of("/", tls=certificates)
    tls = scope["extensions"]["tls"]
    assert scope["scheme"] == "https"
    assert tls == {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": tls["cipher_suite"],
    }
    assert 0x1301 <= tls["cipher_suite"] <= 0x1305
