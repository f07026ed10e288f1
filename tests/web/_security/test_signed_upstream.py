"""Signed values are interchangeable with Tornado 6.6.1: recorded values, and values signed in the test."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import upstream
from tests.support.web import new_cookie_line
from tornado.web import create_signed_value, decode_signed_value, get_signature_key_version

RECORDED = json.loads(Path(__file__).with_name("signed_vectors.json").read_text())
KEYS: dict[int, str | bytes] = {int(number): key for number, key in RECORDED["keys"].items()}
# Kind of value -> secret, version and key version.
KINDS: dict[str, tuple[Any, int, int | None]] = {
    "v1": (RECORDED["secret"], 1, None),
    "v2": (RECORDED["secret"], 2, None),
    "key 0": (KEYS, 2, 0),
    "key 7": (KEYS, 2, 7),
}


def now() -> float:
    time: int = RECORDED["time"]
    return time


@pytest.mark.parametrize(("kind", "name", "encoded", "signed"), RECORDED["vectors"])
def test_recorded_values_are_signed_and_decoded_identically(
    kind: str, name: str, encoded: str, signed: str
) -> None:
    secret, version, key_version = KINDS[kind]
    value = base64.b64decode(encoded)
    made = create_signed_value(secret, name, value, version=version, clock=now, key_version=key_version)
    assert made == signed.encode()
    assert decode_signed_value(secret, name, signed, clock=now) == value
    assert get_signature_key_version(signed) == ((key_version or 0) if version == 2 else None)


READ_AND_SIGN = """
import base64
from tornado.web import create_signed_value, decode_signed_value, get_signature_key_version
keys = {int(number): key for number, key in given["keys"].items()}
answers = []
for several, version, key_version, name, value, signed in given["rows"]:
    secret = keys if several else given["secret"]
    read = decode_signed_value(secret, name, signed)
    value = base64.b64decode(value)
    made = create_signed_value(secret, name, value, version=version, key_version=key_version)
    answers.append([
        read is not None and base64.b64encode(read).decode(), get_signature_key_version(signed), made.decode()
    ])
print(json.dumps(answers))
"""


def test_values_are_interchangeable_with_installed_upstream() -> None:
    rows: list[list[Any]] = []
    for secret, version, key_version in KINDS.values():
        for name, value in (("name", b"value"), ("a|b", bytes(range(256)))):
            ours = create_signed_value(secret, name, value, version=version, key_version=key_version)
            encoded = base64.b64encode(value).decode()
            rows.append([secret is KEYS, version, key_version, name, encoded, ours.decode()])
    answers = upstream.run(READ_AND_SIGN, keys=KEYS, secret=RECORDED["secret"], rows=rows)
    for (several, version, key_version, name, encoded, _), (read, number, theirs) in zip(
        rows, answers, strict=True
    ):
        assert read == encoded
        assert number == ((key_version or 0) if version == 2 else None)
        secret = KEYS if several else RECORDED["secret"]
        assert decode_signed_value(secret, name, theirs) == base64.b64decode(encoded)


COOKIES = """
import asyncio, io, contextlib
from tornado import httputil, web
from unittest import mock
app = web.Application(cookie_secret=given["secret"])
def handler(cookie=""):
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    headers = httputil.HTTPHeaders({"Host": "h", "Cookie": cookie})
    request = httputil.HTTPServerRequest(start_line=line, headers=headers, connection=mock.Mock())
    return web.RequestHandler(app, request)
answers = []
for name, value, attributes, cookie in given["rows"]:
    writer, reader = handler(), handler(cookie)
    writer.set_cookie(name, value, **attributes)
    answers.append([writer._new_cookie[name].OutputString(None), reader.get_cookie(name)])
print(json.dumps(answers))
"""


def test_set_cookie_fields_equal_upstreams() -> None:
    attributes: list[dict[str, Any]] = [
        {},
        {"path": "/p", "domain": "example.com", "httponly": True, "secure": True, "samesite": "Lax"},
        {"expires": 1893553445, "max_age": 10, "path": None},
    ]
    values = [
        "v",
        "",
        "a=b",
        "a;b",
        'a"b',
        "a,b",
        "a\\b",
        "ü",
        "2|1:0|10:17|4:name|8:dmFsdWU=|ab",
        "\x7f",
        "~:",
    ]
    rows: list[list[Any]] = []
    ours: list[str] = []
    for value in values:
        for each in attributes:
            handler = _handler("")
            handler.set_cookie("n", value, **each)
            line = new_cookie_line(handler, "n")
            rows.append(["n", value, each, line.partition("; ")[0]])
            ours.append(line)
    for (name, value, _, cookie), line, (theirs, read) in zip(
        rows, ours, upstream.run(COOKIES, secret="s", rows=rows), strict=True
    ):
        assert line == theirs
        assert read == value == _handler(cookie).get_cookie(name)


def _handler(cookie: str) -> Any:
    from tornado import httputil, web

    line = httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    headers = httputil.HTTPHeaders({"Host": "h", "Cookie": cookie})
    return web.RequestHandler(web.Application(), httputil.HTTPServerRequest(start_line=line, headers=headers))
