from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import closed, socket_pair, stream_pair, turns
from tornado.iostream import IOStream, StreamClosedError


async def test_connect(loop_kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = IOStream(socket.socket())
        connecting = client.connect(listener.getsockname())
        written = client.write(b"early")
        read = client.read_bytes(4)
        server = IOStream(listener.accept()[0])
        assert await connecting is client
        await written
        assert await server.read_bytes(5) == b"early"
        server.write(b"late")
        assert await read == b"late"
        client.set_nodelay(True)
        assert client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client.get_fd_error() is None
        assert client.fileno() is client.socket
        client.close()
        server.close()
        client.set_close_callback(None)


async def test_connection_refused(loop_kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    client = IOStream(socket.socket())
    with pytest.raises(StreamClosedError) as caught:
        await client.connect(address)
    assert isinstance(client.error, ConnectionRefusedError)
    assert caught.value.real_error is client.error
    assert client.closed()


async def test_an_address_that_cannot_be() -> None:
    client = IOStream(socket.socket(socket.AF_UNIX))
    future = client.connect("/nonexistent/socket")
    assert client.closed()
    with pytest.raises(StreamClosedError) as caught:
        await future
    assert isinstance(caught.value.real_error, FileNotFoundError)


async def test_a_push_consumer_waits_for_the_connection(loop_kind: str) -> None:
    from tests.support.streams import Recorder

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = IOStream(socket.socket())
        connecting = client.connect(listener.getsockname())
        consumer = Recorder()
        client._start_push(consumer)
        assert not client._send(b"question")
        server = IOStream(listener.accept()[0])
        await connecting
        assert await server.read_bytes(8) == b"question"
        await server.write(b"answer")
        await consumer.until(lambda: consumer.data == b"answer")
        assert "drained" in consumer.events
        client.close()
        server.close()


async def test_start_tls(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        ended: list[str] = []
        client.set_close_callback(lambda: ended.append("client"))
        shaking = server.start_tls(True, certificates.server_context)
        secure_client = await client.start_tls(
            False, certificates.client_context, server_hostname="localhost"
        )
        secure_server = await shaking
        assert client.closed()
        await secure_client.write(b"secret")
        assert await secure_server.read_bytes(6) == b"secret"
        assert secure_client.socket.getpeercert()
        secure_server.close()
        with pytest.raises(StreamClosedError):
            await secure_client.read_bytes(1)
        await turns()
        assert ended == ["client"]


async def test_start_tls_needs_an_idle_stream(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"STARTTLS\nand more that came in plain text")
        await server.read_until(b"\n")
        with pytest.raises(ValueError, match="idle"):
            server.start_tls(True, certificates.server_context)
        read = client.read_bytes(1)
        with pytest.raises(ValueError, match="idle"):
            client.start_tls(False)
        read.cancel()
        client.close()
        with pytest.raises(StreamClosedError):
            client.start_tls(False)


async def test_start_tls_with_a_bad_option_leaves_the_stream_alone(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        with pytest.raises(ValueError, match="hostname"):
            client.start_tls(False, certificates.client_context)
        await client.write(b"still here")
        assert await server.read_bytes(10) == b"still here"


async def test_start_tls_with_a_peer_that_speaks_something_else(
    loop_kind: str, certificates: Certificates, expect_log: Any
) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"GET / HTTP/1.1\r\n\r\n")
        with (
            expect_log("tornado.general", "SSL Error"),
            pytest.raises(OSError, match="HTTP_REQUEST|WRONG_VERSION"),
        ):
            await server.start_tls(True, certificates.server_context)


async def test_read_error_of_the_descriptor(certificates: Certificates, expect_log: Any) -> None:
    class Broken(IOStream):
        def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
            raise OSError(5, "broken")

    sock, other = socket_pair()
    stream = Broken(sock)
    with pytest.raises(OSError, match="broken"):
        stream.read_bytes(1)
    assert stream.closed()
    other.close()
    sock, other = socket_pair()
    stream = Broken(sock)
    with expect_log("tornado.general", "error on read: .*broken"):
        other.send(b"x")
        await closed(stream)
    other.close()


async def test_start_tls_given_up_closes_the_connection(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        server.start_tls(True, certificates.server_context).cancel()
        assert await client.read_until_close() == b""
