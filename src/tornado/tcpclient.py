"""A client for any protocol over TCP, plain or TLS::

    stream = await TCPClient().connect("example.com", 443, ssl_options=ssl.create_default_context())
    await stream.write(b"...")

`TCPClient.connect` returns an `.IOStream`, or an `.SSLIOStream` if it is called with TLS options.
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
from tornado._implicit_reexports import reexport
from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import Future, future_add_done_callback
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import Resolver, is_valid_ip
from tornado.netutil._error_context import add_error_context
from tornado.netutil._error_context import format_address as _format_addr
from tornado.netutil._port_numbers import check_port

__all__ = ["TCPClient"]

# Seconds between attempts. RFC 8305 section 8 recommends 250 ms; browsers use 300 ms.
_ATTEMPT_DELAY = 0.3

_AddressInfo = tuple[Any, Any]  # family and sockaddr
_Connected = tuple[Any, Any, IOStream]


def _format_peer(host: str, addr: Any) -> str:
    """Format a server for messages: its host name and the address that was used."""
    address = _format_addr(addr)
    return address if isinstance(addr, tuple) and addr[:1] == (host,) else f"{host}, {address}"


def _add_context(error: OSError, where: str) -> None:
    """Add ``where`` to the messages of an error and of its ``real_error``, unless it is a TimeoutError."""
    if isinstance(error, StreamClosedError) and error.real_error is not None:
        error.args = StreamClosedError(add_error_context(error.real_error, where)).args
    elif not isinstance(error, TimeoutError):
        add_error_context(error, where)


def _cancel_or_result(future: Future[Any]) -> Any:
    """Cancel a future. If it is already done, return its result, which the caller must release; else None."""
    future.cancel()
    return None if future.cancelled() or future.exception() is not None else future.result()


class _Connector:
    """Tries the addresses of a host until one accepts a connection ("Happy Eyeballs", RFC 8305).

    The address family of the resolver's first address is the preferred family, and this address is tried
    immediately. After each delay another attempt starts, alternating between the two families (section 5), so
    an address that does not respond does not delay the others. When an attempt fails, the next address of its
    family is tried immediately, and the first failure also starts the attempts of the other family. The first
    connection that succeeds is used; all others are closed.

    :param addrinfo: the result of a `.Resolver`.
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
        self._in_progress: dict[IOStream, Any] = {}
        #: Addresses that have not been tried, of the preferred family (0) and of the other family (1).
        self._untried = [deque(family) for family in self.split(addrinfo)]
        self._other_started = False
        self._next_family = 0  # the family of the next attempt
        self._delay = _ATTEMPT_DELAY
        self._next_attempt_timer: object | None = None
        self._timers: list[object] = []

    @staticmethod
    def split(addrinfo: list[_AddressInfo]) -> tuple[list[_AddressInfo], list[_AddressInfo]]:
        """Split the addresses into those with the same family as the first and all others, in order."""
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
        """Start the first attempt.

        :param timeout: seconds until the next attempt starts.
        :param connect_timeout: the deadline of all attempts: a time of the loop's clock, or a timedelta from
            now.
        :returns: a future of (family, address, stream). Cancelling it closes all streams.
        """
        self.future.add_done_callback(self._on_done)
        self._delay = timeout
        if connect_timeout is not None:
            self._timers.append(self.io_loop.add_timeout(connect_timeout, self.on_connect_timeout))
        self._try_next(0)
        self._schedule_next()
        return self.future

    def on_timeout(self) -> None:
        """Start the attempts of the other family, after the head start of the preferred one."""
        if not self.future.done() and not self._other_started:
            self._try_next(1)
            self._schedule_next()

    def _on_delay(self) -> None:
        """Start another attempt, because none has succeeded within the delay."""
        self._try_next(self._next_family if self._untried[self._next_family] else 1 - self._next_family)
        self._schedule_next()

    def on_connect_timeout(self) -> None:
        """Fail with a `TimeoutError`, because the deadline of all attempts has passed."""
        if not self.future.done():
            waiting = sorted(map(_format_addr, self._in_progress.values()))
            self.future.set_exception(TimeoutError(f"Timeout while connecting to {', '.join(waiting)}"))
        self._close_streams()

    def _try_next(self, which: int) -> None:
        """Start an attempt with the next address of a family, skipping addresses that fail immediately."""
        self._next_family = 1 - which
        self._other_started |= which == 1
        while self._untried[which]:
            family, address = self._untried[which].popleft()
            try:
                stream, attempt = self.connect(family, address)
            except OSError as error:
                self._failed(error, address)
                continue
            self.streams.add(stream)
            self._in_progress[stream] = address
            future_add_done_callback(
                attempt, functools.partial(self._on_attempt, stream, (family, address), which)
            )
            return

    def _schedule_next(self) -> None:
        """Schedule the next attempt, or fail if all attempts have failed. Called after each step."""
        if self._next_attempt_timer is not None:
            self.io_loop.remove_timeout(self._next_attempt_timer)
            self._next_attempt_timer = None
        if self.future.done():
            return
        if any(self._untried):
            self._next_attempt_timer = self.io_loop.call_later(self._delay, self._on_delay)
        elif not self._in_progress:
            self.future.set_exception(self.last_error or OSError("the host has no address to connect to"))

    def _on_attempt(self, stream: IOStream, info: Any, which: int, attempt: Future[IOStream]) -> None:
        self._in_progress.pop(stream, None)
        if attempt.cancelled():
            error: BaseException | None = OSError(
                f"the connection attempt to {_format_addr(info[1])} was cancelled"
            )
        else:
            error = attempt.exception()
        if self.future.done():
            stream.close()  # another attempt has succeeded, or the deadline has passed
        elif error is None:
            self.streams.discard(stream)
            self.future.set_result((*info, stream))
            self._close_streams()
        else:
            stream.close()
            self._failed(error, info[1])
            self._try_next(which)
            self._schedule_next()

    def _failed(self, error: BaseException, address: Any) -> None:
        self.last_error, self.last_address = error, address
        if not self._other_started:
            self._try_next(1)

    def _on_done(self, future: Future[_Connected]) -> None:
        self._schedule_next()
        for timer in self._timers:
            self.io_loop.remove_timeout(timer)
        self._timers.clear()
        if future.cancelled():
            self._close_streams()

    def _close_streams(self) -> None:
        for stream in self.streams:
            stream.close()


class TCPClient:
    """A factory of TCP connections.

    :param resolver: the `.Resolver` for host names. By default an instance of the configured class is
        created, which `close` closes.
    """

    def __init__(self, resolver: Resolver | None = None, io_loop: IOLoop | None = None) -> None:
        if io_loop is not None:
            ignored_loop("TCPClient")
        self.resolver: Resolver = Resolver() if resolver is None else resolver
        self._own_resolver = resolver is None

    def close(self) -> None:
        """Close the resolver, unless it was passed as an argument. Connections are not affected."""
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

        :param host: a host name or an IP address. With TLS, the certificate is verified against it.
        :param port: the server's TCP port.
        :param af: `socket.AF_INET` or `socket.AF_INET6` to use only one address family.
        :param ssl_options: enables TLS: a dictionary for `.ssl_options_to_context` or an `ssl.SSLContext`.
        :param max_buffer_size: maximum size of the stream's read buffer, in bytes.
        :param source_ip: the local address to connect from.
        :param source_port: the local port to connect from.
        :param timeout: total time for look-up, connection and TLS handshake, in seconds or as a timedelta.
        :param callback: (deprecated, the style of Tornado 4) called with the stream if the connection
            succeeds.
        :returns: an `.IOStream`, or an `.SSLIOStream` after its handshake.
        :raises ValueError: if the port is out of range.
        :raises TimeoutError: if the timeout expires. The message contains the phase and the addresses; a note
            contains their host name.
        :raises OSError: if the name has no address, if no address accepts a connection
            (`.StreamClosedError`, whose ``real_error`` is the error of the operating system), or if the local
            address cannot be used. The message contains the address and the phase that failed.

        If a host has addresses of both families, they are tried concurrently. The family of the resolver's
        first address has a head start.
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
            _add_context(error, f"looking up {host!r}")
            del lookup  # prevents a cycle: it refers to the error, whose traceback refers to this frame
            raise

        def attempt(family: Any, address: Any) -> tuple[IOStream, Future[IOStream]]:
            return self._create_stream(
                max_buffer_size, family, address, source_ip=source_ip, source_port=source_port
            )

        connector = _Connector(addresses, attempt)
        try:
            _family, address, stream = await connector.start(connect_timeout=deadline)
        except asyncio.CancelledError:
            connected = _cancel_or_result(connector.future)
            if connected is not None:
                connected[2].close()
            raise
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None and not is_valid_ip(host):
                # Programs compare the message, so the host name is added as a note.
                error.add_note(f"(addresses of {host})")
            elif connector.last_address is not None:
                _add_context(error, f"connecting to {_format_peer(host, connector.last_address)}")
            else:
                _add_context(error, f"connecting to {host}")
            del connector  # it refers to the error, whose traceback refers to this frame
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
        """Perform the TLS handshake with `host`. If it fails or is cancelled, close the socket.

        :param peer: the host name and address, for messages.
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
            tls_stream = _cancel_or_result(handshake)
            if tls_stream is not None:
                tls_stream.close()
            if isinstance(error, OSError):
                _add_context(error, f"TLS handshake with {peer}")
            del handshake, waiting  # they refer to the error, whose traceback refers to this frame
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
        """Create a socket and start to connect it.

        :raises OSError: if the socket cannot be created or bound.
        """
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
    """Convert a duration from now to a time of the event loop's clock."""
    if timeout is None:
        return None
    if isinstance(timeout, datetime.timedelta):
        timeout = timeout.total_seconds()
    try:
        return IOLoop.current().time() + timeout
    except TypeError:
        raise TypeError(
            f"TCPClient.connect: timeout must be seconds, a timedelta or None, got {timeout!r}"
        ) from None


reexport(globals())
