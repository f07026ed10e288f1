"""Connecting to a server over TCP, plain or TLS.

stream = await TCPClient().connect("example.com", 443, ssl_options=ssl.create_default_context())
await stream.write(b"...")
"""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from tornado import gen
from tornado._classic.arguments import takes_callback
from tornado._classic.warning import ignored_loop
from tornado.concurrent import Future, future_add_done_callback
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import Resolver
from tornado.netutil._port import check_port

__all__ = ["TCPClient"]

# Seconds that the preferred family has for itself. RFC 8305 section 8 recommends 250 ms between attempts;
# browsers wait as long as this.
_FAMILY_HEAD_START = 0.3

_AddressInfo = tuple[Any, Any]  # family and sockaddr
_Connected = tuple[Any, Any, IOStream]


def _format_addr(addr: Any) -> str:
    """A sockaddr as people write it: ``1.2.3.4:80``, ``[::1]:80``; any other form as it is."""
    if isinstance(addr, tuple) and len(addr) >= 2:
        host, port = addr[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return str(addr)


def _format_peer(host: str, addr: Any) -> str:
    """A server as messages name it: its name, and the address that stands for it."""
    address = _format_addr(addr)
    return address if isinstance(addr, tuple) and addr[:1] == (host,) else f"{host}, {address}"


def _placed(error: OSError, phase: str) -> OSError:
    """The same error, with a word about where it happened in the message of the system's part of it.

    It keeps its class, its number, and the beginning of its message, which is what programs look at.
    """
    cause = getattr(error, "real_error", None)
    inner = cause if isinstance(cause, OSError) else error
    if inner.strerror and phase not in inner.strerror:
        inner.strerror = f"{inner.strerror} ({phase})"
    return error


class _Connector:
    """Tries the addresses of a host until one accepts ("happy eyeballs", RFC 8305).

    The addresses of the family that the resolver put first are tried in turn. The other family starts, in
    turn as well, when the first attempt fails or takes longer than a moment. The first connection wins; all
    others are closed.

    :param addrinfo: what a `.Resolver` returned.
    :param connect: ``connect(family, address)`` starts an attempt and returns its stream and a future.
    """

    def __init__(
        self,
        addrinfo: list[_AddressInfo],
        connect: Callable[[Any, Any], tuple[IOStream, Future[IOStream]]],
    ) -> None:
        self.io_loop = IOLoop.current()
        self.connect = connect
        self.future: Future[_Connected] = Future()
        self.streams: set[IOStream] = set()
        self.last_error: BaseException | None = None
        self.last_address: Any = None
        self._under_way: dict[IOStream, Any] = {}
        self._timers: list[object] = []
        primary, secondary = self.split(addrinfo)
        self._primary, self._secondary = iter(primary), iter(secondary)
        self._secondary_started = not secondary
        self._families_left = 2 if secondary else 1  # that have addresses under way or to try

    @staticmethod
    def split(addrinfo: list[_AddressInfo]) -> tuple[list[_AddressInfo], list[_AddressInfo]]:
        """The addresses of the first one's family, and the others, each in their order."""
        preferred = addrinfo[0][0] if addrinfo else None
        groups: tuple[list[_AddressInfo], list[_AddressInfo]] = ([], [])
        for entry in addrinfo:
            groups[entry[0] != preferred].append(entry)
        return groups

    def start(
        self,
        timeout: float = _FAMILY_HEAD_START,
        connect_timeout: float | datetime.timedelta | None = None,
    ) -> Future[_Connected]:
        """Begin.

        :param timeout: seconds before the second family joins in.
        :param connect_timeout: when to give up altogether: on the loop's clock, or a timedelta from now.
        :returns: a future of (family, address, stream). Cancelling it closes everything.
        """
        self.future.add_done_callback(self._on_done)
        if not self._secondary_started:
            self._timers.append(self.io_loop.call_later(timeout, self.on_timeout))
        if connect_timeout is not None:
            self._timers.append(self.io_loop.add_timeout(connect_timeout, self.on_connect_timeout))
        self._advance(self._primary)
        return self.future

    def on_timeout(self) -> None:
        """The first family has had its head start: let the second one begin."""
        if not self._secondary_started and not self.future.done():
            self._secondary_started = True
            self._advance(self._secondary)

    def on_connect_timeout(self) -> None:
        """There is no time left for any attempt."""
        if not self.future.done():
            waiting = sorted(map(_format_addr, self._under_way.values()))
            self.future.set_exception(TimeoutError(f"Timeout while connecting to {', '.join(waiting)}"))
        self._close_streams()

    def _advance(self, addresses: Iterator[_AddressInfo]) -> None:
        """Start the next attempt of one family; an attempt that fails at once is followed by another."""
        for family, address in addresses:
            try:
                stream, attempt = self.connect(family, address)
            except OSError as error:
                self._failed(error, address)
                if self.future.done():
                    return
                continue
            self.streams.add(stream)
            self._under_way[stream] = address

            def ended(
                attempt: Future[IOStream], stream: IOStream = stream, info: Any = (family, address)
            ) -> None:
                self._on_attempt(attempt, stream, info, addresses)

            future_add_done_callback(attempt, ended)
            return
        self._families_left -= 1
        if not self._families_left and not self.future.done():
            self.future.set_exception(self.last_error or OSError("there is no address to connect to"))

    def _on_attempt(
        self, attempt: Future[IOStream], stream: IOStream, info: Any, addresses: Iterator[_AddressInfo]
    ) -> None:
        self._under_way.pop(stream, None)
        if attempt.cancelled():
            error: BaseException | None = OSError(
                f"the connection attempt to {_format_addr(info[1])} was cancelled"
            )
        else:
            error = attempt.exception()
        if self.future.done():
            stream.close()  # somebody else was faster, or it is too late
        elif error is None:
            self.streams.discard(stream)
            self.future.set_result((*info, stream))
            self._close_streams()
        else:
            stream.close()
            self._failed(error, info[1])
            self._advance(addresses)

    def _failed(self, error: BaseException, address: Any) -> None:
        self.last_error, self.last_address = error, address
        self.on_timeout()  # a failure is reason enough to try the second family as well

    def _on_done(self, future: Future[_Connected]) -> None:
        for timer in self._timers:
            self.io_loop.remove_timeout(timer)
        self._timers.clear()
        if future.cancelled():
            self._close_streams()

    def _close_streams(self) -> None:
        for stream in self.streams:
            stream.close()


class TCPClient:
    """Makes connections.

    :param resolver: the `.Resolver` to look names up with; by default one of the configured class, which
        `close` closes.
    """

    def __init__(self, resolver: Resolver | None = None, io_loop: IOLoop | None = None) -> None:
        if io_loop is not None:
            ignored_loop("TCPClient")
        self.resolver = Resolver() if resolver is None else resolver
        self._own_resolver = resolver is None

    def close(self) -> None:
        """Close the resolver, unless it was passed in. Connections are not affected."""
        if self._own_resolver:
            self.resolver.close()

    @takes_callback
    async def connect(
        self,
        host: str,
        port: int,
        af: socket.AddressFamily = socket.AF_UNSPEC,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        max_buffer_size: int | None = None,
        source_ip: str | None = None,
        source_port: int | None = None,
        timeout: float | datetime.timedelta | None = None,
    ) -> IOStream:
        """Connect to a server.

        :param host: a name or an IP address; with TLS the certificate is checked against it.
        :param port: the server's TCP port.
        :param af: `socket.AF_INET` or `socket.AF_INET6` to use only one family.
        :param ssl_options: a dictionary for `.ssl_options_to_context` or an `ssl.SSLContext`: speak TLS.
        :param max_buffer_size: bytes that the stream may buffer for reading.
        :param source_ip: the local address to connect from.
        :param source_port: the local port to connect from.
        :param timeout: seconds, or a timedelta, for look-up, connection and TLS handshake together.
        :param callback: (deprecated, the style of Tornado 4) called with the stream, if it comes to one.
        :returns: an `.IOStream`, or an `.SSLIOStream` with its handshake done.
        :raises ValueError: for a port that is out of range.
        :raises TimeoutError: when the time is up; the message names the phase.
        :raises OSError: when the name has no address, or no address could be connected to
            (`.StreamClosedError`, whose ``real_error`` is the system's), or the local address could not be
            used. The message says which address, and in which phase it failed.

        When a host has addresses of both families they race, the resolver's first one with a head start.
        """
        check_port(port)
        deadline = _deadline(timeout)
        lookup = gen.convert_yielded(self.resolver.resolve(host, port, af))
        try:
            if deadline is None:
                addresses = await lookup
            else:
                message = f"Timeout while resolving {host}"
                addresses = await gen.with_timeout(deadline, lookup, message=message)
        except socket.gaierror as error:
            _placed(error, f"looking up {host!r}")
            raise

        def attempt(family: Any, address: Any) -> tuple[IOStream, Future[IOStream]]:
            return self._create_stream(
                max_buffer_size, family, address, source_ip=source_ip, source_port=source_port
            )

        connector = _Connector(addresses, attempt)
        try:
            _family, address, stream = await connector.start(connect_timeout=deadline)
        except OSError as error:
            if connector.last_address is not None and not isinstance(error, TimeoutError):
                _placed(error, f"connecting to {_format_peer(host, connector.last_address)}")
            raise
        if ssl_options is None:
            return stream
        try:
            handshake = stream.start_tls(False, ssl_options=ssl_options, server_hostname=host)
        except BaseException:
            stream.close()
            raise
        try:
            return await self._finish_handshake(handshake, deadline, address)
        except OSError as error:
            if not isinstance(error, TimeoutError):
                _placed(error, f"TLS handshake with {_format_peer(host, address)}")
            raise

    async def _finish_handshake(
        self, handshake: Future[Any], deadline: float | None, address: Any
    ) -> IOStream:
        """The stream of a finished handshake; a handshake given up closes its socket."""
        if deadline is not None:
            message = f"Timeout during TLS handshake with {_format_addr(address)}"
            waiting = gen.with_timeout(deadline, handshake, message=message)
        else:
            waiting = handshake
        stream: IOStream
        try:
            stream = await waiting
        except BaseException:
            handshake.cancel()
            raise
        return stream

    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: Any,
        addr: Any,
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> tuple[IOStream, Future[IOStream]]:
        """Start connecting one socket; OSError where it cannot even begin."""
        sock = socket.socket(af)
        try:
            if source_ip or source_port:
                any_address = "::" if af == socket.AF_INET6 else "0.0.0.0"
                sock.bind((source_ip or any_address, source_port or 0))
            stream = IOStream(sock, max_buffer_size=max_buffer_size)
        except BaseException:
            sock.close()
            raise
        return stream, stream.connect(addr)


def _deadline(timeout: float | datetime.timedelta | None) -> float | None:
    """A time on the loop's clock for a duration from now."""
    if timeout is None:
        return None
    if isinstance(timeout, datetime.timedelta):
        timeout = timeout.total_seconds()
    return IOLoop.current().time() + timeout
