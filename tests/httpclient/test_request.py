"""HTTPRequest, and what implementations see of it."""

from __future__ import annotations

import copy
import datetime
import pickle

import pytest

from tornado.httpclient import HTTPRequest, _RequestProxy
from tornado.httputil import HTTPHeaders


def test_headers():
    assert isinstance(HTTPRequest("http://a").headers, HTTPHeaders)
    mapping = {"X": "1"}
    request = HTTPRequest("http://a", headers=mapping)
    assert request.headers is mapping
    request.headers = None
    assert request.headers == HTTPHeaders()


def test_body_becomes_bytes():
    request = HTTPRequest("http://a", body="ä")
    assert request.body == "ä".encode()
    request.body = "x"
    assert request.body == b"x"
    assert HTTPRequest("http://a").body is None


def test_if_modified_since_leaves_the_callers_headers_alone():
    mapping = {"X": "1"}
    when = datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC)
    request = HTTPRequest("http://a", headers=mapping, if_modified_since=when)
    assert request.headers["If-Modified-Since"] == "Thu, 29 Feb 2024 00:00:00 GMT"
    assert request.headers["X"] == "1"
    assert mapping == {"X": "1"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"use_gzip": False}, False),
        ({"decompress_response": True}, True),
        ({"decompress_response": False, "use_gzip": True}, False),
    ],
)
def test_old_name_of_decompression(given, expected):
    assert HTTPRequest("http://a", **given).decompress_response is expected


def test_proxy_fills_gaps_only():
    request = HTTPRequest("http://a", user_agent="mine", follow_redirects=False)
    proxy = _RequestProxy(request, {"user_agent": "default", "follow_redirects": True, "max_redirects": 7})
    assert proxy.user_agent == "mine"
    assert proxy.follow_redirects is False
    assert proxy.max_redirects == 7
    assert proxy.auth_mode is None
    with pytest.raises(AttributeError):
        _ = proxy.nothing
    assert _RequestProxy(request, None).max_redirects is None


def test_copy_of_a_proxy_shows_the_same_request():
    request = HTTPRequest("http://a")
    copied = copy.copy(_RequestProxy(request, {"max_redirects": 7}))
    assert (copied.url, copied.max_redirects, copied.request) == ("http://a", 7, request)
    copied.url = "http://b"
    assert (copied.url, request.url) == ("http://b", "http://a")
    assert copy.deepcopy(_RequestProxy(request, None)).url == "http://a"
    assert pickle.loads(pickle.dumps(_RequestProxy(request, None))).url == "http://a"


@pytest.mark.parametrize("name", ["request", "defaults"])
def test_proxy_without_its_attributes_has_none(name):
    with pytest.raises(AttributeError, match=f"^'_RequestProxy' object has no attribute '{name}'$"):
        getattr(_RequestProxy.__new__(_RequestProxy), name)
