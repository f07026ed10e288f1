"""The client against a server that is scripted byte by byte: limits, queue, redirects, errors."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import gzip
import http.cookiejar
import re
import socket
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.references import find_garbage, gc_disabled
from tornado._wire.content_decoders import accept_encoding
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httputil import HTTPInputError
from tornado.netutil import Resolver
from tornado.simple_httpclient import (
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
    _HTTPConnection,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[["Request"], bytes | None]


class Request:
    """A request as received by the server."""

    def __init__(self, head: bytes, body: bytes = b"") -> None:
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = line.split(" ")
        pairs = (field.split(":", 1) for field in fields)
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        self.body = body


class Server:
    """A server that sends the result of a function as its response; None keeps the connection open."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.port = 0
        self.connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[task] = writer
        try:
            request = Request(await reader.readuntil(b"\r\n\r\n"))
            if request.headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.body = await self.body(request, reader)
            self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self.connections[task]

    async def body(self, request: Request, reader: asyncio.StreamReader) -> bytes:
        if "content-length" in request.headers:
            return await reader.readexactly(int(request.headers["content-length"]))
        body = b""
        if request.headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        return body


@contextlib.asynccontextmanager
async def serving(answer: Answer | bytes | None = OK) -> AsyncIterator[Server]:
    server = Server(answer if callable(answer) else lambda request: answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in server.connections.values():
            writer.transport.abort()
        await asyncio.gather(*server.connections)
        await listening.wait_closed()


def make(**kwargs: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **kwargs)


async def test_get_sends_target_and_default_fields(loop_kind):
    async with serving() as server:
        response = await make().fetch(f"{server.url}/path?q=1#fragment")
    (request,) = server.requests
    assert (request.method, request.target, request.version) == ("GET", "/path?q=1", "HTTP/1.1")
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["connection"] == "keep-alive"
    assert request.headers["accept-encoding"] == accept_encoding()
    assert request.headers["user-agent"].startswith("Tornado/")
    assert response.code == 200
    assert response.reason == "OK"
    assert response.body == b"ok"
    assert response.request_time is not None
    assert 0 <= response.request_time < 30


async def test_connection_field_of_the_caller_is_sent_unchanged():
    async with serving() as server:
        await make().fetch(server.url, headers={"Connection": "close"})
        await make().fetch(server.url, headers={"X-Other": "1"})
    assert [request.headers["connection"] for request in server.requests] == ["close", "keep-alive"]


async def test_post_sends_body_and_default_content_type():
    async with serving() as server:
        await make().fetch(f"{server.url}/", method="POST", body="ä=1", user_agent="mine")
    (request,) = server.requests
    assert request.body == "ä=1".encode()
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["user-agent"] == "mine"


async def test_response_request_has_headers_as_sent():
    async with serving() as server:
        plain = await make().fetch(f"{server.url}/")
        posted = await make().fetch(f"{server.url}/", method="POST", body=b"abc", headers={"X-Given": "1"})
    for response, request in zip((plain, posted), server.requests, strict=True):
        assert {name.lower(): value for name, value in response.request.headers.items()} == request.headers
    assert plain.request.headers["host"] == f"127.0.0.1:{server.port}"
    assert posted.request.headers["Content-Length"] == "3"


async def test_redirected_request_has_headers_of_first_hop():
    def answer(request):
        if request.target == "/a":
            return b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return OK

    async with serving(answer) as server:
        response = await make().fetch(f"{server.url}/a", method="POST", body=b"abc")
    assert response.request.headers["Content-Length"] == "3"
    assert "content-length" not in server.requests[1].headers


async def test_request_fetched_again_omits_added_headers():
    request = HTTPRequest("", method="POST", body=b"abc", headers={"X-Given": "1"})
    async with serving() as first, serving() as second:
        request.url = first.url
        await make().fetch(request)
        assert request.headers["Host"] == f"127.0.0.1:{first.port}"
        request.headers["User-Agent"] = "changed"
        request.url = second.url
        await make().fetch(request)
    assert second.requests[0].headers["host"] == f"127.0.0.1:{second.port}"
    assert second.requests[0].headers["user-agent"] == "changed"
    assert second.requests[0].headers["x-given"] == "1"


async def test_request_fetched_again_restores_its_own_fields():
    request = HTTPRequest("", headers={"Cookie": "own=1"})
    jar = http.cookiejar.CookieJar()
    request.cookies = jar
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with serving(answer) as server:
        request.url = server.url
        for _ in range(3):
            await make().fetch(request)
            sent = request.headers["Cookie"]
        assert sent == "own=1; a=b"
        request.cookies = False
        await make().fetch(request)
    cookies = [got.headers["cookie"] for got in server.requests]
    assert cookies == ["own=1", "own=1; a=b", "own=1; a=b", "own=1"]


async def test_headers_mapping_of_the_caller_is_not_changed():
    given = {"X-Given": "1"}
    async with serving() as server:
        response = await make().fetch(server.url, headers=given)
    assert "Host" in response.request.headers
    assert given == {"X-Given": "1"}


async def test_failed_request_has_headers_as_sent():
    async with serving(b"") as server:
        request = HTTPRequest(server.url)
        with pytest.raises(HTTPStreamClosedError):
            await make().fetch(request)
    assert request.headers["Host"] == f"127.0.0.1:{server.port}"


async def test_white_space_around_header_value_is_accepted():
    # Jupyter Server sends "token " to a gateway without a token.
    async with serving() as server:
        response = await make().fetch(server.url, headers={"Authorization": "token "})
    assert server.requests[0].headers["authorization"] == "token"
    assert response.code == 200


async def test_body_producer_writes_the_body():
    async def produce(write):
        await write(b"one")
        await asyncio.sleep(0)
        await write(b"two")

    async with serving() as server:
        await make().fetch(f"{server.url}/", method="PUT", body_producer=produce)
        await make().fetch(
            f"{server.url}/", method="PUT", body_producer=produce, headers={"Content-Length": "6"}
        )
    assert [request.body for request in server.requests] == [b"onetwo", b"onetwo"]
    assert "content-length" not in server.requests[0].headers


async def test_body_is_sent_after_100_continue():
    async with serving() as server:
        response = await make().fetch(f"{server.url}/", method="POST", body=b"x", expect_100_continue=True)
    assert response.body == b"ok"
    assert server.requests[0].body == b"x"


async def test_interim_responses_are_not_the_response():
    lines = []
    async with serving(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK) as server:
        response = await make().fetch(server.url, header_callback=lines.append)
    assert response.code == 200
    assert lines == ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "\r\n"]


@pytest.mark.parametrize("name", ["Content-Encoding", "content-encoding", "CONTENT-ENCODING"])
async def test_gzip_response_is_decompressed_by_default(name):
    packed = gzip.compress(b"plain")
    head = f"HTTP/1.1 200 OK\r\n{name}: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with serving(head.encode() + packed) as server:
        assert (await make().fetch(server.url)).body == b"plain"
        assert (await make().fetch(server.url, decompress_response=False)).body == packed
    assert "accept-encoding" not in server.requests[1].headers


async def test_streaming_callback_pauses_the_stream():
    seen = []

    async def callback(chunk):
        await asyncio.sleep(0)
        seen.append(chunk)

    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
    async with serving(answer) as server:
        response = await make().fetch(server.url, streaming_callback=callback)
    assert b"".join(seen) == b"abcdef"
    assert response.body == b""


async def test_streaming_callback_may_return_anything():
    async with serving() as server:
        await make().fetch(server.url, streaming_callback=len)


@pytest.mark.parametrize("url_credentials", [True, False])
async def test_basic_credentials_are_sent(url_credentials):
    async with serving() as server:
        if url_credentials:
            await make().fetch(f"http://me:p%40ss@127.0.0.1:{server.port}/")
        else:
            await make().fetch(server.url, auth_username="me", auth_password="p@ss", auth_mode="basic")
    (request,) = server.requests
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


async def test_redirect_is_followed():
    def answer(request):
        if request.target == "/a":
            return b"HTTP/1.1 303 See Other\r\nLocation: /b\r\nContent-Length: 4\r\n\r\ngone"
        return OK

    chunks = []
    async with serving(answer) as server:
        request = HTTPRequest(f"{server.url}/a", method="POST", body=b"x", streaming_callback=chunks.append)
        response = await make().fetch(request)
        assert response.request is request
        assert response.effective_url == f"{server.url}/b"
    assert [each.method for each in server.requests] == ["POST", "GET"]
    assert chunks == [b"ok"]


def redirecting(location: str = "/b") -> Answer:
    """Respond to ``/a`` with a redirect."""
    head = f"HTTP/1.1 303 See Other\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\ngone".encode()
    return lambda request: head if request.target == "/a" else OK


class Hops:
    """Wrap `AsyncHTTPClient.fetch` as a monitoring agent does, and record the context of each call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[str] = []
        self.variable: contextvars.ContextVar[str] = contextvars.ContextVar("hops", default="none")
        wrapper = Wrapper(AsyncHTTPClient.fetch, lambda: self.called.append(self.variable.get()))
        monkeypatch.setattr(AsyncHTTPClient, "fetch", wrapper)


async def test_wrapped_fetch_is_called_for_each_hop(monkeypatch):
    hops = Hops(monkeypatch)
    ended = []
    client = make(max_clients=1, after_response=ended.append)
    async with serving(redirecting()) as server:
        request = HTTPRequest(f"{server.url}/a", method="POST", body=b"x")
        for name in ("first", "second"):
            hops.variable.set(name)
            response = await client.fetch(request)
            assert response.request is request
            assert response.effective_url == f"{server.url}/b"
            assert response.request.headers["Content-Length"] == "1"
    assert hops.called == ["first", "first", "second", "second"]
    assert [each.method for each in server.requests] == ["POST", "GET"] * 2
    assert len(ended) == 2
    assert not client.active


async def test_unwrapped_fetch_follows_redirect_within_one_call(monkeypatch):
    client = make()
    calls = []
    original = SimpleAsyncHTTPClient.fetch_impl

    def counted(self, request, callback):
        calls.append(request.url)
        return original(self, request, callback)

    monkeypatch.setattr(SimpleAsyncHTTPClient, "fetch_impl", counted)
    async with serving(redirecting()) as server:
        await client.fetch(f"{server.url}/a")
    assert calls == [f"{server.url}/a"]


async def test_wrapped_fetch_ends_after_max_redirects(monkeypatch):
    hops = Hops(monkeypatch)
    async with serving(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") as server:
        response = await make().fetch(server.url, max_redirects=2, raise_error=False)
    assert response.code == 302
    assert len(hops.called) == len(server.requests) == 3


async def test_error_of_wrapped_fetch_after_redirect_is_raised(monkeypatch):
    hops = Hops(monkeypatch)
    client = make()
    async with serving(redirecting("file:///etc/passwd")) as server:
        with pytest.raises(ValueError, match=r"Unsupported url scheme 'file'"):
            await client.fetch(f"{server.url}/a")
    assert len(hops.called) == 2
    assert not client.active


async def test_wrapper_that_raises_at_redirect_fails_fetch(monkeypatch):
    hops = Hops(monkeypatch)
    client = make()

    def answer(request):
        monkeypatch.setattr(hops, "called", None)  # the wrapper's next call raises AttributeError
        return redirecting()(request)

    async with serving(answer) as server:
        with pytest.raises(AttributeError, match="append"):
            await client.fetch(f"{server.url}/a")
    assert not client.active


async def test_cancelled_fetch_cancels_hop_of_wrapped_fetch(monkeypatch):
    Hops(monkeypatch)
    client = make()
    reached = asyncio.Event()

    def answer(request):
        if request.target == "/a":
            return redirecting()(request)
        reached.set()
        return None

    async with serving(answer) as server:
        future = client.fetch(f"{server.url}/a")
        await reached.wait()
        future.cancel()
        assert not client.active


async def test_redirects_are_limited():
    async with serving(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") as server:
        response = await make().fetch(server.url, max_redirects=2, raise_error=False)
        assert response.code == 302
        assert len(server.requests) == 3
        with pytest.raises(HTTPClientError, match="302"):
            await make().fetch(server.url, follow_redirects=False)


async def test_redirect_to_another_scheme():
    async with serving(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n") as server:
        with pytest.raises(ValueError, match=r"Unsupported url scheme 'file'"):
            await make().fetch(server.url)


async def test_redirect_after_the_client_was_closed():
    client = make()

    def answer(request):
        client.close()
        return b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"

    async with serving(answer) as server:
        with pytest.raises(RuntimeError, match="closed"):
            await client.fetch(server.url)


async def test_requests_over_max_clients_wait_in_the_queue():
    release = asyncio.Event()

    class Slow(_HTTPConnection):
        async def run(self):
            await release.wait()
            await super().run()

    class Client(SimpleAsyncHTTPClient):
        def _connection_class(self):
            return Slow

    async with serving() as server:
        client = Client(force_instance=True, max_clients=2)
        fetches = [client.fetch(f"{server.url}/{number}") for number in range(5)]
        assert len(client.active) == 2
        assert len(client.queue) == len(client.waiting) == 3
        release.set()
        await asyncio.gather(*fetches)
    assert not client.active
    assert not client.queue
    assert not client.waiting
    assert [int(request.target[1:]) for request in server.requests[2:]] == [2, 3, 4]


async def test_connect_timeout_applies_in_the_queue():
    async with serving(None) as server:
        client = make(max_clients=1)
        first = client.fetch(server.url, request_timeout=0, connect_timeout=0)
        with pytest.raises(HTTPTimeoutError) as caught:
            await client.fetch(server.url, connect_timeout=0.01)
        assert str(caught.value) == "Timeout in request queue"
        assert caught.value.url == server.url
        assert caught.value.code == 599
        assert not client.queue
        assert not client.waiting
    with pytest.raises((HTTPStreamClosedError, ConnectionResetError)):
        await first


async def test_request_timeout_names_the_phase():
    async with serving(None) as server:
        client = make()
        phase = r"^Timeout during request \(waiting for the response from http://127\.0\.0\.1:\d+\)$"
        with pytest.raises(HTTPTimeoutError) as caught:
            await client.fetch(server.url, request_timeout=0.05)
        assert re.match(phase, str(caught.value))
        assert caught.value.__notes__ == ["(request_timeout=0.05)"]
        assert not client.active


async def test_connect_timeout_names_the_host(monkeypatch):
    """The error names the host and its addresses; see `TCPClient.connect`."""

    async def connect(self, *args, **options):
        error = TimeoutError("Timeout while connecting to 192.0.2.1:80")
        error.add_note("(addresses of example.com)")
        raise error

    monkeypatch.setattr("tornado.tcpclient.TCPClient.connect", connect)
    with pytest.raises(HTTPTimeoutError) as caught:
        await make().fetch("http://example.com/")
    assert str(caught.value) == "Timeout while connecting to 192.0.2.1:80 (addresses of example.com)"


async def test_server_that_closes_without_a_response():
    async with serving(b"") as server:
        with pytest.raises(HTTPStreamClosedError, match="Connection closed") as caught:
            await make().fetch(server.url)
        assert str(caught.value) == f"Connection closed (waiting for the response from {server.url})"
    assert caught.value.code == 599


async def test_truncated_response_raises():
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx") as server:
        with pytest.raises(HTTPStreamClosedError, match=r"\(reading the response from http://127\.0\.0\.1:"):
            await make().fetch(server.url)


async def test_refused_connection_names_the_address():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(ConnectionRefusedError, match=rf"refused \(connecting to 127\.0\.0\.1:{port}\)"):
        await make().fetch(f"http://127.0.0.1:{port}/")


async def test_body_over_the_limit():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with serving(head + b"x" * 100) as server:
        with pytest.raises(HTTPStreamClosedError):
            await make(max_body_size=99).fetch(server.url)
        assert len((await make(max_body_size=100).fetch(server.url)).body) == 100


async def test_hostname_mapping_replaces_the_address():
    async with serving() as server:
        client = make(hostname_mapping={"www.example.com": "127.0.0.1"})
        await client.fetch(f"http://www.example.com:{server.port}/")
        client.close()
    assert server.requests[0].headers["host"] == f"www.example.com:{server.port}"


async def test_network_interface_must_be_an_address():
    async with serving() as server:
        await make().fetch(server.url, network_interface="127.0.0.2")
        with pytest.raises(ValueError, match="network_interface"):
            await make().fetch(server.url, network_interface="eth0")


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"url": "ftp://127.0.0.1/"}, ValueError, "Unsupported url scheme 'ftp'"),
        ({"url": "http:///path"}, ValueError, "has no host"),
        ({"url": "http://127.0.0.1:70000/"}, ValueError, "port 70000 is out of range"),
        ({"method": "SING"}, KeyError, "unknown method SING"),
        ({"method": "POST"}, ValueError, "must not be None"),
        ({"body": b"x"}, ValueError, "must be None"),
        ({"method": "POST", "body": b"", "body_producer": len}, ValueError, "must not have both"),
        ({"proxy_host": "proxy"}, ValueError, "proxy_host"),
        ({"auth_username": "a", "auth_mode": "bearer"}, ValueError, "'basic' or 'digest', not 'bearer'"),
    ],
)
async def test_invalid_requests_raise(arguments, error, text):
    arguments = dict(arguments)
    async with serving() as server:
        client = make()
        with pytest.raises(error, match=text):
            await client.fetch(arguments.pop("url", server.url), **arguments)
        assert not client.active


async def test_nonstandard_methods_are_allowed_on_request():
    async with serving() as server:
        await make().fetch(server.url, method="SING", body=b"la", allow_nonstandard_methods=True)
    assert server.requests[0].method == "SING"
    assert server.requests[0].body == b"la"


async def test_resolver_that_was_passed_in_is_not_closed():
    resolver = Resolver()
    resolver.close = lambda: pytest.fail("closed")  # type: ignore[method-assign]
    make(resolver=resolver).close()


def test_error_text_is_the_message():
    assert str(HTTPTimeoutError("Timeout in a test")) == "Timeout in a test"
    assert str(HTTPStreamClosedError("gone")) == "gone"


async def test_error_for_a_malformed_response_names_the_fault():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
    async with serving(answer) as server:
        with pytest.raises(HTTPStreamClosedError, match="^Connection closed: .*Content-Length") as caught:
            await make().fetch(server.url)
    cause = caught.value.__cause__
    assert isinstance(cause, HTTPInputError)
    # An error report shows the position and the local variables of the parser.
    functions = [frame.f_code.co_name for frame, _ in traceback.walk_tb(cause.__traceback__)]
    assert "next_event" in functions


async def test_malformed_response_leaves_no_reference_cycle():
    async with serving(b"HTTP/1.1 abc\r\n\r\n") as server:
        client = make()
        with gc_disabled():
            with pytest.raises(HTTPStreamClosedError) as caught:
                await client.fetch(server.url)
            del caught
            await asyncio.sleep(0)
            found = [each for each in find_garbage() if type(each).__module__.startswith("tornado")]
            assert found == []


async def test_error_for_a_malformed_response_names_the_fault_with_a_connection_class():
    class Connection(_HTTPConnection):
        pass

    class Client(SimpleAsyncHTTPClient):
        def _connection_class(self):
            return Connection

    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") as server:
        with pytest.raises(HTTPStreamClosedError, match="^Connection closed: .*Content-Length") as caught:
            await Client(force_instance=True).fetch(server.url)
    assert isinstance(caught.value.__cause__, HTTPInputError)
