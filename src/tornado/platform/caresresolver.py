"""Names to addresses by c-ares: DNS over sockets of the event loop, without threads.

It needs the package ``pycares``, 4.11 or newer (``pip install 'tornado[caresresolver]'``). Choose it for a
whole program by its name::

    Resolver.configure("tornado.platform.caresresolver.CaresResolver")

c-ares reads ``/etc/hosts`` and ``/etc/resolv.conf`` and asks name servers itself. What else the C library may
know (mDNS, LDAP, other sources in ``nsswitch.conf``) it does not: where that matters keep the default
resolver.

Theory of operation: c-ares opens its sockets itself and says by a callback which of them it wants watched,
and for what; the loop tells it when one is ready, and, by one timer, when its next deadline has come.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable
from typing import Any

import pycares

from tornado._reexports import reexport
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import Future
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.netutil._resolver import _look_up, _names

__all__ = ["CaresResolver"]

#: What the C library calls the errors of c-ares; any other one is EAI_FAIL.
_CODES = {
    pycares.errno.ARES_ENODATA: socket.EAI_NONAME,
    pycares.errno.ARES_ENOTFOUND: socket.EAI_NONAME,
    pycares.errno.ARES_EBADNAME: socket.EAI_NONAME,
    pycares.errno.ARES_ENOMEM: socket.EAI_MEMORY,
    # Another attempt may well succeed.
    pycares.errno.ARES_ETIMEOUT: socket.EAI_AGAIN,
    pycares.errno.ARES_ECONNREFUSED: socket.EAI_AGAIN,
    pycares.errno.ARES_ESERVFAIL: socket.EAI_AGAIN,
}

#: Seconds; c-ares gives 0 where a deadline is due, and where there is none.
_SHORTEST_DELAY = 0.01


class CaresResolver(Resolver):
    """Resolves by c-ares.

    :param options: arguments for `pycares.Channel`, such as ``servers=["192.0.2.1"]``, ``timeout=2.0``
        (seconds for the first attempt), ``tries=3``. By default the system's configuration is used.
    :raises TypeError, ValueError, pycares.AresError: as pycares raises them of wrong options.

    An instance serves one event loop at a time. When it is next used in another one, queries that are still
    under way in the former fail.
    """

    #: The `pycares.Channel`; None when the resolver is closed.
    channel: Any
    #: The sockets that c-ares wants watched, and the events of `.IOLoop` for which it does.
    fds: dict[int, int]
    #: The loop that watches them: the one in which `resolve` was called last, None before that.
    io_loop: IOLoop | None

    def initialize(self, **options: Any) -> None:
        """Called by the constructor with its arguments."""
        self.io_loop = None
        self._options = options
        self._under_way = 0
        self._timer: object | None = None
        self._open()

    @takes_callback
    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        """As `.Resolver.resolve`. A literal address is answered at once.

        :raises RuntimeError: if the resolver has been closed.
        """
        if self.channel is None:
            raise RuntimeError("this CaresResolver has been closed")
        try:
            return _look_up(host, port, family, socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # a name
        self._serve(IOLoop.current())
        answer: asyncio.Future[list[Any]] = Future()
        # By the standard library's codec, as `socket.getaddrinfo` does; pycares may use another.
        with _names():
            name = host if host.isascii() else host.encode("idna").decode("ascii")
        self._ask(name, port, family, functools.partial(_settle, answer, host))
        return [(node.family, _address_of(node)) for node in await answer]

    def close(self) -> None:
        """Give up the queries under way, with an `OSError`, and close the sockets."""
        channel, self.channel = self.channel, None
        if channel is None:
            return
        # First here, in the loop's thread: pycares closes a channel in a thread of its own.
        channel.cancel()
        self._forget_sockets()
        self._set_timer()
        channel.close()

    def _open(self) -> None:
        fds = self.fds = {}
        state_changed = functools.partial(self._watch, fds)
        self.channel = pycares.Channel(sock_state_cb=state_changed, **self._options)

    def _serve(self, loop: IOLoop) -> None:
        """Make sure that it is ``loop`` that watches the sockets."""
        if self.io_loop is not loop:
            if self.io_loop is not None:
                self.close()
                self._open()
            self.io_loop = loop

    def _ask(
        self, name: str, port: int, family: int, callback: Callable[[list[Any] | None, int | None], None]
    ) -> None:
        def answered(found: Any, error: int | None) -> None:
            self._under_way -= 1
            callback(None if found is None else found.nodes, error)

        # By keyword: the order of these changed with pycares 5.
        self.channel.getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM, callback=answered)
        self._under_way += 1
        self._set_timer()

    # ---- What c-ares asks of the loop, and what the loop tells it

    def _watch(self, fds: dict[int, int], fd: int, readable: bool, writable: bool) -> None:
        loop = self.io_loop
        if fds is not self.fds or loop is None:
            return  # a channel that was closed says farewell, from the thread that closes it
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

    def _forget_sockets(self) -> None:
        left, self.fds = self.fds, {}
        for fd in left:
            assert self.io_loop is not None  # or nothing could have been asked
            self.io_loop.remove_handler(fd)

    def _handle_events(self, fd: int, events: int) -> None:
        nothing = pycares.ARES_SOCKET_BAD
        self._process(fd if events & IOLoop.READ else nothing, fd if events & IOLoop.WRITE else nothing)

    def _deadline_reached(self) -> None:
        self._timer = None
        self._process(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)

    def _process(self, readable: int, writable: int) -> None:
        """Let c-ares read, write, and try again what has had no answer in time."""
        if self.channel is not None:
            self.channel.process_fd(readable, writable)
            self._set_timer()

    def _set_timer(self) -> None:
        """Have c-ares called at its next deadline, as long as anything is under way."""
        loop = self.io_loop
        if loop is None:
            return
        if self._timer is not None:
            loop.remove_timeout(self._timer)
            self._timer = None
        if self._under_way and self.channel is not None:
            delay = max(self.channel.timeout(), _SHORTEST_DELAY)
            self._timer = loop.call_later(delay, self._deadline_reached)


def _settle(answer: asyncio.Future[list[Any]], host: str, nodes: list[Any] | None, error: int | None) -> None:
    if answer.done():
        return  # cancelled by who asked
    if nodes is not None:
        answer.set_result(nodes)
        return
    reason: Any = pycares.errno
    text = f"DNS look-up of {host!r} failed: {reason.strerror(error)}"
    answer.set_exception(socket.gaierror(_CODES.get(error, socket.EAI_FAIL), text))


def _address_of(node: Any) -> tuple[Any, ...]:
    # pycares 4 gives the address as bytes, pycares 5 as text.
    ip, *rest = node.addr
    return (ip.decode("ascii") if isinstance(ip, bytes) else ip, *rest)


reexport(globals())
