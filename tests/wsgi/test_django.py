"""A Django application: its handlers, middleware, uploads and signed sessions."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import types

import pytest

from tests.wsgi.conftest import framework, running

django = framework("django")

BOUNDARY = "----boundary"
MULTIPART = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
FORM = "Content-Type: application/x-www-form-urlencoded"

READ = threading.Event()
BARRIER = threading.Barrier(20, timeout=25)


def page(request, name):
    from django.http import HttpResponse

    return HttpResponse(f"Hello, {name}! q={request.GET.get('q')} {request.get_host()}")


def form(request):
    from django.http import JsonResponse

    return JsonResponse(request.POST.dict())


def upload(request):
    from django.http import JsonResponse

    file = request.FILES["file"]
    digest = hashlib.md5()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "size": file.size, "md5": digest.hexdigest()})


def stream(request):
    from django.http import StreamingHttpResponse

    def generate():
        yield "first,"
        assert READ.wait(25)
        yield "last"

    return StreamingHttpResponse(generate())


def file(request):
    from django.http import FileResponse

    return FileResponse(open(__file__, "rb"))


def count(request):
    from django.http import HttpResponse

    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(request.session["count"])


def slow(request):
    from django.http import HttpResponse

    BARRIER.wait()
    return HttpResponse("met")


def redirect(request):
    from django.shortcuts import redirect

    return redirect("page", name="there")


def error(request):
    raise ZeroDivisionError


@pytest.fixture(scope="module")
def app():
    """The application; Django is set up once per process."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings
    from django.urls import path

    urls = types.ModuleType("tests_wsgi_urls")
    urls.urlpatterns = [
        path("hello/<name>", page, name="page"),
        *(path(view.__name__, view) for view in (form, upload, stream, file, count, slow, redirect, error)),
    ]
    sys.modules[urls.__name__] = urls
    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None, SECRET_KEY="for tests")
    # A process can be configured only once, and other tests may have done that.
    with override_settings(
        SECRET_KEY="for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=urls.__name__,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
        ],
        FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
    ):
        yield get_wsgi_application()
    del sys.modules[urls.__name__]


async def fetch(app, path, *fields, threads=4, **options):
    async with running(app, threads) as server:
        return await server.fetch(path, *fields, **options)


@pytest.mark.parametrize("threads", [None, 4])
async def test_page_is_served(app, threads):
    response = await fetch(app, "/hello/w%C3%B6rld?q=%E2%82%AC", "Host: example.com:81", threads=threads)
    assert response.body.decode() == "Hello, wörld! q=€ example.com:81"
    assert response.get("x-content-type-options") == "nosniff"


async def test_form_is_parsed(app):
    response = await fetch(app, "/form", FORM, method="POST", body=b"a=1&b=%C3%A9+x")
    assert response.body == b'{"a": "1", "b": "\\u00e9 x"}'


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


async def test_streamed_response_is_sent_as_it_is_produced(app):
    READ.clear()
    async with running(app) as server:
        peer = await server.connect()
        peer.get("/stream")
        await peer.reader.readuntil(b"first,")
        READ.set()
        await peer.reader.readuntil(b"last\r\n0\r\n\r\n")


async def test_file_is_sent(app):
    """The file is sent with ``wsgi.file_wrapper``."""
    response = await fetch(app, "/file")
    assert response.body.startswith(b'"""A Django application')
    assert response.get("content-length") == str(len(response.body))


async def test_session_persists_between_requests(app):
    async with running(app) as server:
        cookies = []
        for expected in (b"1", b"2"):
            response = await server.fetch("/count", *cookies)
            assert response.body == expected
            cookies = ["Cookie: " + response.get("set-cookie").partition(";")[0]]


async def test_redirect_is_sent(app):
    response = await fetch(app, "/redirect")
    assert (response.code, response.get("location")) == (302, "/hello/there")


async def test_error_responses_have_their_status(app, expect_log):
    async with running(app) as server:
        with expect_log("django.request", "Internal Server Error: /error"):
            assert (await server.fetch("/error")).code == 500
        with expect_log("django.request", "Not Found"):
            assert (await server.fetch("/missing")).code == 404


async def test_twenty_slow_requests_run_concurrently(app):
    async with running(app, threads=20) as server:
        responses = await asyncio.gather(*(server.fetch("/slow") for _ in range(20)))
    assert [response.body for response in responses] == [b"met"] * 20
