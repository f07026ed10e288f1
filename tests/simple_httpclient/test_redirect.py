"""Redirects: the request that follows a redirect."""

from __future__ import annotations

import ssl

import pytest

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient._redirect import redirected_request


def follow(request: HTTPRequest, code: int = 302, location: str = "/b") -> HTTPRequest:
    request.max_redirects = request.max_redirects or 5
    return redirected_request(request, request, code, HTTPHeaders({"Location": location}))


@pytest.mark.parametrize(
    ("code", "method", "expected"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_status_and_method_determine_the_next_request(code, method, expected):
    headers = HTTPHeaders({"Content-Type": "text/plain", "Content-Length": "1", "X": "1", "Host": "a"})
    body = None if method in ("GET", "HEAD") else b"x"
    request = HTTPRequest("http://a/", method=method, headers=headers, body=body)
    new = follow(request, code)
    assert new.method == expected
    assert new.url == "http://a/b"
    assert new.max_redirects == 4
    assert new.body == (None if expected == "GET" else body)
    assert ("Content-Type" in new.headers) is (method == expected)
    assert new.headers["X"] == "1"
    assert "Host" not in new.headers
    assert request.headers["Host"] == "a"
    assert request.method == method


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/b", True),
        ("http://a:80/b", True),
        ("http://A/b", True),
        ("//b/", False),
        ("http://a:81/", False),
        ("https://a/", False),
        ("http://a.b/", False),
    ],
)
def test_credentials_are_removed_for_another_origin(location, kept):
    headers = HTTPHeaders({"Authorization": "Basic x", "Cookie": "a=b", "Proxy-Authorization": "y", "X": "1"})
    request = HTTPRequest("http://a/", headers=headers, auth_username="me", auth_password="secret")
    new = follow(request, location=location)
    for name in ("Authorization", "Cookie", "Proxy-Authorization"):
        assert (name in new.headers) is kept
    assert (new.auth_username, new.auth_password) == (("me", "secret") if kept else (None, None))
    assert "X" in new.headers
    assert request.auth_username == "me"


@pytest.mark.parametrize(("location", "is_kept"), [("/b", True), ("https://b/", False)])
def test_client_certificates_are_removed_for_another_origin(location, is_kept):
    request = HTTPRequest("https://a/", client_cert="c.pem", client_key="k.pem", ca_certs="ca.pem")
    new = follow(request, location=location)
    assert (new.client_cert, new.client_key) == (("c.pem", "k.pem") if is_kept else (None, None))
    assert new.ca_certs == "ca.pem"
    options = {"certfile": "c.pem", "keyfile": "k.pem", "ca_certs": "ca.pem"}
    new = follow(HTTPRequest("https://a/", ssl_options=options), location=location)
    assert new.ssl_options == (options if is_kept else {"ca_certs": "ca.pem"})
    assert len(options) == 3
    context = ssl.create_default_context()
    assert follow(HTTPRequest("https://a/", ssl_options=context), location=location).ssl_options is context


@pytest.mark.parametrize(
    ("octets", "url"),
    [
        ("/caf\u00e9?q=\u20ac#\u00e4".encode(), "http://a/caf%C3%A9?q=%E2%82%AC#%C3%A4"),
        ("/caf%C3%A9/\u00e9".encode(), "http://a/caf%C3%A9/%C3%A9"),
        (b"/caf\xe9", "http://a/caf%E9"),
        ("//b\u00fccher.example/\u00fc".encode(), "http://b\u00fccher.example/%C3%BC"),
        ("http://b\u00fccher.example".encode(), "http://b\u00fccher.example"),
        ("\u00fc/x".encode(), "http://a/x/%C3%BC/x"),
    ],
)
def test_non_ascii_octets_of_a_location_are_percent_encoded_once(octets, url):
    assert follow(HTTPRequest("http://a/x/y"), location=octets.decode("latin-1")).url == url


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("http://a/#top", "/b", "http://a/b#top"),
        ("http://a/#top", "/b?c#end", "http://a/b?c#end"),
        ("http://a/#top", "https://b/c", "https://b/c#top"),
        ("http+unix://%2Frun%2Fa.sock/#top", "/b", "http+unix://%2Frun%2Fa.sock/b#top"),
        ("http://a/", "/b", "http://a/b"),
    ],
)
def test_fragment_is_inherited(url, location, expected):
    assert follow(HTTPRequest(url), location=location).url == expected


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a/", "http+unix://%2Frun%2Fdocker.sock/containers/json"),
        ("http://a/", "HTTPS+UNIX://%2Frun%2Fdocker.sock/"),
        ("http+unix://%2Frun%2Fapp.sock/", "http+unix://%2Frun%2Fdocker.sock/"),
        ("http+unix://%2Frun%2Fapp.sock/", "http+unix://%2Frun%2FAPP.sock/"),
    ],
)
def test_redirect_to_another_unix_socket_is_rejected(url, location):
    with pytest.raises(ValueError, match="Unix socket"):
        follow(HTTPRequest(url), location=location)


@pytest.mark.parametrize(
    "location", ["/b", "http+unix://%2Frun%2Fapp.sock/b", "http+unix://%2frun%2fapp.sock/b"]
)
def test_redirect_within_a_unix_socket_keeps_credentials(location):
    request = HTTPRequest("http+unix://%2Frun%2Fapp.sock/a", headers={"Authorization": "x"})
    assert follow(request, location=location).headers["Authorization"] == "x"
