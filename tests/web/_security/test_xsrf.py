"""Protection against cross-site request forgery."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised, serving
from tornado import web
from tornado.web._security import _xsrf

RAW = bytes(range(16))
V1 = RAW.hex()
V2 = f"2|{bytes(4).hex()}|{RAW.hex()}|1700000000"
V2_MASKED = f"2|ffffffff|{bytes(255 - byte for byte in RAW).hex()}|1700000000"
OTHER = "2|00000000|" + bytes(16).hex() + "|1700000000"
FORM = "Content-Type: application/x-www-form-urlencoded"


class Handler(web.RequestHandler):
    """A handler that sends its token, and accepts requests that contain it."""

    def get(self) -> None:
        self.write(self.xsrf_token)
        assert self.xsrf_token == self.xsrf_token

    def post(self) -> None:
        self.write("taken")

    put = patch = delete = post


async def post(
    *fields: Any,
    body: Any = b"",
    method: Any = "POST",
    path: Any = "/",
    handler: Any = Handler,
    **settings: Any,
) -> Any:
    settings = {"xsrf_cookies": True, **settings}
    return await ask(handler, FORM, *fields, method=method, body=body, path=path, **settings)


# -- tokens --


@pytest.mark.parametrize(
    ("text", "version", "raw"),
    [
        (V1, 1, RAW),
        (V2, 2, RAW),
        (V2_MASKED, 2, RAW),
        ("a very old one", 1, b"a very old one"),
        ("2|", None, None),
        ("2|||", None, None),
        ("2|00|00|1", None, None),
        ("2|0000000000|00|1", None, None),
        ("2|zzzzzzzz|00|1", None, None),
        ("2|00000000|zz|1", None, None),
        ("2|00000000|00|soon", None, None),
        ("2|00000000|00", None, None),
        ("2|00000000|00|1|1", None, None),
        ("3|00000000|00|1", None, None),
        ("|", None, None),
    ],
)
def test_token_of_each_version_is_decoded(text: Any, version: Any, raw: Any) -> None:
    found = _xsrf.decode_token(text)
    assert found[:2] == (version, raw)
    assert (found[2] is None) is (version is None)


async def test_token_is_masked_differently_in_each_response() -> None:
    async with serving(web.Application([("/", Handler)], xsrf_cookies=True)) as server:
        first = await server.fetch("/")
        (cookie,) = first.get_all("set-cookie")
        assert re.fullmatch(r"_xsrf=2\|[0-9a-f]{8}\|[0-9a-f]{32}\|[0-9]+; Path=/", cookie)
        assert first.body.decode() in cookie
        tokens = [first.body]
        for _ in range(3):
            response = await server.fetch("/", "Cookie: " + cookie.partition(";")[0])
            assert response.get("set-cookie") is None
            tokens.append(response.body)
        assert len({token.split(b"|")[2] for token in tokens}) == 4
        assert len({_xsrf.decode_token(token.decode())[1] for token in tokens}) == 1
        assert len({token.rpartition(b"|")[2] for token in tokens}) == 1


async def test_version_1_is_the_unmasked_token() -> None:
    async with serving(web.Application([("/", Handler)], xsrf_cookies=True, xsrf_cookie_version=1)) as server:
        response = await server.fetch("/")
        assert re.fullmatch(rb"[0-9a-f]{32}", response.body)
        assert (await server.fetch("/", f"Cookie: _xsrf={V2}")).body == V1.encode()


async def test_unknown_version_is_rejected(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler, xsrf_cookie_version=3)).code == 500
    assert "unknown xsrf_cookie_version 3" in str(raised(expected))


async def test_name_and_attributes_of_the_cookie() -> None:
    class WithUser(Handler):
        def get_current_user(self) -> Any:
            return "ann"

    settings: dict[str, Any] = {
        "xsrf_cookies": True,
        "xsrf_cookie_name": "mine",
        "xsrf_cookie_kwargs": {"httponly": True},
    }
    (cookie,) = (await ask(Handler, **settings)).get_all("set-cookie")
    assert cookie.startswith("mine=2|")
    assert cookie.endswith("; HttpOnly; Path=/")
    # For a logged-in user the cookie expires after 30 days, unless the setting overrides this.
    assert "expires=" in (await ask(WithUser, **settings)).get("set-cookie")
    settings["xsrf_cookie_kwargs"] = {"expires_days": None}
    assert "expires=" not in (await ask(WithUser, **settings)).get("set-cookie")
    response = await post(f"Cookie: mine={V2}", f"X-Xsrftoken: {V2}", xsrf_cookie_name="mine")
    assert response.code == 200


@pytest.mark.parametrize("name", ["__Host-xsrf", "__secure-xsrf"])
async def test_cookie_name_with_prefix_implies_secure(name: str) -> None:
    (cookie,) = (await ask(Handler, xsrf_cookies=True, xsrf_cookie_name=name)).get_all("set-cookie")
    assert cookie.startswith(f"{name}=2|")
    assert cookie.endswith("; Path=/; Secure")
    response = await post(f"Cookie: {name}={V2}", f"X-Xsrftoken: {V2}", xsrf_cookie_name=name)
    assert response.code == 200


async def test_form_field_contains_the_token() -> None:
    class Form(web.RequestHandler):
        def get(self) -> None:
            self.write(self.xsrf_form_html())

    body = (await ask(Form)).body
    assert re.fullmatch(rb'<input type="hidden" name="_xsrf" value="2\|[0-9a-f|]+"/>', body)


# -- double submit --


@pytest.mark.parametrize("cookie", [V1, V2, V2_MASKED])
@pytest.mark.parametrize("token", [V1, V2, V2_MASKED])
@pytest.mark.parametrize("way", ["body", "query", "X-Xsrftoken", "X-Csrftoken", "X-XSRFToken"])
async def test_repeated_token_is_accepted(cookie: Any, token: Any, way: Any) -> None:
    fields = [f"Cookie: _xsrf={cookie}"]
    body, path = b"", "/"
    if way == "body":
        body = b"_xsrf=" + token.encode()
    elif way == "query":
        path = "/?_xsrf=" + token
    else:
        fields.append(f"{way}: {token}")
    response = await post(*fields, body=body, path=path)
    assert (response.code, response.body) == (200, b"taken")


@pytest.mark.parametrize(
    ("cookie", "token", "message"),
    [
        (V2, "", "'_xsrf' argument missing"),
        (V2, OTHER, "does not match"),
        (V2, "2|x", "invalid format"),
        (V2, "2|00000000||1700000000", "invalid format"),
        ("", V2, "does not match"),
        ("2|x", V2, "does not match"),
        ("2|00000000||1", V2, "does not match"),
        ("2|00000000||1", "2|00000000||1", "invalid format"),
        (V2, "%C3%A9", "does not match"),
        ("\xc3\xa9", V2, "does not match"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_other_tokens_are_rejected(
    cookie: Any, token: Any, message: Any, method: Any, expect_log: ExpectLog
) -> None:
    with expect_log("tornado.general", f"403 {method} .*{message}"):
        body = b"_xsrf=" + token.encode()
        response = await post(f"Cookie: _xsrf={cookie}", body=body, method=method)
    assert response.code == 403


async def test_an_injected_cookie_with_an_empty_token_is_replaced() -> None:
    # Otherwise a site on a sibling domain could lock users out of every form.
    response = await ask(Handler, "Cookie: _xsrf=2|00000000||1")
    assert response.get("set-cookie").startswith("_xsrf=2|")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_safe_methods_need_no_token(method: Any) -> None:
    class Safe(Handler):
        def head(self) -> None:
            pass

        options = head

    assert (await ask(Safe, method=method, xsrf_cookies=True)).code == 200


async def test_overridden_check_xsrf_cookie() -> None:
    class Unchecked(Handler):
        def check_xsrf_cookie(self) -> None:
            pass

    assert (await post(handler=Unchecked)).code == 200


async def test_error_page_of_a_missing_page_needs_no_token() -> None:
    assert (await post(path="/none", handler=[("/", Handler)])).code == 404


async def test_token_is_checked_before_prepare(expect_log: ExpectLog) -> None:
    class Prepared(Handler):
        def prepare(self) -> None:
            raise AssertionError("prepare() must not be called")

    with expect_log("tornado.general", "_xsrf"):
        assert (await post(handler=Prepared)).code == 403


# -- the origin of a request --

TRUSTED = "https://trusted.example.com"
SITES = [
    # header fields of the request -> status of the response
    ([], 200),
    (["Sec-Fetch-Site: same-origin"], 200),
    (["Sec-Fetch-Site: none"], 200),
    (["Sec-Fetch-Site: same-site"], 403),
    (["Sec-Fetch-Site: cross-site"], 403),
    (["Sec-Fetch-Site: same-origin, cross-site"], 403),
    (["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], 403),
    (["Sec-Fetch-Site: "], 403),
    (["Sec-Fetch-Site: cross-site", "Origin: http://example.com"], 403),
    (["Sec-Fetch-Site: cross-site", f"Origin: {TRUSTED}"], 200),
    (["Sec-Fetch-Site: same-site", f"Origin: {TRUSTED}"], 200),
    (["Origin: http://example.com"], 200),
    (["Origin: https://example.com"], 200),  # a proxy may terminate TLS
    (["Origin: HTTP://EXAMPLE.COM"], 200),
    (["Origin: http://example.com/path"], 200),
    (["Origin: http://example.com:8080"], 403),
    (["Origin: http://sub.example.com"], 403),
    (["Origin: http://user@example.com"], 403),
    (["Origin: http://example.com.evil.com"], 403),
    (["Origin: http://evil.com", "Referer: http://example.com/"], 403),
    (["Origin: null"], 403),
    (["Origin: "], 403),
    (["Origin: http://["], 403),
    (["Origin: http://[::1"], 403),
    (["Origin: nonsense"], 403),
    (["Origin: http://example.com", "Origin: http://evil.com"], 403),
    ([f"Origin: {TRUSTED}"], 200),
    ([f"Origin: {TRUSTED}/"], 403),
    (["Origin: http://trusted.example.com"], 403),
]


@pytest.mark.parametrize(("fields", "code"), SITES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_cross_origin_protection(fields: Any, code: Any, method: Any, expect_log: ExpectLog) -> None:
    settings: dict[str, Any] = {"cross_origin_protection": True, "trusted_origins": [TRUSTED]}
    site = "Sec-Fetch-Site .*" if any("Sec-" in field for field in fields) else ""
    with expect_log("tornado.general", f"403 {method} / .*{site}Origin .* not allowed", required=code == 403):
        response = await ask(Handler, "Host: example.com", *fields, method=method, body=b"", **settings)
    assert response.code == code


async def test_logged_origin_is_truncated(expect_log: ExpectLog) -> None:
    for site in ([], ["Sec-Fetch-Site: " + "s" * 2000]):
        fields = ["Host: " + "h" * 2000, "Origin: http://" + "o" * 2000, *site]
        with expect_log("tornado.general", "403 POST / .*Origin .* not allowed") as expected:
            response = await ask(Handler, *fields, method="POST", body=b"", cross_origin_protection=True)
        assert response.code == 403
        assert len(expected.records[0].getMessage()) < 600


async def test_cross_origin_protection_is_off_by_default() -> None:
    fields = ["Sec-Fetch-Site: cross-site", "Origin: http://evil.com"]
    assert (await ask(Handler, *fields, method="POST", body=b"")).code == 200


async def test_cross_origin_requests_with_safe_methods_are_allowed() -> None:
    fields = ["Sec-Fetch-Site: cross-site", "Origin: http://evil.com"]
    assert (await ask(Handler, *fields, cross_origin_protection=True)).code == 200


async def test_check_trusted_origin_may_be_overridden(expect_log: ExpectLog) -> None:
    asked = []

    class Own(Handler):
        def prepare(self) -> None:
            asked.append("prepare")

        def check_trusted_origin(self, origin: Any) -> Any:
            asked.append(origin)
            return origin.endswith(".example.com")

        def check_origin(self, origin: Any) -> None:
            raise AssertionError("that is a method of WebSocket handlers")

    settings: dict[str, Any] = {"cross_origin_protection": True}
    for origin in ("http://a.example.com", "http://localhost"):
        assert (await ask(Own, f"Origin: {origin}", method="POST", body=b"", **settings)).code == 200
    with expect_log("tornado.general", "not allowed"):
        assert (await ask(Own, "Origin: http://evil.com", method="POST", body=b"", **settings)).code == 403
    assert asked == ["http://a.example.com", "prepare", "prepare", "http://evil.com"]


async def test_both_protections_together(expect_log: ExpectLog) -> None:
    settings: dict[str, Any] = {"cross_origin_protection": True}
    fields = [f"Cookie: _xsrf={V2}", f"X-Xsrftoken: {V2}"]
    assert (await post(*fields, "Sec-Fetch-Site: same-origin", **settings)).code == 200
    with expect_log("tornado.general", "Sec-Fetch-Site"):
        assert (await post(*fields, "Sec-Fetch-Site: cross-site", **settings)).code == 403
    with expect_log("tornado.general", "'_xsrf' argument missing"):
        assert (await post("Sec-Fetch-Site: same-origin", **settings)).code == 403
