"""``wsgi.WSGIApplication``, and the length of responses under WSGI servers."""

from __future__ import annotations

import io
from typing import Any
from wsgiref.validate import validator

import pytest

from tornado.web import Application, RequestHandler
from tornado.wsgi import WSGIAdapter, WSGIApplication

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4", "ignore:WSGIAdapter is deprecated")


class Echo(RequestHandler):
    def get(self, path: str) -> None:
        self.write(
            {"path": path, "name": self.get_argument("name", "nobody"), "debug": self.settings["debug"]}
        )

    async def post(self, path: str) -> None:
        self.write(self.request.body)


class Length(RequestHandler):
    def get(self, length: str) -> None:
        self.set_header("Content-Length", length)
        self.finish("hello")


def call(application: Any, path: str, method: str = "GET", query: str = "", body: bytes = b"") -> Any:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "example.test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append(status)
        return lambda data: None

    answer = application(environ, start_response)
    text = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return started[0], text


def test_serves_requests_as_a_wsgi_application() -> None:
    application = WSGIApplication([("/(.*)", Echo)], debug=False)
    checked = validator(application)
    assert call(checked, "/caf\xc3\xa9", query="name=me") == (
        "200 OK",
        b'{"path": "caf\\u00e9", "name": "me", "debug": false}',
    )
    assert call(checked, "/", "POST", body=b"body") == ("200 OK", b"body")
    assert isinstance(application, Application)


def test_warns_once_of_its_replacement() -> None:
    with pytest.warns(
        DeprecationWarning, match="WSGIApplication is in the deprecated style of Tornado 4"
    ) as caught:
        WSGIApplication([])
    assert len(caught) == 1


@pytest.mark.parametrize(
    "length",
    ["4", "9"],
)
def test_wrong_content_length_is_an_error_of_handler(length: str, expect_log: Any) -> None:
    application = WSGIAdapter(Application([("/(.*)", Length)]))
    with (
        expect_log("tornado.application", "Uncaught exception"),
        expect_log("tornado.general", "Cannot send error response after headers written"),
    ):
        call(application, f"/{length}")


@pytest.mark.parametrize(("method", "length"), [("GET", "5"), ("HEAD", "1000")])
def test_right_length_is_sent(method: str, length: str) -> None:
    class Handler(Length):
        def head(self, length: str) -> None:
            self.set_header("Content-Length", length)

    application = WSGIAdapter(Application([("/(.*)", Handler)]))
    assert call(application, f"/{length}", method) == ("200 OK", b"hello" if method == "GET" else b"")
