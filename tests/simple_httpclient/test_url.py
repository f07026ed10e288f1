"""URL parsing."""

from __future__ import annotations

import pytest

from tornado.simple_httpclient._url import parse_url


@pytest.mark.parametrize("host", ["a b", "a\x00b", "a\x0bb", "a\x7fb", "a\u2028b", "a:80 HTTP/1.1", "a\xa0b"])
def test_host_with_illegal_characters(host):
    # A request through a proxy contains the host in its request line, and no lookup would reject the host.
    with pytest.raises(ValueError, match="Illegal characters in host"):
        parse_url(f"http://user:password@{host}/x")


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("http://[::1]:8080/", "::1", 8080, "[::1]:8080"),
        ("https://[::1]/", "::1", 443, "[::1]"),
        ("http://me@m\xfcnchen.example/", "m\xfcnchen.example", 80, "m\xfcnchen.example"),
        ("http://a:/", "a", 80, "a:"),
    ],
)
def test_origin_consists_of_host_port_and_authority(url, host, port, authority):
    assert parse_url(url).origin[1:4] == (host, port, authority)
