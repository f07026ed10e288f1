"""The default error page, as HTML or JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tornado import web
from tornado.httputil import HTTPHeaders
from tornado.web._execution import _error_page


class Page(web.RequestHandler):
    def get(self) -> None:
        self.get_argument("padded", type=int)


class Failing(web.RequestHandler):
    """Raises errors of different kinds."""

    def get(self, kind: str) -> None:
        if kind == "public":
            raise web.HTTPError(409, "log only: %s", "secret", public_message="Sold <out>")
        if kind == "reason":
            raise web.HTTPError(404, reason="No Such Story")
        if kind == "argument":
            self.get_argument("absent")
        raise ZeroDivisionError("secret")


JSON = "Accept: application/json"


async def test_message_about_an_argument(expect_log: ExpectLog) -> None:
    message = b"argument &#x27;padded&#x27; is not an integer"
    async with serving(web.Application([("/", Page)])) as server:
        with expect_log("tornado.general", "Invalid argument padded"):
            page = await server.fetch("/?padded=%3Cb%3E")
            json_page = await server.fetch("/?padded=%3Cb%3E", JSON)
    title = b"400: Bad Request"
    assert page.body == b"<html><title>%b</title><body>%b<p>%b</p></body></html>" % (title, title, message)
    assert ("content-type", "application/json; charset=UTF-8") in json_page.headers
    assert json.loads(json_page.body) == {
        "error": {"status": 400, "message": "argument 'padded' is not an integer"}
    }


async def test_overridden_write_error_reads_public_message(expect_log: ExpectLog) -> None:
    class Own(Page):
        def write_error(self, status_code: int, **kwargs: object) -> None:
            error = kwargs["exc_info"][1]  # type: ignore[index]
            self.finish(f"{status_code} {error.public_message}")

    with expect_log("tornado.general", "Invalid argument padded"):
        response = await ask(Own, path="/?padded=x")
    assert response.body == b"400 argument 'padded' is not an integer"


#: Path -> status and message of the error that the request causes.
ERRORS = {
    "/public": (409, "Sold <out>"),
    "/reason": (404, "No Such Story"),
    "/argument": (400, "Bad Request"),
    "/bug": (500, "Internal Server Error"),
    "/no/route": (404, "Not Found"),
}


@pytest.mark.parametrize(("path", "expected"), ERRORS.items())
async def test_every_error_is_json_for_a_client_that_prefers_json(
    path: str, expected: Any, expect_log: ExpectLog
) -> None:
    status, message = expected
    with expect_log("tornado", "", required=False):
        response = await ask(Failing, JSON, path=path, pattern="/([a-z]+)")
    assert response.code == status
    assert response.get("content-type") == "application/json; charset=UTF-8"
    assert response.get("vary") == "Accept"
    assert json.loads(response.body) == {"error": {"status": status, "message": message}}


async def test_method_not_allowed_is_json_with_allow() -> None:
    response = await ask(Failing, JSON, path="/x", pattern="/([a-z]+)", method="POST", body=b"")
    assert (response.code, response.get("allow")) == (405, "GET")
    assert json.loads(response.body) == {"error": {"status": 405, "message": "Method Not Allowed"}}


@pytest.mark.parametrize(("path", "expected"), ERRORS.items())
async def test_every_error_is_html_for_other_clients(path: str, expected: Any, expect_log: ExpectLog) -> None:
    status, message = expected
    with expect_log("tornado", "", required=False):
        response = await ask(Failing, path=path, pattern="/([a-z]+)")
    reason = message if path != "/public" else "Conflict"
    public = "<p>Sold &lt;out&gt;</p>" if path == "/public" else ""
    assert response.get("content-type") == "text/html; charset=UTF-8"
    assert response.body.decode() == (
        f"<html><title>{status}: {reason}</title><body>{status}: {reason}{public}</body></html>"
    )
    assert response.get("vary") == "Accept"


#: Value of Accept -> whether the error page is JSON.
ACCEPTED = {
    "application/json": True,
    "application/json, text/plain, */*": True,  # sent by axios
    "application/vnd.api+json": True,
    "application/json, text/html;q=0.9": True,
    "Application/JSON": True,
    "text/html, application/json": False,
    "text/html;q=0.9, application/json;q=0.9": False,
    "text/html, application/json;q=0.5": False,
    "application/json;q=0.5, */*": False,
    "application/json;q=0, */*": False,
    "application/json;q=0": False,
    "text/*, application/json;q=0.9": False,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": False,
    "*/*": False,
    "": False,
    "json": False,
}


@pytest.mark.parametrize(("accept", "is_json"), ACCEPTED.items())
async def test_accept_selects_html_or_json(accept: str, is_json: bool) -> None:
    response = await ask(Page, f"Accept: {accept}", pattern="/other")
    assert response.code == 404
    assert response.body.startswith(b"{" if is_json else b"<html>")


async def test_public_message_is_json_if_the_request_body_is(expect_log: ExpectLog) -> None:
    def post(self: Any) -> None:
        raise web.HTTPError(422, public_message="no")

    fields = ("Content-Type: application/json", "Accept: */*")
    response = await ask(handler_of(post=post), *fields, method="POST", body=b"{}")
    assert json.loads(response.body) == {"error": {"status": 422, "message": "no"}}


async def test_public_message_of_a_foreign_type_is_not_shown(expect_log: ExpectLog) -> None:
    class Odd(web.HTTPError):
        public_message = 7  # type: ignore[assignment]

    def get(self: Any) -> None:
        raise Odd(400)

    assert b"7" not in (await ask(handler_of(get=get))).body


async def test_head_has_the_length_of_the_json_page() -> None:
    async with serving(web.Application([])) as server:
        peer = await server.connect()
        head = await peer.fetch("/", JSON, method="HEAD")
        assert head.get("content-length") == str(len((await peer.fetch("/", JSON)).body))


# -- pages that cannot be sent --


def bad_page(self: Any, status_code: int, **kwargs: Any) -> None:
    self._headers["X-Bad"] = "\u20ac"
    self.finish("page")


def bad_clear(self: Any) -> None:
    if "made" in self.__dict__:
        raise ZeroDivisionError("clear")
    self.made = True
    web.RequestHandler.clear(self)


def bug(self: Any) -> None:
    raise ZeroDivisionError("bug")


def impossible_status(self: Any) -> None:
    raise web.HTTPError(1000)


def bad_cookie(self: Any) -> None:
    self.set_cookie("a", "b")
    self._new_cookie["a"].line = "a=\u20ac"


#: Methods of handlers whose own error page cannot be sent.
UNSENDABLE: dict[str, dict[str, Any]] = {
    "header": {"get": bug, "write_error": bad_page},
    "clear": {"get": bug, "clear": bad_clear},
    "status": {"get": impossible_status},
    "cookie": {"get": bad_cookie},
}


@pytest.mark.parametrize("members", UNSENDABLE.values(), ids=UNSENDABLE.keys())
@pytest.mark.parametrize("waits", [False, True])
async def test_error_page_that_cannot_be_sent_is_replaced_by_500_on_a_kept_alive_connection(
    waits: bool, members: dict[str, Any], expect_log: ExpectLog
) -> None:
    finished: list[int] = []
    get = members["get"]

    async def late(self: Any) -> None:
        get(self)

    handler = handler_of(
        **members | {"get": late if waits else get},
        on_finish=lambda self: finished.append(self.get_status()),
    )
    async with serving(web.Application([("/", handler)])) as server:
        peer = await server.connect()
        for number in (1, 2):
            with expect_log("tornado.application", "Failed to send the error page for GET /") as expected:
                with expect_log("tornado", "Uncaught exception", required=False):
                    response = await peer.fetch("/")
            assert response.code == 500
            assert b"500: Internal Server Error" in response.body
            assert raised(expected)
            assert finished == [500] * number


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/html", True),
        ("text/html, */*;q=0.1", True),
        ("application/xhtml+xml", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html, application/json", True),
        ("application/json, text/html", False),
        ("application/json, text/html;q=0.9", False),
        ("application/problem+json, text/html;q=0.9", False),
        ("text/plain, text/html;q=0.5", False),
        ("TEXT/HTML ; Q=1.0", True),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("text/html;charset=utf-8;q=0.3", True),
        ("*/*", False),
        ("text/*", False),
        ("", False),
        (",;=," * 1000 + "text/html", False),
    ],
)
def test_accept_field_determines_whether_a_page_is_sent(accept: str, wanted: bool) -> None:
    request = type("Request", (), {"headers": HTTPHeaders({"Accept": accept})})
    assert _error_page.wants_page(request) is wanted
    request.headers["X-Requested-With"] = "XMLHttpRequest"
    assert _error_page.wants_page(request) is False
