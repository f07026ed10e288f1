"""A typical Flask application."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from wsgiref.validate import validator

import pytest

from tests.support.server import serving
from tests.wsgi.conftest import framework, running
from tornado.web import Application, FallbackHandler, RequestHandler
from tornado.wsgi import WSGIContainer

flask = framework("flask")

BOUNDARY = "----boundary"
MULTIPART = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
FORM = "Content-Type: application/x-www-form-urlencoded"


def make_app(folder=None):
    app = flask.Flask("example", static_folder=folder, static_url_path="/static")
    app.secret_key = "for tests"
    app.read = threading.Event()
    app.barrier = threading.Barrier(20, timeout=25)

    @app.get("/hello/<name>")
    def hello(name):
        return f"Hello, {name}! q={flask.request.args.get('q')}"

    @app.post("/form")
    def form():
        return flask.jsonify(flask.request.form.to_dict())

    @app.post("/upload")
    def upload():
        file = flask.request.files["file"]
        data = file.read()
        return flask.jsonify(name=file.filename, size=len(data), md5=hashlib.md5(data).hexdigest())

    @app.post("/raw")
    def raw():
        return hashlib.md5(flask.request.get_data()).hexdigest()

    @app.get("/stream")
    def stream():
        def generate():
            yield "first,"
            assert app.read.wait(25)
            yield "last"

        return flask.Response(generate(), mimetype="text/plain")

    @app.get("/events")
    def events():
        headers = {"Cache-Control": "no-cache", "Connection": "keep-alive"}
        return flask.Response(
            iter(["data: 1\n\n", "data: 2\n\n"]), mimetype="text/event-stream", headers=headers
        )

    @app.get("/redirect")
    def redirect():
        return flask.redirect(flask.url_for("hello", name="there", _external=True))

    @app.get("/count")
    def count():
        flask.session["count"] = flask.session.get("count", 0) + 1
        response = flask.make_response(str(flask.session["count"]))
        response.set_cookie("other", "value", httponly=True)
        return response

    @app.get("/slow")
    def slow():
        app.barrier.wait()
        return "met"

    @app.get("/file")
    def file():
        return flask.send_file(io.BytesIO(b"0123456789" * 50_000), download_name="data.bin")

    @app.get("/error")
    def error():
        raise ZeroDivisionError

    @app.get("/teapot")
    def teapot():
        flask.abort(418)

    @app.delete("/nothing")
    def nothing():
        return "", 204

    return app


@pytest.fixture
def app():
    return make_app()


async def fetch(app, path, *fields, threads=4, **options):
    async with running(app, threads) as server:
        return await server.fetch(path, *fields, **options)


@pytest.mark.parametrize("threads", [None, 4])
async def test_page_is_served(app, threads):
    response = await fetch(app, "/hello/w%C3%B6rld?q=%E2%82%AC", threads=threads)
    assert response.body.decode() == "Hello, wörld! q=€"
    assert response.get("content-type") == "text/html; charset=utf-8"
    assert response.get("content-length") == str(len(response.body))


async def test_head_has_a_length_and_no_body(app):
    response = await fetch(app, "/hello/x", method="HEAD")
    assert (response.code, response.body) == (200, b"")
    assert int(response.get("content-length")) > 0


async def test_form_is_parsed(app):
    response = await fetch(app, "/form", FORM, method="POST", body=b"a=1&b=%C3%A9+x")
    assert response.body.strip() == b'{"a":"1","b":"\\u00e9 x"}'


@pytest.mark.parametrize("size", [100, 5_000_000])
async def test_upload_is_received(app, size):
    data = bytes(range(256)) * (size // 256)
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + data
    response = await fetch(
        app, "/upload", MULTIPART, method="POST", body=body + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    assert hashlib.md5(data).hexdigest().encode() in response.body
    assert b"a.bin" in response.body


async def test_chunked_upload_has_a_length(app):
    """Werkzeug reads only bodies with a length, so the container sets it."""
    async with running(app) as server:
        peer = await server.connect()
        peer.send("POST /raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert (await peer.response()).body == hashlib.md5(b"abc").hexdigest().encode()


async def test_streamed_response_is_sent_as_it_is_produced(app):
    async with running(app) as server:
        peer = await server.connect()
        peer.get("/stream")
        await peer.reader.readuntil(b"first,")
        app.read.set()
        await peer.reader.readuntil(b"last\r\n0\r\n\r\n")


async def test_event_stream_is_sent(app):
    response = await fetch(app, "/events")
    assert response.body == b"data: 1\n\ndata: 2\n\n"
    assert response.get("connection") is None


async def test_redirect_is_sent(app):
    response = await fetch(app, "/redirect", "Host: example.com:8080")
    assert (response.code, response.get("location")) == (302, "http://example.com:8080/hello/there")


async def test_session_persists_between_requests(app):
    async with running(app) as server:
        cookies = []
        for expected in (b"1", b"2", b"3"):
            response = await server.fetch("/count", *cookies)
            assert response.body == expected
            given = [value.partition(";")[0] for value in response.get_all("set-cookie")]
            assert len(given) == 2
            cookies = ["Cookie: " + "; ".join(given)]


async def test_static_files_are_served_and_revalidated(tmp_path):
    data = b"body { color: red }" * 10_000
    (tmp_path / "style.css").write_bytes(data)
    async with running(make_app(str(tmp_path))) as server:
        response = await server.fetch("/static/style.css")
        assert response.body == data
        assert response.get("content-type").startswith("text/css")
        again = await server.fetch("/static/style.css", f"If-None-Match: {response.get('etag')}")
        assert (again.code, again.body) == (304, b"")
        part = await server.fetch("/static/style.css", "Range: bytes=0-3")
        assert (part.code, part.body) == (206, b"body")
        assert (await server.fetch("/static/../secret")).code == 404


async def test_large_file_is_sent(app):
    response = await fetch(app, "/file")
    assert response.body == b"0123456789" * 50_000


async def test_error_responses_have_their_status(app, expect_log):
    async with running(app) as server:
        with expect_log("example", "Exception on /error"):
            assert (await server.fetch("/error")).code == 500
        assert (await server.fetch("/teapot")).code == 418
        assert (await server.fetch("/missing")).code == 404
        assert (await server.fetch("/form")).code == 405
        assert (await server.fetch("/nothing", method="DELETE")).code == 204


async def test_twenty_slow_requests_run_concurrently(app):
    async with running(app, threads=20) as server:
        responses = await asyncio.gather(*(server.fetch("/slow") for _ in range(20)))
    assert [response.body for response in responses] == [b"met"] * 20


async def test_flask_runs_in_addition_to_handlers(app):
    class Hello(RequestHandler):
        def get(self):
            self.write("handler")

    container = WSGIContainer(app, threads=2)
    routes = [("/hello", Hello), (".*", FallbackHandler, {"fallback": container})]
    async with serving(Application(routes)) as server:
        assert (await server.fetch("/hello")).body == b"handler"
        assert (await server.fetch("/hello/x")).body.startswith(b"Hello, x!")
        assert (await server.fetch("/form", FORM, method="POST", body=b"a=1")).body.strip() == b'{"a":"1"}'
    await asyncio.to_thread(container.close)


@pytest.mark.parametrize("threads", [None, 2])
async def test_application_passes_wsgi_validator(app, threads):
    async with running(validator(app), threads) as server:
        peer = await server.connect()
        for path, code in [("/hello/x?q=1", 200), ("/redirect", 302), ("/events", 200), ("/count", 200)]:
            assert (await peer.fetch(path)).code == code
        assert (await peer.fetch("/hello/x", method="HEAD")).code == 200
