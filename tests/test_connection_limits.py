"""Connection limits: keys of addresses, counting, and the closing of counted streams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import pytest

from tests.support.server import ExpectLog
from tests.support.tcp import listening
from tests.support.tcpserver import connection_limits, count_by_address
from tornado import _connection_limits, tcpserver
from tornado._connection_limits import ConnectionLimits
from tornado._log_rate_limit import LogRateLimit
from tornado.iostream import IOStream, StreamClosedError
from tornado.log import gen_log
from tornado.netutil import bind_unix_socket
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer


@pytest.fixture(autouse=True)
def fresh_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the rate limit, so that log messages of earlier tests do not suppress those of this test."""
    monkeypatch.setattr(tcpserver, "_log_limit", LogRateLimit(gen_log))


class Echo(TCPServer):
    """A server that echoes lines, and stores its streams."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.streams: list[IOStream] = []

    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        self.streams.append(stream)
        with contextlib.suppress(StreamClosedError):
            while True:
                await stream.write(await stream.read_until(b"\n"))


async def is_served(port: int, source: str = "127.0.0.1", **options: Any) -> IOStream | None:
    """Return a connection that was served, or None if the server closed it."""
    stream = await TCPClient().connect("127.0.0.1", port, source_ip=source, **options)
    try:
        await stream.write(b"line\n")
        await stream.read_until(b"\n")
    except StreamClosedError:
        return None
    return stream


async def until_count(limits: ConnectionLimits | None, count: int) -> None:
    assert limits is not None
    while limits.count > count:
        await asyncio.sleep(0)


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
async def test_connections_per_address_are_limited(
    loop_kind: str, source: str, expect_log: ExpectLog
) -> None:
    server = Echo(max_connections_per_address=2)
    with listening(server) as port:
        first, second = await is_served(port, source), await is_served(port, source)
        assert first is not None
        assert second is not None
        with expect_log("tornado.general", f"{source} has max_connections_per_address=2 already") as log:
            assert await is_served(port, source) is None
            assert await is_served(port, source) is None
        assert len(log.records) == 1
        other = await is_served(port, "127.0.0.3")
        first.close()
        await until_count(connection_limits(server), 2)
        third = await is_served(port, source)
        for stream in (second, other, third):
            assert stream is not None
            stream.close()
        await until_count(connection_limits(server), 0)
        assert count_by_address(server) == {}


async def test_total_connections_are_limited(loop_kind: str, expect_log: ExpectLog) -> None:
    server = Echo(max_connections=2)
    with listening(server) as port:
        streams = [await is_served(port, f"127.0.0.{number}") for number in (1, 2)]
        with expect_log("tornado.general", "max_connections=2 already, none of them idle"):
            assert await is_served(port) is None
        for stream in streams:
            assert stream is not None
            stream.close()
        await until_count(connection_limits(server), 0)
        stream = await is_served(port)
        assert stream is not None
        stream.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_total_is_limited_to_three_quarters_of_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily
) -> None:
    monkeypatch.setattr(_connection_limits, "_max_descriptors", lambda: 100)
    assert [ConnectionLimits(total, None).total for total in (75, 76, 10_000, None)] == [75, 75, 75, None]
    monkeypatch.setattr(_connection_limits, "_max_descriptors", lambda: None)
    assert ConnectionLimits(10_000, None).total == 10_000


@pytest.mark.parametrize(
    ("family", "first", "second", "same"),
    [
        (socket.AF_INET, "192.0.2.1", "192.0.2.1", True),
        (socket.AF_INET, "192.0.2.1", "192.0.2.2", False),
        (socket.AF_INET6, "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        (socket.AF_INET6, "2001:db8:0:1::1", "2001:db8:0:2::1", False),
        (socket.AF_INET6, "::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        (socket.AF_INET6, "fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_addresses_of_one_ipv6_network_share_a_key(
    family: socket.AddressFamily, first: str, second: str, same: bool
) -> None:
    limits = ConnectionLimits(None, 1)
    with socket.socket(family) as sock:
        keys = [limits.key(sock, (address, 1234)) for address in (first, second)]
    assert (keys[0] == keys[1]) is same
    assert None not in keys


def test_exempt_address_has_no_key() -> None:
    limits = ConnectionLimits(None, 1, ["192.0.2.1", "2001:db8::1"])
    with socket.socket(socket.AF_INET) as four, socket.socket(socket.AF_INET6) as six:
        assert limits.key(four, ("192.0.2.1", 1)) is None
        assert limits.key(six, ("2001:db8::1", 1, 0, 0)) is None
        assert limits.key(six, ("::ffff:192.0.2.1", 1, 0, 0)) is None
        assert limits.key(four, ("192.0.2.2", 1)) is not None
    assert not limits.is_address_full(None)


async def test_unix_sockets_count_only_towards_the_total(tmp_path: Any, expect_log: ExpectLog) -> None:
    server = Echo(max_connections=3, max_connections_per_address=1)
    path = str(tmp_path / "s")
    server.add_socket(bind_unix_socket(path))

    async def ask() -> IOStream | None:
        stream = IOStream(socket.socket(socket.AF_UNIX))
        await stream.connect(path)
        try:
            await stream.write(b"line\n")
            await stream.read_until(b"\n")
        except StreamClosedError:
            return None
        return stream

    streams = [await ask() for _ in range(3)]
    with expect_log("tornado.general", "max_connections=3"):
        assert await ask() is None
    for stream in streams:
        assert stream is not None
        stream.close()
    server.stop()
    await until_count(connection_limits(server), 0)


async def test_tls_stream_is_counted(certificates: Any, expect_log: ExpectLog) -> None:
    server = Echo(ssl_options=certificates.server_context, max_connections_per_address=1)
    with listening(server) as port:
        options = {"ssl_options": certificates.client_context, "source_ip": "127.0.0.1"}
        stream = await TCPClient().connect("localhost", port, af=socket.AF_INET, **options)
        with expect_log("tornado.general", "max_connections_per_address"), pytest.raises(OSError):
            await TCPClient().connect("localhost", port, af=socket.AF_INET, **options)
        stream.close()
        await until_count(connection_limits(server), 0)


async def test_failed_handshake_is_no_longer_counted(certificates: Any, expect_log: ExpectLog) -> None:
    server = Echo(ssl_options=certificates.server_context, max_connections_per_address=1)
    with listening(server) as port:
        with expect_log("tornado.general", "SSL Error"):
            assert await is_served(port) is None
            await until_count(connection_limits(server), 0)


async def test_stream_stays_counted_after_start_tls(certificates: Any) -> None:
    class Starting(TCPServer):
        async def handle_stream(self, stream: IOStream, address: Any) -> None:
            secure = await stream.start_tls(True, certificates.server_context)
            await secure.write(b"secure")
            await secure.read_until_close()

    server = Starting(max_connections=5, max_connections_per_address=5)
    with listening(server) as port:
        stream = await TCPClient().connect("127.0.0.1", port)
        secure = await stream.start_tls(False, certificates.client_context, "localhost")
        assert isinstance(secure.socket, ssl.SSLSocket)
        assert await secure.read_bytes(6) == b"secure"
        assert connection_limits(server).count == 1
        secure.close()
        await until_count(connection_limits(server), 0)
        assert count_by_address(server) == {}
