"""Cookies that a handler sets and reads."""

from __future__ import annotations

import datetime
import http.cookies
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import httputil, web
from tornado._wire.cookies import format_set_cookie
from tornado.web._security._cookies import _LOGGED_NAMES, _MAX_LOGGED_NAMES


async def cookies_of(function: Any, *fields: Any) -> Any:
    """Return the Set-Cookie fields of a handler whose get() is `function`."""

    def get(self: Any) -> None:
        function(self)

    response = await ask(handler_of(get=get), *fields)
    assert response.code == 200
    return response.get_all("set-cookie")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "n=v; Path=/"),
        ({"path": None}, "n=v"),
        ({"path": "/p"}, "n=v; Path=/p"),
        ({"domain": "example.com"}, "n=v; Domain=example.com; Path=/"),
        ({"max_age": 10}, "n=v; Max-Age=10; Path=/"),
        ({"max_age": 10.7}, "n=v; Max-Age=10; Path=/"),
        ({"max_age": "10"}, "n=v; Max-Age=10; Path=/"),
        ({"max_age": -1}, "n=v; Max-Age=-1; Path=/"),
        ({"httponly": True, "secure": True}, "n=v; HttpOnly; Path=/; Secure"),
        ({"httponly": False, "secure": False}, "n=v; Path=/"),
        ({"samesite": "Strict"}, "n=v; Path=/; SameSite=Strict"),
        ({"expires": 1893553445}, "n=v; expires=Wed, 02 Jan 2030 03:04:05 GMT; Path=/"),
        ({"expires": (2030, 1, 2, 3, 4, 5)}, "n=v; expires=Wed, 02 Jan 2030 03:04:05 GMT; Path=/"),
        (
            {"expires": datetime.datetime(2030, 1, 2, 3, 4, 5), "expires_days": 3},
            "n=v; expires=Wed, 02 Jan 2030 03:04:05 GMT; Path=/",
        ),
        ({"max_age": 0}, "n=v; Path=/"),  # false values are ignored
        ({"samesite": "none", "secure": True}, "n=v; Path=/; SameSite=none; Secure"),
        ({"samesite": b"LAX"}, "n=v; Path=/; SameSite=LAX"),
        ({"partitioned": True, "secure": True}, "n=v; Partitioned; Path=/; Secure"),
        ({"partitioned": False}, "n=v; Path=/"),
        ({"comment": "c"}, "n=v; Comment=c; Path=/"),
    ],
)
async def test_attributes_are_serialized(arguments: Any, expected: Any) -> None:
    assert await cookies_of(lambda self: self.set_cookie("n", "v", **arguments)) == [expected]


@pytest.mark.parametrize(
    ("days", "date"),
    [
        (10**7, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (float("inf"), "Fri, 31 Dec 9999 23:59:59 GMT"),
        (-(10**12), "Thu, 01 Jan 1970 00:00:00 GMT"),
    ],
)
async def test_expiry_times_beyond_the_calendar(days: float, date: str) -> None:
    (cookie,) = await cookies_of(lambda self: self.set_cookie("n", "v", expires_days=days))
    assert f"expires={date}" in cookie


async def test_expires_days_sets_the_expiry_time() -> None:
    now = datetime.datetime.now(datetime.UTC)
    (cookie,) = await cookies_of(lambda self: self.set_cookie("n", "v", expires_days=10))
    expires = cookie.partition("expires=")[2].partition(";")[0]
    parsed = datetime.datetime.strptime(expires, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.UTC)
    assert abs(parsed - now - datetime.timedelta(days=10)) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"HttpOnly": True, "pATH": "/p"}, "n=v; HttpOnly; Path=/p"),
        ({"Max_Age": 3}, "n=v; Max-Age=3; Path=/"),
        ({"max-age": 3}, "n=v; Max-Age=3; Path=/"),
        ({"Secure": False, "Domain": None}, "n=v; Path=/"),
    ],
)
async def test_old_spellings_are_deprecated(arguments: Any, expected: Any) -> None:
    def set_it(self: Any) -> None:
        with pytest.warns(DeprecationWarning, match="Deprecated arguments to set_cookie.*spell it"):
            self.set_cookie("n", "v", **arguments)

    assert await cookies_of(set_it) == [expected]


FORBIDDEN = [*map(chr, range(32)), "\x7f", ";"]


@pytest.mark.filterwarnings("ignore:Deprecated arguments")
@pytest.mark.parametrize("error", [ValueError, http.cookies.CookieError])
async def test_control_characters_and_separators_are_rejected(error: Any) -> None:
    def set_them(self: Any) -> None:
        self.set_cookie("n", "kept")
        for char in FORBIDDEN:
            for name in (
                "domain",
                "path",
                "samesite",
                "max_age",
                "DoMaIn",
                "PATH",
                "SameSite",
                "Max_Age",
                "comment",
            ):
                with pytest.raises(error, match=f"Invalid cookie attribute {name}"):
                    self.set_cookie("n", "v", **{name: f"a{char}b"})
            with pytest.raises(error, match="Invalid cookie attribute name"):
                self.set_cookie(f"n{char}", "v")
        for arguments in (
            {"max_age": "1; Path=/x"},
            {"max_age": "ten"},
            {"max_age": "1.5"},
            {"unknown": "x"},
        ):
            with pytest.raises(error, match="Invalid cookie attribute"):
                self.set_cookie("n", "v", **arguments)

    assert await cookies_of(set_them) == ["n=kept; Path=/"]


@pytest.mark.parametrize("name", ["a b", "a=b", "a,b", "ü", ""])
async def test_name_that_is_not_a_token_is_rejected(name: str) -> None:
    def set_it(self: Any) -> None:
        for error in (ValueError, http.cookies.CookieError):
            with pytest.raises(error):
                self.set_cookie(name, "v")

    assert await cookies_of(set_it) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"domain": "例え.jp"},
            "attribute domain: '例え.jp' contains '例', which is not a Latin-1 character; write ",
        ),
        (
            {"path": "/€"},
            "attribute path: '/€' contains '€', which is not a Latin-1 character; percent-encode ",
        ),
        ({"path": "/€".encode()}, "attribute path: '/€' contains '€'"),
        (
            {"samesite": "€"},
            "attribute samesite: '€' contains '€', which is not a Latin-1 character; use ASCII",
        ),
        ({"expires": "€"}, None),
        ({"Comment": "€"}, "attribute Comment: '€' contains '€'"),
        ({"priority": "€"}, "attribute priority: '€' contains '€'"),
        ({"domain": "\ud800"}, r"attribute domain: '\ud800' contains '\ud800'"),
        ({"value": "€"}, "Invalid cookie value: it contains '€', .*url_escape.*cookie 'n'"),
        ({"name": "€"}, "Invalid cookie attribute name: '€' contains '€'"),
    ],
)
async def test_characters_outside_latin_1_are_rejected_by_set_cookie(
    arguments: dict[str, Any], message: str | None
) -> None:
    def set_it(self: Any) -> None:
        with pytest.raises((ValueError, TypeError), match=message and message.replace("\\", r"\\")):
            self.set_cookie(**{"name": "n", "value": "v", **arguments})

    assert await cookies_of(set_it) == []


async def test_latin_1_characters_of_attributes_are_sent() -> None:
    assert await cookies_of(lambda self: self.set_cookie("n", "v", path="/é")) == ["n=v; Path=/é"]


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb: c", "\0", "a b"])
async def test_invalid_values_are_rejected(value: Any) -> None:
    def set_it(self: Any) -> None:
        with pytest.raises(ValueError, match="Invalid cookie 'n'"):
            self.set_cookie("n", value)

    assert await cookies_of(set_it) == []


@pytest.mark.parametrize("value", ["a=b", "a;b", 'a"b', "a,b", "a\\b", "ü", b"bytes", "", '""'])
async def test_other_values_are_returned_by_get_cookie(value: Any) -> None:
    (cookie,) = await cookies_of(lambda self: self.set_cookie("n", value))
    pair = cookie.removesuffix("; Path=/")
    seen: list[Any] = []
    await cookies_of(lambda self: seen.append(self.get_cookie("n")), f"Cookie: {pair}")
    assert seen == [value.decode() if isinstance(value, bytes) else value]


async def test_cookie_set_again_replaces_the_first() -> None:
    def set_them(self: Any) -> None:
        self.set_cookie("a", "1", domain="example.com", httponly=True)
        self.set_cookie("b", "2")
        self.set_cookie("a", "3")

    assert sorted(await cookies_of(set_them)) == ["a=3; Path=/", "b=2; Path=/"]


async def test_cookies_are_sent_with_error_pages() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.set_cookie("a", "1")
            raise web.HTTPError(404)

    assert (await ask(Handler)).get_all("set-cookie") == ["a=1; Path=/"]


async def test_cleared_cookies_expire() -> None:
    def clear(self: Any) -> None:
        self.clear_all_cookies(path="/p")
        self.clear_cookie("c", domain="example.com")
        for name in ("expires", "max_age"):
            with pytest.raises(TypeError, match=f"clear_cookie.*{name}"):
                self.clear_cookie("a", **{name: 1})

    a, b, c = sorted(await cookies_of(clear, "Cookie: a=1; b=2"))
    last_year = datetime.datetime.now(datetime.UTC).year - 1
    assert a.startswith('a=""; expires=')
    assert f"{last_year} " in a or f"{last_year + 1} " in a
    assert a.endswith("; Path=/p")
    assert b.endswith("; Path=/p")
    assert "; Domain=example.com;" in c


async def test_cookies_of_the_request_are_read() -> None:
    seen = {}

    def read(self: Any) -> None:
        seen.update({name: morsel.value for name, morsel in self.cookies.items()})
        assert self.get_cookie("none") is None
        assert self.get_cookie("none", "default") == "default"
        self.set_cookie("a", "new")
        assert self.get_cookie("a") == "1"

    await cookies_of(read, "Cookie: a=1; $x; b; =3; c=2; c=3", "Cookie: d=4")
    assert seen["a"] == "1"
    assert seen["d"] == "4"
    assert seen["c"] in ("2", "3")


# -- cookies that browsers reject --


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("__Secure-n", {}, "'__Secure-n' as it was set: its prefix requires secure=True"),
        ("__secure-n", {}, "'__secure-n' as it was set: its prefix requires secure=True"),
        ("__Host-n", {}, "'__Host-n' as it was set: its prefix requires secure=True"),
        ("__hOsT-n", {"secure": True, "domain": "a.test"}, "the prefix __Host- forbids a domain"),
        ("__Host-n", {"secure": True, "path": "/p"}, "the prefix __Host- requires path='/', not '/p'"),
        ("__Host-n", {"secure": True, "path": None}, "the prefix __Host- requires path='/', not None"),
        ("n", {"samesite": "None"}, "'n' as it was set: samesite='None' requires secure=True"),
        ("n", {"samesite": "Laxer"}, "samesite must be 'Strict', 'Lax' or 'None', not 'Laxer'"),
    ],
)
async def test_cookie_that_browsers_drop_is_logged_once(
    name: str, arguments: Any, message: str, expect_log: ExpectLog
) -> None:
    def set_it(self: Any) -> None:
        self.set_cookie(name, "v", **arguments)
        self.set_cookie(name, "w", **arguments)

    with expect_log("tornado.general", message) as expected:
        (cookie,) = await cookies_of(set_it)
        await cookies_of(set_it)
    assert len(expected.records) == 1
    assert cookie.startswith(f"{name}=w")
    assert ("SameSite=" in cookie) == ("samesite" in arguments)


async def test_number_of_logged_cookies_is_limited(expect_log: ExpectLog) -> None:
    def set_them(self: Any) -> None:
        for number in range(_MAX_LOGGED_NAMES * 2):
            self.clear_cookie(f"c{number}", samesite="None")

    with expect_log("tornado.general", "Browsers do not keep the cookie") as expected:
        assert len(await cookies_of(set_them)) == _MAX_LOGGED_NAMES * 2
    assert len(expected.records) == len(_LOGGED_NAMES) == _MAX_LOGGED_NAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"partitioned": True}, "'n': partitioned=True requires secure=True"),
        ({"samesite": True}, "attribute samesite: expected a str, got True"),
    ],
)
async def test_invalid_attribute_is_rejected(arguments: Any, message: str) -> None:
    def set_it(self: Any) -> None:
        for error in (ValueError, http.cookies.CookieError):
            with pytest.raises(error, match=message):
                self.set_cookie("n", "v", **arguments)

    assert await cookies_of(set_it) == []


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("__Host-n", {"secure": True}, "__Host-n=v; Path=/; Secure"),
        ("__Secure-n", {"secure": True, "domain": "a.test"}, "__Secure-n=v; Domain=a.test; Path=/; Secure"),
        ("__Hostn", {}, "__Hostn=v; Path=/"),
        ("_Host-n", {}, "_Host-n=v; Path=/"),
    ],
)
async def test_valid_cookie_with_prefix_is_sent(name: str, arguments: Any, expected: str) -> None:
    assert await cookies_of(lambda self: self.set_cookie(name, "v", **arguments)) == [expected]


async def test_clearing_cookies_with_prefixes(expect_log: ExpectLog) -> None:
    def clear(self: Any) -> None:
        self.clear_cookie("__Host-a")
        self.clear_cookie("__Secure-b", path="/p", domain="a.test")
        with expect_log("tornado.general", "requires path='/'"):
            self.clear_cookie("__Host-c", path="/p")

    a, b, _ = await cookies_of(clear)
    assert a.endswith("GMT; Path=/; Secure")
    assert b.endswith("GMT; Path=/p; Secure")
    assert "Domain=a.test" in b


async def test_clear_all_cookies_with_unusual_names() -> None:
    names = ["__Host-a", "__SECURE-b", "plain", "a:b", "$v"]
    sent = "Cookie: " + "; ".join(f"{name}=1" for name in names) + "; path=/; x y=1; \xfc=1; 1"
    lines = await cookies_of(lambda self: self.clear_all_cookies(path="/p", domain="a.test"), sent)
    assert len(lines) == len(names)
    ends = {line.partition("=")[0]: line.partition("GMT")[2] for line in lines}
    assert ends["__Host-a"] == "; Path=/; Secure"
    assert ends["__SECURE-b"] == "; Path=/p; Secure"
    assert ends["plain"] == "; Path=/p"


async def test_clearing_many_cookies_formats_the_attributes_once() -> None:
    def clear(self: Any) -> None:
        with mock.patch(
            "tornado.web._security._cookies.format_set_cookie", wraps=format_set_cookie
        ) as format_line:
            self.clear_all_cookies(path="/p", httponly=True)
        assert format_line.call_count == 1

    sent = "Cookie: " + "; ".join(f"c{number}=1" for number in range(100))
    lines = await cookies_of(clear, sent)
    assert [line.partition("=")[0] for line in lines] == [f"c{number}" for number in range(100)]
    assert len({line.partition("=")[2] for line in lines}) == 1
    assert lines[-1].endswith("; HttpOnly; Path=/p")


@pytest.mark.parametrize("name", ["clear_cookie", "set_cookie"])
@pytest.mark.parametrize("on_instance", [False, True])
async def test_clearing_all_calls_an_overridden_method_for_each_cookie(name: str, on_instance: bool) -> None:
    called: list[str] = []

    def override(self: Any, cookie: str, *args: Any, **kwargs: Any) -> None:
        called.append(cookie)
        getattr(web.RequestHandler, name)(self, cookie, *args, **kwargs)

    class Handler(web.RequestHandler):
        def get(self) -> None:
            if on_instance:
                setattr(self, name, lambda *args, **kwargs: override(self, *args, **kwargs))
            self.clear_all_cookies()

    if not on_instance:
        setattr(Handler, name, override)
    response = await ask(Handler, "Cookie: a=1; b=2; c=3")
    assert called == ["a", "b", "c"]
    assert len(response.get_all("set-cookie")) == 3


async def test_signed_cookies_with_a_prefix() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.set_signed_cookie("__Host-id", "me", secure=True, httponly=True)

        def post(self) -> None:
            self.write(self.get_signed_cookie("__Host-id") or b"nobody")

    async with serving(web.Application([("/", Handler)], cookie_secret="s" * 32)) as server:
        (cookie,) = (await server.fetch("/")).get_all("set-cookie")
        pair = cookie.partition(";")[0]
        assert (await server.fetch("/", f"Cookie: {pair}", method="POST")).body == b"me"


# -- reading from the field or from the parsed cookies --


def handler_for(*fields: str, touched: bool = False) -> web.RequestHandler:
    headers = httputil.HTTPHeaders({"Host": "h"})
    for field in fields:
        headers.add("Cookie", field)
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    handler = web.RequestHandler(
        web.Application(), httputil.HTTPServerRequest(start_line=line, headers=headers)
    )
    if touched:
        _ = handler.cookies
    return handler


FIELD_CHARS = st.text(st.sampled_from('ab=;" \\0:$_é,path'), max_size=30).map(str.strip)


@given(FIELD_CHARS, FIELD_CHARS)
def test_field_and_parsed_cookies_agree(first: str, second: str) -> None:
    plain, touched = handler_for(first, second), handler_for(first, second, touched=True)
    names = {pair.partition("=")[0].strip() for pair in f"{first};{second}".split(";")} | {"", "path", "a"}
    for name in names:
        assert plain.get_cookie(name, "none") == touched.get_cookie(name, "none")
    assert "cookies" not in plain.request.__dict__


async def test_get_cookie_does_not_create_headers_or_cookies() -> None:
    seen: list[Any] = []

    def read(self: Any) -> None:
        seen.extend([self.get_cookie("a"), self.get_cookie("b"), sorted(self.request.__dict__)])

    await cookies_of(read, "coOkie: a=1;b=2", "X-Cookie: a=0", "Cookie:a=3")
    a, b, made = seen
    assert (a, b) == ("3", "2")
    assert "headers" not in made
    assert "cookies" not in made


async def test_get_cookie_returns_cookies_set_by_the_program() -> None:
    handler = handler_for("a=1")
    assert handler.get_cookie("a") == "1"
    handler.request.cookies["a"] = "2"
    assert handler.get_cookie("a") == "2"
    other = handler_for("a=1")
    other.request.cookies = http.cookies.SimpleCookie({"a": "3"})
    assert other.get_cookie("a") == "3"

    class Mocked:
        cookies = http.cookies.SimpleCookie({"a": "4"})

    assert web.RequestHandler.get_cookie(type("H", (), {"request": Mocked()})(), "a") == "4"  # type: ignore[arg-type]


def test_last_cookie_of_a_repeated_name_is_returned() -> None:
    assert handler_for("a=1; a=2").get_cookie("a") == "2"
    assert handler_for("a=1", "a=2").get_cookie("a") == "2"
    assert handler_for("a=1; a=2", touched=True).get_cookie("a") == "2"
