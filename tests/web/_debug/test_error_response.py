"""The choice between a debug page, JSON and plain text for the response to an error."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of
from tornado import web
from tornado.web._debug import _error_response
from tornado.web._redaction._redactor import MASK

BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def fail(self: Any) -> None:
    raise ValueError("a <bug>")


async def page(
    expect_log: ExpectLog, handler: Any = None, *fields: str, log: str = "Uncaught", **options: Any
) -> Any:
    """Return the response to a browser, unless other request fields are passed."""
    options.setdefault("serve_traceback", True)
    with expect_log("tornado.application", log):
        return await ask(handler or handler_of(get=fail), *(fields or (BROWSER,)), **options)


async def test_browser_receives_html_page(expect_log: ExpectLog) -> None:
    response = await page(expect_log)
    assert response.code == 500
    assert response.get("content-type") == "text/html; charset=UTF-8"
    body = response.body.decode()
    assert "<h1>ValueError</h1>" in body
    assert "a &lt;bug&gt;" in body
    assert "<bug>" not in body
    assert "test_error_response.py" in body


async def test_page_has_security_headers_and_fresh_nonce(expect_log: ExpectLog) -> None:
    response = await page(expect_log)
    policy = response.get("content-security-policy")
    (nonce,) = set(re.findall("'nonce-([^']+)'", policy))
    assert policy.startswith("default-src 'none'; ")
    assert response.body.decode().count(f'nonce="{nonce}"') == 2
    assert response.get("cache-control") == "no-store"
    assert response.get("referrer-policy") == "no-referrer"
    assert response.get("x-content-type-options") == "nosniff"
    again = await page(expect_log)
    assert nonce not in again.get("content-security-policy")


async def test_other_clients_receive_text(expect_log: ExpectLog) -> None:
    response = await page(expect_log, None, "Accept: */*")
    assert response.get("content-type") == "text/plain; charset=UTF-8"
    assert response.body.startswith(b"Traceback (most recent call last)")
    assert response.body.endswith(b"ValueError: a <bug>\n")


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json, */*", "application/json;q=0.9, */*;q=0.1"]
)
async def test_client_that_prefers_json_receives_traceback(accept: str, expect_log: ExpectLog) -> None:
    response = await page(expect_log, None, f"Accept: {accept}")
    assert response.get("content-type") == "application/json; charset=UTF-8"
    assert response.get("vary") == "Accept"
    error = json.loads(response.body)["error"]
    traceback = error.pop("traceback")
    assert error == {"status": 500, "message": "Internal Server Error"}
    assert traceback.startswith("Traceback (most recent call last)")
    assert traceback.endswith("ValueError: a <bug>\n")


async def test_json_has_public_message_and_masked_secrets(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        password = "hunter2"  # noqa: F841
        raise web.HTTPError(409, "password = 'hunter2'", public_message="Sold out")

    with expect_log("tornado.general", "409"):
        response = await ask(handler_of(get=get), "Accept: application/json", serve_traceback=True)
    error = json.loads(response.body)["error"]
    assert (error["status"], error["message"]) == (409, "Sold out")
    assert "hunter2" not in response.body.decode()


@pytest.mark.parametrize("accept", [BROWSER, "Accept: application/json", "Accept: */*"])
async def test_all_formats_add_accept_to_vary(accept: str, expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        get = fail

        def set_default_headers(self) -> None:
            self.set_header("Vary", "Origin")

    assert (await page(expect_log, Handler, accept)).get_all("vary") == ["Origin", "Accept"]


async def test_traceback_is_not_sent_without_the_setting(expect_log: ExpectLog) -> None:
    response = await page(expect_log, serve_traceback=False)
    assert b"bug" not in response.body
    assert b"test_error_response" not in response.body


async def test_overridden_write_error_replaces_the_page(expect_log: ExpectLog) -> None:
    def write_error(self: Any, status_code: int, **kwargs: Any) -> None:
        self.finish("mine")

    assert (await page(expect_log, handler_of(get=fail, write_error=write_error))).body == b"mine"


async def test_asynchronous_handler_receives_page(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        fail(self)

    assert b"<h1>ValueError</h1>" in (await page(expect_log, handler_of(get=get))).body


async def test_send_error_with_exc_info_sends_page(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        try:
            fail(self)
        except ValueError as error:
            self.send_error(503, exc_info=(type(error), error, error.__traceback__))

    response = await ask(handler_of(get=get), BROWSER, serve_traceback=True)
    assert response.code == 503
    assert b"503 Service Unavailable" in response.body
    assert b"<h1>ValueError</h1>" in response.body


async def test_send_error_with_empty_exc_info_sends_text() -> None:
    def get(self: Any) -> None:
        self.send_error(500, exc_info=(None, None, None))

    response = await ask(handler_of(get=get), BROWSER, serve_traceback=True)
    assert response.body == b"NoneType: None\n"


async def test_http_error_shows_reason_and_message(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        raise web.HTTPError(403, "%s may not", "<Bob>", reason="Go Away")

    with expect_log("tornado.general", "403 GET"):
        response = await ask(handler_of(get=get), BROWSER, serve_traceback=True)
    body = response.body.decode()
    assert "<h1>403 Go Away</h1>" in body
    assert "&lt;Bob&gt; may not" in body


async def test_404_lists_routes() -> None:
    routes = [web.url("/about", web.RequestHandler, name="about")]
    response = await ask(routes, BROWSER, path="/abuot", serve_traceback=True)
    body = response.body.decode()
    assert response.code == 404
    assert "Did you mean /about?" in body
    assert "Routes tried, in this order" in body
    response = await ask(routes, path="/abuot", serve_traceback=True)
    assert response.get("content-type") == "text/plain; charset=UTF-8"


async def test_secrets_are_masked_in_page_and_text(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        password = "from-a-variable"
        settings = dict(self.settings)
        raise ValueError(f"the secret is {settings['cookie_secret']}, not {len(password)}")

    for accept in (BROWSER, "Accept: text/plain"):
        response = await page(
            expect_log,
            handler_of(get=get),
            accept,
            "Cookie: sid=from-a-cookie",
            "Authorization: Bearer from-a-header",
            path="/?token=from-an-argument",
            cookie_secret="the-secret-of-the-cookies",
            database="mysql://ann:from-an-address@db",
        )
        body = response.body.decode()
        assert f"the secret is {MASK}, not 15" in body
        for secret in ("the-secret-of-the-cookies", "from-a-cookie", "from-a-header", "from-an-a"):
            assert secret not in body
    assert (
        "from-a-variable"
        not in (await page(expect_log, handler_of(get=get), cookie_secret="x" * 16)).body.decode()
    )


async def test_size_of_page_and_text_is_bounded(expect_log: ExpectLog) -> None:
    def fall(n: int) -> int:
        if n == 0:
            raise ValueError("y" * 10**6)
        values = ["<" * 10000] * 100
        return len(values) + fall(n - 1)

    response = await page(expect_log, handler_of(get=lambda self: fall(100)))
    assert b"<h1>ValueError</h1>" in response.body
    assert len(response.body) < 2**20
    response = await page(expect_log, handler_of(get=lambda self: fall(100)), "Accept: */*")
    assert len(response.body) <= 2**20 + 10


async def test_too_large_page_is_sent_without_details(
    expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = await page(expect_log)
    monkeypatch.setattr(_error_response, "LIMIT", len(full.body) - 500)
    response = await page(expect_log)
    assert b"<h1>ValueError</h1>" in response.body
    assert b"variable" not in response.body.partition(b'<section id="request">')[0].partition(b"<main")[2]


async def test_text_is_sent_if_page_exceeds_limit(
    expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_error_response, "LIMIT", 300)
    response = await page(expect_log, log="Uncaught|debug page")
    assert response.get("content-type") == "text/plain; charset=UTF-8"
    assert "\u2026" in response.body.decode()
    assert len(response.body) < 310


async def test_exception_after_flush_aborts_response(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        self.write("begun")
        await self.flush()
        fail(self)

    from tests.support.server import serving

    application = web.Application([("/", handler_of(get=get))], serve_traceback=True)
    with expect_log("tornado.application", "Uncaught"), expect_log("tornado.general", "Cannot send error"):
        async with serving(application) as server:
            rest = await server.exchange("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
    assert b"begun" in rest
    assert b"ValueError" not in rest


@pytest.mark.parametrize("accept", [BROWSER, "Accept: */*"])
async def test_lone_surrogate_is_escaped(accept: str, expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        raise ValueError("a file \ud800")

    response = await page(expect_log, handler_of(get=get), accept)
    assert response.code == 500
    assert b"ValueError" in response.body
    assert b"a file \\ud800" in response.body


@pytest.mark.parametrize("raises", [SystemExit(3), asyncio.CancelledError()])
async def test_str_of_exception_may_raise_any_exception(raises: BaseException, expect_log: ExpectLog) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise raises

    def get(self: Any) -> None:
        raise Odd

    response = await page(expect_log, handler_of(get=get))
    assert response.code == 500
    assert f"its str() raises {type(raises).__name__}".encode() in response.body
    response = await page(expect_log, handler_of(get=get), "Accept: */*")
    assert b"Odd" in response.body


@pytest.mark.parametrize("raises", [SystemExit(3), asyncio.CancelledError(), ZeroDivisionError()])
async def test_text_is_sent_if_rendering_raises(
    raises: BaseException, expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(*args: Any, **kwargs: Any) -> str:
        raise raises

    monkeypatch.setattr(_error_response._page, "render", render)
    response = await page(expect_log, log="Uncaught|debug page")
    assert response.body.startswith(b"Traceback")


async def test_literals_are_masked_in_plain_traceback(expect_log: ExpectLog) -> None:
    def connect(**kwargs: Any) -> None:
        raise LookupError

    response = await page(
        expect_log, handler_of(get=lambda self: connect(password="in-the-line")), "Accept: */*"
    )
    assert b"in-the-line" not in response.body
    assert MASK.encode() in response.body
