"""The tables about the request, its handler and the routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import ask, handler_of
from tornado import web
from tornado.routing import HostMatches, Matcher, Rule
from tornado.web._debug._request_tables import RequestTables, Table, _Builder, gather
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._redaction._redactor import MASK, Redactor


async def tables_of(
    error: BaseException | None = None, routes: Any = None, *fields: str, **options: Any
) -> RequestTables:
    """Return the tables collected in a handler for a request."""
    found: list[RequestTables] = []

    def prepare(self: Any) -> None:
        self.set_header("Allow", "GET")  # as for an error page
        found.append(gather(self, error or ValueError(), ValueFormatter(Redactor.of(self))))
        self.finish()

    handler = handler_of(prepare=prepare, get=lambda self: None)
    if routes is None:
        await ask(handler, *fields, **options)
    else:
        await ask(routes, *fields, default_handler_class=handler, **options)
    return found[0]


def rows(tables: list[Table], title: str) -> dict[str, str]:
    (table,) = [table for table in tables if table.title == title]
    return dict(table.rows)


async def test_request_tables_with_masked_secrets() -> None:
    found = await tables_of(
        None,
        None,
        "Cookie: sid=12345678",
        "Authorization: Bearer 12345678",
        "Content-Type: application/x-www-form-urlencoded",
        method="POST",
        path="/a?x=1&x=2&token=abc",
        body=b"y=%3Cb%3E&password=p&_xsrf=q",
    )
    assert found.address == f"/a?x=1&x=2&token={MASK}"
    assert [table.title for table in found.request] == [
        "Request",
        "Headers",
        "Query arguments",
        "Body arguments",
        "Cookies",
    ]
    request = rows(found.request, "Request")
    assert request["Method"] == "POST"
    assert request["Body"] == "28 bytes"
    assert request["Address"].endswith(found.address)
    headers = rows(found.request, "Headers")
    assert (headers["Host"], headers["Cookie"], headers["Authorization"]) == ("localhost", MASK, MASK)
    assert rows(found.request, "Query arguments") == {"x": "['1', '2']", "token": f"{MASK} (str)"}
    assert rows(found.request, "Body arguments") == {
        "y": "'<b>'",
        "password": f"{MASK} (str)",
        "_xsrf": f"{MASK} (str)",
    }
    assert rows(found.request, "Cookies") == {"sid": MASK}


async def test_files_are_listed() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n1234\r\n--b--\r\n'
    fields = "Content-Type: multipart/form-data; boundary=b"
    found = await tables_of(None, None, fields, method="POST", body=body)
    assert rows(found.request, "Files") == {"f": "'a.txt', application/unknown, 4 bytes"}


async def test_tables_are_bounded() -> None:
    query = "&".join(f"a{n}=1" for n in range(150))
    found = await tables_of(path=f"/?{query}")
    (table,) = [table for table in found.request if table.title == "Query arguments"]
    assert (len(table.rows), table.more) == (100, 50)


async def test_handler_route_and_masked_settings_are_listed() -> None:
    found = await tables_of(path="/a/b", pattern="/(?:a)/(?:.)", cookie_secret="abc" * 8, port=80)
    handler = dict(found.handler.rows)
    assert handler["Class"].endswith("Handler")
    assert handler["Route"] == "/(?:a)/(?:.)"
    settings = dict(found.settings.rows)
    assert (settings["cookie_secret"], settings["port"]) == (f"{MASK} (str)", "80")
    assert "6.6.1" in dict(found.versions.rows)["Waterspout"]
    assert found.routes is None


async def test_404_lists_routes_and_suggests_similar_ones() -> None:
    routes: Any = [
        web.url("/about/", web.RequestHandler, name="about"),
        (r"/item/([0-9]+)", web.RequestHandler),
        ("/more.*", [("/more/a", web.RequestHandler)]),
        Rule(HostMatches("example.com"), [("/x", web.RequestHandler)]),
    ]
    found = await tables_of(web.HTTPError(404), routes, path="/about")
    assert found.routes is not None
    assert [(route.pattern, route.name, route.tried) for route in found.routes] == [
        ("/about/", "about", True),
        ("/item/([0-9]+)", "", True),
        ("/more.* \u203a /more/a", "", False),
        ("host example.com \u203a /x", "", False),
    ]
    assert found.routes[0].target == "tornado.web.RequestHandler"
    assert found.hints == [
        "No route of the application matches.",
        "The route '/about/' exists, with a final slash.",
    ]
    found = await tables_of(web.HTTPError(404), routes, path="/itme/5/")
    assert found.hints == ["No route of the application matches."]
    found = await tables_of(web.HTTPError(404), [("/user", web.RequestHandler)], path="/usr")
    assert found.hints[1:] == ["Did you mean /user?"]


async def test_routes_of_other_hosts() -> None:
    application = web.Application([("/a", web.RequestHandler)])
    application.add_handlers(r"www\.x\.y", [("/b", web.RequestHandler)])
    request: Any = type("Request", (), {"host_name": "www.x.y", "path": "/c", "headers": {}})()
    handler: Any = type("Handler", (), {"application": application, "request": request})()
    routes = _Builder(handler, ValueFormatter(Redactor())).unmatched_routes()
    assert routes is not None
    assert [(route.pattern, route.tried) for route in routes] == [
        ("host www\\.x\\.y \u203a /b", True),
        ("/a", True),
    ]


async def test_404_raised_by_a_handler_lists_no_routes() -> None:
    assert (await tables_of(web.HTTPError(404))).routes is None


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (web.HTTPError(405), "Handler has no get(); allowed methods: GET."),
        (
            web.HTTPError(403, "'_xsrf' argument missing from POST"),
            "A form with method POST needs {% module xsrf_f",
        ),
    ],
)
async def test_hints_for_405_and_xsrf(error: Any, hint: str) -> None:
    (found,) = (await tables_of(error)).hints
    assert found.startswith(hint)
    assert (await tables_of(web.HTTPError(400))).hints == []


async def test_unreadable_routes_and_request() -> None:
    class Odd(Matcher):
        def match(self, request: Any) -> Any:
            if request.path == "/":
                return None
            raise KeyError

    routes = [Rule(Odd(), web.RequestHandler)]
    found = await tables_of(web.HTTPError(404), routes)
    assert [route.pattern for route in found.routes or ()] == ["Odd"]
    request: Any = type("Request", (), {"path": "/x", "headers": {}, "uri": "/x", "method": "GET"})()
    handler: Any = type("Handler", (), {"application": web.Application(routes), "request": request})()
    handler.settings = {}
    found = gather(handler, web.HTTPError(404), ValueFormatter(Redactor()))
    assert found.hints == ["Cannot list the routes: KeyError"]
    # The request object lacks attributes; the table shows the error in their place.
    assert found.request[0].rows[-1][1].startswith("not readable")
