from __future__ import annotations

import asyncio
import random
import socket
import ssl
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from compliance.faults import key_updates
from tests.support.certificates import Certificates
from tests.support.streams import (
    Recorder,
    deferral,
    defers_key_updates,
    has_reader,
    has_writer,
    note_receives,
    reset,
    run_loop_iterations,
    socket_pair,
    stream_pair,
    tls_stream,
)
from tornado import _log_rate_limit, netutil
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError, _streams
from tornado.iostream._core import LARGE_SHARE
from tornado.iostream._pull_mode import _RECEIVE_COST


async def test_connect_waits_for_the_handshake(loop_kind: str, certificates: Certificates) -> None:
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


async def test_start_tls_accepts_a_dictionary(certificates: Certificates) -> None:
    ours, theirs = socket_pair()
    plain_server, plain_client = IOStream(ours), IOStream(theirs)
    files = {"certfile": str(certificates.certificate_file), "keyfile": str(certificates.key_file)}
    handshake = plain_server.start_tls(True, files)
    client = await plain_client.start_tls(
        False, {"ca_certs": str(certificates.ca_file)}, server_hostname="localhost"
    )
    server = await handshake
    await client.write(b"x")
    assert await server.read_bytes(1) == b"x"
    client.close()
    server.close()


async def test_push_mode_can_start_before_the_handshake(loop_kind: str, certificates: Certificates) -> None:
    ours, theirs = socket_pair()
    server = tls_stream(ours, certificates.server_context, server_side=True)
    consumer = Recorder()
    server.start_push(consumer)
    assert not server.send(b"greeting")
    client = tls_stream(theirs, certificates.client_context, server_side=False)
    assert await client.read_bytes(8) == b"greeting"
    await client.write(b"hello")
    await consumer.until(lambda: consumer.data == b"hello")
    client.close()
    server.close()


async def test_negotiated_alpn_protocol_is_available(certificates: Certificates) -> None:
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
async def test_server_name_is_verified(
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


async def test_disconnect_during_handshake_is_not_logged(loop_kind: str, certificates: Certificates) -> None:
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


async def test_refused_connection_raises(loop_kind: str, certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
    with pytest.raises(ConnectionRefusedError):
        await client.connect(address, server_hostname="localhost")


async def test_missing_server_hostname_fails(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
        with pytest.raises(ValueError, match="hostname"):
            await client.connect(listener.getsockname())  # the context verifies a name, but none is passed


async def test_closing_sends_close_notify(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        server.close()
        client.socket.suppress_ragged_eofs = False  # an end of input without close_notify is then an error
        client.socket.setblocking(True)
        assert client.socket.recv(1) == b""


async def test_data_buffered_in_the_tls_object_is_read(loop_kind: str, certificates: Certificates) -> None:
    """One record is read in small parts. The event loop cannot see that the rest is available."""
    async with stream_pair("tls", certificates, read_chunk_size=100) as (server, client):
        await client.write(bytes(10_000))
        for _ in range(50):
            assert len(await server.read_bytes(100)) == 100
        consumer = Recorder(lambda _: server.pause_reading())
        server.start_push(consumer)
        while len(consumer.data) < 5_000:
            count = len(consumer.events) + 1
            server.resume_reading()
            await consumer.until(lambda: len(consumer.events) >= count)  # noqa: B023


class OppositeDirectionTLS:
    """A TLS socket whose read once needs to send, or whose write once needs to receive (renegotiation)."""

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


async def test_read_that_needs_to_write(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        swapped = server.socket = OppositeDirectionTLS(server.socket)  # type: ignore[assignment]
        swapped.recv_error = ssl.SSLWantWriteError()
        await client.write(b"abc")
        assert await server.read_bytes(3) == b"abc"
        assert not has_writer(server)


async def test_write_that_needs_to_read(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("tls", certificates) as (server, client):
        swapped = server.socket = OppositeDirectionTLS(server.socket)  # type: ignore[assignment]
        swapped.send_error = ssl.SSLWantReadError()
        written = server.write(b"abc")
        assert not written.done()
        await client.write(b"something to read")
        await written
        assert await client.read_bytes(3) == b"abc"
        assert len(await server.read_bytes(17)) == 17


async def test_many_short_records_do_not_monopolize_the_loop(
    loop_kind: str, certificates: Certificates
) -> None:
    """Each record needs a receive. The number of receives per event loop iteration is limited."""
    async with stream_pair("tls", certificates, family="tcp") as (server, client):
        receives = max_receives = iterations = 0

        def count(size: int) -> None:
            nonlocal receives, max_receives
            receives += 1
            max_receives = max(max_receives, receives)

        def next_iteration() -> None:
            nonlocal receives, iterations
            receives, iterations = 0, iterations + 1
            asyncio.get_running_loop().call_soon(next_iteration)

        note_receives(server, count)
        for _ in range(2000):
            await client.write(b"x")
        next_iteration()
        assert len(await server.read_bytes(2000)) == 2000
        assert max_receives <= 2 * (
            LARGE_SHARE // _RECEIVE_COST + 1
        )  # one in the call that starts the read, and one in an event of the loop
        assert iterations >= 2


async def test_handshake_and_records_byte_by_byte(loop_kind: str, certificates: Certificates) -> None:
    """The handshake and the records arrive byte by byte, in both directions."""
    near, far = socket_pair(), socket_pair()
    client = tls_stream(near[0], certificates.client_context, server_side=False)
    server = tls_stream(far[0], certificates.server_context, server_side=True)
    loop = asyncio.get_running_loop()
    near[1].setblocking(False)
    far[1].setblocking(False)

    async def relay(source: socket.socket, target: socket.socket) -> None:
        while data := await loop.sock_recv(source, 1):
            await loop.sock_sendall(target, data)

    relays = [asyncio.create_task(relay(near[1], far[1])), asyncio.create_task(relay(far[1], near[1]))]
    await client.write(b"question\n")
    assert await server.read_until(b"\n") == b"question\n"
    server.write(b"answer")
    server.close()
    assert await client.read_until_close() == b"answer"
    await relays[1]
    relays[0].cancel()
    near[1].close()
    far[1].close()


async def test_close_notify_and_tcp_end_both_end_the_input(
    loop_kind: str, certificates: Certificates
) -> None:
    """A close_notify ends the input although TCP stays open; so does the end of TCP without close_notify."""
    async with stream_pair("tls", certificates) as (server, client):
        client.write(b"last words")
        with pytest.raises(ssl.SSLWantReadError):  # unwrap() waits for the server's close_notify
            client.socket.unwrap()
        assert await server.read_until_close() == b"last words"
    async with stream_pair("tls", certificates) as (server, client):
        client.write(b"cut short")
        socket.socket.shutdown(client.socket, socket.SHUT_WR)
        assert await server.read_until_close() == b"cut short"


async def test_writes_before_the_handshake_are_sent_in_order(
    loop_kind: str, certificates: Certificates
) -> None:
    """Nothing is sent before the handshake is done; after it, everything is sent in order."""
    ours, theirs = socket_pair()
    server = tls_stream(ours, certificates.server_context, server_side=True)
    view = memoryview(bytearray(range(256)) * 1000)
    pieces = [b"a", view, bytearray(b"b" * 70_000), b"", b"c" * 300_000]
    written = [server.write(piece) for piece in pieces]
    assert server.writing()
    client = tls_stream(theirs, certificates.client_context, server_side=False)
    whole = b"".join(map(bytes, pieces))
    assert await client.read_bytes(len(whole)) == whole
    await asyncio.gather(*written)
    client.close()
    server.close()


async def test_closing_during_the_handshake_fails_operations(
    loop_kind: str, certificates: Certificates
) -> None:
    ours, theirs = socket_pair("tcp")
    peer = "{}:{}".format(*ours.getpeername())
    server = tls_stream(ours, certificates.server_context, server_side=True)
    waiting = [server.wait_for_handshake(), server.read_bytes(1), server.write(b"x")]
    server.close()
    for future, doing in zip(waiting, ("TLS handshake with", "reading from", "writing to"), strict=True):
        with pytest.raises(StreamClosedError) as caught:
            await future
        assert str(caught.value) == f"Stream is closed ({doing} {peer})"
    theirs.close()


async def test_failed_handshake_error_names_the_peer(
    loop_kind: str, certificates: Certificates, expect_log: Any
) -> None:
    ours, theirs = socket_pair("tcp")
    peer = "{}:{}".format(*ours.getpeername())
    server = tls_stream(ours, certificates.server_context, server_side=True)
    theirs.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with expect_log("tornado.general", f"^SSL Error on \\d+ {peer}: .*HTTP_REQUEST"):
        with pytest.raises(ssl.SSLError) as caught:
            await server.wait_for_handshake()
    assert str(caught.value).endswith(f"(TLS handshake with {peer})")
    theirs.close()


async def test_failed_handshakes_are_logged_with_a_rate_limit(
    certificates: Certificates, expect_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_streams, "_handshake_log_limits", weakref.WeakKeyDictionary())
    monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 0.0))

    async def shake() -> None:
        ours, theirs = socket_pair("tcp")
        server = tls_stream(ours, certificates.server_context, server_side=True)
        theirs.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            await server.wait_for_handshake()
        theirs.close()

    with expect_log("tornado.general", "^SSL Error") as expected:
        for _ in range(15):
            await shake()
        assert len(expected.records) == 10
        monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 2.0))
        await shake()
    assert expected.records[-1].getMessage().endswith("(and 5 more since the last such line)")


# -- a connection reset before or after the socket is wrapped --


def reset_by(sock: socket.socket) -> None:
    """Reset the connection of a plain TCP socket."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


@pytest.mark.parametrize("server_side", [True, False])
async def test_reset_after_wrapping_closes_the_stream(
    loop_kind: str, certificates: Certificates, server_side: bool
) -> None:
    ours, theirs = socket_pair("tcp")
    context = certificates.server_context if server_side else certificates.client_context
    wrapped = context.wrap_socket(
        ours,
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
        do_handshake_on_connect=False,
    )
    reset_by(theirs)
    stream = SSLIOStream(wrapped)
    handshake = stream.wait_for_handshake()
    await run_loop_iterations(10)
    assert stream.closed()
    with pytest.raises(OSError):
        await handshake


@pytest.mark.parametrize("server_side", [True, False])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_reset_before_or_after_wrapping_fails_start_tls(
    loop_kind: str,
    certificates: Certificates,
    server_side: bool,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket_pair("tcp")
    wrap = netutil.ssl_wrap_socket

    def wrapped(sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        if moment == "before":
            reset_by(theirs)
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # otherwise wrap() would raise this error
        secure = wrap(sock, *args, **kwargs)
        if moment == "after":
            reset_by(theirs)
        return secure

    monkeypatch.setattr(netutil, "ssl_wrap_socket", wrapped)
    context = certificates.server_context if server_side else certificates.client_context
    handshake = IOStream(ours).start_tls(server_side, context, None if server_side else "localhost")
    await run_loop_iterations(10)
    assert handshake.done()
    with pytest.raises(OSError):
        await handshake


async def test_plain_socket_with_connected_true_fails_after_a_reset(
    loop_kind: str, certificates: Certificates
) -> None:
    ours, theirs = socket_pair("tcp")
    reset_by(theirs)
    ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    context = ssl.create_default_context()
    context.check_hostname = False
    stream = SSLIOStream(ours, ssl_options=context, connected=True)
    await run_loop_iterations(10)
    assert stream.closed()
    with pytest.raises(OSError):
        await stream.wait_for_handshake()


# -- a peer that does not read --


class UnwritableTLS(OppositeDirectionTLS):
    """A TLS socket whose reads and handshake need to send while the send buffer is full."""

    def __init__(self, inner: ssl.SSLSocket) -> None:
        super().__init__(inner)
        self.calls = 0
        self.is_writable = False

    def fill(self) -> None:
        with pytest.raises(BlockingIOError):
            while True:
                socket.socket.send(self.inner, bytes(65536))

    def recv(self, size: int) -> bytes:
        self.calls += 1
        if not self.is_writable:
            raise ssl.SSLWantWriteError
        return self.inner.recv(size)

    def do_handshake(self) -> None:
        self.calls += 1
        raise ssl.SSLWantWriteError


@pytest.mark.parametrize("mode", ["pull", "push"])
async def test_reader_is_removed_while_a_read_waits_for_writing(
    loop_kind: str, certificates: Certificates, mode: str
) -> None:
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        await client.write(b"abc")
        unready = UnwritableTLS(server.socket)  # type: ignore[arg-type]
        server.socket = unready  # type: ignore[assignment]
        unready.fill()
        consumer = Recorder()
        if mode == "push":
            server.start_push(consumer)
        else:
            read = server.read_bytes(3)
        await run_loop_iterations(50)
        assert unready.calls == 1
        assert not has_reader(server)
        assert has_writer(server)
        unready.is_writable = True
        theirs: Any = client.socket
        while not consumer.data and (mode == "push" or not read.done()):
            try:
                socket.socket.recv(theirs, 2**20)
            except BlockingIOError:
                await run_loop_iterations(1)
        assert (await read if mode == "pull" else consumer.data) == b"abc"
        assert has_reader(server)
        assert not has_writer(server)


async def test_reset_while_a_read_waits_for_writing_closes(
    loop_kind: str, certificates: Certificates
) -> None:
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        await client.write(b"abc")
        unready = UnwritableTLS(server.socket)  # type: ignore[arg-type]
        server.socket = unready  # type: ignore[assignment]
        unready.fill()
        read = server.read_bytes(10)
        unready.is_writable = True
        reset(client)
        with pytest.raises(StreamClosedError):
            await read


async def test_reader_is_removed_while_the_handshake_waits_for_writing(
    loop_kind: str, certificates: Certificates
) -> None:
    ours, theirs = socket_pair("tcp")
    server = tls_stream(ours, certificates.server_context, server_side=True)
    unready = UnwritableTLS(server.socket)
    server.socket = unready  # type: ignore[assignment]
    unready.fill()
    theirs.sendall(b"x")
    await run_loop_iterations(50)
    assert unready.calls == 1
    handshake = server.wait_for_handshake()
    reset_by(theirs)
    server.socket = unready.inner
    with pytest.raises(OSError):
        await handshake


# -- blocked sends --


class RetryCheckingTLS(OppositeDirectionTLS):
    """A TLS socket that checks that each retry of a blocked send offers at least the same bytes."""

    blocked = b""
    count = 0

    def send(self, data: bytes) -> int:
        offered = bytes(data)
        assert offered.startswith(self.blocked)
        try:
            sent = self.inner.send(data)
        except ssl.SSLWantWriteError:
            self.blocked = offered
            self.count += 1
            raise
        self.blocked = b""
        return sent


async def test_retry_of_a_blocked_send_offers_no_fewer_bytes(
    loop_kind: str, certificates: Certificates
) -> None:
    rng = random.Random(15)
    async with stream_pair("tls", certificates, "tcp") as (server, client):
        for stream in (server, client):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            stream.socket = RetryCheckingTLS(stream.socket)  # type: ignore[arg-type, assignment]
        checking: Any = server.socket
        while checking.count < 50:
            sizes = [rng.randrange(1, 10 ** rng.randrange(2, 6)) for _ in range(rng.randrange(1, 6))]
            pieces = [rng.randbytes(size) for size in sizes]
            if rng.random() < 0.5:
                server.cork()
                for piece in pieces:
                    server.send(piece)
                server.uncork()
            else:
                for piece in pieces:
                    _ = server.write(piece)
            expected = b"".join(pieces)
            assert await client.read_bytes(len(expected)) == expected


class UpdatingPeer(key_updates.Peer):
    """A client that sends key updates, and reads only when requested."""

    async def read(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        received = bytearray()
        self.socket.setblocking(False)
        while len(received) < size:
            try:
                received += self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._incoming.write(await loop.sock_recv(self.socket, 65536))
        return bytes(received)

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self.socket.send(self._outgoing.read())


@asynccontextmanager
async def updating_peer(certificates: Certificates) -> AsyncIterator[tuple[SSLIOStream, UpdatingPeer]]:
    """Connect a stream whose large sends block immediately, and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connecting = asyncio.to_thread(UpdatingPeer, listener.getsockname(), certificates.client_context)
        peer_made = asyncio.ensure_future(connecting)
        accepted, _ = await asyncio.to_thread(listener.accept)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        server = tls_stream(accepted, certificates.server_context, server_side=True)
        await server.wait_for_handshake()
        peer = await peer_made
    try:
        yield server, peer
    finally:
        server.close()
        peer.socket.close()


@pytest.mark.parametrize("mode", ["pull", "push"])
async def test_key_updates_during_a_blocked_send_keep_the_connection(
    loop_kind: str, certificates: Certificates, mode: str
) -> None:
    large = bytes(range(256)) * 5_000
    async with updating_peer(certificates) as (server, peer):
        writing = server.write(large)
        assert server.writing()
        peer.update(2)
        peer.send(b"question")
        consumer = Recorder()
        if mode == "push":
            server.start_push(consumer)
        else:
            read = server.read_bytes(8)
        await run_loop_iterations(20)
        assert not server.closed()
        assert await peer.read(len(large)) == large
        await writing
        if mode == "push":
            await consumer.until(lambda: consumer.data == b"question")
        else:
            assert await read == b"question"
        await server.write(b"answer")
        assert await peer.read(6) == b"answer"
        assert not has_writer(server)


async def test_key_updates_are_read_between_sends_of_a_busy_writer(
    loop_kind: str, certificates: Certificates
) -> None:
    async with updating_peer(certificates) as (server, peer):
        _ = server.write(bytes(2_000_000))
        peer.update(2)
        peer.send(b"question")
        read = server.read_bytes(8)
        count = 0
        while not read.done():
            await peer.read(1000)
            count += 1
        assert await read == b"question"
        assert server.writing()


async def test_short_record_during_a_blocked_send_is_read_after_the_deferral(
    loop_kind: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record with five bytes looks like a KeyUpdate. The peer may wait for a response before it reads."""
    monkeypatch.setattr(_streams, "_MAX_DEFERRAL", 0.001)
    async with updating_peer(certificates) as (server, peer):
        _ = server.write(bytes(2_000_000))
        peer.socket.setblocking(False)
        peer.send(b"12345")
        assert await server.read_bytes(5) == b"12345"
        peer.send(b"67890")
        assert await server.read_bytes(5) == b"67890"
        assert deferral(server) is None


async def test_short_records_of_tls_1_2_are_not_deferred(certificates: Certificates) -> None:
    """With ChaCha20, six bytes of data look like a KeyUpdate of TLS 1.3."""
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+CHACHA20")
    older: Any = SimpleNamespace(client_context=context, server_context=certificates.server_context)
    async with updating_peer(older) as (server, peer):
        assert server.socket.version() == "TLSv1.2"
        _ = server.write(bytes(2_000_000))
        peer.send(b"123456")
        assert await server.read_bytes(6) == b"123456"
        assert defers_key_updates(server)
        assert deferral(server) is None


async def test_closing_cancels_a_deferral(certificates: Certificates) -> None:
    async with updating_peer(certificates) as (server, peer):
        _ = server.write(bytes(2_000_000))
        peer.update(2)
        read = server.read_bytes(5)
        await run_loop_iterations(20)
        timer = deferral(server)
        assert timer is not None
        server.close()
        assert timer.cancelled()
        with pytest.raises(StreamClosedError):
            await read
