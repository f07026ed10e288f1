"""Cookies: injected attributes, forged signatures, and XSRF tokens in compressed pages."""

from __future__ import annotations

import binascii
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of
from tornado import httputil, web
from tornado.util import _websocket_mask

SECRET = "0123456789abcdef"
INJECTIONS = ["x; HttpOnly", "x\r\nSet-Cookie: b=c", "x\0", "x;domain=evil.example", "x\x7f", "x\n"]


async def set_cookie(expect_log: ExpectLog | None = None, *args: Any, **attributes: Any) -> Any:
    """Return the response of a handler that sets a cookie with these arguments."""
    handler = handler_of(get=lambda self: self.set_cookie(*(args or ("a", "b")), **attributes))
    if expect_log is None:
        return await ask(handler)
    with expect_log("tornado.application", "Uncaught exception GET"):
        return await ask(handler)


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("key", ["domain", "path", "samesite", "max_age", "comment", "version", "priority"])
async def test_cve_2026_35536_injected_attributes_are_rejected(
    key: str, value: str, expect_log: ExpectLog
) -> None:
    response = await set_cookie(expect_log, "a", "b", **{key: value})
    assert response.code == 500
    assert response.get("set-cookie") is None


@pytest.mark.filterwarnings("ignore:Deprecated arguments to set_cookie:DeprecationWarning")
@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize(
    "key", ["Domain", "DOMAIN", "Path", "SameSite", "Max-Age", "MAX_AGE", "Comment", "Expires"]
)
async def test_cve_2026_35536_attributes_in_mixed_case_are_rejected(
    key: str, value: str, expect_log: ExpectLog
) -> None:
    response = await set_cookie(expect_log, "a", "b", **{key: value})
    assert response.code == 500
    assert response.get("set-cookie") is None


@pytest.mark.parametrize("value", ["60; Domain=evil.example", "60\r\nX: y", "a", "6 0", b"60; Path=/x"])
async def test_cve_2026_35536_max_age_must_be_a_number(value: Any, expect_log: ExpectLog) -> None:
    response = await set_cookie(expect_log, "a", "b", max_age=value)
    assert response.code == 500
    assert response.get("set-cookie") is None
    assert (await set_cookie(None, "a", "b", max_age="60")).get("set-cookie") == "a=b; Max-Age=60; Path=/"


@pytest.mark.parametrize(
    "name", ["a;b", "a=b", "a b", "a\r\nX: y", "", "a,b", "a\0", "\xe4", "path", "Domain"]
)
async def test_cve_2026_35536_invalid_names_are_rejected(name: str, expect_log: ExpectLog) -> None:
    response = await set_cookie(expect_log, name, "b")
    assert response.code == 500
    assert response.get("set-cookie") is None


@pytest.mark.parametrize("value", ["b; Domain=evil.example", "b,c", 'b"; x', "b\\"])
async def test_cve_2026_35536_values_are_quoted_whole(value: str, expect_log: ExpectLog) -> None:
    if " " in value:
        assert (await set_cookie(expect_log, "a", value)).code == 500
        return
    line = (await set_cookie(None, "a", value)).get("set-cookie")
    assert line.startswith('a="')
    assert line.endswith('"; Path=/')
    assert ";" not in line[: -len("; Path=/")]
    assert httputil.parse_cookie(line.partition("; ")[0]) == {"a": value}


# Release 3.2.1: name, value and time were signed as one string without separators.


@pytest.mark.parametrize("version", [1, 2])
def test_release_3_2_1_name_and_value_of_signed_cookie(version: int, expect_log: ExpectLog) -> None:
    """A signature for the name ``ab`` and a value is not valid for ``a`` and another value.

    Version 1 detects this only because the value is not canonical base64. Names that differ by four letters
    are not detected, which is the reason for version 2.
    """
    names = [("ab", "a"), ("a", "ab"), ("user", "use"), ("us", "user")]
    for name, other in [*names, ("abcdef", "ab"), ("ab", "abcdef")] if version == 2 else names:
        signed = web.create_signed_value(SECRET, name, "cdef", version=version)
        assert web.decode_signed_value(SECRET, name, signed) == b"cdef"
        moved = (
            name[len(other) :].encode() + signed
            if name.startswith(other)
            else signed[len(other) - len(name) :]
        )
        for forged in (signed, moved):
            with expect_log("tornado.general", "Invalid cookie signature|Tampered", required=version == 1):
                assert web.decode_signed_value(SECRET, other, forged) is None


def test_release_3_2_1_value_and_time_of_signed_cookie(expect_log: ExpectLog) -> None:
    """Version 1 has no separator between the value and the time, so digits could be moved from one to the
    other.
    """
    signed = web.create_signed_value(SECRET, "a", b"\xd7m\xf8", version=1, clock=lambda: 1_700_000_000)
    value, time, signature = signed.split(b"|")
    assert value == b"1234"
    for forged in (value + time[:1] + b"|" + time[1:], value[:-4] + b"|" + value[-4:] + time):
        with expect_log("tornado.general", "future|Expired|Tampered"):
            found = web.decode_signed_value(
                SECRET, "a", forged + b"|" + signature, clock=lambda: 1_700_000_100
            )
        assert found is None
    signed = web.create_signed_value(
        SECRET, "a", b"x" * 3 + b"\xd3M4", version=1, clock=lambda: 1_700_000_000
    )
    value, time, signature = signed.split(b"|")
    assert value.endswith(b"0000")
    with expect_log("tornado.general", "Tampered"):
        forged = b"|".join([value[:-4], b"0000" + time, signature])
        assert web.decode_signed_value(SECRET, "a", forged, clock=lambda: 1_700_000_100) is None


@pytest.mark.parametrize("change", ["name", "value", "time", "key", "lengths"])
def test_release_3_2_1_fields_of_version_2_carry_their_lengths(change: str) -> None:
    signed = web.create_signed_value(SECRET, "name", "value", clock=lambda: 1_700_000_000).decode()
    version, key, time, name, value, signature = signed.split("|")
    changed = {
        "name": [version, key, time, "3:nam", value, signature],
        "value": [version, key, time, name, "4:" + value[2:6], signature],
        "time": [version, key, "11:17000000000", name, value, signature],
        "key": [version, "1:1", time, name, value, signature],
        "lengths": [version, key, time, name + "|" + value[:3], value[3:], signature],
    }[change]
    assert web.decode_signed_value(SECRET, "name", signed, clock=lambda: 1_700_000_000) == b"value"
    for name in ("name", "nam"):
        assert web.decode_signed_value(SECRET, name, "|".join(changed), clock=lambda: 1_700_000_000) is None


# Cookies that an attacker has set in the browser, which is possible from a subdomain.


class Form(web.RequestHandler):
    """A page with a form."""

    def get(self) -> None:
        self.write(self.xsrf_form_html() + " " + self.xsrf_token.decode())

    def post(self) -> None:
        self.write("changed")


@pytest.mark.parametrize(
    "injected", ['"><script>alert(1)</script>', "'x", "2|<b>|x|1", "a b", "2|||", "2|00000000||1"]
)
async def test_injected_xsrf_cookie_is_not_in_page(injected: str) -> None:
    response = await ask(Form, f"Cookie: _xsrf={injected}", xsrf_cookies=True)
    assert response.code == 200
    assert injected.encode() not in response.body
    assert b"<script" not in response.body


@pytest.mark.parametrize("token", ["", "2|00000000||1", "2|||1", "2|00000000|00|", "|"])
async def test_injected_xsrf_cookie_without_token_is_rejected(token: str, expect_log: ExpectLog) -> None:
    fields = (f"Cookie: _xsrf={token}", f"X-Xsrftoken: {token}")
    with expect_log("tornado.general", "_xsrf|XSRF"):
        response = await ask(Form, *fields, method="POST", body=b"", xsrf_cookies=True)
    assert response.code == 403


async def test_breach_tokens_are_masked_anew() -> None:
    """A constant token in compressed pages could be guessed byte by byte from their sizes."""
    cookie = (await ask(Form, xsrf_cookies=True)).get("set-cookie").partition(";")[0]
    tokens = []
    for _ in range(3):
        body = (await ask(Form, f"Cookie: {cookie}", xsrf_cookies=True)).body.decode()
        tokens.append(body.rpartition(" ")[2])
    assert len(set(tokens)) == 3
    shown = [token.split("|")[1:3] for token in tokens]
    assert len({masked for _, masked in shown}) == 3
    raw = {_websocket_mask(binascii.a2b_hex(mask), binascii.a2b_hex(masked)) for mask, masked in shown}
    assert len(raw) == 1
    for token in tokens:
        fields = (f"Cookie: {cookie}", f"X-Xsrftoken: {token}")
        assert (await ask(Form, *fields, method="POST", body=b"", xsrf_cookies=True)).body == b"changed"


# CVE-2026-49854: native code that did not check that the mask is four bytes long.


@pytest.mark.parametrize("mask", ["", "00", "000000", "0000000000", "zz"])
async def test_cve_2026_49854_a_mask_of_another_length_from_a_cookie(
    mask: str, expect_log: ExpectLog
) -> None:
    """A client can choose the length of the mask only in its own token."""
    token = f"2|{mask}|{'41' * 16}|1700000000"
    fields = (f"Cookie: _xsrf={token}", f"X-Xsrftoken: {token}")
    with expect_log("tornado.general", "XSRF|_xsrf"):
        response = await ask(Form, *fields, method="POST", body=b"", xsrf_cookies=True)
    assert response.code == 403


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 1023, 1024, 5000])
def test_cve_2026_49854_mask_of_other_length_is_rejected(size: int) -> None:
    assert _websocket_mask(b"\1\2\3\4", bytes(size)) == (b"\1\2\3\4" * (size // 4 + 1))[:size]
    for mask in (b"", b"\1", b"\1\2\3", b"\1\2\3\4\5"):
        with pytest.raises(ValueError, match="4 bytes"):
            _websocket_mask(mask, bytes(size))
