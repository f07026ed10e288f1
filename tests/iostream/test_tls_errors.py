"""Errors that OpenSSL attributes to the wrong connection (from OpenSSL 3.5 on)."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import reset, run_loop_iterations, stream_pair
from tornado.iostream import StreamClosedError
from tornado.iostream._tls_errors import clear_queue, repeat_failed


@pytest.mark.parametrize("use", ["write", "close", "read"])
async def test_reset_of_one_connection_does_not_end_others(
    loop_kind: str, certificates: Certificates, use: str
) -> None:
    async with (
        stream_pair("tls", certificates, "tcp") as (server, client),
        stream_pair("tls", certificates, "tcp") as (other_server, other_client),
    ):
        reset(client)
        for _ in range(3):  # the first send after a reset can succeed
            if use == "write" and not server.closed():
                with pytest.raises(StreamClosedError):
                    for _ in range(10):
                        await server.write(b"data")
            elif use == "read":
                with pytest.raises(StreamClosedError):
                    await server.read_bytes(1)
            server.close()
            waiting = other_server.read_bytes(5)  # it would block
            await run_loop_iterations()
            await other_client.write(b"hello")
            assert await waiting == b"hello"
            await other_server.write(b"hello")
            assert await other_client.read_bytes(5) == b"hello"
        assert not other_server.closed()
        assert not other_client.closed()


async def test_other_tls_users_of_the_thread_see_no_error_of_a_stream(
    certificates: Certificates,
) -> None:
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
            ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost"
        )
        reset(client)
        with pytest.raises(StreamClosedError):
            for _ in range(10):
                await server.write(b"data")
        server.close()
        with pytest.raises(ssl.SSLWantReadError):
            foreign.do_handshake()


@pytest.mark.parametrize("orderly", [True, False])
async def test_reset_after_a_close_notify_is_an_orderly_end(
    loop_kind: str, certificates: Certificates, orderly: bool
) -> None:
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        await server.write(b"response")
        assert await client.read_bytes(8) == b"response"
        reading = client.read_until_close()
        if orderly:
            send_close_notify(server)
        reset(server)
        assert await reading == b""
        if orderly:
            assert client.error is None
        else:
            assert isinstance(client.error, ConnectionResetError)


def send_close_notify(stream: Any) -> None:
    with pytest.raises(ssl.SSLWantReadError):  # it would then wait for that of the peer
        stream.socket.unwrap()


def broken_socket(certificates: Certificates) -> socket.socket:
    """Return a connected socket that was reset by its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    return ours


def test_error_of_an_earlier_connection_is_repeated() -> None:
    results: list[Any] = [b"data"]
    assert repeat_failed(BrokenPipeError(), results.pop) == b"data"


def test_call_that_would_block_raises_that() -> None:
    def would_block() -> None:
        raise ssl.SSLWantReadError

    with pytest.raises(ssl.SSLWantReadError):
        repeat_failed(BrokenPipeError(), would_block)


@pytest.mark.parametrize("truncated", [True, False])
async def test_end_of_input_after_an_error(certificates: Certificates, truncated: bool) -> None:
    """The error is that of another connection if a close_notify has ended the input."""
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        await server.write(b"response")
        assert await client.read_bytes(8) == b"response"
        if not truncated:
            send_close_notify(server)
        reset(server)
        error = BrokenPipeError()
        if truncated:
            with pytest.raises(BrokenPipeError) as raised:
                repeat_failed(error, client.socket.recv, 1)
            assert raised.value is error
        else:
            assert repeat_failed(error, client.socket.recv, 1) == b""


def test_second_error_raises_the_first(certificates: Certificates) -> None:
    error = ConnectionResetError()
    with broken_socket(certificates) as sock:
        with pytest.raises(ConnectionResetError) as raised:
            repeat_failed(error, sock.recv, 1)
    assert raised.value is error


def test_errors_of_tls_are_not_repeated() -> None:
    error = ssl.SSLError(ssl.SSL_ERROR_SSL, "bad record")
    with pytest.raises(ssl.SSLError) as raised:
        repeat_failed(error, pytest.fail)
    assert raised.value is error


def test_clearing_the_queue_has_no_other_effect() -> None:
    clear_queue()
    clear_queue()
