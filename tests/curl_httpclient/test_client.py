"""CurlAsyncHTTPClient with a server that is scripted byte by byte."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import gzip
import http.cookiejar
import io
import logging
import ssl
import zlib

import pytest

from tests.support.client_server import scripted as visited
from tests.support.configuration import restored_configuration
from tests.support.proxy import proxying
from tests.support.scripted import Request, response, scripted
from tests.support.tools import need_module
from tornado.httpclient import (
    AsyncHTTPClient,
    BodyNotReplayableError,
    HTTPClient,
    HTTPClientError,
    HTTPRequest,
    RetryPolicy,
    TransferProgress,
)
from tornado.httpclient._body import body_source
from tornado.httputil import HTTPInputError
from tornado.ioloop import IOLoop

pycurl = need_module("pycurl", "curl")

from tornado.curl_httpclient import CurlAsyncHTTPClient, CurlError  # noqa: E402
from tornado.curl_httpclient._upload import Upload  # noqa: E402


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Remove proxy settings from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Client:
    """Yield a client, and close it after the block."""

    def __init__(self, **arguments):
        self.arguments = arguments

    async def __aenter__(self):
        self.client = CurlAsyncHTTPClient(force_instance=True, **self.arguments)
        return self.client

    async def __aexit__(self, *error):
        self.client.close()


def echo(request: Request) -> bytes:
    return response(request.body)


def ok(request: Request) -> bytes:
    return response()


async def fetch(url, **arguments):
    async with Client() as client:
        return await client.fetch(url, **arguments)


@pytest.mark.parametrize("url", ["http://127.0.0.1:None/", "http://127.0.0.1:65536/"])
async def test_url_that_libcurl_rejects_ends_the_fetch(url, loop_kind):
    async with Client(max_clients=1) as client:
        for _ in range(2):  # otherwise the second request would wait forever for the first
            with pytest.raises(CurlError, match="^HTTP 599: URL rejected: "):
                await asyncio.wait_for(client.fetch(url), 5)


async def test_response_has_status_headers_and_body(loop_kind):
    def answer(request):
        return response(b"body", "203 Fine", "X: 1", "x: 2", "Content-Type: text/plain; charset=latin1")

    async with scripted(answer) as server:
        got = await fetch(f"{server.url}/path?query#fragment")
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/path?query")
    assert request.headers["user-agent"].startswith("Tornado/")
    assert "expect" not in request.headers
    assert "content-type" not in request.headers
    assert (got.code, got.reason, got.body, got.text) == (203, "Fine", b"body", "body")
    assert got.buffer.read() == b"body"
    assert got.headers.get_list("X") == ["1", "2"]
    assert got.effective_url == f"{server.url}/path?query"
    assert got.request.url.endswith("#fragment")
    assert got.error is None
    assert 0 <= got.request_time < 30
    assert set(got.time_info) == {
        "queue", "namelookup", "connect", "appconnect", "pretransfer", "starttransfer", "total", "redirect"
    }  # fmt: skip
    assert got.time_info["starttransfer"] <= got.time_info["total"]


async def test_connections_are_reused_and_handles_are_not():
    async with scripted(echo) as server, Client() as client:
        handles = []
        await client.fetch(
            server.url,
            method="POST",
            body="secret",
            headers={"X-Secret": "1", "Cookie": "a=b"},
            auth_username="user",
            auth_password="password",
            user_agent="agent",
            prepare_curl_callback=handles.append,
        )
        await client.fetch(server.url, prepare_curl_callback=handles.append)
        first, second = server.requests
        assert (first.connection, second.connection) == (1, 1)
        assert handles[0] is not handles[1]
        assert {"x-secret", "cookie", "authorization"} <= first.headers.keys()
        assert not {"x-secret", "cookie", "authorization", "content-length"} & second.headers.keys()
        assert second.method == "GET"
        assert second.headers["user-agent"] != "agent"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_each_method_is_sent(method):
    body = b"content" if method in ("POST", "PUT", "PATCH") else None

    def answer(request):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (b"" if method == "HEAD" else b"found")

    async with scripted(answer) as server, Client() as client:
        for _ in range(2):
            got = await client.fetch(server.url, method=method, body=body)
            assert got.body == (b"" if method == "HEAD" else b"found")
    for request in server.requests:
        assert (request.method, request.body) == (method, body or b"")
        form = "application/x-www-form-urlencoded"
        assert request.headers.get("content-type") == (form if method == "POST" else None)
    assert server.connections == 1


async def test_nonstandard_methods_and_bodies():
    async with scripted(echo) as server, Client() as client:
        for method, body in (("PURGE", None), ("GET", b"x"), ("DELETE", b"x"), ("POST", b"")):
            got = await client.fetch(server.url, method=method, body=body, allow_nonstandard_methods=True)
            assert got.body == (body or b"")
    assert [request.method for request in server.requests] == ["PURGE", "GET", "DELETE", "POST"]
    assert server.requests[3].headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "PURGE"}, KeyError, "unknown method PURGE"),
        ({"method": "POST"}, ValueError, "must not be None"),
        ({"body": b"x"}, ValueError, "the body must be None for method GET"),
        ({"method": "GET\r\nX: 1"}, ValueError, "malformed request method"),
        ({"user_agent": "a\r\nX: 1"}, ValueError, "user_agent contains control characters"),
        ({"headers": {"X": "1\r\nY: 2"}}, HTTPInputError, "Invalid header value"),
        ({"headers": {"X\r\nY": "1"}}, HTTPInputError, "Invalid header name"),
        ({"auth_username": "a\nb"}, ValueError, "auth_username contains control characters"),
        ({"auth_username": "a", "auth_mode": "ntlm"}, ValueError, "unsupported auth_mode 'ntlm'"),
        ({"proxy_host": "localhost"}, ValueError, "must be set together"),
        ({"proxy_host": "a\r\nb", "proxy_port": 1}, ValueError, "proxy_host contains control characters"),
        (
            {"proxy_host": "a", "proxy_port": 1, "proxy_username": "u", "proxy_auth_mode": "x"},
            ValueError,
            "unsupported proxy_auth_mode 'x'",
        ),
        (
            {"ssl_options": ssl.create_default_context()},
            NotImplementedError,
            "the curl client cannot use an ssl.SSLContext",
        ),
        (
            {"ssl_options": {"ssl_version": 2}},
            ValueError,
            "does not support ssl_version: expected cert_reqs, certf",
        ),
        ({"network_interface": "a\r\n"}, ValueError, "network_interface contains control characters"),
    ],
)
async def test_invalid_arguments_are_rejected(arguments, error, message):
    with pytest.raises(error, match=message):
        await fetch("http://localhost:1/", **arguments)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://localhost/",
        "file:///etc/passwd",
        "localhost",
        "http://localhost/a b",
        "http://localhost/\r\nX: 1",
    ],
)
async def test_urls_that_are_rejected(url):
    with pytest.raises(ValueError, match=r"Unsupported url scheme|contains whitespace or control"):
        await fetch(url)


async def test_coroutine_functions_are_refused_as_streaming_callbacks():
    async def callback(chunk):
        pass

    with pytest.raises(TypeError, match="a plain function may return an awaitable"):
        await fetch("http://localhost:1/", streaming_callback=callback)


async def test_empty_header_values_and_other_charsets():
    headers = {"X-Empty": "", "X-Latin": "\u00e9", "X-Wide": "\u4e2d", "Accept": ""}
    async with scripted(ok) as server:
        await fetch(server.url, headers=headers)
    fields = server.requests[0].headers
    assert fields["x-empty"] == fields["accept"] == ""
    assert fields["x-latin"] == "\u00e9"
    assert fields["x-wide"].encode("latin-1") == "\u4e2d".encode()


# -- bodies


async def chunks(*parts):
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def test_streamed_bodies_of_unknown_length_are_chunked():
    async with scripted(echo) as server:
        got = await fetch(server.url, method="POST", body=chunks(b"a" * 100_000, b"b", b"c" * 50_000))
    assert got.body == b"a" * 100_000 + b"b" + b"c" * 50_000
    assert server.requests[0].headers["transfer-encoding"] == "chunked"


async def test_streamed_bodies_of_known_length(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(300_000))
    async with scripted(echo) as server, Client() as client:
        for method in ("POST", "PUT"):
            got = await client.fetch(server.url, method=method, body=path)
            assert got.body == bytes(300_000)
        headers = {"Content-Length": "2"}
        await client.fetch(server.url, method="PUT", body=chunks(b"a", b"b"), headers=headers)
        await client.fetch(server.url, method="POST", data={"a": 1}, files={"f": path})
    assert [request.headers.get("content-length") for request in server.requests[:3]] == [
        "300000",
        "300000",
        "2",
    ]
    assert len(server.requests[3].body) > 300_000


async def test_body_producer_writes_the_body():
    async def produce(write):
        await write(b"a")
        await asyncio.sleep(0)
        await write(b"b" * 200_000)

    async with scripted(echo) as server:
        got = await fetch(server.url, method="PUT", body_producer=produce)
    assert got.body == b"a" + b"b" * 200_000


async def test_errors_of_a_body_fail_the_request():
    async def broken():
        yield b"a"
        raise ZeroDivisionError

    async with scripted(echo) as server:
        with pytest.raises(ZeroDivisionError):
            await fetch(server.url, method="POST", body=broken())


async def test_expect_100_continue():
    async with scripted(echo) as server:
        got = await fetch(server.url, method="POST", body=b"x", expect_100_continue=True)
    assert got.body == b"x"
    assert server.requests[0].headers["expect"] == "100-continue"


async def test_progress_callback_receives_both_directions():
    seen = []
    async with scripted(echo) as server:
        await fetch(server.url, method="POST", body=bytes(1_000_000), progress_callback=seen.append)
    assert seen
    assert all(isinstance(each, TransferProgress) for each in seen)
    assert seen[-1] == TransferProgress(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert [each.sent for each in seen] == sorted(each.sent for each in seen)


# -- callbacks


async def test_streaming_and_header_callbacks_run_in_order_in_the_callers_context():
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    variable.set(7)
    events = []

    def head(line):
        events.append((variable.get(), line))

    def body(chunk):
        events.append((variable.get(), chunk))

    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    chunked = (
        b"HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"
    )
    async with scripted(lambda request: interim + chunked) as server:
        got = await fetch(server.url, header_callback=head, streaming_callback=body)
    assert {context for context, _ in events} == {7}
    texts = [event for _, event in events]
    assert texts[:4] == ["HTTP/1.1 200 OK\r\n", "X: 1\r\n", "Transfer-Encoding: chunked\r\n", "\r\n"]
    assert b"".join(texts[4:]) == b"abc"
    assert got.body == b""
    assert got.headers["X"] == "1"
    assert "Trailer" not in got.headers
    assert "Link" not in got.headers


async def test_awaitables_pause_the_transfer():
    content = bytes(range(256)) * 40_000
    received, active = [], 0

    def callback(chunk):
        async def consume():
            nonlocal active
            active += 1
            assert active == 1
            for _ in range(3):
                await asyncio.sleep(0)
            received.append(chunk)
            active -= 1

        return consume()

    async with scripted(lambda request: response(content)) as server:
        await fetch(server.url, streaming_callback=callback)
    assert b"".join(received) == content
    assert active == 0


async def test_header_callback_may_return_an_awaitable():
    lines = []

    def head(line):
        async def append():
            await asyncio.sleep(0)
            lines.append(line)

        return append()

    async with scripted(ok) as server:
        await fetch(server.url, header_callback=head)
    assert lines == ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "\r\n"]


async def test_a_callback_may_fetch():
    async with scripted(ok) as server, Client() as client:
        inner = []

        def callback(chunk):
            inner.append(asyncio.ensure_future(client.fetch(server.url)))

        await client.fetch(server.url, streaming_callback=callback)
        assert (await inner[0]).body == b"ok"


async def test_exceptions_of_callbacks_are_logged(expect_log):
    def broken(chunk):
        raise ZeroDivisionError

    def later(chunk):
        async def fail():
            raise ZeroDivisionError

        return fail()

    async with scripted(ok) as server:
        for callback in (broken, later):
            with expect_log("tornado.application", "Exception in callback"):
                assert (await fetch(server.url, streaming_callback=callback)).code == 200


# -- limits


async def test_large_bodies_are_rejected():
    async with (
        scripted(lambda request: response(bytes(1001))) as server,
        Client(max_body_size=1000) as client,
    ):
        with pytest.raises(
            CurlError, match="Content-Length too long: over the limit of 1000 bytes"
        ) as caught:
            await client.fetch(server.url)
        assert (caught.value.code, caught.value.errno) == (599, pycurl.E_FILESIZE_EXCEEDED)
        with pytest.raises(CurlError, match="1000 bytes"):
            await client.fetch(server.url, streaming_callback=len)
        assert len((await client.fetch(server.url, max_body_size=1001)).body) == 1001


async def test_default_limit_does_not_apply_to_streamed_bodies(monkeypatch):
    async with scripted(lambda request: response(bytes(5000))) as server, Client() as client:
        request = HTTPRequest(server.url, streaming_callback=len)
        assert client.limit_of(request) is None
        assert client.limit_of(HTTPRequest(server.url)) == 104857600
        assert client.limit_of(HTTPRequest(server.url, max_body_size=5)) == 5
        with pytest.raises(CurlError, match="4999 bytes"):
            await client.fetch(server.url, streaming_callback=len, max_body_size=4999)


async def test_decompression_bombs_are_stopped():
    bomb = gzip.compress(bytes(10_000_000))

    def answer(request):
        assert "gzip" in request.headers["accept-encoding"]
        return response(bomb, "200 OK", "Content-Encoding: gzip")

    async with scripted(answer) as server, Client(max_body_size=100_000) as client:
        with pytest.raises(CurlError, match="decompressed body too large: over the limit of 100000 bytes"):
            await client.fetch(server.url)


async def test_decompression_can_be_turned_off():
    body = zlib.compress(b"content", wbits=31)

    def answer(request):
        return response(body, "200 OK", "Content-Encoding: gzip")

    async with scripted(answer) as server:
        assert (await fetch(server.url)).body == b"content"
        assert (await fetch(server.url, decompress_response=False)).body == body
    assert "accept-encoding" not in server.requests[1].headers


# -- errors


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200", CurlError),
        (b"HTTP/1.1 200 OK\r\nX: 1\r\n", CurlError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabc", CurlError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab", CurlError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nxx\r\n", CurlError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\nxx", CurlError),
        (b"HTTP/1.1 200 OK\r\nBad Name: x\r\nConnection: close\r\n\r\n", HTTPInputError),
        (b"HTTP/1.1 999\r\n X: 1\r\nConnection: close\r\n\r\n", Exception),
    ],
)
async def test_broken_responses_raise_errors(answer, error):
    async with scripted(lambda request: answer, last=True) as server:
        with pytest.raises(error):
            await fetch(server.url)


async def test_error_of_a_refused_connection():
    async with scripted(ok) as server:
        url = f"http://user:password@127.0.0.1:{server.port}/path?secret"
    with pytest.raises(CurlError) as caught:
        await fetch(url)
    assert caught.value.errno == pycurl.E_COULDNT_CONNECT
    assert caught.value.code == 599
    assert f"(http://127.0.0.1:{server.port}/path)" in str(caught.value)
    assert "password" not in str(caught.value)


async def test_error_status_raises_unless_disabled():
    async with scripted(lambda request: response(b"none", "404 Not Found")) as server, Client() as client:
        with pytest.raises(HTTPClientError) as caught:
            await client.fetch(server.url)
        assert caught.value.response.body == b"none"
        assert (await client.fetch(server.url, raise_error=False)).code == 404


async def test_request_timeout_raises_curl_error():
    async with scripted(lambda request: None) as server, Client() as client:
        with pytest.raises(CurlError) as caught:
            await client.fetch(server.url, request_timeout=0.05)
        assert caught.value.errno == pycurl.E_OPERATION_TIMEDOUT


async def test_timeout_does_not_wait_for_the_programs_callback():
    forever = asyncio.get_running_loop().create_future()
    partial = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"
    async with scripted(lambda request: partial) as server:
        with pytest.raises(CurlError) as caught:
            await fetch(server.url, request_timeout=0.05, streaming_callback=lambda chunk: forever)
    assert caught.value.errno == pycurl.E_OPERATION_TIMEDOUT
    assert not forever.done()


# -- redirects


def redirect(target, code=302):
    return response(b"ignored", f"{code} Moved", f"Location: {target}")


async def test_redirects_are_followed():
    heads = []

    def answer(request):
        number = int(request.target[1:])
        return redirect(f"/{number - 1}") if number else response()

    async with scripted(answer) as server, Client() as client:
        got = await client.fetch(f"{server.url}/3", header_callback=heads.append)
        assert got.effective_url == f"{server.url}/0"
        assert got.request.url == f"{server.url}/3"
        assert got.body == b"ok"
        assert heads[0] == "HTTP/1.1 200 OK\r\n"
        assert got.time_info["redirect"] > 0
        with pytest.raises(HTTPClientError, match="302"):
            await client.fetch(f"{server.url}/3", max_redirects=2)
        with pytest.raises(HTTPClientError, match="302"):
            await client.fetch(f"{server.url}/3", follow_redirects=False)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("code", "method", "following"),
    [
        (301, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
async def test_methods_after_redirects(code, method, following):
    def answer(request):
        return redirect("/to", code) if request.target == "/" else response()

    async with scripted(answer) as server:
        await fetch(f"{server.url}/", method=method, body=b"content")
    last = server.requests[-1]
    assert (last.method, last.body) == (following, b"" if following == "GET" else b"content")


async def test_body_that_must_be_sent_twice():
    def answer(request):
        return redirect("/to", 307) if request.target == "/" else response()

    async with scripted(answer) as server:
        await fetch(f"{server.url}/", method="POST", body=io.BytesIO(b"content"))
        assert server.requests[-1].body == b"content"
        with pytest.raises(BodyNotReplayableError):
            await fetch(f"{server.url}/", method="POST", body=chunks(b"content"))


async def test_credentials_are_dropped_across_origins():
    async with scripted(ok) as other:
        target = f"{other.url}/to"

        def answer(request):
            return redirect(target if request.target == "/cross" else "/same")

        async with scripted(lambda r: response() if r.target == "/same" else answer(r)) as server:
            headers = {"Cookie": "a=b", "Authorization": "Bearer x", "X-Kept": "1"}
            for path in ("/cross", "/"):
                await fetch(f"{server.url}{path}", headers=headers)
                await fetch(f"{server.url}{path}", auth_username="user", auth_password="password")
                await fetch(f"http://user:password@localhost:{server.port}{path}")
    for request in other.requests:
        assert not {"cookie", "authorization"} & request.headers.keys()
    assert other.requests[0].headers["x-kept"] == "1"
    same = [request for request in server.requests if request.target == "/same"]
    assert [("cookie" in r.headers, "authorization" in r.headers) for r in same[:2]] == [
        (True, True),
        (False, True),
    ]


async def test_redirects_to_other_schemes_are_rejected():
    async with scripted(lambda request: redirect("file:///etc/passwd")) as server:
        with pytest.raises(ValueError, match="Unsupported url scheme 'file'"):
            await fetch(server.url)


async def test_redirect_from_https_to_http_requires_allow_downgrade(certificates):
    async with scripted(ok) as plain:
        async with scripted(lambda request: redirect(plain.url), certificates.server_context) as server:
            arguments = {"ca_certs": str(certificates.ca_file)}
            with pytest.raises(HTTPClientError, match="set allow_downgrade=True to follow it") as refused:
                await fetch(server.url, **arguments)
            assert plain.requests == []
            answer = refused.value.response
            assert refused.value.code == 302
            assert answer is not None
            assert (answer.code, answer.headers["Location"]) == (302, plain.url)
            got = await fetch(server.url, allow_downgrade=True, **arguments)
            assert got.effective_url == plain.url + "/"
            assert (
                await fetch(server.url, validate_cert=False, follow_redirects=False, raise_error=False)
            ).code == 302
            with pytest.raises(CurlError) as caught:
                await fetch(server.url)
            assert caught.value.errno == pycurl.E_PEER_FAILED_VERIFICATION


# -- retries

AT_ONCE = RetryPolicy(base_delay=0)


async def test_statuses_are_retried():
    chunks = []

    def answer(request):
        if len(server.requests) < 3:
            return response(b"busy", "503 Service Unavailable", "Retry-After: 0")
        return response()

    async with scripted(answer) as server, Client(retry=AT_ONCE) as client:
        got = await client.fetch(server.url, streaming_callback=chunks.append, header_callback=chunks.append)
        assert got.code == 200
        assert chunks[0] == "HTTP/1.1 200 OK\r\n"
        assert chunks[-1] == b"ok"
        assert len(server.requests) == 3
        for arguments in (
            {"retry": False},
            {"method": "POST", "body": b""},
            {"retry": RetryPolicy(max_attempts=1)},
        ):
            server.requests.clear()
            with pytest.raises(HTTPClientError, match="503"):
                await client.fetch(server.url, **arguments)
            assert len(server.requests) == 1


async def test_last_response_is_delivered():
    busy = response(b"busy", "503 Service Unavailable")
    async with scripted(lambda request: busy) as server, Client(retry=AT_ONCE) as client:
        got = await client.fetch(server.url, raise_error=False)
        assert (got.code, got.body, len(server.requests)) == (503, b"busy", 3)
        # The delay before the retry is longer than the request's timeout.
        slow = RetryPolicy(base_delay=0, max_retry_after=1000)
        busy = response(b"busy", "503 Service Unavailable", "Retry-After: 100")
        got = await client.fetch(server.url, raise_error=False, retry=slow)
        assert (got.body, len(server.requests)) == (b"busy", 4)


async def test_failed_connections_are_retried():
    async with scripted(lambda request: b"", last=True) as server, Client(retry=AT_ONCE) as client:
        with pytest.raises(CurlError):
            await client.fetch(server.url)
        assert len(server.requests) == 3
        server.requests.clear()
        with pytest.raises(CurlError):
            await client.fetch(server.url, method="PUT", body=io.BytesIO(b"content"))
        assert [request.body for request in server.requests] == [b"content"] * 3
        server.requests.clear()
        with pytest.raises(CurlError):
            await client.fetch(server.url, method="PUT", body=chunks(b"content"))
        assert len(server.requests) == 1


async def test_cancelled_between_attempts():
    busy = response(b"", "503 Service Unavailable", "Retry-After: 10")
    async with scripted(lambda request: busy) as server, Client(retry=AT_ONCE, max_clients=1) as client:
        fetch = client.fetch_impl(HTTPRequest(server.url), print)
        while not server.requests:
            await asyncio.sleep(0)
        other = client.fetch(server.url, retry=False, raise_error=False)
        fetch.cancel()
        assert (await other).code == 503
        assert len(server.requests) == 2


# -- authentication and cookies


async def test_basic_credentials_are_sent():
    async with scripted(ok) as server, Client() as client:
        await client.fetch(server.url, auth_username="us:er", auth_password="p\u00e9")
        await client.fetch(server.url.replace("://", "://us%40er:p%3aw@"))
    received = [base64.b64decode(request.headers["authorization"][6:]) for request in server.requests]
    assert received == ["us:er:p\u00e9".encode(), b"us@er:p:w"]


async def test_digest_challenge_is_answered():
    def answer(request):
        if "authorization" not in request.headers:
            return response(
                b"no", "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
            )
        return response(request.body)

    heads = []
    async with scripted(answer) as server:
        for body in (b"content", io.BytesIO(b"content")):
            got = await fetch(
                server.url,
                method="POST",
                body=body,
                auth_username="user",
                auth_password="password",
                auth_mode="digest",
                header_callback=heads.append,
            )
            assert got.body == b"content"
    assert 'username="user"' in server.requests[-1].headers["authorization"]
    assert "HTTP/1.1 401 Unauthorized\r\n" not in heads


async def test_cookie_jar_stores_and_sends_cookies():
    def answer(request):
        if request.target == "/login":
            return response(b"", "302 Found", "Location: /", "Set-Cookie: a=b; Path=/")
        return response(request.headers.get("cookie", "").encode())

    jar = http.cookiejar.CookieJar()
    async with scripted(answer) as server, Client(cookie_jar=jar) as client:
        assert (await client.fetch(f"{server.url}/login")).body == b"a=b"
        assert (await client.fetch(server.url)).body == b"a=b"
        assert (await client.fetch(server.url, cookies=False)).body == b""
        assert (await client.fetch(server.url, cookies=http.cookiejar.CookieJar())).body == b""
        assert (await client.fetch(server.url, headers={"Cookie": "own=1"})).body == b"own=1"
    assert [cookie.name for cookie in jar] == ["a"]


async def test_client_certificate_and_other_options(certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca_file))
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)
    context.verify_mode = ssl.CERT_REQUIRED
    async with scripted(ok, context) as server:
        arguments = {"ca_certs": str(certificates.ca_file), "allow_ipv6": False}
        arguments["network_interface"] = "127.0.0.1"
        with pytest.raises(CurlError):
            await fetch(server.url, **arguments)
        files = {"client_cert": str(certificates.certificate_file), "client_key": str(certificates.key_file)}
        assert (await fetch(server.url, **files, **arguments)).code == 200


async def test_ssl_options_are_used_for_the_connection(certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca_file))
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)
    context.verify_mode = ssl.CERT_REQUIRED
    files = {"certfile": certificates.certificate_file, "keyfile": str(certificates.key_file)}
    async with scripted(ok, context) as server:
        for trust in ({"ca_certs": str(certificates.ca_file)}, {"cert_reqs": ssl.CERT_NONE}):
            assert (await fetch(server.url, ssl_options={**files, **trust})).code == 200
        with pytest.raises(CurlError) as caught:
            await fetch(server.url, ssl_options=files)
        assert caught.value.errno == pycurl.E_PEER_FAILED_VERIFICATION


async def test_client_certificates_are_not_sent_to_another_origin(certificates):
    asked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca_file))
    asked.load_cert_chain(certificates.certificate_file, certificates.key_file)
    asked.verify_mode = ssl.CERT_REQUIRED
    defaults = {
        "ca_certs": str(certificates.ca_file),
        "client_cert": str(certificates.certificate_file),
        "client_key": str(certificates.key_file),
        "auth_username": "me",
        "auth_password": "secret",
    }
    async with scripted(ok, asked) as other:
        async with scripted(lambda request: redirect(other.url), asked) as server:
            async with Client(defaults=defaults) as client:
                assert (await client.fetch(other.url)).code == 200
                with pytest.raises(CurlError):
                    await client.fetch(server.url)
    assert [request.headers["authorization"][:5] for request in other.requests] == ["Basic"]


async def test_certificate_in_default_ssl_options_is_not_sent_to_another_origin(certificates):
    asked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca_file))
    asked.load_cert_chain(certificates.certificate_file, certificates.key_file)
    asked.verify_mode = ssl.CERT_REQUIRED
    options = {
        "ca_certs": str(certificates.ca_file),
        "certfile": str(certificates.certificate_file),
        "keyfile": str(certificates.key_file),
    }
    async with scripted(ok, asked) as other:
        async with scripted(lambda request: redirect(other.url), asked) as server:
            async with Client(defaults={"ssl_options": options}) as client:
                assert (await client.fetch(other.url)).code == 200
                with pytest.raises(CurlError):
                    await client.fetch(server.url)
    assert len(other.requests) == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_hooks_are_called_for_each_request(is_async):
    told = []

    def add_token(request, headers):
        headers["Authorization"] = f"Bearer {request.url.rpartition('/')[2]}"

    async def add_token_later(request, headers):
        await asyncio.sleep(0)
        add_token(request, headers)

    def answer(request):
        return redirect("/b") if request.target == "/a" else response(b"ok")

    async with scripted(answer) as server:
        hook = add_token_later if is_async else add_token
        async with Client(before_request=hook, after_response=told.append) as client:
            got = await client.fetch(f"{server.url}/a", headers={"X": "1"})
            with pytest.raises(ValueError, match="Unsupported url scheme"):
                await client.fetch("ftp://127.0.0.1/")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer a", "Bearer b"]
    assert all(request.headers["x"] == "1" for request in server.requests)
    assert told[0] is got
    assert isinstance(told[1].error, ValueError)


@pytest.mark.parametrize("is_async", [False, True])
async def test_hooks_that_fail(is_async, expect_log):
    def refuse(request, headers):
        raise PermissionError("no token")

    async def refuse_later(request, headers):
        refuse(request, headers)

    async with scripted(ok) as server:
        async with Client(before_request=refuse_later if is_async else refuse, retry=AT_ONCE) as client:
            with pytest.raises(PermissionError, match="no token"):
                await client.fetch(server.url)
        assert server.connections == 0
        async with Client(after_response=len) as client:
            with expect_log("tornado.application", "Uncaught exception in after_response"):
                assert (await client.fetch(server.url)).code == 200


async def test_hook_counts_towards_the_request_timeout():
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(request, headers):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Client(before_request=wait) as client:
        with pytest.raises(CurlError, match=r"Timeout in before_request \(http://localhost:1/\)"):
            await client.fetch("http://localhost:1/?secret", request_timeout=0.01)
        await ended.wait()
        began.clear()
        ended.clear()
        fetching = asyncio.ensure_future(client.fetch("http://localhost:1/"))
        await began.wait()
        fetching.cancel()
        await ended.wait()


async def test_policy_of_a_jar_that_fails():
    class Jar(http.cookiejar.CookieJar):
        def extract_cookies(self, response, request):
            raise ZeroDivisionError

    async with scripted(lambda request: response(b"", "200 OK", "Set-Cookie: a=b")) as server:
        with pytest.raises(ZeroDivisionError):
            await fetch(server.url, cookies=Jar())


async def test_prepare_curl_callback_that_fails():
    def broken(curl):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fetch("http://localhost:1/", prepare_curl_callback=broken)


async def test_request_is_sent_to_the_proxy(tmp_path):
    def answer(request):
        assert request.target == "http://example.test/path"
        return response(request.headers.get("proxy-authorization", "").encode())

    async with scripted(answer) as proxy:
        arguments = {"proxy_host": "127.0.0.1", "proxy_port": proxy.port}
        assert (await fetch("http://example.test/path", **arguments)).body == b""
        got = await fetch("http://example.test/path", proxy_username="u", proxy_password="p", **arguments)
        assert base64.b64decode(got.body[6:]) == b"u:p"


async def test_hook_that_is_cancelled_ends_the_fetch():
    async def cancel(request, headers):
        raise asyncio.CancelledError

    async with Client(before_request=cancel) as client:
        with pytest.raises(
            HTTPClientError, match="cancelled .awaiting before_request, for http://localhost:1/"
        ):
            await client.fetch("http://localhost:1/?secret")


async def test_hook_of_a_fetch_that_is_cancelled_immediately():
    started = []

    async def hook(request, headers):
        started.append(request)

    async with Client(before_request=hook) as client:
        fetching = client.fetch("http://localhost:1/")
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await asyncio.sleep(0)
    assert started == []


async def test_timeout_error_raised_by_a_hook_is_reported_unchanged():
    async def fail(request, headers):
        raise TimeoutError("no token in time")

    async with Client(before_request=fail) as client:
        with pytest.raises(TimeoutError, match="no token in time"):
            await client.fetch("http://localhost:1/", request_timeout=20)


async def test_proxy_of_the_client_overrides_the_environment(monkeypatch):
    def answer(request):
        return response(request.headers.get("proxy-authorization", "").encode())

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "example.test")
    async with scripted(answer) as proxy:
        url = f"http://u:p%40@127.0.0.1:{proxy.port}"
        async with Client(proxy=url, no_proxy="localhost") as client:
            got = await client.fetch("http://example.test/path")
            assert base64.b64decode(got.body[6:]) == b"u:p@"
            await client.fetch(f"{proxy.url}/direct")
        assert [request.target for request in proxy.requests] == ["http://example.test/path", "/direct"]
        async with Client(no_proxy="localhost") as client:
            await client.fetch(proxy.url)
        async with Client(trust_env=False) as client:
            await client.fetch(f"http://127.0.0.1:{proxy.port}/")
        async with Client() as client:
            with pytest.raises(CurlError):
                await client.fetch(f"http://127.0.0.1:{proxy.port}/")
    with pytest.raises(ValueError, match="unsupported scheme 'ftp'"):
        CurlAsyncHTTPClient(force_instance=True, proxy="ftp://a.test")


async def test_own_proxy_authorization_is_sent_to_the_proxy_only(certificates):
    field = {"Proxy-Authorization": "Bearer mine"}
    async with scripted(ok) as server:
        await fetch(server.url, headers=field)
        await fetch("http://a.test/", headers=field, proxy_host="127.0.0.1", proxy_port=server.port)
        assert [request.headers.get("proxy-authorization") for request in server.requests] == [
            None,
            "Bearer mine",
        ]
    async with scripted(ok, certificates.server_context) as server, proxying() as proxy:
        arguments = {
            "proxy_host": "127.0.0.1",
            "proxy_port": proxy.port,
            "ca_certs": str(certificates.ca_file),
        }
        await fetch(server.url, headers=field, **arguments)
        assert proxy.heads[0].count(b"Proxy-Authorization: Bearer mine\r\n") == 1
        assert "proxy-authorization" not in server.requests[0].headers


async def test_body_is_sent_after_continue_timeout():
    async def script(visit):
        assert (await visit.request()).body == b"x"
        visit.send(response())

    async with visited(script) as server, Client(continue_timeout=0.001) as client:
        await client.fetch(server.url, method="POST", body=b"x", expect_100_continue=True)
        assert server.requests[0].headers["expect"] == "100-continue"
    with pytest.raises(ValueError, match="continue_timeout must be a positive number of seconds"):
        CurlAsyncHTTPClient(force_instance=True, continue_timeout=0)


# -- uploads, requested by libcurl


class Handle(dict):
    """The options that are set on a handle of libcurl, with the calls that libcurl makes for an upload."""

    setopt = dict.__setitem__

    def read(self, size):
        return self[pycurl.READFUNCTION](size)

    def seek(self, offset, origin):
        return self[pycurl.SEEKFUNCTION](offset, origin)


def upload(source, resumed):
    """Return an upload, and the handle of libcurl to which it was applied."""
    made, handle = Upload(source, asyncio.get_running_loop(), contextvars.copy_context(), resumed), Handle()
    made.apply(handle, "PUT", None)
    return made, handle


async def test_upload_pauses_until_there_is_data():
    resumed = asyncio.Event()
    _, handle = upload(body_source(chunks(b"ab", b"c" * 100_000)), resumed.set)
    received = b""
    while (data := handle.read(10_000)) != b"":
        if data == pycurl.READFUNC_PAUSE:
            await resumed.wait()
            resumed.clear()
        else:
            received += data
    assert received == b"ab" + b"c" * 100_000


async def test_upload_restarts_after_seek():
    resumed = asyncio.Event()
    up, handle = upload(body_source(io.BytesIO(b"content")), resumed.set)
    assert handle.seek(0, 0) == 0
    for _ in range(2):
        assert handle.read(3) == pycurl.READFUNC_PAUSE
        await resumed.wait()
        resumed.clear()
        assert handle.read(3) == b"con"
        assert handle.seek(3, 0) == 1
        assert handle.seek(0, 0) == 0
    once, handle = upload(body_source(chunks(b"x")), resumed.set)
    assert handle.read(3) == pycurl.READFUNC_PAUSE
    assert handle.seek(0, 0) == 1
    once.close()
    up.close()


async def test_upload_that_fails_aborts():
    async def broken():
        raise ZeroDivisionError
        yield

    resumed = asyncio.Event()
    up, handle = upload(body_source(broken()), resumed.set)
    assert handle.read(3) == pycurl.READFUNC_PAUSE
    await resumed.wait()
    assert handle.read(3) == pycurl.READFUNC_ABORT
    assert isinstance(up.error, ZeroDivisionError)


# -- the client


async def test_max_clients_limits_concurrent_connections():
    async with scripted(ok) as server, Client(max_clients=2) as client:
        futures = [client.fetch(server.url) for _ in range(20)]
        for future in futures:
            assert (await future).body == b"ok"
    assert server.connections <= 2


async def test_queue_timeout_raises():
    async with scripted(lambda request: None) as server, Client(max_clients=1) as client:
        stuck = client.fetch_impl(HTTPRequest(server.url, request_timeout=0, connect_timeout=0), print)
        with pytest.raises(HTTPClientError, match="Timeout in request queue"):
            await client.fetch(server.url, queue_timeout=0.01)
        stuck.cancel()


async def test_cancelled_fetch_releases_its_slot_and_its_connection():
    async with scripted(lambda request: None if request.target == "/stuck" else response()) as server:
        async with Client(max_clients=1) as client:
            done = []
            stuck = client.fetch_impl(
                HTTPRequest(f"{server.url}/stuck", request_timeout=0, connect_timeout=0), done.append
            )
            queued = client.fetch_impl(HTTPRequest(f"{server.url}/queued"), done.append)
            waiting = client.fetch(server.url)
            while not server.requests:
                await asyncio.sleep(0)
            assert "under way" in repr(stuck)
            assert "queued" in repr(queued)
            queued.cancel()
            stuck.cancel()
            stuck.cancel()
            assert (await waiting).body == b"ok"
            assert done == []
            assert [request.target for request in server.requests] == ["/stuck", "/"]


async def test_close_fails_active_requests():
    async with scripted(lambda request: None) as server:
        client = CurlAsyncHTTPClient(force_instance=True, max_clients=1)
        futures = [client.fetch(server.url), client.fetch(server.url)]
        while not server.requests:
            await asyncio.sleep(0)
        client.close()
        client.close()
        for future in futures:
            with pytest.raises(HTTPClientError, match="the client was closed"):
                await future


async def test_subclasses_extend_the_set_up():
    class Client(CurlAsyncHTTPClient):
        def _curl_create(self):
            curl = super()._curl_create()
            curl.setopt(pycurl.USERAGENT, "created")
            return curl

        def _curl_setup_request(self, curl, request, buffer, headers):
            super()._curl_setup_request(curl, request, buffer, headers)
            curl.setopt(pycurl.REFERER, "set up")

    async with scripted(ok) as server:
        client = Client(force_instance=True)
        await client.fetch(server.url, prepare_curl_callback=lambda curl: curl.setopt(pycurl.RANGE, "1-2"))
        client.close()
    fields = server.requests[0].headers
    assert (fields["referer"], fields["range"]) == ("set up", "bytes=1-2")


async def test_debug_log_does_not_contain_credentials(caplog):
    caplog.set_level(logging.DEBUG, "tornado.curl_httpclient")
    async with scripted(ok) as server:
        await fetch(
            server.url,
            headers={"Cookie": "secret=1", "X-Shown": "1"},
            auth_username="a",
            auth_password="secret",
        )
    assert "> X-Shown: 1" in caplog.text
    assert "< HTTP/1.1 200 OK" in caplog.text
    assert "Cookie: (not shown)" in caplog.text
    assert "secret=1" not in caplog.text
    assert server.requests[0].headers["authorization"].split()[1] not in caplog.text


def test_blocking_client_and_configuration():
    with restored_configuration(AsyncHTTPClient):
        AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient", max_clients=3)

        async def make():
            client = AsyncHTTPClient()
            assert isinstance(client, CurlAsyncHTTPClient)
            assert client.max_clients == 3
            assert AsyncHTTPClient() is client
            client.close()

        asyncio.run(make())
        with pytest.raises(CurlError):
            client = HTTPClient()
            try:
                client.fetch("http://127.0.0.1:1/")
            finally:
                client.close()


async def test_file_descriptors_are_closed():
    async with scripted(ok) as server:
        client = CurlAsyncHTTPClient(force_instance=True)
        await asyncio.gather(*(client.fetch(server.url) for _ in range(5)))
        client.close()
        while server.open_connections:
            await asyncio.sleep(0)
    assert isinstance(client.io_loop, IOLoop)
