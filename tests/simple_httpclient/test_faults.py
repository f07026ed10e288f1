"""The client with a server that fails at every byte, in every way: nothing hangs or leaks."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.client_server import Script as VisitScript
from tests.support.client_server import Visit, scripted
from tests.support.descriptors import descriptors
from tests.support.fault_server import FaultServer, Peer, Script
from tornado.httpclient import HTTPResponse
from tornado.iostream import UnsatisfiableReadError
from tornado.netutil import Resolver
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient

pytestmark = pytest.mark.deadline(60.0)

BODY = b"hello, client"
HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
FIXED = HEAD + b"Content-Length: 13\r\n\r\n" + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n8\r\n, client\r\n0\r\nT: x\r\n\r\n"
UNTIL_CLOSE = HEAD + b"\r\n" + BODY
RESPONSES = {"content-length": FIXED, "chunked": CHUNKED, "until-close": UNTIL_CLOSE}

#: How the server ends a connection.
ENDINGS: dict[str, Callable[[Peer], None]] = {
    "finish": Peer.finish,
    "truncate": Peer.truncate,
    "reset": Peer.reset,
}


@contextlib.asynccontextmanager
async def leaving_nothing(certificates: Any, **options: Any) -> AsyncIterator[SimpleAsyncHTTPClient]:
    """Yield a client, and check after the block that its requests have released all resources."""
    tasks, files = asyncio.all_tasks(), descriptors()
    defaults = {"request_timeout": 15.0, "connect_timeout": 15.0}
    if certificates is not None:
        defaults["ssl_options"] = certificates.client_context
    client = SimpleAsyncHTTPClient(force_instance=True, defaults=defaults, **options)
    yield client
    assert not client.active
    assert not client.queue
    assert not client.waiting
    assert not client.deadlines.watched
    client.close()
    for _ in range(5):  # a closed stream's descriptor is released in the loop's next iterations
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert descriptors() == files


async def outcome(fetch: asyncio.Future[HTTPResponse]) -> HTTPResponse | BaseException:
    """Return the response or the error. A timeout of the client counts as hanging."""
    try:
        return await fetch
    except Exception as error:
        if isinstance(error, HTTPTimeoutError):
            raise
        return error


def answer(response: bytes, end: Callable[[Peer], None]) -> Script:
    """Read a request, send `response`, close the connection."""

    def play(peer: Peer) -> None:
        peer.start_tls()
        peer.receive_head()
        peer.send(response)
        end(peer)
        if end is not Peer.reset:
            peer.receive_to_end()

    return play


def check_cut(found: HTTPResponse | BaseException, url: str, head_arrived: bool, reset: bool) -> None:
    """Check that the error for a truncated response names the phase and the URL."""
    if reset and isinstance(found, OSError) and "connecting to" in str(found):
        return  # the server closed the connection before the client's loop ran
    phase = "reading the response from" if head_arrived else "waiting for the response from"
    # A reset may look like end of input, because the first call that reports the error clears it.
    assert isinstance(found, (OSError, HTTPStreamClosedError) if reset else HTTPStreamClosedError), found
    assert f"{phase} {url}" in str(found)
    if isinstance(found, HTTPStreamClosedError):
        assert found.code == 599
        assert str(found).startswith("Connection closed")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("framing", RESPONSES)
async def test_response_cut_at_every_byte(framing, ending, tls, loop_kind):
    response = RESPONSES[framing]
    head_size = response.index(b"\r\n\r\n") + 4
    async with leaving_nothing(tls) as client:
        async with FaultServer(tls.server_context if tls is not None else None) as server:
            for size in range(len(response) + 1):
                server.play(answer(response[:size], ENDINGS[ending]))
                found = await outcome(client.fetch(server.url))
                ends_in_order = ending == "finish" or (ending == "truncate" and tls is None)
                if framing == "until-close" and ends_in_order and size >= head_size:
                    expected = response[head_size:size]
                elif framing != "until-close" and size == len(response):
                    expected = BODY
                else:
                    check_cut(found, server.url, size >= head_size, ending == "reset")
                    continue
                assert isinstance(found, HTTPResponse), (size, found)
                assert found.body == expected
        assert server.connections == len(response) + 1


@pytest.mark.parametrize("ending", ENDINGS)
async def test_request_cut_at_every_byte(ending, tls, loop_kind):
    """A request is not repeated if the server closes while reading it, at any byte."""
    end = ENDINGS[ending]

    def cut(size: int) -> Script:
        def play(peer: Peer) -> None:
            peer.start_tls()
            peer.receive(size)
            end(peer)
            if end is not Peer.reset:
                peer.receive_to_end()

        return play

    requests: list[bytes] = []

    def record(peer: Peer) -> None:
        peer.start_tls()
        head = peer.receive_head()
        requests.append(head + peer.receive(3))
        peer.send(FIXED)

    async with leaving_nothing(tls) as client:
        async with FaultServer(tls.server_context if tls is not None else None) as server:
            server.play(record)
            await client.fetch(server.url, method="PUT", body=b"abc")
            for size in range(len(requests[0]) + 1):
                server.play(cut(size))
                found = await outcome(client.fetch(server.url, method="PUT", body=b"abc"))
                check_cut(found, server.url, False, ending == "reset")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_second_response_on_a_connection_cut_at_every_byte(method, ending, tls, loop_kind):
    """Only a GET without any byte of a response is sent again, once, on a new connection."""
    end = ENDINGS[ending]
    requests: list[bytes] = []

    def receive(peer: Peer) -> None:
        head = peer.receive_head()
        if head.startswith(b"POST"):
            peer.receive(1)
        requests.append(head)

    def whole(peer: Peer) -> None:
        peer.start_tls()
        receive(peer)
        peer.send(FIXED)
        peer.receive_to_end()

    def cut(size: int) -> Script:
        def play(peer: Peer) -> None:
            peer.start_tls()
            receive(peer)
            peer.send(FIXED)
            receive(peer)
            peer.send(FIXED[:size])
            end(peer)
            if end is not Peer.reset:
                peer.receive_to_end()

        return play

    body = b"x" if method == "POST" else None
    for size in range(len(FIXED)):
        async with leaving_nothing(tls, max_clients=1) as client:
            async with FaultServer(tls.server_context if tls is not None else None) as server:
                requests.clear()
                again = method == "GET" and size == 0
                server.play(cut(size), *([whole] if again else []))
                assert (await client.fetch(server.url)).body == BODY
                found = await outcome(client.fetch(server.url, method=method, body=body))
                client.close()
            # TLS 1.3 sends session tickets, so a POST may use a new connection.
            if again:
                assert isinstance(found, HTTPResponse)
                assert found.body == BODY
                assert len(requests) == 3
            else:
                check_cut(found, server.url, size >= FIXED.index(BODY), ending == "reset")
                assert len(requests) == 2


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("phase", ["accepted", "hello received"])
async def test_connection_ended_during_the_tls_handshake(phase, ending, certificates, loop_kind):
    def play(peer: Peer) -> None:
        if phase == "hello received":
            peer.receive(5)
        ENDINGS[ending](peer)

    async with leaving_nothing(certificates) as client:
        async with FaultServer(certificates.server_context) as server:
            server.play(play)
            found = await outcome(client.fetch(server.url))
            assert isinstance(found, OSError), found
            phases = ("TLS handshake with 127.0.0.1", "connecting to 127.0.0.1")
            assert any(phase in str(found) for phase in phases)


async def test_tls_server_that_is_not_trusted(loop_kind, certificates, expect_log):
    async with leaving_nothing(None) as client:
        async with FaultServer(certificates.server_context) as server:
            server.play(lambda peer: peer.start_tls())
            with expect_log("tornado.general", "SSL Error on .* CERTIFICATE_VERIFY_FAILED"):
                with pytest.raises(ssl.SSLCertVerificationError, match="TLS handshake with 127.0.0.1"):
                    await client.fetch(server.url)


# -- responses that are not HTTP --

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "not HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "no version": b"200 OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "sign in the status": b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"Server\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 0\r\n\r\n",
    "line folding": OK + b"Server: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"Server: a\rb\r\nContent-Length: 0\r\n\r\n",
    "NUL in a field": OK + b"Server: a\0b\r\nContent-Length: 0\r\n\r\n",
    "length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "list of lengths": OK + b"Content-Length: 2, 3\r\n\r\nabc",
    "length with a sign": OK + b"Content-Length: +2\r\n\r\nab",
    "negative length": OK + b"Content-Length: -2\r\n\r\nab",
    "hexadecimal length": OK + b"Content-Length: 0x2\r\n\r\nab",
    "length that is no number": OK + b"Content-Length: many\r\n\r\nab",
    "unknown transfer coding": OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunk size that is no number": CHUNKS + b"xyz\r\nabc\r\n0\r\n\r\n",
    "chunk size with a sign": CHUNKS + b"+3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a prefix": CHUNKS + b"0x3\r\nabc\r\n0\r\n\r\n",
    "empty chunk size": CHUNKS + b"\r\nabc\r\n0\r\n\r\n",
    "chunk size over 64 bits": CHUNKS + b"1" + b"0" * 20 + b"\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKS + b"2\r\nabc\r\n0\r\n\r\n",
    "malformed trailer": CHUNKS + b"3\r\nabc\r\n0\r\nTrailer\r\n\r\n",
    "gzip that is none": OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "gzip cut off": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 30\r\n\r\n" + gzip.compress(bytes(range(99)))[:30]
    ),
    "more after gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 26\r\n\r\n" + gzip.compress(b"abc") + b"xyz"
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_response_raises_and_closes_the_connection(name, loop_kind):
    """The client reports its own error and does not use the connection again."""
    async with leaving_nothing(None) as client:
        async with FaultServer() as server:
            for streamed in (None, lambda chunk: None):
                server.play(answer(MALFORMED[name], Peer.receive_to_end))
                found = await outcome(client.fetch(server.url, streaming_callback=streamed))
                assert isinstance(found, HTTPStreamClosedError), found
                assert found.code == 599
                assert server.url in str(found)
                assert len(str(found)) > len(f"Connection closed (reading the response from {server.url})")
                assert not len(client.pool)


# -- responses that are too large, or do not end --

#: More than the kernel's buffers and the client's limits together.
ENOUGH = 64 * 1024 * 1024
ENDLESS: dict[str, tuple[bytes, bytes, type[Exception], str]] = {
    "status line": (b"HTTP/1.1 200 ", b"O" * 999, UnsatisfiableReadError, ""),
    "field": (OK + b"Server: ", b"x" * 999, UnsatisfiableReadError, ""),
    "fields": (OK, b"Server: x\r\n" * 99, UnsatisfiableReadError, ""),
    "interim responses": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9, HTTPStreamClosedError, "1xx"),
    "chunk size": (CHUNKS, b"0" * 999, HTTPStreamClosedError, "chunk"),
    "chunk extension": (CHUNKS + b"1;", b"x" * 999, HTTPStreamClosedError, "chunk"),
    "chunks": (CHUNKS, b"4\r\nabcd\r\n" * 99, HTTPStreamClosedError, "limit"),
    "chunks of one byte": (CHUNKS, b"1\r\na\r\n" * 99, HTTPStreamClosedError, ""),
    "trailers": (CHUNKS + b"0\r\n", b"Trailer: x\r\n" * 99, UnsatisfiableReadError, "trailer section"),
    "body without a length": (OK + b"\r\n", b"x" * 9999, HTTPStreamClosedError, "limit"),
    "announced body": (OK + b"Content-Length: %d\r\n\r\n" % ENOUGH, b"x" * 9999, HTTPStreamClosedError, ""),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_endless_response_is_ended_by_a_limit(name, tls, loop_kind):
    """A limit ends the response, and the connection is closed."""
    beginning, piece, kind, text = ENDLESS[name]
    ended = []

    def play(peer: Peer) -> None:
        peer.start_tls()
        peer.receive_head()
        try:
            peer.send(beginning)
            for _ in range(ENOUGH // len(piece)):
                peer.send(piece)
        except OSError as error:
            ended.append(error)

    async with leaving_nothing(tls, max_body_size=100_000) as client:
        async with FaultServer(tls.server_context if tls is not None else None) as server:
            server.play(play)
            found = await outcome(client.fetch(server.url))
            assert isinstance(found, kind), found
            assert text in str(found)
    assert len(ended) == 1
    assert not isinstance(ended[0], TimeoutError)


async def test_body_that_exceeds_the_limit_after_decompression(tls, loop_kind):
    packed = gzip.compress(bytes(10_000_000))
    response = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    async with leaving_nothing(tls, max_body_size=100_000) as client:
        async with FaultServer(tls.server_context if tls is not None else None) as server:
            server.play(answer(response, Peer.receive_to_end))
            with pytest.raises(HTTPStreamClosedError, match="max_body_size"):
                await client.fetch(server.url)


@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n" * 9])
async def test_data_after_the_response(extra, tls, loop_kind):
    """The client accepts the response, but does not use its connection again."""
    async with leaving_nothing(tls) as client:
        async with FaultServer(tls.server_context if tls is not None else None) as server:
            server.play(*[answer(FIXED + extra, Peer.receive_to_end)] * 2)
            for _ in range(2):
                assert (await client.fetch(server.url)).body == BODY
                assert not len(client.pool)


# -- stalls: a server that keeps the connection open and does nothing --


def stalling(received: bytes) -> VisitScript:
    """Read a request, send a part of the response, and then send nothing more."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(received)
        await visit.end()

    return script


STALLS = {
    "no answer": (b"", "waiting for the response"),
    "within the status line": (b"HTTP/1.1 2", "waiting for the response"),
    "within the head": (OK + b"Server:", "waiting for the response"),
    "after an interim response": (b"HTTP/1.1 103 Early Hints\r\n\r\n", "waiting for the response"),
    "after the head": (OK + b"Content-Length: 9\r\n\r\n", "reading the response"),
    "within the body": (OK + b"Content-Length: 9\r\n\r\nabc", "reading the response"),
    "within a body without a length": (OK + b"\r\nabc", "reading the response"),
    "within a chunk size": (CHUNKS + b"1", "reading the response"),
    "within a chunk": (CHUNKS + b"5\r\nabc", "reading the response"),
    "between chunks": (CHUNKS + b"3\r\nabc\r\n", "reading the response"),
    "within the trailers": (CHUNKS + b"0\r\nTrailer: x\r\n", "reading the response"),
    "within a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\n", "reading"),
}


@pytest.mark.parametrize("name", STALLS)
async def test_stalled_response_times_out(name, tls, clock):
    """The error names the phase and the URL, and the timeout is accurate to a tenth."""
    sent, phase = STALLS[name]
    async with scripted(stalling(sent), tls) as server:
        async with leaving_nothing(tls) as client:
            start = clock()
            with pytest.raises(HTTPTimeoutError, match=f"^Timeout during request .{phase}") as caught:
                await client.fetch(server.url, request_timeout=10)
            assert 10 <= clock() - start <= 11
            assert server.url in str(caught.value)
            await server.all_closed()


async def test_stalled_reader_of_the_request(tls, clock):
    """A server that does not read an upload."""

    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()
        await visit.writer.wait_closed()

    async def produce(write: Any) -> None:
        while True:
            await write(bytes(1_000_000))

    async with leaving_nothing(tls) as client, scripted(script, tls) as server:
        for body, phase in (
            ({"body": bytes(20_000_000)}, "waiting for the response from"),
            ({"body_producer": produce}, "sending the request to"),
        ):
            with pytest.raises(HTTPTimeoutError, match=f"{phase} {server.url}"):
                await client.fetch(server.url, method="PUT", request_timeout=10, **body)


async def test_body_is_sent_after_a_second_without_100_continue(tls, clock):
    async def script(visit: Visit) -> None:
        assert (await visit.request()).body == b"x"
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with scripted(script, tls) as server, leaving_nothing(tls) as client:
        start = clock()
        await client.fetch(server.url, method="PUT", body=b"x", expect_100_continue=True, request_timeout=10)
        await server.all_closed()
        assert 0.99 <= clock() - start < 5


async def test_response_without_the_body_that_was_announced(tls, clock):
    received: list[bytes] = []

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(5)
        visit.send("no")
        received.append(await visit.end())

    async with scripted(script, tls) as server, leaving_nothing(tls) as client:
        response = await client.fetch(
            server.url, raise_error=False, method="PUT", body=b"x", expect_100_continue=True
        )
        assert (response.code, response.body) == (403, b"no")
        await server.all_closed()
    assert received == [b""]


async def test_continue_timeout_is_checked():
    with pytest.raises(ValueError, match="continue_timeout must be a positive number of seconds, got 0"):
        SimpleAsyncHTTPClient(force_instance=True, continue_timeout=0)


async def test_stalled_tls_handshake(certificates, clock):
    async def script(visit: Visit) -> None:
        await visit.end()

    async with scripted(script) as server, leaving_nothing(certificates) as client:
        url = server.url.replace("http:", "https:")
        with pytest.raises(HTTPTimeoutError, match="TLS handshake"):
            await client.fetch(url, connect_timeout=5)


async def test_stalled_connect_times_out(clock):
    """A server whose accept queue is full does not respond."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        host, port = listener.getsockname()
        async with leaving_nothing(None) as client:
            with pytest.raises(HTTPTimeoutError, match=f"connecting to {host}:{port}"):
                await client.fetch(f"http://{host}:{port}/", connect_timeout=5)
        for filler in fillers:
            filler.close()


class LateResolver(Resolver):
    """A resolver that waits for the test before it returns."""

    def initialize(self) -> None:
        self.told = asyncio.Event()

    async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> list[tuple[int, Any]]:
        await self.told.wait()
        return []


async def test_stalled_lookup_times_out(clock):
    resolver = LateResolver()
    async with leaving_nothing(None, resolver=resolver) as client:
        with pytest.raises(HTTPTimeoutError, match=r"www\.example\.com"):
            await client.fetch("http://www.example.com/", connect_timeout=5)
        resolver.told.set()  # a lookup is not cancelled, because it may run in a thread
        await asyncio.sleep(1)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_stalled_proxy_times_out(scheme, certificates, clock):
    async with scripted(stalling(b"")) as proxy, leaving_nothing(certificates) as client:
        with pytest.raises(HTTPTimeoutError, match="proxy" if scheme == "https" else "waiting"):
            await client.fetch(
                f"{scheme}://www.example.com/",
                proxy_host="127.0.0.1",
                proxy_port=proxy.port,
                connect_timeout=5,
                request_timeout=10,
            )


async def test_cancelled_at_every_stall(tls, clock):
    """Cancelling a fetch releases its resources in every phase."""
    for sent, _ in STALLS.values():
        async with scripted(stalling(sent), tls) as server, leaving_nothing(tls) as client:
            fetch = client.fetch(server.url)
            while not server.requests:
                await asyncio.sleep(0)
            await asyncio.sleep(1)  # with the fake clock, everything that was sent has arrived
            fetch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetch
            await server.all_closed()
