"""The client's address and protocol in the fields that proxies set."""

from __future__ import annotations

import pytest

from tornado._forwarded_fields import client_address, client_protocol, parse_address, parse_forwarded
from tornado._trusted_proxies import TrustedProxies
from tornado.httputil import HTTPHeaders

PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:c000:201]:80", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:port", None),
        ("192.0.2.1:123456", None),
        ("[2001:db8::1", None),
        ("[192.0.2.256]", None),
        ("2001:db8::1]:80", None),
        ("192.0.2.1\n", "192.0.2.1"),
        ("fe80::1%<b>", None),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("for=192.0.2.1", [{"for": "192.0.2.1"}]),
        ('For="[2001:db8::1]:4711" ; Proto=HTTPS', [{"for": "[2001:db8::1]:4711", "proto": "HTTPS"}]),
        ('for=a;by="x,;y", for=b', [{"for": "a", "by": "x,;y"}, {"for": "b"}]),
        ('for="a\\"b"', [{"for": 'a"b'}]),
        ("for=a;for=b", [{"for": "a"}]),
        ("for", [{}]),
        ('for="a', [{}]),
        ('for="a, for=b', [{}, {"for": "b"}]),
        ("for=a b", [{}]),
        ("for= ", [{"for": ""}]),
        ("", [{}]),
        ("for=a,,for=b", [{"for": "a"}, {"for": "b"}]),
    ],
)
def test_forwarded(value, elements):
    assert parse_forwarded(value) == elements


def address(trusted, only_list, **fields):
    headers = HTTPHeaders({name.replace("_", "-"): value for name, value in fields.items()})
    return client_address(headers, PEER, trusted, only_list)


PROXIES = TrustedProxies(["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, PEER),
        ({"X_Forwarded_For": "203.0.113.7:4711"}, "203.0.113.7"),
        ({"X_Forwarded_For": "203.0.113.7, 10.0.0.9:1234"}, "203.0.113.7"),
        ({"X_Forwarded_For": "203.0.113.7, ::ffff:10.0.0.9"}, "203.0.113.7"),
        ({"X_Forwarded_For": "1.1.1.1, 203.0.113.7"}, "203.0.113.7"),
        ({"X_Forwarded_For": "10.0.0.8, 10.0.0.9"}, "10.0.0.8"),
        ({"X_Forwarded_For": "203.0.113.7, unknown, 10.0.0.9"}, "10.0.0.9"),
        ({"X_Forwarded_For": "203.0.113.7", "X_Real_Ip": "1.1.1.1"}, "203.0.113.7"),
        ({"X_Real_Ip": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"X_Forwarded_For": " , ", "X_Real_Ip": "203.0.113.7"}, "203.0.113.7"),
        ({"X_Real_Ip": "no"}, PEER),
        ({"Forwarded": 'for=1.1.1.1, for="203.0.113.7:80";proto=https, for=10.0.0.2'}, "203.0.113.7"),
        ({"Forwarded": "for=_secret"}, PEER),
        ({"Forwarded": "for=1.1.1.1", "X_Forwarded_For": "203.0.113.7"}, "203.0.113.7"),
        ({"Forwarded": "for=1.1.1.1", "X_Real_Ip": "203.0.113.7"}, "203.0.113.7"),
        ({"Forwarded": 'for="1.1.1.1, for=203.0.113.7'}, "203.0.113.7"),
    ],
)
def test_address_behind_trusted_proxies(fields, expected):
    assert address(PROXIES, True, **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"X_Forwarded_For": "1.1.1.1, 203.0.113.7:80"}, "203.0.113.7"),
        ({"X_Forwarded_For": "203.0.113.7, 10.0.0.9:80"}, "203.0.113.7"),
        ({"X_Forwarded_For": "1.1.1.1", "X_Real_Ip": "203.0.113.7"}, "203.0.113.7"),
        ({"X_Forwarded_For": "203.0.113.7", "X_Real_Ip": ""}, "203.0.113.7"),
        ({"X_Forwarded_For": "203.0.113.7", "X_Real_Ip": "unknown"}, "203.0.113.7"),
        ({"X_Forwarded_For": "unknown"}, PEER),
        ({"Forwarded": "for=1.1.1.1"}, PEER),
    ],
)
def test_address_with_xheaders_alone_has_the_order_of_upstream(fields, expected):
    assert address(frozenset({"10.0.0.9"}), False, **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "http"),
        ({"X-Scheme": "HTTPS"}, "https"),
        ({"X-Scheme": "", "X-Forwarded-Proto": "http, https"}, "https"),
        ({"X-Scheme": "ftp", "X-Forwarded-Proto": "https"}, "https"),
        ({"X-Forwarded-Proto": "ftp"}, "http"),
        ({"Forwarded": "for=a;proto=http, for=b;proto=https"}, "https"),
        ({"Forwarded": "for=a;proto=https", "X-Forwarded-Proto": "http"}, "http"),
        ({"Forwarded": "for=a;proto=https", "X-Real-Ip": "192.0.2.1"}, "http"),
    ],
)
def test_protocol(fields, expected):
    assert client_protocol(HTTPHeaders(fields), "http", use_forwarded=True) == expected


def test_forwarded_is_not_used_with_xheaders_alone():
    assert client_protocol(HTTPHeaders(Forwarded="proto=https"), "http", use_forwarded=False) == "http"
