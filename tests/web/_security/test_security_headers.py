"""The setting ``security_headers``."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tests.support.web import execute, header_fields
from tornado import httputil, web
from tornado.web import SecurityHeaders

DEFAULTS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
}
ALL = {
    *DEFAULTS,
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-resource-policy",
    "permissions-policy",
    "strict-transport-security",
}
NONCE = "script-src 'self' 'nonce-{nonce}'; object-src 'none'"


def security_of(response: Any) -> dict[str, str]:
    """Return the fields of this setting, after checking that each occurs once."""
    found = [(name, value) for name, value in response.headers if name in ALL]
    assert len(dict(found)) == len(found)
    return dict(found)


class Touched(web.RequestHandler):
    def get(self) -> None:
        self.set_header("X-Own", "1")


class Hello(web.RequestHandler):
    def get(self) -> None:
        self.write("hello")

    def head(self) -> None:
        self.write("hello")


class Late(web.RequestHandler):
    async def get(self) -> None:
        self.write("a")
        await self.flush()
        self.write("b")


class Cookie(web.RequestHandler):
    def get(self) -> None:
        self.set_cookie("a", "b")


class Failing(web.RequestHandler):
    def get(self) -> None:
        raise web.HTTPError(403)


class Elsewhere(web.RequestHandler):
    def get(self) -> None:
        self.redirect("/hello")


class Json(web.RequestHandler):
    def get(self) -> None:
        self.write({"a": 1})


class Empty(web.RequestHandler):
    def get(self) -> None:
        self.set_status(204)


class Streaming(web.RequestHandler):
    _stream_request_body = True

    def data_received(self, chunk: bytes) -> None:
        pass

    def get(self) -> None:
        self.write("streamed")


class Inner(web.RequestHandler):
    """A handler that delegates to another handler, as some programs do."""

    def get(self) -> Any:
        self._auto_finish = False
        return execute(Hello(self.application, self.request))


ROUTES = [
    ("/touched", Touched),
    ("/hello", Hello),
    ("/late", Late),
    ("/cookie", Cookie),
    ("/failing", Failing),
    ("/elsewhere", Elsewhere),
    ("/json", Json),
    ("/empty", Empty),
    ("/streaming", Streaming),
    ("/inner", Inner),
    ("/moved", web.RedirectHandler, {"url": "/hello"}),
]
PATHS = [
    ("/touched", 200),
    ("/hello", 200),
    ("/late", 200),
    ("/cookie", 200),
    ("/failing", 403),
    ("/elsewhere", 302),
    ("/json", 200),
    ("/empty", 204),
    ("/streaming", 200),
    ("/inner", 200),
    ("/moved", 301),
    ("/nowhere", 404),
    ("/static/a.txt", 200),
    ("/static/none", 404),
]


@pytest.fixture
def application(tmp_path: Any) -> Any:
    (tmp_path / "a.txt").write_text("content")

    def make(**settings: Any) -> web.Application:
        return web.Application(ROUTES, static_path=str(tmp_path), **settings)

    return make


@pytest.mark.parametrize(("path", "code"), PATHS)
async def test_every_response_has_the_fields(path: str, code: int, application: Any) -> None:
    async with serving(application(security_headers=True)) as server:
        for _ in range(2):  # the second response for a static file takes the fast path
            response = await server.fetch(path)
            assert response.code == code
            assert security_of(response) == DEFAULTS
            assert response.get("server") is not None


@pytest.mark.parametrize(("path", "code"), PATHS)
async def test_no_response_has_the_fields_if_the_setting_is_off(
    path: str, code: int, application: Any
) -> None:
    for setting in ({}, {"security_headers": False}, {"security_headers": None}):
        async with serving(application(**setting)) as server:
            assert security_of(await server.fetch(path)) == {}


@pytest.mark.parametrize("path", ["/hello", "/touched", "/static/a.txt"])
async def test_strict_transport_security_is_sent_over_https(path: str, application: Any, tls: Any) -> None:
    hsts = {"strict-transport-security": "max-age=31536000"} if tls else {}
    async with serving(application(security_headers=True), tls=tls) as server:
        assert security_of(await server.fetch(path)) == {**DEFAULTS, **hsts}
    async with serving(application(security_headers=True), tls=tls, xheaders=True) as server:
        response = await server.fetch(path, "X-Forwarded-Proto: https")
        assert "strict-transport-security" in security_of(response)


@pytest.mark.parametrize("path", ["/hello", "/touched", "/static/a.txt"])
async def test_responses_to_head_and_304_have_the_fields(path: str, application: Any) -> None:
    async with serving(application(security_headers=True)) as server:
        tag = (await server.fetch(path)).get("etag")
        if tag:
            response = await server.fetch(path, f"If-None-Match: {tag}")
            assert (response.code, security_of(response)) == (304, DEFAULTS)
        if path != "/touched":
            assert security_of(await server.fetch(path, method="HEAD")) == DEFAULTS


async def test_handler_overrides_the_fields() -> None:
    class Own(web.RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("Referrer-Policy", "no-referrer")
            self.clear_header("X-Frame-Options")

        def get(self) -> None:
            self.set_header("X-Content-Type-Options", "other")
            if self.get_argument("fail", None):
                raise web.HTTPError(400)

    expected = {**DEFAULTS, "referrer-policy": "no-referrer"}
    del expected["x-frame-options"]
    async with serving(web.Application([("/", Own)], security_headers=True)) as server:
        assert security_of(await server.fetch("/")) == {**expected, "x-content-type-options": "other"}
        assert security_of(await server.fetch("/?fail=1")) == expected


async def test_clearing_headers_does_not_affect_other_handlers() -> None:
    class Own(web.RequestHandler):
        def get(self) -> None:
            for name in list(self._headers):
                self.clear_header(name)

    routes = [("/own", Own), ("/touched", Touched)]
    async with serving(web.Application(routes, security_headers=True)) as server:
        assert security_of(await server.fetch("/own")) == {}
        assert security_of(await server.fetch("/touched")) == DEFAULTS


async def test_all_arguments_become_fields(application: Any, certificates: Any) -> None:
    setting = {
        "content_security_policy": "default-src 'self'",
        "content_security_policy_report_only": "default-src 'none'",
        "frame_ancestors": "none",
        "referrer_policy": "no-referrer",
        "opener_policy": None,
        "resource_policy": "same-site",
        "permissions_policy": "camera=(), microphone=()",
        "hsts_max_age": 63072000,
        "hsts_include_subdomains": True,
        "hsts_preload": True,
        "extra": {"X-Robots-Tag": "noindex"},
    }
    for value in (setting, SecurityHeaders(**setting)):  # type: ignore[arg-type]
        async with serving(application(security_headers=value), tls=certificates) as server:
            response = await server.fetch("/hello")
            assert response.get("x-robots-tag") == "noindex"
            assert security_of(response) == {
                "x-content-type-options": "nosniff",
                "x-frame-options": "DENY",
                "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
                "content-security-policy-report-only": "default-src 'none'",
                "referrer-policy": "no-referrer",
                "cross-origin-resource-policy": "same-site",
                "permissions-policy": "camera=(), microphone=()",
                "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
            }


@pytest.mark.parametrize(
    ("arguments", "policy", "options"),
    [
        ({}, None, "SAMEORIGIN"),
        ({"frame_ancestors": "'none'"}, None, "DENY"),
        ({"frame_ancestors": None}, None, None),
        (
            {"frame_ancestors": "'self' https://a.test"},
            "frame-ancestors 'self' https://a.test",
            None,
        ),
        (
            {"content_security_policy": "default-src a; "},
            "default-src a; frame-ancestors 'self'",
            "SAMEORIGIN",
        ),
        (
            {"content_security_policy": "default-src a", "frame_ancestors": None},
            "default-src a",
            None,
        ),
        (
            {"content_security_policy": "frame-ancestors https://a.test; default-src a"},
            "frame-ancestors https://a.test; default-src a",
            None,
        ),
        (
            {"content_security_policy": "default-src a; Frame-Ancestors 'none'"},
            "default-src a; Frame-Ancestors 'none'",
            "DENY",
        ),
    ],
)
def test_frame_ancestors_set_policy_and_options(arguments: Any, policy: Any, options: Any) -> None:
    plain, _ = SecurityHeaders(**arguments)._fields
    assert (plain.get("Content-Security-Policy"), plain.get("X-Frame-Options")) == (policy, options)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        (
            "yes",
            TypeError,
            "the setting security_headers must be True, a dict or a SecurityHeaders, got 'yes'",
        ),
        ({"hsts": 1}, TypeError, "the setting security_headers: .*hsts"),
        ({"hsts_max_age": -1}, ValueError, "hsts_max_age must be a number of seconds, got -1"),
        ({"hsts_max_age": "1"}, ValueError, "hsts_max_age must be a number of seconds"),
        ({"hsts_preload": True}, ValueError, "hsts_preload requires hsts_include_subdomains"),
        (
            {"hsts_preload": True, "hsts_include_subdomains": True, "hsts_max_age": 1},
            ValueError,
            "hsts_preload requires .* 31536000 or more",
        ),
        ({"referrer_policy": "a\r\nX: y"}, ValueError, "Referrer-Policy must be one line of printable ASCII"),
        ({"content_security_policy": "a\nb"}, ValueError, "Content-Security-Policy must be one line"),
        ({"permissions_policy": ""}, ValueError, "Permissions-Policy must be one line"),
        ({"permissions_policy": ["camera"]}, ValueError, "Permissions-Policy must be one line"),
        ({"extra": {"X-A": "ü"}}, ValueError, "X-A must be one line"),
        ({"extra": {"X A": "a"}}, ValueError, "X A"),
        (
            {"frame_ancestors": "a; script-src *"},
            ValueError,
            "frame_ancestors must be 'self', 'none' or sources",
        ),
        ({"frame_ancestors": " "}, ValueError, "frame_ancestors"),
        (
            {"frame_ancestors": []},
            ValueError,
            "frame_ancestors must be .* a str or a list of str, got \\[\\]",
        ),
        ({"frame_ancestors": ["a", 1]}, ValueError, "frame_ancestors must be .* a str or a list"),
        ({"frame_ancestors": 5}, ValueError, "frame_ancestors must be .* got 5"),
        ({"hsts_max_age": True}, ValueError, "hsts_max_age must be a number of seconds, got True"),
        ({"content_security_policy": 5}, ValueError, "Content-Security-Policy must be one line"),
        ({"extra": [("X-A", "a")]}, ValueError, "extra must be a dict of header fields by name"),
        (
            {"extra": {"content-security-policy": "x"}},
            ValueError,
            "extra must not contain Content-Security-Policy; use content_security_policy",
        ),
        ({"extra": {"STRICT-transport-security": "x"}}, ValueError, "use hsts_max_age"),
        ({"extra": {"set-cookie": "a=b"}}, ValueError, "extra must not contain Set-Cookie"),
        ({"extra": {"content-length": "5"}}, ValueError, "extra must not contain Content-Length"),
        ({"extra": {"Transfer-encoding": "chunked"}}, ValueError, "extra must not contain Transfer-Encoding"),
        ({"extra": {"connection": "close"}}, ValueError, "extra must not contain Connection"),
    ],
)
def test_invalid_setting_is_rejected(setting: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        web.Application(security_headers=setting)


def test_empty_policy_is_not_sent() -> None:
    for empty in ("", "  "):
        headers = SecurityHeaders(content_security_policy=empty, content_security_policy_report_only=empty)
        assert list(headers._fields[0]) == list(SecurityHeaders()._fields[0])


@pytest.mark.parametrize("ancestors", [["self", "https://a.test"], ("'self'", "https://a.test")])
def test_frames_as_a_list(ancestors: Any) -> None:
    plain, _ = SecurityHeaders(frame_ancestors=ancestors)._fields
    assert plain["Content-Security-Policy"] == "frame-ancestors 'self' https://a.test"
    plain, _ = SecurityHeaders(frame_ancestors=["none"])._fields
    assert plain["X-Frame-Options"] == "DENY"


async def test_extra_overrides_the_defaults(application: Any) -> None:
    extra = {"x-frame-options": "DENY", "X-CONTENT-TYPE-OPTIONS": "other", "x-own-thing": "1"}
    async with serving(application(security_headers={"extra": extra})) as server:
        for path in ("/hello", "/touched", "/static/a.txt"):
            response = await server.fetch(path)
            assert response.get_all("x-frame-options") == ["DENY"]
            assert response.get_all("x-content-type-options") == ["other"]
            assert response.get("x-own-thing") == "1"


# -- nonces --


@pytest.mark.parametrize(
    "policy",
    [
        "script-src {nonce}",
        "script-src nonce-{nonce}",
        "script-src 'nonce-{nonce}",
        'script-src "nonce-{nonce}"',
        "script-src 'NONCE-{nonce}'",
        "script-src 'nonce-{Nonce}'",
        "script-src 'nonce-{ nonce }'",
        "script-src 'nonce-{{nonce}}'",
        "script-src 'nonce-{nonce}'x",
        "script-src 'nonce-{nonce}'; report-uri /csp?{nonce}",
    ],
)
@pytest.mark.parametrize("name", ["content_security_policy", "content_security_policy_report_only"])
def test_malformed_nonce_source_is_rejected(name: str, policy: str) -> None:
    with pytest.raises(ValueError, match="must be written as a separate source 'nonce-{nonce}'"):
        web.Application(security_headers={name: policy})


def nonce_in(policy: str) -> str:
    found = re.search(r"'nonce-([A-Za-z0-9_-]{22})'", policy)
    assert found is not None, policy
    return found.group(1)


@pytest.fixture
def pages(tmp_path: Any) -> Any:
    (tmp_path / "page.html").write_text(
        '<html><head></head><body><script nonce="{{ csp_nonce }}"></script>{{ csp_nonce }}'
        "{% module Module() %}</body></html>"
    )
    (tmp_path / "plain.html").write_text("no script")
    return str(tmp_path)


class Module(web.UIModule):
    def render(self, *args: Any, **kwargs: Any) -> str:
        return "module"

    def embedded_javascript(self) -> str:
        return "js"

    def embedded_css(self) -> str:
        return "css"

    def javascript_files(self) -> str:
        return "/a.js"

    def css_files(self) -> str:
        return "/a.css"


class Page(web.RequestHandler):
    def get(self, name: str) -> None:
        self.render(name)


async def test_nonce_in_templates_and_ui_modules(pages: Any) -> None:
    settings = {"template_path": pages, "ui_modules": {"Module": Module}}
    security = {"content_security_policy": NONCE, "content_security_policy_report_only": NONCE}
    app = web.Application([("/(.*)", Page)], security_headers=security, **settings)
    seen = set()
    async with serving(app) as server:
        for _ in range(3):
            response = await server.fetch("/page.html")
            nonce = nonce_in(response.get("content-security-policy"))
            assert nonce_in(response.get("content-security-policy-report-only")) == nonce
            body = response.body.decode()
            assert body.count(f'nonce="{nonce}"') == 5
            assert body.count(nonce) == 6
            seen.add(nonce)
        response = await server.fetch("/plain.html")
        assert response.get("content-security-policy") == (
            "script-src 'self'; object-src 'none'; frame-ancestors 'self'"
        )
    assert len(seen) == 3


async def test_no_nonce_attributes_if_the_policy_has_no_nonce(pages: Any) -> None:
    settings = {"template_path": pages, "ui_modules": {"Module": Module}}
    app = web.Application([("/(.*)", Page)], security_headers=True, **settings)
    async with serving(app) as server:
        response = await server.fetch("/page.html")
    assert response.body.decode().count("nonce=") == 1  # written in the template
    assert response.get("content-security-policy") is None


async def test_nonce_read_after_other_header_changes() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.set_header("X-Own", "1")
            self.write(self.csp_nonce + self.csp_nonce)

    response = await ask(Handler, security_headers={"content_security_policy": NONCE})
    nonce = nonce_in(response.get("content-security-policy"))
    assert response.body == (nonce * 2).encode()
    assert response.get("x-own") == "1"


async def test_error_page_has_the_same_nonce() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.first = self.csp_nonce
            raise web.HTTPError(400)

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            if not self.get_argument("plain", None):
                assert self.csp_nonce == self.first
                self.write(self.csp_nonce)

    settings = {"security_headers": {"content_security_policy": NONCE}}
    response = await ask(Handler, **settings)
    assert response.body.decode() == nonce_in(response.get("content-security-policy"))


async def test_policy_set_by_the_handler_is_unchanged() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            if self.get_argument("clear", None):
                self.clear_header("Content-Security-Policy")
            else:
                self.set_header("Content-Security-Policy", "default-src 'none'")
            self.write(self.csp_nonce)

    settings = {"security_headers": {"content_security_policy": NONCE}}
    assert (await ask(Handler, **settings)).get("content-security-policy") == "default-src 'none'"
    assert (await ask(Handler, path="/?clear=1", **settings)).get("content-security-policy") is None


async def test_nonce_without_the_setting() -> None:
    handler = handler_of(
        get=lambda self: self.set_header("Content-Security-Policy", f"script-src 'nonce-{self.csp_nonce}'")
    )
    assert nonce_in((await ask(handler)).get("content-security-policy"))


async def test_nonce_first_read_after_the_head_is_an_error(expect_log: ExpectLog) -> None:
    errors: list[str] = []

    class Handler(web.RequestHandler):
        async def get(self) -> None:
            self.write("a")
            await self.flush()
            try:
                self.write(self.csp_nonce)
            except RuntimeError as error:
                errors.append(str(error))

    await ask(Handler, security_headers={"content_security_policy": NONCE})
    assert "csp_nonce was first read after the header fields were sent" in errors[0]
    errors.clear()
    await ask(Handler)
    assert errors == []


def test_handler_with_a_mock_application() -> None:
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    request = httputil.HTTPServerRequest(start_line=line, headers=httputil.HTTPHeaders({"Host": "h"}))
    app: Any = SimpleNamespace(settings={}, ui_methods={}, ui_modules={})
    handler = web.RequestHandler(app, request)
    handler.set_header("X-Own", "1")
    assert handler.csp_nonce
    assert "X-Frame-Options" not in header_fields(handler)
    assert "csp_nonce" not in handler.get_template_namespace()
