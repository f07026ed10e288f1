"""`WSGIAdapter`: an Application on WSGI servers, checked by wsgiref's validator."""

from __future__ import annotations

import asyncio
import http.client
import io
import logging
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from tests.wsgi.conftest import running
from tornado.log import access_log
from tornado.web import (
    Application,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    UploadHandler,
    stream_request_body,
)
from tornado.wsgi import WSGIAdapter


class Hello(RequestHandler):
    def get(self, name="world"):
        self.set_header("X-Address", self.request.remote_ip)
        self.write(f"Hello, {name}! {self.request.full_url()} {self.get_arguments('q')}")

    def post(self):
        self.set_cookie("a", "1")
        self.set_cookie("b", "2")
        self.write({"arguments": self.get_body_arguments("a"), "size": len(self.request.body)})

    def delete(self):
        self.set_status(204)


class Waiting(RequestHandler):
    async def get(self):
        await asyncio.sleep(0)
        self.write("a")
        await self.flush()
        self.write("b")


class Failing(RequestHandler):
    def get(self):
        raise HTTPError(403)


@stream_request_body
class Streaming(RequestHandler):
    def prepare(self):
        self.sizes = []

    async def data_received(self, chunk):
        await asyncio.sleep(0)
        self.sizes.append(len(chunk))

    def put(self):
        self.write({"size": sum(self.sizes), "pieces": len(self.sizes) > 1})


def adapter(*more, **settings):
    routes = [
        ("/waiting", Waiting),
        ("/failing", Failing),
        ("/streaming", Streaming),
        *more,
        ("/(.*)", Hello),
    ]
    application = Application([("/", Hello), *routes], **settings)
    with pytest.warns(DeprecationWarning, match=r"Application\.listen"):
        return WSGIAdapter(application)


def call(app, path="/", method="GET", body=b"", check=True, **environ):
    """Call the adapter; return status, headers and body."""
    made = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "example.com",
        "REMOTE_ADDR": "10.0.0.1",
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(body),
        **({"CONTENT_LENGTH": str(len(body))} if body else {}),
        **environ,
    }
    setup_testing_defaults(made)
    started = []
    result = (validator(app) if check else app)(
        made, lambda status, headers, exc=None: started.append((status, headers))
    )
    try:
        chunks = list(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    ((status, headers),) = started
    return status, headers, b"".join(chunks)


def test_page_has_status_fields_and_body():
    status, headers, body = call(adapter(), "/w\xc3\xb6rld", QUERY_STRING="q=1&q=2")
    assert status == "200 OK"
    assert body.decode() == "Hello, wörld! http://example.com/w%C3%B6rld?q=1&q=2 ['1', '2']"
    fields = dict(headers)
    assert fields["X-Address"] == "10.0.0.1"
    assert fields["Content-Length"] == str(len(body))
    assert fields["Etag"]


def test_script_name_is_a_part_of_the_path():
    assert b"Hello, app/x!" in call(adapter(), "/x", SCRIPT_NAME="/app")[2]


def test_form_is_parsed():
    status, headers, body = call(
        adapter(), "/", "POST", b"a=1&a=2", CONTENT_TYPE="application/x-www-form-urlencoded"
    )
    assert status == "200 OK"
    assert body == b'{"arguments": ["1", "2"], "size": 7}'
    assert [value for name, value in headers if name == "Set-Cookie"] == ["a=1; Path=/", "b=2; Path=/"]


def test_head_and_empty_responses():
    class Both(RequestHandler):
        def head(self):
            self.set_header("Content-Length", "5")

    app = adapter(("/both", Both))
    assert call(app, "/both", "HEAD")[::2] == ("200 OK", b"")
    assert call(app, "/", "DELETE", check=False)[::2] == ("204 No Content", b"")


@pytest.fixture(autouse=True)
def quiet():
    """Allow the log lines of error responses, which many tests cause."""
    access_log.setLevel(logging.CRITICAL)
    yield
    access_log.setLevel(logging.NOTSET)


def test_error_responses_have_their_status():
    assert call(adapter(), "/failing")[0] == "403 Forbidden"
    assert call(adapter(), "/", "PUT")[0] == "405 Method Not Allowed"


def test_error_in_handler_is_answered_with_500(expect_log):
    class Broken(RequestHandler):
        async def get(self):
            raise ZeroDivisionError

    with expect_log("tornado.application", "Uncaught exception GET /broken"):
        assert call(adapter(("/broken", Broken)), "/broken")[0] == "500 Internal Server Error"


def test_coroutine_handler_runs_to_its_end():
    status, headers, body = call(adapter(), "/waiting")
    assert (status, body) == ("200 OK", b"ab")
    assert "Transfer-Encoding" not in dict(headers)


def test_streamed_body_is_received_in_pieces():
    body = call(adapter(), "/streaming", "PUT", bytes(1_000_000))[2]
    assert body == b'{"size": 1000000, "pieces": true}'


def test_static_files_are_served(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    app = adapter(("/files/(.*)", StaticFileHandler, {"path": str(tmp_path)}))
    status, headers, body = call(app, "/files/a.txt")
    assert (status, body) == ("200 OK", b"text")
    etag = dict(headers)["Etag"]
    assert call(app, "/files/a.txt", HTTP_IF_NONE_MATCH=etag)[::2] == ("304 Not Modified", b"")


def test_without_a_host_field():
    made = {"SERVER_NAME": "name", "SERVER_PORT": "81"}
    body = call(adapter(), **made, HTTP_HOST="name:81")[2]
    assert b"http://name:81/" in body
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", **made}
    environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO()}
    assert b"http://name:81/" in adapter()(environ, lambda *args: None)[0]


@pytest.mark.parametrize("server_protocol", ["HTTP/1.0", "HTTP/1.1", "HTTP/2"])
def test_protocol_versions_are_accepted(server_protocol):
    assert call(adapter(), SERVER_PROTOCOL=server_protocol)[0] == "200 OK"


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "5"}, "400 Bad Request"),
        ({"CONTENT_LENGTH": "-5"}, "400 Bad Request"),
        ({"CONTENT_LENGTH": "11"}, "413 Content Too Large"),
        ({"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(bytes(11))}, "413 Content Too Large"),
        ({"HTTP_HOST": "a b"}, "400 Bad Request"),
        ({"HTTP_X": "a\nb"}, "400 Bad Request"),
    ],
)
def test_invalid_requests_get_an_error_response(environ, status):
    app = adapter()
    app.max_body_size = 10
    found, headers, body = call(app, "/", "POST", check=False, **environ)
    assert found.split()[0] == status.split()[0]
    assert dict(headers)["Content-Length"] == str(len(body))


class Limited(RequestHandler):
    max_body_size = 10
    body_timeout = 5.0

    def post(self):
        self.write(str(len(self.request.body)))


class Roomy(Limited):
    max_body_size = 10_000


class Uploads(UploadHandler):
    max_body_size = 5_000
    max_file_size = 500

    def post(self):
        self.write(str(self.uploads["f"][0].size))

    def write_error(self, status_code, **kwargs):
        self.finish(kwargs["exc_info"][1].get_message())


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/l", 10, 200), ("/l", 11, 413), ("/r", 10_000, 200), ("/r", 10_001, 413), ("/", 101, 413)],
)
@pytest.mark.parametrize("announced", [True, False])
def test_body_limit_of_a_handler_replaces_that_of_the_adapter(path, size, status, announced):
    app = adapter(("/l", Limited), ("/r", Roomy))
    app.max_body_size = 100
    more = {} if announced else {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(bytes(size))}
    found = call(app, path, "POST", bytes(size) if announced else b"", check=False, **more)[0]
    assert found.startswith(str(status))


@pytest.mark.parametrize(
    ("size", "status", "text"),
    [
        (500, 200, b"500"),
        (501, 413, b"max_file_size (500 bytes)"),
        (5000, 413, b"max_body_size (5000 bytes)"),
    ],
)
def test_upload_limits_apply(size, status, text, expect_log):
    content = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + bytes(size)
    body = content + b"\r\n--b--\r\n"
    with expect_log("tornado.general", "larger than max_", required=status == 413):
        found, _, page = call(
            adapter(("/u", Uploads)), "/u", "POST", body, CONTENT_TYPE="multipart/form-data; boundary=b"
        )
    assert found.startswith(str(status))
    assert text in page


def test_a_body_without_a_length():
    environ = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"12345")}
    assert b'"size": 5' in call(adapter(), "/", "POST", check=False, **environ)[2]


async def test_handler_that_waits_in_thread_with_running_loop_raises():
    assert call(adapter())[0] == "200 OK"
    with pytest.raises(RuntimeError, match="'/waiting' must not wait"):
        call(adapter(), "/waiting", check=False)


async def test_adapter_runs_in_container():
    """An adapter also works inside a `WSGIContainer` with threads."""
    async with running(validator(adapter())) as server:
        assert (await server.fetch("/waiting")).body == b"ab"
        body = (await server.fetch("/", method="POST", body=b"x" * 100_000)).body
        assert body == b'{"arguments": [], "size": 100000}'


def test_adapter_passes_the_validator_of_wsgiref():
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            pass

    with make_server("127.0.0.1", 0, validator(adapter()), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        connection.request("GET", "/there?q=1")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().startswith(b"Hello, there!")
        connection.close()
        thread.join()
