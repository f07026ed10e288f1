from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, socket_pair, stream_pair, tls_stream
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError


async def test_connect_and_shake_hands(loop_kind: str, certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
        connecting = client.connect(listener.getsockname(), server_hostname="localhost")
        early = client.write(b"early")
        server = tls_stream(listener.accept()[0], certificates.server_context, server_side=True)
        read = server.read_bytes(5)
        assert server.reading()
        assert await connecting is client
        assert await read == b"early"
        await early
        assert await server.wait_for_handshake() is server
        assert client.socket.version() == server.socket.version()
        assert not server.reading()
        assert not server.writing()
        client.close()
        server.close()


async def test_dictionary_options(certificates: Certificates) -> None:
    ours, theirs = socket_pair()
    plain_server, plain_client = IOStream(ours), IOStream(theirs)
    files = {"certfile": str(certificates.certificate_file), "keyfile": str(certificates.key_file)}
    shaking = plain_server.start_tls(True, files)
    client = await plain_client.start_tls(
        False, {"ca_certs": str(certificates.ca_file)}, server_hostname="localhost"
    )
    server = await shaking
    await client.write(b"x")
    assert await server.read_bytes(1) == b"x"
    client.close()
    server.close()


async def test_a_consumer_may_come_before_the_handshake(loop_kind: str, certificates: Certificates) -> None:
    ours, theirs = socket_pair()
    server = tls_stream(ours, certificates.server_context, server_side=True)
    consumer = Recorder()
    server._start_push(consumer)
    assert not server._send(b"greeting")
    client = tls_stream(theirs, certificates.client_context, server_side=False)
    assert await client.read_bytes(8) == b"greeting"
    await client.write(b"hello")
    await consumer.until(lambda: consumer.data == b"hello")
    client.close()
    server.close()


async def test_alpn(certificates: Certificates) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)
    context.set_alpn_protocols(["http/1.1"])
    client_context = ssl.create_default_context(cafile=certificates.ca_file)
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    ours, theirs = socket_pair()
    server = tls_stream(ours, context, server_side=True)
    client = tls_stream(theirs, client_context, server_side=False)
    await asyncio.gather(server.wait_for_handshake(), client.wait_for_handshake())
    assert server.socket.selected_alpn_protocol() == "http/1.1"
    client.close()
    server.close()


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
async def test_the_name_is_checked(
    loop_kind: str, certificates: Certificates, name: str, expect_log: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = SSLIOStream(socket.socket(), ssl_options={"ca_certs": str(certificates.ca_file)})
        connecting = client.connect(listener.getsockname(), server_hostname=name)
        server = tls_stream(listener.accept()[0], certificates.server_context, server_side=True)
        if name == "localhost":
            await connecting
        else:
            with expect_log("tornado.general", "SSL Error"):
                with pytest.raises(ssl.SSLCertVerificationError) as caught:
                    await connecting
                with pytest.raises(StreamClosedError):
                    await server.read_bytes(1)
            assert client.error is caught.value
        client.close()
        server.close()


async def test_a_peer_that_leaves_in_the_handshake_is_no_news(
    loop_kind: str, certificates: Certificates
) -> None:
    ours, theirs = socket_pair()
    server = tls_stream(ours, certificates.server_context, server_side=True)
    waiting = server.wait_for_handshake()
    with pytest.raises(RuntimeError, match="Already waiting"):
        server.wait_for_handshake()
    theirs.close()
    with pytest.raises(OSError):
        await waiting
    with pytest.raises(OSError):
        await server.wait_for_handshake()
    with pytest.raises(StreamClosedError):
        server.write(b"x")


async def test_a_connection_refused(loop_kind: str, certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
    with pytest.raises(ConnectionRefusedError):
        await client.connect(address, server_hostname="localhost")


async def test_options_that_do_not_fit(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
        with pytest.raises(ValueError, match="hostname"):
            await client.connect(listener.getsockname())  # the context checks a name, and there is none


async def test_closing_says_goodbye(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        server.close()
        client.socket.suppress_ragged_eofs = False  # an end without close_notify would be an error then
        client.socket.setblocking(True)
        assert client.socket.recv(1) == b""


async def test_records_that_wait_inside_tls_are_not_forgotten(
    loop_kind: str, certificates: Certificates
) -> None:
    """One record, taken in small bites: the event loop sees nothing of the rest."""
    async with stream_pair("tls", certificates, read_chunk_size=100) as (server, client):
        await client.write(bytes(10_000))
        for _ in range(50):
            assert len(await server.read_bytes(100)) == 100
        consumer = Recorder(lambda _: server._pause_reading())
        server._start_push(consumer)
        while len(consumer.data) < 5_000:
            count = len(consumer.events) + 1
            server._resume_reading()
            await consumer.until(lambda: len(consumer.events) >= count)  # noqa: B023


class SwappedTLS:
    """A TLS socket that asks for the other direction once, as renegotiation and key updates may."""

    def __init__(self, inner: ssl.SSLSocket) -> None:
        self.inner = inner
        self.recv_error: Exception | None = None
        self.send_error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def recv(self, size: int) -> bytes:
        error, self.recv_error = self.recv_error, None
        if error is not None:
            raise error
        return self.inner.recv(size)

    def send(self, data: bytes) -> int:
        error, self.send_error = self.send_error, None
        if error is not None:
            raise error
        return self.inner.send(data)


async def test_a_read_that_needs_to_write(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        swapped = server.socket = SwappedTLS(server.socket)  # type: ignore[assignment]
        swapped.recv_error = ssl.SSLWantWriteError()
        await client.write(b"abc")
        assert await server.read_bytes(3) == b"abc"
        assert not server._writer_on


async def test_a_write_that_needs_to_read(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        swapped = server.socket = SwappedTLS(server.socket)  # type: ignore[assignment]
        swapped.send_error = ssl.SSLWantReadError()
        written = server.write(b"abc")
        assert not written.done()
        await client.write(b"something to read")
        await written
        assert await client.read_bytes(3) == b"abc"
        assert len(await server.read_bytes(17)) == 17
