"""Signed values: valid ones are accepted, all others rejected."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import web
from tornado.web import create_signed_value, decode_signed_value, get_signature_key_version

SECRET = "a secret of the tests"
NOW = 1_700_000_000
DAY = 86400
KEYS: dict[int, str | bytes] = {
    0: "key zero of three keys",
    1: b"key one of three keys",
    2: "key two of three keys",
}


def clock() -> Any:
    return NOW


def create(name: Any = "name", value: Any = "value", **arguments: Any) -> Any:
    return create_signed_value(SECRET, name, value, clock=clock, **arguments)


def decode(value: Any, name: Any = "name", days_later: Any = 0.0, **arguments: Any) -> Any:
    return decode_signed_value(SECRET, name, value, clock=lambda: NOW + days_later * DAY, **arguments)


def sign_v1(encoded: Any, timestamp: Any, name: Any = b"name", secret: Any = SECRET) -> Any:
    """Sign in version 1 as it is defined, without the module under test."""
    signature = hmac.new(secret.encode(), name + encoded + timestamp, hashlib.sha1).hexdigest().encode()
    return b"|".join([encoded, timestamp, signature])


def sign_v2(signed: Any, secret: Any = SECRET) -> Any:
    return signed + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


def test_version_1_is_unchanged() -> None:
    assert create(version=1) == sign_v1(b"dmFsdWU=", b"1700000000")


def test_version_2_is_unchanged() -> None:
    expected = sign_v2(b"2|1:0|10:1700000000|4:name|8:dmFsdWU=|")
    assert create() == create(version=2) == expected
    with_key = create_signed_value(KEYS, "name", "value", clock=clock, key_version=2)
    assert with_key == sign_v2(b"2|1:2|10:1700000000|4:name|8:dmFsdWU=|", "key two of three keys")


@pytest.mark.parametrize("version", [1, 2])
@given(name=st.text(max_size=20), value=st.one_of(st.binary(max_size=50), st.text(max_size=50)))
def test_signed_value_is_decoded(version: Any, name: str, value: Any) -> None:
    signed = create(name, value, version=version)
    plain = value if isinstance(value, bytes) else value.encode()
    assert decode(signed, name) == decode(signed.decode(), name) == plain


@pytest.mark.parametrize("version", [1, 2])
def test_value_for_another_name_is_rejected(version: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Invalid cookie signature", required=version == 1):
        assert decode(create(version=version), "other") is None


@pytest.mark.parametrize("version", [1, 2])
def test_any_changed_byte_is_rejected(version: Any, expect_log: ExpectLog) -> None:
    signed = create(version=version)
    with expect_log("tornado.general", "", required=False):
        for place in range(len(signed)):
            for change in (b"", b"0", b"|", signed[place : place + 1] * 2):
                forged = signed[:place] + change + signed[place + 1 :]
                assert decode(forged) is None or forged == signed


@pytest.mark.parametrize("version", [1, 2])
def test_old_signatures_are_rejected(version: Any, expect_log: ExpectLog) -> None:
    signed = create(version=version)
    assert decode(signed, days_later=30.9) == b"value"
    with expect_log("tornado.general", "Expired cookie", required=version == 1):
        assert decode(signed, days_later=31.1) is None
    assert decode(signed, days_later=31.1, max_age_days=32) == b"value"
    with expect_log("tornado.general", "Expired cookie", required=version == 1):
        assert decode(signed, days_later=1.1, max_age_days=1) is None


def test_digits_cannot_be_moved_between_value_and_time_of_version_1(expect_log: ExpectLog) -> None:
    # The signed text does not separate the value from the time.
    signature = create(value=b"\xd7\x6d\xf8", version=1).rpartition(b"|")[2]
    assert create(value=b"\xd7\x6d\xf8", version=1).startswith(b"1234|17")
    with expect_log("tornado.general", "Cookie timestamp in future"):
        assert decode(b"|".join([b"", b"12341700000000", signature])) is None
    with expect_log("tornado.general", "Expired"):
        assert decode(b"|".join([b"12341700", b"000000", signature])) is None
    late = sign_v1(b"dmFsdWU=", b"01700000000")
    with expect_log("tornado.general", "Tampered cookie"):
        assert decode(late) is None


@pytest.mark.parametrize("timestamp", [b"", b"not-a-number", b"-1700000000", b"1700000000.5", b"1" * 5000])
def test_invalid_timestamp_is_rejected(timestamp: Any) -> None:
    assert decode(sign_v1(b"dmFsdWU=", timestamp)) is None
    assert decode(sign_v2(b"2|1:0|%d:%s|4:name|8:dmFsdWU=|" % (len(timestamp), timestamp))) is None


@pytest.mark.parametrize(
    "signed",
    [
        b"2|1:0|10:1700000000|4:name|",
        b"2|1:0|10:1700000000|4:name|8:dmFsdWU=",
        b"2|1:0|10:1700000000|5:name|8:dmFsdWU=|",
        b"2|1:0|10:1700000000|4:name|999999999:dmFsdWU=|",
        b"2|1:0|10:1700000000|4:name|9999999999:dmFsdWU=|",
        b"2|1:0|10:1700000000|-4:name|8:dmFsdWU=|",
        b"2|1:0|10:1700000000|+4:name|8:dmFsdWU=|",
        b"2|1:x|10:1700000000|4:name|8:dmFsdWU=|",
        b"2|5000:" + b"1" * 5000 + b"|10:1700000000|4:name|8:dmFsdWU=|",
        b"2|0:|10:1700000000|4:name|8:dmFsdWU=|",
        b"2||||",
        b"2|",
        b"2|1:0",
        b"3|1:0|10:1700000000|4:name|8:dmFsdWU=|",
        b"99|1:0|10:1700000000|4:name|8:dmFsdWU=|",
        b"2|1:0|10:1700000000|4:name|5:A===B|",
        b"2|1:0|10:1700000000|4:name|1:A|",
    ],
)
def test_malformed_value_is_rejected(signed: Any) -> None:
    assert decode(sign_v2(signed)) is None
    assert decode(signed) is None


@pytest.mark.parametrize("value", [None, "", b"", "x", "|", "||", "|||", "a|b|c|d", "é|1|2", "1|2"])
def test_arbitrary_text_is_rejected(value: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Invalid cookie signature", required=False):
        assert decode(value) is None


def test_digits_that_are_the_value_of_version_1_are_not_a_version() -> None:
    for value in (b"\xdb\x6d\xb6", base64.b64decode("1234")):
        assert decode(create(value=value, version=1)) == value


def test_min_version_rejects_older_values() -> None:
    assert decode(create(version=1), min_version=2) is None
    assert decode(create(version=2), min_version=2) == b"value"
    with pytest.raises(ValueError, match="Unsupported min_version 3: the newest is 2"):
        decode(create(), min_version=3)


def test_unsupported_versions_are_rejected() -> None:
    with pytest.raises(ValueError, match="Unsupported version 3"):
        create(version=3)
    with pytest.raises(ValueError, match="key_version must be set"):
        create_signed_value(KEYS, "name", "value")
    with pytest.raises(ValueError, match="support a single key"):
        create_signed_value(KEYS, "name", "value", version=1, key_version=0)


def test_key_of_each_version_is_used() -> None:
    for number in KEYS:
        signed = create_signed_value(KEYS, "name", "value", key_version=number)
        assert decode_signed_value(KEYS, "name", signed) == b"value"
        assert get_signature_key_version(signed) == number
        others = {key: secret for key, secret in KEYS.items() if key != number}
        assert decode_signed_value(others, "name", signed) is None
        swapped = {**KEYS, number: "another key"}
        assert decode_signed_value(swapped, "name", signed) is None
        assert decode_signed_value(KEYS, "name", create(version=1)) is None


@pytest.mark.parametrize(
    "value", [create(version=1), b"2|", b"2|1:x|", b"x", "", "2|5000:" + "1" * 5000 + "|"]
)
def test_key_version_of_a_value_without_one(value: Any) -> None:
    assert get_signature_key_version(value) is None


# -- in a handler --


async def test_signed_cookies_are_set_and_read(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.set_signed_cookie("one", "1", httponly=True)
            self.set_secure_cookie("two", b"\xff", expires_days=None, version=1)

        def post(self) -> None:
            read = [
                self.get_signed_cookie("one"),
                self.get_secure_cookie("two"),
                self.get_signed_cookie("no"),
            ]
            read.append(self.get_signed_cookie("one", value=self.get_cookie("two")))
            read.append(self.get_signed_cookie("two", min_version=2))
            read.append(self.get_signed_cookie("one", max_age_days=-1))
            self.write(repr(read))

    async with serving(web.Application([("/", Handler)], cookie_secret=SECRET)) as server:
        one, two = (await server.fetch("/")).get_all("set-cookie")
        assert "expires=" in one
        assert "HttpOnly" in one
        assert "expires" not in two
        sent = f"Cookie: {one.partition(';')[0]}; {two.partition(';')[0]}"
        with expect_log("tornado.general", "Invalid cookie signature"):
            response = await server.fetch("/", sent, method="POST", body=b"")
        assert response.body == repr([b"1", b"\xff", None, None, None, None]).encode()


def test_logged_value_is_truncated(expect_log: ExpectLog) -> None:
    long = create(value="v" * 50_000, version=1)
    for name, days_later, text in (("other", 0, "Invalid cookie signature"), ("name", 99, "Expired cookie")):
        with expect_log("tornado.general", text) as expected:
            assert decode(long, name, days_later) is None
        assert len(expected.records[0].getMessage()) < 300


async def test_cookies_with_several_keys() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            signed = self.create_signed_value("name", "value")
            assert self.get_signed_cookie("name", signed.decode()) == b"value"
            assert self.get_signed_cookie_key_version("name") is None
            assert self.get_secure_cookie_key_version("name", signed.decode()) == 1
            self.write("right")

    assert (await ask(Handler, cookie_secret=KEYS, key_version=1)).body == b"right"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "You must define the 'cookie_secret' setting in your application to use secure cookies"),
        ({"cookie_secret": KEYS}, "key_version setting must be used"),
    ],
)
async def test_missing_setting_is_explained(settings: Any, message: Any, expect_log: ExpectLog) -> None:
    handler = handler_of(get=lambda self: self.set_signed_cookie("name", "value"))
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler, **settings)).code == 500
    exc_info = expected.records[0].exc_info
    assert exc_info is not None
    assert message in str(exc_info[1])
