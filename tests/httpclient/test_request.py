"""HTTPRequest, and the view of it that is passed to implementations."""

from __future__ import annotations

import copy
import datetime
import http.cookiejar
import inspect
import io
import pickle
import re

import pytest

from tornado._wire.multipart import parse_multipart
from tornado.httpclient import HTTPRequest, RetryPolicy, TransferProgress, _RequestProxy
from tornado.httputil import HTTPHeaders


def test_headers_default_to_an_empty_mapping():
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


def test_if_modified_since_does_not_change_the_callers_headers():
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


def test_proxy_applies_defaults_only_to_unset_attributes():
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
def test_proxy_without_its_attributes_raises_attribute_error(name):
    with pytest.raises(AttributeError, match=f"^'_RequestProxy' object has no attribute '{name}'$"):
        getattr(_RequestProxy.__new__(_RequestProxy), name)


def test_positional_arguments_match_upstream_and_own_arguments_are_keyword_only():
    names = list(inspect.signature(HTTPRequest).parameters)
    assert names[:4] == ["url", "method", "headers", "body"]
    assert names.index("ssl_options") == 32
    own = inspect.signature(HTTPRequest).parameters
    assert {own[name].kind for name in names[33:]} == {inspect.Parameter.KEYWORD_ONLY}


UPSTREAM_VALUES = {
    "auth_username": "a",
    "auth_password": "b",
    "auth_mode": "digest",
    "connect_timeout": 1.0,
    "request_timeout": 2.0,
    "follow_redirects": False,
    "max_redirects": 3,
    "user_agent": "c",
    "network_interface": "127.0.0.1",
    "streaming_callback": print,
    "header_callback": print,
    "prepare_curl_callback": print,
    "proxy_host": "d",
    "proxy_port": 4,
    "proxy_username": "e",
    "proxy_password": "f",
    "proxy_auth_mode": "basic",
    "allow_nonstandard_methods": True,
    "validate_cert": False,
    "ca_certs": "g",
    "allow_ipv6": False,
    "client_key": "h",
    "client_cert": "i",
    "body_producer": print,
    "expect_100_continue": True,
    "decompress_response": False,
    "ssl_options": {},
    "queue_timeout": 5,
    "max_body_size": 6,
    "allow_downgrade": True,
    "cookies": False,
    "retry": RetryPolicy(),
    "progress_callback": print,
}


@pytest.mark.parametrize("name", UPSTREAM_VALUES)
def test_each_argument_sets_its_attribute_alone(name):
    request = HTTPRequest("http://a", **{name: UPSTREAM_VALUES[name]})
    for each in UPSTREAM_VALUES:
        default = False if each == "expect_100_continue" else None
        assert getattr(request, each) == (UPSTREAM_VALUES[name] if each == name else default), each


def test_attributes_can_be_assigned_and_copied():
    request = HTTPRequest("http://a", body=b"x")
    request.user_agent = "mine"
    other = copy.copy(request)
    other.user_agent = None
    other.body = None
    assert (request.user_agent, request.body) == ("mine", b"x")
    assert other.user_agent is other.body is other.body_source is None


def test_streamed_body_has_a_source():
    file = io.BytesIO(b"abc")
    request = HTTPRequest("http://a", body=file)
    assert request.body is file
    assert request.body_source.length == 3
    assert request.body_source is request.body_source
    request.body = "text"
    assert (request.body, request.body_source.length) == (b"text", 4)
    assert HTTPRequest("http://a", body=bytearray(b"x")).body == b"x"
    assert HTTPRequest("http://a", body=memoryview(b"x")).body == b"x"
    assert HTTPRequest("http://a").body_source is None
    producer = HTTPRequest("http://a", body_producer=lambda write: write(b"x"))
    assert producer.body is None
    assert producer.body_source.length is None
    with pytest.raises(TypeError, match="cannot be a mapping: pass it as json= or data="):
        HTTPRequest("http://a", body={"a": 1})
    with pytest.raises(TypeError, match="not int"):
        HTTPRequest("http://a", body=5)


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://a", {"q": "x y"}, "http://a?q=x+y"),
        ("http://a/b#c", {"q": ["1", 2], "n": None, "t": True}, "http://a/b?q=1&q=2&t=true#c"),
        ("http://a/?b=%20+&c#d", [("b", "\u00e9")], "http://a/?b=%20+&c&b=%C3%A9#d"),
        ("http://a/?", {"b": 1}, "http://a/?b=1"),
        ("http://a/?b&", {"c": 1}, "http://a/?b&c=1"),
        ("http://a/", {}, "http://a/"),
        ("http://a/#?", {"b": 1}, "http://a/?b=1#?"),
        ("http://a/", "b=c&d", "http://a/?b=c&d"),
        ("http://a/?x", "?b=c", "http://a/?x&b=c"),
    ],
)
def test_params_are_added_to_the_url(url, params, expected):
    assert HTTPRequest(url, params=params).url == expected


def test_json_is_serialized_as_the_body():
    headers = {"X": "1"}
    request = HTTPRequest("http://a", method="POST", headers=headers, json={"a": [1, "\u00e9", None]})
    assert request.body == '{"a":[1,"\u00e9",null]}'.encode()
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X"] == "1"
    assert headers == {"X": "1"}
    own = HTTPRequest("http://a", headers={"content-type": "application/vnd.api+json"}, json=[])
    assert own.headers["Content-Type"] == "application/vnd.api+json"
    assert own.body == b"[]"
    assert HTTPRequest("http://a", json=False).body == b"false"
    for value, error in ((float("nan"), ValueError), ("\ud800", ValueError), (object(), TypeError)):
        with pytest.raises(error):
            HTTPRequest("http://a", json=value)


def test_data_is_serialized_as_a_form():
    request = HTTPRequest("http://a", method="POST", data={"a": [1, "\u00e9 "], "b": ""})
    assert request.body == b"a=1&a=%C3%A9+&b="
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert HTTPRequest("http://a", data={}).body == b""
    with pytest.raises(TypeError, match="data must be a mapping"):
        HTTPRequest("http://a", data="a=b")


async def test_files_are_sent_as_multipart():
    request = HTTPRequest("http://a", method="POST", data={"a": 1}, files={"f": b"content"})
    content_type = request.headers["Content-Type"]
    assert re.fullmatch(r"multipart/form-data; boundary=[0-9a-f]{32}", content_type)
    chunks = []
    await request.body_source.send(chunks.append)
    body = b"".join(chunks)
    assert len(body) == request.body_source.length
    boundary = content_type.partition("=")[2].encode()
    assert [(part.name, content) for part, content in parse_multipart(boundary, body)] == [
        ("a", b"1"),
        ("f", b"content"),
    ]
    other = HTTPRequest("http://a", files={"f": b"content"})
    assert other.headers["Content-Type"] != content_type
    with pytest.raises(ValueError, match=r"files= sets the Content-Type field.*remove 'multipart/form-data'"):
        HTTPRequest("http://a", headers={"Content-Type": "multipart/form-data"}, files={})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"body": b"", "json": {}}, "got body and json"),
        ({"json": 1, "data": {}}, "json and data: pass one"),
        ({"json": 1, "files": {}}, "json and files: pass one"),
        ({"body_producer": print, "data": {}, "files": {}}, "body_producer and data and files: pass one"),
    ],
)
def test_two_bodies_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        HTTPRequest("http://a", **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"queue_timeout": -1}, ValueError, "queue_timeout must not be negative, got -1"),
        ({"queue_timeout": "1"}, TypeError, "queue_timeout must be a number or None, not '1'"),
        ({"max_body_size": -1}, ValueError, "max_body_size"),
        ({"max_body_size": True}, TypeError, "max_body_size"),
        ({"cookies": {"a": "b"}}, TypeError, r"cookies must be an http\.cookiejar\.CookieJar, False"),
        ({"cookies": True}, TypeError, "cookies"),
        ({"retry": 3}, TypeError, "retry must be a RetryPolicy, False or None, not 3"),
        ({"progress_callback": 1}, TypeError, "progress_callback must be callable, not 1"),
    ],
)
def test_wrong_values_are_rejected(arguments, error, message):
    with pytest.raises(error, match=message):
        HTTPRequest("http://a", **arguments)


def test_cookie_jar_is_stored():
    jar = http.cookiejar.CookieJar()
    assert HTTPRequest("http://a", cookies=jar).cookies is jar


def test_progress_is_a_named_tuple():
    progress = TransferProgress(1, None, 2, 3)
    assert (progress.sent, progress.send_total, progress.received, progress.receive_total) == (1, None, 2, 3)
