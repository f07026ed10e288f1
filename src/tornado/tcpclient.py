"""Connecting to a server over TCP, plain or TLS.

stream = await TCPClient().connect("example.com", 443, ssl_options=ssl.create_default_context())
await stream.write(b"...")
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

from tornado import gen
from tornado._reexports import reexport
from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import Future, future_add_done_callback
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import Resolver, is_valid_ip
from tornado.netutil._error_context import address_name as _format_addr
from tornado.netutil._error_context import placed
from tornado.netutil._port import check_port

__all__ = ["TCPClient"]

# Seconds between attempts. RFC 8305 section 8 recommends 250 ms; browsers wait as long as this.
_ATTEMPT_DELAY = 0.3

_AddressInfo = tuple[Any, Any]  # family and sockaddr
_Connected = tuple[Any, Any, IOStream]


def _format_peer(host: str, addr: Any) -> str:
    """A server as messages name it: its name, and the address that stands for it."""
    address = _format_addr(addr)
    return address if isinstance(addr, tuple) and addr[:1] == (host,) else f"{host}, {address}"


def _place(error: OSError, where: str) -> None:
    """Have an error tell where it happened; of a stream's, what closed it."""
    if isinstance(error, StreamClosedError) and error.real_error is not None:
        error.args = StreamClosedError(placed(error.real_error, where)).args
    elif not isinstance(error, TimeoutError):
        placed(error, where)


def _give_up(future: Future[Any]) -> Any:
    """Cancel; the result where it is there already, for which nobody will come, else None."""
    future.cancel()
    return None if future.cancelled() or future.exception() is not None else future.result()


class _Connector:
    """Tries the addresses of a host until one accepts ("happy eyeballs", RFC 8305).

    The first address of the family that the resolver put first is tried at once. Whenever a moment has passed
    another attempt joins in, of the two families in turn (section 5), so that no silent address keeps the
    others waiting. An attempt that fails is followed by the next of its family at once, and the first that
    does lets the other family begin. The first connection wins; all others are closed.

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
        #: Addresses that have not been tried, of the preferred family (0) and the other one (1).
        self._untried = [deque(family) for family in self.split(addrinfo)]
        self._other_began = False
        self._turn = 0  # the family of the next attempt to join in
        self._delay = _ATTEMPT_DELAY
        self._joining: object | None = None
        self._timers: list[object] = []

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
        timeout: float = _ATTEMPT_DELAY,
        connect_timeout: float | datetime.timedelta | None = None,
    ) -> Future[_Connected]:
        """Begin.

        :param timeout: seconds before another attempt joins in.
        :param connect_timeout: when to give up altogether: on the loop's clock, or a timedelta from now.
        :returns: a future of (family, address, stream). Cancelling it closes everything.
        """
        self.future.add_done_callback(self._on_done)
        self._delay = timeout
        if connect_timeout is not None:
            self._timers.append(self.io_loop.add_timeout(connect_timeout, self.on_connect_timeout))
        self._try_next(0)
        self._settle()
        return self.future

    def on_timeout(self) -> None:
        """The preferred family has had its head start: let the other one begin."""
        if not self.future.done() and not self._other_began:
            self._try_next(1)
            self._settle()

    def _on_delay(self) -> None:
        """What is under way has had its time: let another attempt join in."""
        self._try_next(self._turn if self._untried[self._turn] else 1 - self._turn)
        self._settle()

    def on_connect_timeout(self) -> None:
        """There is no time left for any attempt."""
        if not self.future.done():
            waiting = sorted(map(_format_addr, self._under_way.values()))
            self.future.set_exception(TimeoutError(f"Timeout while connecting to {', '.join(waiting)}"))
        self._close_streams()

    def _try_next(self, which: int) -> None:
        """Begin an attempt of a family; one that fails at once is followed by another."""
        self._turn = 1 - which
        self._other_began |= which == 1
        while self._untried[which]:
            family, address = self._untried[which].popleft()
            try:
                stream, attempt = self.connect(family, address)
            except OSError as error:
                self._failed(error, address)
                continue
            self.streams.add(stream)
            self._under_way[stream] = address
            future_add_done_callback(
                attempt, functools.partial(self._on_attempt, stream, (family, address), which)
            )
            return

    def _settle(self) -> None:
        """After each step: wait for the time of the next attempt, or give up where there is none."""
        if self._joining is not None:
            self.io_loop.remove_timeout(self._joining)
            self._joining = None
        if self.future.done():
            return
        if any(self._untried):
            self._joining = self.io_loop.call_later(self._delay, self._on_delay)
        elif not self._under_way:
            self.future.set_exception(self.last_error or OSError("there is no address to connect to"))

    def _on_attempt(self, stream: IOStream, info: Any, which: int, attempt: Future[IOStream]) -> None:
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
            self._try_next(which)
            self._settle()

    def _failed(self, error: BaseException, address: Any) -> None:
        self.last_error, self.last_address = error, address
        if not self._other_began:
            self._try_next(1)

    def _on_done(self, future: Future[_Connected]) -> None:
        self._settle()
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
        self.resolver: Resolver = Resolver() if resolver is None else resolver
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
        :raises TimeoutError: when the time is up; the message names the phase and the addresses, and a note
            the host that they are of.
        :raises OSError: when the name has no address, or no address could be connected to
            (`.StreamClosedError`, whose ``real_error`` is the system's), or the local address could not be
            used. The message says which address, and in which phase it failed.

        When a host has addresses of both families they race, the resolver's first one with a head start.
        """
        check_port(port)
        deadline = _deadline(timeout)
        lookup = self.resolver.resolve(host, port, af)
        try:
            if deadline is None:
                addresses = await lookup
            else:
                message = f"Timeout while resolving {host}"
                addresses = await gen.with_timeout(deadline, lookup, OSError, message=message)
        except OSError as error:
            _place(error, f"looking up {host!r}")
            del lookup  # which knows the error, whose traceback knows this frame
            raise

        def attempt(family: Any, address: Any) -> tuple[IOStream, Future[IOStream]]:
            return self._create_stream(
                max_buffer_size, family, address, source_ip=source_ip, source_port=source_port
            )

        connector = _Connector(addresses, attempt)
        try:
            _family, address, stream = await connector.start(connect_timeout=deadline)
        except asyncio.CancelledError:
            connected = _give_up(connector.future)
            if connected is not None:
                connected[2].close()
            raise
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None and not is_valid_ip(host):
                # The message is one that programs compare.
                error.add_note(f"(addresses of {host})")
            elif connector.last_address is not None:
                _place(error, f"connecting to {_format_peer(host, connector.last_address)}")
            else:
                _place(error, f"connecting to {host}")
            del connector  # which knows the error, whose traceback knows this frame
            raise
        if ssl_options is None:
            return stream
        return await self._start_tls(stream, ssl_options, host, _format_peer(host, address), deadline)

    async def _start_tls(
        self,
        stream: IOStream,
        ssl_options: dict[str, Any] | ssl.SSLContext,
        host: str,
        peer: str,
        deadline: float | None,
    ) -> IOStream:
        """Do the handshake with `host`; one that fails or is given up closes its socket.

        :param peer: the same for messages, with the address.
        """
        try:
            handshake = stream.start_tls(False, ssl_options=ssl_options, server_hostname=host)
        except BaseException:
            stream.close()
            raise
        waiting = handshake
        if deadline is not None:
            message = f"Timeout during TLS handshake with {peer}"
            waiting = gen.with_timeout(deadline, handshake, message=message)
        try:
            secure: IOStream = await waiting
        except BaseException as error:
            shaken = _give_up(handshake)
            if shaken is not None:
                shaken.close()
            if isinstance(error, OSError):
                _place(error, f"TLS handshake with {peer}")
            del handshake, waiting  # which know the error, whose traceback knows this frame
            raise
        return secure

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
    try:
        return IOLoop.current().time() + timeout
    except TypeError:
        raise TypeError(
            f"TCPClient.connect: timeout takes seconds or a timedelta or None, not {timeout!r}"
        ) from None


reexport(globals())
