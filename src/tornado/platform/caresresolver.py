"""DNS resolution with c-ares, which sends queries over sockets of the event loop, without threads.

It needs the package ``pycares``, 4.11 or newer (the extra ``caresresolver``). To use it for a
whole program, configure it by name::

    Resolver.configure("tornado.platform.caresresolver.CaresResolver")

c-ares reads ``/etc/hosts`` and ``/etc/resolv.conf`` and sends queries to the name servers. It does not
support the other sources of the C library (mDNS, LDAP and others in ``nsswitch.conf``): if they are needed,
use the default resolver.

Theory of operation: c-ares opens its sockets and calls a callback with each socket to watch and the
events to watch for. The loop notifies c-ares when a socket is ready and, with a single timer, when the next
deadline has been reached.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import weakref
from collections.abc import Callable
from typing import Any

try:
    import pycares
except ModuleNotFoundError as _error:
    _message = "tornado.platform.caresresolver needs the package pycares (the extra 'caresresolver')"
    raise ModuleNotFoundError(_message, name=_error.name) from _error

from tornado._implicit_reexports import reexport
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import Future
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.netutil._resolver import _invalid_names_as_gaierror, _resolve_addr

__all__ = ["CaresResolver"]

#: The C library's codes for the errors of c-ares. Any other error becomes EAI_FAIL.
_CODES = {
    pycares.errno.ARES_ENODATA: socket.EAI_NONAME,
    pycares.errno.ARES_ENOTFOUND: socket.EAI_NONAME,
    pycares.errno.ARES_EBADNAME: socket.EAI_NONAME,
    pycares.errno.ARES_ENOMEM: socket.EAI_MEMORY,
    # Errors after which another attempt may succeed.
    pycares.errno.ARES_ETIMEOUT: socket.EAI_AGAIN,
    pycares.errno.ARES_ECONNREFUSED: socket.EAI_AGAIN,
    pycares.errno.ARES_ESERVFAIL: socket.EAI_AGAIN,
}

#: Minimum delay in seconds. c-ares returns 0 both for a deadline that has been reached and for no deadline.
_SHORTEST_DELAY = 0.01


class CaresResolver(Resolver):
    """A resolver based on c-ares.

    :param options: arguments of `pycares.Channel`, such as ``servers=["192.0.2.1"]``, ``timeout=2.0`` (in
        seconds, for the first attempt), ``tries=3``. By default the system's configuration is used.
    :raises TypeError, ValueError, pycares.AresError: if pycares rejects the options.

    An instance serves one event loop at a time. If it is then used in another loop, pending queries of the
    previous loop fail.
    """

    #: The `pycares.Channel`; None when the resolver is closed.
    channel: Any
    #: The sockets to watch for c-ares, with their events as in `.IOLoop`.
    fds: dict[int, int]
    #: The loop that watches the sockets: the loop in which `resolve` was last called, or None.
    io_loop: IOLoop | None

    def initialize(self, **options: Any) -> None:
        """Process the arguments of the constructor."""
        self.io_loop = None
        self._options = options
        self._pending = 0
        self._timer: object | None = None
        self._open_channel()

    @takes_callback
    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        """Resolve a name; see `.Resolver.resolve`. A literal address needs no query.

        :raises RuntimeError: if the resolver has been closed.
        """
        if self.channel is None:
            raise RuntimeError("this CaresResolver has been closed")
        try:
            return _resolve_addr(host, port, family, socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # not a literal address
        self._use_loop(IOLoop.current())
        future: asyncio.Future[list[Any]] = Future()
        # The name is encoded with the standard library's codec, as in `socket.getaddrinfo`; pycares may use a
        # different one.
        with _invalid_names_as_gaierror(host):
            name = host if host.isascii() else host.encode("idna").decode("ascii")
        self._query(name, port, family, functools.partial(_settle, future, host))
        return [(node.family, _address_of(node)) for node in await future]

    def close(self) -> None:
        """Cancel pending queries, which fail with an `OSError`, and close the sockets."""
        channel, self.channel = self.channel, None
        if channel is None:
            return
        # Queries are cancelled here, in the loop's thread, because pycares closes a channel in another
        # thread.
        channel.cancel()
        self._remove_handlers()
        self._set_timer()
        channel.close()

    def _open_channel(self) -> None:
        fds = self.fds = {}
        # A strong reference would be a cycle through an object of cffi, which the collector does not break
        # in Python 3.15.
        reference = weakref.ref(self)

        def state_changed(fd: int, readable: bool, writable: bool) -> None:
            resolver = reference()
            if resolver is not None:
                resolver._watch(fds, fd, readable, writable)

        self.channel = pycares.Channel(sock_state_cb=state_changed, **self._options)

    def _use_loop(self, loop: IOLoop) -> None:
        """Use ``loop`` to watch the sockets. If another loop watched them before, open a new channel."""
        if self.io_loop is not loop:
            if self.io_loop is not None:
                self.close()
                self._open_channel()
            self.io_loop = loop

    def _query(
        self, name: str, port: int, family: int, callback: Callable[[list[Any] | None, int | None], None]
    ) -> None:
        def on_result(found: Any, error: int | None) -> None:
            self._pending -= 1
            callback(None if found is None else found.nodes, error)

        # The arguments are passed by keyword, because pycares 5 has changed the order of the parameters.
        self.channel.getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM, callback=on_result)
        self._pending += 1
        self._set_timer()

    # ---- Communication between c-ares and the loop

    def _watch(self, fds: dict[int, int], fd: int, readable: bool, writable: bool) -> None:
        loop = self.io_loop
        if fds is not self.fds or loop is None:
            return  # a closed channel reports its sockets from the thread that closes it
        events = (IOLoop.READ if readable else 0) | (IOLoop.WRITE if writable else 0)
        known = fds.pop(fd, None) is not None
        if events:
            fds[fd] = events
            if known:
                loop.update_handler(fd, events)
            else:
                loop.add_handler(fd, self._handle_events, events)
        elif known:
            loop.remove_handler(fd)

    def _remove_handlers(self) -> None:
        sockets, self.fds = self.fds, {}
        for fd in sockets:
            assert self.io_loop is not None  # it is set before any query, and only queries open sockets
            self.io_loop.remove_handler(fd)

    def _handle_events(self, fd: int, events: int) -> None:
        nothing = pycares.ARES_SOCKET_BAD
        self._process(fd if events & IOLoop.READ else nothing, fd if events & IOLoop.WRITE else nothing)

    def _deadline_reached(self) -> None:
        self._timer = None
        self._process(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)

    def _process(self, readable: int, writable: int) -> None:
        """Let c-ares read, write, and repeat queries whose deadline has passed."""
        if self.channel is not None:
            self.channel.process_fd(readable, writable)
            self._set_timer()

    def _set_timer(self) -> None:
        """Schedule the next deadline of c-ares while queries are pending."""
        loop = self.io_loop
        if loop is None:
            return
        if self._timer is not None:
            loop.remove_timeout(self._timer)
            self._timer = None
        if self._pending and self.channel is not None:
            delay = max(self.channel.timeout(), _SHORTEST_DELAY)
            self._timer = loop.call_later(delay, self._deadline_reached)


def _settle(future: asyncio.Future[list[Any]], host: str, nodes: list[Any] | None, error: int | None) -> None:
    if future.done():
        return  # the caller has cancelled the Future
    if nodes is not None:
        future.set_result(nodes)
        return
    reason: Any = pycares.errno
    text = f"DNS look-up of {host!r} failed: {reason.strerror(error)}"
    future.set_exception(socket.gaierror(_CODES.get(error, socket.EAI_FAIL), text))


def _address_of(node: Any) -> tuple[Any, ...]:
    # The address is bytes in pycares 4 and text in pycares 5.
    ip, *rest = node.addr
    return (ip.decode("ascii") if isinstance(ip, bytes) else ip, *rest)


reexport(globals())
