"""The default error page of a client's mistake."""

from __future__ import annotations

import json

from tests.support.server import ExpectLog, ask, serving
from tornado import web


class Page(web.RequestHandler):
    def get(self) -> None:
        self.get_argument("padded", type=int)


async def test_what_the_client_is_told(expect_log: ExpectLog) -> None:
    message = b"argument &#x27;padded&#x27; is not an integer"
    async with serving(web.Application([("/", Page)])) as server:
        with expect_log("tornado.general", "Invalid argument padded"):
            page = await server.fetch("/?padded=%3Cb%3E")
            json_page = await server.fetch("/?padded=%3Cb%3E", "Accept: application/json")
    title = b"400: Bad Request"
    assert page.body == b"<html><title>%b</title><body>%b<p>%b</p></body></html>" % (title, title, message)
    assert ("content-type", "application/json; charset=UTF-8") in json_page.headers
    assert json.loads(json_page.body) == {
        "error": {"status": 400, "message": "argument 'padded' is not an integer"}
    }


async def test_a_page_of_ones_own(expect_log: ExpectLog) -> None:
    class Own(Page):
        def write_error(self, status_code: int, **kwargs: object) -> None:
            error = kwargs["exc_info"][1]  # type: ignore[index]
            self.finish(f"{status_code} {error.public_message}")

    with expect_log("tornado.general", "Invalid argument padded"):
        response = await ask(Own, path="/?padded=x")
    assert response.body == b"400 argument 'padded' is not an integer"
