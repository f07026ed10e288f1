"""Half-closing a stream: `IOStream.write_eof`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, reset, run_loop_iterations, socket_pair, stream_pair, tls_stream
from tornado.iostream import IOStream, StreamClosedError

LARGE = bytes(range(256)) * 40_000


@pytest.fixture(params=["plain", "tls1.2", "tls1.3"])
def contexts(request: pytest.FixtureRequest, certificates: Certificates) -> Any:
    """The arguments of `stream_pair` for a kind of connection."""
    if request.param == "plain":
        return "plain", certificates
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificates.certificate_file, certificates.key_file)
    version = ssl.TLSVersion.TLSv1_2 if request.param == "tls1.2" else ssl.TLSVersion.TLSv1_3
    server.minimum_version = server.maximum_version = version

    class Contexts:
        server_context = server
        client_context = certificates.client_context

    return "tls", Contexts


async def test_peer_reads_to_the_end_and_responds(loop_kind: str, contexts: Any) -> None:
    async with stream_pair(*contexts, "tcp") as (server, client):
        await client.write(b"question")
        await client.write_eof()
        assert not client.closed()
        assert await server.read_until_close() == b"question"
        await check_server_responds(contexts)


async def check_server_responds(contexts: Any) -> None:
    """Respond after the end of input. That needs push mode, because in pull mode it closes the stream."""
    async with stream_pair(*contexts, "tcp") as (server, client):
        consumer = Recorder()

        def answer() -> None:
            server.send(LARGE)
            server.flush_output()
            if not server.pending_output:
                server.close()

        consumer.on_eof = answer
        consumer.on_drained = server.close
        server.start_push(consumer)
        client.write(LARGE)
        ended = client.write_eof()
        assert await client.read_until_close() == LARGE
        await ended
        assert consumer.data == LARGE


async def test_input_in_transit_is_not_lost(loop_kind: str, contexts: Any) -> None:
    """OpenSSL would report an error for input that arrives after the close_notify was sent."""
    async with stream_pair(*contexts, "tcp") as (server, client):
        sent = server.write(LARGE)
        first = await client.read_bytes(5)  # this leaves bytes in the TLS object and in the kernel
        await client.write_eof()
        server.write(b"end")
        assert first + await client.read_bytes(len(LARGE) - 5) == LARGE
        await sent
        assert await client.read_bytes(3) == b"end"
        server.close()
        assert await client.read_until_close() == b""


async def test_write_after_write_eof_is_an_error(contexts: Any) -> None:
    async with stream_pair(*contexts) as (server, client):
        first = client.write_eof()
        with pytest.raises(RuntimeError, match=r"write\(\) after write_eof\(\)"):
            client.write(b"more")
        await asyncio.gather(first, client.write_eof())
        with pytest.raises(ValueError, match="idle"):
            client.start_tls(False)
        assert await server.read_until_close() == b""


async def test_earlier_writes_are_sent_before_the_end(loop_kind: str, contexts: Any) -> None:
    async with stream_pair(*contexts) as (server, client):
        client.write(LARGE)
        ended = client.write_eof()
        assert not ended.done()
        ended.cancel()  # the cancellation does not stop the half-close
        again = client.write_eof()
        assert await server.read_until_close() == LARGE
        await again


async def test_stream_closed_before_the_end_is_sent(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (_, client):
        client.write(LARGE)
        ended = client.write_eof()
        client.close()
        with pytest.raises(StreamClosedError):
            await ended
        with pytest.raises(StreamClosedError):
            client.write_eof()


async def test_reset_before_the_end_is_sent(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates, "tcp") as (server, client):
        reset(server)
        ended = client.write_eof()
        await asyncio.wait([ended])
        assert client.closed()
        with pytest.raises(StreamClosedError):
            await ended


async def test_write_eof_before_the_connection(loop_kind: str, certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = IOStream(socket.socket())
        connecting = client.connect(listener.getsockname())
        client.write(b"early")
        ended = client.write_eof()
        server = IOStream(listener.accept()[0])
        assert await server.read_until_close() == b"early"
        await connecting
        await ended
        client.close()


async def test_write_eof_before_the_handshake(loop_kind: str, certificates: Certificates) -> None:
    ours, theirs = socket_pair()
    server = tls_stream(ours, certificates.server_context, server_side=True)
    ended = server.write_eof()
    client = tls_stream(theirs, certificates.client_context, server_side=False)
    assert await client.read_until_close() == b""
    await ended
    server.close()


async def test_end_waits_until_the_socket_is_writable(loop_kind: str, certificates: Certificates) -> None:
    """The close_notify alert is sent as soon as the kernel's buffer has space for it."""
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        while not client.unsent_output:
            await run_loop_iterations(1)
            client.write(bytes(16384))
        ended = client.write_eof()
        await run_loop_iterations(20)
        assert not ended.done()
        received = await server.read_until_close()
        assert len(received) % 16384 == 0
        await ended


async def test_input_during_write_eof_is_complete(loop_kind: str, certificates: Certificates) -> None:
    """The peer's data is complete, at whatever time the close_notify is sent."""
    for rounds in range(40):
        async with stream_pair("tls", certificates, "tcp") as (server, client):
            sent = server.write(LARGE[:300_000])
            await run_loop_iterations(rounds % 8)
            first = await client.read_bytes(1 + rounds * 1000)
            ended = client.write_eof()
            rest = await client.read_bytes(300_000 - len(first))
            assert first + rest == LARGE[:300_000]
            await asyncio.gather(sent, ended)
