"""Signatures of OAuth 1.0, compared with the RFC's example and with oauthlib."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from tornado.auth._oauth1_signature import base_string_url, escape, signature

oauthlib = pytest.importorskip("oauthlib.oauth1")

CONSUMER = {"key": "dpf43f3p2l4k3l03", "secret": "kd94hf93k423kf44"}
TOKEN = {"key": "nnch734d00sl2jdk", "secret": "pfkkdhi9sl3r4s00"}
PHOTOS = "http://photos.example.net/photos?file=vacation.jpg&size=original"


def test_rfc_5849_section_1_2() -> None:
    parameters = {
        "oauth_consumer_key": CONSUMER["key"],
        "oauth_token": TOKEN["key"],
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131202",
        "oauth_nonce": "chapoH",
    }
    assert signature(CONSUMER, "GET", PHOTOS, parameters, TOKEN) == "MdpQcU8iPSUjWoN/UDMsK2sui9I="


@pytest.mark.parametrize(
    "url",
    [
        "https://Api.Example.com:443/1/statuses.json?b=2&a=1&a=%C3%A9",
        "http://api.example.com:8080/a%20b?empty=&plus=a+b",
        "http://[2001:db8::1]:80/?c2=&a3=2+q",
        "https://api.example.com?x=~",
    ],
)
def test_signature_agrees_with_oauthlib(url: str) -> None:
    form = {"status": "Hello Ladies + Gentlemen, a signed OAuth request! ☃"}
    client = oauthlib.Client(
        CONSUMER["key"],
        client_secret=CONSUMER["secret"],
        resource_owner_key=TOKEN["key"],
        resource_owner_secret=TOKEN["secret"],
        signature_type=oauthlib.SIGNATURE_TYPE_QUERY,
        nonce="abc",
        timestamp="1318622958",
    )
    signed, _, _ = client.sign(url, "POST", form, {"Content-Type": "application/x-www-form-urlencoded"})
    expected = parse_qs(signed.partition("?")[2])["oauth_signature"][0]
    parameters = {
        "oauth_consumer_key": CONSUMER["key"],
        "oauth_token": TOKEN["key"],
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1318622958",
        "oauth_nonce": "abc",
        "oauth_version": "1.0",
    }
    assert signature(CONSUMER, "post", url, {**parameters, **form}, TOKEN) == expected


def test_escape_encodes_everything_but_unreserved_characters() -> None:
    assert escape("AZaz09-._~") == "AZaz09-._~"
    assert escape("/ ☃") == "%2F%20%E2%98%83"
    assert escape(b"\xff") == "%FF"
    assert escape(5) == "5"


def test_version_1_0_does_not_encode_secrets() -> None:
    odd = {"key": "k", "secret": "a/b"}
    plain = signature(odd, "GET", "http://x/", {}, None, "1.0")
    assert plain != signature(odd, "GET", "http://x/", {}, None, "1.0a")
    assert plain == signature({"key": "k", "secret": "a/b"}, "GET", "http://x/", {}, None, "1.0")


def test_base_string_url_keeps_other_ports() -> None:
    assert base_string_url("HTTP://EXAMPLE.com:8080/A?b#c") == "http://example.com:8080/A"
