"""Proxy settings: URLs, the environment, and the hosts that are connected to directly."""

from __future__ import annotations

import base64

import pytest

from tornado.httpclient._proxy import NoProxy, ProxyServer, ProxySettings


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://proxy:3128", ProxyServer("http", "proxy", 3128)),
        ("proxy:3128", ProxyServer("http", "proxy", 3128)),
        ("proxy", ProxyServer("http", "proxy", 80)),
        ("http://Proxy/", ProxyServer("http", "proxy", 80)),
        ("HTTPS://proxy", ProxyServer("https", "proxy", 443)),
        ("socks5://127.0.0.1", ProxyServer("socks5", "127.0.0.1", 1080)),
        ("socks5h://[::1]:9050", ProxyServer("socks5h", "::1", 9050)),
        ("http://user@proxy", ProxyServer("http", "proxy", 80, "user", "")),
        ("http://us%40er:p%3aw%20@proxy:1", ProxyServer("http", "proxy", 1, "us@er", "p:w ")),
        ("user:pw@proxy:1", ProxyServer("http", "proxy", 1, "user", "pw")),
        (" http://proxy ", ProxyServer("http", "proxy", 80)),
    ],
)
def test_proxy_urls_are_parsed(url, server):
    assert ProxyServer.parse(url) == server


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "ftp://user:secret@proxy",
            "unsupported scheme 'ftp' of the proxy 'ftp://proxy': expected one of http",
        ),
        ("socks4://proxy", "unsupported scheme 'socks4'"),
        ("", "malformed proxy URL"),
        ("http://", "malformed proxy URL 'http://'"),
        ("http://user:secret@", "malformed proxy URL 'http://'"),
        ("http://user:secret@proxy:x", "malformed proxy URL 'http://proxy:x': Port could not be cast"),
        ("http://user:secret@proxy:70000", "Port out of range"),
        ("http://user:secret@[proxy", "malformed proxy URL"),
        ("http://user:secret@pro xy", "malformed"),
        ("http://proxy/path", "must not have a path, query or fragment"),
        ("http://proxy?query", "must not have a path, query or fragment"),
        ("http://proxy#fragment", "must not have a path, query or fragment"),
    ],
)
def test_malformed_urls_are_refused_without_their_password(url, message):
    with pytest.raises(ValueError, match=message) as caught:
        ProxyServer.parse(url)
    assert "secret" not in str(caught.value)


def test_other_types_are_rejected():
    with pytest.raises(TypeError, match="a proxy must be a URL as a str, not bytes"):
        ProxyServer.parse(b"http://proxy")


def test_text_forms_hide_the_password():
    server = ProxyServer.parse("http://user:secret@[::1]:8080")
    assert str(server) == "[::1]:8080"
    assert server.url == "http://[::1]:8080"
    assert "secret" not in repr(server)
    assert "user" in repr(server)
    assert server.authorization == "Basic " + base64.b64encode(b"user:secret").decode()
    assert ProxyServer.parse("http://proxy").authorization is None
    assert ProxyServer.parse("proxy").url == "http://proxy:80"
    own = ProxyServer("http", "proxy", 80, "user", "secret", own_authorization="Bearer mine")
    assert own.authorization == "Bearer mine"
    assert "mine" not in repr(own)
    assert [ProxyServer(scheme, "p", 1).forwards for scheme in ("http", "https", "socks5", "socks5h")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "host", "port", "direct"),
    [
        ("", "example.com", 80, False),
        ("*", "example.com", 80, True),
        ("*", "10.1.2.3", 80, True),
        ("example.com", "example.com", 80, True),
        ("example.com", "EXAMPLE.com.", 80, True),
        ("Example.COM", "www.example.com", 80, True),
        ("example.com", "notexample.com", 80, False),
        ("example.com", "example.com.org", 80, False),
        (".example.com", "www.example.com", 80, True),
        (".example.com", "example.com", 80, True),
        ("*.example.com", "a.b.example.com", 80, True),
        ("com", "example.com", 80, True),
        ("a, example.com", "example.com", 80, True),
        ("a example.com,", "example.com", 80, True),
        ("example.com:8080", "example.com", 8080, True),
        ("example.com:8080", "www.example.com", 8080, True),
        ("example.com:8080", "example.com", 80, False),
        ("example.com:http", "example.com", 80, False),
        ("example.com:", "example.com", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3", "10.1.2.30", 80, False),
        ("2.3", "10.1.2.3", 80, False),
        ("10.1.2.3:80", "10.1.2.3", 80, True),
        ("10.1.2.3:80", "10.1.2.3", 81, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.1.2.3/8", "10.200.0.1", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "10.example.com", 80, False),
        ("10.0.0.0/99", "10.1.2.3", 80, False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 80, True),
        ("fd00::/8", "fd12::1", 80, True),
        ("fd00::/8", "[fd12::1]", 80, True),
        ("::1", "[::1]", 80, True),
        ("[::1]", "::1", 80, True),
        ("::1", "0:0:0:0:0:0:0:1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
        ("fe80::1", "fe80::1%eth0", 80, True),
        ("localhost", "localhost", 80, True),
        ("localhost", "127.0.0.1", 80, False),
        (".", "example.com", 80, False),
        ("*.", "example.com", 80, False),
    ],
)
def test_no_proxy_matches_hosts(text, host, port, direct):
    assert NoProxy(text).matches(host, port) is direct


def test_no_proxy_is_comparable_and_hashable():
    assert NoProxy("a") == NoProxy("a") != NoProxy("b")
    assert len({NoProxy("a"), NoProxy("a")}) == 1
    assert repr(NoProxy("a")) == "NoProxy('a')"
    assert NoProxy("a") != "a"


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "a:1"}, "http://a:1", None),
        ({"https_proxy": "http://a:1"}, None, "http://a:1"),
        ({"all_proxy": "socks5://a"}, "socks5://a:1080", "socks5://a:1080"),
        ({"ALL_PROXY": "a:1", "HTTPS_PROXY": "b:2"}, "http://a:1", "http://b:2"),
        ({"http_proxy": "a:1", "HTTP_PROXY": "b:2"}, "http://a:1", None),
        ({"HTTP_PROXY": "b:2"}, "http://b:2", None),
        ({"http_proxy": "", "HTTP_PROXY": "b:2", "all_proxy": "c:3"}, None, "http://c:3"),
        ({"HTTP_PROXY": "b:2", "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": "b:2", "ALL_PROXY": "c:3", "REQUEST_METHOD": "GET"}, "http://c:3", "http://c:3"),
        ({"http_proxy": "a:1", "REQUEST_METHOD": "GET"}, "http://a:1", None),
        ({"HTTPS_PROXY": "a:1", "REQUEST_METHOD": "GET"}, None, "http://a:1"),
    ],
)
def test_environment_selects_the_proxy(environ, http, https):
    settings = ProxySettings.from_environment(environ)
    for scheme, expected in (("http", http), ("https", https)):
        found = settings.find(scheme, "example.com", 80)
        assert (None if found is None else found.url) == expected


def test_no_proxy_of_the_environment():
    for name in ("no_proxy", "NO_PROXY"):
        settings = ProxySettings.from_environment({"all_proxy": "a:1", name: "example.com"})
        assert settings.find("http", "example.com", 80) is None
        assert settings.find("https", "example.org", 443) == ProxyServer("http", "a", 1)
    both = {"all_proxy": "a:1", "no_proxy": "", "NO_PROXY": "*"}
    assert ProxySettings.from_environment(both).find("http", "example.com", 80) is not None


def test_errors_name_the_variable():
    with pytest.raises(ValueError, match="environment variable HTTPS_PROXY: unsupported scheme 'ftp'"):
        ProxySettings.from_environment({"HTTPS_PROXY": "ftp://user:secret@proxy"})


def test_one_proxy_for_all():
    settings = ProxySettings.parse("http://proxy:1", "localhost")
    assert settings.find("http", "example.com", 80) == settings.find("https", "example.com", 443) is not None
    assert settings.find("http", "localhost", 80) is None
    assert ProxySettings().find("http", "example.com", 80) is None
    assert settings == ProxySettings.parse("http://proxy:1", "localhost")
    assert hash(settings) == hash(ProxySettings.parse("http://proxy:1", "localhost"))
