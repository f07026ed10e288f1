"""The built-in handlers: error pages, redirects, and fallbacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, serving
from tornado import httputil, web
from tornado.web._dispatch._builtin_handlers import _origins

# -- ErrorHandler --


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_error_handler_responds_to_every_method(method: Any) -> None:
    routes = [("/.*", web.ErrorHandler, {"status_code": 410})]
    settings: dict[str, Any] = {"xsrf_cookies": True, "cross_origin_protection": True}
    body = b"x" if method == "POST" else None
    response = await ask(routes, "Origin: http://evil.com", method=method, body=body, **settings)
    assert response.code == 410
    assert b"410: Gone" in response.body


# -- RedirectHandler --

ROUTES = [
    (r"/plain", web.RedirectHandler, {"url": "/to"}),
    (r"/found", web.RedirectHandler, {"url": "/to", "permanent": False}),
    (r"/query", web.RedirectHandler, {"url": "/to?a=b"}),
    (r"/any/(.*)", web.RedirectHandler, {"url": "{0}"}),
    (r"/below/(.*)", web.RedirectHandler, {"url": "/there/{0}"}),
    (r"/root/(.*)", web.RedirectHandler, {"url": "/{0}"}),
    (r"/host/(.*)", web.RedirectHandler, {"url": "https://{0}/"}),
    (r"/scheme/(.*)", web.RedirectHandler, {"url": "https:{0}"}),
    (r"/after(.*)", web.RedirectHandler, {"url": "https://Example.com{0}"}),
    (r"/port/(.*)", web.RedirectHandler, {"url": "https://example.com:{0}/"}),
    (r"/named/(?P<b>[^/]*)/(?P<a>.*)", web.RedirectHandler, {"url": "/{a}/{b}"}),
    (r"/optional/(a)?", web.RedirectHandler, {"url": "/to"}),
    (r"/mail/(.*)", web.RedirectHandler, {"url": "mailto:{0}"}),
]


@pytest.mark.parametrize(
    ("path", "code", "location"),
    [
        ("/plain", 301, "/to"),
        ("/found", 302, "/to"),
        ("/plain?x=y&x=%C3%BC", 301, "/to?x=y&x=%C3%BC"),
        ("/query?x=y", 301, "/to?a=b&x=y"),
        ("/any/a/b", 301, "a/b"),
        ("/any//a/b", 301, "/a/b"),
        ("/any/", 301, ""),
        ("/any/%C3%BC", 301, "ü".encode().decode("latin-1")),
        ("/any/%EF%BC%8F%EF%BC%8Fx.com", 301, "／／x.com".encode().decode("latin-1")),
        ("/below/a//b", 301, "/there/a//b"),
        ("/below///evil.com", 301, "/there///evil.com"),
        ("/root/a?b=c", 301, "/a?b=c"),
        ("/after/x", 301, "https://Example.com/x"),
        ("/after", 301, "https://Example.com"),
        ("/named/x/y", 301, "/y/x"),
        ("/optional/", 301, "/to"),
        ("/mail/a@example.com", 301, "mailto:a@example.com"),
    ],
)
async def test_redirects(path: str, code: Any, location: Any) -> None:
    response = await ask(ROUTES, path=path)
    assert (response.code, response.get("location")) == (code, location)


@pytest.mark.parametrize(
    "path",
    [
        "/any/https://evil.com/",
        "/any/https:evil.com",
        "/any/javascript:alert(1)",
        "/any/data:text/html,x",
        "/any///evil.com/",
        "/any////evil.com/",
        "/any/%5C%5Cevil.com/",
        "/any//%5Cevil.com/",
        "/any/%09//evil.com/",
        "/any//%0A/evil.com/",
        "/any/%20//evil.com/",
        "/any/%01//evil.com/",
        "/any/ht%0Dtps://evil.com/",
        "/any///%5B",
        "/root//evil.com/",
        "/root/%2Fevil.com/",
        "/root/%5Cevil.com/",
        "/root/%09/evil.com/",
        "/root///evil.com/?x=y",
        "/host/evil.com",
        "/host//evil.com",
        "/scheme/evil.com",
        "/scheme////evil.com",
        "/scheme/evil.com?x=y",
        "/after.evil.com/",
        "/after@evil.com/",
        "/after:8080/",
        "/after%5C@evil.com/x",
        "/port/80@evil.com",
        "/named/evil.com/%2F",
    ],
)
async def test_groups_cannot_change_the_host_of_a_redirect(path: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "400 GET .*Redirect URL cannot change the scheme or netloc"):
        response = await ask(ROUTES, path=path)
    assert (response.code, response.get("location")) == (400, None)


@pytest.mark.parametrize("path", ["/below/%00", "/any/http://"])
async def test_logged_url_is_truncated(path: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "400 GET .*Redirect URL c") as expected:
        assert (await ask(ROUTES, path=path + "x" * 2000)).code == 400
    assert len(str(expected.records[0].args)) < 2400  # the line also contains the target


@pytest.mark.parametrize("path", ["/any/%0Afoo", "/any/a%00b", "/below/a%0D%0AX: y", "/below/%7F"])
async def test_redirect_with_control_characters_is_400(path: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "400 GET .*Redirect URL contains invalid characters"):
        assert (await ask(ROUTES, path=path.replace(" ", "%20"))).code == 400


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ("", "")),
        ("/a/b", ("", "")),
        ("a:b/c", ("a", "")),
        ("//A.b", ("", "a.b")),
        ("\\\\a", ("", "a")),
        ("/\t/a/", ("", "a")),
        (" \n//a", ("", "a")),
        ("http:a", ("http", "a")),
        ("HTTP:///a?b", ("http", "a")),
        ("https://u@a:1#x", ("https", "u@a:1")),
        ("mailto:a", ("mailto", "")),
        ("?//a", ("", "")),
        ("#//a", ("", "")),
        ("1://a", ("", "")),
        ("/\ta", ("", "")),
    ],
)
def test_origins_as_parsed_by_browsers(url: Any, expected: Any) -> None:
    assert expected in _origins(url)


def test_url_that_browsers_and_rfc_3986_parse_differently() -> None:
    assert _origins("https://a\\@b/") == {("https", "a"), ("https", "a\\@b")}


# -- FallbackHandler --


async def test_fallback_sends_the_response() -> None:
    finished = []

    def fallback(request: Any) -> None:
        head = httputil.ResponseStartLine("HTTP/1.1", 202, "Accepted")
        body = request.method.encode() + b" " + request.body
        headers = httputil.HTTPHeaders({"Content-Length": str(len(body))})
        _ = request.connection.write_headers(head, headers, body)
        request.connection.finish()

    class Fallback(web.FallbackHandler):
        def on_finish(self) -> None:
            finished.append(self.request.method)

    async with serving(web.Application([("/.*", Fallback, {"fallback": fallback})])) as server:
        peer = await server.connect()
        for method, body in (("GET", None), ("POST", b"abc"), ("PURGE", None)):
            response = await peer.fetch("/", method=method, body=body)
            if method == "PURGE":  # not in SUPPORTED_METHODS
                assert response.code == 405
            else:
                assert (response.code, response.body) == (202, method.encode() + b" " + (body or b""))
    assert finished == ["GET", "POST", "PURGE"]
