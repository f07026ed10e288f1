from __future__ import annotations

import itertools
import re
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, closed, reset, run_loop_iterations, socket_pair, stream_pair
from tornado import netutil
from tornado.iostream import IOStream, StreamClosedError


async def test_connect_sends_data_written_before(loop_kind: str) -> None:
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


async def test_refused_connection_fails_connect(loop_kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    client = IOStream(socket.socket())
    with pytest.raises(StreamClosedError) as caught:
        await client.connect(address)
    assert isinstance(client.error, ConnectionRefusedError)
    assert caught.value.real_error is client.error
    assert client.closed()


async def test_connecting_to_an_invalid_address_fails() -> None:
    client = IOStream(socket.socket(socket.AF_UNIX))
    future = client.connect("/nonexistent/socket")
    assert client.closed()
    with pytest.raises(StreamClosedError) as caught:
        await future
    assert isinstance(caught.value.real_error, FileNotFoundError)


async def test_push_mode_waits_for_the_connection(loop_kind: str) -> None:
    from tests.support.streams import Recorder

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = IOStream(socket.socket())
        connecting = client.connect(listener.getsockname())
        consumer = Recorder()
        client.start_push(consumer)
        assert not client.send(b"question")
        server = IOStream(listener.accept()[0])
        await connecting
        assert await server.read_bytes(8) == b"question"
        await server.write(b"answer")
        await consumer.until(lambda: consumer.data == b"answer")
        assert "drained" in consumer.events
        client.close()
        server.close()


async def test_start_tls_encrypts_both_directions(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        ended: list[str] = []
        client.set_close_callback(lambda: ended.append("client"))
        handshake = server.start_tls(True, certificates.server_context)
        secure_client = await client.start_tls(
            False, certificates.client_context, server_hostname="localhost"
        )
        secure_server = await handshake
        assert client.closed()
        await secure_client.write(b"secret")
        assert await secure_server.read_bytes(6) == b"secret"
        assert secure_client.socket.getpeercert()
        secure_server.close()
        with pytest.raises(StreamClosedError):
            await secure_client.read_bytes(1)
        await run_loop_iterations()
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


async def test_start_tls_with_an_invalid_option_keeps_the_stream(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        with pytest.raises(ValueError, match="hostname"):
            client.start_tls(False, certificates.client_context)
        await client.write(b"still here")
        assert await server.read_bytes(10) == b"still here"


async def test_start_tls_with_a_peer_without_tls_fails(
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


@pytest.mark.parametrize("mode", ["push", "pull", "write"])
async def test_defect_in_subclass_is_logged_with_its_locals(
    loop_kind: str, expect_log: Any, mode: str
) -> None:
    """The stream stores the error without its frames; the log record has them."""

    class Broken(IOStream):
        def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
            reason = "the reason"
            raise ValueError(reason)

        def write_to_fd(self, data: memoryview) -> int:
            reason = "the reason"
            raise ValueError(reason)

    sock, other = socket_pair()
    stream = Broken(sock)
    with expect_log("tornado.general", "(error on read|Write error on .*): .*the reason") as logged:
        if mode == "push":
            stream.start_push(Recorder())
        if mode == "write":
            stream.send(b"x")
        else:
            other.send(b"x")
        await closed(stream)
    other.close()
    assert isinstance(stream.error, ValueError)
    assert stream.error.__traceback__ is None
    (record,) = logged.records
    frames = [frame for frame, _ in traceback.walk_tb(record.exc_info[2])]
    assert frames[-1].f_locals["reason"] == "the reason"


async def test_cancelled_start_tls_closes_the_connection(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        server.start_tls(True, certificates.server_context).cancel()
        assert await client.read_until_close() == b""


@pytest.mark.parametrize("noticed", [False, True])
async def test_start_tls_after_a_reset_unregisters_the_stream(
    noticed: bool, loop_kind: str, certificates: Certificates
) -> None:
    """Closing the old stream does not affect a new stream that has the same descriptor number."""
    sock, other = socket_pair("tcp")
    peer = "{}:{}".format(*sock.getpeername())
    server = IOStream(sock)
    server.peer_address = sock.getpeername()
    number = sock.fileno()
    notified: list[str] = []
    if noticed:  # the stream is registered with the event loop
        server.set_close_callback(lambda: notified.append("closed"))
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    handshake = server.start_tls(True, certificates.server_context)
    assert server.closed()
    with pytest.raises(StreamClosedError) as caught:
        await handshake
    assert isinstance(caught.value.real_error, ConnectionResetError)
    assert str(caught.value).endswith(f"(TLS handshake with {peer})")
    others = [socket_pair() for _ in range(4)]
    ours, theirs = next(pair for pair in others if number in (pair[0].fileno(), pair[1].fileno()))
    follower, far = IOStream(ours), IOStream(theirs)
    reads = follower.read_bytes(2), far.read_bytes(2)
    server.close()
    await follower.write(b"to")
    await far.write(b"me")
    assert [await read for read in reads] == [b"me", b"to"]
    assert notified == ["closed"] * noticed
    follower.close()
    far.close()
    for each in itertools.chain(*others):
        each.close()


async def test_socket_lost_in_wrapping_closes_the_stream(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer resets the connection after its state has been checked and before the socket is wrapped."""

    def lose(sock: socket.socket, *_: Any, **__: Any) -> None:
        socket.socket(fileno=sock.detach()).close()
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(netutil, "ssl_wrap_socket", lose)
    async with stream_pair("plain", certificates) as (server, _):
        with pytest.raises(StreamClosedError, match="reset by peer .TLS handshake with an unnamed socket"):
            await server.start_tls(True, certificates.server_context)
        assert server.closed()


async def test_start_tls_keeps_the_peer_address(certificates: Certificates) -> None:
    """The new stream knows the peer's address even if the old stream has not looked it up."""
    async with stream_pair("plain", certificates, family="tcp") as (server, client):
        peer = "{}:{}".format(*server.socket.getpeername())
        assert server.peer_address is None
        handshake = server.start_tls(True, certificates.server_context)
        secure_client = await client.start_tls(False, certificates.client_context, "localhost")
        secure_server = await handshake
        reset(secure_client)
        with pytest.raises(StreamClosedError, match=re.escape(f"(reading from {peer})")):
            await secure_server.read_bytes(1)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse the connection or keep it waiting")
async def test_unix_socket_with_a_full_backlog_is_an_error(loop_kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        first = IOStream(socket.socket(socket.AF_UNIX))
        await first.connect(path)
        second = IOStream(socket.socket(socket.AF_UNIX))
        with pytest.raises(StreamClosedError, match=re.escape(f"(connecting to {path})")) as caught:
            await second.connect(path)
        assert isinstance(caught.value.real_error, BlockingIOError)
        assert second.closed()
        first.close()


async def test_socket_argument_must_be_a_socket() -> None:
    with pytest.raises(TypeError, match="IOStream: socket must be a socket, got 5"):
        IOStream(5)  # type: ignore[arg-type]
