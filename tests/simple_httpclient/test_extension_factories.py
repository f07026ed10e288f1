"""The optional features of requests and clients, with our own server in the test's event loop."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import http.cookiejar
import io
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.client_server import Visit, answering, scripted
from tests.support.proxy import proxying
from tests.support.server import serving
from tests.support.tools import need_module
from tornado import web
from tornado._wire.content_decoders import accept_encoding
from tornado.httpclient import (
    BodyNotReplayableError,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    RetryPolicy,
    TransferProgress,
)
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def make(**arguments: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **arguments)


class EchoHandler(web.RequestHandler):
    """A handler that returns the request that it received."""

    def post(self) -> None:
        form = {
            name: [self.decode_argument(value) for value in values]
            for name, values in self.request.body_arguments.items()
        }
        files = {
            name: [(file.filename, file.content_type, len(file.body)) for file in group]
            for name, group in self.request.files.items()
        }
        self.write(
            {
                "type": self.request.headers.get("Content-Type", "").partition(";")[0],
                "length": self.request.headers.get("Content-Length"),
                "coding": self.request.headers.get("Transfer-Encoding"),
                "query": self.request.query,
                "form": form,
                "files": files,
                "body": self.request.body.decode("latin-1") if not files else "",
            }
        )


class DigestHandler(web.RequestHandler):
    """A handler that requires digest authentication (RFC 7616) with MD5 and qop=auth."""

    nonces: list[str]

    def initialize(self, log: list[str]) -> None:
        self.log = log

    def get(self) -> None:
        self.answer(b"")

    def post(self) -> None:
        self.answer(self.request.body)

    def answer(self, body: bytes) -> None:
        given = self.request.headers.get("Authorization", "")
        self.log.append(given.partition(" ")[0])
        params = dict(re.findall(r'(\w+)="?([^",]+)"?', given))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        if params:
            ha1, ha2 = md5("ann:area:secret"), md5(f"{self.request.method}:{self.request.uri}")
            expected = md5(f"{ha1}:n0:{params['nc']}:{params['cnonce']}:auth:{ha2}")
            if params["response"] == expected:
                self.write(body or b"welcome")
                return
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Digest realm="area", nonce="n0", qop="auth", algorithm=MD5')


# -- bodies --


async def test_params_and_json_are_sent(loop_kind):
    async with serving(web.Application([("/", EchoHandler)])) as server:
        response = await make().fetch(
            f"http://127.0.0.1:{server.port}/?a=1", method="POST", params={"b": [2, 3]}, json={"x": "ä"}
        )
    seen = response.json()
    assert seen["query"] == "a=1&b=2&b=3"
    assert seen["type"] == "application/json"
    assert json.loads(seen["body"].encode("latin-1")) == {"x": "ä"}


async def test_form_is_sent(loop_kind):
    async with serving(web.Application([("/", EchoHandler)])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        response = await make().fetch(url, method="POST", data={"a": "ä", "b": 1})
    assert response.json()["form"] == {"a": ["ä"], "b": ["1"]}


async def test_files_are_sent(loop_kind, tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(300_000))

    async def produced():
        yield b"one"
        yield b"two"

    async with serving(web.Application([("/", EchoHandler)])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        response = await make().fetch(url, method="POST", data={"a": 1}, files={"file": path})
        seen = response.json()
        assert seen["form"] == {"a": ["1"]}
        assert seen["files"] == {"file": [["large.bin", "application/octet-stream", 300_000]]}
        assert int(seen["length"]) > 300_000
        files = [("f", ("a.txt", produced(), "text/x"))]
        seen = (await make().fetch(url, method="POST", files=files)).json()
        assert seen["files"] == {"f": [["a.txt", "text/x", 6]]}
        assert seen["coding"] == "chunked"


@pytest.mark.parametrize("kind", ["path", "file", "generator", "asynchronous generator", "list"])
async def test_streamed_body_is_sent(kind, loop_kind, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"onetwo")

    async def produced():
        yield b"one"
        yield b"two"

    body: Any = {
        "path": path,
        "file": io.BytesIO(b"onetwo"),
        "generator": (part for part in (b"one", b"two")),
        "asynchronous generator": produced(),
        "list": [b"one", b"two"],
    }[kind]
    async with serving(web.Application([("/", EchoHandler)])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        response = await make().fetch(url, method="POST", body=body, headers={"Content-Type": "text/plain"})
    seen = response.json()
    assert seen["body"] == "onetwo"
    known = kind in ("path", "file")
    assert (seen["length"], seen["coding"]) == (("6", None) if known else (None, "chunked"))


async def test_body_that_cannot_be_sent_again():
    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
        await visit.end()

    async with scripted(script) as server:
        with pytest.raises(BodyNotReplayableError, match="an iterator, which can be read only once"):
            await make().fetch(server.url, method="PUT", body=(part for part in (b"a", b"b")))


async def test_error_of_a_body_source_ends_the_fetch(loop_kind):
    async def produced():
        yield b"one"
        raise LookupError("no more")

    async with serving(web.Application([("/", EchoHandler)])) as server:
        client = make()
        with pytest.raises(LookupError, match="no more"):
            await client.fetch(f"http://127.0.0.1:{server.port}/", method="POST", body=produced())
        assert not len(client.pool)


# -- content codings --

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: need_module("brotli", "compress").compress(data, quality=1),
    "zstd": lambda data: need_module("zstandard", "compress").compress(data),
}


def encoded(field: str, length: int) -> str:
    return f"HTTP/1.1 200 OK\r\nContent-Encoding: {field}\r\nContent-Length: {length}\r\n\r\n"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("codings", [("gzip",), ("deflate",), ("br",), ("zstd",), ("gzip", "br")])
async def test_content_codings_are_decoded(codings, streamed, loop_kind):
    content = bytes(range(256)) * 5000
    packed = content
    for coding in codings:
        packed = ENCODERS[coding](packed)
    head = encoded(", ".join(codings), len(packed))
    chunks: list[bytes] = []
    async with scripted(head.encode() + packed) as server:
        client = make()
        response = await client.fetch(server.url, streaming_callback=chunks.append if streamed else None)
        assert (b"".join(chunks) if streamed else response.body) == content
        assert response.headers["X-Consumed-Content-Encoding"] == ", ".join(codings)
        assert "Content-Encoding" not in response.headers
        assert server.requests[0].headers["accept-encoding"] == accept_encoding()
        assert len(client.pool) == 1
        with pytest.raises(HTTPStreamClosedError, match="max_body_size"):
            await client.fetch(server.url, max_body_size=len(content) - 1)


async def test_unknown_coding_is_not_decoded():
    async with scripted(encoded("aes128gcm", 2) + "ok") as server:
        response = await make().fetch(server.url)
    assert response.body == b"ok"
    assert response.headers["Content-Encoding"] == "aes128gcm"


async def test_too_many_codings():
    async with scripted(encoded("gzip, gzip, gzip, gzip", 2) + "ok") as server:
        with pytest.raises(HTTPStreamClosedError, match="more than 3 content codings"):
            await make().fetch(server.url)


# -- digest authentication --


@pytest.mark.parametrize("where", ["arguments", "url"])
async def test_digest_challenge_is_answered(where, loop_kind):
    log: list[str] = []
    async with serving(web.Application([("/.*", DigestHandler, {"log": log})])) as server:
        client = make()
        arguments: dict[str, Any] = {"auth_mode": "digest"}
        origin = f"http://127.0.0.1:{server.port}"
        if where == "url":
            origin = f"http://ann:secret@127.0.0.1:{server.port}"
        else:
            arguments |= {"auth_username": "ann", "auth_password": "secret"}
        assert (await client.fetch(f"{origin}/a?b=c", **arguments)).body == b"welcome"
        # The client knows the challenge from now on.
        response = await client.fetch(f"{origin}/d", method="POST", body=b"text", **arguments)
        assert response.body == b"text"
    assert log == ["", "Digest", "Digest"]


async def test_digest_with_a_wrong_password(loop_kind):
    log: list[str] = []
    async with serving(web.Application([("/", DigestHandler, {"log": log})])) as server:
        with pytest.raises(HTTPClientError, match="401"):
            await make().fetch(
                f"http://127.0.0.1:{server.port}/",
                auth_mode="digest",
                auth_username="ann",
                auth_password="wrong",
            )
    assert log == ["", "Digest"]


async def test_digest_credentials_are_not_sent_to_another_origin():
    log: list[str] = []
    async with serving(web.Application([("/", DigestHandler, {"log": log})])) as other:
        location = f"Location: http://localhost:{other.port}/"
        async with scripted(f"HTTP/1.1 302 Found\r\n{location}\r\nContent-Length: 0\r\n\r\n") as server:
            with pytest.raises(HTTPClientError, match="401"):
                await make().fetch(
                    server.url, auth_mode="digest", auth_username="ann", auth_password="secret"
                )
    assert log == [""]


# -- cookies --


def cookie_answer(request: Any) -> str:
    if request.target == "/login":
        return (
            "HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: session=s1; Path=/\r\n"
            "Set-Cookie: secret=x; Path=/; Secure; Domain=example.com\r\nContent-Length: 0\r\n\r\n"
        )
    return OK


async def test_cookie_jar_stores_and_sends_cookies(loop_kind):
    jar = http.cookiejar.CookieJar()
    async with scripted(answering(cookie_answer)) as server:
        client = make(cookie_jar=jar)
        await client.fetch(f"{server.url}login")
        await client.fetch(server.url, headers={"Cookie": "own=1"})
        await client.fetch(server.url, cookies=False)
        other = http.cookiejar.CookieJar()
        await client.fetch(f"{server.url}login", cookies=other)
    seen = [request.headers.get("cookie") for request in server.requests]
    assert seen == [None, "session=s1", "own=1; session=s1", None, None, "session=s1"]
    assert [cookie.name for cookie in other] == ["session"]


# -- retries --


async def test_retry_after_a_status(clock):
    answers = iter(
        [
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad",
            OK,
        ]
    )
    async with scripted(answering(lambda request: next(answers))) as server:
        start = clock()
        client = make(retry=RetryPolicy(max_attempts=3))
        response = await client.fetch(server.url, method="PUT", body=[b"some ", b"body"])
        assert response.body == b"ok"
        assert 7 <= clock() - start < 20
    assert [request.body for request in server.requests] == [b"some body"] * 3


async def test_retry_after_a_failed_connection(clock):
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number == 3:
            visit.send(OK)
            await visit.end()

    async with scripted(script) as server:
        response = await make().fetch(server.url, retry=RetryPolicy())
        assert response.body == b"ok"
        assert server.connections == 3


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 2),
        ({"retry": False}, 1),
        ({"method": "POST", "body": b""}, 1),
        ({"method": "PUT", "body": iter([b"x"])}, 1),
        ({"streaming_callback": print}, 2),
    ],
)
async def test_retries_are_limited(arguments, count, clock):
    answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    async with scripted(answer) as server:
        with pytest.raises(HTTPClientError, match="503"):
            await make(retry=RetryPolicy(max_attempts=2)).fetch(server.url, **arguments)
        assert len(server.requests) == count


async def test_no_retry_after_a_part_of_the_body_was_delivered(clock):
    chunks: list[bytes] = []

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")

    async with scripted(script) as server:
        with pytest.raises(HTTPStreamClosedError):
            await make(retry=RetryPolicy()).fetch(server.url, streaming_callback=chunks.append)
        assert (server.connections, chunks) == (1, [b"abc"])


async def fail_to_produce(write: Any) -> None:
    await write(b"part")
    raise OSError(28, "No space left on device")


def fail_to_consume(data: Any) -> None:
    raise OSError(28, "No space left on device")


async def fail_to_consume_later(data: Any) -> None:
    await asyncio.sleep(0)
    fail_to_consume(data)


def refuse(request: HTTPRequest, headers: HTTPHeaders) -> None:
    raise PermissionError("no token")


def failed_attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the failures for which retry policies are called."""
    asked: list[str] = []
    original = RetryPolicy.delay

    def delay(self: RetryPolicy, attempts: int, method: str, **details: Any) -> float | None:
        if details.get("status") is None:
            asked.append(method)
        return original(self, attempts, method, **details)

    monkeypatch.setattr(RetryPolicy, "delay", delay)
    return asked


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "PUT", "body_producer": fail_to_produce},
        {"ca_certs": "/nonexistent.pem"},
    ],
)
async def test_no_retry_after_an_error_of_the_program(arguments, clock, monkeypatch):
    asked = failed_attempts(monkeypatch)

    async def script(visit: Visit) -> None:
        await visit.end()

    async with scripted(script) as server:
        url = server.url.replace("http", "https") if "ca_certs" in arguments else server.url
        with pytest.raises(OSError, match="No such file|No space left on device$"):
            await make(retry=RetryPolicy()).fetch(url, **arguments)
        assert server.connections <= 1
    assert asked == []


@pytest.mark.parametrize("name", ["streaming_callback", "header_callback"])
@pytest.mark.parametrize("callback", [fail_to_consume, fail_to_consume_later])
async def test_no_retry_after_an_error_of_a_callback(name, callback, clock, monkeypatch, expect_log):
    asked = failed_attempts(monkeypatch)
    async with scripted(OK) as server:
        with expect_log("tornado.application", "Uncaught exception in a callback"):
            with pytest.raises(HTTPStreamClosedError):
                await make(retry=RetryPolicy()).fetch(server.url, **{name: callback})
        assert server.connections == 1
    assert asked == []


async def test_no_retry_after_an_error_of_a_hook(clock, monkeypatch):
    asked = failed_attempts(monkeypatch)
    async with scripted(OK) as server:
        with pytest.raises(PermissionError, match="no token"):
            await make(retry=RetryPolicy(), before_request=refuse).fetch(server.url)
    assert asked == []


async def test_no_retry_after_a_malformed_response(clock):
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") as server:
        with pytest.raises(HTTPStreamClosedError):
            await make(retry=RetryPolicy()).fetch(server.url)
        assert server.connections == 1


# -- hooks --


async def test_hooks_are_called_for_each_request(loop_kind):
    told: list[HTTPResponse] = []

    def add_token(request: HTTPRequest, headers: HTTPHeaders) -> None:
        headers["Authorization"] = f"Bearer {request.url.rpartition('/')[2]}"

    async with scripted(answering(cookie_answer)) as server:
        client = make(before_request=add_token, after_response=told.append)
        response = await client.fetch(f"{server.url}login")
        with pytest.raises(ValueError, match="Unsupported url scheme"):
            await client.fetch("ftp://127.0.0.1/")
    seen = [request.headers["authorization"] for request in server.requests]
    assert seen == ["Bearer login", "Bearer home"]
    assert told[0] is response
    assert isinstance(told[1].error, ValueError)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_coroutine_as_hook(method, loop_kind, certificates):
    tokens = iter(["first", "second", "third"])

    async def add_token(request: HTTPRequest, headers: HTTPHeaders) -> None:
        await asyncio.sleep(0)
        headers["Authorization"] = f"Bearer {next(tokens)}"

    async with scripted(answering(cookie_answer)) as server:
        client = make(before_request=add_token, retry=RetryPolicy())
        body = b"body" if method == "PUT" else None
        await client.fetch(f"{server.url}login", method=method, body=body)
        await client.fetch(server.url, method=method, body=body)
    seen = [request.headers["authorization"] for request in server.requests]
    assert seen == ["Bearer first", "Bearer second", "Bearer third"]
    assert [request.body for request in server.requests] == [body or b""] * 3


async def test_coroutine_as_hook_is_repeated_on_a_new_connection():
    calls = 0

    async def count(request: HTTPRequest, headers: HTTPHeaders) -> None:
        nonlocal calls
        calls += 1

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(OK)
        if visit.number == 1:
            await visit.request()  # the connection is closed without a response
        else:
            await visit.end()

    async with scripted(script) as server:
        client = make(before_request=count)
        for _ in range(2):
            assert (await client.fetch(server.url)).body == b"ok"
        client.close()
    assert calls == 3


async def test_coroutine_as_hook_that_fails(clock, monkeypatch):
    asked = failed_attempts(monkeypatch)

    async def fail(request: HTTPRequest, headers: HTTPHeaders) -> None:
        await asyncio.sleep(0)
        refuse(request, headers)

    async with scripted(OK) as server:
        with pytest.raises(PermissionError, match="no token"):
            await make(before_request=fail, retry=RetryPolicy()).fetch(server.url)
        assert not server.connections
    assert asked == []


async def test_coroutine_as_hook_is_cancelled_with_the_fetch(clock):
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: HTTPRequest, headers: HTTPHeaders) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with scripted(OK) as server:
        client = make(before_request=wait)
        fetching = asyncio.ensure_future(client.fetch(server.url))
        await began.wait()
        assert "PREPARING" in repr(next(iter(client.active)))
        fetching.cancel()
        await cancelled.wait()
        assert not client.active
        cancelled.clear()
        with pytest.raises(HTTPTimeoutError, match="awaiting before_request, for http"):
            await client.fetch(server.url, request_timeout=5)
        await cancelled.wait()


async def test_coroutine_as_hook_of_a_fetch_that_is_cancelled_immediately(loop_kind):
    started: list[HTTPRequest] = []

    async def hook(request: HTTPRequest, headers: HTTPHeaders) -> None:
        started.append(request)

    client = make(before_request=hook)
    fetching = client.fetch("http://localhost:1/")
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await asyncio.sleep(0)
    assert started == []
    assert not client.active


async def test_hooks_that_raise(expect_log):
    async with scripted(OK) as server:
        with pytest.raises(PermissionError, match="no token"):
            await make(before_request=refuse).fetch(server.url)
        assert not server.connections
        with expect_log("tornado.application", "Uncaught exception in after_response"):
            assert (await make(after_response=len).fetch(server.url)).body == b"ok"


# -- progress --


async def test_progress_is_reported_in_both_directions(loop_kind):
    seen: list[TransferProgress] = []
    size = 1_000_000

    class Mirror(web.RequestHandler):
        def put(self) -> None:
            self.write(self.request.body)

    async with serving(web.Application([("/", Mirror)])) as server:
        response = await make().fetch(
            f"http://127.0.0.1:{server.port}/", method="PUT", body=bytes(size), progress_callback=seen.append
        )
    assert len(response.body) == size
    assert seen == sorted(seen, key=lambda progress: (progress.sent, progress.received))
    sending = [progress for progress in seen if progress.sent < size]
    assert len(sending) >= 3
    assert all(progress[1:] == (size, 0, None) for progress in sending)
    assert seen[-1] == (size, size, size, size)


async def test_progress_callback_that_raises(expect_log):
    def fail(progress: TransferProgress) -> None:
        raise LookupError

    async with scripted(OK) as server:
        with expect_log("tornado.application", "Uncaught exception in a progress_callback"):
            assert (await make().fetch(server.url, progress_callback=fail)).body == b"ok"


# -- proxies from the environment --


async def test_proxy_of_the_environment_is_used_unless_excluded(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy"
    async with proxying(answer) as proxy, scripted(OK) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert (await make().fetch(server.url)).body == b"ok"
        assert (await make(trust_env=True).fetch(server.url)).body == b"proxy"
        assert (await make(trust_env=True, no_proxy="127.0.0.0/8").fetch(server.url)).body == b"ok"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await make(trust_env=True).fetch(server.url)).body == b"ok"
        url = f"http://127.0.0.1:{proxy.port}"
        assert (await make(proxy=url).fetch(server.url)).body == b"proxy"
        assert (await make(proxy=url, no_proxy="127.0.0.1").fetch(server.url)).body == b"ok"


@pytest.mark.parametrize("by", ["client", "request"])
async def test_own_proxy_authorization_is_sent_to_the_proxy_only(by, certificates, loop_kind):
    field = {"Proxy-Authorization": "Bearer mine"}
    async with scripted(OK, certificates) as origin, proxying() as proxy:
        arguments: dict[str, Any] = {"ca_certs": str(certificates.ca_file)}
        client = make(proxy=f"http://127.0.0.1:{proxy.port}" if by == "client" else None)
        if by == "request":
            arguments.update(proxy_host="127.0.0.1", proxy_port=proxy.port)
        request = HTTPRequest(origin.url, headers=field, **arguments)
        for _ in range(2):
            await client.fetch(request)
        await client.fetch(origin.url, headers={"Proxy-Authorization": "Bearer other"}, **arguments)
        client.close()
    sent = [head.count(b"Proxy-Authorization: Bearer mine\r\n") for head in proxy.heads]
    assert sent == [1, 0]
    assert all("proxy-authorization" not in request.headers for request in origin.requests)
    assert len(origin.requests) == 3


async def test_own_proxy_authorization_of_plain_requests():
    field = {"Proxy-Authorization": "Bearer mine"}
    async with scripted(OK) as origin:
        await make().fetch(origin.url, headers=field)
        # The same server acts as a proxy that forwards.
        await make(proxy=f"http://me:secret@127.0.0.1:{origin.port}").fetch("http://a.test/", headers=field)
    direct, forwarded = origin.requests
    assert "proxy-authorization" not in direct.headers
    assert forwarded.target == "http://a.test/"
    assert forwarded.headers["proxy-authorization"] == "Bearer mine"


async def test_queue_timeout_of_one_request(clock):
    answered = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await answered.wait()
        visit.send(OK)
        await visit.end()

    async with scripted(script) as server:
        client = make(max_clients=1)
        first = client.fetch(server.url)
        start = clock()
        with pytest.raises(HTTPClientError, match="request queue"):
            await client.fetch(f"{server.url}late", queue_timeout=5)
        assert 5 <= clock() - start < 6
        answered.set()
        await first
        assert [request.target for request in server.requests] == ["/"]
