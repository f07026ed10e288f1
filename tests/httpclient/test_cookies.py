"""Cookie jars of the standard library, used with our requests and responses."""

from __future__ import annotations

import http.cookiejar
import time

import pytest

from tornado.httpclient import _cookies
from tornado.httpclient._cookies import cookie_field, store_cookies
from tornado.httputil import HTTPHeaders, format_timestamp

URL = "http://www.example.com/a/b?c"


def stored(*fields: str, url: str = URL, policy=None) -> http.cookiejar.CookieJar:
    jar = http.cookiejar.CookieJar(policy)
    headers = HTTPHeaders()
    for field in fields:
        headers.add("Set-Cookie", field)
    store_cookies(jar, url, headers)
    return jar


@pytest.mark.parametrize(
    ("field", "url", "sent"),
    [
        ("a=b", URL, "a=b"),
        ("a=b", "http://www.example.com/a/other", "a=b"),
        ("a=b", "http://www.example.com/other", None),
        ("a=b", "http://other.example.com/a/b", None),
        ("a=b", "https://www.example.com/a/b", "a=b"),
        ("a=b; Path=/", "http://www.example.com/other", "a=b"),
        ("a=b; Path=/a/b", "http://www.example.com/a/bc", None),
        ("a=b; Domain=example.com; Path=/", "http://other.example.com/", "a=b"),
        ("a=b; Domain=.example.com; Path=/", "http://example.com/", "a=b"),
        ("a=b; Domain=other.com", URL, None),
        ("a=b; Domain=other.example.com", URL, None),
        ("a=b; Domain=com", URL, None),
        ("a=b; Max-Age=60", URL, "a=b"),
        ("a=b; Max-Age=0", URL, None),
        ("a=b; HttpOnly; SameSite=None", URL, "a=b"),
        ('a="b c"', URL, 'a="b c"'),
        ("a=", URL, "a="),
        ("=b", URL, None),
        ("", URL, None),
    ],
)
def test_cookie_is_sent_to_matching_urls(field, url, sent):
    assert cookie_field(stored(field), url) == sent


def test_expires_contains_a_comma():
    future, past = format_timestamp(time.time() + 3600), format_timestamp(time.time() - 3600)
    jar = stored(f"a=b; Expires={future}; Path=/", f"c=d; Expires={past}; Path=/", "e=f; Path=/")
    assert cookie_field(jar, URL) == "a=b; e=f"
    (a,) = [cookie for cookie in jar if cookie.name == "a"]
    assert abs(a.expires - time.time() - 3600) < 60


def test_several_cookies_the_longest_path_first():
    jar = stored("a=1; Path=/", "b=2; Path=/a", "a=3; Path=/a/b")
    assert cookie_field(jar, URL) == "a=3; b=2; a=1"


def test_cookie_is_replaced_and_deleted():
    jar = stored("a=1")
    store_cookies(jar, URL, HTTPHeaders({"Set-Cookie": "a=2"}))
    assert cookie_field(jar, URL) == "a=2"
    store_cookies(jar, URL, HTTPHeaders({"Set-Cookie": "a=; Max-Age=0"}))
    assert cookie_field(jar, URL) is None
    assert len(jar) == 0


def test_secure_cookies_stay_on_secure_connections():
    https = "https://www.example.com/a/b"
    jar = stored("a=b; Secure", url=https)
    assert cookie_field(jar, https) == "a=b"
    assert cookie_field(jar, URL) is None
    # RFC 6265bis section 5.7: a response without TLS must not overwrite a Secure cookie.
    assert len(stored("a=b; Secure")) == 0
    assert len(stored("a=b; secure=", url="http://localhost:8888/")) == 1
    assert len(stored("a=b; Secure", url="http://127.0.0.1:8888/")) == 1


@pytest.mark.parametrize(
    ("field", "count"),
    [
        ("__Secure-a=b; Secure", 1),
        ("__Secure-a=b", 0),
        ("__host-a=b; Secure; Path=/", 1),
        ("__Host-a=b; Secure", 0),
        ("__Host-a=b; Secure; Path=/a", 0),
        ("__Host-a=b; Secure; Path=/; Domain=www.example.com", 0),
        ("a=b; SameSite=nonsense", 1),
    ],
)
def test_cookie_name_prefixes(field, count):
    assert len(stored(field, url="https://www.example.com/a/b")) == count


def test_user_name_in_the_url_is_not_part_of_the_host():
    jar = stored("a=b; Path=/", url="http://user:password@www.example.com/")
    assert [cookie.domain for cookie in jar] == ["www.example.com"]
    assert cookie_field(jar, "http://other@www.example.com/") == "a=b"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_cookie_of_a_local_host_is_sent_to_it_only(host):
    jar = stored("a=b; Path=/", url=f"http://{host}/")
    assert cookie_field(jar, f"http://{host}/x") == "a=b"
    assert cookie_field(jar, "http://www.example.com/x") is None


def test_policy_of_the_jar_decides():
    policy = http.cookiejar.DefaultCookiePolicy(blocked_domains=["www.example.com"])
    assert len(stored("a=b", policy=policy)) == 0
    strict = http.cookiejar.DefaultCookiePolicy(strict_domain=True)
    url = "http://www.example.co.uk/"
    assert len(stored("a=b; Domain=co.uk", url=url, policy=strict)) == 0
    assert len(stored("a=b; Domain=example.co.uk", url=url, policy=strict)) == 1


def test_cookie_without_a_domain_is_sent_to_its_host_only():
    url = "https://example.com/"
    jar = stored("a=1", "__Host-b=2; Secure; Path=/", "c=3; Domain=example.com", url=url)
    assert cookie_field(jar, url) == "a=1; __Host-b=2; c=3"
    assert cookie_field(jar, "https://www.example.com/") == "c=3"
    assert cookie_field(jar, "https://Example.com/") == "a=1; __Host-b=2; c=3"
    assert cookie_field(stored("a=1", url=url), "https://www.example.com/") is None
    assert len(jar) == 3


def test_addresses_have_no_parent_domain():
    assert len(stored("a=b; Domain=.3.4", url="http://1.2.3.4/")) == 0
    assert len(stored("a=b; Domain=1.2.3.4", url="http://1.2.3.4/")) == 1


def test_responses_without_cookies():
    assert len(stored()) == 0


def test_sizes_and_numbers_of_cookies_are_limited(monkeypatch):
    assert len(stored("a=" + "b" * _cookies.MAX_SET_COOKIE)) == 0
    assert len(stored("a=" + "b" * (_cookies.MAX_SET_COOKIE - 2))) == 1
    jar = stored(*(f"a{i}=b" for i in range(_cookies.MAX_FIELDS + 1)))
    assert len(jar) == _cookies.MAX_FIELDS
    monkeypatch.setattr(_cookies, "MAX_COOKIES", _cookies.MAX_FIELDS)
    store_cookies(jar, URL, HTTPHeaders({"Set-Cookie": "more=b"}))
    assert len(jar) == _cookies.MAX_FIELDS
    # Expired cookies are removed first.
    for cookie in jar:
        cookie.expires = 1
    store_cookies(jar, URL, HTTPHeaders({"Set-Cookie": "more=b"}))
    assert [cookie.name for cookie in jar] == ["more"]


def test_jar_of_another_class_reads_request_fields():
    """A jar that calls other methods of a request, as subclasses may."""
    request = _cookies._Request(URL)
    assert request.get_header("Host", "default") == "default"
    assert not request.has_header("Cookie")
    request.add_unredirected_header("Cookie2", "$Version=1")
    assert request.cookie is None
